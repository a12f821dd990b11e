"""Raw files of cameras, most of which are TIFF files with a small preview first. Starts without PyTorch."""

from typing import Any

import numpy as np

from tutorial_lib.files.samples import Refused

CAMERA_RAW = (
    "it is a camera's raw file, whose pixels nobody has developed yet (what it shows is at most a preview); "
    "export it as JPEG, PNG or TIFF first."
)
REDUCED, MASK = 1, 4  # flags of NewSubfileType
OLD_REDUCED = 2  # of SubfileType
SENSOR = (32803, 34892)  # photometric interpretations: a colour filter array, linear raw
RAW_COMPRESSIONS = (32767, 32769, 32770, 34713, 65000, 65535)  # of Sony, Epson, Samsung, Nikon, Kodak, Pentax


def refuse_camera_raw(pages: list[Any]) -> None:
    """Raise Refused if the picture is raw, or if the first page is but a small copy of what is in the file."""
    first, subs = pages[0], [sub for page in pages[:4] for sub in (page.pages or ())]
    largest = max(first.imagewidth, first.imagelength)
    whole = [p for p in subs if is_whole(p)]
    is_raw = 50706 in first.tags  # DNGVersion
    is_raw |= any(number(p, 262) in SENSOR or number(p, 259) in RAW_COMPRESSIONS for p in (*pages, *subs))
    is_raw |= any(max(p.imagewidth, p.imagelength) > largest for p in whole)
    if is_raw:
        raise Refused(CAMERA_RAW)
    if not is_whole(first) and (whole or len(pages) > 1):
        raise Refused("its first picture is only a reduced copy of another one; export that as a file of its own.")


def is_whole(page: Any) -> bool:
    """Neither a reduced copy nor a mask, by NewSubfileType or, where there is none, by its forerunner."""
    if 254 not in page.tags and number(page, 255) == OLD_REDUCED:
        return False
    return not number(page, 254) & (REDUCED | MASK)


def number(page: Any, tag: int) -> int:
    """The value of a tag of a page of tifffile; 0 where there is none."""
    found = page.tags.get(tag)
    return int(found.value) if found is not None and isinstance(found.value, (int, np.integer)) else 0
