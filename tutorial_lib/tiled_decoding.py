"""Decoding a picture of any size in bounded memory: the full codec, a tile at a time (`tiled_picture`).

The stream goes pass by pass through the whole picture: a level's passes are the two halves of a checkerboard in grey,
then in the colours. A decoder goes through all tiles for each: it computes tables and means of all symbols of the half,
then decodes them. So each pass needs the features that the level begins with. They are computed once and kept, in about
a byte each (`strips.Strip`), for as much of a large picture as there is room for; else they are computed once more.

The restoration follows tile by tile, and what it has passed is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from tutorial_lib import laplace
from tutorial_lib.quality import quality_map, step_of
from tutorial_lib.rans import Decoder
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.strips import Strips, Window, tiles, whole
from tutorial_lib.subband_networks import COEFFICIENT_LIMIT, HALVES, Pass, SymbolCallback
from tutorial_lib.subband_prior import SubbandPrior
from tutorial_lib.table_offsets import from_byte, shifted
from tutorial_lib.tiled_picture import BEGIN, CENTRE, LIFTING, Known, Picture, Quarter
from tutorial_lib.wavelet import join, turn_colours
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT

AROUND = 2  # reach of one half of a checkerboard, and of `Level.end`
LAST = 2  # reach of the finest level's last features
KEPT = 256 << 20  # bytes of the features that a level begins with, at most about


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
    offsets = [from_byte(string) for string in strings]
    decoder = Decoder(b"".join(string[1:] for string in strings), prior.holder.coder.tables)

    def read_low(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        index = shifted(laplace.indexes(s).cpu().numpy(), offsets[0][which.colours])
        return torch.from_numpy(decoder.pop(index)).to(m)

    known, low = picture.begin(read_low)
    seen = Strips(3, picture.size(0), 2 * picture.size(0)[0], None, picture.device)
    seen.write(whole(picture.size(0)), low * synthesis.log_step[0](quality).exp())
    known = known._replace(picture=seen)
    for part in range(1, len(strings)):
        begun = _Begun(picture, known)
        y_hat = _decoded(picture, known, decoder, offsets[part], begun)
        if part == picture.levels:
            decoder.finish()
            return _restored(picture, synthesis, known, y_hat, begun)
        room = picture.room(part, y_hat, picture=True)
        for tile in picture.tiles(part, known, BEGIN + AROUND):
            outer = tile.widened(AROUND, picture.size(part))
            f = picture.level(part).end(begun.of(outer), y_hat.read(outer), whole=True)
            cast(Strips, room.features).write(tile, tile.within(outer).of(f))
            cast(Strips, room.low).write(tile, picture.low(known, tile))
            cast(Strips, room.picture).write(tile, _seen(picture, synthesis, known, tile))
        del begun  # before there is another
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


def _decoded(picture: Picture, known: Known, decoder: Decoder, offsets: tuple[int, int], begun: _Begun) -> Strips:
    """ŷ of the next part. offsets: of its tables, for grey and the colours."""
    part = known.part + 1
    size, level = picture.size(part), picture.level(part)
    y_hat = picture.strips(part, 9, OUTPUT_UNIT)
    passes = level.passes(part, None, picture.base[part])
    for (where, base), board in zip(passes, (level.grey, level.colour), strict=True):
        for half, places in enumerate(HALVES):
            quarters = {place: picture.quarter(part, where.channels, *place, False) for place in places}
            for tile in tiles(size, picture.side(part)):
                outer = tile.widened(AROUND, size)
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
                _fill(y_hat, where.channels, place, quarter, decoder, offsets[where.colours])
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
    """`Picture.begun` of a level, which is asked for again and again: kept from the top on, as far as there is room."""

    def __init__(self, picture: Picture, known: Known) -> None:
        self.picture, self.known = picture, known
        part = known.part + 1
        self.kept, self.rows = picture.strips(part, len(picture.level(part).up.bias), 1.0, CENTRE), 0
        for tile in tiles(picture.size(part), picture.side(part)):
            if tile.columns.start == 0 and self.kept.nbytes >= KEPT:
                break
            self.kept.write(tile, picture.begun(known, tile))
            self.rows = tile.rows.stop

    def of(self, window: Window) -> Tensor:
        """(1, C, h, w)."""
        return self.kept.read(window) if window.rows.stop <= self.rows else self.picture.begun(self.known, window)


def _fill(
    y_hat: Strips, channels: slice, place: tuple[int, int], quarter: Quarter, decoder: Decoder, offset: int
) -> None:
    """Decode a quarter's symbols: means become coefficients. offset: of their tables."""
    for channel, (h, w) in enumerate(quarter.counted):
        mine = slice(channels.start + channel, channels.start + channel + 1)
        for rows in y_hat.spans():
            top, stop = rows.start // 2, min((rows.stop - place[0] + 1) // 2, h)
            if stop <= top or not w:
                continue
            k = torch.from_numpy(decoder.pop(shifted(quarter.indexes[channel, top:stop, :w], offset))).to(y_hat.device)
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


def _restored(picture: Picture, synthesis: WaveletSynthesis, known: Known, y_hat: Strips, begun: _Begun) -> Tensor:
    """The whole picture, from the finest coefficients and what is known of the level before."""
    part, quality = picture.levels, picture.quality
    size, shape = picture.size(part), picture.size(part + 1)
    result = torch.empty(3, *shape, dtype=torch.uint8)
    reach = 4 * len(synthesis.restoration.blocks) + 2
    for tile in picture.tiles(part, known, reach + LIFTING + LAST + BEGIN):
        for strips in (y_hat, begun.kept):
            strips.forget(tile.rows.start - reach - LIFTING - LAST)
        looked_at = tile.widened(reach, size)  # each stage is given what the next one looks at, and what it sees itself
        joined = looked_at.widened(LIFTING, size)
        outer = joined.widened(LAST, size)
        y, inner = y_hat.read(outer), joined.within(outer)
        f = inner.of(synthesis.last_features(begun.of(outer) / UNIT, y))
        details = (inner.of(y) + synthesis.corrections[part - 1](f)) * synthesis.log_step[part](quality).exp()
        pixels, wanted = joined.times(2, shape), looked_at.times(2, shape)
        x = join(_seen(picture, synthesis, known, joined), details.unflatten(1, (3, 3)), pixels.shape)
        x = turn_colours(wanted.within(pixels).of(x) * (step_of(quality) / 255), synthesis.colours.T)
        coarse = picture.features(known, looked_at) / UNIT
        x = synthesis.restoration(x, looked_at.within(joined).of(f), coarse, quality_map(quality))
        inner = tile.times(2, shape)
        _paste(result, inner, inner.within(wanted).of(x))
    return result


def _paste(result: Tensor, window: Window, x: Tensor) -> None:
    """x (1, 3, h, w), from −½ to ½, as pixels."""
    result[:, window.rows, window.columns] = ((x[0] + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()
