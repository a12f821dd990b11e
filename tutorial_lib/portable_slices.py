"""The full codec's prior: side information and slices, in integers, for every quality.

    y ─┬─ analysis ─ z ─ round ─ ẑ ─ synthesis ─ features ─┬────────────────┬───────────┬─ …
       │                                                   ↓                ↓           ↓
       │                                              five passes      predictor 2  predictor 3 …
       │                                                   ↓         ↗      ↓     ↗     ↓
       └── RDOQ ───────────────────────────────────── slice 1 ŷ ────── slice 2 ŷ ── slice 3 ŷ …

All of it has been taught: side information (08), coding passes (09), slices (10), networks of integers (11). From ẑ on
everything that says which table a symbol is coded with is computed in fixed point, with whole numbers (`portable`), the
means included. Four things are put together in a way of their own:

- **The first slice is coded in the passes of a pyramid** (09), for it holds each block's mean colours and slowest
  waves, at low rates most of a file's bits. Neighbouring blocks resemble each other, and slices of channels do not see
  it: they are predicted from *other* channels. A position between four known ones is predicted better than one beyond
  them: interpolating is easier than extrapolating.
- **z has no network for its density.** One density for a hundred qualities would suit few of them. z is coded as y is,
  with the Gaussian tables; which of them suits a channel of z, a `QualityTable` says.
- **The encoder chooses** between the two whole numbers around a coefficient (`rdoq`). The decoder does not notice.
- **One stream, cut in pieces.** A string of its own would cost each slice six bytes. rANS is decoded in order, so the
  stream of all symbols is cut behind the last word that a slice needs. The first pieces are a picture of less detail.

Training, rating, encoding and decoding are one control flow, `PortableSlices.scan`, an autoregressive scan: with
floats or in fixed point (`portable.Arithmetic`), and with a callback that quantizes, rates, codes or decodes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from tutorial_lib.context import RADIUS, coding_passes, nearest_known
from tutorial_lib.dct_transforms import coarse_to_fine
from tutorial_lib.entropy_bottleneck import lower_bound
from tutorial_lib.entropy_coder import CoderHolder
from tutorial_lib.gaussian_conditional import SCALE_LEVELS, SCALE_MAX, SCALE_MIN, GaussianConditional
from tutorial_lib.gdn import conv
from tutorial_lib.hyperprior import HYPER_STRIDE, WithMagnitudes, hyper_shape
from tutorial_lib.padding import pad_to_multiple
from tutorial_lib.portable import (
    FIXED_POINT,
    FLOATS,
    LIMIT,
    ONE,
    Arithmetic,
    PortableConv,
    PortableNetwork,
    from_fixed,
    portable_network,
)
from tutorial_lib.prior import Prior, Strings
from tutorial_lib.quality import LOWEST, ROW_SPACING, ROWS, QualityTable, given, one_quality, quality_map
from tutorial_lib.quantization import add_uniform_noise
from tutorial_lib.rans import BitstreamError, Decoder, encode_with_positions
from tutorial_lib.rdoq import rdoq
from tutorial_lib.slicing import ChannelSplit

# Networks and quality tables give **log-scales**, in units of 8 tables of the scale table: a factor of 2.7 in scale.
# (In units of one table a network would learn eight times as slowly; and 8 is a power of two, so nothing is rounded.)
TABLES_PER_UNIT = 8
UNIT = TABLES_PER_UNIT * math.log(SCALE_MAX / SCALE_MIN) / (SCALE_LEVELS - 1)  # as a natural logarithm
PASSES = 5  # of the pyramid


def log_scale_of(scale: Tensor) -> Tensor:
    """Undo `scale_of`."""
    return (scale / SCALE_MIN).log() / UNIT


def scale_of(log_scale: Tensor) -> Tensor:
    """Any shape; below the first table or above the last they count as these, with gradients that lead back."""
    log_scale = -lower_bound(-lower_bound(log_scale, 0.0), -(SCALE_LEVELS - 1.0) / TABLES_PER_UNIT)
    return SCALE_MIN * torch.exp(UNIT * log_scale)


# The scan goes from part to part: z (number 0), each pass of slice 1, each other slice. For each it calls a symbol
# callback, with the number of the slice; a mask (h, w) of the positions in question; and their log-scales and means,
# (B, C, h, w) in the scan's own arithmetic, with B = 1 for z. It gives ŷ there, and the means elsewhere.
SymbolCallback = Callable[[int, Tensor, Tensor, Tensor], Tensor]


class PassPredictor(nn.Module):
    """Predicts slice 1 in one pass: everywhere, though only the positions of the pass count.

    A convolution over what is known starts as the mean of the nearest known positions, and what a small network adds
    to it starts near 0.
    """

    def __init__(self, number: int, channels: int, P: int, inner: int) -> None:
        super().__init__()
        self.from_features = PortableConv(P, inner, relu=False)
        self.from_known = PortableConv(channels, inner, 5, relu=False)
        self.network = portable_network(inner, inner, 2 * channels, kernels=(1, 1))
        self.nearest = PortableConv(channels, channels, 5, relu=False)
        self.from_known.weight.data *= 0.1  # coefficients are larger than features
        nn.init.zeros_(self.nearest.weight)
        nn.init.zeros_(self.nearest.bias)
        places = nearest_known("pyramid", number) if number else []
        for down, right in places:
            self.nearest.weight.data[range(channels), range(channels), RADIUS + down, RADIUS + right] = 1 / len(places)

    def forward(self, features: Tensor, known: Tensor, arithmetic: Arithmetic) -> tuple[Tensor, Tensor]:
        """known: ŷ where its pass is over, elsewhere the last pass's means. Gives log-scales and means, like it."""
        seen = arithmetic.run(self.from_features, features) + arithmetic.run(self.from_known, known)
        log_scales, means = arithmetic.run(self.network, arithmetic.relu(seen)).chunk(2, dim=1)
        return log_scales, arithmetic.bounded(means + arithmetic.run(self.nearest, known))


