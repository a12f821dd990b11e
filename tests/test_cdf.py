"""cdf: against the eight lines of its definition, one count at a time; and tables that defend themselves."""

from __future__ import annotations

import copy
import dataclasses
import itertools
import pickle
import struct
import zlib

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tutorial_lib.cdf import (
    FINENESS,
    MAGIC,
    MOST_ENTRIES,
    MOST_PARTS,
    MOST_TABLES,
    CdfTables,
    as_int32,
    pmf_to_quantized_cdf,
)

ROW = [0, 16384, 49152, 62259, 65536]


def rounded_counts(pmf: list[float], precision: int) -> list[int]:
    scaled = [float(np.float32(p)) * 2**precision for p in pmf]
    return [int(s) + (s - int(s) >= 0.5) for s in scaled]


def one_count_at_a_time(pmf: list[float], precision: int) -> list[int]:
    """The definition in plain Python: what the module does with sorting, done literally."""
    total, counts = 2**precision, rounded_counts(pmf, precision)
    cdf = [0]
    for count in counts:
        cdf.append(cdf[-1] + total * count // sum(counts))
    cdf[-1] = total
    for i in range(len(pmf)):
        if cdf[i] == cdf[i + 1]:
            widths = [b - a for a, b in itertools.pairwise(cdf)]
            donor = min((w, j) for j, w in enumerate(widths) if w > 1)[1]
            if donor < i:
                for j in range(donor + 1, i + 1):
                    cdf[j] -= 1
            else:
                for j in range(i + 1, donor + 1):
                    cdf[j] += 1
    return cdf


def test_known_vectors():
    assert pmf_to_quantized_cdf([0.1, 0.2, 0, 0]).tolist() == [0, 21845, 65534, 65535, 65536]
    assert pmf_to_quantized_cdf([0.25, 0.5, 0.2, 0.05]).tolist() == ROW
    assert pmf_to_quantized_cdf([1e-3]).tolist() == [0, 65536]


pmfs = st.lists(
    st.one_of(st.just(0.0), st.floats(0, 1), st.floats(0, 1e-4), st.floats(0, 1e4)),
    min_size=1,
    max_size=60,
)


@given(pmfs, st.sampled_from([6, 8, 10, 16]))
@example([0.0, 0.0, 0.0, 1.0], 2)  # every count is given away
@example([1.0, 0.0, 0.0, 0.0], 2)
@example([0.3, 0.3, 0.0, 0.0, 0.0], 6)  # equals: the leftmost donates
@example([3 / 64, 0.5, 0.0, 0.0, 0.0, 3 / 64], 6)  # the narrowest donates until it is down to 1
def test_equals_the_definition(pmf, precision):
    if not 0 < sum(rounded_counts(pmf, precision)) < 2**32:
        with pytest.raises(ValueError, match="sums to"):
            pmf_to_quantized_cdf(pmf, precision)
        return
    cdf = pmf_to_quantized_cdf(pmf, precision)
    assert cdf.dtype == np.int32
    assert cdf.tolist() == one_count_at_a_time(pmf, precision)
    assert cdf[0] == 0 and cdf[-1] == 2**precision and (np.diff(cdf) >= 1).all()


@pytest.mark.parametrize("n", [2, 3, 40, 63, 64])
def test_as_many_symbols_as_counts(n):
    pmf = np.zeros(n)
    pmf[n // 2] = 1
    assert pmf_to_quantized_cdf(pmf, 6).tolist() == one_count_at_a_time(pmf.tolist(), 6)


def test_rounding_is_half_away_from_zero_in_float32():
    half = np.float32(0.5 / 65536)
    below = np.nextafter(half, np.float32(0))
    # 3 counts of 65535 + 1 or so: the widths tell whether `half` became a count before any gift was made
    assert pmf_to_quantized_cdf([half, half, half]).tolist() == [0, 21845, 43690, 65536]  # 1 count each
    assert pmf_to_quantized_cdf([half, below, below]).tolist() == [0, 65534, 65535, 65536]  # 1, 0, 0
    assert pmf_to_quantized_cdf([5 * half, half]).tolist() == [0, 49152, 65536]  # 2.5 counts become 3
    with pytest.raises(ValueError):
        pmf_to_quantized_cdf([below, below])


def test_float32_is_what_counts():
    p = 0.5 / 65536 - 1e-14  # a hair below half a count, but half a count in float32
    assert pmf_to_quantized_cdf([p, p]).tolist() == [0, 32768, 65536]


@pytest.mark.parametrize(
    ("pmf", "precision", "message"),
    [
        ([], 16, "not empty"),
        ([[0.5, 0.5]], 16, "one row"),
        (0.5, 16, "one row"),
        ([0.2] * 5, 2, "5 symbols cannot share 2\\^2"),
        (np.full(65537, 1.0), 16, "65537 symbols"),
        ([0.5, np.nan], 16, "NaN"),
        ([0.5, np.inf], 16, "NaN"),
        ([0.5, -0.1], 16, "negative"),
        ([0.5, 1e39], 16, "infinite"),
        ([0.0, 0.0], 16, "sums to 0"),
        ([1e-9, 1e-9], 16, "sums to 2e-09"),
        ([3e38, 0.5], 16, "sums to 3e"),  # finite, until it is multiplied by 2^16
        ([65536.0, 0.5], 16, "sums to 65536"),  # CompressAI adds up in 32 bits
        ([0.5, 0.5], 0, "precision is 0"),
        ([0.5, 0.5], 31, "precision is 31"),
    ],
)
def test_refuses(pmf, precision, message):
    with pytest.raises(ValueError, match=message):
        pmf_to_quantized_cdf(pmf, precision)


def test_the_largest_sum_and_precision_still_work():
    assert pmf_to_quantized_cdf([65535.0, 0.5]).tolist() == one_count_at_a_time([65535.0, 0.5], 16)
    assert pmf_to_quantized_cdf([0.25, 0.0, 0.75], 30).tolist() == one_count_at_a_time([0.25, 0, 0.75], 30)


def test_leaves_its_input_alone():
    pmf = np.array([0.5, 0.0, 0.25], dtype=np.float32)
    before = pmf.copy()
    pmf_to_quantized_cdf(pmf)
    assert (pmf == before).all()


# --- tables ------------------------------------------------------------------------------------------


def tables() -> CdfTables:
    return CdfTables([ROW, [0, 65536, 0, 0, 0], [0, 1, 65536, 0, 0]], [5, 2, 3], [-1, 7, -(2**31)])


def test_arrays_are_trimmed_read_only_copies():
    source = np.array([[*ROW, 0, 0], [0, 3, 65536, 0, 0, 0, 0]])
    t = CdfTables(source, torch.tensor([5, 3]), [0, 0])
    assert t.cdf.shape == (2, 5) and t.precision == 16
    source[:] = 9
    assert t.cdf[0].tolist() == ROW
    for array in (t.cdf, t.length, t.offset, *t.guide):
        assert not array.flags.writeable
        with pytest.raises(ValueError):
            array[0] = 1
    for array in (t.cdf, t.length, t.offset):
        assert array.dtype == np.int32 and array.flags.c_contiguous
    with pytest.raises(dataclasses.FrozenInstanceError):
        t.cdf = source


def test_int32_input_is_copied_too():
    arrays = np.array([ROW], dtype=np.int32), np.array([5], dtype=np.int32), np.array([0], dtype=np.int32)
    t = CdfTables(*arrays)
    for array in arrays:
        array += 1  # still writable, and nobody else's
    assert t == CdfTables([ROW], [5], [0])


@pytest.mark.parametrize(
    ("cdf", "length", "offset", "message"),
    [
        (ROW, [5], [0], "shapes"),
        (np.zeros((0, 5), int), [], [], "shapes"),
        ([ROW], [5, 5], [0], "shapes"),
        ([ROW], [5], [0, 0], "shapes"),
        ([ROW], 5, 0, "shapes"),
        ([ROW], [6], [0], "lengths"),
        ([[65536]], [1], [0], "lengths"),
        ([ROW], [-5], [0], "lengths"),
        ([ROW], [4], [0], "zeros after"),
        ([[*ROW, 0]], [6], [0], "climbs"),
        ([[1, 16384, 65536]], [3], [0], "starts at 0"),
        ([[0, 5, 5, 65536]], [4], [0], "climbs"),
        ([[0, 9, 5, 65536]], [4], [0], "climbs"),
        ([[0, 5, 65535]], [3], [0], "power of two"),
        ([[0, 5, 2**17]], [3], [0], "power of two"),
        ([[0, 1, 0], [0, 5, 65536]], [2, 3], [0, 0], "power of two"),
        ([[0, 1]], [2], [0], "power of two"),
        ([[0, 65536, 0], [0, 5, 32768]], [2, 3], [0, 0], "power of two"),
        ([[0, 0.5, 65536]], [3], [0], "cdf must be whole"),
        ([ROW], [5], [2**31], "offset must be whole"),
        ([ROW], ["5"], [0], "length must be whole"),
    ],
)
def test_tables_refuse(cdf, length, offset, message):
    with pytest.raises(ValueError, match=message):
        CdfTables(cdf, length, offset)


def test_from_pmfs_appends_the_tail():
    t = CdfTables.from_pmfs([[0.25, 0.5, 0.2], np.array([0.5], np.float32)], [-1, 3], [0.05, 0.5])
    assert t == CdfTables([ROW, [0, 32768, 65536, 0, 0]], [5, 3], [-1, 3])
    assert CdfTables.from_pmfs([[0.5]], [0], [0.5], precision=10).precision == 10
    assert CdfTables.from_pmfs([[]], [4], [1.0]) == CdfTables([[0, 65536]], [2], [4])


@pytest.mark.parametrize(
    ("pmfs", "offsets", "tails", "message"),
    [
        ([[0.5], [np.nan]], [0, 0], [0.5, 0.5], "table 1: .*NaN"),
        ([[0.5], [0.5]], [0, 0], [0.5], "2 PMFs"),
        ([[0.5], [0.5]], [0, 0], 0.5, "2 PMFs"),
        ([[0.5], [[0.5]]], [0, 0], [0.5, 0.5], "table 1"),
        ([], [], [], "T >= 1"),
        ([[0.5]], [0, 0], [0.5], "shapes"),
        ([[0.5]], [0.5], [0.5], "offset"),
    ],
)
def test_from_pmfs_refuses(pmfs, offsets, tails, message):
    with pytest.raises(ValueError, match=message):
        CdfTables.from_pmfs(pmfs, offsets, tails)


def check_guide(t: CdfTables) -> None:
    """Every entry is true of the symbol in the middle of its part; escapes and what is beyond int32 claim no count."""
    entries, begins, shifts = t.guide
    total = 1 << t.precision
    assert begins.tolist() == np.cumsum([0, *(total >> shifts)[:-1]]).tolist()
    assert len(entries) == (total >> shifts).sum()
    for row, n, offset, begin, shift in zip(t.cdf, t.length, t.offset.tolist(), begins, shifts, strict=True):
        parts, widths = total >> shift, np.diff(row[:n])
        assert parts == min(MOST_PARTS, total, 1 << int(np.ceil(np.log2(FINENESS * total / widths.max()))))
        for part, entry in enumerate(entries[begin : begin + parts].tolist()):
            middle = (2 * part + 1) * total // parts // 2
            k = next(k for k in range(n - 1) if row[k] <= middle < row[k + 1])
            claims = k < n - 2 and k + offset < 2**31
            assert entry & 0xFFFF == (widths[k] if claims else 0)
            assert entry >> 16 & 0xFFFF == row[k]
            assert (entry >> 32) - (k + offset) in ({0} if claims else {0, -(2**32)})


@pytest.mark.parametrize("seed", range(3))
def test_guide_by_brute_force(random_tables, seed):
    t = random_tables(np.random.default_rng(seed))
    check_guide(t)
    assert t.guide is t.guide


def test_guide_of_the_ends_of_int32():
    check_guide(CdfTables([ROW] * 4, [5] * 4, [2**31 - 1, 2**31 - 2, 2**31 - 4, -(2**31)]))


@pytest.mark.parametrize("precision", [1, 2, 9])
def test_guide_of_coarse_tables(precision):
    check_guide(CdfTables([np.arange(2**precision + 1)], [2**precision + 1], [0]))
    check_guide(CdfTables([[0, 2**precision]], [2], [0]))


def test_guide_of_the_longest_row():
    t = CdfTables([np.arange(65537)], [65537], [0])
    assert (t.guide[0] >> 16 & 0xFFFF).tolist() == list(range(32, 65536, 65536 // MOST_PARTS))


def test_bytes_are_as_described():
    t = CdfTables([ROW, [0, 65536, 0, 0, 0]], [5, 2], [-1, 7])
    body = MAGIC + struct.pack("<12i", 2, 5, 2, -1, 7, *ROW, 0, 65536)
    assert t.to_bytes() == body + struct.pack("<I", zlib.crc32(body))
    assert t.fingerprint() == "24777dd75edeab18"  # files carry it: it must never change


def test_bytes_do_not_depend_on_padding():
    assert CdfTables([[*ROW, 0, 0]], [5], [0]).fingerprint() == CdfTables([ROW], [5], [0]).fingerprint()


@given(st.integers(0, 10**6))
def test_bytes_round_trip(random_tables, seed):
    t = random_tables(np.random.default_rng(seed))
    again = CdfTables.from_bytes(t.to_bytes())
    for name in ("cdf", "length", "offset"):
        assert (getattr(again, name) == getattr(t, name)).all()
    assert again == t and hash(again) == hash(t) and again.fingerprint() == t.fingerprint()


def test_equal_only_if_all_is_equal():
    t = tables()
    cdf = t.cdf.copy()
    cdf[2, 1] = 2
    others = [CdfTables(cdf, t.length, t.offset), CdfTables(t.cdf, t.length, [-1, 7, 0]), "tables"]
    assert all(t != other for other in others)
    assert len({o.fingerprint() for o in (t, *others[:2])}) == 3


def test_every_damaged_byte_is_noticed():
    data = tables().to_bytes()
    for i in range(len(data)):
        with pytest.raises(ValueError, match=r"checksum|no coding tables"):
            CdfTables.from_bytes(data[:i] + bytes([data[i] ^ 4]) + data[i + 1 :])
        with pytest.raises(ValueError):
            CdfTables.from_bytes(data[:i])
    with pytest.raises(ValueError):
        CdfTables.from_bytes(data + b"\0\0\0\0")


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [0],
        [-1, 5, 0, *ROW],
        [2, 5, 0, *ROW],
        [2**31 - 1, 5, 0, *ROW],
        [1, 5],
        [1, 4, 0, *ROW],
        [1, 6, 0, *ROW],
        [2, 8, -3, 0, 0, *ROW],
        [2, -2, 7, 0, 0, 0, 9, 65536, 0, 65536],  # two sound rows, but not of these lengths
        [1, 2, 0, 0, 65535],
        [1, 5, 0, 0, 9, 9, 9, 65536],
    ],
)
def test_contradictory_bytes_with_a_right_checksum(numbers):
    body = MAGIC + struct.pack(f"<{len(numbers)}i", *numbers)
    with pytest.raises(ValueError):
        CdfTables.from_bytes(body + struct.pack("<I", zlib.crc32(body)))
    body += b"\1"
    with pytest.raises(ValueError):
        CdfTables.from_bytes(body + struct.pack("<I", zlib.crc32(body)))


def test_more_tables_or_longer_rows_than_any_model_needs_are_refused():
    flat = np.array([0, 1, 65536])
    too_many = np.tile(flat, (MOST_TABLES + 1, 1)), np.full(MOST_TABLES + 1, 3), np.zeros(MOST_TABLES + 1, int)
    for make in (
        lambda: CdfTables(*too_many),
        lambda: CdfTables.from_pmfs([[0.5]] * (MOST_TABLES + 1), too_many[2], np.full(MOST_TABLES + 1, 0.5)),
        lambda: CdfTables.from_pmfs([np.ones(60_000) / 60_000, *[[0.5]] * 99], [0] * 100, [0.5] * 100),
    ):
        with pytest.raises(ValueError, match=r"coding tables, the longest row of .* are the most"):
            make()
    padded = np.pad(flat, (0, MOST_ENTRIES))[None]
    assert CdfTables(padded, [3], [0]).cdf.shape == (1, 3)  # padding that is taken off does not count


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))])
def test_copies_are_equal_and_read_only(duplicate):
    t = tables()
    t.guide  # noqa: B018  (cached, and not to be carried along)
    again = duplicate(t)
    assert again == t and again is not t and not again.cdf.flags.writeable


def test_as_int32():
    array = np.array([1, 2], dtype=np.int32)
    assert as_int32(array, "a") is array
    for whole in (
        [-(2**31), 2**31 - 1],
        np.array([3.0, -4.0], np.float16),
        np.array([7], np.uint64),
        torch.tensor([5]),
    ):
        got = as_int32(whole, "a")
        assert got.dtype == np.int32 and got.tolist() == np.asarray(whole).tolist()
    assert as_int32([], "a").dtype == np.int32
    for bad in ([2**31], [-(2**31) - 1], [2.0**31], [np.nan], [-np.inf], ["1"], [True], [None], [2**70], [1j]):
        with pytest.raises(ValueError, match="a must be whole numbers that fit in 32 bits"):
            as_int32(bad, "a")
    with pytest.raises(ValueError, match="a must be whole numbers; round them"):
        as_int32([0.5], "a")
