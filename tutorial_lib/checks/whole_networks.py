"""The checks of notebook 11: portable bitstreams."""

import math
import random
import re
from collections.abc import Sequence

import torch
from torch import Tensor

from tutorial_lib.checks import Wrong, as_number, call, exercise

# The eight ways of exercise 3, and what to say to someone who takes them for what they are not.
PORTABLE = {
    "A": "that is this notebook's layer: sums below 2^24, a power of two, and IEEE 754's own rounding.",
    "C": "nine sums below 2^45 stay below 2^49, and one division of two exact numbers is defined to the last bit.",
    "F": "a stored table gives the same whole number everywhere: nothing is computed.",
    "H": "these are whole numbers of eighths, and sums of 2^20 units are 2^23 eighths: below 2^24.",
}
NOT_PORTABLE = {
    "B": "float32 holds all whole numbers up to 2^24 only, and these sums may reach 2^30.",
    "D": "a fraction among the terms is no whole number: the partial sums are rounded, in some order.",
    "E": "sigmoid needs exp, whose last digit is each library's own; next to a half, it is rounded to either side.",
    "G": "times 0.3, they are no whole numbers of any unit, and the next layer's sums have an order again.",
}


@exercise
def to_units_of(function) -> str:
    """to_units_of(x, bits, limit): x in fixed point."""
    numbers = (0.0, 1.0, 0.3, -0.3, 2.75, -2.75, 0.1, 1.5, 2.5, -0.5, -1.5, 100.3, 1e6, -1e6)
    for bits, limit in ((6, 1023), (0, 100), (2, 2**10), (20, 2**40)):
        for x in numbers:
            answer = as_number(call(function, x, bits, limit), "A whole number")
            right = max(-limit, min(limit, round(x * 2**bits)))
            if answer != right:
                raise Wrong(f"x = {x}, bits = {bits}, limit = {limit}: {_wrong_units(answer, x, bits, limit, right)}")
    return "The same on every machine: IEEE 754 defines each of these steps."


def _wrong_units(answer: float, x: float, bits: int, limit: int, right: int) -> str:
    scaled = x * 2**bits
    if not math.isfinite(answer):
        return f"{answer} is no number of units."
    if abs(right) > 2**24 and answer == float(torch.tensor(scaled, dtype=torch.float32)):
        return f"{right}, not {answer:.0f}: float32 has 24 digits, x more. Compute with Python's numbers."
    if answer != math.floor(answer):
        return f"{answer} is no whole number. Fixed point counts units."
    if abs(scaled) > limit:
        if abs(answer) > limit:
            return f"{answer:.0f} is beyond the limit: cut it off there."
        return f"cut off to {right}, not {answer:.0f}."
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
            if abs(answer / right - 1) < 1e-6:
                raise Wrong(
                    f"{right:,}, not {answer:,.0f}: the bound itself was rounded. A proof needs integers, or int64."
                )
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
    written = re.sub(r"\b(?:and|und)\b", " ", " ".join(answer) if not isinstance(answer, str) else answer, flags=re.I)
    letters = {letter for letter in written.upper() if letter.isalnum()}
    if unknown := letters - set(PORTABLE) - set(NOT_PORTABLE):
        raise Wrong(f"There is no {', '.join(sorted(unknown))}; the ways are A to H.")
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
        # float32 will do, though 1 − e^-n has few digits for a small n; NaN will not
        if not abs(answer - right) <= 1e-3 * right:
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
    if not 0 <= answer <= 1:
        return f"{answer:.4g} is no probability: it lies outside 0 … 1."
    return f"{answer:.4g}, while {expected:.4g} flips are expected. With n expected, none occurs with probability e^-n."


@exercise
def power_of_two(function) -> str:
    """power_of_two(weights): (whole numbers, exponent) of one channel."""
    cases = ([1.0, -0.5, 0.3], [0.9, 0.1], [-0.02, 0.013, 0.0], [5.3, -2.2], [0.9999, 0.25], [0.25, -0.9999], [64.0])
    for weights in cases:
        e = 7 - math.frexp(max(map(abs, weights)))[1]
        right = [max(-127, min(127, round(w * 2**e))) for w in weights]
        answer = call(function, list(weights))
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise Wrong("A pair is asked for: the whole numbers, and the exponent e.")
        numbers, exponent = _list_of(answer[0]), as_number(answer[1], "One exponent, a whole number,")
        if numbers is None:
            raise Wrong("The whole numbers are asked for as a list, one for each weight.")
        if exponent != e or numbers != right:
            raise Wrong(f"weights {weights}: {_wrong_weights(numbers, exponent, weights, e, right)}")
    return "m · 2^-e is exact in float32, and so is every product with an activation."


def _list_of(x) -> list[float] | None:
    """The numbers of a list, tuple, array or tensor; None if it is none of these."""
    try:
        return [float(value) for value in (x.tolist() if hasattr(x, "tolist") else list(x))]
    except (TypeError, ValueError):
        return None


