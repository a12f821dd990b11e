"""Fax codes: rows of all sorts are whole, and damage to them is noticed, as far as it can be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tutorial_lib.files import ccitt
from tutorial_lib.files.tiff_parts import UNDECODABLE

KINDS = [("group3", 0), ("group3", 1), ("group3", 4), ("group3", 5), ("group4", None), ("tiff_ccitt", None)]


def save(name: str, picture: np.ndarray, kind: tuple[str, int | None]) -> tuple[int, int]:
    """Where in the file its one strip lies. By libtiff, whose codes count as right."""
    compression, options = kind
    tags = {} if options is None else {292: options}
    Image.fromarray(picture).save(name, compression=compression, strip_size=1 << 20, tiffinfo=tags)
    with tifffile.TiffFile(name) as file:
        [place], [size] = file.pages[0].dataoffsets, file.pages[0].databytecounts
        if options is not None:
            assert file.pages[0].tags[292].value == options
    return place, size


def test_every_length_has_a_code_of_its_own() -> None:
    for codes in (ccitt.WHITE + ccitt.LONG, ccitt.BLACK + ccitt.LONG, list(ccitt.MODES)):
        assert not any(a != b and b.startswith(a) for a in codes for b in codes)
    assert len(ccitt.WHITE) == len(ccitt.BLACK) == 64 + 27 and len(ccitt.LONG) == 13 and len(ccitt.MODES) == 9


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("black_first", [False, True])
def test_runs_of_every_length(read, kind: tuple[str, int | None], black_first: bool) -> None:
    length = np.r_[0:200, 1700:1800, 2500:2700, 5000:5300:50][:, None]
    place = np.arange(5400)
    picture = ((place >= length) & (place < 2 * length + 1)) ^ black_first
    save("in.tif", picture, kind)
    assert np.array_equal(read("in.tif")[0][..., 0] > 0, picture)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_picture_in_strips_of_any_height(read, data) -> None:
    height, width = data.draw(st.tuples(st.integers(1, 20), st.integers(1, 90)))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    picture = random.random((height, width)) < data.draw(st.sampled_from([0.02, 0.5, 0.98]))
    compression, options = data.draw(st.sampled_from(KINDS))
    tags = {} if options is None else {292: options}
    rows = data.draw(st.integers(1, 20))
    Image.fromarray(picture).save("in.tif", compression=compression, strip_size=rows * (-(-width // 8)), tiffinfo=tags)
    assert np.array_equal(read("in.tif")[0][..., 0] > 0, picture)


@pytest.mark.parametrize("kind", KINDS)
def test_the_lowest_bit_first(read, refusal, make, kind: tuple[str, int | None]) -> None:
    picture = np.random.default_rng(1).random((40, 83)) < 0.1
    place, size = save("in.tif", picture, kind)
    codes = np.frombuffer(Path("in.tif").read_bytes()[place : place + size], np.uint8)
    turned = np.packbits(np.unpackbits(codes), bitorder="little").tobytes()
    number = {"group3": 3, "group4": 4, "tiff_ccitt": 2}[kind[0]]
    tags = {"t258": 1, "t259": number, "t262": 1, "t266": 2} | ({} if kind[1] is None else {"t292": ("I", kind[1])})
    Path("turned.tif").write_bytes(make.tiff(turned, 83, 40, **tags))
    assert np.array_equal(read("turned.tif")[0], read("in.tif")[0])
    Path("turned.tif").write_bytes(make.tiff(turned[:100] + bytes(40) + turned[140:], 83, 40, **tags))
    refusal("turned.tif")


@pytest.mark.parametrize("kind", KINDS)
def test_damage(read, refusal, kind: tuple[str, int | None]) -> None:
    """libtiff only warns of rows that are too short or too long, and Pillow does not pass that on."""
    random = np.random.default_rng(2)
    rows, columns = np.mgrid[:64, :83]
    picture = np.hypot(rows - 30, columns - 40) // 6 % 2 == 1
    place, size = save("in.tif", picture, kind)
    data = Path("in.tif").read_bytes()
    noticed = 0
    for n in range(60):
        begin = int(random.integers(4, size - 16))
        end = begin + int(random.integers(8, size - begin + 1))
        other = bytes(end - begin) if n % 2 else random.bytes(end - begin)
        Path("in.tif").write_bytes(data[: place + begin] + other + data[place + end :])
        assert "damaged" in refusal("in.tif")
        flipped = bytearray(data)
        flipped[place + begin] ^= 1 << int(random.integers(8))
        Path("in.tif").write_bytes(flipped)
        try:
            read("in.tif")
        except ValueError as error:
            noticed += str(error) == UNDECODABLE
    assert noticed > 30  # of single bits: some make codes of the same length in all


def test_rows_that_are_missing() -> None:
    white = np.packbits(
        [int(bit) for bit in "1111" + 2 * "000000000001" + "0000"]
    ).tobytes()  # four rows by T.6, its end
    for rows, whole in ((4, True), (3, False), (5, False)):
        assert ccitt.rows_are_whole(white, 20, rows, ccitt.GROUP_4, False) == whole
