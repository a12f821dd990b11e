"""Slices: code the latent in parts, each with a string of its own.

There are two ways to cut, and they serve different ends.

`ChannelSlices` cuts the channels (Minnen & Singh 2020). Every slice is predicted from the side information *and from
the slices before it*, at all positions in parallel: the context model's gain in K steps instead of one for each
position. Strings are decoded in order, and each depends on those before it. A file that ends early is a picture of
less detail: what is missing is replaced by its predicted means.

    parameters ──┬──────┬──────┬── …
                 ↓      ↓      ↓
               slice 1 → 2  →  3  → …        ŷ = all of them

`SpatialSlices` cuts the picture plane into tiles, which know nothing of each other: they can be coded anywhere, in any
order, with the memory of one tile, and a lost tile leaves the others as they are. What a neighbour could have told
across the edge is paid for again.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tutorial_lib.hyperprior import ScaleMeanHead, SideBySide, SideInformation, SideInformedPrior, slim_features
from tutorial_lib.prior import Prior, Strings, check_count
from tutorial_lib.rans import BitstreamError


class ChannelSplit(nn.Module):
    """The channels of a latent in an order of their own, cut into slices, and put back.

    sizes: the slices' numbers of channels; M together. order: a permutation of the M channels. None: as they are.
    Raises ValueError where these do not fit.
    """

    order: Tensor

    def __init__(self, sizes: Sequence[int], order: Tensor | None = None) -> None:
        super().__init__()
        if not sizes or min(sizes) < 1:
            raise ValueError(f"slices have 1 channel or more, unlike {list(sizes)}.")
        order = torch.arange(sum(sizes)) if order is None else order
        if not torch.equal(order.sort().values, torch.arange(sum(sizes))):
            raise ValueError(f"order must hold each of the {sum(sizes)} channels once.")
        self.sizes = list(sizes)
        self.register_buffer("order", order, persistent=False)  # the constructor is always told

    def split(self, y: Tensor) -> tuple[Tensor, ...]:
        """(B, M, ...) -> each slice's (B, its size, ...)."""
        return y[:, self.order].split(self.sizes, dim=1)

    def join(self, slices: Sequence[Tensor]) -> Tensor:
        """Undo `split`."""
        return torch.cat(list(slices), dim=1)[:, self.order.argsort()]


