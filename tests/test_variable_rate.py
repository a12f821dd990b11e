"""One network for every quality: gains that grow with it, a transform that laps, and the way back."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib.dct_transforms import BLOCK, KEPT, Refinement, dct_matrix
from tutorial_lib.files.images import to_float
from tutorial_lib.portable import from_fixed
from tutorial_lib.prior import FactorizedPrior
from tutorial_lib.quality import ROW_SPACING, ROWS, VariableRateCodec
from tutorial_lib.variable_rate import (
    DeblockingFilter,
    GainedAnalysis,
    GainedSynthesis,
    QualityTable,
    filter_edges,
    lambda_of,
    lapped_prefilter,
    quality_map,
)
from tutorial_lib.workbench.photos import photo

M = sum(KEPT)
ALL = torch.arange(1.0, 101.0)  # qualities


@pytest.fixture
def table(noise):
    """table(channels=7, seed=0): a quality table with numbers from −8 to 12."""
    return lambda channels=7, seed=0: QualityTable(20 * noise(ROWS, channels, seed=seed) - 8)


def awake(refinement: Refinement) -> Refinement:
    """With a last layer that does something."""
    torch.manual_seed(5)
    torch.nn.init.normal_(refinement.network[-1].weight, 0, 0.3)
    return refinement


@pytest.fixture(scope="module")
def fresh() -> tuple[GainedAnalysis, GainedSynthesis]:
    return GainedAnalysis(hidden=4, depth=1), GainedSynthesis(hidden=4, depth=1, deblock=4)


# Qualities ---------------------------------------------------------------------------------------------------------


def a_codec() -> VariableRateCodec:
    return VariableRateCodec(torch.nn.Identity(), torch.nn.Identity(), FactorizedPrior(3), 1)


@pytest.mark.parametrize("quality", [1, 2, 50, 99, 100])
def test_a_quality_is_a_whole_number_from_1_to_100(quality: int) -> None:
    assert a_codec().check_quality(quality) == quality
    same = a_codec().check_quality(np.int64(quality))
    assert same == quality and type(same) is int


def test_no_quality_is_the_default() -> None:
    assert a_codec().check_quality(None) == 50


@pytest.mark.parametrize("quality", [0, 101, -1, 50.0, 0.5, "50", True, False, np.float64(50), float("nan")])
def test_other_qualities_are_refused(quality: object) -> None:
    with pytest.raises(ValueError, match=r"^a quality is a whole number from 1 to 100, not .+\.$") as caught:
        a_codec().check_quality(quality)
    assert repr(quality) in str(caught.value)


def test_lambda_goes_from_end_to_end_in_equal_ratios() -> None:
    lmbda = lambda_of(ALL.double())
    assert lmbda[0].item() == pytest.approx(0.0004) and lmbda[-1].item() == pytest.approx(0.12)
    ratios = lmbda[1:] / lmbda[:-1]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 300 ** (1 / 99)))


def test_a_map_tells_the_quality_as_a_number_between_minus_1_and_1() -> None:
    maps = quality_map(torch.tensor([1.0, 50.5, 75.25, 100.0]), torch.zeros(4, 9, 2, 3))
    assert maps.shape == (4, 1, 2, 3)
    assert torch.equal(maps[:, 0, 1, 2], torch.tensor([-1.0, 0.0, 0.5, 1.0]))
    assert (maps == maps[..., :1, :1]).all()


def test_a_table_has_its_rows_eleven_qualities_apart_and_straight_lines_between_them(table) -> None:
    values = table()
    rows = values(torch.arange(ROWS) * float(ROW_SPACING) + 1)[..., 0, 0]
    assert (ROWS, ROW_SPACING) == (10, 11) and rows.shape == (10, 7)
    torch.testing.assert_close(rows, values.values.detach())
    quality = torch.tensor([1.0, 4.3, 11.99, 12.0, 50.0, 98.5, 100.0])
    by_numpy = [
        np.interp(quality.numpy(), 1 + 11 * np.arange(10), column) for column in values.values.detach().numpy().T
    ]
    between = values(quality)[..., 0, 0].detach().numpy()
    np.testing.assert_allclose(between, np.stack(by_numpy, axis=1), rtol=0, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_a_table_in_fixed_point_is_near_the_floats_and_equal_to_integers(seed: int, table) -> None:
    values = table(seed=seed)
    fixed = (values.values.detach().double() * 1024).round().long()  # (10, C)
    for quality in range(1, 101):
        exact = values.in_units(torch.tensor([float(quality)]), 1024)
        assert exact.shape == (1, 7, 1, 1) and exact.dtype == torch.float64 and not exact.requires_grad
        torch.testing.assert_close(from_fixed(exact), values(torch.tensor([float(quality)])), rtol=0, atol=2**-10)
        row, beyond = divmod(quality - 1, 11)
        row, beyond = (row, beyond) if row < 9 else (8, 11)
        elevenths = fixed[row] * (11 - beyond) + fixed[row + 1] * beyond
        assert exact.flatten().tolist() == [(2 * n + 11) // 22 for n in elevenths.tolist()]  # the nearest; no ties
        if beyond in (0, 11):
            assert torch.equal(exact.flatten(), fixed[(quality - 1) // 11].double())


def test_only_the_rows_around_a_quality_learn_from_it(table) -> None:
    values = table()
    values(torch.tensor([1.0, 40.0])).sum().backward()
    assert values.values.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [0, 3, 4]


# Lapping -----------------------------------------------------------------------------------------------------------


def test_the_lapping_is_orthonormal_keeps_constants_and_mirrors() -> None:
    matrix = lapped_prefilter()
    assert matrix.shape == (BLOCK, BLOCK) and matrix.dtype == torch.float32
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(BLOCK), rtol=0, atol=1e-6)
    torch.testing.assert_close(matrix @ torch.ones(BLOCK), torch.ones(BLOCK), rtol=0, atol=1e-6)
    torch.testing.assert_close(matrix.flip(0, 1), matrix, rtol=0, atol=1e-6)
    assert not torch.allclose(matrix, torch.eye(BLOCK), atol=0.1)


def lapped_by_hand(x: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Edge after edge, down and then across: x (..., H, W)."""
    x = x.copy()
    for axis in (-2, -1):
        for edge in range(BLOCK, x.shape[axis], BLOCK):
            there = np.moveaxis(x, axis, 0)[edge - 8 : edge + 8]  # a view
            there[:] = np.tensordot(matrix, there.copy(), axes=1)
    return x


