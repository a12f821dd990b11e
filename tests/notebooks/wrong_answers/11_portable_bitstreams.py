"""Notebook 11: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

UNITS = "import math\ndef to_units_of(x, bits, limit):\n    return {}\n"
LARGEST = "def largest_sum(weight, bias, limit):\n    return {}\n"
ROWS = "for row, b in zip(weight, bias))"
POWER = "import math\ndef power_of_two(weights):\n    largest = max(map(abs, weights))\n    return {}\n"
E = "7 - math.frexp(largest)[1]"
SCALED = "def scaled(x, factor, bits):\n    return {}\n"
RATIO = """import torch
def error_ratio(weight):
    rows = weight.flatten(1)
    e = 7 - torch.frexp(rows.abs().amax(dim=1, keepdim=True)).exponent
    def error(e):
        scale = 2.0**e
        return float((torch.round(rows * scale).clamp(-127, 127) / scale - rows).square().mean())
    return {}
"""
BREAKS = "import math\ndef breaks(values, error, ratio):\n    return {}\n"

WRONG = [
    ("to_units_of", UNITS.format("max(-limit, min(limit, int(x * 2**bits)))"), "was cut off"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, math.floor(x * 2**bits)))"), "was cut off"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, math.floor(x * 2**bits + 0.5)))"), "goes to the even one"),
    ("to_units_of", UNITS.format("round(x * 2**bits)"), "beyond the limit"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, round(x)))"), "units of 1"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, round(x * 2**bits) / 2**bits))"), "units of 1"),
    ("to_units_of", UNITS.format("max(-limit, min(limit, x * 2**bits))"), "no whole number"),
    ("to_units_of", UNITS.format("max(0, min(limit, round(x * 2**bits)))"), "-19, not 0"),
    (
        "to_units_of",
        "import numpy as np\ndef to_units_of(x, bits, limit):\n"
        "    return np.clip(np.round(np.float32(x) * np.float32(2**bits)), -limit, limit)",
        "float32 has 24 digits",
    ),
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
    (
        "largest_sum",
        "import torch\ndef largest_sum(weight, bias, limit):\n"
        "    w, b = torch.tensor(weight).float(), torch.tensor(bias).float()\n"
        "    return float((w.abs().sum(1) * limit + b.abs()).max())",
        "the bound itself was rounded",
    ),
    ("portable_ones", "portable_ones = 'ABCFH'", "B is not portable"),
    ("portable_ones", "portable_ones = 'A, C, D, F, H'", "D is not portable"),
    ("portable_ones", "portable_ones = 'ACEFH'", "E is not portable"),
    ("portable_ones", "portable_ones = 'A and C and F and G and H'", "G is not portable"),
    ("portable_ones", "portable_ones = ['A', 'F']", "C is missing"),
    ("portable_ones", "portable_ones = 'A, C, H'", "F is missing"),
    ("portable_ones", "portable_ones = 'A and C and F'", "H is missing"),
    ("portable_ones", "portable_ones = 'ACX'", "There is no X"),
    ("portable_ones", "portable_ones = 3", "A string of letters"),
    ("breaks", BREAKS.format("math.exp(-values * error / math.log(ratio))"), "*no* table"),
    ("breaks", BREAKS.format("values * error / math.log(ratio)"), "flips are expected"),
    ("breaks", BREAKS.format("min(1, values * error / math.log(ratio))"), "flips are expected"),
    ("breaks", BREAKS.format("1 - math.exp(-values * error / (ratio - 1))"), "not ratio − 1"),
    ("breaks", BREAKS.format("1 - math.exp(-values * error / math.log2(ratio))"), "not log2(ratio)"),
    ("breaks", BREAKS.format("1 - math.exp(-error / math.log(ratio))"), "there are many"),
    ("breaks", BREAKS.format("0.25"), "flips are expected"),
    ("breaks", BREAKS.format("7.0"), "no probability"),
    ("power_of_two", POWER.format(f"[round(w * 2 ** ({E})) for w in weights], {E}"), "cut off after rounding"),
    (
        "power_of_two",
        POWER.format(f"[min(127, round(w * 2 ** ({E}))) for w in weights], {E}"),
        "does not fit into ±127",
    ),
    ("power_of_two", POWER.format(f"[w * 2 ** ({E}) for w in weights], {E}"), "not whole"),
    ("power_of_two", POWER.format(f"[min(127, int(w * 2 ** ({E}))) for w in weights], {E}"), "the numbers are"),
    (
        "power_of_two",
        POWER.format("[min(127, round(w * 2**7)) for w in weights], 7 - math.ceil(math.log2(largest))"),
        "which is not below 128",
    ),
    ("power_of_two", POWER.format("[round(w * 2**5) for w in weights], 5"), "a finer step"),
    ("power_of_two", POWER.format(f"[round(w * 2 ** ({E})) for w in weights], -({E})"), "m · 2^-e"),
    ("power_of_two", POWER.format("[round(w * 64) for w in weights]"), "A pair is asked for"),
    ("power_of_two", POWER.format("3, 6"), "as a list"),
    ("scaled", SCALED.format("x * round(factor * 2**bits)"), "shift"),
    ("scaled", SCALED.format("(x * round(factor * 2**bits)) >> bits"), "rounds down"),
    ("scaled", SCALED.format("int(x * round(factor * 2**bits) / 2**bits + 0.5)"), "cut off towards 0"),
    ("scaled", SCALED.format("round(x * round(factor * 2**bits) / 2**bits)"), "in the middle"),
    ("scaled", "import math\n" + SCALED.format("math.floor(x * factor + 0.5)"), "Round the constant first"),
    ("scaled", SCALED.format("x * factor"), "no whole number"),
    ("error_ratio", RATIO.format("error(e) / error(e.min())"), "the reciprocal"),
    ("error_ratio", RATIO.format("(error(e.min()) / error(e)) ** 0.5"), "not their roots"),
    ("error_ratio", RATIO.format("error(e.min())"), "one of the two errors"),
    ("error_ratio", RATIO.format("error(e) / error(e)"), "e.min()"),
    ("error_ratio", RATIO.format("error(e.max()) / error(e)"), "cut off at ±127"),
    ("error_ratio", RATIO.replace(".clamp(-127, 127)", "").format("error(e.min()) / error(e)"), "cut off at ±127"),
    ("error_ratio", RATIO.format("float('nan')"), "not nan"),
    ("breaks", "def breaks(v, e, r): return float('nan')", "400,000 values, error 1e-07, ratio 1.13"),
    ("error_ratio", RATIO.replace("rows.abs()", "rows").format("error(e.min()) / error(e)"), "cut off at ±127"),
    ("error_ratio", RATIO.format("[error(e), error(e.min())]"), "One number"),
]
