"""How good codecs are, by the sizes of their files and the pictures decoded from these.

Every point is a real file: its rate counts every byte, headers included, and its PSNRs and MS-SSIM are those of the
8-bit RGB picture decoded from these bytes. Codecs are compared by Bjøntegaard's rate differences (`curves`): photo by
photo, then the mean; and between mean curves, from 28 to 36 dB.

A photo that one codec cannot do is left out for that codec; one that the reference cannot do, for all. A
picture of one colour is lossless to many codecs, and there is no curve to compare with: it counts in no mean, nor does
one whose PSNR is the same at all qualities of the reference. Whoever wants to keep what has been measured so far is
called after each photo.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from tutorial_lib.evaluation import curves
from tutorial_lib.evaluation.curves import (
    Curve,
    bd_rate_all,
    bd_rate_decibels,
    bd_rate_limited,
    similarity_decibels,
)
from tutorial_lib.evaluation.file_codecs import FileCodec
from tutorial_lib.evaluation.metrics import luma_psnr, psnr
from tutorial_lib.evaluation.published import KODAK, SOURCE
from tutorial_lib.recipe import MS_SSIM_SMALLEST


@dataclass(frozen=True)
class Point:
    """One file, or the mean of several at the same quality."""

    quality: float
    bpp: float
    psnr: float  # of RGB; infinite where nothing was lost
    luma_psnr: float  # of BT.601's luma
    ms_ssim: float | None  # of RGB; None for pictures too small for it
    encode_seconds: float
    decode_seconds: float


def ms_ssim(image: Tensor, reference: Tensor) -> float | None:
    """Multi-scale structural similarity (Wang et al. 2003) of two uint8 (3, H, W), or None if they are too small."""
    from pytorch_msssim import ms_ssim as measure  # an extra of the comparisons, not of the core

    if min(image.shape[1:]) < MS_SSIM_SMALLEST:
        return None
    return float(measure(image[None].float(), reference[None].float(), data_range=255))


def measure(codec: FileCodec, image: Tensor, quality: float) -> Point:
    """Write one file, read it again, and compare. image: uint8 (3, H, W). Raises ValueError where the codec fails."""
    try:
        start = time.perf_counter()
        data = codec.encode(image, quality)
        middle = time.perf_counter()
        decoded = codec.decode(data)
        end = time.perf_counter()
        height, width = image.shape[1:]
        bpp = 8 * len(data) / (height * width)
        measures = psnr(decoded, image), luma_psnr(decoded, image), ms_ssim(decoded, image)
        return Point(quality, bpp, *measures, middle - start, end - middle)
    except (OSError, ValueError, RuntimeError, MemoryError) as error:  # of a size that a format lacks, for example
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise ValueError(f"{codec.name} fails on it at quality {quality:g} ({reason}).") from None


def mean_point(points: Sequence[Point]) -> Point:
    """Of one quality, over the photos. MS-SSIM only if all of them have it: else it would be of other photos."""
    values = {name: [getattr(point, name) for point in points] for name in asdict(points[0])}
    means: dict[str, Any] = {
        name: None if None in column else float(np.mean(column)) for name, column in values.items()
    }
    return Point(**means)


def curve_of(points: Iterable[Point]) -> Curve:
    """Bits per pixel and PSNR of RGB: see `curves.curve`."""
    return curves.curve((point.bpp, point.psnr) for point in points)


def similarity_curve_of(points: Iterable[Point]) -> Curve:
    """Bits per pixel and MS-SSIM in decibels, of the points that have one."""
    decibels = ((point.bpp, similarity_decibels(point.ms_ssim)) for point in points)
    return curves.curve((bpp, similarity) for bpp, similarity in decibels if similarity is not None)


class Comparison:
    """Codecs, the reference among them, and what has been measured of them so far."""

    def __init__(self, codecs: Sequence[FileCodec], reference: FileCodec, say: Callable[[str], object]) -> None:
        self.codecs, self.reference, self.say = codecs, reference, say
        self.photos: list[str] = []
        self._points: dict[str, dict[str, list[Point]]] = {codec.name: {} for codec in codecs}
        self._failed: dict[str, dict[str, str]] = {codec.name: {} for codec in codecs}
        self._blank: set[str] = set()
        # of a codec and a photo: percent over all, within the limits, and what was covered of these
        self._rates: dict[str, dict[str, tuple[float | None, float | None, float]]] = {c.name: {} for c in codecs}

    def add(self, name: str, image: Tensor, after_each: Callable[[], object]) -> None:
        """Measure all codecs on one photo more: uint8 (3, H, W)."""
        if not self.photos:
            self._warm_up(image)
        measured: dict[str, list[Point]] = {}
        for codec in sorted(self.codecs, key=lambda codec: codec.name != self.reference.name):
            if self.reference.name in (codec.name, *measured):
                points = self._measure(codec, name, image, after_each)
                if points is not None:
                    measured[codec.name] = points
            else:
                for _ in codec.qualities:
                    after_each()
        if self.reference.name not in measured:
            return
        self.photos.append(name)
        anchor = curve_of(measured[self.reference.name])
        one_colour = bool((image.flatten(1) == image[:, :1, 0]).all())
        if one_colour or len(anchor) < min(2, len(self.reference.qualities)):
            self._blank.add(name)
        for codec_name, points in measured.items():
            self._points[codec_name][name] = points
            mine = curve_of(points)
            self._rates[codec_name][name] = bd_rate_all(anchor, mine), *bd_rate_limited(anchor, mine)

    def _measure(
        self, codec: FileCodec, name: str, image: Tensor, after_each: Callable[[], object]
    ) -> list[Point] | None:
        """At all of its qualities; None, and a note, where it fails."""
        points: list[Point] = []
        try:
            for quality in codec.qualities:
                points.append(measure(codec, image, quality))
                after_each()
        except ValueError as error:
            self._failed[codec.name][name] = str(error)
            who = "" if codec.name == self.reference.name else f" for {codec.name}"
            self.say(f"{name!r} is left out{who}: {error}")
            for _ in codec.qualities[len(points) :]:
                after_each()
            return None
        return points

    def _warm_up(self, image: Tensor) -> None:
        """The first call compiles and loads: that is no file's time."""
        for codec in self.codecs:
            try:
                measure(codec, image[:, :64, :64], codec.qualities[0])
            except ValueError:
                pass  # it will be told of the whole photo

    def result(self, published: bool = False, complete: bool = True) -> dict:
        """What JSON can hold. published: hold the published curves against the reference, too."""
        counted = [name for name in self.photos if name not in self._blank] or self.photos
        result = {
            "complete": complete,
            "photos": self.photos,
            "in_no_mean": [name for name in self.photos if name not in counted],
            "reference": self.reference.name,
            "limits": list(curves.LIMITS),
            "decibels": list(curves.DECIBELS),
            "codecs": {codec.name: self._summary(codec.name, counted) for codec in self.codecs},
            "checkpoint": next((codec.fingerprint for codec in self.codecs if codec.fingerprint), None),
            "effort": next((codec.effort for codec in self.codecs if codec.effort is not None), None),
        }
        if published:
            anchor = curve_of(self._means(self.reference.name, counted))
            result["published"] = {"source": SOURCE, "codecs": against_published(anchor)}
        return result

    def _means(self, codec: str, photos: Iterable[str]) -> list[Point]:
        measured = self._points[codec]
        return [mean_point(points) for points in zip(*(measured[name] for name in photos), strict=True)]

    def _summary(self, codec: str, counted: Sequence[str]) -> dict:
        """One codec's part of the result."""
        rates = self._rates[codec]
        mine = [name for name in counted if name in rates]
        means = self._means(codec, mine)
        anchor = self._means(self.reference.name, mine)
        of_means = bd_rate_decibels(curve_of(anchor), curve_of(means))
        return {
            "photos": {name: [_plain(point) for point in points] for name, points in self._points[codec].items()},
            "failed": self._failed[codec],
            "mean": [_plain(point) for point in means],
            "bd_rate": {
                "limited": {
                    "mean": _mean(rates[name][1] for name in mine),
                    "photos": {name: limited for name, (_, limited, _) in rates.items()},
                    "covered": _mean(rates[name][2] for name in mine) or 0.0,
                },
                "all": {
                    "mean": _mean(rates[name][0] for name in mine),
                    "photos": {name: every for name, (every, _, _) in rates.items()},
                },
                "mean_curve": {"percent": of_means[0], "covered": of_means[1]},
                "ms_ssim": bd_rate_all(similarity_curve_of(anchor), similarity_curve_of(means)),
            },
        }