@given(blocks=st.tuples(st.integers(1, 4), st.integers(1, 4)), batch=st.integers(1, 2), seed=st.integers(0, 9))
@settings(max_examples=20)
def test_lap_goes_over_every_edge_and_the_transpose_comes_back(blocks, batch, seed, noise) -> None:
    x = noise(batch, 2, 16 * blocks[0], 16 * blocks[1], seed=seed)
    matrix = lapped_prefilter()
    lapped = filter_edges(x, matrix)
    assert lapped.shape == x.shape
    np.testing.assert_allclose(lapped.numpy(), lapped_by_hand(x.numpy(), matrix.numpy()), rtol=0, atol=1e-5)
    torch.testing.assert_close(filter_edges(lapped, matrix.T), x, rtol=0, atol=1e-5)
    torch.testing.assert_close(lapped.square().sum(), x.square().sum())
    if blocks == (1, 1):
        assert torch.equal(lapped, x)


def test_a_flat_picture_stays_flat() -> None:
    x = torch.full((1, 3, 48, 32), 0.7)
    torch.testing.assert_close(filter_edges(x, lapped_prefilter()), x, rtol=0, atol=1e-6)


def test_a_ramp_becomes_flatter_blocks_with_a_step_between_them() -> None:
    ramp = torch.linspace(0.1, 0.9, 96).expand(1, 3, 96, 96)
    lapped, plain = (x[0, 0, 40].view(6, BLOCK) for x in (filter_edges(ramp, lapped_prefilter()), ramp))
    assert (lapped[1:-1].var(dim=1) < 0.6 * plain[1:-1].var(dim=1)).all()
    assert (lapped[1:, 0] - lapped[:-1, -1] > 5 * (plain[1:, 0] - plain[:-1, -1])).all()


