"""The .lic container: a picture's strings, and what a decoder must know before it can read them.

A string from an entropy coder explains nothing: not the picture's size, not the tables that it was made with,
not whether it is still whole. The container adds that, in 29 bytes and the codec's name for a picture of one string,
and in some 20 more for one of six.

    offset   bytes  meaning (all numbers are little-endian)
    0        4      magic: 89 4C 49 43. No text begins with the byte 89 (PNG's idea); the rest spells LIC
    4        1      version of this layout: 3
    5        1      quality, as the codec counts it; 0 for a codec that has only one
    6        2      width in pixels
    8        2      height in pixels
    10       8      fingerprint of the decoder: with any other, the strings are noise
    18       1      n, the number of strings: 1 or more
    19       1      how many of them a decoder needs; the others are slices, for more and more detail
    20       1      length of the codec's name, 1 to 32, and the name, in ASCII: it says whose strings these are
             n      for each string, its length in bytes, as a varint (below), and two bytes, its CRC-16
             4      CRC-32 of everything before it, which is the header
                    the strings, one after another

Which codecs there are, the container does not know: a learner's own writes such files, too.

A *varint* (LEB128) is a number in pieces of seven bits, the lowest first; the top bit of a byte says that another
byte follows. A length takes the fewest bytes that hold it, and five at most.

A decoder whose first strings already give a picture, as slices do, can do without the others: the header has a
checksum of its own and so has every string, and the header says where each of them lies. So `unpack` reads the first
few from a file that was cut short, or damaged farther on.

Every later version keeps three things: the magic, the version at offset 4, and a header that ends with the CRC-32 of
itself within the file's first 4,096 bytes. A program that does not know where that is can look for it, and so tell a
file that is newer than itself from one that is damaged.

*Invariants.* `unpack(pack(stream)) == stream`, and no other bytes unpack to it. Whatever else it is given,
`unpack` raises `BitstreamError`: cut short, with bytes behind its end, with flipped bits, or with a size that
no decoder should set aside memory for. A CRC finds every change within as many neighbouring bits as it has, and all
but one in 2^32 (for the header) or 2^16 (for a string) of the others (Peterson & Brown 1961, "Cyclic codes for error
detection"). It guards against accident, not against forgery.
"""

from __future__ import annotations

import operator
import re
import struct
import zlib
from binascii import crc_hqx
from dataclasses import dataclass

from tutorial_lib.bitstream_error import BitstreamError as BitstreamError

MAGIC = b"\x89LIC"
VERSION = 3
MAX_PIXELS = 2**27  # 134 million: 1.6 GB as floats, and several times that in a decoder's layers
LONGEST_HEADER = 4096  # of any version, its checksum included; of this one, 1,842 bytes
LONGEST_VARINT = 5

FIXED = struct.Struct("<4sBBHH8sBBB")  # up to and including the length of the name
NAME = re.compile(r"[A-Za-z0-9_.+-]{1,32}")
STRING_CHECKSUM, HEADER_CHECKSUM = struct.Struct("<H"), struct.Struct("<I")


@dataclass(frozen=True)
class Stream:
    """What a .lic file says. Raises ValueError if a file could not say it.

    width, height: of the picture, in pixels.
    fingerprint:   of the decoder, 16 hexadecimal digits (a codec's `fingerprint()`).
    strings:       what the codec's compress gave for this one picture, 1 to 255 of them.
    codec:         the name of that codec, as registered.
    quality:       as the codec counts it, up to 255; 0 for a codec that has only one.
    required:      how many strings a decoder needs. None: all of them.
    left_out:      how many strings the file has besides, which `unpack` was asked not to read.

    >>> stream = Stream(640, 480, "0123456789abcdef", (b"what compress gave",), "first_codec")
    >>> unpack(pack(stream)) == stream
    True
    >>> unpack(pack(stream)[:-1])
    Traceback (most recent call last):
        ...
    tutorial_lib.bitstream.IncompleteFile: the file was cut short: 56 bytes are left of 57, and 0 whole string(s) of 1.
    """

    width: int
    height: int
    fingerprint: str
    strings: tuple[bytes, ...]
    codec: str
    quality: int = 0
    required: int | None = None
    left_out: int = 0

    def __post_init__(self) -> None:
        count = len(self.strings) + self.left_out
        if self.required in (count, None):
            object.__setattr__(self, "required", count)  # the one way past `frozen`
        _check_facts(self, count)

    def check_made_by(self, codec: str, fingerprint: str) -> None:
        """Raise BitstreamError unless it was made by this codec, with this decoder's fingerprint."""
        if self.codec != codec:
            raise BitstreamError(f"the file was made by the codec called {self.codec}, not by {codec}.")
        if self.fingerprint != fingerprint:
            raise BitstreamError(
                f"the file was made with another checkpoint (with the fingerprint {self.fingerprint}, "
                f"while this one's is {fingerprint})."
            )


