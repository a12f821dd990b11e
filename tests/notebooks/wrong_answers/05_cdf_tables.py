"""Notebook 05: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

# The right price, with one thing to be done wrongly in each place.
PRICE = """
import math

def price(value, cdf, offset):
    n = {n}
    v = {v}
    if 0 <= v < n:
        return {listed}
    r = {r}
    digits = {digits}
    return {escape}
"""
RIGHT = {
    "n": "len(cdf) - 2",
    "v": "value - offset",
    "listed": "16 - math.log2(cdf[v + 1] - cdf[v])",
    "r": "2 * (v - n) if v >= n else -2 * v - 1",
    "digits": "len(f'{r:x}') if r else 0",
    "escape": "16 - math.log2(cdf[n + 1] - cdf[n]) + 4 + 4 * digits",
}


def wrong_price(**mistake: str) -> str:
    return PRICE.format(**{**RIGHT, **mistake})


ROB = """
def rob_the_rich(widths):
    {start}
    for poor in range(len(widths)):
        if widths[poor] == 0:
            {pay}
            widths[poor] = 1
    return widths
"""

SOUND = """
def sound(row, length):
    if not ({length}):
        return False
    valid, padding = {valid}, {padding}
    climbs = {climbs}
    return {start} and {end} and climbs and not any(padding)
"""


def wrong_sound(**mistake: str) -> str:
    right = {
        "length": "2 <= length <= len(row)",
        "valid": "row[:length]",
        "padding": "row[length:]",
        "climbs": "all(a < b for a, b in zip(valid, valid[1:]))",
        "start": "valid[0] == 0",
        "end": "valid[-1] == 2**16",
    }
    return SOUND.format(**{**right, **mistake})


CUT = """
def cut(pmf, offset, tail_mass):
    first, last = 0, len(pmf)
    while sum(pmf[: first + 1]) <= {allowed}:
        first += 1
    while sum(pmf[last - 1 :]) <= {allowed}:
        last -= 1
    kept = pmf[first:last]
    return {result}
"""
FOX = """
import numpy as np

def one_at_a_time(pmf, precision):
    pmf, widths = np.asarray(pmf), np.ones(len(pmf), dtype=int)
    for _ in range(2**precision - len(pmf)):
        widths[({gain}).argmax()] += 1
    return widths
"""

REACH = """
import math
import numpy as np
from tutorial_lib.cdf import pmf_to_quantized_cdf
from tutorial_lib.workbench import table_prices

def best_reach(pmf):
    pmf = np.asarray(pmf)
    M, costs = len(pmf) // 2, []
    for r in range(M + 1):
        listed = pmf[M - r : M + r + 1]
        rest = REST
        row = pmf_to_quantized_cdf(np.append(listed, rest))
        prices = np.array([table_prices.price(k - M, row, -r) for k in range(len(pmf))])
        inside = listed @ prices[M - r : M + r + 1]
        costs.append(PAY)
    return ANSWER
