"""Whether all of a JPEG's pixels are there, of which Pillow says nothing. Starts without PyTorch.

A JPEG is segments and, behind each start of a scan, Huffman codes in which FF is followed by 00 (ITU-T T.81, annex B).
Where a scan ends too early, libjpeg warns and makes up the rest, and Pillow does not pass the warning on (a file that
ends without its end marker it does refuse). So the picture is decoded once more, with other bytes behind the last scan.
A decoder that has all it needs leaves them alone; one that is still in want of codes makes another picture of them.

A progressive JPEG may lack whole scans. Those that it has are a picture, of less detail; nobody can tell whether there
were more. That is noted.
"""

import re
from io import BytesIO
from typing import IO, NamedTuple

from PIL import Image

from tutorial_lib.files.png import TOO_EARLY
from tutorial_lib.files.samples import Refused

FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15
PROGRESSIVE = (0xC2, 0xC6, 0xCA, 0xCE)
SCAN, END, HUFFMAN_TABLES, EXIF, SEVERAL = 0xDA, 0xD9, 0xC4, 0xE1, 0xE2
BEHIND_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")  # a marker that neither stuffs nor restarts
NOISE = [bytes((167 * n * n + 31 * n + 37 * m + 5) % 255 for n in range(64)) for m in range(16)]  # no FF in it
MORE = b"".join(noise + bytes([0xFF, 0xD0 + m % 8]) for m, noise in enumerate(NOISE))  # RST0 to RST7, twice
ROWS = 256  # at a time
COEFFICIENTS = 64
MOST_SCANS = 200  # encoders write a dozen; each is a few bytes at least, and takes as long as the picture is large
LESS_DETAIL = "The JPEG's scans leave details out: either it was written so, or it was cut short."


class Layout(NamedTuple):
    """Where the segments and scans lie that pixels need; how many scans; and the low bits of coefficients that have
    not been coded: (component, number in the order of frequencies) -> how many."""

    needed: list[slice]
    scans: int
    components: set[int]
    missing: dict[tuple[int, int], int]


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


def check_whole(file: IO[bytes], image: Image.Image) -> list[str]:
    """Notes on what is missing. Raises Refused where a scan ends too early, and its pixels are made up.

    image: what Pillow has made of the file, loaded, neither turned nor cropped.
    """
    file.seek(0)
    data = file.read()
    try:
        layout = _layout(data)
    except IndexError:  # whatever this is, Pillow has read it
        return []
    if not all((component, 0) in layout.missing for component in layout.components):
        raise Refused(TOO_EARLY)
    parts = [data[:2], *(data[part] for part in layout.needed), MORE, bytes([0xFF, END])]
    try:
        with Image.open(BytesIO(b"".join(parts)), formats=["JPEG"]) as again:
            again.load()
            if (again.mode, again.size) == (image.mode, image.size) and _differ(again, image):
                raise Refused(TOO_EARLY)
    except OSError:
        pass
    coded = [layout.missing.get((component, n), 1) for component in layout.components for n in range(COEFFICIENTS)]
    return [LESS_DETAIL] * any(coded)


def _layout(data: bytes) -> Layout:
    """Raises Refused where a segment is cut short, IndexError where segments make no sense."""
    needed, components, missing, at = list[slice](), set[int](), dict[tuple[int, int], int](), 2
    progressive, scans = False, 0
    while at < len(data):
        if data[at] != 0xFF or data[at + 1 : at + 2] == b"\xff":  # what decoders skip
            at += 1
            continue
        marker = data[at + 1]
        if marker == END:
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
    return Layout(needed, scans, components, missing)


def _differ(a: Image.Image, b: Image.Image) -> bool:
    boxes = ((0, top, a.width, min(top + ROWS, a.height)) for top in range(0, a.height, ROWS))
    return any(a.crop(box).tobytes() != b.crop(box).tobytes() for box in boxes)
