"""Integer tables: from probabilities to the counts that an entropy coder divides its state by.

Encoder and decoder must agree on every probability to the last bit, and floats do not promise that.
So a probability mass function (PMF) is turned **once** into integers, the cumulative counts

    0 = cdf[0] < cdf[1] < ... < cdf[n] = 2^precision,

and both sides use these. Symbol k owns the counts cdf[k] ... cdf[k + 1] - 1. Their number is its
width; the coder takes width / 2^precision for its probability, so that the symbol costs
precision - log2(width) bits. A table is made in three steps:

1. *Scale and round.* Each probability times 2^precision, in float32, rounded half away from zero;
   then rescaled with integer division, so that the sum cannot exceed 2^precision.
2. *The last symbol takes the slack*, whatever the divisions have left over. It is the escape: the
   coder sends it in front of every value that the table does not list.
3. *No symbol is left without a count*, for one of width 0 could not be coded. Each is given one count by the donor
   that has least to spare: the narrowest symbol wider than 1, the leftmost of equals.

The result is equal, count for count, to that of CompressAI (Bégaint et al. 2020, arXiv:2011.03029),
so that streams can be exchanged with it.

`CdfTables` holds one such row per distribution. Tables are values: made once, validated, never
changed, saved with the weights, and known by their fingerprint. The receiver loads them and
recomputes nothing; Ballé, Johnston & Minnen 2019 ("Integer networks for data compression with
latent-variable models") show what happens otherwise.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAX_PRECISION = 16  # bits, of tables; it is what the coder needs
FINENESS, MOST_PARTS = 8, 1 << 10  # of a decoder's guide: more find more symbols at once, but crowd the cache
MOST_TABLES, MOST_ENTRIES = 1 << 14, 5 << 20  # no file shall make us set aside memory without end
MAGIC = b"CDF1"  # what saved tables begin with; the digit is the version


def pmf_to_quantized_cdf(pmf: ArrayLike, precision: int = 16) -> NDArray[np.int32]:
    """Turn probabilities (n,) into cumulative counts (n + 1,), from 0 to 2^precision.

    The last probability is the escape's. They need not sum to one. Raises ValueError where there is
    no such table, or where it would depend on how integers overflow.

    >>> pmf_to_quantized_cdf([0.5, 0.49, 0.0, 0.01]).tolist()  # what has probability 0 gets 1 count of 65,536
    [0, 32768, 64881, 64882, 65536]
    """
    if not 1 <= precision <= 30:
        raise ValueError(f"precision is {precision}; choose 1 to 30 bits (the coder needs 16).")
    total = 1 << precision
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinity, refused below
        pmf = np.asarray(pmf).astype(np.float32)
        counts = pmf * np.float32(total)  # exact: a power of two
    if pmf.ndim != 1 or pmf.size == 0:
        raise ValueError(f"the PMF has shape {pmf.shape}; give one row of probabilities, not empty.")
    if pmf.size > total:
        raise ValueError(f"{pmf.size} symbols cannot share 2^{precision} counts; list fewer of them.")
    if not np.isfinite(pmf).all() or (pmf < 0).any():
        raise ValueError("the PMF holds a negative, infinite or NaN entry; see what computed it.")
    # Half away from zero. In float64: the largest float32 below 0.5, plus 0.5, would give 1.
    counts = np.floor(counts.astype(np.float64) + 0.5)
    if not 0 < counts.sum() < 2**32:
        raise ValueError(f"the PMF sums to {pmf.sum(dtype=np.float64):g}; it should sum to about 1.")

    counts = counts.astype(np.int64)
    widths = total * counts // counts.sum()  # (n,)
    widths[-1] += total - widths.sum()

    # A donor that has just given is narrower still, so it stays the narrowest until it is down to 1.
    # Donors are thus used up one after another, in order of (width, position): all counts move at once.
    empty = widths == 0
    order = np.argsort(widths, kind="stable")
    spare = np.maximum(widths[order] - 1, 0)
    owed = empty.sum() - (np.cumsum(spare) - spare)  # counts still to be given when it is this donor's turn
    widths[order] -= np.clip(owed, 0, spare)
    widths[empty] = 1
    return np.concatenate([[0], np.cumsum(widths)]).astype(np.int32)  # (n + 1,)


@dataclass(frozen=True, eq=False)
class CdfTables:
    """T rows of cumulative counts: all that a coder knows of a model.

    cdf:    (T, L) int32. Row t is valid in its first length[t] entries, the rest are zeros. Its last
            symbol is the escape.
    length: (T,) int32. Number of valid entries: one more than there are symbols.
    offset: (T,) int32. The value that symbol 0 of the row stands for.

    Any arrays of whole numbers will do, CompressAI's buffers too. They are copied, trimmed to the
    longest row and made read-only. Raises ValueError unless every row climbs strictly from 0 to the
    same power of two, 2^16 at most; and for more than 2^14 tables, or 5 · 2^20 entries with the padding.

    >>> tables = CdfTables.from_pmfs([[0.25, 0.5, 0.2], [0.9]], offsets=[-1, 7], tail_masses=[0.05, 0.1])
    >>> tables.cdf.tolist()  # two tables: of the values -1, 0, 1, and of the value 7
    [[0, 16384, 49152, 62259, 65536], [0, 58982, 65536, 0, 0]]
    >>> CdfTables.from_bytes(tables.to_bytes()) == tables
    True
    """

    cdf: NDArray[np.int32]
    length: NDArray[np.int32]
    offset: NDArray[np.int32]

    def __post_init__(self) -> None:
        cdf, length, offset = (as_int32(getattr(self, name), name) for name in ("cdf", "length", "offset"))
        rows = len(cdf) if cdf.ndim == 2 else 0
        if rows == 0 or length.shape != (rows,) or offset.shape != (rows,):
            shapes = f"{cdf.shape}, {length.shape}, {offset.shape}"
            raise ValueError(f"tables have the shapes (T, L), (T,), (T,), with T >= 1; not {shapes}.")
        if length.min() < 2 or length.max() > cdf.shape[1]:
            raise ValueError(f"lengths lie in 2 ... {cdf.shape[1]}: one symbol, or as many as fit.")
        _check_size(rows, int(length.max()))
        cdf, rest = cdf[:, : length.max()], cdf[:, length.max() :]
        valid = np.arange(cdf.shape[1]) < length[:, None]  # (T, L)
        climbs = cdf[:, 1:] > cdf[:, :-1]  # (T, L - 1)
        if cdf[:, 0].any() or not climbs[valid[:, 1:]].all() or (cdf.astype(bool) & ~valid).any() or rest.any():
            raise ValueError("a row starts at 0, climbs strictly for its length, and is all zeros after it.")
        ends = cdf[np.arange(rows), length - 1]
        if ends.min() != ends.max() or int(ends[0]) not in {1 << p for p in range(1, MAX_PRECISION + 1)}:
            raise ValueError("rows all end with the same power of two, 2^16 at most; the coder needs 2^16.")
        for name, array in (("cdf", cdf), ("length", length), ("offset", offset)):
            array = array.copy()
            array.flags.writeable = False
            object.__setattr__(self, name, array)  # the one way past `frozen`

    @classmethod
    def from_pmfs(
        cls, pmfs: Sequence[ArrayLike], offsets: ArrayLike, tail_masses: ArrayLike, precision: int = 16
    ) -> CdfTables:
        """Quantize T PMFs of any lengths.

        pmfs[t][k] is the probability of the value offsets[t] + k, tail_masses[t] that of all others.
        """
        tail_masses = np.asarray(tail_masses)
        if tail_masses.shape != (len(pmfs),):
            raise ValueError(f"{len(pmfs)} PMFs need as many tail masses, not the shape {tail_masses.shape}.")
        rows = []
        for t, (pmf, tail_mass) in enumerate(zip(pmfs, tail_masses, strict=True)):
            try:
                rows.append(pmf_to_quantized_cdf(np.concatenate([pmf, [tail_mass]]), precision))
            except ValueError as error:
                raise ValueError(f"table {t}: {error}") from None
        return cls(*_padded(rows), as_int32(offsets, "offset"))

    @property
    def precision(self) -> int:
        """log2 of the number that every row ends with."""
        return int(self.cdf[0, self.length[0] - 1]).bit_length() - 1

    @cached_property
    def guide(self) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.int32]]:
        """Where a decoder that knows a count c looks for its symbol: entries (E,), begins (T,), shifts (T,).

        The range of table t is cut into equal parts, FINENESS of them for the width of its most probable symbol and
        MOST_PARTS at most. entries[begins[t] + (c >> shifts[t])] is about the symbol that owns the middle of c's part:

            value << 32 | start << 16 | width

        If start <= c < start + width, that is the symbol (for Gaussians of up to 500 values, more than 9 times in 10);
        if not, it is near. The width of escapes, and of values beyond int32, is given as 0: they need a closer look.
        (Any other is below 2^16, as the escape has a count, too.) A guide table, after Chen & Asau 1974.
        """
        parts = np.minimum(FINENESS / self._largest, MOST_PARTS / (1 << self.precision))  # of each count
        shifts = np.clip(np.floor(-np.log2(parts)), 0, self.precision).astype(np.int32)  # (T,)
        begins = np.cumsum((1 << self.precision) >> shifts, dtype=np.int32)
        entries = np.empty(begins[-1], dtype=np.int64)
        begins = np.concatenate([[0], begins[:-1]]).astype(np.int32)
        for begin, shift, row, offset in zip(begins, shifts, self._rows(), self.offset.tolist(), strict=True):
            middles = np.arange(1 << shift >> 1, 1 << self.precision, 1 << shift)
            k = np.searchsorted(row, middles, side="right") - 1
            width = np.diff(row)[k].astype(np.int64)
            width[(k == len(row) - 2) | (k > 2**31 - 1 - offset)] = 0
            entries[begin : begin + len(k)] = (k + offset) << 32 | row[k].astype(np.int64) << 16 | width
        for array in (entries, begins, shifts):
            array.flags.writeable = False
        return entries, begins, shifts

    @cached_property
    def fewest_bits(self) -> NDArray[np.float64]:
        """(T,): what the most probable symbol of each table takes at least, in a coder with a state of 2^31 or more."""
        return -np.log1p((self._largest / (1 << self.precision) - 1) * (1 - 2.0**-15)) / np.log(2)

    @cached_property
    def _largest(self) -> NDArray[np.int32]:
        """(T,): the width of the most probable symbol of each table."""
        return np.array([np.diff(row).max() for row in self._rows()])

    def _rows(self) -> list[NDArray[np.int32]]:
        """The rows without their padding."""
        return [row[:n] for row, n in zip(self.cdf, self.length, strict=True)]

    def to_bytes(self) -> bytes:
        """The one way to write these tables: T, lengths, offsets, rows without padding; then sealed."""
        numbers = np.concatenate([[len(self.cdf)], self.length, self.offset, *self._rows()])
        return sealed(MAGIC, numbers.astype("<i4").tobytes())

    @classmethod
    def from_bytes(cls, data: bytes) -> CdfTables:
        """Undo to_bytes. Raises ValueError when the bytes are damaged, or are no tables at all."""
        body = unsealed(MAGIC, data, "coding tables")
        numbers = np.frombuffer(body, "<i4") if body and len(body) % 4 == 0 else np.zeros(1, "<i4")
        count, numbers = int(numbers[0]), numbers[1:].astype(np.int32)
        length, offset, entries = numbers[: max(count, 0)], numbers[count : 2 * count], numbers[2 * count :]
        if count < 1 or len(offset) != count or length.min() < 2 or length.sum(dtype=np.int64) != len(entries):
            raise ValueError("the coding tables contradict themselves: their lengths do not add up.")
        _check_size(count, int(length.max()))
        return cls(*_padded(np.split(entries, np.cumsum(length[:-1]))), offset)

    def fingerprint(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the bytes: the same for equal tables, and only for them."""
        return hashlib.sha256(self.to_bytes()).hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CdfTables) and self.to_bytes() == other.to_bytes()

    def __hash__(self) -> int:
        return hash(self.to_bytes())

    def __reduce__(self):  # so that copies and pickles are validated and read-only, too
        return CdfTables.from_bytes, (self.to_bytes(),)


