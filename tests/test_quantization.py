"""Rounding and its stand-ins against exact arithmetic, closed forms and statistics."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib.quantization import (
    ErrorStatistics,
    add_uniform_noise,
    error_statistics,
    round_ste,
    soft_round,
)

finite_floats = st.lists(st.floats(-(2.0**99), 2.0**99, width=32) | st.floats(-4, 4, width=32), min_size=1, max_size=50)


# ---- round_ste


@given(finite_floats)
def test_round_ste_is_exactly_round(values: list[float]) -> None:
    x = torch.tensor(values, dtype=torch.float32)
    assert torch.equal(round_ste(x), torch.round(x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_round_ste_is_exactly_round_for_every_16_bit_float(dtype: torch.dtype) -> None:
    x = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16).view(dtype)
    x = x[x.isfinite()]
    assert x.numel() > 60_000
    assert torch.equal(round_ste(x), torch.round(x))


def test_round_ste_breaks_ties_to_even() -> None:
    ties = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    assert round_ste(ties).tolist() == [-2, -2, 0, 0, 2, 2]


def test_round_ste_has_the_gradient_of_the_identity() -> None:
    x = torch.linspace(-3, 3, 101, requires_grad=True)
    weights = torch.randn(101)
    (round_ste(x) * weights).sum().backward()
    assert torch.equal(x.grad, weights)


# ---- add_uniform_noise


def test_noise_is_uniform_on_half_a_step_to_either_side() -> None:
    noise = add_uniform_noise(torch.zeros(200_000), torch.Generator().manual_seed(0))
    assert -0.5 <= noise.min() < -0.4999 and 0.4999 < noise.max() < 0.5
    histogram = torch.histc(noise, bins=10, min=-0.5, max=0.5) / noise.numel()
    assert (histogram - 0.1).abs().max() < 0.003  # 4.5 standard deviations
    assert noise.var().item() == pytest.approx(1 / 12, rel=0.01)


def test_noise_is_added_to_x_and_passes_its_gradient() -> None:
    x = torch.full((5, 7), 3.0, dtype=torch.float64, requires_grad=True)
    y = add_uniform_noise(x)
    assert y.shape == x.shape and y.dtype == x.dtype
    assert ((y - x).abs() <= 0.5).all()
    assert y.unique().numel() == 35  # a draw of its own for every element
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))


def test_noise_comes_from_the_generator_if_there_is_one() -> None:
    x = torch.zeros(10)
    before = torch.get_rng_state()
    a = add_uniform_noise(x, torch.Generator().manual_seed(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(a, add_uniform_noise(x, torch.Generator().manual_seed(1)))
    assert not torch.equal(a, add_uniform_noise(x, torch.Generator().manual_seed(2)))
    with torch.random.fork_rng():
        torch.manual_seed(1)
        assert torch.equal(a, add_uniform_noise(x))


def test_noisy_density_at_the_integers_is_the_probability_of_rounding() -> None:
    """P(|x + u - k| < h) / 2h -> P(round(x) = k): the claim that makes noise a stand-in for the rate."""
    x = 1.3 * torch.randn(2_000_000, generator=torch.Generator().manual_seed(0))
    noisy = add_uniform_noise(x, torch.Generator().manual_seed(1))
    for k in (-2, 0, 1):
        density = ((noisy - k).abs() < 0.05).double().mean().item() / 0.1
        assert density == pytest.approx((torch.round(x) == k).double().mean().item(), rel=0.02)


# ---- soft_round


def soft_round_by_hand(x: float, alpha: float) -> float:
    r = x - math.floor(x) - 0.5
    return math.floor(x) + 0.5 + 0.5 * math.tanh(alpha * r) / math.tanh(alpha / 2)


@given(st.floats(-50, 50), st.floats(1e-4, 0.1) | st.floats(0.1, 200))
def test_soft_round_is_the_formula_of_the_paper(x: float, alpha: float) -> None:
    y = soft_round(torch.tensor(x, dtype=torch.float64), alpha).item()
    assert y == pytest.approx(soft_round_by_hand(x, alpha), abs=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 1e-300, 1e-8, 0.99e-4, 1.01e-4, 1e-3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_round_of_a_small_alpha_is_the_identity(alpha: float, dtype: torch.dtype) -> None:
    x = torch.linspace(-3, 3, 601, dtype=dtype, requires_grad=True)
    y = soft_round(x, alpha)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    precision = 4 * torch.finfo(dtype).eps
    assert (y - x).abs().max() <= alpha**2 / 60 + precision
    assert (gradient - 1).abs().max() <= alpha**2 + precision


def test_soft_round_of_a_large_alpha_is_round() -> None:
    x = torch.linspace(-3, 3, 601)
    away_from_ties = (x - torch.floor(x) - 0.5).abs() > 0.05
    assert (soft_round(x, 300.0) - torch.round(x)).abs()[away_from_ties].max() < 1e-6


@pytest.mark.parametrize("alpha", [0.0, 0.1, 3.0, 50.0, 1e4])
def test_soft_round_is_an_increasing_staircase(alpha: float) -> None:
    x = torch.linspace(-3, 3, 2401, dtype=torch.float64)
    y = soft_round(x, alpha)
    assert (y.diff() >= 0).all()
    fixed = torch.arange(-3, 3.5, 0.5, dtype=torch.float64)
    assert torch.equal(soft_round(fixed, alpha), fixed)  # integers and half integers stay
    assert torch.allclose(soft_round(-x, alpha), -y, atol=1e-12)
    assert torch.allclose(soft_round(x + 7, alpha), y + 7, atol=1e-12)
    assert (y - x).abs().max() <= 0.5


@pytest.mark.parametrize("alpha", [1e-5, 1e-3, 0.5, 8.0])
def test_soft_round_has_the_gradient_of_its_curve(alpha: float) -> None:
    x = torch.tensor([-1.8, -0.3, 0.1, 0.4999, 0.77, 12.2], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda v: soft_round(v, alpha), x)


@pytest.mark.parametrize("alpha", [0.0, 1e-30, 1.0, 1e3, 1e30])
def test_soft_round_gradients_are_finite_and_bounded(alpha: float) -> None:
    x = torch.linspace(-2, 2, 401, requires_grad=True)
    soft_round(x, alpha).sum().backward()
    assert x.grad.isfinite().all() and (x.grad >= 0).all()
    assert x.grad.max() <= max(1.0, 0.51 * alpha) + 0.1


@pytest.mark.parametrize("alpha", [-0.1, math.inf, math.nan])
def test_soft_round_refuses_an_impossible_alpha(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        soft_round(torch.zeros(1), alpha)


# ---- error_statistics


def quantize(x: Tensor, step: float, lowest: float, highest: float) -> Tensor:
    return (torch.round(x / step) * step).clamp(lowest, highest)


def test_error_statistics_of_a_worked_example() -> None:
    x = torch.tensor([0.25, -0.5, 2.0, 2.5, 4.0, -3.0])
    x_hat = torch.tensor([0.0, 0.0, 2.0, 2.0, 2.0, -2.0])  # levels -2 ... 2: 4 and -3 are clipped, 2.5 is not
    statistics = error_statistics(x, x_hat, levels=(-2, 2))
    assert statistics == ErrorStatistics(
        mean=pytest.approx((-0.25 + 0.5 + 0 - 0.5 - 2 + 1) / 6),
        mse=pytest.approx((0.0625 + 0.25 + 0 + 0.25 + 4 + 1) / 6),
        max_abs=2.0,
        granular=pytest.approx((0.0625 + 0.25 + 0.25) / 6),
        overload=pytest.approx(5 / 6),
    )


@given(finite_floats, st.floats(0.1, 3), st.integers(0, 5), st.integers(0, 5))
def test_the_two_parts_make_up_the_whole(values: list[float], step: float, below: int, above: int) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    x_hat = quantize(x, step, -below * step, above * step)
    parts = error_statistics(x, x_hat, levels=(-below * step, above * step), step=step)
    assert parts.granular + parts.overload == pytest.approx(parts.mse, rel=1e-12)
    assert parts.granular <= (step / 2) ** 2 * (1 + 1e-9)
    assert abs(parts.mean) <= parts.max_abs * (1 + 1e-12) and parts.mse <= parts.max_abs**2 * (1 + 1e-12)
    inside = ((x >= -(below + 0.5) * step) & (x <= (above + 0.5) * step)).all()
    assert (parts.overload == 0) == bool(inside)


def test_without_levels_nothing_is_overload() -> None:
    x = torch.tensor([1e6, 0.3])
    statistics = error_statistics(x, torch.zeros(2))
    assert statistics.overload == 0 and statistics.granular == statistics.mse


def test_rounding_a_wide_source_costs_a_twelfth_of_the_squared_step() -> None:
    x = 20 * torch.randn(400_000, generator=torch.Generator().manual_seed(0))
    for step in (0.5, 2.0):
        statistics = error_statistics(x, torch.round(x / step) * step)
        assert statistics.mse == pytest.approx(step**2 / 12, rel=0.01)
        assert statistics.mean == pytest.approx(0, abs=step / 200)
        assert statistics.max_abs == pytest.approx(step / 2, rel=1e-3)


def test_error_statistics_are_plain_frozen_numbers() -> None:
    statistics = error_statistics(torch.ones(3, requires_grad=True), torch.zeros(3))
    assert all(type(value) is float for value in vars(statistics).values())
    with pytest.raises(AttributeError):
        statistics.mse = 0.0


@pytest.mark.parametrize(
    ("x", "x_hat", "options"),
    [
        (torch.zeros(3), torch.zeros(1), {}),
        (torch.zeros(0), torch.zeros(0), {}),
        (torch.zeros(3), torch.zeros(3), {"levels": (1.0, -1.0)}),
        (torch.zeros(3), torch.zeros(3), {"levels": (-1.0, 1.0), "step": 0.0}),
        (torch.zeros(3), torch.zeros(3), {"levels": (math.nan, 1.0)}),
    ],
)
def test_error_statistics_refuse_nonsense(x: Tensor, x_hat: Tensor, options: dict) -> None:
    with pytest.raises(ValueError):
        error_statistics(x, x_hat, **options)
