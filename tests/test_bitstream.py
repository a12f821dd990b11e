"""The .lic container against bytes written by hand, and one clear sentence for each way to be no .lic file."""

from __future__ import annotations

import struct
import zlib
from binascii import crc_hqx
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutorial_lib.bitstream import (
    LONGEST_HEADER,
    MAX_PIXELS,
    IncompleteFile,
    Stream,
    check_name,
    check_size,
    pack,
    read_header,
    unpack,
)
from tutorial_lib.rans import BitstreamError

STREAM = Stream(768, 512, "0123456789abcdef", (b"twelve bytes",), "first_codec")
SLICED = Stream(768, 512, "0123456789abcdef", (b"side", b"one", b"", b"three", b"4", b"fifth"), "codec", 50, required=1)
NAMES = st.from_regex(r"[A-Za-z0-9_.+-]{1,32}", fullmatch=True)


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    width = draw(st.integers(1, 65535))
    height = draw(st.integers(1, min(65535, MAX_PIXELS // width)))
    fingerprint = draw(st.binary(min_size=8, max_size=8)).hex()
    strings = tuple(draw(st.lists(st.binary(max_size=200), min_size=1, max_size=12)))
    required = draw(st.none() | st.integers(1, len(strings)))
    return Stream(width, height, fingerprint, strings, draw(NAMES), draw(st.integers(0, 255)), required)


def sealed(header: bytes, strings: bytes = b"") -> bytes:
    """With the checksum that belongs to the header, as a forger would."""
    return header + struct.pack("<I", zlib.crc32(header)) + strings


def header_of(stream: Stream) -> bytearray:
    """Without its checksum."""
    data = pack(stream)
    return bytearray(data[: read_header(data).size - 4])


def why(data: bytes, strings: int | None = None) -> str:
    """The one sentence with which `unpack` refuses."""
    with pytest.raises(BitstreamError) as caught:
        unpack(data, strings)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence
    return sentence


def test_the_layout_is_the_one_in_the_docstring() -> None:
    # Written out by hand, so that files of today are read by the program of tomorrow. 42D5 is the string's CRC-16.
    header = bytes.fromhex("894c4943 03 00 0003 0002 0123456789abcdef 01 01 0b") + b"first_codec" + b"\x0c"
    header += (0x42D5).to_bytes(2, "little")
    assert pack(STREAM) == header + zlib.crc32(header).to_bytes(4, "little") + b"twelve bytes"
    long = bytes(300)  # 300 = 2 * 128 + 44, and 0xac = 44 + 128
    two = Stream(1, 65535, "0123456789abcdef", (b"", long, b"ab"), "codec", 100, required=2)
    header = bytes.fromhex("894c4943 03 64 0100 ffff 0123456789abcdef 03 02 05") + b"codec"
    header += bytes.fromhex("00 0000 ac02 0000 02")
    header += crc_hqx(b"ab", 0).to_bytes(2, "little")
    assert pack(two) == header + zlib.crc32(header).to_bytes(4, "little") + long + b"ab"


def test_the_checksum_of_a_string_is_crc_16_of_xmodem() -> None:
    data = pack(replace(STREAM, strings=(b"123456789",)))  # the catalogue's check value: 31C3
    assert data[33:35] == bytes.fromhex("c331")


@pytest.mark.parametrize(
    ("length", "bytes_more"), [(0, 28), (1, 28), (127, 28), (128, 29), (2**14 - 1, 29), (2**14, 30)]
)
def test_what_one_string_costs_besides(length: int, bytes_more: int) -> None:
    """And the codec's name."""
    for name in ("codec", "first_codec", "n" * 32):
        data = pack(replace(STREAM, strings=(bytes(length),), codec=name))
        assert len(data) == length + bytes_more + len(name)


def test_what_six_strings_cost_besides() -> None:
    for longest, at_most in [(2**7 - 1, 48), (2**14 - 1, 54), (2**21 - 1, 60)]:
        strings = tuple(bytes(longest) for _ in range(6))
        assert len(pack(replace(SLICED, strings=strings))) - 6 * longest == at_most


@given(streams())
def test_round_trip(stream: Stream) -> None:
    data = pack(stream)
    assert unpack(data) == stream
    assert unpack(memoryview(data)) == stream
    assert unpack(data, len(stream.strings)) == unpack(data, 1000) == stream


def test_as_many_strings_as_there_can_be() -> None:
    stream = replace(STREAM, strings=tuple(bytes([k]) * k for k in range(255)))
    assert unpack(pack(stream)) == stream
    assert unpack(pack(stream), 7).strings == stream.strings[:7]


@given(streams(), st.data())
def test_the_first_strings_are_read_from_a_file_cut_behind_them(stream: Stream, draw: st.DataObject) -> None:
    data = pack(stream)
    n = draw.draw(st.integers(1, len(stream.strings)))
    end = read_header(data).sections[n - 1].end
    part = unpack(data[:end], n)
    left_out = len(stream.strings) - n
    assert part == replace(stream, strings=stream.strings[:n], required=stream.required, left_out=left_out)
    assert part == unpack(data, n) == unpack(data[: draw.draw(st.integers(end, len(data)))], n)
    if stream.strings[n - 1]:
        assert "was cut short" in why(data[: end - 1], n)


def test_the_rest_is_not_looked_at() -> None:
    data = bytearray(pack(SLICED))
    data[-1] ^= 1
    assert unpack(bytes(data), 5).strings == SLICED.strings[:5]
    assert "the checksum of slice 5 is wrong" in why(bytes(data), 6)
    assert unpack(pack(SLICED) + b"more", 5).strings == SLICED.strings[:5]
    assert "was added to" in why(pack(SLICED) + b"more", 6)


def test_a_part_of_a_stream_makes_no_file() -> None:
    part = unpack(pack(SLICED), 2)
    with pytest.raises(ValueError, match=r"^4 string\(s\) of this stream were left out"):
        pack(part)
    assert pack(replace(part, left_out=0)) != pack(SLICED)  # who wants it can say so


@pytest.mark.parametrize("strings", [0, -1])
def test_no_strings_cannot_be_asked_for(strings: int) -> None:
    with pytest.raises(ValueError, match="at least 1 string is read"):
        unpack(pack(SLICED), strings)


@pytest.mark.parametrize(
    "data",
    [b"hello, this is a text", b"\x89PNG\r\n\x1a\n" + bytes(100), b"\xff\xd8\xff", b"L", b"LIC\x89" * 20],
)
def test_not_a_lic_file(data: bytes) -> None:
    assert "this is no .lic file" in why(data)


def test_empty() -> None:
    assert "is empty" in why(b"")


@pytest.mark.parametrize("stream", [STREAM, SLICED, replace(STREAM, strings=(b"abc", b"", b"defg"))])
def test_cut_short_anywhere(stream: Stream) -> None:
    data = pack(stream)
    header = read_header(data)
    for length in range(1, len(data)):
        sentence = why(data[:length])
        assert "was cut short" in sentence
        if length < header.size:
            assert f"its {length} bytes do not even hold a header." in sentence
            continue
        whole = sum(section.end <= length for section in header.sections)
        assert f"{length:,} bytes are left of {len(data)}, and {whole} whole string(s) of" in sentence
        with pytest.raises(IncompleteFile) as caught:
            unpack(data[:length])
        assert caught.value.slices == (whole - stream.required if whole >= stream.required else None)
        if whole:
            assert unpack(data[:length], whole).strings == stream.strings[:whole]


@given(streams(), st.binary(min_size=1, max_size=100))
def test_bytes_behind_the_end(stream: Stream, more: bytes) -> None:
    assert "was added to" in why(pack(stream) + more)


def test_a_file_twice_in_a_row() -> None:
    assert "was added to" in why(pack(STREAM) * 2)


@pytest.mark.parametrize("stream", [STREAM, SLICED])
def test_every_flipped_bit_is_found(stream: Stream) -> None:
    data = pack(stream)
    header = read_header(data)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        sentence = why(bytes(flipped))
        # What the sentence may say depends on where the bit is; it never blames the checksum for the magic.
        assert ("no .lic file" in sentence) == (bit < 32)
        in_section = next((s for s in header.sections if s.begin <= bit // 8 < s.end), None)
        if in_section:
            assert f"the file is damaged: the checksum of {in_section.name} is wrong" in sentence
        elif 5 <= bit // 8 < 18:
            assert sentence == "the file is damaged: its header's checksum is wrong."


def test_every_changed_byte_is_found() -> None:
    """And the strings in front of it can be read all the same, unless it is the header's."""
    data = pack(SLICED)
    header = read_header(data)
    for at in range(len(data)):
        for change in (0x01, 0x80, 0x6C, 0xFF):
            changed = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
            why(changed)
            for n in range(1, 6):
                if header.sections[n - 1].end <= at:
                    assert unpack(changed, n).strings == SLICED.strings[:n]
                else:
                    why(changed, n)


def test_what_is_wrong_with_a_section() -> None:
    data = pack(SLICED)
    header = read_header(data)
    assert [section.name for section in header.sections] == ["string 1", *(f"slice {k}" for k in range(1, 6))]
    assert [section.name for section in read_header(pack(STREAM)).sections] == ["string 1"]
    assert [section.fault(data) for section in header.sections] == [None] * 6
    for section, string in zip(header.sections, SLICED.strings, strict=True):
        assert data[section.begin : section.end] == string
        if string:
            changed = data[: section.begin] + bytes([string[0] ^ 255]) + data[section.begin + 1 :]
            assert section.fault(changed) == "damaged"
            assert section.fault(data[: section.begin]) == "missing"
        if len(string) > 1:
            assert section.fault(data[: section.end - 1]) == "cut short"
    assert read_header(data[: header.size]) == header


def test_damage_in_front_of_a_cut_is_named_first() -> None:
    data = bytearray(pack(SLICED))
    section = read_header(bytes(data)).sections[1]
    data[section.begin] ^= 1
    assert why(bytes(data[:-5])) == "the file is damaged: the checksum of slice 1 is wrong."
    with pytest.raises(IncompleteFile) as caught:
        unpack(bytes(data[:-5]))
    assert caught.value.slices == 0


def test_a_newer_version_is_told_from_a_damaged_one() -> None:
    header = header_of(STREAM)
    header[4] = 4
    assert "has version 4; this program reads 3" in why(sealed(header, b"twelve bytes"))
    for length in (5, 6, 20, 4092):  # another version may have another layout
        other = (bytes(header) + bytes(4092))[:length]
        assert "has version 4; this program reads 3" in why(sealed(other, b"and then whatever follows"))
        assert "header's checksum is wrong" in why(other + b"1234" + b"and then whatever follows")
        assert "header's checksum is wrong" in why(sealed(other)[:-1])
    assert "header's checksum is wrong" in why(sealed(bytes(header) + bytes(4093 - len(header))))  # too far away
    whole = pack(STREAM)
    assert "header's checksum is wrong" in why(whole[:4] + b"\x04" + whole[5:])


def test_an_older_version() -> None:
    body = bytes.fromhex("894c4943 02 01 00 0003 0002 0123456789abcdef 01 0c d542")
    sentence = why(sealed(body, b"twelve bytes"))
    assert sentence == "the file is damaged, or of layout version 2, which only tutorial_lib 0.1 reads."
    assert "layout version 1," in why(sealed(body[:4] + b"\x01" + body[5:]))


@given(NAMES)
def test_any_codec_of_a_fit_name_can_be_written(name: str) -> None:
    check_name(name)
    assert unpack(pack(replace(STREAM, codec=name))).codec == name


@pytest.mark.parametrize("name", ["", "n" * 33, "my codec", "../codec", "codec\n", "größe", "a/b", "a:b"])
def test_names_that_no_file_holds(name: str) -> None:
    sentence = r"^a codec's name has 1 to 32 letters, digits or signs among _\.\+-, unlike .*\.$"
    with pytest.raises(ValueError, match=sentence):
        check_name(name)
    with pytest.raises(ValueError, match="a codec's name"):
        replace(STREAM, codec=name)


@pytest.mark.parametrize("name", [b"", b"n" * 33, b"my codec", b"../codec", b"gr\xf6\xdfe"])
def test_forged_names(name: bytes) -> None:
    header = header_of(STREAM)
    forged = header[:20] + bytes([len(name)]) + name + header[-3:]
    assert "a codec's name has 1 to 32 letters" in why(sealed(bytes(forged), b"twelve bytes"))


def test_the_longest_header_is_within_what_every_version_promises() -> None:
    strings = tuple(bytes(2**14) for _ in range(255))  # lengths of two bytes take 3 …
    data = pack(replace(STREAM, strings=strings, codec="n" * 32))
    assert read_header(data).size == 21 + 32 + 255 * (3 + 2) + 4
    assert read_header(data).size + 255 * 2 == 1842 <= LONGEST_HEADER  # … and those of five, 5


@pytest.mark.parametrize("quality", [-1, 256])
def test_absurd_qualities(quality: int) -> None:
    with pytest.raises(ValueError, match=f"a quality is stored as 0 to 255, not {quality}"):
        replace(STREAM, quality=quality)


@pytest.mark.parametrize("quality", [0, 1, 100, 255])
def test_qualities_at_the_edge(quality: int) -> None:
    assert unpack(pack(replace(SLICED, quality=quality))).quality == quality


@pytest.mark.parametrize("required", [0, 7, 255])
def test_absurd_numbers_of_strings_that_are_needed(required: int) -> None:
    header = header_of(SLICED)
    header[19] = required
    sentence = f"of 6 strings a decoder needs 1 to 6, not {required}"
    assert sentence in why(sealed(header))
    with pytest.raises(ValueError, match=sentence):
        replace(SLICED, required=required)


@pytest.mark.parametrize("required", [1, 2, 5, 6, None])
def test_strings_that_are_needed_and_slices(required: int | None) -> None:
    stream = replace(SLICED, required=required)
    needed = 6 if required is None else required
    data = pack(stream)
    assert stream.required == unpack(data).required == needed
    names = [section.name for section in read_header(data).sections]
    assert names == [f"string {k + 1}" for k in range(needed)] + [f"slice {k + 1}" for k in range(6 - needed)]
    with pytest.raises(IncompleteFile) as caught:
        unpack(data[: read_header(data).sections[4].begin])  # four strings are whole, and an empty one
    assert caught.value.slices == (4 - needed if needed <= 4 else None)


@pytest.mark.parametrize(
    ("width", "height"), [(0, 512), (768, 0), (0, 0), (65535, 65535), (65535, 2049), (2**14, 2**13 + 1)]
)
def test_absurd_sizes(width: int, height: int) -> None:
    header = header_of(STREAM)
    header[6:10] = struct.pack("<HH", width, height)
    assert f"{width:,} x {height:,} pixels does not fit" in why(sealed(header))
    with pytest.raises(ValueError, match="does not fit"):
        replace(STREAM, width=width, height=height)


def test_sizes_at_the_edge() -> None:
    for width, height in [(1, 1), (1, 65535), (65535, 1), (65535, 2048), (2**14, 2**13)]:
        check_size(width, height)
        assert unpack(pack(replace(STREAM, width=width, height=height))).height == height
    for width, height in [(65536, 1), (1, 65536), (-1, -1)]:
        with pytest.raises(ValueError, match="does not fit"):
            check_size(width, height)


def with_length(varint: str) -> bytes:
    """A file of one string, b"twelve bytes", that gives its length in these bytes."""
    return sealed(bytes(header_of(STREAM)[:-3]) + bytes.fromhex(varint) + header_of(STREAM)[-2:], STREAM.strings[0])


@pytest.mark.parametrize("varint", ["8c00", "8c8000", "8c80808000", "8c8080808000", "ffffffffff01", "808080808080"])
def test_lengths_in_no_valid_form(varint: str) -> None:
    assert "a length in no valid form" in why(with_length(varint))


@pytest.mark.parametrize(("varint", "length"), [("8c01", 140), ("8c8001", 16_396), ("ffffffff7f", 2**35 - 1)])
def test_absurd_lengths(varint: str, length: int) -> None:
    data = with_length(varint)
    assert f"{len(data)} bytes are left of {length + read_header(data).size:,}" in why(data)
    assert unpack(with_length("0c")) == STREAM


def test_more_strings_than_there_can_be() -> None:
    header = header_of(STREAM)
    header[18] = 255
    assert "do not even hold a header" in why(sealed(header))


def test_no_strings() -> None:
    assert "1 to 255 strings, not 0" in why(sealed(pack(STREAM)[:18] + b"\0" + pack(STREAM)[19:32]))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"fingerprint": "0123456789ABCDEF"}, "16 hexadecimal digits"),
        ({"fingerprint": "0123456789abcdef0"}, "16 hexadecimal digits"),
        ({"fingerprint": "0123456789abcdef\n"}, "16 hexadecimal digits"),
        ({"fingerprint": ""}, "16 hexadecimal digits"),
        ({"strings": ()}, "1 to 255 strings"),
        ({"strings": (b"",) * 256}, "1 to 255 strings"),
    ],
)
def test_what_cannot_be_written(change: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        replace(STREAM, **change)


@pytest.mark.parametrize(
    ("codec", "fingerprint", "words"),
    [
        ("codec", "0123456789abcdef", "the file was made by the codec called first_codec, not by codec"),
        ("first_codec", "0" * 16, "made with another checkpoint .with the fingerprint 0123456789abcdef, .* 0{16}"),
        ("codec", "0" * 16, "made by the codec called first_codec"),
    ],
)
def test_whose_a_file_is(codec: str, fingerprint: str, words: str) -> None:
    STREAM.check_made_by("first_codec", "0123456789abcdef")
    with pytest.raises(BitstreamError, match=words):
        STREAM.check_made_by(codec, fingerprint)