def coding_gain(matrix: Tensor) -> float:
    """dB that a transform gains on pixels whose neighbours are alike (correlation 0.95): Jayant & Noll 1984."""
    n = 6 * BLOCK
    pixels = torch.arange(n, dtype=torch.float64)
    covariance = 0.95 ** (pixels[:, None] - pixels).abs()
    across = torch.eye(n, dtype=torch.float64)
    for edge in range(BLOCK, n, BLOCK):
        across[edge - 8 : edge + 8, edge - 8 : edge + 8] = matrix
    transform = torch.block_diag(*[dct_matrix(BLOCK)] * 6) @ across
    variance = (transform @ covariance @ transform.T).diagonal()[2 * BLOCK : 3 * BLOCK]
    return 10 * math.log10(variance.mean() / variance.log().mean().exp())


def test_lapping_gains_more_than_blocks_alone_and_the_transpose_less() -> None:
    plain = coding_gain(torch.eye(BLOCK))
    assert plain == pytest.approx(9.46, abs=0.01)  # the literature's, for 16 cosines
    assert coding_gain(lapped_prefilter()) > plain + 0.25
    assert coding_gain(lapped_prefilter().T) < plain - 0.25


# The two transforms ------------------------------------------------------------------------------------------------


def test_before_training_the_gain_grows_with_the_quality_and_the_step_is_as_it_should_be(fresh) -> None:
    analysis, _ = fresh
    gain = analysis.gain(ALL)
    assert gain.shape == (100, M, 1, 1)
    assert (gain[1:] > gain[:-1]).all()
    steps = 1 / gain[[0, -1], 0].flatten().detach()
    torch.testing.assert_close(steps, 4.5 / torch.tensor([0.0004, 0.12]).sqrt())


def test_an_error_costs_what_it_does_to_the_picture(fresh) -> None:
    """λ · 255² · MSE · pixels, measured behind the synthesis; and in the interior, too, where cosines lap."""
    analysis, synthesis = fresh
    quality = torch.tensor([10.0, 80.0])
    price = analysis.distortion_weight(quality).detach()
    assert price.shape == (2, M, 1, 1)
    zero = torch.zeros(2, M, 3, 3)
    for channel in (0, 37, 300):
        one = zero.clone()
        one[:, channel, 1, 1] = 1.0
        with torch.no_grad():
            error = (synthesis(one, quality) - synthesis(zero, quality)).square().mean(dim=1)  # over colours
        cost = lambda_of(quality) * 255**2 * error.sum(dim=(1, 2))
        torch.testing.assert_close(cost, price[:, channel, 0, 0], rtol=1e-3, atol=0)


def test_a_learned_gain_changes_step_and_price() -> None:
    analysis = GainedAnalysis(hidden=4, depth=1)
    quality = torch.tensor([1.0])
    gain, price = analysis.gain(quality), analysis.distortion_weight(quality)
    with torch.no_grad():
        analysis.log_gain.values[0, 5] += np.log(2)
    torch.testing.assert_close((analysis.gain(quality) / gain).flatten()[4:7], torch.tensor([1.0, 2.0, 1.0]))
    torch.testing.assert_close(
        (analysis.distortion_weight(quality) / price).flatten()[4:7], torch.tensor([1.0, 0.25, 1.0])
    )


