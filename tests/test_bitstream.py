"""The .lic container against bytes written by hand, and one clear sentence for each way to be no .lic file."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutorial_lib.bitstream import MAX_PIXELS, Stream, check_size, pack, unpack
from tutorial_lib.rans import BitstreamError

STREAM = Stream(768, 512, "0123456789abcdef", (b"twelve bytes",))


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    width = draw(st.integers(1, 65535))
    height = draw(st.integers(1, min(65535, MAX_PIXELS // width)))
    fingerprint = draw(st.binary(min_size=8, max_size=8)).hex()
    return Stream(width, height, fingerprint, tuple(draw(st.lists(st.binary(max_size=60), min_size=1, max_size=255))))


def sealed(body: bytes) -> bytes:
    """With the checksum that belongs to it, as a forger would."""
    return body + struct.pack("<I", zlib.crc32(body))


def why(data: bytes) -> str:
    """The one sentence with which `unpack` refuses."""
    with pytest.raises(BitstreamError) as caught:
        unpack(data)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence
    return sentence


def test_the_layout_is_the_one_in_the_docstring() -> None:
    # Written out by hand, so that files of today are read by the program of tomorrow.
    body = bytes.fromhex("894c4943 01 01 0003 0002 0123456789abcdef 01 0c000000") + b"twelve bytes"
    assert pack(STREAM) == body + zlib.crc32(body).to_bytes(4, "little")
    two = replace(STREAM, width=1, height=65535, strings=(b"", b"ab"))
    body = bytes.fromhex("894c4943 01 01 0100 ffff 0123456789abcdef 02 00000000 02000000") + b"ab"
    assert pack(two) == body + zlib.crc32(body).to_bytes(4, "little")


def test_one_string_costs_27_bytes_more() -> None:
    assert len(pack(STREAM)) - len(STREAM.strings[0]) == 27


@given(streams())
def test_round_trip(stream: Stream) -> None:
    assert unpack(pack(stream)) == stream
    assert unpack(memoryview(pack(stream))) == stream


@pytest.mark.parametrize(
    "data",
    [b"hello, this is a text", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff\xd8\xff", b"L", b"LIC\x89" * 20],
)
def test_not_a_lic_file(data: bytes) -> None:
    assert "this is no .lic file" in why(data)


def test_empty() -> None:
    assert "is empty" in why(b"")


def test_cut_short_anywhere() -> None:
    for data in (pack(STREAM), pack(replace(STREAM, strings=(b"abc", b"", b"defg")))):
        for length in range(1, len(data)):
            assert "was cut short" in why(data[:length])


@given(streams(), st.binary(min_size=1, max_size=100))
def test_bytes_behind_the_end(stream: Stream, more: bytes) -> None:
    assert "was added to" in why(pack(stream) + more)


def test_a_file_twice_in_a_row() -> None:
    assert "was added to" in why(pack(STREAM) * 2)


def test_every_flipped_bit_is_found() -> None:
    data = pack(STREAM)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        sentence = why(bytes(flipped))
        # What the sentence may say depends on where the bit is; it never blames the checksum for the magic.
        assert ("no .lic file" in sentence) == (bit < 32)
        if 19 * 8 > bit >= 32 + 8 and bit // 8 != 18:
            assert sentence == "the file is damaged: its checksum is wrong."


def test_a_newer_version_is_told_from_a_damaged_one() -> None:
    body = bytearray(pack(STREAM)[:-4])
    body[4] = 2
    assert "has version 2; this program reads 1" in why(sealed(bytes(body)))
    assert "has version 2" in why(sealed(bytes(body[:20])))  # another version may have another layout
    assert "checksum is wrong" in why(bytes(body) + bytes(4))


def test_an_unknown_codec() -> None:
    body = bytearray(pack(STREAM)[:-4])
    body[5] = 200
    assert "codec number 200" in why(sealed(bytes(body)))


@pytest.mark.parametrize(
    ("width", "height"), [(0, 512), (768, 0), (0, 0), (65535, 65535), (65535, 2049), (2**14, 2**13 + 1)]
)
def test_absurd_sizes(width: int, height: int) -> None:
    body = bytearray(pack(STREAM)[:-4])
    body[6:10] = struct.pack("<HH", width, height)
    assert f"{width:,} x {height:,} pixels does not fit" in why(sealed(bytes(body)))
    with pytest.raises(ValueError, match="does not fit"):
        replace(STREAM, width=width, height=height)


def test_sizes_at_the_edge() -> None:
    for width, height in [(1, 1), (1, 65535), (65535, 1), (65535, 2048), (2**14, 2**13)]:
        check_size(width, height)
        assert unpack(pack(replace(STREAM, width=width, height=height))).height == height
    for width, height in [(65536, 1), (1, 65536), (-1, -1)]:
        with pytest.raises(ValueError, match="does not fit"):
            check_size(width, height)


def test_absurd_lengths() -> None:
    body = bytearray(pack(STREAM)[:-4])
    body[19:23] = b"\xff\xff\xff\xff"
    assert "cut short" in why(sealed(bytes(body)))
    body = bytearray(pack(STREAM)[:-4])
    body[18] = 255  # so many lengths do not fit into the file
    assert "cut short" in why(sealed(bytes(body)))


def test_no_strings() -> None:
    assert "1 to 255 strings, not 0" in why(sealed(pack(STREAM)[:18] + b"\0"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"fingerprint": "0123456789ABCDEF"}, "16 hexadecimal digits"),
        ({"fingerprint": "0123456789abcdef0"}, "16 hexadecimal digits"),
        ({"fingerprint": "0123456789abcdef\n"}, "16 hexadecimal digits"),
        ({"fingerprint": ""}, "16 hexadecimal digits"),
        ({"strings": ()}, "1 to 255 strings"),
        ({"strings": (b"",) * 256}, "1 to 255 strings"),
        ({"codec": "jpeg"}, "no codec is called 'jpeg'"),
    ],
)
def test_what_cannot_be_written(change: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(STREAM, **change)
