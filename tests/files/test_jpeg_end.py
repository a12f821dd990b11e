"""JPEG files that have lost their end: read where that is but the end marker, refused where it is a single pixel."""

from __future__ import annotations

import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tutorial_lib.files import jpeg

HOW = [
    (mode, {"progressive": progressive, "quality": quality, "subsampling": subsampling, **restarts})
    for mode in ("RGB", "L")
    for progressive in (False, True)
    for quality, subsampling in ((30, 2), (75, 1), (100, 0))
    for restarts in ({}, {"restart_marker_blocks": 3})
]


def jpeg_of(width: int, height: int, mode: str, seed: int = 0, **how: object) -> bytes:
    rows, columns = np.mgrid[:height, :width]
    smooth = 128 + 90 * np.sin(rows / 9)[..., None] * np.cos(columns[..., None] / (7, 11, 13))
    noise = np.random.default_rng(seed).normal(0, 9, smooth.shape) * (columns > 20)[..., None]
    file = io.BytesIO()
    Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).convert(mode).save(file, "JPEG", **how)
    return file.getvalue()


@pytest.mark.parametrize(("mode", "how"), HOW)
def test_every_cut(read, refusal, mode: str, how: dict) -> None:
    data = jpeg_of(67, 41, mode, **how)
    Path("in.jpg").write_bytes(data)
    whole, notes = read("in.jpg")
    assert notes == []
    scan = data.index(b"\xff\xda")
    for cut in {*range(max(scan, len(data) - 200), len(data)), *range(scan, len(data), 97)}:
        Path("in.jpg").write_bytes(data[:cut])
        try:
            pixels, notes = read("in.jpg")
        except ValueError:
            assert cut < len(data) - 2 or how["progressive"]
        else:  # what is missing besides may be what nobody sees
            assert np.array_equal(pixels, whole) and notes == [jpeg.NO_END]


def test_what_stands_in_place_of_the_end(read, refusal) -> None:
    """A file that was cut, and filled up, ends in codes of no block; so does one in which others follow the last."""
    data = jpeg_of(67, 41, "RGB", quality=75)
    for filling in (bytes(1), bytes(300), bytes(range(1, 90))):
        for cut in (len(data) - 2, len(data) - 40, len(data) - 300):
            Path("in.jpg").write_bytes(data[:cut] + filling)
            refusal("in.jpg")
    Path("in.jpg").write_bytes(data[:-2] + b"\xff\xff\xff")  # fills are allowed before a marker
    assert read("in.jpg")[1] == [jpeg.NO_END]


def test_a_progressive_file_that_was_cut_between_scans(refusal) -> None:
    data = jpeg_of(67, 41, "RGB", progressive=True)
    for scan in re.finditer(b"\xff[\xda\xc4]", data):
        Path("in.jpg").write_bytes(data[: scan.start()])
        refusal("in.jpg")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_size_and_layout(read, data) -> None:
    usual = [(mode, how) for mode, how in HOW if how["quality"] < 100 and not how["progressive"]]
    mode, how = data.draw(st.sampled_from(usual))
    size = data.draw(st.tuples(*[st.integers(8, 70)] * 2))
    file = jpeg_of(*size, mode, seed=data.draw(st.integers(0, 99)), **how)
    Path("in.jpg").write_bytes(file[:-2])
    pixels, notes = read("in.jpg")
    with Image.open(io.BytesIO(file)) as image:
        assert np.array_equal(pixels, np.asarray(image.convert("RGB"))) and notes == [jpeg.NO_END]
