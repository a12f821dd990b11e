"""The checks of notebook 05: CDF tables."""

import heapq
import math
from collections.abc import Callable, Sequence

import numpy as np

from tutorial_lib.cdf import pmf_to_quantized_cdf
from tutorial_lib.checks import Wrong, as_number, call, exercise
from tutorial_lib.workbench import table_prices

# Rows to ask prices of: (cdf, offset). The second one's symbols and values differ, the third lists one value.
PRICED = (
    ([0, 16384, 49152, 62259, 65536], 0),
    ([0, 16, 1040, 33808, 65528, 65535, 65536], -2),
    ([0, 65280, 65536], 7),
)


def near(a: float, b: float) -> bool:
    """Equal, as far as float32 tells."""
    return math.isclose(a, b, rel_tol=2e-6, abs_tol=1e-6)


def as_widths(answer) -> list[int]:
    """The learner's widths, of a list, an array or a tensor, as whole numbers."""
    try:
        widths = [float(width) for width in answer]
    except (TypeError, ValueError):
        raise Wrong(f"A list of widths is asked for, not {answer!r}.") from None
    if not all(width == round(width) for width in widths):
        raise Wrong(f"{widths}: widths are counts, and so whole numbers.")
    return [round(width) for width in widths]


@exercise
def price(function) -> str:
    """price(value, cdf, offset): the bits of a value, listed or not."""
    for cdf, offset in PRICED:
        n = len(cdf) - 2
        inside = range(offset, offset + n)
        for value in (*inside, *(offset + n + d for d in (0, 1, 7, 8, 500)), *(offset - d for d in (1, 2, 8, 9, 500))):
            case = f"value {value}, cdf {cdf}, offset {offset}"
            answer = as_number(call(function, value, list(cdf), offset), f"{case}: a number of bits")
            right = table_prices.price(value, cdf, offset)
            if near(answer, right):
                continue
            if value in inside:
                raise Wrong(f"{case}: {_wrong_listed(answer, value, cdf, offset)}")
            raise Wrong(f"{case}: {_wrong_escape(answer, value, cdf, offset)}")
    return "An escape is expensive, but never infinite: that is why every row has one."


def _wrong_listed(answer: float, value: int, cdf: Sequence[int], offset: int) -> str:
    v = value - offset
    width, right = cdf[v + 1] - cdf[v], table_prices.price(value, cdf, offset)
    if near(answer, width):
        return f"{width} is the symbol's width. What does it cost in bits?"
    if near(answer, right * math.log(2)):
        return "these are nats; bits take the logarithm to base 2."
    if near(answer, -right):
        return "the sign is wrong: a cost is not negative."
    if near(answer, math.log2(width)):
        return "that is log2 of the width; of 16 bits, it is what the symbol does *not* cost."
    if v > 0 and near(answer, 16 - math.log2(cdf[v])):
        return "that takes the cumulative count for the width, which is the difference of two neighbours."
    if offset and near(answer, table_prices.price(value, cdf, 0)):
        return f"the row's symbol 0 stands for the value {offset}. Was the offset subtracted?"
    if answer > right + 3:
        return f"this value is listed, so it needs no escape: {right:.2f} bits, not {answer:.2f}."
    return f"{right:.2f} bits, not {answer:.2f}."


def _wrong_escape(answer: float, value: int, cdf: Sequence[int], offset: int) -> str:
    n, v = len(cdf) - 2, value - offset
    escape = 16 - math.log2(cdf[n + 1] - cdf[n])
    right = table_prices.price(value, cdf, offset)
    if near(answer, escape):
        return "that is the escape symbol alone; the number of digits (4 bits) and the digits follow it."
    if near(answer, right - escape):
        return "that is the digits alone; the escape symbol in front of them costs bits, too."
    unfolded = abs(v - n) if v >= n else -v
    if near(answer, escape + 4 + 4 * table_prices.hexadecimal_digits(unfolded)):
        return "how does the decoder learn on which side of the row the value lies? r is 2(v − n) or −2v − 1."
    if near(answer, right - 4):
        return "4 bits are missing: before the digits comes how many there are."
    if near(answer, escape + 8) and right < answer:
        return "r = 0 has no digits at all, only the 4 bits that say so."
    return f"it is not listed, and costs {right:.2f} bits, not {answer:.2f}."


