"""Hyperpriors and context models beside CompressAI's, equal architecture, in one run.

    python benchmarks/priors.py [--rounds 5] [--threads 2]

- mean-scale hyperprior, N = 128, M = 192: a training step (four crops of 256 × 256), compress and decompress of a
  768 × 512 photo.
- with raster context, N = M = 192 ("mbt2018"): compress and decompress of the same photo.

Both have CompressAI's weights at random; CompressAI's are used as its documentation says, ours with
`.to(memory_format=torch.channels_last)`, which changes no layer. In each round all run once, one after another, so that
whatever else the machine does hits all of them alike. "ours / theirs" is the median over the rounds of the ratio.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tutorial_lib.context import joint_autoregressive
from tutorial_lib.files.images import to_float
from tutorial_lib.hyperprior import mean_scale_hyperprior
from tutorial_lib.information import bits
from tutorial_lib.workbench.peers import compressai
from tutorial_lib.workbench.photos import photo


def kodak_sized() -> Tensor:
    """A photo of 768 × 512: (1, 3, 512, 768)."""
    image = to_float(photo("chelsea"))
    return nn.functional.interpolate(image, size=(512, 768), mode="bicubic", align_corners=False).clamp(0, 1)


def training_step(model: nn.Module) -> Callable[[], None]:
    x = torch.rand(4, 3, 256, 256)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    model.train()

    def step() -> None:
        output = model(x)
        loss = sum(bits(part) for part in output["likelihoods"].values()) / x[:, 0].numel()
        loss = loss + 0.0067 * 255**2 * (output["x_hat"] - x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def coding(model: nn.Module, x: Tensor) -> dict[str, Callable[[], object]]:
    with torch.no_grad():
        output = model.compress(x)

    def run(call: Callable, **arguments: object) -> Callable[[], object]:
        def timed() -> object:
            with torch.no_grad():
                return call(**arguments)

        return timed

    return {"compress": run(model.compress, x=x), "decompress": run(model.decompress, **output)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    warnings.filterwarnings("ignore")
    peer = compressai()
    if peer is None:
        raise SystemExit("CompressAI is not installed: there is nothing to compare with.")
    from compressai.models import JointAutoregressiveHierarchicalPriors, MeanScaleHyperprior

    x = kodak_sized()
    pairs: dict[str, tuple[Callable, Callable]] = {}
    for name, ours, theirs in (
        ("mean-scale", mean_scale_hyperprior(128, 192), MeanScaleHyperprior(128, 192)),
        ("raster context", joint_autoregressive(192, 192), JointAutoregressiveHierarchicalPriors(192, 192)),
    ):
        ours = ours.to(memory_format=torch.channels_last).eval()
        theirs = theirs.eval()
        ours.build_coder()
        theirs.update(force=True)
        mine, other = coding(ours, x), coding(theirs, x)
        pairs |= {f"{name}: {what}": (mine[what], other[what]) for what in mine}
    step = (training_step(mean_scale_hyperprior(128, 192).to(memory_format=torch.channels_last)), None)
    pairs["mean-scale: training step"] = (step[0], training_step(MeanScaleHyperprior(128, 192)))

    print(f"| {options.threads} threads, {options.rounds} rounds | ours, s | CompressAI, s | ours / theirs |")
    print("|---|---|---|---|")
    for name, both in pairs.items():
        seconds: list[list[float]] = [[], []]
        for call in both:
            call()  # once unmeasured: memory, compiled kernels
        for _ in range(options.rounds):
            for times, call in zip(seconds, both, strict=True):
                begin = time.perf_counter()
                call()
                times.append(time.perf_counter() - begin)
        ratio = statistics.median(a / b for a, b in zip(*seconds, strict=True))
        print(
            f"| {name} | {statistics.median(seconds[0]):.2f} | {statistics.median(seconds[1]):.2f} | {ratio:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
