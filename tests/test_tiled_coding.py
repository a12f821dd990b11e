"""Coding in tiles: the strings and pictures of coding the whole, and the memory that was said before."""

from __future__ import annotations

import mmap
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib import codec as codec_module
from tutorial_lib import strips, tiled_decoding, tiled_encoding, tiled_picture
from tutorial_lib.codec import Codec
from tutorial_lib.rans import BitstreamError
from tutorial_lib.strips import Strip, Strips, Window, tiles, whole
from tutorial_lib.tiled_picture import Known, Picture, Quarter

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def codec(lively_codec) -> Codec:
    return lively_codec()


@pytest.fixture(autouse=True)
def small_tiles():
    """Tiles of 32 positions for the finest level, 16 for others; a few features kept, a few symbols at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiled_picture, "SIDE", 32)
        patch.setattr(tiled_decoding, "KEPT", 20_000)
        patch.setattr(tiled_picture, "CHUNK", 500)
        patch.setattr(strips, "BLOCK", 24)
        patch.setattr(strips, "CACHED", 300)
        patch.setattr(strips, "LITTLE", 20_000)
        yield patch


def textured(height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth, with noise, (3, H, W) uint8."""
    generator = torch.Generator().manual_seed(seed)
    smooth = torch.randn(3, height, width, generator=generator).cumsum(1).cumsum(2).sin()
    noise = torch.randn(3, height, width, generator=generator)
    return (90 * smooth + 20 * noise + 128).clamp(0, 255).to(torch.uint8)


class Both:
    """A codec that codes whole pictures, or in tiles."""

    def __init__(self, codec: Codec, patch: pytest.MonkeyPatch) -> None:
        self.codec, self.patch = codec, patch

    def whole(self) -> Codec:
        self.patch.setattr(codec_module, "WHOLE", 2**20)
        return self.codec

    def tiled(self) -> Codec:
        self.patch.setattr(codec_module, "WHOLE", 0)
        return self.codec


# The same result ------------------------------------------------------------------------------------------------------


@given(
    size=st.tuples(st.integers(1, 130), st.integers(1, 130)),
    quality=st.integers(1, 100),
    seed=st.integers(0, 99),
    smaller=st.integers(0, 3),
    slices=st.integers(0, 3),
)
@settings(max_examples=4, deadline=None)
@example(size=(1, 1), quality=50, seed=0, smaller=0, slices=0)
@example(size=(1, 133), quality=90, seed=0, smaller=1, slices=1)
@example(size=(133, 2), quality=10, seed=1, smaller=2, slices=2)
@example(size=(129, 97), quality=100, seed=1, smaller=3, slices=3)
def test_tiles_change_nothing(codec, size, quality, seed, smaller, slices) -> None:
    with pytest.MonkeyPatch.context() as patch:
        both = Both(codec, patch)
        image = textured(size[0], size[1], seed)
        data = both.whole().encode(image, quality, 0)
        assert both.tiled().encode(image, quality, 0) == data
        for request in ({}, {"smaller": smaller} if seed % 2 else {"slices": slices}):
            wanted = both.whole().decode(data, **request).int()
            found = both.tiled().decode(data, **request).int()
            assert found.shape == wanted.shape
            assert (found - wanted).abs().max() <= 1, request


@pytest.mark.parametrize(("module", "part"), [(tiled_encoding, "LEVEL"), (tiled_encoding, "LIFTING")])
def test_narrower_margins_would(codec, small_tiles, module, part: str) -> None:
    """The test above sees a margin that is too small."""
    both, image = Both(codec, small_tiles), textured(100, 150)
    data = both.whole().encode(image, 60, 0)
    small_tiles.setattr(module, part, 0)
    assert both.tiled().encode(image, 60, 0) != data


MARGINS = [(tiled_picture, "BEGIN"), (tiled_decoding, "AROUND"), (tiled_picture, "LIFTING")]


@pytest.mark.parametrize(("module", "part"), MARGINS)
def test_a_decoder_would_need_them_too(codec, small_tiles, module, part: str) -> None:
    both, image = Both(codec, small_tiles), textured(100, 150)
    data = both.whole().encode(image, 60, 0)
    wanted = both.whole().decode(data).int()
    small_tiles.setattr(module, part, 0)
    try:
        assert (both.tiled().decode(data).int() - wanted).abs().max() > 1
    except BitstreamError:
        pass  # it took other tables


def test_values_beyond_small_types_are_kept(codec, small_tiles) -> None:
    """Symbols beyond int8, coefficients beyond ±128: with a step of the quantizer that leads to them."""
    for module in ("codec", "restoration", "tiled_encoding", "tiled_decoding"):
        small_tiles.setattr(f"tutorial_lib.{module}.step_of", lambda quality: torch.full((1, 1, 1, 1), 0.4))
    both, image = Both(codec, small_tiles), textured(70, 90).bitwise_and(128).mul(2).sub(1)
    data = both.whole().encode(image, 60, 0)
    assert both.tiled().encode(image, 60, 0) == data
    found, wanted = both.tiled().decode(data), both.whole().decode(data)
    assert (found.int() - wanted.int()).abs().max() <= 1


