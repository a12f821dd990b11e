"""Notebook 12: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

GAIN = """import math
def between(v, q, first=1, apart=11):
    row = min((q - first) // apart, 8)
    share = (q - first - apart * row) / apart
    return (1 - share) * v[row] + share * v[row + 1]

def gain_at(logs, q, l): return """
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

def slices_left(d):
    sections = read_header(d).sections
    """
FIRST_BAD = "return next((k for k, s in enumerate(sections) if not good(d, s)), 6)"

WRONG = [
    ("gain_at", GAIN + "between(logs, q) * math.sqrt(l) / 4.5", "What do they stand for?"),
    ("gain_at", GAIN + "math.exp(between(logs, q))", "√λ / 4.5, is missing"),
    ("gain_at", GAIN + "math.exp(between(logs, q)) * l / 4.5", "the root of λ"),
    ("gain_at", GAIN + "math.exp(between(logs, q)) * 4.5 / math.sqrt(l)", "that is the step in grey levels"),
    ("gain_at", GAIN + "math.exp(-between(logs, q)) * 4.5 / math.sqrt(l)", "that is the step in grey levels"),
    ("gain_at", GAIN + "math.exp(logs[(q - 1) // 11]) * math.sqrt(l) / 4.5", "that is the row below"),
    ("gain_at", GAIN + "math.exp(logs[round((q - 1) / 11)]) * math.sqrt(l) / 4.5", "that is the nearest row"),
    (
        "gain_at",
        GAIN + "between([math.exp(v) for v in logs], q) * math.sqrt(l) / 4.5",
        "interpolate the logarithms, and then",
    ),
    ("gain_at", GAIN + "math.exp(between(logs[::-1], 101 - q)) * 0 + 1", "quality 1: "),
    ("gain_at", GAIN + "math.exp(between(logs, q, first=0)) * math.sqrt(l) / 4.5", "qualities begin at 1"),
    ("gain_at", GAIN + "math.exp(between(logs, q, apart=10)) * math.sqrt(l) / 4.5", "it is 11 qualities"),
    (
        "gain_at",
        "import math\ndef gain_at(logs, q, l):\n    r = (q - 1) // 11\n    s = (q - 1) / 11 - r\n"
        "    return math.exp((1 - s) * logs[r] + s * logs[r + 1]) * math.sqrt(l) / 4.5",
        "you ask for a row that is not there",
    ),
    (
        "gain_at",
        "import math\ndef gain_at(logs, q, l):\n    r = min((q - 1) // 11, 8)\n    s = (q - 1) / 11 - r\n"
        "    return math.exp(s * logs[r] + (1 - s) * logs[r + 1]) * math.sqrt(l) / 4.5",
        "the two rows' shares are swapped",
    ),
    ("gain_at", "def gain_at(logs, q, l): return logs", "A gain is asked for, not list"),
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
    ("slices_left", SLICES + FIRST_BAD, "z is no slice"),
    ("slices_left", SLICES + "return sum(s.end <= len(d) for s in sections) - 1", "Compare the checksums"),
    ("slices_left", SLICES + "return sum(good(d, s) for s in sections) - 1", "stop there"),
    (
        "slices_left",
        SLICES + "return sum(s.end - sections[0].begin <= len(d) for s in sections) - 1",
        "`end` counts it",
    ),
    ("slices_left", SLICES + "return sum(s.end < len(d) for s in sections) - 1", "last byte is whole"),
    ("slices_left", SLICES + "return sum(s.begin < len(d) for s in sections) - 1", "has only begun"),
    ("slices_left", SLICES + "return sections", "A whole number is asked for"),
]
