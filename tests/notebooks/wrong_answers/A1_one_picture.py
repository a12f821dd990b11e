"""The appendix A1: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

PYRAMID = """def plane_latents(height, width, planes):
    total = 0
    for n in range(planes):
        {before}
        total += height * width
        height, width = {halved}
    return total
"""
UP = "(height + 1) // 2, (width + 1) // 2"
BEST = "def best_precision(sizes, errors, lmbda):\n    costs = [{} for r, d in zip(sizes, errors)]\n    return {}\n"
WEIGHTS = """import math
def weight_bits(weights, precision, b):
    t = 1 / (2 * b)
    def mass(k):
        if k == 0: return {zero}
        return 0.5 * (1 - math.exp(-2 * t)) * math.exp(-(2 * abs(k) - 1) * t)
    costs = [{cost} for k in ({k} for w in weights)]
    return {give}
"""
RIGHT = {
    "zero": "1 - math.exp(-t)",
    "cost": "-math.log2(mass(k))",
    "k": "round(w * 2**precision)",
    "give": "sum(costs)",
}
MAC = "def mac_per_pixel(layers, pixels):\n    return {}\n"
LARGEST = """def largest_precision(weights, largest, fraction):
    for p in range(16, -1, -1):
        if {}:
            return {}
    return -1
"""
TERMS = "sum(abs(round(w * 2**p)) for w in weights) * largest * 2**fraction"
PAYS = "import math\ndef pays_from(numbers, bits_each, bpp, share):\n    return {}\n"

WRONG = [
    (
        "plane_latents",
        PYRAMID.format(before="pass", halved="height // 2, width // 2"),
        "rounded up: half of 451 is 226",
    ),
    ("plane_latents", PYRAMID.format(before=f"height, width = {UP}", halved="height, width"), "picture's own size"),
    ("plane_latents", PYRAMID.format(before="pass", halved="(height + 1) // 2, width"), "both sides are halved"),
    ("plane_latents", PYRAMID.format(before="total = 0", halved=UP), "last plane alone"),
    ("plane_latents", "def plane_latents(height, width, planes): return height * width", "Add the smaller planes"),
    ("plane_latents", "def plane_latents(height, width, planes): pass", "is a return missing?"),
    (
        "plane_latents",
        "def plane_latents(height, width, planes): return [height, width]",
        "A whole number is asked for",
    ),
    ("best_precision", BEST.format("r + lmbda * d", "min(costs)"), "its place in the list"),
    ("best_precision", BEST.format("r + lmbda * d", "costs.index(max(costs))"), "costs most"),
    ("best_precision", BEST.format("lmbda * r + d", "costs.index(min(costs))"), "price of the error, not of the bits"),
    ("best_precision", BEST.format("r", "costs.index(min(costs))"), "fewest bits"),
    ("best_precision", BEST.format("d", "costs.index(min(costs))"), "smallest error"),
    ("best_precision", BEST.format("r + lmbda * d", "1 + costs.index(min(costs))"), "counted from 0"),
    ("weight_bits", WEIGHTS.format(**{**RIGHT, "cost": "-math.log(mass(k))"}), "those are nats"),
    ("weight_bits", WEIGHTS.format(**{**RIGHT, "cost": "math.log2(mass(k))"}), "bits are not negative"),
    ("weight_bits", WEIGHTS.format(**{**RIGHT, "k": "round(w)"}), "count these multiples"),
    ("weight_bits", WEIGHTS.format(**{**RIGHT, "give": "sum(costs) / len(costs)"}), "All weights are written"),
    (
        "weight_bits",
        WEIGHTS.format(**{**RIGHT, "cost": "-math.log2(math.exp(-abs(k) / b) / (2 * b))"}),
        "the mass from k − ½ to k + ½",
    ),
    (
        "weight_bits",
        WEIGHTS.format(**{**RIGHT, "zero": "0.5 * (1 - math.exp(-2 * t)) * math.exp(t)"}),
        "the mass at 0 has two halves",
    ),
    ("mac_per_pixel", MAC.format("sum(i * o * k * n for i, o, k, n in layers) / pixels"), "k × k taps, not k"),
    ("mac_per_pixel", MAC.format("sum(i * o * n for i, o, k, n in layers) / pixels"), "without the kernels' sizes"),
    ("mac_per_pixel", MAC.format("sum(i * o * k * k for i, o, k, n in layers)"), "those are the weights"),
    ("mac_per_pixel", MAC.format("sum(i * o * k * k * n for i, o, k, n in layers)"), "a pixel's share"),
    ("mac_per_pixel", MAC.format("sum(i * o * k * k * n for i, o, k, n in layers) / pixels / 1000"), "in thousands"),
    ("mac_per_pixel", MAC.format("sum((i + o) * k * k * n for i, o, k, n in layers) / pixels"), "are multiplied"),
    (
        "mac_per_pixel",
        MAC.format("sum(i * o * k * k * n for i, o, k, n in layers) / pixels / len(layers)"),
        "added, not averaged",
    ),
    ("largest_precision", LARGEST.format(TERMS.replace("abs", "") + " < 2**24", "p"), "do not cancel"),
    ("largest_precision", LARGEST.format(TERMS.replace(" * 2**fraction", "") + " < 2**24", "p"), "a product has both"),
    (
        "largest_precision",
        LARGEST.format(TERMS.replace("sum", "max") + " < 2**24", "p"),
        "not the largest weight alone",
    ),
    ("largest_precision", LARGEST.format(f"{TERMS} < 2**24".replace("round", ""), "p"), "weights are rounded first"),
    ("largest_precision", LARGEST.format(f"{TERMS} < 2**24", "p + 1"), "one digit too many"),
    ("largest_precision", LARGEST.format(f"{TERMS} < 2**24", "p - 1"), "so is one digit more"),
    ("largest_precision", LARGEST.format(f"{TERMS} <= 2**24", "p"), "not 10"),
    ("largest_precision", LARGEST.replace("-1, -1", "0, -1").format(f"{TERMS} < 2**24", "p"), "0, not -1"),
    ("largest_precision", LARGEST.format(f"{TERMS} < 2**53", "p"), "float64's"),
    ("pays_from", PAYS.format("math.ceil(numbers * bits_each / bpp)"), "not all of them"),
    ("pays_from", PAYS.format("math.ceil(numbers * bits_each / share)"), "a pixel saves bpp · share"),
    ("pays_from", PAYS.format("math.ceil(numbers / (bpp * share))"), "each of the numbers costs"),
    ("pays_from", PAYS.format("math.ceil(numbers * bits_each / 8 / (bpp * share))"), "both costs are in bits"),
    ("pays_from", PAYS.format("math.ceil(numbers * bits_each / (bpp * (1 - share)))"), "is what is still paid"),
    ("pays_from", PAYS.format("math.floor(numbers * bits_each / (bpp * share))"), "round up"),
]
