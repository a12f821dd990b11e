"""The full codec beside CompressAI's `bmshj2018-hyperprior` (N = 128, M = 192): seconds for a 768 × 512 photo.

    python benchmarks/codec.py [--rounds 5] [--threads 2] [--quality 50] [--checkpoint CKPT] [--cpu] [--check]

compress, at effort 0, and decompress, tensors in and out, compared as `side_by_side.py` says. Ours is the checkpoint
that ships; theirs has its weights at random (they do not change its time much; the lengths of its strings do: at random
weights they are short, which is in its favour). `bench.py` has other sizes, and other models of CompressAI's.

Then each stage of ours: median seconds in these same rounds, and thousands of multiplications a pixel.

--cpu: seconds of the process on its cores instead of those on the clock, for a machine that is busy with other things.
--check: fail if ours takes more than 0.6 of the time that theirs takes.
"""

import argparse
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from side_by_side import Rounds, cpu_seconds, each_round

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
    now = cpu_seconds if options.cpu else time.perf_counter
    if compressai() is None:
        parser.error("CompressAI is not installed here.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from compressai.models import ScaleHyperprior
        from models import cat, strings_of

    torch.manual_seed(0)
    theirs = ScaleHyperprior(128, 192)
    their_compress, their_decompress = strings_of(theirs)
    try:
        ours, x = Codec.load(options.checkpoint), cat((512, 768))
    except ValueError as error:
        parser.error(str(error))
    quality = {"quality": options.quality}
    encoder, decoder = encoder_and_decoder(ours, x, options.quality)
    output, their_output = ours.compress(x, **quality), their_compress(x)
    runs = {"compress": lambda: their_compress(x), "decompress": lambda: their_decompress(their_output)}
    their_kmac = {way: kmac_per_pixel(multiplications(theirs, run), x) for way, run in runs.items()}
    watch, stages = watched(ours, now), []

    def decompress() -> None:
        ours.decompress(**output, **quality)
        stages.append(watch.stages())

    calls = {
        "compress": lambda: ours.compress(x, **quality),
        "decompress": decompress,
        **{f"their {way}": run for way, run in runs.items()},
    }
    times = Rounds(options.rounds, now=now).interleaved(calls)
    done = len(times["compress"])
    stages = stages[-done:]  # not those of the warm-up

    size = f"{x.shape[-1]} × {x.shape[-2]}, {torch.get_num_threads()} thread(s), {done} rounds"
    clock = "processor time" if options.cpu else "time on the clock"
    print(f"| {size}, quality {options.quality}, {clock} | ours, s | theirs, s | ours / theirs | kMAC/pixel | theirs |")
    print("|---|---|---|---|---|---|")
    our_kmac = {way: kmac_per_pixel(counted, x) for way, counted in (("compress", encoder), ("decompress", decoder))}
    rows = {"compress": ("compress",), "decompress": ("decompress",), "both": ("compress", "decompress")}
    for name, ways in rows.items():
        mine, other = (each_round(*(times[f"{whose}{way}"] for way in ways)) for whose in ("", "their "))
        ratio = median(a / b for a, b in zip(mine, other, strict=True))
        kmac = " | ".join(f"{sum(each[way] for way in ways):.1f}" for each in (our_kmac, their_kmac))
        print(f"| {name} | {median(mine):.3f} | {median(other):.3f} | {ratio:.2f} | {kmac} |")
    for stage, prefixes in STAGES.items():
        counted = encoder if stage.startswith("compress") else decoder
        kmac = sum(kmac_per_pixel(counted, x, prefix) for prefix in prefixes)
        seconds = median(each[stage] for each in stages)
        print(f"| {stage} | {seconds:.3f} | | | {f'{kmac:.1f}' if prefixes else '–'} | |")
    if options.check and ratio > MOST:
        sys.exit(f"ours takes {ratio:.2f} of the time of CompressAI's hyperprior, more than {MOST}.")


if __name__ == "__main__":
    main()
