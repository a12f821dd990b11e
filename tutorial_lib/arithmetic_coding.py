"""Arithmetic coding, for reading: a message becomes an interval, and its code is a number inside.

*The idea, in exact fractions.* Begin with the interval [0, 1). Each symbol owns a part of it, as wide as
the symbol is probable, in the order of the alphabet. Go into the part of the first symbol, divide it in
the same way for the second, and so on. The final interval is as wide as the whole message is probable,
P, and no other message of that length shares a point with it: any number inside names the message. Of
the binary blocks [k / 2^n, (k + 1) / 2^n) inside take the widest. Its n bits fix the message, whatever
bits might follow. There is one as soon as 2^n >= 2 / P, so n < -log2(P) + 2: at most two bits are lost,
in the whole message. A symbol may cost 0.01 bits.

*The same with 32-bit integers.* Fractions grow with the message. The encoder keeps two integers,

    low    where the interval begins, seen through a window of 32 bits;  0 <= low < 2^32
    range  how wide it is, in units of the window's last bit;            2^24 <= range <= 2^32

and a symbol that owns the counts start ... start + width - 1 out of total goes

    from  low + range * start // total    up to  low + range * (start + width) // total.

Neighbours meet without gap or overlap. Each part is less than one unit off its due size, and never
empty, as total <= 2^16. If range falls below 2^24, the window's top byte is written, and the window
moves on by 8 bits.

*The carry.* A byte written is not yet final: the interval may straddle the place where it changes, and
then low outgrows the window, low >= 2^32. As in adding by hand, one is carried into the byte before; if
this is 0xff, it turns 0x00 and the one goes on to the left. It stops in time, because the interval
never leaves the one that it began with, [0, 1). And no byte is carried into twice: when it is written,
range is less than one of its units.

*The decoder* reads 4 bytes ahead and keeps, in place of low, how far the code lies above it: the offset,
0 <= offset < range. Carries do not concern it. The count at that point names the symbol; then offset and
range go into the symbol's part, as in the encoder.

*The end.* The encoder takes the fewest bytes that fix the interval, whatever might follow: two of the
window's four will do. So, as in exact fractions, no message's code begins with the code of another of as
many symbols (a prefix code), and a decoder that knows that number notices **every** stream that was cut
short, and every byte too many. A flipped bit, though, gives wrong symbols from there on, as plausible as
the right ones. That is noticed only if they happen to need more bytes, or fewer: often where symbols
differ in cost, never where each costs 8 bits. So files need a checksum of their own.

*Models* say which counts a symbol owns: anything with total, interval, find and update. The coder does
not care which it is, nor whether it changes from symbol to symbol, if only both sides change it alike.
Plain bits need no model: push(bit, 1, 2).

Rissanen, "Generalized Kraft inequality and arithmetic coding", and Pasco, "Source coding algorithms for
fast data compression", both 1976: arithmetic in finite precision. Rissanen & Langdon, "Arithmetic coding",
1979. Martin, "Range encoding", 1979: bytes in place of bits. Witten, Neal & Cleary, "Arithmetic coding for
data compression", 1987: coder and adaptive model apart; undecided bits are held back, and nothing is
carried. Moffat, Neal & Witten, "Arithmetic coding revisited", 1998: what precision costs and speed takes.
"""

from __future__ import annotations

import copy
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import accumulate
from operator import index

MAX_TOTAL = 2**16  # counts, of all symbols together
WINDOW = 2**32
NARROW = 2**24  # a range below this lets the window's top byte go

# ---- exactly, with fractions ----


def exact_interval(symbols: Iterable[int], pmf: Sequence) -> tuple[Fraction, Fraction]:
    """Where the message's interval begins, and how wide it is: the product of its probabilities.

    pmf: the probabilities of the symbols 0, 1, ...: Fractions, or what they accept exactly ("0.1", 0.25).
    """
    pmf, starts = _exact(pmf)
    low, width = Fraction(0), Fraction(1)
    for symbol in symbols:
        symbol = _integer(symbol, "a symbol", 0, len(pmf) - 1)
        if pmf[symbol] == 0:
            raise ValueError(f"symbol {symbol} has probability 0: no interval is left for it.")
        low += width * starts[symbol]
        width *= pmf[symbol]
    return low, width


def exact_encode(symbols: Iterable[int], pmf: Sequence) -> str:
    """The fewest bits, as "0" and "1", that fix the message; if there is a choice, the lowest."""
    low, width = exact_interval(symbols, pmf)
    n = 0
    while True:
        k = math.ceil(low * 2**n)  # the first of the blocks of n bits that does not begin too early
        if k + 1 <= (low + width) * 2**n:
            return f"{k:0{n}b}" if n else ""
        n += 1


