"""The checks of notebook 11: portable bitstreams."""

import math
import random
from collections.abc import Sequence

from tutorial_lib.workbench.checks import Wrong, as_number, call, exercise

# The seven ways of exercise 3, and what to say to someone who takes them for what they are not.
PORTABLE = {
    "A": "that is this notebook's layer: sums far below 2^53, a power of two, and IEEE 754's own rounding.",
    "C": "nine sums below 2^45 stay below 2^49, and one division of two exact numbers is defined to the last bit.",
    "F": "a stored table gives the same whole number everywhere: nothing is computed.",
}
NOT_PORTABLE = {
    "B": "float32 holds whole numbers up to 2^24 only, and these sums may reach 2^30.",
    "D": "a fraction among the terms is no whole number: the partial sums are rounded, in some order.",
    "E": "sigmoid needs exp, whose last digit is each library's own; next to a half, it is rounded to either side.",
    "G": "times 0.3, they are no whole numbers any more, and the next layer's sums have an order again.",
}


@exercise
def to_units_of(function) -> str:
    """to_units_of(x, bits, limit): x in fixed point."""
    numbers = (0.0, 1.0, 0.3, -0.3, 2.75, -2.75, 0.1, 1.5, 2.5, -0.5, -1.5, 1e6, -1e6)
    for bits, limit in ((10, 2**23), (0, 100), (2, 2**10)):
        for x in numbers:
            answer = as_number(call(function, x, bits, limit), "A whole number")
            right = max(-limit, min(limit, round(x * 2**bits)))
            if answer != right:
                raise Wrong(f"x = {x}, bits = {bits}, limit = {limit}: {_wrong_units(answer, x, bits, limit, right)}")
    return "The same on every machine: IEEE 754 defines each of these steps."


def _wrong_units(answer: float, x: float, bits: int, limit: int, right: int) -> str:
    scaled = x * 2**bits
    if answer != math.floor(answer):
        return f"{answer} is no whole number. Fixed point counts units."
    if abs(scaled) > limit:
        if abs(answer) > limit:
            return f"{answer:.0f} is beyond the limit: clamp it."
        return f"clamped to {right}, not {answer:.0f}."
    if bits and answer == round(x) != 0:
        return "it is still in units of 1. How many units of 2^-bits are in x?"
    if abs(scaled) % 1 == 0.5 and abs(answer - scaled) == 0.5:
        return f"{scaled} lies in the middle: IEEE 754 goes to the even one, {right}, not {answer:.0f}."
    if answer in (math.trunc(scaled), math.floor(scaled)):
        return f"{scaled:.4g} was cut off to {answer:.0f}; the nearest is {right}."
    return f"{right}, not {answer:.0f}."


@exercise
def largest_sum(function) -> str:
    """largest_sum(weight, bias, limit): the bound of a layer."""
    generator = random.Random(11)
    cases = [
        ([[3, -2, 1]], [5], 10),
        ([[3, -2, 1]], [-5], 10),
        ([[1, 1, 1, 1], [-3, 0, 0, 0]], [0, 2], 100),
        ([[2, 2], [-1, -2]], [1, 1000], 7),
        (
            [[generator.randint(-(2**17), 2**17) for _ in range(9)] for _ in range(5)],
            [2**27, -7, 0, 1, -(2**40)],
            2**23,
        ),
    ]
    for weight, bias, limit in cases:
        answer = as_number(call(function, [list(row) for row in weight], list(bias), limit))
        right = max(sum(map(abs, row)) * limit + abs(b) for row, b in zip(weight, bias, strict=True))
        if answer != right:
            case = f"weight {weight}, bias {bias}, limit {limit}" if limit < 2**20 else "larger numbers"
            raise Wrong(f"{case}: {_wrong_bound(answer, weight, bias, limit, right)}")
    return "It holds for every input there can be, without trying one."


