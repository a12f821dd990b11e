"""Notebook 10: plausible wrong answers, and what each must be told (read by test_exercises.py)."""

LEFT = "def decodable(needs, lost): return "
FIT = "from itertools import accumulate\ndef slices_within(sizes, budget): return "
FLOOR = "from math import ceil\ndef least_bytes(h, w, s): return "
CUT = """import numpy as np
def equal_bits(cost, K):
    sums, n = np.cumsum(cost), len(cost)
    goals = [sums[-1] * k / K for k in range(1, K)]
    ends = [int(np.searchsorted(sums, goal)) + 1 for goal in goals]
    return """
LISTEN = """def listens(rate, done):
    base = rate(done)
    without = [rate([*done[:j], 0 * done[j], *done[j + 1 :]]) for j in range(len(done))]
    return """
ROUNDS = "import torch\ndef two_rounds(symbols, n): "

WRONG = [
    ("decodable", LEFT + "[k for k in range(len(needs)) if k not in lost]", "Who needs them?"),
    (
        "decodable",
        LEFT + "[k for k in range(len(needs)) if k not in lost and not set(needs[k]) & set(lost)]",
        "one step is not enough",
    ),
    ("decodable", LEFT + "list(range(min(lost, default=len(needs))))", "you stop at the first loss"),
    ("decodable", LEFT + "list(range(len(needs)))", "what is lost cannot be decoded"),
    (
        "decodable",
        "def decodable(needs, lost):\n    gone = set(lost)\n    for _ in needs:\n"
        "        gone |= {k for k, wanted in enumerate(needs) if gone & set(wanted)}\n"
        "    return [k for k in reversed(range(len(needs))) if k not in gone]",
        "not in ascending order",
    ),
    ("decodable", LEFT + "[k + 0.1 for k in range(len(needs)) if k not in lost]", "slices have whole numbers"),
    ("decodable", LEFT + "len(needs)", "A list of slices is asked for, not 4."),
    ("decodable", LEFT + "[]", "can still be decoded, you say []"),
    ("slices_within", FIT + "sum(t <= budget for t in accumulate(sizes))", "z's string is no slice"),
    ("slices_within", FIT + "sum(t < budget for t in accumulate(sizes)) - 1", "exactly as many bytes"),
    ("slices_within", FIT + "max(0, sum(t <= budget for t in accumulate(sizes)) - 1)", "that is −1, not 0"),
    (
        "slices_within",
        FIT + "sum(t <= budget for t in accumulate(sizes[1:])) if budget >= sizes[0] else -1",
        "z's string comes first, and its bytes count",
    ),
    (
        "slices_within",
        "def slices_within(sizes, budget):\n    n = -1\n    for size in sizes:\n        if size <= budget:\n"
        "            budget -= size\n            n += 1\n    return n",
        "they build on it",
    ),
    ("slices_within", FIT + "[t for t in accumulate(sizes) if t <= budget]", "one number is asked for"),
    ("least_bytes", FLOOR + "8 * ceil(ceil(h / 16) / s) * ceil(ceil(w / 16) / s)", "two strings a tile"),
    ("least_bytes", FLOOR + "2 * ceil(ceil(h / 16) / s) * ceil(ceil(w / 16) / s)", "that is the number of strings"),
    ("least_bytes", FLOOR + "128 * ceil(ceil(h / 16) / s) * ceil(ceil(w / 16) / s)", "these are bits"),
    ("least_bytes", FLOOR + "16 * ceil(h / s) * ceil(w / s)", "positions of the latent, not pixels"),
    ("least_bytes", FLOOR + "16 * (h // 16 // s) * (w // 16 // s)", "Round up."),
    ("least_bytes", FLOOR + "16 * ceil(ceil(h / 16) * ceil(w / 16) / s**2)", "in each direction by itself"),
    ("least_bytes", FLOOR + "1000", "256 bytes, not 1000"),
    ("least_bytes", FLOOR + "'many'", "one number is asked for"),
    ("two_rounds", ROUNDS + "c = torch.floor(symbols / n); return c, symbols - n * c", "that is floor division"),
    ("two_rounds", ROUNDS + "c = torch.trunc(symbols / n); return c, symbols - n * c", "3 are enough"),
    ("two_rounds", ROUNDS + "c = torch.round(symbols / n); return symbols - n * c, c", "coarse comes first"),
    ("two_rounds", ROUNDS + "return torch.round(symbols / n), symbols / n", "not all of these are whole"),
    ("two_rounds", ROUNDS + "return torch.round(symbols / n), symbols % n", "is not"),
    ("two_rounds", ROUNDS + "return symbols / n", "Two tensors are asked for"),
    ("two_rounds", ROUNDS + "c = torch.ceil(symbols / n); return c, symbols - n * c", "is enough"),
    ("two_rounds", ROUNDS + "return torch.round(symbols / n).sum(), symbols", "the symbols' shape"),
    ("equal_bits", CUT + "[*ends, n]", "is where the slices end"),
    ("equal_bits", CUT + "[sum(cost[a:b]) for a, b in zip([0, *ends], [*ends, n])]", "are the slices' bits"),
    ("equal_bits", CUT + "np.diff([*ends, n])", "are asked for"),
    ("equal_bits", CUT + "[1] * K", "channels, and there are"),
    ("equal_bits", CUT + "[n // K + (k < n % K) for k in range(K)]", "equally many channels"),
    (
        "equal_bits",
        CUT + "np.diff([0, *(int(np.searchsorted(sums, g, 'right')) + 1 for g in goals), n])",
        "exactly a K-th",
    ),
    ("equal_bits", CUT + "np.diff([0, *(int(np.searchsorted(sums, g)) for g in goals), n])", "yours end before it"),
    (
        "equal_bits",
        "def equal_bits(cost, K):\n    sizes, bits, n = [], 0, 0\n"
        "    for c in cost:\n        bits, n = bits + c, n + 1\n"
        "        if bits >= sum(cost) / K and len(sizes) < K - 1:\n            sizes, bits, n = [*sizes, n], 0, 0\n"
        "    return [*sizes, n]",
        "you begin at 0 again",
    ),
    (
        "equal_bits",
        CUT + "np.diff([0, *(int(np.searchsorted(sums, sums[-1] * k // K)) + 1 for k in range(1, K)), n])",
        "do not round it down",
    ),
    ("equal_bits", CUT + "n", "numbers of channels is asked for, not 6"),
    ("equal_bits", CUT + "None", "returned None"),
    ("listens", LISTEN + "[bits / base for bits in without]", "these are ratios"),
    ("listens", LISTEN + "[100 * (bits / base - 1) for bits in without]", "these are percents"),
    ("listens", LISTEN + "without", "these are the bits"),
    ("listens", LISTEN + "[bits - base for bits in without]", "these are additional bits"),
    ("listens", LISTEN + "[(bits - base) / bits for bits in without]", "with *all* slices there"),
    ("listens", LISTEN + "[1 - bits / base for bits in without]", "the sign"),
    ("listens", LISTEN + "sum(without)", "a list of 3 numbers is asked for"),
    ("listens", LISTEN + "[0.5] * len(done)", "not [0.5, 0.5, 0.5]"),
    ("listens", LISTEN + "[0.5]", "one number for each slice before"),
    ("listens", LISTEN.replace("*done[:j], 0", "0") + "without", "do not leave it out"),
    (
        "listens",
        LISTEN.replace("*done[:j]", "*(0 * part for part in done[:j])") + "[bits / base - 1 for bits in without]",
        "not all up to it",
    ),
    (
        "listens",
        "def listens(rate, done):\n    base, shares = rate(done), []\n    for j in range(len(done)):\n"
        "        done[j].zero_()\n        shares.append(rate(done) / base - 1)\n    return shares",
        "done is not as it was",
    ),
]
