"""The cosine transforms: orthonormal, equal to SciPy's, and a working codec before the first training step."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.fft
import torch
from hypothesis import given
from hypothesis import strategies as st

from tutorial_lib.dct_transforms import (
    BLOCK,
    KEPT,
    DctAnalysis,
    DctSynthesis,
    Refinement,
    coarse_to_fine,
    dct_filters,
    dct_matrix,
)

GREY, RED_BLUE, GREEN_MAGENTA = (slice(sum(KEPT[:k]), sum(KEPT[: k + 1])) for k in range(3))


def awake(refinement: Refinement, seed: int = 0) -> Refinement:
    """The same network with a last layer that does something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in refinement.network[-1].parameters():
            parameter.normal_(0, 0.3, generator=generator)
    return refinement


@given(n=st.integers(1, 32))
def test_the_dct_matrix_is_scipys_and_orthonormal(n: int) -> None:
    matrix = dct_matrix(n)
    assert matrix.shape == (n, n)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(n, dtype=torch.float64), rtol=0, atol=1e-12)
    by_scipy = scipy.fft.dct(np.eye(n), norm="ortho", axis=0)  # row k: what frequency k makes of each unit vector
    np.testing.assert_allclose(matrix.numpy(), by_scipy, rtol=0, atol=1e-12)


def test_the_filters_are_orthonormal() -> None:
    filters = dct_filters()
    assert filters.shape == (sum(KEPT), 3, BLOCK, BLOCK)
    assert filters.dtype == torch.float32
    flat = filters.flatten(1).double()
    torch.testing.assert_close(flat @ flat.T, torch.eye(len(flat), dtype=torch.float64), rtol=0, atol=1e-6)


def test_the_grey_coefficients_of_a_block_are_scipys_in_the_order_of_frequency(noise) -> None:
    grey = noise(BLOCK, BLOCK)
    ours = (dct_filters() * grey).sum(dim=(1, 2, 3))  # (M,), of a picture with three equal colours
    scipys = scipy.fft.dctn(grey.double().numpy(), norm="ortho") * 3**0.5  # sqrt(3): three colours add up
    by_frequency = sorted(itertools.product(range(BLOCK), repeat=2), key=lambda uv: uv[0] ** 2 + uv[1] ** 2)
    expected = [scipys[u, v] for u, v in by_frequency]
    np.testing.assert_allclose(ours[GREY].numpy(), expected, rtol=0, atol=1e-5)
    assert ours[RED_BLUE].abs().max() < 1e-5 and ours[GREEN_MAGENTA].abs().max() < 1e-5


def test_coarse_to_fine_goes_through_the_frequencies_of_all_colours_and_takes_grey_first() -> None:
    squares = sorted(u**2 + v**2 for u, v in itertools.product(range(BLOCK), repeat=2))
    of_channel = [(square, colour) for colour, count in enumerate(KEPT) for square in squares[:count]]
    expected = sorted(range(sum(KEPT)), key=lambda channel: (*of_channel[channel], channel))
    order = coarse_to_fine()
    assert order.dtype == torch.int64 and order.tolist() == expected
    assert order[:3].tolist() == [0, 256, 320]  # the flat blocks: grey, red–blue, green–magenta


def test_coarse_to_fine_is_coarse_to_fine_in_the_pictures_themselves() -> None:
    """Measured in the filters: what neighbouring pixels differ by grows with frequency."""
    filters = dct_filters()[coarse_to_fine()].double()
    down, right = filters.diff(dim=2).square().sum(dim=(1, 2, 3)), filters.diff(dim=3).square().sum(dim=(1, 2, 3))
    roughness = down + right
    assert np.corrcoef(np.arange(len(filters)), roughness.numpy())[0, 1] > 0.95
    assert roughness[:3].max() < 1e-9 and roughness[3:].min() > 1e-3
    assert sorted(coarse_to_fine().tolist()) == list(range(sum(KEPT)))


def test_each_colour_begins_with_its_flat_block() -> None:
    flat = {"grey": (1, 1, 1), "red-blue": (1, 0, -1), "green-magenta": (1, -2, 1)}
    for part, colour in zip((GREY, RED_BLUE, GREEN_MAGENTA), flat.values(), strict=True):
        colour = torch.tensor(colour, dtype=torch.float32)
        expected = (colour / colour.norm() / BLOCK)[:, None, None].expand(3, BLOCK, BLOCK)
        torch.testing.assert_close(dct_filters()[part][0], expected, rtol=0, atol=1e-6)


def test_a_grey_picture_comes_back_exactly_and_an_energy_stays_what_it_is(noise) -> None:
    x = noise(1, 1, 48, 80).expand(-1, 3, -1, -1)  # all of grey's coefficients are kept
    analysis, synthesis = DctAnalysis(step=10.0, hidden=4), DctSynthesis(step=10.0, hidden=4)
    with torch.no_grad():
        analysis.dead_zone.zero_()
        synthesis.reconstruction_offset.zero_()
        y = analysis(x)
        back = synthesis(y)
    assert y.shape == (1, sum(KEPT), 3, 5)
    torch.testing.assert_close(back, x, rtol=0, atol=1e-5)
    energy = (255 / 10.0) ** 2 * (x - 0.5).square().sum()
    torch.testing.assert_close(y.square().sum(), energy, rtol=1e-5, atol=0)


