"""How codecs are compared: the measure itself on codecs whose curves are known, classical codecs, and the plot."""

from __future__ import annotations

import io
import json
import math
import struct
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tutorial_lib.command.evaluate import table
from tutorial_lib.evaluation import curves, plot, published
from tutorial_lib.evaluation.comparison import Comparison, Point, against_published, evaluate, mean_point, ms_ssim
from tutorial_lib.evaluation.curves import bd_rate_all, bd_rate_decibels, bd_rate_limited, curve
from tutorial_lib.evaluation.file_codecs import CLASSICAL, FileCodec, learned
from tutorial_lib.evaluation.metrics import luma_psnr, psnr
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.workbench.photos import photo

GREY = torch.full((3, 40, 40), 128, dtype=torch.uint8)  # 1,600 pixels: 200 bytes are a bit per pixel
BYTES = {24: 20, 17: 40, 12: 80, 8: 160, 5: 240, 2: 400}  # by the error in grey levels that they leave


def known(name: str, factor: float = 1.0) -> FileCodec:
    """A codec of grey pictures: the error is 100 - quality, the file `factor` times as long as BYTES says."""

    def encode(image: torch.Tensor, quality: float) -> bytes:
        error = int(100 - quality)
        size = round(factor * BYTES[error] * image[0].numel() / 1600)
        return struct.pack("<3H", *image.shape[1:], error).ljust(size, b"\0")

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
        assert [point["luma_psnr"] for point in points] == pytest.approx([point["psnr"] for point in points])
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
        above, single = [(2.5, 41), (3, 45)], [(2.5, 41)]
        for codec in (above, single, []):
            assert bd_rate_limited(reference, codec) == (None, 0) and bd_rate_all(reference, codec) is None
        beyond = [(rate * 100, db) for rate, db in reference]  # the reference itself never spends so little
        assert bd_rate_limited(beyond, reference) == (None, 0)

    def test_a_codec_with_one_rate_is_compared_at_its_one_psnr(self) -> None:
        """If the reference spends a rate within the limits there; it covers nothing, and "all" is nothing."""
        reference = [(0.1, 25), (0.2, 28), (0.5, 32), (1, 36), (2, 40)]
        for rate, decibels in reference:
            codec = [(0.8 * rate, decibels)]
            percent = pytest.approx(-20) if 0.15 <= rate <= 1.2 else None
            assert bd_rate_limited(reference, codec) == (percent, 0) and bd_rate_all(reference, codec) is None
        assert bd_rate_limited([(0.1, 25), (1, 35)], [(0.2, 30)])[0] == pytest.approx(100 * (0.2 / math.sqrt(0.1) - 1))
        assert bd_rate_limited(reference[:1], [(0.1, 25)]) == (None, 0)
        single, jpeg = replace(known("own", 0.8), qualities=(92,)), known("jpeg")
        rates = evaluate([("a", GREY), ("b", GREY[:, :, :20])], [jpeg, single], jpeg)["codecs"]["own"]["bd_rate"]
        assert rates["limited"]["mean"] == pytest.approx(-20) and rates["limited"]["covered"] == 0
        assert rates["limited"]["photos"] == pytest.approx({"a": -20, "b": -20}) and rates["all"]["mean"] is None

    def test_a_curve_has_no_beaten_and_no_infinite_points(self) -> None:
        points = [(0.5, 30), (0.2, 25), (0.6, 29), (0.5, 31), (1.0, 31), (2.0, math.inf), (1.5, 40)]
        assert curve(points) == [(0.2, 25), (0.5, 31), (1.5, 40)]

    def test_fixed_decibels(self) -> None:
        reference = [(math.exp((db - 30) / 6), db) for db in range(24, 41, 2)]
        fewer = [(0.7 * rate, db) for rate, db in reference]
        assert bd_rate_decibels(reference, fewer) == (pytest.approx(-30), pytest.approx(1))
        # what lies outside does not count, and what is not reached is not covered
        worse = [(rate * (9 if not 27 <= db <= 37 else 1), db) for rate, db in fewer]
        assert bd_rate_decibels(reference, worse, (30, 34)) == (pytest.approx(-30), pytest.approx(1))
        assert bd_rate_decibels(reference, fewer[4:]) == (pytest.approx(-30), pytest.approx(0.5))  # from 32 dB on
        assert bd_rate_decibels(reference[:5], fewer) == (pytest.approx(-30), pytest.approx(0.5))
        assert bd_rate_decibels(reference, fewer[4:5]) == (pytest.approx(-30), 0)
        assert bd_rate_decibels(reference, fewer[:2]) == bd_rate_decibels(reference[:1], fewer) == (None, 0)
        assert bd_rate_decibels(reference, []) == (None, 0)

    def test_it_is_the_research_numbers_formula(self) -> None:
        """Against numbers of its own: log rates of a parabola, integrated by a fine sum."""
        decibels = np.linspace(25, 39, 40)
        a, b = 0.02 * (decibels - 20) ** 2 / 10, 0.15 * (decibels - 28) - 0.4
        percent, _ = bd_rate_decibels(
            list(zip(np.exp(a), decibels, strict=True)), list(zip(np.exp(b), decibels, strict=True))
        )
        fine = np.linspace(28, 36, 20_001)
        difference = np.mean(0.15 * (fine - 28) - 0.4 - 0.02 * (fine - 20) ** 2 / 10)
        assert percent == pytest.approx(100 * math.expm1(difference), abs=0.02)

    def test_the_mean_curve_is_of_mean_rates_and_mean_psnrs(self) -> None:
        """Two photos of which one needs nine times the bits: it counts nine times. Photo by photo, both count alike."""

        def scaled(name: str, factors: tuple[int, int]) -> FileCodec:
            codec = known(name)

            def encode(image: torch.Tensor, quality: float) -> bytes:
                data = codec.encode(image, quality)
                return data.ljust(factors[image.shape[2] == 20] * len(data), b"\0")

            return replace(codec, encode=encode)

        jpeg, own = scaled("jpeg", (1, 9)), scaled("own", (2, 9))
        rates = evaluate([("a", GREY), ("b", GREY[:, :, :20])], [jpeg, own], jpeg)["codecs"]["own"]["bd_rate"]
        assert rates["all"]["mean"] == pytest.approx(50)  # +100 and 0 %
        assert rates["mean_curve"] == {"percent": pytest.approx(10), "covered": pytest.approx(1)}  # 11 instead of 10

    def test_the_rate_for_equal_ms_ssim(self) -> None:
        """Small pictures have none."""
        jpeg, longer = known("jpeg"), known("longer", 1.5)
        for image, percent in ((GREY.repeat(1, 5, 5), 50), (GREY, None)):
            rates = evaluate([("a", image)], [jpeg, longer], jpeg)["codecs"]["longer"]["bd_rate"]
            assert rates["all"]["mean"] == pytest.approx(50)
            assert rates["ms_ssim"] == (percent and pytest.approx(percent))

    def test_published_curves_are_held_against_the_reference(self) -> None:
        anchor = [(2 * rate, db) for rate, db in published.KODAK["mbt2018-mean"]]
        rates = {name: codec["bd_rate"]["mean_curve"] for name, codec in against_published(anchor).items()}
        assert rates.keys() == published.KODAK.keys()
        assert rates["mbt2018-mean"] == {"percent": pytest.approx(-50), "covered": pytest.approx(1)}
        assert rates["VTM (H.266)"]["percent"] < rates["mbt2018"]["percent"] < -50
        result = evaluate([("a", GREY)], [known("jpeg")], known("jpeg"), published=True)
        assert result["published"]["codecs"].keys() == published.KODAK.keys()
        lines = table(result).splitlines()
        assert "VTM (H.266)" in lines[-2] and lines[-1].startswith("published: CompressAI's")

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

    def test_luma(self) -> None:
        """0.299, 0.587 and 0.114 of an error in red, green and blue; opposite ones cancel; counted by hand."""
        image = torch.full((3, 4, 5), 100, dtype=torch.uint8)
        for channel, weight in enumerate((0.299, 0.587, 0.114)):
            other = image.clone()
            other[channel] += 10
            assert luma_psnr(other, image) == pytest.approx(20 * math.log10(255 / (10 * weight)))
        other = image + 10
        assert luma_psnr(other, image) == pytest.approx(psnr(other, image))
        assert luma_psnr(image, image) == math.inf
        for bad in (image.float(), image[:, :3]):
            with pytest.raises(ValueError, match=r"^luma_psnr compares uint8 images of one shape, not .*\.$"):
                luma_psnr(bad, image)

    def test_luma_is_what_pillow_calls_grey(self) -> None:
        image = photo("coffee")[:, :64, :96]
        noisy = (image.int() + torch.randint(-20, 21, image.shape, generator=torch.manual_seed(0))).clamp(0, 255)
        noisy = noisy.to(torch.uint8)
        greys = [torch.from_numpy(np.asarray(to_pil(each).convert("L")).copy())[None] for each in (noisy, image)]
        assert luma_psnr(noisy, image) == pytest.approx(psnr(*greys), abs=0.05)  # Pillow rounds

    def test_a_mean_has_ms_ssim_only_if_all_photos_have(self) -> None:
        points = [Point(5, 1.0, 30.0, 33.0, 0.9, 1.0, 2.0), Point(5, 2.0, 32.0, 37.0, 0.8, 3.0, 2.0)]
        assert mean_point(points) == Point(5, 1.5, 31, 35, pytest.approx(0.85), 2, 2)
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

    @pytest.mark.parametrize("error", [ValueError("too\nlarge."), OSError("encoder error -2"), RuntimeError("no")])
    def test_a_photo_that_a_codec_fails_on_is_left_out_for_it_alone(self, error: Exception) -> None:
        def encode(image: torch.Tensor, quality: float) -> bytes:
            if image.shape[2] == 20 and quality > 80:
                raise error
            return known("broken", 0.5).encode(image, quality)

        notes: list[str] = []
        files: list[None] = []
        reference, fine, broken = known("jpeg"), known("fine", 0.8), replace(known("broken"), encode=encode)
        photos = [("a", GREY), ("b", GREY[:, :, :20])]
        result = evaluate(
            photos, [broken, reference, fine], reference, after_each=lambda: files.append(None), say=notes.append
        )
        reason = " ".join(str(error).split()).rstrip(".")
        assert notes == [f"'b' is left out for broken: broken fails on it at quality 83 ({reason})."]
        assert result["photos"] == ["a", "b"] and len(files) == 2 * 3 * len(BYTES)
        codecs = result["codecs"]
        assert codecs["broken"]["failed"] == {"b": f"broken fails on it at quality 83 ({reason})."}
        assert codecs["fine"]["failed"] == {} and list(codecs["fine"]["photos"]) == ["a", "b"]
        assert list(codecs["broken"]["photos"]) == ["a"] and len(codecs["broken"]["mean"]) == len(BYTES)
        for kind in ("limited", "all"):
            assert codecs["broken"]["bd_rate"][kind]["mean"] == pytest.approx(-50)
        assert codecs["broken"]["bd_rate"]["mean_curve"]["percent"] == pytest.approx(-50)  # of the same photos
        assert table(result).splitlines()[-1] == "broken: without 1 photo that it failed on"

    def test_a_photo_that_the_reference_fails_on_is_left_out_for_all(self) -> None:
        reference = replace(known("jpeg"), decode=lambda data: GREY[:, :30])  # of another size
        notes: list[str] = []
        with pytest.raises(ValueError, match=r"^There is no photo that can be measured\.$"):
            evaluate([("a", GREY)], [reference, known("own")], reference, say=notes.append)
        assert len(notes) == 1 and notes[0].startswith("'a' is left out: jpeg fails on it at quality 76 (psnr compares")

    def test_a_codec_that_fails_on_everything_has_an_empty_row(self) -> None:
        reference, broken = known("jpeg"), replace(known("broken"), decode=lambda data: GREY[:, :30])
        result = evaluate([("a", GREY)], [reference, broken], reference)
        codec = result["codecs"]["broken"]
        assert codec["mean"] == [] and codec["bd_rate"]["mean_curve"] == {"percent": None, "covered": 0}
        assert table(result).splitlines()[3].split() == ["broken", "-", "0", "%", "-", "-", "-"]
        json.dumps(result, allow_nan=False)
        plot.draw(result)

    def test_blank_pictures_count_in_no_mean(self) -> None:
        """One of them used to make every mean PSNR infinite."""
        jpeg, jpeg2000 = (replace(CLASSICAL[name], qualities=(5, 20)) for name in ("jpeg", "jpeg2000"))
        picture, blank = photo("coffee")[:, 40:104, 80:144], GREY[:, :30]
        alone, both = (
            evaluate(photos, [jpeg, jpeg2000], jpeg)
            for photos in ([("a", picture)], [("a", picture), ("blank", blank)])
        )
        assert both["photos"] == ["a", "blank"] and both["in_no_mean"] == ["blank"] and alone["in_no_mean"] == []
        for name in ("jpeg", "jpeg2000"):
            mine, its = (
                {**codec["bd_rate"], "points": [(p["bpp"], p["psnr"]) for p in codec["mean"]]}
                for codec in (alone["codecs"][name], both["codecs"][name])
            )
            assert mine["points"] == its["points"] and mine["mean_curve"] == its["mean_curve"]
            assert mine["limited"]["mean"] == its["limited"]["mean"]
            assert mine["limited"]["covered"] == its["limited"]["covered"]
        assert "in no mean: 1 picture of one colour" in table(both)

    def test_what_is_measured_can_be_had_after_each_photo(self) -> None:
        seen: list[dict] = []
        reference = known("jpeg")

        def keep(comparison: Comparison) -> None:
            seen.append(json.loads(json.dumps(comparison.result(complete=False), allow_nan=False)))

        photos = [("a", GREY), ("b", GREY[:, :, :20])]
        result = evaluate(photos, [reference, known("own", 0.8)], reference, after_photo=keep)
        assert [each["photos"] for each in seen] == [["a"], ["a", "b"]]
        assert [each["complete"] for each in seen] == [False, False] and result["complete"]
        assert seen[1]["codecs"] == json.loads(json.dumps(result["codecs"]))


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
            "jpegxl": (0, b"\xff\x0a"),
            "heic": (4, b"ftyphei"),
        }
        place, mark = marks[name]
        if codec.is_here:
            assert codec.encode(GREY, codec.qualities[0])[place:].startswith(mark)

    def test_jpeg_at_its_usual_best(self) -> None:
        """Progressive, with Huffman tables of its own, and colour at half the size."""
        image = photo("coffee")[:, :256, :256]
        data = CLASSICAL["jpeg"].encode(image, 90)
        markers = {second for first, second in pairwise(data) if first == 0xFF and second not in (0, 0xFF)}
        assert 0xC2 in markers and 0xC0 not in markers  # SOF2 begins a progressive frame, SOF0 a baseline one
        with Image.open(io.BytesIO(data)) as file:
            assert file.info["progressive"] and [layer[1:3] for layer in file.layer] == [(2, 2), (1, 1), (1, 1)]
        plain = io.BytesIO()
        to_pil(image).save(plain, "JPEG", quality=90, subsampling="4:2:0", optimize=True)
        assert len(data) < plain.tell()

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
            ("jpegxl", (101,)),
            ("heic", (-1,)),
        ]:
            with pytest.raises(ValueError, match=f"^The qualities of {name} are (whole )?numbers"):
                replace(CLASSICAL[name], qualities=qualities)

    @pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "jpegxl", "heic"])
    def test_a_whole_number_may_be_written_as_a_float(self, name: str) -> None:
        codec = CLASSICAL[name]
        if not codec.is_here:
            pytest.skip(f"this Pillow has no {name}")
        assert codec.encode(GREY, 50.0) == codec.encode(GREY, 50)

    def test_one_rate(self) -> None:
        codec = learned(FirstCodec.load(), "first")
        assert (codec.name, codec.qualities, codec.lowest, codec.highest) == ("first", (1,), 1, 1)
        image = photo("chelsea")[:, 100:140, 200:250]
        assert codec.encode(image, 1) == FirstCodec.load().encode(image)

    def test_effort(self, lively_codec, monkeypatch: pytest.MonkeyPatch) -> None:
        codec, asked = lively_codec(), []
        monkeypatch.setattr(codec, "encode", lambda image, quality, **options: asked.append(options) or b"")
        for effort in (None, 0, 9):
            lic = learned(codec, effort=effort)
            lic.encode(GREY, 50)
            assert asked.pop() == {"effort": codec.default_effort if effort is None else effort}
            assert lic.effort == (codec.default_effort if effort is None else effort)
        with pytest.raises(ValueError, match=r"^an effort is a whole number from 0 to 9, not 10\.$"):
            learned(codec, effort=10)
        first = FirstCodec.load()
        assert learned(first).effort is None
        with pytest.raises(ValueError, match=r"^this codec's encoder does not search; leave the effort 3 out\.$"):
            learned(first, effort=3)

    def test_the_full_codec(self, lively_codec) -> None:
        codec = lively_codec()
        lic = learned(codec)
        image = photo("chelsea")[:, 100:140, 200:250]
        data = lic.encode(image, 30)
        assert data == codec.encode(image, 30) and torch.equal(lic.decode(data), codec.decode(data))
        assert lic.fingerprint == codec.fingerprint()
        assert (lic.name, lic.lowest, lic.highest, lic.qualities[-1]) == ("lic", 1, 100, 100)