class PortableSlices(Prior):
    """The prior, for y (B, M, h, w), with z (B, N, h/4, w/4) and features (B, P, h, w). Conditioned on the quality.

    sizes: the slices' numbers of channels, coarse to fine; M together. inner: channels inside the predictors.
    distortion_weight: of RDOQ, for qualities (B,): (B, M, 1, 1). None: no RDOQ.
    Raises ValueError for sizes that are not M together.
    """

    encoder_only = ("analysis.",)

    def __init__(
        self,
        sizes: Sequence[int],
        N: int,
        P: int,
        inner: int,
        distortion_weight: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__()
        M, K = len(coarse_to_fine()), len(sizes)
        if sum(sizes) != M:
            raise ValueError(f"slices of {list(sizes)} channels do not make the latent's {M}.")
        self.channels = ChannelSplit(sizes, coarse_to_fine())
        self.slices = K
        self.distortion_weight = distortion_weight
        self.analysis = nn.Sequential(
            WithMagnitudes(), conv(2 * M + 2, N, 1, 1), nn.LeakyReLU(), conv(N, N, 3), nn.LeakyReLU(), conv(N, N, 3)
        )  # y and the quality -> z
        self.synthesis = PortableNetwork(
            *portable_network(N + 1, 2 * P, 4 * P, kernels=(3, 1)),
            nn.PixelShuffle(2),  # (B, P, h/2, w/2)
            *portable_network(P, P, 4 * P, kernels=(3, 1)),
            nn.PixelShuffle(2),
        )  # ẑ and the quality -> features
        self.passes = nn.ModuleList(PassPredictor(number, sizes[0], P, inner) for number in range(PASSES))
        self.predictors = nn.ModuleList(
            portable_network(P + sum(sizes[:k]), inner, inner, 2 * sizes[k], kernels=(1, 3, 1)) for k in range(1, K)
        )  # features and the slices before -> log-scales, to be added to the base ones; means
        self.z_log_scale = QualityTable(torch.full((ROWS, N), 2.5))
        # The base log-scales of y, to which the networks add: slice 1's for each pass, then the other slices'.
        self.base_log_scale = QualityTable(torch.full((ROWS, PASSES * sizes[0] + M - sizes[0]), 1.0))
        self.gaussian = GaussianConditional()
        self.holder = CoderHolder(len(self.gaussian.scale_table))

    # ---- the contract of a prior

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """In training with floats, at any qualities (B,); else exactly what `compress` codes, at one whole quality."""
        quality = given(condition)
        return self._train(y, quality) if self.training else self._rate(y, quality)

    def build_coder(self) -> None:
        """Make the tables. Raises ValueError if any network could leave the range in which integers are exact."""
        self.check()
        self.holder.build(self.gaussian)

    def check(self) -> None:
        """Raise ValueError unless all sums of all networks are exact (`portable`), and the log-scales finite."""
        for module in self.modules():
            if isinstance(module, (PortableNetwork, PortableConv)):
                module.check()
        if not all(table.values.isfinite().all() for table in (self.z_log_scale, self.base_log_scale)):
            raise ValueError("a quality's log-scales are NaN or infinite: the weights have diverged.")

    @torch.no_grad()
    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        """One stream an image, cut into K + 1 pieces: what z needs, and what each slice needs besides."""
        numbers, symbols, indexes = [], [], []  # of each part: its slice, what is coded, with which tables

        def write(number: int, chosen: Tensor, likelihoods: Tensor, tables: Tensor, where: Tensor) -> None:
            if not chosen.isfinite().all():
                raise ValueError("the latent holds NaN or infinity: look at the picture, or at the weights.")
            numbers.append(number)
            symbols.append(chosen.cpu().numpy())
            indexes.append(tables.expand(chosen.shape).cpu().numpy())

        self._choose_all(y, given(condition), write)
        strings: list[list[bytes]] = [[] for _ in range(self.slices + 1)]
        ends = np.cumsum([part[0].size for part in symbols])
        last = [max(k for k, number in enumerate(numbers) if number == slice) for slice in range(self.slices + 1)]
        for b in range(len(y)):
            flat, tables = (np.concatenate([each[b].reshape(-1) for each in arrays]) for arrays in (symbols, indexes))
            stream, cuts = encode_with_positions(flat, tables, self.holder.coder.tables, ends[last])
            for pieces, begin, end in zip(strings, [0, *cuts], cuts, strict=False):
                pieces.append(stream[begin:end])
        return strings

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        """ŷ from the first pieces, or all of them: at least z's. Raises BitstreamError for damaged ones."""
        most = self.slices + 1
        if not 1 <= len(strings) <= most:
            raise BitstreamError(f"this codec reads 1 to {most} strings a picture, not {len(strings)}.")
        if None in strings:
            raise BitstreamError(f"string {list(strings).index(None) + 1} is lost, and those behind it need it.")
        decoders = [Decoder(b"".join(pieces), self.holder.coder.tables) for pieces in zip(*strings, strict=True)]

        def read(number: int, where: Tensor, log_scales: Tensor, means: Tensor) -> Tensor:
            if number >= len(strings):
                return means
            tables = _tables(log_scales)[..., where]
            indexes = tables.expand(len(decoders), *tables.shape[1:]).cpu().numpy()
            symbols = [decoder.pop(index) for decoder, index in zip(decoders, indexes, strict=True)]
            return _filled(means, where, torch.from_numpy(np.stack(symbols)).to(means.device))

        y_hat = self.scan(given(condition), shape, read, FIXED_POINT)
        if len(strings) == most:
            for decoder in decoders:
                decoder.finish()
        return from_fixed(y_hat)

    @torch.no_grad()
    def start_at(self, y: Tensor, condition: Tensor | None = None) -> None:
        """The base log-scales begin at y's spreads at those qualities (B,) that the table has rows for.

        In slice 1 they are those of what is left when the nearest known positions' mean is taken away. What networks
        add begins near 0.
        """
        qualities = given(condition)
        for quality in qualities.unique().tolist():
            first, *others = self.channels.split(y[qualities == quality])
            pass_of, known, spreads = coding_passes("pyramid", *first.shape[-2:]).to(y.device), first * 0, []
            for number, predictor in enumerate(self._pass_predictors):
                means = predictor.nearest(known)
                left = (first - means)[..., pass_of == number]  # (B, C, positions), none at all in very small crops
                spreads.append((left.square().sum(dim=(0, 2)) / max(1, left[:, 0].numel())).sqrt())  # (C,)
                known = torch.where(pass_of <= number, first, means)
            spreads += [part.square().mean(dim=(0, 2, 3)).sqrt() for part in others]
            row = round((quality - LOWEST) / ROW_SPACING)
            self.base_log_scale.values[row] = log_scale_of(torch.cat(spreads).clamp(min=SCALE_MIN))
        for network in (*(predictor.network for predictor in self._pass_predictors), *self._slice_predictors):
            last = cast(PortableConv, network[-1])
            last.weight.mul_(0.01)
            last.bias.zero_()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Two groups: "linear", the convolutions over known coefficients, and "prior", the rest."""
        # Coefficients may be hundreds: what multiplies them must move slowly, or one step makes their product jump.
        linear = [layer for each in self._pass_predictors for layer in (each.nearest, each.from_known)]
        slow = [p for layer in linear for p in layer.parameters()]
        rest = [p for p in self.parameters() if all(p is not other for other in slow)]
        return [{"name": "linear", "params": slow, "lr": 1e-4}, {"name": "prior", "params": rest, "lr": 4e-3}]

    # ---- the scan, and what quantizes, rates and codes in it

    @property
    def _pass_predictors(self) -> list[PassPredictor]:
        """`passes`; a ModuleList does not tell of what kind its modules are."""
        return cast(list[PassPredictor], list(self.passes))

    @property
    def _slice_predictors(self) -> list[PortableNetwork]:
        """`predictors`, in the same way."""
        return cast(list[PortableNetwork], list(self.predictors))

    def scan(self, condition: Tensor, shape: tuple[int, int], code: SymbolCallback, arithmetic: Arithmetic) -> Tensor:
        """ŷ (B, M, h, w), of the size `shape`, in the arithmetic's numbers. condition: the qualities (B,)."""

        def at_quality(table: QualityTable) -> Tensor:
            return table(condition) if arithmetic is FLOATS else table.in_units(one_quality(condition)[:1], ONE)

        z_size = hyper_shape(shape)
        log_scales = at_quality(self.z_log_scale).expand(-1, -1, *z_size)
        everywhere = torch.ones(z_size, dtype=torch.bool, device=log_scales.device)
        z = code(0, everywhere, log_scales, torch.zeros_like(log_scales))
        # How this division rounds may depend on the machine; but none of the hundred results is near half a unit.
        hint = arithmetic.given(quality_map(condition, z))
        features = arithmetic.run(self.synthesis, torch.cat([z, hint], dim=1))[..., : shape[0], : shape[1]]
        base = at_quality(self.base_log_scale).split([self.channels.sizes[0]] * PASSES + self.channels.sizes[1:], dim=1)
        pass_of = coding_passes("pyramid", *shape).to(z.device)
        known = features.new_zeros(len(z), self.channels.sizes[0], *shape)
        for number, pass_predictor in enumerate(self._pass_predictors):
            log_scales, means = pass_predictor(features, known, arithmetic)
            y_hat = code(1, pass_of == number, log_scales + base[number], means)
            known = torch.where(pass_of < number, known, y_hat)
        done = [known]
        for k, predictor in enumerate(self._slice_predictors, start=1):
            seen = torch.cat([features, *done], dim=1)
            log_scales, means = arithmetic.run(predictor, seen).chunk(2, dim=1)
            done.append(code(k + 1, pass_of >= 0, log_scales + base[PASSES + k - 1], means))
        return self.channels.join(done)

    def _train(self, y: Tensor, quality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        parts, weights = self._parts(y, quality)
        likelihoods = [torch.ones_like(parts[0]), *parts[1:]]  # of z, then of each slice: to be replaced

        def quantize(number: int, where: Tensor, log_scales: Tensor, means: Tensor) -> Tensor:
            scales = scale_of(log_scales)
            if number == 0:  # noise, not rounding: against posterior collapse, see `SideInformation`
                z = add_uniform_noise(parts[0])
                likelihoods[0] = self.gaussian.likelihood(z, scales)
                return z
            y_hat, rated = self.gaussian(parts[number], scales, means, weights[number - 1])
            likelihoods[number] = torch.where(where, rated, likelihoods[number])
            return torch.where(where, y_hat, means)

        y_hat = self.scan(quality, (y.shape[-2], y.shape[-1]), quantize, FLOATS)
        return y_hat, {"y": self.channels.join(likelihoods[1:]), "z": likelihoods[0]}

    def _rate(self, y: Tensor, quality: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        parts, _ = self._parts(y, quality)
        rated = [torch.ones_like(part) for part in parts]

        def note(number: int, chosen: Tensor, likelihoods: Tensor, tables: Tensor, where: Tensor) -> None:
            rated[number][..., where] = likelihoods

        y_hat = self._choose_all(y, quality, note)
        return y_hat, {"y": self.channels.join(rated[1:]), "z": rated[0]}

    def _choose_all(self, y: Tensor, quality: Tensor, note: Callable[..., None]) -> Tensor:
        """Choose every symbol, as an encoder does; tell note(number, symbols, likelihoods, tables, where). Gives ŷ.

        Symbols, likelihoods and tables are (B, C, positions).
        """
        parts, weights = self._parts(y, quality)

        def choose(number: int, where: Tensor, log_scales: Tensor, means: Tensor) -> Tensor:
            tables = _tables(log_scales)[..., where]
            scales = scale_of(tables.float() / TABLES_PER_UNIT)
            residual = parts[number][..., where] - from_fixed(means[..., where])  # (B, C, positions)
            if number == 0:
                symbols = torch.round(residual)
                likelihoods = self.gaussian.likelihood(symbols, scales)
            else:
                weight = weights[number - 1]
                weight = None if weight is None else weight.flatten(2)  # (B, C, 1)
                symbols, likelihoods = rdoq(residual, lambda s: self.gaussian.likelihood(s, scales), weight)
            note(number, symbols, likelihoods, tables, where)
            return _filled(means, where, symbols)

        return from_fixed(self.scan(quality, (y.shape[-2], y.shape[-1]), choose, FIXED_POINT))

    def _parts(self, y: Tensor, quality: Tensor) -> tuple[list[Tensor], Sequence[Tensor | None]]:
        """z, then the slices of y, all before they are quantized; and the slices' distortion weights."""
        padded, _ = pad_to_multiple(y, HYPER_STRIDE)
        z = self.analysis(torch.cat([padded, quality_map(quality, padded)], dim=1)).float()
        weight = None if self.distortion_weight is None else self.distortion_weight(quality).detach()
        weights = [None] * self.slices if weight is None else self.channels.split(weight)
        return [z, *self.channels.split(y)], weights


def _tables(log_scales: Tensor) -> Tensor:
    """The nearest tables' numbers, int32, for log-scales in fixed point."""
    return torch.round(log_scales * (TABLES_PER_UNIT / ONE)).clamp(0, SCALE_LEVELS - 1).int()


def _filled(means: Tensor, where: Tensor, symbols: Tensor) -> Tensor:
    """The means, and where the mask says so the symbols (B, C, positions) added to them, in fixed point."""
    y_hat = means.expand(len(symbols), *means.shape[1:]).clone()
    y_hat[..., where] += symbols.double() * ONE
    return y_hat.clamp(-LIMIT, LIMIT)
