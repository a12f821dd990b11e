"""Pictures of any size in bounded memory: the full codec, a tile at a time.

The strings are those of `SubbandPrior.compress`, to the last byte, and the pictures those of `WaveletSynthesis`, but
for the rounding of floats. What a network computes depends on a small surrounding (`subband_networks`, *Reach*), and
those that choose tables compute with whole numbers, which no tiling changes. The analysis does the same operations for
each sample, wherever it lies.

A stream goes pass by pass through the whole picture. An encoder knows all coefficients: it goes through a level tile by
tile, and puts the symbols where they belong. rANS works from the last symbol to the first, so they all wait for the
end, in two bytes each with the number of its table. A decoder goes through the tiles four times for each level, once
for each half of a checkerboard: it computes tables and means of all symbols of the half, then decodes them.

From level to level go (`Known`): features, ŷ, the low-pass that ŷ refines, and for a decoder the picture that this
low-pass looks like. They are kept in strips, and forgotten as soon as the next level has passed. What is made of them
in the size of the next level is computed for a tile when it is needed: that takes time, but four times less memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutorial_lib import laplace
from tutorial_lib.quality import quality_map, step_of
from tutorial_lib.rans import Decoder, Encoder
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.strips import Strips, Window, set_aside, tiles, whole
from tutorial_lib.subband_networks import COEFFICIENT_LIMIT, HALVES, Level, Pass, SymbolCallback
from tutorial_lib.subband_prior import SubbandPrior
from tutorial_lib.wavelet import band_sizes, join, join_whole, sizes, split, turn_colours
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT

SIDE = 256  # of a tile of the finest level, in positions of two pixels; of other levels, half of that
LIFTING = 4  # positions of a low-pass that splitting and joining reach, over all levels
BEGIN, AROUND = 4, 2  # reach of `Level.begin`; of one half of a checkerboard, and of `Level.end`
LEVEL = 12  # of all that a level does
KEPT = 2**28  # bytes of features of one level that a decoder keeps, as it will need them again
CHUNK = 2**20  # symbols that are coded at once


class Quarter:
    """The symbols of one call of a symbol callback, for the whole picture, and the numbers of their tables.

    symbols: (n, h', w'), int8 as long as that will do; None: not kept. counted: of each channel, the rows and columns
    that are coefficients.
    """

    def __init__(self, shape: tuple[int, int], counted: Sequence[tuple[int, int]], symbols: bool) -> None:
        self.symbols: NDArray | None = set_aside((len(counted), *shape), np.int8) if symbols else None
        self.indexes = set_aside((len(counted), *shape), np.uint8)
        self.counted = counted

    def put(self, window: Window, index: Tensor, k: Tensor | None = None) -> None:
        """Both (1, n, h, w), for a window."""
        self.indexes[:, window.rows, window.columns] = index[0].cpu().numpy()
        if k is not None and self.symbols is not None:
            values = k[0].cpu().numpy()
            if values.size and np.abs(values).max() > np.iinfo(self.symbols.dtype).max:
                self.symbols = self.symbols.astype(np.int16 if np.abs(values).max() < 2**15 else np.int32)
            self.symbols[:, window.rows, window.columns] = values

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
        features = self.strips(part, len(self.level(part).up.bias), 1.0)
        y_hat = self.strips(part, 9, OUTPUT_UNIT) if y_hat is None else y_hat
        return Known(part, features, y_hat, self.strips(part, 3, None), self.strips(part, 3, None) if picture else None)

    def quarter(self, part: int, channels: slice, row: int, column: int, symbols: bool) -> Quarter:
        """An empty one."""
        places = whole(self.size(part)).quarter(row, column)
        bands = band_sizes(self.size(part + 1)) if part else [self.size(0)] * 3
        counted = [((h - row + 1) // 2, (w - column + 1) // 2) for h, w in bands]
        return Quarter(places.shape, counted * ((channels.stop - channels.start) // 3), symbols)

    def begin(self, decode: SymbolCallback) -> tuple[Known, Tensor]:
        """The low-pass (1, 3, h, w), by a symbol callback, and what is known then."""
        size = self.size(0)
        low, f = self.prior.low_pass(size, decode, self.base[0], self.hint, True)
        kept = [Strips(x.shape[1], size, 2 * size[0], unit, self.device) for x, unit in ((f, 1.0), (low, None))]
        kept[0].write(whole(size), f)
        kept[1].write(whole(size), low)
        return Known(0, kept[0], None, kept[1], None), low

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
        part, low = known.part + 1, self.low(known, window)
        return self.level(part).begin(self.features(known, window), low, part, self.hint, whole=True)


# ---- encoding


@torch.no_grad()
def compress(prior: SubbandPrior, colours: Tensor, image: Tensor, quality: Tensor) -> list[bytes]:
    """image (3, H, W) uint8, quality (1,) -> the string of each part. colours: the analysis's matrix."""
    shape = image.shape[-2], image.shape[-1]
    picture = Picture(prior, shape, quality)
    source = _Analysis(image, colours, step_of(quality), picture)
    coded: list[list[Quarter]] = [[]]

    def write_low(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        k, index = chosen(prior, source.low_pass[:, :, which.row :: 2, which.column :: 2] - m, s)
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
        k, index = chosen(prior, y[:, which.channels, which.row :: 2, which.column :: 2] - m, s)
        place = which.row, which.column
        inner = tile.within(outer).quarter(*place)
        quarters[which.channels.start, *place].put(tile.quarter(*place), inner.of(index), inner.of(k))
        return k

    return write


def chosen(prior: SubbandPrior, r: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers for y − m, and the numbers of their tables: (1, n, h, w) both."""
    index = laplace.indexes(s)
    first, further = (table.index_select(0, index.flatten()).view_as(s) for table in prior.saved)
    return laplace.choose(r, (first, further)), index


def _strings(prior: SubbandPrior, coded: list[list[Quarter]]) -> list[bytes]:
    encoder, behind = Encoder(prior.holder.coder.tables), []
    while coded:
        behind.append(encoder.size)  # of what comes after this part
        quarters = coded.pop()
        while quarters:
            for symbols, indexes in quarters.pop().pieces():
                encoder.push(symbols, indexes)
    stream = encoder.finish()
    cuts = [len(stream) - size for size in reversed(behind)]
    return [stream[begin:end] for begin, end in zip([0, *cuts], cuts, strict=False)]


class _Analysis:
    """The coefficients of a picture, a window at a time: those of the finest two levels are computed when needed."""

    def __init__(self, image: Tensor, colours: Tensor, step: Tensor, picture: Picture) -> None:
        self.image, self.colours, self.step, self.picture = image, colours, step, picture
        self.near = min(2, picture.levels)  # levels
        size = picture.sides[self.near]
        low = torch.empty(1, 3, *size, device=picture.device)
        for tile in tiles(size, SIDE // 2):
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


# ---- decoding


@torch.no_grad()
def decompress(
    prior: SubbandPrior,
    synthesis: WaveletSynthesis,
    strings: Sequence[bytes],
    shape: tuple[int, int],
    quality: Tensor,
    smaller: int = 0,
) -> Tensor:
    """The picture, (3, H, W) uint8, from the first strings or all; its sides halved `smaller` times."""
    picture = Picture(prior, shape, quality)
    decoder = Decoder(b"".join(strings), prior.holder.coder.tables)

    def read_low(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        return torch.from_numpy(decoder.pop(laplace.indexes(s).cpu().numpy())).to(m)

    known, low = picture.begin(read_low)
    seen = Strips(3, picture.size(0), 2 * picture.size(0)[0], None, picture.device)
    seen.write(whole(picture.size(0)), low * synthesis.log_step[0](quality).exp())
    known = known._replace(picture=seen)
    for part in range(1, len(strings)):
        begun = _Begun(picture, known)
        y_hat = _decoded(picture, known, decoder, begun)
        if part == picture.levels:
            decoder.finish()
            del begun
            return _restored(picture, synthesis, known, y_hat)
        room = picture.room(part, y_hat, picture=True)
        for tile in picture.tiles(part, known, BEGIN + AROUND):
            outer = tile.widened(BEGIN + AROUND, picture.size(part))
            f = picture.level(part).end(begun.of(outer), y_hat.read(outer), whole=True)
            cast(Strips, room.features).write(tile, tile.within(outer).of(f))
            cast(Strips, room.low).write(tile, picture.low(known, tile))
            cast(Strips, room.picture).write(tile, _seen(picture, synthesis, known, tile))
        known = room
    for part in range(known.part + 1, picture.levels - smaller + 1):  # whatever comes, it was not decoded
        larger = picture.strips(part, 3, None)
        for tile in picture.tiles(part, known, 0):
            larger.write(tile, _seen(picture, synthesis, known, tile))
        known = Known(part, None, None, None, larger)
    last = picture.levels - smaller + 1
    result = torch.empty(3, *picture.size(last), dtype=torch.uint8)
    for tile in picture.tiles(last, known, 0):
        small = _seen(picture, synthesis, known, tile) * (step_of(quality) / (255 * 2**smaller))
        _paste(result, tile, turn_colours(small, synthesis.colours.T))
    return result


def _decoded(picture: Picture, known: Known, decoder: Decoder, begun: _Begun) -> Strips:
    """ŷ of the next part."""
    part = known.part + 1
    size, level = picture.size(part), picture.level(part)
    y_hat = picture.strips(part, 9, OUTPUT_UNIT)
    passes = level.passes(part, None, picture.base[part])
    for (where, base), board in zip(passes, (level.grey, level.colour), strict=True):
        for half, places in enumerate(HALVES):
            quarters = {place: picture.quarter(part, where.channels, *place, False) for place in places}
            for tile in tiles(size, picture.side(part)):
                outer = tile.widened(BEGIN + AROUND, size)
                valid = picture.valid(part, outer)
                here = where._replace(valid=None if valid is None else valid[where.channels])
                note = _noting(y_hat, quarters, tile, outer)
                f = begun.of(outer)
                grey = None if where.channels.start == 0 else y_hat.read(outer, slice(0, 3))
                around, mine = [] if grey is None else [board.around(grey, True)], f.new_zeros(1, board.n, *outer.shape)
                if half:
                    for row, column in HALVES[0]:  # at other places there are means that other tiles have left
                        there = (..., slice(row, None, 2), slice(column, None, 2))
                        mine[there] = y_hat.read(outer, where.channels)[there]
                    around.append(board.around(mine, True))
                board.one_pass(half, f, around, mine, note, here, base[half], True, grey)
            for place, quarter in quarters.items():
                _fill(y_hat, where.channels, place, quarter, decoder)
    return y_hat


def _noting(y_hat: Strips, quarters: dict[tuple[int, int], Quarter], tile: Window, outer: Window) -> SymbolCallback:
    """A symbol callback that notes a tile's tables and means, for `_fill`."""

    def note(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        place = which.row, which.column
        inner = tile.within(outer).quarter(*place)
        quarters[place].put(tile.quarter(*place), inner.of(laplace.indexes(s)))
        known = m if which.valid is None else m.masked_fill(~which.valid, 0.0)
        y_hat.write(tile.parity(*place), inner.of(known), which.channels)
        return torch.zeros_like(m)

    return note


class _Begun:
    """`Picture.begun` of windows, which is asked for again and again: kept in int16, as long as there is room."""

    def __init__(self, picture: Picture, known: Known) -> None:
        self.picture, self.known, self.left = picture, known, KEPT
        self.kept: dict[tuple[int, int], Tensor] = {}

    def of(self, window: Window) -> Tensor:
        """(1, C, h, w)."""
        name = window.rows.start, window.columns.start
        if name in self.kept:
            return self.kept[name].float()
        f = self.picture.begun(self.known, window)
        self.left -= 2 * f.numel()
        if self.left >= 0:
            self.kept[name] = torch.from_numpy(set_aside(f.shape, np.int16)).to(f.device).copy_(f)
        return f


def _fill(y_hat: Strips, channels: slice, place: tuple[int, int], quarter: Quarter, decoder: Decoder) -> None:
    """Decode a quarter's symbols: means become coefficients."""
    for channel, (h, w) in enumerate(quarter.counted):
        mine = slice(channels.start + channel, channels.start + channel + 1)
        for rows in y_hat.spans():
            top, stop = rows.start // 2, min((rows.stop - place[0] + 1) // 2, h)
            if stop <= top or not w:
                continue
            k = torch.from_numpy(decoder.pop(quarter.indexes[channel, top:stop, :w])).to(y_hat.device)
            window = Window(
                slice(2 * top + place[0], 2 * stop + place[0] - 1, 2), slice(place[1], 2 * w + place[1] - 1, 2)
            )
            y = (k.float() + y_hat.read(window, mine)).clamp(-COEFFICIENT_LIMIT, COEFFICIENT_LIMIT)
            y_hat.write(window, y, mine)


def _seen(picture: Picture, synthesis: WaveletSynthesis, known: Known, window: Window) -> Tensor:
    """The picture that the next part's low-pass looks like, with the corrections."""
    assert known.picture is not None
    if not known.part:
        return known.picture.read(window)
    outer = window.halved().widened(LIFTING, picture.size(known.part))
    low = known.picture.read(outer)
    if known.features is None or known.y_hat is None:
        details = low.new_zeros(1, 9, *outer.shape)
    else:
        details = known.y_hat.read(outer) + synthesis.corrections[known.part - 1](known.features.read(outer) / UNIT)
        details = details * synthesis.log_step[known.part](picture.quality).exp()
    doubled = outer.times(2, picture.size(known.part + 1))
    return window.within(doubled).of(join(low, details.unflatten(1, (3, 3)), doubled.shape))


def _restored(picture: Picture, synthesis: WaveletSynthesis, known: Known, y_hat: Strips) -> Tensor:
    """The whole picture, from the finest coefficients and what is known of the level before."""
    part, quality = picture.levels, picture.quality
    size, shape = picture.size(part), picture.size(part + 1)
    result = torch.empty(3, *shape, dtype=torch.uint8)
    margin = synthesis.reach + LIFTING
    for tile in picture.tiles(part, known, margin + BEGIN + 2):
        y_hat.forget(tile.rows.start - margin - BEGIN)
        outer = tile.widened(margin + BEGIN, size)
        y = y_hat.read(outer)
        f = synthesis.last_features(picture.begun(known, outer) / UNIT, y)
        details = (y + synthesis.corrections[part - 1](f)) * synthesis.log_step[part](quality).exp()
        pixels = outer.times(2, shape)
        x = join(_seen(picture, synthesis, known, outer), details.unflatten(1, (3, 3)), pixels.shape)
        x = turn_colours(x * (step_of(quality) / 255), synthesis.colours.T)
        coarse = picture.features(known, outer) / UNIT
        x = synthesis.restoration(x, f, coarse, quality_map(quality))
        inner = tile.times(2, shape)
        _paste(result, inner, inner.within(pixels).of(x))
    return result


def _paste(result: Tensor, window: Window, x: Tensor) -> None:
    """x (1, 3, h, w), from −½ to ½, as pixels."""
    result[:, window.rows, window.columns] = ((x[0] + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()
