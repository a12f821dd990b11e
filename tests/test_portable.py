"""Portable networks: what they compute is what Python's own whole numbers give, in whatever order it is summed."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tutorial_lib.portable import (
    EXACT,
    LIMIT,
    ONE,
    PortableConv,
    PortableNetwork,
    from_fixed,
    portable_network,
    to_fixed,
)


def whole_numbers(*shape: int, seed: int = 0, limit: float = LIMIT) -> Tensor:
    """Fixed point, up to ±limit and at its ends, too."""
    generator = torch.Generator().manual_seed(seed)
    x = 1.2 * limit * (2 * torch.rand(*shape, generator=generator, dtype=torch.float64) - 1)
    return x.round().clamp(-limit, limit)


def layer(channels_in: int, channels_out: int, kernel: int = 1, relu: bool = False, seed: int = 0) -> PortableConv:
    torch.manual_seed(seed)
    return PortableConv(channels_in, channels_out, kernel, relu)


def set_weights(conv: PortableConv, weights: list[float], bias: float = 0.0) -> None:
    """One kernel for all of its outputs."""
    with torch.no_grad():
        conv.weight.copy_(torch.tensor(weights, dtype=torch.float64).view(1, -1, 1, 1))
        conv.bias.fill_(bias)


def as_python(values: Tensor, bits: int) -> np.ndarray:
    """round(values · 2^bits) as Python's integers, halves to the even one."""
    flat = [round(Fraction(value) * 2**bits) for value in values.detach().flatten().tolist()]
    return np.array(flat, dtype=object).reshape(values.shape)


def oracle(conv: PortableConv, x: Tensor) -> Tensor:
    """The same layer in Python's integers, which have no limit."""
    weight, bias = as_python(conv.weight, 16), as_python(conv.bias, 26)
    kernel, (height, width) = weight.shape[-1], x.shape[-2:]
    edge = kernel // 2
    padded = np.pad(as_python(x, 0), [(0, 0), (0, 0), (edge, edge), (edge, edge)], mode="reflect")
    lowest = 0 if conv.relu else -(2**23)
    result = np.empty((len(x), len(weight), height, width))
    for b, c, i, j in np.ndindex(result.shape):
        total = (weight[c] * padded[b, :, i : i + kernel, j : j + kernel]).sum() + bias[c]
        result[b, c, i, j] = min(max(round(Fraction(total, 2**16)), lowest), 2**23)
    return torch.from_numpy(result)


# Fixed point -------------------------------------------------------------------------------------------------------


@given(n=st.integers(-(2**23), 2**23))
def test_multiples_of_the_unit_go_to_fixed_point_and_back(n: int) -> None:
    x = torch.tensor([n * 2.0**-10])
    assert to_fixed(x).tolist() == [n] and to_fixed(x).dtype == torch.float64
    assert torch.equal(from_fixed(to_fixed(x)), x) and from_fixed(to_fixed(x)).dtype == torch.float32


@given(x=st.floats(-9000, 9000, width=32))
@example(x=0.5 * 2**-10)
@example(x=1.5 * 2**-10)
@example(x=-8192.5)
def test_other_numbers_become_the_nearest_multiple_within_the_limit(x: float) -> None:
    expected = min(max(round(Fraction(x) * 1024), -(2**23)), 2**23)
    assert to_fixed(torch.tensor(x)).item() == expected
    assert from_fixed(to_fixed(torch.tensor(x))).item() == expected / 1024


# One layer ---------------------------------------------------------------------------------------------------------


@given(
    channels=st.tuples(st.integers(1, 5), st.integers(1, 4)),
    size=st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)),
    kernel=st.sampled_from([1, 3]),
    relu=st.booleans(),
    spread=st.floats(-8, 13),
    limit=st.sampled_from([3.0, 2.0**14, LIMIT]),
    seed=st.integers(0, 999),
)
@settings(max_examples=60)
def test_a_layer_computes_what_pythons_integers_do(channels, size, kernel, relu, spread, limit, seed) -> None:
    conv = layer(*channels, kernel, relu, seed)
    with torch.no_grad():  # each output's weights sum up to 2^spread, where 2^14 would be too much
        conv.weight.mul_(2**spread / conv.weight.abs().sum(dim=(1, 2, 3), keepdim=True))
        conv.bias.mul_(2**spread)
    conv.check()
    x = whole_numbers(size[0], channels[0], *size[1:], seed=seed, limit=limit)
    result = conv.fixed_point(x)
    assert result.dtype == torch.float64
    assert torch.equal(result, oracle(conv, x))


