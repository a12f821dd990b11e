"""What symbols cost with given tables, in bits, computed instead of coded: for tables of any precision.

A listed value costs precision − log2(width). Any other costs that of the escape and its digits: with n listed values
and v = value − offset, r = 2 (v − n) above the row and −2 v − 1 below it; 4 bits say how many hexadecimal digits r has,
and each takes 4 more (`tutorial_lib.rans`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tutorial_lib.cdf import CdfTables


def price(value: int, cdf: Sequence[int] | NDArray, offset: int) -> float:
    """Bits of one value in one row.

    cdf: the borders without padding, from 0 to a power of two, the escape last. offset: the value of symbol 0.

    >>> price(1, [0, 16384, 49152, 65535, 65536], offset=0), price(3, [0, 16384, 49152, 65535, 65536], offset=0)
    (1.0, 20.0)
    """
    n, v = len(cdf) - 2, int(value) - int(offset)
    k = v if 0 <= v < n else n
    bits = math.log2(cdf[-1]) - math.log2(cdf[k + 1] - cdf[k])
    if k < n:
        return bits
    r = 2 * (v - n) if v >= n else -2 * v - 1
    return bits + 4 + 4 * hexadecimal_digits(r)


def hexadecimal_digits(r: int) -> int:
    """How many digits r ≥ 0 is sent with: 0 has none.

    >>> [hexadecimal_digits(r) for r in (0, 1, 15, 16, 255, 256)]
    [0, 1, 1, 2, 2, 3]
    """
    return -(-r.bit_length() // 4)


def total_bits(symbols: NDArray, tables: CdfTables) -> float:
    """Bits of symbols (C, …), whole numbers, those of channel c coded with row c of C tables."""
    total = 0.0
    for channel, row, length, offset in zip(symbols, tables.cdf, tables.length, tables.offset, strict=True):
        values, times = np.unique(channel, return_counts=True)
        prices = [price(value, row[:length].tolist(), offset) for value in values.tolist()]
        total += float(times @ np.array(prices))
    return total