@pytest.mark.parametrize("kept", [0, 20_000, 2**30])
def test_what_is_kept_is_computed_once(codec, small_tiles, kept: int) -> None:
    """In a file, if not in memory."""
    both, image = Both(codec, small_tiles), textured(100, 150)
    data, begun, computed = both.tiled().encode(image, 60, 0), Picture.begun, []

    def noted(picture: Picture, known: Known, window: Window) -> Tensor:
        computed.append((known.part + 1, window))
        return begun(picture, known, window)

    small_tiles.setattr(Picture, "begun", noted)
    small_tiles.setattr(tiled_decoding, "KEPT", kept)
    both.tiled().decode(data)
    picture = Picture(codec.prior, (100, 150), torch.tensor([60.0]))
    parts = range(1, picture.levels + 1)
    assert computed == [(part, tile) for part in parts for tile in tiles(picture.size(part), picture.side(part))]


@pytest.mark.parametrize(("kept", "wait"), [(20_000, True), (2**30, False)])
def test_what_is_not_needed_for_a_while_waits_in_the_file(codec, small_tiles, kept: int, wait: bool) -> None:
    """The features that a level was begun from, while the finest level is decoded."""
    both, image, sizes = Both(codec, small_tiles), textured(300, 400), {}
    data, decoded = both.tiled().encode(image, 60, 0), tiled_decoding._decoded

    def noted(picture: Picture, known: Known, *more) -> Strips:
        sizes[known.part] = known.features.nbytes
        return decoded(picture, known, *more)

    small_tiles.setattr(tiled_decoding, "_decoded", noted)
    small_tiles.setattr(tiled_decoding, "KEPT", kept)
    both.tiled().decode(data)
    assert (sizes[max(sizes)] < 1000) == wait


def test_damaged_strings_are_noticed(codec, small_tiles) -> None:
    tiled = Both(codec, small_tiles).tiled()
    strings = tiled.strings_of(textured(90, 70), 50, 0, None)
    last = bytes(byte ^ 85 for byte in strings[-1])
    with pytest.raises(BitstreamError):
        tiled.picture_of([*strings[:-1], last[:-4]], (90, 70), 50, 0)


# Places ---------------------------------------------------------------------------------------------------------------


@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(1, 6), st.integers(0, 5))
def test_windows_cover_a_picture_once(shape, half_side, half_margin) -> None:
    seen = np.zeros(shape, dtype=int)
    for tile in tiles(shape, 2 * half_side):
        outer = tile.widened(2 * half_margin, shape)
        seen[tile.rows, tile.columns] += 1
        places = torch.arange(shape[0] * shape[1]).view(shape)
        assert torch.equal(tile.within(outer).of(outer.of(places)), tile.of(places))
        for row, column in ((0, 0), (0, 1), (1, 0), (1, 1)):
            quarter = places[row::2, column::2]
            assert torch.equal(tile.quarter(row, column).of(quarter), tile.parity(row, column).of(places))
        doubled = tile.times(2, (2 * shape[0] - 1, 2 * shape[1]))
        covered = doubled.halved()
        assert covered.rows.start <= tile.rows.start
        assert covered.rows.stop == tile.rows.stop
    assert (seen == 1).all()


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_strip_is_an_array(data) -> None:
    """Whatever is written, and where: small numbers over large ones, in steps, too."""
    shape = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 3)))
    strip, wanted = Strip(shape, np.int8), np.zeros(shape, np.float32)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))

    def somewhere() -> Window:
        begins = [rng.integers(n) for n in shape[:2]]
        ends = [rng.integers(begin, n) + 1 for begin, n in zip(begins, shape[:2], strict=True)]
        return Window(*map(slice, begins, ends, rng.integers(1, 3, 2)))

    for _ in range(data.draw(st.integers(1, 8))):
        window = somewhere()
        values = rng.integers(-100, 101, wanted[window].shape)
        large = rng.integers(-(2 ** data.draw(st.sampled_from([7, 12, 15, 23]))), 2**23, values.shape)
        share = data.draw(st.sampled_from([0, 0.01, 0.3]))
        wanted[window] = np.where(rng.random(values.shape) < share, large, values)
        strip.write(window, wanted[window].copy())
        window = somewhere()
        found = np.empty(wanted[window].shape, np.float32)
        strip.read(window, found)
        assert np.array_equal(found, wanted[window])


def test_a_strip_changes_its_type_for_many_large_numbers() -> None:
    strip = Strip((10, 64, 1), np.int8)
    for width, value, dtype in ((2, 128, "int8"), (4, -128, "int16"), (64, 2**15 - 1, "int16"), (3, 2**15, "int32")):
        strip.write(whole((10, width)), np.full((10, width, 1), value, np.float32))
        assert strip.numbers.dtype == dtype
    assert strip.nbytes == 4 * 640


