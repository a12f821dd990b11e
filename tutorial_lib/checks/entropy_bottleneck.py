"""The checks of notebook 04: the factorized entropy bottleneck."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from tutorial_lib.checks import Wrong, as_number, call, exercise

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
            truth, answer = _mass(lower, upper), _tensor(call(function, lower.clone(), upper.clone()))
            if answer is None or answer.shape != lower.shape:
                raise Wrong(
                    f"Numbers of shape {tuple(lower.shape)} are asked for, like the two tensors that were given."
                )
            if answer.isnan().any():
                raise Wrong(f"In {name} there is a NaN: is something infinite subtracted or divided?")
            right = (answer / truth - 1).abs() <= 1e-3
            if right.all():
                continue
            first = int((~right).flatten().nonzero()[0])
            got, wanted = answer.flatten()[first].item(), truth.flatten()[first].item()
            _explain_mass(name, got, wanted, lower.flatten()[first].item(), upper.flatten()[first].item())
    return "In float32, from one tail to the other."


def _tensor(answer: object) -> Tensor | None:
    """The learner's numbers, float64, from a tensor, an array or lists; None if they are no numbers."""
    try:
        return torch.as_tensor(answer).detach().double()
    except (TypeError, ValueError, RuntimeError):
        return None


def _explain_mass(name: str, got: float, wanted: float, lower: float, upper: float) -> None:
    case = f"In {name}, from {lower:.2f} to {upper:.2f}: "
    compared = f"{got:.1e} instead of {wanted:.1e}"
    if f"{got:.1e}" == f"{wanted:.1e}":
        compared = f"{got:.5e} instead of {wanted:.5e}, off by {abs(got / wanted - 1):.1%}"
    if name.startswith("a bin whose middle") and got == 0:
        raise Wrong("A bin whose middle is exactly 0 gets a mass of 0. What is the sign of 0?")
    if math.isclose(got, -wanted, rel_tol=1e-3):
        raise Wrong(f"{case}right, but negative. If both arguments change sign, so does the difference.")
    if name == "the far upper tail":
        raise Wrong(f"{case}{compared}. Has float64 only postponed it? Near 1 it is coarse, too.")
    if name == "the upper tail":
        raise Wrong(f"{case}{compared}. Both sigmoids are nearly 1 there; where are they small?")
    if name == "the lower tail" and abs(got) < 1e-6:
        raise Wrong(f"{case}{compared}. This tail was fine as it was; which one needs turning?")
    raise Wrong(f"{case}{compared}.")


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
    """quantile(cumulative, p): where a rising function takes the value p, to 1e-6, or as near as float32 can say it."""
    for centre, scale in SOURCES:
        for p in (0.5, 0.001, 0.9):
            answer = call(function, _logistic(centre, scale), p)
            answer = as_number(answer)
            truth = centre + scale * math.log(p / (1 - p))
            float32_steps = abs(answer - truth) / float(np.spacing(np.float32(abs(truth))))
            if abs(answer - truth) <= 1e-6 or float32_steps <= 2:
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
    for centre, scale, median, lower, upper in [(0.3, 0.8, 0.3, -5.1, 6.4), (-40.25, 2.0, -40.25, -52.1, -29.5)]:

        def cumulative(x: object, centre: float = centre, scale: float = scale) -> Tensor:
            return torch.sigmoid((torch.as_tensor(x) - centre) / scale)

        answer = call(function, cumulative, median, lower, upper)
        try:
            offset, masses = answer
            offset, masses = float(offset), torch.as_tensor(masses).detach().double().flatten()
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


BOUND = 0.25  # of the exercise's values, all of which float32 holds exactly
VALUES = torch.tensor([-1.0, 0.0, 0.125, 0.25, 0.25, 0.5, 2.0, 0.125, -3.0, 0.5])
HANDED = torch.tensor([-3.0, 0.5, -0.5, -2.0, 4.0, 1.5, -0.25, 0.0, 8.0, 0.0])


@exercise
def bound_gradient(function) -> str:
    """back(x, bound, grad): what the lower bound hands back to x, of the gradient that reaches it."""
    answer = _tensor(call(function, VALUES.clone(), BOUND, HANDED.clone()))
    if answer is None or answer.shape != VALUES.shape:
        raise Wrong(f"Numbers of shape {tuple(VALUES.shape)} are asked for, one gradient for each x.")
    below = VALUES < BOUND
    passes = ~below | (HANDED < 0)
    right = torch.where(passes, HANDED, 0.0).double()
    if torch.equal(answer, right):
        return "What lies below the bound can rise again, and nothing can push it farther down."
    rivals = {
        "This is the gradient of max(x, bound): what has sunk below the bound never comes back.": ~below,
        "This passes everything, and so pushes values below the bound still farther down. Where should it stop?": (
            torch.ones_like(below)
        ),
        "Turn the second condition around: descent *subtracts* the gradient, so a negative one raises x.": (
            ~below | (HANDED > 0)
        ),
        "Above the bound every gradient passes, the positive ones, too.": HANDED < 0,
        "An x that lies exactly on the bound is not below it: its gradient passes.": (VALUES > BOUND) | (HANDED < 0),
        "Above the bound nothing changes: the gradient passes as it is. You have swapped the two sides.": (
            below | (HANDED < 0)
        ),
    }
    for message, passed in rivals.items():
        if torch.equal(answer, torch.where(passed, HANDED, 0.0).double()):
            raise Wrong(message)
    if torch.equal(answer, passes.double()):
        raise Wrong("These are the places where it passes. Multiply the gradient by them.")
    if torch.equal(answer, VALUES.clamp(min=BOUND).double()):
        raise Wrong("This is what goes forward, max(x, bound). What goes backward is asked for.")
    k = int((answer != right).nonzero()[0])
    x, grad = VALUES[k].item(), HANDED[k].item()
    raise Wrong(f"x = {x:g}, bound {BOUND:g}, gradient {grad:g}: {right[k]:g} goes back, yours is {answer[k]:g}.")


