"""Picture files of any kind in, upright 8-bit sRGB out, and into files again. Starts without PyTorch.

`samples` says how samples become 8 bits, `tiff` and `pfm` what such files hold, `camera_raw` which are no pictures yet,
`colour_profiles` how colours become sRGB, `orientation` which way is up, `picture_kinds` what Pillow needs help with,
`png`, `jpeg`, `jpeg2000`, `bmp` and `psd` what it passes over in these.
What none of them reads right is refused: a picture that comes out is the right one, or a note says what was changed.
"""

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image, ImageChops, UnidentifiedImageError

from tutorial_lib.files import bmp, jpeg, jpeg2000, png, psd
from tutorial_lib.files.camera_raw import CAMERA_RAW
from tutorial_lib.files.colour_profiles import LAB, profile_of, to_srgb
from tutorial_lib.files.damaged_metadata import IGNORED, without_metadata
from tutorial_lib.files.jpeg_xl import read_header
from tutorial_lib.files.orientation import orientation_of, turn
from tutorial_lib.files.pfm import another_follows, check_samples, end_of, read_pfm
from tutorial_lib.files.picture_kinds import (
    ENDINGS,
    JPEG_XL,
    RAW,
    add_plugins,
    has_unstated_alpha,
    how_to_open,
    is_reduced_by_pillow,
    kind_of,
    palette_alpha,
    palette_size,
    part_of_gif,
    refuse_what_pillow_misreads,
)
from tutorial_lib.files.png import chunk_of
from tutorial_lib.files.samples import (
    CHANNELS_DROPPED,
    FEW_LEVELS,
    SEVERAL,
    SHORT_PALETTE,
    SIGNED,
    TO_8_BITS,
    Refused,
    Samples,
    has_few_levels,
    lay_on_white,
)
from tutorial_lib.files.tiff import PREFIXES, Page, read_tiff

DAMAGED = "it is damaged, or of a kind that Pillow cannot read"
DEEP_KINDS = (
    "PNG",
    "PPM",
    "JPEG2000",
    "JXL",
    None,
)  # those that Pillow reads right; None: a program has made the image
DRAWINGS = ("EPS", "WMF")  # EPS is a program, which another program would run
COVERED = "The first picture of the GIF covers only a part of its canvas; the rest became white."
BEYOND = "Samples beyond 0 … 65,535 were clipped."

logging.getLogger("PIL").addHandler(logging.NullHandler())  # what it would say on stderr, a sentence says

Colours = tuple[Image.Image, Image.Image | None]  # L, RGB or CMYK; alpha as L


def read_picture(path: Path, check_size: Callable[[int, int], None]) -> tuple[Image.Image, list[str]]:
    """The picture as `to_rgb8` makes it, and a sentence for each thing that this has changed.

    check_size: is told the width and height, and may raise ValueError, before any pixel is decoded.
    Raises OSError where there is no file to read, ValueError where nothing right can be made of it.
    """

    def check(width: int, height: int) -> None:
        try:
            check_size(width, height)
        except ValueError as error:
            raise Refused(str(error)) from None

    with open(path, "rb") as file:
        head = file.read(32)
        if not head:
            raise Refused("the file is empty.")
        file.seek(0)
        kind, is_tiff = kind_of(head), head[:4] in PREFIXES
        if kind == RAW or (is_tiff and ENDINGS.get(path.suffix.lower()) == RAW):
            raise Refused(CAMERA_RAW)
        with _pillow(DAMAGED):
            if is_tiff:
                return _of_tiff(file, check)
            if head[:2] in (b"PF", b"Pf"):
                return _finish(read_pfm(file, check))
        if kind is not None:
            add_plugins()
        try:
            return _of_pillow(file, kind, check)
        except Refused:
            raise
        except ValueError:
            if (sound := without_metadata(file)) is None:
                raise
        picture, notes = _of_pillow(BytesIO(sound), kind, check)
        return picture, [IGNORED, *notes]


