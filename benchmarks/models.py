"""Learned codecs beside CompressAI's: a training step, and coding pictures from 256² to 4K. Rows of `bench.py`.

- *mean-scale hyperprior*, N = 128, M = 192, and *raster context*, N = M = 192 ("mbt2018"): the same networks here and
  in CompressAI, with its weights at random. CompressAI's are used as its documentation says, ours with
  `.to(memory_format=torch.channels_last)`, which changes no layer.
- *full codec*: the checkpoint that ships, quality 50, effort 0, from an 8-bit picture to a file and back, beside
  CompressAI's hyperprior and its raster context from tensor to strings and back. Random weights change the time of
  CompressAI's networks little, but make its strings short, which is in its favour.

The picture is scikit-image's cat, enlarged. A training step takes four crops of 256 × 256.
"""

import warnings
from collections.abc import Callable
from functools import partial

import torch
from compressai.models import JointAutoregressiveHierarchicalPriors, MeanScaleHyperprior
from side_by_side import Call, Rounds, Rows, each_round
from torch import Tensor, nn

from tutorial_lib.codec import Codec
from tutorial_lib.context import joint_autoregressive
from tutorial_lib.files.images import to_float, to_uint8
from tutorial_lib.hyperprior import mean_scale_hyperprior
from tutorial_lib.information import bits
from tutorial_lib.workbench.photos import photo

SIZES = ((256, 256), (512, 768), (1088, 1920), (2176, 3840))  # heights and widths that CompressAI need not pad
HYPERPRIOR, RASTER = "CompressAI's hyperprior", "CompressAI's raster context"
PAIRS = (  # ours, theirs, the least that "theirs / ours" may be: of 768 × 512, both ways together
    ("full codec", HYPERPRIOR, 1 / 0.6),
    ("full codec", RASTER, None),
    ("mean-scale hyperprior", HYPERPRIOR, 1.0),
    ("raster context", RASTER, 2.0),
)
CHECKED = (512, 768)
STEP_FLOOR = 0.9  # equal, within what a step varies

Coder = tuple[Callable[[Tensor], object], Callable[[object], object]]  # compress(x) -> coded; decompress(coded)


def training(rounds: Rounds) -> Rows:
    torch.manual_seed(0)
    ours, theirs = mean_scale_hyperprior(128, 192), MeanScaleHyperprior(128, 192)
    steps = {
        "ours": training_step(ours.to(memory_format=torch.channels_last)),
        "theirs": training_step(theirs),
    }
    times = rounds.interleaved(steps)
    yield rounds.row("training step, mean-scale", HYPERPRIOR, times["ours"], times["theirs"], STEP_FLOOR)


def training_step(model: nn.Module) -> Call:
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


def pictures(rounds: Rounds) -> Rows:
    torch.manual_seed(0)
    warnings.filterwarnings("ignore")  # CompressAI's context model warns at each position
    coders = {
        "full codec": whole_file(Codec.load()),
        "mean-scale hyperprior": strings_of(mean_scale_hyperprior(128, 192)),
        "raster context": strings_of(joint_autoregressive(192, 192)),
        HYPERPRIOR: strings_of(MeanScaleHyperprior(128, 192)),
        RASTER: strings_of(JointAutoregressiveHierarchicalPriors(192, 192)),
    }
    for size in SIZES:
        x, pixels = cat(size), size[0] * size[1]
        calls = {}
        for name, (compress, decompress) in coders.items():
            if rounds.too_long(name, pixels):
                continue
            calls[f"{name}: compress"] = partial(compress, x)
            calls[f"{name}: decompress"] = partial(decompress, compress(x))
        times = rounds.growing(pixels, calls)
        for name in coders:
            compress, decompress = (times.get(f"{name}: {way}", []) for way in ("compress", "decompress"))
            times[f"{name}: both"] = each_round(compress, decompress)
            rounds.note(name, pixels, times[f"{name}: both"])
        for ours, theirs, floor in PAIRS:
            for way in ("compress", "decompress", "both"):
                mine, other = (times.get(f"{name}: {way}", []) for name in (ours, theirs))
                what = f"{ours}, {size[1]:,} × {size[0]:,}, {way}"
                yield rounds.row(what, theirs, mine, other, floor if (size, way) == (CHECKED, "both") else None)


def cat(size: tuple[int, int]) -> Tensor:
    """A photo of any size: (1, 3, H, W)."""
    image = to_float(photo("chelsea"))
    return nn.functional.interpolate(image, size=size, mode="bicubic", align_corners=False).clamp(0, 1)


def whole_file(codec: Codec) -> Coder:
    """From an 8-bit picture to a file and back."""
    return (lambda x: codec.encode(to_uint8(x), 50, 0), codec.decode)


def strings_of(model: nn.Module) -> Coder:
    """From a tensor to strings and back; CompressAI's models and ours take and give the same."""
    model.eval()
    if hasattr(model, "update"):
        model.update(force=True)
    else:
        model.to(memory_format=torch.channels_last).build_coder()

    compress, decompress = torch.no_grad()(model.compress), torch.no_grad()(model.decompress)
    return compress, lambda output: decompress(**output)
