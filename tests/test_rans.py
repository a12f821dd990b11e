"""rans: against big integers that follow the format's description; and everything that kills others."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tutorial_lib.cdf import CdfTables
from tutorial_lib.rans import BitstreamError, Decoder, Encoder, check_length, decode, encode, encode_with_positions

ROW = [0, 16384, 49152, 62259, 65536]
TABLES = CdfTables([ROW], [5], [0])
ONE_SYMBOL = CdfTables([[0, 65536]], [2], [3])
STEEP = CdfTables([[0, 1, 65535, 65536]], [4], [0])  # symbol 0 and the escape own one count each
INT32 = (-(2**31), 2**31 - 1)


# The format in plain Python: symbols become operations (start, freq, bits), and these become bytes.


def operations(symbols, indexes, tables):
    ops = []
    for symbol, t in zip(symbols, indexes, strict=True):
        row = tables.cdf[t, : tables.length[t]].tolist()
        v, n, r = int(symbol) - int(tables.offset[t]), len(row) - 2, None
        if v < 0:
            v, r = n, -2 * v - 1
        elif v >= n:
            v, r = n, 2 * (v - n)
        ops.append((row[v], row[v + 1] - row[v], 16))
        if r is not None:
            digits = f"{r:x}"[::-1] if r else ""
            ops += [(nibble, 1, 4) for nibble in (len(digits), *(int(d, 16) for d in digits))]
    return ops


def flush(ops, lanes=1):
    states, words = [2**31] * lanes, []
    symbol = sum(bits == 16 for _, _, bits in ops)  # each begins with such an operation
    for start, freq, bits in reversed(ops):
        x = states[(symbol - 1) % lanes]
        if x >= freq << (63 - bits):
            words.append(x % 2**32)
            x //= 2**32
        states[(symbol - 1) % lanes] = x // freq * 2**bits + x % freq + start
        symbol -= bits == 16
    return struct.pack(f"<{lanes}Q{len(words)}I", *states, *reversed(words))


# The vectors of the format's description, and the empty stream that its author could not make.
@pytest.mark.parametrize(
    ("symbols", "data"),
    [
        ([0, 1, 2, 1, 0], "d10cae00a0000000"),
        ([5, -3, 0, 1], "f7fb712591cf3f06"),
        ([100, 0, 0, 0], "d5fe800260ff2700"),
        ([3, 3, 3, 3], "53f96c380100000090962fb5"),
        ([], "0000008000000000"),
    ],
)
def test_known_vectors(symbols, data):
    indexes = np.zeros(len(symbols), dtype=int)
    assert encode(symbols, indexes, TABLES).hex() == data
    assert decode(bytes.fromhex(data), indexes, TABLES).tolist() == symbols
    assert flush(operations(symbols, indexes, TABLES)).hex() == data


@given(st.integers(0, 10**6), st.integers(0, 300), st.sampled_from([2, 2**10, 2**31]), st.sampled_from([1, 2, 3]))
def test_equals_the_big_integers_and_comes_back(random_tables, random_symbols, seed, size, reach, lanes):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    indexes = rng.integers(0, len(tables.length), size)
    symbols = random_symbols(rng, tables, indexes, reach)
    data = encode(symbols, indexes, tables, lanes)
    assert data == flush(operations(symbols, indexes, tables), lanes)
    back = decode(data, indexes, tables, lanes)
    assert back.dtype == np.int32 and (back == symbols).all()


int32 = st.integers(*INT32)


@given(st.lists(int32, max_size=20), int32, st.sampled_from([ROW, [0, 65536], [0, 1, 65536], [0, 65535, 65536]]))
@example([*INT32], INT32[0], [0, 65536])
@example([*INT32], INT32[1], [0, 65536])
@example([*INT32] * 20, INT32[1], [0, 65535, 65536])  # the longest streams that there are
@example([*INT32] * 20, INT32[0], [0, 65535, 65536])
def test_all_of_int32_with_any_offset(symbols, offset, row):
    tables = CdfTables([row], [len(row)], [offset])
    indexes = [0] * len(symbols)
    data = encode(symbols, indexes, tables)
    assert data == flush(operations(symbols, indexes, tables))
    assert decode(data, indexes, tables).tolist() == symbols
    assert len(data) <= 4 * (2 * len(symbols) + 2)


# What makes CompressAI 1.2.8 crash, hang or corrupt its heap (the format's description, section 8).
@pytest.mark.parametrize(
    ("symbols", "tables", "size"),
    [
        ([], TABLES, 8),
        ([1], TABLES, 8),
        ([0, 2], STEEP, 12),
        ([3] * 9, ONE_SYMBOL, None),
        ([2, 4, -70000], ONE_SYMBOL, None),
        ([2**27, -(2**27), 2**28, -(2**30)], TABLES, None),
        ([*INT32, *INT32], TABLES, None),
    ],
)
def test_what_kills_compressai(symbols, tables, size):
    data = encode(symbols, [0] * len(symbols), tables)
    assert decode(data, [0] * len(symbols), tables).tolist() == symbols
    assert size is None or len(data) == size


def test_shapes_and_orders():
    rng = np.random.default_rng(2)
    tables = CdfTables([ROW, [0, 9, 65536, 0, 0]], [5, 3], [0, -4])
    symbols, indexes = rng.integers(-6, 6, (3, 4, 5)), rng.integers(0, 2, (3, 4, 5))
    data = encode(symbols, indexes, tables)
    for convert in (
        np.asfortranarray,
        lambda a: a[..., ::-1][..., ::-1],
        torch.from_numpy,
        np.ndarray.tolist,
    ):
        assert encode(convert(symbols), convert(indexes), tables) == data
        back = decode(data, convert(indexes), tables)
        assert back.shape == (3, 4, 5) and (back == symbols).all()
    assert encode(symbols.ravel(), indexes.ravel(), tables) == data
    assert encode(symbols[:, 0], indexes[:, 0], tables) == encode(symbols[:, 0].copy(), indexes[:, 0].copy(), tables)
    assert decode(encode(3, 0, TABLES), 0, TABLES).shape == ()
    assert decode(encode(np.zeros((0, 7)), np.zeros((0, 7), int), TABLES), np.zeros((0, 7), int), TABLES).shape == (
        0,
        7,
    )


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.float16, np.float32, np.float64])
def test_every_type_of_whole_numbers(dtype):
    assert encode(np.array([0, 1, 2, 1, 0], dtype), np.zeros(5, np.uint8), TABLES).hex() == "d10cae00a0000000"


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_type_of_bytes(kind):
    assert decode(kind(bytes.fromhex("d10cae00a0000000")), [0] * 5, TABLES).tolist() == [0, 1, 2, 1, 0]


def test_arguments_stay_as_they_are():
    symbols, indexes = np.arange(6, dtype=np.int32), np.zeros(6, dtype=np.int32)
    decoded = decode(encode(symbols, indexes, TABLES), indexes, TABLES)
    for array in (symbols, indexes, decoded):
        assert array.flags.writeable
    assert symbols.tolist() == [0, 1, 2, 3, 4, 5] and not indexes.any()
    symbols.flags.writeable = indexes.flags.writeable = False
    assert (decode(encode(symbols, indexes, TABLES), indexes, TABLES) == symbols).all()


def test_size_is_the_information(random_tables):
    """Never below -log2(probability), and above it by no more than the state and 0.02 %."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        tables = random_tables(rng, fewest=3)
        indexes = rng.integers(0, len(tables.length), 50_000)
        symbols, bits = np.empty_like(indexes), 0.0
        for t, n in enumerate(tables.length):
            row, here = (
                tables.cdf[t, : n - 1],
                indexes == t,
            )  # all but the escape, which has digits to pay for
            k = np.searchsorted(row, rng.integers(0, row[-1], here.sum()), side="right") - 1
            symbols[here] = k + tables.offset[t]
            bits += (16 - np.log2(row[k + 1] - row[k])).sum()
        assert bits <= 8 * len(encode(symbols, indexes, tables)) <= 1.0002 * bits + 64