MOST_NUMBERS = 20
BUMPY = [((-5.0, 4.0), (1.2, 0.5), 0.65), ((3.0, 12.0), (0.8, 1.5), 0.4)]  # centres, spreads, share of the first
SURPLUS = 0.1  # bits a symbol above the entropy


def _drawn(centres: tuple, spreads: tuple, share: float) -> tuple[Tensor, Tensor, Tensor]:
    """3000 values of a source of two bumps; its symbols -60 … 60, and their probabilities."""
    generator = torch.Generator().manual_seed(7)
    which = (torch.rand(3000, generator=generator) > share).long()
    y = torch.tensor(centres)[which] + torch.tensor(spreads)[which] * torch.randn(3000, generator=generator)
    symbols = torch.arange(-60, 61, dtype=torch.float64)
    bumps = [Normal(torch.tensor(c).double(), torch.tensor(s).double()) for c, s in zip(centres, spreads, strict=True)]
    masses = [bump.cdf(symbols + 0.5) - bump.cdf(symbols - 0.5) for bump in bumps]
    return y, symbols, share * masses[0] + (1 - share) * masses[1]


@exercise
def fewer(function) -> str:
    """fit(y) -> a module of at most 20 numbers, a cumulative that costs at most 0.1 bit more than the entropy."""
    most = 0.0
    for source in BUMPY:
        y, symbols, masses = _drawn(*source)
        module = call(function, y.clone())
        if not isinstance(module, nn.Module):
            raise Wrong(f"fit returns the module itself, an nn.Module, not {type(module).__name__}.")
        numbers = sum(p.numel() for p in module.parameters()) + sum(b.numel() for b in module.buffers())
        if numbers == 0:
            raise Wrong(
                "Your module has no parameters: register its numbers as nn.Parameter, so that they are trained."
            )
        if numbers > MOST_NUMBERS:
            raise Wrong(f"Your module holds {numbers} numbers; {MOST_NUMBERS} are the most.")
        _check_cumulative(module)
        with torch.no_grad():
            believed = (module(symbols.float() + 0.5) - module(symbols.float() - 0.5)).double()
        surplus = (masses * (masses.clamp(min=1e-30).log2() - believed.clamp(min=1e-9).log2())).sum().item()
        most = max(most, surplus)
        mean, deviation = (masses * symbols).sum(), y.double().std()
        gaussian = Normal(mean, deviation)
        one_bump = gaussian.cdf(symbols + 0.5) - gaussian.cdf(symbols - 0.5)
        single = (masses * (masses.clamp(min=1e-30).log2() - one_bump.clamp(min=1e-9).log2())).sum().item()
        if surplus > SURPLUS:
            hint = "Train longer, or with larger steps."
            if 0.7 * single < surplus < 1.3 * single:
                hint = "So much costs a single bump. Has your family room for two?"
            elif surplus > 1.3 * single:
                hint = "That is more than a single bump costs. Has it been trained on this y?"
            raise Wrong(
                f"With bumps at {source[0][0]:g} and {source[0][1]:g} you pay {surplus:.2f} bits more than the "
                f"entropy; {SURPLUS} is the most. {hint}"
            )
    return f"At most {most:.2f} bits above the entropy, with {numbers} numbers."


def _check_cumulative(module: nn.Module) -> None:
    x = torch.linspace(-400, 400, 8001)
    with torch.no_grad():
        c = _tensor(call(module, x))
    if c is None or c.shape != x.shape:
        raise Wrong("For x of shape (N,) your module gives a value for each: shape (N,), too.")
    if c.isnan().any():
        raise Wrong(
            "Your cumulative holds NaN: a logarithm of a negative mass, perhaps? Bound the likelihoods from below."
        )
    if (c.diff() < -1e-5).any():
        raise Wrong(f"Your cumulative falls near x = {x[int(c.diff().argmin())]:.1f}. Which constraint is missing?")
    if c[0] > 0.01 or c[-1] < 0.99 or c[0] < -0.01 or c[-1] > 1.01:
        raise Wrong(f"A cumulative runs from 0 to 1; yours from {c[0]:.2f} to {c[-1]:.2f}.")
