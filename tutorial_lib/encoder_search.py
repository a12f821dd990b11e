"""The encoder's search: whole numbers that cost less, for the same decoder.

One pass from coarse to fine chooses each whole number by its own bits and its own error (`laplace.choose`). Two things
it cannot see: what the restoration will make of an error, and which tables and means later symbols will get because of
this one. Both are functions with a gradient. So the encoder looks at the result and tries again. With y, what whole
numbers are chosen from, and ŷ, what would be decoded, a round is

    g  =  gradient at ŷ of  λ · 255² · squared error through the whole synthesis  +  the bits of all *other* symbols
    t  =  ŷ − g / (2 · price)         where a parabola of that slope has its lowest point
    v  ←  μ v + β (t − y)             a step towards it: with β = 1, neighbours would all mend the same error;
    y  ←  y + v                       and with momentum, as what many rounds agree on adds up

price: what a squared error of one step costs, in bits. A symbol's own bits need no gradient: the choice between two
whole numbers weighs them, as before.

Costs are bits + λ · 255² · squared error, both summed over pixels: all in bits. λ is ERRORS times what the networks
were trained with, as `laplace.choose`, too, counts errors for more when it codes. *Invariant*: the cheapest y is kept,
and more rounds begin with the same rounds. So, by this cost, no effort is more expensive than a lower one.

A large picture's gradient is computed piece by piece, with a margin around each, so that memory stays bounded; the
costs that decide are those of the whole picture.

(Campos et al. 2019, "Content adaptive optimization for neural image compression", take such steps with a relaxed
rounding; Yang, Bamler & Mandt 2020, "Improving inference for neural image compression", anneal it over thousands.)
"""

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from tutorial_lib import laplace
from tutorial_lib.quality import DISTORTION_WEIGHT, lambda_of, step_of
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.subband_networks import Pass
from tutorial_lib.subband_prior import Chosen, Coefficients, SubbandPrior, shifted_scales
from tutorial_lib.wavelet import join, sizes, turn_colours
from tutorial_lib.whole_networks import straight

ROUNDS = (0, 1, 2, 3, 4, 6, 8, 11, 15, 20)  # of each effort
ERRORS = laplace.CODING_WEIGHT / laplace.TRAINING_WEIGHT  # times λ: what an error costs an encoder
MOMENTUM = 0.4  # μ
PRICE = ERRORS * DISTORTION_WEIGHT  # of a squared error of one step, in bits
DEFAULT_EFFORT = 2  # 3.8 core-seconds for 768 × 512 (`benchmarks/effort.py`)
PIECE, MARGIN = 768, 96  # pixels: a gradient takes 2.1 GB of memory for a million of them


Network = TypeVar("Network", bound=nn.Module)


def frozen(network: Network) -> Network:
    """A copy in evaluation mode that asks for no gradients of its weights, which are the same memory."""
    shared = {id(weight): nn.Parameter(weight.detach(), requires_grad=False) for weight in network.parameters()}
    return copy.deepcopy(network, shared).eval()


def step_size(n: int) -> float:
    """β of round n = 0, 1, …"""
    return 0.3 / (1 + n / 5)


