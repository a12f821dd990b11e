"""The conditional Gaussian against its formula, in float64 and with many digits; and quantization, all the same."""

from __future__ import annotations

import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr
from torch import Tensor

from tutorial_lib.cdf import CdfTables
from tutorial_lib.entropy_bottleneck import LIKELIHOOD_BOUND
from tutorial_lib.entropy_coder import CoderHolder, EntropyCoder
from tutorial_lib.gaussian_conditional import SCALE_LEVELS, SCALE_MAX, SCALE_MIN, GaussianConditional, scale_table
from tutorial_lib.information import bits

COARSE = torch.tensor([0.2, 1.0, 5.0])


def latent(shape: tuple[int, ...] = (2, 3, 7, 5), seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(y, scales, means): scales from far below the table to beyond it, y spread as they say."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.exp(10 * torch.rand(shape, generator=generator) - 4)
    means = 5 * torch.randn(shape, generator=generator)
    return means + scales * torch.randn(shape, generator=generator), scales, means


def exact_mass(residual: float, scale: float) -> float:
    """The formula of the module's first lines, with 60 digits."""
    with mpmath.workdps(60):
        residual, scale, half = mpmath.mpf(residual), mpmath.mpf(scale), mpmath.mpf(1) / 2
        return float(mpmath.ncdf((residual + half) / scale) - mpmath.ncdf((residual - half) / scale))


# ---- the scale table


def test_the_usual_table() -> None:
    table = scale_table()
    assert table.shape == (SCALE_LEVELS,) == (64,) and table.dtype == torch.float32
    assert table[0].item() == pytest.approx(SCALE_MIN, rel=1e-6) and SCALE_MIN == 0.11
    assert table[-1].item() == pytest.approx(SCALE_MAX, rel=1e-6) and SCALE_MAX == 256
    ratios = table[1:] / table[:-1]
    assert torch.allclose(ratios, torch.tensor((256 / 0.11) ** (1 / 63)), rtol=1e-5)
    assert ratios.mean().item() == pytest.approx(1.13, abs=0.005)  # "13 % a step"
    assert torch.equal(GaussianConditional().scale_table, table)


def test_other_tables() -> None:
    assert scale_table(1.0, 16.0, 5).tolist() == pytest.approx([1, 2, 4, 8, 16], rel=1e-6)
    assert GaussianConditional([0.5, 2.0]).scale_table.tolist() == [0.5, 2.0]
    table = COARSE.clone()
    gaussian = GaussianConditional(table)
    table.zero_()
    assert torch.equal(gaussian.scale_table, COARSE)  # it keeps a copy


@pytest.mark.parametrize(
    "table",
    [
        *([], [0.0, 1.0], [-1.0, 1.0], [1.0, 1.0], [2.0, 1.0], [1.0, 3.0, 2.0], [[1.0, 2.0]], 3.0),
        *([math.nan], [math.nan, 1.0], [1.0, math.nan], [1.0, math.inf]),
    ],
)
def test_bad_tables_are_refused(table: object) -> None:
    with pytest.raises(ValueError, match="finite scales in ascending order"):
        GaussianConditional(torch.tensor(table))


def test_two_models_do_not_share_their_table() -> None:
    one, other = GaussianConditional(), GaussianConditional()
    one.scale_table.zero_()
    assert torch.equal(other.scale_table, scale_table())


# ---- indexes: which table


@given(st.lists(st.floats(0, 1000, width=32), min_size=1, max_size=20))
@settings(max_examples=50)
def test_a_value_has_the_smallest_scale_that_is_not_below_its_own(scales: list[float]) -> None:
    for gaussian in (GaussianConditional(), GaussianConditional(COARSE), GaussianConditional(torch.tensor([3.0]))):
        indexes = gaussian.indexes(torch.tensor(scales))
        table = gaussian.scale_table.tolist()
        assert indexes.dtype == torch.int32
        for scale, index in zip(scales, indexes.tolist(), strict=True):
            assert index == next((t for t, other in enumerate(table) if other >= scale), len(table) - 1)


def test_indexes_at_just_below_and_just_above_the_tables_values() -> None:
    gaussian = GaussianConditional()
    table, number = gaussian.scale_table, torch.arange(64)
    assert torch.equal(gaussian.indexes(table).long(), number)
    assert torch.equal(gaussian.indexes(torch.nextafter(table, torch.tensor(0.0))).long(), number)
    above = gaussian.indexes(torch.nextafter(table, torch.tensor(math.inf))).long()
    assert torch.equal(above, (number + 1).clamp(max=63))


def test_indexes_beyond_both_ends_and_of_any_layout() -> None:
    gaussian = GaussianConditional()
    assert gaussian.indexes(torch.tensor([-5.0, 0.0, 1e-30, 257.0, math.inf])).tolist() == [0, 0, 0, 63, 63]
    scales = latent()[1]
    for layout in (scales.permute(2, 0, 3, 1), scales[:, ::2], scales.to(memory_format=torch.channels_last)):
        indexes = gaussian.indexes(layout)
        assert indexes.shape == layout.shape
        assert torch.equal(indexes, gaussian.indexes(layout.clone(memory_format=torch.contiguous_format)))


def test_a_value_costs_no_more_than_its_scale_is_off() -> None:
    """Scales are rounded up by 13 % at most: that takes 1 % more bits at the very most."""
    gaussian, rows = GaussianConditional(), GaussianConditional().pmfs()[0]
    for scale in np.exp(np.linspace(math.log(0.5), math.log(200), 40)):
        row = rows[int(gaussian.indexes(torch.tensor([scale], dtype=torch.float32)))]
        symbols = np.arange(len(row)) - len(row) // 2
        exact = ndtr((symbols + 0.5) / scale) - ndtr((symbols - 0.5) / scale)
        waste = float((exact * np.log2(exact.clip(1e-300) / row.clip(1e-300))).sum())
        assert 0 <= waste + 1e-6 < 0.025


# ---- likelihoods


def test_likelihoods_are_the_formula() -> None:
    gaussian = GaussianConditional().double()
    for scale in (0.11, 0.3, 1.0, 17.5, 256.0, 3000.0):
        for steps in (0.0, 0.1, -0.7, 1.0, 2.5, -5.0):
            residual = round(steps * scale * 4) / 4
            expected = max(exact_mass(residual, scale), 1e-9)
            mass = gaussian.likelihood(torch.tensor(residual).double(), torch.tensor(scale).double()).item()
            assert mass == pytest.approx(expected, rel=1e-6, abs=1e-13)


def test_likelihoods_in_float32() -> None:
    y, scales, means = latent()
    y_hat, likelihoods = GaussianConditional().eval()(y, scales, means)
    assert likelihoods.shape == y.shape and likelihoods.dtype == torch.float32
    residual, bounded = (y_hat - means).double(), scales.clamp(min=SCALE_MIN).double()
    exact = torch.from_numpy(ndtr((residual + 0.5) / bounded).numpy() - ndtr((residual - 0.5) / bounded).numpy())
    assert (likelihoods.double() - exact.clamp(min=1e-9)).abs().max() < 2e-6


def test_both_tails_are_precise_in_float32() -> None:
    residual = torch.tensor([-12.0, -9.0, 9.0, 12.0])
    mass = GaussianConditional().likelihood(residual, torch.full((4,), 2.0))
    expected = [max(exact_mass(r, 2.0), 1e-9) for r in residual.tolist()]
    assert mass.tolist() == pytest.approx(expected, rel=1e-4)
    assert mass[0] == mass[3] > 2e-9  # far below the distance between floats near 1


@pytest.mark.parametrize("fraction", [0.0, 0.25, -0.5])
@pytest.mark.parametrize("scale", [0.05, 0.11, 0.4, 1.0, 8.3, 60.0])
def test_likelihoods_sum_to_one(scale: float, fraction: float) -> None:
    """Wherever the mean is; but for the bound, 1e-9 a symbol."""
    residual = torch.arange(-800, 801, dtype=torch.float64) + fraction
    mass = GaussianConditional().double().likelihood(residual, torch.tensor(scale).double())
    assert mass.min() == LIKELIHOOD_BOUND == 1e-9
    assert mass[mass > 1e-9].sum().item() == pytest.approx(1, abs=1e-7)


def test_scales_below_the_table_count_as_its_first() -> None:
    residual = torch.tensor([0.0, 0.3, 1.0])
    for gaussian, first in ((GaussianConditional(), 0.11), (GaussianConditional(COARSE), 0.2)):
        lowest = gaussian.likelihood(residual, torch.full((3,), first))
        for scale in (-3.0, 0.0, 0.1):
            assert torch.allclose(gaussian.likelihood(residual, torch.full((3,), scale)), lowest, rtol=1e-5)
        assert gaussian.likelihood(residual, torch.full((3,), 0.3))[0] < lowest[0]


def test_a_gaussian_of_the_right_scale_costs_what_it_must() -> None:
    """Of values from N(μ, σ²) the code length is near the differential entropy, and with any other σ it is longer."""
    generator = torch.Generator().manual_seed(3)
    means = 4 * torch.rand(200_000, generator=generator)
    y = means + 6 * torch.randn(200_000, generator=generator)
    gaussian = GaussianConditional().eval()
    cost = {scale: bits(gaussian(y, torch.full_like(y, scale), means)[1]).item() / len(y) for scale in (4.5, 6.0, 8.0)}
    assert cost[6.0] == pytest.approx(0.5 * math.log2(2 * math.pi * math.e * 36), abs=0.01)
    assert cost[4.5] > cost[6.0] + 0.05 < cost[8.0]


# ---- quantization: the same in training and in coding


def test_in_use_the_residual_is_rounded() -> None:
    y, scales, means = latent()
    gaussian = GaussianConditional().eval()
    y_hat, likelihoods = gaussian(y, scales, means)
    assert torch.equal(y_hat, torch.round(y - means) + means)
    assert not torch.equal(y_hat, torch.round(y))
    assert torch.equal(likelihoods, gaussian.likelihood(y_hat - means, scales))
    without = gaussian(y, scales)
    assert torch.equal(without[0], torch.round(y))
    for ours, theirs in zip(without, gaussian(y, scales, torch.zeros_like(y)), strict=True):
        assert torch.equal(ours, theirs)


def test_training_on_whole_numbers_sees_what_use_will_code() -> None:
    y, scales, means = latent((4, 3, 16, 16))
    gaussian = GaussianConditional(noise=False)
    for centres in (means, None):
        trained, used = gaussian.train()(y, scales, centres), gaussian.eval()(y, scales, centres)
        assert torch.equal(trained[0], used[0])
        torch.testing.assert_close(bits(trained[1]), bits(used[1]), rtol=1e-3, atol=0)
        whole = torch.round(y - (0 if centres is None else centres))
        torch.testing.assert_close(trained[1], gaussian.likelihood(whole, scales), rtol=1e-5, atol=0)


def test_training_with_noise_rates_the_noisy_value_around_the_same_mean() -> None:
    y, scales, means = latent((40, 3, 16, 16))
    gaussian = GaussianConditional()  # noise is the default, as is training mode
    torch.manual_seed(11)
    y_hat, likelihoods = gaussian(y, scales, means)
    difference = (y_hat - y).double()
    near = y.abs() < 100  # elsewhere, floats are too coarse to tell
    assert difference.abs().max() <= 0.5001
    histogram = torch.histc(difference[near], 10, -0.5, 0.5) / near.sum()
    assert (histogram - 0.1).abs().max() < 0.01
    assert torch.equal(likelihoods, gaussian.likelihood(y_hat - means, scales))
    torch.manual_seed(11)
    assert torch.equal(gaussian(y, scales)[0], y_hat)  # the noise does not depend on what else is known


@pytest.mark.parametrize("noise", [True, False])
def test_the_decoder_gets_the_forward_pass_bit_for_bit(noise: bool) -> None:
    gaussian = GaussianConditional(noise=noise)
    slot = CoderHolder()
    slot.build(gaussian)
    for seed, with_means in ((0, True), (1, True), (2, False)):
        y, scales, means = latent((2, 6, 16, 12), seed)
        means = means if with_means else None
        strings = slot.coder.compress(y, gaussian.indexes(scales), means)
        back = slot.coder.decompress(strings, indexes=gaussian.indexes(scales), means=means)
        assert torch.equal(back, gaussian.eval()(y, scales, means)[0])
        if not noise:
            assert torch.equal(back, gaussian.train()(y, scales, means)[0])


def test_strings_are_as_long_as_the_likelihoods_promise() -> None:
    generator = torch.Generator().manual_seed(5)
    scales = torch.exp(6.5 * torch.rand(1, 8, 64, 64, generator=generator) - 2)  # 0.14 to 90
    means = torch.randn(scales.shape, generator=generator)
    y = means + scales * torch.randn(scales.shape, generator=generator)
    gaussian = GaussianConditional().eval()
    coder = EntropyCoder.build(gaussian)
    promised = bits(gaussian(y, scales, means)[1]).item() / 8
    (string,) = coder.compress(y, gaussian.indexes(scales), means)
    assert 0.998 * promised < len(string) < 1.005 * promised + 8


# ---- gradients


def within_two_deviations(seed: int) -> list[Tensor]:
    """(y, scales, means), float64 leaves, away from all bounds."""
    y, scales, means = (t.double() for t in latent((2, 2, 5, 5), seed))
    scales = scales.clamp(0.4, 50)
    y = means + (y - means).clamp(-2 * scales, 2 * scales)
    return [t.requires_grad_() for t in (y, scales, means)]


def finite_difference(cost: Callable[[Tensor], Tensor], at: Tensor, step: float = 1e-6) -> Tensor:
    """The slope of a function that works on each element by itself."""
    at = at.detach()
    return (cost(at + step) - cost(at - step)) / (2 * step)


def test_gradients_with_noise_are_exact() -> None:
    gaussian = GaussianConditional().double()
    inputs = within_two_deviations(seed=1)

    def cost(n: int, value: Tensor) -> Tensor:
        torch.manual_seed(2)
        return -gaussian(*inputs[:n], value, *inputs[n + 1 :])[1].log2()

    gradients = torch.autograd.grad(cost(0, inputs[0]).sum(), inputs)
    for n, gradient in enumerate(gradients):
        expected = finite_difference(lambda value, n=n: cost(n, value).detach(), inputs[n])
        torch.testing.assert_close(gradient, expected, rtol=1e-5, atol=1e-6)
    y, _, means = inputs
    through_y_hat = torch.autograd.grad(gaussian(*inputs)[0].sum(), [y, means], allow_unused=True)
    assert (through_y_hat[0] == 1).all() and through_y_hat[1] is None


def test_gradients_on_whole_numbers() -> None:
    """Exact for scales and for means, of the symbols as they are; for y, the slope between two of them."""
    gaussian = GaussianConditional(noise=False).double()
    y, scales, means = inputs = within_two_deviations(seed=1)
    for_y, for_scales, for_means = torch.autograd.grad(bits(gaussian(*inputs)[1]), inputs)

    def cost(residual: Tensor, scales: Tensor) -> Tensor:
        return -gaussian.likelihood(residual, scales).log2().detach()

    whole, below = torch.round(y - means).detach(), torch.floor(y - means).detach()
    torch.testing.assert_close(for_y, cost(below + 1, scales) - cost(below, scales))
    expected = finite_difference(lambda scales: cost(whole, scales), scales)
    torch.testing.assert_close(for_scales, expected, rtol=1e-5, atol=1e-6)
    expected = finite_difference(lambda residual: -cost(residual, scales), whole)
    torch.testing.assert_close(for_means, expected, rtol=1e-5, atol=1e-6)

    outside = (y - means).abs() > 1  # there, rate draws y and its mean towards each other
    assert outside.sum() > 50
    assert (for_y.sign() == (y - means).sign())[outside].all()
    assert (for_means.sign() == (means - y).sign())[outside].all()


def test_on_whole_numbers_the_distortion_sees_y_hat_move_with_y_and_with_its_mean() -> None:
    y, scales, means = (t.requires_grad_() for t in latent())
    y_hat, _ = GaussianConditional(noise=False)(y, scales, means)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(9))
    (y_hat * weights).sum().backward()
    assert torch.equal(y.grad, weights) and torch.equal(means.grad, weights)
    assert scales.grad is None


