"""Whatever Pillow reads comes back with its own pixels, computed here without Pillow's conversions."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.files.colour_profiles import PRIMARIES, made_profile
from tutorial_lib.files.samples import CLIPPED, FEW_LEVELS, NOT_A_NUMBER, SIGNED

pytestmark = pytest.mark.usefixtures("stand_in", "here")

ON_WHITE = "note: Transparency was dropped: the picture was laid on white."
TO_8_BITS = "note: The samples were reduced to 8 bits."
UPRIGHT = "note: The picture was turned upright, as the orientation in its metadata asks."
FIRST = "note: The file holds several pictures; only the first was taken."


def deep_png(colour_type: int, samples: np.ndarray, extra: bytes = b"") -> bytes:
    """A PNG with 16 bits a sample, (H, W, channels), which Pillow itself can only write in grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def test_rgb(there_and_back, noise) -> None:
    rgb = noise(5, 7, 3)
    for ending in ("png", "bmp", "tif", "ppm", "tga"):
        Image.fromarray(rgb).save(f"in.{ending}")
        pixels, notes = there_and_back(f"in.{ending}")
        assert np.array_equal(pixels, rgb) and notes == []


def test_grey_and_two_levels(there_and_back, noise) -> None:
    grey = noise(5, 7)
    Image.fromarray(grey).save("grey.png")
    pixels, notes = there_and_back("grey.png")
    assert np.array_equal(pixels, np.stack([grey] * 3, axis=-1)) and notes == []
    Image.fromarray(grey > 100).save("bilevel.png")
    pixels, notes = there_and_back("bilevel.png")
    assert np.array_equal(pixels, np.stack([(grey > 100) * 255] * 3, axis=-1)) and notes == []


def test_palette(there_and_back, noise) -> None:
    indexes, colours = noise(5, 7) % 4, noise(4, 3)
    image = Image.fromarray(indexes)
    image.putpalette(colours.tobytes())
    assert image.mode == "P"
    image.save("palette.png")
    pixels, notes = there_and_back("palette.png")
    assert np.array_equal(pixels, colours[indexes]) and notes == []
    image.save("clear.png", transparency=2)
    colours[2] = 255
    pixels, notes = there_and_back("clear.png")
    assert np.array_equal(pixels, colours[indexes]) and notes == [ON_WHITE]


@pytest.mark.parametrize("channels", [4, 2])
def test_alpha_is_laid_on_white(there_and_back, noise, channels: int) -> None:
    samples = noise(16, 16, channels)
    samples[0, :, -1], samples[1, :, -1] = 0, 255
    Image.fromarray(samples).save("alpha.png")
    pixels, notes = there_and_back("alpha.png")
    alpha = samples[..., -1:] / 255
    assert np.abs(pixels - (samples[..., :-1] * alpha + 255 * (1 - alpha))).max() <= 1
    assert (pixels[0] == 255).all() and (pixels[1] == samples[1, :, :-1]).all()
    assert notes == [ON_WHITE]


@pytest.mark.parametrize("brightest", [65535, 255])  # a dark picture stays dark
def test_16_bits_grey(there_and_back, brightest: int) -> None:
    samples = np.random.default_rng(1).integers(0, brightest + 1, (9, 9), dtype=np.uint16)
    for name in ("deep.png", "deep.tif"):
        Image.fromarray(samples).save(name)
        pixels, notes = there_and_back(name)
        dark = [f"note: {FEW_LEVELS}"] * (brightest == 255)
        assert np.array_equal(pixels[..., 0], np.rint(samples / 257)) and notes == [TO_8_BITS, *dark]


@pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_16_bits_in_colour_or_with_alpha(there_and_back, colour_type: int, channels: int) -> None:
    samples = np.random.default_rng(2).integers(0, 65536, (9, 9, channels), dtype=np.uint16)
    Path("deep.png").write_bytes(deep_png(colour_type, samples))
    pixels, notes = there_and_back("deep.png")
    alpha = np.ones((9, 9, 1)) if channels == 3 else samples[..., -1:] / 65535
    colours = samples[..., : channels - (channels != 3)] / 257
    assert np.abs(pixels - (colours * alpha + 255 * (1 - alpha))).max() <= 2
    assert notes == [TO_8_BITS] + [ON_WHITE] * (channels != 3)


def test_16_bits_grey_with_one_transparent_value(there_and_back) -> None:
    samples = np.array([[[0x1234], [0x1235], [0xFFFF]]], dtype=np.uint16)
    kind, data = b"tRNS", b"\x12\x34"
    clear = struct.pack(">I", 2) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    Path("clear.png").write_bytes(deep_png(0, samples, clear))
    pixels, notes = there_and_back("clear.png")
    assert pixels[0, :, 0].tolist() == [255, round(0x1235 / 257), 255] and notes == [TO_8_BITS, ON_WHITE]


