"""Rate control: a file of at most so many bytes, or a picture of at least so many decibels.

A quality says how bits and errors are weighed, not what comes of it: that depends on the picture. But files grow with
the quality, and so does PSNR. So bisection finds where a wish is just met, with files coded in one pass. An encoder
that searches longer makes another file at the same quality, a little smaller as a rule; from where bisection ended,
neighbouring qualities are tried with it until the wish is no longer met twice in a row. Every wish is held against the
very file that is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.transform_codec import TransformCodec

OnRound = Callable[[], object] | None  # see `TransformCodec.encode`
BEYOND = 2  # qualities in a row that miss the wish, before no other is tried


@dataclass(frozen=True)
class Reached:
    """The bytes of a .lic file, its quality, and the PSNR of what is decoded from it, if that was asked for."""

    data: bytes
    quality: int
    decibels: float | None = None


def at_most(
    codec: TransformCodec, image: Tensor, size: int, effort: int | None = None, on_round: OnRound = None
) -> Reached:
    """The file of the highest quality that has at most so many bytes. image: uint8 (3, H, W).

    Raises ValueError where there is none, and for a codec of one rate.
    """

    def code(quality: int, effort: int) -> Reached:
        return Reached(codec.encode(image, quality, effort, on_round), quality)

    found, last = _farthest(
        list(_qualities(codec)), code, lambda file: len(file.data) <= size, codec.check_effort(effort, image[0].numel())
    )
    if found is None:
        raise ValueError(
            f"{size:,} bytes are too few for this picture: even at quality {last.quality} it takes {len(last.data):,}."
        )
    return found


def at_least(
    codec: TransformCodec, image: Tensor, decibels: float, effort: int | None = None, on_round: OnRound = None
) -> Reached:
    """The file of the lowest quality whose picture, as decoded here, has at least this PSNR. image: uint8 (3, H, W).

    Raises ValueError where there is none, and for a codec of one rate.
    """

    def code(quality: int, effort: int) -> Reached:
        data = codec.encode(image, quality, effort, on_round)
        return Reached(data, quality, psnr(codec.decode(data), image))

    def fits(file: Reached) -> bool:
        return file.decibels is not None and file.decibels >= decibels

    found, last = _farthest([*reversed(_qualities(codec))], code, fits, codec.check_effort(effort, image[0].numel()))
    if found is None:
        raise ValueError(
            f"{decibels:g} dB are too many for this codec: even at quality {last.quality} "
            f"this picture reaches {last.decibels:.2f}."
        )
    return found


def _qualities(codec: TransformCodec) -> range:
    if codec.qualities is None:
        raise ValueError("this codec has one rate, so it cannot aim at a size or a PSNR.")
    return codec.qualities


def _farthest(
    qualities: list[int], code: Callable[[int, int], Reached], fits: Callable[[Reached], bool], effort: int
) -> tuple[Reached | None, Reached]:
    """The last of the qualities whose file fits; None if there is none. And the first one's file, or the last tried.

    qualities: those at the beginning fit, if any does.
    """
    low, high = 0, len(qualities)  # in one pass, high and all after it do not fit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(code(qualities[middle], 0)) else (low, middle)
    place = low
    file = code(qualities[place], effort)
    while not fits(file) and place > 0:
        place -= 1
        file = code(qualities[place], effort)
    found, missed = (file, 0) if fits(file) else (None, 1)
    while found is not None and missed < BEYOND and place + 1 < len(qualities):
        place += 1
        file = code(qualities[place], effort)
        found, missed = (file, 0) if fits(file) else (found, missed + 1)
    return found, file
