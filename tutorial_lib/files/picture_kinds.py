"""Kinds of pictures that Pillow does not open by itself: what they are, and what opens them. Starts without PyTorch."""

import os
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from typing import Any

from PIL import Image

from tutorial_lib.files.jpeg_xl import read_header
from tutorial_lib.files.png import TOO_EARLY
from tutorial_lib.files.samples import Refused

HEIC, JPEG_XL, AVIF, RAW = "HEIC", "JPEG XL", "AVIF", "a camera's raw file"
ENDINGS = {
    **dict.fromkeys((".heic", ".heif", ".hif", ".heics", ".heifs"), HEIC),
    ".jxl": JPEG_XL,
    **dict.fromkeys((".avif", ".avifs"), AVIF),
    **dict.fromkeys(
        (
            *(".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".k25", ".kdc", ".mef"),
            *(".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw"),
            ".x3f",
        ),
        RAW,
    ),
}
OTHER_PICTURES = (".exr", ".hdr", ".svg", ".svgz", ".xcf", ".kra", ".jxr", ".wdp", ".bpg", ".flif", ".pam", ".ai")
PILLOWS_NAMES = {HEIC: "HEIF", JPEG_XL: "JXL", AVIF: "AVIF"}
PCX_HEADER, PCX_PALETTE, PCX_GREY = 128, 769, b"\2\0"
SUN_32_BITS = b"\0\0\0\x20"
TGA_MEANINGLESS, TGA_PREMULTIPLIED = (0, 1, 2), 4  # what its extension area may call the alpha
PLUGINS = ("pillow_heif", "pillow_jxl")
EXTRA = "install this package with its extra, photos (it brings pillow-heif and pillow-jxl-plugin)"
LIKE = "it begins like a {} picture, but is damaged, or of a sort that Pillow cannot read."
NO_PICTURE = "it is no picture, or of a kind that Pillow does not know."


@lru_cache(maxsize=1)
def add_plugins() -> None:
    """Let Pillow open (and write) whatever the plugins that are installed here know."""
    for name in PLUGINS:
        try:
            plugin = import_module(name)
            if name == "pillow_heif":
                plugin.register_heif_opener()
        except Exception:  # not installed, or not made for this Pillow: that is no picture's fault
            continue


def kind_of(head: bytes) -> str | None:
    """By a file's first 32 bytes: one of the kinds above."""
    if head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")):
        return JPEG_XL
    if head[4:8] == b"ftyp":
        brands = {head[8:12]} | {head[n : n + 4] for n in range(16, 32, 4)}
        if b"crx " in brands:
            return RAW
        if brands & {b"avif", b"avis"}:
            return AVIF
        if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
            return HEIC
    if head.startswith((b"FUJIFILMCCD-RAW", b"FOVb", b"\0MRM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0")):
        return RAW
    if head[:4] in (b"II*\0", b"MM\0*") and head[8:10] == b"CR":
        return RAW
    if head[:2] == b"II" and head[6:14] == b"HEAPCCDR":
        return RAW
    return None


def how_to_open(kind: str | None, head: bytes = b"") -> str:
    """The sentence for a file that Pillow cannot identify. head: its first bytes."""
    if kind == AVIF and "AVIF" not in Image.OPEN:
        return "it is an AVIF picture, and this Pillow was built without AVIF; a newer one reads it."
    if PILLOWS_NAMES.get(kind or "") in Image.OPEN:
        return LIKE.format(kind)
    if kind is not None:
        return f"it is a {kind} picture; {EXTRA} to open it."
    return NO_PICTURE if (known := _begins_like(head)) is None else LIKE.format(known)


def _begins_like(head: bytes) -> str | None:
    """The kind of picture, by Pillow's name, that begins in this way."""
    for name in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "PPM", "JPEG2000", "PSD", "DDS", "QOI"):
        accepts = Image.OPEN[name][1] if name in Image.OPEN else None
        if accepts is not None and accepts(head[:16]) is True:
            return name
    return None


def is_reduced_by_pillow(image: Image.Image) -> bool:
    """Do its samples have more bits in the file than the 8 that Pillow gives? To be asked before it is loaded."""
    tiles = getattr(image, "tile", None) or []
    layout = str(tiles)
    if image.format == "PPM":
        return any(isinstance(part, int) and part > 255 for tile in tiles for part in tile[3] if len(tile[3]) == 2)
    if image.format == "JPEG2000":
        head = head_of(image)
        at = head.find(b"\xff\x4f\xff\x51")  # the size marker: 38 bytes, then 3 for each component
        count = int.from_bytes(head[at + 40 : at + 42], "big") if at >= 0 else 0
        return any((depth & 0x7F) + 1 > 8 for depth in head[at + 42 : at + 42 + 3 * count : 3])
    if image.format == "JXL" and image.mode != "F":
        header = read_header(head_of(image))
        return header is not None and header.bits > 8
    if image.format in ("AVIF", "HEIF"):
        head = head_of(image)
        at, hevc = head.find(b"av1C"), head.find(b"hvcC")
        return (at >= 0 and bool(head[at + 6] & 0x40)) or (hevc >= 0 and bool(head[hevc + 21] & 7))
    # the BMP of 5 + 6 + 5 bits has 16 bits a pixel, not a sample
    return (";16" in layout and "BGR;16" not in layout) or "SGI16" in layout or "BC6H" in layout