def _wrong_weights(numbers: list[float], exponent: float, weights: list[float], e: int, right: list[int]) -> str:
    largest = max(map(abs, weights))
    if exponent == e:
        if any(n != math.floor(n) for n in numbers):
            return "the numbers are not whole: round them."
        if max(map(abs, numbers)) > 127:
            return f"{max(numbers, key=abs):.0f} does not fit into ±127: cut off after rounding."
        return f"with e = {e} the numbers are {right}, not {[int(n) for n in numbers]}."
    if exponent == -e:
        return f"e is {e}, not {-e}: the weight is about m · 2^-e."
    if exponent > e:
        return f"with e = {exponent:g}, the largest would be {largest * 2**exponent:g}, which is not below 128."
    return f"with e = {exponent:g}, the largest is {largest * 2**exponent:g}: a finer step, e = {e}, still fits."


@exercise
def scaled(function) -> str:
    """scaled(x, factor, bits): a whole number times a real constant, by a shift."""
    numbers = (0, 1, 3, 7, 100, 1234567, -1, -3, -7, -100, -1234567)
    for factor, bits in ((1.586134342, 20), (-1.586134342, 20), (0.4435068522, 12), (3.0, 0), (0.5, 1)):
        for x in numbers:
            constant = round(factor * 2**bits)
            right = math.floor((2 * x * constant + 2**bits) / 2 ** (bits + 1))
            answer = as_number(call(function, x, factor, bits), "A whole number")
            if answer != right:
                case = f"x = {x}, factor = {factor}, bits = {bits}"
                raise Wrong(f"{case}: {_wrong_product(answer, x, constant, factor, bits, right)}")
    return "Integers only, and the same rounding of negative numbers in every language that you say it in."


def _wrong_product(answer: float, x: int, constant: int, factor: float, bits: int, right: int) -> str:
    if answer != math.floor(answer):
        return f"{answer:g} is no whole number."
    if answer == x * constant and bits:
        return f"that still counts units of 2^-{bits}: shift."
    if answer == round(x * constant / 2**bits) and 2 * x * constant % 2 ** (bits + 1) == 2**bits:
        return f"{x * constant / 2**bits:g} lies in the middle: upwards is {right}, not {answer:.0f}."
    if answer == (x * constant) >> bits:
        return f"a shift alone rounds down, to {answer:.0f}; the nearest is {right}. Add half a unit first."
    if answer == math.trunc(x * constant / 2**bits) or answer == math.trunc(x * constant / 2**bits + 0.5):
        return f"cut off towards 0, to {answer:.0f}; the nearest, halves upwards, is {right}."
    if answer in (round(x * factor), math.floor(x * factor + 0.5)):
        return f"{right}, not {answer:.0f}: that is the product with the real factor. Round the constant first."
    return f"{right}, not {answer:.0f}. The constant is {constant}, in units of 2^-{bits}."


@exercise
def error_ratio(function) -> str:
    """error_ratio(weight): how much one exponent for all channels costs."""
    generator = torch.Generator().manual_seed(7)
    for shape, sizes in (
        ((2, 40), (1.0, 0.125)),
        ((4, 3, 3, 3), (1.0, 0.5, 0.06, 0.01)),
        ((3, 8, 1, 1), (0.25, 0.02, 0.02)),
    ):
        rows = torch.randn(shape, generator=generator).flatten(1)
        rows *= 0.999 * torch.tensor(sizes)[:, None] / rows.abs().amax(dim=1, keepdim=True)  # some round to 128
        rows *= -rows.gather(1, rows.abs().argmax(dim=1, keepdim=True)).sign()  # the largest ones are negative
        weight = rows.reshape(shape)
        per_channel, for_all = _errors(weight)
        right = for_all / per_channel
        answer = as_number(call(function, weight.clone()), "One number, the ratio of two errors,")
        if not abs(answer / right - 1) <= 1e-3:  # NaN is wrong, too
            case = f"weights {tuple(shape)}, channels of sizes {sizes}"
            raise Wrong(f"{case}: {_wrong_ratio(answer, right, per_channel, for_all)}")
    return "Channels of small weights pay for it: a power of two each costs nothing, and is exact."


def _errors(weight: Tensor) -> tuple[float, float]:
    """The mean squared error with an exponent for each channel, and with one for all."""
    rows = weight.flatten(1).double()
    e = 7 - torch.frexp(rows.abs().amax(dim=1, keepdim=True)).exponent
    errors = []
    for each in (e, e.min()):
        scale = 2.0 ** each.double()
        errors.append(float((torch.round(rows * scale).clamp(-127, 127) / scale - rows).square().mean()))
    return errors[0], errors[1]


def _wrong_ratio(answer: float, right: float, per_channel: float, for_all: float) -> str:
    def is_(number: float) -> bool:
        return abs(answer / number - 1) < 1e-3

    if is_(1 / right):
        return "that is the reciprocal: the larger error, with one exponent for all, stands above."
    if is_(math.sqrt(right)):
        return "squared errors are asked for, not their roots."
    if is_(for_all) or is_(per_channel):
        return "that is one of the two errors; divide one by the other."
    if answer == 1:
        return "1 means that both exponents were the same. For all channels it is the smallest e: e.min()."
    return f"{right:.4g}, not {answer:.4g}. Which e do all channels share, and are numbers cut off at ±127?"
