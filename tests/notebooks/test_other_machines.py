"""Other machines, played on this one: the same on paper, exact for whole numbers; shortcuts that are not."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib.workbench import other_machines as machines


def numbers(*shape: int, whole: bool, seed: int = 0) -> Tensor:
    x = 30 * torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return x.round() if whole else x


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("way", machines.WAYS)
def test_each_way_is_the_same_on_paper(way: str, kernel: int, stride: int) -> None:
    for whole in (True, False):
        x, weight = numbers(2, 6, 13, 10, whole=whole), numbers(4, 6, kernel, kernel, whole=whole, seed=1)
        for bias in (None, numbers(4, whole=whole, seed=2)):
            true = F.conv2d(x.double(), weight.double(), None if bias is None else bias.double(), stride).float()
            found = machines.WAYS[way](x, weight, bias, stride)
            assert torch.equal(found, true) if whole else torch.allclose(found, true, rtol=1e-5, atol=0.1)


@pytest.mark.parametrize("size", [(6, 6), (3, 3), (9, 15), (8, 10)])
def test_winograd_is_a_convolution_but_not_to_the_last_bit(size: tuple[int, int]) -> None:
    x, weight, bias = numbers(2, 9, *size, whole=True), numbers(4, 9, 3, 3, whole=True, seed=1), torch.ones(4)
    true, found = F.conv2d(x, weight, bias), machines.winograd(x, weight, bias, 1)
    assert found.shape == true.shape and torch.allclose(found, true, rtol=1e-4, atol=1.0)
    assert not torch.equal(found, true)
    assert torch.equal(machines.winograd(x, weight, bias, 2), F.conv2d(x, weight, bias, 2))


def test_digits_are_those_of_the_formats() -> None:
    x = numbers(1000, whole=False)
    assert torch.equal(machines.keep_digits(x, 8), x.bfloat16().float())
    assert torch.equal(machines.keep_digits(x, 11), x.half().float())
    assert torch.equal(machines.keep_digits(x, 24), x)


def test_settings_last_as_long_as_the_block() -> None:
    count, true = torch.get_num_threads(), F.conv2d
    with machines.threads(count + 1), machines.onednn(False), machines.convolution(machines.in_float64):
        assert torch.get_num_threads() == count + 1 and not torch.backends.mkldnn.enabled
        assert F.conv2d is machines.in_float64
    assert torch.get_num_threads() == count and torch.backends.mkldnn.enabled and F.conv2d is true


@torch.no_grad()
def test_other_computers_run_the_same_network() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(40, 8, 3), nn.LeakyReLU(), nn.ConvTranspose2d(8, 5, 3))
    x = numbers(1, 40, 9, 9, whole=False)
    results = {name: computer(x) for name, computer in machines.computers(network).items()}
    assert torch.equal(results["the same again"], network(x))
    assert all(torch.allclose(result, network(x), atol=1e-3) for result in results.values())
    assert not torch.equal(results["other order 1"], results["other order 2"])


def test_differences_are_counted() -> None:
    index, scales = torch.tensor([[1, 2], [3, 4]]), torch.tensor([[1.0, 2.0], [4.0, 8.0]])
    own = {n: (index, scales, scales) for n in (0, 3)}
    next_ = torch.nextafter(scales[0, 1], torch.tensor(9.0))

    def other(n: int) -> machines.Decisions:
        changed, flipped = scales.clone(), index.clone()
        if n == 3:
            changed[0, 1], flipped[1, 0] = next_, 9
        return flipped, changed, scales

    found = machines.differences(own, other)
    assert (found.photos, found.share, found.ulps, found.flips) == (2, 1 / 8, 1, [(3, 2)])
    assert found.errors == pytest.approx(float(next_ - 2) / 2)
