"""What a PNG file says that Pillow passes over, and whether all of its pixels are there. Starts without PyTorch.

A PNG is a signature and chunks: length (4 bytes), kind (4), data, CRC-32 of kind and data (W3C, PNG 3rd edition, 2025).
"""

import struct
import zlib
from collections.abc import Iterator
from typing import IO

from PIL import Image

from tutorial_lib.files.samples import Refused

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
PALETTE = 3
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # Adam7's
PIECE = 1 << 20  # bytes at a time
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")  # those that pixels need, and all that are known
TOO_EARLY = "it is damaged (its pixels end too early)."
WRONG_CHECKSUM = "it is damaged (its pixels do not have the checksum that the file says)."


def chunks(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """(kind, length) of each chunk; the file then stands at its data, and may be read and moved in between."""
    place = len(SIGNATURE)
    while True:
        file.seek(place)
        head = file.read(8)
        if len(head) < 8:
            return
        length, kind = struct.unpack(">I4s", head)
        yield kind, length
        place += 12 + length


def chunk_before_pixels(file: IO[bytes], wanted: bytes, most: int = 64) -> bytes | None:
    """The data of a chunk, if it is sound and not longer than `most` bytes."""
    for kind, length in chunks(file):
        if kind in (b"IDAT", b"IEND"):
            break
        if kind == wanted and length <= most:
            data = file.read(length)
            return data if file.read(4) == struct.pack(">I", zlib.crc32(kind + data)) else None
    return None


def chunk_of(image: Image.Image, wanted: bytes) -> bytes | None:
    """As `chunk_before_pixels`, of an image that has not been loaded yet; its file is left where it was."""
    file: IO[bytes] | None = getattr(image, "fp", None)
    if file is None:
        return None
    place = file.tell()
    try:
        return chunk_before_pixels(file, wanted)
    finally:
        file.seek(place)


def check_whole(file: IO[bytes]) -> None:
    """Raise Refused for what Pillow lets pass: too few rows, no palette, wrong checksums, unknown chunks that count."""
    left, kinds, inflate = 0, set[bytes](), zlib.decompressobj()
    for kind, length in chunks(file):
        kinds.add(kind)
        if kind[:1].isupper() and kind not in CRITICAL:  # an extension, without which the pixels mean something else
            raise Refused(f"it needs an extension of PNG that this does not read ({kind.decode('ascii', 'replace')}).")
        if kind == b"IHDR":
            width, height, bits, colour_type, _, _, interlaced = struct.unpack(">IIBBBBB", file.read(13))
            left = _inflated_size(width, height, bits * CHANNELS[colour_type], interlaced)
        elif kind == b"IDAT":
            if colour_type == PALETTE and b"PLTE" not in kinds:
                raise Refused("it is damaged (its palette is missing).")
            checksum = zlib.crc32(kind)
            for begin in range(0, length, PIECE):
                data = file.read(min(PIECE, length - begin))
                checksum = zlib.crc32(data, checksum)
                while data and left > 0:
                    left -= len(inflate.decompress(data, PIECE))
                    data = inflate.unconsumed_tail
            if file.read(4) not in (checksum.to_bytes(4, "big"), b""):
                raise Refused(WRONG_CHECKSUM)
            if left <= 0:
                return
        elif kind == b"IEND" or (b"IDAT" in kinds and kind in CRITICAL):
            break
    raise Refused(TOO_EARLY)


def _inflated_size(width: int, height: int, bits: int, interlaced: int) -> int:
    """Bytes of the rows, each with the number of its filter in front. bits: of a pixel."""
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    sizes = [(-(-(width - x) // dx), -(-(height - y) // dy)) for x, y, dx, dy in passes]
    return sum(rows * (1 + (columns * bits + 7) // 8) for columns, rows in sizes if columns > 0)
