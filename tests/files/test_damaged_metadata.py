"""Sound pixels among damaged metadata: PNG and JPEG files come out right, with a note where Pillow had to be helped."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.files import samples as s
from tutorial_lib.files.damaged_metadata import IGNORED

PIXELS = np.random.default_rng(4).integers(0, 256, (9, 11, 3), dtype=np.uint8)
PNG_CHUNKS = [
    *(
        (kind, b"")
        for kind in (b"gAMA", b"cHRM", b"sRGB", b"pHYs", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"tRNS", b"acTL")
    ),
    (b"gAMA", b"abc"),
    (b"cHRM", bytes(31)),
    (b"tRNS", b"ab"),
    (b"iCCP", b"name\0\7junk"),
    (b"iCCP", b"name\0\0" + zlib.compress(bytes(5_000_000))),
    (b"zTXt", b"name\0\0" + zlib.compress(bytes(50_000_000))),
    (b"fcTL", b"short"),
    (b"acTL", bytes(8)),
]
JPEG_SEGMENTS = [
    *((0xE0 + n, b"") for n in range(16)),
    (0xE0, b"JFIF\0"),
    (0xED, b"Photoshop 3.0\0008BIM\4\4"),
    (0xEE, b"Adobe"),
    (0xE2, b"ICC_PROFILE\0"),
    (0xE2, b"MPF\0junk"),
    (0xE1, b"Exif\0\0"),
    (0xFE, b""),
]


@pytest.mark.parametrize(("kind", "data"), PNG_CHUNKS)
@pytest.mark.parametrize("behind", [False, True])
def test_png(read, make, kind: bytes, data: bytes, behind: bool) -> None:
    png = make.png(PIXELS, 8, 2, (kind, data))
    if behind:
        begin, end = png.index(kind) - 4, png.index(b"IDAT") - 4
        png = png[:begin] + png[end:-12] + png[begin:end] + png[-12:]
    Path("in.png").write_bytes(png)
    pixels, notes = read("in.png")
    assert np.array_equal(pixels, PIXELS) and notes in ([], [IGNORED])


def test_a_wrong_checksum_costs_no_picture_but_what_it_guards(read, make) -> None:
    grey = PIXELS[..., :1]
    for kind, data in ((b"tEXt", b"a\0b"), (b"tRNS", struct.pack(">H", int(grey[0, 0, 0]))), (b"abCd", b"x")):
        png = make.png(grey, 8, 0, (kind, data))
        at = png.index(kind) + 4 + len(data)
        Path("in.png").write_bytes(png[:at] + bytes(4) + png[at + 4 :])
        pixels, notes = read("in.png")
        assert np.array_equal(pixels, grey.repeat(3, axis=-1)) and notes == [IGNORED]


def test_what_counts_and_is_sound_is_kept(read, make) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    clear = struct.pack(">3H", *PIXELS[2, 3].tolist())
    chunks = [(b"gAMA", struct.pack(">I", 100000)), (b"tRNS", clear), (b"eXIf", exif.tobytes()[6:]), (b"pHYs", b"")]
    Path("in.png").write_bytes(make.png(PIXELS, 8, 2, *chunks))
    pixels, notes = read("in.png")
    linear = PIXELS / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    expected[(PIXELS == PIXELS[2, 3]).all(-1)] = 255
    assert np.abs(pixels - expected[::-1, ::-1]).max() <= 2 and notes[0] == IGNORED and len(notes) == 4


@pytest.mark.parametrize(("marker", "data"), JPEG_SEGMENTS)
@pytest.mark.parametrize("place", [2, 20])
def test_jpeg(read, marker: int, data: bytes, place: int) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.linear_gradient("L").resize((32, 24)).convert("RGB").save(file, "JPEG", exif=exif, quality=95)
    jpeg = file.getvalue()
    with Image.open(file) as image:
        expected = np.asarray(image)[::-1].transpose(1, 0, 2)
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data
    Path("in.jpg").write_bytes(jpeg[:place] + segment + jpeg[place:])
    pixels, notes = read("in.jpg")
    assert np.array_equal(pixels, expected) and set(notes) <= {
        IGNORED,
        "The picture was turned upright, as the orientation in its metadata asks.",
        "Its colour profile is damaged, or made for pictures of another kind, so it was ignored.",
    }


class TestDamagedPixelsAreRefused:
    @pytest.mark.parametrize("interlaced", [0, 1])
    def test_a_png_of_too_few_rows(self, read, refusal, make, interlaced: int) -> None:
        png = make.png(PIXELS, 8, 2)
        rows = [b"\0" + row.tobytes() for row in PIXELS]
        if interlaced:
            steps = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))
            rows = [b"\0" + row.tobytes() for y, x, dy, dx in steps for row in PIXELS[y::dy, x::dx]]
        for left in (0, 1, len(rows) - 1, len(rows)):
            data = zlib.compress(b"".join(rows[:left]))
            header = png[16:28] + bytes([interlaced])
            body = ((b"IHDR", header), (b"IDAT", data[:20]), (b"IDAT", data[20:]), (b"IEND", b""))
            parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in body]
            Path("in.png").write_bytes(png[:8] + b"".join(parts))
            if left < len(rows):
                assert "damaged" in refusal("in.png")
            else:
                assert np.array_equal(read("in.png")[0], PIXELS)

    def test_a_png_without_its_palette(self, refusal, make) -> None:
        Path("in.png").write_bytes(make.png(PIXELS[..., :1], 8, 3))
        assert "palette" in refusal("in.png")

    def test_a_file_of_a_known_kind_is_not_called_no_picture(self, refusal, make) -> None:
        png = make.png(PIXELS, 8, 2)
        Path("in.png").write_bytes(png[:29] + bytes(4) + png[33:])
        assert "begins like a PNG picture" in refusal("in.png")
        Path("in.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(40))
        assert "begins like a JPEG picture" in refusal("in.jpg")


def test_damage_behind_the_first_picture_costs_nothing(read) -> None:
    frames = [Image.fromarray(PIXELS).quantize(16), Image.fromarray(255 - PIXELS).quantize(16)]
    frames[0].save("in.gif", save_all=True, append_images=frames[1:])
    whole, notes = read("in.gif")
    data = Path("in.gif").read_bytes()
    for end in range(len(data) - 30, len(data), 7):
        Path("cut.gif").write_bytes(data[:end])
        pixels, said = read("cut.gif")
        assert np.array_equal(pixels, whole) and said == notes == [
            "The file holds several pictures; only the first was taken."
        ]


def test_a_dark_picture_of_16_bits_is_said_to_be_dark(read, make) -> None:
    few = PIXELS[..., :1].astype(np.uint16) * 20  # up to 5100 of 65535
    Path("grey.png").write_bytes(make.png(few, 16, 0))
    Path("rgb.png").write_bytes(make.png(few.repeat(3, axis=-1), 16, 2))
    for name in ("grey.png", "rgb.png"):
        pixels, notes = read(name)
        assert np.abs(pixels - few / 257).max() <= 1 and notes == [s.TO_8_BITS, s.FEW_LEVELS]
