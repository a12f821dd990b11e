"""What a JPEG 2000 file says of its channels, and whether all of its parts are there. Starts without PyTorch.

A JP2 file may name its channels (in its box cdef); Pillow takes the first ones for the colours, and one more for alpha.
A code stream is a main header and tile-parts, each of which says how long it is, of which tile, and which of how many
(ISO/IEC 15444-1, annex A). OpenJPEG draws a tile that has lost all of its data in one grey.
"""

import math
import struct
from typing import IO

from PIL import Image

from tutorial_lib.files.picture_kinds import head_of
from tutorial_lib.files.png import TOO_EARLY
from tutorial_lib.files.samples import Refused

START = b"\xff\x4f\xff\x51"  # of a code stream: SOC and SIZ
TILE_PART, END = 0xFF90, 0xFFD9
COLOUR, ALPHA, PREMULTIPLIED = 0, 1, 2  # of channels
SIGNED = 0x80  # in the depth of a component


def is_signed(image: Image.Image) -> bool:
    """Are its samples signed? To be asked before it is loaded, as what follows."""
    head = head_of(image) if image.format == "JPEG2000" else b""
    start = head.find(START)
    return start >= 0 and len(head) > start + 42 and bool(head[start + 42] & SIGNED)


def has_unstated_channel(image: Image.Image) -> bool:
    """Is what Pillow takes for alpha no such thing? Raises Refused for channels that Pillow would mistake."""
    head = head_of(image) if image.format == "JPEG2000" else b""
    at = head.find(b"cdef", 0, max(head.find(START), 0)) + 4  # before the code stream
    if at < 4 or len(head) < at + 2:
        return False
    count = int.from_bytes(head[at : at + 2], "big")
    channels = list(struct.iter_unpack(">3H", head[at + 2 : at + 2 + 6 * count].ljust(6 * count, b"\0")))
    if any(kind == PREMULTIPLIED for _, kind, _ in channels):
        raise Refused("its colours are multiplied by its transparency already, which this does not undo for JPEG 2000.")
    if any(kind == COLOUR and colour != number + 1 for number, kind, colour in channels):
        raise Refused("its channels stand in an order that Pillow does not heed (JPEG 2000); export it as PNG first.")
    return any(kind not in (COLOUR, ALPHA) for _, kind, _ in channels)


def check_whole(file: IO[bytes]) -> None:
    """Raise Refused where a tile-part is missing, or cut short."""
    file.seek(0)
    data = file.read()
    start = data.find(START)
    try:
        _check_parts(data, start)
    except struct.error:
        raise Refused(TOO_EARLY) from None


def _check_parts(data: bytes, start: int) -> None:
    right, bottom, _, _, width, height, left, top = struct.unpack_from(">8I", data, start + 8)
    tiles = math.ceil((right - left) / width) * math.ceil((bottom - top) / height)
    parts: dict[int, int] = {}  # of each tile, how many are there
    wanted: dict[int, int] = {}  # and how many there should be, once a part has said so
    at = start + 2
    while at + 2 <= len(data):
        marker, size = struct.unpack_from(">HH", data.ljust(at + 4, b"\0"), at)
        if marker == END:
            break
        if marker == TILE_PART:
            tile, size, _, count = struct.unpack_from(">HIBB", data, at + 4)
            parts[tile] = parts.get(tile, 0) + 1
            wanted[tile] = count or wanted.get(tile, 1)
            if at + size > len(data):
                raise Refused(TOO_EARLY)
            if size == 0:  # to the end of the code stream
                break
            at += size
        else:
            at += 2 + size
    if len(parts) < tiles or any(parts[tile] < wanted[tile] for tile in parts):
        raise Refused(TOO_EARLY)
