"""Which way up a picture is, by its EXIF, however broken the rest of that is. Starts without PyTorch."""

import struct
from numbers import Rational
from typing import Any

from PIL import Image

TAG = 0x0112
UPRIGHT = "The picture was turned upright, as the orientation in its metadata asks."
UNREADABLE = "Its EXIF data are damaged, so an orientation in them was ignored."
STRANGE = "Its EXIF orientation is none of the eight that there are, so it was ignored."
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
TYPES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}  # the whole numbers among EXIF's types


def orientation_of(image: Image.Image) -> tuple[int, list[str]]:
    """From 1 to 8 (1 where nothing readable is said), and a note if something unreadable was."""
    if image.format == "JXL" and not getattr(image, "jpeg", False):
        return 1, []  # JPEG XL has its own orientation, which its decoder honours; EXIF's does not count
    damaged = False
    try:
        value: Any = image.getexif().get(TAG)
    except Exception:  # Pillow raises anything
        value, damaged = None, True
    if value is None:  # Pillow stops at the first damage
        value = _search(image.info.get("exif", b""))
    if value is None:
        return 1, [UNREADABLE] * damaged
    if isinstance(value, tuple) and value:
        value = value[0]
    if isinstance(value, bytes) and len(value) == 1:
        value = value[0]
    if value == 0:  # some cameras say so where they do not know
        return 1, []
    if isinstance(value, (int, float, Rational)) and value in (1, *TURNS):
        return int(float(value)), []
    return 1, [STRANGE]


def turn(image: Image.Image, orientation: int) -> tuple[Image.Image, list[str]]:
    """The picture upright, and the note, if it was not."""
    if orientation not in TURNS:
        return image, []
    return image.transpose(TURNS[orientation]), [UPRIGHT]


def _search(exif: object) -> int | None:
    """The orientation among those entries of the first directory that can be read; other damage is passed over."""
    if not isinstance(exif, bytes):
        return None
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    try:
        if order is None or struct.unpack_from(order + "H", exif, 2)[0] != 42:
            return None
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for n in range(count):
            tag, kind, values = struct.unpack_from(order + "HHI", exif, start + 2 + 12 * n)
            if tag == TAG and kind in TYPES and values:
                return int(struct.unpack_from(order + TYPES[kind], exif, start + 2 + 12 * n + 8)[0])
    except struct.error:
        pass
    return None
