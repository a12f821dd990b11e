"""Portable float maps, of which Pillow reads the grey ones only; and where portable maps end. Starts without PyTorch.

PF (or Pf, grey), width, height, scale: each followed by white space; then rows of float32, the lowest first.
A negative scale says that they are little-endian. What its size says is the unit, for which nothing here has a use.
"""

import re
from collections.abc import Callable
from typing import IO

import numpy as np
from PIL import Image

from tutorial_lib.files.samples import SEVERAL, Refused, Samples

HEADER = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([-+.\deE]{1,32})\s")
MAGIC = re.compile(rb"P[1-7Ff]\s")  # what any portable map begins with
BITS = {"1;I": 1, "L": 8, "I;16B": 16, "RGB": 24}  # of a pixel, by Pillow's names of layouts
UNIT = "The scale that the file gives its samples was ignored: 0 … 1 became black … white."


def read_pfm(file: IO[bytes], check_size: Callable[[int, int], None]) -> Samples:
    """Raises ValueError if it is none."""
    head = file.read(512)
    found = HEADER.match(head)
    if found is None:
        raise Refused("it is no picture, or of a kind that Pillow does not know.")
    channels, width, height, scale = 3 if found[1] == b"F" else 1, int(found[2]), int(found[3]), float(found[4])
    if not (abs(scale) > 0 and np.isfinite(scale)):
        raise Refused("it is damaged (its scale is no number above or below 0).")
    check_size(width, height)
    file.seek(found.end())
    data = file.read(4 * width * height * channels)
    if len(data) < 4 * width * height * channels:
        raise Refused("it is damaged (it ends too early).")
    values = np.frombuffer(data, "<f4" if scale < 0 else ">f4").reshape(height, width, channels)
    notes = [UNIT] * (abs(scale) != 1) + [SEVERAL] * another_follows(file, file.tell())
    return Samples(values[::-1], notes=notes)


def end_of(image: Image.Image) -> int | None:
    """Where the pixels of a portable map end in its file; None where Pillow does not tell. Ask before it is loaded."""
    [tile] = image.tile  # type: ignore[attr-defined]
    layout, highest = tile.args if isinstance(tile.args, tuple) else (tile.args, 255)
    if tile.codec_name not in ("raw", "ppm") or layout not in BITS:
        return None
    bits = BITS[layout] * (2 if highest > 255 else 1)
    return int(tile.offset) + image.height * ((image.width * bits + 7) // 8)


def check_samples(file: IO[bytes], image: Image.Image, end: int) -> None:
    """Raise Refused for samples above the highest that it names, which Pillow would clip. Ask before it is loaded."""
    [tile] = image.tile  # type: ignore[attr-defined]
    highest = tile.args[1] if isinstance(tile.args, tuple) else 0
    if tile.codec_name != "ppm" or highest in (255, 65535):
        return
    place = file.tell()
    file.seek(tile.offset)
    data = file.read(end - tile.offset)
    file.seek(place)
    samples = np.frombuffer(data[: len(data) & ~1], ">u2") if highest > 255 else np.frombuffer(data, np.uint8)
    if samples.size and samples.max() > highest:
        raise Refused(f"it is damaged (it has samples above {highest}, which it calls the highest).")


def another_follows(file: IO[bytes], end: int) -> bool:
    """Does the file go on with another portable map, as programs write films into pipes?"""
    file.seek(end)
    return MAGIC.match(file.read(3)) is not None