class ChannelSlices(SideInformedPrior):
    """K slices of channels, each predicted from the side information and the slices before it.

    side:       side information with P parameters, of any meaning.
    sizes:      the slices' numbers of channels, in the order in which they are coded; M together.
    predictors: one network a slice: (B, P + the channels before, h, w) -> (B, 2 · its size, h, w), scales and means.
    order:      a permutation of the M channels: which come first. None: as they are.
    residuals:  for each slice (B, P + the channels up to and with it, h, w) -> (B, its size, h, w): a guess of what
                rounding has taken away, between −½ and ½, which is added to ŷ (latent residual prediction). None: none.

    It writes K + 1 parts: z's strings, then those of each slice.
    """

    def __init__(
        self,
        side: SideInformation,
        sizes: Sequence[int],
        predictors: Sequence[nn.Module],
        order: Tensor | None = None,
        residuals: Sequence[nn.Module] | None = None,
        noise: bool = True,
    ) -> None:
        super().__init__(side, noise)
        self.channels = ChannelSplit(sizes, order)
        if len(predictors) != len(sizes):
            raise ValueError(f"slices of {list(sizes)} channels and {len(predictors)} predictors do not fit.")
        if residuals is not None and len(residuals) != len(sizes):
            raise ValueError(f"{len(sizes)} slices need as many residual networks, not {len(residuals)}.")
        self.predictors = nn.ModuleList(predictors)
        self.residuals = None if residuals is None else nn.ModuleList(residuals)
        self.slices = len(sizes)

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        parameters, z_likelihoods = self.side(y)  # (B, P, h, w)
        slices, likelihoods = self.channels.split(y), []

        def rate(k: int, scales: Tensor, means: Tensor) -> Tensor:
            y_hat, slice_likelihoods = self.gaussian(slices[k], scales, means)
            likelihoods.append(slice_likelihoods)
            return y_hat

        return self._scan(parameters, rate), {"y": self.channels.join(likelihoods), "z": z_likelihoods}

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        z_strings, parameters = self.side.compress(y)
        slices, strings = self.channels.split(y), [z_strings]

        def write(k: int, scales: Tensor, means: Tensor) -> Tensor:
            strings.append(self.holder.coder.compress(slices[k], self.gaussian.indexes(scales), means))
            return torch.round(slices[k] - means) + means

        self._scan(parameters, write)
        return strings

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        """ŷ. A slice whose strings are None, or that is not there because the list ends early, gets its means.

        Later slices of a lost one would be decoded with wrong tables: give None for these, too.
        """
        most = self.slices + 1
        if not 1 <= len(strings) <= most:
            raise BitstreamError(f"this codec reads 1 to {most} strings a picture, not {len(strings)}.")
        if strings[0] is None:
            raise BitstreamError("z's strings are lost, and nothing can be decoded without them.")
        slices = [*strings[1:], *[None] * (most - len(strings))]
        lost = next((k for k, part in enumerate(slices) if part is None), len(slices))
        for k, part in enumerate(slices):
            if k > lost and part is not None:
                raise BitstreamError(f"slice {k + 1} cannot be decoded without slice {lost + 1}, which is lost.")

        def read(k: int, scales: Tensor, means: Tensor) -> Tensor:
            part = slices[k]
            return (
                means
                if part is None
                else self.holder.coder.decompress(part, None, self.gaussian.indexes(scales), means)
            )

        return self._scan(self.side.decompress(strings[0], shape), read)

    def _scan(self, parameters: Tensor, code: Callable[[int, Tensor, Tensor], Tensor]) -> Tensor:
        """Slice by slice, ask code(k, scales, means) for its ŷ, (B, its size, h, w). Returns all of ŷ, (B, M, h, w)."""
        done: list[Tensor] = []
        for k in range(self.slices):
            y_hat = code(k, *self._predict(k, parameters, done))
            done.append(self._refine(k, parameters, done, y_hat))
        return self.channels.join(done)

    def _predict(self, k: int, parameters: Tensor, done: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Scales and means of slice k: (B, its size, h, w) each."""
        scales, means = self.predictors[k](torch.cat([parameters, *done], dim=1)).chunk(2, dim=1)
        return scales, means.contiguous()

    def _refine(self, k: int, parameters: Tensor, done: list[Tensor], y_hat: Tensor) -> Tensor:
        if self.residuals is None:
            return y_hat
        return y_hat + 0.5 * torch.tanh(self.residuals[k](torch.cat([parameters, *done, y_hat], dim=1)))


class SpatialSlices(Prior):
    """Any prior, applied to the tiles of a latent one by one: `size` × `size` positions each, fewer at the edges.

    It writes the prior's parts for each tile: first those of tile 0, then those of tile 1, … in reading order. (A .lic
    file holds 255 strings at most.)
    """

    required_parts = None

    def __init__(self, prior: Prior, size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"tiles of {size} × {size} positions: there must be at least one.")
        self.prior = prior
        self.size = size
        self.encoder_only = tuple(f"prior.{prefix}" for prefix in prior.encoder_only)

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """See `Prior.forward`; but likelihoods are flat, (B, n) each: tile after tile."""
        y_hat, likelihoods = torch.empty_like(y), []
        for rows, columns in self._tiles(*y.shape[-2:]):
            y_hat[:, :, rows, columns], tile_likelihoods = self.prior(y[:, :, rows, columns], condition)
            likelihoods.append(tile_likelihoods)
        flat = {name: [tile[name].flatten(1) for tile in likelihoods] for name in likelihoods[0]}
        return y_hat, {name: torch.cat(tiles, dim=1) for name, tiles in flat.items()}  # (B, all of them)

    def build_coder(self) -> None:
        self.prior.build_coder()

    def start_at(self, y: Tensor, condition: Tensor | None = None) -> None:
        self.prior.start_at(y, condition)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return self.prior.parameter_groups()

    def check(self) -> None:
        self.prior.check()

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        """The prior's parts for each tile, in reading order. See `Prior.compress`."""
        tiles = self._tiles(*y.shape[-2:])
        return [part for rows, columns in tiles for part in self.prior.compress(y[:, :, rows, columns], condition)]

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        """ŷ. A tile of which any string is lost (None) is 0: mid-grey, for most transforms."""
        tiles = self._tiles(*shape)
        per_tile = len(strings) // len(tiles)
        check_count(strings, max(1, per_tile) * len(tiles))
        decoded = []
        for n, (rows, columns) in enumerate(tiles):
            tile_strings = strings[n * per_tile : (n + 1) * per_tile]
            size = (rows.stop - rows.start, columns.stop - columns.start)
            decoded.append(None if None in tile_strings else self.prior.decompress(tile_strings, size, condition))
        known = next((tile for tile in decoded if tile is not None), None)
        if known is None:
            raise BitstreamError("all tiles are lost.")
        y_hat = known.new_zeros(*known.shape[:2], *shape)  # (B, M, h, w)
        for (rows, columns), tile in zip(tiles, decoded, strict=True):
            if tile is not None:
                y_hat[:, :, rows, columns] = tile
        return y_hat

    def _tiles(self, height: int, width: int) -> list[tuple[slice, slice]]:
        starts = [(top, left) for top in range(0, height, self.size) for left in range(0, width, self.size)]
        return [
            (slice(top, min(top + self.size, height)), slice(left, min(left + self.size, width)))
            for top, left in starts
        ]


def slim_slices(
    sizes: Sequence[int], order: Tensor | None = None, N: int = 64, inner: int = 48, residual: bool = False
) -> ChannelSlices:
    """Slices of a latent of many channels, around `slim_features` with N inside, trained on whole numbers.

    sizes, order: see `ChannelSlices`. inner: channels inside the predictors. residual: predict latent residuals, too?
    """

    def network(channels_in: int) -> list[nn.Module]:
        """All but the last layer."""
        same: dict[str, Any] = {"padding": 1, "padding_mode": "replicate"}
        return [nn.Conv2d(channels_in, inner, 1), nn.LeakyReLU(), nn.Conv2d(inner, inner, 3, **same), nn.LeakyReLU()]

    before = [2 * N + sum(sizes[:k]) for k in range(len(sizes))]
    predictors = []
    for b, size, channels in zip(before, sizes, ChannelSplit(sizes, order).order.split(list(sizes)), strict=True):
        scales = nn.Sequential(*network(b), ScaleMeanHead(nn.Conv2d(inner, size, 1), size, channels))
        means = nn.Sequential(*network(b), ScaleMeanHead(nn.Conv2d(inner, size, 1), 0))
        predictors.append(SideBySide(scales, means))  # which share no layer: see `slim_hyperprior`
    residuals = None
    if residual:
        pairs = zip(before, sizes, strict=True)
        residuals = [nn.Sequential(*network(b + size), nn.Conv2d(inner, size, 1)) for b, size in pairs]
    return ChannelSlices(slim_features(sum(sizes), N), sizes, predictors, order, residuals, noise=False)
