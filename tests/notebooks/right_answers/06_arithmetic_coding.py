"""Notebook 06: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    # ---- carried: one large number, NumPy, torch, a carry that walks, recursion
    (
        "carried",
        """
def carried(written):
    return list((int.from_bytes(written, "big") + 1).to_bytes(len(written), "big"))
""",
    ),
    (
        "carried",
        """
def carried(written):
    written = np.array(written, dtype=np.uint8)
    last = np.flatnonzero(written != 255)[-1]
    written[last:] += np.uint8(1)  # the 255s behind it wrap to 0
    return written.tolist()
""",
    ),
    (
        "carried",
        """
def carried(written):
    written = torch.tensor(written)
    full = (written == 255).int().flip(0).cumprod(0).flip(0)  # 1 for the 255s at the end
    gets_it = torch.cat([full[1:], torch.tensor([1])])
    return (written + gets_it) % 256
""",
    ),
    (
        "carried",
        """
def carried(written):
    carry, result = 1, []
    for byte in reversed(written):
        carry, byte = divmod(byte + carry, 256)
        result.insert(0, byte)
    return result
""",
    ),
    (
        "carried",
        """
def carried(written):
    if written[-1] < 255:
        return written[:-1] + [written[-1] + 1]
    return carried(written[:-1]) + [0]
""",
    ),
    # ---- memory: the interval narrowed, starts and a bisection, whole numbers only, arrays of Fractions
    (
        "memory",
        """
from fractions import Fraction

def decode_with_memory(code, count, pmfs):
    number = sum((Fraction(int(bit), 2 ** (i + 1)) for i, bit in enumerate(code)), Fraction(0))
    low, width, symbols, last = Fraction(0), Fraction(1), [], 0
    for _ in range(count):
        for symbol, p in enumerate(pmfs[last]):
            if low <= number < low + width * p:
                break
            low += width * p
        width *= pmfs[last][symbol]
        symbols.append(symbol)
        last = symbol
    return symbols
""",
    ),
    (
        "memory",
        """
import itertools
from bisect import bisect_right
from fractions import Fraction

def decode_with_memory(code, count, pmfs):
    starts = [list(itertools.accumulate(pmf, initial=Fraction(0)))[:-1] for pmf in pmfs]
    number, symbols = Fraction(int("0" + code, 2), 2 ** len(code)), [0]
    while len(symbols) <= count:
        last = symbols[-1]
        symbol = bisect_right(starts[last], number) - 1
        number = (number - starts[last][symbol]) / pmfs[last][symbol]
        symbols.append(symbol)
    return symbols[1:]
""",
    ),
    (
        "memory",
        """
import math

def decode_with_memory(code, count, pmfs):
    # whole numbers only: the number is top / bottom, a probability so many of `unit`
    unit = math.lcm(*[p.denominator for pmf in pmfs for p in pmf])
    shares = [[int(p * unit) for p in pmf] for pmf in pmfs]
    top, bottom, last, symbols = int(code or "0", 2), 1 << len(code), 0, []
    for _ in range(count):
        top, symbol = top * unit, 0
        while top >= shares[last][symbol] * bottom:
            top -= shares[last][symbol] * bottom
            symbol += 1
        bottom *= shares[last][symbol]
        symbols.append(symbol)
        last = symbol
    return symbols
""",
    ),
    (
        "memory",
        """
import numpy as np
from fractions import Fraction

def decode_with_memory(code, count, pmfs):
    ends = [np.cumsum(np.array(pmf, dtype=object)) for pmf in pmfs]
    number, symbols, s = Fraction(int(code or "0", 2), 2 ** len(code)), np.zeros(count, int), 0
    for i in range(count):
        pmf, symbols[i] = pmfs[s], (ends[s] <= number).sum()
        number = (number - ends[s][symbols[i]]) / pmf[symbols[i]] + 1
        s = symbols[i]
    return symbols
