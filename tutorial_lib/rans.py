"""The fast entropy coder: rANS (range asymmetric numeral systems), byte-compatible with CompressAI's.

One integer, the **state** x, holds everything coded so far (Duda 2013). To push a symbol that owns
`freq` of the 2^16 counts, from `start` on, is to make x larger by the factor 2^16 / freq, which is
-log2(probability) bits, and to leave in its lowest 16 bits one of the symbol's counts:

    push:   x  ->  (x // freq) * 2^16 + x % freq + start
    pop:    c = x % 2^16 names the symbol, start <= c < start + freq
            x  ->  freq * (x // 2^16) + c - start

Each undoes the other exactly, so what is pushed last is popped first: **the encoder works from the
last symbol to the first**, and the decoder gets them in reading order.

*Renormalisation.* x would grow for ever, so it is kept in 2^31 <= x < 2^63, where it also fits in a
signed 64-bit integer. The encoder moves the lower 32 bits out, as one word, if the push would
otherwise take x to 2^63 or beyond, that is, if x >= freq * 2^47. The decoder takes a word in if a
pop has taken x below 2^31. Both do so at the same symbols, because only one choice keeps x in its
range; and one word is always enough, because that range spans a factor of 2^32.

*Bypass nibbles.* A value that its table does not list is sent as the table's last symbol, the
**escape**, and a number r. With n symbols in front of the escape and v = value - offset,

    r = 2 (v - n) for v >= n,    r = -2 v - 1 for v < 0.

First comes how many hexadecimal digits r has, then the digits, lowest first. Each is pushed as a
symbol that owns 1 of 2^4 counts. int32 values and offsets need 9 digits at most.

*The stream* is a sequence of little-endian 32-bit words: the two halves of the final x, the low one
first, then the words in the order in which the decoder takes them. There is no length and no
checksum. But x began at 2^31, so a decoder must end there, with no word left over: a check that
costs nothing (CompressAI does not make it). What it cannot see is a flipped bit in an escape's digits,
which changes that one value and nothing after it: files need a checksum of their own.

*Lanes.* One state is a chain: no pop can begin before the last one has ended, and a processor that can do several
things at a time waits. With n **lanes** there are n states, and symbol i goes to state i % n; all share one row of
words, which they write and take in the order of the symbols. The stream begins with the two halves of each state.
Two lanes are decoded in two thirds of the time and add 8 bytes; one lane, the default, is CompressAI's stream.

*Finding the symbol of c* is the decoder's only search, and its chain waits in full for what it loads. So the upper
bits of c choose one entry (`CdfTables.guide`), which holds all that a pop needs of a likely symbol. If c is not one of
its counts, the row is searched from there: to the left while c < cdf[n], to the right while c >= cdf[n + 1]. Rows begin
with 0 <= c and end with 2^16 > c.

Numba compiles the kernels when they are first called, which takes a second or two, and keeps them on
disk if there is a folder that it may write. With NUMBA_DISABLE_JIT=1 in the environment they run as
plain Python: step through them.

Duda, "Asymmetric numeral systems", 2013, arXiv:1311.2540. Giesen, "Interleaved entropy coders", 2014,
arXiv:1402.3392: lanes, and the 64-bit variant that CompressAI uses (Bégaint et al. 2020, arXiv:2011.03029).
"""

from __future__ import annotations

import itertools
import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tutorial_lib.bitstream_error import BitstreamError as BitstreamError
from tutorial_lib.cdf import CdfTables, as_int32
from tutorial_lib.files.compile_cache import compiled

PRECISION = 16  # bits: every row of the tables ends with 2^16
LOW = 2**31  # the state's lower bound, and where it begins
MAX_DIGITS = 9  # an escape's r is below 2^33
MAX_LANES = 8  # a compiled kernel keeps the states in registers
WORD = 2**32 - 1  # selects the lower 32 bits
ONE = np.uint64(1)  # positions in tables are unsigned: with a sign, Numba asks of each whether it counts from the end


