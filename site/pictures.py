"""Pictures for the pages: PNG becomes WebP, which a phone loads in half the time or less.

Drawings, which have few colours, stay as they are to the pixel, unless that is heavy: then they are photos in grey.
Photos become lossy, at a quality at which nobody sees it; whoever wants the exact pixels finds them in the notebook.
"""

import hashlib
import io
from pathlib import Path
from typing import Any

from PIL import Image

MOST_COLOURS = 4096  # of a drawing, its smoothed edges included
QUALITY = 88
HEAVY = 100_000  # bytes of a WebP file that is not taken as it is, but at LOWER: a page with several would be too heavy
LOWER = 75


class Pictures:
    """A folder of WebP pictures, each under the digest of what it came from: a second build converts nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.used: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, data: bytes) -> tuple[str, int, int]:
        """Keep a picture, given as the bytes of a file. Returns its new name, width and height in pixels."""
        name = f"{hashlib.sha256(data).hexdigest()[:20]}.webp"
        with Image.open(io.BytesIO(data)) as picture:
            width, height = picture.size
            as_it_is = picture.format == "WEBP" and len(data) <= HEAVY
            if picture.format == "WEBP" and not as_it_is:
                name = name.replace(".", "-light.")
            self.used.add(name)
            if not (self.folder / name).exists():
                lower = LOWER if picture.format == "WEBP" else QUALITY
                (self.folder / name).write_bytes(data if as_it_is else webp(picture, lower))
        return name, width, height

    def sweep(self) -> None:
        """Delete what this build has not used."""
        for path in self.folder.glob("*.webp"):
            if path.name not in self.used:
                path.unlink()


def webp(picture: Image.Image, quality: int = QUALITY) -> bytes:
    """The picture (or each frame of an animation) as the bytes of a WebP file."""
    if getattr(picture, "is_animated", False):
        return _saved(picture, save_all=True, quality=quality, method=2)
    colours = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    if colours.getcolors(MOST_COLOURS) is not None:
        exact = _saved(colours, lossless=True, quality=60, method=3)
        if len(exact) <= HEAVY:
            return exact
    return _saved(colours, quality=quality, method=3)


def _saved(picture: Image.Image, **settings: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, "webp", **settings)
    return file.getvalue()
