"""What a TIFF file really holds, and who reads it right: Pillow, tifffile, or nobody. Starts without PyTorch.

Pillow is trusted with samples of 1, 2, 4 and 8 unsigned bits, and with all compressions. It misreads many others
(16 bits with white as zero, signed bytes, unsigned 32 bits, floats in planes, …), or does not open them. Those are
tifffile's, which scikit-image brings; where it cannot undo their compression, Pillow is asked again, but only for
kinds that it was seen to read right. Everything else is refused.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO, Any

import numpy as np
from PIL import Image

from tutorial_lib.files.camera_raw import MASK, REDUCED, number, refuse_camera_raw
from tutorial_lib.files.orientation import TAG, TURNS, UPRIGHT
from tutorial_lib.files.samples import CHANNELS_DROPPED, TO_8_BITS, Refused, Samples

SEVERAL = "The file holds several pictures; only the first was taken."
PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PAGES = 64  # looked at
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, LAB: 3}
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4  # sample formats
OLD_JPEG = 6
JPEGS = (OLD_JPEG, 7)
PREMULTIPLIED, STRAIGHT = 1, 2  # of ExtraSamples
COREL = 999  # writes that for straight alpha

PILLOW_READS = (  # photometric interpretation, sample format, bits
    (RGB, UNSIGNED, 8),  # premultiplied
    (BLACK_IS_ZERO, UNSIGNED, 16),
    (BLACK_IS_ZERO, SIGNED, 16),
    (BLACK_IS_ZERO, SIGNED, 32),
    (BLACK_IS_ZERO, FLOAT, 32),
    (RGB, UNSIGNED, 16),
    (CMYK, UNSIGNED, 16),
)
STDERR = Lock()

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it would say on stderr, a sentence says


class Page:
    """The first picture of a TIFF file: its tags, checked. Raises Refused for what nobody here reads right."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.photometric = self._number(262)
        self.bits = self._numbers(258, 1)
        self.formats = tuple(UNSIGNED if f == UNDEFINED else f for f in self._numbers(339, UNSIGNED))
        self.samples = self._number(277, 1)
        self.compression = self._number(259, 1)
        self.planar = self._number(284, 1) == 2 and self.samples > 1
        self.extra = self._numbers(338)
        self.orientation, self.was_turned = self._number(274, 1), False
        profile = page.tags.get(34675)
        self.profile = bytes(profile.value) if profile is not None and isinstance(profile.value, bytes) else None
        self._check()

    def _numbers(self, tag: int, *default: int) -> tuple[int, ...]:
        found = self.page.tags.get(tag)
        if found is None:
            return default
        value = found.value.ravel().tolist() if isinstance(found.value, np.ndarray) else found.value
        values = value if isinstance(value, (tuple, list)) else (value,)
        return tuple(int(value) for value in values if isinstance(value, (int, np.integer)))

    def _number(self, tag: int, default: int = -1) -> int:
        return (self._numbers(tag) or (default,))[0]

    def _check(self) -> None:
        if self.photometric == -1:
            raise Refused("it does not say what its samples mean (no PhotometricInterpretation).")
        if self.photometric not in CHANNELS:
            raise Refused(f"its samples are of a kind that this does not read ({self.page.photometric!s}).")
        if len(set(self.bits)) != 1 or len(set(self.formats)) != 1:
            raise Refused("its channels have samples of several types.")
        if self._number(32997, 1) > 1:
            raise Refused("it is a volume, not a picture.")
        if self.samples < CHANNELS[self.photometric] or self.samples > CHANNELS[self.photometric] + 4:
            raise Refused(f"it has {self.samples} channels, of which this cannot make colours.")
        others = self.samples - CHANNELS[self.photometric]
        if self.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and others > 1:
            raise Refused(f"it has {self.samples} channels, and does not say which colours they are.")
        if self.photometric == CMYK and self._number(332, 1) != 1:
            raise Refused("its inks are not cyan, magenta, yellow and black.")
        subsampled = self._numbers(530, 2, 2) != (1, 1)
        if self.photometric == YCBCR and self.compression not in JPEGS and subsampled:
            raise Refused("its colours are subsampled (YCbCr without JPEG), which this does not read.")

    def check_whole(self) -> None:
        """Raise Refused where strips or tiles are missing: both readers would make up what is in them."""
        wanted = math.prod(self.page.chunked)
        there = [p and n for p, n in zip(self.page.dataoffsets, self.page.databytecounts, strict=False)]
        if self.compression != OLD_JPEG and (len(there) < wanted or not all(there[:wanted])):
            raise Refused("it is damaged (parts of its pixels are missing).")

    @property
    def is_pillows(self) -> bool:
        """Samples that Pillow reads right, whatever the compression."""
        if self.formats[0] != UNSIGNED or self.bits[0] not in (1, 2, 4, 8):
            return False
        if self.compression in JPEGS or self.photometric in (PALETTE, YCBCR, LAB):
            return True
        if self.bits[0] < 8:
            return self.samples == 1
        return not self.is_premultiplied and (self.samples == 1 or self.photometric != WHITE_IS_ZERO)

    @property
    def dtype(self) -> np.dtype:
        """Of one sample."""
        return np.dtype(f"{'?uif'[self.formats[0]]}{self.bits[0] // 8}")

    @property
    def is_premultiplied(self) -> bool:
        return PREMULTIPLIED in self.extra[:1]

    @property
    def has_alpha(self) -> bool:
        first = self.samples - CHANNELS[self.photometric] > 0
        stated = self.extra[0] in (PREMULTIPLIED, STRAIGHT, COREL) if self.extra else self.photometric == RGB
        return first and stated

    @property
    def notes(self) -> list[str]:
        """About channels that are neither colours nor alpha."""
        return [CHANNELS_DROPPED] * (self.samples > CHANNELS[self.photometric] + self.has_alpha)

    def read(self) -> Samples:
        """By tifffile. Raises Refused where it cannot."""
        if self.photometric in (PALETTE, YCBCR, LAB) or self.formats[0] > FLOAT:
            raise Refused(f"its samples are of a kind that this does not read ({self._kind}).")
        if self.compression == 1 and self.page.nbytes > self.page.parent.filehandle.size:
            raise Refused("it is damaged (it ends too early).")  # said before memory is set aside
        try:
            data = self.page.asarray()
        except (ImportError, ValueError) as error:  # of a compression that tifffile does not know
            if self.compression == 1:
                raise
            name = getattr(self.page.compression, "name", self.compression)
            here = f"its samples ({self._kind}) cannot be read in this compression ({name})"
            raise Refused(f"{here}; the package imagecodecs may read them, once it is installed.") from error
        if self.bits[0] != 8 * data.dtype.itemsize:
            raise Refused(f"its samples are packed in a way that this does not read ({self._kind}).")
        planes, depth, height, width, channels = self.page.shaped
        data = data.reshape(planes, depth, height, width, channels)
        data = np.moveaxis(data[:, 0, ..., 0], 0, -1) if self.planar else data[0, 0]  # (H, W, channels)
        count = CHANNELS[self.photometric]
        if self.photometric == CMYK and data.dtype.kind != "u":
            raise Refused(f"its samples are of a kind that this does not read ({self._kind}).")
        return Samples(
            np.ascontiguousarray(data[..., :count]),
            np.ascontiguousarray(data[..., count]) if self.has_alpha else None,
            white_is_zero=self.photometric == WHITE_IS_ZERO,
            premultiplied=self.is_premultiplied,
            notes=self.notes,
        )

    @property
    def _kind(self) -> str:
        names = {UNSIGNED: "unsigned", SIGNED: "signed", FLOAT: "floating-point", 5: "complex", 6: "complex"}
        bits, name = self.bits[0], names.get(self.formats[0], "unknown")
        return f"{getattr(self.page.photometric, 'name', self.photometric)}, {bits} bits, {name}"

    def is_pillows_when_compressed(self, byte_order: str) -> bool:
        """tifffile cannot undo this compression; then Pillow gives these samples right."""
        key = (self.photometric, self.formats[0], self.bits[0])
        if self.compression == 1 or key not in PILLOW_READS:
            return False
        if self.samples > (1 if self.photometric == BLACK_IS_ZERO else CHANNELS[self.photometric] + self.has_alpha):
            return False
        return byte_order == "<" or self.formats[0] == UNSIGNED  # Pillow swaps the others twice


