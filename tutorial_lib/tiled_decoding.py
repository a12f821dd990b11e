"""Decoding a picture of any size in bounded memory: the full codec, a tile at a time (`tiled_picture`).

The stream goes pass by pass through the whole picture: a level's passes are the two halves of a checkerboard in grey,
then in the colours. A decoder goes through all tiles for each: it computes tables and means of all symbols of the half,
then decodes them. So each pass needs the features that the level begins with, at the two quarters of positions that it
predicts. They are computed once and kept, in about a byte each (`strips.Strip`): in memory, then in a temporary file.
If there is none, or no room in it, they are computed once more.

The restoration follows tile by tile, and what it has passed is forgotten.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import IO, cast

import torch
from torch import Tensor

from tutorial_lib import laplace
from tutorial_lib.quality import quality_map, step_of
from tutorial_lib.rans import Decoder
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.strips import Strips, Window, tiles, whole
from tutorial_lib.subband_networks import COEFFICIENT_LIMIT, HALVES, Checkerboard, Pass
from tutorial_lib.subband_prior import SubbandPrior
from tutorial_lib.table_offsets import from_byte, shifted
from tutorial_lib.tiled_picture import BEGIN, LIFTING, Known, Picture, Quarter
from tutorial_lib.wavelet import join, turn_colours
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT

AROUND = 2  # reach of one half of a checkerboard, and of `Level.end`
LAST = 2  # reach of the finest level's last features
BEGUN_CENTRE = 80  # of the features that a level begins with, as `CENTRE`
KEPT = 128 << 20  # bytes of the features that a level begins with, in memory, at most about


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
        with closing(_Begun(picture, known)) as begun:
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
        channels = where.channels
        for half, places in enumerate(HALVES):
            quarters = {place: picture.quarter(part, channels, *place, False) for place in places}
            for tile in tiles(size, picture.side(part)):
                around, grey = _around(board, y_hat, channels, half, tile)
                others = None if grey is None else [parity(grey, place) for place in places]
                predictions = board.predictions(half, begun.quarters(tile, places), around, True, others)
                valid = picture.valid(part, tile)
                for place, (m, s) in zip(places, predictions, strict=True):
                    quarters[place].put(tile.quarter(*place), laplace.indexes(s + base[half]))
                    m = m if valid is None else m.masked_fill(~parity(valid[channels], place), 0.0)
                    y_hat.write(tile.parity(*place), m, channels)  # till there are coefficients
            for place, quarter in quarters.items():
                _fill(y_hat, channels, place, quarter, decoder, offsets[where.colours])
    return y_hat


def _around(
    board: Checkerboard, y_hat: Strips, channels: slice, half: int, tile: Window
) -> tuple[list[Tensor], Tensor | None]:
    """What a pass looks at in a tile, and what grey is there, if the pass is of the colours."""
    outer = tile.widened(AROUND, y_hat.shape)
    rows, columns = inner = tile.within(outer)
    grey = y_hat.read(outer, slice(0, 3)) if channels.start else None
    known = [] if grey is None else [grey]
    if half:
        mine = y_hat.read(outer, channels)
        for place in HALVES[half]:
            parity(mine, place).zero_()  # of the means that other tiles have left
        known.append(mine)
    wider = Window(slice(rows.start, rows.stop + 2), slice(columns.start, columns.stop + 2))
    return [wider.of(board.around(x, True)) for x in known], None if grey is None else inner.of(grey)


def parity(x: Tensor, place: tuple[int, int]) -> Tensor:
    """A quarter of x (…, h, w): the positions of those parities, of rows and columns."""
    return x[..., place[0] :: 2, place[1] :: 2]


class _Begun:
    """`Picture.begun` of a level, which is asked for again and again: kept, the first rows of tiles in memory.

    They are kept in quarters: that is what a pass looks at.
    """

    def __init__(self, picture: Picture, known: Known) -> None:
        self.picture, self.known, self.rows = picture, known, 0
        self.file: IO[bytes] | None = None
        part = known.part + 1
        size, side, self.width = picture.size(part), picture.side(part), len(picture.level(part).up.bias)
        self.kept = {}
        for place in (*HALVES[0], *HALVES[1]):
            shape = whole(size).quarter(*place).shape
            self.kept[place] = Strips(self.width, shape, side // 2, 1.0, picture.device, BEGUN_CENTRE, together=True)
        for tile in tiles(size, side):
            if tile.columns.start == 0 and not self._has_room():
                break
            f = picture.begun(known, tile)
            for place, strips in self.kept.items():
                strips.write(tile.quarter(*place), parity(f, place))
            self.rows = tile.rows.stop
        if part == picture.levels:  # nothing but what is not kept will still be made of it
            cast(Strips, known.low).forget((self.rows - BEGIN) // 2 - LIFTING - 2)
        if self.file is not None and self.rows == size[0]:  # what it is made of is not needed for a while
            with suppress(OSError):
                for span in cast(Strips, known.features).spans():
                    cast(Strips, known.features).put_away(self.file, span.start)

    def _has_room(self) -> bool:
        """Can one more row of tiles be kept? If not in memory, the last one goes to a file."""
        if sum(strips.nbytes for strips in self.kept.values()) < KEPT:
            return True
        try:
            self.file = self.file or tempfile.TemporaryFile()
            for strips in self.kept.values():
                strips.put_away(self.file, (self.rows - 1) // 2)
        except OSError:  # no folder for it, or a full disk
            return False
        return True

    def quarters(self, tile: Window, places: Sequence[tuple[int, int]]) -> list[Tensor]:
        """Of a tile: (1, C, h', w') each."""
        if tile.rows.stop <= self.rows:
            return [self.kept[place].read(tile.quarter(*place)) for place in places]
        f = self.picture.begun(self.known, tile)
        return [parity(f, place) for place in places]

    def of(self, window: Window) -> Tensor:
        """(1, C, h, w)."""
        start, stop = window.rows.start, window.rows.stop
        if start >= self.rows:
            return self.picture.begun(self.known, window)
        kept = Window(slice(start, min(stop, self.rows)), window.columns)
        height, width = kept.shape
        f = torch.empty(height, width, self.width, device=self.picture.device).permute(2, 0, 1)[None]
        for place, strips in self.kept.items():
            parity(f, place).copy_(strips.read(kept.quarter(*place)))
        if stop <= self.rows:
            return f
        return torch.cat([f, self.picture.begun(self.known, Window(slice(self.rows, stop), window.columns))], dim=2)

    def close(self) -> None:
        """Give back the file."""
        if self.file is not None:
            self.file.close()

    def forget(self, row: int) -> None:
        """Give back the memory of what lies above a row."""
        for strips in self.kept.values():
            strips.forget(row // 2)


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
        details = known.y_hat.read(outer) + synthesis.corrections[known.part - 1](known.features.read(outer).div_(UNIT))
        details = details * synthesis.log_step[known.part](picture.quality).exp()
    doubled = outer.times(2, picture.size(known.part + 1))
    return window.within(doubled).of(join(low, details.unflatten(1, (3, 3)), doubled.shape))


def _restored(picture: Picture, synthesis: WaveletSynthesis, known: Known, y_hat: Strips, begun: _Begun) -> Tensor:
    """The whole picture, from the finest coefficients and what is known of the level before."""
    part = picture.levels
    shape = picture.size(part + 1)
    result = torch.empty(3, *shape, dtype=torch.uint8)
    reach = 4 * len(synthesis.restoration.blocks) + 2
    for tile in picture.tiles(part, known, reach + LIFTING + LAST + BEGIN):
        for each in (y_hat, begun):
            each.forget(tile.rows.start - reach - LIFTING - LAST)
        _paste(result, tile.times(2, shape), _restored_tile(picture, synthesis, known, y_hat, begun, tile, reach))
    return result


def _restored_tile(
    picture: Picture,
    synthesis: WaveletSynthesis,
    known: Known,
    y_hat: Strips,
    begun: _Begun,
    tile: Window,
    reach: int,
) -> Tensor:
    """Its pixels (1, 3, h, w), from −½ to ½. reach: of the restoration."""
    part, quality = picture.levels, picture.quality
    size, shape = picture.size(part), picture.size(part + 1)
    looked_at = tile.widened(reach, size)  # each stage is given what the next one looks at, and what it sees itself
    joined = looked_at.widened(LIFTING, size)
    outer = joined.widened(LAST, size)
    y, inner = y_hat.read(outer), joined.within(outer)
    f = inner.of(synthesis.last_features(begun.of(outer).div_(UNIT), y))
    details = (inner.of(y) + synthesis.corrections[part - 1](f)) * synthesis.log_step[part](quality).exp()
    pixels, wanted = joined.times(2, shape), looked_at.times(2, shape)
    x = join(_seen(picture, synthesis, known, joined), details.unflatten(1, (3, 3)), pixels.shape)
    x = turn_colours(wanted.within(pixels).of(x) * (step_of(quality) / 255), synthesis.colours.T)
    coarse = picture.features(known, looked_at).div_(UNIT)
    x = synthesis.restoration(x, looked_at.within(joined).of(f), coarse, quality_map(quality))
    return tile.times(2, shape).within(wanted).of(x)


def _paste(result: Tensor, window: Window, x: Tensor) -> None:
    """x (1, 3, h, w), from −½ to ½, as pixels."""
    result[:, window.rows, window.columns] = ((x[0] + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).cpu()