@compiled
def _push_nibble(x, p, words, nibble):
    """A push with precision 4, start = nibble and freq = 1."""
    if x >> 59 >= 1:
        p -= 1
        words[p] = x & WORD
        x >>= 32
    return (x << 4) + nibble, p


@compiled
def _refill(x, p, words):
    """Take the next word into x if x is low. This is the only place where the decoder reads on.

    Whether it is low is as random as the stream is, and a processor that takes the wrong branch loses many steps. So
    the word is read in any case, and then used or not; `words` has one more than the stream for this.
    """
    low = x < LOW
    longer = x << 32 | np.int64(words[np.uint64(p)])
    p += low
    if p == len(words):
        raise BitstreamError("the stream ends before its symbols do: it was cut short or damaged.")
    return longer if low else x, p


@compiled
def _pop_nibble(x, p, words):
    nibble = x & 15
    x, p = _refill(x >> 4, p, words)
    return nibble, x, p


@compiled
def _encode(lanes, symbols, indexes, cdf, length, offset, words):
    """Fill `words` from its end. lanes: a tuple of states; the last one codes the last symbol, the one before it the
    symbol before. Returns the states, that of the next symbol last, and which word was written last."""
    p = len(words)
    for i in range(len(symbols) - 1, -1, -1):
        x, others = lanes[-1], lanes[:-1]
        t = np.uint64(indexes[i])
        v = np.int64(symbols[i]) - offset[t]
        escape = np.int64(length[t]) - 2  # the row's last symbol, and n: as many are in front of it
        if v < 0 or v >= escape:
            r = -2 * v - 1 if v < 0 else 2 * (v - escape)
            v = escape
            digits = 0
            while r >> 4 * digits > 0:
                digits += 1
            for j in range(digits - 1, -1, -1):  # last first, as with the symbols
                x, p = _push_nibble(x, p, words, r >> 4 * j & 15)
            x, p = _push_nibble(x, p, words, digits)
        n = np.uint64(v)
        start = np.int64(cdf[t, n])
        freq = cdf[t, n + ONE] - start
        if x >> 47 >= freq:  # x >= freq * 2^47, without overflow
            p -= 1
            words[p] = x & WORD
            x >>= 32
        quotient = np.int64(np.uint64(x) // np.uint64(freq))  # unsigned: // need not look at signs
        x = (quotient << PRECISION) + (x - quotient * freq) + start
        lanes = (x,) + others  # noqa: RUF005 (Numba cannot unpack here)
    return lanes, p


@compiled
def _search(row, n, c):
    """The symbol of c, from symbol n on."""
    while row[n] > c:
        n -= ONE
    while row[n + ONE] <= c:
        n += ONE
    return n


@compiled
def _decode(words, lanes, p, indexes, cdf, length, offset, entries, begins, shifts, symbols):
    """Fill `symbols`. lanes: a tuple of states, that of the first symbol first; p is the word to read next. Each is
    used once, and only while there is one. Returns both as they are behind the last symbol."""
    for i in range(len(indexes)):
        x, others = lanes[0], lanes[1:]
        t = np.uint64(indexes[i])
        c = x & 0xFFFF
        entry = entries[np.uint64(begins[t]) + np.uint64(c >> shifts[t])]
        freq, rest = entry & 0xFFFF, c - (entry >> 16 & 0xFFFF)  # rest = c - start
        if np.uint64(rest) < np.uint64(freq):  # 0 <= rest < freq: the likely symbol, and no escape
            x, p = _refill(freq * (x >> PRECISION) + rest, p, words)
            symbols[i] = entry >> 32
            lanes = others + (x,)  # noqa: RUF005
            continue
        n = _search(cdf[t], np.uint64((entry >> 32) - offset[t] & WORD), c)
        start = np.int64(cdf[t, n])
        x, p = _refill((cdf[t, n + ONE] - start) * (x >> PRECISION) + c - start, p, words)
        k = np.int64(n)
        if k == length[t] - 2:  # the escape
            digits, x, p = _pop_nibble(x, p, words)
            if digits > MAX_DIGITS:
                raise BitstreamError("the stream holds a value beyond 32 bits: it is damaged.")
            r = np.int64(0)
            for j in range(digits):
                digit, x, p = _pop_nibble(x, p, words)
                r |= digit << 4 * j
            k = -(r >> 1) - 1 if r & 1 else k + (r >> 1)
        value = k + offset[t]
        if value < -(2**31) or value >= 2**31:
            raise BitstreamError("the stream holds a value beyond 32 bits: it is damaged.")
        symbols[i] = value
        lanes = others + (x,)  # noqa: RUF005
    return lanes, p


def encode(symbols: ArrayLike, indexes: ArrayLike, tables: CdfTables, lanes: int = 1) -> bytes:
    """Code integers, each with the table that its index names, in C order.

    symbols: any shape; whole numbers (floats, too) in the range of int32.
    indexes: the same shape; integers in 0 ... T - 1.
    lanes: 1 to 8; a stream does not tell how many it has.
    Returns 8 bytes a lane or more, a multiple of 4. Raises ValueError for what cannot be coded.

    >>> from tutorial_lib.cdf import CdfTables
    >>> tables = CdfTables.from_pmfs([[0.25, 0.5, 0.2]], offsets=[-1], tail_masses=[0.05])
    >>> data = encode([0, 1, -1, 0, 1000], [0] * 5, tables)  # 1000 is in no table: it is escaped
    >>> len(data), decode(data, [0] * 5, tables).tolist()
    (8, [0, 1, -1, 0, 1000])
    """
    return encode_with_positions(symbols, indexes, tables, [], lanes)[0]


def encode_with_positions(
    symbols: ArrayLike, indexes: ArrayLike, tables: CdfTables, counts: ArrayLike, lanes: int = 1
) -> tuple[bytes, list[int]]:
    """`encode`, and how many bytes of the stream a decoder needs for the first counts[0], counts[1], … symbols.

    counts: (n,) ascending whole numbers from 0 to the number of symbols. A stream that is cut behind position k (or
    later) decodes up to symbol counts[k]; it equals `Decoder.position` after as many symbols.

    >>> from tutorial_lib.cdf import CdfTables
    >>> tables = CdfTables.from_pmfs([[0.25, 0.5, 0.2]], [-1], [0.05])
    >>> symbols = [0, 1, -1, 0] * 20
    >>> data, positions = encode_with_positions(symbols, [0] * 80, tables, [0, 40, 80])
    >>> len(data), positions
    (20, [8, 16, 20])
    >>> Decoder(data[:16], tables).pop([0] * 40).tolist() == symbols[:40]
    True
    """
    symbols = as_int32(symbols, "symbols")
    indexes = _checked_indexes(indexes, tables)
    if symbols.shape != indexes.shape:
        raise ValueError(f"symbols {symbols.shape} and indexes {indexes.shape} must have the same shape.")
    counts = np.asarray(counts, dtype=np.int64)
    if counts.ndim != 1 or (np.diff(counts, prepend=0, append=symbols.size) < 0).any():
        raise ValueError(f"counts ascend from 0 to the number of symbols, {symbols.size}, unlike {counts.tolist()}.")
    encoder, behind = Encoder(tables, lanes), []
    symbols, indexes = symbols.reshape(-1), indexes.reshape(-1)
    bounds = [0, *counts.tolist(), symbols.size]
    for begin, end in reversed(list(itertools.pairwise(bounds))):
        encoder.push(symbols[begin:end], indexes[begin:end])
        behind.append(encoder.size)  # of what a decoder that stops at `begin` leaves unread
    data = encoder.finish()
    return data, [len(data) - size for size in reversed(behind[:-1])]


class Encoder:
    """Codes a stream piece by piece, the last piece first: for streams whose symbols take more memory than there is.

    Raises as `encode` does.

    >>> from tutorial_lib.cdf import CdfTables
    >>> tables = CdfTables.from_pmfs([[0.25, 0.5, 0.2]], [-1], [0.05])
    >>> encoder = Encoder(tables)
    >>> encoder.push([-1, 0], [0, 0])
    >>> encoder.push([0, 1], [0, 0])
    >>> encoder.finish() == encode([0, 1, -1, 0], [0] * 4, tables)
    True
    """

    def __init__(self, tables: CdfTables, lanes: int = 1) -> None:
        _check_precision(tables)
        self._tables = tables
        self._lanes = (np.int64(LOW),) * _checked_lanes(lanes)
        self._pieces: list[bytes] = []  # from the last to the first

    @property
    def size(self) -> int:
        """How many bytes have been written; `finish` adds 8 a lane."""
        return sum(map(len, self._pieces))

    def push(self, symbols: ArrayLike, indexes: ArrayLike) -> None:
        """Code these in front of all that has been coded so far."""
        symbols, indexes = as_int32(symbols, "symbols"), _checked_indexes(indexes, self._tables)
        if symbols.shape != indexes.shape:
            raise ValueError(f"symbols {symbols.shape} and indexes {indexes.shape} must have the same shape.")
        # An escape costs at most 16 + 4 + 9 * 4 = 56 bits: two words a symbol suffice.
        words = np.empty(2 * symbols.size, dtype=np.uint32)
        rows = (self._tables.cdf, self._tables.length, self._tables.offset)
        lanes, begin = _encode(self._lanes, _flat(symbols), _flat(indexes), *rows, words)
        self._lanes = tuple(map(np.int64, lanes))
        self._pieces.append(words[begin:].astype("<u4").tobytes())

    def finish(self) -> bytes:
        """The stream."""
        states = np.array(self._lanes, "<u8").tobytes()  # two words each, the lower one first
        return b"".join([states, *reversed(self._pieces)])


def decode(data: bytes, indexes: ArrayLike, tables: CdfTables, lanes: int = 1) -> NDArray[np.int32]:
    """Undo `encode`, given the same indexes, tables and number of lanes. Returns an int32 array shaped like `indexes`.

    Raises BitstreamError when the bytes cannot be such a stream, ValueError when indexes or tables are unfit.

    >>> from tutorial_lib.cdf import CdfTables
    >>> tables = CdfTables.from_pmfs([[0.25, 0.5, 0.2]], offsets=[-1], tail_masses=[0.05])
    >>> data = encode([[0, 1], [-1, 0]], [[0, 0], [0, 0]], tables)
    >>> decode(data, [[0, 0], [0, 0]], tables).tolist()
    [[0, 1], [-1, 0]]
    >>> decode(data[:-1], [0] * 4, tables)
    Traceback (most recent call last):
        ...
    tutorial_lib.bitstream_error.BitstreamError: the stream has 7 bytes, not 8, 12, 16 ...: it is damaged.
    """
    decoder = Decoder(data, tables, lanes)
    symbols = decoder.pop(indexes)
    decoder.finish()
    return symbols


def check_length(size: int, counts: ArrayLike, tables: CdfTables) -> None:
    """Raise BitstreamError if so many symbols never fit in so few bytes, whatever they are: before memory is set aside.

    size: bytes of a stream, or of its beginning.
    counts: how many symbols a decoder would pop of it with each table, (T,), or altogether, with whichever tables.

    A pop leaves freq (x // 2^16) + c - start <= x - (2^16 - freq) (x - 2^16) / 2^16 of a state x >= 2^31: so even the
    most probable symbol takes log2 of that, a little less than log2(2^16 / freq) bits. There are 32 bits for it in the
    first two words, and 32 (and hardly more, as a word is put behind 2^15 or more) in each of the others.

    >>> from tutorial_lib.cdf import CdfTables
    >>> tables = CdfTables.from_pmfs([[0.999]], offsets=[0], tail_masses=[0.001])
    >>> len(encode([0] * 100_000, [0] * 100_000, tables))
    24
    >>> check_length(24, 100_000, tables)
    >>> check_length(16, 100_000, tables)
    Traceback (most recent call last):
        ...
    tutorial_lib.bitstream_error.BitstreamError: 16 bytes are too few for 100,000 symbols: the file is damaged.
    """
    bits, counts = tables.fewest_bits, np.asarray(counts)
    needed = float(counts * bits.min() if counts.ndim == 0 else counts @ bits)
    if needed > 8 * size * (1 + 2.0**-19):
        raise BitstreamError(f"{size:,} bytes are too few for {int(counts.sum()):,} symbols: the file is damaged.")


class Decoder:
    """Decodes a stream in several pops, for indexes that depend on the symbols before them.

    Raises as `decode` does.

    >>> from tutorial_lib.cdf import CdfTables
    >>> tables = CdfTables.from_pmfs([[0.5, 0.4], [0.1, 0.8]], offsets=[0, 0], tail_masses=[0.1, 0.1])
    >>> decoder = Decoder(encode([1, 0, 1], [0, 1, 0], tables), tables)
    >>> first = decoder.pop([0])
    >>> first.tolist(), decoder.pop([int(first[0]), 0]).tolist()  # the first symbol says which table comes next
    ([1], [0, 1])
    >>> decoder.finish()
    """

    def __init__(self, data: bytes, tables: CdfTables, lanes: int = 1) -> None:
        _check_precision(tables)
        heads = 2 * _checked_lanes(lanes)
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValueError(f"a stream is bytes, not {type(data).__name__}.")
        data = bytes(data)
        if len(data) < 4 * heads or len(data) % 4:
            sizes = f"{4 * heads}, {4 * heads + 4}, {4 * heads + 8} ..."
            raise BitstreamError(f"the stream has {len(data)} bytes, not {sizes}: it is damaged.")
        self._tables = tables
        self._words = np.zeros(len(data) // 4 + 1, dtype=np.uint32)  # and one that is read but never used
        self._words[:-1] = np.frombuffer(data, dtype="<u4")
        self._lanes = tuple(map(int, np.frombuffer(data, "<u8", heads // 2)))
        self._next = heads  # the word to read next
        if not all(LOW <= state < 2**63 for state in self._lanes):
            raise BitstreamError("the stream begins with a state that no encoder leaves: it is damaged.")

    @property
    def position(self) -> int:
        """How many bytes have been needed so far: a stream cut here, or behind, can be decoded up to here."""
        return 4 * self._next

    def pop(self, indexes: ArrayLike) -> NDArray[np.int32]:
        """The next symbols, as many as there are indexes, in an array of their shape."""
        indexes = _checked_indexes(indexes, self._tables)
        tables, symbols = self._tables, np.empty(indexes.size, dtype=np.int32)
        rows = (tables.cdf, tables.length, tables.offset, *tables.guide)
        self._lanes, self._next = _decode(self._words, self._lanes, self._next, _flat(indexes), *rows, symbols)
        return symbols.reshape(indexes.shape)

    def finish(self) -> None:
        """Check that the stream ends here."""
        if any(state != LOW for state in self._lanes) or self._next != len(self._words) - 1:
            raise BitstreamError("the stream does not end with its symbols: it is damaged or of other tables.")


def _checked_indexes(indexes: ArrayLike, tables: CdfTables) -> NDArray[np.int32]:
    _check_precision(tables)
    indexes = np.asarray(indexes)
    if indexes.size and indexes.dtype.kind not in "iu":
        raise ValueError(f"indexes must be integers, not {indexes.dtype}.")
    unsigned = indexes.view(indexes.dtype.str.replace("i", "u"))  # whatever is negative is too large, at once
    if indexes.size and unsigned.max() >= len(tables.length):
        raise ValueError(f"indexes must lie in 0 ... {len(tables.length) - 1}, the numbers of the tables.")
    return indexes.astype(np.int32, copy=False)


def _checked_lanes(lanes: int) -> int:
    if not 1 <= (number := operator.index(lanes)) <= MAX_LANES:
        raise ValueError(f"a stream has 1 to {MAX_LANES} lanes, not {number}.")
    return number


def _check_precision(tables: CdfTables) -> None:
    if tables.precision != PRECISION:
        raise ValueError(f"the tables' precision is {tables.precision} bits; the coder needs {PRECISION}.")


def _flat(array: NDArray[np.int32]) -> NDArray[np.int32]:
    """In C order and read-only: Numba meets one type, and compiles once, whatever the caller brought."""
    flat = np.ascontiguousarray(array).reshape(-1)
    flat.flags.writeable = False
    return flat
