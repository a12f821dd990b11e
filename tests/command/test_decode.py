"""`lic decode`, with a stand-in codec: what it says, what it writes, what it refuses."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.bitstream import read_header
from tutorial_lib.rans import BitstreamError

pytestmark = pytest.mark.usefixtures("stand_in")


def test_a_lossy_ending_is_noted(lic, noise, here: Path) -> None:
    Image.fromarray(noise(50, 70, 3)).save("photo.png")
    lic("encode", "photo.png", "photo.lic")
    status, out, err = lic("decode", "photo.lic", "back.jpg")
    assert (status, out) == (0, "back.jpg: 70 x 50\n")
    assert err == "note: JPEG has changed the pixels; .png would keep them exactly.\n"
    with Image.open("back.jpg") as back:
        assert (back.format, back.size) == ("JPEG", (70, 50))


def test_names_that_no_terminal_shows(lic, refused, noise, here: Path) -> None:
    name = os.fsdecode(b"caf\xe9\n.png")
    try:
        Image.fromarray(noise(4, 4, 3)).save(name)
    except OSError:
        pytest.skip("this file system has no such names")
    assert lic("encode", name, name + ".lic")[0] == 0
    assert "caf\\udce9\\n" in refused("decode", name, "back.png")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("missing.lic", "there is no file 'missing.lic'."),
        ("folder.lic", "'folder.lic' is a folder"),
        ("text.txt", "'text.txt': this is no .lic file"),
        ("photo.png", "'photo.png': this is no .lic file"),
        ("empty", "'empty': the file is empty."),
        ("cut.lic", "'cut.lic': the file was cut short"),
        ("flipped.lic", "'flipped.lic': the file is damaged: the checksum of slice 1 is wrong; a preview"),
        ("longer.lic", "'longer.lic': the file was added to"),
        ("headless.lic", "'headless.lic': the file is damaged: its header's checksum is wrong."),
        ("stub.lic", "'stub.lic': the file was cut short or damaged: its 30 bytes do not even hold a header."),
        (os.devnull, "is a device or a pipe"),
    ],
)
def test_what_is_no_whole_file(lic, refused, table: Path, source: str, sentence: str) -> None:
    assert sentence in refused("decode", source, "out.png")
    assert sentence in refused("decode", source, "cut.png")
    try:
        facts = read_header(Path(source).read_bytes()) if os.path.isfile(source) else None
    except BitstreamError:
        facts = None
    if facts is None:
        assert sentence in refused("info", source)
    else:
        status, out, err = lic("info", source)
        assert status == 2 and "60 x 40" in out and sentence in err and err.count("\n") == 1


@pytest.mark.parametrize("slices", ["-1", "2", "1000"])
def test_slices_that_there_are_not(refused, table: Path, slices: str) -> None:
    sentence = refused("decode", "photo.lic", "new.png", "--slices", slices)
    assert sentence == f"--slices is a whole number from 0 to 1 for 'photo.lic', not {slices}."


def test_a_codec_without_slices(refused, table: Path) -> None:
    sentence = refused("decode", "first.lic", "new.png", "--slices", "0")
    assert sentence == "'first.lic' was made by first_codec and has no slices; leave --slices out."


def test_a_preview_of_a_file_that_was_cut_short(lic, refused, table: Path) -> None:
    darkest = tuple(np.asarray(Image.open("photo.png")).min((0, 1)))
    for source in ("cut.lic", "flipped.lic", "photo.lic"):
        status, out, err = lic("decode", source, "new.png", "--slices", 0)
        assert (status, out, err) == (0, "new.png: 60 x 40, 0 of 1 slices\n", "")
        with Image.open("new.png") as preview:
            assert preview.size == (60, 40) and preview.getcolors() == [(2400, darkest)]
    Path("new.png").unlink()
    for arguments in ([], ["--slices", "1"]):
        sentence = refused("decode", "cut.lic", "new.png", *arguments)
        assert "1 whole string(s) of 2; a preview can be had with --slices 0." in sentence
    assert "was cut short" in refused("decode", "stub.lic", "new.png", "--slices", "0")


def test_a_checkpoint_of_the_other_codec(refused, table: Path) -> None:
    for source, other in [("photo.lic", "first.checkpoint"), ("first.lic", "other.checkpoint")]:
        sentence = refused("decode", source, "new.png", "--checkpoint", other)
        assert f"{source!r} was made by " in sentence and f"while {other!r} is a checkpoint of " in sentence


def test_a_file_of_another_checkpoint(lic, refused, table: Path, stand_in) -> None:
    sentence = refused("decode", "foreign.lic", "out.png")
    assert "'foreign.lic' was made with another checkpoint" in sentence
    assert stand_in.other in sentence and stand_in.ships in sentence and "--checkpoint" in sentence
    assert lic("decode", "foreign.lic", "out.png", "--checkpoint", "other.checkpoint")[0] == 0
    sentence = refused("decode", "photo.lic", "out.png", "--checkpoint", "other.checkpoint")
    assert "another checkpoint" in sentence


def test_a_stream_that_the_coder_refuses(refused, table: Path) -> None:
    sentence = refused("decode", "noise.lic", "out.png")
    assert sentence == "'noise.lic': the stream does not end with its symbols: it is damaged."


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("nowhere/out.png", "there is no folder 'nowhere' to write to; create it first."),
        ("out.xyz", "'out.xyz': Pillow writes no pictures with the ending '.xyz'; choose .png."),
        ("out", "with the ending ''; choose .png."),
        ("out.mpg", "with the ending '.mpg'; choose .png."),  # Pillow knows it, but only reads it
        ("out.ico", "Pillow cannot write this picture as ICO, so choose .png (it would have"),
        ("out.xbm", "Pillow cannot write this picture as XBM"),
        ("folder.png", "'folder.png' is a folder"),
    ],
)
def test_outputs_that_cannot_be_written(lic, refused, noise, table: Path, output: str, sentence: str) -> None:
    Image.fromarray(noise(300, 300, 3)).save("icon.png")  # larger than icons can be
    assert lic("encode", "icon.png", "photo.lic")[0] == 0
    assert sentence in refused("decode", "photo.lic", output)


def test_a_device_is_never_replaced(refused, table: Path) -> None:
    os.mkfifo("pipe.png")
    assert "is a device or a pipe" in refused("decode", "photo.lic", "pipe.png")
    assert stat.S_ISFIFO(os.stat("pipe.png").st_mode)


@pytest.mark.parametrize("scale", ["1/1", "1/3", "0.5", "2", "1/131072", "half", ""])
def test_scales_that_there_are_not(refused, table: Path, scale: str) -> None:
    sentence = refused("decode", "photo.lic", "new.png", "--scale", scale)
    assert sentence == f"--scale is 1/2, 1/4, 1/8 and so on, not {scale!r}."


def test_codecs_without_smaller_pictures(refused, table: Path) -> None:
    sentence = refused("decode", "first.lic", "new.png", "--scale", "1/2")
    assert sentence == "'first.lic' was made by first_codec and has no slices; leave --scale out."
    sentence = refused("decode", "photo.lic", "new.png", "--scale", "1/4")
    assert sentence == "'photo.lic' was made by codec and has 1 slice(s), too few for that --scale; leave --scale out."
    sentence = refused("decode", "photo.lic", "new.png", "--scale", "1/2")
    assert sentence == "'photo.lic' was made by codec, which decodes pictures in their full size only."


def test_a_scale_says_how_many_slices(lic, table: Path, capsys) -> None:
    with pytest.raises(SystemExit) as left:
        lic("decode", "photo.lic", "new.png", "--scale", "1/2", "--slices", "1")
    assert left.value.code == 2 and "not allowed with argument" in capsys.readouterr().err
