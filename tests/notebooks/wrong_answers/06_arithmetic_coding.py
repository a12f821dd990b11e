"""Notebook 06: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

MEMORY = """
from fractions import Fraction
def decode_with_memory(code, count, pmfs):
    number, symbols = Fraction(int(code or "0", 2), 2 ** len(code)), []
    for _ in range(count):
        last = {last}
        start, symbol = Fraction(0), 0
        while symbol < len(pmfs[last]) - 1 and number {above} start + pmfs[last][symbol]:
            start += pmfs[last][symbol]
            symbol += 1
        {narrow}
        symbols.append(symbol)
    return {symbols}
"""
LAST, NARROW = "symbols[-1] if symbols else 0", "number = (number - start) / (pmfs[last][symbol] or 1)"


def memory(last: str = LAST, above: str = ">=", narrow: str = NARROW, symbols: str = "symbols") -> str:
    return MEMORY.format(last=last, above=above, narrow=narrow, symbols=symbols)


LEARNING = """
import math
def adaptive_bits(symbols, size):
    counts, bits = [{first}] * size, 0.0
    for symbol in symbols:
        {before}
        bits += {cost}
        {after}
    return {bits}
"""
ONE_MORE = "counts[symbol] += 1"


def learning(
    first="1", before="pass", cost="math.log2(sum(counts) / counts[symbol])", after=ONE_MORE, bits="bits"
) -> str:
    return LEARNING.format(first=first, before=before, cost=cost, after=after, bits=bits)


LANES = """
import numpy as np
def decode_lanes(data, count, lanes, row):
    row = np.asarray(row, dtype=np.uint64)
    x = np.frombuffer(data, "{states}", lanes).astype(np.uint64)
    words, used, steps = np.frombuffer(data, "<u4", offset=8 * lanes), 0, []
    for _ in range(count // lanes):
        digit = x & {mask}
        symbol = np.searchsorted(row, digit, side="{side}") - 1
        x = (row[symbol + 1] - row[symbol]) * (x >> 16) + digit - row[symbol]
        refill = x < {low}
        taken = words[used : used + refill.sum()]{order}
        x[refill] = x[refill] << 32 | taken
        used += len(taken)
        steps.append(symbol)
    return {symbols}
"""


def lanes(
    states: str = "<u8",
    mask: str = "0xFFFF",
    side: str = "right",
    low: str = "2**31",
    order: str = "",
    symbols: str = "np.concatenate(steps)",
) -> str:
    return LANES.format(states=states, mask=mask, side=side, low=low, order=order, symbols=symbols)


WRONG = [
    ("memory", memory(last="0"), "you take pmfs[0] throughout"),
    ("memory", memory(narrow="pass"), "you never step into the symbol's share"),
    ("memory", memory(above=">"), "belongs to this share, not to the one before"),
    ("memory", memory(last="symbols[-2] if len(symbols) > 1 else 0"), "you are one symbol late"),
    ("memory", memory(symbols="symbols[1:]"), "0 symbols came back"),
    ("memory", memory(symbols="symbols[::-1]"), "symbol number 1 is 1, not 0"),
    ("memory", memory(symbols="'abc'"), "A list of symbol numbers is asked for"),
    ("memory", "decode_with_memory = '0110'", "A function is asked for"),
    ("learning", learning(before=ONE_MORE, after="pass"), "The decoder does not know it yet"),
    ("learning", learning(cost="math.log(sum(counts) / counts[symbol])"), "these are nats"),
    ("learning", learning(cost="math.log2(counts[symbol] / sum(counts))"), "change the sign"),
    ("learning", learning(after="pass"), "your model never learns"),
    ("learning", learning(bits="bits / len(symbols)"), "the mean of a symbol"),
    ("learning", learning(first="2"), "2.000 bits are right, you give"),
    ("learning", learning(first="0"), "stopped with ZeroDivisionError"),
    ("learning", learning(bits="math.inf"), "begin with one of each"),
    ("learning", learning(bits="math.ceil(bits)"), "without rounding"),
    (
        "learning",
        "import math\ndef adaptive_bits(symbols, size):\n"
        "    return -sum(math.log2(symbols.count(s) / len(symbols)) for s in symbols)",
        "Who codes the first symbol has not seen the others",
    ),
    ("learning", learning(bits="[bits]"), "One number is asked for"),
    ("lanes", lanes(symbols="np.concatenate(steps[::-1])"), "from the last to the first"),
    ("lanes", lanes(symbols="np.stack(steps)"), "now put the steps into one row"),
    ("lanes", lanes(symbols="np.stack(steps).T.ravel()"), "They were dealt"),
    ("lanes", lanes(states=">u8"), "the first step is wrong already"),
    ("lanes", lanes(order="[::-1]"), "in the order of the lanes"),
    ("lanes", lanes(low="2**32"), "exactly when a state is below 2^31"),
    ("lanes", lanes(symbols="steps[0]"), "symbols came back"),
]
