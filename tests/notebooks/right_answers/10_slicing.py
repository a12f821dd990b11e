"""Notebook 10: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

FLOOR = "def least_bytes(height, width, size):\n    "
ROUNDS = "def two_rounds(symbols, n):\n    "
FIT = "def slices_within(sizes, budget):\n    "

ASKED_ONE_BY_ONE = """
def decodable(needs, lost):
    def can(k):
        return k not in lost and all(can(needed) for needed in needs[k])
    return [k for k in range(len(needs)) if can(k)]
"""
UNTIL_NOTHING_CHANGES = """
def decodable(needs, lost):
    there, before = set(range(len(needs))) - set(lost), None
    while there != before:
        before = there
        there = {k for k in there if there.issuperset(needs[k])}
    return sorted(there)
"""
SPREAD = """
def decodable(needs, lost):
    users = {k: [] for k in range(len(needs))}
    for k, wanted in enumerate(needs):
        for needed in wanted:
            users[needed].append(k)
    gone, waiting = set(), list(lost)
    while waiting:
        k = waiting.pop()
        if k not in gone:
            gone.add(k)
            waiting += users[k]
    return sorted(k for k in users if k not in gone)
"""
MATRIX = """
import numpy as np
def decodable(needs, lost):
    n = len(needs)
    reach = np.eye(n, dtype=int)
    for k, wanted in enumerate(needs):
        reach[k, wanted] = 1
    reach = np.linalg.matrix_power(reach, n)  # k reaches all that it needs, directly or not
    gone = np.zeros(n, dtype=int)
    gone[lost] = 1
    return np.flatnonzero(reach @ gone == 0)
"""
IN_TORCH = """
import torch
def decodable(needs, lost):
    wants = torch.zeros(len(needs), len(needs))
    for k, wanted in enumerate(needs):
        wants[k, wanted] = 1
    there = torch.ones(len(needs))
    there[lost] = 0
    for _ in needs:
        there = there * (wants @ (1 - there) == 0)
    return there.nonzero().flatten().tolist()
"""

STOPPED = """
def slices_within(sizes, budget):
    whole = -1
    for size in sizes:
        budget -= size
        if budget < 0:
            break
        whole += 1
    return whole
"""
SHORTER = """
def slices_within(sizes, budget):
    n = len(sizes)
    while n and sum(sizes[:n]) > budget:
        n -= 1
    return n - 1
"""

LOOP = """
def equal_bits(cost, K):
    sizes, bits, n, k = [], 0, 0, 1
    for c in cost:
        bits += c
        n += 1
        if K * bits >= k * sum(cost):
            sizes.append(n)
            n = 0
            k += 1
    return sizes
"""
COUNTED = """
from itertools import accumulate
def equal_bits(cost, K):
    sums = list(accumulate(cost))
    ends = [sum(s < sums[-1] * k / K for s in sums) + 1 for k in range(K)]
    ends[0] = 0
    return [b - a for a, b in zip(ends, ends[1:] + [len(cost)])]
"""
BISECTED = """
from bisect import bisect_left
from itertools import accumulate, pairwise
def equal_bits(cost, K):
    sums = list(accumulate(cost))
    ends = [0, *(bisect_left(sums, sums[-1] / K * k) + 1 for k in range(1, K)), len(cost)]
    return tuple(b - a for a, b in pairwise(ends))
"""
SEARCHED = """
import torch
def equal_bits(cost, K):
    sums = torch.tensor(cost, dtype=torch.float32).cumsum(0)
    goals = sums[-1] * torch.arange(1, K + 1) / K
    ends = torch.searchsorted(sums, goals) + 1
    return torch.diff(ends, prepend=torch.tensor([0]))
"""
SHARES = """
import numpy as np
def equal_bits(cost, K):
    shares = np.cumsum(np.array(cost) / sum(cost))
    ends = [int(np.argmax(shares >= k / K)) + 1 for k in range(1, K)]
    return np.diff([0, *ends, len(cost)])
