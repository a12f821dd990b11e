"""The checks of notebook 05: CDF tables."""

import math
from collections.abc import Callable, Sequence

from tutorial_lib.workbench.checks import Wrong, as_number, call, exercise

# Rows to ask prices of: (cdf, offset). The second one's symbols and values differ, the third lists one value.
PRICED = (
    ([0, 16384, 49152, 62259, 65536], 0),
    ([0, 16, 1040, 33808, 65528, 65535, 65536], -2),
    ([0, 65280, 65536], 7),
)


@exercise
def price(function) -> str:
    """price(value, cdf, offset): the bits of a value, listed or not."""
    for cdf, offset in PRICED:
        n = len(cdf) - 2
        inside = range(offset, offset + n)
        for value in (*inside, *(offset + n + d for d in (0, 1, 7, 8, 500)), *(offset - d for d in (1, 2, 8, 9, 500))):
            answer = as_number(call(function, value, list(cdf), offset), "A number of bits")
            right = _price(value, cdf, offset)
            if abs(answer - right) < 1e-6:
                continue
            case = f"value {value}, cdf {cdf}, offset {offset}"
            if value in inside:
                raise Wrong(f"{case}: {_wrong_listed(answer, value, cdf, offset)}")
            raise Wrong(f"{case}: {_wrong_escape(answer, value, cdf, offset)}")
    return "An escape is expensive, but never infinite: that is why every row has one."


def _price(value: int, cdf: Sequence[int], offset: int) -> float:
    n, v = len(cdf) - 2, value - offset
    k = v if 0 <= v < n else n
    bits = 16 - math.log2(cdf[k + 1] - cdf[k])
    if k < n:
        return bits
    r = 2 * (v - n) if v >= n else -2 * v - 1
    return bits + 4 + 4 * _digits(r)


