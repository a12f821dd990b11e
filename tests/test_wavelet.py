"""The wavelet gives every picture back, and is the filter bank that the literature calls CDF 9/7."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from tutorial_lib import wavelet

# Antonini et al. 1992, from the middle outwards; scaled to a gain of 1 at zero (low) and of 2 at Nyquist (high)
LOW = [0.602949018236, 0.266864118443, -0.078223266529, -0.016864118443, 0.026748757411]
HIGH = [1.115087052457, -0.591271763114, -0.057543526228, 0.091271763114]


def picture(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sample_of_sizes() -> list[tuple[int, int]]:
    generator = np.random.default_rng(0)
    others = generator.permutation(70) + 1
    return [(n, int(other)) for n, other in zip(range(1, 71), others, strict=True)] + [(1, 1), (1, 70), (70, 1), (2, 2)]


# Reconstruction ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", sample_of_sizes())
def test_join_gives_back_what_was_split(shape: tuple[int, int]) -> None:
    x = picture(2, 3, *shape)
    low, details = wavelet.split(x)
    small = ((shape[0] + 1) // 2, (shape[1] + 1) // 2)
    assert low.shape == (2, 3, *small) and details.shape == (2, 3, 3, *small)
    torch.testing.assert_close(wavelet.join(low, details, shape), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(7, 12), (1, 5), (6, 1), (3, 3), (1, 1)])
def test_there_are_as_many_coefficients_as_pixels_and_the_other_places_hold_zeros(shape: tuple[int, int]) -> None:
    low, details = wavelet.split(picture(1, 1, *shape))
    count = low.numel()
    for band, (h, w) in zip(details[0, 0], wavelet.band_sizes(shape), strict=True):
        count += h * w
        assert not band[h:].any() and not band[:, w:].any()
        assert h * w == 0 or (band[:h, :w] != 0).all()
    assert count == shape[0] * shape[1]


def test_sizes_of_all_levels() -> None:
    assert wavelet.sizes((37, 5), 4) == [(37, 5), (19, 3), (10, 2), (5, 1), (3, 1)]


def test_gradients_flow_through_both_ways() -> None:
    x = picture(1, 1, 5, 6).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: wavelet.join(*wavelet.split(x), (5, 6)), x)


# The filters -------------------------------------------------------------------------------------------------------


def mirrored(x: np.ndarray, beyond: int) -> np.ndarray:
    return np.pad(x, beyond, mode="reflect")


@pytest.mark.parametrize("n", [16, 17, 9, 10])
def test_it_is_the_9_7_filter_bank(n: int) -> None:
    x = np.random.default_rng(n).normal(size=n)
    low, details = wavelet.split(torch.from_numpy(x).reshape(1, 1, n, 1))
    high = details[0, 0, 0, : n // 2, 0]
    padded = mirrored(x, 4)
    for filters, first, norm, ours in ((LOW, 0, math.sqrt(2), low[0, 0, :, 0]), (HIGH, 1, 1 / math.sqrt(2), high)):
        taps = np.array(filters[:0:-1] + filters)  # 9 or 7
        reach = len(taps) // 2
        for k, value in enumerate(ours.tolist()):
            place = first + 2 * k + 4
            assert abs(norm * taps @ padded[place - reach : place + reach + 1] - value) < 1e-6 * np.abs(x).max() * 4


def test_it_is_nearly_orthonormal() -> None:
    """So that an error of a coefficient is about as large an error of the picture, in whatever band."""
    x, parts = picture(1, 1, 64, 64).double(), []
    low = x
    for _ in range(3):
        low, details = wavelet.split(low)
        parts.append(details)
    energy = sum(float(part.square().sum()) for part in (low, *parts))
    assert 0.85 < energy / float(x.square().sum()) < 1.15
    for band in range(3):
        details = torch.zeros(1, 1, 3, 32, 32, dtype=torch.float64)
        details[0, 0, band, 15, 15] = 1
        norm = wavelet.join(torch.zeros(1, 1, 32, 32, dtype=torch.float64), details, (64, 64)).norm()
        assert 0.9 < float(norm) < 1.1


def test_brightness_doubles_with_each_level_and_a_plane_has_no_details() -> None:
    low, details = wavelet.split(torch.ones(1, 1, 23, 14))
    torch.testing.assert_close(low, torch.full_like(low, 2.0), rtol=0, atol=1e-5)
    assert details.abs().max() < 1e-5


def test_colours_are_turned_and_back() -> None:
    matrix = wavelet.colour_matrix()
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(3), rtol=0, atol=1e-6)
    torch.testing.assert_close(matrix[0], torch.full((3,), 1 / math.sqrt(3)), rtol=0, atol=1e-6)
    x = picture(2, 3, 4, 5)
    torch.testing.assert_close(wavelet.turn_colours(wavelet.turn_colours(x, matrix), matrix.T), x, rtol=0, atol=1e-5)


# Whole numbers -----------------------------------------------------------------------------------------------------


def by_hand(low: list[int], high: list[int]) -> list[int]:
    """One axis, with Python's integers."""
    times = lambda x, factor: (x * round(factor * 2**20) + 2**19) >> 20  # noqa: E731
    even, odd = [times(x, 1 / wavelet.SCALE) for x in low], [times(x, wavelet.SCALE) for x in high]
    cut = lambda x: max(-(2**19), min(2**19, x))  # noqa: E731
    if not odd:
        return low
    at = lambda x, k: x[min(max(k, 0), len(x) - 1)]  # noqa: E731
    a, b, c, d = wavelet.STEPS
    for update, predict in ((d, c), (b, a)):
        even = [cut(x - times(at(odd, k - 1) + at(odd, k), update)) for k, x in enumerate(even)]
        odd = [cut(x - times(even[k] + at(even, k + 1), predict)) for k, x in enumerate(odd)]
    whole = [0] * (len(even) + len(odd))
    whole[::2], whole[1::2] = even, odd
    return whole


@pytest.mark.parametrize("n", [1, 2, 3, 8, 11])
@pytest.mark.parametrize("largest", [100, 2**19])
def test_whole_lifting_is_what_integers_give_even_at_their_limits(n: int, largest: int) -> None:
    random = np.random.default_rng(n)
    low, high = random.integers(-largest, largest + 1, (n + 1) // 2), random.integers(-largest, largest + 1, n // 2)
    details = np.zeros((3, (n + 1) // 2))
    details[0, : n // 2] = high
    ours = wavelet.join_whole(
        torch.from_numpy(low).float().reshape(1, 1, -1, 1) / 256,
        torch.from_numpy(details).float().reshape(1, 1, 3, -1, 1) / 256,
        (n, 1),
    )
    assert (ours[0, 0, :, 0] * 256).long().tolist() == by_hand(low.tolist(), high.tolist())
    assert ours.abs().max() <= 2**11


@pytest.mark.parametrize("shape", [(1, 1), (5, 8), (40, 33)])
def test_whole_lifting_is_close_to_lifting(shape: tuple[int, int]) -> None:
    low, details = wavelet.split(100 * picture(2, 3, *shape))
    low, details = (torch.round(x * 256) / 256 for x in (low, details))
    whole, real = wavelet.join_whole(low, details, shape), wavelet.join(low, details, shape)
    assert torch.equal(whole * 256, torch.round(whole * 256)) and (whole - real).abs().max() < 0.02
