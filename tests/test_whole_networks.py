"""Networks of whole numbers: exact on every setting, near to what was trained, bounded or refused."""

from __future__ import annotations

import contextlib
import itertools
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib import whole_networks
from tutorial_lib.tiled_picture import Picture
from tutorial_lib.whole_networks import (
    EXACT,
    LIMIT,
    OUTPUT_LIMIT,
    UNIT,
    WEIGHT_LIMIT,
    WholeLayer,
    check,
    largest_sums,
    round_to,
    self_test,
    straight,
)


def activations(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(-int(LIMIT), int(LIMIT) + 1, shape, generator=torch.Generator().manual_seed(seed)).float()


def layer(channels: int, *inputs: tuple[int, int, int], gain: float = 1.0, **options) -> WholeLayer:
    torch.manual_seed(1)
    made = WholeLayer(channels, *inputs, **options)
    with torch.no_grad():
        for weight in made.weights:
            weight.mul_(gain)
    return made.eval()


@contextlib.contextmanager
def threads(n: int):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    yield
    torch.set_num_threads(before)


def by_integers(made: WholeLayer, *xs: Tensor, plus: Tensor | None = None) -> Tensor:
    """The layer's sums in int64, in units of 2^-14, then its end in float64."""
    weights, bias = made.whole_weights()
    fine = 2**14
    sums = (bias.double() * fine).long()[:, None, None] + (0 if plus is None else (plus * fine).long())
    for x, weight, stride in zip(xs, weights, made.strides, strict=True):
        kernel = weight.shape[-1]
        columns = F.unfold(x.double(), kernel, stride=stride).long()
        size = [(n - kernel) // stride + 1 for n in x.shape[-2:]]
        sums = sums + ((weight.double() * fine).long().flatten(1) @ columns).unflatten(-1, size)
    real = sums.double() / fine
    if made.output:
        return (torch.round(real * 4) / 256).clamp(-OUTPUT_LIMIT, OUTPUT_LIMIT).float()
    return torch.round(torch.where(real < 0, real * made.slope, real)).clamp(-LIMIT, LIMIT).float()


# Exactness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [0.3, 3.0])
@pytest.mark.parametrize("options", [{}, {"slope": 1.0}, {"output": True}])
@pytest.mark.parametrize("kernel", [1, 3, 5])
@torch.no_grad()
def test_a_layer_is_what_integers_give(kernel: int, options: dict, gain: float) -> None:
    made = layer(9, (12, kernel, 1), (4, kernel + 2, 1), (1, 1, 1), gain=gain, **options)
    xs = activations(2, 12, 9, 8), activations(2, 4, 11, 10, seed=1), activations(2, 1, 1, 1, seed=2)
    size = 9 - kernel + 1, 8 - kernel + 1
    plus = None if options.get("output") else activations(2, 9, *size, seed=3)
    ours = made(*xs, plus=plus, whole=True)
    assert torch.equal(ours, by_integers(made, *xs, plus=plus))
    assert len(ours.unique()) > 20


@torch.no_grad()
def test_strides_are_exact_too() -> None:
    made = layer(5, (4, 1, 1), (6, 3, 2))
    xs = activations(1, 4, 4, 5), activations(1, 6, 9, 11, seed=1)
    assert torch.equal(made(*xs, whole=True), by_integers(made, *xs))


@pytest.mark.parametrize("channels, kernel", [(24, 3), (64, 3), (40, 1), (8, 5)])
@torch.no_grad()
def test_threads_layouts_backends_and_batches_change_no_bit(channels: int, kernel: int) -> None:
    made, x = layer(channels, (channels, kernel, 1), gain=3.0), activations(4, channels, 21, 30)
    true = by_integers(made, x)
    layouts = torch.contiguous_format, torch.channels_last
    for count, onednn, layout in itertools.product((1, 2), (True, False), layouts):
        with threads(count), torch.backends.mkldnn.flags(enabled=onednn):
            assert torch.equal(made(x.contiguous(memory_format=layout), whole=True), true)
            alone = [made(part.contiguous(memory_format=layout), whole=True) for part in x.split(1)]
            assert torch.equal(torch.cat(alone), true)


@torch.no_grad()
def test_with_and_without_gradients_the_numbers_are_the_same() -> None:
    for options in ({}, {"slope": 1.0}, {"output": True}):
        made, x = layer(6, (5, 3, 1), **options), activations(1, 5, 7, 7)
        for whole in (True, False):
            plain = made(x, whole=whole)
            with torch.enable_grad():
                assert torch.equal(made(x, whole=whole), plain)


def test_the_self_test_passes_here_and_notices_a_convolution_that_is_not_exact(monkeypatch) -> None:
    self_test()
    true = F.conv2d

    def winograd(x: Tensor, *rest) -> Tensor:
        return true(x / 3, *rest) * 3

    monkeypatch.setattr(whole_networks.F, "conv2d", winograd)
    with pytest.raises(ValueError, match="not exact"):
        self_test()
    monkeypatch.setattr(
        whole_networks.F, "conv2d", lambda x, w, b, s: true(x.bfloat16(), w.bfloat16(), b.bfloat16(), s)
    )
    with pytest.raises(ValueError, match="not exact"):
        self_test()

    def of_23_bits(*given) -> Tensor:
        sums = true(*given)
        return torch.where(sums.abs() < 2**23, sums, 2 * torch.round(sums / 2))

    monkeypatch.setattr(whole_networks.F, "conv2d", of_23_bits)
    with pytest.raises(ValueError, match="not exact"):
        self_test()


def test_a_codec_tests_each_device_before_it_codes_there(monkeypatch, lively_codec) -> None:
    """A codec may have been moved since it was loaded."""
    codec, picture = lively_codec(), torch.zeros(3, 40, 40, dtype=torch.uint8)
    data, quality = codec.encode(picture, 50, 0), torch.tensor([50.0])

    def inexact(device: object) -> None:
        raise ValueError(f"not exact on {device}")

    monkeypatch.setattr(whole_networks, "self_test", inexact)
    whole_networks.self_test_once.cache_clear()
    tries = (
        lambda: codec.encode(picture, 50, 0),
        lambda: codec.decode(data),
        lambda: Picture(codec.prior, (40, 40), quality),
    )
    for each in tries:
        with pytest.raises(ValueError, match="not exact on cpu"):
            each()


# The bound ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gain", [1e-4, 1.0, 30.0, 300.0])
def test_sums_are_bounded_and_weights_are_multiples(gain: float) -> None:
    made = layer(7, (64, 5, 1), (3, 3, 1), gain=gain)
    weights, bias = made.whole_weights()
    for numbers in (*weights, bias):
        assert not (numbers.detach() * 2.0**14).frac().any()
    assert_exact(made)


def assert_exact(made: WholeLayer) -> None:
    """Counted anew, without the exponents that were chosen: each sum is below 2^24 of what divides all of its terms."""
    weights, bias = made.whole_weights()
    for c, offset in enumerate(bias.tolist()):
        terms = [Fraction(w) for weight in weights for w in weight[c].flatten().tolist()]
        unit = Fraction(1, max(each.denominator for each in (*terms, Fraction(offset))))  # powers of two
        assert sum(map(abs, terms)) * int(LIMIT) + abs(Fraction(offset)) + int(LIMIT) < int(EXACT) * unit


def test_weights_get_coarser_where_sums_could_be_inexact() -> None:
    made = layer(2, (512, 3, 1))
    with torch.no_grad():
        made.weights[0].fill_(0.99)
    weights, bias = made.whole_weights()
    assert weights[0].unique().tolist() == [1.0]  # multiples of 1/2: with 1/4 the sums could reach 2^24
    assert EXACT / 4 < float(largest_sums(weights, bias).max()) < EXACT / 2
    assert_exact(made)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30, 2**15])
