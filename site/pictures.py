"""Pictures for the pages: PNG becomes WebP, which a phone loads in half the time or less.

Drawings, which have few colours, stay as they are to the pixel. Photos become lossy, at a quality at which nobody sees
it; whoever wants the exact pixels finds them in the notebook.
"""

import hashlib
import io
from pathlib import Path

from PIL import Image

MOST_COLOURS = 4096  # of a drawing, its smoothed edges included
QUALITY = 88


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
            self.used.add(name)
            if not (self.folder / name).exists():
                (self.folder / name).write_bytes(data if picture.format == "WEBP" else webp(picture))
        return name, width, height

    def sweep(self) -> None:
        """Delete what this build has not used."""
        for path in self.folder.glob("*.webp"):
            if path.name not in self.used:
                path.unlink()


def webp(picture: Image.Image) -> bytes:
    """The picture (or each frame of an animation) as the bytes of a WebP file."""
    file = io.BytesIO()
    if getattr(picture, "is_animated", False):
        picture.save(file, "webp", save_all=True, quality=QUALITY, method=2)
        return file.getvalue()
    colours = picture.convert("RGBA" if "A" in picture.getbands() or "transparency" in picture.info else "RGB")
    drawing = colours.getcolors(MOST_COLOURS) is not None
    colours.save(file, "webp", lossless=drawing, quality=60 if drawing else QUALITY, method=3)
    return file.getvalue()
