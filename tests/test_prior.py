"""What a prior offers to the frame, and the simplest prior."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from tutorial_lib.information import bits
from tutorial_lib.prior import FactorizedPrior, IntegerPrior, Prior, check_count, check_parts
from tutorial_lib.rans import BitstreamError
from tutorial_lib.transform_codec import TransformCodec

# The contract ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_that_fit_are_passed_on_and_others_refused_in_one_sentence(count: int) -> None:
    strings = [[b"a", b"b"]] * count
    assert check_parts(strings, count) == strings
    for wrong in (strings[1:], [*strings, [b"c"]], []):
        for check in (check_parts, check_count):
            with pytest.raises(BitstreamError) as caught:
                check(wrong, count)
            assert str(caught.value) == f"this codec writes {count} string(s) a picture, not {len(wrong)}."


def test_a_lost_part_counts_and_is_refused_where_all_are_needed(one_sentence) -> None:
    check_count([[b"a"], None], 2)
    with pytest.raises(BitstreamError, match="some are lost") as caught:
        check_parts([[b"a"], None], 2)
    assert one_sentence(caught.value)


def test_a_prior_of_ones_own_needs_four_methods_and_gets_the_others(noise) -> None:
    class Noughts(Prior):
        """Everything is 0, and costs a byte."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(1))

        def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
            return y * 0, {"y": torch.full_like(y, 2.0 ** (-8 / y[0].numel()))}

        def build_coder(self) -> None:
            pass

        def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
            return [[b"0"] * len(y)]

        def decompress(self, strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
            (part,) = check_parts(strings, 1)
            return torch.zeros(len(part), 3, *shape)

    codec = TransformCodec(nn.Conv2d(3, 3, 2, 2), nn.ConvTranspose2d(3, 3, 2, 2), Noughts(), stride=2).eval()
    x = noise(2, 3, 5, 6)
    codec.build_coder()
    codec.start_at(x)
    codec.prior.check()
    assert codec.prior.required_parts == 1 and codec.prior.slices == 0 and codec.is_built
    groups = codec.parameter_groups()
    assert [group["name"] for group in groups] == ["transforms", "prior"]
    assert [id(p) for group in groups for p in group["params"]] == [id(p) for p in codec.parameters()]
    assert torch.equal(codec.decompress(**codec.compress(x))["x_hat"], codec(x)["x_hat"])


@pytest.mark.parametrize("method", ["forward", "build_coder", "compress", "decompress"])
def test_what_a_prior_must_have_is_missed_loudly(method: str) -> None:
    arguments = {"forward": (0,), "build_coder": (), "compress": (0,), "decompress": ([], (1, 1))}[method]
    with pytest.raises(NotImplementedError):
        getattr(Prior(), method)(*arguments)


# The factorized prior ----------------------------------------------------------------------------------------------


def test_the_factorized_prior_knows_nothing_but_channels(noise) -> None:
    torch.manual_seed(0)
    prior = FactorizedPrior(3).eval()
    prior.build_coder()
    y = 3 * noise(2, 3, 4, 5) - 1.5
    with torch.no_grad():
        y_hat, likelihoods = prior(y)
        mixed = y.flatten(2)[..., torch.randperm(20)].view_as(y)
        _, other = prior(mixed)
    assert torch.equal(y_hat, y.round()) and y_hat.unique().numel() > 2
    assert torch.equal(likelihoods["y"], prior.entropy_bottleneck.rate(y.round()))
    torch.testing.assert_close(bits(other["y"]), bits(likelihoods["y"]))
    assert torch.equal(prior.decompress(prior.compress(y), (4, 5)), y_hat)


def bit_costs(prior: IntegerPrior, y: Tensor) -> Tensor:
    return -prior.rate(y).log2()


def test_the_rates_gradient_for_the_densities_is_exact_and_for_the_latent_a_slope(noise) -> None:
    torch.manual_seed(0)
    prior = IntegerPrior(3).train()
    y = 4 * noise(2, 3, 5, 5) - 2
    y.requires_grad_()
    y_hat, likelihoods = prior(y)
    assert torch.equal(y_hat, y.round())
    bits(likelihoods).backward()
    ours = [parameter.grad.clone() for parameter in prior.parameters()]
    slope = bit_costs(prior, y.detach().floor() + 1) - bit_costs(prior, y.detach().floor())
    torch.testing.assert_close(y.grad, slope, rtol=1e-4, atol=1e-5)

    prior.zero_grad()
    bit_costs(prior, y.detach().round()).sum().backward()
    for gradient, parameter in zip(ours, prior.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-5)


def test_the_prior_of_whole_numbers_is_centred_on_zero() -> None:
    torch.manual_seed(0)
    prior = IntegerPrior(3).eval()
    assert prior.quantiles()[:, 1].abs().max() > 0.1  # the densities are not
    z = torch.tensor([-0.6, 0.4, 1.6]).reshape(1, 3, 1)
    assert torch.equal(prior(z)[0].flatten(), torch.tensor([-1.0, 0.0, 2.0]))
    pmfs, offsets, _ = prior.pmfs()
    for channel, (pmf, offset) in enumerate(zip(pmfs, offsets, strict=True)):
        zero = torch.zeros(1, 3, 1)
        assert pmf[-offset] == pytest.approx(prior.rate(zero)[0, channel, 0].item(), rel=1e-3)


def test_densities_start_as_wide_as_the_channels_and_other_priors_leave_them_alone() -> None:
    torch.manual_seed(0)
    prior, widths = FactorizedPrior(3), torch.tensor([0.02, 1.0, 50.0])
    y = widths[:, None, None] * torch.randn(4, 3, 30, 30)
    prior.start_at(y)
    low, median, high = prior.entropy_bottleneck.quantiles(0.5).T  # half of a logistic density of width w: ± w ln 3
    expected = (y.abs().mean(dim=(0, 2, 3)).clamp(min=0.1) * 1.0986).double()
    torch.testing.assert_close((high - low) / 2, expected, rtol=0.05, atol=0)
    assert (median.abs() < 0.3 * expected).all()
    before = FactorizedPrior(3).entropy_bottleneck
    assert bits(prior(y)[1]["y"]) < 0.8 * bits(before.rate(y.round()))
    groups = prior.parameter_groups()
    assert [(group["name"], group["clip"]) for group in groups] == [("densities", False)]
    assert len(groups[0]["params"]) == len(list(prior.parameters()))
