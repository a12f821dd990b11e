"""Portable float maps, of which Pillow reads the grey ones only. Starts without PyTorch.

PF (or Pf, grey), width, height, scale: each followed by white space; then rows of float32, the lowest first.
A negative scale says that they are little-endian. What its size says is the unit, for which nothing here has a use.
"""

import re
from collections.abc import Callable
from typing import IO

import numpy as np

from tutorial_lib.files.samples import Refused, Samples

HEADER = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+([-+.\deE]{1,32})\s")
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
    return Samples(values[::-1], notes=[UNIT] * (abs(scale) != 1))
