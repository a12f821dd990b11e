"""The full codec through the command: small and fresh; and trained, to files and back, and measured."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file

from tutorial_lib.bitstream import pack, read_header, unpack
from tutorial_lib.codec import Codec
from tutorial_lib.command import codecs
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.checkpoints import metadata_of, shipped
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.workbench.photos import photo


def small_codec(seed: int) -> Codec:
    torch.manual_seed(seed)
    codec = Codec(C=[6, 8, 8], P=[5, 7, 8], P_colour=[4, 6, 6], half=8, quarter=8, blocks=1).eval()
    codec.build_coder()
    return codec


@pytest.fixture(scope="module")
def codec() -> Codec:
    return small_codec(seed=0)


@pytest.fixture
def desk(lic, here: Path, codec: Codec) -> Path:
    """A photo, a checkpoint, and the photo's file."""
    to_pil(photo("chelsea")).resize((70, 51)).save("photo.png")
    codec.save("small.safetensors", {"trained_on": "nothing"})
    job = ["encode", "photo.png", "photo.lic", "--checkpoint", "small.safetensors", "--quality", "60"]
    assert lic(*job)[0] == 0
    return here


def test_the_picture_comes_back_as_the_model_made_it(lic, desk: Path, codec: Codec) -> None:
    data, image = Path("photo.lic").read_bytes(), from_pil(Image.open("photo.png"))
    stream = unpack(data)
    assert (stream.codec, stream.quality, len(stream.strings)) == ("codec", 60, 4)
    assert data == codec.encode(image, 60) and len(data) <= sum(map(len, stream.strings)) + 64
    for slices in (None, 0, 2, 3):
        arguments = [] if slices is None else ["--slices", slices]
        job = ["decode", "photo.lic", "back.png", "--checkpoint", "small.safetensors", *arguments]
        said = "" if slices is None else f", {slices} of 3 slices"
        assert lic(*job) == (0, f"back.png: 70 x 51{said}\n", "")
        assert torch.equal(from_pil(Image.open("back.png")), codec.decode(data, slices))


def test_a_cut_file_is_a_preview(lic, refused, desk: Path, codec: Codec) -> None:
    data = Path("photo.lic").read_bytes()
    Path("cut.lic").write_bytes(data[: read_header(data).sections[2].end + 1])
    job = ["decode", "cut.lic", "back.png", "--checkpoint", "small.safetensors"]
    sentence = refused(*job)
    assert "3 whole string(s) of 4; a preview can be had with --slices 2." in sentence
    assert refused(*job, "--slices", 3) == sentence
    assert lic(*job, "--slices", 2)[0] == 0
    assert torch.equal(from_pil(Image.open("back.png")), codec.decode(data, 2))


def test_info(lic, desk: Path, codec: Codec, monkeypatch) -> None:
    monkeypatch.setattr(codecs, "shipped", lambda name: desk / name.replace("codec", "small"))
    fingerprint = metadata_of(Path("small.safetensors"))["fingerprint"]
    assert codecs.shipped_fingerprint("codec") == codec.fingerprint() == fingerprint
    status, out, err = lic("info", "photo.lic")
    assert (status, err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in re.sub("(string|slice) ", r"\1_", out).splitlines()[1:])
    assert list(rows) == (
        "layout codec quality picture file header string_1 slice_1 slice_2 slice_3 fingerprint".split()
    )
    parts = [int(rows[name].removesuffix(" bytes").replace(",", "")) for name in list(rows)[5:-1]]
    assert sum(parts) == Path("photo.lic").stat().st_size and rows["quality"] == "60"
    assert rows["fingerprint"] == f"{codec.fingerprint()}: that of the checkpoint that ships, which can decode it"


def test_another_checkpoint(refused, desk: Path) -> None:
    other = small_codec(seed=1)
    other.save("other.safetensors")
    sentence = refused("decode", "photo.lic", "back.png", "--checkpoint", "other.safetensors")
    assert "'photo.lic' was made with another checkpoint" in sentence and other.fingerprint() in sentence


