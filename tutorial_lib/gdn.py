"""Generalized divisive normalization, and the transforms that the field built with it.

GDN (Ballé, Laparra & Simoncelli 2016) divides each channel by what its neighbours' energy predicts of its own:

    y_i = x_i / √(β_i + Σ_j γ_ij x_j²)

It is to these transforms what ReLU is elsewhere: photos' coefficients swell and shrink together, and after the
division they do so much less. The synthesis multiplies by the root instead, with parameters of its own.

β and γ must not become negative. Stored are r with β = r² − 2⁻³⁶ and r bounded from below, so that gradient descent
may do as it likes; names and values are CompressAI's, and its weights load.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib.entropy_bottleneck import lower_bound

OFFSET = 2.0**-18
BETA_MIN = 1e-6


class Gdn(nn.Module):
    """(B, C, H, W) -> (B, C, H, W). inverse: multiply instead of divide."""

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.full((channels,), 1.0 + OFFSET**2).sqrt())  # β = 1
        self.gamma = nn.Parameter((0.1 * torch.eye(channels) + OFFSET**2).sqrt())  # γ = 0.1 on the diagonal

    def forward(self, x: Tensor) -> Tensor:
        """x: (B, C, H, W). Returns a tensor like it."""
        beta = lower_bound(self.beta, (BETA_MIN + OFFSET**2) ** 0.5) ** 2 - OFFSET**2  # (C,)
        gamma = lower_bound(self.gamma, OFFSET) ** 2 - OFFSET**2  # (C, C)
        energy = F.conv2d(x**2, gamma[:, :, None, None], beta)  # (B, C, H, W)
        return x * (energy.sqrt() if self.inverse else energy.rsqrt())

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *args) -> None:
        """CompressAI's entries beside β and γ are constants: leave them out."""
        for key in [key for key in state_dict if key.startswith((f"{prefix}beta_reparam", f"{prefix}gamma_reparam"))]:
            del state_dict[key]
        super()._load_from_state_dict(state_dict, prefix, *args)


def conv(channels_in: int, channels_out: int, kernel: int = 5, stride: int = 2) -> nn.Conv2d:
    """A convolution to a `stride`-th of the size."""
    return nn.Conv2d(channels_in, channels_out, kernel, stride, padding=kernel // 2)


def deconv(channels_in: int, channels_out: int, kernel: int = 5, stride: int = 2) -> nn.ConvTranspose2d:
    """Its counterpart, to `stride` times the size."""
    return nn.ConvTranspose2d(channels_in, channels_out, kernel, stride, padding=kernel // 2, output_padding=stride - 1)


def gdn_analysis(N: int, M: int) -> nn.Sequential:
    """(B, 3, H, W) -> (B, M, H/16, W/16), as in Ballé et al. 2018."""
    return nn.Sequential(conv(3, N), Gdn(N), conv(N, N), Gdn(N), conv(N, N), Gdn(N), conv(N, M))


def gdn_synthesis(N: int, M: int) -> nn.Sequential:
    """(B, M, h, w) -> (B, 3, 16 h, 16 w)."""
    return nn.Sequential(
        deconv(M, N), Gdn(N, True), deconv(N, N), Gdn(N, True), deconv(N, N), Gdn(N, True), deconv(N, 3)
    )
