"""Transforms that start as what JPEG is made of, and learn from there.

    x ─ cosines ─ refine ─ dead zone ─ y ─ (round, code, decode) ─ ŷ ─ offset ─ refine ─ cosines ─ x̂

The discrete cosine transform (Ahmed, Natarajan & Rao 1974) describes a block of pixels by how much of each frequency
it holds. Here the block is 16 × 16 pixels × 3 colours, and the cosines over the three colours are simply grey,
red–blue and green–magenta. All of them together are orthonormal: an error in a coefficient is an error of the same
size in the picture, so one step for all quantizers is the right choice, and the way back is the transpose.

Before the first training step this is a working transform codec. What it lacks is learned on top of it:

- `Refinement`, a small network over neighbouring blocks on either side. Its last layer starts at zero, so that it
  starts as nothing. (JPEG's blocks do not know their neighbours; that is why one sees them.)
- A dead zone, one threshold a coefficient: small values become 0 *before* rounding, where they cost next to nothing.
  Classical encoders come to the same by optimising their choices for rate and distortion.
- The cosines themselves, slowly.
"""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK = 16
KEPT = (256, 64, 64)  # coefficients kept of each block's 256: all of grey's, the lowest of the two colours'


def dct_matrix(n: int) -> Tensor:
    """The orthonormal DCT-II: (n, n) float64, row k is the cosine of frequency k."""
    k = torch.arange(n, dtype=torch.float64)
    matrix = math.sqrt(2 / n) * torch.cos(math.pi * (2 * k + 1) * k[:, None] / (2 * n))  # (n, n)
    matrix[0] /= math.sqrt(2)
    return matrix


def dct_filters() -> Tensor:
    """The kept basis pictures of a block, (M, 3, 16, 16), orthonormal, each colour's from low to high frequency."""
    cosines, colours = dct_matrix(BLOCK), dct_matrix(3)
    frequency = torch.arange(BLOCK)
    order = (frequency[:, None] ** 2 + frequency**2).flatten().argsort(stable=True)
    blocks = torch.einsum("ui,vj->uvij", cosines, cosines).flatten(0, 1)[order]  # (256, 16, 16)
    kept = [torch.einsum("c,uij->ucij", colour, blocks[:count]) for colour, count in zip(colours, KEPT, strict=True)]
    return torch.cat(kept).float()  # (M, 3, 16, 16)


def coarse_to_fine() -> Tensor:
    """The kept coefficients' numbers (M,), sorted by frequency over all colours; of equal ones, grey comes first."""
    frequency = torch.arange(BLOCK)
    squares = (frequency[:, None] ** 2 + frequency**2).flatten().sort().values
    return torch.cat([squares[:count] for count in KEPT]).argsort(stable=True)  # (M,)


class Refinement(nn.Module):
    """y + a small network of y, which starts as y itself: its last layer is zero.

    depth: the number of 3 × 3 layers.
    """

    def __init__(self, channels: int, hidden: int, depth: int = 2) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels, hidden, 1), nn.LeakyReLU(0.1)]
        for _ in range(depth):
            # "replicate", because zeros would be an edge that is not in the picture
            layers += [nn.Conv2d(hidden, hidden, 3, padding=1, padding_mode="replicate"), nn.LeakyReLU(0.1)]
        last = nn.Conv2d(hidden, channels, 1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.network = nn.Sequential(*layers, last)

    def forward(self, y: Tensor) -> Tensor:
        """(B, channels, h, w) -> like y."""
        return y + self.network(y)


def parameter_groups(analysis: nn.Module, synthesis: nn.Module) -> list[dict[str, Any]]:
    """For an optimizer: the cosines, "linear", which are good already, and the "transforms" around them."""
    named = [*analysis.named_parameters(), *synthesis.named_parameters()]
    linear = [p for name, p in named if name in ("dct.weight", "idct.weight")]
    others = [p for name, p in named if name not in ("dct.weight", "idct.weight")]
    return [{"name": "linear", "params": linear, "lr": 1e-4}, {"name": "transforms", "params": others, "lr": 1e-3}]


class DctAnalysis(nn.Module):
    """Pixels to coefficients in units of the quantizer's step: (B, 3, H, W) -> (B, M, H/16, W/16)."""

    step: Tensor

    def __init__(self, step: float, hidden: int) -> None:
        super().__init__()
        filters = dct_filters()
        self.dct = nn.Conv2d(3, len(filters), BLOCK, stride=BLOCK, bias=False)
        self.dct.weight.data.copy_(filters)
        self.refine = Refinement(len(filters), hidden)
        self.dead_zone = nn.Parameter(torch.full((len(filters), 1, 1), 0.25))
        self.register_buffer("step", torch.tensor(step))

    def forward(self, x: Tensor) -> Tensor:
        """x in [0, 1], height and width multiples of 16."""
        y = self.refine(self.dct(x - 0.5) * (255 / self.step))  # (B, M, H/16, W/16)
        return y.sign() * F.relu(y.abs() - self.dead_zone)


class DctSynthesis(nn.Module):
    """Coefficients back to pixels: (B, M, H/16, W/16) -> (B, 3, H, W)."""

    step: Tensor

    def __init__(self, step: float, hidden: int) -> None:
        super().__init__()
        filters = dct_filters()
        # away from 0: it undoes part of the dead zone's pull
        self.reconstruction_offset = nn.Parameter(torch.full((len(filters), 1, 1), 0.1))
        self.refine = Refinement(len(filters), hidden)
        self.idct = nn.ConvTranspose2d(len(filters), 3, BLOCK, stride=BLOCK, bias=False)
        self.idct.weight.data.copy_(filters)
        self.register_buffer("step", torch.tensor(step))

    def forward(self, y_hat: Tensor) -> Tensor:
        """y_hat: whole numbers, of the step's size each. The picture is not clamped to [0, 1]."""
        y = self.refine(y_hat + self.reconstruction_offset * y_hat.clamp(-1, 1))  # (B, M, H/16, W/16)
        return self.idct(y * (self.step / 255)) + 0.5  # (B, 3, H, W)