@pytest.mark.parametrize(
    ("symbols", "indexes", "message"),
    [
        ([0.5], [0], "symbols must be whole numbers; round"),
        ([np.nan], [0], "symbols must be whole"),
        ([np.inf], [0], "symbols must be whole"),
        ([2**31], [0], "symbols must be whole numbers that fit"),
        ([-(2**31) - 1], [0], "symbols must be whole numbers that fit"),
        (np.array([2**31], np.float32), [0], "symbols must be whole numbers that fit"),
        (["1"], [0], "symbols must be whole"),
        ([True], [0], "symbols must be whole"),
        ([1j], [0], "symbols must be whole"),
        ([1], [0.0], "indexes must be integers"),
        ([1], [False], "indexes must be integers"),
        ([1], ["0"], "indexes must be integers"),
        ([1], [1], "indexes must lie in 0 ... 0"),
        ([1], [-1], "indexes must lie in 0 ... 0"),
        ([1, 1], [0, 2**40], "indexes must lie in 0 ... 0"),
        ([1, 2], [0], "same shape"),
        ([[1, 2]], [0, 0], "same shape"),
        ([], [0], "same shape"),
        (1, [0], "same shape"),
    ],
)
def test_encode_refuses(symbols, indexes, message):
    with pytest.raises(ValueError, match=message):
        encode(symbols, indexes, TABLES)


