"""Windows and strips of a picture: what a large picture is coded in, so that memory stays bounded.

A network with a small reach computes for a window what it would compute for the whole picture, but for a margin as wide
as its reach. Where the picture ends a window ends, too, without a margin: there both see the same edge. Windows begin
at even positions, so that positions keep their parities, and half of a window is a window of the picture's half.

`Strips` keep what is known of a whole picture, a strip of rows at a time: memory is taken when a strip is written, and
given back when it is forgotten; it may wait in a file, too. Nor does what tiles leave behind stay in the allocator: see
`release`.
"""

from __future__ import annotations

import ctypes
import math
import mmap
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

ALL = slice(None)
MOST = 32  # one number in so many may be larger than the type of its array
BLOCK = 256  # columns
LITTLE = 2**25  # numbers that are kept in two bytes each, which takes less time
CACHED = 2**16  # numbers that are worked on at once: they stay in a processor's cache
WIDENED = 32  # rows that change their type at once
MALLOC_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
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
    """Squares of that side, an even one: row by row, they cover a picture. What was free before them is given back."""
    release()
    for top in range(0, shape[0], side):
        for left in range(0, shape[1], side):
            yield Window(slice(top, min(top + side, shape[0])), slice(left, min(left + side, shape[1])))


def release() -> None:
    """Give free memory back to the system: glibc's allocator keeps it, in pieces between what is still needed."""
    if MALLOC_TRIM is not None:
        MALLOC_TRIM(0)