@pytest.mark.parametrize("centre", [0.0, 48.0])
@pytest.mark.parametrize("together", [True, False])
def test_strips_keep_what_was_written_and_forget(centre: float, together: bool) -> None:
    x = torch.randint(-300, 300, (1, 2, 11, 7)) / 256
    x[0, 0, 9, 3] = 200.0  # beyond int16
    strips = Strips(2, (11, 7), 4, 256.0, CPU, centre, together)
    for tile in tiles((11, 7), 4):
        strips.write(tile, tile.of(x))
    assert torch.equal(strips.read(whole((11, 7))), x)
    window = Window(slice(2, 9), slice(1, 6))
    if not together:
        assert torch.equal(strips.read(window, slice(1, 2)), window.of(x[:, 1:2]))
    assert torch.equal(strips.read(Window(slice(5, 8, 2), slice(0, 7, 2))), x[:, :, 5:8:2, ::2])
    strips.forget(7)
    with pytest.raises(AssertionError, match="forgotten"):
        strips.read(window)
    assert torch.equal(strips.read(Window(slice(4, 11), slice(0, 7))), x[:, :, 4:])


@pytest.mark.parametrize("together", [True, False])
def test_strips_wait_in_a_file(together: bool) -> None:
    x = torch.randint(-300, 300, (1, 2, 13, 7)) / 256
    strips = Strips(2, (13, 7), 4, 256.0, CPU, together=together)
    with tempfile.TemporaryFile() as file:
        for tile in tiles((13, 7), 4):
            strips.write(tile, tile.of(x))
        in_memory = strips.nbytes
        for row in (1, 6, 12):
            strips.put_away(file, row)
        assert strips.nbytes < 0.4 * in_memory  # the strip from row 8 on
        for rows in (slice(0, 4), slice(2, 7), slice(0, 13), slice(9, 13)):
            window = Window(rows, slice(1, 6))
            assert torch.equal(strips.read(window), window.of(x))
        strips.read(Window(slice(9, 10), slice(0, 7)))
        assert strips.nbytes < 0.4 * in_memory


@pytest.mark.parametrize("fails", [0, 1, 3])
def test_a_full_disk_costs_time_only(codec, small_tiles, fails: int) -> None:
    """fails: from which time on nothing can be put away."""
    both, image, calls = Both(codec, small_tiles), textured(100, 150), [0]
    data, put_away = both.tiled().encode(image, 60, 0), Strip.put_away
    wanted = both.tiled().decode(data)

    def refuse(strip: Strip, file) -> None:
        calls[0] += 1
        if calls[0] > fails:
            raise OSError(28, "No space left on device")
        put_away(strip, file)

    small_tiles.setattr(Strip, "put_away", refuse)
    assert torch.equal(both.tiled().decode(data), wanted) and calls[0] > fails


def test_a_quarter_widens_its_symbols() -> None:
    quarter = Quarter((2, 3), [(2, 2), (1, 3), (0, 3)], symbols=True, colours=False)
    k = torch.tensor([1.0, -128.0, 40_000.0])[None, :, None, None].expand(1, 3, 2, 3)
    quarter.put(whole((2, 3)), torch.ones(1, 3, 2, 3, dtype=torch.int32), k)
    assert [symbols.tolist() for symbols, _ in quarter.pieces()] == [[[-128] * 3], [[1] * 2] * 2]
    assert [str(symbols.dtype) for symbols in quarter.symbols] == ["int8", "int16", "int32"]  # those that need it


# Memory ---------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(strips.MALLOC_TRIM is None, reason="only glibc has the function")
def test_before_tiles_free_memory_goes_back() -> None:
    pieces = [bytearray(60_000) for _ in range(2000)]  # 120 MB; more at once would have pages of its own
    for each in pieces:
        each[:] = bytes(len(each))
    before = resident()
    del pieces[1:-1]  # what is free lies below what is not
    list(tiles((4, 2), 2))
    assert resident() < before - 80 * 10**6


def resident() -> int:
    """Bytes of memory that the process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


MEASURED = """
import resource, torch
from tutorial_lib.codec import Codec
torch.set_num_threads(1)
codec = Codec.load()
small = torch.zeros(3, 64, 64, dtype=torch.uint8)
codec.decode(codec.encode(small, effort=0))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
before = peak()
tile = torch.randint(0, 256, (3, 250, 250), dtype=torch.uint8)
data = codec.encode(tile.repeat(1, {height} // 250, {width} // 250), effort=0)
print(peak() - before)
codec.decode(data)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere ru_maxrss counts in other units")
@pytest.mark.parametrize("size", [(1000, 1000), (2000, 2000)])
def test_the_memory_that_is_said_is_what_it_takes(size: tuple[int, int]) -> None:
    code = MEASURED.format(height=size[0], width=size[1])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    encoding, both = map(int, run.stdout.split())
    codec = Codec.load()
    said = codec.memory_to_encode(size, 0), codec.memory_to_decode(size)
    assert said[0] is not None and said[1] is not None
    # How much less it is depends on what importing and compiling has left free.
    assert encoding <= 1.05 * said[0] and both <= 1.05 * max(said)