@pytest.mark.parametrize("indexes", [[1], [-1], [0.0], ["0"], [2**32]])
def test_decode_refuses_indexes(indexes):
    with pytest.raises(ValueError, match="indexes must") as caught:
        decode(bytes.fromhex("0000008000000000"), indexes, TABLES)
    assert not isinstance(caught.value, BitstreamError)


@pytest.mark.parametrize("data", ["0000008000000000", None, 8, [0] * 8, np.zeros(8, np.uint8)])
def test_decode_refuses_what_is_not_bytes(data):
    with pytest.raises(ValueError, match="a stream is bytes"):
        decode(data, [], TABLES)


def test_other_precisions_are_refused():
    coarse = CdfTables([[0, 512, 1024]], [3], [0])
    with pytest.raises(ValueError, match="precision is 10 bits"):
        encode([0], [0], coarse)
    with pytest.raises(ValueError, match="precision is 10 bits"):
        decode(bytes(8), [0], coarse)


def state(x, *words):
    return struct.pack(f"<{2 + len(words)}I", x % 2**32, x // 2**32, *words)


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [
        *[(bytes(n), 1, f"has {n} bytes") for n in (0, 1, 4, 7, 9, 10, 11, 13)],
        (bytes(8), 0, "begins with"),
        (state(2**31 - 1), 0, "begins with"),
        (state(2**63), 0, "begins with"),
        (state(2**64 - 1), 0, "begins with"),
        (state(2**31 + 1), 0, "does not end"),
        (state(2**63 - 1), 0, "does not end"),
        (state(2**31, 0), 0, "does not end"),
        (state(2**31), 1, "ends before"),
        (flush(operations([7] * 9, [0] * 9, TABLES))[:-4], 9, "ends before"),
        (flush(operations([7] * 9, [0] * 9, TABLES)) + bytes(4), 9, "does not end"),
        (flush(operations([1] * 9, [0] * 9, TABLES)), 8, "does not end"),
        # escapes that no encoder writes, r from 10 digits on and values beyond int32
        (flush([(62259, 3277, 16), *[(15, 1, 4)] * 400]), 1, "beyond 32 bits"),
        (flush([(62259, 3277, 16), (10, 1, 4), *[(1, 1, 4)] * 10]), 1, "beyond 32 bits"),
        (flush([(62259, 3277, 16), (10, 1, 4), *[(0, 1, 4)] * 10]), 1, "beyond 32 bits"),
        (flush(operations([2**31], [0], TABLES)), 1, "beyond 32 bits"),
        (flush(operations([-(2**31) - 1], [0], TABLES)), 1, "beyond 32 bits"),
    ],
)
def test_decode_refuses_damage(data, count, message):
    with pytest.raises(BitstreamError, match=message):
        decode(data, [0] * count, TABLES)


