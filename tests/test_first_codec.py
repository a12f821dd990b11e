"""The first codec: any size in, the same size out, and out of the bytes comes what the forward pass promised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tutorial_lib.bitstream import pack, unpack
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.checkpoints import shipped as shipped_path
from tutorial_lib.files.images import to_float, to_uint8
from tutorial_lib.first_codec import FirstCodec, NotesNetwork, notes_codec
from tutorial_lib.information import bits, rate_distortion_loss
from tutorial_lib.rans import BitstreamError
from tutorial_lib.workbench.photos import PHOTOS, photo

SIZES = [(1, 1), (1, 777), (777, 1), (389, 513), (16, 16), (15, 17)]  # height, width


def shaken(codec: FirstCodec, seed: int) -> FirstCodec:
    """The codec with every parameter moved a little: no zeros left over from the start."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.add_(0.04 * torch.randn(parameter.shape, generator=generator))
    codec.eval()
    codec.build_coder()
    return codec


def small_dct() -> FirstCodec:
    return FirstCodec(hidden=8)


@pytest.fixture(scope="module", params=[notes_codec, small_dct], ids=["notes", "dct"])
def make(request: pytest.FixtureRequest) -> Callable[[], FirstCodec]:
    return request.param


@pytest.fixture(scope="module")
def codec(make: Callable[[], FirstCodec]) -> FirstCodec:
    torch.manual_seed(0)
    return shaken(make(), seed=1)


# The network as printed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "back"), [(512, 509), (29, 29), (36, 29), (37, 37), (100, 93)])
def test_the_notes_network_changes_the_size(size: int, back: int, noise) -> None:
    x_hat, likelihoods = NotesNetwork()(noise(1, 3, size, 64))
    assert x_hat.shape == (1, 3, back, 61)
    assert likelihoods.shape[:2] == (1, 32)


def test_the_notes_network_cannot_take_small_pictures(noise) -> None:
    NotesNetwork()(noise(1, 3, 29, 29))
    with pytest.raises(RuntimeError, match="Kernel size"):
        NotesNetwork()(noise(1, 3, 28, 28))


def test_what_the_notes_call_quantized_is_neither_whole_nor_ever_negative() -> None:
    torch.manual_seed(0)
    network = NotesNetwork()
    with torch.no_grad():
        z = network.quantizer(network.encoder(to_float(photo("chelsea"))))
    assert z.shape == (1, 32, 34, 53)
    assert (z >= 0).all()
    assert (z != z.round()).float().mean() > 0.3


def test_the_notes_network_has_the_layers_that_the_notes_print() -> None:
    shapes = [tuple(p.shape) for p in NotesNetwork().parameters() if p.dim() == 4]
    down = [(32, 3, 5, 5), (64, 32, 5, 5), (32, 64, 5, 5)]
    up = [(32, 64, 5, 5), (64, 32, 5, 5), (32, 3, 5, 5)]
    assert shapes == down + up
    layers = list(NotesNetwork().modules())
    assert sum(isinstance(layer, torch.nn.ReLU) for layer in layers) == 5
    assert all(layer.stride == (2, 2) and layer.padding == (0, 0) for layer in layers if hasattr(layer, "stride"))


# Mended: sizes, contract, exactness ------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_decoding_gives_exactly_the_forward_pass(
    codec: FirstCodec, size: tuple[int, int], batch: int, noise, check_codec
) -> None:
    check_codec(codec, noise(batch, 3, *size), parts=1)


def test_each_picture_of_a_batch_has_its_own_string(codec: FirstCodec, noise) -> None:
    x = noise(2, 3, 40, 50)
    both = codec.compress(x)
    for n in range(2):
        alone = codec.decompress([[both["strings"][0][n]]], both["shape"])["x_hat"]
        torch.testing.assert_close(alone, codec.decompress(**both)["x_hat"][n : n + 1], rtol=0, atol=1e-5)


