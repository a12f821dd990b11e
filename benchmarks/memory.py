"""Memory and time of the full codec for pictures of several sizes: each encoded and decoded in a process of its own.

    python benchmarks/memory.py PHOTO [--megapixels 1 12 48 96] [--quality 50]

PHOTO is mirrored again and again until it fills a picture with sides as 3 to 2. Effort 0, one thread. Peak memory is
that of the process, of what it loads to begin with (Python, PyTorch, the codec) included. CPU seconds are the user's
and the system's.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tutorial_lib.codec import Codec


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--megapixels", type=int, nargs="+", default=[1, 12, 48, 96])
    parser.add_argument("--quality", type=int, default=50)
    parser.add_argument("--one", nargs=2, metavar=("STAGE", "FILE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one_stage(options.one[0], Path(options.one[1]), options.photo, options.megapixels[0], options.quality)
        return
    print("| megapixels | encode, peak | CPU s a megapixel | decode, peak | CPU s a megapixel |\n|---|---|---|---|---|")
    for megapixels in options.megapixels:
        height, width = shape_of(megapixels)
        cells = [f"{megapixels} ({width:,} × {height:,})"]
        with tempfile.TemporaryDirectory() as folder:
            for stage in ("encode", "decode"):
                said = [str(options.photo), "--megapixels", str(megapixels), "--quality", str(options.quality)]
                command = [sys.executable, __file__, *said, "--one", stage, f"{folder}/picture.lic"]
                run = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=-1, check=True)
                cells.extend(run.stdout.decode().split("|"))
        print("| " + " | ".join(cells) + " |", flush=True)


def shape_of(megapixels: int) -> tuple[int, int]:
    """Height and width, of 96 megapixels 8,000 and 12,000; of 1, what just fits into 2^20 pixels: coded whole."""
    height = 816 if megapixels == 1 else round((megapixels * 1e6 / 1.5) ** 0.5)
    return height, height * 3 // 2


def one_stage(stage: str, file: Path, photo: Path, megapixels: int, quality: int) -> None:
    """Encode or decode, and print the process's peak memory and the CPU seconds a megapixel."""
    torch.set_num_threads(1)
    codec = Codec.load()
    codec.decode(codec.encode(torch.zeros(3, 64, 64, dtype=torch.uint8), quality, 0))  # what is first called compiles
    if stage == "encode":
        image, start = mirrored(photo, *shape_of(megapixels)), time.process_time()
        file.write_bytes(codec.encode(image, quality, 0))
    else:
        data, start = file.read_bytes(), time.process_time()
        image = codec.decode(data)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # MiB, on Linux
    print(f"{peak:,.0f} MiB|{seconds / (image[0].numel() / 1e6):.2f}", end="")


def mirrored(photo: Path, height: int, width: int) -> torch.Tensor:
    """A photo and its mirror images side by side, as many as it takes: uint8 (3, H, W)."""
    with Image.open(photo) as picture:
        x = torch.from_numpy(np.array(picture.convert("RGB"))).movedim(-1, 0)
    result = torch.empty(3, height, width, dtype=torch.uint8)
    for top in range(0, height, x.shape[1]):
        for left in range(0, width, x.shape[2]):
            axes = [axis for axis, place in ((1, top), (2, left)) if place // x.shape[axis] % 2]
            part = result[:, top : top + x.shape[1], left : left + x.shape[2]]
            part.copy_(x.flip(axes)[:, : part.shape[1], : part.shape[2]])
    return result


if __name__ == "__main__":
    main()