def test_int32_ends_exactly_where_it_should():
    for value in INT32:
        assert decode(flush(operations([value], [0], TABLES)), [0], TABLES).tolist() == [value]


def test_a_value_that_a_table_lists_may_still_be_beyond_int32():
    tables = CdfTables([ROW], [5], [2**31 - 2])
    assert decode(flush(operations([2**31 - 1], [0], tables)), [0], tables).tolist() == [2**31 - 1]
    with pytest.raises(BitstreamError, match="beyond 32 bits"):
        decode(flush(operations([2**31], [0], tables)), [0], tables)


def test_other_tables_are_noticed():
    indexes = np.zeros(100, dtype=int)
    data = encode(np.arange(100) % 4, indexes, TABLES)
    with pytest.raises(BitstreamError):
        decode(data, indexes, CdfTables([[0, 16385, 49152, 62259, 65536]], [5], [0]))


# A decoder that is asked several times ---------------------------------------------------------------------------


def in_pops(data, indexes, tables, cuts, lanes):
    decoder = Decoder(data, tables, lanes)
    popped = [decoder.pop(piece) for piece in np.split(indexes, sorted(cuts))]
    decoder.finish()
    return np.concatenate(popped)


@given(
    st.integers(0, 10**6),
    st.integers(0, 200),
    st.lists(st.integers(0, 200), max_size=6),
    st.sampled_from([2, 2**31]),
    st.sampled_from([1, 2, 3]),
)
def test_several_pops_are_one_decode(random_tables, random_symbols, seed, size, cuts, reach, lanes):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    indexes = rng.integers(0, len(tables.length), size)
    symbols = random_symbols(rng, tables, indexes, reach)
    data = encode(symbols, indexes, tables, lanes)
    back = in_pops(data, indexes, tables, [min(cut, size) for cut in cuts], lanes)
    assert back.dtype == np.int32 and (back == symbols).all()


def test_indexes_may_depend_on_the_symbols_before_them():
    rng = np.random.default_rng(6)
    tables = CdfTables([ROW, [0, 9, 30000, 65000, 65536], [0, 65000, 65536, 0, 0]], [5, 5, 3], [0, -1, 5])
    symbols, indexes = [], [0]
    for _ in range(200):
        symbols.append(int(rng.integers(-3, 9)))
        indexes.append(symbols[-1] % 3)
    data = encode(symbols, indexes[:-1], tables)
    decoder, popped, index = Decoder(data, tables), [], 0
    for _ in symbols:
        popped.append(int(decoder.pop(index)))
        index = popped[-1] % 3
    decoder.finish()
    assert popped == symbols


def test_what_is_popped_has_the_shape_of_its_indexes():
    symbols = np.arange(24) % 4
    decoder = Decoder(encode(symbols, np.zeros(24, int), TABLES), TABLES)
    shapes = [(2, 3), (), (0, 5), (4,), (1, 13, 1)]
    popped = [decoder.pop(np.zeros(shape, int)) for shape in shapes]
    decoder.finish()
    assert [array.shape for array in popped] == shapes
    assert all(array.dtype == np.int32 and array.flags.writeable for array in popped)
    assert np.concatenate([array.ravel() for array in popped]).tolist() == symbols.tolist()