def exact_decode(code: str, count: int, pmf: Sequence) -> list[int]:
    """Undo `exact_encode`, given the number of symbols. Bits too many change nothing; missing ones: ValueError."""
    pmf, starts = _exact(pmf)
    if not isinstance(code, str) or set(code) - {"0", "1"}:
        raise ValueError('a code is a string of "0" and "1".')
    block = Fraction(1, 2 ** len(code))
    begin = int("0" + code, 2) * block
    symbols = []
    for _ in range(_integer(count, "the number of symbols", 0, math.inf)):
        symbol = bisect_right(starts, begin) - 1  # the last one that begins there or before: not one of width 0
        begin = (begin - starts[symbol]) / pmf[symbol]  # zoom in, until its part is [0, 1)
        block /= pmf[symbol]
        symbols.append(symbol)
    if begin + block > 1:
        raise ValueError("the code does not fix that many symbols: bits are missing.")
    return symbols


def _exact(pmf: Sequence) -> tuple[list[Fraction], list[Fraction]]:
    """The probabilities, and where each symbol's part begins; and, last of all, 1."""
    try:
        pmf = [Fraction(p) for p in pmf]
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise ValueError('probabilities must be Fractions, or what they accept exactly: "0.1", 0.25.') from None
    if sum(pmf) != 1 or min(pmf) < 0:
        raise ValueError(f"probabilities are 0 or more and sum to 1, not to {sum(pmf)}; the float 0.1 is not 1/10.")
    pmf = [Fraction(int(p.numerator), int(p.denominator)) for p in pmf]  # NumPy's integers might overflow
    return pmf, [Fraction(0), *accumulate(pmf)]


# ---- with 32-bit integers ----


