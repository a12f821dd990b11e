"""Notebook 11: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

UNITS = "def to_units_of(x, bits, limit):\n    return {}\n"
LARGEST = "def largest_sum(weight, bias, limit):\n    return {}\n"
BREAKS = "def breaks(values, error, ratio):\n    return {}\n"
SCALED = "def scaled(x, factor, bits):\n    return {}\n"

RIGHT = [
    ("to_units_of", "import numpy as np\n" + UNITS.format("np.clip(np.rint(x * 2.0**bits), -limit, limit)")),
    (
        "to_units_of",
        "import torch\n"
        + UNITS.format("torch.tensor(x, dtype=torch.float64).mul(2**bits).round().clamp(-limit, limit).item()"),
    ),
    (
        "to_units_of",
        "from fractions import Fraction\n"
        + UNITS.format("sorted([-limit, round(Fraction(x) / Fraction(1, 2**bits)), limit])[1]"),
    ),
    (
        "to_units_of",
        """import math
def to_units_of(x, bits, limit):
    units = math.ldexp(x, bits)
    whole = math.floor(units)
    rest = units - whole
    if rest > 0.5 or (rest == 0.5 and whole % 2 == 1):
        whole += 1
    if whole > limit:
        return limit
    if whole < -limit:
        return -limit
    return whole
""",
    ),
    (
        "largest_sum",
        "import numpy as np\n" + LARGEST.format("(np.abs(weight).sum(axis=1) * limit + np.abs(bias)).max()"),
    ),
    (
        "largest_sum",
        "import torch\n"
        + LARGEST.format("(torch.tensor(weight).abs().sum(dim=1) * limit + torch.tensor(bias).abs()).max()"),
    ),
    (
        "largest_sum",
        """def largest_sum(weight, bias, limit):
    largest = 0
    for i in range(len(weight)):
        total = abs(bias[i])
        for w in weight[i]:
            if w < 0:
                total -= w * limit
            else:
                total += w * limit
        if total > largest:
            largest = total
    return largest
""",
    ),
    (
        "largest_sum",  # the worst input itself, on either side
        """import numpy as np
def largest_sum(weight, bias, limit):
    sums = []
    for row, b in zip(np.array(weight, dtype=np.float64), bias):
        worst = limit * np.sign(row)
        sums += [row @ worst + b, row @ -worst + b]
    return max(np.abs(sums))
""",
    ),
    ("portable_ones", "portable_ones = 'A, C, F and H'"),
    ("portable_ones", "portable_ones = 'hfca'"),
    ("portable_ones", "portable_ones = ['A', 'C', 'F', 'H']"),
    ("portable_ones", "portable_ones = set('ABCDEFGH') - {'B', 'D', 'E', 'G'}"),
    (
        "power_of_two",
        """import math
def power_of_two(weights):
    e = 6 - math.floor(math.log2(max(map(abs, weights))))
    numbers = [sorted((-127, round(math.ldexp(w, e)), 127))[1] for w in weights]
    return numbers, e
""",
    ),
    (
        "power_of_two",
        """def power_of_two(weights):
    largest, e = max(max(weights), -min(weights)), 0
    while largest * 2.0**e >= 128:
        e -= 1
    while largest * 2.0 ** (e + 1) < 128:
        e += 1
    numbers = []
    for w in weights:
        number = round(w * 2.0**e)
        if number > 127:
            number = 127
        if number < -127:
            number = -127
        numbers.append(number)
    return [numbers, e]
""",
    ),
    (
        "power_of_two",
        """import numpy as np
def power_of_two(weights):
    weights = np.array(weights)
    e = 7 - np.frexp(np.abs(weights).max())[1]
    return np.clip(np.round(np.ldexp(weights, e)), -127, 127).astype(np.int8), e
""",
    ),
    (
        "power_of_two",
        """import torch
def power_of_two(weights):
    weights = torch.tensor(weights)
    e = 7 - torch.frexp(weights.abs().max()).exponent
    return torch.round(weights * 2.0**e).clamp(-127, 127), e
""",
    ),
    ("breaks", "import math\n" + BREAKS.format("-math.expm1(-values * error / math.log(ratio))")),
    ("breaks", "import math\n" + BREAKS.format("1 - (1 - error / math.log(ratio)) ** values")),  # each one survives
    (
        "breaks",  # float32
        "import torch\n" + BREAKS.format("1 - torch.exp(-values * error / torch.log(torch.tensor(float(ratio))))"),
    ),
    (
        "breaks",
        """import numpy as np
def breaks(values, error, ratio):
    expected = np.float32(values) * np.float32(error) / np.log(np.float32(ratio))
    return np.float32(1) - np.exp(-expected)
""",
    ),
    ("scaled", SCALED.format("(2 * x * round(factor * 2**bits) + (1 << bits)) >> (bits + 1)")),
    (
        "scaled",
        """def scaled(x, factor, bits):
    product = x * round(factor * (1 << bits))
    whole = product >> bits
    rest = product - (whole << bits)  # from 0 to 2^bits - 1, for negative products, too
    return whole + 1 if 2 * rest >= 1 << bits else whole
""",
    ),
    (
        "scaled",
        """import numpy as np
def scaled(x, factor, bits):
    product = np.int64(x) * np.rint(factor * 2**bits).astype(np.int64)
    half = np.int64(2**bits // 2)
    return np.right_shift(product + half, bits)
""",
    ),
    (
        "scaled",
        """import torch
def scaled(x, factor, bits):
    constant = torch.tensor(factor, dtype=torch.float64).mul(2**bits).round().long()
    product = torch.tensor(x) * constant
    return product if bits == 0 else (product + (1 << (bits - 1))) >> bits
""",
    ),
    (
        "error_ratio",
        """import numpy as np
def error_ratio(weight):
    rows = weight.numpy().reshape(len(weight), -1)
    e = 7 - np.frexp(np.abs(rows).max(axis=1))[1]
    errors = []
    for step in (np.exp2(-e.astype(np.float64))[:, None], 2.0 ** -e.min()):
        errors.append(np.mean((np.clip(np.round(rows / step), -127, 127) * step - rows) ** 2))
    return errors[1] / errors[0]
""",
    ),
    (
        "error_ratio",  # eight_bits of section 6, and float32
        """import torch
def eight_bits(weight):
    largest = weight.abs().flatten(1).amax(dim=1)
    e = (7 - torch.frexp(largest).exponent).clamp(-8, 14)
    return torch.round(weight * 2.0 ** e[:, None, None, None]).clamp(-127, 127), e

def error_ratio(weight):
    weight = weight.reshape(len(weight), -1, 1, 1)
    m, e = eight_bits(weight)
    each = m / 2.0 ** e[:, None, None, None]
    m, e = eight_bits(weight.reshape(1, -1, 1, 1))  # as if all were one channel
    for_all = (m / 2.0**e).reshape(weight.shape)
    return torch.nn.functional.mse_loss(for_all, weight) / torch.nn.functional.mse_loss(each, weight)
""",
    ),
    (
        "error_ratio",
        """import math
def error_ratio(weight):
    rows = [row.flatten().tolist() for row in weight]
    exponents = [7 - math.frexp(max(abs(w) for w in row))[1] for row in rows]
    single = several = 0
    for row, e in zip(rows, exponents):
        for w in row:
            several += (max(-127, min(127, round(w * 2.0**e))) / 2.0**e - w) ** 2
            shared = min(exponents)
            single += (max(-127, min(127, round(w * 2.0**shared))) / 2.0**shared - w) ** 2
    return single / several
""",
    ),
]
