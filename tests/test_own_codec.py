"""A learner's own codec takes part in everything: `own_codec.py` and two others, through `lic --plugin`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tutorial_lib import codec_registry
from tutorial_lib.bitstream import unpack
from tutorial_lib.command import codecs
from tutorial_lib.command.main import main
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.files.images import from_pil, to_float, to_pil, to_uint8
from tutorial_lib.training import RandomCrops
from tutorial_lib.transform_codec import TransformCodec
from tutorial_lib.workbench.photos import photo

# They start processes, kill them, and join them by sockets: what the machine spoils is tried once more ("rerun").
pytestmark = pytest.mark.flaky(reruns=1)

OWN = Path(__file__).with_name("own_codec.py")
SMALL = ("--codec", "own", "--set", "N=8", "M=12", "--batch", "2", "--crop", "64", "--device", "cpu")

FACTORIZED = """
from torch import nn
from tutorial_lib.dct_transforms import dct_filters
from tutorial_lib.transform_codec import FactorizedPrior, TransformCodec, register_codec

@register_codec("blocks")
def blocks(step=40):
    filters = dct_filters()  # (M, 3, 16, 16)
    there = nn.Conv2d(3, len(filters), 16, stride=16, bias=False)
    back = nn.ConvTranspose2d(len(filters), 3, 16, stride=16, bias=False)
    there.weight.data, back.weight.data = filters * 255 / step, filters * step / 255
    return TransformCodec(there, back, FactorizedPrior(len(filters)), stride=16)
"""

VARIABLE = """
from torch import nn
from tutorial_lib.dct_transforms import dct_filters
from tutorial_lib.transform_codec import FactorizedPrior, register_codec
from tutorial_lib.quality import VariableRateCodec, lambda_of

def gain(quality):
    return (57 * lambda_of(quality).sqrt())[:, None, None, None]

class There(nn.Conv2d):
    def forward(self, x, quality):
        return super().forward(x) * gain(quality)

class Back(nn.ConvTranspose2d):
    def forward(self, y_hat, quality):
        return super().forward(y_hat / gain(quality))

@register_codec("dial")
class Dial(VariableRateCodec):
    def __init__(self):
        filters = dct_filters()  # (M, 3, 16, 16)
        there = There(3, len(filters), 16, stride=16, bias=False)
        back = Back(len(filters), 3, 16, stride=16, bias=False)
        there.weight.data, back.weight.data = filters.clone(), filters.clone()
        super().__init__(there, back, FactorizedPrior(len(filters)), stride=16)
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder with photos of 176 × 170 pixels, and two plugins."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "photos").mkdir()
    for name in ("chelsea", "coffee", "rocket"):
        to_pil(photo(name)).resize((176, 170), box=(100, 50, 340, 290)).save(folder / f"photos/{name}.png")
    (folder / "blocks.py").write_text(FACTORIZED)
    (folder / "dial.py").write_text(VARIABLE)
    return folder


@pytest.fixture(autouse=True)
def forgetful(monkeypatch) -> None:
    """What a test registers in this process is forgotten after it."""
    codecs._register_all()
    monkeypatch.setattr(codec_registry, "FACTORIES", dict(codec_registry.FACTORIES))


@pytest.fixture
def here(desk: Path, monkeypatch, capsys) -> Callable[..., str]:
    """here(*arguments, status=0): `lic` in this process, on the desk. What it says, and on stderr if it fails."""
    monkeypatch.chdir(desk)

    def run(*arguments: object, status: int = 0) -> str:
        assert main([str(argument) for argument in arguments]) == status
        said = capsys.readouterr()
        assert status == 0 or said.out == ""
        return said.err if status else said.out

    return run


