"""What a file corrects about its tables: a part whose photo is busier than the prior expects gets wider ones.

A prior has learned from many photos what to expect of the next one. Where it errs, it often errs alike in all of a
level: most of one photo's finest details are a little larger than it says. So a file says, for each part, by how many
tables all of its symbols' tables are shifted, once for grey and once for the colours. That is a byte for each part.

    number of a symbol's table  =  the number that its log-scale gives  +  offset, within what tables there are

The decoder adds. The encoder tries all sixteen, when its symbols are chosen. A trial takes no pass over the symbols:
with a Laplace density (`laplace`), n symbols of which n₀ are zeros cost, with one table,

    n₀ · bits(0)  +  (n − n₀) · bits(1)  +  Σ (|k| − 1) · bits of a further step

so three sums for each of the tables say all.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from tutorial_lib import laplace
from tutorial_lib.bitstream_error import BitstreamError

OFFSETS = range(-8, 8)  # half a byte
TABLES = np.arange(laplace.TABLES)


@cache
def costs() -> NDArray[np.float64]:
    """Bits of a 0, of a 1, and of each step farther away from 0, with each table: (3, TABLES)."""
    s = laplace.log_scale_of(torch.arange(laplace.TABLES)).double()
    zero, one, two = (-laplace.log2_likelihood(torch.full_like(s, k), s) for k in (0.0, 1.0, 2.0))
    return torch.stack([zero, one, two - one]).numpy()


class Counts:
    """Of symbols that share an offset, what their tables' costs depend on: (3, TABLES)."""

    def __init__(self) -> None:
        self.sums = np.zeros((3, laplace.TABLES))

    def add(self, symbols: NDArray, indexes: NDArray) -> None:
        """More symbols, with the numbers of their tables; of equal shapes."""
        symbols, indexes = symbols.ravel(), indexes.ravel()
        every = np.bincount(indexes, minlength=laplace.TABLES)
        others = symbols != 0  # few, in most files
        symbols, indexes = symbols[others].astype(np.int64), indexes[others]
        other = np.bincount(indexes, minlength=laplace.TABLES)
        self.sums += every - other, other, np.bincount(indexes, np.abs(symbols) - 1, laplace.TABLES)

    def best(self) -> int:
        """The offset with the fewest bits; of equal ones the smallest in magnitude."""
        bits = {offset: float((self.sums * costs()[:, shifted(TABLES, offset)]).sum()) for offset in OFFSETS}
        return min(OFFSETS, key=lambda offset: (bits[offset], abs(offset)))


def shifted(indexes: NDArray, offset: int) -> NDArray:
    """Numbers of tables, by an offset higher, as far as there are tables."""
    return np.clip(indexes.astype(np.int32) + offset, 0, laplace.TABLES - 1)


def to_byte(grey: int, colours: int) -> bytes:
    """Both offsets of a part, as its string begins."""
    return bytes([16 * (grey - OFFSETS.start) + colours - OFFSETS.start])


def from_byte(string: bytes) -> tuple[int, int]:
    """The offsets of grey and of the colours. Raises BitstreamError for an empty string."""
    if not string:
        raise BitstreamError("the file is damaged: the string of a part is empty.")
    return string[0] // 16 + OFFSETS.start, string[0] % 16 + OFFSETS.start
