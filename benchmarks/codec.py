"""The full codec beside CompressAI's `bmshj2018-hyperprior` (N = 128, M = 192): seconds for a 768 × 512 photo.

    python benchmarks/codec.py [--rounds 5] [--threads 2] [--quality 50] [--checkpoint CKPT] [--cpu] [--check]

compress, at effort 0, and decompress, tensors in and out, both codecs in one run: in each round both encode and decode
once, one after the other, so that whatever else the machine does hits both. "ours / theirs" is the median over the
rounds of the ratio. Ours is the checkpoint that ships; theirs has its weights at random (they do not change its time
much; the lengths of its strings do: at random weights they are short, which is in its favour).

Then each stage of ours: median seconds in these same rounds, and thousands of multiplications a pixel.

--cpu: seconds of the process on its cores instead of those on the clock, for a machine that is busy with other things.
--check: fail if ours takes more than 0.6 of the time that theirs takes.
"""

import argparse
import statistics
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from priors import kodak_sized
from torch import nn

from tutorial_lib import subband_prior
from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.complexity import encoder_and_decoder, kmac_per_pixel, multiplications
from tutorial_lib.rans import Decoder
from tutorial_lib.workbench.peers import compressai

MOST = 0.6  # of CompressAI's time
STAGES = {  # of which layers a stage's multiplications are, by the beginnings of their names
    "compress: wavelet": (),
    "compress: prior's networks": ("prior.",),
    "compress: rANS": (),
    "decompress: prior's networks": ("prior.",),
    "decompress: rANS": (),
    "decompress: corrections, inverse wavelet": ("synthesis.corrections.", "synthesis.last_features."),
    "decompress: restoration": ("synthesis.restoration.",),
}


class StopWatch:
    """Seconds spent in functions that are watched; a function that calls another one is counted with it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.seconds: Counter[str] = Counter()

    def watch(self, owner: object, name: str, stage: str) -> None:
        """Replace owner.name, a function, by one that is timed."""
        call = getattr(owner, name)

        def timed(*arguments, **options):
            begin = self.now()
            try:
                return call(*arguments, **options)
            finally:
                self.seconds[stage] += self.now() - begin

        setattr(owner, name, timed)

    def stages(self) -> dict[str, float]:
        """What has come together since the last call, disjoint."""
        s, self.seconds = self.seconds, Counter()
        times = (
            s["analysis"],
            s["compress"] - s["encode"],
            s["encode"],
            s["decompress"] - s["decode"],
            s["decode"],
            s["synthesis"] - s["restoration"],
            s["restoration"],
        )
        return dict(zip(STAGES, times, strict=True))


def watched(codec: Codec, now: Callable[[], float]) -> StopWatch:
    """The codec, and rANS where its prior uses it, are watched from now on."""
    watch = StopWatch(now)
    watch.watch(codec.analysis, "forward", "analysis")
    watch.watch(codec.prior, "compress", "compress")
    watch.watch(subband_prior, "encode_with_positions", "encode")
    watch.watch(codec.prior, "decompress", "decompress")
    for method in ("__init__", "pop", "finish"):
        watch.watch(Decoder, method, "decode")
    watch.watch(codec.synthesis, "forward", "synthesis")
    watch.watch(codec.synthesis.restoration, "forward", "restoration")
    return watch


def both_ways(codec: nn.Module, x: torch.Tensor, options: dict, now: Callable[[], float]) -> tuple[float, float]:
    """Seconds of compress and of decompress."""
    with torch.no_grad():
        begin = now()
        output = codec.compress(x, **options)
        middle = now()
        codec.decompress(**output, **options)
        return middle - begin, now() - middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quality", type=int, default=50)
    parser.add_argument("--checkpoint", type=Path, help="default: the one that ships")
    parser.add_argument("--cpu", action="store_true", help="processor seconds instead of those on the clock")
    parser.add_argument("--check", action="store_true", help=f"fail if ours / theirs is above {MOST}")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    now = time.process_time if options.cpu else time.perf_counter
    if compressai() is None:
        parser.error("CompressAI is not installed here.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from compressai.models import ScaleHyperprior

    torch.manual_seed(0)
    theirs = ScaleHyperprior(128, 192).eval()
    theirs.update(force=True)
    try:
        ours, x = Codec.load(options.checkpoint), kodak_sized()
    except ValueError as error:
        parser.error(str(error))
    quality = {"quality": options.quality}
    encoder, decoder = encoder_and_decoder(ours, x, options.quality)  # compiles, and fills the caches, too
    output = theirs.compress(x)
    their_kmac = [
        kmac_per_pixel(multiplications(theirs, run), x)
        for run in (lambda: theirs.compress(x), lambda: theirs.decompress(**output))
    ]
    watch = watched(ours, now)
    rounds, stages = [], []
    for _ in range(options.rounds):
        mine = both_ways(ours, x, quality, now)
        stages.append(watch.stages())
        rounds.append((mine, both_ways(theirs, x, {}, now)))

    size = f"{x.shape[-1]} × {x.shape[-2]}, {torch.get_num_threads()} thread(s), {options.rounds} rounds"
    clock = "processor time" if options.cpu else "time on the clock"
    print(f"| {size}, quality {options.quality}, {clock} | ours, s | theirs, s | ours / theirs | kMAC/pixel | theirs |")
    print("|---|---|---|---|---|---|")
    our_kmac = [kmac_per_pixel(counted, x) for counted in (encoder, decoder)]
    rows = {"compress": (0, 1), "decompress": (1, 2), "both": (0, 2)}
    for name, (first, last) in rows.items():
        pairs = [(sum(mine[first:last]), sum(other[first:last])) for mine, other in rounds]
        ratio = statistics.median(mine / other for mine, other in pairs)
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        kmac = " | ".join(f"{sum(side[first:last]):.1f}" for side in (our_kmac, their_kmac))
        print(f"| {name} | {mine:.3f} | {other:.3f} | {ratio:.2f} | {kmac} |")
    for stage, prefixes in STAGES.items():
        counted = encoder if stage.startswith("compress") else decoder
        kmac = sum(kmac_per_pixel(counted, x, prefix) for prefix in prefixes)
        seconds = statistics.median(each[stage] for each in stages)
        print(f"| {stage} | {seconds:.3f} | | | {f'{kmac:.1f}' if prefixes else '–'} | |")
    if options.check and ratio > MOST:
        sys.exit(f"ours takes {ratio:.2f} of the time of CompressAI's hyperprior, more than {MOST}.")


if __name__ == "__main__":
    main()
