"""From decoded coefficients to a picture: corrections, inverse wavelet, restoration at half and quarter resolution.

    ŷ ─ + corrections ─ · step ─ inverse wavelet ─ colours ─┬──────────────────────────────────────────── + ─ x̂
                                                            ├─ half resolution ─ conv ─ + ─ conv ─ conv ──┘
          features of the two finest levels ─ also seen     └─ quarter ─ residual blocks ─┘

All of it is the decoder's alone and float32: no symbol depends on what is computed here. It is worth an eighth of the
bits (at equal PSNR), the corrections of coefficients a twenty-fifth.

From the first parts alone it gives the picture without its finest details (unrestored: the networks need all levels),
or a small one: the low-pass of a level, divided by what the wavelet multiplies brightness with, 2 for each level.

*Reach*: at quarter resolution 2 positions a block, at half resolution 3, behind the features' own.
"""

from collections.abc import Sequence
from functools import reduce
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib.quality import ROWS, QualityTable, quality_map, step_of
from tutorial_lib.subband_prior import Decoded
from tutorial_lib.wavelet import colour_matrix, join, sizes, turn_colours
from tutorial_lib.whole_networks import UNIT

SLOPE = 0.1


class Conv(nn.Conv2d):
    """A convolution that keeps the size: edges are repeated."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 3) -> None:
        super().__init__(channels_in, channels_out, kernel, padding=kernel // 2, padding_mode="replicate")


def act(x: Tensor, inplace: bool = False) -> Tensor:
    """inplace: x is not needed any more, nor are gradients."""
    return F.leaky_relu(x, SLOPE, inplace=inplace and not torch.is_grad_enabled())


def plus(x: Tensor, y: Tensor) -> Tensor:
    """x + y; x is not needed any more, nor are gradients."""
    return x + y if torch.is_grad_enabled() else x.add_(y)


class LastFeatures(nn.Module):
    """Of the finest level: what is made of its features by its own coefficients, (B, C, h, w) -> like it."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.inward = nn.ModuleList([nn.Conv2d(C, C, 1), Conv(18, C)])
        self.last = Conv(C, C)

    def forward(self, f: Tensor, y_hat: Tensor) -> Tensor:
        t = y_hat.sign() * torch.log1p(y_hat.abs())
        f = act(total(self.inward, (f, torch.cat([t, t.abs()], dim=1))), inplace=True)
        return act(plus(self.last(f), f), inplace=True)


class Restoration(nn.Module):
    """Adds to a picture what networks at a quarter and at half of its resolution make of it and of features.

    fine, coarse: channels of the features of the two finest levels; half, quarter: widths; blocks: at a quarter.
    """

    def __init__(self, fine: int, coarse: int, half: int, quarter: int, blocks: int) -> None:
        super().__init__()
        self.inward = nn.ModuleList([nn.Conv2d(3, quarter, 4, 4), nn.Conv2d(fine, quarter, 2, 2, bias=False)])
        self.inward.extend([nn.Conv2d(coarse, quarter, 1, bias=False), nn.Conv2d(1, quarter, 1, bias=False)])
        self.blocks = nn.ModuleList(
            nn.ModuleList([Conv(quarter, quarter), Conv(quarter, quarter)]) for _ in range(blocks)
        )
        self.upward = nn.Conv2d(quarter, 4 * half, 1)
        self.first = nn.ModuleList([Conv(12, half), Conv(fine, half), nn.Conv2d(1, half, 1, bias=False)])
        self.second, self.third = Conv(half, half), Conv(half, 12)
        with torch.no_grad():
            for _, second in self._pairs:
                second.weight.mul_(0.1)
            for parameter in self.third.parameters():
                parameter.zero_()

    @property
    def _pairs(self) -> list[tuple[Conv, Conv]]:
        """`blocks`; a ModuleList does not tell of what kind its modules are."""
        return [cast(tuple[Conv, Conv], tuple(cast(nn.ModuleList, block))) for block in self.blocks]

    def forward(self, x: Tensor, fine: Tensor, coarse: Tensor, hint: Tensor) -> Tensor:
        """x (B, 3, H, W), fine (B, C, ⌈H/2⌉, ⌈W/2⌉), coarse (B, C, ⌈H/4⌉, ⌈W/4⌉), hint (B, 1, 1, 1) -> like x.

        hint: the quality map.
        """
        height, width = x.shape[-2:]
        x = filled(x, 4)
        fine = filled(fine, 2)
        t = total(self.inward, (x, fine, coarse, hint))
        for first, second in self._pairs:
            t = plus(second(act(first(act(t)), inplace=True)), t)
        h = total(self.first, (F.pixel_unshuffle(x, 2), fine, hint))
        h = act(plus(h, F.pixel_shuffle(self.upward(act(t)), 2)), inplace=True)
        h = self.third(act(plus(self.second(h), h), inplace=True))
        return (x + F.pixel_shuffle(h, 2))[..., :height, :width]


