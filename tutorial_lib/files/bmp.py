"""The transparency of a BMP with 16 bits a pixel, which Pillow passes over. Starts without PyTorch."""

import struct
from typing import Any

import numpy as np
from PIL import Image

from tutorial_lib.files.picture_kinds import head_of

BIT_FIELDS = (3, 6)  # compressions that say which bits are which
WITH_ALPHA = 56  # bytes of a header that may say so of alpha


def alpha_of(image: Image.Image) -> Image.Image | None:
    """Of an image that has not been loaded yet; None if there is none, or none that Pillow would pass over."""
    start = {"BMP": 14, "DIB": 0}.get(image.format or "")
    head = b"" if start is None else head_of(image, start + WITH_ALPHA)
    if start is None or len(head) < start + WITH_ALPHA:
        return None
    size, bits, compression, mask = struct.unpack_from("<I10xHI32xI", head, start)
    if size < WITH_ALPHA or bits != 16 or compression not in BIT_FIELDS or not mask & 0xFFFF:
        return None
    file: Any = image.fp  # type: ignore[attr-defined]
    [tile] = image.tile  # type: ignore[attr-defined]
    _, stride, direction = tile.args
    place = file.tell()
    file.seek(tile.offset)
    rows = np.frombuffer(file.read(stride * image.height).ljust(stride * image.height, b"\0"), "<u2")
    file.seek(place)
    values = rows.reshape(image.height, -1)[::direction, : image.width] & (mask & 0xFFFF)
    return Image.fromarray((values.astype(np.uint32) * 255 // (mask & 0xFFFF)).astype(np.uint8))
