"""Colours come out as sRGB: against formulas written here, without a colour management system."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from tutorial_lib.files import colour_profiles as cp
from tutorial_lib.files import samples as s

P3 = np.array([[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0, 0.0451134, 1.0439444]])
ADOBE = np.array(
    [[0.5767309, 0.1855540, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]]
)
SRGB = np.array(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]]
)
BT2020 = np.array([[0.6369580, 0.1446169, 0.1688810], [0.2627002, 0.6779981, 0.0593017], [0, 0.0280727, 1.0609851]])


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def srgb_linear(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def to_srgb(pixels: np.ndarray, matrix: np.ndarray, gamma: float | None) -> np.ndarray:
    v = pixels / 255
    linear = srgb_linear(v) if gamma is None else v**gamma
    return 255 * srgb_curve(linear @ (np.linalg.inv(SRGB) @ matrix).T)


def colours() -> np.ndarray:
    """A mild range, which no gamut clips."""
    return np.random.default_rng(5).integers(60, 200, (16, 20, 3), dtype=np.uint8)


def gray_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1, 0.8249))
    text = b"grey\0"
    name = b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(79)
    blocks = [(b"desc", name), (b"wtpt", white), (b"kTRC", curve)]
    table, body, first = struct.pack(">I", 3), b"", 128 + 4 + 36
    for kind, block in blocks:
        table, body = table + kind + struct.pack(">II", first + len(body), len(block)), body + block
    size = first + len(body)
    head = struct.pack(">I4xI4s4s4s12x4s", size, 0x02400000, b"mntr", b"GRAY", b"XYZ ", b"acsp")
    return head.ljust(68, b"\0") + white[8:] + bytes(48) + table + body


PROFILES = {
    "Display P3": (cp.made_profile("Display P3", cp.PRIMARIES[12], None), P3, None),
    "Adobe RGB": (cp.made_profile("Adobe RGB", cp.ADOBE_RGB, 2.19921875), ADOBE, 2.19921875),
    "BT.2020": (cp.made_profile("BT.2020", cp.PRIMARIES[9], 2.2), BT2020, 2.2),
}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("ending", ["png", "tif", "webp", "jpg", "avif"])
def test_rgb_profiles(read, name: str, ending: str) -> None:
    profile, matrix, gamma = PROFILES[name]
    pixels = colours() if ending not in ("jpg", "avif") else np.full((16, 16, 3), (120, 90, 150), np.uint8)
    lossless = {"webp": {"lossless": True}, "jpg": {"quality": 100}, "avif": {"quality": 100}}.get(ending, {})
    Image.fromarray(pixels).save(f"in.{ending}", icc_profile=profile, **lossless)
    found, notes = read(f"in.{ending}")
    assert np.abs(found - to_srgb(pixels, matrix, gamma)).max() <= (2 if not lossless or ending == "webp" else 5)
    assert notes == [f"The colours were converted to sRGB from {name!r}."]


def test_16_bits_alpha_and_a_profile(read, make) -> None:
    profile, matrix, gamma = PROFILES["Display P3"]
    pixels = colours()
    alpha = np.where(np.arange(20) < 10, 0, 255)[None, :, None].repeat(16, 0).astype(np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], -1)).save("in.png", icc_profile=profile)
    found, notes = read("in.png")
    assert (found[:, :10] == 255).all()
    assert np.abs(found[:, 10:] - to_srgb(pixels, matrix, gamma)[:, 10:]).max() <= 2
    assert notes == ["The colours were converted to sRGB from 'Display P3'.", s.ON_WHITE]
    import tifffile

    tifffile.imwrite("in.tif", pixels.astype(np.uint16) * 257, photometric="rgb", iccprofile=profile)
    found, notes = read("in.tif")
    assert np.abs(found - to_srgb(pixels, matrix, gamma)).max() <= 2
    assert notes == [s.TO_8_BITS, "The colours were converted to sRGB from 'Display P3'."]


def test_palette_with_a_profile(read) -> None:
    profile, matrix, gamma = PROFILES["Adobe RGB"]
    image = Image.fromarray(colours()).quantize(16)
    image.save("in.png", icc_profile=profile)
    found, _ = read("in.png")
    assert np.abs(found - to_srgb(np.asarray(image.convert("RGB")), matrix, gamma)).max() <= 2


@pytest.mark.parametrize("mode", ["L", "LA", "I;16"])
def test_grey_profiles(read, mode: str) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(grey.astype(np.uint16) * 257 if mode == "I;16" else grey)
    image = image.convert("LA") if mode == "LA" else image
    image.save("in.png", icc_profile=gray_profile(1.0))
    found, notes = read("in.png")
    assert np.abs(found - 255 * srgb_curve(grey / 255)[..., None]).max() <= 2
    assert notes[-1] == "The colours were converted to sRGB from 'grey'."


def test_srgb_under_any_name_changes_nothing(read) -> None:
    for profile in (
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        cp.made_profile("something else", cp.SRGB, None),
    ):
        Image.fromarray(colours()).save("in.png", icc_profile=profile)
        found, notes = read("in.png")
        assert np.array_equal(found, colours()) and notes == []


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "P", "RGBA"])
def test_a_profile_that_does_not_fit_is_ignored(read, mode: str) -> None:
    profile = PROFILES["Display P3"][0]
    good = Image.fromarray(colours()).convert(mode)
    for name, wrong in (
        ("cut", profile[:200]),
        ("noise", bytes(range(256))),
        ("empty tables", profile[:128] + bytes(len(profile) - 128)),
        ("other kind", profile if mode == "CMYK" else cmyk_profile() if mode == "L" else gray_profile(1.0)),
    ):
        good.save("in.tif", icc_profile=wrong)
        found, notes = read("in.tif")
        assert np.array_equal(found, np.asarray(good.convert("RGB"))), name
        assert notes == [cp.BROKEN] + [cp.INKS] * (mode == "CMYK"), name


def test_a_profile_that_pillow_cannot_put_together(read, make) -> None:
    with open("in.png", "wb") as file:
        file.write(make.png(colours(), 8, 2, (b"iCCP", b"name\0\0" + bytes(50))))
    found, notes = read("in.png")
    assert np.array_equal(found, colours()) and notes == [cp.BROKEN]


def test_grey_with_a_profile_of_rgb(read, make) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save("in.png", icc_profile=cp.made_profile("something else", cp.SRGB, None))
    found, notes = read("in.png")
    assert np.array_equal(found, np.stack([grey] * 3, axis=-1)) and notes == []
    Image.fromarray(grey).save("in.png", icc_profile=cp.made_profile("linear", cp.SRGB, 1.0))
    assert np.abs(read("in.png")[0] - 255 * srgb_curve(grey / 255)[..., None]).max() <= 2
    with open("in.png", "wb") as file:
        file.write(make.png(grey[..., None], 8, 0, (b"gAMA", struct.pack(">I", 100000))))
    assert np.abs(read("in.png")[0] - 255 * srgb_curve(grey / 255)[..., None]).max() <= 2


def test_a_grey_profile_of_srgbs_curve_changes_nothing(read) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    curve = np.rint(srgb_linear(np.arange(256) / 255) * 65535).astype(">u2").tobytes()
    profile = gray_profile(1.0)
    block = b"curv\0\0\0\0" + struct.pack(">I", 256) + curve
    at = profile.index(b"kTRC") + 4
    profile = profile[:at] + struct.pack(">II", len(profile), len(block)) + profile[at + 8 :] + block
    Image.fromarray(grey).save("in.png", icc_profile=struct.pack(">I", len(profile)) + profile[4:])
    found, notes = read("in.png")
    assert np.array_equal(found, np.stack([grey] * 3, axis=-1)) and notes == []


def test_a_bmp_with_a_profile(read) -> None:
    profile, matrix, gamma = PROFILES["Display P3"]
    pixels = colours()
    height, width, _ = pixels.shape
    body = pixels[::-1, :, ::-1].tobytes()  # 20 pixels a row: no padding
    for embedded, wrong in ((profile, False), (b"noise", True), (b"", False)):
        place = struct.pack("<IIII", 4, 124 + len(body), len(embedded), 0)
        info = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(16)
        info += (b"DEBM" if embedded else b"BGRs") + bytes(48) + place
        head = b"BM" + struct.pack("<IHHI", 14 + len(info) + len(body), 0, 0, 14 + len(info))
        with open("in.bmp", "wb") as file:
            file.write(head + info + body + embedded)
        found, notes = read("in.bmp")
        expected = to_srgb(pixels, matrix, gamma) if embedded == profile else pixels
        assert np.abs(found - expected).max() <= 2
        converted = "The colours were converted to sRGB from 'Display P3'."
        assert notes == ([cp.BROKEN] if wrong else [converted] if embedded else [])


def test_a_grey_profile_on_rgb_that_is_grey(read) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=-1)
    Image.fromarray(grey).save("in.png", icc_profile=gray_profile(1.0))
    assert np.abs(read("in.png")[0] - 255 * srgb_curve(grey / 255)).max() <= 2


def cmyk_profile() -> bytes:
    """As simple as one can be: no ink is white, any full ink is black; a lookup table with two points a channel."""
    lab = [(0 if any(corner) else 65280, 32768, 32768) for corner in np.ndindex(2, 2, 2, 2)]
    curve = struct.pack(">2H", 0, 65535)
    table = struct.pack(">BBBx", 4, 3, 2) + struct.pack(">9i", *(65536 * (n % 4 == 0) for n in range(9)))
    table += struct.pack(">HH", 2, 2) + curve * 4 + b"".join(struct.pack(">3H", *c) for c in lab) + curve * 3
    block = b"mft2\0\0\0\0" + table
    white = b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1, 0.8249))
    name = b"desc\0\0\0\0" + struct.pack(">I", 4) + b"ink\0" + bytes(78)
    block += bytes(-len(block) % 4)
    body, places, first = b"", [], 128 + 4 + 36
    for part in (name + bytes(-len(name) % 4), white, block):
        places.append((first + len(body), len(part)))
        body += part
    index = struct.pack(">I", 3)
    for kind, place in zip((b"desc", b"wtpt", b"A2B0"), places, strict=True):
        index += kind + struct.pack(">II", *place)
    head = struct.pack(">I4xI4s4s4s12x4s", first + len(body), 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    return head.ljust(68, b"\0") + white[8:] + bytes(48) + index + body


@pytest.mark.parametrize("ending", ["tif", "jpg"])
def test_cmyk_through_its_profile(read, ending: str) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    image.paste((0, 0, 0, 0), (0, 0, 16, 8))
    image.save(f"in.{ending}", icc_profile=cmyk_profile(), **({"quality": 100} if ending == "jpg" else {}))
    found, notes = read(f"in.{ending}")
    assert found[:8].min() >= 250 and found[8:].max() <= 5  # cyan is black in this one
    assert notes == ["The colours were converted to sRGB from 'ink'."]


@pytest.mark.parametrize("ending", ["tif", "jpg", "jp2"])
def test_cmyk_without_one(read, ending: str) -> None:
    """Black takes its share of what the other inks leave."""
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    image.paste((40, 80, 120, 100), (0, 0, 16, 8))
    how = {"jpg": {"quality": 100}, "jp2": {"irreversible": False}}
    try:
        image.save(f"in.{ending}", **how.get(ending, {}))
    except OSError:
        pytest.skip("this Pillow does not write it")
    found, notes = read(f"in.{ending}")
    expected = [155 * (255 - ink) / 255 for ink in (40, 80, 120)]
    assert np.abs(found[:7] - expected).max() <= 2 and np.abs(found[9:] - [0, 255, 255]).max() <= 2
    assert notes == [cp.INKS]


def test_ycck(read) -> None:
    """A JPEG of CMYK whose Adobe segment says that its first three channels are YCbCr."""
    Image.new("CMYK", (16, 16), (127, 127, 127, 155)).save("in.jpg", quality=100)
    data = bytearray(open("in.jpg", "rb").read())
    data[data.index(b"Adobe") + 11] = 2
    open("in.jpg", "wb").write(data)
    found, notes = read("in.jpg")
    assert np.abs(found - 100 * 128 / 255).max() <= 2 and notes == [cp.INKS]


class TestWhatAPngSaysWithoutAProfile:
    def write(self, make, pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> str:
        with open("in.png", "wb") as file:
            file.write(make.png(pixels, 8, 2, *chunks))
        return "in.png"

    def gama(self, gamma: float) -> tuple[bytes, bytes]:
        return b"gAMA", struct.pack(">I", round(gamma * 100000))

    def chrm(self, primaries: tuple) -> tuple[bytes, bytes]:
        red, green, blue, white = primaries
        return b"cHRM", struct.pack(">8I", *(round(v * 100000) for point in (white, red, green, blue) for v in point))

    def test_gamma(self, read, make) -> None:
        for gamma in (1.0, 1 / 1.8, 0.3):
            found, notes = read(self.write(make, colours(), self.gama(gamma)))
            assert np.abs(found - 255 * srgb_curve((colours() / 255) ** (1 / gamma))).max() <= 2
            assert notes == ['The colours were converted to sRGB from "the PNG\'s gamma and primaries".']

    def test_primaries(self, read, make) -> None:
        found, _ = read(self.write(make, colours(), self.gama(0.45455), self.chrm(cp.PRIMARIES[12])))
        assert np.abs(found - to_srgb(colours(), P3, None)).max() <= 2

    def test_what_says_srgb_changes_nothing(self, read, make) -> None:
        usual = self.gama(0.45455)
        for chunks in (
            [usual],
            [usual, self.chrm(cp.SRGB)],
            [self.chrm(cp.PRIMARIES[12])],  # without a curve it says too little
            [self.gama(1.0), (b"sRGB", b"\0")],
            [self.gama(1.0), (b"cICP", bytes([1, 13, 0, 1]))],
            [(b"cICP", bytes([2, 2, 0, 1]))],
            [self.gama(0)],
        ):
            found, notes = read(self.write(make, colours(), *chunks))
            assert np.array_equal(found, colours()) and notes == [], chunks

    def test_cicp(self, read, refusal, make) -> None:
        for codes, matrix, gamma in (((12, 13), P3, None), ((9, 4), BT2020, 2.2), ((1, 8), SRGB, 1.0)):
            name = self.write(make, colours(), (b"iCCP", b"x\0\0junk"), (b"cICP", bytes([*codes, 0, 1])))
            found, notes = read(name)
            assert np.abs(found - to_srgb(colours(), matrix, gamma)).max() <= 2 and len(notes) == 1
        for codes in ((9, 16, 0, 1), (9, 18, 0, 1), (12, 13, 0, 0), (200, 13, 0, 1), (12, 13, 5, 1)):
            refusal(self.write(make, colours(), (b"cICP", bytes(codes))))


def test_avif_that_says_it_by_numbers(read, refusal) -> None:
    pixels = np.full((16, 16, 3), (120, 90, 150), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "avif", quality=100)
    data = file.getvalue()
    at = data.index(b"colrnclx") + 8
    for codes, matrix in (((12, 13), P3), ((1, 13), SRGB)):
        with open("in.avif", "wb") as out:
            out.write(data[:at] + struct.pack(">2H", *codes) + data[at + 4 :])
        assert np.abs(read("in.avif")[0] - to_srgb(pixels, matrix, None)).max() <= 6
    with open("in.avif", "wb") as out:
        out.write(data[:at] + struct.pack(">2H", 9, 16) + data[at + 4 :])
    assert "HDR" in refusal("in.avif")


def test_adobe_rgb_as_cameras_say_it(read) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    pixels = np.full((16, 16, 3), (120, 90, 150), np.uint8)
    Image.fromarray(pixels).save("in.jpg", quality=100, exif=exif)
    found, notes = read("in.jpg")
    assert np.abs(found - to_srgb(pixels, ADOBE, 2.19921875)).max() <= 4
    assert notes == ["The colours were converted to sRGB from 'Adobe RGB (by its EXIF)'."]
    exif.get_ifd(0x8769)[0xA005] = {1: "R98"}
    Image.fromarray(pixels).save("in.jpg", quality=100, exif=exif)
    assert read("in.jpg")[1] == []


def test_jpeg_2000(read, refusal) -> None:
    profile, matrix, gamma = PROFILES["Display P3"]
    file = io.BytesIO()
    Image.fromarray(colours()).save(file, "jpeg2000", irreversible=False)
    data = file.getvalue()
    at = data.index(b"colr") - 4
    (size,) = struct.unpack(">I", data[at : at + 4])
    head = data.index(b"jp2h") - 4
    (whole,) = struct.unpack(">I", data[head : head + 4])
    for box, wanted in (
        (b"\2\0\0" + profile, to_srgb(colours(), matrix, gamma)),
        (b"\1\0\0" + struct.pack(">I", 16), colours()),
        (b"\1\0\0" + struct.pack(">I", 21), None),
    ):
        box = struct.pack(">I", 8 + len(box)) + b"colr" + box
        outer = struct.pack(">I", whole - size + len(box))
        with open("in.jp2", "wb") as out:
            out.write(data[:head] + outer + data[head + 4 : at] + box + data[at + size :])
        if wanted is None:
            refusal("in.jp2")
        else:
            assert np.abs(read("in.jp2")[0] - wanted).max() <= 2
