"""The full codec: pictures of any size and quality to files and back, from the whole of a file or its beginning."""

from __future__ import annotations

import dataclasses
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor
from tutorial_lib.turns import TURNS

from tutorial_lib import bitstream
from tutorial_lib.codec import Codec, Settings
from tutorial_lib.dct_transforms import coarse_to_fine
from tutorial_lib.files.images import to_float, to_pil
from tutorial_lib.gaussian_conditional import SCALE_MIN
from tutorial_lib.information import bits
from tutorial_lib.portable_slices import level_of
from tutorial_lib.rans import BitstreamError
from tutorial_lib.variable_rate import LEVELS, lambda_of
from tutorial_lib.workbench.photos import photo

TINY = Settings(hidden=8, depth=1, smooth=4, side=8, features=8, inner=8)
SIZES = (6, 18, 36, 72, 252)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def cat(height: int, width: int) -> Tensor:
    """A part of a photo, uint8 (3, H, W)."""
    return photo("chelsea")[:, 60 : 60 + height, 110 : 110 + width]


@pytest.fixture(scope="module")
def codec(lively_codec) -> Codec:
    return lively_codec()


@pytest.fixture(scope="module")
def fresh() -> Codec:
    """As it is before training."""
    torch.manual_seed(0)
    codec = Codec(TINY).eval()
    codec.build_coder()
    return codec


def one_sentence(error: BaseException) -> bool:
    message = str(error)
    return message.endswith(".") and "\n" not in message and ". " not in message


# Exactness ---------------------------------------------------------------------------------------------------------


def check_coding(codec: Codec, x: Tensor, quality: int) -> None:
    coded = codec.compress(x, quality)
    decoded = codec.decompress(**coded, quality=quality)
    with torch.no_grad():
        forward = codec(x, quality)
    assert coded.keys() == {"strings", "shape"} and coded["shape"] == tuple(x.shape[-2:])
    assert [len(pieces) for pieces in coded["strings"]] == [len(x)] * 6
    assert decoded.keys() == {"x_hat"} and decoded["x_hat"].shape == x.shape
    assert torch.equal(decoded["x_hat"], forward["x_hat"])
    assert forward.keys() == {"x_hat", "likelihoods"} and forward["likelihoods"].keys() == {"y", "z"}
    for values in forward["likelihoods"].values():
        assert (values > 0).all() and (values <= 1 + 1e-6).all()


@pytest.mark.parametrize("quality", [1, 37, 100])
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 48)], ids=str)
def test_decoding_gives_exactly_the_forward_pass(codec, size: tuple[int, int], quality: int) -> None:
    check_coding(codec, noise(2 if size[0] < 64 else 1, 3, *size), quality)


@given(size=st.tuples(st.integers(1, 70), st.integers(1, 40)), quality=st.integers(1, 100), batch=st.integers(1, 3))
@settings(max_examples=5)
@example(size=(1, 40), quality=12, batch=1)
@example(size=(16, 65), quality=89, batch=2)
def test_decoding_gives_exactly_the_forward_pass_of_other_sizes(codec, size, quality, batch) -> None:
    check_coding(codec, noise(batch, 3, *size), quality)


@pytest.mark.filterwarnings("ignore:TF32")
def test_every_way_to_compute_decodes_a_file_to_the_same_picture(lively_codec, other_ways_to_compute) -> None:
    """Latents are the same to the last bit (see test_portable_slices); pixels come of floats, within a grey level."""
    codec = lively_codec()
    picture = cat(50, 70)
    data = codec.encode(picture, 40)
    decoded = codec.decode(data)
    for name, way in other_ways_to_compute.items():
        with way():
            assert (codec.decode(data).int() - decoded.int()).abs().max() <= 1, name
    codec.to(memory_format=torch.channels_last)
    assert (codec.decode(data).int() - decoded.int()).abs().max() <= 1
    interleaved = picture.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert (codec.decode(codec.encode(interleaved, 40)).int() - decoded.int()).abs().max() <= 8
    assert torch.equal(codec.train().decode(data), codec.eval().decode(data))


