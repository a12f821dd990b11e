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

from tutorial_lib import bitstream, portable_slices
from tutorial_lib.codec import Codec
from tutorial_lib.codec_registry import FACTORIES, UnknownCodec
from tutorial_lib.dct_transforms import coarse_to_fine
from tutorial_lib.files.images import to_float, to_pil
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.gaussian_conditional import SCALE_MIN
from tutorial_lib.information import bits
from tutorial_lib.portable_slices import PASSES, log_scale_of
from tutorial_lib.quality import ROWS, lambda_of
from tutorial_lib.rans import BitstreamError
from tutorial_lib.workbench.photos import photo

TINY = {"hidden": 8, "depth": 1, "deblock": 4, "side": 8, "features": 8, "inner": 8}
SIZES = (6, 18, 36, 72, 252)


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
    codec = Codec(**TINY).eval()
    codec.build_coder()
    return codec


# Exactness ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [1, 37, 100])
@pytest.mark.parametrize("size", [(1, 1), (17, 33), (64, 48)], ids=str)
def test_decoding_gives_exactly_the_forward_pass(
    codec, size: tuple[int, int], quality: int, noise, check_codec
) -> None:
    check_codec(codec, noise(2 if size[0] < 64 else 1, 3, *size), 6, quality)


@given(size=st.tuples(st.integers(1, 70), st.integers(1, 40)), quality=st.integers(1, 100), batch=st.integers(1, 3))
@settings(max_examples=5)
@example(size=(1, 40), quality=12, batch=1)
@example(size=(16, 65), quality=89, batch=2)
def test_decoding_gives_exactly_the_forward_pass_of_other_sizes(
    codec, size, quality, batch, noise, check_codec
) -> None:
    check_codec(codec, noise(batch, 3, *size), 6, quality)


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
    codec = Codec(**TINY).eval()
    x = to_float(cat(240, 256))
    with torch.no_grad():  # each table as wide as its channel: what the first steps of training find out
        for row in range(ROWS):
            y = codec.analysis(x, torch.tensor([1.0 + 11 * row]))
            spread = y[:, codec.prior.channels.order].square().mean(dim=(0, 2, 3)).sqrt().clamp(min=SCALE_MIN)
            first, others = log_scale_of(2 * spread).tensor_split([codec.prior.channels.sizes[0]])
            codec.prior.base_log_scale.values[row] = torch.cat([first.repeat(PASSES), others])
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


def test_a_preview_holds_the_coarse_coefficients_exactly(codec, noise) -> None:
    coded = codec.compress(noise(1, 3, 30, 40), 60)
    whole = codec.prior.decompress(coded["strings"], (2, 3), torch.tensor([60.0]))
    for slices in range(6):
        some = codec.prior.decompress(coded["strings"][: slices + 1], (2, 3), torch.tensor([60.0]))
        first = coarse_to_fine()[: sum(SIZES[:slices])]
        assert torch.equal(some[:, first], whole[:, first])
        x_hat = codec.decompress(coded["strings"][: slices + 1], (30, 40), 60)["x_hat"]
        with torch.no_grad():
            assert torch.equal(x_hat, codec.synthesis(some, torch.tensor([60.0]))[..., :30, :40])


