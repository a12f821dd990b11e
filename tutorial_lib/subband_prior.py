"""The prior of a wavelet's coefficients: one scan from coarse to fine, for training, rating, coding and decoding.

    part 0      low-pass of the coarsest level           ┐  each part is a piece of one rANS stream:
    part 1 …    details, from the coarsest to the finest ┘  the first k pieces decode the first k parts

`scan` walks through the parts. Whatever decides about tables and means it computes itself, with floats or in whole
numbers (`whole_networks`); for the coefficients it calls `code`, which chooses and rates them (training, `forward`),
chooses and writes them (`compress`) or reads them (`decompress`). So there is one control flow, and what the encoder
computes is what the decoder computes.

Contexts see the picture as it is known so far: the low-pass of each level, rebuilt by lifting in whole numbers from
decoded coefficients, in units of the quantizer's step. So nothing that contexts see depends on floats.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tutorial_lib import laplace
from tutorial_lib.entropy_coder import CoderSlot
from tutorial_lib.quality import ROWS, QualityTable, check_quality, plane, step_of
from tutorial_lib.rans import BitstreamError, Decoder, encode
from tutorial_lib.subband_networks import Code, Level, LowPass, Pass
from tutorial_lib.wavelet import band_sizes, join, join_whole, sizes
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT, check, self_test

Strings = Sequence[Sequence[bytes]]  # a part, then an image


class Coefficients(NamedTuple):
    """y: the picture's shape (H, W), and its parts: low-pass (B, 3, h, w), then details (B, 9, h, w), in steps."""

    shape: tuple[int, int]
    parts: list[Tensor]


class Decoded(NamedTuple):
    """ŷ: as y, with zeros where a part was not scanned; and of each part that was, features (B, C, h, w) in units."""

    shape: tuple[int, int]
    parts: list[Tensor]
    features: list[Tensor]


