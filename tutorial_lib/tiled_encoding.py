"""Encoding a picture of any size in bounded memory: the full codec, a tile at a time (`tiled_picture`).

An encoder knows all coefficients: it goes through a level tile by tile, and puts the symbols where they belong. A
stream goes pass by pass through the whole picture, and rANS works from the last symbol to the first: so all symbols
wait for the end, in two bytes each with the number of its table. The analysis does the same operations for each sample,
wherever it lies.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from tutorial_lib.quality import step_of
from tutorial_lib.rans import Encoder
from tutorial_lib.strips import Strips, Window, tiles, whole
from tutorial_lib.subband_networks import HALVES, Pass, SymbolCallback
from tutorial_lib.subband_prior import SubbandPrior
from tutorial_lib.table_offsets import Counts, shifted, to_byte
from tutorial_lib.tiled_picture import LIFTING, Picture, Quarter
from tutorial_lib.wavelet import split, turn_colours

LEVEL = 12  # reach of all that a level does


@torch.no_grad()
def compress(prior: SubbandPrior, colours: Tensor, image: Tensor, quality: Tensor) -> list[bytes]:
    """image (3, H, W) uint8, quality (1,) -> the string of each part. colours: the analysis's matrix."""
    shape = image.shape[-2], image.shape[-1]
    picture = Picture(prior, shape, quality)
    source = _Analysis(image, colours, step_of(quality), picture)
    coded: list[list[Quarter]] = [[]]

    def write_low(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        k, index = prior.choose(source.low_pass[:, :, which.row :: 2, which.column :: 2] - m, s)
        quarter = picture.quarter(0, which.channels, which.row, which.column, True)
        quarter.put(whole((m.shape[-2], m.shape[-1])), index, k)
        coded[0].append(quarter)
        return k

    known, _ = picture.begin(write_low)
    for part in range(1, picture.levels + 1):
        quarters = {
            (channels.start, *place): picture.quarter(part, channels, *place, True)
            for channels in (slice(0, 3), slice(3, 9))
            for half in HALVES
            for place in half
        }
        coded.append(list(quarters.values()))
        room = picture.room(part) if part < picture.levels else None
        for tile in picture.tiles(part, known, LEVEL):
            outer = tile.widened(LEVEL, picture.size(part))
            y, low = source.details(part, outer), picture.low(known, outer)
            write = _writing(prior, y, quarters, tile, outer)
            f = picture.features(known, outer)
            level, valid = picture.level(part), picture.valid(part, outer)
            y_hat, f = level(f, low, write, part, valid, picture.base[part], picture.hint, True)
            if room is not None:
                for strips, x in ((room.features, f), (room.y_hat, y_hat), (room.low, low)):
                    cast(Strips, strips).write(tile, tile.within(outer).of(x))
        known = room if room is not None else known
    return _strings(prior, coded)


def _writing(
    prior: SubbandPrior, y: Tensor, quarters: dict[tuple[int, int, int], Quarter], tile: Window, outer: Window
) -> SymbolCallback:
    """A symbol callback that codes a tile of y (1, 9, h, w), which is given with its margin."""

    def write(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        k, index = prior.choose(y[:, which.channels, which.row :: 2, which.column :: 2] - m, s)
        place = which.row, which.column
        inner = tile.within(outer).quarter(*place)
        quarters[which.channels.start, *place].put(tile.quarter(*place), inner.of(index), inner.of(k))
        return k

    return write


def _strings(prior: SubbandPrior, coded: list[list[Quarter]]) -> list[bytes]:
    encoder, behind, shifts = Encoder(prior.holder.coder.tables), [], []
    while coded:
        behind.append(encoder.size)  # of what comes after this part
        quarters = coded.pop()
        counts = Counts(), Counts()  # of grey and of the colours
        for quarter in quarters:
            for piece in quarter.pieces():
                counts[quarter.colours].add(*piece)
        offsets = [each.best() for each in counts]
        shifts.append(to_byte(*offsets))
        while quarters:
            quarter = quarters.pop()
            for symbols, indexes in quarter.pieces():
                encoder.push(symbols, shifted(indexes, offsets[quarter.colours]))
    stream = encoder.finish()
    cuts = [len(stream) - size for size in reversed(behind)]
    pieces = zip(reversed(shifts), [0, *cuts], cuts, strict=False)
    return [shift + stream[begin:end] for shift, begin, end in pieces]


class _Analysis:
    """The coefficients of a picture, a window at a time: those of the finest two levels are computed when needed."""

    def __init__(self, image: Tensor, colours: Tensor, step: Tensor, picture: Picture) -> None:
        self.image, self.colours, self.step, self.picture = image, colours, step, picture
        self.near = min(2, picture.levels)  # levels
        size = picture.sides[self.near]
        low = torch.empty(1, 3, *size, device=picture.device)
        for tile in tiles(size, picture.side(0)):
            window = tile.widened(0, size)
            low[..., tile.rows, tile.columns] = self._split(window, self.near)[0]
        self.parts: list[Tensor] = []  # of the farther levels, from fine to coarse
        for _ in range(picture.levels - self.near):
            low, details = split(low)
            self.parts.append(details.flatten(1, 2))
        self.low_pass = low

    def details(self, part: int, window: Window) -> Tensor:
        """(1, 9, h, w)."""
        splits = self.picture.levels - part + 1
        if splits <= self.near:
            return self._split(window, splits)[1].flatten(1, 2)
        return window.of(self.parts[splits - self.near - 1])

    def _split(self, window: Window, splits: int) -> tuple[Tensor, Tensor]:
        """Low-pass and details, after so many."""
        outer = window.widened(LIFTING, self.picture.sides[splits])
        x = outer.times(2**splits, self.picture.sides[0]).of(self.image)[None].to(self.picture.device)
        low = turn_colours((x.float() / 255 - 0.5) * 255, self.colours) / self.step
        for _ in range(splits):
            low, details = split(low)
        inner = window.within(outer)
        return inner.of(low), inner.of(details)
