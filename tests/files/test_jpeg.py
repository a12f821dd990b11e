"""JPEG files whose pixels end too early, though their end marker is there, are refused; all others are read."""

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
from tutorial_lib.files.png import TOO_EARLY

END = b"\xff\xd9"
HOW = [
    {"progressive": progressive, "quality": quality, "subsampling": subsampling, **restarts}
    for progressive in (False, True)
    for quality, subsampling in ((40, 2), (95, 0))
    for restarts in ({}, {"restart_marker_rows": 1}, {"restart_marker_blocks": 5})
]


def picture(mode: str) -> Image.Image:
    rows, columns = np.mgrid[:90, :130]
    smooth = 128 + 90 * np.sin(rows / 9)[..., None] * np.cos(columns[..., None] / (7, 11, 13))
    noise = np.random.default_rng(0).normal(0, 9, smooth.shape)
    return Image.fromarray((smooth + noise).clip(0, 255).astype(np.uint8)).convert(mode)


def jpeg_of(image: Image.Image, **how: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", **how)
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("how", HOW)
def test_no_alarm_for_a_whole_file_and_one_for_a_cut(read, mode: str, how: dict) -> None:
    data = jpeg_of(picture(mode), **how)
    Path("in.jpg").write_bytes(data)
    read("in.jpg")
    scan = data.index(b"\xff\xda")
    first = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    for cut in np.linspace(first, len(data) - 40, 9).astype(int):
        short = data[:cut].rstrip(b"\xff") + END
        Path("in.jpg").write_bytes(short)
        try:
            made_up = np.abs(pixels(short) - pixels(data)).max() > 4  # of the last code, libjpeg guesses right at times
            notes = read("in.jpg")[1]
        except (OSError, ValueError) as refusal:  # Pillow sees some
            assert isinstance(refusal, OSError) or TOO_EARLY in str(refusal) or "truncated" in str(refusal)
        else:
            assert jpeg.LESS_DETAIL in notes or not made_up, cut


def test_more_scans_than_any_encoder_writes(read, refusal) -> None:
    data = jpeg_of(Image.new("L", (90, 130), 77), progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    for more, sound in ((50, True), (jpeg.MOST_SCANS, False)):
        Path("many.jpg").write_bytes(data[:-2] + last * more + END)
        if sound:
            read("many.jpg")
        else:
            assert "scans" in refusal("many.jpg")


def test_scans_that_are_missing(read) -> None:
    data = jpeg_of(picture("RGB"), progressive=True)
    Path("in.jpg").write_bytes(data)
    assert read("in.jpg")[1] == []
    for scan in list(re.finditer(b"\xff\xda", data))[1:]:
        Path("in.jpg").write_bytes(data[: data.rindex(b"\xff\xc4", 0, scan.start())] + END)
        pixels_, notes = read("in.jpg")
        assert notes == [jpeg.LESS_DETAIL] and np.array_equal(pixels_, pixels(Path("in.jpg").read_bytes()))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    how=st.sampled_from(HOW),
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
    level=st.integers(0, 255),
    behind=st.binary(max_size=20),
)
def test_pictures_of_one_colour_and_what_stands_behind_the_end(read, size, how, mode, level, behind) -> None:
    data = jpeg_of(Image.new("L", size, level).convert(mode), **how)
    Path("in.jpg").write_bytes(data + behind)
    assert read("in.jpg")[0].shape == (size[1], size[0], 3)


def test_several_pictures_in_one_file(read, refusal) -> None:
    frames = [picture("RGB"), picture("RGB").rotate(180)]
    frames[0].save("in.jpg", "MPO", save_all=True, append_images=frames[1:])
    data = Path("in.jpg").read_bytes()
    with Image.open("in.jpg") as image:
        assert image.format == "MPO"
    assert np.array_equal(read("in.jpg")[0], pixels(data))
    cut = data.index(END) - 600
    Path("in.jpg").write_bytes(data[:cut] + data[data.index(END) :])
    assert refusal("in.jpg") == TOO_EARLY


def test_a_colour_that_has_no_scan(refusal) -> None:
    """Of a progressive file, the first scan is of all colours: it is made one of grey alone."""
    data = jpeg_of(picture("RGB"), progressive=True)
    scan = data.index(b"\xff\xda")
    grey = b"\xff\xda\0\x08\x01" + data[scan + 5 : scan + 7] + data[scan + 11 : scan + 14]
    Path("in.jpg").write_bytes(data[:scan] + grey + data[scan + 14 : scan + 400].rstrip(b"\xff") + END)
    assert refusal("in.jpg") == TOO_EARLY


def test_segments_that_make_no_sense_are_pillows_affair() -> None:
    data = jpeg_of(picture("L"))
    for bad in (data[:2], data[:2] + b"\0" * 40, b"\xff\xd8\xff"):
        with pytest.raises((jpeg.Refused, IndexError)):
            jpeg._layout(bad)
