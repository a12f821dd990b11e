"""Notebook 11: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

UNITS = "import math\ndef to_units_of(x, bits, limit):\n    return {}\n"
LARGEST = "def largest_sum(weight, bias, limit):\n    return {}\n"
ROWS = "for row, b in zip(weight, bias))"
BREAKS = "import math\ndef breaks(values, error, ratio):\n    return {}\n"

WRONG = [
    ("to_units_of", UNITS.format("max(-limit, min(limit, int(x * 2**bits)))"), "was cut off"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, math.floor(x * 2**bits)))"), "was cut off"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, math.floor(x * 2**bits + 0.5)))"), "goes to the even one"),
    ("to_units_of", UNITS.format("round(x * 2**bits)"), "beyond the limit"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, round(x)))"), "units of 1"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, round(x * 2**bits) / 2**bits))"), "units of 1"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, x * 2**bits))"), "no whole number"),
    ("to_units_of", UNITS.format("max(0, min(limit, round(x * 2**bits)))"), "307, not 0"),
    ("largest_sum", LARGEST.format("max(sum(row) * limit + b " + ROWS), "do not cancel"),
    ("largest_sum", LARGEST.format("max(abs(sum(row)) * limit + abs(b) " + ROWS), "do not cancel"),
    ("largest_sum", LARGEST.format("max(sum(map(abs, row)) * limit " + ROWS), "bias is missing"),
    ("largest_sum", LARGEST.format("max(sum(map(abs, row)) * limit + b " + ROWS), "on the other side"),
    ("largest_sum", LARGEST.format("max(sum(map(abs, row)) + abs(b) " + ROWS), "not 1"),
    ("largest_sum", LARGEST.format("max((sum(map(abs, row)) + abs(b)) * limit " + ROWS), "added as it is"),
    ("largest_sum", LARGEST.format("max(max(map(abs, row)) * limit + abs(b) " + ROWS), "not only the largest"),
    ("largest_sum", LARGEST.format("sum(sum(map(abs, row)) * limit + abs(b) " + ROWS), "not added up"),
    (
        "largest_sum",
        LARGEST.format("max(sum(map(abs, row)) for row in weight) * limit + max(map(abs, bias))"),
        "different outputs",
    ),
    ("portable_ones", "portable_ones = 'ABCF'", "B is not portable"),
    ("portable_ones", "portable_ones = 'ACDF'", "D is not portable"),
    ("portable_ones", "portable_ones = 'ACEF'", "E is not portable"),
    ("portable_ones", "portable_ones = 'ACFG'", "G is not portable"),
    ("portable_ones", "portable_ones = ['A', 'F']", "C is missing"),
    ("portable_ones", "portable_ones = 'A, C'", "F is missing"),
    ("portable_ones", "portable_ones = 'ACX'", "There is no X"),
    ("portable_ones", "portable_ones = 3", "A string of letters"),
    ("breaks", BREAKS.format("math.exp(-values * error / math.log(ratio))"), "*no* table"),
    ("breaks", BREAKS.format("values * error / math.log(ratio)"), "flips are expected"),
    ("breaks", BREAKS.format("min(1, values * error / math.log(ratio))"), "flips are expected"),
    ("breaks", BREAKS.format("1 - math.exp(-values * error / (ratio - 1))"), "not ratio − 1"),
    ("breaks", BREAKS.format("1 - math.exp(-values * error / math.log2(ratio))"), "not log2(ratio)"),
    ("breaks", BREAKS.format("1 - math.exp(-error / math.log(ratio))"), "there are many"),
]