@exercise
def rob_the_rich(function) -> str:
    """rob_the_rich(widths): each empty symbol takes one count of the widest at that moment."""
    cases = ([5, 0, 3], [1, 0, 4, 0, 9, 0], [4, 4, 0, 0, 0], [0, 0, 5, 6, 0], [3, 2, 1], [0, 2, 0, 30, 0, 0])
    for widths in cases:
        given = list(widths)
        answer = as_widths(call(function, given))
        if given != widths:
            raise Wrong(f"{widths}: the list that was handed in has been changed; return a new one.")
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
    ([0, 1, 3, 65535, 65536], 5, True, "this row is sound: one count is enough for a symbol."),
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
        case = f"row {row}, length {length}"
        try:
            answer = call(function, list(row), length)
        except (IndexError, ValueError, ZeroDivisionError) as error:
            raise Wrong(f"{case}: stopped with {type(error).__name__}; {message}") from None
        try:
            said = float(answer)
        except (TypeError, ValueError):
            raise Wrong(f"{case}: True or False is asked for, not {answer!r}.") from None
        if said not in (0, 1):
            raise Wrong(f"{case}: True or False is asked for, not {answer!r}.")
        if bool(said) != right:
            raise Wrong(f"{case}: {message}")
    return "CdfTables makes these checks on everything that is loaded, for all rows at once."