def test_32_bits_and_floats(there_and_back) -> None:
    floats = np.linspace(0, 1, 81, dtype=np.float32).reshape(9, 9)
    Image.fromarray(floats).save("floats.tif")
    pixels, notes = there_and_back("floats.tif")
    assert np.array_equal(pixels[..., 0], np.rint(floats.astype(float) * 255)) and notes == [TO_8_BITS]
    integers = np.linspace(-(2**31), 2**31 - 1, 81).astype(np.int32).reshape(9, 9)  # the type says so, not the values
    Image.fromarray(integers).save("integers.tif")
    pixels, notes = there_and_back("integers.tif")
    assert np.array_equal(pixels[..., 0], np.rint((integers + 2.0**31) * 255 / (2**32 - 1)))
    assert notes == [TO_8_BITS, f"note: {SIGNED}"]


def test_16_bits_a_pixel_are_not_16_bits_a_sample(there_and_back) -> None:
    # The BMP of 5 + 6 + 5 bits, written by hand: red, green, blue, white from the lower left on.
    pixels = struct.pack("<4H", 0xF800, 0x07E0, 0x001F, 0xFFFF)
    masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
    info = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0)
    Path("565.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 74, 0, 0, 66) + info + masks + pixels)
    decoded, notes = there_and_back("565.bmp")
    assert decoded.tolist() == [[[0, 0, 255], [255] * 3], [[255, 0, 0], [0, 255, 0]]] and notes == []


def test_cmyk(there_and_back) -> None:
    image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
    image.save("print.tif")
    pixels, notes = there_and_back("print.tif")
    assert (pixels == [0, 255, 255]).all() and len(notes) == 1 and "plain formula" in notes[0]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_exif_rotation(there_and_back, noise, orientation: int) -> None:
    rgb = noise(5, 7, 3)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(rgb).save("turned.png", exif=exif)
    pixels, notes = there_and_back("turned.png")
    flipped = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (0,), 7: (0, 1), 8: (1,)}[orientation]
    upright = np.flip(rgb, flipped)
    if orientation >= 5:
        upright = upright.transpose(1, 0, 2)
    assert np.array_equal(pixels, upright) and notes == [UPRIGHT]


def test_of_an_animation_the_first_picture(there_and_back) -> None:
    frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "lime", "blue")]
    for name in ("moves.gif", "moves.png", "pages.tif"):
        frames[0].save(name, save_all=True, append_images=frames[1:])
        pixels, notes = there_and_back(name)
        assert (pixels == [255, 0, 0]).all() and pixels.shape == (4, 6, 3) and notes == [FIRST]


@pytest.mark.parametrize("size", [(1, 1), (777, 1), (1, 777), (389, 513)])
def test_odd_sizes(there_and_back, noise, size: tuple[int, int]) -> None:
    rgb = noise(size[1], size[0], 3)
    Image.fromarray(rgb).save("odd.png")
    assert np.array_equal(there_and_back("odd.png")[0], rgb)


def test_samples_are_scaled_by_their_type(there_and_back) -> None:
    floats = np.linspace(0, 1, 81, dtype=np.float32).reshape(9, 9)
    for spoilt, note in ((1.004, CLIPPED), (np.nan, NOT_A_NUMBER)):  # one sample changes nothing but itself
        floats[4, 4] = spoilt
        Image.fromarray(floats).save("floats.tif")
        pixels, notes = there_and_back("floats.tif")
        expected = np.rint(np.clip(np.nan_to_num(floats.astype(float), nan=0), 0, 1) * 255)
        assert np.array_equal(pixels[..., 0], expected) and notes == [TO_8_BITS, f"note: {note}"]


def test_colours_of_a_profile_become_srgb(there_and_back) -> None:
    # P3's (120, 90, 150) is 4 levels redder in sRGB, and less green: by the matrices of both
    profile = made_profile("Display P3", PRIMARIES[12], None)
    Image.new("RGB", (9, 9), (120, 90, 150)).save("wide.png", icc_profile=profile)
    pixels, notes = there_and_back("wide.png")
    assert np.abs(pixels.astype(int) - [126, 88, 154]).max() <= 1
    assert notes == ["note: The colours were converted to sRGB from 'Display P3'."]


def test_what_cannot_be_read_right_is_refused(refused) -> None:
    Path("photo.cr2").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(100))
    assert "camera's raw file" in refused("encode", "photo.cr2", "new.lic")
    Path("photo.jxl").write_bytes(b"\xff\x0a" + bytes(100))
    assert "JPEG XL" in refused("encode", "photo.jxl", "new.lic")


def test_a_kind_that_cannot_be_written(lic, refused) -> None:
    Image.new("RGB", (9, 9)).save("in.png")
    assert lic("encode", "in.png", "in.lic")[0] == 0
    sentence = refused("decode", "in.lic", "out.pdf")
    assert "pictures of this kind (PDF) cannot be written" in sentence and "choose .png" in sentence
