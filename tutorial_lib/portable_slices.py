"""The full codec's prior: side information and slices, in integers, for every quality.

    y ─┬─ analysis ─ z ─ round ─ ẑ ─ synthesis ─ features ─┬────────────────┬───────────┬─ …
       │                                                   ↓                ↓           ↓
       │                                              five turns       predictor 2  predictor 3 …
       │                                                   ↓         ↗      ↓     ↗     ↓
       └── choose ──────────────────────────────────── slice 1 ŷ ────── slice 2 ŷ ── slice 3 ŷ …

All of it has been taught: side information (08), slices (10), networks of integers (11). From ẑ on everything that says
which table a symbol is coded with is computed in fixed point, with whole numbers (`portable`), the means included.
Four things are put together in a way of their own:

- **The first slice is decoded in turns**, each predicted from the positions around it that are known (`turns`).
- **z has no network for its density.** One density for a hundred qualities would suit few of them. z is coded as y is,
  with the Gaussian tables; which of them suits a channel of z, a `QualityTable` says.
- **The encoder chooses.** Between the two whole numbers around a coefficient it takes the one that costs less, error
  and bits together (`rate_of_whole_numbers`). To the decoder it is all the same.
- **One stream, cut in pieces.** A string of its own would cost each slice six bytes. rANS is decoded in order, so the
  stream of all symbols is cut behind the last word that a slice needs. The first pieces are a picture of less detail.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tutorial_lib.dct_transforms import coarse_to_fine
from tutorial_lib.entropy_bottleneck import lower_bound
from tutorial_lib.entropy_coder import CoderSlot
from tutorial_lib.gaussian_conditional import SCALE_LEVELS, SCALE_MAX, SCALE_MIN, GaussianConditional
from tutorial_lib.gdn import conv
from tutorial_lib.hyperprior import HYPER_STRIDE, WithMagnitudes
from tutorial_lib.padding import pad_to_multiple
from tutorial_lib.portable import LIMIT, ONE, PortableConv, PortableNetwork, from_fixed, portable_network, to_fixed
from tutorial_lib.quantization import add_uniform_noise
from tutorial_lib.rans import BitstreamError, Decoder, encode
from tutorial_lib.transform_codec import Strings, rate_of_whole_numbers
from tutorial_lib.turns import TURNS, Turn, turns_of
from tutorial_lib.variable_rate import LEVELS, QualityTable, check_quality, plane, quality_of

# Networks and quality tables give **levels**: 8 tables of the scale table are one level, a factor of 2.7 in scale. (In
# units of one table a network would learn eight times as slowly; and 8 is a power of two, so that nothing is rounded.)
TABLES_PER_LEVEL = 8
RATIO = TABLES_PER_LEVEL * math.log(SCALE_MAX / SCALE_MIN) / (SCALE_LEVELS - 1)  # of two levels, as a logarithm


def level_of(scale: Tensor) -> Tensor:
    """Undo `scale_of`."""
    return (scale / SCALE_MIN).log() / RATIO


def scale_of(level: Tensor) -> Tensor:
    """Any shape; levels below the first table or above the last count as these, with gradients that lead back."""
    level = -lower_bound(-lower_bound(level, 0.0), -(SCALE_LEVELS - 1.0) / TABLES_PER_LEVEL)
    return SCALE_MIN * torch.exp(RATIO * level)


# `walk` goes from part to part: z, each turn of the first slice, each other slice. For each it calls a function `part`,
# which finds the symbols, by choosing them (encoder) or by decoding them. It is told: the number of the slice, where 0
# is z; which positions are wanted, as a mask (h, w); the numbers of their tables and their means in fixed point, both
# (B, C, positions), with B = 1 for z. It gives (B, C, positions) symbols; or None if the slice is missing, which then
# is its means.
Part = Callable[[int, Tensor, Tensor, Tensor], Tensor | None]


class PortableSlices(nn.Module):
    """The prior, for y (B, M, h, w), with z (B, N, h/4, w/4) and features (B, P, h, w).

    sizes: the slices' numbers of channels, coarse to fine; M together. inner: channels inside the predictors.
    Raises ValueError for sizes that are not M together.
    """

    def __init__(self, sizes: Sequence[int], N: int, P: int, inner: int) -> None:
        super().__init__()
        M = len(coarse_to_fine())
        self.sizes = list(sizes)
        if sum(sizes) != M or min(sizes) < 1:
            raise ValueError(f"slices of {self.sizes} channels do not make the latent's {M}.")
        self.register_buffer("order", coarse_to_fine(), persistent=False)
        self.register_buffer("places", coarse_to_fine().argsort(), persistent=False)
        self.analysis = nn.Sequential(
            WithMagnitudes(), conv(2 * M + 2, N, 1, 1), nn.LeakyReLU(), conv(N, N, 3), nn.LeakyReLU(), conv(N, N, 3)
        )  # y and the quality -> z
        self.synthesis = PortableNetwork(
            *portable_network(N + 1, 2 * P, 4 * P, kernels=(3, 1)),
            nn.PixelShuffle(2),  # (B, P, h/2, w/2)
            *portable_network(P, P, 4 * P, kernels=(3, 1)),
            nn.PixelShuffle(2),
        )  # ẑ and the quality -> features
        self.turns = nn.ModuleList(Turn(turn, sizes[0], P, inner) for turn in range(TURNS))
        self.predictors = nn.ModuleList(
            portable_network(P + sum(sizes[:k]), inner, inner, 2 * sizes[k], kernels=(1, 3, 1))
            for k in range(1, len(sizes))
        )  # features and the slices before -> levels, to be added to the usual ones; means
        self.z_level = QualityTable(torch.full((LEVELS, N), 2.5))
        # The usual levels of y, to which the networks add: the first slice's for each turn, then the other slices'.
        self.y_level = QualityTable(torch.full((LEVELS, TURNS * sizes[0] + M - sizes[0]), 1.0))
        self.gaussian = GaussianConditional()
        self.slot = CoderSlot()

    def forward(
        self, y: Tensor, quality: Tensor, error_price: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """In training, with floats: (ŷ, likelihoods).

        quality (B,); error_price as in `rate_of_whole_numbers`; noise: what stands in for rounding z, None: fresh.
        """
        z = self._analyse(y, quality)
        z = add_uniform_noise(z) if noise is None else z + noise
        z_likelihoods = self.gaussian.likelihood(z, scale_of(self.z_level(quality)))
        height, width = y.shape[-2:]
        features = self.synthesis(torch.cat([z, plane(quality, z)], dim=1))[..., :height, :width]
        usual, slices, prices = self._usual(self.y_level(quality)), self._cut(y), self._cut(error_price)
        turn_of = turns_of(height, width).to(y.device)
        known, likelihoods = torch.zeros_like(slices[0]), torch.ones_like(slices[0])
        for turn, network in enumerate(self.turns):
            levels, means = network(features, known)
            y_hat, rated = self._quantize(slices[0], levels + usual[turn], means, prices[0])
            known = torch.where(turn_of == turn, y_hat, torch.where(turn_of < turn, known, means))
            likelihoods = torch.where(turn_of == turn, rated, likelihoods)
        done, all_likelihoods = [known], [likelihoods]
        for k, predictor in enumerate(self.predictors, start=1):
            levels, means = predictor(torch.cat([features, *done], dim=1)).float().chunk(2, dim=1)
            y_hat, rated = self._quantize(slices[k], levels + usual[TURNS + k - 1], means, prices[k])
            done.append(y_hat)
            all_likelihoods.append(rated)
        return self._join(done), {"y": self._join(all_likelihoods), "z": z_likelihoods}

    def _quantize(self, y: Tensor, levels: Tensor, means: Tensor, price: Tensor) -> tuple[Tensor, Tensor]:
        """In training: (ŷ, likelihoods) of a slice."""
        scales = scale_of(levels)
        moved = means.detach() - means  # 0, but with the gradient that draws a mean to the value that was coded
        symbols, likelihoods = rate_of_whole_numbers(
            y - means.detach(), lambda s: self.gaussian.likelihood(s + moved, scales), price
        )
        return symbols + means, likelihoods

    def build_coder(self) -> None:
        """Make the tables. Raises ValueError if any network could leave the range in which integers are exact."""
        self.check()
        self.slot.build(self.gaussian)

    def check(self) -> None:
        """Raise ValueError if an encoder and a decoder might not find the same tables."""
        for module in self.modules():
            if isinstance(module, (PortableNetwork, PortableConv)):
                module.check()
        if not all(table.values.isfinite().all() for table in (self.z_level, self.y_level)):
            raise ValueError("a quality's levels are NaN or infinite: the weights have diverged.")

    @torch.no_grad()
    def walk(self, quality: int, shape: tuple[int, int], part: Part) -> Tensor:
        """What encoder and decoder both do, in integers from end to end: ŷ, of the size `shape`. part: see `Part`."""
        check_quality(quality)
        z_shape = tuple(-(-size // HYPER_STRIDE) for size in shape)  # rounded up, as padding does
        levels = self.z_level.exact(quality).expand(-1, -1, *z_shape)
        z = self._fill(part, 0, torch.ones(z_shape, dtype=torch.bool), levels, torch.zeros_like(levels))
        # How its division rounds may depend on the machine; but none of the hundred results is near a half of a unit.
        quality_plane = to_fixed(plane(quality_of(quality, z), z))
        features = self.synthesis.exact(torch.cat([z, quality_plane], dim=1))[..., : shape[0], : shape[1]]
        usual, turn_of = self._usual(self.y_level.exact(quality)), turns_of(*shape).to(z.device)
        known = features.new_zeros(len(z), self.sizes[0], *shape)
        for turn, network in enumerate(self.turns):
            levels, means = network.exact(features, known)
            y_hat = self._fill(part, 1, turn_of == turn, levels + usual[turn], means)
            known = torch.where(turn_of < turn, known, y_hat)
        done = [known]
        for k, predictor in enumerate(self.predictors, start=1):
            levels, means = predictor.exact(torch.cat([features, *done], dim=1)).chunk(2, dim=1)
            done.append(self._fill(part, k + 1, turn_of >= 0, levels + usual[TURNS + k - 1], means))
        return from_fixed(self._join(done))  # (B, M, h, w)

    def _fill(self, part: Part, n: int, where: Tensor, levels: Tensor, means: Tensor) -> Tensor:
        """The means plus, where the mask says so, the symbols, coded with the nearest tables: (B, C, h, w)."""
        tables = torch.round(levels * (TABLES_PER_LEVEL / ONE)).clamp(0, SCALE_LEVELS - 1).int()
        symbols = part(n, where, tables[..., where], means[..., where])  # (B, C, positions)
        if symbols is None:
            return means
        y_hat = means.expand(len(symbols), *means.shape[1:]).clone()
        y_hat[..., where] += symbols.double() * ONE
        return y_hat.clamp(-LIMIT, LIMIT)

    def rate(self, y: Tensor, quality: int, error_price: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """(ŷ, the likelihoods of exactly what `compress` codes)."""
        rated: dict[int, Tensor] = {}  # by the number of the slice; the first one is filled turn by turn

        def part(n: int, where: Tensor, tables: Tensor, means: Tensor) -> Tensor:
            symbols, likelihoods = self._choose(y, quality, error_price, n, where, tables, means)
            if n not in rated:
                rated[n] = y.new_ones(*symbols.shape[:2], *where.shape)  # (B, C, h, w)
            rated[n][..., where] = likelihoods
            return symbols

        y_hat = self.walk(quality, tuple(y.shape[-2:]), part)
        return y_hat, {"y": self._join([rated[n] for n in range(1, len(rated))]), "z": rated[0]}

    def compress(self, y: Tensor, quality: int, error_price: Tensor) -> list[list[bytes]]:
        """One stream an image, cut into K + 1 pieces: what z needs, and what each slice needs besides."""
        numbers, symbols, indexes = [], [], []  # of each part: its slice's number, what is coded, with which tables

        def part(n: int, where: Tensor, tables: Tensor, means: Tensor) -> Tensor:
            chosen, _ = self._choose(y, quality, error_price, n, where, tables, means)
            if not chosen.isfinite().all():
                raise ValueError("the latent holds NaN or infinity: look at the picture, or at the weights.")
            numbers.append(n)
            symbols.append(chosen.cpu().numpy())
            indexes.append(tables.expand(chosen.shape).cpu().numpy())
            return chosen

        self.walk(quality, tuple(y.shape[-2:]), part)
        tables = self.slot.coder.tables
        strings: list[list[bytes]] = [[] for _ in range(len(self.sizes) + 1)]
        for b in range(len(y)):
            flat = [np.concatenate([each[b].reshape(-1) for each in arrays]) for arrays in (symbols, indexes)]
            stream = encode(*flat, tables)
            decoder, ends = Decoder(stream, tables), {}
            for n, index in zip(numbers, indexes, strict=True):
                decoder.pull(index[b])
                ends[n] = decoder.position
            for n, pieces in enumerate(strings):
                pieces.append(stream[ends.get(n - 1, 0) : ends[n]])
        return strings

    def decompress(self, strings: Strings, shape: tuple[int, int], quality: int) -> Tensor:
        """ŷ from the first pieces, or all of them: at least z's. Raises BitstreamError for damaged ones."""
        most = len(self.sizes) + 1
        if not 1 <= len(strings) <= most:
            raise BitstreamError(f"this codec reads 1 to {most} strings a picture, not {len(strings)}.")
        coding_tables = self.slot.coder.tables
        decoders = [Decoder(b"".join(pieces), coding_tables) for pieces in zip(*strings, strict=True)]

        def part(n: int, where: Tensor, tables: Tensor, means: Tensor) -> Tensor | None:
            if n >= len(strings):
                return None
            indexes = tables.expand(len(decoders), *tables.shape[1:]).cpu().numpy()
            symbols = [decoder.pull(index) for decoder, index in zip(decoders, indexes, strict=True)]
            return torch.from_numpy(np.stack(symbols)).to(tables.device)

        y_hat = self.walk(quality, shape, part)
        if len(strings) == most:
            for decoder in decoders:
                decoder.finish()
        return y_hat

    def _choose(
        self, y: Tensor, quality: int, error_price: Tensor, n: int, where: Tensor, tables: Tensor, means: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The symbols of a part, and their likelihoods."""
        scales = scale_of(tables.float() / TABLES_PER_LEVEL)
        if n == 0:
            symbols = torch.round(self._analyse(y, quality_of(quality, y))[..., where])
            return symbols, self.gaussian.likelihood(symbols, scales)
        residual = self._cut(y)[n - 1][..., where] - from_fixed(means)  # (B, C, positions)
        price = self._cut(error_price)[n - 1].flatten(2)  # (B, C, 1)
        return rate_of_whole_numbers(residual, lambda s: self.gaussian.likelihood(s, scales), price)

    def _analyse(self, y: Tensor, quality: Tensor) -> Tensor:
        padded, _ = pad_to_multiple(y, HYPER_STRIDE)
        return self.analysis(torch.cat([padded, plane(quality, padded)], dim=1)).float()

    def _usual(self, levels: Tensor) -> tuple[Tensor, ...]:
        """The usual levels, for each turn of the first slice, and for each other slice."""
        return levels.split([self.sizes[0]] * TURNS + self.sizes[1:], dim=1)

    def _cut(self, y: Tensor) -> tuple[Tensor, ...]:
        return y[:, self.order].split(self.sizes, dim=1)

    def _join(self, slices: list[Tensor]) -> Tensor:
        return torch.cat(slices, dim=1)[:, self.places]
