"""Context models: what has been decoded already tells about what comes next.

    parameters from the hyperprior ─────────┐
    ŷ decoded so far ─ embed ─ context ─────┴─ 1×1 network ─ a scale and a mean for the positions whose turn it is

A context model is two things. A **network** that looks at a position's neighbourhood, and an **order** in which the
positions of the latent take their turns. What may be looked at follows from the order: a neighbour whose turn is
earlier. Everything else counts as zero, in training as in decoding; so a model cannot cheat.

    raster        row by row, left to right (Minnen, Ballé & Toderici 2018). A position needs its left neighbour and
                  the row above, up to two columns further right. So position (i, j) can go in turn 3 i + j: all those
                  of one turn lie on a slanted line and are decoded together. A latent of h × w takes w + 3 (h − 1)
                  turns instead of h · w (from w = 3 on), and the values are the same.
    checkerboard  two turns: the black squares know the hyperprior only, the white ones all the black (He et al. 2021).
    quarters      four turns: of each 2 × 2 square one position, then the one across, then the other two.

`ConvContext` weighs the neighbours with fixed weights: a masked convolution. `AttentionContext` chooses its weights by
what it finds there (as in Qian et al. 2022, within a window).

Encoder and decoder walk through the turns with the same function, `_walk`. So they compute the same parameters in the
same order, bit for bit; and the forward pass in evaluation mode walks, too.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib import rans
from tutorial_lib.entropy_coder import CoderSlot
from tutorial_lib.gaussian_conditional import GaussianConditional
from tutorial_lib.gdn import gdn_analysis, gdn_synthesis
from tutorial_lib.hyperprior import LogScales, SideInformation, minnen_networks, slim_side
from tutorial_lib.quantization import round_ste
from tutorial_lib.transform_codec import Strings, TransformCodec, parts

RADIUS = 2  # a neighbourhood is 5 × 5 positions
ORDERS = ("raster", "checkerboard", "quarters")


def turns(order: str, height: int, width: int) -> Tensor:
    """When each position is decoded: (h, w) whole numbers from 0 on, equal for those that are decoded together.

    Raises ValueError for an order that is none of `ORDERS`.
    """
    row, column = torch.arange(height)[:, None], torch.arange(width)
    if order == "raster":
        return (RADIUS + 1) * row + column
    if order == "checkerboard":
        return (row + column) % 2
    if order == "quarters":
        return torch.tensor([[0, 2], [3, 1]])[row % 2, column % 2]
    raise ValueError(f"the order {order!r} is none of {', '.join(ORDERS)}.")


def neighbours(order: str) -> Tensor:
    """The places of a neighbourhood that can be known at all, (T, 2): rows and columns relative to the centre."""
    middle = 4  # of a map that is large enough to show all kinds of positions
    around = turns(order, 2 * middle + 2, 2 * middle + 2)
    places = []
    for down in range(-RADIUS, RADIUS + 1):
        for right in range(-RADIUS, RADIUS + 1):
            centres = around[middle : middle + 2, middle : middle + 2]
            there = around[middle + down : middle + down + 2, middle + right : middle + right + 2]
            if (there < centres).any():
                places.append((down, right))
    return torch.tensor(places)


class ConvContext(nn.Module):
    """A masked convolution: a sum over the known neighbours, (B, C, T, n) -> (B, features, n)."""

    def __init__(self, channels: int, features: int, places: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(channels * places)
        self.weight = nn.Parameter(torch.empty(features, channels, places).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(features, 1))

    def forward(self, values: Tensor, known: Tensor, parameters: Tensor) -> Tensor:
        """values: the neighbours'; known: (T, n), 1 or 0; parameters: not looked at."""
        masked = (values * known).flatten(1, 2)  # (B, C T, n)
        return self.weight.flatten(1) @ masked + self.bias  # (B, features, n)


