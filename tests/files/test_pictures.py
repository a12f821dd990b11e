"""Portable maps, PNG, JPEG 2000, TGA and images that a program has made: the right picture, or a refusal."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tutorial_lib.files import samples as s
from tutorial_lib.files.pfm import UNIT
from tutorial_lib.files.pictures import BEYOND, check_ending, picture_bytes, to_rgb8


def test_portable_maps_of_any_depth(read) -> None:
    for top in (1, 3, 100, 254, 255, 256, 1023, 4095, 65535):
        for channels, plain, packed in ((1, b"P2", b"P5"), (3, b"P3", b"P6")):
            values = np.arange(5 * 7 * channels).reshape(5, 7, channels) * 19_697 % (top + 1)
            head = b"\n7 5\n%d\n" % top
            Path("packed.ppm").write_bytes(packed + head + values.astype(">u2" if top > 255 else "u1").tobytes())
            Path("plain.ppm").write_bytes(plain + head + " ".join(map(str, values.ravel().tolist())).encode())
            for name in ("packed.ppm", "plain.ppm"):
                pixels, notes = read(name)
                assert np.abs(pixels - values * 255 / top).max() <= 0.51, (top, channels, name)
                assert notes == [s.TO_8_BITS] * (top > 255), (top, channels, name)


def test_portable_maps_one_behind_the_other(read) -> None:
    values = np.random.default_rng(0).integers(0, 2, (5, 7, 3))
    for magic, highest, dtype in (
        (b"P4", 1, "u1"),
        (b"P5", 255, "u1"),
        (b"P5", 65535, ">u2"),
        (b"P5", 99, "u1"),
        (b"P6", 255, "u1"),
        (b"P6", 1000, ">u2"),
        (b"PF", 1, ">f4"),
    ):
        data = (values if magic in (b"P6", b"PF") else values[..., 0]).astype(dtype) * highest
        data = np.packbits(data, axis=1) if magic == b"P4" else data.astype(dtype)
        one = magic + b" 7 5 " + (b"" if magic == b"P4" else b"%d " % highest) + data.tobytes()
        for file, several in ((one, False), (one + b"\n", False), (one + one, True)):
            Path("maps.pnm").write_bytes(file)
            assert (s.SEVERAL in read("maps.pnm")[1]) == several, (magic, highest)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(("magic", "channels"), [(b"Pf", 1), (b"PF", 3)])
def test_float_maps(read, refusal, order: str, magic: bytes, channels: int) -> None:
    values = np.linspace(0, 1.5, 5 * 7 * channels, dtype=np.float32).reshape(5, 7, channels)
    sign = b"-" if order == "<" else b""
    data = values[::-1].astype(order + "f4").tobytes()  # from the lowest row on
    Path("hdr.pfm").write_bytes(magic + b"\n7 5\n" + sign + b"1.0\n" + data)
    pixels, notes = read("hdr.pfm")
    assert np.array_equal(pixels, np.broadcast_to(np.rint(values.clip(0, 1).astype(float) * 255), (5, 7, 3)))
    assert notes == [s.TO_8_BITS, s.CLIPPED]
    Path("hdr.pfm").write_bytes(magic + b"\n7 5\n" + sign + b"100.0\n" + data)
    assert UNIT in read("hdr.pfm")[1]
    for bad in (magic + b"\n7 5\n0\n" + data, magic + b"\n7 5\nnan\n" + data, magic + b"\n7 5\n1\n" + data[:-1], magic):
        Path("bad.pfm").write_bytes(bad)
        refusal("bad.pfm")


class TestPng:
    @pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
    def test_grey_with_one_transparent_value(self, read, make, bits: int) -> None:
        top = 2**bits - 1
        values = (np.arange(35) * 36_979 % (top + 1)).reshape(5, 7, 1)
        clear = int(values[2, 3, 0])
        Path("grey.png").write_bytes(make.png(values, bits, 0))
        pixels, notes = read("grey.png")
        expected = np.rint(values * 255 / top)
        assert np.array_equal(pixels, np.broadcast_to(expected, pixels.shape)) and notes == [s.TO_8_BITS] * (bits > 8)
        Path("clear.png").write_bytes(make.png(values, bits, 0, (b"tRNS", struct.pack(">H", clear))))
        pixels, notes = read("clear.png")
        assert np.array_equal(pixels, np.broadcast_to(np.where(values == clear, 255, expected), pixels.shape))
        assert notes[-1:] == [s.ON_WHITE]

    @pytest.mark.parametrize("bits", [1, 2, 4, 8])
    @pytest.mark.parametrize("colour_type", [0, 2])
    def test_of_a_transparent_value_only_the_low_bits_count(self, read, make, bits: int, colour_type: int) -> None:
        if colour_type == 2 and bits < 8:
            return
        top = 2**bits - 1
        values = np.random.default_rng(1).integers(0, top + 1, (5, 7, 1 + colour_type))
        for clear in (values[2, 3], values[0, 0] ^ 1):
            key = struct.pack(f">{len(clear)}H", *(clear | 0xFFFF & ~top).tolist())
            Path("clear.png").write_bytes(make.png(values, bits, colour_type, (b"tRNS", key)))
            expected = np.where((values == clear).all(-1, keepdims=True), 255, values * 255 // top)
            assert np.array_equal(read("clear.png")[0], np.broadcast_to(expected, (5, 7, 3)))

    @pytest.mark.parametrize("bits", [8, 16])
    def test_rgb_with_one_transparent_colour(self, read, make, bits: int) -> None:
        values = np.random.default_rng(1).integers(0, 2**bits, (5, 7, 3))
        Path("clear.png").write_bytes(make.png(values, bits, 2, (b"tRNS", struct.pack(">3H", *values[2, 3].tolist()))))
        pixels, notes = read("clear.png")
        expected = values * 255 / (2**bits - 1)
        expected[2, 3] = 255
        assert np.abs(pixels - expected).max() <= 1 and notes[-1] == s.ON_WHITE

    @pytest.mark.parametrize("bits", [8, 16])
    @pytest.mark.parametrize(("colour_type", "channels"), [(4, 2), (6, 4)])
    def test_alpha(self, read, make, bits: int, colour_type: int, channels: int) -> None:
        values = np.random.default_rng(1).integers(0, 2**bits, (5, 7, channels))
        reduced = [s.TO_8_BITS] * (bits > 8)
        for alpha, said in ((None, [s.ON_WHITE]), (0, [s.ALPHA_IGNORED]), (2**bits - 1, [])):
            if alpha is not None:
                values[..., -1] = alpha
            Path("alpha.png").write_bytes(make.png(values, bits, colour_type))
            pixels, notes = read("alpha.png")
            share = 1 if alpha == 0 else values[..., -1:] / (2**bits - 1)
            expected = values[..., :-1] * (255 / (2**bits - 1)) * share + 255 * (1 - share)
            assert np.abs(pixels - expected).max() <= 2 and notes == reduced + said

    def test_neighbours_of_a_transparent_colour_of_16_bits_are_seen(self, read, make) -> None:
        values = np.random.default_rng(1).integers(0, 2**16, (5, 7, 3))
        values[1] = values[0] ^ 1  # only in the lower half, which Pillow does not give
        Path("clear.png").write_bytes(make.png(values, 16, 2, (b"tRNS", struct.pack(">3H", *values[0, 3].tolist()))))
        expected = values / 257
        expected[0, 3] = 255
        assert np.abs(read("clear.png")[0] - expected).max() <= 1


def tga(pixels: np.ndarray, bits: int, alpha_bits: int) -> bytes:
    height, width = pixels.shape[:2]
    return struct.pack("<BBB5x4xHHBB", 0, 0, 2, width, height, bits, 0x20 | alpha_bits) + pixels.tobytes()


def test_what_a_tga_does_not_call_alpha_is_none(read) -> None:
    bgra = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    Path("in.tga").write_bytes(tga(bgra, 32, 0))
    pixels, notes = read("in.tga")
    assert np.array_equal(pixels, bgra[..., 2::-1]) and notes == [s.CHANNELS_DROPPED]
    Path("in.tga").write_bytes(tga(bgra, 32, 8))
    alpha = bgra[..., 3:] / 255
    pixels, notes = read("in.tga")
    assert np.abs(pixels - (bgra[..., 2::-1] * alpha + 255 * (1 - alpha))).max() <= 1 and notes == [s.ON_WHITE]
    values = np.random.default_rng(1).integers(0, 65536, (5, 7), dtype=np.uint16)
    Path("in.tga").write_bytes(tga(values, 16, 0))
    expected = np.stack([((values >> shift) & 31) * (255 / 31) for shift in (10, 5, 0)], axis=-1)
    assert np.abs(read("in.tga")[0] - expected).max() <= 5


def test_what_the_extension_area_of_a_tga_says_of_alpha(read, refusal) -> None:
    bgra = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    file = tga(bgra, 32, 8)
    for kind in range(5):
        area = struct.pack("<H492xB", 495, kind)
        Path("in.tga").write_bytes(file + area + struct.pack("<II", len(file), 0) + b"TRUEVISION-XFILE.\0")
        if kind == 4:
            assert "multiplied" in refusal("in.tga")
        elif kind == 3:
            assert read("in.tga")[1] == [s.ON_WHITE]
        else:
            pixels, notes = read("in.tga")
            assert np.array_equal(pixels, bgra[..., 2::-1]) and notes == [s.CHANNELS_DROPPED]


def test_a_palette_that_is_too_short(read, refusal, make) -> None:
    image = Image.new("P", (4, 2), 2)
    image.putpalette(bytes(range(9)))
    image.save("in.png")
    assert read("in.png")[0][0, 0].tolist() == [6, 7, 8]
    samples = np.full((2, 4, 1), 2)
    for size, sound in ((9, True), (8, False), (6, False)):
        Path("in.png").write_bytes(make.png(samples, 8, 3, (b"PLTE", bytes(range(size)))))
        if sound:
            read("in.png")
        else:
            assert refusal("in.png") == s.SHORT_PALETTE
    head = struct.pack("<2sI4xIIiiHHIIiiII", b"BM", 66 + 8, 66, 40, 4, 2, 1, 8, 0, 8, 0, 0, 3, 0)
    Path("in.bmp").write_bytes(head + bytes(12) + bytes([2, 2, 2, 2] * 2))
    read("in.bmp")
    Path("in.bmp").write_bytes(head + bytes(range(12)) + bytes([2, 2, 2, 3] * 2))
    assert refusal("in.bmp") == s.SHORT_PALETTE


def test_an_image_with_a_palette_of_its_own() -> None:
    image = Image.new("P", (4, 2), 1)
    assert to_rgb8(image)[1] == []
    image.putpalette(bytes(range(9)))
    assert np.array_equal(to_rgb8(image)[0], np.full((2, 4, 3), [3, 4, 5]))


def test_a_bmp_of_16_bits_with_transparency(read) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (5, 7), dtype=np.uint16)
    rows = np.pad(values[::-1], ((0, 0), (0, 1))).astype("<u2").tobytes()
    expected = np.stack([(values >> shift & 31) * (255 / 31) for shift in (10, 5, 0)], axis=-1)
    alpha = (values >> 15)[..., None]
    for mask, wanted in ((0x8000, expected * alpha + 255 * (1 - alpha)), (0, expected)):
        for direction in (1, -1):  # from the lowest row on, or from the highest
            fields = (124, 7, 5 * direction, 1, 16, 3, len(rows), 0, 0, 0, 0, 31 << 10, 31 << 5, 31, mask)
            head = struct.pack("<2sI4xI", b"BM", 138 + len(rows), 138) + struct.pack("<IiiHHIIiiIIIIII", *fields)
            Path("in.bmp").write_bytes(head + b"BGRs" + bytes(64) + rows)
            pixels, notes = read("in.bmp")
            assert np.abs(pixels[::direction] - wanted).max() <= 4 and notes == [s.ON_WHITE] * bool(mask)


class TestPcx:
    """Its palette is the last thing in the file."""

    def test_cuts(self, read, refusal) -> None:
        ramp = Image.linear_gradient("L").resize((90, 37))
        for picture in (ramp, ramp.convert("RGB").quantize(40), ramp.convert("RGB"), ramp.convert("1")):
            picture.save("in.pcx")
            assert np.array_equal(read("in.pcx")[0], np.asarray(picture.convert("RGB")))
            data = Path("in.pcx").read_bytes()
            for cut in {*range(len(data) - 30, len(data)), *range(20, len(data), 41)}:
                Path("in.pcx").write_bytes(data[:cut])
                refusal("in.pcx")

    def test_grey_without_a_palette(self, read, refusal) -> None:
        Image.linear_gradient("L").save("in.pcx")
        expected, data = read("in.pcx")[0], Path("in.pcx").read_bytes()[:-769]
        Path("in.pcx").write_bytes(data)
        assert "palette is missing" in refusal("in.pcx")
        Path("in.pcx").write_bytes(data[:68] + b"\2\0" + data[70:])  # the header says that it is grey
        assert np.array_equal(read("in.pcx")[0], expected)

    def test_pixels_that_look_like_a_palette(self, refusal) -> None:
        noise = np.random.default_rng(1).integers(0, 190, (40, 90), dtype=np.uint8)
        noise[-9, :] = 12
        Image.fromarray(noise).save("in.pcx")
        data = Path("in.pcx").read_bytes()[:-769]
        end = max(n for n in range(len(data)) if data[n] == 12) + 769
        Path("in.pcx").write_bytes(data[: min(end, len(data))].ljust(end, b"\0"))
        assert "damaged" in refusal("in.pcx")

    def test_several_in_one_file(self, read, refusal) -> None:
        pages = [Image.linear_gradient("L").resize((20, 10)).convert("RGB").quantize(n) for n in (4, 9)]
        files = []
        for page in pages:
            page.save("in.pcx")
            files.append(Path("in.pcx").read_bytes())
        places = (16, 16 + len(files[0]))
        Path("one.dcx").write_bytes(struct.pack("<IIII", 0x3ADE68B1, 16, 0, 0) + files[0])
        assert np.array_equal(read("one.dcx")[0], np.asarray(pages[0].convert("RGB")))
        Path("two.dcx").write_bytes(struct.pack("<IIII", 0x3ADE68B1, *places, 0) + b"".join(files))
        assert "several" in refusal("two.dcx")


def psd(mode: int, planes: np.ndarray, layers: int = 0) -> bytes:
    count, height, width = planes.shape
    record = struct.pack(">4iHhIhIhI", 0, 0, height, width, 3, *(n for c in range(3) for n in (c, 2 + height * width)))
    record += b"8BIMnorm\xff\0\0\0" + struct.pack(">III", 12, 0, 0) + b"\1a\0\0"
    info = struct.pack(">h", layers) + record * layers + (b"\0\0" + planes[0].tobytes()) * 3 * layers
    info += bytes(len(info) % 2)
    part = struct.pack(">II", len(info) + 8, len(info)) + info + bytes(4) if layers else bytes(4)
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, count, height, width, 8, mode)
    return head + bytes(8) + part + bytes(2) + planes.tobytes()


def test_psd(read, refusal) -> None:
    planes = np.random.default_rng(1).integers(0, 256, (3, 6, 8), dtype=np.uint8)
    for layers in (0, 1, 2):  # what is read is what the layers make together: nothing was left out
        Path("in.psd").write_bytes(psd(3, planes, layers))
        pixels, notes = read("in.psd")
        assert np.array_equal(pixels, np.moveaxis(planes, 0, -1)) and notes == [], layers
    Path("in.psd").write_bytes(psd(7, planes))
    assert "multichannel" in refusal("in.psd")


def test_an_alpha_that_means_nothing(read) -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (5, 7, 4), dtype=np.uint8)
    rgba[..., 3] = 0
    for name in ("in.tga", "in.png", "in.tif", "in.webp"):
        Image.fromarray(rgba).save(name, **({"lossless": True, "exact": True} if name == "in.webp" else {}))
        pixels, notes = read(name)
        assert np.array_equal(pixels, rgba[..., :3]) and notes == [s.ALPHA_IGNORED], name


def test_jpeg_2000(read) -> None:
    values = np.linspace(0, 65535, 64 * 48).astype(np.uint16).reshape(48, 64)
    Image.fromarray(values).save("grey.jp2", irreversible=False)
    pixels, notes = read("grey.jp2")
    assert np.array_equal(pixels[..., 0], np.rint(values / 257)) and notes == [s.TO_8_BITS]
    Image.fromarray((values >> 8).astype(np.uint8)).convert("RGB").save("rgb.jp2", irreversible=False)
    assert read("rgb.jp2")[1] == []


@pytest.mark.parametrize("tiles", [{}, {"tile_size": (32, 32)}])
@pytest.mark.parametrize("rate", [1, 60])
def test_cuts_of_jpeg_2000(read, refusal, tiles: dict, rate: int) -> None:
    """OpenJPEG draws a tile without data in grey, and says nothing."""
    picture = Image.linear_gradient("L").resize((90, 70)).convert("RGB")
    picture.save("in.j2k", irreversible=True, quality_mode="rates", quality_layers=[rate], **tiles)
    data = Path("in.j2k").read_bytes()
    whole = read("in.j2k")[0]
    markers = [n for n in range(len(data)) if data[n : n + 2] in (b"\xff\x90", b"\xff\x93")]
    for cut in {*markers, *(n + 2 for n in markers), *range(12, len(data) - 2, 7)}:
        Path("cut.j2k").write_bytes(data[:cut])
        refusal("cut.j2k")
        Path("cut.j2k").write_bytes(data[:cut] + b"\xff\xd9")
        refusal("cut.j2k")
    Path("cut.j2k").write_bytes(data[:-2])
    try:
        assert np.array_equal(read("cut.j2k")[0], whole)
    except ValueError:  # OpenJPEG may insist on the end marker
        pass


def test_kinds_whose_deep_samples_say_no_scale(refusal) -> None:
    for bits, kind in ((16, ">i2"), (-32, ">f4"), (32, ">i4")):
        cards = [f"SIMPLE  = {'T':>20}", f"BITPIX  = {bits:>20}", f"NAXIS   = {2:>20}"]
        cards += [f"NAXIS1  = {7:>20}", f"NAXIS2  = {5:>20}", "END"]
        head = "".join(card.ljust(80) for card in cards).ljust(2880).encode()
        Path("stars.fits").write_bytes(head + np.zeros((5, 7), kind).tobytes().ljust(2880, b"\0"))
        assert "FITS" in refusal("stars.fits")
    Image.fromarray(np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)).save("in.spider", format="SPIDER")
    assert "SPIDER" in refusal("in.spider")


class TestImagesThatAProgramHasMade:
    def test_deep_ones(self) -> None:
        grey = np.arange(35).reshape(5, 7) * 1871.0
        for values in (grey.astype(np.uint16), grey.astype(np.int32)):
            pixels, notes = to_rgb8(Image.fromarray(values))
            assert np.array_equal(np.asarray(pixels)[..., 0], np.rint(values / 257)) and notes == [s.TO_8_BITS]
        floats = (grey / 65535).astype(np.float32)
        pixels, notes = to_rgb8(Image.fromarray(floats))
        assert np.array_equal(np.asarray(pixels)[..., 0], np.rint(floats.astype(float) * 255)) and notes == [
            s.TO_8_BITS
        ]
        beyond = grey.astype(np.int32)
        beyond[0, :2] = -5, 70000
        pixels, notes = to_rgb8(Image.fromarray(beyond))
        assert np.asarray(pixels)[0, :2, 0].tolist() == [0, 255] and BEYOND in notes

    def test_a_tiff_that_is_open_is_read_from_its_file(self, read) -> None:
        import tifffile

        values = np.linspace(0, 65535, 35).astype(np.uint16).reshape(5, 7)
        tifffile.imwrite("white.tif", values, photometric="miniswhite")
        with Image.open("white.tif") as image:
            pixels, _ = to_rgb8(image)
            assert np.array_equal(np.asarray(pixels)[..., 0], 255 - np.rint(values / 257))
        with Image.open("white.tif") as image:
            image.load()  # Pillow has misread it now
            with pytest.raises(ValueError, match="misread"):
                to_rgb8(image)

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_mode_that_png_or_tiff_holds(self, read, data) -> None:
        mode = data.draw(st.sampled_from(["1", "L", "P", "LA", "RGB", "RGBA", "I;16"]))
        width, height = data.draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
        size = width * height * {"LA": 2, "RGB": 3, "RGBA": 4, "I;16": 2}.get(mode, 1)
        content = data.draw(st.binary(min_size=size, max_size=size))
        if mode == "1":
            image = Image.frombytes("L", (width, height), content).convert("1")
        else:
            image = Image.frombytes(mode, (width, height), content)
        if mode == "P":
            image.putpalette(bytes(range(256)) * 3)
        name = data.draw(st.sampled_from(["any.png", "any.tif"]))
        image.save(name, **({"compression": data.draw(st.sampled_from([None, "tiff_lzw"]))} if "tif" in name else {}))
        pixels, notes = read(name)
        if mode == "I;16":
            expected = np.rint(np.asarray(image) / 257)[..., None]
        else:
            rgba = np.asarray(image.convert("RGBA")).astype(float)
            alpha = rgba[..., 3:] / 255
            expected = rgba[..., :3] * alpha + 255 * (1 - alpha) if alpha.any() else rgba[..., :3]
        assert np.abs(pixels - expected).max() <= 1
        assert (s.ALPHA_IGNORED in notes) == (mode in ("LA", "RGBA") and not alpha.any() if mode != "I;16" else False)


def test_drawings_and_nothing(refusal) -> None:
    Image.new("RGB", (4, 4)).save("in.eps")
    assert "drawing" in refusal("in.eps")
    Path("in.png").write_bytes(b"")
    assert refusal("in.png") == "the file is empty."


class TestOut:
    @pytest.mark.parametrize(
        "name",
        ["out.pdf", "out.eps.pdf", "out.palm", "out.txt", "out", "out.psd", "out.nef", "out.pgm", "out.pbm", "out.PFM"],
    )
    def test_kinds_that_cannot_be_written(self, name: str) -> None:
        with pytest.raises(ValueError, match=r"choose \.png\.$"):
            check_ending(Path(name))

    @pytest.mark.parametrize("name", ["out.png", "out.tif", "out.webp", "out.bmp", "out.ppm", "out.tga", "out.jp2"])
    def test_kinds_that_can(self, name: str) -> None:
        picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 50, 3), dtype=np.uint8))
        check_ending(Path(name))
        data, notes = picture_bytes(picture, Path(name))
        assert data and (notes == []) == (name != "out.webp")