"""


def reach(
    pay: str = "pmf @ prices + 0.01 * r",
    choose: str = "argmin",
    answer: str = "{}",
    rest: str = "max(0.0, 1 - listed.sum())",
) -> str:
    """The right answer with one mistake; the first: a longer row is charged for."""
    if choose != "argmin" or answer != "{}" or rest == "0.0":
        pay = "pmf @ prices"
    return REACH.replace("PAY", pay).replace("REST", rest).replace("ANSWER", answer.format(f"int(np.{choose}(costs))"))


RETURNED = "kept, offset + first, sum(pmf[:first]) + sum(pmf[last:])"

WRONG = [
    ("price", wrong_price(listed="cdf[v + 1] - cdf[v]"), "16384 is the symbol's width. What does it cost in bits?"),
    ("price", wrong_price(listed="16 * math.log(2) - math.log(cdf[v + 1] - cdf[v])"), "these are nats"),
    ("price", wrong_price(listed="math.log2(cdf[v + 1] - cdf[v]) - 16"), "a cost is not negative"),
    ("price", wrong_price(listed="math.log2(cdf[v + 1] - cdf[v])"), "does *not* cost"),
    ("price", wrong_price(listed="16 - math.log2(cdf[v] or 16384)"), "takes the cumulative count for the width"),
    ("price", wrong_price(v="value"), "symbol 0 stands for the value -2. Was the offset subtracted?"),
    ("price", wrong_price(n="len(cdf) - 3"), "this value is listed, so it needs no escape"),
    ("price", wrong_price(n="len(cdf) - 1", escape="99"), "that is the escape symbol alone"),
    ("price", wrong_price(escape="16 - math.log2(cdf[n + 1] - cdf[n])"), "that is the escape symbol alone"),
    ("price", wrong_price(escape="4 + 4 * digits"), "that is the digits alone"),
    (
        "price",
        wrong_price(escape="16 - math.log2(cdf[n + 1] - cdf[n]) + 4 * digits + 4 * (r == 0)"),
        "4 bits are missing: before the digits comes how many there are",
    ),
    ("price", wrong_price(digits="len(f'{r:x}')"), "r = 0 has no digits at all"),
    ("price", wrong_price(r="v - n if v >= n else -v"), "how does the decoder learn on which side"),
    ("price", wrong_price(escape="math.inf"), "it is not listed, and costs"),
    ("price", "def price(value, cdf, offset): return 'four'", "offset 0: a number of bits is asked for"),
    (
        "price",
        PRICE.format(**RIGHT).replace("return 16 - math.log2(cdf[n", "16 - math.log2(cdf[n"),
        "None: is a return missing?",
    ),
    (
        "rob_the_rich",
        ROB.format(start="widths = list(widths)", pay="pass"),
        "the widths now sum to 9, not 8. Who gave the counts?",
    ),
    (
        "rob_the_rich",
        ROB.format(start="pass", pay="widths[widths.index(max(widths))] -= 1"),
        "the list that was handed in has been changed",
    ),
    (
        "rob_the_rich",
        ROB.format(
            start="widths = list(widths)",
            pay="widths[widths.index(min(w for w in widths if w > 1))] -= 1",
        ),
        "stealing from the narrowest",
    ),
    (
        "rob_the_rich",
        ROB.format(start="widths = list(widths); donor = widths.index(max(widths))", pay="widths[donor] -= 1"),
        "After a gift, look again",
    ),
    (
        "rob_the_rich",
        ROB.format(
            start="widths = list(widths)",
            pay="widths[max(k for k, w in enumerate(widths) if w == max(widths))] -= 1",
        ),
        "the leftmost pays",
    ),
    ("rob_the_rich", "def rob_the_rich(widths): return list(widths)", "still has a symbol without a count"),
    ("rob_the_rich", "def rob_the_rich(widths): return [w for w in widths if w]", "3 symbols went in, 2 came out"),
    ("rob_the_rich", "def rob_the_rich(widths): return 1", "A list of widths is asked for"),
    ("rob_the_rich", "def rob_the_rich(widths): return [w or 0.5 for w in widths]", "widths are counts, and so whole"),
    (
        "rob_the_rich",
        "def rob_the_rich(widths):\n    widths = list(widths)",
        "your function returned None: is a return missing?",
    ),
    ("sound", wrong_sound(climbs="valid == sorted(valid)"), "a symbol is empty"),
    (
        "sound",
        wrong_sound(climbs="all(b - a > 1 for a, b in zip(valid, valid[1:]))"),
        "one count is enough for a symbol",
    ),
    ("sound", wrong_sound(climbs="True"), "a symbol is empty"),
    ("sound", wrong_sound(valid="row"), "this row is sound: zeros after its length are padding"),
    ("sound", wrong_sound(padding="[]"), "the padding is not all zeros"),
    ("sound", wrong_sound(end="valid[-1] & (valid[-1] - 1) == 0"), "it ends at 2^17"),
    ("sound", wrong_sound(end="True"), "it does not end at 65536"),
    ("sound", wrong_sound(start="True"), "it does not start at 0"),
    ("sound", wrong_sound(length="True"), "the length is larger than the row"),
    ("sound", wrong_sound(length="length <= len(row)"), "length 0: stopped with IndexError; a length of 0 is no row"),
    ("sound", wrong_sound(length="0 != length <= len(row)"), "a negative length is nonsense"),
    ("sound", "def sound(row, length):\n    if row[-1] == 2**16: return True", "None: is a return missing?"),
    ("sound", "def sound(row, length): return 'yes'", "True or False is asked for, not 'yes'"),
    ("sound", "def sound(row, length): return [True, False]", "True or False is asked for, not [True, False]"),
    ("sound", "def sound(row, length): return sum(row)", "True or False is asked for, not"),
    ("cut", CUT.format(allowed="tail_mass", result=RETURNED), "half of it for each"),
    ("cut", CUT.format(allowed="tail_mass / 2", result=RETURNED).replace("<=", "<"), "compare with ≤, not with <"),
    ("cut", CUT.format(allowed="tail_mass / 2", result="").replace("return", ""), "None: is a return missing?"),
    (
        "cut",
        CUT.format(allowed="tail_mass / 2", result=f"[2 * p for p in kept]{RETURNED.removeprefix('kept')}"),
        "not among the entries of the PMF",
    ),
    ("cut", CUT.format(allowed="tail_mass / 2", result="kept, offset, 1 - sum(kept)"), "It is the old one"),
    (
        "cut",
        CUT.format(allowed="tail_mass / 2", result="kept, offset + first, tail_mass"),
        "That is what was allowed, not what was dropped",
    ),
    (
        "cut",
        CUT.format(
            allowed="tail_mass / 2",
            result="[p / sum(kept) for p in kept], offset + first, sum(pmf[:first]) + sum(pmf[last:])",
        ),
        "was divided by its sum",
    ),
    (
        "cut",
        "def cut(pmf, offset, tail_mass):\n"
        "    kept = [p for p in pmf if p > tail_mass / 2]\n"
        "    return kept, offset + pmf.index(kept[0]), 1 - sum(kept)",
        "each entry was compared by itself",
    ),
    ("cut", CUT.format(allowed="tail_mass / 2", result="kept"), "Three things are asked for"),
    ("cut", "def cut(pmf, offset, tail_mass): return pmf[3:6], offset + 3, 0", "too much is gone: 3 entries are left"),
    ("cut", "def cut(pmf, offset, tail_mass): return pmf, offset, 0", "entries are left; 5 are enough"),
    ("one_at_a_time", FOX.format(gain="pmf"), "every count goes to the most probable symbol"),
    ("one_at_a_time", FOX.format(gain="pmf / widths"), "you compare p / w, nearly what a count saves"),
    ("one_at_a_time", FOX.format(gain="np.log2((widths + 1) / widths)"), "weigh it with p"),
    (
        "one_at_a_time",
        FOX.format(gain="pmf * np.where(widths > 1, np.log2(widths / np.maximum(widths - 1, 1)), 1e9)"),
        "by what the *last* count saved",
    ),
    ("one_at_a_time", "def one_at_a_time(pmf, precision): return [1] * len(pmf)", "there are 8 counts to share"),
    (
        "one_at_a_time",
        "def one_at_a_time(pmf, precision): return [round(p * 2**precision - 0.4) for p in pmf]",
        "leaves a symbol without a count",
    ),
    ("one_at_a_time", "def one_at_a_time(pmf, precision): return [2**precision]", "3 widths are asked for, and 1 came"),
    (
        "one_at_a_time",
        "def one_at_a_time(pmf, precision): return [p * 2**precision for p in pmf]",
        "widths are counts, and so whole numbers",
    ),
    ("one_at_a_time", "def one_at_a_time(pmf, precision): pmf = list(pmf)", "None: is a return missing?"),
    (
        "one_at_a_time",
        "def one_at_a_time(pmf, precision): return [2**precision - 3 * len(pmf) + 3, *[3] * (len(pmf) - 1)]",
        "bits a symbol, and",
    ),
    ("best_reach", reach(), "only"),
    ("best_reach", reach(pay="inside"), "Is the escape paid for"),
    ("best_reach", reach(pay="inside + rest * (16 - math.log2(row[-1] - row[-2]))"), "digits included?"),
    ("best_reach", reach(rest="0.0"), "Does your escape have a probability?"),
    ("best_reach", reach().replace("np.append(listed, rest)", "listed if r else [1.0, 0.0]"), "bits a symbol, r ="),
    ("best_reach", reach(choose="argmax"), "(Or was the largest cost taken?)"),
    ("best_reach", reach(answer="2 * {} + 1"), "is how many values the best row lists"),
    ("best_reach", reach(answer="{} + 0.5"), "the reach is a whole number from 0 to 7, not"),
    ("best_reach", reach(answer="{} - 100"), "the reach is a whole number from 0 to 7, not"),
    ("best_reach", "def best_reach(pmf): return len(pmf) // 2", "bits a symbol, r ="),
    ("best_reach", "def best_reach(pmf): return [1, 2]", "one number, the reach, is asked for"),
    ("best_reach", "def best_reach(pmf): pass", "None: is a return missing?"),
]
