"""The networks that predict a wavelet's coefficients, from coarse to fine, each with what is known by then.

    low-pass      in four passes: each predicted from the positions around it that are known
    each level    its low-pass and the coarser features -> features
                  grey's three bands as a checkerboard in two passes (He et al. 2021), then the colours' six bands,
                  which also see grey; and a bounded multiple of grey is their prediction
                  features and coefficients -> features for the next level

All of them are `WholeLayer`s. They see a coefficient as sign · log(1 + |y|), and its magnitude. They give for each
coefficient a mean m and a log-scale s (`laplace`), which is added to a base log-scale of the quality's.

What codes or rates coefficients is not known here. A symbol callback, `code`, is called for each quarter of a pass with
what is predicted, and gives the whole numbers k that are (to be) coded; ŷ = k + m. Quarters are the positions of equal
parity in rows and columns, so that a network computes only what is needed.

*Reach*, in positions of a level: 2 for the low-pass's surroundings, 2 for the convolutions behind it, 1 for a
checkerboard's second pass in grey and 2 in the colours, 2 for the convolutions that follow: 9 together, and what the
coarser level's features reach, halved positions counted twice.
"""

from collections.abc import Callable, Iterator
from functools import cache, reduce
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT, WholeLayer, round_to, straight

COEFFICIENT_LIMIT = 2047.0  # of ŷ, in steps: beyond all that pictures lead to
LOGARITHMS = 2**16  # entries of the table: magnitudes up to 256 steps
HALVES = (((0, 0), (1, 1)), ((0, 1), (1, 0)))  # parities of rows and columns: a checkerboard
REST_RADIUS = 2  # what a known low-pass value is compared with: the mean of 5 × 5
QUARTERS = ((0, 0), (1, 1), (0, 1), (1, 0))  # in the order of the low-pass's passes


class Pass(NamedTuple):
    """Some coefficients: channels of a part, at rows ≡ row and columns ≡ column (mod 2)."""

    part: int
    channels: slice
    row: int
    column: int
    valid: Tensor | None  # (C, h', w') bool: which of them exist; None: all

    @property
    def colours(self) -> bool:
        """Is it of the colours alone? The low-pass's passes hold grey, too."""
        return self.channels.start > 0

    def of(self, y: list[Tensor]) -> Tensor:
        """The coefficients of a list of parts: (B, C, h', w')."""
        return y[self.part][:, self.channels, self.row :: 2, self.column :: 2]


# Given a pass, means and log-scales (B, C, h', w'), it gives whole numbers of that shape.
SymbolCallback = Callable[[Pass, Tensor, Tensor], Tensor]


@cache
def logarithm_table() -> NDArray[np.float32]:
    """log(1 + n/256) in units of activations, rounded; no entry is near a half, where machines might differ.

    (LOGARITHMS,). Many modules begin with it, so it is computed once.
    """
    n = np.arange(LOGARITHMS, dtype=np.float64)
    return np.rint(np.log1p(n / OUTPUT_UNIT) * UNIT).astype(np.float32)


def signed_logarithm_table() -> Tensor:
    """The same for n from 1 − LOGARITHMS to LOGARITHMS − 1, with the sign of n."""
    table = logarithm_table()
    return torch.tensor(np.concatenate([-table[:0:-1], table]))


class Logarithms(nn.Module):
    """Coefficients (B, C, h, w) as networks see them: (B, 2 C, h, w), in units of activations."""

    table: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", signed_logarithm_table(), persistent=False)

    def forward(self, y: Tensor, whole: bool) -> Tensor:
        """y: in steps; multiples of 1/256 where numbers are whole."""
        y = y.permute(0, 2, 3, 1).contiguous()  # (B, h, w, C): networks are faster with channels last
        exact, most = None, LOGARITHMS - 1
        if whole:
            places = (y.detach() * OUTPUT_UNIT).clamp_(-most, most).add_(most).int()
            exact = self.table.index_select(0, places.flatten()).view_as(y)
        if exact is None or (torch.is_grad_enabled() and y.requires_grad):
            magnitudes = torch.log1p(y.abs().clamp(max=most / OUTPUT_UNIT)) * UNIT
            magnitudes = magnitudes if exact is None else straight(magnitudes, exact.abs())
            seen = [magnitudes * y.detach().sign(), magnitudes]
        else:
            seen = [exact, exact.abs()]
        return torch.cat(seen, dim=-1).permute(0, 3, 1, 2)  # (B, 2 C, h, w), channels last in memory


