"""One network for every quality: what depends on it, from 1 to 100.

    λ(quality)   how much an error costs: in equal ratios from one quality to the next
    step         of the quantizer, the same for all bands: STEP / √λ grey levels (Cui et al. 2021 learn gains; here
                 they are fixed: the transform is nearly orthonormal, and learned ones drift in long trainings)
    plane        the quality as one more input of a network
    QualityTable numbers that are learned for ten qualities and interpolated in between

With `unit` numbers are rounded, such that every machine finds the same for a whole quality.
"""

import torch
from torch import Tensor, nn

from tutorial_lib.whole_networks import straight

LOWEST, HIGHEST = 1, 100  # qualities
ROWS, APART = 10, 11  # of a table, and how many qualities lie between two
LAMBDA_LOWEST, LAMBDA_HIGHEST = 0.0004, 0.12  # the price of an error at either end
STEP = 4.5  # times 1 / √λ: the quantizer's step, in grey levels


def lambda_of(quality: Tensor) -> Tensor:  # from variable_rate
    """λ of bits per pixel + λ · 255² · MSE, in equal ratios from one quality to the next; any shape."""
    return LAMBDA_LOWEST * (LAMBDA_HIGHEST / LAMBDA_LOWEST) ** ((quality - LOWEST) / (HIGHEST - LOWEST))


def step_of(quality: Tensor) -> Tensor:
    """The quantizer's step in grey levels: (B,) -> (B, 1, 1, 1)."""
    return (STEP / lambda_of(quality).sqrt())[:, None, None, None]


def error_price() -> float:
    """What an error of one step costs, in bits: the same for every quality.

    λ · 255² · MSE is a mean over three colours, while bits are counted per pixel.
    """
    return STEP**2 / 3


def check_quality(quality: int) -> None:  # from variable_rate
    """Raise ValueError unless it is a whole number from 1 to 100."""
    if isinstance(quality, bool) or not isinstance(quality, int) or not LOWEST <= quality <= HIGHEST:
        raise ValueError(f"a quality is a whole number from {LOWEST} to {HIGHEST}, not {quality!r}.")


def plane(quality: Tensor, unit: float | None = None) -> Tensor:
    """The quality between −1 and 1: (B,) -> (B, 1, 1, 1); in multiples of 1/unit, or as it is."""
    place = (2 * quality.double() - (LOWEST + HIGHEST)) / (HIGHEST - LOWEST)
    if unit:  # 99 is odd and unit a power of two: no whole quality is near a half, where machines might differ
        place = torch.round(place * unit) / unit
    return place.float()[:, None, None, None]


class QualityTable(nn.Module):  # from variable_rate
    """A learned number for each channel and quality: `start` (ROWS, C) before training."""

    def __init__(self, start: Tensor) -> None:
        super().__init__()
        self.values = nn.Parameter(start.clone())

    def forward(self, quality: Tensor, unit: float | None = None) -> Tensor:
        """quality (B,), real numbers from 1 to 100 -> (B, C, 1, 1); in multiples of 1/unit, or as they are.

        Raises ValueError for values that are not finite, where they are rounded.
        """
        row = ((quality - LOWEST) / APART).floor().clamp(max=ROWS - 2).long()
        beyond = quality - LOWEST - APART * row  # of 11: a whole number for whole qualities
        values = torch.lerp(self.values[row], self.values[row + 1], (beyond / APART)[:, None])[:, :, None, None]
        if not unit:
            return values  # (B, C, 1, 1)
        if not bool(self.values.isfinite().all()):
            raise ValueError("a quality's numbers are NaN or infinite: the weights have diverged.")
        low, high = (torch.round(self.values.detach().double()[r] * unit) for r in (row, row + 1))
        # How a division rounds may depend on the machine, but an eleventh is never near a half.
        sums = low * (APART - beyond.double()[:, None]) + high * beyond.double()[:, None]
        return straight(values, (torch.round(sums / APART) / unit).float()[:, :, None, None])