@pytest.mark.parametrize("noise", [True, False])
def test_the_bound_on_scales_lets_them_come_back(noise: bool) -> None:
    """A scale that has sunk too low is called back by values that it does not expect, and by them only."""
    scales = torch.full((2,), 0.01, requires_grad=True)
    y = torch.tensor([0.0, 1.0])
    torch.manual_seed(4)
    (first, second) = torch.autograd.grad(bits(GaussianConditional(noise=noise)(y, scales)[1]), scales)[0]
    assert first == 0 and second < -1


def test_the_bound_on_likelihoods_lets_them_come_back() -> None:
    gaussian = GaussianConditional().double()
    scales = torch.tensor([0.5], dtype=torch.float64, requires_grad=True)
    residual = torch.tensor([4.0], dtype=torch.float64, requires_grad=True)
    mass = gaussian.likelihood(residual, scales)
    assert exact_mass(4.0, 0.5) < mass.item() == 1e-9
    by_residual, by_scale = torch.autograd.grad(bits(mass), [residual, scales])
    assert by_residual > 0 > by_scale


def test_outliers_cost_thirty_bits_and_break_nothing() -> None:
    for noise in (True, False):
        y = torch.tensor([1e6, -1e6, 3e4]).requires_grad_()
        scales = torch.tensor([0.2, 1.0, 0.11]).requires_grad_()
        _, likelihoods = GaussianConditional(noise=noise)(y, scales)
        torch.testing.assert_close(likelihoods, torch.full((3,), 1e-9))
        bits(likelihoods).backward()
        assert y.grad.isfinite().all() and scales.grad.isfinite().all()