def _wrong_bound(answer: float, weight: Sequence[Sequence[int]], bias: Sequence[int], limit: int, right: int) -> str:
    rows = list(zip(weight, bias, strict=True))
    signs = "weights of both signs do not cancel, since the input may have signs, too: take absolute values, then add."
    sums = [(sum(row), sum(map(abs, row)), max(map(abs, row)), b) for row, b in rows]
    mistakes: dict[float, str] = {
        max(plain * limit + b for plain, _, _, b in sums): signs,
        max(abs(plain * limit + b) for plain, _, _, b in sums): signs,
        max(abs(plain) * limit + abs(b) for plain, _, _, b in sums): signs,
        max(total * limit for _, total, _, _ in sums): "the bias is missing.",
        max(
            total * limit + b for _, total, _, b in sums
        ): "a negative bias makes a sum larger, too, on the other side.",
        max(total + abs(b) for _, total, _, b in sums): "inputs may be as large as the limit, not 1.",
        max(
            (total + abs(b)) * limit for _, total, _, b in sums
        ): "the bias is added as it is; the limit is for inputs.",
        max(one * limit + abs(b) for _, _, one, b in sums): "a sum has all the terms, not only the largest.",
        sum(total * limit + abs(b) for _, total, _, b in sums): "outputs are not added up: the largest of them counts.",
        sums[0][1] * limit + abs(bias[0]): "that is the first output; another one may be larger.",
    }
    largest_each = max(sum(map(abs, row)) for row in weight) * limit + max(map(abs, bias))
    if answer in mistakes:
        return mistakes[answer]
    if answer == largest_each:
        return "the largest weights and the largest bias may belong to different outputs."
    return f"{right}, not {answer:.0f}."


@exercise
def portable_ones(answer) -> str:
    """The letters of the ways that are portable."""
    if not isinstance(answer, str | list | tuple | set | frozenset) or not all(isinstance(a, str) for a in answer):
        raise Wrong('A string of letters is asked for, such as "AB".')
    letters = {letter for letter in "".join(answer).upper() if letter.isalnum()}
    if unknown := letters - set(PORTABLE) - set(NOT_PORTABLE):
        raise Wrong(f"There is no {', '.join(sorted(unknown))}; the ways are A to G.")
    for letter, reason in NOT_PORTABLE.items():
        if letter in letters:
            raise Wrong(f"{letter} is not portable: {reason}")
    for letter, reason in PORTABLE.items():
        if letter not in letters:
            raise Wrong(f"{letter} is missing: {reason}")
    return "Whole numbers, single rounded steps, stored tables: no more is needed."


@exercise
def breaks(function) -> str:
    """breaks(values, error, ratio): the probability that at least one table differs."""
    for values, error, ratio in (
        (400_000, 1e-7, 1.13),
        (18_000_000, 1e-7, 1.13),
        (1000, 1e-9, 1.01),
        (400_000, 1e-3, 2),
    ):
        answer = as_number(call(function, values, error, ratio), "A probability")
        expected = values * error / math.log(ratio)
        right = -math.expm1(-expected)
        if abs(answer - right) > 1e-6 * right + 1e-12:
            case = f"{values:,} values, error {error:g}, ratio {ratio}"
            raise Wrong(f"{case}: {_wrong_probability(answer, values, error, ratio)}")
    return "So ten test pictures may pass, and a camera's photos fail."


def _wrong_probability(answer: float, values: int, error: float, ratio: float) -> str:
    expected = values * error / math.log(ratio)

    def is_(number: float) -> bool:
        return abs(answer - number) <= 1e-6 * abs(number)

    if is_(math.exp(-expected)):
        return "that is the probability that *no* table differs."
    if is_(expected) or is_(min(1, expected)):
        return f"{expected:.4g} flips are expected. With which probability is there at least one?"
    for step, name in ((ratio - 1, "ratio − 1"), (math.log2(ratio), "log2(ratio)"), (ratio, "the ratio")):
        if is_(-math.expm1(-values * error / step)) or is_(values * error / step):
            return f"the tables' distance, for relative errors, is the natural logarithm of the ratio, not {name}."
    if is_(-math.expm1(-error / math.log(ratio))):
        return "that is for one value; there are many."
    return f"{-math.expm1(-expected):.4g}, not {answer:.4g}."
