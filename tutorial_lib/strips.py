"""Windows and strips of a picture: what a large picture is coded in, so that memory stays bounded.

A network with a small reach computes for a window what it would compute for the whole picture, but for a margin as wide
as its reach. Where the picture ends a window ends, too, without a margin: there both see the same edge. Windows begin
at even positions, so that positions keep their parities, and half of a window is a window of the picture's half.

`Strips` keep what is known of a whole picture, a strip of rows at a time: memory is taken when a strip is written, and
given back when it is forgotten.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

ALL = slice(None)


class Window(NamedTuple):
    """A rectangle of positions; with steps of 2, those of equal parity in it."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        """Its height and width."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def of(self, x: Tensor) -> Tensor:
        """(…, h, w) -> what lies in the window."""
        return x[..., self.rows, self.columns]

    def within(self, outer: Window) -> Window:
        """The same places, counted from where `outer` begins."""
        (top, _), (left, _) = ((each.start, each.stop) for each in outer)
        return Window(moved(self.rows, -top), moved(self.columns, -left))

    def widened(self, margin: int, shape: tuple[int, int]) -> Window:
        """With a margin, an even one, on each side, as far as a picture of that shape goes."""
        rows, columns = (
            slice(max(0, each.start - margin), min(each.stop + margin, end))
            for each, end in zip(self, shape, strict=True)
        )
        return Window(rows, columns)

    def halved(self) -> Window:
        """What covers it in a picture of half the size, widened by one where that begins at an odd position."""
        rows, columns = (slice(each.start // 4 * 2, (each.stop + 1) // 2) for each in self)
        return Window(rows, columns)

    def times(self, factor: int, shape: tuple[int, int]) -> Window:
        """What it covers in a picture of that shape, so many times as large."""
        ends = zip(self, shape, strict=True)
        rows, columns = (slice(factor * each.start, min(factor * each.stop, end)) for each, end in ends)
        return Window(rows, columns)

    def parity(self, row: int, column: int) -> Window:
        """Its positions that are ≡ row and column (mod 2)."""
        return Window(
            slice(self.rows.start + row, self.rows.stop, 2), slice(self.columns.start + column, self.columns.stop, 2)
        )

    def quarter(self, row: int, column: int) -> Window:
        """The same positions in an array that holds only those of that parity."""
        return Window(
            slice(self.rows.start // 2, (self.rows.stop - row + 1) // 2),
            slice(self.columns.start // 2, (self.columns.stop - column + 1) // 2),
        )


def moved(span: slice, by: int) -> slice:
    """A slice, so much later."""
    return slice(span.start + by, span.stop + by, span.step)


def whole(shape: tuple[int, int]) -> Window:
    """All of a picture."""
    return Window(slice(0, shape[0]), slice(0, shape[1]))


def tiles(shape: tuple[int, int], side: int) -> Iterator[Window]:
    """Squares of that side, an even one: row by row, they cover a picture."""
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield Window(slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1])))


def set_aside(shape: Sequence[int], dtype: DTypeLike) -> NDArray:
    """Zeros, in pages of their own: memory that goes back to the system when it is freed.

    What lives long would otherwise lie scattered among what lives short, and the gaps would add up.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < mmap.PAGESIZE:
        return np.zeros(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


class Strips:
    """(channels, *shape), in strips of so many rows: multiples of 1/unit in int16, or float32 where unit is None.

    A strip with a number that int16 cannot hold is kept in int32. What is written lies in one strip.
    """

    def __init__(
        self, channels: int, shape: tuple[int, int], rows: int, unit: float | None, device: torch.device
    ) -> None:
        self.channels, self.shape, self.rows, self.unit, self.device = channels, shape, rows, unit, device
        self.strips: list[Tensor | None] = [None] * -(-shape[0] // rows)

    def spans(self) -> Iterator[slice]:
        """The rows of each strip."""
        return (slice(top, min(top + self.rows, self.shape[0])) for top in range(0, self.shape[0], self.rows))

    def read(self, window: Window, channels: slice = ALL) -> Tensor:
        """(1, C, h, w) float32."""
        pieces = []
        for n in range(window.rows.start // self.rows, (window.rows.stop - 1) // self.rows + 1):
            strip, top = self.strips[n], n * self.rows
            if strip is None:
                raise AssertionError("a strip was read before it was written, or after it was forgotten")
            rows = slice(max(window.rows.start - top, 0), window.rows.stop - top, window.rows.step)
            pieces.append(strip[channels, rows, window.columns])
        x = (torch.cat(pieces, dim=1) if len(pieces) > 1 else pieces[0])[None].float()
        return x if self.unit is None else x * (1 / self.unit)  # powers of two: exact

    def write(self, window: Window, values: Tensor, channels: slice = ALL) -> None:
        """values (1, C, h, w)."""
        n = window.rows.start // self.rows
        strip, top = self.strips[n], n * self.rows
        if strip is None:
            size = self.channels, min(self.rows, self.shape[0] - top), self.shape[1]
            zeros = set_aside(size, np.float32 if self.unit is None else np.int16)
            strip = self.strips[n] = torch.from_numpy(zeros).to(self.device)
        values = values[0]
        if self.unit is not None:
            values = values * self.unit
            if strip.dtype == torch.int16 and values.numel() and float(values.abs().amax()) >= 2**15:
                strip = self.strips[n] = strip.int()
        strip[channels, moved(window.rows, -top), window.columns] = values.to(strip.dtype)

    def forget(self, row: int) -> None:
        """Give back the memory of strips that lie above a row."""
        for n in range(min(max(row, 0) // self.rows, len(self.strips))):
            self.strips[n] = None