class SubbandPrior(nn.Module):
    """The prior for a low-pass and len(C) levels of details.

    C, P, P_colour: widths of features and checkerboards, from the finest level to the coarsest.

    y: `Coefficients`, ŷ: `Decoded`.
    condition: qualities (B,), real numbers from 1 to 100, in `forward`; one whole number in coding.
    rounds: train in whole numbers, too, with straight-through gradients: for the last steps.
    """

    def __init__(self, C: Sequence[int], P: Sequence[int], P_colour: Sequence[int]) -> None:
        super().__init__()
        if not len(C) == len(P) == len(P_colour) >= 1:
            raise ValueError(f"widths for {len(C)}, {len(P)} and {len(P_colour)} levels: give as many of each.")
        self.low_pass = LowPass(C[-1])
        coarser = [*C[1:], C[-1]]
        each = zip(C, coarser, P, P_colour, range(len(C)), strict=True)
        levels = [Level(c, above, p, p_colour, finest=n == 0) for c, above, p, p_colour, n in each]
        self.levels = nn.ModuleList(reversed(levels))  # from the coarsest to the finest, as parts are
        self.usual = nn.ModuleList(QualityTable(torch.zeros(ROWS, 18 if n else 12)) for n in range(len(C) + 1))
        self.slot = CoderSlot()
        self.rounds = False
        saved = laplace.savings(laplace.level(torch.arange(laplace.TABLES)))
        self.register_buffer("saved", torch.stack(saved), persistent=False)

    @property
    def parts(self) -> int:
        """Of a picture: the low-pass, and the details of each level."""
        return len(self.levels) + 1

    def scan(
        self, shape: tuple[int, int], quality: Tensor, code: Code, whole: bool, parts: int | None = None
    ) -> Decoded:
        """Go through the first parts (None: all) of pictures of that shape; quality (B,): see the module's text."""
        parts = self.parts if parts is None else parts
        sides = sizes(shape, len(self.levels))  # of the picture, then of each level
        told = plane(quality, UNIT if whole else None) * UNIT
        usual = [table(quality, OUTPUT_UNIT if whole else None) for table in self.usual[:parts]]
        with torch.autocast(quality.device.type, enabled=False):
            low, f = self.low_pass(sides[-1], code, usual[0], told, whole)
            coefficients, features = [low], [f]
            low = low.detach()
            for part, level in enumerate(self.levels[: parts - 1], start=1):
                above = sides[-part - 1]  # the size of what this level was split from
                y_hat, f = level(f, low, code, part, valid_places(above, quality.device), usual[part], told, whole)
                coefficients.append(y_hat)
                features.append(f)
                if part < parts - 1:
                    details = y_hat.detach().unflatten(1, (3, 3))
                    low = (join_whole if whole else join)(low, details, above)
        for side in reversed(sides[1 : self.parts - parts + 1]):
            coefficients.append(low.new_zeros(len(low), 9, *side))
        return Decoded(tuple(shape), coefficients, features)

    def forward(self, y: Coefficients, condition: Tensor) -> tuple[Decoded, dict[str, Tensor]]:
        """(ŷ, likelihoods of each part (B, n)). In evaluation mode: exactly what `compress` codes.

        Places that are no coefficients (odd sizes) have likelihood 1.
        """
        rated: list[list[Tensor]] = [[] for _ in range(self.parts)]

        def code(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            s = laplace.clamp_level(s) if self.training else laplace.level(laplace.indexes(s))
            k = laplace.choose(which.of(y.parts) - m.detach(), laplace.savings(s))
            log2 = laplace.log2_likelihood(k + (m.detach() - m), s)
            rated[which.part].append((log2 if which.valid is None else log2.masked_fill(~which.valid, 0.0)).flatten(1))
            return k

        y_hat = self.scan(y.shape, condition, code, whole=self.rounds or not self.training)
        return y_hat, {f"part{n}": torch.exp2(torch.cat(each, dim=1)) for n, each in enumerate(rated)}

    def build_coder(self) -> None:
        """Make the coding tables. Raises ValueError for diverged weights, RuntimeError if sums are not exact."""
        self.check()
        self.slot.build(laplace.LaplaceTables())

    def check(self) -> None:
        """Raise ValueError or RuntimeError if an encoder and a decoder might not find the same tables."""
        check(self)
        for table in self.usual:
            table(torch.ones(1, device=table.values.device), OUTPUT_UNIT)
        self_test(self.saved.device)

    @torch.no_grad()
    def compress(self, y: Coefficients, condition: int) -> list[list[bytes]]:
        """One stream an image, cut into a piece for each part. Raises ValueError for what is not finite."""
        check_quality(condition)
        if not all(bool(part.isfinite().all()) for part in y.parts):
            raise ValueError("the coefficients hold NaN or infinity: look at the picture.")
        done: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in range(self.parts)]  # symbols, tables; (B, n)

        def code(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            index = laplace.indexes(s)
            saved = [table.index_select(0, index.flatten()).view_as(s) for table in self.saved]
            k = laplace.choose(which.of(y.parts) - m, saved)
            done[which.part].append(tuple(flat(t.int(), which.valid) for t in (k, index)))
            return k

        self.scan(y.shape, qualities(condition, y.parts[0]), code, whole=True)
        tables = self.slot.coder.tables
        strings: list[list[bytes]] = [[] for _ in range(self.parts)]
        for b in range(len(y.parts[0])):
            mine = [[np.concatenate([pair[n][b] for pair in part]) for n in range(2)] for part in done]
            stream = encode(*(np.concatenate([part[n] for part in mine]) for n in range(2)), tables)
            decoder, begin = Decoder(stream, tables), 0
            for pieces, (_, index) in zip(strings, mine, strict=True):
                decoder.pull(index)
                pieces.append(stream[begin : decoder.position])
                begin = decoder.position
        return strings

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int], condition: int) -> Decoded:
        """ŷ of pictures of that shape, from the first pieces or all. Raises BitstreamError for damaged ones."""
        check_quality(condition)
        if not 1 <= len(strings) <= self.parts:
            raise BitstreamError(f"this codec reads 1 to {self.parts} strings a picture, not {len(strings)}.")
        if len({len(pieces) for pieces in strings}) > 1:
            raise BitstreamError("the parts are of different numbers of pictures.")
        tables = self.slot.coder.tables
        decoders = [Decoder(b"".join(pieces), tables) for pieces in zip(*strings, strict=True)]

        def code(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            index = flat(laplace.indexes(s), which.valid)  # (B, n)
            k = torch.from_numpy(np.stack([d.pull(i) for d, i in zip(decoders, index, strict=True)])).to(m)
            if which.valid is None:
                return k.view_as(m)
            whole = torch.zeros_like(m)
            whole[:, which.valid] = k
            return whole

        quality = qualities(condition, self.saved.new_empty(len(decoders)))
        y_hat = self.scan(shape, quality, code, whole=True, parts=len(strings))
        if len(strings) == self.parts:
            for decoder in decoders:
                decoder.finish()
        return y_hat

    @torch.no_grad()
    def start_at(self, y: Coefficients, condition: Tensor) -> None:
        """Usual levels from the coefficients of a batch of pictures, before training."""
        for row in range(ROWS):
            times = step_of(condition) / step_of(torch.full_like(condition, 1.0 + 11 * row))
            low = y.parts[0] * times
            first, next_ = spread(low), spread(low.diff(dim=-1) if low.shape[-1] > 1 else low)
            self.usual[0].values[row] = torch.cat([first, next_, next_ - 0.5, next_ - 0.5])
            for table, part in zip(self.usual[1:], y.parts[1:], strict=True):
                table.values[row] = spread(part * times).repeat(2)

    def parameter_groups(self) -> list[dict]:
        """For an optimizer: one group, with the rate that suits SOAP."""
        return [{"params": list(self.parameters()), "lr": 3e-3, "name": "prior"}]


def spread(y: Tensor) -> Tensor:
    """The usual level of each channel: (B, C, h, w) -> (C,)."""
    return (y.abs().mean(dim=(0, 2, 3)) + 0.02).log2().clamp(laplace.LOWEST, laplace.HIGHEST)


def qualities(quality: int, like: Tensor) -> Tensor:
    """One quality for each image of a batch: (B,)."""
    return torch.full((len(like),), float(quality), device=like.device)


def valid_places(shape: tuple[int, int], device: torch.device) -> Tensor | None:
    """Which places of the nine bands are coefficients, for what was split: (9, h, w) bool; None: all."""
    if shape[0] % 2 == 0 and shape[1] % 2 == 0:
        return None
    valid = torch.zeros(3, (shape[0] + 1) // 2, (shape[1] + 1) // 2, dtype=torch.bool, device=device)
    for band, (h, w) in zip(valid, band_sizes(shape), strict=True):
        band[:h, :w] = True
    return valid.repeat(3, 1, 1)


def flat(x: Tensor, valid: Tensor | None) -> np.ndarray:
    """(B, C, h, w) -> (B, n) int32, without what is no coefficient."""
    return (x.flatten(1) if valid is None else x[:, valid]).cpu().numpy()
