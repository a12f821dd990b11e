"""`lic evaluate`: its table, its JSON and its plot, and what it refuses."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, features

from tutorial_lib.codec import Codec
from tutorial_lib.command import evaluate as evaluate_command
from tutorial_lib.evaluation.comparison import Point
from tutorial_lib.evaluation.file_codecs import CLASSICAL
from tutorial_lib.files.checkpoints import shipped
from tutorial_lib.files.images import to_pil
from tutorial_lib.workbench.photos import photo

FIRST = shipped("first_codec.safetensors")
FEW = ("--qualities", "jpeg=5,20,50", "--qualities", "webp=5,40,80,96", "--qualities", "jpeg=80,20,95")


@pytest.fixture
def here(here: Path) -> Path:
    """A folder with a folder of photos: two that can be read, one that cannot, and what is no photo."""
    Path("photos").mkdir()
    to_pil(photo("coffee")[:, 40:168, 80:208]).save("photos/coffee.png")
    to_pil(photo("chelsea")[:, 100:228, 100:220]).save("photos/a cat.png")
    Path("photos/broken.png").write_bytes(b"hello")
    Path("photos/notes.txt").write_text("no photo")
    return here


@pytest.fixture
def evaluate(lic) -> Callable[..., tuple[int, str, str]]:
    """evaluate(*arguments) -> exit status, stdout, stderr."""
    return functools.partial(lic, "evaluate")


def test_table_json_and_plot(evaluate, here: Path, lively_codec) -> None:
    lively_codec().save("tiny.safetensors")
    more = ("--qualities", "lic=1,50,100", "--checkpoint", "tiny.safetensors")
    outputs = ("--json", "out.json", "--plot", "out.png", "--published")
    Path("photos/raw.nef").write_bytes(b"raw")
    with Image.open("photos/coffee.png") as image:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
        image.save("photos/coffee.png")
    status, out, err = evaluate("photos", "--codecs", "lic", "--codecs", "webp", *FEW, *more, *outputs)
    assert status == 0
    assert err == (
        "note: 1 .nef file is left out: Pillow does not open this kind; export raw files as JPEG, PNG or TIFF first.\n"
        "note: 'broken.png' is left out: it is no picture, or of a kind that Pillow does not know.\n"
        "note: 1 picture: transparency was dropped: the picture was laid on white.\n"
    )
    result = json.loads(Path("out.json").read_text())
    assert result["photos"] == ["a cat.png", "coffee.png"] and list(result["codecs"]) == ["jpeg", "lic", "webp"]
    assert result["checkpoint"] == Codec.load(here / "tiny.safetensors").fingerprint()
    assert {"tutorial_lib", "torch", "pillow", "python", "webp", "pillow-heif"} <= set(result["versions"])
    wanted = "lic evaluate photos --codecs lic --codecs webp --qualities jpeg=5,20,50"
    assert result["command"].startswith(wanted) and str(here) not in result["command"]
    assert result["command"].endswith("--checkpoint tiny.safetensors --json out.json --published")
    assert result["complete"] and result["effort"] == Codec.default_effort and len(result["published"]["codecs"]) == 6
    for name, count in [("jpeg", 5), ("lic", 3), ("webp", 4)]:
        codec = result["codecs"][name]
        assert list(codec["photos"]) == result["photos"] == list(codec["bd_rate"]["all"]["photos"])
        assert [len(points) for points in (*codec["photos"].values(), codec["mean"])] == [count] * 3
        mean = np.mean([[point["bpp"] for point in points] for points in codec["photos"].values()], axis=0)
        assert [point["bpp"] for point in codec["mean"]] == pytest.approx(mean)
        assert set(codec["mean"][0]) == set(Point.__dataclass_fields__)
    title, head, *rows = out.splitlines()
    assert title.startswith("2 photos; BD-rate against jpeg") and head.startswith("codec")
    assert [row.split()[0] for row in rows[:3]] == ["jpeg", "lic", "webp"]
    assert [row.split()[-1] for row in rows[3:9]] == ["published"] * 6 and rows[-1].startswith("published: CompressAI")
    limited = result["codecs"]["webp"]["bd_rate"]["limited"]
    assert f"{limited['mean']:+.1f} %" in rows[2] and rows[0].split()[1:5] == ["+0.0", "%", "100", "%"]
    with Image.open("out.png") as drawn:
        assert drawn.format == "PNG" and drawn.width > 500
    assert {path.name for path in here.iterdir()} == {"photos", "out.json", "out.png", "tiny.safetensors"}


def test_jpeg_is_always_there_and_comes_first(evaluate, here: Path) -> None:
    status, out, _ = evaluate("photos", "--codecs", "webp,jpeg,webp", *FEW)
    assert status == 0 and [row.split()[0] for row in out.splitlines()[2:]] == ["jpeg", "webp"]


def test_a_pillow_without_avif(evaluate, here: Path, monkeypatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    status, out, err = evaluate("photos", "--codecs", "avif,webp", *FEW)
    assert status == 0 and "note: this Pillow cannot write avif, so it is left out.\n" in err
    assert "avif" not in out and "webp" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing"], "there is no folder 'missing'."),
        (["photos/a cat.png"], "there is no folder 'photos/a cat.png'."),
        (["empty"], "No image files were found in empty; give a folder that holds photos."),
        (
            ["photos", "--codecs", "jpeg,mp3"],
            "no codec is called 'mp3'; there are lic, jpeg, webp, avif, jpegxl, heic, jpeg2000; lic is the learned one",
        ),
        (["photos", "--effort", "3"], "--effort is lic's, which is not among the codecs to measure."),
        (["photos", "--codecs", "lic", "--effort", "10"], "an effort is a whole number from 0 to 9, not 10."),
        (["photos", "--json", "nowhere/out.json"], "there is no folder 'nowhere' to write to; create it first."),
        (["photos", "--plot", "empty"], "'empty' is a folder; give a file."),
        (["photos", "--json", "photos/coffee.png"], "the output 'photos/coffee.png' is an input; give another name."),
        (["photos", "--plot", "photos/a cat.png"], "the output 'photos/a cat.png' is an input; give another name."),
        (["photos", "--json", "new.png", "--plot", "./new.png"], "--json and --plot name the same file, 'new.png'"),
        (
            ["photos", "--plot", "out.xyz"],
            "The curves are drawn into .png, .svg, .pdf, .jpg, .webp, not into '.xyz'.",
        ),
        (["photos", "--plot", "out"], "The curves are drawn into .png, .svg, .pdf, .jpg, .webp, not into ''."),
        (["photos", "--qualities", "jpeg"], "--qualities are given as in jpeg=10,50,90, unlike 'jpeg'."),
        (["photos", "--qualities", "jpeg=1,x"], "--qualities are given as in jpeg=10,50,90, unlike 'jpeg=1,x'."),
        (["photos", "--qualities", "jpeg=inf"], "--qualities are given as in jpeg=10,50,90, unlike 'jpeg=inf'."),
        (["photos", "--qualities", "jpeg=0"], "The qualities of jpeg are whole numbers from 1 to 95, not 0."),
        (["photos", "--qualities", "avif=5"], "--qualities are given for 'avif', which is not among the codecs"),
        (["photos", "--codecs", "lic", "--checkpoint", "missing"], "there is no file 'missing'."),
    ],
)
def test_bad_input_is_one_sentence(evaluate, contents, here: Path, arguments: list[str], sentence: str) -> None:
    Path("empty").mkdir()
    before = contents(here)
    if "--codecs" not in arguments:
        arguments = [*arguments, "--codecs", "jpeg"]
    status, out, err = evaluate(*arguments)
    assert (status, out) == (2, "") and err.startswith(f"error: {sentence}")
    assert err.endswith(".\n") and err.count("\n") == 1 and contents(here) == before


def test_no_photo_that_can_be_read(evaluate, here: Path) -> None:
    Path("photos/coffee.png").unlink()
    Path("photos/a cat.png").unlink()
    status, out, err = evaluate("photos", "--codecs", "jpeg", "--json", "out.json")
    assert (status, out) == (2, "") and err.endswith("error: There is no photo that can be measured.\n")
    assert err.startswith("note: 'broken.png' is left out") and not Path("out.json").exists()


def test_without_the_plugins(evaluate, here: Path, monkeypatch) -> None:
    """The note says what to install; with them the two are measured."""
    monkeypatch.setattr("tutorial_lib.evaluation.file_codecs.add_plugins", lambda: None)
    monkeypatch.setattr(Image, "SAVE", {name: save for name, save in Image.SAVE.items() if name not in ("JXL", "HEIF")})
    status, out, err = evaluate("photos", "--codecs", "jpegxl,heic", *FEW[:2])
    assert status == 0 and [row.split()[0] for row in out.splitlines()[2:]] == ["jpeg"]
    for name in ("jpegxl", "heic"):
        assert f"note: {name} is left out; install this package with its extra, photos (it brings" in err


def test_a_photo_that_a_codec_fails_on_is_left_out_for_it(evaluate, here: Path, monkeypatch) -> None:
    def encode(image: torch.Tensor, quality: float) -> bytes:
        if image.shape[2] == 120:
            raise OSError("encoding error 5")
        return CLASSICAL["avif"].encode(image, quality)

    monkeypatch.setitem(
        CLASSICAL, "webp", replace(CLASSICAL["jpeg"], name="webp", encode=encode, decode=lambda d: 1 / 0)
    )
    with pytest.raises(ZeroDivisionError):  # a bug is no photo's fault
        evaluate("photos", "--codecs", "webp", *FEW[:2])
    monkeypatch.setitem(CLASSICAL, "webp", replace(CLASSICAL["webp"], encode=encode, decode=CLASSICAL["jpeg"].decode))
    status, out, err = evaluate("photos", "--codecs", "webp", "--json", "out.json", *FEW[:2])
    assert status == 0
    assert "note: 'a cat.png' is left out for webp: webp fails on it at quality 2 (encoding error 5).\n" in err
    result = json.loads(Path("out.json").read_text())
    assert result["photos"] == ["a cat.png", "coffee.png"] and list(result["codecs"]["webp"]["photos"]) == [
        "coffee.png"
    ]
    assert out.splitlines()[-1] == "webp: without 1 photo that it failed on"


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_what_is_measured_is_kept(evaluate, here: Path, monkeypatch, every: float) -> None:
    """While it goes, and when it is broken off."""
    monkeypatch.setattr(evaluate_command, "EVERY", every)
    kept: list[bool] = []
    encode = CLASSICAL["jpeg"].encode

    def stopped(image: torch.Tensor, quality: float) -> bytes:
        if image.shape[2] == 128:  # the second photo
            kept.append(Path("out.json").exists())
            raise KeyboardInterrupt
        return encode(image, quality)

    monkeypatch.setattr("tutorial_lib.evaluation.file_codecs.JPEG", replace(CLASSICAL["jpeg"], encode=stopped))
    monkeypatch.setitem(CLASSICAL, "jpeg", replace(CLASSICAL["jpeg"], encode=stopped))
    status, out, _ = evaluate("photos", "--codecs", "jpeg", "--json", "out.json", *FEW[:2])
    assert status != 0 and out == "" and kept == [every == 0]
    result = json.loads(Path("out.json").read_text())
    assert result["photos"] == ["a cat.png"] and not result["complete"]
    assert [point["quality"] for point in result["codecs"]["jpeg"]["mean"]] == [5, 20, 50]


def test_effort_of_a_codec_without_one(evaluate, here: Path) -> None:
    status, out, err = evaluate("photos", "--codecs", "lic", "--effort", "9", "--checkpoint", FIRST)
    assert (status, out) == (2, "")
    assert err.endswith("error: this codec's encoder does not search; leave the effort 9 out.\n")


def test_without_the_peers(evaluate, here: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
    status, out, err = evaluate("photos", "--codecs", "jpeg")
    assert (status, out) == (2, "") and "pip install pytorch-msssim" in err and err.count("\n") == 1


def test_a_checkpoint_that_nothing_is_measured_with(evaluate, here: Path) -> None:
    status, out, err = evaluate("photos", "--codecs", "webp", "--checkpoint", "missing")
    assert (status, out, err) == (2, "", "error: --checkpoint is lic's, which is not among the codecs to measure.\n")


def test_every_codec_has_its_name() -> None:
    assert set(evaluate_command.NAMES) == {"lic", *CLASSICAL}
    assert all(name == codec.name for name, codec in CLASSICAL.items())


def test_the_parser_is_made_without_pytorch() -> None:
    program = "import sys, tutorial_lib.command.evaluate; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0 and not {"torch", "matplotlib", "PIL"} & set(ran.stdout.split())


def test_what_may_not_be_read_is_named(evaluate, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, say: object) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("tutorial_lib.files.folders.photos_in", refuse)
    assert evaluate("photos", "--codecs", "jpeg") == (2, "", "error: 'photos': Permission denied.\n")
