"""Colours of any stated kind to sRGB: ICC profiles, and what a PNG says without one. Starts without PyTorch."""

import struct
import warnings
from functools import lru_cache
from io import BytesIO

import numpy as np
from PIL import Image, ImageCms

from tutorial_lib.files.picture_kinds import head_of
from tutorial_lib.files.png import chunk_of
from tutorial_lib.files.samples import Refused

BROKEN = "Its colour profile is damaged, or made for pictures of another kind, so it was ignored."
INKS = "Its inks (CMYK) have no usable colour profile, so they became RGB by a plain formula; true colours may differ."
LAB = "The colours were converted to sRGB from L*a*b*."
MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
NEARLY = 2  # levels of 255: a profile that moves no colour further is sRGB's

XY = tuple[float, float]
D65: XY = (0.3127, 0.3290)
D50_XYZ = np.array([0.9642, 1.0, 0.8249])
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)  # red, green, blue, white
PRIMARIES = {  # by their number in ITU-T H.273, as cICP gives it
    1: SRGB,
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),  # BT.2020
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),  # Display P3
}
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), D65)
UNSPECIFIED = 2
SRGBS = (1, 5, 6)  # video's, of which some are a little narrower
SRGB_CURVES, GAMMAS = (1, 2, 6, 13, 14, 15), {4: 2.2, 5: 2.8, 8: 1.0}  # video's curves are shown as sRGB's
LARGEST = 1 << 24  # bytes of a profile
JPEG2000_PILLOWS = (12, 16, 17, 18)  # CMYK, sRGB, grey, sYCC
HDR = {16: "PQ", 18: "HLG"}


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    """L, RGB or CMYK to RGB in sRGB, and a sentence if a profile changed or could not change it."""
    without = [INKS] * (image.mode == "CMYK")
    if not profile:
        return image.convert("RGB"), without
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            mode = MODES.get(source.profile.xcolor_space)
            if mode == "L" and image.mode == "RGB" and _is_grey(image):
                image = image.convert("L")
            elif mode == "RGB" and image.mode == "L":
                image = image.convert("RGB")
            elif mode != image.mode:
                return image.convert("RGB"), [BROKEN, *without]
            if image.mode in ("L", "RGB") and _is_srgb(profile, image.mode):
                return image.convert("RGB"), []
            name = " ".join(ImageCms.getProfileDescription(source).split())
            picture = _through(source, image)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error):
            return image.convert("RGB"), [BROKEN, *without]
    return picture, [f"The colours were converted to sRGB{f' from {name!r}' if name else ''}."]


def profile_of(image: Image.Image) -> bytes | None:
    """The image's ICC profile, or one made of what else it says of its colours.

    Raises Refused for the colours of HDR video, for which there is no such thing.
    """
    if image.format == "PNG" and (chosen := _cicp(image)) is not None:
        return chosen or None
    profile = image.info.get("icc_profile", b"")
    if profile is None:  # there was one that Pillow could not put together
        return b"broken"
    if image.format == "PNG":
        if not profile and "srgb" not in image.info:
            profile = _of_gamma(image.info.get("gamma"), image.info.get("chromaticity"))
    elif image.format == "JPEG2000":
        profile = _of_jpeg2000(head_of(image))
    elif image.format in ("BMP", "DIB"):
        profile = _of_bmp(image)
    elif not profile and image.format in ("AVIF", "HEIF"):
        head = head_of(image)
        at = head.find(b"colrnclx") + 8  # then primaries, curve, matrix: two bytes each
        if at >= 8 and len(head) > at + 6:
            profile = _of_codes(head[at + 1], head[at + 3]) or None
    elif not profile and image.format == "JPEG" and _is_adobe_rgb(image):
        profile = made_profile("Adobe RGB (by its EXIF)", ADOBE_RGB, 2.19921875)
    return profile if isinstance(profile, bytes) else None


