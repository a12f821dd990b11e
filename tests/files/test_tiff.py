"""TIFF files of all types of samples: the right picture, computed here from the samples, or a refusal."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tutorial_lib.files import samples as s
from tutorial_lib.files.camera_raw import CAMERA_RAW
from tutorial_lib.files.colour_profiles import INKS, LAB
from tutorial_lib.files.orientation import UPRIGHT
from tutorial_lib.files.samples import SEVERAL

INTEGERS = [np.dtype(kind + str(size)) for kind in "ui" for size in (1, 2, 4, 8)]
FLOATS = [np.dtype(f"f{size}") for size in (2, 4, 8)]


def as_defined(values: np.ndarray) -> np.ndarray:
    """The rule of `samples`, in whole numbers where the samples are."""
    if values.dtype.kind == "f":
        return np.rint(np.clip(np.nan_to_num(values.astype(np.float64), nan=0, posinf=1, neginf=0), 0, 1) * 255)
    info = np.iinfo(values.dtype)
    span = int(info.max) - int(info.min)
    scaled = [(int(v) - int(info.min)) * 255 / span for v in values.ravel().tolist()]
    return np.rint(np.array(scaled).reshape(values.shape))


def ramp(dtype: np.dtype, *shape: int) -> np.ndarray:
    """All over the range of the type."""
    count = int(np.prod(shape))
    if dtype.kind == "f":
        return np.linspace(0, 1, count).astype(dtype).reshape(shape)
    info = np.iinfo(dtype)
    span = int(info.max) - int(info.min)
    return np.array([int(info.min) + span * n // (count - 1) for n in range(count)], dtype=dtype).reshape(shape)


def notes_of(dtype: np.dtype) -> list[str]:
    return [s.TO_8_BITS] * (dtype.itemsize > 1) + [s.SIGNED] * (dtype.kind == "i")


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS, ids=str)
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_grey_of_every_type(read, dtype: np.dtype, order: str, photometric: str) -> None:
    values = ramp(dtype, 9, 8)
    for compression, predictor in ((None, None), ("zlib", None)):
        tifffile.imwrite(
            "grey.tif", values, photometric=photometric, byteorder=order, compression=compression, predictor=predictor
        )
        pixels, notes = read("grey.tif")
        expected = as_defined(values) if photometric == "minisblack" else 255 - as_defined(values)
        assert np.array_equal(pixels, np.stack([expected] * 3, axis=-1))
        assert notes == notes_of(dtype)


@pytest.mark.parametrize("dtype", INTEGERS + FLOATS, ids=str)
@pytest.mark.parametrize(("order", "planar"), list(itertools.product("<>", ["contig", "separate"])))
def test_rgb_of_every_type(read, dtype: np.dtype, order: str, planar: str) -> None:
    values = ramp(dtype, 8, 6, 3)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    for compression in (None, "zlib"):
        tifffile.imwrite(
            "rgb.tif", stored, photometric="rgb", planarconfig=planar, byteorder=order, compression=compression
        )
        pixels, notes = read("rgb.tif")
        assert np.array_equal(pixels, as_defined(values)) and notes == notes_of(dtype)


@pytest.mark.parametrize("dtype", [np.dtype("u1"), np.dtype("u2"), np.dtype("f4"), np.dtype("f8")], ids=str)
@pytest.mark.parametrize("premultiplied", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_of_every_type(read, dtype: np.dtype, premultiplied: bool, channels: int) -> None:
    rng = np.random.default_rng(3)
    top = 1 if dtype.kind == "f" else np.iinfo(dtype).max
    colours, alpha = rng.random((6, 5, channels)), rng.random((6, 5, 1))
    alpha[0], alpha[1] = 0, 1
    stored = np.concatenate([colours * alpha if premultiplied else colours, alpha], axis=-1) * top
    kind = "assocalpha" if premultiplied else "unassalpha"
    photometric = "rgb" if channels == 3 else "minisblack"
    values = stored.astype(dtype) if dtype.kind == "f" else np.rint(stored).astype(dtype)
    tifffile.imwrite("alpha.tif", values, photometric=photometric, extrasamples=[kind], planarconfig="contig")
    pixels, notes = read("alpha.tif")
    expected = 255 * (colours * alpha + 1 - alpha)
    assert np.abs(pixels - expected).max() <= 2
    assert notes == [s.TO_8_BITS] * (dtype.itemsize > 1) + [s.ON_WHITE]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("kind", ["assocalpha", "unassalpha"])
def test_alpha_that_is_0_everywhere_means_nothing(read, dtype: str, kind: str) -> None:
    colours = ramp(np.dtype(dtype), 6, 5, 3)
    values = np.concatenate([colours, np.zeros_like(colours[..., :1])], axis=-1)
    tifffile.imwrite("alpha.tif", values, photometric="rgb", extrasamples=[kind])
    pixels, notes = read("alpha.tif")
    assert np.array_equal(pixels, as_defined(colours)) and notes == [*notes_of(np.dtype(dtype)), s.ALPHA_IGNORED]


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("extra", [(2,), (0, 2), (0, 1), (2, 0), ()])
@pytest.mark.parametrize("photometric", ["minisblack", "rgb"])
def test_alpha_wherever_it_lies(
    read, dtype: str, planar: str, compression: str | None, extra: tuple[int, ...], photometric: str
) -> None:
    count = 3 if photometric == "rgb" else 1
    if (count + len(extra) > 2 and count == 1) or (not extra and count == 1):
        return  # refused, or no alpha
    rng, top = np.random.default_rng(3), 1 if dtype == "f4" else np.iinfo(dtype).max
    unit = rng.random((6, 5, count + max(1, len(extra))))
    place = count + next((n for n, kind in enumerate(extra) if kind), 0)
    alpha = unit[..., place : place + 1]
    if 1 in extra:
        unit[..., :count] *= alpha
    values = (unit * top).astype(dtype) if dtype == "f4" else np.rint(unit * top).astype(dtype)
    stored = values if planar == "contig" else np.moveaxis(values, -1, 0)
    kind = {"photometric": photometric, "planarconfig": planar, "compression": compression}
    tifffile.imwrite("alpha.tif", stored, **kind, extrasamples=extra or (2,))
    if not extra:  # no library writes it: a tag of no meaning instead
        data = Path("alpha.tif").read_bytes()
        Path("alpha.tif").write_bytes(data.replace(struct.pack("<HH", 338, 3), struct.pack("<HH", 337, 3)))
    pixels, _ = read("alpha.tif")
    colours = unit[..., :count] if 1 in extra else unit[..., :count] * alpha
    assert np.abs(pixels - 255 * (colours + 1 - alpha)).max() <= 2


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_channels_of_no_stated_meaning_are_dropped(read, dtype: str) -> None:
    colours = ramp(np.dtype(dtype), 6, 5, 3)
    for count in (1, 2):
        values = np.concatenate([colours, *[np.zeros_like(colours[..., :1])] * count], axis=-1)
        tifffile.imwrite("more.tif", values, photometric="rgb", extrasamples=["unspecified"] * count)
        pixels, notes = read("more.tif")
        assert np.array_equal(pixels, as_defined(colours))
        assert set(notes) == {*notes_of(np.dtype(dtype)), s.CHANNELS_DROPPED}


def packed(values: np.ndarray, bits: int, fill: int = 1) -> bytes:
    """(H, W, channels) as a strip."""
    ones = ((values[..., None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(len(values), -1).astype(np.uint8)
    return np.packbits(ones, axis=1, bitorder="little" if fill == 2 else "big").tobytes()


@pytest.mark.parametrize("bits", [bits for bits in range(1, 16)])
@pytest.mark.parametrize("fill", [1, 2])
def test_few_bits(read, make, bits: int, fill: int) -> None:
    for photometric, channels, order in itertools.product((0, 1, 2), (1, 3), "<>"):
        if (photometric == 2) != (channels == 3):
            continue
        values = np.arange(5 * 7 * channels).reshape(5, 7, channels) * 119 % 2**bits
        kind = {"t258": ("H", (bits,) * channels), "t262": photometric, "t266": fill, "t277": channels}
        Path("few.tif").write_bytes(make.tiff(packed(values, bits, fill), 7, 5, order, **kind))
        pixels, notes = read("few.tif")
        expected = np.rint(values * 255 / (2**bits - 1))
        expected = expected if photometric else 255 - expected
        assert np.abs(pixels - expected).max() <= (bits > 8)
        assert notes == [s.TO_8_BITS] * (bits > 8), (photometric, order)


@pytest.mark.parametrize("bits", [2, 4, 10, 12])
def test_few_bits_with_alpha(read, make, bits: int) -> None:
    values = np.random.default_rng(bits).integers(0, 2**bits, (5, 7, 4))
    colours, alpha = values[..., :3] / (2**bits - 1), values[..., 3:] / (2**bits - 1)
    kind = {"t258": ("H", (bits,) * 4), "t262": 2, "t277": 4, "t338": 2}
    Path("few.tif").write_bytes(make.tiff(packed(values, bits), 7, 5, **kind))
    pixels, notes = read("few.tif")
    assert np.abs(pixels - 255 * (colours * alpha + 1 - alpha)).max() <= 2 and s.ON_WHITE in notes


def test_bits_that_are_not_as_they_say(refusal, make) -> None:
    Path("few.tif").write_bytes(make.tiff(bytes(7 * 5 * 3), 7, 5, t258=None, t262=2, t277=3))  # the default is 1 bit
    assert "in another way than it says (in 1 bits)" in refusal("few.tif")


def test_what_is_clipped_is_said(read) -> None:
    values = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    for spoilt, note in ((1.004, s.CLIPPED), (-0.1, s.CLIPPED), (np.inf, s.CLIPPED), (np.nan, s.NOT_A_NUMBER)):
        values[2, 3] = spoilt
        tifffile.imwrite("floats.tif", values)
        pixels, notes = read("floats.tif")
        assert np.array_equal(pixels[..., 0], as_defined(values)) and notes == [s.TO_8_BITS, note]


def test_floats_that_are_counts_are_refused(refusal) -> None:
    tifffile.imwrite("counts.tif", np.arange(256, dtype=np.float32).reshape(16, 16))
    assert "outside 0 … 1" in refusal("counts.tif")


def test_a_signed_picture_that_uses_little_of_its_range(read) -> None:
    hounsfield = np.linspace(-1024, 3071, 48).astype(np.int16).reshape(6, 8)
    tifffile.imwrite("ct.tif", hounsfield)
    pixels, notes = read("ct.tif")
    assert np.array_equal(pixels[..., 0], np.rint((hounsfield + 32768.0) / 257))
    assert notes == [s.TO_8_BITS, s.SIGNED, s.FEW_LEVELS]


@pytest.mark.parametrize("dtype", ["u2", "i2", "u4", "i4", "u8"])
def test_where_nothing_would_be_left_it_is_refused(read, refusal, dtype: str) -> None:
    tifffile.imwrite("deep.tif", np.arange(48).astype(dtype).reshape(6, 8))
    assert "nothing would be left" in refusal("deep.tif")
    tifffile.imwrite("flat.tif", np.full((6, 8), 7, dtype))
    assert np.ptp(read("flat.tif")[0]) == 0


def test_a_palette_that_is_too_short(refusal, make) -> None:
    for bits in (2, 4, 8):
        Path("palette.tif").write_bytes(make.tiff(bytes(8), 2, 2, t258=bits, t262=3, t320=("H", (7,) * 9)))
        assert refusal("palette.tif") == s.SHORT_PALETTE


def test_palettes(read, make) -> None:
    rng = np.random.default_rng(0)
    for bits in (1, 2, 4, 8):
        colours = rng.integers(0, 256, (2**bits, 3), dtype=np.uint8)
        values = np.arange(40).reshape(5, 8) * 7 % 2**bits
        data = np.packbits(((values[..., None] >> np.arange(bits - 1, -1, -1)) & 1).reshape(5, -1), axis=1).tobytes()
        for scale in (257, 256, 1):  # the last is wrong, but written by some, and libtiff reads it so
            table = ("H", tuple((colours.T.astype(int).ravel() * scale).tolist()))
            Path("palette.tif").write_bytes(make.tiff(data, 8, 5, t258=bits, t262=3, t320=table))
            pixels, notes = read("palette.tif")
            assert np.array_equal(pixels, colours[values]) and notes == []


def test_cmyk_of_8_and_16_bits(read, refusal) -> None:
    ink = ramp(np.dtype("u1"), 8, 6, 4)
    c, m, y, k = np.moveaxis(ink / 255, -1, 0)
    expected = np.stack([(1 - c) * (1 - k), (1 - m) * (1 - k), (1 - y) * (1 - k)], axis=-1) * 255
    for values in (ink, ink.astype(np.uint16) * 257):
        for order in "<>":
            tifffile.imwrite("print.tif", values, photometric="separated", byteorder=order)
            pixels, notes = read("print.tif")
            assert np.abs(pixels - expected).max() <= 1 and notes == [s.TO_8_BITS] * (values.itemsize > 1) + [INKS]
    tifffile.imwrite("inks.tif", ink, photometric="separated", extratags=[(332, 3, 1, 2, True)])
    assert "inks" in refusal("inks.tif")


def test_lab(read, refusal, make) -> None:
    # L* 100 and 0; L* 53.2, a* 80.1, b* 67.2 is sRGB's red (D65; of D50: 54.3, 80.8, 69.9)
    data = bytes([255, 0, 0, 0, 0, 0, round(54.3 * 2.55), 81, 70, round(50 * 2.55), 0, 0])
    Path("lab.tif").write_bytes(make.tiff(data, 4, 1, t258=("H", (8, 8, 8)), t262=8, t277=3))
    pixels, notes = read("lab.tif")
    assert notes == [LAB]
    assert np.abs(pixels[0].astype(int) - [[255] * 3, [0] * 3, [255, 0, 0], [119] * 3]).max() <= 5
    data = np.zeros(12, np.uint16).tobytes()
    Path("lab16.tif").write_bytes(make.tiff(data, 4, 1, t258=("H", (16, 16, 16)), t262=8, t277=3))
    refusal("lab16.tif")


def test_ycbcr(read, refusal, make) -> None:
    rgb = np.array([[[255, 0, 0], [0, 255, 0], [10, 20, 30], [255, 255, 255]]], dtype=np.uint8)
    data = np.asarray(Image.fromarray(rgb).convert("YCbCr")).tobytes()
    kind = {"t258": ("H", (8, 8, 8)), "t262": 6, "t277": 3}
    Path("whole.tif").write_bytes(make.tiff(data, 4, 1, **kind, t530=("H", (1, 1))))
    assert np.abs(read("whole.tif")[0].astype(int) - rgb).max() <= 2
    Path("half.tif").write_bytes(make.tiff(bytes(64), 4, 4, **kind, t530=("H", (2, 2))))
    assert "subsampled" in refusal("half.tif")
    Path("default.tif").write_bytes(make.tiff(bytes(64), 4, 4, **kind))
    assert "subsampled" in refusal("default.tif")


def test_colours_that_both_readers_would_take_for_the_usual_ones(read, refusal, make) -> None:
    data = bytes(range(12))
    kind = {"t258": ("H", (8, 8, 8)), "t277": 3, "t530": ("H", (1, 1))}
    bt_601, bt_709 = (("II", (n, 10000, 10000 - n - m, 10000, m, 10000)) for n, m in ((2990, 1140), (2126, 722)))
    full = {2: (0, 1, 255, 1) * 3, 6: (0, 1, 255, 1) + (128, 1, 255, 1) * 2}
    for photometric in (2, 6):
        for tags in ({}, {"t529": bt_601}, {"t532": ("II", full[photometric])}):
            Path("usual.tif").write_bytes(make.tiff(data, 4, 1, t262=photometric, **kind, **tags))
            assert read("usual.tif")[1] == []
        levels = ("II", (16, 1, 235, 1, *full[photometric][4:]))
        Path("video.tif").write_bytes(make.tiff(data, 4, 1, t262=photometric, **kind, t532=levels))
        assert "black and white" in refusal("video.tif")
    Path("hd.tif").write_bytes(make.tiff(data, 4, 1, t262=6, **kind, t529=bt_709))
    assert "BT.601" in refusal("hd.tif")
    Path("planes.tif").write_bytes(
        make.tiff(data[:4], 4, 1, t262=8, **kind | {"t273": ("I", (8, 8, 8)), "t279": ("I", (4, 4, 4)), "t284": 2})
    )
    assert "planes" in refusal("planes.tif")


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_deflate", "zstd", "lzma"])
def test_compressions_that_only_pillow_knows(read, compression: str) -> None:
    for dtype in ("u1", "u2", "f4", "i4"):
        values = ramp(np.dtype(dtype), 9, 8)
        image = Image.fromarray(values)
        image.save("packed.tif", compression=compression)
        pixels, notes = read("packed.tif")
        assert np.array_equal(pixels[..., 0], as_defined(values)) and notes == notes_of(np.dtype(dtype)), dtype
    rgba = ramp(np.dtype("u1"), 9, 8, 4)
    Image.fromarray(rgba).save("packed.tif", compression=compression)
    alpha = rgba[..., 3:] / 255
    assert np.abs(read("packed.tif")[0] - (rgba[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1


def test_jpeg_in_tiff(read) -> None:
    rgb = np.asarray(Image.linear_gradient("L").resize((64, 48)).convert("RGB"))
    Image.fromarray(rgb).save("photo.tif", compression="jpeg", quality=95)
    pixels, notes = read("photo.tif")
    assert np.abs(pixels.astype(int) - rgb).mean() < 2 and notes == []


def test_parts_that_end_too_early(refusal) -> None:
    """libtiff would make up the rest, or not look at the checksum."""
    rgb = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 48, 3), dtype=np.uint8))
    for compression, mode in itertools.product(("jpeg", "tiff_deflate", "tiff_lzw", "packbits"), ("L", "RGB", "YCbCr")):
        rgb.convert(mode).save("whole.tif", compression=compression)
        with tifffile.TiffFile("whole.tif", mode="r+b") as file:
            tag = file.pages[0].tags[279]
            tag.overwrite(tuple(size // 2 for size in tag.value))
        assert "it is damaged" in refusal("whole.tif"), (compression, mode)
    rgb.save("whole.tif", compression="tiff_deflate")
    data = bytearray(Path("whole.tif").read_bytes())
    with tifffile.TiffFile("whole.tif") as file:
        end = file.pages[0].dataoffsets[0] + file.pages[0].databytecounts[0]
    data[end - 1] ^= 1
    Path("flipped.tif").write_bytes(data)
    assert "checksum" in refusal("flipped.tif")


def test_an_orientation_of_a_strange_type(read, make) -> None:
    for kind in "BHI":
        Path("turned.tif").write_bytes(make.tiff(bytes([10, 20, 30, 40]), 4, 1, t274=(kind, 3)))
        assert read("turned.tif")[0][0, :, 0].tolist() == [40, 30, 20, 10]


@pytest.mark.parametrize("orientation", [*range(0, 10), 65535])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_orientation(read, orientation: int, dtype: str) -> None:
    values = ramp(np.dtype(dtype), 5, 7, 3)
    tifffile.imwrite("turned.tif", values, photometric="rgb", extratags=[(274, 3, 1, orientation, True)])
    pixels, notes = read("turned.tif")
    flipped = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (0,), 7: (0, 1), 8: (1,)}.get(orientation, ())
    upright = np.flip(as_defined(values), flipped)
    upright = upright.transpose(1, 0, 2) if 5 <= orientation <= 8 else upright
    assert np.array_equal(pixels, upright)
    assert (UPRIGHT in notes) == (2 <= orientation <= 8)


def test_of_several_pages_the_first(read) -> None:
    first = ramp(np.dtype("u2"), 5, 7)
    with tifffile.TiffWriter("pages.tif") as file:
        file.write(first)
        file.write(np.zeros((3, 4), np.uint8))
    pixels, notes = read("pages.tif")
    assert np.array_equal(pixels[..., 0], as_defined(first)) and notes == [s.TO_8_BITS, SEVERAL]
    for count in (1, 3):
        tifffile.imwrite("stack.tif", np.stack([first] * count), imagej=True, truncate=True)  # in one directory
        assert read("stack.tif")[1] == [s.TO_8_BITS] + [SEVERAL] * (count > 1)
    with tifffile.TiffWriter("pyramid.tif") as file:  # copies are not pictures of their own
        file.write(first)
        file.write(first[::2, ::2], subfiletype=1)
    assert read("pyramid.tif")[1] == [s.TO_8_BITS]
    with tifffile.TiffWriter("subs.tif") as file:
        file.write(first, subifds=1)
        file.write(first[::2, ::2], subfiletype=1)
    assert read("subs.tif")[1] == [s.TO_8_BITS]


def test_bigtiff_tiles_and_predictor(read) -> None:
    values = ramp(np.dtype("u2"), 40, 50, 3)
    tifffile.imwrite("big.tif", values, photometric="rgb", bigtiff=True, tile=(16, 16), compression="zlib")
    assert np.array_equal(read("big.tif")[0], as_defined(values))
    Image.fromarray(values[..., 0]).save("lzw.tif", compression="tiff_lzw", tiffinfo={317: 2})
    assert np.array_equal(read("lzw.tif")[0][..., 0], as_defined(values[..., 0]))


class TestRefused:
    RGB = {"t258": ("H", (8, 8, 8)), "t262": 2, "t277": 3}  # noqa: RUF012

    def test_camera_raw(self, refusal, make) -> None:
        data = bytes(12 * 16 * 3)
        large = {254: 0, 256: 64, 257: 48, 258: ("H", 14), 259: ("H", 1), 262: ("H", 32803), 273: 8, 279: 8}
        for name, sub, tags in (
            ("thumbnail.nef", large, {"t254": ("I", 1)}),
            ("renamed.tif", large, {}),
            ("unflagged.tif", {**large, 262: ("H", 2)}, {}),
            ("small.tif", {**large, 256: 16, 257: 12}, {}),
            ("dng.tif", None, {"t50706": ("B", (1, 4, 0, 0))}),
            ("nikon.tif", {**large, 256: 8, 257: 8, 262: ("H", 1), 259: ("H", 34713)}, {}),
            ("any.arw", None, {}),
            ("any.CR2", None, {}),
        ):
            Path(name).write_bytes(make.tiff(data, 16, 12, sub=sub, **self.RGB, **tags))
            assert refusal(name) == CAMERA_RAW, name
        Path("sensor.tif").write_bytes(make.tiff(data, 16, 12, t262=32803, t258=16))
        assert refusal("sensor.tif") == CAMERA_RAW
        Path("canon.tif").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + bytes(50))
        for head in (
            b"FUJIFILMCCD-RAW 0201",
            b"IIRO\x08\0\0\0",
            b"IIU\0\x18\0\0\0",
            b"\0\0\0\x18ftypcrx \0\0\0\1crx isom",
        ):
            Path("other.raw").write_bytes(head + bytes(50))
            assert refusal("other.raw") == CAMERA_RAW
        assert refusal("canon.tif") == CAMERA_RAW

    def test_a_reduced_copy_first(self, refusal) -> None:
        with tifffile.TiffWriter("copy.tif") as file:
            file.write(np.zeros((3, 4), np.uint8), subfiletype=1)
            file.write(np.zeros((30, 40), np.uint8))
        assert "reduced copy" in refusal("copy.tif")

    def test_exotic_samples(self, refusal, make) -> None:
        tifffile.imwrite("complex.tif", np.ones((4, 5), np.complex64))
        tifffile.imwrite(
            "volume.tif", np.zeros((3, 16, 16), np.uint8), photometric="minisblack", volumetric=True, tile=(1, 16, 16)
        )
        tifffile.imwrite("five.tif", np.zeros((4, 5, 5), np.uint8), photometric="minisblack", planarconfig="contig")
        for name in ("complex.tif", "volume.tif", "five.tif"):
            refusal(name)
        for bits in (3, 5, 6, 7, 9, 10, 11, 13, 14, 15, 24, 31):
            Path("bits.tif").write_bytes(make.tiff(bytes(8 * 8 * 4), 8, 8, t258=bits))
            refusal("bits.tif")
        Path("float24.tif").write_bytes(make.tiff(bytes(8 * 8 * 3), 8, 8, t258=24, t339=3))
        Path("float8.tif").write_bytes(make.tiff(bytes(8 * 8), 8, 8, t258=8, t339=3))
        Path("mixed.tif").write_bytes(make.tiff(bytes(8 * 8 * 2), 8, 8, t258=("H", (5, 6, 5)), t262=2, t277=3))
        Path("types.tif").write_bytes(make.tiff(bytes(8 * 8 * 3), 8, 8, **self.RGB, t339=("H", (1, 1, 2))))
        Path("nothing.tif").write_bytes(make.tiff(bytes(64), 8, 8, t262=None))
        Path("luv.tif").write_bytes(make.tiff(bytes(8 * 8 * 6), 8, 8, t262=32845, t258=("H", (16,) * 3), t277=3))
        for name in ("float24.tif", "float8.tif", "mixed.tif", "types.tif", "nothing.tif", "luv.tif"):
            refusal(name)

    def test_12_bits_that_are_not_simply_packed(self, refusal, make) -> None:
        for tags in ({"t259": 5}, {"t339": 2}, {"t262": 3}):
            Path("packed.tif").write_bytes(make.tiff(bytes(8 * 12), 8, 8, **{"t258": 12, **tags}))
            refusal("packed.tif")

    def test_damage(self, refusal, read) -> None:
        tifffile.imwrite("whole.tif", ramp(np.dtype("u2"), 20, 20))
        data = Path("whole.tif").read_bytes()
        for end in (4, 8, 20, 100, len(data) // 2, len(data) - 10):
            Path("cut.tif").write_bytes(data[:end])
            refusal("cut.tif")

    @pytest.mark.parametrize("dtype", ["u1", "u2"])
    @pytest.mark.parametrize("compression", [None, "zlib"])
    def test_missing_strips(self, refusal, dtype: str, compression: str | None) -> None:
        for fewer in (True, False):
            tifffile.imwrite("strips.tif", ramp(np.dtype(dtype), 24, 20), rowsperstrip=4, compression=compression)
            with tifffile.TiffFile("strips.tif", mode="r+b") as file:
                for tag in (273, 279):
                    values = file.pages[0].tags[tag].value
                    file.pages[0].tags[tag].overwrite(values[:-1] if fewer else (*values[:2], 0, *values[3:]))
            assert "missing" in refusal("strips.tif")
        tifffile.imwrite("long.tif", ramp(np.dtype(dtype), 24, 20), compression=compression)
        with tifffile.TiffFile("long.tif", mode="r+b") as file:
            file.pages[0].tags[257].overwrite(60000)  # the strip has 24 rows
        refusal("long.tif")

    def test_the_size_is_checked_first(self, read) -> None:
        from tutorial_lib.files.pictures import read_picture

        tifffile.imwrite("whole.tif", ramp(np.dtype("u2"), 20, 30))

        def check(width: int, height: int) -> None:
            raise ValueError(f"{width} x {height} is too much.")

        with pytest.raises(ValueError, match=r"^30 x 20 is too much\.$"):
            read_picture(Path("whole.tif"), check)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_small_array_comes_back_by_the_rule(read, data) -> None:
    dtype = data.draw(st.sampled_from(INTEGERS + FLOATS))
    height, width, channels = data.draw(st.tuples(*[st.integers(1, 5)] * 2, st.sampled_from([1, 3])))
    if dtype.kind == "f":
        element = st.floats(-0.25, 1.25, width=8 * dtype.itemsize) | st.just(float("nan"))
    else:
        element = st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    drawn = data.draw(st.lists(element, min_size=height * width * channels, max_size=height * width * channels))
    values = np.array(drawn, dtype=dtype).reshape(height, width, channels)
    options = data.draw(
        st.fixed_dictionaries(
            {
                "byteorder": st.sampled_from("<>"),
                "compression": st.sampled_from([None, "zlib"]),
                "bigtiff": st.booleans(),
                "rowsperstrip": st.integers(1, 5),
                "photometric": st.sampled_from(["minisblack", "miniswhite"] if channels == 1 else ["rgb"]),
            }
        )
    )
    planar = channels == 3 and data.draw(st.booleans())
    stored = np.moveaxis(values, -1, 0) if planar else values if channels == 3 else values[..., 0]
    kind = {"planarconfig": "separate" if planar else "contig"} if channels == 3 else {}
    tifffile.imwrite("any.tif", stored, **options, **kind)
    expected = as_defined(values)
    try:
        pixels, notes = read("any.tif")
    except ValueError as error:
        outside = np.count_nonzero((values < 0) | (values > 1)) if dtype.kind == "f" else 0
        assert 2 * outside > values.size or ("nothing would be left" in str(error) and np.ptp(expected) == 0)
        return
    assert np.array_equal(
        pixels, np.broadcast_to(255 - expected if options["photometric"] == "miniswhite" else expected, pixels.shape)
    )
    assert (s.SIGNED in notes) == (dtype.kind == "i") and (s.TO_8_BITS in notes) == (dtype.itemsize > 1)
