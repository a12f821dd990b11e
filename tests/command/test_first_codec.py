"""The first codec through the command, with the checkpoint that ships."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tutorial_lib.bitstream import Stream, pack
from tutorial_lib.command.codecs import shipped_fingerprint
from tutorial_lib.files.checkpoints import shipped
from tutorial_lib.files.images import from_pil, to_float, to_pil, to_uint8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.information import bits
from tutorial_lib.workbench.photos import photo

FIRST = ("--checkpoint", shipped("first_codec.safetensors"))


@pytest.fixture(scope="module")
def codec() -> FirstCodec:
    return FirstCodec.load()


@pytest.mark.parametrize("size", [(1, 1), (777, 1), (1, 777), (389, 513), (256, 256)])
def test_the_picture_comes_back_as_the_model_made_it(there_and_back, here: Path, codec, size) -> None:
    image = to_pil(photo("chelsea")).resize(size)
    image.save("photo.png")
    pixels, notes = there_and_back("photo.png", *FIRST)
    assert notes == [] and pixels.shape == (size[1], size[0], 3)
    with torch.no_grad():
        output = codec(to_float(from_pil(image)))
    assert np.array_equal(pixels, np.asarray(to_pil(to_uint8(output["x_hat"]))))
    ideal = sum(float(bits(likelihoods)) for likelihoods in output["likelihoods"].values()) / 8
    # Rounded to 16 bits, the tables may by chance fit a picture a little better than the density itself.
    assert 0.98 * ideal <= Path("there.lic").stat().st_size <= 1.002 * ideal + 64


def test_info_knows_its_own(lic, here: Path, codec) -> None:
    to_pil(photo("chelsea")).save("photo.png")
    assert lic("encode", "photo.png", "photo.lic", *FIRST)[0] == 0
    assert "which can decode it" in lic("info", "photo.lic")[1]
    assert shipped_fingerprint("first_codec") == codec.fingerprint()


def test_damaged_strings_with_a_right_checksum(refused, here: Path, codec) -> None:
    image = to_pil(photo("coffee")).resize((80, 60))
    string = codec.compress(to_float(from_pil(image)))["strings"][0][0]
    damaged = bytearray(string)
    damaged[len(damaged) // 2] ^= 16
    for strings in [(bytes(damaged),), (b"",), (string[:-4],), (bytes(100),)]:
        Path("forged.lic").write_bytes(pack(Stream(80, 60, codec.fingerprint(), strings, "first_codec")))
        sentence = refused("decode", "forged.lic", "out.png")
        assert sentence.startswith(("'forged.lic': ", "'forged.lic' is damaged: "))


def test_files_that_are_no_checkpoint(refused, here: Path, codec) -> None:
    to_pil(photo("coffee")).resize((80, 60)).save("photo.png")
    Path("folder").mkdir()
    Path("text.safetensors").write_text("hello\n")
    whole = shipped("first_codec.safetensors").read_bytes()
    Path("cut.safetensors").write_bytes(whole[: len(whole) // 2])
    for checkpoint in (
        "missing.safetensors",
        "folder",
        "text.safetensors",
        "cut.safetensors",
        "photo.png",
    ):
        refused("encode", "photo.png", "photo.lic", "--checkpoint", checkpoint)


def test_in_fresh_processes_as_installed(here: Path) -> None:
    to_pil(photo("coffee")).resize((120, 90)).save("photo.png")
    command = Path(sys.executable).with_name("lic")
    said = []
    for arguments in [
        ["encode", "photo.png", "photo.lic", *FIRST],
        ["decode", "photo.lic", "back.png"],
        ["info", "photo.lic"],
    ]:
        ran = subprocess.run([command, *arguments], capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, "")
        said.append(ran.stdout)
    assert said[0].startswith("photo.lic: 120 x 90, ") and said[1] == "back.png: 120 x 90\n"
    with Image.open("back.png") as back:
        assert back.size == (120, 90)
    ran = subprocess.run([command, "decode", "photo.png", "b.png"], capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and not Path("b.png").exists()
