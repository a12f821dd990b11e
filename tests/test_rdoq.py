"""Quantization that looks at bits and error together: what it chooses, what that costs, and what passes a gradient."""

from __future__ import annotations

import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib.information import bits
from tutorial_lib.rdoq import rdoq


def mass(values: Tensor) -> Tensor:
    """A likelihood for the tests: two sides that fall at different rates."""
    return 0.4 * torch.exp2(-torch.where(values > 0, values, -2 * values))


def test_the_rate_is_that_of_the_rounded() -> None:
    y = torch.tensor([-1.7, -0.5, -0.2, 0.0, 0.3, 0.5, 0.51, 1.0, 1.5, 2.5, 3.0])
    y_hat, likelihoods = rdoq(y, mass)
    assert torch.equal(y_hat, y.round())
    torch.testing.assert_close(likelihoods, mass(y.round()))


def test_the_slope_is_what_a_step_costs_and_the_rounding_passes_its_gradient_on() -> None:
    y = torch.tensor([-1.7, -0.5, 0.0, 0.3, 0.51, 1.0, 2.5], requires_grad=True)
    _, likelihoods = rdoq(y, mass)
    bits(likelihoods).backward()
    torch.testing.assert_close(y.grad, torch.tensor([-2.0, -2.0, 1.0, 1.0, 1.0, 1.0, 1.0]))  # bits for a step up
    y.grad = None
    rdoq(y, mass)[0].sum().backward()
    assert torch.equal(y.grad, torch.ones(7))


def test_a_likelihoods_parameters_get_the_gradient_of_what_is_coded_and_no_other(noise) -> None:
    width = torch.tensor(1.5, requires_grad=True)
    y = 4 * noise(50) - 2
    bits(rdoq(y, lambda values: mass(values / width))[1]).backward()
    ours, width.grad = width.grad, None
    bits(mass(y.round() / width)).backward()
    torch.testing.assert_close(ours, width.grad)


@given(
    y=st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=30),
    weight=st.floats(0, 20, width=32),
)
@example(y=[-2.0, -1.0, 0.0, 1.0], weight=0.5)
@example(y=[-1.5, -0.5, 0.5, 1e-30], weight=1.0)
def test_with_a_distortion_weight_the_cheaper_of_the_two_whole_numbers_around_is_taken(y, weight) -> None:
    y = torch.tensor(y)
    y_hat, likelihoods = rdoq(y, mass, torch.tensor(weight))
    candidates = torch.stack([y.floor(), y.floor() + 1])
    costs = -mass(candidates).log2() + weight * (candidates - y) ** 2  # bits
    assert torch.equal(y_hat, y_hat.round())
    assert ((y_hat == candidates[0]) | (y_hat == candidates[1])).all()
    chosen = -mass(y_hat).log2() + weight * (y_hat - y) ** 2
    torch.testing.assert_close(chosen, costs.min(dim=0).values, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(likelihoods, mass(y_hat))


def test_the_weight_decides_between_few_bits_and_a_small_error() -> None:
    y = torch.tensor([0.6, -0.6, 2.4, -2.4])  # a step away from 0 costs 1 bit above it, 2 below
    for weight, expected in ((0.0, [0, 0, 2, -2]), (4.0, [0, 0, 2, -2]), (6.0, [1, 0, 2, -2]), (11.0, [1, -1, 2, -2])):
        assert rdoq(y, mass, torch.tensor(weight))[0].tolist() == expected
    assert rdoq(torch.tensor([2.0]), mass, torch.tensor(0.0))[0].item() == 2  # cheaper is up, or stay


def test_an_error_without_a_weight_or_of_a_huge_one_is_the_smallest(noise) -> None:
    y = 20 * noise(500) - 10
    assert torch.equal(rdoq(y, mass)[0], y.round())
    assert torch.equal(rdoq(y, mass, torch.tensor(1e6))[0], y.round())
    by_channel = torch.tensor([0.0, 1e6])[:, None]
    cheap, near = rdoq(y.expand(2, -1), mass, by_channel)[0]
    assert torch.equal(near, y.round()) and not torch.equal(cheap, y.round())


def test_gradients_with_a_weight_are_those_of_what_was_chosen(noise) -> None:
    y = (4 * noise(50) - 2).requires_grad_()
    width = torch.tensor(1.5, requires_grad=True)
    y_hat, likelihoods = rdoq(y, lambda values: mass(values / width), torch.tensor(0.1))
    assert not torch.equal(y_hat, y.round())
    (slope,) = torch.autograd.grad(y_hat.sum(), y, retain_graph=True)
    assert torch.equal(slope, torch.ones(50))
    rate_slope, ours = torch.autograd.grad(bits(likelihoods), [y, width])
    expected = torch.where(y.detach().floor() >= 0, 1.0, -2.0) / 1.5
    torch.testing.assert_close(rate_slope, expected)
    (theirs,) = torch.autograd.grad(bits(mass(y_hat.detach() / width)), width)
    torch.testing.assert_close(ours, theirs)
