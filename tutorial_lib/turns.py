"""The first slice in turns: coarse to fine in space, each position predicted from known ones all around it.

The first slice holds each block's mean colours and slowest waves: at low rates most of a file's bits. Neighbouring
blocks resemble each other, and slices of channels do not see it: they are predicted from *other* channels. So this
slice has a context model (09), of few turns however large the photo is: first every fourth position in both directions,
then the middles between known ones, until none is left (as in pyramids of pictures, or in interlaced PNG).

A position between four known ones is foretold better than one behind them: interpolating is easier than extrapolating.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib.portable import LIMIT, PortableConv, portable_network

TURNS = 5
NEAREST = (  # for each turn, where the nearest known positions are: (rows down, columns right)
    (),
    ((-2, -2), (-2, 2), (2, -2), (2, 2)),
    ((-2, 0), (0, -2), (0, 2), (2, 0)),
    ((-1, -1), (-1, 1), (1, -1), (1, 1)),
    ((-1, 0), (0, -1), (0, 1), (1, 0)),
)


def turns_of(height: int, width: int) -> Tensor:
    """The turn in which each position of the first slice is decoded: (h, w), 0 to 4.

    0 4 2 4 0
    4 3 4 3 4    Turn 0 has one position in sixteen. Each turn fills the middles of the squares that the turns before it
    2 4 1 4 2    have left, upright ones and tilted ones by turns: its nearest known positions are four, all around it.
    4 3 4 3 4
    """
    row, column = torch.arange(height)[:, None], torch.arange(width)
    turn = torch.where((row + column) % 2 == 1, 4, 3).expand(height, width).clone()  # (h, w)
    turn[::2, ::2] = 2
    turn[2::4, 2::4] = 1
    turn[::4, ::4] = 0
    return turn


class Turn(nn.Module):
    """Predicts the first slice in one turn, everywhere, of which those positions count whose turn it is.

    channels: of the slice. A convolution over what is known starts as the mean of the nearest known positions, and
    what a small network adds to it is to start near 0.
    """

    def __init__(self, turn: int, channels: int, P: int, inner: int) -> None:
        super().__init__()
        self.from_features = PortableConv(P, inner, relu=False)
        self.from_known = PortableConv(channels, inner, 5, relu=False)
        self.network = portable_network(inner, inner, 2 * channels, kernels=(1, 1))
        self.nearest = PortableConv(channels, channels, 5, relu=False)
        self.from_known.weight.data *= 0.1  # coefficients are larger than features
        nn.init.zeros_(self.nearest.weight)
        nn.init.zeros_(self.nearest.bias)
        for down, right in NEAREST[turn]:
            self.nearest.weight.data[range(channels), range(channels), 2 + down, 2 + right] = 1 / len(NEAREST[turn])

    def forward(self, features: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """known: ŷ where its turn is over, elsewhere the last turn's means. Gives levels and means, like `known`."""
        hidden = F.relu(self.from_features(features) + self.from_known(known))  # (B, inner, h, w)
        levels, means = self.network(hidden).float().chunk(2, dim=1)
        return levels, means + self.nearest(known).float()

    def exact(self, features: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
        """The same in fixed point."""
        hidden = (self.from_features.exact(features) + self.from_known.exact(known)).clamp(0, LIMIT)
        levels, means = self.network.exact(hidden).chunk(2, dim=1)
        return levels, (means + self.nearest.exact(known)).clamp(-LIMIT, LIMIT)
