"""The checks of notebook 12: the full codec."""

import math
import random
from collections.abc import Callable
from functools import partial

from tutorial_lib.bitstream import Stream, pack, read_header
from tutorial_lib.workbench.checks import Wrong, as_number, call, exercise

ROWS, SPACING, STEP = 10, 11, 4.5
MOST_CALLS = 8  # of `size`, for a hundred qualities


@exercise
def gain_at(function) -> str:
    """gain_at(logs, quality, lmbda): e to the interpolated logarithm, times √λ / 4.5."""
    generator = random.Random(12)
    logs = [round(generator.uniform(-1, 1), 2) for _ in range(ROWS)]
    for quality in (1, 12, 8, 50, 89, 99, 100):
        lmbda = 0.0004 * 300 ** ((quality - 1) / 99)
        try:
            answer = as_number(call(function, list(logs), quality, lmbda), "A gain")
        except IndexError:
            raise Wrong(
                f"quality {quality}: you ask for a row that is not there. The last pair of rows is 8 and 9, and 100 is "
                "its upper end."
            ) from None
        right = math.exp(_between(logs, quality)) * math.sqrt(lmbda) / STEP
        if not math.isclose(answer, right, rel_tol=1e-6):
            raise Wrong(f"quality {quality}: {_wrong_gain(answer, logs, quality, lmbda, right)}")
    return "Ten numbers a coefficient, and no quality is without its gain."


def _between(values: list[float], quality: int) -> float:
    row = min((quality - 1) // SPACING, ROWS - 2)
    share = (quality - 1 - SPACING * row) / SPACING
    return (1 - share) * values[row] + share * values[row + 1]


def _wrong_gain(answer: float, logs: list[float], quality: int, lmbda: float, right: float) -> str:
    log, root = _between(logs, quality), math.sqrt(lmbda) / STEP
    row, place = (quality - 1) // SPACING, min(quality / SPACING, ROWS - 1)
    ninth = min((quality - 1) // 10, ROWS - 2)
    from_zero = min(int(place), ROWS - 2)
    swapped = min(row, ROWS - 2)
    share = (quality - 1 - SPACING * swapped) / SPACING
    mistakes = {
        log * root: "the rows hold logarithms. What do they stand for?",
        math.exp(log): "the rule's own part, √λ / 4.5, is missing.",
        math.exp(log) * lmbda / STEP: "the gain follows the root of λ.",
        math.exp(log) / root: "that is the step in grey levels; the gain is one divided by it.",
        math.exp(-log) / root: "that is the step in grey levels; the gain is one divided by it.",
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
        if math.isclose(answer, mistake, rel_tol=1e-6):
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
        if isinstance(quality, bool) or not isinstance(quality, int) or not 1 <= quality <= 100:
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
def slices_left(function) -> str:
    """slices_left(data): how many slices a cut or damaged file can still show."""
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
        "cut in the middle of slice 3": (whole[: sections[3].begin + 40], 2),
        "cut just behind slice 2": (whole[: sections[2].end], 2),
        "one byte of slice 2 missing, and all behind it": (whole[: sections[2].end - 1], 1),
        "cut behind slice 3, where slice 4 is empty": (whole[: sections[3].end], 4),
        "cut behind z": (whole[: sections[0].end], 0),
        "cut in z": (whole[: sections[0].end - 2], -1),
        "only the header": (whole[: sections[0].begin], -1),
        "slice 2 damaged": (damaged(whole, 2), 1),
        "z damaged": (damaged(whole, 0), -1),
        "slice 5 damaged": (damaged(whole, 5), 4),
        "slice 1 damaged, and cut in slice 3": (damaged(whole, 1)[: sections[3].begin + 9], 0),
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
    "z is no slice: it is needed, and not counted.": lambda sections, data: _in_order(
        [section.fault(data) is None for section in sections]
    ),
    "Compare the checksums, too.": lambda sections, data: sum(section.end <= len(data) for section in sections) - 1,
    "Slices behind a damaged one are of no use: stop there.": lambda sections, data: (
        sum(section.fault(data) is None for section in sections) - 1
    ),
    "The strings begin behind the header; `end` counts it.": lambda sections, data: (
        sum(section.end - sections[0].begin <= len(data) for section in sections) - 1
    ),
    "A slice that ends with the data's last byte is whole.": lambda sections, data: (
        sum(section.end < len(data) for section in sections) - 1
    ),
    "A slice that has only begun is not there.": lambda sections, data: (
        sum(section.begin < len(data) for section in sections) - 1
    ),
}