class Search:
    """For one prior and synthesis. Of both it has `frozen` copies: other threads may use the originals meanwhile."""

    def __init__(self, prior: SubbandPrior, synthesis: WaveletSynthesis) -> None:
        self.prior, self.synthesis = frozen(prior), frozen(synthesis)

    def best(
        self, y: Coefficients, x: Tensor, quality: Tensor, rounds: int, on_round: Callable[[], object] | None = None
    ) -> Coefficients:
        """The cheapest y of so many rounds, for one picture x (1, 3, H, W) in [0, 1] at a quality (1,).

        on_round: called after each round.
        """
        best, least = y, float("inf")
        for n, (candidate, cost) in enumerate(self.candidates(y, x, quality, rounds)):
            if n and on_round is not None:
                on_round()
            if cost < least:
                best, least = candidate, cost
        return best

    def candidates(
        self, y: Coefficients, x: Tensor, quality: Tensor, rounds: int
    ) -> Iterator[tuple[Coefficients, float]]:
        """y as it is given, and after each round, with its cost. With more rounds, the same ones come first."""
        levels = self.prior.slices
        pieces = [(piece, x) for piece in pieces_of(y.shape, levels, PIECE, MARGIN)]
        if len(pieces) > 1:  # what is missing beyond a piece's edges is missing in what it is compared with, too
            pieces = [(piece, picture_of(piece.cut(y), quality, self.synthesis.colours)) for piece, _ in pieces]
        velocity = [torch.zeros_like(part) for part in y.parts]
        for n in range(rounds):
            targets = [torch.empty_like(part) for part in y.parts]
            for piece, picture in pieces:
                found, cost = self._targets(piece.cut(y), picture, quality)
                piece.paste(found, targets)
            yield y, cost if len(pieces) == 1 else self.cost(y, x, quality)
            for v, part, target in zip(velocity, y.parts, targets, strict=True):
                v.mul_(MOMENTUM).add_(target - part, alpha=step_size(n))
            y = Coefficients(y.shape, [part + v for part, v in zip(y.parts, velocity, strict=True)])
        yield y, self.cost(y, x, quality)

    @torch.no_grad()
    def cost(self, y: Coefficients, x: Tensor, quality: Tensor) -> float:
        """Bits + λ · 255² · squared error, in bits, of what the forward pass makes of y."""
        return float(self._decoded(y, x, quality)[0])

    @torch.enable_grad()
    def _targets(self, y: Coefficients, x: Tensor, quality: Tensor) -> tuple[list[Tensor], float]:
        """t of each part, and `cost`."""
        total, chosen = self._decoded(y, x, quality)
        gradients = torch.autograd.grad(total, [y_hat for _, y_hat in chosen])
        targets = [torch.zeros_like(part) for part in y.parts]
        for (which, y_hat), g in zip(chosen, gradients, strict=True):
            which.of(targets).copy_(y_hat.detach() - g / (2 * PRICE))
        return targets, float(total.detach())

    def _decoded(self, y: Coefficients, x: Tensor, quality: Tensor) -> tuple[Tensor, list[tuple[Pass, Tensor]]]:
        """The cost of what would be decoded; and ŷ of each pass, which the cost has a gradient for.

        That gradient leaves out a symbol's own bits: among its terms, ŷ only stands where it is a context.
        """
        chosen: list[tuple[Pass, Tensor]] = []
        passes: list[Chosen] = []
        rated: list[tuple[Tensor, Tensor]] = []  # of each pass ŷ − m and log-scales; gradients go to m and to these

        def choose(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            k, index = self.prior.choose(which.of(y.parts) - m.detach(), s.detach())
            y_hat = m.detach() + k
            if torch.is_grad_enabled():
                y_hat = y_hat.requires_grad_()
                chosen.append((which, y_hat))
            passes.append(Chosen(which, k, index))
            rated.append((y_hat.detach() - m, s))
            return y_hat - m

        decoded = self.prior.scan(y.shape, quality, choose, whole=True)
        bits = torch.zeros((), dtype=torch.float64, device=x.device)
        for (which, *_), (k, s), shifted in zip(passes, rated, shifted_scales(passes), strict=True):
            log2 = laplace.log2_likelihood(k, straight(laplace.clamp_log_scale(s), shifted))
            bits = bits - (log2 if which.valid is None else log2.masked_fill(~which.valid, 0.0)).sum(dtype=bits.dtype)
        error = self.synthesis(decoded, quality).clamp(0, 1) - x
        distortion = ERRORS * lambda_of(quality) * 255**2 * error.square().sum() / error.shape[1]  # a mean over colours
        return bits + distortion[0], chosen


def picture_of(y: Coefficients, quality: Tensor, colours: Tensor) -> Tensor:
    """The picture that has these coefficients: (1, 3, H, W). Undoes the codec's analysis, without any network."""
    picture, sides = y.parts[0], sizes(y.shape, len(y.parts) - 1)
    for n, details in enumerate(y.parts[1:], start=1):
        picture = join(picture, details.unflatten(1, (3, 3)), sides[-n - 1])
    return turn_colours(picture * (step_of(quality) / 255), colours.T) + 0.5


class Piece(NamedTuple):
    """A part of a picture: rows and columns with a margin (outer) and without it (inner), in pixels; levels of y.

    All bounds are multiples of 2^levels, or the picture's end.
    """

    outer: tuple[slice, slice]
    inner: tuple[slice, slice]
    levels: int

    def cut(self, y: Coefficients) -> Coefficients:
        """y of the outer part, as if it were a picture."""
        rows, columns = self.outer
        shape = rows.stop - rows.start, columns.stop - columns.start
        places = [self._at(self.outer, n) for n in range(len(y.parts))]
        parts = [part[..., across, along] for part, (across, along) in zip(y.parts, places, strict=True)]
        return Coefficients(shape, parts)

    def paste(self, parts: list[Tensor], into: list[Tensor]) -> None:
        """Of what is made for the outer part, the inner goes to its place in the picture's parts."""
        for n, (part, whole) in enumerate(zip(parts, into, strict=True)):
            (down, right), (rows, columns) = self._at(self.outer, n), self._at(self.inner, n)
            top, left = rows.start - down.start, columns.start - right.start
            inner = part[..., top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]
            whole[..., rows, columns] = inner

    def _at(self, bounds: tuple[slice, slice], part: int) -> tuple[slice, slice]:
        """Pixels as positions of a part."""
        halved = self.levels - max(0, part - 1)
        rows, columns = (slice(each.start >> halved, -(-each.stop >> halved)) for each in bounds)
        return rows, columns


def pieces_of(shape: tuple[int, int], levels: int, piece: int, margin: int) -> Iterator[Piece]:
    """A picture's parts. piece, margin: their sides and margins, in pixels, made multiples of 2^levels."""
    unit = 2**levels
    piece, margin = (-(-length // unit) * unit for length in (piece, margin))
    spans = [[slice(begin, min(begin + piece, side)) for begin in range(0, side, piece)] for side in shape]
    for rows in spans[0]:
        for columns in spans[1]:
            inner = rows, columns
            outer = [
                slice(max(0, span.start - margin), min(span.stop + margin, side))
                for span, side in zip(inner, shape, strict=True)
            ]
            yield Piece((outer[0], outer[1]), inner, levels)
