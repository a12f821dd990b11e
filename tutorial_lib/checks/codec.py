"""The checks of notebook 12: the full codec."""

import math
import random
from collections.abc import Callable
from functools import partial
from numbers import Integral

import numpy as np

from tutorial_lib.bitstream import Stream, pack, read_header
from tutorial_lib.checks import Wrong, as_number, call, exercise

ROWS, SPACING, STEP = 10, 11, 4.5
MOST_CALLS = 8  # of `size`, for a hundred qualities


@exercise
def halvings(function) -> str:
    """halvings(shape, side): how often both sides can be halved, rounded up, and stay as long as `side`."""
    shapes = ((300, 451), (451, 300), (64, 640), (33, 33), (500, 300), (31, 90), (1200, 1600), (7, 7))
    cases = [(shape, side) for shape in shapes for side in (1, 8, 16, 17, 32, 64, 75, 100, 301, 5000)]
    answers = [as_number(call(function, *case), "A whole number") for case in cases]
    wrong = [n for n, case in enumerate(cases) if answers[n] != _halvings(min(case[0]), case[1])]
    if not wrong:
        return "So many levels need not be read."
    (shape, side), answer = cases[wrong[0]], answers[wrong[0]]
    case = f"shape {shape}, side {side}: {_halvings(min(shape), side)}, not {answer:g}."
    for words, mistake in HALVINGS.items():
        if all(a == mistake(*given) for a, given in zip(answers, cases, strict=True)):
            raise Wrong(f"{case} {words}")
    raise Wrong(case)


def _halvings(length: int, side: int, most: int = 5, up: int = 1) -> int:
    k = 0
    while k < most and (length + up) // 2 >= side:
        k, length = k + 1, (length + up) // 2
    return k


# What a learner may have computed, and what to say to it.
HALVINGS = {
    "Both sides count, so the shorter one decides.": lambda shape, side: _halvings(max(shape), side),
    "Both sides count, not the height alone.": lambda shape, side: _halvings(shape[0], side),
    "Both sides count, not the width alone.": lambda shape, side: _halvings(shape[1], side),
    "Sides are rounded up: half of 301 is 151.": lambda shape, side: _halvings(min(shape), side, up=0),
    "There are only five levels.": lambda shape, side: _halvings(min(shape), side, most=99 if side > 1 else 5),
    "That is one too many: what comes out must still be large enough.": lambda shape, side: min(
        5, _halvings(min(shape), side) + 1
    ),
}


@exercise
def band_step(function) -> str:
    """band_step(logs, quality, lmbda): e to the interpolated logarithm, times 4.5 / √λ."""
    generator = random.Random(12)
    logs = [round(generator.uniform(-1, 1), 2) for _ in range(ROWS)]
    for quality in (1, 12, 8, 50, 89, 99, 100, 11, 34, 60, 67, 2, 13):
        lmbda = 0.0004 * 300 ** ((quality - 1) / 99)
        try:
            answer = as_number(call(function, list(logs), quality, lmbda), "A step")
        except IndexError:
            raise Wrong(
                f"quality {quality}: you ask for a row that is not there. The last pair of rows is 8 and 9, and 100 is "
                "its upper end."
            ) from None
        right = math.exp(_between(logs, quality)) * STEP / math.sqrt(lmbda)
        if not math.isclose(answer, right, rel_tol=1e-4):  # float32 will do
            raise Wrong(f"quality {quality}: {_wrong_step(answer, logs, quality, lmbda, right)}")
    return "Ten numbers a band, and no quality is without its step."


