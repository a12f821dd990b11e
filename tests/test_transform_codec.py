"""The frame: any size in, the same size out, and out of the bytes what the forward pass promised, with any prior."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutorial_lib.context import ContextPrior, ConvContext, neighbours
from tutorial_lib.entropy_coder import CoderHolder
from tutorial_lib.hyperprior import LogScales, MeanScaleHyperprior, ScaleHyperprior, SideInformation
from tutorial_lib.information import bits
from tutorial_lib.rans import BitstreamError
from tutorial_lib.slicing import ChannelSlices, SpatialSlices
from tutorial_lib.transform_codec import FactorizedPrior, IntegerPrior, TransformCodec, parts, rdoq

M, STRIDE = 4, 4


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def side(parameters: int, scales: bool = False) -> SideInformation:
    synthesis = nn.Sequential(nn.ConvTranspose2d(2, parameters, 4, 4))
    if scales:
        synthesis.append(LogScales(M))
    return SideInformation(nn.Conv2d(M, 2, 4, 4), synthesis, 2)


def conv_context() -> ContextPrior:
    fuse = nn.Sequential(nn.Conv1d(3 + 5, 2 * M, 1), LogScales(M))
    embed = nn.Conv1d(M, 3, 1, bias=False)
    return ContextPrior(M, side(3), embed, ConvContext(3, 5, len(neighbours("raster"))), fuse, "raster", noise=False)


def channel_slices() -> ChannelSlices:
    predictors = [nn.Sequential(nn.Conv2d(3 + before, 4, 1), LogScales(2)) for before in (0, 2)]
    return ChannelSlices(side(3), [2, 2], predictors, noise=False)


# What a prior is called, how it is made, and how many parts it writes for a latent of one tile.
PRIORS: dict[str, tuple[Callable[[], nn.Module], int]] = {
    "factorized": (lambda: FactorizedPrior(M), 1),
    "scale hyperprior": (lambda: ScaleHyperprior(side(M, scales=True), noise=False), 2),
    "mean-scale hyperprior": (lambda: MeanScaleHyperprior(side(2 * M, scales=True), noise=False), 2),
    "context": (conv_context, 2),
    "channel slices": (channel_slices, 3),
    "tiles": (lambda: SpatialSlices(FactorizedPrior(M), 100), 1),
    "tiles of slices": (lambda: SpatialSlices(channel_slices(), 100), 3),
}
HAVE_Y_ONLY = ("factorized", "tiles")
any_prior = pytest.mark.parametrize("name", PRIORS)


def codec_with(name: str, seed: int = 0) -> TransformCodec:
    torch.manual_seed(seed)
    analysis = nn.Sequential(nn.Conv2d(3, 6, STRIDE, STRIDE), nn.LeakyReLU(), nn.Conv2d(6, M, 3, padding=1))
    synthesis = nn.Sequential(nn.Conv2d(M, 6, 3, padding=1), nn.LeakyReLU(), nn.ConvTranspose2d(6, 3, STRIDE, STRIDE))
    with torch.no_grad():
        analysis[-1].weight.mul_(12)  # a latent of more than zeros
    return TransformCodec(analysis, synthesis, PRIORS[name][0](), STRIDE).eval()


@pytest.fixture(scope="module")
def built() -> Callable[[str], TransformCodec]:
    codecs: dict[str, TransformCodec] = {}

    def codec(name: str) -> TransformCodec:
        if name not in codecs:
            codecs[name] = codec_with(name)
            codecs[name].build_coder()
        return codecs[name]

    return codec


# Any prior in the frame --------------------------------------------------------------------------------------------


@any_prior
@given(size=st.tuples(st.integers(1, 40), st.integers(1, 40)), batch=st.integers(1, 3), threads=st.integers(1, 2))
@settings(max_examples=2)
@example(size=(1, 1), batch=1, threads=1)
@example(size=(1, 27), batch=2, threads=2)
@example(size=(33, 5), batch=3, threads=1)
@example(size=(52, 40), batch=1, threads=2)
def test_decoding_gives_exactly_the_forward_pass(built, name, size, batch, threads) -> None:
    codec, x = built(name), noise(batch, 3, *size)
    torch.set_num_threads(threads)
    try:
        coded = codec.compress(x)
        back = codec.decompress(**coded)
        with torch.no_grad():
            forward = codec(x)
    finally:
        torch.set_num_threads(1)
    assert coded.keys() == {"strings", "shape"} and coded["shape"] == size
    assert [len(part) for part in coded["strings"]] == [batch] * PRIORS[name][1]
    assert all(isinstance(string, bytes) for part in coded["strings"] for string in part)
    assert back.keys() == {"x_hat"} and back["x_hat"].shape == x.shape
    assert torch.equal(back["x_hat"], forward["x_hat"])


@any_prior
@pytest.mark.parametrize("training", [False, True])
def test_the_contract_of_a_forward_pass(built, name: str, training: bool) -> None:
    codec = codec_with(name).train(training)
    output = codec(noise(2, 3, 33, 50))
    assert output.keys() == {"x_hat", "likelihoods"}
    assert output["x_hat"].shape == (2, 3, 33, 50)
    assert output["likelihoods"].keys() == ({"y"} if name in HAVE_Y_ONLY else {"y", "z"})
    assert output["likelihoods"]["y"].numel() == 2 * M * 9 * 13
    for values in output["likelihoods"].values():
        assert len(values) == 2 and (values > 0).all() and (values <= 1 + 1e-6).all()
    sum(bits(values) for values in output["likelihoods"].values()).backward()
    assert codec.analysis[0].weight.grad.isfinite().all()


@any_prior
def test_training_reaches_every_parameter(name: str, gradients_reach_all) -> None:
    codec = codec_with(name).train()
    x = noise(2, 3, 33, 50)
    output = codec(x)
    rate = sum(bits(values) for values in output["likelihoods"].values())
    (rate + 100 * (output["x_hat"] - x).square().sum()).backward()
    gradients_reach_all(codec)


def test_the_frame_pads_analyses_asks_the_prior_synthesises_and_crops() -> None:
    """With transforms that only move pixels: what the prior has seen, and what has become of it."""

    class Doubling(nn.Module):
        def forward(self, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
            self.seen = y
            return 2 * y, {"y": torch.ones_like(y)}

    codec = TransformCodec(nn.PixelUnshuffle(4), nn.PixelShuffle(4), Doubling(), stride=4)
    x = noise(1, 3, 6, 9)
    output = codec(x)
    assert torch.equal(output["x_hat"], 2 * x)
    assert codec.prior.seen.shape == (1, 48, 2, 3)
    pixels = nn.functional.pixel_shuffle(codec.prior.seen, 4)
    assert torch.equal(pixels[..., :6, :9], x)
    assert torch.equal(pixels, nn.functional.pad(x, (0, 3, 0, 2), mode="reflect"))


@any_prior
def test_bytes_are_what_the_likelihoods_promise(built, name: str) -> None:
    codec, x = built(name), noise(1, 3, 112, 120)
    with torch.no_grad():
        promised = sum(bits(values).item() for values in codec(x)["likelihoods"].values()) / 8
    length = sum(len(part[0]) for part in codec.compress(x)["strings"])
    too_wide = 0 if name in HAVE_Y_ONLY else 0.1 * M * 28 * 30 / 8  # a table's scale is up to 13 % above the value's
    assert 0.98 * promised - 8 < length < 1.02 * promised + too_wide + 12 * PRIORS[name][1]


@any_prior
def test_coding_leaves_no_graph_behind(built, name: str) -> None:
    codec = built(name)
    x = noise(1, 3, 20, 12).requires_grad_()
    assert not codec.decompress(**codec.compress(x))["x_hat"].requires_grad


@any_prior
def test_the_prior_itself_keeps_its_promise_without_no_grad(built, name: str) -> None:
    prior = built(name).prior
    y = 3 * noise(2, M, 5, 6).requires_grad_()
    y_hat = prior(y)[0]
    assert torch.equal(prior.decompress(prior.compress(y), (5, 6)), y_hat)


def test_a_prefix_of_the_strings_goes_through_the_frame(built) -> None:
    codec, x = built("channel slices"), noise(1, 3, 22, 30)
    coded = codec.compress(x)
    pictures = [codec.decompress(coded["strings"][:n], coded["shape"])["x_hat"] for n in (1, 2, 3)]
    assert all(picture.shape == x.shape for picture in pictures)
    assert not torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[1], pictures[2])


# Tables ------------------------------------------------------------------------------------------------------------


def slots(codec: TransformCodec) -> list[CoderHolder]:
    return [module for module in codec.modules() if isinstance(module, CoderHolder)]


@any_prior
def test_a_codec_is_built_when_all_of_it_is(name: str) -> None:
    codec = codec_with(name)
    assert not codec.is_built
    for use in (lambda: codec.compress(noise(1, 3, 8, 8)), lambda: codec.decompress([[b""]] * 3, (8, 8))):
        with pytest.raises((RuntimeError, BitstreamError), match=r"no coding tables yet|writes"):
            use()
    with pytest.raises(RuntimeError, match="no coding tables yet"):
        codec.fingerprint()
    codec.build_coder()
    assert codec.is_built
    assert len(slots(codec)) == (1 if name in HAVE_Y_ONLY else 2)
    for slot in slots(codec):
        empty, slot._coder = slot._coder, None
        assert not codec.is_built
        slot._coder = empty


@any_prior
def test_the_fingerprint_tells_all_tables_apart(built, name: str) -> None:
    codec = codec_with(name)
    codec.build_coder()
    print_ = codec.fingerprint()
    assert len(print_) == 16 and int(print_, 16) >= 0
    assert print_ == built(name).fingerprint()
    mine = slots(codec)
    if len(mine) == 1:
        assert print_ == mine[0].coder.tables.fingerprint()
        return
    others = [slot.coder for slot in mine]
    different = codec_with("factorized", seed=7)
    different.build_coder()
    prints = {print_}
    for slot, own in zip(mine, others, strict=True):
        slot.set_extra_state(different.prior.slot.coder.to_tensor())
        prints.add(codec.fingerprint())
        slot.set_extra_state(own.to_tensor())
    for slot, other in zip(mine, reversed(others), strict=True):
        slot.set_extra_state(other.to_tensor())
    prints.add(codec.fingerprint())
    assert len(prints) == 4  # either of the tables, and their order
    assert all(len(some) == 16 for some in prints)


@any_prior
def test_a_fresh_codec_takes_the_state_and_reads_the_bytes(built, name: str, tmp_path: Path) -> None:
    codec = built(name)
    save_file(codec.state_dict(), tmp_path / "codec.safetensors")
    fresh = codec_with(name, seed=9)
    fresh.load_state_dict(load_file(tmp_path / "codec.safetensors"), strict=True)
    x = noise(2, 3, 21, 34)
    assert fresh.is_built and fresh.fingerprint() == codec.fingerprint()
    coded = codec.compress(x)
    assert fresh.compress(x) == coded
    assert torch.equal(fresh.decompress(**coded)["x_hat"], codec.decompress(**coded)["x_hat"])


# What can go wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 3])
def test_parts_passes_on_what_fits_and_refuses_the_rest_in_one_sentence(count: int) -> None:
    strings = [[b"a", b"b"]] * count
    assert parts(strings, count) is strings
    for wrong in (strings[1:], [*strings, [b"c"]], []):
        with pytest.raises(BitstreamError) as caught:
            parts(wrong, count)
        assert str(caught.value) == f"this codec writes {count} string(s) a picture, not {len(wrong)}."


@any_prior
def test_damaged_strings_are_refused(built, name: str) -> None:
    codec = built(name)
    coded = codec.compress(noise(1, 3, 32, 32))
    for n, (string,) in enumerate(coded["strings"]):
        for damaged in (b"", string[:-4], string + bytes(4), bytes(len(string))):
            strings = [[damaged] if m == n else part for m, part in enumerate(coded["strings"])]
            with pytest.raises(BitstreamError) as caught:
                codec.decompress(strings, coded["shape"])
            assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    for wrong in ([], [*coded["strings"], [b""]]):
        with pytest.raises(BitstreamError):
            codec.decompress(wrong, coded["shape"])
    with pytest.raises(BitstreamError):
        codec.decompress(coded["strings"], (160, 160))


@any_prior
def test_a_diverged_network_is_no_picture(built, name: str) -> None:
    codec = codec_with(name)
    codec.build_coder()
    with torch.no_grad():
        codec.analysis[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        codec.compress(noise(1, 3, 16, 16))


# The factorized prior, and the rate of whole numbers ---------------------------------------------------------------


def test_the_factorized_prior_knows_nothing_but_channels() -> None:
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


def mass(values: Tensor) -> Tensor:
    """A likelihood for the tests: two sides that fall at different rates."""
    return 0.4 * torch.exp2(-torch.where(values > 0, values, -2 * values))


def test_the_rate_of_whole_numbers_is_that_of_the_rounded() -> None:
    y = torch.tensor([-1.7, -0.5, -0.2, 0.0, 0.3, 0.5, 0.51, 1.0, 1.5, 2.5, 3.0])
    y_hat, likelihoods = rdoq(y, mass)
    assert torch.equal(y_hat, y.round())
    torch.testing.assert_close(likelihoods, mass(y.round()))


def test_its_slope_is_what_a_step_costs_and_the_rounding_passes_its_gradient_on() -> None:
    y = torch.tensor([-1.7, -0.5, 0.0, 0.3, 0.51, 1.0, 2.5], requires_grad=True)
    _, likelihoods = rdoq(y, mass)
    bits(likelihoods).backward()
    torch.testing.assert_close(y.grad, torch.tensor([-2.0, -2.0, 1.0, 1.0, 1.0, 1.0, 1.0]))  # bits for a step up
    y.grad = None
    rdoq(y, mass)[0].sum().backward()
    assert torch.equal(y.grad, torch.ones(7))


def test_a_likelihoods_parameters_get_the_gradient_of_what_is_coded_and_no_other() -> None:
    width = torch.tensor(1.5, requires_grad=True)
    y = 4 * noise(50) - 2
    bits(rdoq(y, lambda values: mass(values / width))[1]).backward()
    ours, width.grad = width.grad, None
    bits(mass(y.round() / width)).backward()
    torch.testing.assert_close(ours, width.grad)


@given(
    y=st.lists(st.floats(-30, 30, width=32), min_size=1, max_size=30),
    price=st.floats(0, 20, width=32),
)
@example(y=[-2.0, -1.0, 0.0, 1.0], price=0.5)
@example(y=[-1.5, -0.5, 0.5, 1e-30], price=1.0)
def test_with_a_price_for_errors_the_cheaper_of_the_two_whole_numbers_around_is_taken(y, price) -> None:
    y = torch.tensor(y)
    y_hat, likelihoods = rdoq(y, mass, torch.tensor(price))
    candidates = torch.stack([y.floor(), y.floor() + 1])
    costs = -mass(candidates).log2() + price * (candidates - y) ** 2  # bits
    assert torch.equal(y_hat, y_hat.round())
    assert ((y_hat == candidates[0]) | (y_hat == candidates[1])).all()
    chosen = -mass(y_hat).log2() + price * (y_hat - y) ** 2
    torch.testing.assert_close(chosen, costs.min(dim=0).values, rtol=1e-5, atol=1e-3)
    torch.testing.assert_close(likelihoods, mass(y_hat))


def test_the_price_decides_between_few_bits_and_a_small_error() -> None:
    y = torch.tensor([0.6, -0.6, 2.4, -2.4])  # a step away from 0 costs 1 bit above it, 2 below
    for price, expected in ((0.0, [0, 0, 2, -2]), (4.0, [0, 0, 2, -2]), (6.0, [1, 0, 2, -2]), (11.0, [1, -1, 2, -2])):
        assert rdoq(y, mass, torch.tensor(price))[0].tolist() == expected
    assert rdoq(torch.tensor([2.0]), mass, torch.tensor(0.0))[0].item() == 2  # cheaper is up, or stay


def test_an_error_without_a_price_or_beyond_all_prices_is_the_smallest() -> None:
    y = 20 * noise(500) - 10
    assert torch.equal(rdoq(y, mass)[0], y.round())
    assert torch.equal(rdoq(y, mass, torch.tensor(1e6))[0], y.round())
    by_channel = torch.tensor([0.0, 1e6])[:, None]
    cheap, near = rdoq(y.expand(2, -1), mass, by_channel)[0]
    assert torch.equal(near, y.round()) and not torch.equal(cheap, y.round())


def test_gradients_with_a_price_are_those_of_what_was_chosen() -> None:
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


def bit_costs(prior: IntegerPrior, y: Tensor) -> Tensor:
    return -prior.rate(y).log2()


def test_the_rates_gradient_for_the_densities_is_exact_and_for_the_latent_a_slope() -> None:
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