# What can go wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [0, 101, 50.0, "50", True])
def test_qualities_that_do_not_exist_are_refused(codec, quality: object, noise) -> None:
    x = noise(1, 3, 4, 4)
    strings = codec.compress(x, 50)["strings"]
    for use in (
        lambda: codec.encode(cat(4, 4), quality),
        lambda: codec.compress(x, quality),
        lambda: codec(x, quality),
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
def test_what_is_no_picture_is_refused(codec, picture: Tensor, one_sentence) -> None:
    with pytest.raises(ValueError, match=r"a picture (is uint8|of [\d,]+ x [\d,]+ pixels does not fit)") as caught:
        codec.encode(picture)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_picture_with_nan_is_refused(codec, value: float, noise) -> None:
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
    other = bitstream.pack(bitstream.Stream(4, 4, codec.fingerprint(), (b"12345678",), "first_codec"))
    with pytest.raises(BitstreamError, match="made by the codec called first_codec, not by codec"):
        codec.decode(other)


@pytest.mark.parametrize("count", [1, 7])
def test_a_file_with_another_number_of_strings_is_refused_or_a_preview(codec, count: int) -> None:
    pieces = (*bitstream.unpack(codec.encode(cat(4, 4), 30)).strings, b"more")[:count]
    data = bitstream.pack(bitstream.Stream(4, 4, codec.fingerprint(), pieces, "codec", 30, required=1))
    sentence = rf"^the file holds {count} string\(s\), while a picture with all its slices takes 6\.$"
    with pytest.raises(BitstreamError, match=sentence):
        codec.decode(data)
    for slices in range(6):  # who asks for a preview gets what there is
        assert codec.decode(data, slices).shape == (3, 4, 4)


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
    codec = Codec(**TINY).eval()
    assert not codec.is_built
    for use in (
        lambda: codec.encode(cat(4, 4)),
        lambda: codec.decompress([[b""]], (4, 4), 50),
        lambda: codec.save(tmp_path / "codec.safetensors"),
    ):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()
    assert list(tmp_path.iterdir()) == []


# Training ----------------------------------------------------------------------------------------------------------


def test_gradients_reach_every_parameter(lively_codec, gradients_reach_all, noise) -> None:
    codec = lively_codec().train()
    x = noise(ROWS, 3, 80, 70)
    quality = torch.arange(ROWS) * 11.0 + 1  # every row of the tables
    torch.manual_seed(0)
    output = codec(x, quality)
    assert output["x_hat"].shape == x.shape
    rate = sum(bits(values) for values in output["likelihoods"].values())
    (rate + 1000 * (output["x_hat"] - x).square().sum()).backward()
    gradients_reach_all(codec, but=("passes.0.from_known.weight", "passes.0.nearest.weight"))


def test_training_gives_each_image_its_own_quality(lively_codec, noise, monkeypatch: pytest.MonkeyPatch) -> None:
    codec = lively_codec().train()
    x, quality = noise(1, 3, 32, 32).expand(3, -1, -1, -1), torch.tensor([5.0, 50.0, 95.0])
    z_noise = noise(1, 8, 1, 1) - 0.5
    monkeypatch.setattr(portable_slices, "add_uniform_noise", lambda z: z + z_noise)
    with torch.no_grad():
        together = codec(x, quality)
        for n in range(3):
            alone = codec(x[n : n + 1], quality[n : n + 1])
            torch.testing.assert_close(together["x_hat"][n : n + 1], alone["x_hat"], rtol=0, atol=1e-3)
        errors = (together["x_hat"] - x).square().mean(dim=(1, 2, 3))
        rates = -together["likelihoods"]["y"].log2().sum(dim=(1, 2, 3))
    assert (errors.diff() < 0).all() and (rates.diff() > 0).all()


def test_the_choice_of_symbols_minimises_the_loss_of_its_quality(fresh, monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture is coded for rate + λ · 255² · MSE: with another quality's weight, the sum is larger, if at all."""
    x = to_float(cat(96, 96))
    with torch.no_grad():
        y, quality = fresh.analysis(x, torch.tensor([40.0])), torch.tensor([40.0])
        weight = fresh.analysis.distortion_weight(quality)
        assert torch.equal(fresh.prior.distortion_weight(quality), weight)
        costs = []
        for factor in (0.0, 1.0, 1e4):
            monkeypatch.setattr(fresh.prior, "distortion_weight", lambda quality, factor=factor: factor * weight)
            y_hat, likelihoods = fresh.prior(y, quality)
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


def test_settings_that_differ_in_everything_survive(tmp_path: Path, noise) -> None:
    odd = {"hidden": 3, "depth": 2, "deblock": 5, "side": 6, "features": 7, "inner": 9, "slices": [100, 1, 283]}
    codec = Codec(**odd)
    codec.build_coder()
    codec.save(str(tmp_path / "odd"))
    loaded = Codec.load(str(tmp_path / "odd"))
    assert loaded.settings == codec.settings == odd
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
        if name == "prior.holder._extra_state":
            continue
        last = value.view(-1)[-1].clone()
        value.view(-1)[-1] += 0.25 if value.is_floating_point() else 1
        if name.startswith(("analysis.", "prior.analysis.")):
            assert codec.fingerprint() == print_, name
            encoders += 1
        else:
            assert codec.fingerprint() != print_, name
            decoders += 1
        value.view(-1)[-1] = last
    assert codec.fingerprint() == print_ and encoders > 10 and decoders > 40
    tables = codec.prior.holder.coder.tables
    altered = tables.cdf.copy()
    altered[5, 1] += 1
    codec.prior.holder._coder.tables = type(tables)(altered, tables.length, tables.offset)
    assert codec.fingerprint() != print_


def write_other_things(folder: Path, codec: Codec) -> dict[Path, str]:
    """Files that are no checkpoint of the full codec, and what is to be said about them."""
    good = folder / "good"
    codec.save(good)
    data, state = good.read_bytes(), load_file(good)
    (length,) = struct.unpack("<Q", data[:8])
    with safe_open(good, framework="pt") as file:
        facts = file.metadata()
    del facts["digest"]  # what follows is refused for other reasons
    contents = {
        "empty": b"",
        "text": b"no checkpoint at all, but some text",
        "cut short": data[:-100],
        "a header only": data[: 8 + length],
        "a picture": codec.encode(cat(4, 4)),
        "a pickle": b"\x80\x04\x95" + bytes(60),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    without = {name: value for name, value in state.items() if name != "synthesis.idct.weight"}
    tables = state["prior.holder._extra_state"]

    def settings(old: str, new: str) -> dict[str, str]:
        assert old in facts["settings"]
        return {**facts, "settings": facts["settings"].replace(old, new)}

    unfit = "its weights are not those of codec with the settings that it names"
    files = {
        "no metadata": (state, None, "is no checkpoint of a codec: it does not say its codec"),
        "no settings": (state, {"codec": "codec"}, "is no checkpoint of a codec: it does not say its settings"),
        "settings of no meaning": (state, {**facts, "settings": "{"}, "its settings are no JSON object"),
        "settings that are a list": (state, {**facts, "settings": "[1, 2]"}, "its settings are no JSON object"),
        "settings of another program": (
            state,
            {**facts, "settings": '{"wheels": 4, "slices": [384]}'},
            r"the settings of codec do not fit \(.*'wheels'\); it takes hidden, depth, .*, slices",
        ),
        "settings of other sizes": (state, settings('"hidden": 8', '"hidden": 9'), unfit),
        "settings of immense sizes": (state, settings('"hidden": 8', '"hidden": 40000'), "sizes are whole numbers"),
        "settings of immense depth": (state, settings('"depth": 1', '"depth": 9999999'), "sizes are whole numbers"),
        "sizes that are words": (state, settings('"hidden": 8', '"hidden": "8"'), "sizes are whole numbers"),
        "slices that are a number": (state, settings("[6, 18, 36, 72, 252]", "384"), "int"),
        "slices that do not fit": (state, settings("252", "251"), "do not make the latent's 384"),
        "a weight missing": (without, facts, unfit),
        "a weight too many": ({**state, "wheels": torch.zeros(4)}, facts, unfit),
        "damaged tables": ({**state, "prior.holder._extra_state": tables[:-1]}, facts, "entropy coder's bytes"),
        "another codec": (state, {**facts, "codec": "first_codec"}, "the settings of first_codec do not fit"),
        "another kind": (state, {"codec": "first_codec", "settings": "{}"}, "it is one of first_codec, not of Codec"),
    }
    for name, (tensors, metadata, _) in files.items():
        save_file(tensors, folder / name, metadata)
    words = {folder / name: words for name, (_, _, words) in files.items()}
    return {folder / name: "is not a checkpoint" for name in contents} | words


def test_files_of_something_else_are_refused_in_one_sentence(codec, tmp_path: Path, one_sentence) -> None:
    for path, words in write_other_things(tmp_path, codec).items():
        with pytest.raises(ValueError, match=words) as caught:
            Codec.load(path)
        assert str(caught.value).startswith(f"{path} ") and one_sentence(caught.value), path.name


def test_a_codec_that_nobody_has_registered_is_named(codec, tmp_path: Path, one_sentence) -> None:
    codec.save(tmp_path / "good")
    save_file(load_file(tmp_path / "good"), tmp_path / "strange", {"codec": "strange", "settings": "{}"})
    assert FACTORIES["first_codec"] is FirstCodec and FACTORIES["codec"] is Codec
    with pytest.raises(
        UnknownCodec, match=r": no codec is called 'strange'; known here: .*codec.*first_codec"
    ) as caught:
        Codec.load(tmp_path / "strange")
    assert one_sentence(caught.value)


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
    del facts["digest"]
    empty = {**state, "prior.holder._extra_state": torch.empty(0, dtype=torch.uint8)}
    save_file(empty, tmp_path / "no tables", facts)
    with pytest.raises(ValueError, match=r"holds no coding tables; call build_coder\(\) before saving"):
        Codec.load(tmp_path / "no tables")
    state["prior.predictors.2.0.weight"][0] = 1e9
    save_file(state, tmp_path / "diverged", facts)
    with pytest.raises(ValueError, match=r"diverged cannot be used as a checkpoint: .* weights have diverged"):
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

    for target, name in ((os, "fsync"), (os, "replace")):
        with monkeypatch.context() as patch:
            patch.setattr(target, name, full)
            with pytest.raises(OSError, match="no space left"):
                codec.save(path)
        assert [entry.name for entry in tmp_path.iterdir()] == ["codec.safetensors"]
        assert path.read_bytes() == b"an older one"