@dataclass(frozen=True)
class Section:
    """Where a string lies in its file."""

    name: str
    begin: int
    end: int
    checksum: int

    def fault(self, data: bytes) -> str | None:
        """What is wrong with the string in this file: missing, cut short, damaged, or nothing."""
        if len(data) < self.end:
            return "missing" if len(data) <= self.begin else "cut short"
        return None if crc_hqx(data[self.begin : self.end], 0) == self.checksum else "damaged"


@dataclass(frozen=True)
class Header:
    """What a .lic file says about itself before its first string."""

    width: int
    height: int
    fingerprint: str
    sections: tuple[Section, ...]
    codec: str
    quality: int
    required: int
    size: int  # bytes, the checksum included

    def __post_init__(self) -> None:
        _check_facts(self, len(self.sections))

    @property
    def file_size(self) -> int:
        """Bytes of the whole file, header and strings."""
        return self.sections[-1].end


def _check_facts(about: Stream | Header, count: int) -> None:
    check_size(about.width, about.height)
    if not re.fullmatch("[0-9a-f]{16}", about.fingerprint):
        raise ValueError(f"a fingerprint has 16 hexadecimal digits, unlike {about.fingerprint!r}.")
    if not 1 <= count <= 255:
        raise ValueError(f"a .lic file holds 1 to 255 strings, not {count}.")
    if about.required is None or not 1 <= about.required <= count:
        raise ValueError(f"of {count} strings a decoder needs 1 to {count}, not {about.required}.")
    if not 0 <= about.quality <= 255:
        raise ValueError(f"a quality is stored as 0 to 255, not {about.quality}.")
    check_name(about.codec)


def check_name(codec: str) -> None:
    """Raise ValueError unless a .lic file can hold this name of a codec.

    >>> check_name("bmshj2018-hyperprior")
    >>> check_name("my codec")
    Traceback (most recent call last):
        ...
    ValueError: a codec's name has 1 to 32 letters, digits or signs among _.+-, unlike 'my codec'.
    """
    if not NAME.fullmatch(codec):
        raise ValueError(f"a codec's name has 1 to 32 letters, digits or signs among _.+-, unlike {codec!r}.")


def check_size(width: int, height: int) -> None:
    """Raise ValueError unless a .lic file can hold a picture of this size: a check for before the work.

    >>> check_size(65535, 2048)
    >>> check_size(65535, 2049)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: a picture of 65,535 x 2,049 pixels does not fit in a .lic file, which allows ...
    """
    width, height = operator.index(width), operator.index(height)  # NumPy's integers overflow when multiplied
    if not (1 <= width <= 65535 and 1 <= height <= 65535 and width * height <= MAX_PIXELS):
        raise ValueError(
            f"a picture of {width:,} x {height:,} pixels does not fit in a .lic file, which allows 1 to "
            f"65,535 pixels on each side and {MAX_PIXELS:,} altogether."
        )


def pack(stream: Stream) -> bytes:
    """The bytes of a .lic file. Raises ValueError for a stream of which `unpack` has left out a part.

    >>> pack(Stream(640, 480, "0123456789abcdef", (b"abc",), "codec", quality=50))[:10].hex(" ")
    '89 4c 49 43 03 32 80 02 e0 01'
    """
    if stream.left_out:
        raise ValueError(f"{stream.left_out} string(s) of this stream were left out: only a whole one makes a file.")
    size, fingerprint, name = (stream.width, stream.height), bytes.fromhex(stream.fingerprint), stream.codec.encode()
    counts = (len(stream.strings), stream.required, len(name))
    header = FIXED.pack(MAGIC, VERSION, stream.quality, *size, fingerprint, *counts) + name
    for string in stream.strings:
        header += _varint(len(string)) + STRING_CHECKSUM.pack(crc_hqx(string, 0))
    return b"".join([header, HEADER_CHECKSUM.pack(zlib.crc32(header)), *stream.strings])


