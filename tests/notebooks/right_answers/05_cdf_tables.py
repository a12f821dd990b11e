"""Notebook 05: right answers, written otherwise than the folded solution (read by test_exercises.py)."""

RIGHT = [
    # ---- price: NumPy in float32, torch, a search for the digits
    (
        "price",
        """
def price(value, cdf, offset):
    widths = np.diff(np.array(cdf))
    bits = np.float32(16) - np.log2(widths.astype(np.float32))
    listed = len(widths) - 1
    v = value - offset
    if v in range(listed):
        return bits[v]
    if v >= listed:
        r = 2 * (v - listed)
    else:
        r = -2 * v - 1
    digits = 0
    while r > 0:
        r //= 16
        digits += 1
    return bits[-1] + 4 * (digits + 1)
""",
    ),
    (
        "price",
        """
def price(value, cdf, offset):
    bits = -torch.log2(torch.tensor(cdf).diff() / 65536)
    n, v = len(bits) - 1, value - offset
    if 0 <= v < n:
        return bits[v]
    r = 2 * (v - n) if v >= n else 2 * abs(v) - 1
    return bits[n] + 4 + 4 * ((r.bit_length() + 3) // 4)
""",
    ),
    (
        "price",
        """
from math import log2

def price(value, cdf, offset):
    for symbol in range(len(cdf) - 2):
        if offset + symbol == value:
            return -log2((cdf[symbol + 1] - cdf[symbol]) / cdf[-1])
    last = offset + len(cdf) - 3
    r = 2 * (value - last - 1) if value > last else 2 * (offset - value) - 1
    cost = log2(cdf[-1] / (cdf[-1] - cdf[-2])) + 4
    for digits in range(16):
        if r < 16**digits:
            return cost + 4 * digits
""",
    ),
    # ---- rob_the_rich: NumPy, torch, a heap, plain loops
    (
        "rob_the_rich",
        """
def rob_the_rich(widths):
    widths = np.array(widths)
    for poor in np.flatnonzero(widths == 0):
        widths[widths.argmax()] -= 1
        widths[poor] += 1
    return widths
""",
    ),
    (
        "rob_the_rich",
        """
def rob_the_rich(widths):
    widths = torch.tensor(widths, dtype=torch.float32)
    for poor in (widths == 0).nonzero().flatten():
        widths[widths.argmax()] -= 1
        widths[poor] = 1
    return widths
""",
    ),
    (
        "rob_the_rich",
        """
import heapq

def rob_the_rich(widths):
    heap = [(-width, k) for k, width in enumerate(widths) if width]
    heapq.heapify(heap)
    new = {k: -minus for minus, k in heap}
    for poor, width in enumerate(widths):
        if width:
            continue
        minus, k = heap[0]
        heapq.heapreplace(heap, (minus + 1, k))
        new[k] -= 1
        new[poor] = 1
    return [new[k] for k in range(len(widths))]
""",
    ),
    (
        "rob_the_rich",
        """
def rob_the_rich(widths):
    result = widths.copy()
    while 0 in result:
        richest = 0
        for i in range(1, len(result)):
            if result[i] > result[richest]:
                richest = i
        result[result.index(0)] = 1
        result[richest] -= 1
    return tuple(result)
""",
    ),
    # ---- sound: NumPy, torch, a loop, a search for the end
    (
        "sound",
        """
def sound(row, length):
    row = np.array(row)
    if length < 2 or length > row.size:
        return False
    return (
        row[0] == 0 and row[length - 1] == 65536 and (np.diff(row[:length]) > 0).all() and (row[length:] == 0).all()
    )
""",
    ),
    (
        "sound",
        """
def sound(row, length):
    if length <= 1 or len(row) < length:
        return torch.tensor(False)
    row = torch.tensor(row)
    climbs = torch.all(row[:length].diff() > 0)
    ends = (row[0] == 0) & (row[length - 1] == 1 << 16)
    return climbs & ends & ~torch.any(row[length:])
""",
    ),
    (
        "sound",
        """
def sound(row, length):
    if length < 2 or length > len(row) or row[0] != 0:
        return False
    for i in range(1, len(row)):
        if i < length and row[i] <= row[i - 1]:
            return False
        if i == length - 1 and row[i] != 65536:
            return False
        if i >= length and row[i] != 0:
            return False
    return True
""",
    ),
    (
        "sound",
        """
def sound(row, length):
    if 65536 not in row or row.index(65536) != length - 1:
        return 0
    wanted = sorted(set(row[:length])) + [0] * (len(row) - length)
    return int(row[0] == 0 and row == wanted)
""",
    ),
    # ---- cut: cumulative sums in NumPy, in float32, in torch; a running sum; popping
    (
        "cut",
        """
def cut(pmf, offset, tail_mass):
    pmf = np.array(pmf)
    first = np.searchsorted(pmf.cumsum(), tail_mass / 2, side="right")
    last = len(pmf) - np.searchsorted(pmf[::-1].cumsum(), tail_mass / 2, side="right")
    return pmf[first:last], offset + first, pmf[:first].sum() + pmf[last:].sum()
""",
    ),
    (
        "cut",
        """
def cut(pmf, offset, tail_mass):
    pmf = np.array(pmf, dtype=np.float32)
    left = int((np.cumsum(pmf) <= tail_mass / 2).sum())
    right = int((np.cumsum(pmf[::-1]) <= tail_mass / 2).sum())
    kept = pmf[left : len(pmf) - right]
    return kept.tolist(), offset + left, 1 - kept.sum()
""",
    ),
    (
        "cut",
        """
def cut(pmf, offset, tail_mass):
    pmf = torch.tensor(pmf)
    goes_left = pmf.cumsum(0) <= tail_mass / 2
    goes_right = (pmf.flip(0).cumsum(0) <= tail_mass / 2).flip(0)
    stays = ~(goes_left | goes_right)
    return pmf[stays], offset + goes_left.sum(), pmf[~stays].sum()
""",
    ),
    (
        "cut",
        """
def cut(pmf, offset, tail_mass):
    left = right = 0.0
    kept = list(pmf)
    while left + kept[0] <= tail_mass / 2:
        left += kept.pop(0)
        offset += 1
    while right + kept[-1] <= tail_mass / 2:
        right += kept.pop()
    return [kept, offset, left + right]
""",
    ),
    (
        "cut",
        """
def cut(pmf, offset, tail_mass):
    def how_many(entries):
        return sum(total <= tail_mass / 2 for total in itertools.accumulate(entries))

    first, last = how_many(pmf), len(pmf) - how_many(reversed(pmf))
    dropped = [p for k, p in enumerate(pmf) if not first <= k < last]
    return pmf[first:last], offset + first, math.fsum(dropped)
""",
    ),
    # ---- one_at_a_time: lists, a heap, torch, all savings sorted, a table of best shares
    (
        "one_at_a_time",
        """
def one_at_a_time(pmf, precision):
    widths = [1] * len(pmf)
    while sum(widths) < 2**precision:
        saved = [p * math.log2((w + 1) / w) for p, w in zip(pmf, widths)]
        widths[saved.index(max(saved))] += 1
    return widths
""",
    ),
    (
        "one_at_a_time",
        """
import heapq

def one_at_a_time(pmf, precision):
    widths = [1] * len(pmf)
    heap = [(p * math.log2(1 / 2), k) for k, p in enumerate(pmf)]
    heapq.heapify(heap)
    for _ in range(2**precision - len(pmf)):
        k = heap[0][1]
        widths[k] += 1
        heapq.heapreplace(heap, (pmf[k] * math.log2(widths[k] / (widths[k] + 1)), k))
    return widths
""",
    ),
    (
        "one_at_a_time",
        """
def one_at_a_time(pmf, precision):
    pmf = torch.tensor(pmf)
    widths = torch.ones(len(pmf))
    for _ in range(2**precision - len(pmf)):
        saved = pmf * torch.log2((widths + 1) / widths)
        widths[saved.argmax()] += 1
    return widths
""",
    ),
    (
        "one_at_a_time",
        """
def one_at_a_time(pmf, precision):
    pmf = np.array(pmf, dtype=np.float32)
    widths = np.ones(len(pmf), dtype=np.float32)
    for _ in range(2**precision - len(pmf)):
        widths[np.argmax(pmf * (np.log2(widths + 1) - np.log2(widths)))] += 1
    return widths.astype(int)
""",
    ),
    (
        "one_at_a_time",
        """
def one_at_a_time(pmf, precision):
    # all savings there can be, the largest first: those of one symbol come in their order
    w = np.arange(1, 2**precision)
    saved = np.outer(pmf, np.log2(w + 1) - np.log2(w))
    best = np.argsort(-saved.ravel(), kind="stable")[: 2**precision - len(pmf)]
    return 1 + np.bincount(best // len(w), minlength=len(pmf))
""",
    ),
    (
        "one_at_a_time",
        """
def one_at_a_time(pmf, precision):
    # without greed: the cheapest way to share 0 … 2^precision counts among the first symbols
    total = 2**precision
    cheapest, choices = np.where(np.arange(total + 1) == 0, 0.0, np.inf), []
    for p in pmf:
        cost = np.full((total + 1, total + 1), np.inf)  # [counts, those of this symbol]
        for w in range(1, total + 1):
            cost[w:, w] = cheapest[: total + 1 - w] + p * (precision - math.log2(w))
        cheapest = cost.min(1)
        choices.append(cost.argmin(1))
    widths = []
    for choice in choices[::-1]:
        widths.insert(0, int(choice[total]))
        total -= widths[0]
    return widths
""",
    ),
    # ---- best_reach: lists, torch in float32, prices of one's own in NumPy
    (
        "best_reach",
        """
from tutorial_lib.workbench.table_prices import price

def best_reach(pmf):
    M = len(pmf) // 2

    def expected(r):
        listed = pmf[M - r : M + r + 1]
        row = pmf_to_quantized_cdf([*listed, max(0.0, 1 - sum(listed))]).tolist()
        return sum(pmf[M + value] * price(value, row, -r) for value in range(-M, M + 1))

    return min(range(M + 1), key=expected)
""",
    ),
    (
        "best_reach",
        """
from tutorial_lib.workbench.table_prices import price

def best_reach(pmf):
    pmf = torch.tensor(pmf)
    M = len(pmf) // 2
    costs = torch.zeros(M + 1)
    for r in range(M + 1):
        listed = pmf[M - r : M + r + 1]
        rest = (1 - listed.sum()).clamp(min=0)
        row = pmf_to_quantized_cdf(torch.cat([listed, rest[None]]).numpy())
        prices = torch.tensor([price(value, row, -r) for value in range(-M, M + 1)])
        costs[r] = (pmf * prices).sum()
    return costs.argmin()
""",
    ),
    (
        "best_reach",
        """
def best_reach(pmf):
    pmf = np.array(pmf)
    M = len(pmf) // 2
    values = np.arange(-M, M + 1)
    best, least = None, np.inf
    for r in range(M + 1):
        inside = abs(values) <= r
        rest = pmf[~inside].sum()
        bits = 16 - np.log2(np.diff(pmf_to_quantized_cdf(np.append(pmf[inside], rest))))
        folded = np.where(values > r, 2 * (values - r - 1), -2 * (values + r) - 1)[~inside]
        digits = np.array([len(f"{f:x}") if f else 0 for f in folded.tolist()])
        cost = pmf[inside] @ bits[:-1] + (pmf[~inside] * (bits[-1] + 4 + 4 * digits)).sum()
        if cost < least:
            best, least = r, cost
    return best
""",
    ),
]
