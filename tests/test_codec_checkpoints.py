"""Checkpoints of the full codec: the same codec again, or one sentence; the fingerprint is that of the decoder."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.codec_registry import FACTORIES, UnknownCodec
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.quality import VariableRateCodec
from tutorial_lib.transform_codec import TransformCodec
from tutorial_lib.workbench.photos import photo


def cat(height: int, width: int) -> Tensor:
    """A part of a photo, uint8 (3, H, W)."""
    return photo("chelsea")[:, 60 : 60 + height, 110 : 110 + width]


@pytest.fixture(scope="module")
def codec(lively_codec) -> Codec:
    return lively_codec()


def test_a_checkpoint_is_the_codec_again(codec, tmp_path: Path) -> None:
    path = tmp_path / "codec.safetensors"
    codec.save(path, {"photos": "a cat", "steps": "12"})
    for kind in (TransformCodec, VariableRateCodec, Codec):
        loaded = kind.load(path)
        assert type(loaded) is Codec
    assert loaded.settings == codec.settings and loaded.is_built and not loaded.training
    assert loaded.fingerprint() == codec.fingerprint()
    data = codec.encode(cat(30, 20), 60)
    assert loaded.encode(cat(30, 20), 60) == data
    assert torch.equal(loaded.decode(data), codec.decode(data))
    for (name, mine), (other_name, other) in zip(codec.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other_name and torch.equal(mine, other)
    facts = metadata_of(path)
    assert facts["photos"] == "a cat" and facts["steps"] == "12" and facts["fingerprint"] == codec.fingerprint()
    assert [entry.name for entry in tmp_path.iterdir()] == ["codec.safetensors"]


def test_settings_that_differ_in_everything_survive(tmp_path: Path, noise) -> None:
    odd = {"C": [3, 5, 4, 6], "P": [4, 3, 6, 5], "P_colour": [6, 7, 3, 2], "half": 9, "quarter": 10, "blocks": 2}
    codec = Codec(**odd)
    codec.build_coder()
    codec.save(str(tmp_path / "odd"))
    loaded = Codec.load(str(tmp_path / "odd"))
    assert loaded.settings == codec.settings == odd
    assert len(loaded.compress(noise(1, 3, 5, 5), 50)["strings"]) == 5


def test_a_codec_saved_in_another_layout_is_the_same(lively_codec, tmp_path: Path) -> None:
    codec = lively_codec()
    print_ = codec.fingerprint()
    codec.to(memory_format=torch.channels_last)
    assert codec.fingerprint() == print_
    codec.save(tmp_path / "codec")
    assert Codec.load(tmp_path / "codec").fingerprint() == print_


def test_the_fingerprint_is_that_of_the_whole_decoder_and_of_no_more(lively_codec) -> None:
    codec = lively_codec()
    print_ = codec.fingerprint()
    assert len(print_) == 16 and int(print_, 16) >= 0
    assert print_ == lively_codec().fingerprint() != lively_codec(seed=1).fingerprint()
    decoders = 0
    for name, value in codec.state_dict().items():
        if name == "prior.holder._extra_state":
            continue
        last = value.view(-1)[-1].clone()
        value.view(-1)[-1] += 0.25 if value.is_floating_point() else 1
        assert codec.fingerprint() != print_, name
        decoders += 1
        value.view(-1)[-1] = last
    assert codec.fingerprint() == print_ and decoders > 80
    codec.analysis.register_buffer("step", torch.ones(3))  # a better encoder is no other decoder
    assert "analysis.step" in codec.state_dict() and codec.fingerprint() == print_
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
    facts = metadata_of(good)
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
    without = {name: value for name, value in state.items() if name != "synthesis.restoration.third.weight"}
    tables = state["prior.holder._extra_state"]

    def settings(**others: object) -> dict[str, str]:
        return {**facts, "settings": json.dumps({**codec.settings, **others})}

    unfit = "its weights are not those of codec with the settings that it names"
    widths, former = "widths are whole numbers from 1 to 1,024", {"hidden": 8, "depth": 1, "slices": [384]}
    files = {
        "no metadata": (state, None, "is no checkpoint of a codec: it does not say its codec"),
        "no settings": (state, {"codec": "codec"}, "is no checkpoint of a codec: it does not say its settings"),
        "settings of no meaning": (state, {**facts, "settings": "{"}, "its settings are no JSON object"),
        "settings that are a list": (state, {**facts, "settings": "[1, 2]"}, "its settings are no JSON object"),
        "settings of another program": (
            state,
            {**facts, "settings": '{"wheels": 4, "half": 8}'},
            r"the settings of codec do not fit \(.*'wheels'\); it takes C, P, P_colour, half, quarter, blocks",
        ),
        "settings of before": (state, {**facts, "settings": json.dumps(former)}, "setting of the codec of version 0.1"),
        "settings of other sizes": (state, settings(half=9), unfit),
        "settings of fewer levels": (state, settings(C=[6, 8], P=[5, 7], P_colour=[4, 6]), unfit),
        "settings of immense sizes": (state, settings(half=40_000), widths),
        "settings of immense depth": (state, settings(blocks=9_999_999), "at most 16 levels and blocks"),
        "settings of very many levels": (state, settings(C=[6] * 5000), "at most 16 levels and blocks"),
        "sizes that are words": (state, settings(half="8"), widths),
        "levels that are a number": (state, settings(C=384), "int"),
        "levels that do not fit": (state, settings(P=[5, 7]), "levels"),
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
    facts = metadata_of(tmp_path / "good")
    del facts["digest"]
    empty = {**state, "prior.holder._extra_state": torch.empty(0, dtype=torch.uint8)}
    save_file(empty, tmp_path / "no tables", facts)
    with pytest.raises(ValueError, match=r"holds no coding tables; call build_coder\(\) before saving"):
        Codec.load(tmp_path / "no tables")
    state["prior.levels.0.grey.second.0.weights.0"].fill_(1e6)
    save_file(state, tmp_path / "diverged", facts)
    with pytest.raises(ValueError, match=r"diverged cannot be used as a checkpoint: .* diverged"):
        Codec.load(tmp_path / "diverged")
    codec.load_state_dict(state)
    with pytest.raises(ValueError, match="diverged"):
        codec.save(tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_weights_that_are_not_finite_are_refused(codec, tmp_path: Path, one_sentence) -> None:
    codec.save(tmp_path / "codec")
    state, facts = load_file(tmp_path / "codec"), metadata_of(tmp_path / "codec")
    del facts["digest"]
    state["synthesis.log_step.0.values"][0, 0] = float("nan")
    save_file(state, tmp_path / "codec", facts)
    with pytest.raises(ValueError, match="holds NaN or infinity: the weights have diverged") as caught:
        Codec.load(tmp_path / "codec")
    assert one_sentence(caught.value)


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