def read_tiff(file: IO[bytes], check_size: Callable[[int, int], None]) -> tuple[Image.Image | Samples, Page, list[str]]:
    """What it holds: a Pillow image that has been loaded (and turned), or samples; its tags; and notes.

    Raises Refused for what is refused, and anything for what is damaged.
    """
    import tifffile  # takes a moment

    file.seek(0)
    with tifffile.TiffFile(file, name="picture", _multifile=False) as tiff:
        pages = _pages(tiff)
        refuse_camera_raw(pages)
        page = Page(pages[0])
        check_size(page.page.imagewidth, page.page.imagelength)
        page.check_whole()
        several = any(not number(p, 254) & (REDUCED | MASK) for p in pages[1:]) or _is_stack(tiff)
        notes = [SEVERAL] * several
        if page.bits[0] == 12 and page.formats[0] == UNSIGNED and page.compression == 1:
            return _read_12_bits(page), page, notes
        if not page.is_pillows:
            try:
                return page.read(), page, notes
            except Exception:
                if not page.is_pillows_when_compressed(tiff.byteorder):
                    raise
        try:
            image = _by_pillow(file, page)
        except Exception:
            if page.photometric in (PALETTE, YCBCR, LAB) or page.bits[0] < 8:
                raise
            return page.read(), page, notes  # where no more than the metadata is damaged
    deep = page.bits[0] > 8 and image.mode in ("RGB", "RGBA", "CMYK")
    return image, page, page.notes + [TO_8_BITS] * deep + [UPRIGHT] * page.was_turned + notes