def against_published(anchor: Curve) -> dict:
    """The published curves of the 24 Kodak photos against a mean curve of these: the same percent for each."""
    codecs = {}
    for name, points in KODAK.items():
        percent, covered = bd_rate_decibels(anchor, curves.curve(points))
        rates = {"mean_curve": {"percent": percent, "covered": covered}}
        codecs[name] = {"mean": [{"bpp": bpp, "psnr": decibels} for bpp, decibels in points], "bd_rate": rates}
    return codecs


def evaluate(
    photos: Iterable[tuple[str, Tensor]],
    codecs: Sequence[FileCodec],
    reference: FileCodec,
    after_each: Callable[[], object] = lambda: None,
    after_photo: Callable[[Comparison], object] = lambda comparison: None,
    say: Callable[[str], object] = lambda note: None,
    published: bool = False,
) -> dict:
    """Measure all codecs, the reference among them, on all photos, (name, uint8 (3, H, W)). What JSON can hold.

    after_each: is called after each file. after_photo: after each photo, with what has been measured.
    say: is told which photo was left out, and why. Raises ValueError if there is none that can be measured.
    """
    comparison = Comparison(codecs, reference, say)
    for name, image in photos:
        comparison.add(name, image, after_each)
        after_photo(comparison)
    if not comparison.photos:
        raise ValueError("There is no photo that can be measured.")
    return comparison.result(published)


def _mean(values: Iterable[float | None]) -> float | None:
    """Over the photos that have one; each of the others is null among the photos, and lowers what was covered."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _plain(point: Point) -> dict:
    """For JSON, which knows no infinity."""
    lossless = {name: None for name in ("psnr", "luma_psnr") if not math.isfinite(getattr(point, name))}
    return {**asdict(point), **lossless}