""",
    ),
    (
        "memory",
        """
from fractions import Fraction

def decode_with_memory(code, count, pmfs):
    def rest(number, count, pmf):
        if count == 0:
            return []
        for symbol, share in enumerate(pmf):
            if number < share:
                return [symbol] + rest(number / share, count - 1, pmfs[symbol])
            number -= share

    return rest(Fraction(int(code or "0", 2), 2 ** len(code)), count, pmfs[0])
""",
    ),
    # ---- rice: shifts, a loop that counts down, NumPy, bit by bit
    (
        "rice",
        """
def rice(value, k):
    code = ""
    while value >= 2**k:
        code += "1"
        value -= 2**k
    code += "0"
    for place in reversed(range(k)):
        code += str(value // 2**place % 2)
    return code
""",
    ),
    (
        "rice",
        """
def rice(value, k):
    remainder = value & ((1 << k) - 1)
    return "1" * (value >> k) + "0" + bin(remainder | 1 << k)[3:]
""",
    ),
    (
        "rice",
        """
import numpy as np

def rice(value, k):
    quotient, remainder = np.divmod(value, 2**k)
    digits = remainder >> np.arange(k)[::-1] & 1
    return "".join(map(str, np.concatenate([np.ones(quotient, int), [0], digits])))
""",
    ),
    (
        "rice",
        """
def rice(value, k):
    if value >= 2**k:
        return "1" + rice(value - 2**k, k)
    digits = bin(value)[2:].zfill(k)
    return "0" + digits[len(digits) - k :]
""",
    ),
    # ---- learning: NumPy in float32, torch, the product of the probabilities, one-hot rows
    (
        "learning",
        """
import numpy as np

def learning_bits(symbols, size):
    counts, bits = np.ones(size, dtype=np.float32), np.float32(0)
    for symbol in symbols:
        bits -= np.log2(counts[symbol] / counts.sum())
        counts[symbol] += 1
    return bits
""",
    ),
    (
        "learning",
        """
import torch

def learning_bits(symbols, size):
    ones = torch.nn.functional.one_hot(torch.tensor(symbols), size).float()
    counts = 1 + ones.cumsum(0) - ones  # before each symbol
    return -torch.log2((ones * counts).sum(1) / counts.sum(1)).sum()
""",
    ),
    (
        "learning",
        """
import math
from fractions import Fraction

def learning_bits(symbols, size):
    probability = Fraction(1)
    for i, symbol in enumerate(symbols):
        probability *= Fraction(1 + symbols[:i].count(symbol), size + i)
    return math.log2(probability.denominator) - math.log2(probability.numerator)
""",
    ),
    (
        "learning",
        """
import math
from collections import Counter

def learning_bits(symbols, size):
    seen, nats = Counter(range(size)), 0.0
    for symbol in symbols:
        nats -= math.log(seen[symbol]) - math.log(seen.total())
        seen.update([symbol])
    return nats / math.log(2)
""",
    ),
    # ---- forgetting: all windows at once in NumPy, in torch and float32; the path of p first
    (
        "forgetting",
        """
import numpy as np

def forgetting(answers, windows):
    windows = np.array(windows)
    p, bits = np.full(len(windows), 0.5), np.zeros(len(windows))
    for answer in answers:
        bits += -np.log2(p) if answer == 1 else -np.log2(1 - p)
        p += (answer - p) / windows
    return bits / len(answers)
""",
    ),
    (
        "forgetting",
        """
import torch

def forgetting(answers, windows):
    windows = torch.tensor(windows, dtype=torch.float32)
    p, costs = torch.full_like(windows, 0.5), []
    for answer in torch.tensor(answers, dtype=torch.float32):
        costs.append(-torch.log2(answer * p + (1 - answer) * (1 - p)))
        p = p + (answer - p) / windows
    return torch.stack(costs).mean(0).tolist()
""",
    ),
    (
        "forgetting",
        """
import itertools
import math

def forgetting(answers, windows):
    def mean(window):
        path = itertools.accumulate(answers, lambda p, answer: p + (answer - p) / window, initial=0.5)
        return sum(math.log2(1 / p) if a else math.log2(1 / (1 - p)) for a, p in zip(answers, path)) / len(answers)

    return [mean(window) for window in windows]
""",
    ),
    (
        "forgetting",
        """
import numpy as np

def forgetting(answers, windows):
    said, result = np.array(answers), []
    for window in windows:
        p = np.empty(len(said), dtype=np.float32)
        p[0] = 0.5
        for i in range(1, len(said)):
            p[i] = (1 - 1 / window) * p[i - 1] + said[i - 1] / window
        result.append(-np.log2(np.where(said, p, 1 - p)).mean())
    return result
""",
    ),
    # ---- lanes: plain integers, a table of owners, torch
    (
        "lanes",
        """
from bisect import bisect_right

def decode_lanes(data, count, lanes, row):
    states = [int.from_bytes(data[8 * i : 8 * i + 8], "little") for i in range(lanes)]
    place, symbols = 8 * lanes, []
    for i in range(count):
        x = states[i % lanes]
        symbol = bisect_right(row, x % 65536) - 1
        x = (row[symbol + 1] - row[symbol]) * (x // 65536) + x % 65536 - row[symbol]
        if x < 2**31:
            x = x * 2**32 + int.from_bytes(data[place : place + 4], "little")
            place += 4
        states[i % lanes] = x
        symbols.append(symbol)
    return symbols
""",
    ),
    (
        "lanes",
        """
import struct

def decode_lanes(data, count, lanes, row):
    states = list(struct.unpack_from(f"<{lanes}Q", data))
    words = iter(struct.unpack(f"<{len(data) // 4 - 2 * lanes}I", data[8 * lanes :]))
    symbols = []
    while len(symbols) < count:
        for lane, x in enumerate(states):
            digit, symbol = x & 0xFFFF, 0
            while row[symbol + 1] <= digit:
                symbol += 1
            symbols.append(symbol)
            x = (x >> 16) * (row[symbol + 1] - row[symbol]) + digit - row[symbol]
            states[lane] = x << 32 | next(words) if x >> 31 == 0 else x
    return symbols
""",
    ),
    (
        "lanes",
        """
import numpy as np

def decode_lanes(data, count, lanes, row):
    widths = np.diff(row)
    owner = np.repeat(np.arange(len(widths)), widths)  # of each of the 65536 digits
    x, words = np.frombuffer(data[: 8 * lanes], "<i8").copy(), np.frombuffer(data[8 * lanes :], "<u4").astype(np.int64)
    symbols = np.empty((count // lanes, lanes), int)
    for step in symbols:
        digit = x % 65536
        step[:] = owner[digit]
        x = widths[step] * (x // 65536) + digit - np.array(row)[step]
        poor = np.flatnonzero(x < 2**31)
        x[poor] = x[poor] * 2**32 + words[: len(poor)]
        words = words[len(poor) :]
    return symbols.ravel()
""",
    ),
    (
        "lanes",
        """
import numpy as np
import torch

def decode_lanes(data, count, lanes, row):
    row = torch.tensor(row)
    x = torch.from_numpy(np.frombuffer(data, "<i8", lanes).copy())
    words = torch.from_numpy(np.frombuffer(data, "<u4", offset=8 * lanes).astype(np.int64))
    used, symbols = 0, []
    for _ in range(count // lanes):
        digit = x & 0xFFFF
        symbol = torch.searchsorted(row, digit, right=True) - 1
        x = (row[symbol + 1] - row[symbol]) * (x >> 16) + digit - row[symbol]
        refill = x < 2**31
        more = int(refill.sum())
        x[refill] = (x[refill] << 32) + words[used : used + more]
        used += more
        symbols.append(symbol)
    return torch.cat(symbols)
""",
    ),
]
