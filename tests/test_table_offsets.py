"""The shift of a part's tables: the cheapest one, counted by three sums, and what it is worth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tutorial_lib import laplace
from tutorial_lib.bitstream_error import BitstreamError
from tutorial_lib.table_offsets import OFFSETS, Counts, costs, from_byte, shifted, to_byte


def bits(symbols: np.ndarray, indexes: np.ndarray) -> float:
    """By the likelihoods themselves, symbol by symbol."""
    s = laplace.log_scale_of(torch.from_numpy(indexes)).double()
    return -float(laplace.log2_likelihood(torch.from_numpy(symbols).double(), s).sum())


def symbols_of(scale: float, n: int, seed: int) -> np.ndarray:
    return np.round(np.random.default_rng(seed).laplace(0, scale, n)).astype(np.int32)


@given(st.floats(0.2, 20.0), st.integers(0, laplace.TABLES - 1), st.integers(1, 300), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_no_other_offset_is_cheaper(scale: float, middle: int, n: int, seed: int) -> None:
    symbols = symbols_of(scale, n, seed)
    indexes = np.clip(middle + np.random.default_rng(seed).integers(-9, 10, n), 0, laplace.TABLES - 1).astype(np.int32)
    counts = Counts()
    for half in (slice(None, n // 2), slice(n // 2, None)):
        counts.add(symbols[half], indexes[half])
    each = {offset: bits(symbols, shifted(indexes, offset)) for offset in OFFSETS}
    rarest = bool((-each[counts.best()] / n) < laplace.LEAST / 2)  # there likelihoods end, and costs go on
    assert rarest or each[counts.best()] == pytest.approx(min(each.values()), rel=1e-6)


def test_tables_that_are_an_octave_too_narrow_are_shifted_by_an_octave() -> None:
    right = 48
    symbols = symbols_of(2.0 ** float(laplace.log_scale_of(torch.tensor(right))), 20_000, 0)
    counts = Counts()
    counts.add(symbols, np.full(len(symbols), right - laplace.PER_OCTAVE + 1))
    assert counts.best() == laplace.PER_OCTAVE - 1
    assert bits(symbols, np.full(len(symbols), right)) < 0.95 * bits(symbols, np.full(len(symbols), right - 7))


def test_nothing_is_shifted_by_nothing() -> None:
    assert Counts().best() == 0


def test_costs_are_those_of_the_likelihoods() -> None:
    zero, one, step = costs()
    for table in (0, 20, 50, 100):
        for k in (0, 1, 2, 5):
            cost = zero[table] if not k else one[table] + (k - 1) * step[table]
            if cost < -laplace.LEAST:
                assert cost == pytest.approx(bits(np.array([-k]), np.array([table])), rel=1e-6)


def test_there_and_back_in_a_byte() -> None:
    pairs = [(grey, colours) for grey in OFFSETS for colours in OFFSETS]
    assert [from_byte(to_byte(*pair) + b"more") for pair in pairs] == pairs
    assert len({to_byte(*pair) for pair in pairs}) == 256
    with pytest.raises(BitstreamError, match="empty"):
        from_byte(b"")


def test_shifts_end_where_the_tables_do() -> None:
    ends = np.array([0, laplace.TABLES - 1], dtype=np.uint8)
    assert shifted(ends, -8).tolist() == [0, laplace.TABLES - 9] and shifted(ends, 7).tolist() == [
        7,
        laplace.TABLES - 1,
    ]