def test_halves_go_to_the_even_number_and_both_ends_are_cut_off() -> None:
    x = torch.tensor([-3.0, -1, 0, 1, 3, 5, 2.0**23, -(2.0**23)], dtype=torch.float64).view(1, 1, 1, 8)
    conv = layer(1, 1)
    set_weights(conv, [0.5])
    assert conv.fixed_point(x).flatten().tolist() == [-2, 0, 0, 0, 2, 2, 2**22, -(2**22)]
    set_weights(conv, [3.0])
    assert conv.fixed_point(x).flatten().tolist() == [-9, -3, 0, 3, 9, 15, 2**23, -(2**23)]
    conv.relu = True
    assert conv.fixed_point(x).flatten().tolist() == [0, 0, 0, 3, 9, 15, 2**23, 0]


def test_near_the_limit_the_last_bit_still_decides() -> None:
    """Terms of almost 2^53 cancel, and what is left is a half, to be rounded down to 0, or one unit more."""
    large = 2.0**11 - 0.25  # eight of them, and the rest: just below 2^14
    generator = torch.Generator().manual_seed(0)
    for rest, expected in ((2**15, 0), (2**15 + 1, 1), (-(2**15) - 1, -1)):
        weights = torch.tensor([large] * 4 + [-large] * 3 + [large, rest / 2**16], dtype=torch.float64)
        x = torch.tensor([LIMIT] * 7 + [-LIMIT, 1.0], dtype=torch.float64)
        assert (weights * x)[:8].sum() == 0
        for _ in range(40):
            order = torch.randperm(9, generator=generator)
            conv = layer(9, 3)
            set_weights(conv, weights[order].tolist())
            conv.check()
            result = conv.fixed_point(x[order].view(1, 9, 1, 1).expand(1, 9, 2, 3))
            assert torch.equal(result, torch.full((1, 3, 2, 3), float(expected), dtype=torch.float64))


@pytest.mark.parametrize("kernel", [1, 3])
def test_no_order_of_the_channels_changes_a_sum(kernel: int) -> None:
    conv = layer(40, 5, kernel)
    with torch.no_grad():
        conv.weight.mul_(2**13.9 / conv.weight.abs().sum(dim=(1, 2, 3), keepdim=True))
        conv.bias.mul_(2**10)
    conv.check()
    x = whole_numbers(2, 40, 3, 5, limit=2.0**10)
    expected = oracle(conv, x)
    assert (expected.abs() < LIMIT).double().mean() > 0.9
    for seed in range(10):
        order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
        mixed = layer(40, 5, kernel)
        mixed.load_state_dict({"weight": conv.weight[:, order], "bias": conv.bias})
        assert torch.equal(mixed.fixed_point(x[:, order]), expected)


# The proof ---------------------------------------------------------------------------------------------------------

JUST_BELOW = (2.0**30 - 2.0**6, 2.0**6 - 1)  # 2^30 − 1 together, each of them 24 bits or fewer, as float32 has


def test_the_proof_holds_up_to_the_last_number_and_no_further() -> None:
    conv = layer(2, 1)
    for signs in ((1, 1), (-1, 1), (-1, -1)):
        weights = [sign * weight / 2**16 for sign, weight in zip(signs, JUST_BELOW, strict=True)]
        for sign in (1, -1):
            set_weights(conv, weights, bias=sign * (2**23 - 1) / 2**26)
            conv.check()  # 2^53 − 1
            set_weights(conv, weights, bias=sign * 2**23 / 2**26)
            with pytest.raises(ValueError, match=r"could reach 9.01e\+15, beyond 2\^53"):
                conv.check()


@pytest.mark.parametrize("where", ["weight", "bias"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 2.0**40])
def test_diverged_weights_are_refused(where: str, value: float, one_sentence) -> None:
    network = portable_network(3, 4, 2, kernels=(3, 1))
    network.check()
    with torch.no_grad():
        getattr(network[1], where).view(-1)[-1] = value
    with pytest.raises(ValueError, match="its weights have diverged") as caught:
        network.check()
    assert one_sentence(caught.value)


def test_each_output_is_checked_by_itself() -> None:
    conv = layer(2, 2)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[2.0**13, 1.0], [1.0, 2.0**13]]).view(2, 2, 1, 1))
        conv.bias.zero_()
        conv.check()
        conv.weight[1, 0] = 2.0**13
    with pytest.raises(ValueError, match="beyond"):
        conv.check()


def test_what_an_accepted_layer_gives_another_may_take() -> None:
    """The proof leans on the clamps: no result lies beyond the limit that it assumes of inputs."""
    conv = layer(2, 1)
    set_weights(conv, [weight / 2**16 for weight in JUST_BELOW])
    x = torch.full((1, 2, 1, 1), LIMIT, dtype=torch.float64)
    assert conv.fixed_point(x).item() == LIMIT and conv.fixed_point(-x).item() == -LIMIT
    assert LIMIT * 2.0**30 == EXACT


def test_other_layers_have_no_place_here() -> None:
    PortableNetwork(PortableConv(2, 8), nn.PixelShuffle(2), PortableConv(2, 3)).check()
    with pytest.raises(ValueError, match=r"^Softmax has no place in a portable network\.$"):
        PortableNetwork(PortableConv(2, 8), nn.Softmax(dim=1)).check()