def test_diverged_weights_are_refused(bad: float) -> None:
    for place in ("weight", "bias"):
        made = layer(3, (2, 3, 1))
        with torch.no_grad():
            (made.weights[0] if place == "weight" else made.bias).view(-1)[0] = bad
        with pytest.raises(ValueError, match="diverged"):
            check(made)


# What is trained ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_whole_numbers_are_near_to_floats() -> None:
    made, x = layer(16, (16, 3, 1)), activations(1, 16, 20, 20)
    error = made(x, whole=True) - made(x, whole=False)
    assert error.square().mean().sqrt() < 0.01 * made(x, whole=False).square().mean().sqrt()
    for weight, trained in zip(made.whole_weights()[0], made.weights, strict=True):
        largest = trained.abs().amax(dim=(1, 2, 3), keepdim=True)
        assert ((weight - trained).abs() <= largest / WEIGHT_LIMIT * 1.01).all()


def test_gradients_pass_through_rounding() -> None:
    made, x = layer(6, (5, 3, 1)), activations(1, 5, 7, 7) / 4
    gradients = []
    for whole in (True, False):
        made.zero_grad()
        made(x, whole=whole).square().sum().backward()
        gradients.append((made.weights[0].grad.clone(), made.bias.grad.clone()))
    for ours, real in zip(*gradients, strict=True):
        assert F.cosine_similarity(ours.flatten(), real.flatten(), dim=0) > 0.99