def unpack(data: bytes, strings: int | None = None) -> Stream:
    """Undo `pack`. Raises BitstreamError, with the cause, for whatever `pack` has not made.

    strings: read only so many (or all, if the file has fewer). The others may be damaged, or missing.

    >>> data = pack(Stream(640, 480, "0123456789abcdef", (b"coarse", b"fine", b"finest"), "codec", 50, required=1))
    >>> unpack(data[:-6], strings=2).strings  # of a file that was cut short
    (b'coarse', b'fine')
    """
    if strings is not None and strings < 1:
        raise ValueError(f"at least 1 string is read, not {strings}.")
    header = read_header(data)
    wanted = header.sections[:strings]
    for whole, section in enumerate(wanted):
        if fault := section.fault(data):
            raise IncompleteFile(header, data, whole, fault)
    left_out = len(header.sections) - len(wanted)
    if len(data) > header.file_size and not left_out:
        raise BitstreamError(f"the file was added to: it has {len(data):,} bytes, not {header.file_size:,}.")
    pieces = tuple(bytes(data[section.begin : section.end]) for section in wanted)
    facts = (header.codec, header.quality, header.required, left_out)
    return Stream(header.width, header.height, header.fingerprint, pieces, *facts)


def read_header(data: bytes) -> Header:
    """What the file's header says; of the strings, none need be there. Raises BitstreamError as `unpack` does.

    >>> data = pack(Stream(640, 480, "0123456789abcdef", (b"coarse", b"fine"), "codec", 50, required=1))
    >>> header = read_header(data[:50])
    >>> header.width, header.codec, [(section.name, section.end) for section in header.sections]
    (640, 'codec', [('string 1', 42), ('slice 1', 46)])
    """
    if not data:
        raise BitstreamError("the file is empty.")
    if data[:4] != MAGIC[: len(data)]:
        raise BitstreamError("this is no .lic file: it does not begin with the bytes 89 4C 49 43.")
    if len(data) > len(MAGIC) and data[len(MAGIC)] != VERSION:
        raise BitstreamError(_about_version(data))
    try:
        _, _, quality, width, height, fingerprint, n, required, name_length = FIXED.unpack_from(data)
        at = FIXED.size + name_length
        name = bytes(data[FIXED.size : at]).decode("latin-1")
        lengths: list[int] = []
        checksums: list[int] = []
        for _ in range(n):
            length, at = _read_varint(data, at)
            lengths.append(length)
            checksums += STRING_CHECKSUM.unpack_from(data, at)
            at += STRING_CHECKSUM.size
        intact = zlib.crc32(data[:at]) == HEADER_CHECKSUM.unpack_from(data, at)[0]
    except (struct.error, IndexError):
        held = f"its {len(data):,} bytes do not even hold a header"
        raise BitstreamError(f"the file was cut short or damaged: {held}.") from None
    if not intact:
        raise BitstreamError("the file is damaged: its header's checksum is wrong.")

    size = begin = at + HEADER_CHECKSUM.size
    sections = []
    for k, (length, checksum) in enumerate(zip(lengths, checksums, strict=True)):
        section = f"string {k + 1}" if k < required else f"slice {k + 1 - required}"
        sections.append(Section(section, begin, begin + length, checksum))
        begin += length
    try:
        return Header(width, height, fingerprint.hex(), tuple(sections), name, quality, required, size)
    except ValueError as error:
        raise BitstreamError(str(error)) from None


class IncompleteFile(BitstreamError):
    """Only the first few strings of a file can be read. slices: how many slices are among them; None: no picture."""

    def __init__(self, header: Header, data: bytes, whole: int, fault: str) -> None:
        if fault == "damaged":
            sentence = f"the file is damaged: the checksum of {header.sections[whole].name} is wrong."
        else:
            sentence = (
                f"the file was cut short: {len(data):,} bytes are left of {header.file_size:,}, "
                f"and {whole} whole string(s) of {len(header.sections)}."
            )
        super().__init__(sentence)
        self.slices = whole - header.required if whole >= header.required else None


def _about_version(data: bytes) -> str:
    """The sentence for a file of another version."""
    version = data[len(MAGIC)]
    if version < VERSION:
        return f"the file is damaged, or of layout version {version}, which only tutorial_lib 0.1 reads."
    last = min(len(data), LONGEST_HEADER) - HEADER_CHECKSUM.size
    for end in range(len(MAGIC) + 1, last + 1):
        if HEADER_CHECKSUM.pack(zlib.crc32(data[:end])) == data[end : end + HEADER_CHECKSUM.size]:
            return f"the file has version {version}; this program reads {VERSION}: get a newer program."
    return "the file is damaged: its header's checksum is wrong."


def _varint(number: int) -> bytes:
    pieces = [number & 0x7F]
    while number := number >> 7:
        pieces[-1] |= 0x80
        pieces.append(number & 0x7F)
    return bytes(pieces)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number, and where it ends. Raises IndexError where the data end first."""
    number = 0
    for k in range(LONGEST_VARINT):
        byte = data[at + k]
        number |= (byte & 0x7F) << 7 * k
        if byte < 0x80:
            if byte == 0 and k > 0:
                break
            return number, at + k + 1
    raise BitstreamError("the file is damaged: its header holds a length in no valid form.")
