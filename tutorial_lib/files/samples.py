"""Samples of any type to 8 bits. The type decides the scale, never the largest value. Starts without PyTorch.

unsigned integers of b bits   0 … 2^b - 1          become 0 … 255
signed integers of b bits     -2^(b-1) … 2^(b-1)-1 become 0 … 255
floating point                0 … 1                become 0 … 255; beyond is clipped, NaN is drawn as 0
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

TO_8_BITS = "The samples were reduced to 8 bits."
SIGNED = "The samples are signed integers: the lowest that their type can hold became black, and 0 grey."
CLIPPED = "Floating-point samples below 0 or above 1 were clipped."
NOT_A_NUMBER = "Samples that are no numbers (NaN) were drawn as 0."
FEW_LEVELS = "The samples use little of the range of their type, so that few levels are left; stretch them for more."
ON_WHITE = "Transparency was dropped: the picture was laid on white."
ALPHA_IGNORED = "The transparent channel is 0 everywhere, so it was ignored."
CHANNELS_DROPPED = "Channels that are no colours were dropped."
SEVERAL = "The file holds several pictures; only the first was taken."
SHORT_PALETTE = "it is damaged (its palette has fewer colours than its pixels ask for)."

FEW = 32  # levels
ROWS = 64  # at a time, so that the floats between take little memory


class Refused(ValueError):
    """One sentence about a picture that cannot be read right."""


@dataclass
class Samples:
    """A picture before it becomes 8 bits.

    colours: (H, W, 1), (H, W, 3) or (H, W, 4): grey, RGB or CMYK. alpha: (H, W) of the same type, or None.
    premultiplied: whether the colours have been multiplied by alpha already.
    """

    colours: np.ndarray
    alpha: np.ndarray | None = None
    white_is_zero: bool = False
    premultiplied: bool = False
    notes: list[str] = field(default_factory=list)

    def to_image(self) -> tuple[Image.Image, Image.Image | None, list[str]]:
        """As L, RGB or CMYK, with alpha as L, and the notes. Raises Refused where nothing would be right."""
        colours, notes = to_8_bits(self.colours)
        colours = 255 - colours if self.white_is_zero else colours
        image = Image.fromarray(colours[..., 0] if colours.shape[-1] == 1 else colours, *_mode(colours))
        if self.alpha is None:
            return image, None, self.notes + notes
        alpha, _ = to_8_bits(self.alpha, is_alpha=True)
        if self.premultiplied and alpha.any():
            # c a + (1 - a) white is what will be seen: undo the product here, so that others need not know of it
            whole = np.maximum(alpha, 1)[..., None]
            straight = np.minimum(np.rint(colours * (255 / whole)), 255).astype(np.uint8)
            image = Image.fromarray(straight[..., 0] if straight.shape[-1] == 1 else straight, *_mode(straight))
        return image, Image.fromarray(alpha), self.notes + notes


def to_8_bits(samples: np.ndarray, is_alpha: bool = False) -> tuple[np.ndarray, list[str]]:
    """uint8 of the same shape, and a sentence for each thing that this has changed.

    Raises Refused for types that have no range (complex numbers, for example), and where no picture would be left.
    """
    kind, size = samples.dtype.kind, samples.dtype.itemsize
    if kind == "b":
        return samples.astype(np.uint8) * np.uint8(255), []
    if kind not in "uif":
        raise Refused(f"its samples are of the type {samples.dtype.name}, which has no black and no white.")
    if kind == "u" and size == 1:
        return samples, []
    result = np.empty(samples.shape, np.uint8)
    beyond = missing = 0
    for top in range(0, len(samples), ROWS):
        rows: np.ndarray = samples[top : top + ROWS].astype(np.float64)
        if kind == "f":
            none = np.isnan(rows)
            missing += np.count_nonzero(none)
            beyond += np.count_nonzero((rows < 0) | (rows > 1))
            rows = np.clip(np.where(none, 0, rows), 0, 1) * 255
        else:
            bits = 8 * size
            lowest = -(2.0 ** (bits - 1)) if kind == "i" else 0.0
            rows = (rows - lowest) * (255 / (2.0**bits - 1))
        result[top : top + len(rows)] = np.rint(rows)
    if not is_alpha:
        _check(samples, result, beyond)
    said = {
        TO_8_BITS: size > 1,
        SIGNED: kind == "i",
        CLIPPED: beyond > 0,
        NOT_A_NUMBER: missing > 0,
    }
    return result, [note for note, holds in said.items() if holds]


def _check(samples: np.ndarray, result: np.ndarray, beyond: int) -> None:
    """Raise Refused where the rule of the type leaves nothing of the picture."""
    if samples.dtype.kind == "f" and 2 * beyond > samples.size:
        raise Refused("most of its floating-point samples lie outside 0 … 1; divide them by the value of white first.")
    if samples.size and samples.dtype.itemsize > 1 and samples.dtype.kind in "ui":
        if np.ptp(result) == 0 and samples.min() != samples.max():
            raise Refused(
                f"its samples use so little of the range of their type ({samples.dtype.name}) that as 8 bits nothing "
                "would be left; stretch them to that range first."
            )


def has_few_levels(colours: Image.Image, least: int) -> bool:
    """Does an L, RGB or CMYK picture use few of the 256 levels, and at least so many?"""
    extrema: tuple[Any, ...] = colours.getextrema()
    pairs = [extrema] if colours.mode == "L" else extrema
    return least <= max(high for _, high in pairs) - min(low for low, _ in pairs) + 1 < FEW


def lay_on_white(picture: Image.Image, alpha: Image.Image | None) -> tuple[Image.Image, list[str]]:
    """An RGB picture without its transparency, and what was done about that."""
    if alpha is None:
        return picture, []
    lowest, highest = alpha.getextrema()
    if highest == 0:  # many programs write such a channel, and mean nothing by it
        return picture, [ALPHA_IGNORED]
    if lowest == 255:
        return picture, []
    picture = picture.copy()
    picture.putalpha(alpha)
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB"), [ON_WHITE]


def _mode(colours: np.ndarray) -> tuple[str, ...]:
    return ("CMYK",) if colours.shape[-1] == 4 else ()
