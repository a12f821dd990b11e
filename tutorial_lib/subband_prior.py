"""The prior of a wavelet's coefficients: one scan from coarse to fine, for training, rating, coding and decoding.

    part 0      low-pass of the coarsest level           ┐  each part is a piece of one rANS stream:
    part 1 …    details, from the coarsest to the finest ┘  the first k pieces decode the first k parts

`scan` goes through the parts. Whatever decides about tables and means it computes itself, with floats or in whole
numbers (`whole_networks`); for the coefficients it calls a symbol callback, which chooses and rates them (training,
`forward`), chooses and writes them (`compress`) or reads them (`decompress`). So there is one control flow, and what
the encoder computes is what the decoder computes.

Contexts see the picture as it is known so far: the low-pass of each level, rebuilt by lifting in whole numbers from
decoded coefficients, in units of the quantizer's step. So nothing that contexts see depends on floats.

A part's string begins with a byte that shifts its tables (`table_offsets`): it corrects for how this picture differs
from what the prior expects. Neither means nor contexts depend on it.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib import laplace
from tutorial_lib.entropy_coder import CoderHolder
from tutorial_lib.prior import Prior, Strings
from tutorial_lib.quality import LOWEST, ROW_SPACING, ROWS, QualityTable, given, one_quality, quality_map, step_of
from tutorial_lib.rans import BitstreamError, Decoder, encode_with_positions
from tutorial_lib.subband_networks import Level, LowPass, Pass, SymbolCallback
from tutorial_lib.table_offsets import Counts, from_byte, shifted, to_byte
from tutorial_lib.wavelet import band_sizes, join, join_whole, sizes
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT, check, self_test_once, straight


class Coefficients(NamedTuple):
    """y: the picture's shape (H, W), and its parts: low-pass (B, 3, h, w), then details (B, 9, h, w), in steps."""

    shape: tuple[int, int]
    parts: list[Tensor]


class Decoded(NamedTuple):
    """ŷ: as y, with zeros where a part was not scanned; and of each part that was, features (B, C, h, w) in units."""

    shape: tuple[int, int]
    parts: list[Tensor]
    features: list[Tensor]


class Chosen(NamedTuple):
    """The symbols k of a pass and the numbers of their tables, before offsets: (B, C, h', w') both."""

    which: Pass
    k: Tensor
    table: Tensor

    def of(self, b: int) -> tuple[NDArray, NDArray]:
        """Those of one image that are coefficients: (n,) both."""
        k, table = self.k[b], self.table[b]
        if self.which.valid is not None:
            k, table = k[self.which.valid], table[self.which.valid]
        return k.flatten().int().cpu().numpy(), table.flatten().cpu().numpy()


def fitted_offsets(passes: Sequence[Chosen], b: int) -> dict[tuple[int, bool], int]:
    """For one image, of each part's grey and colours, the offset with which its symbols cost least."""
    counts: dict[tuple[int, bool], Counts] = {}
    for each in passes:
        counts.setdefault((each.which.part, each.which.colours), Counts()).add(*each.of(b))
    return {group: each.best() for group, each in counts.items()}


def shifted_scales(passes: Sequence[Chosen]) -> list[Tensor]:
    """The log-scales of the tables that each pass is coded with: (B, C, h', w') each."""
    offsets = [fitted_offsets(passes, b) for b in range(len(passes[0].k))]
    scales = []
    for which, _, table in passes:
        mine = torch.tensor([each[which.part, which.colours] for each in offsets], device=table.device)
        scales.append(laplace.log_scale_of((table + mine[:, None, None, None]).clamp(0, laplace.TABLES - 1)))
    return scales


