"""The checks of notebook 10: slicing."""

from itertools import accumulate
from math import ceil
from numbers import Real

import torch
from torch import Tensor

from tutorial_lib.workbench.checks import Wrong, call, exercise

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
                left = [int(k) for k in answer]
            except (TypeError, ValueError):
                raise Wrong(f"A list of slices is asked for, not {answer!r}.") from None
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
            answer = call(function, list(sizes), budget)
            case = f"sizes {sizes}, budget {budget}"
            right = sum(total <= budget for total in accumulate(sizes)) - 1
            if isinstance(answer, Tensor) and answer.numel() == 1:
                answer = answer.item()
            if not isinstance(answer, Real):
                raise Wrong(f"One number is asked for, not a value of type {type(answer).__name__}.")
            if answer == right:
                continue
            without_z = sum(total <= budget for total in accumulate(sizes[1:]))
            below = sum(total < budget for total in accumulate(sizes)) - 1
            if answer == right + 1 and budget >= sum(sizes):
                raise Wrong(f"{case}: z's string is no slice; do not count it.")
            if right == -1:
                raise Wrong(f"{case}: not even z gets through; that is −1, not {answer}.")
            if answer == below:
                raise Wrong(f"{case}: exactly as many bytes as the budget get through, too.")
            if answer == without_z:
                raise Wrong(f"{case}: z's string comes first, and its bytes count.")
            if answer == _greedy(sizes, budget):
                raise Wrong(
                    f"{case}: you leave out a long string and take shorter ones after it, but they build on it."
                )
            if answer == right + 1:
                raise Wrong(f"{case}: {right} slice(s), not {answer}. Is z among yours, or half a string?")
            raise Wrong(f"{case}: {right} slice(s) can be decoded, not {answer}.")
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
        answer = call(function, height, width, size)
        try:
            answer = float(answer)
        except (TypeError, ValueError):
            raise Wrong(f"One number is asked for, not a value of type {type(answer).__name__}.") from None
        right = _floor(height, width, size)
        case = f"{height} × {width} pixels, tiles of {size} × {size}"
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
            if not isinstance(answer, tuple | list) or len(answer) != 2:
                raise Wrong("Two tensors are asked for: coarse, fine.")
            coarse, fine = answer
            if not all(isinstance(part, Tensor) and part.shape == symbols.shape for part in answer):
                raise Wrong("coarse and fine must be tensors of the symbols' shape.")
            coarse, fine = coarse.double(), fine.double()
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