LONG = [0.001, 0.004, 0.02, 0.2, 0.5, 0.25, 0.02, 0.003, 0.0015, 0.0005]
# (pmf, offset, tail mass). In the fourth, halves of the tail mass are met exactly, in floats of any kind.
CUTS = (
    (LONG, -4, 0.012),
    (LONG, -4, 0.0061),
    (LONG, 3, 0.0),
    ([1 / 64, 1 / 64, 32 / 64, 16 / 64, 12 / 64, 2 / 64], -2, 1 / 16),
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
        if len(kept) == stop - start and not _close(kept, pmf[start:stop]) and near(sum(kept), 1):
            raise Wrong(f"{case}: what is kept was divided by its sum. What is missing to 1 is the escape's; leave it.")
        if not _close(kept, pmf[start:stop]):
            raise Wrong(f"{case}: {_wrong_cut(kept, pmf, tail_mass)}")
        if first != offset + start:
            same = " It is the old one." if first == offset else ""
            raise Wrong(f"{case}: the first kept entry is the value {offset + start}, not {first}.{same}")
        dropped = sum(pmf[:start]) + sum(pmf[stop:])
        if not near(tail, dropped):
            asked = " That is what was allowed, not what was dropped." if near(tail, tail_mass) else ""
            raise Wrong(f"{case}: {dropped:.4g} was dropped, not {tail:.4g}.{asked}")
    return "With the tail as its last entry, the row goes to pmf_to_quantized_cdf."


def _wrong_cut(kept: list[float], pmf: list[float], tail_mass: float) -> str:
    start, stop = _cut(pmf, tail_mass / 2)
    if _close(kept, pmf[slice(*_cut(pmf, tail_mass))]):
        return "the tail mass is for both sides together; half of it for each."
    if _close(kept, pmf[slice(*_cut(pmf, tail_mass / 2, strictly=True))]):
        return f"what is dropped on a side may sum to exactly {tail_mass / 2:g}: compare with ≤, not with <."
    if _close(kept, [p for p in pmf if p > tail_mass / 2]):
        return "each entry was compared by itself. It is their *sum* that counts."
    if any(not any(math.isclose(p, q, rel_tol=1e-5) for q in pmf) for p in kept):
        return "some of what you keep is not among the entries of the PMF. Keep them as they are."
    if len(kept) < stop - start:
        return f"too much is gone: {len(kept)} entries are left, {stop - start} should be."
    if len(kept) > stop - start:
        return f"{len(kept)} entries are left; {stop - start} are enough."
    return f"{stop - start} entries should be left, from {pmf[start]:g} to {pmf[stop - 1]:g}; yours are others."


def _cut(pmf: Sequence[float], allowed: float, strictly: bool = False) -> tuple[int, int]:
    """Where the kept part starts and stops if `allowed` may be dropped on each side (strictly: less than that)."""

    def may_go(mass: float) -> bool:
        return mass < allowed if strictly else mass <= allowed

    start, stop = 0, len(pmf)
    while start < stop - 1 and may_go(sum(pmf[: start + 1])):
        start += 1
    while stop > start + 1 and may_go(sum(pmf[stop - 1 :])):
        stop -= 1
    return start, stop


def _close(a: Sequence[float], b: Sequence[float]) -> bool:
    return len(a) == len(b) and all(math.isclose(x, y, rel_tol=1e-5, abs_tol=1e-9) for x, y in zip(a, b, strict=True))


# ---- the best widths

FAIR = ([0.7, 0.2, 0.1], [0.5, 0.25, 0.125, 0.125], [0.02, 0.9, 0.05, 0.03], [0.25, 0.0, 0.75], [0.96, 0.02, 0.02])


@exercise
def one_at_a_time(function) -> str:
    """one_at_a_time(pmf, precision): the widths that cost the fewest bits, of all that leave no symbol empty."""
    for pmf in FAIR:
        for precision in (3, 5, 8):
            case = f"pmf {pmf}, precision {precision}"
            widths = as_widths(call(function, list(pmf), precision))
            if len(widths) != len(pmf):
                raise Wrong(f"{case}: {len(pmf)} widths are asked for, and {len(widths)} came.")
            if min(widths) < 1:
                raise Wrong(f"{case}: {widths} leaves a symbol without a count. Each begins with one.")
            if sum(widths) != 2**precision:
                raise Wrong(f"{case}: {widths} sum to {sum(widths)}; there are {2**precision} counts to share.")
            _judge_widths(widths, pmf, precision, case)
    return "Nothing can beat it: a saving only shrinks as a symbol grows, so no later count could have done better."


def _judge_widths(widths: list[int], pmf: list[float], precision: int, case: str) -> None:
    cost, least = _mean_bits(pmf, widths), _mean_bits(pmf, _handed_out(pmf, precision, _saving))
    if cost <= least + 1e-7:  # of equals, any
        return
    rivals = {
        "every count goes to the most probable symbol. What the next count saves there shrinks as it grows.": (
            lambda p, w: p
        ),
        "you compare p / w, nearly what a count saves, but not quite: p · log2((w + 1) / w) is.": lambda p, w: p / w,
        "you choose by log2((w + 1) / w) alone. It is saved each time the symbol comes: weigh it with p.": (
            lambda p, w: math.log2((w + 1) / w)
        ),
        "you choose by what the *last* count saved, log2(w / (w − 1)); ask what the next one would save.": (
            lambda p, w: p * math.log2(w / (w - 1)) if w > 1 else p * 1e9
        ),
    }
    for message, gain in rivals.items():
        if widths == _handed_out(pmf, precision, gain):
            raise Wrong(f"{case}: {message}")
    raise Wrong(f"{case}: {widths} cost {cost:.4f} bits a symbol, and {least:.4f} would do.")


def _saving(p: float, w: int) -> float:
    return p * math.log2((w + 1) / w)


def _handed_out(pmf: Sequence[float], precision: int, gain: Callable[[float, int], float]) -> list[int]:
    """One count each, and the rest one by one to the symbol of the largest gain(p, w), the leftmost of equals."""
    widths = [1] * len(pmf)
    heap = [(-gain(p, 1), k) for k, p in enumerate(pmf)]
    heapq.heapify(heap)
    for _ in range(2**precision - len(pmf)):
        _, k = heapq.heappop(heap)
        widths[k] += 1
        heapq.heappush(heap, (-gain(pmf[k], widths[k]), k))
    return widths


def _mean_bits(pmf: Sequence[float], widths: Sequence[int]) -> float:
    total = sum(widths)
    return sum(p * math.log2(total / w) for p, w in zip(pmf, widths, strict=True))


# ---- the best row


def _bell(scale: float) -> list[float]:
    """A Gaussian's probabilities of −M … M, M being 8 times its standard deviation."""
    values = np.arange(-math.ceil(8 * scale), math.ceil(8 * scale) + 1)
    masses = np.array([math.erf((v + 0.5) / scale / 2**0.5) - math.erf((v - 0.5) / scale / 2**0.5) for v in values])
    return (masses / masses.sum()).tolist()


def _peak(decay: float, reach: int) -> list[float]:
    masses = decay ** np.abs(np.arange(-reach, reach + 1))
    return (masses / masses.sum()).tolist()


HUNTED = (_bell(0.8), _bell(3.0), _peak(0.5, 40), _peak(0.8, 60), _peak(0.9, 60), [0.1, 0.8, 0.1])


def _costs_of_reaches(pmf: Sequence[float]) -> dict[str, list[float]]:
    """Expected bits of a symbol for each reach: as they are, and as they seem to one who forgets something."""
    M = len(pmf) // 2
    costs: dict[str, list[float]] = {"right": [], "free": [], "ideal": [], "starved": []}
    for r in range(M + 1):
        listed = np.array(pmf[M - r : M + r + 1])
        rest = max(0.0, 1 - float(listed.sum()))
        row = pmf_to_quantized_cdf(np.append(listed, rest)).tolist()
        prices = [table_prices.price(k - M, row, -r) for k in range(2 * M + 1)]
        inside = float(np.dot(listed, prices[M - r : M + r + 1]))
        costs["right"].append(float(np.dot(pmf, prices)))
        costs["free"].append(inside)
        costs["ideal"].append(float(np.dot(pmf, prices)) - inside - float(listed @ np.log2(listed)))
        starved = pmf_to_quantized_cdf(np.append(listed, 0.0)).tolist()
        costs["starved"].append(sum(p * table_prices.price(k - M, starved, -r) for k, p in enumerate(pmf)))
    return costs


@exercise
def best_reach(function) -> str:
    """best_reach(pmf): the r for which a row of −r … r, with an escape, costs the fewest bits."""
    for pmf in HUNTED:
        M = len(pmf) // 2
        case = f"{len(pmf)} probabilities, {pmf[M]:.3f} the largest"
        answer = as_number(call(function, list(pmf)), f"{case}: one number, the reach,")
        costs = _costs_of_reaches(pmf)
        right = costs["right"]
        best = int(np.argmin(right))
        if answer == 2 * best + 1 > M:
            raise Wrong(f"{case}: {answer:g} is how many values the best row lists; its reach is asked for.")
        if answer != round(answer) or not 0 <= answer <= M:
            raise Wrong(f"{case}: the reach is a whole number from 0 to {M}, not {answer:g}.")
        r = round(answer)
        if right[r] <= right[best] + 1e-6:
            continue
        found = ""
        if r == int(np.argmin(costs["free"])):
            found = "Is the escape paid for, its digits included? (Or was the largest cost taken?)"
        elif r == int(np.argmin(costs["ideal"])):
            found = "A listed value costs 16 − log2 of its width, and not −log2 of its probability."
        elif r == int(np.argmin(costs["starved"])):
            found = "Does your escape have a probability? It is what the listed ones lack to 1."
        elif r == 2 * best + 1:
            found = "That is how many values the best row lists; its reach is asked for."
        raise Wrong(f"{case}: r = {r} costs {right[r]:.5f} bits a symbol, r = {best} only {right[best]:.5f}. {found}")
    return "About where a value's probability falls below one count: rarer ones are better left to the escape."
