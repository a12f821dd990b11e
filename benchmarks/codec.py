"""The full codec beside CompressAI's `bmshj2018-hyperprior` (N = 128, M = 192): seconds for a 768 × 512 photo.

    python benchmarks/codec.py [--rounds 5] [--threads 2] [--quality 50]

compress and decompress, tensors in and out, both in one run: in each round both encode and decode once, one after the
other, so that whatever else the machine does hits both. "ours / theirs" is the median over the rounds of the ratio.
Ours is the checkpoint that ships; theirs has its weights at random (they do not change its time much; the lengths of
its strings do: at random weights they are short, which is in its favour).
"""

import argparse
import statistics
import time
import warnings

import torch
from priors import kodak_sized

from tutorial_lib.codec import Codec
from tutorial_lib.workbench.peers import compressai


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--quality", type=int, default=50)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if compressai() is None:
        parser.error("CompressAI is not installed here.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from compressai.models import ScaleHyperprior

    torch.manual_seed(0)
    theirs = ScaleHyperprior(128, 192).eval()
    theirs.update(force=True)
    ours, x = Codec.load(), kodak_sized()

    def both_ways(codec: str) -> tuple[float, float]:
        begin = time.perf_counter()
        with torch.no_grad():
            if codec == "ours":
                output = ours.compress(x, options.quality)
                middle = time.perf_counter()
                ours.decompress(**output, quality=options.quality)
            else:
                output = theirs.compress(x)
                middle = time.perf_counter()
                theirs.decompress(**output)
        return middle - begin, time.perf_counter() - middle

    for codec in ("ours", "theirs"):
        both_ways(codec)  # compiles, and fills the caches
    rounds = [(both_ways("ours"), both_ways("theirs")) for _ in range(options.rounds)]
    print(f"{torch.get_num_threads()} threads, {options.rounds} rounds, {x.shape[-1]} × {x.shape[-2]}")
    parts = {"compress": lambda pair: pair[0], "decompress": lambda pair: pair[1], "both": sum}
    for name, part in parts.items():
        pairs = [(part(mine), part(other)) for mine, other in rounds]
        ratio = statistics.median(mine / other for mine, other in pairs)
        mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        print(f"{name:11} ours {mine:.3f} s   theirs {other:.3f} s   ours / theirs {ratio:.2f}")


if __name__ == "__main__":
    main()