class SubbandPrior(Prior):
    """The prior for a low-pass and len(C) levels of details: `Coefficients` y, `Decoded` ŷ. Its slices are the levels.

    C, P, P_colour: widths of features and checkerboards, from the finest level to the coarsest.

    condition: qualities (B,), real numbers from 1 to 100 in `forward`; in coding, one whole number for all.
    rounds: train in whole numbers, too, with straight-through gradients: for the last steps.
    """

    saved: Tensor

    def __init__(self, C: Sequence[int], P: Sequence[int], P_colour: Sequence[int]) -> None:
        super().__init__()
        if not len(C) == len(P) == len(P_colour) >= 1:
            raise ValueError(f"widths for {len(C)}, {len(P)} and {len(P_colour)} levels: give as many of each.")
        self.slices = len(C)
        self.low_pass = LowPass(C[-1])
        coarser = [*C[1:], C[-1]]
        each = zip(C, coarser, P, P_colour, range(len(C)), strict=True)
        levels = [Level(c, above, p, p_colour, finest=n == 0) for c, above, p, p_colour, n in each]
        self.levels = nn.ModuleList(reversed(levels))  # from the coarsest to the finest, as parts are
        # The base log-scales, to which the networks add: of each part, for each of its passes or halves.
        self.base_log_scale = nn.ModuleList(QualityTable(torch.zeros(ROWS, 18 if n else 12)) for n in range(self.parts))
        self.holder = CoderHolder(laplace.TABLES)
        self.rounds = False
        saved = laplace.savings(laplace.log_scale_of(torch.arange(laplace.TABLES)))
        self.register_buffer("saved", torch.stack(saved), persistent=False)

    @property
    def parts(self) -> int:
        """Of a picture: the low-pass, and the details of each level."""
        return 1 + self.slices

    @property
    def tables(self) -> list[QualityTable]:
        """`base_log_scale`; a ModuleList does not tell of what kind its modules are."""
        return cast(list[QualityTable], list(self.base_log_scale))

    def scan(
        self, shape: tuple[int, int], quality: Tensor, code: SymbolCallback, whole: bool, parts: int | None = None
    ) -> Decoded:
        """Go through the first parts (None: all) of pictures of that shape; quality (B,): see the module's text."""
        parts = self.parts if parts is None else parts
        sides = sizes(shape, self.slices)  # of the picture, then of each level
        hint = quality_map(quality) * UNIT
        hint = torch.round(hint) if whole else hint
        base = [table.rounded(quality, OUTPUT_UNIT) if whole else table(quality) for table in self.tables[:parts]]
        with torch.autocast(quality.device.type, enabled=False):
            low, f = self.low_pass(sides[-1], code, base[0], hint, whole)
            coefficients, features = [low], [f]
            low = self._for_contexts(low)
            for part in range(1, parts):
                above = sides[-part - 1]  # the size of what this level was split from
                valid = valid_places(above, quality.device)
                y_hat, f = self.levels[part - 1](f, low, code, part, valid, base[part], hint, whole)
                coefficients.append(y_hat)
                features.append(f)
                if part < parts - 1:
                    details = self._for_contexts(y_hat).unflatten(1, (3, 3))
                    low = rebuilt(low, details, above, whole)
        for side in reversed(sides[1 : self.parts - parts + 1]):
            coefficients.append(low.new_zeros(len(low), 9, *side))
        return Decoded(sides[0], coefficients, features)

    def _for_contexts(self, y_hat: Tensor) -> Tensor:
        """The low-pass that contexts see is made of these. In training, no gradient leads through it."""
        return y_hat.detach() if self.training else y_hat

    # ---- the contract of a prior

    def forward(self, y: Coefficients, condition: Tensor | None = None) -> tuple[Decoded, dict[str, Tensor]]:
        """(ŷ, likelihoods of each part (B, n)). In evaluation mode: exactly what `compress` codes.

        Places that are no coefficients (odd sizes) have likelihood 1.
        """
        rated: list[list[Tensor]] = [[] for _ in range(self.parts)]

        def rated_as(which: Pass, k: Tensor, s: Tensor) -> None:
            log2 = laplace.log2_likelihood(k, s)
            rated[which.part].append((log2 if which.valid is None else log2.masked_fill(~which.valid, 0.0)).flatten(1))

        def rate(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            s = laplace.clamp_log_scale(s)
            k = laplace.choose(which.of(y.parts) - m.detach(), laplace.savings(s), laplace.TRAINING_WEIGHT)
            rated_as(which, k + (m.detach() - m), s)
            return k

        if self.training:
            y_hat = self.scan(y.shape, given(condition), rate, whole=self.rounds)
        else:
            y_hat, passes = self.chosen(y, given(condition))
            for (which, k, _), s in zip(passes, shifted_scales(passes), strict=True):
                rated_as(which, k, s)
        return y_hat, {f"part{n}": torch.exp2(torch.cat(each, dim=1)) for n, each in enumerate(rated)}

    def choose(self, r: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
        """Whole numbers for r = y − m, and the numbers of the tables that log-scales s give: (B, C, h', w') all."""
        index = laplace.indexes(s)
        first, further = (table.index_select(0, index.flatten()).view_as(s) for table in self.saved)
        return laplace.choose(r, (first, further)), index

    def chosen(self, y: Coefficients, quality: Tensor) -> tuple[Decoded, list[Chosen]]:
        """ŷ, and pass by pass what will be coded."""
        passes: list[Chosen] = []

        def note(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            k, index = self.choose(which.of(y.parts) - m, s)
            passes.append(Chosen(which, k, index))
            return k

        return self.scan(y.shape, quality, note, whole=True), passes

    def build_coder(self) -> None:
        """Make the tables. Raises ValueError for diverged weights, or where this machine's sums are not exact."""
        self.check()
        self.holder.build(laplace.LaplaceTables())

    def check(self) -> None:
        """Raise ValueError if an encoder and a decoder might not find the same tables."""
        check(self)
        if not all(table.values.isfinite().all() for table in self.tables):
            raise ValueError("a quality's log-scales are NaN or infinite: the weights have diverged.")
        self_test_once(self.saved.device)

    @torch.no_grad()
    def compress(self, y: Coefficients, condition: Tensor | None = None) -> list[list[bytes]]:
        """One stream an image, cut into a piece for each part."""
        quality = one_quality(condition)
        self_test_once(quality.device)
        if not all(bool(part.isfinite().all()) for part in y.parts):
            raise ValueError("the coefficients hold NaN or infinity: look at the picture.")
        _, passes = self.chosen(y, quality)
        strings: list[list[bytes]] = [[] for _ in range(self.parts)]
        for b in range(len(quality)):
            offsets = fitted_offsets(passes, b)
            symbols, indexes = zip(*(each.of(b) for each in passes), strict=True)
            tables = [shifted(i, offsets[p.which.part, p.which.colours]) for p, i in zip(passes, indexes, strict=True)]
            ends = np.zeros(self.parts, dtype=np.int64)  # how many symbols there are up to the end of each part
            for each, mine in zip(passes, symbols, strict=True):
                ends[each.which.part :] += len(mine)
            stream, cuts = encode_with_positions(
                np.concatenate(symbols), np.concatenate(tables), self.holder.coder.tables, ends
            )
            for part, (begin, end) in enumerate(zip([0, *cuts], cuts, strict=False)):
                shift = to_byte(*(offsets.get((part, colours), 0) for colours in (False, True)))
                strings[part].append(shift + stream[begin:end])
        return strings

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Decoded:
        """ŷ of pictures (H, W) of that shape, from the first pieces or all. Raises BitstreamError for damaged ones."""
        given_parts = [pieces for pieces in strings if pieces is not None]
        if not 1 <= len(strings) <= self.parts or len(given_parts) < len(strings):
            raise BitstreamError(f"this codec reads the first 1 to {self.parts} strings of a picture, without a gap.")
        if len({len(pieces) for pieces in given_parts}) > 1:
            raise BitstreamError("the parts are of different numbers of pictures.")
        quality = one_quality(condition)
        self_test_once(quality.device)
        tables = self.holder.coder.tables
        images = list(zip(*given_parts, strict=True))
        offsets = [[from_byte(piece) for piece in pieces] for pieces in images]
        decoders = [Decoder(b"".join(piece[1:] for piece in pieces), tables) for pieces in images]

        def read(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            index = flat(laplace.indexes(s), which.valid)  # (B, n)
            shifts = [shifted(i, each[which.part][which.colours]) for i, each in zip(index, offsets, strict=True)]
            k = torch.from_numpy(np.stack([d.pop(i) for d, i in zip(decoders, shifts, strict=True)])).to(m)
            if which.valid is None:
                return k.view_as(m)
            filled = torch.zeros_like(m)
            filled[:, which.valid] = k
            return filled

        y_hat = self.scan(shape, quality, read, whole=True, parts=len(strings))
        if len(strings) == self.parts:
            for decoder in decoders:
                decoder.finish()
        return y_hat

    @torch.no_grad()
    def start_at(self, y: Coefficients, condition: Tensor | None = None) -> None:
        """The base log-scales begin at y's spreads, which are turned from the qualities (B,) to each that has a row."""
        step = step_of(given(condition))
        for row in range(ROWS):
            times = step / step_of(torch.full_like(given(condition), LOWEST + ROW_SPACING * row))
            low = y.parts[0] * times
            first, next_ = spread(low), spread(low.diff(dim=-1) if low.shape[-1] > 1 else low)
            self.tables[0].values[row] = torch.cat([first, next_, next_ - 0.5, next_ - 0.5])
            for table, part in zip(self.tables[1:], y.parts[1:], strict=True):
                table.values[row] = spread(part * times).repeat(2)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """One group, with the rate that suits SOAP."""
        return [{"name": "prior", "params": list(self.parameters()), "lr": 3e-3}]


def spread(y: Tensor) -> Tensor:
    """The log-scale of each channel: (B, C, h, w) -> (C,)."""
    return (y.abs().mean(dim=(0, 2, 3)) + 0.02).log2().clamp(laplace.LOWEST, laplace.HIGHEST)


def rebuilt(low: Tensor, details: Tensor, shape: tuple[int, int], whole: bool) -> Tensor:
    """`join`, in whole numbers with its gradient where one is wanted."""
    if not whole:
        return join(low, details, shape)
    exact = join_whole(low.detach(), details.detach(), shape)
    wanted = torch.is_grad_enabled() and (low.requires_grad or details.requires_grad)
    return straight(join(low, details, shape), exact) if wanted else exact


def valid_places(shape: tuple[int, int], device: torch.device) -> Tensor | None:
    """Which places of the nine bands are coefficients, for what was split: (9, h, w) bool; None: all."""
    if shape[0] % 2 == 0 and shape[1] % 2 == 0:
        return None
    valid = torch.zeros(3, (shape[0] + 1) // 2, (shape[1] + 1) // 2, dtype=torch.bool, device=device)
    for band, (h, w) in zip(valid, band_sizes(shape), strict=True):
        band[:h, :w] = True
    return valid.repeat(3, 1, 1)


def flat(x: Tensor, valid: Tensor | None) -> NDArray:
    """(B, C, h, w) -> (B, n) int32, without what is no coefficient."""
    return (x.flatten(1) if valid is None else x[:, valid]).cpu().numpy()