def _digits(r: int) -> int:
    return -(-r.bit_length() // 4)


def _wrong_listed(answer: float, value: int, cdf: Sequence[int], offset: int) -> str:
    v = value - offset
    width, right = cdf[v + 1] - cdf[v], _price(value, cdf, offset)
    if abs(answer - width) < 1e-6:
        return f"{width} is the symbol's width. What does it cost in bits?"
    if abs(answer - right * math.log(2)) < 1e-6:
        return "these are nats; bits take the logarithm to base 2."
    if abs(answer + right) < 1e-6:
        return "the sign is wrong: a cost is not negative."
    if abs(answer - math.log2(width)) < 1e-6:
        return "that is log2 of the width; of 16 bits, it is what the symbol does *not* cost."
    if v > 0 and abs(answer - (16 - math.log2(cdf[v]))) < 1e-6:
        return "that takes the cumulative count for the width, which is the difference of two neighbours."
    if offset and abs(answer - _price(value, cdf, 0)) < 1e-6:
        return f"the row's symbol 0 stands for the value {offset}. Was the offset subtracted?"
    if answer > right + 3:
        return f"this value is listed, so it needs no escape: {right:.2f} bits, not {answer:.2f}."
    return f"{right:.2f} bits, not {answer:.2f}."


def _wrong_escape(answer: float, value: int, cdf: Sequence[int], offset: int) -> str:
    n, v = len(cdf) - 2, value - offset
    escape = 16 - math.log2(cdf[n + 1] - cdf[n])
    right = _price(value, cdf, offset)
    if abs(answer - escape) < 1e-6:
        return "that is the escape symbol alone; the number of digits (4 bits) and the digits follow it."
    if abs(answer - (right - escape)) < 1e-6:
        return "that is the digits alone; the escape symbol in front of them costs bits, too."
    unfolded = abs(v - n) if v >= n else -v
    if abs(answer - (escape + 4 + 4 * _digits(unfolded))) < 1e-6:
        return "how does the decoder learn on which side of the row the value lies? r is 2(v − n) or −2v − 1."
    if abs(answer - (right - 4)) < 1e-6:
        return "4 bits are missing: before the digits comes how many there are."
    if abs(answer - (escape + 8)) < 1e-6 and right < answer:
        return "r = 0 has no digits at all, only the 4 bits that say so."
    return f"it is not listed, and costs {right:.2f} bits, not {answer:.2f}."


@exercise
def rob_the_rich(function) -> str:
    """rob_the_rich(widths): each empty symbol takes one count of the widest at that moment."""
    cases = ([5, 0, 3], [1, 0, 4, 0, 9, 0], [4, 4, 0, 0, 0], [0, 0, 5, 6, 0], [3, 2, 1], [0, 2, 0, 30, 0, 0])
    for widths in cases:
        given = list(widths)
        answer = call(function, given)
        if given != widths:
            raise Wrong(f"{widths}: the list that was handed in has been changed; return a new one.")
        try:
            answer = [int(width) for width in answer]
        except (TypeError, ValueError):
            raise Wrong(f"A list of widths is asked for, not {answer!r}.") from None
        if len(answer) != len(widths):
            raise Wrong(f"{widths}: {len(widths)} symbols went in, {len(answer)} came out.")
        if sum(answer) > sum(widths):
            raise Wrong(f"{widths}: the widths now sum to {sum(answer)}, not {sum(widths)}. Who gave the counts?")
        if min(answer) < 1:
            raise Wrong(f"{widths}: {answer} still has a symbol without a count.")
        if sum(answer) < sum(widths):
            raise Wrong(f"{widths}: the widths sum to {sum(answer)}, not {sum(widths)}. Counts were lost.")
        if answer == _repaired(widths, max):
            continue
        for message, rival in OTHER_REPAIRS.items():
            if answer == rival(widths):
                raise Wrong(f"{widths}: {message}")
        raise Wrong(f"{widths}: {_repaired(widths, max)} is right, not {answer}.")
    return "A count more or less hardly matters to a wide symbol: the cost of losing one is about p / w."


def _repaired(widths: Sequence[int], choose: Callable, last: bool = False) -> list[int]:
    """Each empty symbol takes a count of the one that `choose` (min or max) picks of those wider than 1."""
    widths = list(widths)
    for poor in range(len(widths)):
        if widths[poor] == 0:
            wanted = choose(width for width in widths if width > 1)
            donors = [k for k, width in enumerate(widths) if width == wanted]
            widths[donors[-1 if last else 0]] -= 1
            widths[poor] = 1
    return widths


def _from_one(widths: Sequence[int]) -> list[int]:
    """All from the symbol that was the widest at first."""
    widths, donor = list(widths), list(widths).index(max(widths))
    for poor in range(len(widths)):
        if widths[poor] == 0:
            widths[donor] -= 1
            widths[poor] = 1
    return widths


OTHER_REPAIRS = {
    "all counts come from the symbol that was the widest at first. After a gift, look again.": _from_one,
    "that is stealing from the narrowest; here the widest pays.": lambda widths: _repaired(widths, min),
    "of equally wide symbols, the leftmost pays.": lambda widths: _repaired(widths, max, last=True),
}

GOOD = [0, 16384, 49152, 62259, 65536]
ROWS = (
    # (row, length, sound, what to say if the learner thinks otherwise)
    (GOOD, 5, True, "this row is sound."),
    ([*GOOD, 0, 0], 5, True, "this row is sound: zeros after its length are padding."),
    ([0, 65536], 2, True, "one symbol only is odd, but sound."),
    ([0, 40000, 40000, 65536], 4, False, "a symbol is empty, so it cannot be coded."),
    ([0, 40000, 30000, 65536], 4, False, "it does not climb: a symbol has a negative width."),
    ([3, 40000, 65536], 3, False, "it does not start at 0: nobody owns the first counts."),
    ([0, 40000, 65535], 3, False, "it does not end at 65536: somebody owns too little."),
    ([0, 40000, 131072], 3, False, "it ends at 2^17; a coder of 16 bits needs 2^16."),
    ([0, 16384, 32768], 3, False, "it ends at 2^15; a coder of 16 bits needs 2^16."),
    ([*GOOD, 0, 7], 5, False, "the padding is not all zeros: row and length do not belong together."),
    ([*GOOD, 70000], 5, False, "the padding is not all zeros: row and length do not belong together."),
    ([*GOOD, 0], 6, False, "the length counts a zero of the padding."),
    ([*GOOD, 0], 4, False, "the length leaves out the row's end."),
    (GOOD, 7, False, "the length is larger than the row."),
    (GOOD, 0, False, "a length of 0 is no row at all."),
    ([*GOOD, 0], -1, False, "a negative length is nonsense, though Python's slices do not mind it."),
)


@exercise
def sound(function) -> str:
    """sound(row, length): can a coder of 16 bits use this row?"""
    for row, length, right, message in ROWS:
        try:
            answer = call(function, list(row), length)
        except (IndexError, ValueError, ZeroDivisionError) as error:
            raise Wrong(f"row {row}, length {length}: stopped with {type(error).__name__}; {message}") from None
        if bool(answer) != right:
            raise Wrong(f"row {row}, length {length}: {message}")
    return "CdfTables makes these checks on everything that is loaded, for all rows at once."


LONG = [0.001, 0.004, 0.02, 0.2, 0.5, 0.25, 0.02, 0.003, 0.0015, 0.0005]
# (pmf, offset, tail mass)
CUTS = (
    (LONG, -4, 0.012),
    (LONG, -4, 0.0061),
    (LONG, 3, 0.0),
    ([0.9, 0.05, 0.03, 0.02], 0, 0.12),
    ([0.02, 0.03, 0.05, 0.9], -3, 0.12),
    (LONG, 0, 1e-9),
)


@exercise
def cut(function) -> str:
    """cut(pmf, offset, tail_mass) -> (kept, offset, tail)."""
    for pmf, offset, tail_mass in CUTS:
        answer = call(function, list(pmf), offset, tail_mass)
        case = f"pmf {pmf}, offset {offset}, tail mass {tail_mass:g}"
        try:
            kept, first, tail = answer
            kept, first, tail = [float(p) for p in kept], int(first), float(tail)
        except (TypeError, ValueError):
            raise Wrong(f"Three things are asked for, (kept, offset, tail), not {answer!r}.") from None
        start, stop = _cut(pmf, tail_mass / 2)
        if len(kept) == stop - start and not _close(kept, pmf[start:stop]) and abs(sum(kept) - 1) < 1e-9:
            raise Wrong(f"{case}: what is kept was divided by its sum. What is missing to 1 is the escape's; leave it.")
        if not _close(kept, pmf[start:stop]):
            if _close(kept, pmf[slice(*_cut(pmf, tail_mass))]):
                raise Wrong(f"{case}: the tail mass is for both sides together; half of it for each.")
            if _close(kept, [p for p in pmf if p > tail_mass / 2]):
                raise Wrong(f"{case}: each entry was compared by itself. It is their *sum* that counts.")
            if len(kept) < stop - start:
                raise Wrong(f"{case}: too much is gone: {len(kept)} entries are left, {stop - start} should be.")
            raise Wrong(f"{case}: {len(kept)} entries are left; {stop - start} are enough.")
        if first != offset + start:
            same = " It is the old one." if first == offset else ""
            raise Wrong(f"{case}: the first kept entry is the value {offset + start}, not {first}.{same}")
        dropped = sum(pmf[:start]) + sum(pmf[stop:])
        if abs(tail - dropped) > 1e-12:
            asked = " That is what was allowed, not what was dropped." if abs(tail - tail_mass) < 1e-12 else ""
            raise Wrong(f"{case}: {dropped:.4g} was dropped, not {tail:.4g}.{asked}")
    return "With the tail as its last entry, the row goes to pmf_to_quantized_cdf."


def _cut(pmf: Sequence[float], allowed: float) -> tuple[int, int]:
    """Where the kept part starts and stops if `allowed` may be dropped on each side."""
    start, stop = 0, len(pmf)
    while start < stop - 1 and sum(pmf[: start + 1]) <= allowed:
        start += 1
    while stop > start + 1 and sum(pmf[stop - 1 :]) <= allowed:
        stop -= 1
    return start, stop


def _close(a: Sequence[float], b: Sequence[float]) -> bool:
    return len(a) == len(b) and all(abs(x - y) < 1e-12 for x, y in zip(a, b, strict=True))
