"""`lic train`, with networks so small that a run takes seconds: what it writes, how it goes on, what it refuses."""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from tutorial_lib import training_run
from tutorial_lib.cdf import sealed, unsealed
from tutorial_lib.codec import Codec
from tutorial_lib.codec_training import Preset
from tutorial_lib.command import train as train_module
from tutorial_lib.command import training_report, validation
from tutorial_lib.command.main import main
from tutorial_lib.command.training_log import lines_until
from tutorial_lib.evaluation.classical import decode, jpeg_encode, jpeg_rates_at
from tutorial_lib.evaluation.curves import bd_rate_limited, curve
from tutorial_lib.evaluation.file_codecs import JPEG, spread
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.recipe import Recipe
from tutorial_lib.training import RandomCrops, Training
from tutorial_lib.workbench.photos import photo

# They start processes, kill them, and join them by sockets: what the machine spoils is tried once more ("rerun").
pytestmark = pytest.mark.flaky(reruns=1)

SETTINGS = "{'C': [6, 8], 'P': [6, 8], 'P_colour': [4, 6], 'half': 6, 'quarter': 6, 'blocks': 1}"
TINY = f"Preset(Recipe(steps=7, batch=2, crop=64, scales=(0.8, 2.0)), {SETTINGS})"
PHOTOS = ("chelsea.png", "coffee.png", "narrow.png", "rocket.png")
DRIVER = f"""
import os, signal, sys
from tutorial_lib import cli
from tutorial_lib.codec import Codec
from tutorial_lib.codec_training import Preset
from tutorial_lib.command import train
from tutorial_lib.recipe import Recipe
Codec.default_effort = 0
train.PRESETS = {{"laptop": {TINY}}}
"""


@pytest.fixture(autouse=True, scope="module")
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "PRESETS", {"laptop": eval(TINY, {"Preset": Preset, "Recipe": Recipe})})
        patch.setattr(training_report, "TABLE_SHARES", (0.1, 0.6))
        patch.setattr(Codec, "default_effort", 0)  # a search takes longer than these runs
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Four small photos, one narrower than a crop, and a file that is none."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("chelsea", "coffee", "rocket"):
        image = to_pil(photo(name))
        image.resize((96, 80), box=(100, 50, 340, 250)).save(folder / f"{name}.png")
    Image.open(folder / "coffee.png").crop((0, 0, 20, 70)).save(folder / "narrow.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_bytes(b"not even called one")
    return folder


def lic(*arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(argument) for argument in arguments])
    return status, out.getvalue(), err.getvalue()


def train(data: Path, out: Path, *more: str | Path) -> tuple[int, str, str]:
    return lic("train", "--data", data, "--out", out, "--device", "cpu", "--save-every", 3, *more)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(folder: Path, data: Path, out: Path, *more: str | Path) -> str:
    """The one sentence on stderr, once it is certain that there is no other error, and nothing has changed."""
    before = contents(folder)
    status, said, err = train(data, out, *more)
    assert (status, said) == (2, "") and contents(folder) == before
    return error_of(err)


def error_of(err: str) -> str:
    *notes, sentence = err.splitlines()
    assert all(note.startswith("note: ") for note in notes) and "Traceback" not in err
    assert sentence.startswith("error: ") and sentence.endswith(".")
    return sentence.removeprefix("error: ")


def kept(out: Path) -> Path:
    return out.with_name(out.name + ".training")


def step_of(out: Path) -> int:
    return step_at(kept(out))


def step_at(path: Path) -> int:
    state = io.BytesIO(unsealed(b"RUN2", path.read_bytes(), "state"))
    return torch.load(state, weights_only=True)["step"]


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory) -> SimpleNamespace:
    """A run from its beginning to its end."""
    out = tmp_path_factory.mktemp("finished") / "mine.safetensors"
    status, said, err = train(data, out)
    return SimpleNamespace(out=out, status=status, said=said, err=err)


def assert_equal(checkpoint: Path, other: Path) -> None:
    a, b = load_file(checkpoint), load_file(other)
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


