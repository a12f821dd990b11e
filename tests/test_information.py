"""Entropies against sums written out in Python, known values, and Gibbs' inequality."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tutorial_lib.information import (
    bits,
    bits_per_pixel,
    cross_entropy,
    entropy,
    kl_divergence,
    rate_distortion_loss,
)


def normalise(weights: list[int]) -> list[float]:
    return [w / sum(weights) for w in weights]


@st.composite
def two_pmfs(draw: st.DrawFn) -> tuple[list[float], list[float]]:
    n = draw(st.integers(1, 20))
    weights = st.lists(st.integers(0, 1000), min_size=n, max_size=n).filter(any)
    return normalise(draw(weights)), normalise(draw(weights))


def cross_entropy_by_hand(p: list[float], q: list[float]) -> float:
    if any(a > 0 and b == 0 for a, b in zip(p, q, strict=True)):
        return math.inf
    return math.fsum(-a * math.log2(b) for a, b in zip(p, q, strict=True) if a > 0)


@given(two_pmfs())
def test_against_sums_written_out(pmfs: tuple[list[float], list[float]]) -> None:
    p, q = pmfs
    h, h_pq = cross_entropy_by_hand(p, p), cross_entropy_by_hand(p, q)
    for convert in (list, np.array, lambda pmf: torch.tensor(pmf, dtype=torch.float64)):
        assert float(entropy(convert(p))) == pytest.approx(h, abs=1e-12)
        assert float(cross_entropy(convert(p), convert(q))) == pytest.approx(h_pq, abs=1e-12)
        assert float(kl_divergence(convert(p), convert(q))) == pytest.approx(h_pq - h, abs=1e-12)


@given(two_pmfs())
def test_bounds(pmfs: tuple[list[float], list[float]]) -> None:
    p, q = pmfs
    assert 0 <= entropy(p) <= math.log2(len(p)) + 1e-12
    assert kl_divergence(p, q) >= 0  # Gibbs
    assert kl_divergence(p, p) == 0


def test_rounding_errors_do_not_make_a_divergence_negative() -> None:
    p = torch.softmax(torch.randn(1000, 20, dtype=torch.float64), dim=-1)
    q = p * (1 + 1e-15 * torch.randn_like(p))
    assert (kl_divergence(p, q) >= 0).all()


@pytest.mark.parametrize(
    ("pmf", "expected"),
    [
        ([1.0], 0.0),
        ([0.0, 1.0, 0.0], 0.0),
        ([0.5, 0.5], 1.0),
        ([0.5, 0.25, 0.125, 0.125], 1.75),
        ([1 / 64] * 64, 6.0),
    ],
)
def test_known_entropies(pmf: list[float], expected: float) -> None:
    assert entropy(pmf) == pytest.approx(expected, abs=1e-12)


def test_no_cost_is_printed_without_a_minus_sign() -> None:
    assert f"{entropy([1.0, 0.0]):.1f} {bits(np.ones(3)):.1f} {kl_divergence([1.0], [1.0]):.1f}" == "0.0 0.0 0.0"


def test_what_the_code_calls_impossible_costs_infinitely_many_bits() -> None:
    assert cross_entropy([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert kl_divergence([0.5, 0.5], [1.0, 0.0]) == math.inf
    assert cross_entropy([1.0, 0.0], [1.0, 0.0]) == 0  # what never happens costs nothing
    assert kl_divergence([1.0, 0.0], [0.5, 0.5]) == 1
    assert bits([0.5, 0.0]) == math.inf


def test_rows_are_taken_along_the_last_axis() -> None:
    p = torch.softmax(torch.randn(4, 3, 7, dtype=torch.float64), dim=-1)
    q = torch.softmax(torch.randn(4, 3, 7, dtype=torch.float64), dim=-1)
    for function in (cross_entropy, kl_divergence):
        together = function(p, q)
        assert together.shape == (4, 3)
        assert together[2, 1].item() == pytest.approx(function(p[2, 1], q[2, 1]).item())
    assert entropy(p.numpy()).shape == (4, 3)


def test_tensors_give_tensors_and_arrays_give_arrays() -> None:
    tensor, array = torch.tensor([0.5, 0.5]), np.array([0.5, 0.5])
    for result in (entropy(tensor), cross_entropy(array, tensor), kl_divergence(tensor, array), bits(tensor)):
        assert isinstance(result, torch.Tensor) and result.shape == ()
    for result in (entropy(array), cross_entropy(array, array), kl_divergence(array, array), bits(array)):
        assert isinstance(result, np.float64)


def test_a_long_float32_softmax_is_a_pmf() -> None:
    assert 10 < entropy(torch.softmax(torch.randn(65_536), dim=0)) < 16


@pytest.mark.parametrize("convert", [np.array, torch.tensor])
@pytest.mark.parametrize(
    ("pmf", "message"),
    [
        ([0.5, 0.6], "sums to"),
        ([0.5, 0.4999], "sums to"),
        ([[0.5, 0.5], [0.5, 0.4]], "sums to"),
        ([1.5, -0.5], "negative"),
        ([0.5, math.nan], "NaN"),
        ([math.inf, 0.5], "sums to"),
        ([], "empty"),
        (1.0, "empty"),
    ],
)
def test_what_is_no_pmf_is_refused(pmf: list[float], message: str, convert: type) -> None:
    with pytest.raises(ValueError, match=message):
        entropy(convert(pmf))
    uniform = np.full(np.shape(pmf) or 1, 1 / (np.shape(pmf) or (1,))[-1] if np.size(pmf) else 1.0)
    for function in (cross_entropy, kl_divergence):
        with pytest.raises(ValueError):
            function(uniform, convert(pmf))
        with pytest.raises(ValueError):
            function(convert(pmf), uniform)


def test_pmfs_over_different_symbols_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        cross_entropy([0.5, 0.5], [1.0])  # would broadcast


# ---- bits, bits per pixel, the loss


def test_bits_add_up_whatever_the_shape() -> None:
    assert bits(torch.tensor([[0.5, 0.25], [1.0, 0.125]])).item() == 6
    assert bits(np.full((2, 3, 4), 0.25)) == 48


def test_bits_have_the_gradient_of_minus_log2() -> None:
    p = torch.tensor([0.1, 0.5, 1.0], dtype=torch.float64, requires_grad=True)
    bits(p).backward()
    assert p.grad.tolist() == pytest.approx([-1 / (v * math.log(2)) for v in p.tolist()])


def test_bits_per_pixel_counts_every_latent_and_the_pixels_of_the_image() -> None:
    likelihoods = {"y": torch.full((2, 8, 4, 4), 0.5), "z": torch.full((2, 4, 1, 1), 0.25)}
    assert bits_per_pixel(likelihoods, 2 * 64 * 64).item() == pytest.approx((256 + 16) / 8192)
    assert bits_per_pixel(likelihoods["z"], 8).item() == 2
    assert bits_per_pixel(np.full(6, 0.25), 3) == 4
    with pytest.raises(ValueError, match="num_pixels"):
        bits_per_pixel(likelihoods, 0)


def test_rate_distortion_loss_of_a_worked_example() -> None:
    x = torch.zeros(2, 3, 4, 8)
    x_hat = torch.full((2, 3, 4, 8), 0.1, requires_grad=True)
    likelihoods = {"y": torch.full((2, 8), 0.5, requires_grad=True), "z": torch.full((2, 4), 0.25)}
    losses = rate_distortion_loss({"x_hat": x_hat, "likelihoods": likelihoods}, x, lmbda=0.01)
    assert set(losses) == {"loss", "bpp", "mse"}
    assert losses["bpp"].item() == pytest.approx((16 + 16) / 64)
    assert losses["mse"].item() == pytest.approx(0.01)
    assert losses["loss"].item() == pytest.approx(0.5 + 0.01 * 65025 * 0.01)
    losses["loss"].backward()
    assert x_hat.grad.abs().min() > 0 and likelihoods["y"].grad.abs().min() > 0


@pytest.mark.parametrize(("x", "x_hat"), [((2, 3, 8, 8), (1, 3, 8, 8)), ((3, 8, 8), (3, 8, 8))])
def test_rate_distortion_loss_refuses_shapes_that_do_not_fit(x: tuple, x_hat: tuple) -> None:
    output = {"x_hat": torch.zeros(x_hat), "likelihoods": {"y": torch.ones(1)}}
    with pytest.raises(ValueError, match="B, C, H, W"):
        rate_distortion_loss(output, torch.zeros(x), 0.01)
