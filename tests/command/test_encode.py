"""`lic encode`, with a stand-in codec: what it says, what it writes, what it refuses."""

from __future__ import annotations

import io
import os
import random
from pathlib import Path

import pytest
from PIL import Image

from tutorial_lib.bitstream import MAX_PIXELS, unpack

pytestmark = pytest.mark.usefixtures("stand_in")


def test_a_file_and_its_rate(lic, noise, here: Path, stand_in) -> None:
    Image.fromarray(noise(51, 70, 3)).save("photo.png")
    status, out, err = lic("encode", "photo.png", "photo.lic")
    size = Path("photo.lic").stat().st_size
    rate = f"{size:,} bytes, {8 * size / (70 * 51):.3f} bits per pixel"
    assert (status, out, err) == (0, f"photo.lic: 70 x 51, {rate}\n", "") and "," in f"{size:,}"
    assert unpack(Path("photo.lic").read_bytes()).fingerprint == stand_in.ships
    assert lic("decode", "photo.lic", "back.png") == (0, "back.png: 70 x 51\n", "")


def test_a_quality(lic, noise, here: Path) -> None:
    Image.fromarray(noise(5, 7, 3)).save("photo.png")
    assert lic("encode", "photo.png", "photo.lic")[0] == 0
    assert unpack(Path("photo.lic").read_bytes()).quality == 50
    for quality in (1, 99, 100):
        assert lic("encode", "photo.png", "photo.lic", "--quality", quality)[0] == 0
        assert unpack(Path("photo.lic").read_bytes()).quality == quality


def test_a_name_that_is_all_ending(lic, noise, here: Path, stand_in) -> None:
    Image.fromarray(noise(8, 8, 3)).save("photo.png")
    assert lic("encode", "photo.png", ".lic")[0] == 0 and Path(".lic").exists()


def test_endings_in_capitals(lic, noise, here: Path) -> None:
    Image.fromarray(noise(50, 70, 3)).save("PHOTO.PNG")
    assert lic("encode", "PHOTO.PNG", "PHOTO.LIC")[0] == 0
    assert lic("decode", "PHOTO.LIC", "BACK.PNG")[0] == 0


def test_pillow_warns_nobody(lic, noise, here: Path, monkeypatch, recwarn) -> None:
    Image.fromarray(noise(50, 70, 3)).save("photo.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # above this, Pillow warns; at twice as much, it refuses
    assert lic("encode", "photo.png", "photo.lic")[::2] == (0, "")
    assert not recwarn.list


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("missing.png", "there is no file 'missing.png'."),
        ("no folder/photo.png", "there is no file"),
        ("folder.png", "'folder.png' is a folder"),
        ("text.txt", "'text.txt': it is no picture, or of a kind that Pillow does not know."),
        ("empty", "'empty': the file is empty."),
        ("photo.lic", "'photo.lic': it is no picture"),
        ("cut.png", "'cut.png': it is damaged, or of a kind that Pillow cannot read ("),
        ("flipped.png", "'flipped.png': it is damaged"),
        ("bomb.png", "'bomb.png': Pillow cannot open it as a picture (Image size (400000000 pixels)"),
        (
            "large.png",
            "a picture of 12,000 x 12,000 pixels does not fit in a .lic file, which allows 1 to",
        ),
        ("large.png", f"65,535 pixels on each side and {MAX_PIXELS:,} altogether."),
        ("long.png", "a picture of 70,000 x 1 pixels does not fit"),
        (os.devnull, "is a device or a pipe"),
    ],
)
def test_sources_that_are_none(refused, table: Path, source: str, sentence: str) -> None:
    assert sentence in refused("encode", source, "out.lic")
    assert sentence in refused("encode", source, "photo.lic" if source != "photo.lic" else "cut.lic")


@pytest.mark.parametrize("quality", ["0", "101", "-1", "1000000"])
def test_qualities_that_there_are_not(refused, table: Path, quality: str) -> None:
    sentence = refused("encode", "photo.png", "new.lic", "--quality", quality)
    assert sentence == f"--quality: a quality is a whole number from 1 to 100, not {quality}."


def test_a_codec_with_one_rate_takes_no_quality(refused, table: Path) -> None:
    job = ["encode", "photo.png", "new.lic", "--checkpoint", "first.checkpoint", "--quality", "50"]
    assert refused(*job) == "the codec first_codec has one quality; leave --quality out."


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("nowhere/out.lic", "there is no folder 'nowhere' to write to; create it first."),
        ("text.txt/out.lic", "there is no folder 'text.txt'"),
        ("out.png", "the output's name must end in .lic (or be -), unlike 'out.png'."),
        ("photo.png", "must end in .lic"),
        ("out", "must end in .lic"),
        ("folder.lic", "'folder.lic' is a folder"),
        ("x" * 300 + ".lic", "File name too long"),
    ],
)
def test_outputs_that_cannot_be_written(refused, table: Path, output: str, sentence: str) -> None:
    assert sentence in refused("encode", "photo.png", output)


