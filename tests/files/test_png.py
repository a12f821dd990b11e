"""PNG files: what the pixels need must be there, sound, and understood."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from tutorial_lib.files.png import TOO_EARLY, WRONG_CHECKSUM


@pytest.fixture
def whole(make) -> bytes:
    return make.png(np.random.default_rng(1).integers(0, 256, (9, 7, 3)), 8, 2)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_wrong_checksum_of_the_pixels(read, refusal, whole: bytes) -> None:
    Path("in.png").write_bytes(whole)
    read("in.png")
    begin = whole.index(b"IDAT")
    size = int.from_bytes(whole[begin - 4 : begin], "big")
    end = begin + 4 + size
    Path("in.png").write_bytes(whole[: end + 3] + bytes([whole[end + 3] ^ 1]) + whole[end + 4 :])
    assert refusal("in.png") == WRONG_CHECKSUM


def test_a_flipped_bit_in_pixels_that_are_not_compressed(refusal, whole: bytes) -> None:
    rows = zlib.compress(bytes(range(200))[: 9 * 22], 0)
    damaged = rows[:60] + bytes([rows[60] ^ 16]) + rows[61:]
    begin = whole.index(b"IDAT") - 4
    data = chunk(b"IDAT", rows)
    Path("in.png").write_bytes(whole[:begin] + data.replace(rows, damaged) + chunk(b"IEND", b""))
    refusal("in.png")


def test_pixels_in_many_chunks(read, refusal, whole: bytes) -> None:
    begin = whole.index(b"IDAT")
    rows = whole[begin + 4 : begin + 4 + int.from_bytes(whole[begin - 4 : begin], "big")]
    Path("whole.png").write_bytes(whole)
    parts = [chunk(b"IDAT", rows[n : n + 11]) for n in range(0, len(rows), 11)]
    Path("parts.png").write_bytes(whole[: begin - 4] + b"".join(parts) + chunk(b"IEND", b""))
    assert np.array_equal(read("parts.png")[0], read("whole.png")[0])
    Path("fewer.png").write_bytes(whole[: begin - 4] + b"".join(parts[:5]) + chunk(b"IEND", b""))
    assert "damaged" in refusal("fewer.png")
    Path("cut.png").write_bytes(whole[: begin + 4 + len(rows)])  # all pixels are there, and no more
    read("cut.png")


def test_an_extension_that_counts_is_not_passed_over(read, refusal, whole: bytes) -> None:
    Path("in.png").write_bytes(whole[:33] + chunk(b"abCd", b"..") + whole[33:])
    read("in.png")
    Path("in.png").write_bytes(whole[:33] + chunk(b"CgBI", bytes(4)) + whole[33:])
    assert "CgBI" in refusal("in.png")


def test_too_few_rows(refusal, whole: bytes) -> None:
    header = b"IHDR" + struct.pack(">II", 7, 10) + whole[24:29]
    Path("in.png").write_bytes(whole[:12] + header + struct.pack(">I", zlib.crc32(header)) + whole[33:])
    assert refusal("in.png") == TOO_EARLY
