"""One network for every quality: all that depends on it, from 1 to 100, and the frame of a variable-rate codec.

    λ(quality)    the Lagrange multiplier, which weighs distortion against bits: in equal ratios from one quality to
                  the next
    step          of the quantizer. What sets the rate is the step, and little else (Cui et al. 2021, "Asymmetric gained
                  deep image compression with continuous rate adaptation"); the one that suits λ is c / √λ, as in
                  `first_codec`
    quality map   the quality as one more input of a network
    QualityTable  numbers that are learned for ten qualities and interpolated in between

What says which table a symbol is coded with has to be the same on every machine: `QualityTable.in_units` gives whole
numbers, and of the quality map none of the hundred values is near half a unit, if the unit is a power of two.
"""

import torch
from torch import Tensor, nn

from tutorial_lib.padding import pad_to_multiple
from tutorial_lib.transform_codec import TransformCodec
from tutorial_lib.whole_networks import straight

LOWEST, HIGHEST = 1, 100  # qualities
ROWS, ROW_SPACING = 10, 11  # of a table: its rows, and how many qualities lie between two
LAMBDA_LOWEST, LAMBDA_HIGHEST = 0.0004, 0.12  # the Lagrange multiplier at either end
STEP = 4.5  # times 1 / √λ: the quantizer's step before training, in grey levels
# What a squared error of one such step costs, in bits, after an orthonormal transform. The same for every quality:
# λ · 255² · MSE is a mean over three colours, while bits are counted per pixel.
DISTORTION_WEIGHT = STEP**2 / 3
TABLE_LIMIT = 2.0**23  # of a table's numbers, in units


def lambda_of(quality: Tensor) -> Tensor:
    """λ of bits per pixel + λ · 255² · MSE, in equal ratios from one quality to the next; any shape."""
    return LAMBDA_LOWEST * (LAMBDA_HIGHEST / LAMBDA_LOWEST) ** ((quality - LOWEST) / (HIGHEST - LOWEST))


def step_of(quality: Tensor) -> Tensor:
    """The quantizer's step in grey levels: (B,) -> (B, 1, 1, 1)."""
    return (STEP / lambda_of(quality).sqrt())[:, None, None, None]


def quality_map(quality: Tensor, like: Tensor | None = None) -> Tensor:
    """The quality as a picture of one value, between −1 and 1: (B,) -> (B, 1, h, w), of the size of `like`.

    like None: of one pixel, (B, 1, 1, 1), which broadcasts.
    """
    middle = (LOWEST + HIGHEST) / 2
    pixel = ((quality - middle) / (HIGHEST - middle))[:, None, None, None]
    return pixel if like is None else pixel.expand(-1, 1, *like.shape[-2:])


class QualityTable(nn.Module):
    """A learned number for each channel and quality: `start` (ROWS, C) before training."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(start.clone())

    def forward(self, quality: Tensor) -> Tensor:
        """quality (B,), real numbers from 1 to 100 -> (B, C, 1, 1)."""
        place = (quality - LOWEST) / ROW_SPACING
        row = place.floor().clamp(max=ROWS - 2).long()
        values = torch.lerp(self.values[row], self.values[row + 1], (place - row)[:, None])  # (B, C)
        return values[:, :, None, None]

    def in_units(self, quality: Tensor, unit: float) -> Tensor:
        """The same in multiples of 1/unit, to which the rows are rounded: (B, C, 1, 1) float64 whole numbers.

        For whole qualities they are the same on every machine; for others, as near as floats are.
        """
        row = ((quality - LOWEST) / ROW_SPACING).floor().clamp(max=ROWS - 2).long()
        beyond = (quality - LOWEST - ROW_SPACING * row).double()[:, None]  # of 11: whole for whole qualities
        low, high = (self._row_in_units(each, unit) for each in (row, row + 1))
        # A GPU may divide by multiplying with 1 / 11. That rounds to the same: an eleventh is never near a half.
        return torch.round((low * (ROW_SPACING - beyond) + high * beyond) / ROW_SPACING)[:, :, None, None]

    def _row_in_units(self, row: Tensor, unit: float) -> Tensor:
        return torch.round(self.values.detach()[row].double() * unit).clamp(-TABLE_LIMIT, TABLE_LIMIT)  # (B, C)

    def rounded(self, quality: Tensor, unit: float) -> Tensor:
        """`in_units` as real numbers, float32, with the gradient of `forward`: exact below 2^24 units."""
        return straight(self(quality), (self.in_units(quality, unit) / unit).float())


# ---- what a conditioned prior is given


def given(condition: Tensor | None) -> Tensor:
    """The qualities (B,). Raises ValueError where there are none."""
    if condition is None:
        raise ValueError("this prior is conditioned on a quality.")
    return condition


def one_quality(condition: Tensor | None) -> Tensor:
    """The qualities (B,) of a batch that is coded: all the same whole one. Raises ValueError if they are not."""
    condition = given(condition)
    if len(condition) == 0 or (condition != condition[0].round()).any() or not LOWEST <= condition[0] <= HIGHEST:
        raise ValueError("a batch is coded at one whole quality.")
    return condition


# ---- the frame


class VariableRateCodec(TransformCodec):
    """The frame for qualities from 1 to 100. Its transforms take x or ŷ and the qualities (B,); so may its prior."""

    qualities = range(LOWEST, HIGHEST + 1)
    default_quality = 50

    def sample_condition(self, count: int, generator: torch.Generator) -> Tensor:
        """Uniform over the range of qualities, real numbers: (count,)."""
        return LOWEST + (HIGHEST - LOWEST) * torch.rand(count, generator=generator)

    def lagrange_multiplier(self, condition: Tensor | None) -> Tensor:
        """`lambda_of` the qualities: (B,). Raises ValueError for None."""
        if condition is None:
            raise ValueError("a codec of variable rate is trained at a quality for each image.")
        return lambda_of(condition)

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """The prior begins at the latents of x (B, 3, H, W) at each quality that a `QualityTable` has a row for."""
        rows = torch.arange(LOWEST, HIGHEST + 1.0, ROW_SPACING, device=x.device)
        quality = rows.repeat_interleave(len(x))
        padded, _ = pad_to_multiple(x, self.stride)
        self.prior.start_at(self.analysis(padded.repeat(len(rows), 1, 1, 1), quality), quality)
