"""How good codecs are, by the sizes of their files and the pictures decoded from these.

Every point is a real file: its rate counts every byte, headers included, and its PSNR and MS-SSIM are those of the
8-bit RGB picture decoded from these bytes. Codecs are compared photo by photo by Bjøntegaard's rate difference: draw
log(rate) over PSNR, join the points by a monotone cubic (pchip), take the mean distance between two curves.

    all     over all PSNRs that both curves reach: the customary number. It depends on which qualities were measured.
    limited the course's number: only over those PSNRs for which *the reference* spends 0.15 to 1.2 bits per pixel.

The limits stand on the reference's rates alone. So every codec is held against the same stretch of the same curve,
however few bits it needs there, and extreme rates, of tiny files or nearly lossless ones, do not count. `covered`
says how much of that stretch a codec reaches; nothing is extrapolated. A point that another one of the same codec
beats, with no more bits and no smaller PSNR, is left out of its curve, as it would be in use.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from torch import Tensor

from tutorial_lib.evaluation.file_codecs import FileCodec
from tutorial_lib.evaluation.metrics import bd_rate, psnr
from tutorial_lib.recipe import MS_SSIM_SMALLEST

LIMITS = (0.15, 1.2)  # bits per pixel of the reference

Curve = list[tuple[float, float]]  # (bits per pixel, PSNR)


@dataclass(frozen=True)
class Point:
    """One file, or the mean of several at the same quality."""

    quality: float
    bpp: float
    psnr: float  # infinite where nothing was lost
    ms_ssim: float | None  # None for pictures too small for it
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
        return Point(quality, bpp, psnr(decoded, image), ms_ssim(decoded, image), middle - start, end - middle)
    except (OSError, ValueError) as error:  # Pillow's, of a size that a format does not have, for example
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(f"{codec.name} fails on it at quality {quality:g} ({reason}).") from None


def mean_point(points: Sequence[Point]) -> Point:
    """Of one quality, over the photos. MS-SSIM only if all of them have it: else it would be of other photos."""
    values = {name: [getattr(point, name) for point in points] for name in asdict(points[0])}
    means: dict[str, Any] = {
        name: None if None in column else float(np.mean(column)) for name, column in values.items()
    }
    return Point(**means)


def curve(points: Iterable[Point]) -> Curve:
    """The points, with rising rate and PSNR, that no other one beats."""
    best: Curve = []
    for point in sorted(points, key=lambda point: (point.bpp, -point.psnr)):
        if math.isfinite(point.psnr) and (not best or point.psnr > best[-1][1]):
            best.append((point.bpp, point.psnr))
    return best


def bd_rate_all(reference: Curve, codec: Curve) -> float | None:
    """Percent (negative: `codec` needs fewer bits) over all PSNRs that both reach; None if there are none."""
    if min(len(reference), len(codec)) < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of overlaps that are short: `covered` says it
        percent = bd_rate(reference, codec)
    return percent if math.isfinite(percent) else None


def bd_rate_limited(reference: Curve, codec: Curve, limits: tuple[float, float] = LIMITS) -> tuple[float | None, float]:
    """Percent over the PSNRs for which `reference` spends a rate within the limits, and how much of them was covered.

    The percent is None where `codec` reaches none of them, or `reference` has fewer than two points. A `codec` of one
    point is compared at its PSNR, and covers nothing.
    """
    if len(reference) < 2 or not codec:
        return None, 0.0
    anchor = _log_rate(reference)
    lowest, highest = (_quality_at(anchor, math.log(rate)) for rate in limits)
    if len(codec) == 1:
        (rate, decibels), *_ = codec
        if not lowest <= decibels <= highest:
            return None, 0.0
        return 100 * math.expm1(math.log(rate) - float(anchor(decibels))), 0.0
    other = _log_rate(codec)
    low, high = max(lowest, other.x[0]), min(highest, other.x[-1])
    if not low < high:
        return None, 0.0
    difference = float(other.integrate(low, high) - anchor.integrate(low, high)) / (high - low)
    return 100 * math.expm1(difference), float((high - low) / (highest - lowest))


def _log_rate(points: Curve) -> PchipInterpolator:
    """log(bits per pixel) as a rising function of the PSNR, between the first and the last point."""
    rates, decibels = zip(*points, strict=True)
    return PchipInterpolator(decibels, np.log(rates))


def _quality_at(log_rate: PchipInterpolator, value: float) -> float:
    """The PSNR at which the curve has this log(rate), or its nearest end."""
    first, last = log_rate.x[0], log_rate.x[-1]
    if value <= log_rate(first):
        return float(first)
    if value >= log_rate(last):
        return float(last)
    return float(brentq(lambda decibels: log_rate(decibels) - value, first, last))


def evaluate(
    photos: Iterable[tuple[str, Tensor]],
    codecs: Sequence[FileCodec],
    reference: FileCodec,
    after_each: Callable[[], object] = lambda: None,
) -> dict:
    """Measure all codecs, the reference among them, on all photos, (name, uint8 (3, H, W)). What JSON can hold.

    after_each: is called after each file. Raises ValueError, with the photo's name, where a codec fails.
    """
    names: list[str] = []
    points: dict[str, dict[str, list[Point]]] = {codec.name: {} for codec in codecs}
    for name, image in photos:
        try:
            if not names:
                for codec in codecs:  # the first call compiles and loads: no file's time
                    measure(codec, image[:, :64, :64], codec.qualities[0])
            for codec in codecs:
                measured = points[codec.name][name] = []
                for quality in codec.qualities:
                    measured.append(measure(codec, image, quality))
                    after_each()
        except ValueError as error:
            raise ValueError(f"{name!r}: {error}") from None
        names.append(name)
    if not names:
        raise ValueError("There is no photo that can be measured.")
    anchors = {name: curve(measured) for name, measured in points[reference.name].items()}
    return {
        "photos": names,
        "reference": reference.name,
        "limits": list(LIMITS),
        "codecs": {codec.name: _summary(points[codec.name], anchors) for codec in codecs},
        "checkpoint": next((codec.fingerprint for codec in codecs if codec.fingerprint), None),
    }


def _summary(photos: dict[str, list[Point]], anchors: dict[str, Curve]) -> dict:
    """One codec's part of the result."""
    curves = {name: curve(points) for name, points in photos.items()}
    every = {name: bd_rate_all(anchors[name], curves[name]) for name in photos}
    limited = {name: bd_rate_limited(anchors[name], curves[name]) for name in photos}
    return {
        "photos": {name: [_plain(point) for point in points] for name, points in photos.items()},
        "mean": [_plain(mean_point(points)) for points in zip(*photos.values(), strict=True)],
        "bd_rate": {
            "limited": {
                "mean": _mean(percent for percent, _ in limited.values()),
                "photos": {name: percent for name, (percent, _) in limited.items()},
                "covered": _mean(covered for _, covered in limited.values()),
            },
            "all": {"mean": _mean(every.values()), "photos": every},
        },
    }


def _mean(values: Iterable[float | None]) -> float | None:
    """Over the photos that have one; each of the others is null among the photos, and lowers what was covered."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _plain(point: Point) -> dict:
    """For JSON, which knows no infinity."""
    return {**asdict(point), "psnr": point.psnr if math.isfinite(point.psnr) else None}