# ---- what a coder needs


@pytest.mark.parametrize("table", [None, COARSE], ids=["usual", "coarse"])
def test_pmfs_are_the_formula(table: Tensor | None) -> None:
    gaussian = GaussianConditional(table)
    rows, offsets, tails = gaussian.pmfs()
    assert len(rows) == len(offsets) == len(tails) == len(gaussian.scale_table)
    assert offsets.dtype == np.int64
    for scale, row, offset, tail in zip(gaussian.scale_table.tolist(), rows, offsets, tails, strict=True):
        n = -int(offset)
        assert row.shape == (2 * n + 1,)
        assert n - 1 < 6.1094 * scale <= n  # 6.1094: the normal's quantile of 1 − 1e-9 / 2
        edges = np.arange(-n, n + 2) - 0.5
        exact = np.diff(ndtr(-np.abs(edges) / scale) * np.where(edges < 0, 1, -1))
        exact[n] = 1 - 2 * ndtr(-0.5 / scale)
        assert np.abs(row - exact).max() < 2e-7
        assert np.array_equal(row, row[::-1])
        assert tail == pytest.approx(2 * ndtr(-(n + 0.5) / scale), rel=1e-3, abs=1e-30) and tail < 1e-9
        assert row.sum() + tail == pytest.approx(1, abs=2e-6)