def total(convs: nn.ModuleList, xs: tuple[Tensor, ...]) -> Tensor:
    """Of a convolution of each: what one convolution of all would give, without copying them together."""
    terms = (conv(x.contiguous(memory_format=torch.channels_last)) for conv, x in zip(convs, xs, strict=True))
    return reduce(plus, terms)


def filled(x: Tensor, multiple: int) -> Tensor:
    """Edges repeated at the right and the bottom, up to multiples of a number."""
    down, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    return F.pad(x, (0, right, 0, down), mode="replicate") if down or right else x


class WaveletSynthesis(nn.Module):
    """ŷ and the quality -> x̂. C: widths of the prior's features, from the finest level on; two at least."""

    colours: Tensor

    def __init__(self, C: Sequence[int], half: int, quarter: int, blocks: int) -> None:
        super().__init__()
        if len(C) < 2:
            raise ValueError("the restoration looks at features of two levels: give two at least.")
        self.levels = len(C)
        self.last_features = LastFeatures(C[0])
        self.corrections = nn.ModuleList(nn.Conv2d(c, 9, 1) for c in reversed(C))  # of details, coarse to fine
        for parameter in self.corrections.parameters():
            nn.init.zeros_(parameter)
        self.log_step = nn.ModuleList(QualityTable(torch.zeros(ROWS, 9 if n else 3)) for n in range(len(C) + 1))
        self.restoration = Restoration(C[0], C[1], half, quarter, blocks)
        self.register_buffer("colours", colour_matrix(), persistent=False)
        self.reach = 4 * blocks + 8  # of the last features and the restoration, in positions of the finest level

    def forward(self, y_hat: Decoded, quality: Tensor, smaller: int = 0) -> Tensor:
        """quality (B,) -> (B, 3, H, W), in [0, 1] but for errors; or the small picture of level `smaller`.

        The small one's sides are H and W, halved `smaller` times and rounded up.
        """
        step = step_of(quality)
        features = [f / UNIT for f in y_hat.features]
        if len(features) > self.levels:
            features[-1] = self.last_features(features[-1], y_hat.parts[-1])
        sides = sizes(y_hat.shape, self.levels)
        picture = y_hat.parts[0] * self.log_step[0](quality).exp()
        for part in range(1, self.levels - smaller + 1):
            details = y_hat.parts[part]
            if part < len(features):
                details = (details + self.corrections[part - 1](features[part])) * self.log_step[part](quality).exp()
            picture = join(picture, details.unflatten(1, (3, 3)), sides[-part - 1])
        picture = turn_colours(picture * (step / (255 * 2**smaller)), self.colours.T)
        if not smaller and len(features) > self.levels:
            picture = self.restoration(picture, features[-1], features[-2], quality_map(quality))
        return picture + 0.5

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For an optimizer: networks (at 3e-3 their loss jumps in long runs) and the steps' factors."""
        steps = list(self.log_step.parameters())
        networks = [p for name, p in self.named_parameters() if not name.startswith("log_step.")]
        return [{"name": "synthesis", "params": networks, "lr": 1e-3}, {"name": "steps", "params": steps, "lr": 2e-3}]
