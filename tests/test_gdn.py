"""Generalized divisive normalization against its formula; and the transforms' sizes."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tutorial_lib.gdn import BETA_MIN, OFFSET, Gdn, conv, deconv, gdn_analysis, gdn_synthesis


def trained(channels: int = 4, inverse: bool = False, seed: int = 0) -> Gdn:
    """As training leaves them: all neighbours matter, and some parameters have sunk below their bounds."""
    generator = torch.Generator().manual_seed(seed)
    gdn = Gdn(channels, inverse)
    with torch.no_grad():
        gdn.beta.add_(0.3 * torch.randn(gdn.beta.shape, generator=generator))
        gdn.gamma.add_(0.2 * torch.randn(gdn.gamma.shape, generator=generator))
        gdn.beta[0] = -0.5
    return gdn


def picture(channels: int = 4, scale: float = 2.0) -> Tensor:
    return scale * torch.randn(2, channels, 3, 5, generator=torch.Generator().manual_seed(1))


def by_hand(gdn: Gdn, x: Tensor) -> Tensor:
    """y_i = x_i / √(β_i + Σ_j γ_ij x_j²), one value at a time, in Python's floats."""
    y = torch.empty_like(x)
    for b, i, row, column in torch.cartesian_prod(*map(torch.arange, x.shape)).tolist():
        energy = max(gdn.beta[i].item(), math.sqrt(1e-6 + 2**-36)) ** 2 - 2**-36
        for j in range(x.shape[1]):
            gamma = max(gdn.gamma[i, j].item(), 2**-18) ** 2 - 2**-36
            energy += gamma * x[b, j, row, column].item() ** 2
        root = math.sqrt(energy)
        y[b, i, row, column] = x[b, i, row, column].item() * (root if gdn.inverse else 1 / root)
    return y


@pytest.mark.parametrize("inverse", [False, True])
def test_the_formula(inverse: bool) -> None:
    gdn, x = trained(inverse=inverse), picture()
    assert (gdn.gamma < 0).any() and (gdn.gamma > gdn.gamma.T).any()  # bounds and directions matter
    torch.testing.assert_close(gdn(x).detach(), by_hand(gdn, x), rtol=1e-5, atol=1e-6)


def test_it_starts_with_beta_1_and_gamma_a_tenth_of_its_own_energy() -> None:
    x = picture()
    torch.testing.assert_close(Gdn(4)(x).detach(), x / (1 + 0.1 * x**2).sqrt())
    torch.testing.assert_close(Gdn(4, inverse=True)(x).detach(), x * (1 + 0.1 * x**2).sqrt())


def test_neighbours_energy_makes_a_value_smaller_and_signs_do_not_matter() -> None:
    gdn, x = trained(), picture()
    with torch.no_grad():
        gdn.gamma.abs_()
        louder = torch.cat([x[:, :1], 3 * x[:, 1:]], dim=1)
        assert (gdn(louder)[:, 0].abs() < gdn(x)[:, 0].abs()).all()
        torch.testing.assert_close(gdn(-x), -gdn(x))


def test_positions_do_not_see_each_other() -> None:
    gdn, x = trained(), picture()
    torch.testing.assert_close(gdn(x)[..., 1:2, 2:3], gdn(x[..., 1:2, 2:3]))


@pytest.mark.parametrize(("scale", "tolerance"), [(0.05, 1e-4), (0.5, 0.05), (1.0, 0.3)])
def test_the_inverse_roughly_undoes_it(scale: float, tolerance: float) -> None:
    """Roughly: it takes the energy of the normalised values, a little less than that of the values."""
    there, back = Gdn(4), Gdn(4, inverse=True)
    with torch.no_grad():
        there.gamma.fill_(0.2)
        back.load_state_dict(there.state_dict())
        x = picture(scale=scale)
        y = there(x)
        error = (back(y) - x).norm() / x.norm()
        assert error < tolerance
        assert error < 0.3 * (y - x).norm() / x.norm()  # and better than leaving it out


def test_bounds_let_parameters_come_back() -> None:
    """Below its bound, a parameter feels only what raises it."""
    for inverse in (False, True):
        gdn = Gdn(2, inverse)
        with torch.no_grad():
            gdn.beta.fill_(-1.0)
            gdn.gamma.fill_(-1.0)
        x = torch.ones(1, 2, 1, 1)
        y = gdn(x)
        root = math.sqrt(BETA_MIN)
        torch.testing.assert_close(y.detach(), x * (root if inverse else 1 / root), rtol=1e-3, atol=0)
        for sign in (1, -1):
            raises = (sign == 1) != inverse  # a larger β or γ makes |y| smaller, or, in the inverse, larger
            for parameter in (gdn.beta, gdn.gamma):
                (gradient,) = torch.autograd.grad(sign * gdn(x).sum(), parameter)
                assert (gradient < 0).all() if raises else (gradient == 0).all()


def test_gradients_against_finite_differences() -> None:
    for inverse in (False, True):
        gdn = Gdn(3, inverse).double()
        with torch.no_grad():
            gdn.gamma.add_(0.1)
        x = picture(3)[:1, :, :2, :2].double().requires_grad_()

        def forward(x: Tensor, beta: Tensor, gamma: Tensor, gdn: Gdn = gdn) -> Tensor:
            return torch.func.functional_call(gdn, {"beta": beta, "gamma": gamma}, (x,))

        assert torch.autograd.gradcheck(forward, (x, gdn.beta, gdn.gamma))


def test_a_state_dict_of_compressai_loads_strictly() -> None:
    """Its layout, made up here; tests/peers does the same with the real ones."""
    ours = trained()
    state = {f"0.{name}": value for name, value in ours.state_dict().items()}
    for name in ("beta_reparam", "gamma_reparam"):
        state[f"0.{name}.pedestal"] = torch.tensor([OFFSET**2])
        state[f"0.{name}.lower_bound.bound"] = torch.tensor([1e-3])
    names = list(state)
    loaded = nn.Sequential(Gdn(4))
    loaded.load_state_dict(state, strict=True)
    assert list(state) == names  # the caller's dictionary is left alone
    assert torch.equal(loaded(picture()), ours(picture()))
    with pytest.raises(RuntimeError, match="delta"):
        loaded.load_state_dict({**state, "0.delta": torch.zeros(1)})


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolutions_and_their_counterparts_change_the_size_by_their_stride(kernel: int, stride: int) -> None:
    x = torch.zeros(2, 3, 8, 12)
    down = conv(3, 5, kernel, stride)(x)
    assert down.shape == (2, 5, 8 // stride, 12 // stride)
    assert deconv(5, 4, kernel, stride)(down).shape == (2, 4, 8, 12)


def test_convolutions_are_five_wide_and_halve_unless_told_otherwise() -> None:
    for layer in (conv(2, 3), deconv(2, 3)):
        assert layer.kernel_size == (5, 5) and layer.stride == (2, 2)


def test_the_transforms_of_the_field() -> None:
    torch.manual_seed(0)
    analysis, synthesis = gdn_analysis(6, 10), gdn_synthesis(6, 10)
    x = torch.rand(2, 3, 48, 32)
    y = analysis(x)
    assert y.shape == (2, 10, 3, 2)
    assert synthesis(y).shape == x.shape
    assert [layer.inverse for layer in analysis if isinstance(layer, Gdn)] == [False] * 3
    assert [layer.inverse for layer in synthesis if isinstance(layer, Gdn)] == [True] * 3
    (y.square().sum() + synthesis(y).sum()).backward()
    for name, parameter in [*analysis.named_parameters(), *synthesis.named_parameters()]:
        assert parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name