def test_a_checkpoint_or_a_file_of_the_first_codec(lic, refused, desk: Path) -> None:
    first = shipped("first_codec.safetensors")
    sentence = refused("decode", "photo.lic", "back.png", "--checkpoint", first)
    assert "'photo.lic' was made by codec, while" in sentence and "is a checkpoint of first_codec" in sentence
    assert lic("encode", "photo.png", "first.lic", "--checkpoint", first)[0] == 0
    sentence = refused("decode", "first.lic", "back.png", "--checkpoint", "small.safetensors")
    assert "'first.lic' was made by first_codec, while 'small.safetensors' is a checkpoint of codec" in sentence


def test_checkpoints_that_say_they_are_one_and_are_not(refused, desk: Path) -> None:
    own = metadata_of(Path("small.safetensors"))
    save_file({}, "sly.safetensors", metadata=own)
    Path("cut.safetensors").write_bytes(Path("small.safetensors").read_bytes()[:-100])
    for name, words in [
        ("sly.safetensors", "cannot be used as a checkpoint: "),
        ("cut.safetensors", "not a checkpoint"),
    ]:
        assert words in refused("encode", "photo.png", "new.lic", "--checkpoint", name)


def test_damaged_strings_with_right_checksums(refused, desk: Path, codec: Codec) -> None:
    stream = unpack(Path("photo.lic").read_bytes())
    *most, last = stream.strings
    for strings in [(b"",) * 4, (*most, b""), (*most, last[:-4]), (*most, last + b"1234"), (*most, last, b"")]:
        Path("forged.lic").write_bytes(pack(replace(stream, strings=strings)))
        job = ["decode", "forged.lic", "out.png", "--checkpoint", "small.safetensors"]
        assert refused(*job).startswith("'forged.lic': ")


def test_in_fresh_processes_as_installed(desk: Path, codec: Codec) -> None:
    command = Path(sys.executable).with_name("lic")
    for arguments in (
        "encode photo.png again.lic --checkpoint small.safetensors --quality 60",
        "decode again.lic back.png --checkpoint small.safetensors --slices 1",
    ):
        ran = subprocess.run([command, *arguments.split()], capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, "")
    assert unpack(Path("again.lic").read_bytes()).fingerprint == codec.fingerprint()


def test_a_checkpoint_of_version_0_1s_codec(refused, desk: Path) -> None:
    own = metadata_of(Path("small.safetensors"))
    former = {"hidden": 8, "depth": 1, "deblock": 4, "side": 8, "features": 8, "inner": 8, "slices": [6, 378]}
    save_file({}, "former.safetensors", metadata={**own, "settings": json.dumps(former)})
    sentence = refused("decode", "photo.lic", "back.png", "--checkpoint", "former.safetensors")
    assert "hidden is a setting of the codec of version 0.1, which alone reads its checkpoints; that of" in sentence


def test_trained_from_photos_to_files_and_back(here: Path, lic, one_sentence) -> None:
    (here / "photos").mkdir()
    for name in ("chelsea", "coffee"):
        to_pil(photo(name)).resize((120, 90)).save(here / f"photos/{name}.png")
    widths = ("C=[6,8,8]", "P=[6,8,8]", "P_colour=[4,6,6]", "half=6", "quarter=6", "blocks=1")
    job = ("train", "--set", *widths, "--data", "photos", "--out", "w.safetensors")
    status, said, _ = lic(*job, "--steps", 3, "--crop", 32, "--batch", 2)
    assert status == 0 and said.startswith("w.safetensors: trained for 3 steps on 2 photos; ")

    checkpoint = ("--checkpoint", "w.safetensors")
    assert lic("encode", "photos/coffee.png", "a.lic", "--quality", 70, *checkpoint)[0] == 0
    original, dB = from_pil(Image.open("photos/coffee.png")), []
    for slices in (0, 1, 2, 3, None):
        few = () if slices is None else ("--slices", slices)
        assert lic("decode", "a.lic", "a.png", *few, *checkpoint)[0] == 0
        dB.append(psnr(from_pil(Image.open("a.png")), original))
    assert dB == sorted(dB) and dB[3] == dB[4] > 30 > dB[0]
    assert "was made with another checkpoint" in one_sentence("decode", "a.lic", "b.png")
    words = ("evaluate", "photos", "--codecs", "lic,jpeg", "--qualities", "lic=30,70", *checkpoint)
    assert lic(*words, "--json", "a.json")[0] == 0
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))
