"""Which channels of a Photoshop file are what, about which Pillow goes by their number. Starts without PyTorch.

A header of 26 bytes; then colours, resources and layers, each part with its length in front; then all layers as one
picture. Its first channel behind the colours is transparency if the number of layers is negative; else, and behind
that, channels are saved selections (Adobe Photoshop File Formats Specification, 2019).
"""

import struct
from typing import Any

from PIL import Image

from tutorial_lib.files.picture_kinds import head_of
from tutorial_lib.files.samples import Refused

COLOURS = {0: 1, 1: 1, 2: 1, 3: 3, 4: 4, 8: 1, 9: 3}  # channels of each mode: bits, grey, palette, RGB, CMYK, …
MULTICHANNEL = 7


def selections_of(image: Image.Image) -> int:
    """How many channels are neither colours nor transparency. To be asked before it is loaded.

    Raises Refused for inks that are not stated, and for transparency that Pillow passes over.
    """
    if image.format != "PSD":
        return 0
    head = head_of(image, 26)
    count, mode = struct.unpack_from(">H", head, 12)[0], struct.unpack_from(">H", head, 24)[0]
    if mode == MULTICHANNEL:
        raise Refused("its channels are inks that are not stated (Photoshop's multichannel mode).")
    others = count - COLOURS.get(mode, count)
    if others > 0 and _layers(image) < 0:
        if image.mode != "RGBA":
            raise Refused("its transparency is of a kind that this does not read (Photoshop's, beside other channels).")
        others -= 1
    return others


def _layers(image: Image.Image) -> int:
    """As the file gives it: negative, if the first channel behind the colours is transparency; 0 for none."""
    file: Any = image.fp  # type: ignore[attr-defined]
    place = file.tell()
    try:
        file.seek(26)
        for _ in range(2):
            file.seek(struct.unpack(">I", file.read(4))[0], 1)
        length, info = struct.unpack(">II", file.read(8))
        return int(struct.unpack(">h", file.read(2))[0]) if length > 4 and info else 0
    except struct.error:
        return 0
    finally:
        file.seek(place)