def as_int32(array: ArrayLike, name: str) -> NDArray[np.int32]:
    """The same whole numbers as int32; the array itself if it is int32. Raises ValueError if they are not.

    >>> as_int32([3.0, -1.0], "symbols").tolist()
    [3, -1]
    """
    array = np.asarray(array)
    if array.dtype == np.int32 or array.size == 0:
        return array.astype(np.int32, copy=False)
    if array.dtype.kind not in "iuf" or not (float(array.min()) >= -(2**31) and float(array.max()) < 2**31):
        raise ValueError(f"{name} must be whole numbers that fit in 32 bits.")
    integers = array.astype(np.int32)
    if (integers != array).any():
        raise ValueError(f"{name} must be whole numbers; round them first.")
    return integers


def sealed(magic: bytes, body: bytes) -> bytes:
    """magic + body + CRC-32 of both, little-endian.

    >>> len(sealed(b"TEST", b"what is to be kept"))
    26
    """
    return magic + body + struct.pack("<I", zlib.crc32(magic + body))


def unsealed(magic: bytes, data: bytes, name: str) -> bytes:
    """Undo `sealed`. Raises ValueError when the magic or the checksum does not fit.

    >>> unsealed(b"TEST", sealed(b"TEST", b"what is to be kept"), "test's bytes")
    b'what is to be kept'
    """
    if data[: len(magic)] != magic:
        raise ValueError(f"these are no {name} that this version reads; use the program that made them.")
    if len(data) < len(magic) + 4 or struct.pack("<I", zlib.crc32(data[:-4])) != data[-4:]:
        raise ValueError(f"the {name} are damaged: their checksum does not fit. Load an intact file.")
    return data[len(magic) : -4]


def _check_size(tables: int, longest: int) -> None:
    """Raise ValueError for more tables, or longer rows, than any model of this course needs."""
    if tables > MOST_TABLES or tables * longest > MOST_ENTRIES:
        size = f"{tables:,} coding tables, the longest row of {longest:,} entries"
        raise ValueError(f"{size}, are too large; {MOST_TABLES:,} tables and {MOST_ENTRIES:,} entries are the most.")


def _padded(rows: Sequence[NDArray]) -> tuple[NDArray, NDArray]:
    """Rows of any lengths as one array (T, L) with zeros on the right, and their lengths (T,)."""
    length = np.array([len(row) for row in rows], dtype=np.int64)
    _check_size(len(rows), length.max(initial=0))
    cdf = np.zeros((len(rows), length.max(initial=0)), dtype=np.int32)
    for padded, row in zip(cdf, rows, strict=True):
        padded[: len(row)] = row
    return cdf, length