def lic(folder: Path, *arguments: object, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    """`lic`, in a fresh process, as it is installed."""
    installed = Path(sys.executable).with_name("lic")
    command = [sys.executable, *launcher, "-m", "tutorial_lib.cli"] if launcher else [installed]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    words = [*command, *map(str, arguments)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)


def said(folder: Path, *arguments: object, **options) -> str:
    """What it says on stdout, once it is certain that it has worked."""
    ran = lic(folder, *arguments, **options)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def loaded(plugin: Path, checkpoint: Path) -> TransformCodec:
    """The trained codec, in this process."""
    codecs.run_plugin(plugin)
    return TransformCodec.load(checkpoint)


@torch.no_grad()
def forward_picture(codec: TransformCodec, path: Path, quality: int | None = None) -> torch.Tensor:
    return to_uint8(codec(to_float(from_pil(Image.open(path))), quality)["x_hat"])


def rows_of(table: str) -> dict[str, list[str]]:
    """`lic evaluate`'s rows, by the codec's name."""
    return {line.split()[0]: line.split()[1:] for line in table.splitlines()[2:]}


# ---- own_codec.py


@pytest.fixture(scope="module")
def trained(desk: Path) -> str:
    """own.safetensors after 200 steps; what `lic train` has said."""
    out = ("--data", "photos", "--out", "own.safetensors")
    return said(desk, "--plugin", OWN, "train", *SMALL, "--lmbda", 0.05, "--steps", 200, *out)


def test_it_fits_on_a_page() -> None:
    lines = OWN.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 30 and max(map(len, lines)) <= 120


def test_it_trains(desk: Path, trained: str) -> None:
    first, head, row, last = trained.splitlines()
    assert first.startswith("own.safetensors: trained for 200 steps on 3 photos; ")
    assert head.split()[0] == "quality" and row.split()[0] == "-" and float(row.split()[2]) > 15  # dB
    assert last == "own.safetensors.png: chelsea.png, coffee.png, rocket.png; the original, and decoded"
    with Image.open(desk / "own.safetensors.png") as picture:
        assert picture.size == (2 * (176 + 8), 3 * (170 + 8))
    metadata = metadata_of(desk / "own.safetensors")
    assert metadata["codec"] == "own" and json.loads(metadata["settings"]) == {"N": 8, "M": 12}
    assert (metadata["loss"], metadata["steps"], metadata["trained_on"]) == ("mse", "200", "3 photos")


def test_a_file_there_and_back_in_fresh_processes(desk: Path, trained: str) -> None:
    own = ("--checkpoint", "own.safetensors")
    assert said(desk, "--plugin", OWN, "encode", "photos/coffee.png", "a.lic", *own).startswith("a.lic: 176 x 170, ")
    assert said(desk, "--plugin", OWN, "decode", "a.lic", "a.png", *own) == "a.png: 176 x 170\n"
    codec = loaded(OWN, desk / "own.safetensors")
    assert torch.equal(from_pil(Image.open(desk / "a.png")), forward_picture(codec, desk / "photos/coffee.png"))
    stream = unpack((desk / "a.lic").read_bytes())
    assert (stream.codec, stream.quality, stream.fingerprint) == ("own", 0, codec.fingerprint())

    rows = dict(line.strip().split("  ", 1) for line in said(desk, "info", "a.lic").splitlines()[1:])
    assert {name: value.strip() for name, value in rows.items()}["codec"] == "own"  # without the plugin, too
    assert list(rows) == ["layout", "codec", "picture", "file", "header", "string 1", "string 2", "fingerprint"]
    assert rows["fingerprint"].endswith("no checkpoint of this codec ships, so decode it with its own --checkpoint")


def test_beside_jpeg(desk: Path, trained: str, here: Callable[..., str]) -> None:
    """After so few steps, its one PSNR may be lower than JPEG's are: then there is a dash, and a line about it."""
    job = ("evaluate", "photos", "--codecs", "lic,jpeg", "--qualities", "jpeg=2,20,50,80,95", "--json", "own.json")
    table = here("--plugin", OWN, *job, "--checkpoint", "own.safetensors")
    rows, result = rows_of(table), json.loads(Path("own.json").read_text())
    percent, points = result["codecs"]["lic"]["bd_rate"]["limited"]["mean"], result["codecs"]["lic"]["mean"]
    assert len(points) == 1 and rows["lic"][0] == ("-" if percent is None else f"{percent:+.1f}")
    assert ("-: of all PSNRs measured, none lies where jpeg spends so much" in table) == (percent is None)
    assert result["checkpoint"] == loaded(OWN, Path("own.safetensors")).fingerprint()


def test_without_the_plugin(desk: Path, trained: str, here: Callable[..., str]) -> None:
    own = ("--checkpoint", "own.safetensors")
    here("--plugin", OWN, "encode", "photos/coffee.png", "own.lic", *own)
    for name in [name for name, made in codec_registry.FACTORIES.items() if made.__module__ == "lic_plugin_own_codec"]:
        del codec_registry.FACTORIES[name]
    known = "error: 'own.safetensors': no codec is called 'own'; known here: bmshj2018-hyperprior, codec, first_codec, "
    for job in (["encode", "photos/coffee.png", "b.lic"], ["decode", "own.lic", "b.png"], ["evaluate", "photos"]):
        sentence = here(*job, *own, status=2)
        assert sentence.startswith(known) and "lic --plugin FILE.py" in sentence and sentence.count("\n") == 1
    sentence = here("decode", "own.lic", "b.png", status=2)
    assert sentence == "error: no checkpoint of own comes with the course; name one by --checkpoint.\n"
    assert not Path("b.lic").exists() and not Path("b.png").exists()


def test_a_rate_is_all_it_has(desk: Path, trained: str, here: Callable[..., str]) -> None:
    for job, sentence in [
        (
            ("encode", "photos/coffee.png", "c.lic", "--quality", 50),
            "the codec own has one quality; leave --quality out.",
        ),
        (
            ("evaluate", "photos", "--codecs", "lic", "--qualities", "lic=50"),
            "this checkpoint's codec has one rate: leave --qualities lic=… out.",
        ),
    ]:
        said = here("--plugin", OWN, *job, "--checkpoint", "own.safetensors", status=2)
        assert said.splitlines()[-1] == f"error: {sentence}" and not Path("c.lic").exists()


def test_a_stopped_run_goes_on_to_the_bit(here: Callable[..., str], monkeypatch) -> None:
    job = ("--plugin", OWN, "train", *SMALL, "--steps", 6, "--data", "photos", "--out")

    def pressing(crops: RandomCrops, step: int, place: int, one=RandomCrops.one):
        if (step, place) == (3, 0):
            signal.raise_signal(signal.SIGTERM)
        return one(crops, step, place)

    with monkeypatch.context() as patch:
        patch.setattr(RandomCrops, "one", pressing)
        assert "stopped after step 4; go on with --resume." in here(*job, "stopped", status=143)
    sentence = "'stopped.training' was begun with other settings and modules; give the same, or delete it.\n"
    assert here(*job, "stopped", "--resume", "--set", "M=16", status=2).endswith(sentence)
    here(*job, "stopped", "--resume")
    here(*job, "whole")
    stopped, whole = load_file("stopped"), load_file("whole")
    assert stopped.keys() == whole.keys() and all(torch.equal(stopped[name], whole[name]) for name in whole)


def test_two_processes_do_what_one_does(desk: Path, here: Callable[..., str]) -> None:
    """The noise for rounding included: each draws the rows that one process would."""
    job = ["--plugin", OWN, "train", *SMALL, "--steps", 4, "--data", "photos", "--out"]
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    assert said(desk, *job, "both", launcher=launcher).count("trained for 4 steps") == 1
    here(*job, "alone")
    both, alone = load_file("both"), load_file("alone")
    for name, value in alone.items():
        if value.is_floating_point():
            assert (value - both[name]).norm() <= 1e-4 * value.norm(), name


# ---- other codecs


def test_other_transforms_and_the_factorized_prior(desk: Path, here: Callable[..., str]) -> None:
    job = ("--codec", "blocks", "--set", "step=30", "--steps", 20, "--batch", 2, "--crop", 64, "--device", "cpu")
    here("--plugin", "blocks.py", "train", *job, "--data", "photos", "--out", "blocks.safetensors")
    own = ("--checkpoint", "blocks.safetensors")
    here("--plugin", "blocks.py", "encode", "photos/rocket.png", "blocks.lic", *own)
    here("--plugin", "blocks.py", "decode", "blocks.lic", "blocks.png", *own)
    codec = loaded(desk / "blocks.py", desk / "blocks.safetensors")
    assert codec.settings == {"step": 30}
    assert torch.equal(from_pil(Image.open("blocks.png")), forward_picture(codec, Path("photos/rocket.png")))
    job = ("evaluate", "photos", "--codecs", "lic", "--qualities", "jpeg=2,20,50,80,95", *own)
    [percent, _, covered, *_] = rows_of(here("--plugin", "blocks.py", *job))["lic"]
    assert -90 < float(percent) < 300 and covered == "0"  # its PSNR is one that JPEG reaches, so there is a number


def test_a_variable_rate(desk: Path, here: Callable[..., str]) -> None:
    job = ("--codec", "dial", "--steps", 20, "--batch", 4, "--crop", 64, "--device", "cpu")
    table = here("--plugin", "dial.py", "train", *job, "--data", "photos", "--out", "dial.safetensors")
    assert [line.split()[0] for line in table.splitlines()[2:-1]] == ["10", "30", "50", "70", "90"]
    assert table.endswith("; the original, and at qualities 10, 40, 80\n")
    own = ("--checkpoint", "dial.safetensors")
    codec, picture, sizes = loaded(desk / "dial.py", desk / "dial.safetensors"), Path("photos/coffee.png"), []
    for quality in (1, 50, 100):
        here("--plugin", "dial.py", "encode", picture, "dial.lic", *own, "--quality", quality)
        data = Path("dial.lic").read_bytes()
        assert unpack(data).quality == quality and data == codec.encode(Image.open(picture), quality)
        assert torch.equal(codec.decode(data), forward_picture(codec, picture, quality))
        sizes.append(len(data))
    assert sizes == sorted(sizes) and 2 * sizes[0] < sizes[-1]
    qualities = ("--qualities", "lic=1,40,60,80,100", "--qualities", "jpeg=2,20,50,80,95")
    here("--plugin", "dial.py", "evaluate", "photos", "--codecs", "lic", *own, *qualities, "--json", "dial.json")
    result = json.loads(Path("dial.json").read_text())["codecs"]["lic"]
    assert [point["quality"] for point in result["mean"]] == [1, 40, 60, 80, 100]
    assert all(a["bpp"] < b["bpp"] and a["psnr"] < b["psnr"] for a, b in pairwise(result["mean"]))
    assert result["bd_rate"]["limited"]["covered"] > 0.2


def test_lmbda_is_for_one_rate(here: Callable[..., str]) -> None:
    before = sorted(Path.cwd().iterdir())
    job = ("train", "--codec", "dial", "--lmbda", 0.01, "--data", "photos", "--out", "x")
    sentence = "error: --lmbda is for a codec with one rate; dial learns all its qualities at once.\n"
    assert here("--plugin", "dial.py", *job, status=2) == sentence
    assert sorted(Path.cwd().iterdir()) == before
