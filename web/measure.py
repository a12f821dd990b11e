"""Seconds of the decoder in headless Chromium, by stage: `python web/measure.py build/web`, after `make web`.

A photo of 768 × 512 is decoded a few times; the fastest counts. Processor seconds are a decoding's, on all cores: what
another program takes at the same time is not in them. With `--threads 2` the page is served with the headers
that threads need, which plain servers of files do not send.

`--large`: seconds and memory of large pictures instead, each decoded once, by Node and by the page's worker, in a
process that has decoded nothing but the self-test. Python decodes them, too, which takes up to 10 GB and minutes.
"""

import argparse
import json
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch.nn.functional as F
from chromium import Decoded, Tab, decoded, opened
from export import latents
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.padding import reflect_pad
from tutorial_lib.workbench.photos import photo

QUALITY, TIMES = 50, 5
STAGES = ("container", "prior", "entropy", "synthesis", "total")
LARGE = ((1728, 2304), (3000, 4000), (4096, 4096))  # the last is as large as the decoder takes them
PATIENCE = 3600  # seconds


def picture() -> Tensor:
    """One of the lessons' photos, in the size of the Kodak photos."""
    enlarged = F.interpolate(photo("coffee")[None].float(), size=(512, 768), mode="bicubic", antialias=True)
    return enlarged[0].clamp(0, 255).round().byte()


def large(height: int, width: int) -> Tensor:
    """One of the lessons' photos, full of detail, mirrored again and again."""
    small = photo("motorcycle")
    return reflect_pad(small, 0, width - small.shape[2], 0, height - small.shape[1])


def table(columns: tuple[str, ...]) -> None:
    print(f"| {' | '.join(columns)} |\n" + "|---" * len(columns) + "|")


def row(tab: Tab, data: bytes, name: str) -> str:
    """A row of the table of stages."""
    load, before = tab.load(), tab.processor_seconds()
    best = min((tab.decode(data).facts for _ in range(TIMES)), key=lambda facts: facts["seconds"]["total"])
    processor = (tab.processor_seconds() - before) / TIMES
    values = (load, *(best["seconds"][stage] for stage in STAGES), best["preview"], processor)
    return f"| {name} | " + " | ".join(f"{value:.2f}" for value in values) + " |"


def in_node(folder: Path, data: bytes) -> tuple[Decoded, float]:
    """The decoded file, and processor seconds, those of loading included."""
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "large.lic"
        made.write_bytes(data)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        program = Path(__file__).with_name("decode_files.js")
        done = subprocess.run(["node", program, folder / "model", name, made], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        facts = json.loads(done.stdout)
        if facts["error"]:
            raise SystemExit(facts["error"])
        said = decoded(facts, made.with_suffix(".latents").read_bytes(), made.with_suffix(".rgba").read_bytes())
    return said, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def in_chromium(folder: Path, data: bytes) -> tuple[Decoded, float]:
    with opened(folder) as tab:
        before = tab.processor_seconds()
        said = tab.open(data, PATIENCE)
        if isinstance(said, dict):
            raise SystemExit(said["error"])
        return said, tab.processor_seconds() - before


def large_rows(folder: Path, codec: Codec) -> Iterator[str]:
    for height, width in LARGE:
        data = codec.encode(large(height, width), QUALITY, effort=0)
        parts, pixels = latents(codec, data), codec.decode(data).numpy()
        for where, decode in (("Node", in_node), ("Chromium", in_chromium)):
            said, processor = decode(folder, data)
            same = np.array_equal(said.latents, np.concatenate([part.ravel() for part in parts]))
            difference = np.abs(said.pixels.astype(np.int16) - pixels)
            cells = (
                f"{width:,} × {height:,}",
                where,
                f"{said.facts['seconds']['total']:.1f}",
                f"{processor:.1f}",
                f"{(said.facts['peak_memory'] or 0) / 2**20:,.0f}",
                "equal" if same else "others",
                f"{difference.max()} ({100 * (difference > 0).mean():.2f} %)",
            )
            yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds and memory of the decoder in headless Chromium.")
    parser.add_argument("folder", type=Path, help="what `make web` wrote")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--large", action="store_true", help="large pictures, in Node as well")
    parser.add_argument("--checkpoint", type=Path, help="another than the one that ships")
    options = parser.parse_args()
    codec = Codec.load(options.checkpoint).eval()
    if options.large:
        table(("picture", "where", "total", "processor", "peak memory, MiB", "latents", "pixels differ by at most"))
        for line in large_rows(options.folder, codec):
            print(line, flush=True)
        return
    data = codec.encode(picture(), QUALITY, effort=0)
    table(("threads", "load and self-test", *STAGES, "first preview", "processor"))
    for threads in options.threads:
        with opened(options.folder, threads) as tab:
            print(row(tab, data, str(threads)))


if __name__ == "__main__":
    main()