def test_a_file_of_a_real_photo_is_as_long_as_the_likelihoods_promise() -> None:
    torch.manual_seed(0)
    codec = Codec(TINY).eval()
    x = to_float(cat(240, 256))
    with torch.no_grad():  # each table as wide as its channel: what the first steps of training find out
        for row in range(LEVELS):
            y = codec.analysis(x, torch.tensor([1.0 + 11 * row]))
            spread = y[:, codec.prior.order].square().mean(dim=(0, 2, 3)).sqrt().clamp(min=SCALE_MIN)
            first, others = level_of(2 * spread).tensor_split([codec.prior.sizes[0]])
            codec.prior.y_level.values[row] = torch.cat([first.repeat(TURNS), others])
        codec.build_coder()
        for quality in (1, 70):
            promised = sum(bits(values).item() for values in codec(x, quality)["likelihoods"].values()) / 8
            length = sum(len(piece) for (piece,) in codec.compress(x, quality)["strings"])
            assert length > 1000 + 100 * quality
            assert 0.97 * promised < length <= 1.005 * promised + 8  # an escape may cost less than its likelihood says


# Files -------------------------------------------------------------------------------------------------------------


def test_a_fresh_codec_is_a_working_one_with_a_hundred_qualities(fresh) -> None:
    picture = cat(64, 80)
    sizes, errors = [], []
    for quality in (1, 25, 50, 75, 100):
        data = fresh.encode(picture, quality)
        decoded = fresh.decode(data)
        assert decoded.dtype == torch.uint8 and decoded.shape == picture.shape
        sizes.append(len(data))
        errors.append((decoded.float() - picture.float()).square().mean().item())
    assert sizes == sorted(sizes) and sizes[-1] > 3 * sizes[0]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 20 < 150 < errors[0]


def test_a_file_says_what_it_holds(codec) -> None:
    stream = bitstream.unpack(codec.encode(cat(21, 34), 77))
    assert (stream.codec, stream.quality, stream.width, stream.height) == ("codec", 77, 34, 21)
    assert stream.fingerprint == codec.fingerprint()
    assert [[piece] for piece in stream.strings] == codec.compress(to_float(cat(21, 34)), 77)["strings"]


def test_a_file_decodes_to_what_was_promised(codec) -> None:
    picture = cat(21, 34)
    with torch.no_grad():
        promised = codec(to_float(picture), 77)["x_hat"][0]
    assert torch.equal(codec.decode(codec.encode(picture, 77)), (promised.clamp(0, 1) * 255).round().to(torch.uint8))


def test_pillow_s_pictures_are_taken_too_and_50_is_the_usual_quality(codec) -> None:
    picture = cat(20, 30)
    data = codec.encode(picture, 50)
    assert codec.encode(to_pil(picture)) == data == codec.encode(picture)
    grey = to_pil(picture).convert("L")
    assert codec.encode(grey) == codec.encode(grey.convert("RGB"))


def test_the_beginning_of_a_file_is_a_picture_of_less_detail(fresh) -> None:
    picture = cat(64, 64)
    data = fresh.encode(picture, 80)
    lengths = [len(piece) for piece in bitstream.unpack(data).strings]
    header = len(data) - sum(lengths)
    errors = []
    for slices in range(6):
        preview = fresh.decode(data, slices)
        cut = data[: header + sum(lengths[: slices + 1])]
        assert torch.equal(fresh.decode(cut, slices), preview)
        if slices < 5:
            with pytest.raises(BitstreamError, match="cut short"):
                fresh.decode(cut)
        with pytest.raises(BitstreamError):
            fresh.decode(cut[:-1], slices)
        errors.append((preview.float() - picture.float()).square().mean().item())
    assert torch.equal(fresh.decode(data), fresh.decode(data, 5))
    assert errors == sorted(errors, reverse=True) and errors[1] < 0.5 * errors[0] and errors[5] < 0.2 * errors[1]


def test_a_preview_holds_the_coarse_coefficients_exactly(codec) -> None:
    coded = codec.compress(noise(1, 3, 30, 40), 60)
    whole = codec.prior.decompress(coded["strings"], (2, 3), 60)
    for slices in range(6):
        some = codec.prior.decompress(coded["strings"][: slices + 1], (2, 3), 60)
        first = coarse_to_fine()[: sum(SIZES[:slices])]
        assert torch.equal(some[:, first], whole[:, first])
        x_hat = codec.decompress(coded["strings"][: slices + 1], (30, 40), 60)["x_hat"]
        with torch.no_grad():
            assert torch.equal(x_hat, codec.synthesis(some, torch.tensor([60.0]))[..., :30, :40])


