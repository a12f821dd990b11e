"""The strips and tiles of a TIFF file: whether each is whole, and samples that are packed into bits. No PyTorch.

libtiff makes up what a part lacks that ends too early, and leaves checksums alone. So parts of JPEG are looked at as
JPEG files are, those of Deflate are inflated to their end, where the checksum of their bytes stands (RFC 1950), rows of
fax codes are passed over, and so are PackBits. LZW, LZMA and Zstandard are libtiff's to judge: what it cannot decode it
says, but a changed byte that decodes is a changed pixel, as in parts that are not compressed.
"""

import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from tutorial_lib.files import jpeg
from tutorial_lib.files.png import TOO_EARLY, WRONG_CHECKSUM
from tutorial_lib.files.samples import ROWS, Refused

JPEG, DEFLATES, PACKBITS, JPEG_TABLES, T4_OPTIONS = 7, (8, 32946), 32773, 347, 292
FAX = (2, 3, 4, 32771)
LSB_FIRST = 2  # of FillOrder
UNDECODABLE = "it is damaged (its pixels cannot be decoded)."


def check_parts(page: Any) -> list[str]:
    """Notes on what is missing. Raises Refused where pixels would be made up. page: of tifffile, where all parts are.

    It decodes again what is JPEG, Deflate, fax or PackBits; other parts are the reader's to judge.
    """
    notes: list[str] = []
    if page.compression == JPEG:
        tag = page.tags.get(JPEG_TABLES)
        tables = tag.value if tag is not None and isinstance(tag.value, bytes) else b""
        for part in parts(page):
            notes += _check_jpeg(tables[:-2] + part[2:] if tables else part)
    elif page.compression in DEFLATES and page.fillorder != LSB_FIRST:
        for part in parts(page):
            _check_deflate(part)
    elif page.compression in FAX and page.samplesperpixel == page.bitspersample == 1:
        _check_rows(page)
    elif page.compression == PACKBITS and page.fillorder != LSB_FIRST:
        for part, rows in zip(parts(page), rows_of_parts(page), strict=False):
            _check_packbits(part, rows * _bytes_of_row(page))
    return list(dict.fromkeys(notes))


def parts(page: Any) -> Iterator[bytes]:
    """The strips or tiles, as they are in the file."""
    file = page.parent.filehandle
    for place, size in zip(page.dataoffsets, page.databytecounts, strict=False):
        file.seek(place)
        yield file.read(size)


def rows_of_parts(page: Any) -> Iterator[int]:
    """Of pixels, in each strip or tile; the planes lie one behind the other."""
    height, most = page.imagelength, page.tilelength if page.is_tiled else page.rowsperstrip
    each_plane = -(-height // most)
    for n in range(len(page.dataoffsets)):
        yield most if page.is_tiled else min(most, height - n % each_plane * most)


def _bytes_of_row(page: Any) -> int:
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    return -(-(page.tilewidth if page.is_tiled else page.imagewidth) * samples * page.bitspersample // 8)


def _check_rows(page: Any) -> None:
    from tutorial_lib.files.ccitt import rows_are_whole  # Numba takes a moment

    tag = page.tags.get(T4_OPTIONS)
    two_dimensional = isinstance(tag and tag.value, int) and bool(tag.value & 1)
    width = page.tilewidth if page.is_tiled else page.imagewidth
    for part, rows in zip(parts(page), rows_of_parts(page), strict=False):
        if page.fillorder == LSB_FIRST:
            part = np.packbits(np.unpackbits(np.frombuffer(part, np.uint8), bitorder="little")).tobytes()
        if not rows_are_whole(part, width, rows, page.compression, two_dimensional):
            raise Refused(UNDECODABLE)


def _check_packbits(data: bytes, size: int) -> None:
    """Raise Refused unless some run ends exactly where the pixels do; libtiff would cut off a longer one."""
    at = 0
    while size > 0 and at < len(data):
        head = data[at]
        at += 2 if head > 128 else 1 if head == 128 else head + 2
        size -= 257 - head if head > 128 else 0 if head == 128 else head + 1
    if size > 0 or at > len(data):
        raise Refused(TOO_EARLY)
    if size < 0:
        raise Refused(UNDECODABLE)


def _check_jpeg(data: bytes) -> list[str]:
    try:
        image = Image.open(BytesIO(data), formats=["JPEG"])
    except Exception:  # of a sort that Pillow reads only inside a TIFF, or not at all
        return []
    jpeg.check_scans(BytesIO(data))
    try:
        image.load()
    except Exception:
        raise Refused(TOO_EARLY) from None
    return jpeg.check_whole(BytesIO(data), image)


def _check_deflate(data: bytes) -> None:
    inflate = zlib.decompressobj()
    try:
        while data and not inflate.eof:
            inflate.decompress(data, 1 << 20)
            data = inflate.unconsumed_tail
    except zlib.error:
        raise Refused(WRONG_CHECKSUM) from None
    if not inflate.eof:
        raise Refused(TOO_EARLY)


def unpacked(page: Any, channels: int) -> np.ndarray:
    """Samples of up to 15 unsigned bits, one behind the other, each row starting at a byte; they lie in strips.

    (H, W, channels), scaled to the whole range of uint8, or uint16 if they have more bits than 8.
    """
    width, height, bits = page.imagewidth, page.imagelength, page.bitspersample
    stride = (bits * width * channels + 7) // 8
    packed = np.frombuffer(b"".join(parts(page)), np.uint8)
    if packed.size < stride * height:
        raise Refused("it is damaged (it ends too early).")
    if packed.size > stride * height:
        raise Refused(f"its samples are packed in another way than it says (in {bits} bits).")
    packed = packed.reshape(height, stride)
    dtype, highest = (np.uint8, 255) if bits <= 8 else (np.uint16, 65535)
    places = 1 << np.arange(bits)[::-1]
    result = np.empty((height, width, channels), dtype)
    for top in range(0, height, ROWS):
        rows = packed[top : top + ROWS]
        ones = np.unpackbits(rows, axis=1, bitorder="little" if page.fillorder == LSB_FIRST else "big")
        values = ones[:, : bits * width * channels].reshape(len(rows), width, channels, bits) @ places
        result[top : top + ROWS] = np.rint(values * (highest / (2**bits - 1)))
    return result