def _of_pillow(
    file: IO[bytes], kind: str | None, check_size: Callable[[int, int], None]
) -> tuple[Image.Image, list[str]]:
    file.seek(0)
    head = file.read(1 << 16)
    if kind == JPEG_XL and (header := read_header(head)) is not None:
        check_size(header.width, header.height)  # its plugin decodes all of it when it is opened
    with _pillow("Pillow cannot open it as a picture", kind, head):
        image = _opened(file)
    if image.format in DRAWINGS:
        raise Refused("it is a drawing, which has no pixels yet; export it as PNG first.")
    with _pillow(DAMAGED):
        check_size(*image.size)
        if image.format in ("JPEG", "MPO"):
            jpeg.check_scans(file)
            if (ended := jpeg.with_end(file)) is not None:
                image = _opened(ended)
        end = end_of(image) if image.format == "PPM" else None
        if end is not None:
            check_samples(file, image, end)
        picture, notes = to_rgb8(image)
        if image.format == "PNG":
            png.check_whole(file)
        elif image.format == "JPEG2000":
            jpeg2000.check_whole(file)
        elif image.format in ("JPEG", "MPO"):
            notes += jpeg.check_whole(file, image)
    several = _holds_several(image) or (end is not None and another_follows(file, end))
    return picture, notes + [SEVERAL] * several