def set_aside(shape: Sequence[int], dtype: DTypeLike) -> NDArray:
    """Zeros, in pages of their own: memory that goes back to the system when it is freed.

    What lives long would otherwise lie scattered among what lives short, and the gaps would add up.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    if size < mmap.PAGESIZE:
        return np.zeros(shape, dtype)
    return np.frombuffer(mmap.mmap(-1, size), dtype).reshape(shape)


class Away(NamedTuple):
    """Where in a file numbers lie."""

    file: IO[bytes]
    place: int
    shape: tuple[int, ...]
    dtype: np.dtype


class Strip:
    """(h, w, C) whole multiples of 1/unit, in a byte or two each; the few that need more are kept apart.

    Kept are numbers: values times unit, minus centre. Where the array says `least`, the lowest number of its type, one
    is kept apart: the one written last. If they are more than one in MOST, the array changes to the next larger type.
    With float32 as the type, any values are kept as they are.
    """

    def __init__(self, shape: tuple[int, int, int], dtype: DTypeLike, unit: float = 1.0, centre: float = 0.0) -> None:
        self.numbers, self.unit, self.centre = set_aside(shape, dtype), unit, centre
        self.away: Away | None = None
        self.least = lowest(dtype)
        self.count = 0  # of those apart
        # For each BLOCK columns, (2, n): where in the block, and number, of those apart.
        self.apart = [np.empty((2, 0), np.int32) for _ in range(0, shape[1], BLOCK)]

    @property
    def nbytes(self) -> int:
        """That it takes, in memory."""
        return sum(array.nbytes for array in (self.numbers, *self.apart))

    def put_away(self, file: IO[bytes]) -> None:
        """Leave the numbers in a file until they are read. Nothing is written after this. Raises OSError if it is full.

        A system keeps of a file what it has memory for; unlike a process's memory, it may take that away.
        """
        away = Away(file, file.seek(0, os.SEEK_END), self.numbers.shape, self.numbers.dtype)
        file.write(self.numbers.data)
        file.flush()
        self.away = away
        self.leave()

    def leave(self) -> None:
        """Give back the memory of numbers that have been put away."""
        if self.away is not None and self.numbers.size:
            self.numbers = self.numbers[:0].copy()

    def fetch(self) -> None:
        """Read the numbers again, if they have been put away."""
        if self.away is None or self.numbers.size:
            return
        file, place, shape, dtype = self.away
        self.numbers = set_aside(shape, dtype)
        file.seek(place)
        if file.readinto(self.numbers.reshape(-1).view(np.uint8)) != self.numbers.nbytes:  # type: ignore[attr-defined]
            raise OSError(f"{math.prod(shape):,} numbers could not be read again from the temporary file.")

    def read(self, window: Window, into: NDArray) -> None:
        """into: (h, w, C) float32."""
        self.fetch()
        scale, offset = 1 / self.unit, self.centre / self.unit  # powers of two, and multiples of them: exact
        np.multiply(self.numbers[window], scale, out=into, dtype=np.float32, casting="unsafe")
        if offset:
            into += offset
        for block in range(window.columns.start // BLOCK, (window.columns.stop - 1) // BLOCK + 1):
            places, numbers = self.apart[block]
            if not places.size:
                continue
            y, x, c = np.unravel_index(places, (self.numbers.shape[0], BLOCK, into.shape[2]))
            y, x = y - window.rows.start, x + (block * BLOCK - window.columns.start)
            down, right = (each.step or 1 for each in window)
            here = (y >= 0) & (y < down * len(into)) & (x >= 0) & (x < right * into.shape[1])
            if (down, right) != (1, 1):
                here &= (y % down == 0) & (x % right == 0)
            y, x, c, values = y[here] // down, x[here] // right, c[here], numbers[here] * scale + offset
            valid = into[y, x, c] == self.least * scale + offset  # others have been overwritten
            into[y[valid], x[valid], c[valid]] = values[valid]  # of several, the last one stays

    def write(self, window: Window, values: NDArray) -> None:
        """values: (h, w, C) float32."""
        rows, step = max(1, CACHED // max(1, values[0].size)), window.rows.step or 1
        for top in range(0, len(values), rows):
            begin = window.rows.start + top * step
            part = Window(slice(begin, min(begin + rows * step, window.rows.stop), step), window.columns)
            self._write(part, values[top : top + rows])

    def _write(self, window: Window, values: NDArray) -> None:
        numbers = np.empty(values.shape, np.float32)
        np.multiply(values, self.unit, out=numbers)
        numbers -= self.centre
        most = -self.least - 1
        if not numbers.size or max(numbers.max(), -numbers.min()) <= most:
            self.numbers[window] = numbers
            return
        flat = numbers.reshape(-1)
        beyond = np.flatnonzero(np.abs(flat) > most)
        large, flat[beyond] = flat[beyond], self.least
        self.numbers[window] = numbers
        y, x, c = np.unravel_index(beyond, numbers.shape)
        y, x = (span.start + n * (span.step or 1) for span, n in zip(window, (y, x), strict=True))
        new = np.stack([(y * BLOCK + x % BLOCK) * values.shape[2] + c, large]).astype(np.int32)
        for block in range(x.min() // BLOCK, x.max() // BLOCK + 1):
            both = self.apart[block], new[:, x // BLOCK == block]
            room = set_aside((2, sum(each.shape[1] for each in both)), np.int32)
            self.apart[block] = np.concatenate(both, axis=1, out=room)
        self.count += len(beyond)
        if MOST * self.count > self.numbers.size:
            self._widen()

    def _widen(self) -> None:
        h, w, channels = self.numbers.shape
        wide = Strip((h, w, channels), WIDER[self.numbers.dtype.type], self.unit, self.centre)
        for top in range(0, h, WIDENED):
            window = Window(slice(top, min(top + WIDENED, h)), slice(0, w))
            values = np.empty((*window.shape, channels), np.float32)
            self.read(window, values)
            wide.write(window, values)
        vars(self).update(vars(wide))


def lowest(dtype: DTypeLike) -> float:
    """Number of a type."""
    return float(np.iinfo(dtype).min) if np.issubdtype(dtype, np.integer) else -math.inf


class Strips:
    """(channels, *shape), in strips of so many rows: see `Strip`; unit None: float32.

    together: all channels are read and written at once, and lie together, as networks like them; else each one is a
    `Strip` of its own. What is written lies in one strip, and what is read in steps does.
    """

    def __init__(
        self,
        channels: int,
        shape: tuple[int, int],
        rows: int,
        unit: float | None,
        device: torch.device,
        centre: float = 0.0,
        together: bool = False,
    ) -> None:
        self.shape, self.rows, self.device = shape, rows, device
        self.groups, self.channels = (1, channels) if together else (channels, 1)  # channels: of each group
        narrow = np.int8 if channels * shape[0] * shape[1] > LITTLE else np.int16
        self.kind = (np.float32, 1.0, 0.0) if unit is None else (narrow, unit, centre)
        self.strips: list[list[Strip] | None] = [None] * -(-shape[0] // rows)
        self.waits = False  # does a part of it wait in a file?

    def spans(self) -> Iterator[slice]:
        """The rows of each strip."""
        return (slice(top, min(top + self.rows, self.shape[0])) for top in range(0, self.shape[0], self.rows))

    @property
    def nbytes(self) -> int:
        """That they take."""
        return sum(strip.nbytes for groups in self.strips if groups is not None for strip in groups)

    def read(self, window: Window, groups: slice = ALL) -> Tensor:
        """(1, C, h, w) float32, of the groups of channels."""
        rows, columns = window
        counts = (len(range(each.start, each.stop, each.step or 1)) for each in window)
        x = np.empty((len(range(self.groups)[groups]), *counts, self.channels), np.float32)
        wanted = range(rows.start // self.rows, (rows.stop - 1) // self.rows + 1)
        if self.waits:
            self._leave(wanted)
        for n in wanted if x.size else ():
            strips, top = self.strips[n], n * self.rows
            if strips is None:
                raise AssertionError("a strip was read before it was written, or after it was forgotten")
            here = slice(max(rows.start - top, 0), min(rows.stop - top, self.rows), rows.step)
            above = max(top - rows.start, 0)
            for strip, part in zip(strips[groups], x, strict=True):
                strip.read(Window(here, columns), part[above : above + here.stop - here.start])
        return torch.from_numpy(x).permute(0, 3, 1, 2).flatten(0, 1)[None].to(self.device)

    def write(self, window: Window, values: Tensor, groups: slice = ALL) -> None:
        """values (1, C, h, w)."""
        if not values.numel():
            return
        n = window.rows.start // self.rows
        strips, top = self.strips[n], n * self.rows
        if strips is None:
            shape = min(self.rows, self.shape[0] - top), self.shape[1], self.channels
            strips = self.strips[n] = [Strip(shape, *self.kind) for _ in range(self.groups)]
        here = window._replace(rows=moved(window.rows, -top))
        parts = values[0].cpu().unflatten(0, (-1, self.channels)).permute(0, 2, 3, 1)  # (groups, h, w, C)
        for strip, part in zip(strips[groups], parts.numpy(), strict=True):
            strip.write(here, part)

    def forget(self, row: int) -> None:
        """Give back the memory of strips that lie above a row."""
        for n in range(min(max(row, 0) // self.rows, len(self.strips))):
            self.strips[n] = None

    def put_away(self, file: IO[bytes], row: int) -> None:
        """Leave the strip that this row lies in in a file: see `Strip.put_away`."""
        self.waits = True
        for strip in self.strips[row // self.rows] or ():
            strip.put_away(file)

    def _leave(self, wanted: range) -> None:
        """Give back the memory of what waits in a file, but for the strips with these numbers."""
        for n, strips in enumerate(self.strips):
            for strip in strips or () if n not in wanted else ():
                strip.leave()