def test_a_decoder_is_finished_when_all_is_popped_and_not_before_or_after():
    data = encode([0, 1, 2, 1, 70, 3] * 5, [0] * 30, TABLES)
    decoder = Decoder(data, TABLES)
    for _ in range(30):
        with pytest.raises(BitstreamError, match="does not end"):
            decoder.finish()
        decoder.pop([0])
    for _ in range(2):
        decoder.finish()
        assert decoder.pop([]).shape == (0,)
    with pytest.raises(BitstreamError, match="ends before"):
        decoder.pop([0] * 40)
    decoder.finish()  # what failed took nothing


def test_after_a_refusal_a_decoder_goes_on_where_it_was():
    decoder = Decoder(encode([0, 1, 2, 1, 0], [0] * 5, TABLES), TABLES)
    assert decoder.pop([0, 0]).tolist() == [0, 1]
    for indexes, message in (([1], "0 ... 0"), ([0.5], "must be integers"), ([0] * 99, "ends before")):
        with pytest.raises(ValueError, match=message):
            decoder.pop(indexes)
    assert decoder.pop([0, 0, 0]).tolist() == [2, 1, 0]
    decoder.finish()


def test_decoders_do_not_share_what_they_have_read():
    data = encode([0, 1, 2, 70, 0], [0] * 5, TABLES)
    one, other = Decoder(data, TABLES), Decoder(data, TABLES)
    assert one.pop([0] * 4).tolist() == [0, 1, 2, 70]
    assert other.pop([0] * 5).tolist() == [0, 1, 2, 70, 0]
    assert one.pop([0]).tolist() == [0]
    one.finish()
    other.finish()


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_cut_at_a_decoders_position_decodes_up_to_there(seed, random_tables, random_symbols):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    indexes = rng.integers(0, len(tables.length), 120)
    symbols = random_symbols(rng, tables, indexes, 2**31)
    data = encode(symbols, indexes, tables)
    decoder, positions = Decoder(data, tables), []
    for done in range(121):
        position = decoder.position
        assert Decoder(data[:position], tables).pop(indexes[:done]).tolist() == symbols[:done].tolist()
        if position > 8:
            with pytest.raises(BitstreamError, match="ends before"):
                Decoder(data[: position - 4], tables).pop(indexes[:done])
        positions.append(position)
        decoder.pop(indexes[done : done + 1])
    assert positions[0] == 8 and positions[-1] == len(data) == decoder.position
    assert positions == sorted(positions) and len(set(positions)) > 10


@given(
    st.integers(0, 10**6),
    st.integers(0, 200),
    st.lists(st.integers(0, 200), max_size=8),
    st.sampled_from([2, 2**31]),
    st.sampled_from([1, 2, 3]),
)
@example(seed=0, size=0, counts=[0], reach=2, lanes=1)
@example(seed=0, size=3, counts=[0, 0, 3, 3], reach=2**31, lanes=1)
def test_the_encoder_knows_the_positions_that_a_decoder_will_have(
    random_tables, random_symbols, seed, size, counts, reach, lanes
):
    rng = np.random.default_rng(seed)
    tables = random_tables(rng)
    indexes = rng.integers(0, len(tables.length), size)
    symbols = random_symbols(rng, tables, indexes, reach)
    counts = sorted(min(count, size) for count in counts)
    data, positions = encode_with_positions(symbols, indexes, tables, counts, lanes)
    assert data == encode(symbols, indexes, tables, lanes)
    assert all(type(position) is int for position in positions) and len(positions) == len(counts)
    for count, position in zip(counts, positions, strict=True):
        decoder = Decoder(data, tables, lanes)
        decoder.pop(indexes[:count])
        assert decoder.position == position
        assert Decoder(data[:position], tables, lanes).pop(indexes[:count]).tolist() == symbols[:count].tolist()
        if position > 8 * lanes:
            with pytest.raises(BitstreamError, match="ends before"):
                Decoder(data[: position - 4], tables, lanes).pop(indexes[:count])


