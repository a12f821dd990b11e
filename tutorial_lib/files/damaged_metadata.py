"""PNG and JPEG files with metadata that stop Pillow, although their pixels are sound. Starts without PyTorch.

Metadata are left behind anyway: a damaged comment, or one of 50 MB, costs no picture. What says how the pixels are
meant (transparency, colours, orientation) is kept where it is sound.
"""

import io
import struct
import zlib
from typing import IO

from tutorial_lib.files.png import SIGNATURE, chunks

IGNORED = "Metadata in it that are damaged, or that Pillow cannot read, were ignored."
LENGTHS = {b"gAMA": 4, b"cHRM": 32, b"sRGB": 1, b"cICP": 4}
TRANSPARENCY = {0: 2, 2: 6}  # bytes of tRNS, by colour type
LARGEST_PROFILE = 1 << 20  # bytes, that Pillow reads from a PNG
JPEG_KEPT = {0xE0: (b"JFIF\0", 14), 0xE1: (b"Exif\0\0", 7), 0xE2: (b"ICC_PROFILE\0", 15), 0xEE: (b"Adobe", 12)}


def without_metadata(file: IO[bytes]) -> bytes | None:
    """The file without the metadata that it can do without; None if there are none, or if it is of another kind."""
    file.seek(0)
    head = file.read(len(SIGNATURE))
    clean = _of_png if head == SIGNATURE else _of_jpeg if head.startswith(b"\xff\xd8\xff") else None
    if clean is None:
        return None
    data = head + file.read()
    try:
        less = clean(data)
    except (struct.error, IndexError):  # more is damaged than metadata
        return None
    return less if less != data else None


def _of_png(data: bytes) -> bytes:
    kept, file = [SIGNATURE], io.BytesIO(data)
    for kind, length in chunks(file):
        at = file.tell()
        whole = data[at - 8 : at + length + 4]
        if kind[:1].isupper() or _is_sound(kind, data[at : at + length], whole[-4:], colour_type=data[25]):
            kept.append(whole)
    return b"".join(kept)


def _is_sound(kind: bytes, data: bytes, check: bytes, colour_type: int) -> bool:
    """Is it a chunk that counts, as it should be?"""
    if struct.pack(">I", zlib.crc32(kind + data)) != check:
        return False
    if kind == b"iCCP":
        name, _, rest = data.partition(b"\0")
        try:
            profile = zlib.decompressobj().decompress(rest[1:], LARGEST_PROFILE + 1)
        except zlib.error:
            return False
        return len(name) < 80 and rest[:1] == b"\0" and len(profile) <= LARGEST_PROFILE
    if kind == b"tRNS":
        return len(data) == TRANSPARENCY[colour_type] if colour_type in TRANSPARENCY else len(data) > 0
    is_xmp = kind == b"iTXt" and data.startswith(b"XML:com.adobe.xmp\0\0")  # it may say an orientation
    return len(data) == LENGTHS.get(kind) or (kind == b"eXIf" and len(data) > 8) or is_xmp


def _of_jpeg(data: bytes) -> bytes:
    kept, at = [data[:2]], 2
    while (marker := data[at + 1]) != 0xDA:  # the pixels
        if data[at] != 0xFF:
            raise IndexError
        if marker == 0xFF:  # fills
            at += 1
            continue
        end = at + 2 + int(struct.unpack_from(">H", data, at + 2)[0])
        head, least = JPEG_KEPT.get(marker, (b"", 0))
        is_metadata = 0xE0 <= marker <= 0xEF or marker == 0xFE
        if not is_metadata or (head and data.startswith(head, at + 4) and end - at - 4 >= least):
            kept.append(data[at:end])
        at = end
    return b"".join([*kept, data[at:]])
