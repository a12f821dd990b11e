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
def learning_bits(symbols, size):
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


CARRIED = """
def carried(written):
    place = len(written) - 1
    while written[place] == 255:
        {zero}
        place -= 1
    {last}
    return {result}
"""


def carried(zero: str = "written[place] = 0", last: str = "written[place] += 1", result: str = "written") -> str:
    return CARRIED.format(zero=zero, last=last, result=result)


RICE = """
def rice(value, k):
    q, r = divmod(value, 2**k)
    ones, end = {one} * q, {end}
    digits = {digits}
    return {result}
"""


def rice(
    one: str = '"1"',
    end: str = '"0"',
    digits: str = 'f"{r:0{k}b}" if k else ""',
    result: str = "ones + end + digits",
) -> str:
    return RICE.format(one=one, end=end, digits=digits, result=result)


FORGETTING = """
import math
def forgetting(answers, windows):
    means = []
    {outside}
    for window in windows:
        {inside}
        bits = 0.0
        for answer in answers:
            {before}
            bits -= {cost}
            {after}
        means.append({mean})
    return {result}
"""
MOVE = "p += (answer - p) / window"


def forgetting(
    outside: str = "pass",
    inside: str = "p = 0.5",
    before: str = "pass",
    cost: str = "math.log2(p if answer else 1 - p)",
    after: str = MOVE,
    mean: str = "bits / len(answers)",
    result: str = "means",
) -> str:
    return FORGETTING.format(
        outside=outside, inside=inside, before=before, cost=cost, after=after, mean=mean, result=result
    )


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
    ("carried", "def carried(written):\n    written[-1] += 1\n    return written", "a byte holds 255 at most"),
    (
        "carried",
        "import numpy as np\ndef carried(written):\n    return np.array(written, np.uint8) + np.array([0] * "
        "(len(written) - 1) + [1], np.uint8)",
        "the 1 got lost",
    ),
    ("carried", carried(last="written[-1] += written[-1] > 0"), "Now the byte before them gets the 1"),
    ("carried", carried(zero="pass"), "each 255 that the 1 has passed becomes 0"),
    ("carried", carried(result="None"), "returned None: is a return missing?"),
    ("carried", "def carried(written):\n    return [written[0] + 1, *written[1:]]", "not at the beginning"),
    ("carried", "def carried(written):\n    return written", "nothing has changed"),
    ("carried", "def carried(written):\n    return [1, *written]", "4 bytes came back"),
    ("carried", "def carried(written):\n    return sum(written) + 1", "A list of bytes is asked for"),
    ("memory", memory(last="0"), "you take pmfs[0] throughout"),
    (
        "memory",
        memory().replace("Fraction(int", "float(Fraction(int").replace("len(code))", "len(code)))"),
        "Fractions",
    ),
    ("memory", memory(symbols="None"), "returned None: is a return missing?"),
    ("rice", rice(end='""'), "A 0 follows it"),
    ("rice", rice(one='"0"', end='"1"'), "you have them swapped"),
    ("rice", rice(result="digits + ones + end"), "the quotient comes first"),
    ("rice", rice(digits='f"{r:b}"'), "has always"),
    ("rice", rice(digits='f"{r:0{k}b}"[::-1]'), "highest digit comes first"),
    ("rice", rice(result="int(ones + end + digits)"), "A string of 0 and 1 is asked for"),
    ("rice", rice(digits='f"{r:0{k}b}"'), "value 3, k = 0"),
    ("rice", rice(result="None"), "returned None: is a return missing?"),
    ("forgetting", forgetting(before=MOVE, after="pass"), "you move p before you pay"),
    ("forgetting", forgetting(cost="math.log(p if answer else 1 - p)"), "these are nats"),
    ("forgetting", forgetting(cost="-math.log2(p if answer else 1 - p)"), "change the sign"),
    ("forgetting", forgetting(cost="math.log2(1 - p if answer else p)"), "you give"),
    ("forgetting", forgetting(after="pass"), "your p never moves"),
    ("forgetting", forgetting(mean="bits"), "the mean is asked for"),
    ("forgetting", forgetting(outside="p = 0.5", inside="pass"), "start at ½ again for each window"),
    ("forgetting", forgetting(result="means[0]"), "one for each window, is asked for"),
    ("forgetting", forgetting(result="means[:1]"), "1 numbers came back"),
    ("forgetting", forgetting(result="None"), "returned None: is a return missing?"),
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
    ("learning", learning(first="2"), "your counts start at 2"),
    ("learning", learning(first="0.5"), "your counts start at one half"),
    ("learning", learning(bits="None"), "returned None: is a return missing?"),
    ("learning", learning(first="0"), "stopped with ZeroDivisionError"),
    ("learning", learning(bits="math.inf"), "begin with one of each"),
    ("learning", learning(bits="math.ceil(bits)"), "without rounding"),
    (
        "learning",
        "import math\ndef learning_bits(symbols, size):\n"
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