def run_driver(program: str, *arguments: str | Path, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess:
    command = [sys.executable, *launcher, *([] if launcher else ["-c"]), program, *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    return subprocess.run(command, capture_output=True, text=True, env=environment)


class TestWhatComesOut:
    def test_the_files(self, finished) -> None:
        assert finished.status == 0
        assert {path.name for path in finished.out.parent.iterdir()} == {"mine.safetensors", "mine.safetensors.png"}
        metadata = metadata_of(finished.out)
        expected = {
            "preset": "laptop",
            "steps": "7",
            "batch": "2",
            "seed": "0",
            "loss": "mse",
            "trained_on": "4 photos",
        }
        assert expected.items() <= metadata.items() and metadata["codec"] == "codec"

    def test_what_cannot_be_read_is_named(self, finished) -> None:
        assert finished.err.count("broken.jpg") == 1 and "notes.txt" not in finished.err
        assert "note: 'broken.jpg' is left out: it is no picture, or of a kind" in finished.err
        assert not re.search(r"chelsea|coffee|rocket|narrow", finished.err)
        assert finished.err.count("none are held out") == 1

    def test_the_progress(self, finished) -> None:
        last = finished.err.replace("\r", "\n").splitlines()[-1]
        assert re.search(r"^training: 100%\|.*\| 7/7, ETA 00:00, \d\.\d{3} bpp, PSNR \d\d\.\d\d dB$", last)

    def test_the_table(self, finished, data: Path) -> None:
        lines = finished.said.splitlines()
        assert lines[0].startswith(f"{finished.out}: trained for 7 steps on 4 photos; ")
        assert re.split("  +", lines[1].strip()) == ["quality", "bits per pixel", "PSNR", "JPEG, same PSNR"]
        codec = Codec.load(finished.out)
        for quality, line in zip((10, 60), lines[2:4], strict=True):
            bpp, dB, jpeg = [], [], []
            for name in PHOTOS:
                image = from_pil(Image.open(data / name))
                file = codec.encode(image, quality)
                bpp.append(8 * len(file) / (image.shape[1] * image.shape[2]))
                dB.append(psnr(codec.decode(file), image))
                jpeg += jpeg_rates_at(image, [dB[-1]])
            assert line.split() == [
                f"{quality}",
                f"{np.mean(bpp):.3f}",
                f"{np.mean(dB):.2f}",
                "dB",
                f"{np.mean(jpeg):.3f}",
            ]

    def test_the_picture(self, finished, data: Path) -> None:
        image = from_pil(Image.open(f"{finished.out}.png"))
        assert image.shape == (3, 80 + 80 + 70 + 3 * 8, 4 * (96 + 8))
        codec = Codec.load(finished.out)
        for top, name in ((0, "chelsea.png"), (88, "coffee.png"), (176, "narrow.png")):
            original = from_pil(Image.open(data / name))
            height, width = original.shape[1:]
            for place, quality in enumerate((None, 10, 40, 80)):
                left = place * (width + 8)
                tile = image[:, top : top + height, left : left + width]
                expected = original if quality is None else codec.decode(codec.encode(original, quality))
                assert torch.equal(tile, expected)
                assert (image[:, top : top + height, left + width : left + width + 8] == 255).all()
        assert finished.said.splitlines()[-1].endswith(
            "mine.safetensors.png: chelsea.png, coffee.png, narrow.png; the original, and at qualities 10, 40, 80"
        )

    def test_the_checkpoint_codes_pictures(self, finished, data: Path, tmp_path: Path) -> None:
        file, back = tmp_path / "a.lic", tmp_path / "a.png"
        assert lic("encode", data / "coffee.png", file, "--checkpoint", finished.out, "--quality", 70)[0] == 0
        assert lic("decode", file, back, "--checkpoint", finished.out)[0] == 0
        assert psnr(*(from_pil(Image.open(path)) for path in (back, data / "coffee.png"))) > 25

    def test_large_photos_show_their_middle(self, finished) -> None:
        image = photo("astronaut")  # 512 × 512
        shown = from_pil(Image.open(io.BytesIO(training_report.picture(Codec.load(finished.out), [image]))))
        assert shown.shape == (3, 384 + 8, 4 * (384 + 8))
        assert torch.equal(shown[:, :384, :384], image[:, 64:448, 64:448])


def test_what_jpeg_needs() -> None:
    image = photo("chelsea")[:, 50:150, 100:250]
    files = {quality: jpeg_encode(image, quality) for quality in (2, 50, 55, 95)}
    dB = {quality: psnr(decode(file), image) for quality, file in files.items()}
    bpp = {quality: 8 * len(file) / 15000 for quality, file in files.items()}
    reached = [dB[2], dB[50], (dB[50] + dB[55]) / 2, dB[95]]
    expected = [bpp[2], bpp[50], math.sqrt(bpp[50] * bpp[55]), bpp[95]]
    assert jpeg_rates_at(image, reached) == pytest.approx(expected)
    assert all(math.isnan(rate) for rate in jpeg_rates_at(image, [dB[2] - 0.01, dB[95] + 0.01, math.inf]))


class TestOptions:
    def test_ms_ssim(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        """It trains on crops of 192 pixels, unless others are asked for."""
        for more, size in ([], 192), (["--crop", 170], 170):
            sizes = set()

            def seen(crops: RandomCrops, step: int, place: int, one=RandomCrops.one, sizes=sizes):
                crop = one(crops, step, place)
                sizes.add(tuple(crop.shape[1:]))
                return crop

            with monkeypatch.context() as patch:
                patch.setattr(RandomCrops, "one", seen)
                out = tmp_path / f"{size}"
                assert train(data, out, "--loss", "ms-ssim", "--steps", 2, "--batch", 1, *more)[0] == 0
            assert sizes == {(size, size)} and metadata_of(out)["loss"] == "ms-ssim"

    def test_a_codec_with_one_rate_and_its_price(self, data: Path, tmp_path: Path) -> None:
        """--lambda counts where the codec has none of its own; the settings stand in the checkpoint."""
        costs = []
        for price in ([], ["--lambda", "0.5"]):
            out = tmp_path / f"{len(costs)}"
            job = ("--codec", "bmshj2018-hyperprior", "--set", "N=4", "M=6", "--steps", 2)
            status, said, _ = train(data, out, *job, *price)
            assert status == 0 and said.splitlines()[2].split()[0] == "-"
            assert said.endswith("chelsea.png, coffee.png, narrow.png; the original, and decoded\n")
            metadata = metadata_of(out)
            assert json.loads(metadata["settings"]) == {"N": 4, "M": 6}
            assert json.loads(metadata["recipe"])["lmbda"] == (0.5 if price else 0.0067)
            costs.append(load_file(out)["synthesis.0.weight"])
        assert not torch.equal(*costs)

    def test_a_lambda_of_its_own_is_set_with_the_codec(self, data: Path, tmp_path: Path) -> None:
        job = ("--codec", "first_codec", "--set", "hidden=8", "lmbda=0.02", "--steps", 1)
        assert train(data, tmp_path / "a", *job)[0] == 0
        sentence = "first_codec has a lambda of its own, 0.02: give --set lmbda=0.5."
        assert refused(tmp_path, data, tmp_path / "b", *job, "--lambda", "0.5") == sentence

    def test_settings_go_beside_those_of_the_preset(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "a"
        assert train(data, out, "--set", "half=8", "P=[7, 9]", "--steps", 1)[0] == 0
        settings = json.loads(metadata_of(out)["settings"])
        assert settings == {**eval(SETTINGS), "half": 8, "P": [7, 9]}


class TestStoppingAndGoingOn:
    def test_killed_while_it_writes(self, finished, data: Path, tmp_path: Path) -> None:
        """In the worst of moments: the second state is being written. The first is gone on from, to the same bits."""
        out = tmp_path / "mine.safetensors"
        program = f"""{DRIVER}
replace = os.replace
def deadly(source, target, count=[]):
    count.append(target)
    if len(count) == 3:  # the states of the steps 0, 3, and now 6
        os.kill(os.getpid(), signal.SIGKILL)
    replace(source, target)
os.replace = deadly
cli.main(sys.argv[1:])
"""
        arguments = ("train", "--data", data, "--out", out, "--device", "cpu", "--save-every", 3)
        assert run_driver(program, *arguments).returncode == -signal.SIGKILL
        assert not out.exists() and step_of(out) == 3
        status, _, err = train(data, out, "--resume")
        assert status == 0 and "note: there is no unfinished run" not in err and not kept(out).exists()
        assert_equal(out, finished.out)
        assert out.read_bytes() == finished.out.read_bytes()

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    def test_ctrl_c_and_what_a_machine_sends(self, finished, data: Path, tmp_path: Path, monkeypatch, number) -> None:
        out = tmp_path / "mine.safetensors"

        def pressing(crops: RandomCrops, step: int, place: int, one=RandomCrops.one):
            if (step, place) == (4, 0):
                signal.raise_signal(number)
            return one(crops, step, place)

        before = signal.getsignal(number)
        with monkeypatch.context() as patch:
            patch.setattr(RandomCrops, "one", pressing)
            status, said, err = train(data, out)
        assert (status, said) == (128 + number, "") and signal.getsignal(number) is before
        assert err.splitlines()[-1] == "stopped after step 5; go on with --resume."
        assert step_of(out) == 5 and [path.name for path in tmp_path.iterdir()] == ["mine.safetensors.training"]
        assert train(data, out, "--resume")[0] == 0
        assert_equal(out, finished.out)

    def test_without_a_terminal(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        """Under nohup SIGHUP is ignored: it still is."""

        def hanging_up(crops: RandomCrops, step: int, place: int, one=RandomCrops.one):
            signal.raise_signal(signal.SIGHUP)
            return one(crops, step, place)

        monkeypatch.setattr(RandomCrops, "one", hanging_up)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        assert train(data, tmp_path / "mine", "--steps", 1)[0] == 0
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN

    @pytest.mark.parametrize(
        ("options", "other"),
        [
            (["--steps", 9], "steps"),
            (["--batch", 1, "--crop", 48], "crop and batch"),
            (["--seed", 7], "seed"),
            (["--codec", "first_codec"], "codec"),
        ],
    )
    def test_a_finished_run_with_other_options_is_another_run(
        self, finished, data: Path, tmp_path: Path, options: list, other: str
    ) -> None:
        shutil.copy(finished.out, out := tmp_path / "mine")
        status, said, _ = train(data, out, "--resume")
        assert (status, said) == (0, f"{out}: this run is finished already, and was left as it is.\n")
        said = refused(tmp_path, data, out, "--resume", *options)
        ending = "and cannot go on: give another --out, with --from for its weights."
        assert said.startswith(f"'{out}' is finished, with other ") and said.endswith(ending)
        assert set(other.split(" and ")) <= set(said.split("other ")[1].split(",")[0].split(" and "))

    def test_nothing_to_resume(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "mine.safetensors"
        status, _, err = train(data, out, "--resume", "--steps", 1)
        assert status == 0 and "note: there is no unfinished run of this name, so a new one is started.\n" in err
        assert metadata_of(out)["steps"] == "1"

    LONG = ("--steps", 8, "--decay", 2)

    def test_a_run_is_made_longer_after_its_end(self, data: Path, tmp_path: Path) -> None:
        """From where its learning rates began to fall, with the result of a run that was meant to be so long."""
        out, whole = tmp_path / "a", tmp_path / "whole"
        assert train(data, out, *self.LONG)[0] == 0
        assert step_of(out) == 6 and sorted(p.name for p in tmp_path.iterdir()) == ["a", "a.png", "a.training"]
        before = contents(tmp_path)
        status, said, _ = train(data, out, *self.LONG, "--resume")
        assert (status, said) == (0, f"{out}: this run is finished already, and was left as it is.\n")
        assert contents(tmp_path) == before
        assert train(data, out, "--steps", 11, "--decay", 2, "--resume")[0] == 0
        assert train(data, whole, "--steps", 11, "--decay", 2)[0] == 0
        assert_equal(out, whole)
        assert metadata_of(out)["steps"] == "11" and step_of(out) == 9

    def test_a_run_that_was_stopped_on_its_way_down(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        """It goes on from there; or from where the way began, if it is made longer; but cannot be made shorter."""

        def pressing(crops: RandomCrops, step: int, place: int, one=RandomCrops.one):
            if (step, place) == (6, 0):
                signal.raise_signal(signal.SIGINT)
            return one(crops, step, place)

        out, longer, whole = tmp_path / "a", tmp_path / "b", tmp_path / "whole"
        with monkeypatch.context() as patch:
            patch.setattr(RandomCrops, "one", pressing)
            assert train(data, out, *self.LONG)[0] == 130
        assert step_of(out) == 6 and step_at(training_run.falling_of(kept(out))) == 7
        for name in ("training", "training.falling"):
            shutil.copy(f"{out}.{name}", f"{longer}.{name}")
        said = refused(tmp_path, data, out, "--resume", "--steps", 7, "--decay", 2)
        assert said == (
            f"'{kept(out)}' stands at step 6, and in a run of 7 steps the learning rates would have begun to fall at "
            "step 5; give more steps."
        )
        for run, steps in ((out, 8), (longer, 11)):
            assert train(data, run, "--steps", steps, "--decay", 2, "--resume")[0] == 0
            for left in tmp_path.glob("whole*"):  # its report, too: a picture that is there already is not replaced
                left.unlink()
            assert train(data, whole, "--steps", steps, "--decay", 2)[0] == 0
            assert_equal(run, whole)
            assert not training_run.falling_of(kept(run)).exists()

    def test_a_run_whose_rates_fall_from_the_start_keeps_its_length(self, data: Path, tmp_path: Path, monkeypatch):
        out = tmp_path / "a"

        def pressing(crops: RandomCrops, step: int, place: int, one=RandomCrops.one):
            if (step, place) == (2, 0):
                signal.raise_signal(signal.SIGINT)
            return one(crops, step, place)

        with monkeypatch.context() as patch:
            patch.setattr(RandomCrops, "one", pressing)
            assert train(data, out)[0] == 130
        said = refused(tmp_path, data, out, "--resume", "--steps", 9)
        assert said == (
            f"'{kept(out)}' stands at step 3, and its learning rates fall since step 0, so it cannot be made longer or "
            "shorter than 7 steps; give the same --steps and --decay, or delete it."
        )

    def test_from_a_checkpoint(self, finished, data: Path, tmp_path: Path) -> None:
        """Its weights are where the run begins, and nothing else is."""
        out = tmp_path / "a"
        slowly = ("--steps", 1, "--learning-rate-factor", "1e-9", "--from", finished.out)
        assert train(data, out, *slowly)[0] == 0
        new, old = load_file(out), load_file(finished.out)
        for name, _ in Codec(**eval(SETTINGS)).named_parameters():
            torch.testing.assert_close(new[name], old[name], rtol=1e-5, atol=1e-7)
        said = refused(tmp_path, data, tmp_path / "b", *slowly, "--set", "half=8")
        assert said.startswith(f"'{finished.out}' is of codec with {{") and "and what is to be trained is codec" in said

    def test_what_is_logged_and_measured(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        out, log = tmp_path / "a", tmp_path / "log.jsonl"
        more = ("--log", log, "--validate-every", 2, "--workers", 1, "--threads", 1)
        monkeypatch.setattr(validation, "SHARE_OF_TIME", 1.0)
        monkeypatch.setattr(validation.Validation, "measure", lambda self, codec: -12.345)
        status, _, err = train(data, out, *more, "--steps", 5)
        assert status == 0 and re.search(r"5/5, ETA 00:00, .* dB, BD-rate -12\.3 %$", err.replace("\r", "\n"), re.M)
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert [line["step"] for line in lines] == [1, 2, 3, 4, 5]
        assert [line.get("bd_rate") for line in lines] == [None, -12.345, None, -12.345, None]
        for line in lines:
            assert line["psnr"] == pytest.approx(-10 * math.log10(line["mse"]))
            assert line["loss"] > line["bpp"] > 0 and line["core_seconds"] > 0 and line["seconds"] > 0
        said = refused(tmp_path, data, tmp_path / "b", *more)
        assert said == f"'{log}' is there already; give another name, or delete it."
        log.write_text(log.read_text() + '{"step": 6, "lo')  # a machine that stopped while it wrote
        assert [json.loads(line)["step"] for line in lines_until(log, 3)] == [1, 2, 3]
        log.write_text("no log\n")
        with pytest.raises(ValueError, match=r"is no log of a training; give another name\.$"):
            lines_until(log, 3)

    def test_a_measurement_is_that_of_the_files(self, finished, data: Path) -> None:
        """The BD-rate against JPEG, of what the run would give now, which does not disturb it."""
        codec, image = Codec.load(finished.out), from_pil(Image.open(data / "coffee.png"))
        measured = validation.Validation([image], every=1)
        percent = measured.measure(codec)
        files = [codec.encode(image, quality, effort=0) for quality in spread(codec, validation.SHARES)]
        ours = curve((8 * len(file) / (80 * 96), psnr(codec.decode(file), image)) for file in files)
        jpegs = [jpeg_encode(image, quality) for quality in JPEG.qualities]
        theirs = curve((8 * len(file) / (80 * 96), psnr(decode(file), image)) for file in jpegs)
        assert percent == pytest.approx(bd_rate_limited(theirs, ours)[0])

    def test_two_processes_do_what_one_does(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        program, out, alone = tmp_path / "driver.py", tmp_path / "mine.safetensors", tmp_path / "alone.safetensors"
        recording = """
from tutorial_lib.training import Training
step = Training._one_step
def recording(training):
    record = step(training)
    with open(f"{sys.argv[3]}.{training.rank}", "a") as file:
        print(*record.values(), file=file)
    return record
Training._one_step = recording
"""
        ending = """
status = cli.main(sys.argv[1:])
threads = [Path(name).read_text() for name in glob.glob("/proc/self/task/*/comm")]  # none elsewhere than on Linux
Path(f"{sys.argv[3]}.threads{os.environ['RANK']}").write_text("".join(threads))
sys.exit(status)
"""
        program.write_text(f"import glob\nfrom pathlib import Path\n{DRIVER}{recording}{ending}")
        launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
        arguments = ("--data", data, "--device", "cpu", "--batch", 4, "--steps", 5)
        both = run_driver(str(program), "train", "--out", out, *arguments, launcher=launcher)
        assert both.returncode == 0, both.stderr
        for rank in range(2):  # a thread of theirs that outlived the process group could abort the process at its end
            assert "gloo" not in Path(f"{out}.threads{rank}").read_text()
        assert both.stderr.count("broken.jpg") == 1 and both.stdout.count("trained for 5 steps") == 1

        records = []
        step = Training._one_step
        monkeypatch.setattr(Training, "_one_step", lambda training: records.append(step(training)) or records[-1])
        assert lic("train", "--out", alone, *arguments)[0] == 0
        losses = [np.loadtxt(f"{out}.{rank}") for rank in range(2)]
        assert np.array_equal(*losses)
        expected = np.array([list(record.values()) for record in records])
        np.testing.assert_allclose(losses[0][:2], expected[:2], rtol=1e-5)  # SOAP first moves a weight after these
        # later, sums of another order may round a coefficient to the other side
        np.testing.assert_allclose(losses[0], expected, rtol=2e-3)
        two, one = load_file(out), load_file(alone)
        weights = [name for name, value in one.items() if value.is_floating_point()]
        apart = sum(float((two[name] - one[name]).square().sum()) for name in weights)
        assert apart <= 1e-6 * sum(float(one[name].square().sum()) for name in weights)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("more", "sentence"),
        [
            (["--steps", "0"], "--steps is 0; it must be 1 or more."),
            (["--batch", "-2"], "--batch is -2; it must be 1 or more."),
            (["--crop", "0"], "--crop is 0; it must be 1 or more."),
            (["--lmbda", "0"], "--lmbda is 0; it must be above 0, and finite."),
            (["--lmbda", "nan"], "--lmbda is nan; it must be above 0, and finite."),
            (["--lmbda", "0.01"], "--lmbda is for a codec with one rate; codec learns all its qualities at once."),
            (
                ["--loss", "ms-ssim", "--crop", "160"],
                "--crop is 160; with --loss ms-ssim it must be 161 or more.",
            ),
            (["--save-every", "0"], "--save-every is 0; it must be 1 or more."),
            (["--seed", "-1"], "--seed is -1; it must be 0 or more, and below 2^63."),
            (["--data", "nowhere"], "there is no folder 'nowhere'."),
            (["--data", "old.safetensors"], "there is no folder 'old.safetensors'."),
            (["--valid", "nowhere"], "there is no folder 'nowhere'."),
            (["--threads", "100000"], "--threads is 100000; it must be 1024 or less."),
            (["--data", "empty"], "No image files were found in empty; give a folder that holds photos."),
            (["--valid", "empty"], "No image files were found in empty; give a folder that holds photos."),
            (["--data", "bad"], "no photo in 'bad' can be read."),
            (["--out", "nowhere/a"], "there is no folder 'nowhere' to write to; create it first."),
            (["--out", "empty"], "'empty' is a folder; give a file."),
            (["--out", "shown"], "'shown.png' is a folder; give a file."),
            (["--out", "bad/a.png"], "'bad/a.png' is there already, and is no checkpoint; give another name."),
            (["--out", "bad/a"], "'bad/a.png', where the report would go, is there already; give another name."),
            (
                ["--out", "unfinished"],
                "'unfinished.training' is a run that can go on: continue it with --resume, or delete it.",
            ),
            (["--device", "abacus"], "there is no device 'abacus' here: "),
            (["--device", "meta"], "there is no device 'meta' here: "),
        ],
    )
    def test_bad_input(self, data: Path, tmp_path: Path, monkeypatch, more: list[str], sentence: str) -> None:
        monkeypatch.chdir(tmp_path)
        for folder in ("empty", "bad", "shown.png"):
            Path(folder).mkdir()
        Path("bad/a.png").write_bytes(b"no picture")
        Path("old.safetensors").write_bytes(b"")
        Path("unfinished.training").write_bytes(b"whatever")
        said = refused(tmp_path, data, Path("old.safetensors"), *more)
        assert said.startswith(sentence) and (sentence.endswith(": ") or said == sentence)

    def test_no_room(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=10**5))
        said = refused(tmp_path, data, tmp_path / "a")
        assert re.fullmatch(r"the folder '.*' has room for 0 MB, and \d MB are needed\.", said)

    def test_a_folder_that_nobody_writes_to(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        def denied(*_, **__):
            raise PermissionError(13, "Permission denied", str(tmp_path / "x"))

        monkeypatch.setattr(training_run.tempfile, "TemporaryFile", denied)
        assert refused(tmp_path, data, tmp_path / "a") == f"'{tmp_path / 'x'}': Permission denied."

    def test_too_little_memory(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        def out_of_memory(*_):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB.")

        monkeypatch.setattr(Codec, "start_at", out_of_memory)
        said = refused(tmp_path, data, tmp_path / "a")
        assert said == "the training needs more memory than there is; a smaller --batch or --preset may do."

    def test_what_is_no_run(self, data: Path, tmp_path: Path) -> None:
        out = tmp_path / "a"
        run = sealed(b"RUN2", bytes(500))
        for damaged in (b"", b"RUN2", b"no run at all", run[:-20], run, run[:100] + b"\1" + run[101:]):
            kept(out).write_bytes(damaged)
            sentence = f"'{kept(out)}' is no unfinished run, or is damaged; delete it to start anew."
            with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
                training_run.restore(SimpleNamespace(device=torch.device("cpu")), kept(out), {})
        assert refused(tmp_path, data, out, "--resume") == sentence

    def test_going_on_with_something_else(self, data: Path, tmp_path: Path, monkeypatch) -> None:
        out, photos = tmp_path / "a", tmp_path / "photos"
        shutil.copytree(data, photos)
        with monkeypatch.context() as patch:
            patch.setattr(training_run, "take_steps", interrupted)
            assert train(photos, out)[0] == 130
        assert step_of(out) == 0
        for more, other in [
            (["--batch", 3, "--seed", 1], "batch and seed"),
            (["--loss", "ms-ssim", "--crop", 200], "loss and crop"),
            (["--set", "quarter=9"], "settings and modules"),
            (["--learning-rate-factor", 2, "--average", 0.5], "rate_factor and average"),
        ]:
            said = refused(tmp_path, photos, out, "--resume", *more)
            assert said == f"'{kept(out)}' was begun with other {other}; give the same, or delete it."
        Image.open(photos / "coffee.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(photos / "coffee.png")
        assert "was begun with other photos; " in refused(tmp_path, photos, out, "--resume")

    def test_a_diverged_training(self, finished, data: Path, tmp_path: Path, monkeypatch) -> None:
        """What was kept last stays, and so does the older checkpoint, which only a finished run replaces."""
        out = tmp_path / "mine.safetensors"
        shutil.copy(finished.out, out)

        def spoiled(crops: RandomCrops, step: int, place: int, one=RandomCrops.one):
            return one(crops, step, place) * (float("nan") if step == 4 else 1)

        monkeypatch.setattr(RandomCrops, "one", spoiled)
        status, said, err = train(data, out)
        assert (status, said) == (2, "") and err.count("error: ") == 1 and "Traceback" not in err
        sentence = r"error: the loss of step 4 is nan .* has diverged; .* another seed or smaller learning rates\."
        assert re.fullmatch(sentence, err.splitlines()[-1])
        assert step_of(out) == 3 and out.read_bytes() == finished.out.read_bytes()
        assert len(list(tmp_path.iterdir())) == 2


def interrupted(*_) -> None:
    raise KeyboardInterrupt


def test_some_photos_are_held_out(tmp_path: Path, monkeypatch) -> None:
    for n in range(45):
        Image.new("RGB", (4, 4), (n, n, n)).save(tmp_path / f"{n:02}.png")
    options = argparse.Namespace(data=[tmp_path], valid=None, out=tmp_path / "a", weight=None)
    photos, _, measured = names_of(options)
    assert list(measured) == ["00.png", "20.png", "40.png"] and len(photos) == 42
    assert not set(photos) & measured.keys()
    monkeypatch.setattr(train_module, "ONE_OF", 2)
    photos, _, measured = names_of(options)
    assert len(measured) == 8 and len(photos) == 37
    options.valid = tmp_path
    photos, _, measured = names_of(options)
    assert len(photos) == 45 and list(measured) == [f"{n:02}.png" for n in range(0, 45, 2)]  # 24 at most


def names_of(options: argparse.Namespace) -> tuple[list[str], list[float] | None, dict]:
    photos, weights, measured = train_module._photos(options)
    return [Path(photo.path).name for photo in photos.photos], weights, measured


def test_folders_have_their_shares_of_the_crops(tmp_path: Path) -> None:
    for folder, count in {"few": 3, "many": 30}.items():
        (tmp_path / folder).mkdir()
        for n in range(count):
            Image.new("RGB", (4, 4), (n, n, n)).save(tmp_path / folder / f"{folder}{n:02}.png")
    folders = [tmp_path / "few", tmp_path / "many"]
    options = argparse.Namespace(data=folders, valid=None, out=tmp_path / "a", weight=[0.75, 0.25])
    names, weights, measured = names_of(options)
    assert list(measured) == ["few00.png", "many17.png"] and len(names) == len(weights) == 31
    for folder, share in {"few": 0.75, "many": 0.25}.items():
        assert sum(w for name, w in zip(names, weights, strict=True) if name.startswith(folder)) == pytest.approx(share)
    options.weight = None
    assert names_of(options)[1] is None


def test_of_many_photos_none_is_read_before_it_is_needed(tmp_path: Path, monkeypatch, capsys) -> None:
    for n in range(10):
        Image.new("RGB", (40 + n, 20)).save(tmp_path / f"{n}.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "0.png").read_bytes())
    (tmp_path / "b.png").write_bytes(b"no picture")
    monkeypatch.setattr(train_module, "MOST_READ", 6)
    photos = train_module._open([tmp_path], tmp_path / "a")
    assert len(photos) == 11 and not photos.kept
    assert capsys.readouterr().err == "note: 11 photos are read as they are needed.\n"


def test_reports_are_no_photos(finished, tmp_path: Path) -> None:
    """Neither the run's own, by whatever path it is named, nor those of older runs."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    for name in ("0.png", "new.safetensors.png", "old.safetensors.png", "1.jpg.png"):
        Image.new("RGB", (40, 20)).save(tmp_path / "photos" / name)
    Image.new("RGB", (40, 20)).save(tmp_path / "photos" / "1.jpg")
    (tmp_path / "photos" / "old.safetensors").write_bytes(finished.out.read_bytes())
    for out in ("photos/new.safetensors", "photos/../photos/new.safetensors", "link/new.safetensors"):
        photos = train_module._open([tmp_path / "photos"], tmp_path / out)
        assert [Path(photo.path).name for photo in photos.photos] == ["0.png", "1.jpg", "1.jpg.png"]


def test_what_reading_has_changed_is_counted(tmp_path: Path, capsys) -> None:
    for n in range(3):
        Image.new("I;16", (4, 4), 999 * n).save(tmp_path / f"{n}.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    for n in range(2):
        (tmp_path / f"{n}.nef").write_bytes(b"raw")
    assert len(train_module._open([tmp_path], tmp_path / "out")) == 4
    left_out, reduced = capsys.readouterr().err.splitlines()
    assert left_out.startswith("note: 2 .nef files are left out: ")
    assert reduced == "note: 3 pictures: the samples were reduced to 8 bits."


def test_help_comes_without_pytorch() -> None:
    program = """
import sys
from tutorial_lib import cli
try:
    cli.main(["train", "--help"])
except SystemExit as left:
    print("left with", left.code, "torch" in sys.modules)
"""
    said = run_driver(program).stdout
    assert said.endswith("left with 0 False\n")
    assert all(
        word in said for word in ("--resume", "--preset {laptop,standard,long,gpu}", "torchrun", "replaced at the very")
    )