def test_a_picture_of_the_kept_frequencies_comes_back_exactly_in_colour() -> None:
    coefficients = torch.randn(2, sum(KEPT), 2, 3, generator=torch.Generator().manual_seed(0))
    analysis, synthesis = DctAnalysis(step=20.0, hidden=4), DctSynthesis(step=20.0, hidden=4)
    with torch.no_grad():
        analysis.dead_zone.zero_()
        synthesis.reconstruction_offset.zero_()
        torch.testing.assert_close(analysis(synthesis(coefficients)), coefficients, rtol=0, atol=1e-4)


def test_an_error_of_a_coefficient_is_an_error_of_the_same_size_in_the_picture() -> None:
    synthesis = DctSynthesis(step=8.0, hidden=4)
    with torch.no_grad():
        synthesis.reconstruction_offset.zero_()
        y = torch.zeros(1, sum(KEPT), 1, 1)
        for channel in (0, 100, 300, 383):
            one = y.clone()
            one[0, channel] = 1.0
            error = 255 * (synthesis(one) - synthesis(y))
            assert error.norm().item() == pytest.approx(8.0, rel=1e-4)  # the step, in grey levels


def test_the_dead_zone_pulls_towards_zero_and_the_offset_pushes_back(noise) -> None:
    analysis = DctAnalysis(step=10.0, hidden=4)
    x = noise(1, 3, 32, 32, seed=1)
    with torch.no_grad():
        after = analysis(x)
        analysis.dead_zone.zero_()
        before = analysis(x)
    expected = before.sign() * (before.abs() - 0.25).clamp(min=0)
    torch.testing.assert_close(after, expected, rtol=0, atol=1e-6)
    assert 0 < (after == 0).float().mean() < 1

    synthesis = DctSynthesis(step=10.0, hidden=4)
    with torch.no_grad():
        y_hat = torch.tensor([-3.0, -1.0, 0.0, 1.0, 2.0]).expand(1, sum(KEPT), 1, 5)
        pushed = synthesis(y_hat)
        synthesis.reconstruction_offset.zero_()
        plain = synthesis(torch.tensor([-3.1, -1.1, 0.0, 1.1, 2.1]).expand(1, sum(KEPT), 1, 5))
    torch.testing.assert_close(pushed, plain, rtol=0, atol=1e-5)


def test_refinement_starts_as_nothing() -> None:
    y = torch.randn(2, 12, 3, 5, generator=torch.Generator().manual_seed(0))
    refinement = Refinement(12, 7)
    assert torch.equal(refinement(y), y)
    assert not torch.equal(awake(refinement)(y), y)


def test_refinement_sees_neighbours_and_invents_no_edge() -> None:
    refinement = awake(Refinement(5, 6))
    flat = torch.randn(1, 5, 1, 1, generator=torch.Generator().manual_seed(0)).expand(1, 5, 6, 7)
    with torch.no_grad():
        refined = refinement(flat)
        torch.testing.assert_close(refined, refined[..., :1, :1].expand_as(refined), rtol=0, atol=1e-5)
        y = flat.clone()
        y[..., 3, 3] += 1
        changed = (refinement(y) != refined).any(dim=1)[0]
    rows, columns = changed.nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 5, 1, 5)  # two blocks in each direction


def test_the_step_is_saved_with_the_weights(noise) -> None:
    analysis, synthesis = DctAnalysis(step=10.0, hidden=4), DctSynthesis(step=10.0, hidden=4)
    other_analysis, other_synthesis = DctAnalysis(step=99.0, hidden=4), DctSynthesis(step=99.0, hidden=4)
    other_analysis.load_state_dict(analysis.state_dict())
    other_synthesis.load_state_dict(synthesis.state_dict())
    x = noise(1, 3, 16, 32)
    with torch.no_grad():
        assert torch.equal(other_analysis(x), analysis(x))
        assert torch.equal(other_synthesis(analysis(x)), synthesis(analysis(x)))
    assert "step" not in dict(analysis.named_parameters())  # no gradient descent on it


def test_refinement_is_no_linear_map() -> None:
    assert sum(isinstance(layer, torch.nn.LeakyReLU) for layer in Refinement(3, 4).network) == 3


def test_both_sides_are_refined(noise) -> None:
    analysis, synthesis = DctAnalysis(step=10.0, hidden=4), DctSynthesis(step=10.0, hidden=4)
    x = noise(1, 3, 32, 32)
    with torch.no_grad():
        y = analysis(x)
        picture = synthesis(y.round())
        awake(analysis.refine)
        awake(synthesis.refine)
        assert not torch.allclose(analysis(x), y, atol=1e-3)
        assert not torch.allclose(synthesis(y.round()), picture, atol=1e-3)


@pytest.mark.parametrize("depth", [0, 1, 2, 4])
def test_a_refinement_sees_as_many_blocks_around_as_it_is_deep(depth: int) -> None:
    refinement = awake(Refinement(5, 6, depth))
    y = torch.randn(1, 5, 13, 13, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        refined = refinement(y)
        y[..., 6, 6] += 1
        rows, columns = (refinement(y) != refined).any(dim=1)[0].nonzero().T
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6 - depth, 6 + depth, 6 - depth, 6 + depth)
    assert sum(isinstance(layer, torch.nn.LeakyReLU) for layer in refinement.network) == depth + 1
