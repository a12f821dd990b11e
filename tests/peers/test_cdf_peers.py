"""cdf beside CompressAI's own quantizer: equal, count for count, wherever that one is in its right mind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("compressai")
from compressai._CXX import pmf_to_quantized_cdf as compressais

from tutorial_lib.cdf import pmf_to_quantized_cdf

PRECISIONS = st.sampled_from([4, 8, 10, 12, 15, 16])


def check(pmf, precision=16):
    pmf = np.asarray(pmf, dtype=np.float32)
    rounded = np.floor(pmf.astype(np.float64) * 2**precision + 0.5)
    if len(pmf) > 2**precision or not 0 < rounded.sum() < 2**32:
        with pytest.raises(ValueError):
            pmf_to_quantized_cdf(pmf, precision)
        return
    theirs = compressais(pmf.tolist(), precision)
    assert pmf_to_quantized_cdf(pmf, precision).tolist() == theirs


probability = st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 1e-3), st.floats(0, 1e-9))


@given(st.lists(probability, min_size=1, max_size=80), PRECISIONS)
def test_any_small_pmf(pmf, precision):
    check(pmf, precision)


@given(st.lists(st.floats(0, 60000), min_size=1, max_size=20), PRECISIONS)
def test_not_normalised(pmf, precision):
    check(pmf, precision)


@given(st.integers(0, 10**6), st.integers(1, 4000), st.floats(0.1, 30), PRECISIONS)
def test_long_and_steep(seed, n, power, precision):
    pmf = np.random.default_rng(seed).random(n) ** power
    check(pmf / pmf.sum(), precision)


@given(st.floats(0.1, 300), st.integers(1, 1600), st.floats(-0.5, 0.5), PRECISIONS)
def test_bells(scale, reach, centre, precision):
    pmf = np.exp(-(((np.arange(-reach, reach + 1) - centre) / scale) ** 2) / 2)
    check(np.append(pmf / pmf.sum(), 1e-9), precision)


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=40), st.integers(-1, 1))
def test_float32_neighbours_of_half_counts(halves, neighbour):
    pmf = np.array(halves, np.float32) / np.float32(2**17)
    check(np.maximum(np.nextafter(pmf, np.float32(neighbour * 10)) if neighbour else pmf, 0))


@given(st.lists(st.sampled_from([0.0, 0.001, 0.25, 0.5]), min_size=1, max_size=1100))
def test_many_equals(pmf):
    check(pmf, 10)


@pytest.mark.parametrize("n", [255, 256, 257])
@pytest.mark.parametrize("peak", [0, 100, 254])
def test_as_many_symbols_as_counts(n, peak):
    pmf = np.full(n, 1e-7)
    pmf[peak] = 1
    check(pmf, 8)


def test_where_compressai_corrupts_silently_this_one_refuses():
    assert compressais([0.2] * 5, 2) == [2**32 - 1, 0, 1, 2, 3, 4]
    with pytest.raises(ValueError, match="5 symbols"):
        pmf_to_quantized_cdf([0.2] * 5, 2)
