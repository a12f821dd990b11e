"""What a TIFF file really holds, and who reads it right: Pillow, tifffile, or nobody. Starts without PyTorch.

Pillow is trusted with samples of 1, 2, 4 and 8 unsigned bits, and with all compressions. It misreads many others
(16 bits with white as zero, signed bytes, unsigned 32 bits, floats in planes, …), or does not open them. Those are
tifffile's, which scikit-image brings; where it cannot undo their compression, Pillow is asked again, but only for
kinds that it was seen to read right. Everything else is refused.
"""

import logging
import math
from collections.abc import Callable
from typing import IO, Any

import numpy as np
from PIL import Image

from tutorial_lib.files.camera_raw import is_whole, refuse_camera_raw
from tutorial_lib.files.libtiff import heard_libtiff
from tutorial_lib.files.orientation import TAG, TURNS, UPRIGHT
from tutorial_lib.files.samples import CHANNELS_DROPPED, SEVERAL, SHORT_PALETTE, TO_8_BITS, Refused, Samples
from tutorial_lib.files.tiff_parts import UNDECODABLE, check_parts, unpacked

PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
MOST_PAGES = 64  # looked at
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, LAB = 0, 1, 2, 3, 5, 6, 8
CHANNELS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3, LAB: 3}
UNSIGNED, SIGNED, FLOAT, UNDEFINED = 1, 2, 3, 4  # sample formats
OLD_JPEG = 6
JPEGS = (OLD_JPEG, 7)
PREMULTIPLIED, STRAIGHT = 1, 2  # of ExtraSamples
ALPHAS = (PREMULTIPLIED, STRAIGHT, 999)  # the last is what Corel writes for straight alpha
BT_601 = (0.299, 0.587, 0.114)

