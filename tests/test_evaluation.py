"""`lic evaluate`: the measure itself on codecs whose curves are known, then the command, its table, JSON and plot."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from tutorial_lib import cli
from tutorial_lib.codec import Codec, Settings
from tutorial_lib.evaluation.comparison import Point, bd_rate_all, bd_rate_limited, curve, evaluate, mean_point, ms_ssim
from tutorial_lib.evaluation.file_codecs import CLASSICAL, FileCodec
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.workbench import evaluate_command, evaluation, evaluation_plot, file_codecs, published
from tutorial_lib.workbench.photos import photo

GREY = torch.full((3, 40, 40), 128, dtype=torch.uint8)  # 1,600 pixels: 200 bytes are a bit per pixel
BYTES = {24: 20, 17: 40, 12: 80, 8: 160, 5: 240, 2: 400}  # by the error in grey levels that they leave


def known(name: str, factor: float = 1.0) -> FileCodec:
    """A codec of grey pictures: the error is 100 - quality, the file `factor` times as long as BYTES says."""

    def encode(image: torch.Tensor, quality: float) -> bytes:
        error = int(100 - quality)
        size = factor * BYTES[error] * image[0].numel() / 1600
        assert size == int(size)
        return struct.pack("<3H", *image.shape[1:], error).ljust(int(size), b"\0")

    def decode(data: bytes) -> torch.Tensor:
        height, width, error = struct.unpack("<3H", data[:6])
        return torch.full((3, height, width), 128 + error, dtype=torch.uint8)

    return FileCodec(name, encode, decode, tuple(100 - error for error in BYTES))


class TestKnownCurves:
    def test_a_fifth_fewer_bits_is_minus_20_percent(self) -> None:
        reference, fewer, more = known("jpeg"), known("fewer", 0.8), known("more", 1.5)
        photos = [("a", GREY), ("b", GREY[:, :, :20])]
        result = evaluate(photos, [reference, fewer, more], reference)
        for name, percent in [("jpeg", 0), ("fewer", -20), ("more", 50)]:
            rates = result["codecs"][name]["bd_rate"]
            assert rates["limited"]["covered"] == pytest.approx(1)
            for kind in ("limited", "all"):
                assert rates[kind]["mean"] == pytest.approx(percent, abs=1e-9)
                assert rates[kind]["photos"] == pytest.approx({"a": percent, "b": percent}, abs=1e-9)

    def test_the_points_are_those_of_the_files(self) -> None:
        codec = known("jpeg")
        result = evaluate([("a", GREY)], [codec], codec)
        [points] = result["codecs"]["jpeg"]["photos"].values()
        assert [point["quality"] for point in points] == list(codec.qualities)
        assert [point["bpp"] for point in points] == [size / 200 for size in BYTES.values()]
        assert [point["psnr"] for point in points] == pytest.approx([20 * math.log10(255 / e) for e in BYTES])
        assert all(point["ms_ssim"] is None for point in points)
        assert all(point["encode_seconds"] > 0 < point["decode_seconds"] for point in points)

    def test_only_what_lies_within_the_limits_counts(self) -> None:
        rates = [0.02, 0.05, 0.1, 0.12, 0.15, 0.3, 0.6, 1.2, 1.4, 1.6, 2, 4]
        reference = [(rate, 20 + 3 * k) for k, rate in enumerate(rates)]
        codec = [(rate * (0.3 if rate < 0.12 else 0.9 if rate > 1.4 else 0.8), db) for rate, db in reference]
        assert bd_rate_limited(reference, codec) == (pytest.approx(-20), pytest.approx(1))
        assert bd_rate_all(reference, codec) < -25
        # ... and they are limits of the reference's rate: a codec that needs a tenth is held against the same stretch
        tenth = [(rate / 10, db) for rate, db in reference]
        assert bd_rate_limited(reference, tenth) == (pytest.approx(-90), pytest.approx(1))

    @given(
        slopes=st.tuples(st.floats(0.05, 0.3), st.floats(0.05, 0.3)),
        offset=st.floats(-1, 1),
        ends=st.tuples(st.floats(20, 30), st.floats(33, 50)),
    )
    def test_straight_curves(self, slopes: tuple[float, float], offset: float, ends: tuple[float, float]) -> None:
        """log(rate) = slope · (PSNR - 30) + offset: the mean difference is that in the middle of the stretch."""

        def line(slope: float, beyond: float, decibels: np.ndarray) -> list[tuple[float, float]]:
            return [(math.exp(slope * (db - 30) - 1 + beyond), db) for db in decibels]

        reference = line(slopes[0], 0, np.linspace(10, 60, 11))
        codec = line(slopes[1], offset, np.linspace(*ends, 7))
        lowest, highest = (max(10, min(60, 30 + (math.log(rate) + 1) / slopes[0])) for rate in (0.15, 1.2))
        low, high = max(lowest, ends[0]), min(highest, ends[1])
        percent, covered = bd_rate_limited(reference, codec)
        middle = (low + high) / 2 - 30
        assert percent == pytest.approx(100 * math.expm1((slopes[1] - slopes[0]) * middle + offset), rel=1e-6, abs=1e-6)
        assert covered == pytest.approx((high - low) / (highest - lowest))

    @given(
        steps=st.lists(st.tuples(st.floats(0.05, 1), st.floats(0.3, 5)), min_size=4, max_size=9),
        other=st.lists(st.tuples(st.floats(0.05, 1), st.floats(0.3, 5)), min_size=4, max_size=9),
    )
    def test_without_limits_it_is_bjontegaards(self, steps: list, other: list) -> None:
        curves = []
        for climb in (steps, other):
            log_rates, decibels = np.cumsum(climb, axis=0).T
            curves.append(list(zip(np.exp(log_rates - 3), decibels + 25, strict=True)))
        everything = bd_rate_all(*curves)
        percent, _ = bd_rate_limited(*curves, limits=(1e-9, 1e9))
        assert (percent is None) == (everything is None)
        assert percent is None or percent == pytest.approx(everything, rel=1e-6, abs=1e-6)

    def test_nothing_is_extrapolated(self) -> None:
        reference = [(0.1, 25), (0.5, 30), (2, 40)]
        above, single = [(2.5, 41), (3, 45)], [(0.3, 29)]
        for codec in (above, single, []):
            assert bd_rate_limited(reference, codec) == (None, 0) and bd_rate_all(reference, codec) is None
        beyond = [(rate * 100, db) for rate, db in reference]  # the reference itself never spends so little
        assert bd_rate_limited(beyond, reference) == (None, 0)

    def test_a_curve_has_no_beaten_and_no_infinite_points(self) -> None:
        points = [(0.5, 30), (0.2, 25), (0.6, 29), (0.5, 31), (1.0, 31), (2.0, math.inf), (1.5, 40)]
        assert curve([Point(1, bpp, db, None, 0, 0) for bpp, db in points]) == [(0.2, 25), (0.5, 31), (1.5, 40)]

    def test_a_photo_that_cannot_be_compared_is_seen(self) -> None:
        """Its BD-rate is null, the mean is that of the others, and the cover tells."""
        codec = replace(known("odd", 0.8), encode=lambda image, quality: odd_encode(image, quality))

        def odd_encode(image: torch.Tensor, quality: float) -> bytes:
            return known("odd", 0.8).encode(image, quality if image.shape[2] == 40 else 76)

        reference = known("jpeg")
        result = evaluate([("a", GREY), ("b", GREY[:, :, :20])], [reference, codec], reference)
        limited = result["codecs"]["odd"]["bd_rate"]["limited"]
        assert limited["photos"] == {"a": pytest.approx(-20), "b": None}
        assert limited["mean"] == pytest.approx(-20) and limited["covered"] == pytest.approx(0.5)


class TestMeasures:
    def test_ms_ssim(self) -> None:
        image = photo("chelsea")[:, :161, :180]
        noisy = (image.int() + torch.randint(-20, 21, image.shape, generator=torch.manual_seed(0))).clamp(0, 255)
        assert ms_ssim(image, image) == pytest.approx(1)
        assert 0.8 < ms_ssim(noisy.to(torch.uint8), image) < 0.99
        assert ms_ssim(image[:, :160], image[:, :160]) is None and ms_ssim(image[:, :, :160], image[:, :, :160]) is None

    def test_a_mean_has_ms_ssim_only_if_all_photos_have(self) -> None:
        points = [Point(5, 1.0, 30.0, 0.9, 1.0, 2.0), Point(5, 2.0, 32.0, 0.8, 3.0, 2.0)]
        assert mean_point(points) == Point(5, 1.5, 31, pytest.approx(0.85), 2, 2)
        assert mean_point([*points, replace(points[0], ms_ssim=None)]).ms_ssim is None

    def test_a_codec_without_loss(self) -> None:
        def encode(image: torch.Tensor, quality: float) -> bytes:
            return struct.pack("<2H", *image.shape[1:]) + image.numpy().tobytes()

        def decode(data: bytes) -> torch.Tensor:
            return torch.from_numpy(
                np.frombuffer(data[4:], np.uint8).reshape(3, *struct.unpack("<2H", data[:4])).copy()
            )

        reference, exact = known("jpeg"), FileCodec("exact", encode, decode, (1, 2))
        codec = evaluate([("a", GREY)], [reference, exact], reference)["codecs"]["exact"]
        assert codec["mean"][0]["psnr"] is None and codec["bd_rate"]["all"]["mean"] is None
        assert codec["mean"][0]["bpp"] == 8 * (4 + 4800) / 1600
        json.dumps(codec, allow_nan=False)

    @pytest.mark.parametrize("error", [ValueError("too\nlarge."), OSError("encoder error -2")])
    def test_a_codec_that_fails_is_named_with_the_photo(self, error: Exception) -> None:
        def encode(image: torch.Tensor, quality: float) -> bytes:
            raise error

        reference, broken = known("jpeg"), replace(known("broken"), encode=encode)
        with pytest.raises(
            ValueError, match=r"^'a': broken fails on it at quality 76 \((too large|encoder error -2)\)\.$"
        ):
            evaluate([("a", GREY)], [reference, broken], reference)

    def test_a_picture_of_another_size_is_a_failure(self) -> None:
        reference, broken = known("jpeg"), replace(known("broken"), decode=lambda data: GREY[:, :30])
        with pytest.raises(ValueError, match="'a': broken fails on it"):
            evaluate([("a", GREY)], [reference, broken], reference)


class TestFileCodecs:
    @pytest.mark.parametrize("name", CLASSICAL)
    @pytest.mark.parametrize("size", [(1, 1), (1, 30), (3, 2), (33, 70)])
    def test_there_and_back(self, name: str, size: tuple[int, int]) -> None:
        codec = CLASSICAL[name]
        if not codec.is_here:
            pytest.skip(f"this Pillow has no {name}")
        image = from_pil(to_pil(photo("coffee")).resize(size[::-1], Image.Resampling.LANCZOS))
        small, large = (codec.encode(image, codec.qualities[k]) for k in (0, -1))
        assert codec.decode(small).shape == image.shape == codec.decode(large).shape
        if size == (33, 70):
            assert len(small) < len(large)
            assert max(24, psnr(codec.decode(small), image) + 2) < psnr(codec.decode(large), image) < 60

    @pytest.mark.parametrize("name", CLASSICAL)
    def test_each_is_the_format_that_it_is_called(self, name: str) -> None:
        codec = CLASSICAL[name]
        marks = {
            "jpeg": (0, b"\xff\xd8\xff"),
            "webp": (8, b"WEBPVP8 "),
            "avif": (4, b"ftypavif"),
            "jpeg2000": (4, b"jP  "),
        }
        place, mark = marks[name]
        if codec.is_here:
            assert codec.encode(GREY, codec.qualities[0])[place:].startswith(mark)

    def test_jpeg2000_keeps_to_a_size(self) -> None:
        image = photo("coffee")[:, :256, :256]
        for wanted in (0.2, 1.0):
            bpp = 8 * len(CLASSICAL["jpeg2000"].encode(image, wanted)) / 256**2
            assert wanted * 0.9 < bpp < wanted * 1.1

    def test_qualities_are_checked(self) -> None:
        for name, qualities in [
            ("jpeg", (0,)),
            ("jpeg", (96,)),
            ("webp", (1.5,)),
            ("jpeg2000", (0,)),
            ("avif", (101,)),
        ]:
            with pytest.raises(ValueError, match=f"^The qualities of {name} are (whole )?numbers"):
                replace(CLASSICAL[name], qualities=qualities)

    def test_lic(self, tmp_path: Path) -> None:
        codec = tiny_codec(tmp_path / "tiny.safetensors")
        lic = file_codecs.lic(tmp_path / "tiny.safetensors")
        image = photo("chelsea")[:, 100:140, 200:250]
        data = lic.encode(image, 30)
        assert data == codec.encode(image, 30) and torch.equal(lic.decode(data), codec.decode(data))
        assert lic.fingerprint == codec.fingerprint()
        with pytest.raises(ValueError, match="There is no checkpoint"):
            file_codecs.lic(tmp_path / "missing")


def tiny_codec(path: Path) -> Codec:
    torch.manual_seed(0)
    codec = Codec(Settings(hidden=8, depth=1, smooth=4, side=8, features=8, inner=8)).eval()
    codec.build_coder()
    codec.save(path)
    return codec


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a folder of photos: two that can be read, one that cannot, and what is no photo."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    to_pil(photo("coffee")[:, 40:168, 80:208]).save("photos/coffee.png")
    to_pil(photo("chelsea")[:, 100:228, 100:220]).save("photos/a cat.png")
    Path("photos/broken.png").write_bytes(b"hello")
    Path("photos/notes.txt").write_text("no photo")
    return tmp_path


def lic(capsys, *arguments: str) -> tuple[int, str, str]:
    status = cli.main(["evaluate", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


FEW = ("--qualities", "jpeg=5,20,50,80,95", "--qualities", "webp=5,40,80,96")


class TestCommand:
    def test_table_json_and_plot(self, capsys, here: Path) -> None:
        tiny_codec(here / "tiny.safetensors")
        more = ("--qualities", "lic=1,50,100", "--checkpoint", "tiny.safetensors")
        outputs = ("--json", "out.json", "--plot", "out.png", "--published")
        status, out, err = lic(capsys, "photos", "--codecs", "lic,webp", *FEW, *more, *outputs)
        assert status == 0
        assert err == "note: 'broken.png' is left out: it is no picture, or of a kind that Pillow does not know.\n"
        result = json.loads(Path("out.json").read_text())
        assert result["photos"] == ["a cat.png", "coffee.png"] and list(result["codecs"]) == ["jpeg", "lic", "webp"]
        assert result["checkpoint"] == Codec.load(here / "tiny.safetensors").fingerprint()
        assert {"tutorial_lib", "torch", "pillow", "python", "webp"} <= set(result["versions"])
        for name, count in [("jpeg", 5), ("lic", 3), ("webp", 4)]:
            codec = result["codecs"][name]
            assert list(codec["photos"]) == result["photos"] == list(codec["bd_rate"]["all"]["photos"])
            assert [len(points) for points in (*codec["photos"].values(), codec["mean"])] == [count] * 3
            mean = np.mean([[point["bpp"] for point in points] for points in codec["photos"].values()], axis=0)
            assert [point["bpp"] for point in codec["mean"]] == pytest.approx(mean)
            assert set(codec["mean"][0]) == set(Point.__dataclass_fields__)
        title, head, *rows = out.splitlines()
        assert title.startswith("2 photos; BD-rate against jpeg") and head.startswith("codec")
        assert [row.split()[0] for row in rows] == ["jpeg", "lic", "webp"]
        limited = result["codecs"]["webp"]["bd_rate"]["limited"]
        assert f"{limited['mean']:+.1f} %" in rows[2] and rows[0].split()[1:5] == ["+0.0", "%", "100", "%"]
        with Image.open("out.png") as plot:
            assert plot.format == "PNG" and plot.width > 500
        assert {path.name for path in here.iterdir()} == {"photos", "out.json", "out.png", "tiny.safetensors"}

    def test_jpeg_is_always_there_and_comes_first(self, capsys, here: Path) -> None:
        status, out, _ = lic(capsys, "photos", "--codecs", "webp,jpeg,webp", *FEW)
        assert status == 0 and [row.split()[0] for row in out.splitlines()[2:]] == ["jpeg", "webp"]

    def test_a_pillow_without_avif(self, capsys, here: Path, monkeypatch) -> None:
        monkeypatch.setattr(features, "check", lambda name: name != "avif")
        status, out, err = lic(capsys, "photos", "--codecs", "avif,webp", *FEW)
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
                "no codec is called 'mp3'; there are lic, jpeg, webp, avif, jpeg2000.",
            ),
            (["photos", "--published"], "--published draws into the file of --plot, which is missing."),
            (["photos", "--json", "nowhere/out.json"], "there is no folder 'nowhere' to write to; create it first."),
            (["photos", "--plot", "empty"], "'empty' is no file that could be replaced."),
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
            (["photos", "--codecs", "lic", "--checkpoint", "missing"], "There is no checkpoint at missing."),
        ],
    )
    def test_bad_input_is_one_sentence(self, capsys, here: Path, arguments: list[str], sentence: str) -> None:
        Path("empty").mkdir()
        before = contents(here)
        if "--codecs" not in arguments:
            arguments = [*arguments, "--codecs", "jpeg"]
        status, out, err = lic(capsys, *arguments)
        assert (status, out) == (2, "") and err.startswith(f"error: {sentence}")
        assert err.endswith(".\n") and err.count("\n") == 1 and contents(here) == before

    def test_no_photo_that_can_be_read(self, capsys, here: Path) -> None:
        Path("photos/coffee.png").unlink()
        Path("photos/a cat.png").unlink()
        status, out, err = lic(capsys, "photos", "--codecs", "jpeg", "--json", "out.json")
        assert (status, out) == (2, "") and err.endswith("error: There is no photo that can be measured.\n")
        assert err.startswith("note: 'broken.png' is left out") and not Path("out.json").exists()

    def test_a_codec_that_fails_leaves_no_file(self, capsys, here: Path, monkeypatch) -> None:
        def encode(image: torch.Tensor, quality: float) -> bytes:
            raise OSError("encoding error 5")

        monkeypatch.setitem(CLASSICAL, "webp", replace(CLASSICAL["webp"], encode=encode))
        Path("out.json").write_text("older")
        status, out, err = lic(capsys, "photos", "--codecs", "webp", *FEW, "--json", "out.json", "--plot", "out.svg")
        assert (status, out) == (
            2,
            "",
        ) and "error: 'a cat.png': webp fails on it at quality 5 (encoding error 5).\n" in err
        assert Path("out.json").read_text() == "older" and not Path("out.svg").exists()

    def test_without_the_peers(self, capsys, here: Path, monkeypatch) -> None:
        monkeypatch.setitem(sys.modules, "pytorch_msssim", None)
        status, out, err = lic(capsys, "photos", "--codecs", "jpeg")
        assert (status, out) == (2, "") and "pip install pytorch-msssim" in err and err.count("\n") == 1

    def test_every_codec_has_its_name(self) -> None:
        assert set(evaluate_command.NAMES) == {"lic", *CLASSICAL}
        assert all(name == codec.name for name, codec in CLASSICAL.items())

    def test_the_parser_is_made_without_pytorch(self) -> None:
        program = "import sys, tutorial_lib.command.evaluate; print(*sys.modules)"
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert ran.returncode == 0 and not {"torch", "matplotlib", "PIL"} & set(ran.stdout.split())


class TestPlot:
    def result(self, **changes) -> dict:
        reference = known("jpeg")
        result = evaluate([("a", GREY)], [reference, known("lic", 0.8)], reference)
        for codec in result["codecs"].values():
            for point in codec["mean"]:
                point.update(changes)
        return result

    def test_a_panel_for_each_measure_that_there_is(self) -> None:
        assert len(evaluation_plot.draw(self.result()).axes) == 1
        psnrs, similarities = evaluation_plot.draw(self.result(ms_ssim=0.99)).axes
        assert [line.get_label() for line in psnrs.get_lines()] == ["jpeg", "lic"]
        assert similarities.get_lines()[0].get_ydata() == pytest.approx(20)

    def test_it_draws_what_was_measured(self) -> None:
        result = self.result()
        [axes] = evaluation_plot.draw(result).axes
        for line in axes.get_lines():
            mean = result["codecs"][line.get_label()]["mean"]
            assert list(zip(*line.get_data(), strict=True)) == [(point["bpp"], point["psnr"]) for point in mean]

    def test_points_without_a_number_are_left_out(self) -> None:
        for changes in ({"psnr": None}, {"ms_ssim": 1.0}):
            axes = evaluation_plot.draw(self.result(**changes)).axes[-1]
            assert all(len(line.get_xdata()) == 0 for line in axes.get_lines())

    @pytest.mark.parametrize("with_published", [False, True])
    def test_the_legend_covers_no_panel(self, with_published: bool) -> None:
        figure = evaluation_plot.draw(self.result(ms_ssim=0.99), with_published)
        figure.draw_without_rendering()
        boxes = [legend.get_window_extent() for legend in figure.legends]
        for box in boxes:
            assert not any(box.overlaps(axes.get_window_extent()) for axes in figure.axes)
            assert figure.bbox.containsx(box.x1) and figure.bbox.containsy(box.y0)
        names = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
        assert names == ["jpeg", "lic", *list(published.KODAK) * with_published]
        assert len(boxes) == 1 or not boxes[0].overlaps(boxes[1])

    def test_points_of_very_high_rates_are_not_drawn_unless_there_is_little_else(self) -> None:
        result = self.result()
        for factor, drawn in [(3, 3), (50, 6)]:  # BYTES holds rates of 0.1 to 2
            wide = json.loads(json.dumps(result))
            for point in wide["codecs"]["jpeg"]["mean"]:
                point["bpp"] *= factor
            assert len(evaluation_plot.draw(wide).axes[0].get_lines()[0].get_xdata()) == drawn

    def test_kinds_of_files(self) -> None:
        for name, start in [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")]:
            evaluation_plot.check_ending(Path(name))
            assert evaluation_plot.plot_bytes(self.result(), Path(name)).startswith(start)

    def test_published_curves_rise(self) -> None:
        for points in published.KODAK.values():
            assert len(points) > 4
            assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points))


def test_the_table_of_a_single_point() -> None:
    codec = replace(known("jpeg"), qualities=(76,))
    result = evaluate([("a", GREY)], [codec], codec)
    [title, _, row] = evaluate_command.table(result).splitlines()
    assert title.startswith("1 photo;") and row.split()[:4] == ["jpeg", "-", "0", "%"] and "0.100/20.53" in row
    assert evaluation.LIMITS == (0.15, 1.2)


def test_what_may_not_be_read_is_named(capsys, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path) -> list[Path]:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("tutorial_lib.files.images.photos_in", refuse)
    assert lic(capsys, "photos", "--codecs", "jpeg") == (2, "", "error: 'photos': Permission denied.\n")
