"""One network for every quality: lapped cosines, gains that depend on the quality, and refinements conditioned on it.

    x ─ pre-filter ─ cosines ─ · gain ─ refine ─ y ─ (…) ─ ŷ ─ refine ─ : gain ─ cosines ─ post-filter ─ deblock ─ x̂
                                  ↑       ↑                       ↑        ↑                             ↑
    quality ──────────────────────┴───────┴───────────────────────┴────────┴─────────────────────────────┘

What sets the rate is the quantizer's step, 1 / gain (`quality` says which step suits which λ). Every coefficient learns
how much its own departs from that, in a `QualityTable`.

`first_codec`'s blocks end abruptly, and their edges show. Here pixels on both sides of an edge are mixed before the
cosines, by an orthonormal 16 × 16 matrix, and unmixed after them, so that each coefficient's picture fades out into
the neighbouring blocks: a lapped transform (Malvar & Staelin 1989; as pre- and post-filter, Tran, Liang & Tu 2003).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib.dct_transforms import BLOCK, Refinement, dct_filters, dct_matrix
from tutorial_lib.quality import (
    LAMBDA_HIGHEST,
    LAMBDA_LOWEST,
    ROWS,
    STEP,
    QualityTable,
    lambda_of,
    quality_map,
    step_of,
)

__all__ = [
    "LAMBDA_HIGHEST",
    "LAMBDA_LOWEST",
    "STEP",
    "DeblockingFilter",
    "GainedAnalysis",
    "GainedSynthesis",
    "QualityTable",
    "filter_edges",
    "lambda_of",
    "lapped_prefilter",
    "quality_map",
]


def lapped_prefilter() -> Tensor:
    """The pre-filter of a lapped transform, for the 16 pixels around an edge between blocks: (16, 16), orthonormal.

    The sums of pixels that mirror each other at the edge stay; their differences are turned by an 8 × 8 rotation, which
    gathers most of a slope in one step at the edge, where no block sees it (Tran, Liang & Tu 2003, whose V this is).
    """
    half = BLOCK // 2
    identity = torch.eye(half, dtype=torch.float64)
    mirror = identity.flip(0)
    k = torch.arange(half, dtype=torch.float64) + 0.5
    cosines = math.sqrt(2 / half) * torch.cos(math.pi * k[:, None] * k / half)  # the DCT-IV
    rotation = mirror @ dct_matrix(half).T @ cosines @ mirror
    fold = torch.cat([torch.cat([identity, mirror], 1), torch.cat([mirror, -identity], 1)]) / math.sqrt(2)
    return (fold @ torch.block_diag(identity, rotation) @ fold).float()


def filter_edges(x: Tensor, matrix: Tensor) -> Tensor:
    """Apply a 16 × 16 matrix across every edge between blocks, downwards and sideways: (B, C, H, W) -> like it.

    The matrix is the pre-filter, or its transpose, the post-filter.
    """
    half = BLOCK // 2
    for _ in range(2):
        inner = x[..., half:-half, :].unflatten(-2, (-1, BLOCK))  # (B, C, H/16 − 1, 16, W)
        inner = torch.einsum("uv,bcnvw->bcnuw", matrix, inner).flatten(-3, -2)
        x = torch.cat([x[..., :half, :], inner, x[..., -half:, :]], dim=-2).transpose(-1, -2)
    return x


class GainedAnalysis(nn.Module):
    """Pixels to coefficients in units of the quality's step: (B, 3, H, W), (B,) -> (B, M, H/16, W/16)."""

    prefilter: Tensor

    def __init__(self, hidden: int, depth: int) -> None:
        super().__init__()
        filters = dct_filters().flatten(1)  # (M, 3 · 16 · 16)
        self.dct = nn.Conv2d(filters.shape[1], len(filters), 1, bias=False)
        self.dct.weight.data.copy_(filters[:, :, None, None])
        self.register_buffer("prefilter", lapped_prefilter(), persistent=False)
        self.log_gain = QualityTable(torch.zeros(ROWS, len(filters)))
        self.refine = Refinement(len(filters), hidden, depth, hints=1)

    def gain(self, quality: Tensor) -> Tensor:
        """Steps in a grey level: (B,) -> (B, M, 1, 1)."""
        return self.log_gain(quality).exp() * (lambda_of(quality).sqrt() / STEP)[:, None, None, None]

    def distortion_weight(self, quality: Tensor) -> Tensor:
        """What an error of one step costs, in bits: (B,) -> (B, M, 1, 1), as far as the cosines are orthonormal.

        λ · 255² · MSE is a mean over three colours, while bits are counted per pixel.
        """
        return lambda_of(quality)[:, None, None, None] / (3 * self.gain(quality).square())

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        """x in [0, 1], height and width multiples of 16; quality (B,), real numbers from 1 to 100."""
        with torch.autocast(x.device.type, enabled=False):  # coefficients in the thousands need all of float32
            blocks = F.pixel_unshuffle(filter_edges(x - 0.5, self.prefilter), BLOCK)  # (B, 768, H/16, W/16)
            y = self.dct(blocks) * 255 * self.gain(quality)  # (B, M, H/16, W/16)
        return self.refine(y, quality_map(quality, y))


class GainedSynthesis(nn.Module):
    """Coefficients back to pixels: (B, M, H/16, W/16), (B,) -> (B, 3, H, W)."""

    prefilter: Tensor

    def __init__(self, hidden: int, depth: int, deblock: int) -> None:
        super().__init__()
        filters = dct_filters().flatten(1)  # (M, 3 · 16 · 16)
        self.refine = Refinement(len(filters), hidden, depth, hints=1)
        self.register_buffer("prefilter", lapped_prefilter(), persistent=False)
        self.log_step = QualityTable(torch.zeros(ROWS, len(filters)))
        self.idct = nn.Conv2d(len(filters), filters.shape[1], 1, bias=False)
        self.idct.weight.data.copy_(filters.T[:, :, None, None])
        self.deblock = DeblockingFilter(deblock)

    def forward(self, y_hat: Tensor, quality: Tensor) -> Tensor:
        """y_hat: in units of the quality's step; quality (B,). The picture is not clamped to [0, 1]."""
        y = self.refine(y_hat, quality_map(quality, y_hat))  # (B, M, H/16, W/16)
        step = self.log_step(quality).exp() * step_of(quality)
        with torch.autocast(y.device.type, enabled=False):
            blocks = self.idct(y * step / 255)  # (B, 768, H/16, W/16)
            x = filter_edges(F.pixel_shuffle(blocks, BLOCK), self.prefilter.T)  # (B, 3, H, W)
        return self.deblock(x, quality_map(quality, x)) + 0.5


class DeblockingFilter(nn.Module):
    """Removes the edges between blocks: a small network over pixels, four of them a position, that starts as 0."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.refine = Refinement(12, hidden, hints=1)

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        """x (B, 3, H, W), quality: the map (B, 1, H, W) of `quality_map` -> like x."""
        fours = F.pixel_unshuffle(x, 2)  # (B, 12, H/2, W/2)
        return F.pixel_shuffle(self.refine(fours, quality[:, :, ::2, ::2]), 2)  # (B, 3, H, W)
