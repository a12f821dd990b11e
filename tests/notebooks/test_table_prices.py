"""The price of a symbol, held against bytes that the coder really writes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutorial_lib import rans
from tutorial_lib.cdf import CdfTables
from tutorial_lib.workbench.table_prices import price, total_bits

TABLES = CdfTables.from_pmfs([[0.2, 0.5, 0.25], [0.9]], offsets=[-1, 7], tail_masses=[0.05, 0.1])
REPEATS = 4_000


@given(value=st.integers(-(10**6), 10**6), row=st.integers(0, 1))
def test_the_price_is_what_a_long_stream_pays(value: int, row: int) -> None:
    symbols = np.full(REPEATS, value)
    paid = 8 * len(rans.encode(symbols, np.full(REPEATS, row), TABLES)) / REPEATS
    cdf = TABLES.cdf[row, : TABLES.length[row]]
    assert paid == pytest.approx(price(value, cdf, int(TABLES.offset[row])), abs=0.05)


def test_all_symbols_of_all_channels_are_added_up() -> None:
    symbols = np.random.default_rng(0).integers(-3, 12, (2, 30, 40))
    indexes = np.broadcast_to(np.arange(2)[:, None, None], symbols.shape)
    paid = 8 * len(rans.encode(symbols, indexes, TABLES))
    assert 0 <= paid - total_bits(symbols, TABLES) < 96  # the state that is written in the end, and whole words


@pytest.mark.parametrize("precision", [4, 8, 16])
def test_the_row_tells_its_precision(precision: int) -> None:
    half = CdfTables.from_pmfs([[0.5, 0.25]], [0], [0.25], precision)
    assert price(0, half.cdf[0], 0) == 1 and price(9, half.cdf[0], 0) == 2 + 4 + 4
