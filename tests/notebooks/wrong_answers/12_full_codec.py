"""Notebook 12: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

STEP = """import math
def between(v, q, first=1, apart=11):
    row = min((q - first) // apart, 8)
    share = (q - first - apart * row) / apart
    return (1 - share) * v[row] + share * v[row + 1]

def band_step(logs, q, l): return """
HALVINGS = """def halvings(shape, side):
    k, n = 0, LENGTH
    while k < 5 and (n + 1) // 2 >= side:
        k, n = k + 1, (n + 1) // 2
    return k
"""
CHOOSE = (
    "import math\ndef choose_symbol(y, bits, price):\n    b = math.floor(y)\n    return min((b, b + 1), key=lambda k: "
)
SEARCH = """def best_quality(size, budget):
    low, high = {low}, {high}
    while high - low > {gap}:
        middle = (low + high) // 2
        if size(middle) {sign} budget:
            low = middle
        else:
            high = middle
    return {answer}
"""
RIGHT = {"low": 0, "high": 101, "gap": 1, "sign": "<=", "answer": "low"}
SLICES = """from binascii import crc_hqx
from tutorial_lib.bitstream import read_header
def good(d, s): return len(d) >= s.end and crc_hqx(d[s.begin:s.end], 0) == s.checksum

def levels_left(d):
    sections = read_header(d).sections
    """
FIRST_BAD = "return next((k for k, s in enumerate(sections) if not good(d, s)), 6)"


class Split(str):
    """Python with blanks; those that are not filled in are right."""

    def format(self, **given):
        return super().format(
            **{"over": "//", "minus": "-", "two": "+ 2", "seen": "high", "give": "low, high", **given}
        )


SPLIT = Split("""def split_whole(row):
    even, odd = row[0::2], row[1::2]
    right = even[1:] + even[-1:]
    high = [o {minus}((a + b) {over} 2) for o, a, b in zip(odd, even, right)]
    if "{minus}" == "+ -":
        high = [o + (-(a + b) // 2) for o, a, b in zip(odd, even, right)]
    seen = {seen}
    seen = seen[:1] + seen + seen[-1:]
    low = [e + (seen[n] + seen[n + 1] {two}) {over} 4 for n, e in enumerate(even)]
    return {give}
""")
NO_MIRROR = """def split_whole(row):
    even, odd = row[0::2], row[1::2]
    high = [o - (a + b) // 2 for o, a, b in zip(odd, even, even[1:] + [0])]
    seen = [0] + high + [0]
    return [e + (seen[n] + seen[n + 1] + 2) // 4 for n, e in enumerate(even)], high
"""
MORE = """import numpy as np
def more_bits(r, o):
    low, high = max(r[0][1], o[0][1]), min(r[-1][1], o[-1][1])
    at = np.linspace(low, high, 50)
    a, b = (np.interp(at, [d for _, d in c], {of}([x for x, _ in c])) for c in (r, o))
    return {give}
"""

WRONG = [
    ("halvings", HALVINGS.replace("LENGTH", "max(shape)"), "the shorter one decides"),
    ("halvings", HALVINGS.replace("LENGTH", "shape[0]"), "not the height alone"),
    ("halvings", HALVINGS.replace("LENGTH", "shape[1]"), "not the width alone"),
    ("halvings", HALVINGS.replace("LENGTH", "min(shape)").replace("n + 1", "n"), "half of 301 is 151"),
    (
        "halvings",
        "def halvings(shape, side):\n    k, n = 0, min(shape)\n    while k < 5 and n >= side:\n"
        "        k, n = k + 1, (n + 1) // 2\n    return k",
        "not ",
    ),
    ("halvings", "def halvings(shape, side): return shape", "A whole number is asked for"),
    ("halvings", "def halvings(shape, side): return 3", "not 3"),
    ("band_step", STEP + "between(logs, q) * 4.5 / math.sqrt(l)", "What do they stand for?"),
    ("band_step", STEP + "math.exp(between(logs, q))", "4.5 / √λ, is missing"),
    ("band_step", STEP + "math.exp(between(logs, q)) * 4.5 / l", "the root of λ"),
    ("band_step", STEP + "math.exp(between(logs, q)) * math.sqrt(l) / 4.5", "the number of steps in a grey level"),
    ("band_step", STEP + "math.exp(-between(logs, q)) * 4.5 / math.sqrt(l)", "not to minus it"),
    ("band_step", STEP + "math.exp(logs[(q - 1) // 11]) * 4.5 / math.sqrt(l)", "that is the row below"),
    ("band_step", STEP + "math.exp(logs[round((q - 1) / 11)]) * 4.5 / math.sqrt(l)", "that is the nearest row"),
    (
        "band_step",
        STEP + "between([math.exp(v) for v in logs], q) * 4.5 / math.sqrt(l)",
        "interpolate the logarithms, and then",
    ),
    ("band_step", STEP + "1", "quality 1: "),
    (
        "band_step",
        "import math\ndef band_step(logs, q, l):\n    row = max(0, min((q - 3) // 11, 8))\n"
        "    s = (q - 1 - 11 * row) / 11\n"
        "    return math.exp((1 - s) * logs[row] + s * logs[row + 1]) * 4.5 / math.sqrt(l)",
        "quality 13: ",
    ),
    ("band_step", STEP + "math.exp(between(logs, q, first=0)) * 4.5 / math.sqrt(l)", "qualities begin at 1"),
    ("band_step", STEP + "math.exp(between(logs, q, apart=10)) * 4.5 / math.sqrt(l)", "it is 11 qualities"),
    (
        "band_step",
        "import math\ndef band_step(logs, q, l):\n    r = (q - 1) // 11\n    s = (q - 1) / 11 - r\n"
        "    return math.exp((1 - s) * logs[r] + s * logs[r + 1]) * 4.5 / math.sqrt(l)",
        "you ask for a row that is not there",
    ),
    (
        "band_step",
        "import math\ndef band_step(logs, q, l):\n    r = min((q - 1) // 11, 8)\n    s = (q - 1) / 11 - r\n"
        "    return math.exp(s * logs[r] + (1 - s) * logs[r + 1]) * 4.5 / math.sqrt(l)",
        "the two rows' shares are swapped",
    ),
    (
        "band_step",
        "import math\ndef band_step(logs, q, l):\n    r = min((q - 1) // 12, 8)\n    s = (q - 1) / 11 - r\n"
        "    return math.exp((1 - s) * logs[r] + s * logs[r + 1]) * 4.5 / math.sqrt(l)",
        "quality ",
    ),
    ("band_step", "def band_step(logs, q, l): return logs", "A step is asked for, not list"),
    ("choose_symbol", "def choose_symbol(y, bits, price): return round(y)", "That is the nearest"),
    ("choose_symbol", CHOOSE + "bits(k))", "its error costs, too"),
    ("choose_symbol", CHOOSE + "price * bits(k) + (y - k) ** 2)", "belongs to the error"),
    ("choose_symbol", CHOOSE + "bits(k) + (y - k) ** 2)", "The error has a price"),
    ("choose_symbol", CHOOSE + "-bits(k) - price * (y - k) ** 2)", "the smaller is wanted"),
    ("choose_symbol", "def choose_symbol(y, bits, price): return int(y)", "nearer to 0"),
    (
        "choose_symbol",
        "def choose_symbol(y, bits, price):\n    b = int(y)\n"
        "    return min((b, b + 1), key=lambda k: bits(k) + price * (y - k) ** 2)",
        "int() cuts towards 0",
    ),
    (
        "choose_symbol",
        CHOOSE.replace("min(", "min(bits(k) + price * (y - k) ** 2 for k in ").replace(", key=lambda k: ", ")"),
        "That is a cost",
    ),
    ("choose_symbol", "choose_symbol = 1", "A function is asked for"),
    (
        "choose_symbol",
        "def choose_symbol(y, bits, price):\n"
        "    return min(range(-9, 10), key=lambda k: bits(k) + price * (y - k) ** 2)",
        "Only the two whole numbers around y",
    ),
    (
        "choose_symbol",
        "def choose_symbol(y, bits, price):\n    near = round(y)\n    down = near - (near > 0) + (near < 0)\n"
        "    return min((near, down), key=lambda k: bits(k) + price * (y - k) ** 2)",
        "costs",
    ),
    (
        "best_quality",
        "def best_quality(size, budget): return max((q for q in range(1, 101) if size(q) <= budget), default=0)",
        "you encoded 100 times",
    ),
    ("best_quality", SEARCH.format(**{**RIGHT, "sign": "<"}), "takes exactly the budget"),
    ("best_quality", SEARCH.format(**{**RIGHT, "answer": "high"}), "is one too high"),
    ("best_quality", SEARCH.format(**{**RIGHT, "low": 1}), "not even quality 1 fits"),
    ("best_quality", SEARCH.format(**{**RIGHT, "high": 100}), "takes exactly the budget"),
    ("best_quality", SEARCH.format(**{**RIGHT, "gap": 0}), "more than 300 calls"),
    ("best_quality", "def best_quality(size, budget): return size(0)", "whole, from 1 to 100"),
    ("best_quality", "def best_quality(size, budget): return 50", "50"),
    ("levels_left", SLICES + FIRST_BAD, "The low-pass is no level"),
    ("levels_left", SLICES + "return sum(s.end <= len(d) for s in sections) - 1", "Compare the checksums"),
    ("levels_left", SLICES + "return sum(good(d, s) for s in sections) - 1", "stop there"),
    (
        "levels_left",
        SLICES + "return sum(s.end - sections[0].begin <= len(d) for s in sections) - 1",
        "`end` counts it",
    ),
    ("levels_left", SLICES + "return sum(s.end < len(d) for s in sections) - 1", "last byte is whole"),
    ("levels_left", SLICES + "return sum(s.begin < len(d) for s in sections) - 1", "has only begun"),
    ("levels_left", SLICES + "return sections", "A whole number is asked for"),
    ("split_whole", SPLIT.format(give="high, low"), "low and high swapped"),
    ("split_whole", SPLIT.format(minus="+"), "subtract it"),
    ("split_whole", SPLIT.format(over="/", two="+ 2", give="low, high"), "not all whole numbers"),
    ("split_whole", SPLIT.format(minus="+ -"), "and then change its sign"),
    ("split_whole", SPLIT.format(two=""), "the 2 is missing"),
    ("split_whole", SPLIT.format(seen="odd"), "as they are afterwards"),
    ("split_whole", SPLIT.format(give="even, high"), "the even samples are updated, too"),
    ("split_whole", SPLIT.format(give="low"), "Two lists of numbers"),
    ("split_whole", SPLIT.format(give="low[1:], high"), "low has 4 samples"),
    ("split_whole", SPLIT.format(give="[0 for _ in low], high"), "low[0] is"),
    ("split_whole", NO_MIRROR, "you take 0"),
    ("more_bits", MORE.format(of="np.log", give="np.expm1((a - b).mean())"), "reference minus other"),
    (
        "more_bits",
        MORE.format(of="np.log", give="np.expm1((b - a).mean())").replace(
            "max(r[0][1], o[0][1])", "max(r[0][0], o[0][1])"
        ),
        "a reference that begins at the higher PSNR",
    ),
    (
        "more_bits",
        MORE.format(of="np.log", give="np.expm1((b - a).mean())").replace("max(r[0][1],", "max(r[1][1],"),
        "a reference that begins at the higher PSNR",
    ),
    ("more_bits", MORE.format(of="np.log", give="(b - a).mean()"), "stands for e^d"),
    ("more_bits", MORE.format(of="np.log", give="np.exp((b - a).mean())"), "Take 1 away"),
    ("more_bits", MORE.format(of="np.log", give="100 * np.expm1((b - a).mean())"), "a share is asked for"),
    ("more_bits", MORE.format(of="np.array", give="b.mean() / a.mean() - 1"), "not the bits"),
    ("more_bits", MORE.format(of="np.log10", give="np.expm1((b - a).mean())"), "10^d"),
    (
        "more_bits",
        MORE.format(of="np.log", give="np.expm1((b - a).mean())")
        .replace("max(r", "min(r")
        .replace("min(r[-1", "max(r[-1"),
        "Only where both curves reach",
    ),
    ("more_bits", "def more_bits(r, o): return r", "One number is asked for"),
]
