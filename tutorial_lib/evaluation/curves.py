"""Bjøntegaard's rate difference between two curves of bits per pixel over PSNR, over three stretches of PSNRs.

Draw log(rate) over PSNR, join the points by a monotone cubic (pchip), take the mean distance between two curves; as
percent of the rate, negative where a codec needs fewer bits than the reference.

    all      over all PSNRs that both curves reach: the customary number. It depends on which qualities were measured.
    limited  the course's number: only over those PSNRs for which *the reference* spends 0.15 to 1.2 bits per pixel.
    decibels over fixed PSNRs, 28 to 36 dB, meant for mean curves: what papers report for the 24 Kodak photos.

The first two are for the curves of one photo; their mean over photos counts each photo alike. The third is for the mean
rates and mean PSNRs of all photos at each quality; there, photos that need many bits count more. The first is also
taken of mean rates and mean MS-SSIMs, as decibels.

The limits of the second stand on the reference's rates alone. So every codec is held against the same stretch of the
same curve, however few bits it needs there, and extreme rates, of tiny files or nearly lossless ones, do not count.
`covered` says how much of a stretch a codec reaches; nothing is extrapolated. A point that another one of the same
codec beats, with no more bits and no smaller PSNR, is left out of its curve, as it would be in use.
"""

import math
import warnings
from collections.abc import Iterable

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from tutorial_lib.evaluation.metrics import bd_rate

LIMITS = (0.15, 1.2)  # bits per pixel of the reference
DECIBELS = (28.0, 36.0)

Curve = list[tuple[float, float]]  # (bits per pixel, PSNR)


def curve(points: Iterable[tuple[float, float]]) -> Curve:
    """Of (bits per pixel, PSNR): those, with rising rate and PSNR, that no other one beats; without infinite ones."""
    best: Curve = []
    for bpp, decibels in sorted(points, key=lambda point: (point[0], -point[1])):
        if math.isfinite(decibels) and (not best or decibels > best[-1][1]):
            best.append((bpp, decibels))
    return best


def similarity_decibels(ms_ssim: float | None) -> float | None:
    """−10 log₁₀(1 − MS-SSIM), over which curves are smooth. None for equal pictures, and for None."""
    return -10 * math.log10(1 - ms_ssim) if ms_ssim is not None and ms_ssim < 1 else None


def bd_rate_all(reference: Curve, codec: Curve) -> float | None:
    """Percent over all PSNRs that both reach; None if there are none."""
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
    if len(reference) < 2:
        return None, 0.0
    anchor = _log_rate(reference)
    lowest, highest = (_quality_at(anchor, math.log(rate)) for rate in limits)
    return _between(anchor, codec, lowest, highest)


def bd_rate_decibels(
    reference: Curve, codec: Curve, decibels: tuple[float, float] = DECIBELS
) -> tuple[float | None, float]:
    """The same over fixed PSNRs; what the reference does not reach is not covered, either."""
    return _between(_log_rate(reference), codec, *decibels) if len(reference) >= 2 else (None, 0.0)


def _between(anchor: PchipInterpolator, codec: Curve, lowest: float, highest: float) -> tuple[float | None, float]:
    if not codec:
        return None, 0.0
    first, last = max(lowest, anchor.x[0]), min(highest, anchor.x[-1])
    if len(codec) == 1:
        (rate, decibels), *_ = codec
        inside = first <= decibels <= last
        return (100 * math.expm1(math.log(rate) - float(anchor(decibels))) if inside else None), 0.0
    other = _log_rate(codec)
    low, high = max(first, other.x[0]), min(last, other.x[-1])
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