"""
SLICE_OF_EACH = """
import numpy as np
def equal_bits(cost, K):
    before = np.cumsum(cost) - cost  # a channel is in slice k if the sum before it has reached k K-ths
    return np.bincount(before * K // sum(cost), minlength=K).tolist()
"""

ALL_POSITIONS = """
def least_bytes(height, width, size):
    tiles = set()
    for i in range(0, height, 16):
        for j in range(0, width, 16):
            tiles.add((i // 16 // size, j // 16 // size))
    return 16 * len(tiles)
"""

NESTED = """
import torch
def two_rounds(symbols, n):
    coarse, fine = [], []
    for symbol in symbols.flatten().tolist():
        c = 0
        while symbol > n // 2:
            symbol, c = symbol - n, c + 1
        while symbol < -(n // 2):
            symbol, c = symbol + n, c - 1
        coarse.append(c)
        fine.append(symbol)
    return torch.tensor(coarse).reshape(symbols.shape), torch.tensor(fine).reshape(symbols.shape)
"""
IN_NUMPY = """
import numpy as np
def two_rounds(symbols, n):
    symbols = symbols.numpy().astype(int)
    coarse = np.rint(symbols / n).astype(int)
    return coarse, symbols - n * coarse
"""
NEAREST = """
import torch
def two_rounds(symbols, n):
    values = torch.arange(n) - n // 2
    fits = (symbols.long()[..., None] - values) % n == 0
    fine = values[fits.int().argmax(-1)]
    return [(symbols.long() - fine) // n, fine]
"""

COPIED = """
import copy
def listens(rate, done):
    shares = []
    for j in range(len(done)):
        other = copy.deepcopy(done)
        other[j].zero_()
        shares.append((rate(other) - rate(done)) / rate(done))
    return shares
"""
PUT_BACK = """
import torch
def listens(rate, done):
    base = rate(done)
    answer = torch.zeros(len(done))
    for j, kept in enumerate(done):
        done[j] = torch.zeros_like(kept)
        answer[j] = rate(done) / base - 1
        done[j] = kept
    return answer
"""
BY_MASK = """
import numpy as np
import torch
def listens(rate, done):
    masks = 1 - torch.eye(len(done))
    bits = [rate([m * part for m, part in zip(mask, done)]) for mask in masks]
    return np.array(bits, dtype=np.float32) / np.float32(rate(done)) - 1
"""
BY_CONDITION = """
def listens(rate, done):
    def bits(j):
        return float(rate([part - part if n == j else part for n, part in enumerate(done)]))
    return [bits(j) / bits(None) - 1.0 for j in range(len(done))]
"""

RIGHT = [
    ("decodable", ASKED_ONE_BY_ONE),
    ("decodable", UNTIL_NOTHING_CHANGES),
    ("decodable", SPREAD),
    ("decodable", MATRIX),
    ("decodable", IN_TORCH),
    ("slices_within", STOPPED),
    ("slices_within", SHORTER),
    (
        "slices_within",
        "import numpy as np\n" + FIT + "return np.searchsorted(np.cumsum(sizes), budget, side='right') - 1",
    ),
    ("slices_within", "import torch\n" + FIT + "return (torch.tensor(sizes).cumsum(0) <= budget).sum() - 1"),
    (
        "slices_within",
        "from bisect import bisect\n"
        + FIT
        + "return bisect([sum(sizes[: n + 1]) for n in range(len(sizes))], budget) - 1",
    ),
    ("equal_bits", LOOP),
    ("equal_bits", COUNTED),
    ("equal_bits", BISECTED),
    ("equal_bits", SEARCHED),
    ("equal_bits", SHARES),
    ("equal_bits", SLICE_OF_EACH),
    ("least_bytes", ALL_POSITIONS),
    ("least_bytes", FLOOR + "return 16 * len(range(0, height, 16 * size)) * len(range(0, width, 16 * size))"),
    (
        "least_bytes",
        FLOOR + "rows, columns = (-(-(-(-n // 16)) // size) for n in (height, width))\n    return 16 * rows * columns",
    ),
    (
        "least_bytes",
        "import numpy as np\n" + FLOOR + "positions = np.ceil(np.array([height, width]) / 16)\n"
        "    return 2 * 8 * np.prod(np.ceil(positions / size))",
    ),
    (
        "least_bytes",
        "import torch\n" + FLOOR + "positions = torch.ceil(torch.tensor([height, width]) / 16)\n"
        "    return torch.ceil(positions / size).prod() * 16",
    ),
    ("two_rounds", NESTED),
    ("two_rounds", IN_NUMPY),
    ("two_rounds", NEAREST),
    ("two_rounds", ROUNDS + "coarse = (symbols + n // 2) // n\n    return coarse, symbols - n * coarse"),
    ("two_rounds", ROUNDS + "fine = (symbols + (n - 1) / 2) % n - (n - 1) / 2\n    return (symbols - fine) / n, fine"),
    ("listens", COPIED),
    ("listens", PUT_BACK),
    ("listens", BY_MASK),
    ("listens", BY_CONDITION),
]