def test_some_pmfs_with_many_digits() -> None:
    rows, offsets, _ = GaussianConditional(COARSE).pmfs()
    for scale, row, offset in zip(COARSE.tolist(), rows, offsets, strict=True):
        expected = [exact_mass(k, scale) for k in range(offset, -offset + 1)]
        assert row.tolist() == pytest.approx(expected, rel=2e-4, abs=1e-7)


def test_tables_are_the_formula_in_counts() -> None:
    gaussian = GaussianConditional()
    tables = CdfTables.from_pmfs(*gaussian.pmfs())
    assert tables.cdf.shape == (64, 2 * 1565 + 3)
    for t, scale in enumerate(gaussian.scale_table.tolist()):
        widths = np.diff(tables.cdf[t, : tables.length[t]])
        symbols = np.arange(len(widths) - 1) + tables.offset[t]
        exact = 65536 * (ndtr((symbols + 0.5) / scale) - ndtr((symbols - 0.5) / scale))
        likely = exact > 20
        gifts = (exact < 0.5).sum() + 2  # what it takes so that nobody goes empty
        assert np.abs(widths[:-1] - exact)[likely].max() <= max(3, gifts)
        assert widths[-1] >= 1


def test_tables_are_made_on_the_cpu_whatever_the_default_device() -> None:
    expected = CdfTables.from_pmfs(*GaussianConditional().pmfs())
    with torch.device("meta"):  # stands in for a GPU: tensors made without saying where would land there
        rows = GaussianConditional().pmfs()
    assert CdfTables.from_pmfs(*rows) == expected