def test_counts_may_be_an_array_and_symbols_of_any_shape():
    symbols, indexes = np.array([[0, 1, 2], [70, 0, 1]]), np.zeros((2, 3), int)
    data, positions = encode_with_positions(symbols, indexes, TABLES, np.cumsum([2, 2, 2]))
    assert data == encode(symbols, indexes, TABLES) and positions == sorted(positions)
    assert positions[-1] == len(data)


@pytest.mark.parametrize("counts", [[-1], [5], [3, 2], [0, 4, 3], [[1, 2]], 2], ids=str)
def test_counts_that_do_not_ascend_within_the_symbols_are_refused(counts):
    with pytest.raises(ValueError, match=r"^counts ascend from 0 to the number of symbols, 4, unlike .*\.$"):
        encode_with_positions([0, 1, 2, 1], [0] * 4, TABLES, counts)


@given(data=st.data(), seed=st.integers(0, 99), size=st.integers(0, 3000))
def test_no_true_stream_is_too_short(random_tables, random_symbols, data, seed, size):
    """Neither one of random symbols nor one of the most probable ones, nor its beginning."""
    rng = np.random.default_rng(seed)
    tables = data.draw(st.sampled_from([TABLES, ONE_SYMBOL, STEEP, random_tables(rng)]))
    indexes = rng.integers(0, len(tables.length), size)
    likely = np.array([np.diff(row).argmax() for row in tables._rows()])
    symbols = likely[indexes] + tables.offset[indexes]
    if data.draw(st.booleans()):
        symbols = np.where(rng.random(size) < 0.1, symbols + rng.integers(-9, 9, size), symbols)
    stream, positions = encode_with_positions(symbols, indexes, tables, [size // 2, size])
    for end, count in zip([*positions, len(stream)], [size // 2, size, size], strict=True):
        check_length(end, count, tables)
        check_length(end, np.bincount(indexes[:count], minlength=len(tables.length)), tables)


@pytest.mark.parametrize("tables", [TABLES, STEEP])
def test_what_is_too_short_is_said_before_it_is_decoded(tables):
    """The bound is tight: but for three words, of which a decoder needs parts only, and a ten-thousandth."""
    for count in (10_000, 1_000_000):
        length = len(encode([1] * count, [0] * count, tables))
        check_length(length, count, tables)
        if length > 20:
            for counts in (count, [count]):
                with pytest.raises(BitstreamError, match="too few for"):
                    check_length(int(0.9999 * length) - 12, counts, tables)


def test_a_decoder_keeps_its_own_copy_of_the_stream():
    data = bytearray(encode([70, 1, 2, 1, 0] * 20, [0] * 100, TABLES))
    decoder = Decoder(data, TABLES)
    data[:] = bytes(len(data))
    assert decoder.pop([0] * 100).tolist() == [70, 1, 2, 1, 0] * 20


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (bytes(4), "has 4 bytes"),
        (bytes(10), "has 10 bytes"),
        (bytes(8), "begins with"),
        (state(2**31 - 1), "begins with"),
        (state(2**63), "begins with"),
        (state(2**64 - 1), "begins with"),
    ],
)
def test_a_decoder_refuses_at_once_what_begins_wrong(data, message):
    with pytest.raises(BitstreamError, match=message):
        Decoder(data, TABLES)


def test_a_decoder_refuses_other_things_than_bytes_and_other_precisions():
    with pytest.raises(ValueError, match="a stream is bytes, not str"):
        Decoder("0000008000000000", TABLES)
    with pytest.raises(ValueError, match="precision is 10 bits"):
        Decoder(state(2**31), CdfTables([[0, 512, 1024]], [3], [0]))


def test_the_largest_state_and_the_smallest_are_read():
    Decoder(state(2**31), TABLES).finish()
    assert Decoder(state(2**63 - 2**16), TABLES).pop([0]).tolist() == [0]


# Lanes -----------------------------------------------------------------------------------------------------------


def test_a_lane_costs_eight_bytes_at_most():
    symbols = np.random.default_rng(0).integers(0, 4, 10**4)
    one, *more = (len(encode(symbols, 0 * symbols, TABLES, lanes)) for lanes in (1, 2, 3, 4))
    assert all(4 * extra <= size - one <= 8 * extra for extra, size in enumerate(more, start=1))


def test_streams_shorter_than_their_lanes():
    for size in range(9):
        symbols = [70, *range(size)][:size]
        data = encode(symbols, [0] * size, TABLES, 8)
        assert data == flush(operations(symbols, [0] * size, TABLES), 8)
        assert decode(data, [0] * size, TABLES, 8).tolist() == symbols
    assert encode([], [], TABLES, 8) == state(2**31) * 8


def test_pieces_are_one_stream_whatever_the_lanes():
    symbols, indexes = np.arange(-3, 20), np.zeros(23, int)
    for cuts in ([], [1], [7, 8], [2, 2, 22]):
        encoder = Encoder(TABLES, 3)
        for piece in reversed(np.split(symbols, cuts)):
            encoder.push(piece, 0 * piece)
        assert encoder.finish() == encode(symbols, indexes, TABLES, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (state(2**31) + bytes(4), "has 12 bytes, not 16, 20, 24"),
        (state(2**31) + state(2**31 - 1), "begins with"),
        (state(2**63) + state(2**31), "begins with"),
        (state(2**31) + state(2**31 + 1), "does not end"),
        (state(2**31 + 1) + state(2**31), "does not end"),
        (state(2**31) * 2 + bytes(4), "does not end"),
    ],
)
def test_damage_is_seen_in_each_lane(data, message):
    with pytest.raises(BitstreamError, match=message):
        decode(data, [], TABLES, 2)


def test_another_number_of_lanes_is_noticed():
    symbols = np.random.default_rng(0).integers(0, 4, 1000)
    data = encode(symbols, 0 * symbols, TABLES, 2)
    for lanes in (1, 3, 4):
        with pytest.raises(BitstreamError):
            decode(data, 0 * symbols, TABLES, lanes)


@pytest.mark.parametrize("lanes", [0, -1, 9, 2**40])
def test_other_numbers_of_lanes_are_refused(lanes):
    for code in (lambda: encode([0], [0], TABLES, lanes), lambda: decode(bytes(8), [0], TABLES, lanes)):
        with pytest.raises(ValueError, match=rf"^a stream has 1 to 8 lanes, not {lanes}\.$"):
            code()
    assert encode([0], [0], TABLES, np.int8(2)) == encode([0], [0], TABLES, 2)


def test_pops_compile_once():
    code = "from tutorial_lib import rans\nfrom tutorial_lib.cdf import CdfTables\nimport numpy as np\n"
    code += "tables = CdfTables([[0, 16384, 49152, 62259, 65536]], [5], [0])\n"
    code += "decoder = rans.Decoder(rans.encode([0, 1, 70, 3], [0] * 4, tables), tables)\n"
    code += "popped = [decoder.pop(i) for i in ([0], 0, np.zeros(1, np.uint8), [[0]], [])]\n"
    code += "decoder.finish()\nrans.decode(rans.encode([3], [0], tables), [0], tables)\n"
    code += "print(len(rans._decode.signatures), [p.tolist() for p in popped])"
    assert python(code) == "1 [[0], 1, [70], [[3]], []]"


def python(code: str, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


CODE_A_STREAM = """
from tutorial_lib.cdf import CdfTables
from tutorial_lib.rans import BitstreamError, Decoder, decode, encode
tables = CdfTables([[0, 16384, 49152, 62259, 65536]] * 3, [5] * 3, [0, -2**31, 2**31 - 1])
symbols, indexes = [3, -2**31, 2**31 - 1, 0, 1] * 6, [0, 1, 2] * 10
data = encode(symbols, indexes, tables)
assert decode(data, indexes, tables).tolist() == symbols
decoder = Decoder(data, tables)
assert [int(decoder.pop(index)) for index in indexes] == symbols
decoder.finish()
try:
    decode(data[:-4], indexes, tables)
except BitstreamError as error:
    print(data.hex(), error)
"""


def test_importing_compiles_nothing_and_needs_no_torch():
    code = "import sys\nfrom tutorial_lib import rans\n"
    code += "print(rans._encode.signatures + rans._decode.signatures, 'torch' in sys.modules)"
    assert python(code) == "[] False"


def test_plain_python_does_the_same():
    assert python(CODE_A_STREAM, NUMBA_DISABLE_JIT="1") == python(CODE_A_STREAM)


def test_works_where_no_folder_can_be_written():
    refuse = """
import tempfile
def refuse(*args, **kwargs):
    raise PermissionError("read-only")
tempfile.TemporaryFile = refuse
"""
    cached = "\nimport tutorial_lib.rans as r; print(r._encode._cache.cache_path is not None)"
    assert python(refuse + CODE_A_STREAM + cached) == python(CODE_A_STREAM) + "\nFalse"


HITS = "\nimport tutorial_lib.rans as r; print(sum(r._decode._cache_hits.values()))"


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("kept")
    assert python(CODE_A_STREAM + HITS, NUMBA_CACHE_DIR=str(path)).endswith("\n0")
    return path


@pytest.fixture
def folder(filled: Path, tmp_path: Path) -> Path:
    """Machine code that an earlier process has kept."""
    return shutil.copytree(filled, tmp_path / "kept")


@pytest.fixture(scope="module")
def expected() -> str:
    return python(CODE_A_STREAM, NUMBA_DISABLE_JIT="1")


class TestTheKeptMachineCode:
    """Whatever lies where Numba keeps it, the same streams come out; and what can be kept again is."""

    def test_it_is_found_again(self, folder: Path) -> None:
        assert python(CODE_A_STREAM + HITS, NUMBA_CACHE_DIR=str(folder)).endswith("\n1")

    @pytest.mark.parametrize("ending", [".nbi", ".nbc"])
    @pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "flipped"])
    def test_damaged_files_are_replaced(self, folder: Path, expected: str, ending: str, damage: str) -> None:
        files = [path for path in folder.rglob("*") if path.suffix == ending]
        assert len(files) >= 5
        for path in files:
            data = path.read_bytes()
            middle = len(data) // 2
            path.write_bytes(
                {
                    "garbage": b"no pickle " * 100,
                    "empty": b"",
                    "cut": data[:middle],
                    "flipped": data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :],
                }[damage]
            )
        assert python(CODE_A_STREAM, NUMBA_CACHE_DIR=str(folder)) == expected
        assert python(CODE_A_STREAM + HITS, NUMBA_CACHE_DIR=str(folder)) == f"{expected}\n1"

    def test_where_no_folder_can_be(self, tmp_path: Path, expected: str) -> None:
        (tmp_path / "file").write_bytes(b"no folder")
        for place in (tmp_path / "file", tmp_path / "file" / "below", "/proc/nowhere"):
            assert python(CODE_A_STREAM, NUMBA_CACHE_DIR=str(place)) == expected

    def test_a_full_disk(self, tmp_path: Path, expected: str) -> None:
        full = """
import errno, numba.core.caching as caching
def refuse(*_args):
    raise OSError(errno.ENOSPC, "No space left on device")
caching.IndexDataCacheFile._open_for_write = refuse
"""
        assert python(full + CODE_A_STREAM, NUMBA_CACHE_DIR=str(tmp_path)) == expected
        assert not [path for path in tmp_path.rglob("*") if path.is_file()]
