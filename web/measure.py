"""Seconds of the decoder in headless Chromium, by stage: `python web/measure.py build/web`, after `make web`.

A photo of 768 × 512 is decoded a few times; the fastest counts. Processor seconds are a decoding's, on all cores: what
another program takes at the same time is not in them. With `--threads 2` the page is served with the headers
that threads need, which plain servers of files do not send.
"""

import argparse
from pathlib import Path

import torch.nn.functional as F
from chromium import Tab, opened
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.workbench.photos import photo

QUALITY, TIMES = 50, 5
STAGES = ("container", "prior", "entropy", "synthesis", "total")


def picture() -> Tensor:
    """One of the lessons' photos, in the size of the Kodak photos."""
    enlarged = F.interpolate(photo("coffee")[None].float(), size=(512, 768), mode="bicubic", antialias=True)
    return enlarged[0].clamp(0, 255).round().byte()


def row(tab: Tab, data: bytes, name: str) -> str:
    """A row of the table."""
    before = tab.processor_seconds()
    best = min((tab.decode(data) for _ in range(TIMES)), key=lambda decoded: decoded.seconds["total"])
    processor = (tab.processor_seconds() - before) / TIMES
    stages = (*(best.seconds[stage] for stage in STAGES), best.preview)
    return f"| {name} | {tab.load_seconds:.2f} | " + " | ".join(f"{value:.2f}" for value in (*stages, processor)) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds of the decoder in headless Chromium, by stage.")
    parser.add_argument("folder", type=Path, help="what `make web` wrote")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--checkpoint", type=Path, help="another than the one that ships")
    options = parser.parse_args()
    data = Codec.load(options.checkpoint).encode(picture(), QUALITY, effort=0)
    columns = ("threads", "load and self-test", *STAGES, "first preview", "processor")
    print(f"| {' | '.join(columns)} |")
    print("|---" * len(columns) + "|")
    for threads in options.threads:
        with opened(options.folder, threads) as tab:
            print(row(tab, data, str(threads)))


if __name__ == "__main__":
    main()
