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
from tutorial_lib.hyperprior import MeanScaleHyperprior, ScaleHyperprior, ScaleMeanHead, SideInformation
from tutorial_lib.information import bits
from tutorial_lib.prior import FactorizedPrior, Prior
from tutorial_lib.rans import BitstreamError
from tutorial_lib.slicing import ChannelSlices, SpatialSlices
from tutorial_lib.transform_codec import TransformCodec

M, STRIDE = 4, 4


def side(parameters: int, scales: bool = False) -> SideInformation:
    synthesis = nn.ConvTranspose2d(2, parameters, 4, 4)
    return SideInformation(nn.Conv2d(M, 2, 4, 4), ScaleMeanHead(synthesis, M) if scales else synthesis, 2)


def conv_context() -> ContextPrior:
    fuse = ScaleMeanHead(nn.Conv1d(3 + 5, 2 * M, 1), M)
    embed = nn.Conv1d(M, 3, 1, bias=False)
    return ContextPrior(M, side(3), embed, ConvContext(3, 5, len(neighbours("raster"))), fuse, "raster", noise=False)


def channel_slices() -> ChannelSlices:
    predictors = [ScaleMeanHead(nn.Conv2d(3 + before, 4, 1), 2) for before in (0, 2)]
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
def test_decoding_gives_exactly_the_forward_pass(built, name, size, batch, threads, noise, check_codec) -> None:
    torch.set_num_threads(threads)
    try:
        check_codec(built(name), noise(batch, 3, *size), parts=PRIORS[name][1])
    finally:
        torch.set_num_threads(1)


@any_prior
@pytest.mark.parametrize("training", [False, True])
def test_the_contract_of_a_forward_pass(built, name: str, training: bool, noise) -> None:
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
def test_training_reaches_every_parameter(name: str, gradients_reach_all, noise) -> None:
    codec = codec_with(name).train()
    x = noise(2, 3, 33, 50)
    output = codec(x)
    rate = sum(bits(values) for values in output["likelihoods"].values())
    (rate + 100 * (output["x_hat"] - x).square().sum()).backward()
    gradients_reach_all(codec)


def test_the_frame_pads_analyses_asks_the_prior_synthesises_and_crops(noise) -> None:
    """With transforms that only move pixels: what the prior has seen, and what has become of it."""

    class Doubling(Prior):
        def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
            assert condition is None
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
def test_bytes_are_what_the_likelihoods_promise(built, name: str, noise) -> None:
    codec, x = built(name), noise(1, 3, 112, 120)
    with torch.no_grad():
        promised = sum(bits(values).item() for values in codec(x)["likelihoods"].values()) / 8
    length = sum(len(part[0]) for part in codec.compress(x)["strings"])
    too_wide = 0 if name in HAVE_Y_ONLY else 0.1 * M * 28 * 30 / 8  # a table's scale is up to 13 % above the value's
    assert 0.98 * promised - 8 < length < 1.02 * promised + too_wide + 12 * PRIORS[name][1]


@any_prior
def test_coding_leaves_no_graph_behind(built, name: str, noise) -> None:
    codec = built(name)
    x = noise(1, 3, 20, 12).requires_grad_()
    assert not codec.decompress(**codec.compress(x))["x_hat"].requires_grad


@any_prior
def test_the_prior_itself_keeps_its_promise_without_no_grad(built, name: str, noise) -> None:
    prior = built(name).prior
    y = 3 * noise(2, M, 5, 6).requires_grad_()
    y_hat = prior(y)[0]
    assert torch.equal(prior.decompress(prior.compress(y), (5, 6)), y_hat)


def test_a_prefix_of_the_strings_goes_through_the_frame(built, noise) -> None:
    codec, x = built("channel slices"), noise(1, 3, 22, 30)
    coded = codec.compress(x)
    pictures = [codec.decompress(coded["strings"][:n], coded["shape"])["x_hat"] for n in (1, 2, 3)]
    assert all(picture.shape == x.shape for picture in pictures)
    assert not torch.equal(pictures[0], pictures[1]) and not torch.equal(pictures[1], pictures[2])


# Tables ------------------------------------------------------------------------------------------------------------


def holders(codec: TransformCodec) -> list[CoderHolder]:
    return [module for module in codec.modules() if isinstance(module, CoderHolder)]


@any_prior
def test_a_codec_is_built_when_all_of_it_is(name: str, noise) -> None:
    codec = codec_with(name)
    assert not codec.is_built
    for use in (lambda: codec.compress(noise(1, 3, 8, 8)), lambda: codec.decompress([[b""]] * 3, (8, 8))):
        with pytest.raises((RuntimeError, BitstreamError), match=r"no coding tables yet|writes"):
            use()
    before = codec.fingerprint()
    codec.build_coder()
    assert codec.is_built and codec.fingerprint() != before
    assert len(holders(codec)) == (1 if name in HAVE_Y_ONLY else 2)
    for holder in holders(codec):
        empty, holder._coder = holder._coder, None
        assert not codec.is_built
        holder._coder = empty


@any_prior
def test_the_fingerprint_tells_all_tables_apart(built, name: str) -> None:
    codec = codec_with(name)
    codec.build_coder()
    print_ = codec.fingerprint()
    assert len(print_) == 16 and int(print_, 16) >= 0
    assert print_ == built(name).fingerprint()
    mine = holders(codec)
    for holder in mine:
        holder._tables = None  # here it takes those of other models, of any number
    others = [holder.coder for holder in mine]
    different = codec_with("factorized", seed=7)
    different.build_coder()
    prints = {print_}
    for holder, own in zip(mine, others, strict=True):
        holder.set_extra_state(different.prior.holder.coder.to_tensor())
        prints.add(codec.fingerprint())
        holder.set_extra_state(own.to_tensor())
    if len(mine) == 2:
        for holder, other in zip(mine, reversed(others), strict=True):
            holder.set_extra_state(other.to_tensor())
        prints.add(codec.fingerprint())
    assert len(prints) == {1: 2, 2: 4}[len(mine)]  # either of the tables, and their order
    assert all(len(some) == 16 for some in prints)


@any_prior
def test_a_fresh_codec_takes_the_state_and_reads_the_bytes(built, name: str, tmp_path: Path, noise) -> None:
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


@any_prior
def test_damaged_strings_are_refused(built, name: str, noise) -> None:
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
def test_a_diverged_network_is_no_picture(built, name: str, noise) -> None:
    codec = codec_with(name)
    codec.build_coder()
    with torch.no_grad():
        codec.analysis[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ValueError, match="NaN"):
        codec.compress(noise(1, 3, 16, 16))
