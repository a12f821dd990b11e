"""Whether all of a JPEG's pixels are there, of which Pillow says nothing. Starts without PyTorch.

A JPEG is segments and, behind each start of a scan, Huffman codes in which FF is followed by 00 (ITU-T T.81, annex B).
Where a scan ends too early, libjpeg warns and makes up the rest, and Pillow does not pass the warning on. So it is
decoded twice more, with other bytes behind the last scan, which are each other's complements: whatever the first bit
is that the decoder is in want of, one of the two gives it another one. A decoder that has all it needs leaves them.

Pillow refuses a file without an end marker. Many have lost but that: such a file is read if its decoder needs no more
bytes, whichever of many it is given, but needs the last that it has: it may have been cut, and filled up. So one is
refused, too, whose last codes change no pixel, as in some progressive files.

A progressive JPEG may lack whole scans. Those that it has are a picture, of less detail; nobody can tell whether there
were more. That is noted.
"""

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import islice
from typing import IO, NamedTuple

from PIL import Image

from tutorial_lib.files.png import TOO_EARLY
from tutorial_lib.files.samples import Refused

FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
SCAN, END, HUFFMAN_TABLES, EXIF, SEVERAL = 0xDA, 0xD9, 0xC4, 0xE1, 0xE2
BEHIND_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker that neither stuffs nor restarts
PAIRS = 8  # of fillings, for files without an end


def fillings() -> Iterator[bytes]:
    """What follows a scan that ends too early, in pairs of complements. Each has all markers of restarts, twice."""
    for pair in range(PAIRS):
        noise = [[(167 * n * n + (31 + 2 * pair) * n + 37 * m + 5) % 254 + 1 for n in range(64)] for m in range(16)]
        for complement in (False, True):  # no 00, and no FF
            sections = (bytes(255 - byte for byte in each) if complement else bytes(each) for each in noise)
            yield b"".join(section + bytes([0xFF, 0xD0 + m % 8]) for m, section in enumerate(sections))


ROWS = 256  # at a time
COEFFICIENTS = 64
MOST_SCANS = 200  # encoders write a dozen; each is a few bytes at least, and takes as long as the picture is large
NO_END = "The JPEG's end marker is missing; none of its pixels are."
LESS_DETAIL = "The JPEG's scans leave details out: either it was written so, or it was cut short."


class Layout(NamedTuple):
    """Where the segments and scans lie that pixels need; how many scans; the low bits of coefficients that have not
    been coded: (component, number in the order of frequencies) -> how many; and whether an end marker follows."""

    needed: list[slice]
    scans: int
    components: set[int]
    missing: dict[tuple[int, int], int]
    ends: bool


def check_scans(file: IO[bytes]) -> None:
    """Raise Refused, before it is decoded, where scan follows scan only to take time. The file is left where it was."""
    place = file.tell()
    file.seek(0)
    try:
        scans = _layout(file.read()).scans
    except IndexError:
        scans = 0
    file.seek(place)
    if scans > MOST_SCANS:
        raise Refused(f"it has {scans:,} scans, which no encoder writes; more than {MOST_SCANS} are not decoded.")


def with_end(file: IO[bytes]) -> BytesIO | None:
    """A copy with the end marker, if the file lacks it. The file is left where it was."""
    place = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(place)
    try:
        return None if _layout(data).ends else BytesIO(data.rstrip(b"\xff") + bytes([0xFF, END]))
    except IndexError:
        return None


def check_whole(file: IO[bytes], image: Image.Image) -> list[str]:
    """Notes on what is missing. Raises Refused where a scan ends too early, and its pixels are made up.

    image: what Pillow has made of the file (of its copy `with_end`), loaded, neither turned nor cropped.
    """
    file.seek(0)
    data = file.read()
    try:
        layout = _layout(data)
        if not layout.ends:
            layout = _layout(data := data.rstrip(b"\xff"))  # half a marker
    except IndexError:  # whatever this is, Pillow has read it
        return []
    if not all((component, 0) in layout.missing for component in layout.components):
        raise Refused(TOO_EARLY)
    whole = b"".join([data[:2], *(data[part] for part in layout.needed)])
    coded = [layout.missing.get((component, n), 1) for component in layout.components for n in range(COEFFICIENTS)]
    if layout.ends:
        if _is_in_want(whole, image, pairs=1):
            raise Refused(TOO_EARLY)
        return [LESS_DETAIL] * any(coded)
    last = layout.needed[-1]
    ends_in_scan = data[last.start + 1] == SCAN and last.stop == len(data)
    if any(coded) or not ends_in_scan or _is_in_want(whole, image, PAIRS) or not _is_in_want(whole[:-1], image, PAIRS):
        raise Refused(TOO_EARLY)
    return [NO_END]


def _is_in_want(data: bytes, image: Image.Image, pairs: int) -> bool:
    """Do the bytes that follow the last scan change the picture?"""
    for more in islice(fillings(), 2 * pairs):
        try:
            with Image.open(BytesIO(data + more + bytes([0xFF, END])), formats=["JPEG"]) as again:
                again.load()
                if (again.mode, again.size) == (image.mode, image.size) and _differ(again, image):
                    return True
        except OSError:
            pass
    return False


def _layout(data: bytes) -> Layout:
    """Raises Refused where a segment is cut short, IndexError where segments make no sense."""
    needed, components, missing, at = list[slice](), set[int](), dict[tuple[int, int], int](), 2
    progressive, scans, ends = False, 0, False
    while at < len(data):
        if data[at] != 0xFF or data[at + 1 : at + 2] == b"\xff":  # what decoders skip
            at += 1
            continue
        marker = data[at + 1]
        if marker == END:
            ends = True
            break
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end > len(data):
            raise Refused(TOO_EARLY)
        if marker in FRAMES:
            components, progressive = set(data[at + 10 : end : 3]), marker in PROGRESSIVE
        elif marker == SCAN:
            scans += 1
            first, last, bits = data[end - 3 : end]
            scanned = data[at + 5 : at + 5 + 2 * data[at + 4] : 2]
            if not progressive:  # all at once, whatever it says
                first, last, bits = 0, COEFFICIENTS - 1, 0
            missing |= {(component, n): bits & 15 for component in scanned for n in range(first, last + 1)}
            behind = BEHIND_SCAN.search(data, end)
            end = behind.start() if behind else len(data)
        if marker not in (EXIF, SEVERAL):
            needed.append(slice(at, end))
        at = end
    if not needed or data[needed[-1].start + 1] == HUFFMAN_TABLES:  # those of a scan that does not come
        raise Refused(TOO_EARLY)
    return Layout(needed, scans, components, missing, ends)


def _differ(a: Image.Image, b: Image.Image) -> bool:
    boxes = ((0, top, a.width, min(top + ROWS, a.height)) for top in range(0, a.height, ROWS))
    return any(a.crop(box).tobytes() != b.crop(box).tobytes() for box in boxes)
