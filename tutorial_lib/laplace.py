"""Laplace densities for coefficients: tables, the rate in training, and the choice between two whole numbers.

A coefficient is coded as k = y − m, to a whole number, with a Laplace density of mean 0 and scale b, which is given as
its **log-scale** s = log2 b. Over the bins of width 1 around the whole numbers, with t = 1 / (2 b), it has the masses

    P(0) = 1 − e^−t          P(±k) = ½ (1 − e^−2t) e^−(2k − 1) t

so that each further step away from 0 costs the same, log2(e) / b bits.

A coder cannot have a table for every s. There are 101, from s = −4.5 to 8, eight to an octave of b; below the first a
zero costs less than a thousandth of a bit whatever the table.

The encoder may choose any whole number (rate–distortion optimised quantization). It takes the nearest, or its
neighbour towards 0 where the bits saved are worth more than the error: `choose`. What follows the quantizer (the
restoration) makes up for zeros worse than for other errors, so that errors count 1.4 times in training, and twice when
a picture is coded (both measured: `benchmarks/codec_ablations.md`).
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutorial_lib.entropy_bottleneck import lower_bound
from tutorial_lib.quality import DISTORTION_WEIGHT

LOWEST, HIGHEST, PER_OCTAVE = -4.5, 8.0, 8  # log-scales s of the tables, octaves of b
TABLES = round((HIGHEST - LOWEST) * PER_OCTAVE) + 1
# Times what a squared error costs, where a whole number is chosen: in training, and when a picture is coded.
TRAINING_WEIGHT, CODING_WEIGHT = 1.4, 2.0
TAIL = 2.0**-15  # beyond it, symbols are sent with the escape
LEAST = -26.0  # log2 of a likelihood: about what an escape costs, 16 bits and some digits
LOG2_E = 1 / math.log(2)


def clamp_log_scale(s: Tensor) -> Tensor:
    """Into the range of the tables, with gradients that lead back."""
    return -lower_bound(-lower_bound(s, LOWEST), -HIGHEST)


def indexes(s: Tensor) -> Tensor:
    """The number of the nearest table, int32. Exact for multiples of 1/256."""
    return torch.round((s - LOWEST) * PER_OCTAVE).clamp(0, TABLES - 1).int()


def log_scale_of(index: Tensor) -> Tensor:
    """The log-scale of a table."""
    return LOWEST + index.float() / PER_OCTAVE


def log2_likelihood(k: Tensor, s: Tensor) -> Tensor:
    """log2 of the mass of whole numbers k, at log-scales s; the gradient goes to both. At least LEAST."""
    t = 0.5 * torch.exp2(-s)
    zero = torch.log(-torch.expm1(-t)) * LOG2_E
    other = (torch.log(-torch.expm1(-2 * t)) - (2 * k.abs() - 1) * t) * LOG2_E - 1
    return lower_bound(torch.where(k.detach().abs() < 0.5, zero, other), LEAST)


@torch.no_grad()
def savings(s: Tensor) -> tuple[Tensor, Tensor]:
    """Bits saved by 0 instead of ±1, and by a step towards 0 from farther away."""
    t = 0.5 * torch.exp2(-s)
    first = 1 + (t - torch.log1p(torch.exp(-t))) * LOG2_E
    return first.clamp(max=16), (2 * t * LOG2_E).clamp(max=8)  # ±1 has 16 bits at most; then come an escape's digits


@torch.no_grad()
def choose(r: Tensor, saved: tuple[Tensor, Tensor], weight: float = CODING_WEIGHT) -> Tensor:
    """Whole numbers for real ones: the nearest, or one less in magnitude. saved: see `savings`."""
    k = torch.round(r)
    magnitude = k.abs()
    error = r.abs().sub_(magnitude).mul_(2).add_(1).mul_(weight * DISTORTION_WEIGHT)  # what the squared one grows by
    down = error < torch.where(magnitude > 1, saved[1], saved[0])
    return k.sub_(k.sign().mul_(down))  # a zero has no sign, and stays


class LaplaceTables:
    """What `EntropyCoder.build` needs of a model."""

    def pmfs(self) -> tuple[list[NDArray[np.float64]], NDArray[np.int64], NDArray[np.float64]]:
        """For each table (pmfs, offsets, tail_masses): from −n to n, where n is what TAIL leaves."""
        rows, offsets, tails = [], [], []
        for index in range(TABLES):
            t = 0.5 * 2.0 ** -(LOWEST + index / PER_OCTAVE)
            n = max(1, math.ceil(-math.log(TAIL) / (2 * t)))
            k = np.abs(np.arange(-n, n + 1))
            other = -0.5 * math.expm1(-2 * t) * np.exp(-(2 * k - 1) * t)
            rows.append(np.where(k == 0, -math.expm1(-t), other))
            offsets.append(-n)
            tails.append(math.exp(-(2 * n + 1) * t))
        return rows, np.array(offsets), np.array(tails)
