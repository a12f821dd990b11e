"""Many round trips in one process: is every one exact, and does memory stay where it was?

    python benchmarks/round_trips.py [--count 1000] [--largest 320] [--seed 0]

Pictures of random sizes (cut from scikit-image's photos, resized at random), qualities, efforts and numbers of threads.
Encoding and decoding take different numbers of threads. Exact: the decoder finds the very symbols that the encoder
chose, whatever their threads; coding twice writes the same bytes; and the picture is within one grey level of the
encoder's own. After every tenth of them it prints three memories of the process: what it has; what is left when the
allocator has given back what is free (glibc keeps it, in pieces); and the most so far. Growth would show in the second
one, once it has seen a few hundred shapes: oneDNN keeps a plan for each of the latest 1,024.
"""

import argparse
import ctypes
import resource
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from tutorial_lib.bitstream import unpack
from tutorial_lib.codec import Codec
from tutorial_lib.files.images import from_pil, to_float, to_pil
from tutorial_lib.workbench.photos import PHOTOS, photo


def memory() -> list[float]:
    """MiB that this process has now, has when what is free has been given back, and had at most; on Linux."""
    now = resident()
    ctypes.CDLL(None).malloc_trim(0)
    return [now, resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]


def resident() -> float:
    """MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


@torch.no_grad()
def round_trip(codec: Codec, image: torch.Tensor, quality: int, effort: int, threads: tuple[int, int]) -> int:
    """Grey levels by which the decoded picture differs from the encoder's. Raises AssertionError where symbols do."""
    torch.set_num_threads(threads[0])
    x = to_float(image)
    strings = codec.compress(x, quality, effort)["strings"]
    data = codec.encode(image, quality, effort)
    stream = unpack(data)
    assert [string for (string,) in strings] == list(stream.strings), "coding twice wrote two files"
    shape = image.shape[1], image.shape[2]
    mine = codec.decompress(strings, shape, quality)["x_hat"]
    torch.set_num_threads(threads[1])
    decoded = codec.decode(data)
    latent, _ = codec._decompress_latent([[each] for each in stream.strings], shape, quality)
    torch.set_num_threads(threads[0])
    again, _ = codec._decompress_latent(strings, shape, quality)
    same = all(torch.equal(a, b) for a, b in zip(latent.parts, again.parts, strict=True))
    assert same, "another number of threads decoded other numbers"
    return int((decoded.int() - (mine[0] * 255).round().clamp(0, 255).int()).abs().max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--largest", type=int, default=320, help="pixels of a side")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, codec = np.random.default_rng(options.seed), Codec.load()
    photos = [to_pil(photo(name)) for name in PHOTOS]
    levels: Counter[int] = Counter()
    print("| round trips | memory, MiB | free parts given back | at most | pictures by levels that pixels differ by |")
    print("|---|---|---|---|---|")
    for n in tqdm(range(options.count), mininterval=5, disable=None):
        height, width = (int(np.exp(rng.uniform(0, np.log(options.largest)))) for _ in range(2))
        picture = photos[rng.integers(len(photos))].resize((width, height), Image.Resampling.LANCZOS)
        quality, effort = int(rng.integers(1, 101)), int(rng.choice([0, 0, 0, 1, 3]))
        first = int(rng.integers(1, 3))
        levels[round_trip(codec, from_pil(picture), quality, effort, (first, 3 - first))] += 1
        if (n + 1) * 10 // options.count > n * 10 // options.count:
            measured = " | ".join(f"{each:,.0f}" for each in memory())
            print(f"| {n + 1:,} | {measured} | {dict(sorted(levels.items()))} |", flush=True)
    print(f"\n{options.count:,} round trips: all symbols equal, whatever the threads; every file written twice alike.")


if __name__ == "__main__":
    main()