def test_the_output_is_never_the_input(refused, table: Path) -> None:
    Path("photo.png").rename("sly.lic")
    Path("photo.lic").rename("sly.png")
    os.link("sly.lic", "twin.lic")
    os.symlink("sly.lic", "link.lic")
    for output in (
        "sly.lic",
        "./sly.lic",
        table / "sly.lic",
        "twin.lic",
        "link.lic",
        "folder.png/../sly.lic",
    ):
        assert "is the input; give another name." in refused("encode", "sly.lic", output)
    assert "is the input; give another name." in refused("decode", "sly.png", "sly.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA", "ICO", "JPEG2000"])
def test_damaged_pictures(lic, noise, table: Path, kind: str) -> None:
    """Pillow may still make something of them; else there is one sentence and no file."""
    rng = random.Random(kind)
    file = io.BytesIO()
    Image.fromarray(noise(24, 31, 3)).save(file, format=kind)
    endings = set()
    for _ in range(30):
        data = bytearray(file.getvalue())
        for _ in range(rng.choice([0, 1, 5, 50])):
            data[int(len(data) * rng.random() ** 3)] = rng.randrange(256)  # headers hurt most
        Path("damaged").write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        status, out, err = lic("encode", "damaged", "damaged.lic")
        endings.add(status)
        assert status in (0, 2) and err.count("error: ") == (status == 2)
        assert Path("damaged.lic").exists() == (status == 0) == (out != "")
        assert status == 0 or (err.count("\n") == 1 and err.endswith(".\n"))
        Path("damaged.lic").unlink(missing_ok=True)
    assert 2 in endings


@pytest.mark.parametrize("effort", ["1", "-1"])
def test_a_codec_that_does_not_search(lic, refused, table: Path, effort: str) -> None:
    assert lic("encode", "photo.png", "photo.lic", "--effort", "0")[0] == 0
    sentence = refused("encode", "photo.png", "new.lic", "--effort", effort)
    assert sentence == f"--effort: this codec's encoder does not search; leave the effort {effort} out."


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        (("--target-bytes", "0"), "--target-bytes is 0; it must be 1 or more."),
        (("--target-psnr", "-3"), "--target-psnr is -3; it is a number of decibels above 0."),
        (("--target-psnr", "inf"), "--target-psnr is inf; it is a number of decibels above 0."),
        (("--target-psnr", "nan"), "--target-psnr is nan; it is a number of decibels above 0."),
        (("--target-bytes", "9"), "'photo.png': 9 bytes are too few for this picture: even at quality 1 it takes 7,2"),
    ],
)
def test_targets_that_cannot_be_met(refused, table: Path, target: tuple[str, str], sentence: str) -> None:
    assert refused("encode", "photo.png", "new.lic", *target).startswith(sentence)


def test_a_codec_with_one_rate_has_nothing_to_aim_with(refused, table: Path) -> None:
    for target in ("--target-bytes", "--target-psnr"):
        sentence = refused("encode", "photo.png", "new.lic", "--checkpoint", "first.checkpoint", target, "40")
        assert sentence == "the codec first_codec has one quality, so it cannot aim at a size or a PSNR."


@pytest.mark.parametrize("pair", ["--quality 5 --target-psnr 9", "--target-bytes 5 --target-psnr 9"])
def test_a_target_stands_for_a_quality(lic, table: Path, capsys, pair: str) -> None:
    with pytest.raises(SystemExit) as left:
        lic("encode", "photo.png", "new.lic", *pair.split())
    assert left.value.code == 2 and "not allowed with argument" in capsys.readouterr().err


def test_what_a_target_has_reached(lic, table: Path) -> None:
    """The stand-in's file is the same at every quality, and loses nothing."""
    size = Path("photo.lic").stat().st_size
    rate = f"photo.lic: 60 x 40, {size:,} bytes, {8 * size / 2400:.3f} bits per pixel"
    job = ("encode", "photo.png", "photo.lic")
    assert lic(*job, "--target-bytes", size) == (0, f"{rate}, quality 100\n", "")
    assert lic(*job, "--target-psnr", 40) == (0, f"{rate}, quality 1, inf dB\n", "")
