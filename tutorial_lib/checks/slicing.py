"""The checks of notebook 10: slicing."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import accumulate, pairwise
from math import ceil

import numpy as np
import torch
from torch import Tensor

from tutorial_lib.checks import Wrong, as_number, call, exercise, short

STATE = 8  # bytes: no string of the coder is shorter

CHAIN = [[], [0], [0, 1], [0, 1, 2]]
LINKS = [[], [0], [1], [2]]  # a chain, of which each slice names only the one before it
TILES: list[list[int]] = [[], [], [], []]
BACKWARDS = [[1], [2], [3], []]
MIXED = [[], [0], [], [2], [1, 2]]
GRAPHS = {
    "a chain": CHAIN,
    "tiles": TILES,
    "a chain of direct links": LINKS,
    "links backwards": BACKWARDS,
    "both": MIXED,
}


def _left(needs: list[list[int]], lost: list[int]) -> list[int]:
    def is_gone(k: int) -> bool:
        return k in lost or any(is_gone(needed) for needed in needs[k])

    return [k for k in range(len(needs)) if not is_gone(k)]


@exercise
def decodable(function) -> str:
    """decodable(needs, lost): the slices that are left, sorted."""
    for name, needs in GRAPHS.items():
        for lost in ([], [0], [1], [2], [3], [1, 3]):
            answer = call(function, [list(wanted) for wanted in needs], list(lost))
            case = f"{name}, needs = {needs}, lost = {lost}"
            try:
                given = list(answer)
                left = [int(k) for k in given]
            except (TypeError, ValueError, RuntimeError):
                raise Wrong(f"A list of slices is asked for, not {short(answer)}.") from None
            if any(k != n for k, n in zip(left, given, strict=True)):
                raise Wrong(f"{case}: slices have whole numbers, unlike {given}.")
            right = _left(needs, lost)
            if left == right:
                continue
            if set(left) & set(lost):
                raise Wrong(f"{case}: what is lost cannot be decoded, but your answer {left} holds some of it.")
            if sorted(left) == right:
                raise Wrong(f"{case}: the right slices, but not in ascending order: {left}.")
            if left and left == [k for k in range(len(needs)) if k not in right]:
                raise Wrong(f"{case}: these are the slices that are gone; the others are asked for.")
            if left == [k for k in range(len(needs)) if k not in lost]:
                raise Wrong(f"{case}: only the lost ones are missing in your answer. Who needs them?")
            if left == [k for k in range(len(needs)) if k not in lost and not set(needs[k]) & set(lost)]:
                raise Wrong(f"{case}: one step is not enough: a slice may need one that needs a lost one.")
            if lost and left == list(range(min(lost))):
                raise Wrong(f"{case}: you stop at the first loss. Some after it do not need it.")
            raise Wrong(f"{case}: {right} can still be decoded, you say {left}.")
    return "Direct needs are enough to draw the graph; what is gone spreads along it."


@exercise
def slices_within(function) -> str:
    """slices_within(sizes, budget): how many slices after z fit into a budget of bytes."""
    for sizes in ([10, 40, 30, 20, 5], [300, 9000, 2000, 1000], [8], [50, 8, 100, 8, 8]):
        for budget in _budgets(sizes):
            case = f"sizes {sizes}, budget {budget}"
            answer = as_number(call(function, list(sizes), budget), f"{case}: one number")
            right = sum(total <= budget for total in accumulate(sizes)) - 1
            if answer == right:
                continue
            without_z = sum(total <= budget for total in accumulate(sizes[1:]))
            below = sum(total < budget for total in accumulate(sizes)) - 1
            if answer == right + 1 and budget >= sum(sizes):
                raise Wrong(f"{case}: z's string is no slice; do not count it.")
            if right == -1:
                raise Wrong(f"{case}: not even z gets through; that is −1, not {answer:g}.")
            if answer == below:
                raise Wrong(f"{case}: exactly as many bytes as the budget get through, too.")
            if answer == without_z:
                raise Wrong(f"{case}: z's string comes first, and its bytes count.")
            if answer == _greedy(sizes, budget):
                raise Wrong(
                    f"{case}: you leave out a long string and take shorter ones after it, but they build on it."
                )
            if answer == right + 1:
                raise Wrong(f"{case}: {right} slice(s), not {answer:g}. Is z among yours, or half a string?")
            raise Wrong(f"{case}: {right} slice(s) can be decoded, not {answer:g}.")
    return "A file that can stop anywhere needs these lengths at its beginning."


def _budgets(sizes: list[int]) -> list[int]:
    """From ample to none: the totals, and one byte less."""
    totals = list(accumulate(sizes))
    return sorted({0, 7, 66, 85, 10**6, *totals, *(total - 1 for total in totals)}, reverse=True)


def _greedy(sizes: list[int], budget: int) -> int:
    taken = 0
    for size in sizes:
        if size <= budget:
            budget -= size
            taken += 1
    return taken - 1


@exercise
def least_bytes(function) -> str:
    """least_bytes(height, width, size): what the strings' states alone take."""
    for height, width, size in [(512, 512, 8), (512, 768, 16), (500, 741, 8), (300, 451, 4), (16, 16, 8), (17, 1, 1)]:
        case = f"{height} × {width} pixels, tiles of {size} × {size}"
        answer = as_number(call(function, height, width, size), f"{case}: one number")
        right = _floor(height, width, size)
        if answer == right:
            continue
        if answer == right / 2:
            raise Wrong(f"{case}: two strings a tile, z's and y's; you count one.")
        if answer == right / STATE:
            raise Wrong(f"{case}: that is the number of strings; each has at least {STATE} bytes.")
        if answer == 8 * right:
            raise Wrong(f"{case}: these are bits.")
        if answer == 16 * ceil(height / size) * ceil(width / size):
            raise Wrong(f"{case}: a tile has {size} × {size} positions of the latent, not pixels.")
        if answer == 16 * (height // (16 * size)) * (width // (16 * size)):
            raise Wrong(f"{case}: the tiles at the edges are smaller, but they are tiles. Round up.")
        if answer == 16 * ceil(ceil(height / 16) * ceil(width / 16) / size**2):
            raise Wrong(f"{case}: round up in each direction by itself: a tile does not reach around the edge.")
        raise Wrong(f"{case}: {right} bytes, not {answer:g}.")
    return "Large tiles, then: with 16 × 16 positions the floor is next to nothing."


def _floor(height: int, width: int, size: int) -> int:
    return 2 * STATE * ceil(ceil(height / 16) / size) * ceil(ceil(width / 16) / size)


@exercise
def two_rounds(function) -> str:
    """two_rounds(symbols, n): coarse and fine, n * coarse + fine == symbols."""
    for n in (3, 5, 9):
        for symbols in (torch.arange(-40.0, 41.0), torch.arange(12.0).reshape(3, 4) - 7):
            answer = call(function, symbols.clone(), n)
            if not isinstance(answer, tuple | list | np.ndarray | Tensor) or len(answer) != 2:
                raise Wrong("Two tensors are asked for: coarse, fine.")
            try:
                coarse, fine = (torch.as_tensor(part).detach().double() for part in answer)
            except (TypeError, ValueError, RuntimeError):
                raise Wrong("Two tensors are asked for: coarse, fine.") from None
            if not coarse.shape == fine.shape == symbols.shape:
                raise Wrong("coarse and fine must be tensors of the symbols' shape.")
            if torch.equal(n * fine + coarse, symbols.double()):
                raise Wrong("The right numbers in the wrong order: coarse comes first.")
            if (coarse != coarse.round()).any() or (fine != fine.round()).any():
                raise Wrong(f"n = {n}: not all of these are whole numbers.")
            wrong = n * coarse + fine != symbols
            if wrong.any():
                symbol, c, f = (values[wrong][0].item() for values in (symbols, coarse, fine))
                raise Wrong(f"n = {n}: {n} · {c:g} + {f:g} is not {symbol:g}.")
            values = fine.unique().tolist()
            if min(values) >= 0 and len(values) == n:
                raise Wrong(
                    f"n = {n}: fine runs from 0 to {max(values):g}: that is floor division. Nearer to 0, please."
                )
            if len(values) > n:
                raise Wrong(f"n = {n}: fine has {len(values)} values, {values[0]:g} to {values[-1]:g}; {n} are enough.")
            if max(map(abs, values)) > (n - 1) / 2:
                raise Wrong(f"n = {n}: fine runs from {values[0]:g} to {values[-1]:g}; ±{(n - 1) // 2} is enough.")
    return "Each coarse bin is n fine ones: so two rounds cost what one costs."


@exercise
def equal_bits(function) -> str:
    """equal_bits(cost, K): how many channels each of K slices has, so that all hold about equally many bits."""
    for cost, K in (
        ([8, 3, 2, 1, 1, 1], 2),
        ([4, 4, 4, 4, 4, 4], 3),
        ([9, 7, 6, 5, 4, 3, 2, 2, 1, 1], 4),
        ([2, 3, 5, 1, 1, 6, 2, 4, 3, 3], 3),
        ([3, 1, 2, 1, 1, 2], 3),  # a third of all is no whole number of bits
        ([3, 1, 2], 1),
    ):
        case = f"cost {cost}, K = {K}"
        answer = call(function, list(cost), K)
        try:
            sizes = [as_number(size) for size in answer]
        except TypeError:
            raise Wrong(f"{case}: a list of {K} numbers of channels is asked for, not {short(answer)}.") from None
        sums = list(accumulate(cost))
        goals = [sums[-1] * k / K for k in range(1, K)]
        ends = [bisect_left(sums, goal) + 1 for goal in goals]
        if sizes != _between(ends, len(cost)):
            raise Wrong(f"{case}: {_wrong_cut(sizes, cost, K, sums, goals, ends)}")
    return "The first slices get few channels: where most bits are, a decoder sees something early, and knows more."


def _between(ends: list[int], channels: int) -> list[int]:
    return [after - before for before, after in pairwise([0, *ends, channels])]


def _wrong_cut(
    sizes: list[float], cost: list[int], K: int, sums: list[int], goals: list[float], ends: list[int]
) -> str:
    n = len(cost)
    said = [int(size) if size == int(size) else size for size in sizes]
    if said in ([*ends, n], ends, [0, *ends], [0, *ends, n]):
        return f"{said} is where the slices end; how many channels each has is asked for."
    if said == [sum(cost[a:b]) for a, b in pairwise([0, *ends, n])]:
        return f"{said} are the slices' bits; their numbers of channels are asked for."
    if len(said) != K:
        return f"that makes {len(said)} numbers; {K} are asked for."
    if sum(said) != n:
        return f"{said} are {sum(said)} channels, and there are {n}."
    if said == [n // K + (k < n % K) for k in range(K)] or said == [n // K] * (K - 1) + [n - n // K * (K - 1)]:
        return "these slices have equally many channels; equally many bits are asked for."
    if said == _between([bisect_right(sums, goal) + 1 for goal in goals], n):
        return "where the sum is exactly a K-th, it has reached it: the slice ends there."
    if said == _between([bisect_left(sums, int(goal)) + 1 for goal in goals], n):
        return "a K-th of all need not be a whole number of bits: do not round it down."
    if said == _between([bisect_left(sums, goal) for goal in goals], n):
        return "each slice ends *with* the channel that reaches the share; yours end before it."
    if said == _between(_afresh(cost, K), n):
        return "count the bits from the first channel on; you begin at 0 again after each cut."
    return f"{_between(ends, n)} channels, not {said}."


def _afresh(cost: list[int], K: int) -> list[int]:
    """Where slices end for one who counts from 0 after each cut."""
    ends: list[int] = []
    held = 0
    for place, bits in enumerate(cost, start=1):
        held += bits
        if held >= sum(cost) / K and len(ends) < K - 1:
            ends.append(place)
            held = 0
    return ends


@exercise
def listens(function) -> str:
    """listens(rate, done): for each slice, the share of bits that it saves the next one."""
    for base, weights in ((50.0, [5.0, 0.0, 20.0]), (80.0, [8.0]), (64.0, [-4.0, 16.0, 2.0, 1.0])):
        done = [torch.full((1, 2, 3, 3), float(n + 1)) for n in range(len(weights))]
        rate = _rate_of(base, weights)
        answer = call(function, rate, done)
        if any((part != n + 1).any() for n, part in enumerate(done)) or len(done) != len(weights):
            raise Wrong("done is not as it was: make a new list for each j, with a new tensor of zeros in it.")
        case = f"{len(weights)} slice(s) before, {base:g} bits with all of them"
        try:
            shares = [as_number(share) for share in answer]
        except TypeError:
            raise Wrong(f"{case}: a list of {len(weights)} numbers is asked for, not {short(answer)}.") from None
        _check_shares(shares, base, weights, case)
    return "So a triangle has weights: most of what is known comes from few of the slices."


def _rate_of(base: float, weights: list[float]) -> Callable[[list[Tensor]], float]:
    def rate(done: list[Tensor]) -> float:
        if len(done) != len(weights) or any(part.shape != (1, 2, 3, 3) for part in done):
            raise Wrong("rate wants all slices, each in its shape: put zeros in place of one, do not leave it out.")
        return base + sum(w for part, w in zip(done, weights, strict=True) if not part.any())

    return rate


def _check_shares(shares: list[float], base: float, weights: list[float], case: str) -> None:
    def are(wanted: list[float]) -> bool:
        return len(shares) == len(wanted) and all(
            math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6) for a, b in zip(shares, wanted, strict=True)
        )

    right = [w / base for w in weights]
    if are(right):
        return
    if len(shares) != len(weights):
        raise Wrong(f"{case}: one number for each slice before, {len(weights)}, not {len(shares)}.")
    mistakes = (
        ([1 + share for share in right], "these are ratios; of 1.1 the share of additional bits is 0.1."),
        ([100 * share for share in right], "these are percents; 10 % is 0.1."),
        ([base + w for w in weights], "these are the bits; which share of them is additional?"),
        (weights, "these are additional bits; divide by the bits with all slices."),
        ([w / (base + w) for w in weights], "divide by the bits with *all* slices there."),
        ([-share for share in right], "the sign: a slice that is missed costs more bits, a number above 0."),
        ([sum(weights[: n + 1]) / base for n in range(len(weights))], "only slice j is replaced, not all up to it."),
        ([(sum(weights) - w) / base for w in weights], "slice j is replaced, and the others stay."),
    )
    for wrong, sentence in mistakes:
        if are(wrong):
            raise Wrong(f"{case}: {sentence}")
    raise Wrong(f"{case}: {[round(share, 3) for share in right]}, not {[round(share, 3) for share in shares]}.")