@pytest.mark.parametrize("size", [(16, 16), (16, 80), (48, 16), (64, 48)])
def test_without_quantization_a_grey_picture_comes_back(fresh, size: tuple[int, int], noise) -> None:
    analysis, synthesis = fresh
    x = noise(2, 1, *size).expand(-1, 3, -1, -1)  # all of grey's coefficients are kept
    quality = torch.tensor([3.0, 96.5])
    with torch.no_grad():
        y = analysis(x, quality)
        back = synthesis(y, quality)
    assert y.shape == (2, M, size[0] // 16, size[1] // 16)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-5)


def test_without_quantization_any_kept_coefficients_come_back(fresh) -> None:
    analysis, synthesis = fresh
    y = torch.randn(2, M, 2, 3, generator=torch.Generator().manual_seed(0))
    quality = torch.tensor([1.0, 60.0])
    with torch.no_grad():
        torch.testing.assert_close(analysis(synthesis(y, quality), quality), y, rtol=0, atol=1e-3)


def test_a_photo_loses_only_fine_colour_and_less_with_every_quality_when_rounded(fresh) -> None:
    analysis, synthesis = fresh
    x = to_float(photo("chelsea"))[..., 64:128, 128:224]
    with torch.no_grad():
        y = analysis(x, torch.tensor([50.0]))
        assert (synthesis(y, torch.tensor([50.0])) - x).square().mean() < 2e-4  # 37 dB
        errors = []
        for quality in (1.0, 30.0, 60.0, 100.0):
            q = torch.tensor([quality])
            errors.append((synthesis(analysis(x, q).round(), q) - x).square().mean().item())
    assert errors[0] > 1.5 * errors[1] > 3 * errors[2] > 3 * errors[3] / 1.01
    assert errors[3] < 3e-4


def test_the_refinements_on_both_sides_are_told_of_the_quality(noise) -> None:
    analysis, synthesis = GainedAnalysis(hidden=4, depth=1), GainedSynthesis(hidden=4, depth=1, deblock=4)
    for refinement in (analysis.refine, synthesis.refine, synthesis.deblock.refine):
        seen: list[Tensor] = []
        refinement.network[0].register_forward_pre_hook(lambda _, inputs, seen=seen: seen.append(inputs[0]))
        refinement.seen = seen
    quality = torch.tensor([1.0, 100.0])
    with torch.no_grad():
        y = analysis(noise(2, 3, 32, 48), quality)
        synthesis(y, quality)
    for refinement, size in (
        (analysis.refine, (2, 3)),
        (synthesis.refine, (2, 3)),
        (synthesis.deblock.refine, (16, 24)),
    ):
        (inputs,) = refinement.seen
        assert inputs.shape[-2:] == size
        assert (inputs[0, -1] == -1).all() and (inputs[1, -1] == 1).all()


def test_the_smoothing_starts_as_nothing_and_works_on_pixels(noise) -> None:
    smoothing = DeblockingFilter(5)
    x = noise(1, 3, 16, 32)
    hint = quality_map(torch.tensor([30.0]), x)
    assert torch.equal(smoothing(x, hint), x)
    awake(smoothing.refine)
    with torch.no_grad():
        smooth = smoothing(x, hint)
        other = x.clone()
        other[..., 6, 20] += 1
        changed = (smoothing(other, hint) != smooth).any(dim=1)[0]
    rows, columns = changed.nonzero().T
    assert smooth.shape == x.shape and not torch.allclose(smooth, x, atol=0.01)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (2, 11, 16, 25)  # two fours in each direction


def test_gradients_reach_every_parameter(gradients_reach_all, noise) -> None:
    analysis, synthesis = GainedAnalysis(hidden=4, depth=2), GainedSynthesis(hidden=4, depth=2, deblock=4)
    for refinement in (analysis.refine, synthesis.refine, synthesis.deblock.refine):
        awake(refinement)  # behind a layer of zeros there is no gradient at first
    quality = torch.arange(ROWS) * 11.0 + 1  # every row of the tables
    x = noise(ROWS, 3, 16, 32)
    ((synthesis(analysis(x, quality), quality) - 2 * x).square().sum()).backward()
    gradients_reach_all(analysis)
    gradients_reach_all(synthesis)
