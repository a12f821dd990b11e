"""The full codec through the command, small and fresh."""

from __future__ import annotations

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
from tutorial_lib.files.checkpoints import metadata_of, shipped
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.workbench.photos import photo


def small_codec(seed: int) -> Codec:
    torch.manual_seed(seed)
    codec = Codec(hidden=8, depth=1, deblock=4, side=8, features=8, inner=8).eval()
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
    assert (stream.codec, stream.quality, len(stream.strings)) == ("codec", 60, 6)
    assert data == codec.encode(image, 60) and len(data) <= sum(map(len, stream.strings)) + 64
    for slices in (None, 0, 2, 5):
        arguments = [] if slices is None else ["--slices", slices]
        job = ["decode", "photo.lic", "back.png", "--checkpoint", "small.safetensors", *arguments]
        said = "" if slices is None else f", {slices} of 5 slices"
        assert lic(*job) == (0, f"back.png: 70 x 51{said}\n", "")
        assert torch.equal(from_pil(Image.open("back.png")), codec.decode(data, slices))


def test_a_cut_file_is_a_preview(lic, refused, desk: Path, codec: Codec) -> None:
    data = Path("photo.lic").read_bytes()
    Path("cut.lic").write_bytes(data[: read_header(data).sections[3].end + 10])
    job = ["decode", "cut.lic", "back.png", "--checkpoint", "small.safetensors"]
    sentence = refused(*job)
    assert "4 whole string(s) of 6; a preview can be had with --slices 3." in sentence
    assert refused(*job, "--slices", 4) == sentence
    assert lic(*job, "--slices", 3)[0] == 0
    assert torch.equal(from_pil(Image.open("back.png")), codec.decode(data, 3))


def test_info(lic, desk: Path, codec: Codec, monkeypatch) -> None:
    monkeypatch.setattr(codecs, "shipped", lambda name: desk / name.replace("codec", "small"))
    fingerprint = metadata_of(Path("small.safetensors"))["fingerprint"]
    assert codecs.shipped_fingerprint("codec") == codec.fingerprint() == fingerprint
    status, out, err = lic("info", "photo.lic")
    assert (status, err) == (0, "")
    rows = dict(line.split(maxsplit=1) for line in re.sub("(string|slice) ", r"\1_", out).splitlines()[1:])
    assert list(rows) == (
        "layout codec quality picture file header string_1 slice_1 slice_2 slice_3 slice_4 slice_5 fingerprint".split()
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
    for strings in [(b"",) * 6, (*most, b""), (*most, last[:-4]), (*most, last + b"1234"), (*most, last, b"")]:
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
