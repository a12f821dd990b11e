"""Context models: what has been decoded already tells about what comes next.

    parameters from the hyperprior ─────────┐
    ŷ decoded so far ─ embed ─ context ─────┴─ 1×1 network ─ a scale and a mean for the positions of this pass

A context model is two things. A **network** that looks at a position's neighbourhood, and an **order** in which the
positions of the latent are coded. It is given as **coding passes**: all positions of one pass are coded together, and
know those of earlier passes. Whatever else lies in the neighbourhood counts as zero, in training as in decoding; so a
model cannot cheat. `coding_passes` describes every order of the course:

    raster        row by row, left to right, one position a pass (Minnen, Ballé & Toderici 2018). A position needs its
                  left neighbour and the row above, up to two columns further right.
    wavefront     the same neighbours, so the same values, in fewer passes: (i, j) can go in pass 3 i + j, since all
                  that it needs has gone before. The positions of a pass lie on a slanted line. A latent of h × w
                  takes w + 3 (h − 1) passes instead of h · w (from w = 3 on).
    checkerboard  two passes: the black squares, called anchors, know the hyperprior only, the white ones all the black
                  (He et al. 2021).
    quarters      four passes: of each 2 × 2 square one position, then the one across, then the other two.
    pyramid       five passes, coarse to fine: every fourth position in both directions, then the middles of the
                  squares that the passes before have left, upright and tilted ones in turn.

`ConvContext` weighs the neighbours with fixed weights: a masked convolution. `AttentionContext` chooses its weights by
what it finds there (as in Qian et al. 2022, within a window).

Encoder and decoder go through the passes with the same function, an autoregressive scan, `_scan`. So they compute the
same parameters in the same order, bit for bit; and the forward pass in evaluation mode scans, too.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib import rans
from tutorial_lib.codec_registry import register_codec
from tutorial_lib.gdn import gdn_analysis, gdn_synthesis
from tutorial_lib.hyperprior import (
    ScaleMeanHead,
    SideBySide,
    SideInformation,
    SideInformedPrior,
    minnen_networks,
    slim_features,
)
from tutorial_lib.prior import Strings, check_parts
from tutorial_lib.quantization import round_ste
from tutorial_lib.transform_codec import TransformCodec

RADIUS = 2  # a neighbourhood is 5 × 5 positions
PYRAMID = [[0, 4, 2, 4], [4, 3, 4, 3], [2, 4, 1, 4], [4, 3, 4, 3]]  # the passes of 4 × 4 positions, repeated

# order: the pass of each position, from its row (h, 1), its column (w,), and w
ORDERS: dict[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "raster": lambda row, column, width: row * width + column,
    "wavefront": lambda row, column, width: (RADIUS + 1) * row + column,
    "checkerboard": lambda row, column, width: (row + column) % 2,
    "quarters": lambda row, column, width: torch.tensor([[0, 2], [3, 1]])[row % 2, column % 2],
    "pyramid": lambda row, column, width: torch.tensor(PYRAMID)[row % 4, column % 4],
}


def coding_passes(order: str, height: int, width: int) -> Tensor:
    """The pass in which each position is coded: (h, w) whole numbers from 0 on, equal for those coded together.

    Raises ValueError for an order that is none of `ORDERS`.

    >>> coding_passes("quarters", 2, 4).tolist()
    [[0, 2, 0, 2], [3, 1, 3, 1]]
    """
    if order not in ORDERS:
        raise ValueError(f"the order {order!r} is none of {', '.join(ORDERS)}.")
    return ORDERS[order](torch.arange(height)[:, None], torch.arange(width), width)


def neighbours(order: str) -> Tensor:
    """The places of a neighbourhood that can be known at all, (T, 2): rows and columns relative to the centre."""
    known = [_known_places(order, number) for number in range(len(_middle(order).unique()))]
    return torch.tensor(sorted(set().union(*known)))


def _middle(order: str) -> Tensor:
    """The passes of 4 × 4 positions in the middle of a map, where all kinds of positions are."""
    return coding_passes(order, 12, 12)[4:8, 4:8]


def _known_places(order: str, number: int) -> set[tuple[int, int]]:
    """Of the number-th pass in `_middle`: the places, within the radius, of which some position knows the value."""
    around, middle = coding_passes(order, 12, 12), _middle(order)
    rows, columns = (middle == middle.unique()[number]).nonzero(as_tuple=True)
    reach = range(-RADIUS, RADIUS + 1)
    return {
        (down, right)
        for down in reach
        for right in reach
        if (around[4 + rows + down, 4 + columns + right] < around[4 + rows, 4 + columns]).any()
    }


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

    A learned null token stands beside them, so that there is an answer even where no neighbour is known.
    """

    def __init__(self, channels: int, features: int, places: int, parameters: int, heads: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(parameters, features)
        self.key = nn.Linear(channels, features, bias=False)
        self.value = nn.Linear(channels, features, bias=False)
        self.place = nn.Parameter(torch.zeros(heads, places))  # how much each place matters, whatever is there
        self.null_token = nn.Parameter(torch.zeros(2, features))  # its key and its value
        self.out = nn.Linear(features, features)

    def forward(self, values: Tensor, known: Tensor, parameters: Tensor) -> Tensor:
        """parameters: (B, P, n), those of the positions in question."""
        around = values.permute(0, 3, 2, 1)  # (B, n, T, C)
        null = self.null_token.expand(*around.shape[:2], 2, -1)  # (B, n, 2, features)
        keys = torch.cat([self.key(around), null[:, :, :1]], dim=2)  # (B, n, T + 1, features)
        answers = torch.cat([self.value(around), null[:, :, 1:]], dim=2)
        question = self.query(parameters.transpose(1, 2))  # (B, n, features)
        keys, answers = keys.unflatten(-1, (self.heads, -1)), answers.unflatten(-1, (self.heads, -1))
        question = question.unflatten(-1, (self.heads, -1))  # (B, n, heads, d)
        match = torch.einsum("bnhd,bnthd->bnht", question, keys) / math.sqrt(question.shape[-1])
        match = match + F.pad(self.place, (0, 1))  # (B, n, heads, T + 1)
        allowed = F.pad(known.T, (0, 1), value=1.0).bool()[:, None]  # (n, 1, T + 1)
        weights = match.masked_fill(~allowed, -math.inf).softmax(dim=-1)
        answer = torch.einsum("bnht,bnthd->bnhd", weights, answers).flatten(2)  # (B, n, features)
        return self.out(answer).transpose(1, 2)  # (B, features, n)


class ContextPrior(SideInformedPrior):
    """Scales and means from side information and from the neighbours that are known.

    channels: M, those of y.
    side:    side information with P parameters, of any meaning.
    embed:   (B, M, n) -> (B, C, n), position by position: what of ŷ the context sees.
    context: `ConvContext` or `AttentionContext`.
    fuse:    (B, P + features, n) -> (B, 2 M, n): scales and means.
    """

    required_parts = 2

    def __init__(
        self,
        channels: int,
        side: SideInformation,
        embed: nn.Module,
        context: nn.Module,
        fuse: nn.Module,
        order: str = "wavefront",
        noise: bool = True,
    ) -> None:
        super().__init__(side, noise)
        self.embed, self.context, self.fuse = embed, context, fuse
        self.channels = channels
        self.order = order
        self.places = [tuple(place) for place in neighbours(order).tolist()]

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Prior.forward`. In training all positions at once; in evaluation mode pass by pass, as in coding."""
        parameters, z_likelihoods = self.side(y)  # (B, P, h, w)
        if self.training:
            y_hat, likelihoods = self.gaussian(y, *self._all_at_once(y, parameters))
            return y_hat, {"y": likelihoods, "z": z_likelihoods}
        likelihoods = torch.empty_like(y)

        def quantize(scales: Tensor, means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
            y_hat, likelihoods[:, :, rows, columns] = self.gaussian(y[:, :, rows, columns], scales, means)
            return y_hat

        return self._scan(parameters, quantize), {"y": likelihoods, "z": z_likelihoods}

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        """Two parts: z's strings, and y's, whose symbols stand in the order of the passes. See `Prior.compress`."""
        z_strings, parameters = self.side.compress(y)
        symbols, indexes = [], []  # one entry a pass, each (B, M, n)

        def write(scales: Tensor, means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
            symbols.append(torch.round(y[:, :, rows, columns] - means).detach())
            indexes.append(self.gaussian.indexes(scales))
            return symbols[-1] + means

        self._scan(parameters, write)
        tables = self.holder.coder.tables
        # (B, M h w) each, in the order of the passes
        all_symbols, all_indexes = (
            torch.cat([each.flatten(1) for each in passes], dim=1).cpu().numpy() for passes in (symbols, indexes)
        )
        return [z_strings, [rans.encode(s, i, tables) for s, i in zip(all_symbols, all_indexes, strict=True)]]

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        z_strings, y_strings = check_parts(strings, 2)
        parameters = self.side.decompress(z_strings, shape)
        decoders = [rans.Decoder(string, self.holder.coder.tables) for string in y_strings]

        def read(scales: Tensor, means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
            indexes = self.gaussian.indexes(scales).cpu().numpy()
            symbols = [decoder.pop(image) for decoder, image in zip(decoders, indexes, strict=True)]
            return torch.from_numpy(np.stack(symbols)).to(means) + means  # (B, M, n)

        y_hat = self._scan(parameters, read)
        for decoder in decoders:
            decoder.finish()
        return y_hat

    def _scan(self, parameters: Tensor, code: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Tensor:
        """Pass by pass, ask code(scales, means, rows, columns) for ŷ at these positions: (B, M, n). Returns ŷ."""
        pass_of = coding_passes(self.order, *parameters.shape[-2:]).to(parameters.device)  # (h, w)
        y_hat = parameters.new_zeros(len(parameters), self.channels, *pass_of.shape)  # (B, M, h, w)
        seen = self._seen(torch.zeros_like(y_hat))
        for now in pass_of.unique().tolist():
            rows, columns = (pass_of == now).nonzero(as_tuple=True)  # (n,) each
            values = code(*self._look(seen, parameters, pass_of, rows, columns), rows, columns)
            y_hat[:, :, rows, columns] = values
            seen[:, :, rows + RADIUS, columns + RADIUS] = self.embed(values)
        return y_hat

    def _all_at_once(self, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """Scales and means of all positions, for training: ŷ is needed before the means that make it are known.

        So it is guessed, as round(y), then once more with the means which that gives.
        """
        pass_of = coding_passes(self.order, *y.shape[-2:]).to(y.device)
        rows, columns = (pass_of >= 0).nonzero(as_tuple=True)  # (h w,) each
        with torch.no_grad():
            _, means = self._look(self._seen(round_ste(y)), parameters, pass_of, rows, columns)
            means = means.unflatten(-1, pass_of.shape)
        scales, means = self._look(self._seen(round_ste(y - means) + means), parameters, pass_of, rows, columns)
        return scales.unflatten(-1, pass_of.shape), means.unflatten(-1, pass_of.shape)  # (B, M, h, w) each

    def _seen(self, y_hat: Tensor) -> Tensor:
        """A whole ŷ, (B, M, h, w), as the context sees it: (B, C, h + 4, w + 4)."""
        return F.pad(self.embed(y_hat.flatten(2)).unflatten(-1, y_hat.shape[-2:]), [RADIUS] * 4)

    def _look(
        self, seen: Tensor, parameters: Tensor, pass_of: Tensor, rows: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Scales and means, (B, M, n) each, of some positions, from what of ŷ their passes may see."""
        down, right = torch.tensor(self.places, device=pass_of.device).T[:, :, None]  # (T, 1) each
        there = (rows + RADIUS + down, columns + RADIUS + right)  # (T, n) each, in padded maps
        never = int(pass_of.max()) + 1
        known = F.pad(pass_of, [RADIUS] * 4, value=never)[there] < pass_of[rows, columns]  # (T, n)
        here = parameters[:, :, rows, columns]  # (B, P, n)
        features = self.context(seen[:, :, *there], known.float(), here)  # (B, features, n)
        scales, means = self.fuse(torch.cat([here, features], dim=1)).chunk(2, dim=1)
        return scales, means


def slim_context(kind: type[ConvContext] | type[AttentionContext], order: str, M: int, N: int = 64) -> ContextPrior:
    """A context model for a latent of M channels, around `slim_features` with N inside, trained on whole numbers.

    kind: `ConvContext` or `AttentionContext`; ValueError for others. order: one of `ORDERS`.
    """
    places = len(neighbours(order))
    if kind not in (ConvContext, AttentionContext):
        raise ValueError(f"a context is ConvContext or AttentionContext, not {kind!r}.")
    context = ConvContext(N, N, places) if kind is ConvContext else AttentionContext(N, N, places, 2 * N)

    def network(scales: int) -> nn.Sequential:
        """Either all scales or all means, (B, M, n). They share none: see `slim_hyperprior`."""
        last = nn.Conv1d(2 * N, M, 1)
        return nn.Sequential(nn.Conv1d(3 * N, 2 * N, 1), nn.LeakyReLU(), ScaleMeanHead(last, scales))

    fuse = SideBySide(network(M), network(0))  # (B, 2 M, n)
    return ContextPrior(M, slim_features(M, N), nn.Conv1d(M, N, 1, bias=False), context, fuse, order, noise=False)


@register_codec("mbt2018")
def joint_autoregressive(N: int = 192, M: int = 192) -> TransformCodec:
    """Minnen, Ballé & Toderici 2018, whole ("mbt2018"): a mean-scale hyperprior and a masked 5 × 5 convolution."""
    widths = (4 * M, M * 10 // 3, M * 8 // 3, 2 * M)
    layers = [layer for pair in pairwise(widths) for layer in (nn.Conv1d(*pair, 1), nn.LeakyReLU())]
    side = SideInformation(*minnen_networks(N, M), N)
    context = ConvContext(M, 2 * M, len(neighbours("wavefront")))
    prior = ContextPrior(M, side, nn.Identity(), context, nn.Sequential(*layers[:-1]))
    return TransformCodec(gdn_analysis(N, M), gdn_synthesis(N, M), prior, stride=16)
