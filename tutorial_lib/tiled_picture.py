"""A picture of any size, as both ways of the full codec see it a tile at a time (`tiled_encoding`, `tiled_decoding`).

The strings are those of `SubbandPrior.compress`, to the last byte, and the pictures those of `WaveletSynthesis`, but
for the rounding of floats. What a network computes depends on a small surrounding (`subband_networks`, *Reach*), and
those that choose tables compute with whole numbers, which no tiling changes.

From level to level go (`Known`): features, ŷ, the low-pass that ŷ refines, and for a decoder the picture that this
low-pass looks like. They are kept in strips, and forgotten as soon as the next level has passed. What is made of them
in the size of the next level is computed for a tile when it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutorial_lib.quality import quality_map
from tutorial_lib.strips import Strips, Window, set_aside, tiles, whole
from tutorial_lib.subband_networks import Level, SymbolCallback
from tutorial_lib.subband_prior import SubbandPrior
from tutorial_lib.wavelet import band_sizes, join_whole, sizes
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT, self_test_once

SIDE = 256  # of a tile of the finest level, in positions of two pixels; of other levels, half of that
LIFTING = 4  # positions of a low-pass that splitting and joining reach, over all levels
BEGIN = 4  # reach of `Level.begin`
CENTRE = 40  # of the features behind a level, roughly: a rectifier makes more of positive ones
CHUNK = 2**20  # symbols that are coded at once


class Quarter:
    """The symbols of one call of a symbol callback, for the whole picture, and the numbers of their tables.

    symbols: of each channel (h', w'), int8 as long as that will do; None: not kept. counted: of each channel, the rows
    and columns that are coefficients. colours: are they the colours' alone?
    """

    def __init__(
        self, shape: tuple[int, int], counted: Sequence[tuple[int, int]], symbols: bool, colours: bool
    ) -> None:
        self.symbols: list[NDArray] | None = [set_aside(shape, np.int8) for _ in counted] if symbols else None
        self.indexes = set_aside((len(counted), *shape), np.uint8)
        self.counted, self.colours = counted, colours

    def put(self, window: Window, index: Tensor, k: Tensor | None = None) -> None:
        """Both (1, n, h, w), for a window."""
        self.indexes[:, window.rows, window.columns] = index[0].cpu().numpy()
        if k is None or self.symbols is None:
            return
        for channel, values in enumerate(k[0].cpu().numpy()):
            symbols = self.symbols[channel]
            if values.size and (most := np.abs(values).max()) > np.iinfo(symbols.dtype).max:
                symbols = self.symbols[channel] = symbols.astype(np.int16 if most < 2**15 else np.int32)
            symbols[window.rows, window.columns] = values

    def pieces(self) -> Iterator[tuple[NDArray, NDArray]]:
        """Symbols and indexes, about CHUNK at a time, from the last to the first."""
        assert self.symbols is not None
        for symbols, indexes, (h, w) in reversed(list(zip(self.symbols, self.indexes, self.counted, strict=True))):
            rows = max(1, CHUNK // max(1, w))
            for top in reversed(range(0, h if w else 0, rows)):
                places = slice(top, min(top + rows, h)), slice(0, w)
                yield symbols[places].astype(np.int32), indexes[places]


class Known(NamedTuple):
    """What is known behind a part; behind the low-pass there is no ŷ, as that is the low-pass itself.

    features None: this part was not decoded, and its details count as zeros.
    """

    part: int
    features: Strips | None
    y_hat: Strips | None
    low: Strips | None
    picture: Strips | None

    def forget(self, row: int) -> None:
        """What lies above a row, in its own positions, and farther than a margin."""
        for strips in self[1:]:
            if isinstance(strips, Strips):
                strips.forget(row)


class Picture:
    """A picture of that shape at a quality (1,), with all that does not depend on its pixels."""

    def __init__(self, prior: SubbandPrior, shape: tuple[int, int], quality: Tensor) -> None:
        self.prior, self.quality, self.device = prior, quality, quality.device
        self_test_once(self.device)
        self.levels = prior.slices
        self.sides = sizes(shape, self.levels)
        self.hint = torch.round(quality_map(quality) * UNIT)
        self.base = [table.rounded(quality, OUTPUT_UNIT) for table in prior.tables]

    def size(self, part: int) -> tuple[int, int]:
        """Of a part's bands, and of the low-pass that they refine. Behind the last part: of the picture."""
        return self.sides[self.levels - max(part - 1, 0)]

    def side(self, part: int) -> int:
        """Of a part's tiles. Coarser levels have wider networks."""
        return SIDE if part >= self.levels else SIDE // 2

    def tiles(self, part: int, known: Known, margin: int) -> Iterator[Window]:
        """A part's tiles. What is known of rows that are farther above than a margin is forgotten."""
        for tile in tiles(self.size(part), self.side(part)):
            if known.part:
                known.forget((tile.rows.start - margin) // 2 - LIFTING - 2)
            yield tile

    def level(self, part: int) -> Level:
        """The networks of a part's details."""
        return cast(Level, self.prior.levels[part - 1])

    def strips(self, part: int, channels: int, unit: float | None) -> Strips:
        """For something of a part's size."""
        return Strips(channels, self.size(part), self.side(part), unit, self.device)

    def room(self, part: int, y_hat: Strips | None = None, picture: bool = False) -> Known:
        """For what will be known behind a part."""
        width = len(self.level(part).up.bias)
        features = Strips(width, self.size(part), self.side(part), 1.0, self.device, CENTRE, together=True)
        y_hat = self.strips(part, 9, OUTPUT_UNIT) if y_hat is None else y_hat
        return Known(part, features, y_hat, self.strips(part, 3, None), self.strips(part, 3, None) if picture else None)

    def quarter(self, part: int, channels: slice, row: int, column: int, symbols: bool) -> Quarter:
        """An empty one."""
        places = whole(self.size(part)).quarter(row, column)
        bands = band_sizes(self.size(part + 1)) if part else [self.size(0)] * 3
        counted = [((h - row + 1) // 2, (w - column + 1) // 2) for h, w in bands]
        counted *= (channels.stop - channels.start) // 3
        return Quarter(places.shape, counted, symbols, colours=channels.start > 0)

    def begin(self, decode: SymbolCallback) -> tuple[Known, Tensor]:
        """The low-pass (1, 3, h, w), by a symbol callback, and what is known then."""
        size = self.size(0)
        low, f = self.prior.low_pass(size, decode, self.base[0], self.hint, True)
        features = Strips(f.shape[1], size, 2 * size[0], 1.0, self.device, CENTRE, together=True)
        features.write(whole(size), f)
        kept = Strips(3, size, 2 * size[0], None, self.device)
        kept.write(whole(size), low)
        return Known(0, features, None, kept, None), low

    # ---- what the networks of a part are given, for a window

    def valid(self, part: int, window: Window) -> Tensor | None:
        """Which places are coefficients: see `subband_prior.valid_places`."""
        bands = band_sizes(self.size(part + 1))
        if all(window.rows.stop <= h and window.columns.stop <= w for h, w in bands):
            return None
        valid = torch.zeros(3, *window.shape, dtype=torch.bool, device=self.device)
        for band, (h, w) in zip(valid, bands, strict=True):
            band[: max(0, h - window.rows.start), : max(0, w - window.columns.start)] = True
        return valid.repeat(3, 1, 1)

    def low(self, known: Known, window: Window) -> Tensor:
        """The low-pass of the next part, rebuilt."""
        assert known.low is not None
        if known.y_hat is None:
            return known.low.read(window)
        size = self.size(known.part)
        outer = window.halved().widened(LIFTING, size)
        doubled = outer.times(2, self.size(known.part + 1))
        details = known.y_hat.read(outer).unflatten(1, (3, 3))
        return window.within(doubled).of(join_whole(known.low.read(outer), details, doubled.shape)).contiguous()

    def features(self, known: Known, window: Window) -> Tensor:
        """Those that the next part's networks begin with: (1, C, h, w), half as large but for the first part."""
        assert known.features is not None
        if known.y_hat is None:
            return known.features.read(window)
        return known.features.read(Window(*(slice(each.start // 2, (each.stop + 1) // 2) for each in window)))

    def begun(self, known: Known, window: Window) -> Tensor:
        """What `Level.begin` makes of them."""
        part = known.part + 1
        outer = window.widened(BEGIN, self.size(part))
        f, low = self.features(known, outer), self.low(known, outer)
        return window.within(outer).of(self.level(part).begin(f, low, part, self.hint, whole=True))