def window_sum(x: Tensor, radius: int) -> Tensor:
    """Sums over squares of side 2 · radius + 1, of those that lie within x (B, C, h, w): smaller by 2 · radius."""
    for dim in (-2, -1):
        n = x.shape[dim] - 2 * radius
        x = reduce(torch.add, [x.narrow(dim, k, n) for k in range(2 * radius + 1)])
    return x


def surroundings(low: Tensor, radius: int, whole: bool) -> Tensor:
    """What a low-pass (B, 3, h, w) has more than the mean of the square around it."""
    padded = F.pad(low, (radius, radius, radius, radius), mode="replicate")
    mean = window_sum(padded, radius) * (1 / (2 * radius + 1) ** 2)  # one product: rounded alike everywhere
    return low - (round_to(mean, OUTPUT_UNIT) if whole else mean)


def replicate(x: Tensor, radius: int = 1) -> Tensor:
    """Edges repeated on all sides."""
    return F.pad(x, (radius, radius, radius, radius), mode="replicate")


def twice(x: Tensor, shape: tuple[int, int]) -> Tensor:
    """Each position four times: (B, C, h, w) -> (B, C, *shape), where h and w are half of that, rounded up."""
    b, c, h, w = x.shape
    rows = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(b, h, 2, w, 2, c)
    return rows.reshape(b, 2 * h, 2 * w, c).permute(0, 3, 1, 2)[..., : shape[0], : shape[1]]


def decoded(code: SymbolCallback, which: Pass, m: Tensor, s: Tensor) -> Tensor:
    """ŷ of a pass."""
    y_hat = (code(which, m, s) + m).clamp(-COEFFICIENT_LIMIT, COEFFICIENT_LIMIT)
    return y_hat if which.valid is None else y_hat.masked_fill(~which.valid, 0.0)


class LowPass(nn.Module):
    """The coarsest low-pass in four passes: the mean of known neighbours, and what a network adds. C: its width."""

    def __init__(self, C: int) -> None:
        super().__init__()
        self.logarithms = Logarithms()
        self.first = nn.ModuleList(WholeLayer(C, *[(7, 5, 1)][:n], (1, 1, 1)) for n in range(len(QUARTERS)))
        self.second = nn.ModuleList(WholeLayer(C, (C, 3, 1)) for _ in QUARTERS)
        self.third = nn.ModuleList(WholeLayer(6, (C, 1, 1), output=True) for _ in QUARTERS)
        self.features = WholeLayer(C, (6, 3, 1), (1, 1, 1))
        start_small(self.third, 0.05)

    def forward(
        self, shape: tuple[int, int], code: SymbolCallback, base: Tensor, quality_map: Tensor, whole: bool
    ) -> tuple[Tensor, Tensor]:
        """shape: of the low-pass; base (B, 12, 1, 1) log-scales; quality_map (B, 1, 1, 1) in units.

        Gives ŷ and features."""
        batch = len(quality_map)
        known, mask = quality_map.new_zeros(batch, 3, *shape), quality_map.new_zeros(1, 1, *shape)
        for n, (row, column) in enumerate(QUARTERS):
            here = (..., slice(row, None, 2), slice(column, None, 2))
            linear = self._mean(known, mask, 1, whole)
            rest = self.logarithms((known - self._mean(known, mask, REST_RADIUS, whole)) * mask, whole)
            x = torch.cat([rest, mask.expand(batch, 1, *shape) * UNIT], dim=1)  # (B, 7, h, w)
            seen = [replicate(x, 2)] if n else []  # before the first pass nothing is known
            x = self.first[n](*seen, quality_map, whole=whole).expand(-1, -1, *shape)
            m, s = self.third[n](self.second[n](replicate(x), whole=whole), whole=whole)[here].chunk(2, dim=1)
            if m.numel():
                q = decoded(
                    code, Pass(0, slice(0, 3), row, column, None), linear[here] + m, s + base[:, 3 * n : 3 * n + 3]
                )
                known = scattered(known, here, q)
                mask = scattered(mask, here, 1.0)
        x = self.logarithms(surroundings(known, 1, whole), whole)
        return known, self.features(replicate(x), quality_map, whole=whole)

    @staticmethod
    def _mean(known: Tensor, mask: Tensor, radius: int, whole: bool) -> Tensor:
        """Of the known positions in the square around each; 0 where there are none."""
        sums, counts = (window_sum(F.pad(x, (radius,) * 4), radius) for x in (known, mask))
        mean = sums * (1 / counts.clamp(min=1))
        return round_to(mean, OUTPUT_UNIT) if whole else mean