# What can go wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [0, 101, 50.0, "50", True])
def test_qualities_that_do_not_exist_are_refused(codec, quality: object) -> None:
    x = noise(1, 3, 4, 4)
    strings = codec.compress(x, 50)["strings"]
    for use in (
        lambda: codec.encode(cat(4, 4), quality),
        lambda: codec.compress(x, quality),
        lambda: codec(x, quality),
        lambda: codec(x, torch.tensor([50.0])),  # which is for training
        lambda: codec.decompress(strings, (4, 4), quality),
    ):
        with pytest.raises(ValueError, match="a quality is a whole number from 1 to 100"):
            use()


@pytest.mark.parametrize(
    "picture",
    [
        torch.zeros(3, 4, 4),
        torch.zeros(1, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
        torch.zeros(3, 0, 4, dtype=torch.uint8),
        torch.zeros(1, 1, dtype=torch.uint8).expand(3, 1, 70_000),
    ],
    ids=lambda picture: f"{picture.dtype} {tuple(picture.shape)}",
)
def test_what_is_no_picture_is_refused(codec, picture: Tensor) -> None:
    with pytest.raises(ValueError, match=r"a picture (is uint8|of [\d,]+ x [\d,]+ pixels does not fit)") as caught:
        codec.encode(picture)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_picture_with_nan_is_refused(codec, value: float) -> None:
    x = noise(1, 3, 20, 20)
    x[0, 1, 7, 7] = value
    with pytest.raises(ValueError, match="the latent holds NaN or infinity"):
        codec.compress(x, 50)


@pytest.mark.parametrize("slices", [-1, 6])
def test_slices_that_do_not_exist_are_refused(codec, slices: int) -> None:
    with pytest.raises(ValueError, match=rf"^slices is {slices}; this codec has 0 to 5 of them\.$"):
        codec.decode(codec.encode(cat(4, 4)), slices)


def test_files_of_others_are_refused(codec, fresh) -> None:
    with pytest.raises(BitstreamError, match=rf"another checkpoint .*{fresh.fingerprint()}.*{codec.fingerprint()}"):
        codec.decode(fresh.encode(cat(4, 4)))
    other = bitstream.pack(bitstream.Stream(4, 4, codec.fingerprint(), (b"12345678",)))
    with pytest.raises(BitstreamError, match="made by the codec called first_codec, not by codec"):
        codec.decode(other)


@pytest.mark.parametrize("count", [1, 7])
def test_a_file_with_another_number_of_strings_is_refused_or_a_preview(codec, count: int) -> None:
    pieces = (*bitstream.unpack(codec.encode(cat(4, 4), 30)).strings, b"more")[:count]
    data = bitstream.pack(bitstream.Stream(4, 4, codec.fingerprint(), pieces, "codec", 30))
    if count == 1:
        assert codec.decode(data).shape == (3, 4, 4)
    else:
        with pytest.raises(BitstreamError, match="1 to 6 strings a picture, not 7"):
            codec.decode(data)


def test_a_damaged_file_is_refused(codec) -> None:
    data = codec.encode(cat(16, 16), 30)
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        with pytest.raises(BitstreamError):
            codec.decode(bytes(damaged[: rng.integers(len(data))] if rng.random() < 0.3 else damaged))


def test_damaged_pieces_whose_checksums_fit_are_refused_or_give_a_picture(codec) -> None:
    stream = bitstream.unpack(codec.encode(cat(16, 16), 30))
    rng = np.random.default_rng(1)
    outcomes = set()
    for _ in range(60):
        pieces = [bytearray(piece) for piece in stream.strings]
        piece = pieces[rng.integers(6)]
        if piece:
            piece[rng.integers(len(piece))] ^= 1 << rng.integers(8)
        forged = dataclasses.replace(stream, strings=tuple(bytes(piece) for piece in pieces))
        try:
            picture = codec.decode(bitstream.pack(forged), slices=int(rng.integers(6)))
            outcomes.add((picture.dtype, tuple(picture.shape)))
        except BitstreamError:
            outcomes.add("refused")
    assert outcomes == {"refused", (torch.uint8, (3, 16, 16))}


def test_without_tables_there_is_a_loud_error(tmp_path: Path) -> None:
    codec = Codec(TINY).eval()
    assert not codec.is_built
    for use in (
        lambda: codec.encode(cat(4, 4)),
        lambda: codec.decompress([[b""]], (4, 4), 50),
        lambda: codec.fingerprint(),
        lambda: codec.save(tmp_path / "codec.safetensors"),
    ):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()
    assert list(tmp_path.iterdir()) == []


# Training ----------------------------------------------------------------------------------------------------------


def test_gradients_reach_every_parameter(lively_codec, gradients_reach_all) -> None:
    codec = lively_codec().train()
    x = noise(LEVELS, 3, 80, 70)
    quality = torch.arange(LEVELS) * 11.0 + 1  # every row of the tables
    torch.manual_seed(0)
    output = codec(x, quality)
    assert output["x_hat"].shape == x.shape
    rate = sum(bits(values) for values in output["likelihoods"].values())
    (rate + 1000 * (output["x_hat"] - x).square().sum()).backward()
    gradients_reach_all(codec, but=("turns.0.from_known.weight", "turns.0.nearest.weight"))


def test_training_gives_each_image_its_own_quality(lively_codec) -> None:
    codec = lively_codec().train()
    x, quality = noise(1, 3, 32, 32).expand(3, -1, -1, -1), torch.tensor([5.0, 50.0, 95.0])
    z_noise = noise(1, 8, 1, 1) - 0.5
    with torch.no_grad():
        together = codec(x, quality, z_noise.expand(3, -1, -1, -1))
        for n in range(3):
            alone = codec(x[n : n + 1], quality[n : n + 1], z_noise)
            torch.testing.assert_close(together["x_hat"][n : n + 1], alone["x_hat"], rtol=0, atol=1e-3)
        errors = (together["x_hat"] - x).square().mean(dim=(1, 2, 3))
        rates = -together["likelihoods"]["y"].log2().sum(dim=(1, 2, 3))
    assert (errors.diff() < 0).all() and (rates.diff() > 0).all()


def test_the_choice_of_symbols_minimises_the_loss_of_its_quality(fresh) -> None:
    """A picture is coded for rate + λ · 255² · MSE: at any other quality's price, the sum is larger, if at all."""
    x = to_float(cat(96, 96))
    with torch.no_grad():
        y, quality = fresh.analysis(x, torch.tensor([40.0])), torch.tensor([40.0])
        price = fresh.analysis.distortion_weight(quality)
        costs = []
        for factor in (0.0, 1.0, 1e4):
            y_hat, likelihoods = fresh.prior.rate(y, 40, factor * price)
            mse = (fresh.synthesis(y_hat, quality) - x).square().mean()
            costs.append(bits(likelihoods["y"]) / 96**2 + lambda_of(quality)[0] * 255**2 * mse)
    assert costs[1] < 0.99 * costs[0] and costs[1] < 0.99 * costs[2]


# Checkpoints -------------------------------------------------------------------------------------------------------


def test_a_checkpoint_is_the_codec_again(codec, tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    codec.save(path, {"photos": "a cat", "steps": "12"})
    loaded = Codec.load(path)
    assert loaded.settings == codec.settings and loaded.is_built and not loaded.training
    assert loaded.fingerprint() == codec.fingerprint()
    data = codec.encode(cat(30, 20), 60)
    assert loaded.encode(cat(30, 20), 60) == data
    assert torch.equal(loaded.decode(data), codec.decode(data))
    for (name, mine), (other_name, other) in zip(codec.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other_name and torch.equal(mine, other)
    with safe_open(path, framework="pt") as file:
        facts = file.metadata()
    assert facts["photos"] == "a cat" and facts["steps"] == "12" and facts["fingerprint"] == codec.fingerprint()
    assert [entry.name for entry in tmp_path.iterdir()] == ["codec.safetensors"]


def test_settings_that_differ_in_everything_survive(tmp_path: Path) -> None:
    odd = Settings(hidden=3, depth=2, smooth=5, side=6, features=7, inner=9, slices=(100, 1, 283))
    codec = Codec(odd)
    codec.build_coder()
    codec.save(str(tmp_path / "odd"))
    loaded = Codec.load(str(tmp_path / "odd"))
    assert loaded.settings == odd
    assert len(loaded.compress(noise(1, 3, 5, 5), 50)["strings"]) == 4


def test_a_codec_saved_in_another_layout_is_the_same(lively_codec, tmp_path: Path) -> None:
    codec = lively_codec()
    print_ = codec.fingerprint()
    codec.to(memory_format=torch.channels_last)
    assert codec.fingerprint() == print_
    codec.save(tmp_path / "codec")
    assert Codec.load(tmp_path / "codec").fingerprint() == print_


def test_the_fingerprint_is_that_of_the_whole_decoder_and_of_no_more(lively_codec, fresh) -> None:
    codec = lively_codec()
    print_ = codec.fingerprint()
    assert len(print_) == 16 and int(print_, 16) >= 0
    assert print_ == lively_codec().fingerprint() != fresh.fingerprint()
    decoders, encoders = 0, 0
    for name, value in codec.state_dict().items():
        if name == "prior.slot._extra_state":
            continue
        last = value.view(-1)[-1].clone()
        value.view(-1)[-1] += 0.25
        if name.startswith(("analysis.", "prior.analysis.")):
            assert codec.fingerprint() == print_, name
            encoders += 1
        else:
            assert codec.fingerprint() != print_, name
            decoders += 1
        value.view(-1)[-1] = last
    assert codec.fingerprint() == print_ and encoders > 10 and decoders > 40
    tables = codec.prior.slot.coder.tables
    altered = tables.cdf.copy()
    altered[5, 1] += 1
    codec.prior.slot._coder.tables = type(tables)(altered, tables.length, tables.offset)
    assert codec.fingerprint() != print_


def write_other_things(folder: Path, codec: Codec) -> dict[str, Path]:
    """Files that are no checkpoint of the full codec, by what is wrong with them."""
    good = folder / "good"
    codec.save(good)
    data, state = good.read_bytes(), load_file(good)
    (length,) = struct.unpack("<Q", data[:8])
    with safe_open(good, framework="pt") as file:
        facts = file.metadata()
    files = {
        "empty": b"",
        "text": b"no checkpoint at all, but some text",
        "cut short": data[:-100],
        "a header only": data[: 8 + length],
        "a picture": codec.encode(cat(4, 4)),
        "a pickle": b"\x80\x04\x95" + bytes(60),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    without = {name: value for name, value in state.items() if name != "synthesis.idct.weight"}
    for name, tensors, metadata in (
        ("no metadata", state, None),
        ("no settings", state, {"fingerprint": facts["fingerprint"]}),
        ("settings of no meaning", state, {"settings": "{"}),
        ("settings that are a list", state, {"settings": "[1, 2]"}),
        ("settings of another program", state, {"settings": '{"wheels": 4, "slices": [384]}'}),
        ("settings of other sizes", state, {"settings": facts["settings"].replace('"hidden": 8', '"hidden": 9')}),
        ("settings of immense sizes", state, {"settings": facts["settings"].replace('"hidden": 8', '"hidden": 40000')}),
        ("settings of immense depth", state, {"settings": facts["settings"].replace('"depth": 1', '"depth": 9999999')}),
        ("slices that do not fit", state, {"settings": facts["settings"].replace("252", "251")}),
        ("a weight missing", without, facts),
        ("damaged tables", {**state, "prior.slot._extra_state": state["prior.slot._extra_state"][:-1]}, facts),
    ):
        save_file(tensors, folder / name, metadata)
        files[name] = b""
    return {name: folder / name for name in files}


def test_files_of_something_else_are_refused_in_one_sentence(codec, tmp_path: Path) -> None:
    for name, path in write_other_things(tmp_path, codec).items():
        with pytest.raises(ValueError, match=r"is not a checkpoint of the full codec\.$") as caught:
            Codec.load(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value), name


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(ValueError, match=r"^There is no checkpoint at .*\.$"):
            Codec.load(path)


def test_a_checkpoint_without_tables_or_with_diverged_weights_is_refused(lively_codec, tmp_path: Path) -> None:
    codec = lively_codec()
    codec.save(tmp_path / "good")
    state = load_file(tmp_path / "good")
    with safe_open(tmp_path / "good", framework="pt") as file:
        facts = file.metadata()
    empty = {**state, "prior.slot._extra_state": torch.empty(0, dtype=torch.uint8)}
    save_file(empty, tmp_path / "no tables", facts)
    with pytest.raises(ValueError, match=r"holds no coding tables; call build_coder\(\) before saving"):
        Codec.load(tmp_path / "no tables")
    state["prior.predictors.2.0.weight"][0] = 1e9
    save_file(state, tmp_path / "diverged", facts)
    with pytest.raises(ValueError, match=r"diverged cannot be used: .* weights have diverged"):
        Codec.load(tmp_path / "diverged")
    codec.load_state_dict(state)
    with pytest.raises(ValueError, match="weights have diverged"):
        codec.save(tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_checkpoint_appears_whole_or_not_at_all(codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "codec.safetensors"
    path.write_bytes(b"an older one")

    def full(*_: object) -> None:
        raise OSError("no space left on device")

    for target, name in ((Path, "write_bytes"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, full)
            with pytest.raises(OSError, match="no space left"):
                codec.save(path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["codec.safetensors"]
        assert path.read_bytes() == b"an older one"