PILLOW_READS = (  # photometric interpretation, sample format, bits
    (RGB, UNSIGNED, 8),  # premultiplied
    (BLACK_IS_ZERO, UNSIGNED, 16),
    (BLACK_IS_ZERO, SIGNED, 16),
    (BLACK_IS_ZERO, SIGNED, 32),
    (BLACK_IS_ZERO, FLOAT, 32),
    (RGB, UNSIGNED, 16),
    (CMYK, UNSIGNED, 16),
)

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
        values = value if isinstance(value, (tuple, list, bytes)) else (value,)
        return tuple(int(value) for value in values if isinstance(value, (int, np.integer)))

    def _number(self, tag: int, default: int = -1) -> int:
        return (self._numbers(tag) or (default,))[0]

    def _fractions(self, tag: int) -> tuple[float, ...]:
        """Of a tag of fractions: none where there is no such tag, or no sense in it."""
        numbers = self._numbers(tag)
        return tuple(a / b if b else math.nan for a, b in zip(numbers[::2], numbers[1::2], strict=False))

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
        if self.photometric == LAB and self.planar:
            raise Refused("its colours are L*a*b* in planes, which this does not read.")
        if self.photometric == PALETTE and self.bits[0] <= 8 and len(self._numbers(320)) < 3 * 2 ** self.bits[0]:
            raise Refused(SHORT_PALETTE)
        if self.compression not in JPEGS:
            self._check_colours()

    def _check_colours(self) -> None:
        """Raise Refused for RGB and YCbCr that both readers would take for the usual one."""
        if self.photometric not in (RGB, YCBCR):
            return
        if self.photometric == YCBCR and self._numbers(530, 2, 2) != (1, 1):
            raise Refused("its colours are subsampled (YCbCr without JPEG), which this does not read.")
        coefficients, levels = self._fractions(529), self._fractions(532)
        if self.photometric == YCBCR and any(abs(a - b) > 1e-3 for a, b in zip(coefficients, BT_601, strict=False)):
            raise Refused("its YCbCr is not that of BT.601, which alone this reads.")
        highest = 2.0 ** self.bits[0] - 1
        others = (2.0 ** (self.bits[0] - 1) if self.photometric == YCBCR else 0, highest)
        if any(abs(a - b) > 1 for a, b in zip(levels, (0, highest, *others, *others), strict=False)):
            raise Refused("its black and white are not the lowest and highest samples, which this does not read.")

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
        if self.samples > CHANNELS[self.photometric] and (self.planar or self.alpha not in (None, 0)):
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
        return self.alpha is not None and self.extra[self.alpha : self.alpha + 1] == (PREMULTIPLIED,)

    @property
    def alpha(self) -> int | None:
        """Which of the channels behind the colours it is: the first that is said to be; of RGB that says nothing, 0."""
        others = self.samples - CHANNELS[self.photometric]
        kinds = self.extra or (STRAIGHT,) * (self.photometric == RGB)
        return next((n for n, kind in enumerate(kinds[:others]) if kind in ALPHAS), None)

    @property
    def notes(self) -> list[str]:
        """About channels that are neither colours nor alpha."""
        return [CHANNELS_DROPPED] * (self.samples > CHANNELS[self.photometric] + (self.alpha is not None))

    def read(self) -> Samples:
        """By tifffile. Raises Refused where it cannot."""
        if self.photometric in (PALETTE, YCBCR, LAB) or self.formats[0] > FLOAT:
            raise Refused(f"its samples are of a kind that this does not read ({self._kind}).")
        if self.is_packed:
            return self._samples(unpacked(self.page, self.samples))
        if self.bits[0] not in (8, 16, 32, 64):
            raise Refused(f"its samples are packed in a way that this does not read ({self._kind}).")
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
        return self._samples(data)

    @property
    def is_packed(self) -> bool:
        """Samples of few bits, or of a strange number of them, in plain strips."""
        plain = self.compression == 1 and not self.planar and not self.page.is_tiled
        return plain and self.formats[0] == UNSIGNED and self.bits[0] < 16 and self.bits[0] != 8

    def _samples(self, data: np.ndarray) -> Samples:
        """data: (H, W, channels)."""
        count = CHANNELS[self.photometric]
        if self.photometric == CMYK and data.dtype.kind != "u":
            raise Refused(f"its samples are of a kind that this does not read ({self._kind}).")
        return Samples(
            np.ascontiguousarray(data[..., :count]),
            None if self.alpha is None else np.ascontiguousarray(data[..., count + self.alpha]),
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
        with_alpha = self.photometric != BLACK_IS_ZERO and bool(self.extra) and self.alpha == 0
        if self.samples > CHANNELS[self.photometric] + with_alpha:
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
        several = any(is_whole(p) for p in pages[1:]) or _is_stack(tiff)
        notes = [SEVERAL] * several
        notes += check_parts(page.page)
        if not page.is_pillows:
            try:
                return page.read(), page, notes
            except Exception:
                if not page.is_pillows_when_compressed(tiff.byteorder):
                    raise
        try:
            image = _by_pillow(file, page)
        except Exception as error:
            if page.photometric in (PALETTE, YCBCR, LAB) or page.bits[0] < 8:
                raise
            try:
                return page.read(), page, notes  # where no more than the metadata is damaged
            except Exception:
                raise error from None
    deep = page.bits[0] > 8 and image.mode in ("RGB", "RGBA", "CMYK")
    return image, page, page.notes + [TO_8_BITS] * deep + [UPRIGHT] * page.was_turned + notes


def _by_pillow(file: IO[bytes], page: Page) -> Image.Image:
    file.seek(0)
    image = Image.open(file, formats=["TIFF"])
    try:
        by_pillow = image.getexif().get(TAG)
    except Exception:
        by_pillow = None
    with heard_libtiff() as said:
        image.load()  # which turns it
    if (said() and page.photometric == YCBCR) or b"Decod" in said():  # most of what is said elsewhere, Pillow raises
        raise Refused(UNDECODABLE)
    if by_pillow in list(TURNS):
        page.orientation, page.was_turned = 1, True
    colours = page._numbers(320)
    if page.photometric == PALETTE and image.mode in ("P", "PA") and 0 < max(colours, default=0) < 256:
        # 16 bits are asked for, but some programs write 8; libtiff goes by this rule, too
        entries = np.array(colours, np.uint8).reshape(3, -1).T
        image.putpalette(entries.tobytes(), "RGB")
    return image


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