# Networks ----------------------------------------------------------------------------------------------------------


def test_a_network_is_its_layers_with_relu_after_all_but_the_last() -> None:
    network = portable_network(2, 3, 4, 5, kernels=(3, 1, 3))
    assert [(conv.in_channels, conv.out_channels, conv.kernel_size[0], conv.relu) for conv in network] == [
        (2, 3, 3, True),
        (3, 4, 1, True),
        (4, 5, 3, False),
    ]
    for wrong in ((3,), (3, 1), (1, 1, 1, 1)):
        with pytest.raises(ValueError, match=r"shorter|longer"):
            portable_network(2, 3, 4, 5, kernels=wrong)


@given(seed=st.integers(0, 99), kernels=st.lists(st.sampled_from([1, 3]), min_size=1, max_size=3))
@settings(max_examples=15)
def test_a_network_computes_what_pythons_integers_do_also_through_shuffled_pixels(
    seed: int, kernels: list[int]
) -> None:
    torch.manual_seed(seed)
    first = portable_network(*[2] * len(kernels), 8, kernels=tuple(kernels))
    network = PortableNetwork(*first, nn.PixelShuffle(2), PortableConv(2, 3, 3, relu=False))
    x = whole_numbers(1, 2, 2, 3, seed=seed, limit=8 * ONE)
    expected = x
    for each in network:
        expected = oracle(each, expected) if isinstance(each, PortableConv) else each(expected)
    assert torch.equal(network.fixed_point(x), expected)
    assert network.fixed_point(x).shape == (1, 3, 4, 6)


def error_bound(network: PortableNetwork, x: Tensor) -> float:
    """How far the floats may be from fixed point: what rounding of weights and results adds up to, layer by layer."""
    error, values = 0.0, x
    for conv in network:
        fan_in = conv.weight[0].numel()
        gain = conv.weight.detach().abs().sum(dim=(1, 2, 3)).max().item()
        error = gain * error + fan_in * 2**-17 * (values.abs().max().item() + error) + 2**-11 + 2**-20
        values = conv(values).detach()
    return error


@pytest.mark.parametrize("seed", range(3))
def test_the_floats_of_training_are_near_the_fixed_point_of_use(seed: int) -> None:
    torch.manual_seed(seed)
    network = portable_network(6, 10, 10, 4, kernels=(1, 3, 1))
    x = from_fixed(whole_numbers(2, 6, 7, 9, seed=seed, limit=4 * ONE))
    exact, floats = from_fixed(network.fixed_point(to_fixed(x))), network(x).detach()
    bound = error_bound(network, x)
    assert bound < 0.02 < 0.2 < floats.std()
    assert (exact - floats).abs().max() < bound


def test_the_integers_follow_the_weights() -> None:
    """Nothing is kept from before: after a step of training, the next result is the new weights'."""
    network = portable_network(2, 3, kernels=(1,))
    x = whole_numbers(1, 2, 3, 3, limit=ONE)
    before = network.fixed_point(x)
    with torch.no_grad():
        network[0].bias.add_(1.0)
    assert torch.equal(network.fixed_point(x), before + ONE)
    trained = network.train().fixed_point(x)
    assert torch.equal(trained, network.eval().fixed_point(x)) and not trained.requires_grad


@pytest.mark.filterwarnings("ignore:TF32")
def test_the_same_bits_however_it_is_computed(other_ways_to_compute) -> None:
    torch.manual_seed(0)
    network = portable_network(50, 40, 40, 12, kernels=(1, 3, 3))
    with torch.no_grad():
        for conv in network:
            conv.weight.mul_(20)  # weights up to 2^2 or so, results up to the limit
    network.check()
    x = whole_numbers(3, 50, 17, 9, limit=2.0**16)
    expected = network.fixed_point(x)
    assert 0.05 < (expected.abs() == LIMIT).double().mean() < 0.95
    for name, way in other_ways_to_compute.items():
        with way():
            assert torch.equal(network.fixed_point(x), expected), name
    assert torch.equal(network.fixed_point(x.contiguous(memory_format=torch.channels_last)), expected)
    assert torch.equal(network.fixed_point(x.transpose(-1, -2).contiguous().transpose(-1, -2)), expected)
    assert torch.equal(torch.cat([network.fixed_point(image[None]) for image in x]), expected)
    network.to(memory_format=torch.channels_last)
    assert torch.equal(network.fixed_point(x), expected)


def test_gradients_reach_every_parameter(gradients_reach_all) -> None:
    torch.manual_seed(0)
    network = portable_network(3, 6, 6, 2, kernels=(3, 1, 3)).train()
    x = torch.randn(2, 3, 5, 5, requires_grad=True)
    network(x).square().sum().backward()
    gradients_reach_all(network)
    assert x.grad.abs().min() > 0