class ArithmeticEncoder:
    """Narrow the interval symbol by symbol. Watch low, range and written on the way."""

    def __init__(self) -> None:
        self.low = 0
        self.range = WINDOW
        self.written = bytearray()

    def push(self, start: int, width: int, total: int) -> None:
        """Code a symbol that owns the counts start ... start + width - 1, out of total (2^16 at most)."""
        below, above = _part(self.range, start, width, total)
        self.low += below
        self.range = above - below
        if self.low >= WINDOW:
            self.low -= WINDOW
            _carry(self.written)
        while self.range < NARROW:
            self.written.append(self.low >> 24)
            self.low = self.low << 8 & WINDOW - 1
            self.range <<= 8

    def finish(self) -> bytes:
        """The fewest bytes that fix the interval as it now is. Changes nothing: one may go on pushing."""
        low, written = self.low, self.written.copy()
        for n in range(3):  # how many of the window's bytes? Two will do, as 2 * 256^2 < 2^24 <= range
            block = 256 ** (4 - n)
            low = -(-self.low // block) * block  # the first block that does not begin too early
            if low + block <= self.low + self.range:
                break
        if low >= WINDOW:
            low -= WINDOW
            _carry(written)
        return bytes(written) + low.to_bytes(4, "big")[:n]


def _carry(written: bytearray) -> None:
    """Add one to the bytes, read as one large number. They are never all 0xff."""
    i = len(written) - 1
    while written[i] == 0xFF:
        written[i] = 0x00
        i -= 1
    written[i] += 1


class ArithmeticDecoder:
    """Undo the encoder: ask for the `target`, find whose count it is, `pop` that symbol; in the end, `finish`.

    After the stream come zeros, 4 bytes of them at most. Raises ValueError where more are needed.
    """

    def __init__(self, data: bytes) -> None:
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise ValueError(f"a stream is bytes, not {type(data).__name__}.")
        self.data = bytes(data) + bytes(4)
        self.position = 4  # of the first byte after the window
        self.offset = int.from_bytes(self.data[:4], "big")
        self.range = WINDOW

    def target(self, total: int) -> int:
        """At which count, out of total, does the code lie? The largest with range * count // total <= offset."""
        total = _integer(total, "total", 1, MAX_TOTAL)
        return ((self.offset + 1) * total - 1) // self.range

    def pop(self, start: int, width: int, total: int) -> None:
        """Go into the part that the encoder went into."""
        below, above = _part(self.range, start, width, total)
        if not below <= self.offset < above:
            raise ValueError(f"the code is not at the counts from {start} on, but at {self.target(total)}.")
        self.offset -= below
        self.range = above - below
        while self.range < NARROW:
            if self.position == len(self.data):
                raise ValueError("the stream ends before its symbols do: it was cut short or damaged.")
            self.offset = self.offset << 8 | self.data[self.position]
            self.position += 1
            self.range <<= 8

    def finish(self) -> None:
        """Raise ValueError unless the stream's bytes fix the interval, and one byte less would not."""
        n = len(self.data) - self.position  # how many of the window's bytes are the stream's? (above 4: some to come)
        if not self._fixed_by(n):
            raise ValueError("the stream ends before its symbols do: it was cut short or damaged.")
        if self._fixed_by(n - 1):
            raise ValueError("the stream goes on after its symbols: there are more of these, or it is damaged.")

    def _fixed_by(self, n: int) -> bool:
        """Do the first n bytes of the window fix the interval, whatever might follow?"""
        window = self.data[self.position - 4 : self.position]
        begin = self.offset - int.from_bytes(window[n:], "big")
        return begin >= 0 and begin + 256 ** max(4 - n, 0) <= self.range


def _part(size: int, start: int, width: int, total: int) -> tuple[int, int]:
    """The part, from ... up to, of a range of that size."""
    total = _integer(total, "total", 1, MAX_TOTAL)
    start = _integer(start, "start", 0, total - 1)
    width = _integer(width, "width", 1, total - start)
    return size * start // total, size * (start + width) // total


# ---- models, and whole messages ----


class StaticModel:
    """Counts that stay as they are. From a row of the tables in `cdf`: StaticModel(np.diff(row))."""

    def __init__(self, counts: Iterable[int]) -> None:
        counts = [_integer(count, "a count", 0, MAX_TOTAL) for count in counts]
        self.total = _integer(sum(counts), "the sum of the counts", 1, MAX_TOTAL)
        self.starts = [0, *accumulate(counts)]

    def interval(self, symbol: int) -> tuple[int, int, int]:
        """What the symbol owns: start, width, total."""
        symbol = _integer(symbol, "a symbol", 0, len(self.starts) - 2)
        start, end = self.starts[symbol : symbol + 2]
        if start == end:
            raise ValueError(f"symbol {symbol} has no counts: no interval is left for it.")
        return start, end - start, self.total

    def find(self, target: int) -> int:
        """Whose count is that?"""
        return bisect_right(self.starts, target) - 1

    def update(self, symbol: int) -> None:
        """Nothing to learn."""


class AdaptiveModel:
    """Count what was seen, from one of each on (Laplace); halve the counts when their sum exceeds the limit.

    No table need be sent, and what is long past fades. All steps take time in proportion to the size of the
    alphabet; with Fenwick's tree (1994) it would be the logarithm of that.
    """

    def __init__(self, size: int, limit: int = MAX_TOTAL) -> None:
        self.total = _integer(size, "the alphabet's size", 1, MAX_TOTAL)
        self.limit = _integer(limit, "the limit", self.total, MAX_TOTAL)
        self.counts = [1] * self.total

    def interval(self, symbol: int) -> tuple[int, int, int]:
        """What the symbol owns for now: start, width, total."""
        symbol = _integer(symbol, "a symbol", 0, len(self.counts) - 1)
        return sum(self.counts[:symbol]), self.counts[symbol], self.total

    def find(self, target: int) -> int:
        """Whose count is that, for now?"""
        return bisect_right(list(accumulate(self.counts)), target)

    def update(self, symbol: int) -> None:
        """Count the symbol: after it was coded, because the decoder cannot do so before."""
        self.counts[symbol] += 1
        self.total += 1
        if self.total > self.limit:
            self.counts = [(count + 1) // 2 for count in self.counts]  # rounded up: no count becomes 0
            self.total = sum(self.counts)


def encode(symbols: Iterable[int], model: StaticModel | AdaptiveModel) -> bytes:
    """Code a message. The model is copied: the caller's learns nothing and is ready for `decode`."""
    model, encoder = copy.deepcopy(model), ArithmeticEncoder()
    for symbol in symbols:
        encoder.push(*model.interval(symbol))
        model.update(symbol)
    return encoder.finish()


def decode(data: bytes, count: int, model: StaticModel | AdaptiveModel) -> list[int]:
    """Undo `encode`, given the number of symbols and the same model, copied here too.

    Raises ValueError when bytes are missing or left over. Flipped bits may go unnoticed.
    """
    model, decoder = copy.deepcopy(model), ArithmeticDecoder(data)
    symbols = []
    for _ in range(_integer(count, "the number of symbols", 0, math.inf)):
        symbol = model.find(decoder.target(model.total))
        decoder.pop(*model.interval(symbol))
        model.update(symbol)
        symbols.append(symbol)
    decoder.finish()
    return symbols


def _integer(value: int, name: str, least: int, most: float) -> int:
    """The value as a Python integer, which cannot overflow as NumPy's do. Raises ValueError if it is unfit."""
    try:
        value = index(value)
    except TypeError:
        raise ValueError(f"{name} must be an integer, not {type(value).__name__}.") from None
    if not least <= value <= most:
        raise ValueError(f"{name} must lie in {least} ... {most}, not {value}.")
    return value