def refuse_what_pillow_misreads(image: Image.Image) -> None:
    """Raise Refused for kinds that Pillow, or a plugin, opens without a word and gets wrong. Ask before loading."""
    if image.format == "XBM":
        raise Refused("it does not say which of its bits are black (an X bitmap, drawn in any two colours).")
    if image.format == "SUN" and head_of(image, 16)[12:] == SUN_32_BITS:  # the filler stands first
        raise Refused("its pixels have 32 bits (Sun raster), whose order Pillow mistakes; export it as PNG first.")
    if image.format in ("PCX", "DCX"):
        _refuse_pcx(image)
    if image.format in ("JPEG", "MPO") and image.mode == "CMYK" and "adobe" not in image.info:
        # Adobe's programs write the complement, and say so by their marker; Pillow takes that for granted
        raise Refused("it does not say whether 0 is no ink or all of it (it is CMYK without Adobe's marker).")
    if image.format == "TGA" and image.mode in ("LA", "RGBA") and _alpha_of_tga(image) == TGA_PREMULTIPLIED:
        raise Refused("its colours are multiplied by its transparency already, which this does not undo for TGA.")
    if image.format == "JXL" and (header := read_header(head_of(image))) is not None and header.moves:
        raise Refused("it is an animation in JPEG XL, of which the last picture would be read; export the first.")


def _refuse_pcx(image: Image.Image) -> None:
    """Its palette stands at the end of the file, behind the pixels; where it is missing, Pillow makes it a grey one."""
    file: Any = image.fp  # type: ignore[attr-defined]
    [tile] = image.tile  # type: ignore[attr-defined]
    place = file.tell()
    file.seek(tile.offset - PCX_HEADER)
    head, rest = file.read(PCX_HEADER), file.read()
    file.seek(place)
    if head[3] != 8 or head[65] != 1:  # bits of a sample, planes
        return
    if image.format == "DCX" and getattr(image, "n_frames", 1) > 1:
        raise Refused("it holds several pictures with palettes, and Pillow would take the wrong one; export the first.")
    if rest[-PCX_PALETTE : -PCX_PALETTE + 1] != b"\x0c":
        if head[68:70] != PCX_GREY:
            raise Refused("it is damaged (its palette is missing).")
        return
    try:  # what is taken for the palette may be pixels
        Image.open(BytesIO(head + rest[:-PCX_PALETTE]), formats=["PCX"]).load()
    except OSError:
        raise Refused(TOO_EARLY) from None


def has_unstated_alpha(image: Image.Image) -> bool:
    """Is its alpha, by Pillow, something that the file does not call so? To be asked before it is loaded."""
    if image.format != "TGA" or image.mode not in ("LA", "RGBA"):
        return False
    no_bits = not head_of(image, 18)[17] & 0x0F  # of each pixel that are its alpha
    return no_bits or _alpha_of_tga(image) in TGA_MEANINGLESS


def palette_alpha(image: Image.Image) -> bytes | None:
    """The transparency of each colour in a TGA's palette, which Pillow passes over. Ask before it is loaded."""
    palette = getattr(image, "palette", None)
    if image.format != "TGA" or palette is None or palette.rawmode != "BGRA":
        return None
    means_something = head_of(image, 18)[17] & 0x0F and _alpha_of_tga(image) not in TGA_MEANINGLESS
    return bytes(palette.palette[3::4]) if means_something else None


def _alpha_of_tga(image: Image.Image) -> int | None:
    """What the alpha is, by the extension area of TGA 2.0; None if there is none."""
    file: Any = image.fp  # type: ignore[attr-defined]
    place = file.tell()
    try:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 26))
        foot = file.read(26)
        if not foot.endswith(b"TRUEVISION-XFILE.\0") or not (start := int.from_bytes(foot[:4], "little")):
            return None
        file.seek(start + 494)
        return int.from_bytes(file.read(1), "big")
    finally:
        file.seek(place)


def palette_size(image: Image.Image) -> int | None:
    """How many colours its file gives it; None if it is no such file. Ask before it is loaded, which fills it up."""
    palette = getattr(image, "palette", None)
    if image.mode != "P" or palette is None or image.format is None:
        return None
    layout = str(palette.rawmode or palette.mode)
    bytes_each = 2 if ";1" in layout else len(layout.partition(";")[0])
    return len(palette.palette) // bytes_each


def part_of_gif(image: Image.Image) -> tuple[int, int, int, int] | None:
    """The box in which a GIF's first picture lies, if that is not all of its canvas. Ask before it is loaded."""
    if image.format != "GIF" or not getattr(image, "tile", None) or image.tell():
        return None
    box: tuple[int, int, int, int] = image.tile[0].extents  # type: ignore[attr-defined]
    return box if box != (0, 0, *image.size) else None


def head_of(image: Image.Image, size: int = 1 << 16) -> bytes:
    """The beginning of its file, before it is loaded; nothing for an image that comes from none."""
    file = getattr(image, "fp", None)
    if file is None:
        return b""
    place = file.tell()
    file.seek(0)
    head: bytes = file.read(size)
    file.seek(place)
    return head


def opens(ending: str) -> bool:
    """Does this Pillow, with the plugins that are here, read files with this ending?"""
    if ending in ENDINGS:
        add_plugins()
    return Image.registered_extensions().get(ending) in Image.OPEN


def unreadable(endings: Mapping[str, int]) -> list[str]:
    """A sentence for each kind of picture that cannot be opened here, of endings and how many files have them."""
    known = (ending for ending in endings if ending in ENDINGS or ending in OTHER_PICTURES)
    counts = {ending: endings[ending] for ending in known if not opens(ending)}
    notes = []
    for ending, count in sorted(counts.items()):
        kind = ENDINGS.get(ending)
        remedy = {RAW: "export raw files as JPEG, PNG or TIFF first", None: "export them as PNG first"}.get(kind, EXTRA)
        plural = "files are" if count > 1 else "file is"
        notes.append(f"{count:,} {ending} {plural} left out: Pillow does not open this kind; {remedy}.")
    return notes