class AttentionContext(nn.Module):
    """Multi-head attention: the parameters ask, the known neighbours answer, (B, C, T, n) -> (B, features, n).

    A learned answer stands for "nobody", so that there is one even where no neighbour is known.
    """

    def __init__(self, channels: int, features: int, places: int, parameters: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(parameters, features)
        self.key = nn.Linear(channels, features, bias=False)
        self.value = nn.Linear(channels, features, bias=False)
        self.place = nn.Parameter(torch.zeros(heads, places))  # how much each place matters, whatever is there
        self.nobody = nn.Parameter(torch.zeros(2, features))  # its key and its value
        self.out = nn.Linear(features, features)

    def forward(self, values: Tensor, known: Tensor, parameters: Tensor) -> Tensor:
        """parameters: (B, P, n), those of the positions in question."""
        around = values.permute(0, 3, 2, 1)  # (B, n, T, C)
        nobody = self.nobody.expand(*around.shape[:2], 2, -1)  # (B, n, 2, features)
        keys = torch.cat([self.key(around), nobody[:, :, :1]], dim=2)  # (B, n, T + 1, features)
        answers = torch.cat([self.value(around), nobody[:, :, 1:]], dim=2)
        question = self.query(parameters.transpose(1, 2))  # (B, n, features)
        keys, answers = keys.unflatten(-1, (self.heads, -1)), answers.unflatten(-1, (self.heads, -1))
        question = question.unflatten(-1, (self.heads, -1))  # (B, n, heads, d)
        match = torch.einsum("bnhd,bnthd->bnht", question, keys) / math.sqrt(question.shape[-1])
        match = match + F.pad(self.place, (0, 1))  # (B, n, heads, T + 1)
        allowed = F.pad(known.T, (0, 1), value=1.0).bool()[:, None]  # (n, 1, T + 1)
        weights = match.masked_fill(~allowed, -math.inf).softmax(dim=-1)
        answer = torch.einsum("bnht,bnthd->bnhd", weights, answers).flatten(2)  # (B, n, features)
        return self.out(answer).transpose(1, 2)  # (B, features, n)


class ContextPrior(nn.Module):
    """Scales and means from side information and from the neighbours that are known.

    channels: M, those of y.
    side:    side information with P parameters, of any meaning.
    embed:   (B, M, n) -> (B, C, n), position by position: what of ŷ the context sees.
    context: `ConvContext` or `AttentionContext`.
    fuse:    (B, P + features, n) -> (B, 2 M, n): scales and means.
    """

    def __init__(
        self,
        channels: int,
        side: SideInformation,
        embed: nn.Module,
        context: nn.Module,
        fuse: nn.Module,
        order: str = "raster",
        noise: bool = True,
    ) -> None:
        super().__init__()
        self.side, self.embed, self.context, self.fuse = side, embed, context, fuse
        self.channels = channels
        self.order = order
        self.places = [tuple(place) for place in neighbours(order).tolist()]
        self.gaussian = GaussianConditional(noise=noise)
        self.slot = CoderSlot()

    def forward(self, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        parameters, z_likelihoods = self.side(y)  # (B, P, h, w)
        if self.training:
            y_hat, likelihoods = self.gaussian(y, *self._all_at_once(y, parameters))
            return y_hat, {"y": likelihoods, "z": z_likelihoods}
        likelihoods = torch.empty_like(y)

        def quantize(scales: Tensor, means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
            y_hat, likelihoods[:, :, rows, columns] = self.gaussian(y[:, :, rows, columns], scales, means)
            return y_hat

        return self._walk(parameters, quantize), {"y": likelihoods, "z": z_likelihoods}

    def build_coder(self) -> None:
        self.side.build_coder()
        self.slot.build(self.gaussian)

    def compress(self, y: Tensor) -> list[list[bytes]]:
        z_strings, parameters = self.side.compress(y)
        symbols, indexes = [], []  # one entry a turn, each (B, M, n)

        def write(scales: Tensor, means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
            symbols.append(torch.round(y[:, :, rows, columns] - means).detach())
            indexes.append(self.gaussian.indexes(scales))
            return symbols[-1] + means

        self._walk(parameters, write)
        tables = self.slot.coder.tables
        in_order = [torch.cat([turn.flatten(1) for turn in all_turns], dim=1) for all_turns in (symbols, indexes)]
        in_order = [values.cpu().numpy() for values in in_order]  # (B, M h w) each
        return [z_strings, [rans.encode(*image, tables) for image in zip(*in_order, strict=True)]]

    def decompress(self, strings: Strings, shape: tuple[int, int]) -> Tensor:
        z_strings, y_strings = parts(strings, 2)
        parameters = self.side.decompress(z_strings, shape)
        decoders = [rans.Decoder(string, self.slot.coder.tables) for string in y_strings]

        def read(scales: Tensor, means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
            indexes = self.gaussian.indexes(scales).cpu().numpy()
            symbols = [decoder.pull(image) for decoder, image in zip(decoders, indexes, strict=True)]
            return torch.from_numpy(np.stack(symbols)).to(means) + means  # (B, M, n)

        y_hat = self._walk(parameters, read)
        for decoder in decoders:
            decoder.finish()
        return y_hat

    def _walk(self, parameters: Tensor, decide: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        """Turn by turn, ask decide(scales, means, rows, columns) for ŷ at these positions: (B, M, n). Returns ŷ."""
        turn = turns(self.order, *parameters.shape[-2:]).to(parameters.device)  # (h, w)
        y_hat = parameters.new_zeros(len(parameters), self.channels, *turn.shape)  # (B, M, h, w)
        seen = self._seen(torch.zeros_like(y_hat))
        for now in turn.unique().tolist():
            rows, columns = (turn == now).nonzero(as_tuple=True)  # (n,) each
            values = decide(*self._look(seen, parameters, turn, rows, columns), rows, columns)
            y_hat[:, :, rows, columns] = values
            seen[:, :, rows + RADIUS, columns + RADIUS] = self.embed(values)
        return y_hat

    def _all_at_once(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Scales and means of all positions, for training: ŷ is needed before the means that make it are known.

        So it is guessed, as round(y), then once more with the means which that gives.
        """
        turn = turns(self.order, *y.shape[-2:]).to(y.device)
        rows, columns = (turn >= 0).nonzero(as_tuple=True)  # (h w,) each
        with torch.no_grad():
            _, means = self._look(self._seen(round_ste(y)), parameters, turn, rows, columns)
            means = means.unflatten(-1, turn.shape)
        scales, means = self._look(self._seen(round_ste(y - means) + means), parameters, turn, rows, columns)
        return scales.unflatten(-1, turn.shape), means.unflatten(-1, turn.shape)  # (B, M, h, w) each

    def _seen(self, y_hat: Tensor) -> Tensor:
        """A whole ŷ, (B, M, h, w), as the context sees it: (B, C, h + 4, w + 4)."""
        return F.pad(self.embed(y_hat.flatten(2)).unflatten(-1, y_hat.shape[-2:]), [RADIUS] * 4)

    def _look(
        self, seen: Tensor, parameters: Tensor, turn: Tensor, rows: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Scales and means, (B, M, n) each, of some positions, from what of ŷ their turns may see."""
        down, right = torch.tensor(self.places, device=turn.device).T[:, :, None]  # (T, 1) each
        there = (rows + RADIUS + down, columns + RADIUS + right)  # (T, n) each, in padded maps
        never = int(turn.max()) + 1
        known = F.pad(turn, [RADIUS] * 4, value=never)[there] < turn[rows, columns]  # (T, n)
        here = parameters[:, :, rows, columns]  # (B, P, n)
        features = self.context(seen[:, :, *there], known.float(), here)  # (B, features, n)
        scales, means = self.fuse(torch.cat([here, features], dim=1)).chunk(2, dim=1)
        return scales, means


def slim_context(kind: type[ConvContext] | type[AttentionContext], order: str, M: int, N: int = 64) -> ContextPrior:
    """A context model for a latent of many channels, around `slim_side`, trained on whole numbers."""
    places = len(neighbours(order))
    context = ConvContext(N, N, places) if kind is ConvContext else AttentionContext(N, N, places, N)
    fuse = nn.Sequential(
        nn.Conv1d(2 * N, 2 * N, 1), nn.LeakyReLU(), nn.Conv1d(2 * N, 2 * M, 1), LogScales(M)
    )  # (B, 2 M, n)
    return ContextPrior(M, slim_side(M, N), nn.Conv1d(M, N, 1, bias=False), context, fuse, order, noise=False)


def joint_autoregressive(N: int, M: int) -> TransformCodec:
    """Minnen, Ballé & Toderici 2018, whole ("mbt2018"): a mean-scale hyperprior and a masked 5 × 5 convolution."""
    widths = (4 * M, M * 10 // 3, M * 8 // 3, 2 * M)
    layers = [layer for pair in pairwise(widths) for layer in (nn.Conv1d(*pair, 1), nn.LeakyReLU())]
    side = SideInformation(*minnen_networks(N, M), N)
    context = ConvContext(M, 2 * M, len(neighbours("raster")))
    prior = ContextPrior(M, side, nn.Identity(), context, nn.Sequential(*layers[:-1]), "raster")
    return TransformCodec(gdn_analysis(N, M), gdn_synthesis(N, M), prior, stride=16)
