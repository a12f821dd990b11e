"""Picture files of any kind in, upright 8-bit RGB out, and into files again. Starts without PyTorch."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError


def read_picture(path: Path, check_size: Callable[[int, int], None]) -> tuple[Image.Image, list[str]]:
    """The picture as `to_rgb8` makes it, and a sentence for each thing that this has changed.

    check_size: is told the width and height, and may raise ValueError, before any pixel is decoded.
    Raises OSError where there is no file to read, ValueError where Pillow can make nothing of it.
    """
    with open(path, "rb") as file:
        with _pillow("Pillow cannot open it as a picture"):
            image = Image.open(file)
        check_size(*image.size)
        with _pillow("it is damaged, or of a kind that Pillow cannot read"):
            several = getattr(image, "is_animated", False)
            picture, notes = to_rgb8(image)
    return picture, notes + ["The file holds several pictures; only the first was taken."] * several


def to_rgb8(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Any Pillow image as upright 8-bit RGB, and one sentence for each thing that this conversion changed."""
    notes = []
    layout = str(getattr(image, "tile", ""))  # of the samples in the file; Pillow itself may keep 8 of 16 bits
    deep = image.mode.startswith("I;16") or (";16" in layout and "BGR;16" not in layout)  # that is 5 + 6 + 5 bits
    if image.getexif().get(0x0112, 1) != 1:  # 0x0112 is the EXIF orientation tag, 1 means upright
        image = ImageOps.exif_transpose(image)
        notes.append("The picture was turned upright, as its EXIF orientation asks.")
    if deep or image.mode in ("I", "F"):
        notes.append("The samples were reduced to 8 bits.")
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        # Pillow's own conversion to 8 bits clips at 255 instead of scaling, so we scale.
        values = np.asarray(image, dtype=np.float64)
        scale = 1.0
        if deep or (image.mode == "I" and values.max(initial=0) > 255):
            scale = 1 / 257  # 65535 -> 255
        elif image.mode == "F" and values.max(initial=0) <= 1:
            scale = 255.0
        clear = image.info.get("transparency")  # the one grey value that a PNG may call transparent
        image = Image.fromarray(np.clip(np.rint(values * scale), 0, 255).astype(np.uint8))
        if clear is not None:
            image.putalpha(Image.fromarray(np.where(values == clear, 0, 255).astype(np.uint8)))
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        image = Image.alpha_composite(white, rgba)
        notes.append("Transparency was dropped: the picture was laid on white.")
    return image.convert("RGB"), notes


def check_ending(path: Path) -> None:
    """Raise ValueError if the name's ending is of no kind of picture that Pillow writes."""
    if _kind(path) not in Image.SAVE:
        raise ValueError(f"Pillow writes no pictures with the ending {path.suffix!r}; choose .png.")


def picture_bytes(picture: Image.Image, path: Path) -> tuple[bytes, list[str]]:
    """The RGB picture as a file of the kind that the ending asks for, and a sentence if that changed it.

    Raises ValueError if that kind cannot hold it.
    """
    kind = _kind(path)
    file = BytesIO()
    with _pillow(f"Pillow cannot write this picture as {kind}, so choose .png"):
        picture.save(file, format=kind)
        written = Image.open(file)
        if written.size != picture.size:  # an icon, for example
            raise ValueError(f"it would have {written.width} x {written.height} pixels")
        exact = written.convert("RGB").tobytes() == picture.tobytes()
    return file.getvalue(), [] if exact else [f"{kind} has changed the pixels; .png would keep them exactly."]


def _kind(path: Path) -> str | None:
    return Image.registered_extensions().get(path.suffix.lower())


@contextmanager
def _pillow(trouble: str) -> Iterator[None]:
    """Over a damaged file, Pillow raises anything from EOFError to SyntaxError: one sentence will do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except MemoryError:  # not the file's fault
        raise
    except UnidentifiedImageError:
        raise ValueError("it is no picture, or of a kind that Pillow does not know.") from None
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{trouble} ({reason or type(error).__name__}).") from None