@pytest.mark.parametrize("options", [{}, {"slope": 1.0}, {"output": True}])
def test_a_layer_that_is_not_learned_gives_its_inputs_the_same_gradients(options: dict) -> None:
    def numbers_and_gradients(made: WholeLayer) -> tuple[Tensor, tuple[Tensor, ...]]:
        wide, narrow = activations(1, 8, 22, 25).requires_grad_(), activations(1, 6, 41, 47, seed=1).requires_grad_()
        plus = activations(1, 12, 20, 23, seed=2).requires_grad_()
        y = made(wide, narrow, torch.full((1, 1, 1, 1), 30.0), plus=plus, whole=True)
        at = torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
        return y, torch.autograd.grad(y, (wide, narrow, plus), at)

    gain = 12.0 if "output" in options else 0.3  # so that some are clamped
    made = layer(12, (8, 3, 1), (6, 3, 2), (1, 1, 1), gain=gain, **options)
    y, wanted = numbers_and_gradients(made)
    for parameter in made.parameters():
        parameter.requires_grad_(False)
    alike, gradients = numbers_and_gradients(made)
    assert torch.equal(y, alike) and 0.01 < float((y.abs() == y.abs().max()).float().mean()) < 0.9
    for mine, theirs in zip(gradients, wanted, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_straight_is_the_rounded_value_to_the_bit() -> None:
    x = torch.tensor([0.3, 1e6 + 0.3, -7.6], requires_grad=True)
    y = straight(x, x.detach().round())
    assert torch.equal(y, x.detach().round())
    y.sum().backward()
    assert torch.equal(x.grad, torch.ones(3))
    assert round_to(torch.tensor(0.51), 2.0) == 0.5


@torch.no_grad()
def test_changed_weights_are_noticed() -> None:
    made, x = layer(3, (2, 1, 1)), activations(1, 2, 3, 3)
    before = made(x, whole=True)
    made.weights[0].mul_(2)
    after = made(x, whole=True)
    assert not torch.equal(before, after)
    made.weights[0].data.mul_(0.5)  # leaves no trace ...
    made.eval()  # ... so the mode must
    assert torch.equal(made(x, whole=True), before)


def test_limits() -> None:
    made = layer(1, (1, 1, 1))
    with torch.no_grad():
        made.weights[0].fill_(100.0)
        made.bias.zero_()
        assert made(torch.full((1, 1, 1, 1), LIMIT), whole=True) == LIMIT
        assert made(torch.full((1, 1, 1, 1), -LIMIT), whole=True) == -LIMIT
        made.bias.fill_(1.0)
        made.weights[0].zero_()
        assert made(torch.zeros(1, 1, 1, 1), whole=True) == UNIT
