"""Damaged streams: the decoder says BitstreamError or, seldom, returns other numbers. Nothing else."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from tutorial_lib.cdf import CdfTables
from tutorial_lib.rans import BitstreamError, Decoder, decode, encode


def flip_bits(rng, data):
    damaged = bytearray(data)
    for bit in rng.integers(0, 8 * len(data), rng.integers(1, 9)):
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def replace_some(rng, data):
    start, stop = sorted(rng.integers(0, len(data) + 1, 2))
    return data[:start] + rng.bytes(stop - start) + data[stop:]


def swap_words(rng, data):
    words = np.frombuffer(data, "<u4").copy()
    i, j = rng.integers(0, len(words), 2)
    words[[i, j]] = words[[j, i]]
    return words.tobytes()


DAMAGES = {
    "truncated": lambda rng, data: data[: rng.integers(0, len(data))],
    "truncated by words": lambda rng, data: data[: 4 * rng.integers(0, len(data) // 4)],
    "extended": lambda rng, data: data + rng.bytes(rng.integers(1, 20)),
    "extended by words": lambda rng, data: data + rng.bytes(4 * rng.integers(1, 20)),
    "flipped": flip_bits,
    "replaced": replace_some,
    "swapped": swap_words,
    "zeroed": lambda rng, data: bytes(len(data)),
    "all ones": lambda rng, data: b"\xff" * len(data),
    "zeroed behind the state": lambda rng, data: data[:8] + bytes(len(data) - 8),
    "all ones behind the state": lambda rng, data: data[:8] + b"\xff" * (len(data) - 8),
    "random": lambda rng, data: rng.bytes(len(data)),
    "random words": lambda rng, data: rng.bytes(4 * rng.integers(0, 100)),
    "empty": lambda rng, data: b"",
}
NEVER_DECODES = {
    "truncated",
    "truncated by words",
    "extended",
    "extended by words",
    "zeroed",
    "all ones",
    "empty",
}


def outcome(data, indexes, tables):
    """The symbols, or None for BitstreamError. Anything else is let through, and fails the test."""
    try:
        symbols = decode(data, indexes, tables)
    except BitstreamError:
        return None
    assert symbols.shape == indexes.shape and symbols.dtype == np.int32
    return symbols


def outcome_in_pops(rng, data, indexes, tables):
    """The same, of a decoder that is asked for a few symbols at a time."""
    try:
        decoder = Decoder(data, tables)
        cuts = np.sort(rng.integers(0, indexes.size + 1, rng.integers(0, 9)))
        symbols = [decoder.pop(piece) for piece in np.split(indexes.ravel(), cuts)]
        decoder.finish()
    except BitstreamError:
        return None
    return np.concatenate(symbols).reshape(indexes.shape)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_streams_in_pops_are_refused_when_they_are_in_one(random_tables, random_symbols, damage):
    rng = np.random.default_rng(7)
    for _ in range(150):
        tables = random_tables(rng)
        indexes = rng.integers(0, len(tables.length), int(rng.integers(0, 60)))
        data = encode(random_symbols(rng, tables, indexes, 2**31), indexes, tables)
        for stream in (data, DAMAGES[damage](rng, data)):
            at_once, in_pops = outcome(stream, indexes, tables), outcome_in_pops(rng, stream, indexes, tables)
            assert (at_once is None) == (in_pops is None)
            assert at_once is None or (at_once == in_pops).all()


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_streams(random_tables, random_symbols, damage):
    rng = np.random.default_rng(4)
    decoded, changed = 0, 0
    for _ in range(300):
        tables = random_tables(rng)
        indexes = rng.integers(0, len(tables.length), (2, int(rng.integers(0, 40))))
        data = encode(random_symbols(rng, tables, indexes, 2**31), indexes, tables)
        damaged = DAMAGES[damage](rng, data)
        if damaged != data:
            changed += 1
            decoded += outcome(damaged, indexes, tables) is not None
    assert changed >= 150
    # A flipped bypass digit changes its own number and nothing else, which no end state can tell.
    assert decoded <= (0 if damage in NEVER_DECODES else changed // 20)


def test_every_flip_and_cut_of_one_stream():
    tables = CdfTables([[0, 16384, 49152, 62259, 65536]], [5], [0])
    symbols = np.array([0, 1, 2, 70, -3, 1, 1, 2, 0, 1, 2**31 - 1, 1] * 3)
    indexes = np.zeros_like(symbols)
    data = encode(symbols, indexes, tables)
    for n in range(len(data)):
        assert outcome(data[:n], indexes, tables) is None
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        back = outcome(bytes(damaged), indexes, tables)
        assert back is None or (back != symbols).any()


def test_decoding_other_numbers_of_symbols():
    tables = CdfTables([[0, 16384, 49152, 62259, 65536]], [5], [0])
    data = encode(np.arange(200) % 5, np.zeros(200, int), tables)
    for count in {0, 1, 50, 199, 201, 1000}:
        assert outcome(data, np.zeros(count, int), tables) is None


def outcomes_of_wild_streams() -> list[str | None]:
    """Random words, under tables with thousands of narrow symbols, with nothing but escapes, ..."""
    rng = np.random.default_rng(5)
    rows = [[0, *range(60000, 65537)], [0, 65536], [0, 1, 65536], [0, 65535, 65536], [0, 30000, 60000, 65536]]
    length = [len(row) for row in rows]
    tables = CdfTables([row + [0] * (max(length) - len(row)) for row in rows], length, [0, 2**31 - 1, 5, -9, 0])
    found = []
    for _ in range(300):
        indexes = rng.integers(0, len(rows), rng.integers(0, 60))
        words = rng.integers(0, 2**32, rng.integers(2, 60), dtype=np.uint32)
        words[1] %= 2**31  # a state that could be right, so that decoding begins
        words[2:] |= rng.choice(np.array([0, 0xFFFF0000, 0xFFFFFFFF], np.uint32), len(words) - 2)
        symbols = outcome(words.tobytes(), indexes, tables)
        found.append(None if symbols is None else hashlib.sha256(symbols.tobytes()).hexdigest())
    return found


def test_never_reads_outside_its_buffer():
    """Compiled kernels do not check bounds. As plain Python, on NumPy arrays, the same kernels do."""
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == outcomes_of_wild_streams()


if __name__ == "__main__":
    print(json.dumps(outcomes_of_wild_streams()))
