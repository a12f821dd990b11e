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
MOST = 64  # one number in so many may be larger than the type of its plane
BLOCK = 256  # columns
LITTLE = 2**25  # numbers that are kept in two bytes each, which takes less time
CACHED = 2**16  # numbers that are worked on at once: they stay in a processor's cache
WIDER = {np.int8: np.int16, np.int16: np.int32}


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


class Strip:
    """(channels, h, w) whole multiples of 1/unit, in a byte or two each; the few that need more are kept apart.

    Kept are numbers: values times unit, minus centre. Where a channel's plane says `least`, the lowest number of its
    type, one is kept apart: the one written last. If they are more than one in MOST, the plane changes to the next
    larger type. With float32 as the type, any values are kept as they are.
    """

    def __init__(
        self, channels: int, shape: tuple[int, int], dtype: DTypeLike, unit: float = 1.0, centre: float = 0.0
    ) -> None:
        self.planes = [set_aside(shape, dtype) for _ in range(channels)]
        self.unit, self.centre = unit, centre
        self.least = np.full(channels, lowest(dtype), np.float32)
        self.counts = np.zeros(channels, np.int64)  # of those apart
        # For each BLOCK columns, (4, n): channel, row, column and number of those apart.
        self.apart = [np.empty((4, 0), np.int32) for _ in range(0, shape[1], BLOCK)]

    @property
    def nbytes(self) -> int:
        """That it takes."""
        return sum(array.nbytes for array in (*self.planes, *self.apart))

    def read(self, window: Window, channels: slice, into: NDArray) -> None:
        """into: (C, h, w) float32."""
        for plane, part in zip(self.planes[channels], into, strict=True):
            part[...] = plane[window]
            part += self.centre
            part *= 1 / self.unit  # a power of two: exact
        first, last = window.columns.start // BLOCK, (window.columns.stop - 1) // BLOCK
        apart = np.concatenate(self.apart[first : last + 1], axis=1)
        if not apart.size:
            return
        begins = [[channels.start or 0], [window.rows.start], [window.columns.start]]
        c, y, x = apart[:3] - np.array(begins, np.int32)
        here = (c >= 0) & (c < len(into)) & (y >= 0) & (y < window.shape[0]) & (x >= 0) & (x < window.shape[1])
        steps = [each.step or 1 for each in window]
        if steps != [1, 1]:
            here &= (y % steps[0] == 0) & (x % steps[1] == 0)
        places = c[here], y[here] // steps[0], x[here] // steps[1]
        least = (self.least[channels] + self.centre) * (1 / self.unit)
        valid = into[places] == least[places[0]]  # others have been overwritten
        values = (apart[3, here][valid] + self.centre) * (1 / self.unit)
        into[tuple(each[valid] for each in places)] = values  # of several, the last one stays

    def write(self, window: Window, channels: slice, values: NDArray) -> None:
        """values: (C, h, w) float32."""
        rows = max(1, CACHED // max(1, values.shape[0] * values.shape[2]))
        for top in range(0, values.shape[1], rows):
            step = window.rows.step or 1
            begin = window.rows.start + top * step
            part = Window(slice(begin, min(begin + rows * step, window.rows.stop), step), window.columns)
            self._write(part, channels, values[:, top : top + rows])

    def _write(self, window: Window, channels: slice, values: NDArray) -> None:
        numbers = np.empty(values.shape, np.float32)
        np.multiply(values, self.unit, out=numbers)
        numbers -= self.centre
        least, flat = self.least[channels], numbers.reshape(-1)
        beyond = np.flatnonzero(np.abs(numbers) > -(least + 1)[:, None, None])
        places = np.unravel_index(beyond, numbers.shape)
        large, flat[beyond] = flat[beyond], least[places[0]]
        for plane, part in zip(self.planes[channels], numbers, strict=True):
            plane[window] = part
        if len(beyond):
            spans = zip((channels, *window), places, strict=True)
            axes = [(span.start or 0) + n * (span.step or 1) for span, n in spans]
            new = np.stack([*axes, large]).astype(np.int32)
            blocks = new[2] // BLOCK
            for block in range(blocks.min(), blocks.max() + 1):
                both = self.apart[block], new[:, blocks == block]
                room = set_aside((4, sum(each.shape[1] for each in both)), np.int32)
                self.apart[block] = np.concatenate(both, axis=1, out=room)
            self.counts += np.bincount(new[0], minlength=len(self.counts))
            while len(many := np.flatnonzero(MOST * self.counts > self.planes[0].size)):
                self._widen(int(many[0]))

    def _widen(self, channel: int) -> None:
        narrow, mine = self.planes[channel], slice(channel, channel + 1)
        everything, values = whole((narrow.shape[0], narrow.shape[1])), np.empty((1, *narrow.shape), np.float32)
        self.read(everything, mine, values)
        self.apart = [each[:, each[0] != channel] for each in self.apart]
        self.planes[channel] = set_aside(narrow.shape, WIDER[narrow.dtype.type])
        self.least[channel], self.counts[channel] = lowest(self.planes[channel].dtype), 0
        self.write(everything, mine, values)


def lowest(dtype: DTypeLike) -> float:
    """Number of a type."""
    return float(np.iinfo(dtype).min) if np.issubdtype(dtype, np.integer) else -math.inf


class Strips:
    """(channels, *shape), in strips of so many rows: see `Strip`; unit None: float32.

    What is written lies in one strip, and what is read in steps does.
    """

    def __init__(
        self,
        channels: int,
        shape: tuple[int, int],
        rows: int,
        unit: float | None,
        device: torch.device,
        centre: float = 0.0,
    ) -> None:
        self.channels, self.shape, self.rows, self.device = channels, shape, rows, device
        narrow = np.int8 if channels * shape[0] * shape[1] > LITTLE else np.int16
        self.kind = (np.float32, 1.0, 0.0) if unit is None else (narrow, unit, centre)
        self.strips: list[Strip | None] = [None] * -(-shape[0] // rows)

    def spans(self) -> Iterator[slice]:
        """The rows of each strip."""
        return (slice(top, min(top + self.rows, self.shape[0])) for top in range(0, self.shape[0], self.rows))

    @property
    def nbytes(self) -> int:
        """That they take."""
        return sum(strip.nbytes for strip in self.strips if strip is not None)

    def read(self, window: Window, channels: slice = ALL) -> Tensor:
        """(1, C, h, w) float32."""
        rows, columns = window
        counts = (len(range(each.start, each.stop, each.step or 1)) for each in window)
        x = np.empty((len(range(self.channels)[channels]), *counts), np.float32)
        for n in range(rows.start // self.rows, (rows.stop - 1) // self.rows + 1):
            strip, top = self.strips[n], n * self.rows
            if strip is None:
                raise AssertionError("a strip was read before it was written, or after it was forgotten")
            here = slice(max(rows.start - top, 0), min(rows.stop - top, self.rows), rows.step)
            above = max(top - rows.start, 0)
            strip.read(Window(here, columns), channels, x[:, above : above + here.stop - here.start])
        return torch.from_numpy(x)[None].to(self.device)

    def write(self, window: Window, values: Tensor, channels: slice = ALL) -> None:
        """values (1, C, h, w)."""
        n = window.rows.start // self.rows
        strip, top = self.strips[n], n * self.rows
        if strip is None:
            shape = min(self.rows, self.shape[0] - top), self.shape[1]
            strip = self.strips[n] = Strip(self.channels, shape, *self.kind)
        strip.write(window._replace(rows=moved(window.rows, -top)), channels, values[0].cpu().numpy())

    def forget(self, row: int) -> None:
        """Give back the memory of strips that lie above a row."""
        for n in range(min(max(row, 0) // self.rows, len(self.strips))):
            self.strips[n] = None