def scattered(x: Tensor, where: tuple, values: Tensor | float) -> Tensor:
    """x with the values in their places; a copy, if gradients shall flow to both."""
    x = x.clone() if torch.is_grad_enabled() else x
    x[where] = values
    return x


def start_small(layers: nn.ModuleList, factor: float) -> None:
    """Let `WholeLayer`s begin with small weights and no bias."""
    with torch.no_grad():
        for name, parameter in layers.named_parameters():
            parameter.mul_(0.0 if name.endswith("bias") else factor)


class Checkerboard(nn.Module):
    """n bands in two passes, from features (C) and perhaps other known bands. P: its width."""

    def __init__(self, n: int, C: int, P: int, other: int = 0) -> None:
        super().__init__()
        self.n = n
        self.logarithms = Logarithms()
        seen, half = [(2 * other, 3, 2)] if other else [], (2 * n, 3, 2)
        self.first = nn.ModuleList([WholeLayer(P, (C, 1, 1), *seen), WholeLayer(P, (C, 1, 1), *seen, half)])
        self.second = nn.ModuleList(WholeLayer(P, (P, 1, 1)) for _ in HALVES)
        self.third = nn.ModuleList(WholeLayer(n * (3 if other else 2), (P, 1, 1), output=True) for _ in HALVES)
        start_small(self.third, 0.1)

    def forward(
        self,
        f: Tensor,
        code: SymbolCallback,
        where: Pass,
        base: tuple[Tensor, Tensor],
        whole: bool,
        other: Tensor | None = None,
    ) -> Tensor:
        """f (B, C, h, w); where: part, channels and validity (C, h, w); base: both halves' log-scales.

        Gives ŷ (B, n, h, w).
        """
        known = f.new_zeros(len(f), self.n, *f.shape[-2:])
        seen = [] if other is None else [self.around(other, whole)]
        for half, places in enumerate(HALVES):
            heres = [(..., slice(row, None, 2), slice(column, None, 2)) for row, column in places]
            around = [*seen, self.around(known, whole)] if half else seen
            others = None if other is None else [other[here] for here in heres]
            predictions = self.predictions(half, [f[here] for here in heres], around, whole, others)
            for (row, column), here, (m, s) in zip(places, heres, predictions, strict=True):
                if m.numel():
                    valid = None if where.valid is None else where.valid[here]
                    which = where._replace(row=row, column=column, valid=valid)
                    known = scattered(known, here, decoded(code, which, m, s + base[half]))
        return known

    def around(self, known: Tensor, whole: bool) -> Tensor:
        """Known bands (B, n, h, w) as `predictions` looks at them: (B, 2 n, h + 2, w + 2)."""
        return replicate(self.logarithms(known, whole))

    def predictions(
        self, half: int, f: list[Tensor], around: list[Tensor], whole: bool, others: list[Tensor] | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Of one of the two passes, for each of its quarters: means, and log-scales that the base is added to.

        f, others: features (B, C, h', w') and other bands there; around: all that is known, see `around`.
        """
        alike = f[0].shape == f[1].shape and not torch.is_grad_enabled()  # then all at once
        for group in ((0, 1),) if alike else ((0,), (1,)):
            mine = joined([f[n] for n in group])  # (quarters · B, C, h', w')
            h, w = 2 * mine.shape[-2] + 1, 2 * mine.shape[-1] + 1
            if mine.numel():
                corners = [HALVES[half][n] for n in group]
                seen = [joined([x[..., row : row + h, column : column + w] for row, column in corners]) for x in around]
                z = self.first[half](mine, *seen, whole=whole)
                z = self.second[half](z, plus=z, whole=whole)
                predicted = self.third[half](z, whole=whole)
            else:
                predicted = mine.new_zeros(len(mine), self.n * (2 if others is None else 3), *mine.shape[-2:])
            for n, prediction in zip(group, predicted.chunk(len(group)), strict=True):
                m, s, *factor = prediction.split(self.n, dim=1)
                if others is not None:
                    grey = others[n].clamp(-255, 255).repeat(1, self.n // others[n].shape[1], 1, 1)
                    follow = factor[0].clamp(-1, 1) * grey  # below 2^24 in units of 2^-16
                    m = m + (round_to(follow, OUTPUT_UNIT) if whole else follow)
                yield m, s


def joined(xs: list[Tensor]) -> Tensor:
    """As one batch."""
    return xs[0] if len(xs) == 1 else torch.cat(xs)


class Level(nn.Module):
    """One level's details: grey's three bands (lh, hl, hh), then the three of either colour.

    C: width of its features, coarser: of those that come in. P, P_colour: widths of the checkerboards.
    finest: nothing follows, so there are no features to be made for it.
    """

    def __init__(self, C: int, coarser: int, P: int, P_colour: int, finest: bool) -> None:
        super().__init__()
        self.logarithms = Logarithms()
        self.up = WholeLayer(C, (coarser, 1, 1), slope=1.0)
        self.before = nn.ModuleList([WholeLayer(C, (C, 3, 1), (6, 3, 1), (1, 1, 1)), WholeLayer(C, (C, 3, 1))])
        self.grey, self.colour = Checkerboard(3, C, P), Checkerboard(6, C, P_colour, other=3)
        self.after = None if finest else nn.ModuleList([WholeLayer(C, (C, 1, 1), (18, 3, 1)), WholeLayer(C, (C, 3, 1))])

    def forward(
        self,
        f: Tensor,
        low: Tensor,
        code: SymbolCallback,
        part: int,
        valid: Tensor | None,
        base: Tensor,
        quality_map: Tensor,
        whole: bool,
    ) -> tuple[Tensor, Tensor]:
        """f: coarser features; low (B, 3, h, w): the low-pass in steps; valid (9, h, w) or None; base (B, 18, 1, 1).

        Gives ŷ (B, 9, h, w) and features (B, C, h, w).
        """
        f = self.begin(f, low, part, quality_map, whole)
        (grey_pass, grey_base), (colour_pass, colour_base) = self.passes(part, valid, base)
        grey = self.grey(f, code, grey_pass, grey_base, whole)
        colour = self.colour(f, code, colour_pass, colour_base, whole, grey)
        y_hat = torch.cat([grey, colour], dim=1)  # (B, 9, h, w)
        return y_hat, self.end(f, y_hat, whole)

    def begin(self, f: Tensor, low: Tensor, part: int, quality_map: Tensor, whole: bool) -> Tensor:
        """The features that this level's own coefficients are predicted from."""
        f = self.up(f, whole=whole)
        if part > 1:  # the low-pass and the coarsest details have one size
            f = twice(f, (low.shape[-2], low.shape[-1]))
        seen = self.logarithms(surroundings(low, 2, whole), whole)
        f = self.before[0](replicate(f), replicate(seen), quality_map, whole=whole)
        return self.before[1](replicate(f), plus=f, whole=whole)

    @staticmethod
    def passes(part: int, valid: Tensor | None, base: Tensor) -> list[tuple[Pass, tuple[Tensor, Tensor]]]:
        """Of grey and of the colours: which coefficients, and the base log-scales of both halves."""
        grey = Pass(part, slice(0, 3), 0, 0, None if valid is None else valid[:3])
        colour = Pass(part, slice(3, 9), 0, 0, None if valid is None else valid[3:])
        return [(grey, (base[:, 0:3], base[:, 9:12])), (colour, (base[:, 3:9], base[:, 12:18]))]

    def end(self, f: Tensor, y_hat: Tensor, whole: bool) -> Tensor:
        """The features for the next level, which know the coefficients; f as it is, if there is none."""
        if self.after is None:
            return f
        f = self.after[0](f, replicate(self.logarithms(y_hat, whole)), whole=whole)
        return self.after[1](replicate(f), plus=f, whole=whole)
