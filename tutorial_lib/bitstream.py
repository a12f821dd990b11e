"""The .lic container: a picture's strings, and what a decoder must know before it can read them.

A string from an entropy coder explains nothing: not the picture's size, not the tables that it was made with,
not whether it is still whole. The container adds that, in 27 bytes for a picture of one string.

    offset   bytes  meaning (all numbers are little-endian)
    0        4      magic: 89 4C 49 43. No text begins with the byte 89 (PNG's idea); the rest spells LIC
    4        1      version of this layout: 1
    5        1      codec: 1 is first_codec
    6        2      width in pixels
    8        2      height in pixels
    10       8      fingerprint of the coding tables: with any others, the strings are noise
    18       1      n, the number of strings: 1 or more
    19       4 n    their lengths in bytes
    19 + 4n         the strings, one after another
    last     4      CRC-32 of everything before it

Every later version keeps three things where they are: the magic, the version, and the CRC-32 in the last four
bytes. So a program can tell a file that is newer than itself from one that is damaged.

*Invariants.* `unpack(pack(stream)) == stream`, and no other bytes unpack to it. Whatever else it is given,
`unpack` raises `BitstreamError`: cut short, with bytes behind its end, with flipped bits, or with a size that
no decoder should set aside memory for. A CRC-32 finds every change within 32 neighbouring bits, and all but
one in 2^32 of the others (Peterson & Brown 1961, "Cyclic codes for error detection"). It guards against
accident, not against forgery.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from tutorial_lib.rans import BitstreamError

MAGIC = b"\x89LIC"
VERSION = 1
CODECS = {1: "first_codec"}
MAX_PIXELS = 2**27  # 134 million: 1.6 GB as floats, and several times that in a decoder's layers

HEADER = struct.Struct("<4sBBHH8sB")  # up to and including n
CHECKSUM = struct.Struct("<I")
DAMAGED = "the file is damaged: its checksum is wrong."


@dataclass(frozen=True)
class Stream:
    """What a .lic file says. Raises ValueError if a file could not say it.

    width, height: of the picture, in pixels.
    fingerprint:   of the coding tables, 16 hexadecimal digits (`CdfTables.fingerprint`).
    strings:       what the codec's compress gave for this one picture, 1 to 255 of them.
    codec:         which codec that was, one of `CODECS`.
    """

    width: int
    height: int
    fingerprint: str
    strings: tuple[bytes, ...]
    codec: str = "first_codec"

    def __post_init__(self) -> None:
        check_size(self.width, self.height)
        if not re.fullmatch("[0-9a-f]{16}", self.fingerprint):
            raise ValueError(f"a fingerprint has 16 hexadecimal digits, unlike {self.fingerprint!r}.")
        if not 1 <= len(self.strings) <= 255:
            raise ValueError(f"a .lic file holds 1 to 255 strings, not {len(self.strings)}.")
        if self.codec not in CODECS.values():
            raise ValueError(f"no codec is called {self.codec!r}; choose from {', '.join(CODECS.values())}.")


def check_size(width: int, height: int) -> None:
    """Raise ValueError unless a .lic file can hold a picture of this size: a check for before the work."""
    if not (1 <= width <= 65535 and 1 <= height <= 65535 and width * height <= MAX_PIXELS):
        raise ValueError(
            f"a picture of {width:,} x {height:,} pixels does not fit in a .lic file, which allows 1 to "
            f"65,535 pixels on each side and {MAX_PIXELS:,} altogether."
        )


def pack(stream: Stream) -> bytes:
    """The bytes of a .lic file."""
    codec = next(number for number, name in CODECS.items() if name == stream.codec)
    fingerprint, n = bytes.fromhex(stream.fingerprint), len(stream.strings)
    header = HEADER.pack(MAGIC, VERSION, codec, stream.width, stream.height, fingerprint, n)
    lengths = struct.pack(f"<{n}I", *map(len, stream.strings))
    body = b"".join([header, lengths, *stream.strings])
    return body + CHECKSUM.pack(zlib.crc32(body))


def unpack(data: bytes) -> Stream:
    """Undo `pack`. Raises BitstreamError, with the cause, for whatever `pack` has not made."""
    if not data:
        raise BitstreamError("the file is empty.")
    if data[:4] != MAGIC[: len(data)]:
        raise BitstreamError("this is no .lic file: it does not begin with the bytes 89 4C 49 43.")
    if len(data) < HEADER.size:
        raise BitstreamError(f"the file was cut short: its {len(data)} bytes do not even hold a header.")
    _, version, codec, width, height, fingerprint, n = HEADER.unpack_from(data)
    intact = zlib.crc32(data[: -CHECKSUM.size]) == CHECKSUM.unpack(data[-CHECKSUM.size :])[0]
    if version != VERSION:
        newer = f"the file has version {version}; this program reads {VERSION}: get a newer program."
        raise BitstreamError(newer if intact else DAMAGED)

    begin = HEADER.size + 4 * n  # of the strings
    lengths = struct.unpack_from(f"<{n}I", data, HEADER.size) if begin <= len(data) else ()
    size = begin + sum(lengths) + CHECKSUM.size
    if len(data) < size:
        raise BitstreamError(f"the file was cut short or damaged: {len(data):,} bytes are left of {size:,}.")
    if len(data) > size:
        raise BitstreamError(f"the file was added to or damaged: it has {len(data):,} bytes, not {size:,}.")
    if not intact:
        raise BitstreamError(DAMAGED)

    if codec not in CODECS:
        raise BitstreamError(f"the file was made by codec number {codec}, unknown here: get a newer program.")
    strings = []
    for length in lengths:
        strings.append(bytes(data[begin : begin + length]))
        begin += length
    try:
        return Stream(width, height, fingerprint.hex(), tuple(strings), CODECS[codec])
    except ValueError as error:
        raise BitstreamError(str(error)) from None
