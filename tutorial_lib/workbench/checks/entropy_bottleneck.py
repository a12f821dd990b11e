"""The checks of notebook 04: the factorized entropy bottleneck."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from tutorial_lib.workbench.checks import Wrong, call, exercise

RISING = {"A", "C"}  # of the layers of the first exercise; and why each letter is in or out:
WHY = {
    "A": "A does rise: σ(a) is positive, so the slope 1 + σ(a)(1 − tanh² h) is even above 1.",
    "B": "B falls: take a = −3; at h = 0 its slope is 1 − 3. That is why the gate is tanh(a) and not a.",
    "C": "C does rise: |tanh(a)| < 1 and |cos h| ≤ 1, so 1 + tanh(a) cos h stays above 0. The sine itself may fall.",
    "D": "D falls: softplus is positive, but not bounded; take a = 3, and the slope at h = 0 is 1 − 3.05.",
    "E": "E falls: tanh(2h) has slope 2 at h = 0; take a = −1, and the slope of the layer is 1 − 2 · 0.76.",
}


@exercise
def gates(letters) -> str:
    """The set of letters of the layers that rise for every a."""
    try:
        named = {letter.strip().upper() for letter in letters if letter.strip(" ,")}
    except (TypeError, AttributeError):
        raise Wrong('A set of letters is asked for, for example {"A", "B"}.') from None
    if unknown := named - set(WHY):
        raise Wrong(f"There is no layer {min(unknown)}: the letters are A to E.")
    for letter in sorted(named ^ RISING):
        raise Wrong(WHY[letter])
    return "What is added must never fall faster than h rises; it may well fall."


def _mass(lower: Tensor, upper: Tensor) -> Tensor:
    """The exact mass: float64, in the lower tail."""
    lower, upper = lower.double(), upper.double()
    turned = lower + upper > 0
    low, high = torch.where(turned, -upper, lower), torch.where(turned, -lower, upper)
    return torch.sigmoid(high) - torch.sigmoid(low)


@exercise
def tails(function) -> str:
    """mass(lower, upper) = sigmoid(upper) - sigmoid(lower) to a thousandth, in both tails, in float32."""
    for name, centres in {
        "the middle": torch.tensor([[-2.0, -0.75], [0.75, 2.0]]),
        "the lower tail": torch.linspace(-60, -3, 40),
        "the upper tail": torch.linspace(3, 24, 22),
        "the far upper tail": torch.linspace(36, 60, 13),
        "a bin whose middle is exactly 0": torch.zeros(3),
    }.items():
        for width in (0.25, 1.0, 3.0):
            lower, upper = centres - width / 2, centres + width / 2
            truth, answer = _mass(lower, upper), call(function, lower.clone(), upper.clone())
            if not isinstance(answer, Tensor) or answer.shape != lower.shape:
                raise Wrong(f"A tensor of shape {tuple(lower.shape)} is asked for, like the two that were given.")
            if answer.isnan().any():
                raise Wrong(f"In {name} there is a NaN: is something infinite subtracted or divided?")
            right = (answer.double() / truth - 1).abs() <= 1e-3
            if right.all():
                continue
            first = int((~right).flatten().nonzero()[0])
            got, wanted = answer.flatten()[first].item(), truth.flatten()[first].item()
            _explain_mass(name, got, wanted, lower.flatten()[first].item(), upper.flatten()[first].item())
    return "In float32, from one tail to the other."


def _explain_mass(name: str, got: float, wanted: float, lower: float, upper: float) -> None:
    case = f"In {name}, from {lower:.2f} to {upper:.2f}: "
    if name.startswith("a bin whose middle") and got == 0:
        raise Wrong("A bin whose middle is exactly 0 gets a mass of 0. What is the sign of 0?")
    if math.isclose(got, -wanted, rel_tol=1e-3):
        raise Wrong(f"{case}right, but negative. If both arguments change sign, so does the difference.")
    if name == "the far upper tail":
        raise Wrong(
            f"{case}{got:.1e} instead of {wanted:.1e}. Has float64 only postponed it? Near 1 it is coarse, too."
        )
    if name == "the upper tail":
        raise Wrong(f"{case}{got:.1e} instead of {wanted:.1e}. Both sigmoids are nearly 1 there; where are they small?")
    if name == "the lower tail" and abs(got) < 1e-6:
        raise Wrong(f"{case}{got:.1e} instead of {wanted:.1e}. This tail was fine as it was; which one needs turning?")
    raise Wrong(f"{case}{got:.3g} instead of {wanted:.3g}.")


SOURCES = [(0.0, 1.0), (-3.0, 0.5), (700.0, 2.0), (12_345.678, 0.01), (-70_000.0, 300.0)]  # centre, scale
PATIENCE = 10_000  # evaluations of the cumulative


def _logistic(centre: float, scale: float) -> Callable:
    """The cumulative of a logistic distribution, which loses its patience after many questions."""
    asked = 0

    def cumulative(x: float) -> float:
        nonlocal asked
        asked += 1
        if asked > PATIENCE:
            raise Wrong(
                "10,000 looks at the cumulative, and no answer yet. Sixty halvings are enough; does your loop end?"
            )
        return 0.5 * (1 + math.tanh((float(x) - centre) / (2 * scale)))

    return cumulative


@exercise
def quantile(function) -> str:
    """quantile(cumulative, p): where a rising function takes the value p, to 1e-6."""
    for centre, scale in SOURCES:
        for p in (0.5, 0.001, 0.9):
            answer = call(function, _logistic(centre, scale), p)
            try:
                answer = float(answer)
            except (TypeError, ValueError):
                raise Wrong(f"A number is asked for, not {answer!r}.") from None
            truth = centre + scale * math.log(p / (1 - p))
            if abs(answer - truth) <= 1e-6:
                continue
            case = f"Around {centre:g} with scale {scale:g}, p = {p:g}: "
            if abs(answer - (2 * centre - truth)) <= 1e-3:
                raise Wrong(f"{case}that is where the cumulative is {1 - p:g}. It counts what lies below.")
            if abs(answer - truth) <= 0.1:
                raise Wrong(f"{case}{answer:.7f} is near, but it is {truth:.7f}. Go on halving.")
            if abs(answer - p) <= 1e-3:
                raise Wrong(f"{case}{answer:g} is a value of the cumulative; where does it take it?")
            if abs(answer) > 9e4:
                raise Wrong(f"{case}you ended at {answer:g}, at the edge. Which half is it in where c(middle) < p?")
            if abs(answer) < abs(truth):
                raise Wrong(f"{case}you ended at {answer:g}, it is {truth:g}. Does your search begin wide enough?")
            raise Wrong(f"{case}you found {answer:g}, it is {truth:g}.")
    return "No training, no derivative, no formula for the inverse."


@exercise
def pmf(function) -> str:
    """row(cumulative, median, lower, upper) -> (offset, pmf) of the symbols round(y - median)."""
    for centre, scale, median, lower, upper in [(0.3, 0.8, 0.3, -5.1, 6.4), (-40.25, 2.0, -40.25, -52.1, -29.9)]:

        def cumulative(x: Tensor, centre: float = centre, scale: float = scale) -> Tensor:
            return torch.sigmoid((x - centre) / scale)

        answer = call(function, cumulative, median, lower, upper)
        try:
            offset, masses = answer
            offset, masses = float(offset), torch.as_tensor(masses).double().flatten()
        except (TypeError, ValueError, RuntimeError):
            raise Wrong("A pair is asked for: (offset, pmf), a whole number and a tensor.") from None
        first, last = round(lower - median), round(upper - median)
        case = f"median {median:g}, quantiles {lower:g} and {upper:g}: "
        if offset == round(lower) != first:
            raise Wrong(
                f"{case}the offset is a symbol, and a symbol is counted from the median: {first}, not {offset:g}."
            )
        if offset != first:
            raise Wrong(f"{case}the first symbol is {first}, not {offset:g}.")
        length = last - first + 1
        if len(masses) != length:
            hint = " Is the last one in?" if len(masses) == length - 1 else ""
            raise Wrong(f"{case}there are {length} symbols from {first} to {last}, you have {len(masses)}.{hint}")
        values = torch.arange(first, last + 1, dtype=torch.float64) + median
        _explain_pmf(case, masses, values, cumulative)
    return "In notebook 05 these become whole numbers that sum to 65,536."


def _explain_pmf(case: str, masses: Tensor, values: Tensor, cumulative: Callable) -> None:
    def bins(places: Tensor, low: float = -0.5, high: float = 0.5) -> Tensor:
        return cumulative(places + high) - cumulative(places + low)

    right = bins(values)
    rivals = {
        "these bins are centred on whole numbers. The symbol k stands for the value k + median.": bins(
            values - (values[0] - values[0].round())
        ),
        "these bins begin at the value instead of around it: half a step to each side.": bins(values, 0, 1),
        "these bins end at the value instead of around it: half a step to each side.": bins(values, -1, 0),
        "these sum to exactly 1. What lies in the tails is for the escape symbol: do not divide.": right / right.sum(),
        "these bins are two steps wide: c(y + ½) − c(y − ½).": bins(values, -1, 1),
        "this is the cumulative itself; a probability is a difference of two of its values.": cumulative(values),
    }
    if torch.allclose(masses, right, rtol=1e-4, atol=3e-7) and abs(masses.sum() - right.sum()) < 2e-6:
        return
    for message, rival in rivals.items():
        if torch.allclose(masses, rival, rtol=1e-3, atol=1e-6):
            raise Wrong(case + message)
    worst = int((masses - right).abs().argmax())
    raise Wrong(f"{case}entry {worst} is {masses[worst]:.4f}; it should be {right[worst]:.4f}.")
