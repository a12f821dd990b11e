"""GIF, TGA, JPEG, BMP and PCX as Pillow alone would get them wrong in silence: made right, or refused."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from tutorial_lib.files import samples as s
from tutorial_lib.files.pictures import COVERED

RANDOM = np.random.default_rng(1)


def gif(canvas: tuple[int, int], at: tuple[int, int], indexes: np.ndarray, palette: np.ndarray, clear: int | None):
    """Of 4 colours, each index with a code of its own: the table of codes is emptied before it could grow."""
    head = b"GIF89a" + struct.pack("<HHBBB", *canvas, 0x81, 2, 0) + palette.tobytes()
    extension = b"" if clear is None else b"\x21\xf9\4\1\0\0" + bytes([clear, 0])
    codes = [code for index in indexes.ravel().tolist() for code in (4, index)] + [5]  # 4: empty the table; 5: the end
    value = sum(code << 3 * n for n, code in enumerate(codes))
    data = value.to_bytes(len(codes) * 3 // 8 + 1, "little")
    blocks = b"".join(bytes([len(data[n : n + 200])]) + data[n : n + 200] for n in range(0, len(data), 200))
    box = struct.pack("<4HB", *at, indexes.shape[1], indexes.shape[0], 0)
    return head + extension + b"," + box + b"\2" + blocks + b"\0;"


@pytest.mark.parametrize("clear", [None, 3])
def test_a_gif_whose_picture_covers_a_part_of_its_canvas(read, clear: int | None) -> None:
    palette = RANDOM.integers(0, 200, (4, 3), dtype=np.uint8)
    indexes = RANDOM.integers(0, 4, (5, 7), dtype=np.uint8)
    inside = np.where((indexes == clear)[..., None] if clear is not None else False, 255, palette[indexes])
    Path("whole.gif").write_bytes(gif((7, 5), (0, 0), indexes, palette, clear))
    pixels, notes = read("whole.gif")
    assert np.array_equal(pixels, inside) and notes == [s.ON_WHITE] * (clear is not None)
    expected = np.full((12, 20, 3), 255)
    expected[4:9, 3:10] = inside
    Path("part.gif").write_bytes(gif((20, 12), (3, 4), indexes, palette, clear))
    pixels, notes = read("part.gif")
    assert np.array_equal(pixels, expected) and notes == [COVERED, s.ON_WHITE]


@pytest.mark.parametrize("alpha_bits", [0, 8])
def test_a_tga_with_transparency_in_its_palette(read, alpha_bits: int) -> None:
    bgra = RANDOM.integers(0, 256, (200, 4), dtype=np.uint8)
    first = 10  # of the indexes that the palette has
    indexes = RANDOM.integers(first, first + 200, (5, 7), dtype=np.uint8)
    head = struct.pack("<BBBHHB4xHHBB", 0, 1, 1, first, 200, 32, 7, 5, 8, 0x20 | alpha_bits)
    Path("in.tga").write_bytes(head + bgra.tobytes() + indexes.tobytes())
    colours = bgra[indexes - first]
    alpha = colours[..., 3:] / 255 if alpha_bits else 1
    pixels, notes = read("in.tga")
    assert np.abs(pixels - (colours[..., 2::-1] * alpha + 255 * (1 - alpha))).max() <= 1
    assert notes == [s.ON_WHITE] * bool(alpha_bits)


def test_cmyk_that_does_not_say_which_end_is_white(read, refusal) -> None:
    Image.linear_gradient("L").convert("CMYK").save("in.jpg", quality=95)
    read("in.jpg")
    data = Path("in.jpg").read_bytes()
    at = data.index(b"\xff\xee")
    assert data[at + 4 : at + 9] == b"Adobe"
    Path("in.jpg").write_bytes(data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :])
    assert "Adobe" in refusal("in.jpg")


@pytest.mark.parametrize(("magic", "highest", "dtype"), [(b"P5", 100, "u1"), (b"P6", 3, "u1"), (b"P6", 1000, ">u2")])
def test_a_portable_map_with_samples_above_its_highest(read, refusal, magic: bytes, highest: int, dtype: str) -> None:
    values = RANDOM.integers(0, highest + 1, 35 * (3 if magic == b"P6" else 1)).astype(dtype)
    values[11] = highest
    head = magic + b" 7 5 %d " % highest
    Path("in.pnm").write_bytes(head + values.tobytes())
    read("in.pnm")
    values[11] += 1
    Path("in.pnm").write_bytes(head + values.tobytes())
    assert f"above {highest}" in refusal("in.pnm")


def test_a_reduced_copy_by_the_older_tag(read, refusal) -> None:
    for kind, sound in ((2, False), (1, True)):
        with tifffile.TiffWriter("copy.tif") as file:
            file.write(np.zeros((3, 4), np.uint8), extratags=[(255, 3, 1, kind, True)])
            file.write(np.zeros((30, 40), np.uint8))
        with tifffile.TiffFile("copy.tif", mode="r+b") as file:  # the newer tag, which stands in every file of tifffile
            for page in file.pages:
                assert 254 not in page.tags or int(page.tags[254].value) == 0
        data = Path("copy.tif").read_bytes().replace(struct.pack("<HH", 254, 4), struct.pack("<HH", 253, 4))
        Path("copy.tif").write_bytes(data)
        if sound:
            assert s.SEVERAL in read("copy.tif")[1]
        else:
            assert "reduced copy" in refusal("copy.tif")


class TestPackBits:
    """libtiff cuts off a run that goes beyond the last pixel, which only damage makes."""

    @pytest.mark.parametrize("planar", [False, True])
    def test_whole_ones(self, read, make, planar: bool) -> None:
        values = np.arange(30, dtype=np.uint8).reshape(5, 2, 3)
        planes = values if not planar else np.moveaxis(values, -1, 0)
        parts = [b"\x1d" + planes.tobytes()] if not planar else [b"\x80\x09" + plane.tobytes() for plane in planes]
        lengths = tuple(len(part) for part in parts)
        tags = {"t258": ("H", (8, 8, 8)), "t259": 32773, "t262": 2, "t277": 3}
        data = make.tiff(b"".join(parts), 2, 5, **tags)
        if planar:
            first = len(data) - sum(lengths) - sum(lengths) % 2
            for _ in range(2):
                places = tuple(first + sum(lengths[:n]) for n in range(3))
                strips = {"t273": ("I", places), "t279": ("I", lengths), "t284": 2}
                data = make_planar(make, parts, {**tags, **strips})
                first = data.index(b"".join(parts))
        Path("in.tif").write_bytes(data)
        assert np.array_equal(read("in.tif")[0], values)

    def test_damaged_ones(self, refusal, make) -> None:
        for data in (b"\x08" + bytes(9) + b"\xff\1", b"\x08" + bytes(9), b"\xf0\1", b"\x09" + bytes(9), b"\x80" * 20):
            Path("in.tif").write_bytes(make.tiff(data, 2, 5, t259=32773))
            assert "damaged" in refusal("in.tif")


def make_planar(make, parts: list[bytes], tags: dict) -> bytes:
    entries = {256: ("I", 2), 257: ("I", 5), 278: ("I", 5)}
    for name, value in tags.items():
        entries[int(name[1:])] = value if isinstance(value, tuple) else ("H", value)
    main = make.ifd(entries, 8)
    return b"II*\0\x08\0\0\0" + main + b"".join(parts)


def psd(mode: int, planes: np.ndarray, layers: int, bits: int = 8) -> bytes:
    count, height, width = planes.shape
    info = struct.pack(">h", layers) + bytes(60)  # nobody looks at the layers themselves
    part = struct.pack(">II", len(info) + 8, len(info)) + info + bytes(4) if layers else bytes(4)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, count, height, width, bits, mode)
    data = planes if bits == 8 else np.packbits(planes, axis=-1)
    return head + bytes(8) + part + bytes(2) + data.tobytes()


def test_channels_of_a_psd(read, refusal) -> None:
    """Whether the one behind the colours is transparency, the sign of the number of layers tells."""
    planes = RANDOM.integers(0, 256, (6, 5, 7), dtype=np.uint8)
    rgb = np.moveaxis(planes[:3], 0, -1)
    for mode, colours in ((1, 1), (3, 3), (4, 4)):
        for others in (0, 1, 2):
            for layers in (0, 1, -1):
                Path("in.psd").write_bytes(psd(mode, planes[: colours + others], layers))
                if layers < 0 and others and (mode, others) != (3, 1):
                    assert "transparency" in refusal("in.psd")
                    continue
                pixels, notes = read("in.psd")
                is_alpha = layers < 0 and others == 1
                assert (s.CHANNELS_DROPPED in notes) == (others > is_alpha) and (s.ON_WHITE in notes) == is_alpha
                if mode == 3:
                    alpha = planes[3][..., None] / 255 if is_alpha else 1
                    assert np.abs(pixels - (rgb * alpha + 255 * (1 - alpha))).max() <= 1
    bits = RANDOM.integers(0, 2, (1, 5, 7), dtype=np.uint8)
    Path("in.psd").write_bytes(psd(0, bits, 0, bits=1))
    assert np.array_equal(read("in.psd")[0][..., 0], 255 * (1 - bits[0]))  # 1 is black


def test_kinds_of_which_pillow_makes_other_colours(read, refusal) -> None:
    Image.linear_gradient("L").convert("1").save("in.xbm")
    assert "black" in refusal("in.xbm")
    for depth, channels in ((24, 3), (32, 4)):
        pixels = RANDOM.integers(0, 256, (5, 8, channels), dtype=np.uint8)
        head = struct.pack(">8I", 0x59A66A95, 8, 5, depth, pixels.size, 1, 0, 0)
        Path("in.ras").write_bytes(head + pixels.tobytes())
        if depth == 24:
            assert np.array_equal(read("in.ras")[0], pixels[..., ::-1])
        else:
            assert "32 bits" in refusal("in.ras")


def test_channels_of_jpeg_2000(read, refusal) -> None:
    rgba = RANDOM.integers(0, 256, (9, 11, 4), dtype=np.uint8)
    Image.fromarray(rgba).save("in.jp2", irreversible=False)
    stream = Path("in.jp2").read_bytes()
    stream = stream[stream.index(b"\xff\x4f\xff\x51") :]

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(data), kind) + data

    def jp2(*channels: tuple[int, int, int]) -> bytes:
        names = box(b"cdef", struct.pack(">H", len(channels)) + b"".join(struct.pack(">3H", *c) for c in channels))
        header = box(b"ihdr", struct.pack(">IIHBBBB", 9, 11, 4, 7, 7, 0, 0))
        header += box(b"colr", b"\1\0\0" + struct.pack(">I", 16)) + names
        start = box(b"jP  ", b"\r\n\x87\n") + box(b"ftyp", b"jp2 \0\0\0\0jp2 ")
        return start + box(b"jp2h", header) + box(b"jp2c", stream)

    colours, alpha = ((0, 0, 1), (1, 0, 2), (2, 0, 3)), rgba[..., 3:] / 255
    Path("in.jp2").write_bytes(jp2(*colours, (3, 1, 0)))
    pixels, notes = read("in.jp2")
    assert np.abs(pixels - (rgba[..., :3] * alpha + 255 * (1 - alpha))).max() <= 1 and notes == [s.ON_WHITE]
    Path("in.jp2").write_bytes(jp2(*colours, (3, 65535, 65535)))
    pixels, notes = read("in.jp2")
    assert np.array_equal(pixels, rgba[..., :3]) and notes == [s.CHANNELS_DROPPED]
    Path("in.jp2").write_bytes(jp2(*colours, (3, 2, 0)))
    assert "multiplied" in refusal("in.jp2")
    Path("in.jp2").write_bytes(jp2((0, 0, 3), (1, 0, 2), (2, 0, 1), (3, 1, 0)))
    assert "order" in refusal("in.jp2")


def test_signed_samples_of_jpeg_2000(read) -> None:
    grey = RANDOM.integers(0, 256, (9, 11), dtype=np.uint8)
    Image.fromarray(grey).save("in.j2k", irreversible=False)
    data = bytearray(Path("in.j2k").read_bytes())
    data[data.index(b"\xff\x4f\xff\x51") + 42] |= 0x80  # the same codes then mean 128 less
    Path("in.j2k").write_bytes(data)
    pixels, notes = read("in.j2k")
    assert np.array_equal(pixels[..., 0], grey) and notes == [s.SIGNED]
