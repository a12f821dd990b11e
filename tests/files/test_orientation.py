"""Which way is up: all that is readable is honoured, and what is broken costs no picture."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.files.orientation import STRANGE, UNREADABLE, UPRIGHT

PIXELS = np.random.default_rng(7).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    flipped = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (0,), 7: (0, 1), 8: (1,)}.get(orientation, ())
    pixels = np.flip(pixels, flipped)
    return pixels.transpose(1, 0, 2) if 5 <= orientation <= 8 else pixels


def exif(make, order: str, **entries: tuple[str, object]) -> bytes:
    tags = {int(name[1:]): value for name, value in entries.items()}
    return (
        b"Exif\0\0" + (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + make.ifd(tags, 8, order)
    )


@pytest.mark.parametrize("ending", ["png", "webp"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(0, 10))
def test_readable_ones(read, make, ending: str, order: str, orientation: int) -> None:
    for kind in ("H", "I", "B"):
        data = exif(make, order, t274=(kind, orientation))
        Image.fromarray(PIXELS).save(f"in.{ending}", exif=data, **({"lossless": True} if ending == "webp" else {}))
        pixels, notes = read(f"in.{ending}")
        assert np.array_equal(pixels, upright(PIXELS, orientation))
        assert notes == [UPRIGHT] * (2 <= orientation <= 8) + [STRANGE] * (orientation == 9)


def test_one_of_a_strange_type(read, make) -> None:
    for entry, orientation, expected in (
        (("s", b"6\0"), 1, [STRANGE]),
        (("H", (6, 1)), 6, [UPRIGHT]),
        (("II", (6, 1)), 6, [UPRIGHT]),
        (("II", (6, 0)), 1, [STRANGE]),
        (("s", b"upside down\0"), 1, [STRANGE]),
        (("H", ()), 1, []),
    ):
        Image.fromarray(PIXELS).save("in.png", exif=exif(make, "<", t274=entry))
        pixels, notes = read("in.png")
        assert np.array_equal(pixels, upright(PIXELS, orientation)), entry
        assert notes == expected, entry


def jpeg_with(data: bytes) -> np.ndarray:
    """in.jpg with these bytes as its EXIF; returned: its pixels as they lie."""
    Image.fromarray(np.kron(PIXELS, np.ones((8, 8, 1), np.uint8))).save("plain.jpg", quality=95)
    jpeg = Path("plain.jpg").read_bytes()
    Path("in.jpg").write_bytes(jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + jpeg[2:])
    with Image.open("plain.jpg") as image:
        return np.asarray(image)


def test_damage_beside_a_sound_orientation(read, make) -> None:
    sound = exif(make, "<", t274=("H", 6), t282=("II", (72, 1)), t283=("II", (72, 1)))
    wild = bytearray(exif(make, "<", t271=("s", b"a camera\0"), t274=("H", 6)))
    at = bytes(wild).index(struct.pack("<HH", 271, 2))
    wild[at + 8 : at + 12] = struct.pack("<I", 0xFFFFFFF0)  # the name is said to lie far beyond the end
    many = bytearray(sound)
    many[14:16] = struct.pack("<H", 60000)  # more entries than there are
    kind = bytearray(exif(make, "<", t271=("s", b"abc\0"), t274=("H", 6)))
    at = bytes(kind).index(struct.pack("<HH", 271, 2))
    kind[at + 2 : at + 4] = struct.pack("<H", 999)  # of no known type
    for name, data in (("cut", sound[:-12]), ("wild", bytes(wild)), ("many", bytes(many)), ("kind", bytes(kind))):
        plain = jpeg_with(data)
        pixels, notes = read("in.jpg")
        assert np.array_equal(pixels, upright(plain, 6)) and notes == [UPRIGHT], name


def test_nothing_but_damage(read) -> None:
    for data in (b"Exif\0\0", b"Exif\0\0junk that is none", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0"):
        plain = jpeg_with(data)
        pixels, notes = read("in.jpg")
        assert np.array_equal(pixels, plain) and notes in ([], [UNREADABLE])
        Image.fromarray(PIXELS).save("in.png", exif=data)
        pixels, notes = read("in.png")
        assert np.array_equal(pixels, PIXELS) and notes in ([], [UNREADABLE])


def test_it_is_turned_once(read) -> None:
    from tutorial_lib.files.pictures import to_rgb8

    tag = Image.Exif()
    tag[0x0112] = 6
    Image.fromarray(PIXELS).save("in.png", exif=tag)
    with Image.open("in.png") as image:
        once, notes = to_rgb8(image)
        twice, more = to_rgb8(once)
        assert np.array_equal(np.asarray(twice), upright(PIXELS, 6)) and (notes, more) == ([UPRIGHT], [])
        assert image.size == (7, 5)  # the caller's is as it was


def test_by_xmp(read) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    Image.fromarray(PIXELS).save("in.webp", xmp=xmp, lossless=True)
    pixels, notes = read("in.webp")
    assert np.array_equal(pixels, upright(PIXELS, 6)) and notes == [UPRIGHT]