class TestPlot:
    def result(self, **changes) -> dict:
        reference = known("jpeg")
        result = evaluate([("a", GREY)], [reference, known("lic", 0.8)], reference)
        for codec in result["codecs"].values():
            for point in codec["mean"]:
                point.update(changes)
        return result

    def test_a_panel_for_each_measure_that_there_is(self) -> None:
        assert len(plot.draw(self.result()).axes) == 1
        psnrs, similarities = plot.draw(self.result(ms_ssim=0.99)).axes
        assert [line.get_label() for line in psnrs.get_lines()] == ["jpeg", "lic"]
        assert similarities.get_lines()[0].get_ydata() == pytest.approx(20)

    def test_it_draws_what_was_measured(self) -> None:
        result = self.result()
        [axes] = plot.draw(result).axes
        for line in axes.get_lines():
            mean = result["codecs"][line.get_label()]["mean"]
            assert list(zip(*line.get_data(), strict=True)) == [(point["bpp"], point["psnr"]) for point in mean]

    def test_points_without_a_number_are_left_out(self) -> None:
        for changes in ({"psnr": None}, {"ms_ssim": 1.0}):
            axes = plot.draw(self.result(**changes)).axes[-1]
            assert all(len(line.get_xdata()) == 0 for line in axes.get_lines())

    @pytest.mark.parametrize("with_published", [False, True])
    def test_the_legend_covers_no_panel(self, with_published: bool) -> None:
        figure = plot.draw(self.result(ms_ssim=0.99), with_published)
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
            assert len(plot.draw(wide).axes[0].get_lines()[0].get_xdata()) == drawn

    def test_kinds_of_files(self) -> None:
        for name, start in [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")]:
            plot.check_ending(Path(name))
            assert plot.plot_bytes(self.result(), Path(name)).startswith(start)

    def test_published_curves_rise(self) -> None:
        for points in published.KODAK.values():
            assert len(points) > 4
            assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(points))


def test_the_table_of_a_single_point() -> None:
    codec = replace(known("jpeg"), qualities=(76,))
    result = evaluate([("a", GREY)], [codec], codec)
    [title, _, row, about_dashes] = table(result).splitlines()
    assert title.startswith("1 photo;") and row.split()[:4] == ["jpeg", "-", "0", "%"] and "0.100/20.53" in row
    assert about_dashes == "-: of all PSNRs measured, none lies where jpeg spends so much"
    assert curves.LIMITS == (0.15, 1.2) and curves.DECIBELS == (28, 36)
