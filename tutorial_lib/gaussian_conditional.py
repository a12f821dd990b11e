"""A Gaussian for each latent value, with a scale (and a mean) of its own.

The factorized prior gives all values of a channel one density. Here a network says for each value separately how far
from 0, or from which mean, it probably lies (Ballé et al. 2018; Minnen, Ballé & Toderici 2018). The likelihood is the
Gaussian's mass over the bin of width 1 in which the value was rounded,

    P(ŷ) = Φ((ŷ − μ + ½) / σ) − Φ((ŷ − μ − ½) / σ).

A coder cannot have a table for every real σ. There are 64 of them, from σ = 0.11 to 256 in equal ratios (13 % a step),
and a value is coded with the smallest that is not below its own: `indexes`. Means cost no tables at all. What is coded
is round(y − μ), and the decoder adds the same μ again.

Quantization is the same in training and in coding (where it is not, bits and pictures differ from what was trained):
ŷ = round(y − μ) + μ in use, and in training either its classic stand-in, uniform noise, or the same whole numbers with
the gradients of `rdoq`.
"""

import math
from statistics import NormalDist

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib.entropy_bottleneck import LIKELIHOOD_BOUND, NOT_OURS, lower_bound
from tutorial_lib.quantization import add_uniform_noise
from tutorial_lib.rdoq import rdoq

SCALE_MIN, SCALE_MAX, SCALE_LEVELS = 0.11, 256.0, 64
TAIL_MASS = 1e-9  # of a row of the tables, on both sides together; CompressAI's choice
CONSTANTS = NOT_OURS | {"scale_bound", "lower_bound_scale.bound"}  # CompressAI's entries that have no place here


def scale_table(lowest: float = SCALE_MIN, highest: float = SCALE_MAX, levels: int = SCALE_LEVELS) -> Tensor:
    """Scales in equal ratios: (levels,) float32."""
    return torch.exp(torch.linspace(math.log(lowest), math.log(highest), levels))


class GaussianConditional(nn.Module):
    """A conditional prior over a latent of any shape.

    scale_table: (T,) ascending scales, above 0. None: the usual 64. Scales below the first count as the first.
    noise: how training stands in for rounding. True: uniform noise, as in the papers; False: whole numbers.

    Raises ValueError for a table that is not ascending from above 0.
    """

    scale_table: Tensor

    def __init__(self, scale_table: Tensor | None = None, noise: bool = True) -> None:
        super().__init__()
        table = DEFAULT_TABLE if scale_table is None else torch.as_tensor(scale_table, dtype=torch.float32)
        ascending = table.dim() == 1 and len(table) > 0 and table[0] > 0 and bool((table.diff() > 0).all())
        if not ascending or not table.isfinite().all():
            raise ValueError("a scale table holds finite scales in ascending order, the first one above 0.")
        self.register_buffer("scale_table", table.clone())
        self.noise = noise

    def forward(self, y: Tensor, scales: Tensor, means: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Quantize y and rate the result: (y_hat, likelihoods), both shaped like y. Means None: 0."""
        means = torch.zeros_like(y) if means is None else means
        if not self.training:
            y_hat = torch.round(y - means) + means
            return y_hat, self.likelihood(y_hat - means, scales)
        if self.noise:
            y_hat = add_uniform_noise(y)
            return y_hat, self.likelihood(y_hat - means, scales)
        moved = means.detach() - means  # 0, but with the gradient that draws a mean to the value that was coded
        symbols, likelihoods = rdoq(y - means.detach(), lambda symbols: self.likelihood(symbols + moved, scales))
        return symbols + means, likelihoods

    def likelihood(self, residual: Tensor, scales: Tensor) -> Tensor:
        """The mass of the bin of width 1 around ŷ − μ, at least 1e-9: costing -log2 of it in bits."""
        scales = lower_bound(scales, float(self.scale_table[0]))
        distance = residual.abs()  # both edges in the lower tail, where floats are dense
        mass = _normal_cdf((0.5 - distance) / scales) - _normal_cdf((-0.5 - distance) / scales)
        return lower_bound(mass, LIKELIHOOD_BOUND)

    def indexes(self, scales: Tensor) -> Tensor:
        """The table of each value: the number of the smallest scale not below its own, or of the last. int32."""
        return torch.bucketize(scales.contiguous(), self.scale_table[:-1], out_int32=True)

    def pmfs(self) -> tuple[list[NDArray[np.float64]], NDArray[np.int64], NDArray[np.float64]]:
        """What a coder needs, for each scale: (pmfs, offsets, tail_masses), as `CdfTables.from_pmfs` takes them.

        A row runs from −n to n, where n is the first whole number beyond the quantile of TAIL_MASS / 2.
        """
        reach = -NormalDist().inv_cdf(TAIL_MASS / 2)  # in standard deviations
        rows, offsets, tails = [], [], []
        for scale in self.scale_table.cpu():
            n = math.ceil(float(scale) * reach)
            distance = torch.arange(-n, n + 1, device="cpu").abs().float()  # (2n + 1,)
            lower = _normal_cdf((-0.5 - distance) / scale)
            rows.append((_normal_cdf((0.5 - distance) / scale) - lower).numpy())
            offsets.append(-n)
            tails.append(2 * float(lower[0]))
        return rows, np.array(offsets), np.array(tails)

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """CompressAI's bounds are constants, and its tables have their place in a coder: leave them out."""
        for name in CONSTANTS:
            state_dict.pop(prefix + name, None)
        super()._load_from_state_dict(state_dict, prefix, *args)


def _normal_cdf(x: Tensor) -> Tensor:
    """Φ(x). (erfc keeps its precision far out in the lower tail, where 1 + erf has lost all.)"""
    return 0.5 * torch.erfc(-math.sqrt(0.5) * x)


DEFAULT_TABLE = scale_table()