def test_the_table_is_part_of_the_state() -> None:
    state = GaussianConditional(COARSE).state_dict()
    assert list(state) == ["scale_table"]
    gaussian = GaussianConditional(torch.tensor([1.0, 2.0, 3.0]))
    gaussian.load_state_dict(state, strict=True)
    assert torch.equal(gaussian.scale_table, COARSE)
    assert gaussian.indexes(torch.tensor([0.5])).item() == 1
    with pytest.raises(RuntimeError):
        GaussianConditional().load_state_dict(state)
    with pytest.raises(RuntimeError):
        gaussian.load_state_dict({**state, "scale": COARSE})


@pytest.mark.parametrize("prefix", ["", "gaussian_conditional."])
def test_a_state_dict_of_compressai_loads_strictly(prefix: str) -> None:
    """Its layout, made up here; tests/peers does the same with the real ones."""
    state = {"scale_table": COARSE, "scale_bound": torch.tensor([0.11])}
    for name in ("_offset", "_quantized_cdf", "_cdf_length", "lower_bound_scale.bound", "likelihood_lower_bound.bound"):
        state[name] = torch.zeros(3)
    state = {prefix + name: value for name, value in state.items()}
    names = list(state)
    gaussian = GaussianConditional(torch.tensor([1.0, 2.0, 3.0]))
    (torch.nn.ModuleDict({"gaussian_conditional": gaussian}) if prefix else gaussian).load_state_dict(state)
    assert torch.equal(gaussian.scale_table, COARSE)
    assert list(state) == names  # the caller's dictionary is left alone