def to_rgb8(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Any Pillow image as upright 8-bit sRGB, and one sentence for each thing that this conversion changed.

    An image that a program has made counts as follows: in mode F as 0 … 1, in modes I;16 and I as 0 … 65,535.
    Raises ValueError where it could only be guessed what the samples mean.
    """
    if image.format == "TIFF" and getattr(image, "tile", None) and getattr(image, "fp", None) and not image.tell():  # type: ignore[attr-defined]
        return _of_tiff(image.fp, lambda width, height: None)  # type: ignore[attr-defined]
    refuse_what_pillow_misreads(image)
    profile = profile_of(image)
    if image.format == "PNG" and image.mode == "1" and (key := chunk_of(image, b"tRNS")):
        image.info["transparency"] = 255 * (key[-1] & 1)  # only its lowest bit counts, but Pillow looks at all
    deep, layout = is_reduced_by_pillow(image), str(getattr(image, "tile", ""))
    low = _low_bytes(image) if deep and isinstance(image.info.get("transparency"), tuple) else None
    no_alpha = has_unstated_alpha(image) or jpeg2000.has_unstated_channel(image) or psd.selections_of(image) > 0
    signed = [SIGNED] * jpeg2000.is_signed(image)
    count, alpha_of_bmp = palette_size(image), bmp.alpha_of(image)
    covered = part_of_gif(image)
    if (clear := palette_alpha(image)) is not None:
        image.info["transparency"] = clear
    image.load()
    if image.mode == "P" and count is not None and count <= image.getextrema()[1]:  # type: ignore[operator]
        raise Refused(SHORT_PALETTE)  # Pillow would make up the other colours
    way_up, notes = (1, []) if image.format == "TIFF" else orientation_of(image)  # Pillow itself turns TIFF
    notes = signed + notes
    if image.mode.startswith("I") or image.mode == "F":
        return _finish(_deep_samples(image), profile, way_up, notes)
    colours, alpha = _colours(image, layout) if low is None else _clear_at(image, low)
    alpha = alpha_of_bmp or alpha
    if covered is not None:  # the rest has no pixels; Pillow draws it in the first colour
        inside = Image.new("L", image.size)
        inside.paste(255 if alpha is None else alpha.crop(covered), covered)
        alpha, notes = inside, [COVERED, *notes]
    notes = [TO_8_BITS] * deep + [CHANNELS_DROPPED] * no_alpha + notes
    return _finish((colours, None if no_alpha else alpha), profile, way_up, notes)


def _holds_several(image: Image.Image) -> bool:
    try:
        # of a PSD, the first picture is what its layers make together
        return image.format != "PSD" and bool(getattr(image, "is_animated", False))
    except Exception:  # the next picture is damaged, so there is one
        return True


def _opened(file: IO[bytes]) -> Image.Image:
    """Before a pixel is decoded, only a damaged file asks for more memory than there is."""
    try:
        return Image.open(file)
    except MemoryError:
        raise Refused(f"{DAMAGED} (it claims to be larger than it is).") from None


def _finish(
    source: Samples | Colours, profile: bytes | None = None, orientation: int = 1, notes: list[str] | None = None
) -> tuple[Image.Image, list[str]]:
    """The last steps are the same for all: 8 bits, sRGB, on white, upright."""
    colours, alpha, reduced = source.to_image() if isinstance(source, Samples) else (*source, [])
    reduced = [*reduced, *(notes or [])]
    if TO_8_BITS in reduced or SIGNED in reduced:
        # samples of one value have lost nothing (of others, `Samples` leaves more than one level)
        reduced += [FEW_LEVELS] * has_few_levels(colours, least=2 if isinstance(source, Samples) else 1)
    picture, converted = to_srgb(colours, profile)
    picture, laid = lay_on_white(picture, alpha)
    picture, turned = turn(picture, orientation)
    picture = picture._new(picture.im)  # the same pixels, but no file, whose EXIF or profile would be used again
    picture.info.clear()
    return picture, list(dict.fromkeys([*reduced, *converted, *laid, *turned]))


def _of_tiff(file: IO[bytes], check_size: Callable[[int, int], None]) -> tuple[Image.Image, list[str]]:
    source, page, notes = read_tiff(file, check_size)
    if isinstance(source, Samples):
        return _finish(source, page.profile, page.orientation, notes)
    if source.mode.startswith("I") or source.mode == "F":
        return _finish(_deep_samples(source, page), page.profile, page.orientation, notes)
    notes = notes + [LAB] * (source.mode == "LAB")
    return _finish(_colours(source), page.profile, page.orientation, notes)


def _colours(image: Image.Image, layout: str = "") -> Colours:
    """Of 8 bits a sample. layout: how they lie in the file."""
    clear = image.info.get("transparency")
    if image.format == "PNG" and image.mode in ("L", "RGB") and clear is not None:
        # the one colour that such a PNG may call transparent is given as in the file, and Pillow has scaled the rest
        scale = 85 if "L;2" in layout else 17 if "L;4" in layout else 1
        parts = [value % (255 // scale + 1) * scale for value in (clear if isinstance(clear, tuple) else (clear,))]
        image.info["transparency"] = tuple(parts) if isinstance(clear, tuple) else parts[0]
    if image.mode in ("LA", "PA", "RGBA", "La", "RGBa") or clear is not None:
        is_grey = image.mode in ("1", "L", "LA", "La")
        rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        return rgba.getchannel(0) if is_grey else rgba.convert("RGB"), rgba.getchannel(3)
    if image.mode in ("L", "RGB", "CMYK"):
        return image, None
    if image.format == "PSD" and image.mode == "1":  # there, 1 is black
        return ImageChops.invert(image.convert("L")), None
    return image.convert("L" if image.mode == "1" else "RGB"), None


def _low_bytes(image: Image.Image) -> Image.Image:
    """The lower halves of the samples of a PNG with 16 bits in RGB, of which Pillow gives the upper ones."""
    file: Any = image.fp  # type: ignore[attr-defined]
    place = file.tell()
    file.seek(0)
    low: Any = Image.open(file)
    low.tile = [part._replace(args="RGB;16L") for part in low.tile]
    low.load()
    file.seek(place)
    return low


def _clear_at(image: Image.Image, low: Image.Image) -> Colours:
    """One colour of 16 bits means transparent: Pillow would take its neighbours for it."""
    clear = np.array(image.info["transparency"])
    at = (np.asarray(image) == clear >> 8).all(axis=-1) & (np.asarray(low) == clear & 255).all(axis=-1)
    return image, Image.fromarray(np.where(at, 0, 255).astype(np.uint8))


def _deep_samples(image: Image.Image, page: Page | None = None) -> Samples:
    """Of modes I;16, I and F. page: the TIFF tags that say what they are."""
    values = np.asarray(image)
    if page is not None:
        return Samples(values.astype(page.dtype)[..., None])
    if image.format == "TIFF":
        raise Refused("its samples may have been misread; give the file, not the image that Pillow has loaded.")
    if image.format not in DEEP_KINDS:
        raise Refused(f"it is a {image.format} file with deep samples, which say neither black nor white.")
    if image.mode == "F":
        return Samples(values[..., None])
    notes = [BEYOND] * bool(values.size and (values.min() < 0 or values.max() > 65535))
    alpha = None
    if (clear := image.info.get("transparency")) is not None:  # the one grey that a PNG may call transparent
        alpha = np.where(values == clear, 0, 65535).astype(np.uint16)
    return Samples(np.clip(values, 0, 65535).astype(np.uint16)[..., None], alpha, notes=notes)


# ---- out


def check_ending(path: Path) -> None:
    """Raise ValueError if the name's ending is of no kind of picture that can be written, and read again."""
    if ENDINGS.get(path.suffix.lower(), RAW) != RAW:
        add_plugins()
    kind = _kind(path)
    if kind not in Image.SAVE:
        raise ValueError(f"Pillow writes no pictures with the ending {path.suffix!r}; choose .png.")
    if kind == "PPM" and path.suffix.lower() not in (".ppm", ".pnm"):  # they would be so inside all the same
        raise ValueError("of the portable maps only those of colour, .ppm, are written; otherwise choose .png.")
    if kind not in Image.OPEN:
        raise ValueError(f"pictures of this kind ({kind}) cannot be written, as nothing here reads them; choose .png.")


def picture_bytes(picture: Image.Image, path: Path) -> tuple[bytes, list[str]]:
    """The RGB picture as a file of the kind that the ending asks for, and a sentence if that changed it.

    Raises ValueError if that kind cannot hold it.
    """
    kind = _kind(path)
    file = BytesIO()
    with _pillow(f"Pillow cannot write this picture as {kind}, so choose .png"):
        if kind == "PNG":  # without loss; half the time of zlib's default, 6, for 3 % more bytes
            picture.save(file, format=kind, compress_level=4)
            return file.getvalue(), []
        picture.save(file, format=kind)
        written = Image.open(file)
        if written.size != picture.size:  # an icon, for example
            raise ValueError(f"it would have {written.width} x {written.height} pixels")
        exact = all(
            written.crop(rows).convert("RGB").tobytes() == picture.crop(rows).tobytes() for rows in strips_of(picture)
        )
    return file.getvalue(), [] if exact else [f"{kind} has changed the pixels; .png would keep them exactly."]


def strips_of(picture: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Boxes of some rows each, for what would take as much memory again for the whole picture."""
    width, height = picture.size
    return ((0, top, width, min(top + 256, height)) for top in range(0, height, 256))


def _kind(path: Path) -> str | None:
    ending = path.suffix.lower()
    if ending == ".png":  # the usual one: Pillow need not look for all others
        Image.preinit()
    return Image.EXTENSION.get(ending) or Image.registered_extensions().get(ending)


@contextmanager
def _pillow(trouble: str, kind: str | None = None, head: bytes = b"") -> Iterator[None]:
    """Over a damaged file, Pillow raises anything from EOFError to SyntaxError: one sentence will do."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (MemoryError, Refused):  # not the file's fault; said in a sentence already
        raise
    except UnidentifiedImageError:
        raise ValueError(how_to_open(kind, head)) from None
    except Exception as error:
        if kind is not None:  # a plugin's words say nothing
            raise ValueError(how_to_open(kind)) from None
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{trouble} ({reason or type(error).__name__}).") from None