def _between(values: list[float], quality: int) -> float:
    row = min((quality - 1) // SPACING, ROWS - 2)
    share = (quality - 1 - SPACING * row) / SPACING
    return (1 - share) * values[row] + share * values[row + 1]


def _wrong_step(answer: float, logs: list[float], quality: int, lmbda: float, right: float) -> str:
    log, root = _between(logs, quality), STEP / math.sqrt(lmbda)
    row, place = (quality - 1) // SPACING, min(quality / SPACING, ROWS - 1)
    ninth = min((quality - 1) // 10, ROWS - 2)
    from_zero = min(int(place), ROWS - 2)
    swapped = min(row, ROWS - 2)
    share = (quality - 1 - SPACING * swapped) / SPACING
    mistakes = {
        log * root: "the rows hold logarithms. What do they stand for?",
        math.exp(log): "the rule's own part, 4.5 / √λ, is missing.",
        math.exp(log) * STEP / lmbda: "the step follows the root of λ.",
        math.exp(log) / root: "that has √λ / 4.5, the number of steps in a grey level; the step is one divided by it.",
        math.exp(-log) * root: "the factor multiplies: e to the logarithm, not to minus it.",
        math.exp(logs[row]) * root: "that is the row below. Between two rows, interpolate.",
        math.exp(logs[min(ROWS - 1, round((quality - 1) / SPACING))]) * root: "that is the nearest row. Interpolate.",
        _between([math.exp(value) for value in logs], quality) * root: "interpolate the logarithms, and then take e.",
        math.exp(share * logs[swapped] + (1 - share) * logs[swapped + 1]) * root: "the two rows' shares are swapped.",
        math.exp(logs[from_zero] + (place - from_zero) * (logs[from_zero + 1] - logs[from_zero])) * root: (
            "qualities begin at 1: row 0 is quality 1, not 0."
        ),
        math.exp(logs[ninth] + ((quality - 1) / 10 - ninth) * (logs[ninth + 1] - logs[ninth])) * root: (
            "from row to row it is 11 qualities: 1, 12, 23, … 100."
        ),
    }  # fmt: skip
    for mistake, words in mistakes.items():
        if math.isclose(answer, mistake, rel_tol=1e-4):
            return words
    return f"{right:.5g}, not {answer:.5g}."


@exercise
def choose_symbol(function) -> str:
    """choose_symbol(y, bits, price): of the whole numbers around y the one that costs less."""
    cases: list[tuple[float, Callable[[int], float], float]] = []
    for y in (0.1, 0.45, 0.55, 0.7, 0.93, 1.2, 1.62, 2.8, -0.3, -0.55, -0.8, -1.4, -2.65):
        for price in (0.5, 3.0, 7.0, 40.0):
            cases += [(y, partial(_laplacian_bits, scale), price) for scale in (0.3, 0.6, 1.5)]
    cases += [(y, lambda k: 1.0 + 4.0 * (k % 2 == 0), 3.0) for y in (0.4, 1.4, -0.6)]  # even numbers are expensive
    cases = [case for case in cases if abs(_cost(_below(*case), *case) - _cost(_below(*case) + 1, *case)) > 1e-6]
    answers = [as_number(call(function, *case), "A whole number") for case in cases]
    wrong = [(a, case) for a, case in zip(answers, cases, strict=True) if a != _cheaper(_cost, *case)]
    if not wrong:
        return "The decoder only reads: whatever you have chosen, it will follow."
    answer, (y, bits, price) = wrong[0]
    right = _cheaper(_cost, y, bits, price)
    costs = ", ".join(
        f"{k} costs {_cost(k, y, bits, price):.2f} bits with its error" for k in (right, 2 * _below(y) + 1 - right)
    )
    case = f"y = {y}, price {price:g}: {costs}. You took {answer:g}."
    for words, mistake in CHOICES.items():
        if all(math.isclose(a, mistake(*case)) for a, case in zip(answers, cases, strict=True)):
            raise Wrong(f"{case} {words}")
    if any(a not in (_below(*c), _below(*c) + 1) for a, c in zip(answers, cases, strict=True)):
        raise Wrong(f"{case} Only the two whole numbers around y are asked for.")
    raise Wrong(case)


def _laplacian_bits(scale: float, k: int) -> float:
    return 0.2 + abs(k) / scale


def _below(y: float, *_) -> int:
    return math.floor(y)


def _cost(k: int, y: float, bits: Callable[[int], float], price: float) -> float:
    return bits(k) + price * (y - k) ** 2


def _cheaper(cost: Callable, y: float, bits: Callable[[int], float], price: float) -> int:
    return min((_below(y), _below(y) + 1), key=lambda k: cost(k, y, bits, price))


# What a learner may have computed, and what to say to it.
CHOICES = {
    "That is the nearest; its bits may not be worth it.": lambda y, bits, price: round(y),
    "Fewer bits, but its error costs, too.": lambda *case: _cheaper(lambda k, y, bits, price: bits(k), *case),
    "The price belongs to the error, not to the bits.": lambda *case: _cheaper(
        lambda k, y, bits, price: price * bits(k) + (y - k) ** 2, *case
    ),
    "The error has a price: multiply.": lambda *case: _cheaper(lambda k, y, bits, price: bits(k) + (y - k) ** 2, *case),
    "Of two costs the smaller is wanted.": lambda *case: _cheaper(lambda *of: -_cost(*of), *case),
    "That is always the one nearer to 0.": lambda y, bits, price: int(y),
    "Only the two whole numbers around y are asked for, not others that might be cheaper.": lambda *case: min(
        range(-9, 10), key=lambda k: _cost(k, *case)
    ),
    "That is a cost. Which number has it?": lambda *case: _cost(_cheaper(_cost, *case), *case),
    "int() cuts towards 0; below −0.8 lies −1, which floor gives.": lambda y, bits, price: min(
        (int(y), int(y) + 1), key=lambda k: _cost(k, y, bits, price)
    ),
}


@exercise
def best_quality(function) -> str:
    """best_quality(size, budget): the highest quality whose file fits, in at most eight calls."""
    generator = random.Random(21)
    sizes = [0]
    for _ in range(100):
        sizes.append(sizes[-1] + generator.randint(5, 300))
    budgets = [sizes[q] for q in (1, 2, 37, 50, 64, 99, 100)]  # these fit exactly
    for budget in (*budgets, sizes[50] + 1, sizes[51] - 1, sizes[1] - 1, sizes[100] - 1, 10 * sizes[100]):
        _check_quality(function, sizes, budget)
    return "Seven encodings instead of a hundred."


def _check_quality(function, sizes: list[int], budget: int) -> None:
    right = sum(size <= budget for size in sizes[1:])
    calls = []

    def size(quality: int) -> int:
        calls.append(quality)
        if len(calls) > 300:  # so that a loop that never ends does end
            raise Wrong(f"budget {budget}: more than 300 calls. Does your search get anywhere?")
        if isinstance(quality, bool) or not isinstance(quality, Integral) or not 1 <= quality <= 100:
            raise Wrong(
                f"budget {budget}: you asked for the size at quality {quality!r}; they are whole, from 1 to 100."
            )
        return sizes[quality]

    answer = as_number(call(function, size, budget), "A quality")
    case = f"budget {budget}, where quality 1 takes {sizes[1]} bytes and quality 100 takes {sizes[100]}"
    if answer != right:
        if right == 0:
            raise Wrong(f"{case}: not even quality 1 fits; 0 is asked for then, not {answer:g}.")
        if answer == right - 1 and sizes[right] == budget:
            raise Wrong(f"{case}: quality {right} takes exactly the budget, so it fits.")
        if answer == right + 1:
            raise Wrong(f"{case}: quality {answer:g} is one too high: its {sizes[right + 1]} bytes do not fit.")
        if answer == right - 1:
            raise Wrong(f"{case}: quality {answer:g} is one too low: {right} fits, with {sizes[right]} bytes.")
        raise Wrong(f"{case}: {right} is right, not {answer:g}.")
    if len(calls) > MOST_CALLS:
        raise Wrong(
            f"{case}: {right} is right, but you encoded {len(calls)} times; {MOST_CALLS} are enough. Sizes grow with "
            "the quality, so one file in the middle rules out half of the qualities."
        )


@exercise
def split_whole(function) -> str:
    """split_whole(row): low and high of the 5/3 wavelet in whole numbers."""
    generator = random.Random(53)
    rows = [[generator.randint(0, 255) for _ in range(n)] for n in (8, 2, 3, 9, 16, 33)] + [[-7, 4, -2, 9, -5]]
    answers = []
    for row in rows:
        answer = call(function, list(row))
        try:
            low, high = answer
            answers.append(([float(v) for v in low], [float(v) for v in high]))
        except (TypeError, ValueError):
            raise Wrong("Two lists of numbers are asked for: low, high.") from None
    for row, (low, high) in zip(rows, answers, strict=True):
        if (low, high) == _split_whole(row):
            continue
        about = f"row {row}" if len(row) < 10 else f"a row of {len(row)}"
        for words, mistake in SPLITS.items():
            if all(a == mistake(r) for a, r in zip(answers, rows, strict=True)):
                raise Wrong(f"{about}: {words}")
        sizes = (len(row) + 1) // 2, len(row) // 2
        if (len(low), len(high)) != sizes:
            raise Wrong(f"{about}: low has {sizes[0]} samples and high {sizes[1]}, not {len(low)} and {len(high)}.")
        right_low, right_high = _split_whole(row)
        name, wrong, right = ("high", high, right_high) if high != right_high else ("low", low, right_low)
        n = next(n for n, (a, b) in enumerate(zip(wrong, right, strict=True)) if a != b)
        raise Wrong(f"{about}: {name}[{n}] is {right[n]}, not {wrong[n]:g}.")
    return "What was added can be subtracted again: no bit is lost."


def _split_whole(
    row: list[int],
    half: Callable[[int], float] = lambda total: total // 2,
    quarter: Callable[[int], float] = lambda total: (total + 2) // 4,
    sign: int = 1,
    old: bool = False,
    mirrored: bool = True,
) -> tuple[list[float], list[float]]:
    """half: of two even neighbours; quarter: of two odd ones; old: update with what the odd samples were."""
    even, odd = list(row[0::2]), list(row[1::2])

    def at(samples: list, n: int) -> int:
        inside = min(max(n, 0), len(samples) - 1)
        return samples[inside] if mirrored or n == inside else 0

    high = [odd[n] - sign * half(at(even, n) + at(even, n + 1)) for n in range(len(odd))]
    seen = odd if old else high
    return [even[n] + quarter(at(seen, n - 1) + at(seen, n)) for n in range(len(even))], high


# What a learner may have computed, and what to say to it.
SPLITS = {
    "that is low and high swapped.": lambda row: _split_whole(row)[::-1],
    "the odd samples lose what their neighbours foretell: subtract it.": lambda row: _split_whole(row, sign=-1),
    "these are not all whole numbers: // rounds down, / does not.": lambda row: _split_whole(
        row, lambda total: total / 2, lambda total: (total + 2) / 4
    ),
    "round the mean down first, and then change its sign: -a // 2 is not -(a // 2).": lambda row: _split_whole(
        row, lambda total: -(-total // 2)
    ),
    "the 2 is missing in (left + right + 2) // 4.": lambda row: _split_whole(row, quarter=lambda total: total // 4),
    "the update is made with the odd samples as they are afterwards.": lambda row: _split_whole(row, old=True),
    "the even samples are updated, too.": lambda row: (list(map(float, row[0::2])), _split_whole(row)[1]),
    "at the ends the neighbour that is there counts twice; you take 0.": lambda row: _split_whole(row, mirrored=False),
}


@exercise
def levels_left(function) -> str:
    """levels_left(data): how many levels of details a cut or damaged file can still show."""
    lengths = (8, 300, 120, 90, 0, 260)
    generator = random.Random(3)
    whole = pack(Stream(64, 48, "0123456789abcdef", tuple(map(generator.randbytes, lengths)), "codec", 50))
    sections = read_header(whole).sections

    def damaged(data: bytes, *parts: int) -> bytes:
        flipped = bytearray(data)
        for part in parts:
            flipped[sections[part].begin + 3] ^= 4
        return bytes(flipped)

    cases = {
        "the whole file": (whole, 5),
        "cut in the middle of sections[3]": (whole[: sections[3].begin + 40], 2),
        "cut just behind sections[2]": (whole[: sections[2].end], 2),
        "one byte of sections[2] missing, and all behind it": (whole[: sections[2].end - 1], 1),
        "cut behind sections[3], where sections[4] is empty": (whole[: sections[3].end], 4),
        "cut behind the low-pass": (whole[: sections[0].end], 0),
        "cut in the low-pass": (whole[: sections[0].end - 2], -1),
        "only the header": (whole[: sections[0].begin], -1),
        "sections[2] damaged": (damaged(whole, 2), 1),
        "the low-pass damaged": (damaged(whole, 0), -1),
        "sections[5] damaged": (damaged(whole, 5), 4),
        "sections[1] damaged, and cut in sections[3]": (damaged(whole, 1)[: sections[3].begin + 9], 0),
    }
    answers = {about: as_number(call(function, data), "A whole number") for about, (data, _) in cases.items()}
    wrong = [about for about, (_, right) in cases.items() if answers[about] != right]
    if not wrong:
        return "What comes behind the first gap was coded with tables that nobody can find any more."
    case = f"{wrong[0]}: {cases[wrong[0]][1]}, not {answers[wrong[0]]:g}."
    for words, mistake in COUNTS.items():
        if all(answers[about] == mistake(read_header(data).sections, data) for about, (data, _) in cases.items()):
            raise Wrong(f"{case} {words}")
    raise Wrong(case)


def _in_order(fine: list[bool]) -> int:
    return next((k for k, each in enumerate(fine) if not each), len(fine))


# What a learner may have counted, and what to say to it.
COUNTS = {
    "The low-pass is no level: it is needed, and not counted.": lambda sections, data: _in_order(
        [section.fault(data) is None for section in sections]
    ),
    "Compare the checksums, too.": lambda sections, data: sum(section.end <= len(data) for section in sections) - 1,
    "Levels behind a damaged one are of no use: stop there.": lambda sections, data: (
        sum(section.fault(data) is None for section in sections) - 1
    ),
    "The strings begin behind the header; `end` counts it.": lambda sections, data: (
        sum(section.end - sections[0].begin <= len(data) for section in sections) - 1
    ),
    "A level that ends with the data's last byte is whole.": lambda sections, data: (
        sum(section.end < len(data) for section in sections) - 1
    ),
    "A level that has only begun is not there.": lambda sections, data: (
        sum(section.begin < len(data) for section in sections) - 1
    ),
}


@exercise
def more_bits(function) -> str:
    """more_bits(reference, other): the share of bits that `other` needs more, by the mean difference of logarithms."""
    reference = [(0.1, 26.0), (0.2, 28.5), (0.45, 31.0), (0.9, 34.0), (1.7, 37.5)]
    cases = {
        "a curve against itself": (reference, reference),
        "a reference that begins at the higher PSNR": (reference[1:], [(bpp**1.1, db) for bpp, db in reference]),
        "20 % more bits everywhere": (reference, [(1.2 * bpp, db) for bpp, db in reference]),
        "half of the bits everywhere": (reference, [(0.5 * bpp, db) for bpp, db in reference]),
        "a shorter curve": (reference, [(0.3, 29.0), (0.5, 30.8), (0.8, 33.0)]),
        "a curve that goes on": (reference, [(0.12, 27.5), (0.4, 31.0), (1.0, 36.0), (3.0, 43.0)]),
    }
    answers = {
        about: as_number(call(function, [*one], [*other]), "One number") for about, (one, other) in cases.items()
    }
    wrong = [about for about, case in cases.items() if not math.isclose(answers[about], _more(*case), abs_tol=1e-4)]
    if not wrong:
        return "A yardstick of your own. Now measure with it."
    about = wrong[-1]
    case = f"{about}: {_more(*cases[about]):.4f}, not {answers[about]:.4f}."
    for words, mistake in MORE.items():
        if all(math.isclose(answers[name], mistake(*given), abs_tol=1e-4) for name, given in cases.items()):
            raise Wrong(f"{case} {words}")
    raise Wrong(case)


Points = list[tuple[float, float]]


def _means(
    reference: Points, other: Points, of: Callable[[float], float] = math.log, whole: bool = False
) -> tuple[float, float]:
    """The two curves' means, of the bits or a function of them; whole: beyond the stretch that both reach, too."""
    firsts, lasts = ((reference[n][1], other[n][1]) for n in (0, -1))
    low, high = (min(firsts), max(lasts)) if whole else (max(firsts), min(lasts))
    places = np.linspace(low, high, 50)
    one, two = (
        float(np.interp(places, [db for _, db in points], [of(bpp) for bpp, _ in points]).mean())
        for points in (reference, other)
    )
    return one, two


def _more(reference: Points, other: Points) -> float:
    one, two = _means(reference, other)
    return math.expm1(two - one)


def _difference(pair: tuple[float, float]) -> float:
    return pair[1] - pair[0]


# What a learner may have computed, and what to say to it.
MORE = {
    "That is reference minus other.": lambda one, two: math.expm1(-_difference(_means(one, two))),
    "A difference d of logarithms stands for e^d − 1.": lambda one, two: _difference(_means(one, two)),
    "Take 1 away: 1.1 times the bits are 10 % more.": lambda one, two: math.exp(_difference(_means(one, two))),
    "That is in percent; a share is asked for.": lambda one, two: 100 * _more(one, two),
    "Interpolate the logarithms of the bits, not the bits.": lambda one, two: (
        _means(one, two, float)[1] / _means(one, two, float)[0] - 1
    ),
    "Only where both curves reach: beyond, np.interp repeats the last value.": lambda one, two: math.expm1(
        _difference(_means(one, two, whole=True))
    ),
    "With log10 the difference stands for 10^d − 1.": lambda one, two: math.expm1(
        _difference(_means(one, two, math.log10))
    ),
}