def test_the_contract_of_a_forward_pass(codec: FirstCodec, noise) -> None:
    x = noise(2, 3, 33, 50)
    output = codec(x)
    assert output.keys() == {"x_hat", "likelihoods"}
    assert output["likelihoods"].keys() == {"y"}
    channels, stride = codec.prior.entropy_bottleneck.channels, codec.stride
    assert output["x_hat"].shape == x.shape
    assert output["likelihoods"]["y"].shape == (2, channels, -(-33 // stride), -(-50 // stride))
    assert (output["likelihoods"]["y"] > 0).all() and (output["likelihoods"]["y"] <= 1).all()


def test_bytes_are_what_the_likelihoods_promise(codec: FirstCodec, noise) -> None:
    x = noise(1, 3, 128, 160)
    with torch.no_grad():
        promised = bits(codec(x)["likelihoods"]["y"]).item() / 8
    (string,) = codec.compress(x)["strings"][0]
    assert promised - 1 < len(string) <= 1.002 * promised + 35  # and a header of 29 bytes would make it 64


def test_a_padded_photo_and_its_padding_are_coded_alike(codec: FirstCodec, noise) -> None:
    """The pad is a reflection, so a picture that ends with one already needs no pad and gives the same bytes."""
    half, size = codec.stride // 2, 3 * codec.stride // 2
    x = noise(1, 3, size, size)
    walk = [*range(size), *range(size - 2, size - 2 - half, -1)]  # all of it, and half a stride back
    padded = x[..., walk, :][..., walk]
    assert codec.compress(x)["strings"] == codec.compress(padded)["strings"]


# Training and use ------------------------------------------------------------------------------------------------


def test_in_use_the_latent_is_rounded(codec: FirstCodec, noise) -> None:
    x = noise(1, 3, 48, 48)
    with torch.no_grad():
        y_hat = torch.round(codec.analysis(x))
        output = codec(x)
        assert torch.equal(output["x_hat"], codec.synthesis(y_hat))
        assert torch.equal(output["likelihoods"]["y"], codec.prior.entropy_bottleneck.rate(y_hat))
    assert y_hat.unique().numel() > 2


def test_training_sees_the_symbols_that_use_will_code(make: Callable[[], FirstCodec], noise) -> None:
    torch.manual_seed(0)
    codec = shaken(make(), seed=2)
    x = noise(1, 3, 48, 48)
    with torch.no_grad():
        in_use, in_training = codec(x), codec.train()(x)
    torch.testing.assert_close(in_training["x_hat"], in_use["x_hat"], rtol=0, atol=1e-6)
    torch.testing.assert_close(in_training["likelihoods"]["y"], in_use["likelihoods"]["y"], rtol=1e-4, atol=1e-9)


def test_gradients_reach_every_parameter(make: Callable[[], FirstCodec], gradients_reach_all, noise) -> None:
    torch.manual_seed(0)
    codec = shaken(make(), seed=3).train()  # shaken: behind a layer of zeros there is no gradient at first
    x = noise(2, 3, 48, 48)
    rate_distortion_loss(codec(x), x, lmbda=0.01)["loss"].backward()
    gradients_reach_all(codec)


def test_the_distortion_alone_reaches_the_analysis(make: Callable[[], FirstCodec], noise) -> None:
    """Through the rounding, that is: without the straight-through estimator this gradient is zero."""
    torch.manual_seed(0)
    codec = shaken(make(), seed=4).train()
    x = noise(1, 3, 48, 48)
    (codec(x)["x_hat"] - x).square().mean().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in codec.analysis.parameters())


def test_an_untrained_cosine_codec_reproduces_a_photo_and_the_notes_codec_does_not() -> None:
    x = to_float(photo("coffee"))
    torch.manual_seed(0)
    quality = {}
    for make in (notes_codec, FirstCodec):
        codec = make().eval()
        with torch.no_grad():
            quality[make] = psnr(to_uint8(codec(x)["x_hat"]), photo("coffee"))
    assert quality[FirstCodec] > 25 > 15 > quality[notes_codec]


def test_a_larger_lambda_starts_with_a_finer_step() -> None:
    fine, coarse = FirstCodec(lmbda=0.04), FirstCodec(lmbda=0.01)
    assert coarse.analysis.step / fine.analysis.step == pytest.approx(2, rel=1e-5)
    for codec in (fine, coarse):
        assert codec.analysis.step == codec.synthesis.step


# What can go wrong -----------------------------------------------------------------------------------------------


def test_without_tables_there_is_a_loud_error(make: Callable[[], FirstCodec], noise) -> None:
    codec = make().eval()
    for use in (lambda: codec.compress(noise(1, 3, 16, 16)), lambda: codec.decompress([[b""]], (16, 16))):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()


def test_damaged_strings_are_refused(codec: FirstCodec, noise) -> None:
    coded = codec.compress(noise(1, 3, 32, 32))
    (string,) = coded["strings"][0]
    for damaged in (b"", string[:-4], string + bytes(4), bytes(len(string))):
        with pytest.raises(BitstreamError):
            codec.decompress([[damaged]], coded["shape"])
    with pytest.raises(BitstreamError):
        codec.decompress([[string]], (320, 320))
    for strings in ([], [[string], [string]]):
        with pytest.raises(BitstreamError, match=r"1 string\(s\) a picture"):
            codec.decompress(strings, coded["shape"])


def test_a_diverged_network_is_no_picture(make: Callable[[], FirstCodec], noise) -> None:
    codec = make().eval()
    codec.build_coder()
    with torch.no_grad():
        next(codec.analysis.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="NaN"):
        codec.compress(noise(1, 3, 16, 16))


# Saving and loading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["dictionary", "safetensors", "torch"])
def test_a_fresh_model_takes_the_state_and_reads_the_bytes(
    make: Callable[[], FirstCodec], codec: FirstCodec, kind: str, tmp_path: Path, noise
) -> None:
    state = codec.state_dict()
    if kind == "safetensors":
        save_file(state, tmp_path / "codec.safetensors")
        state = load_file(tmp_path / "codec.safetensors")
    elif kind == "torch":
        torch.save(state, tmp_path / "codec.pt")
        state = torch.load(tmp_path / "codec.pt", weights_only=True)
    torch.manual_seed(99)
    fresh = make()
    assert not fresh.is_built
    fresh.load_state_dict(state, strict=True)
    fresh.eval()

    x = noise(1, 3, 50, 70)
    assert fresh.fingerprint() == codec.fingerprint()
    coded = codec.compress(x)
    assert fresh.compress(x) == coded
    assert torch.equal(fresh.decompress(**coded)["x_hat"], codec.decompress(**coded)["x_hat"])


def test_other_parameters_have_another_fingerprint(make: Callable[[], FirstCodec], codec: FirstCodec) -> None:
    torch.manual_seed(0)
    other = shaken(make(), seed=5)
    assert other.fingerprint() != codec.fingerprint()


def test_load_reads_what_was_saved(tmp_path: Path, noise) -> None:
    torch.manual_seed(0)
    codec = shaken(FirstCodec(lmbda=0.02), seed=6)  # not the default λ: the step must come from the file
    codec.save(tmp_path / "codec.safetensors")
    loaded = FirstCodec.load(tmp_path / "codec.safetensors")
    assert not loaded.training and loaded.settings == {"lmbda": 0.02, "hidden": 96}
    assert loaded.fingerprint() == codec.fingerprint()
    x = noise(1, 3, 20, 40)
    assert torch.equal(loaded.decompress(**codec.compress(x))["x_hat"], codec.decompress(**codec.compress(x))["x_hat"])


# The checkpoint that ships ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped() -> FirstCodec:
    return FirstCodec.load()


def test_the_shipped_checkpoint_is_small_and_ready(shipped: FirstCodec) -> None:
    assert shipped_path(str(FirstCodec.checkpoint)).stat().st_size < 5_000_000
    assert not shipped.training and shipped.is_built


@pytest.mark.parametrize("name", PHOTOS)
def test_the_shipped_checkpoint_on_photos(shipped: FirstCodec, name: str) -> None:
    image = photo(name)
    x = to_float(image)
    data = shipped.encode(image)
    back = shipped.decode(data)
    with torch.no_grad():
        forward = shipped(x)
    assert torch.equal(back, to_uint8(forward["x_hat"]))
    promised = bits(forward["likelihoods"]["y"]).item() / 8
    # A rare symbol may cost less than promised: a table gives no symbol less than 2^-16, and escapes the rest.
    assert 0.97 * promised <= len(data) <= 1.002 * promised + 64
    assert psnr(back, image) > 28


def test_files_of_another_checkpoint_or_codec_are_refused(shipped: FirstCodec) -> None:
    data = shipped.encode(photo("coffee")[:, :20, :30])
    stream = unpack(data)
    for changes, words in [
        ({"fingerprint": "0123456789abcdef"}, "another checkpoint .with the fingerprint 0123456789abcdef"),
        ({"codec": "codec", "quality": 50}, "made by the codec called codec, not by first_codec"),
        ({"quality": 50}, "it is of quality 50, which this codec lacks"),
        ({"strings": stream.strings * 2, "required": None}, r"writes 1 string\(s\) a picture, not 2"),
    ]:
        with pytest.raises(BitstreamError, match=words):
            shipped.decode(pack(replace(stream, **changes)))