def _by_pillow(file: IO[bytes], page: Page) -> Image.Image:
    file.seek(0)
    image = Image.open(file, formats=["TIFF"])
    try:
        by_pillow = image.getexif().get(TAG)
    except Exception:
        by_pillow = None
    with _silent_libtiff():
        image.load()  # which turns it
    if by_pillow in list(TURNS):
        page.orientation, page.was_turned = 1, True
    colours = page._numbers(320)
    if page.photometric == PALETTE and image.mode in ("P", "PA") and 0 < max(colours, default=0) < 256:
        # 16 bits are asked for, but some programs write 8; libtiff goes by this rule, too
        entries = np.array(colours, np.uint8).reshape(3, -1).T
        image.putpalette(entries.tobytes(), "RGB")
    return image


@contextmanager
def _silent_libtiff() -> Iterator[None]:
    """libtiff writes to the process's stderr itself; what it finds is raised as well, and said in a sentence."""
    with STDERR:
        try:
            kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
        except OSError:  # there is no stderr
            yield
            return
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


def _is_stack(tiff: Any) -> bool:
    """Are there several pictures in one directory, as ImageJ writes large ones?"""
    try:
        return bool(tiff.is_imagej) and math.prod(tiff.series[0].shape) > math.prod(tiff.pages[0].shape)
    except Exception:  # what it says of itself is no metadata of ImageJ
        return False


def _pages(tiff: Any) -> list[Any]:
    """The first ones; what comes after a damaged one is not needed."""
    pages = [tiff.pages[0]]
    try:
        for n in range(1, MOST_PAGES):
            pages.append(tiff.pages[n])
    except Exception:
        pass
    return pages


def _read_12_bits(page: Page) -> Samples:
    """Two samples in three bytes, each row starting at a byte."""
    if page.photometric not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB) or page.planar or page.page.is_tiled:
        raise Refused("its samples of 12 bits are packed in a way that this does not read.")
    if page._number(266, 1) != 1 or page.has_alpha:
        raise Refused("its samples of 12 bits are packed in a way that this does not read.")
    width, height, channels = page.page.imagewidth, page.page.imagelength, page.samples
    stride = (12 * width * channels + 7) // 8
    file = page.page.parent.filehandle
    parts = []
    for place, size in zip(page.page.dataoffsets, page.page.databytecounts, strict=True):
        file.seek(place)
        parts.append(file.read(size))
    packed = np.frombuffer(b"".join(parts), np.uint8)
    if packed.size < stride * height:
        raise Refused("it is damaged (it ends too early).")
    packed = np.pad(packed[: stride * height].reshape(height, stride), ((0, 0), (0, -stride % 3)))
    a, b, c = (packed[:, n::3].astype(np.uint16) for n in range(3))
    pairs = np.stack([a << 4 | b >> 4, (b & 15) << 8 | c], axis=-1).reshape(height, -1)[:, : width * channels]
    values = (pairs << 4 | pairs >> 8).reshape(height, width, channels)  # 4095 becomes 65535
    count = CHANNELS[page.photometric]
    return Samples(values[..., :count], white_is_zero=page.photometric == WHITE_IS_ZERO, notes=page.notes)