def made_profile(name: str, primaries: tuple[XY, XY, XY, XY], gamma: float | None) -> bytes:
    """An ICC profile of version 2 with red, green, blue and white at these places, and sRGB's curve or a power."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries])  # XYZ of R, G, B, W at Y = 1
    weights = np.linalg.solve(columns[:3].T, columns[3])
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = np.diag((bradford @ D50_XYZ) / (bradford @ columns[3]))
    adapted = np.linalg.inv(bradford) @ scale @ bradford @ (columns[:3] * weights[:, None]).T  # columns: R, G, B

    def xyz(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(value * 65536)) for value in values)

    if gamma is None:
        v = np.linspace(0, 1, 1024)
        linear = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    else:
        linear = np.linspace(0, 1, 1024) ** gamma  # finer than the 8 binary places of a power in an ICC profile
    curve = b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.rint(linear * 65535).astype(">u2").tobytes()
    text = name.encode("ascii") + b"\0"
    blocks = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": xyz(D50_XYZ),
        **{kind: xyz(adapted[:, n]) for n, kind in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **{kind: curve for kind in (b"rTRC", b"gTRC", b"bTRC")},
    }
    table, body = struct.pack(">I", len(blocks)), b""
    first = 128 + 4 + 12 * len(blocks)
    for kind, block in blocks.items():
        table += kind + struct.pack(">II", first + len(body), len(block))
        body += block + bytes(-len(block) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s", first + len(body), 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return header.ljust(68, b"\0") + xyz(D50_XYZ)[8:] + bytes(48) + table + body


@lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _through(profile: ImageCms.ImageCmsProfile, image: Image.Image) -> Image.Image:
    if image.mode == "L":  # exactly, for each of the 256 levels; what is quick for pixels is far off for dark ones
        levels = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        flags = ImageCms.Flags.NOOPTIMIZE
        table = ImageCms.profileToProfile(levels, profile, _srgb(), outputMode="RGB", flags=flags)
        return Image.fromarray(np.asarray(table)[0][np.asarray(image)])
    picture = ImageCms.profileToProfile(image, profile, _srgb(), outputMode="RGB")
    assert picture is not None  # it is only where it works in place
    return picture


@lru_cache(maxsize=8)
def _is_srgb(profile: bytes, mode: str) -> bool:
    """Does it leave all colours (nearly) where they are? Names cannot tell: there are many."""
    steps = np.linspace(0, 255, 9).round().astype(np.uint8)
    colours = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    before = Image.fromarray(np.arange(256, dtype=np.uint8)[None] if mode == "L" else colours)
    moved = _through(ImageCms.ImageCmsProfile(BytesIO(profile)), before)
    return int(np.abs(np.asarray(moved).astype(int) - np.asarray(before.convert("RGB"))).max()) <= NEARLY


def _is_grey(image: Image.Image) -> bool:
    samples = np.asarray(image)
    return bool((samples == samples[..., :1]).all())


def _is_adobe_rgb(image: Image.Image) -> bool:
    """By the way in which cameras say it: no profile, but a colour space that is not sRGB, and the index R03."""
    try:
        exif = image.getexif()
        index = exif.get_ifd(0xA005).get(1) or exif.get_ifd(0x8769).get(0xA005, {}).get(1)
        return exif.get_ifd(0x8769).get(0xA001) != 1 and str(index).strip("\0 ") == "R03"
    except Exception:  # broken metadata never cost a sound picture
        return False


def _of_gamma(gamma: float | None, chromaticity: tuple[float, ...] | None) -> bytes | None:
    """Of a PNG's gAMA and cHRM: nothing where they say what sRGB is anyway."""
    if not gamma or not 0.05 < gamma < 20:
        return None  # a cHRM alone says nothing of use, so other readers ignore it, too
    is_usual = 0.95 < gamma / 0.45455 < 1.05
    primaries: tuple[XY, XY, XY, XY] = SRGB
    if chromaticity and len(chromaticity) == 8:
        white, red, green, blue = ((chromaticity[n], chromaticity[n + 1]) for n in (0, 2, 4, 6))
        corners = np.array([red, green, blue])
        area = abs(np.linalg.det(np.column_stack([corners, np.ones(3)])))
        if area > 0.01 and min(y for _, y in (white, red, green, blue)) > 1e-3:
            primaries = red, green, blue, white
    if is_usual and np.abs(np.array(primaries) - np.array(SRGB)).max() < 0.005:
        return None
    return made_profile("the PNG's gamma and primaries", primaries, None if is_usual else 1 / gamma)


def _of_codes(primaries: int, curve: int) -> bytes:
    """The profile of two numbers of ITU-T H.273; b"" if they say sRGB, or nothing. Raises Refused."""
    if curve in HDR:
        raise Refused(f"its colours are those of HDR ({HDR[curve]}), which this does not convert.")
    usual = curve in SRGB_CURVES
    if usual and primaries in (*SRGBS, UNSPECIFIED):
        return b""
    if primaries not in PRIMARIES or not (usual or curve in GAMMAS):
        raise Refused(f"its colours (primaries {primaries}, curve {curve} of H.273) are not among those known here.")
    return made_profile(f"primaries {primaries}, curve {curve} of H.273", PRIMARIES[primaries], GAMMAS.get(curve))


def _cicp(image: Image.Image) -> bytes | None:
    """The profile of a PNG's cICP, b"" if that is sRGB, None if there is none; Pillow passes that chunk over."""
    codes = chunk_of(image, b"cICP")
    if codes is None or len(codes) != 4 or codes[0] == codes[1] == UNSPECIFIED:
        return None
    if codes[2] != 0 or codes[3] != 1:
        raise Refused("its samples are no full-range RGB, by its cICP.")
    return _of_codes(codes[0], codes[1])


def _of_bmp(image: Image.Image) -> bytes | None:
    """The ICC profile that a BMP of version 5 may hold, which Pillow passes over."""
    start = 14 if image.format == "BMP" else 0  # a DIB has no header of the file
    head = head_of(image, start + 124)
    if len(head) < start + 124 or head[start] < 124 or head[start + 56 : start + 60] != b"DEBM":
        return None
    place, size = struct.unpack_from("<2I", head, start + 112)
    if size > LARGEST:
        return b"broken"
    return head_of(image, start + place + size)[start + place :] or b"broken"


def _of_jpeg2000(head: bytes) -> bytes | None:
    """The ICC profile in the colour box of a JP2 file, which Pillow passes over."""
    at = head.find(b"colr", 0, max(head.find(b"\xff\x4f\xff\x51"), 0))  # before the code stream
    if at < 4 or len(head) < at + 11:
        return None
    if head[at + 4] == 2:
        return head[at + 7 : at - 4 + int.from_bytes(head[at - 4 : at], "big")]
    number = int.from_bytes(head[at + 7 : at + 11], "big")
    if head[at + 4] == 1 and number not in JPEG2000_PILLOWS:
        raise Refused(f"its colours are of a kind that this does not convert (JPEG 2000's number {number}).")
    return None
