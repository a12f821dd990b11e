"""The checks of notebook 09: context and attention models."""

import math
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.workbench.checks import Wrong, as_number, call, exercise


@exercise
def pass_of(function) -> str:
    """pass_of(i, j, radius): the earliest coding pass of a wavefront in raster order."""
    places = list(product(range(5), range(6)))
    answers = {(place, radius): call(function, *place, radius) for radius in (1, 2, 3, 4) for place in places}
    for message, rival in OTHER_PASSES.items():
        if all(answer == rival(*place, radius) for (place, radius), answer in answers.items()):
            raise Wrong(message)
    for (place, radius), answer in answers.items():
        if isinstance(answer, bool) or answer != answer or not _is_whole(answer):
            raise Wrong(f"A pass has a whole number, not {answer!r}.")
        for known in places:
            before = known < place and max(abs(known[0] - place[0]), abs(known[1] - place[1])) <= radius
            if before and not answers[known, radius] < answer:
                raise Wrong(
                    f"radius {radius}: {place} may look at {known}, but their passes are {answer} and "
                    f"{answers[known, radius]}. What is looked at must come earlier."
                )
    for (place, radius), answer in answers.items():
        first = answers[(0, 0), radius]
        fewest = (radius + 1) * place[0] + place[1]
        if answer - first != fewest:
            raise Wrong(
                f"radius {radius}: causal, but {place} waits until {answer - first} passes after the first one; "
                f"{fewest} would do."
            )
        if first != 0:
            raise Wrong(f"The first pass is 0; yours is {first}.")
    return "A context of 3 × 3 (radius 1) has pass 2 i + j: the next row may start sooner, so there are fewer passes."


def _is_whole(answer) -> bool:
    try:
        return int(answer) == answer
    except (TypeError, ValueError, OverflowError):
        return False


# What a learner may have written instead, and what to say then.
OTHER_PASSES = {
    "That is right for our radius 2 only. What is it for others?": lambda i, j, radius: 3 * i + j,
    "With radius · i + j the position `radius` to the right in the row above has the same pass, not an earlier one.": (
        lambda i, j, radius: radius * i + j
    ),
    "Rows and columns are swapped: raster order goes along the rows, so it is the row that waits.": (
        lambda i, j, radius: i + (radius + 1) * j
    ),
    "Causal, but later than necessary: how far to the right does a position look in the row above?": (
        lambda i, j, radius: (2 * radius + 1) * i + j
    ),
}


# ---- 2 the unit test

KERNEL = torch.linspace(0.3, 1.1, 25).reshape(1, 1, 5, 5)


def _masked(zero_from: int, rows: int = 25) -> Callable[[Tensor], Tensor]:
    kernel = KERNEL.flatten().clone()
    kernel[zero_from:rows] = 0
    return lambda x: F.conv2d(x, kernel.reshape(1, 1, 5, 5), padding=2)


def _at_one_place(x: Tensor) -> Tensor:
    """Honest but for one output, far from the middle, which sees the last position."""
    y = _masked(12)(x)
    leak = torch.zeros_like(y)
    leak[..., -2, 0] = 1
    return y + leak * x[..., -1:, -1:]


def _same_row(x: Tensor) -> Tensor:
    """Sees two to the right in its own row, and not its own place."""
    kernel = KERNEL.flatten().clone()
    kernel[[12, 13, *range(15, 25)]] = 0
    return F.conv2d(x, kernel.reshape(1, 1, 5, 5), padding=2)


# (what it is, the context, may it be used?)
CONTEXTS = (
    ("an honest mask of type A", _masked(12), True),
    ("a constant that looks at nothing", lambda x: 0 * x + 1, True),
    ("only the position just before, squared", lambda x: F.pad(x, (1, 0))[..., :-1] ** 2, True),
    ("type B: it sees its own place", _masked(13), False),
    ("no mask at all", _masked(25), False),
    ("a look to the right, in its own row only", _same_row, False),
    ("a look straight down, at nothing else", lambda x: F.pad(x, (0, 0, 0, 1))[..., 1:, :], False),
    ("a look up that wraps around to the last row", lambda x: x.roll(1, dims=2), False),
    ("an honest mask, normalised with the mean over the whole map", lambda x: _masked(12)(x) - x.mean(), False),
    ("a leak at one single output", _at_one_place, False),
)


@exercise
def is_causal(function) -> str:
    """is_causal(context, height, width): may it be used in raster order?"""
    torch.manual_seed(0)
    with torch.enable_grad():
        answers = [bool(_truth(call(function, context, 5, 6))) for _, context, _ in CONTEXTS]
        if len(set(answers)) == 1:
            raise Wrong(f"You say {answers[0]} to all of ten contexts, and some are honest, some cheat.")
        if all(answer != honest for answer, (_, _, honest) in zip(answers, CONTEXTS, strict=True)):
            raise Wrong("The other way around: True means that it may be used.")
        for answer, (what, _, honest) in zip(answers, CONTEXTS, strict=True):
            if answer != honest:
                verdict = "is honest, and you refuse it" if honest else "must not be used, and you let it pass"
                raise Wrong(f"One of the contexts {verdict}: {what}.")
    return "Ten contexts told apart, seven cheats among them."


def _truth(answer) -> bool:
    if isinstance(answer, Tensor) and answer.numel() == 1:
        return bool(answer)
    if not isinstance(answer, bool | np.bool_):
        raise Wrong(f"True or False is asked for, not a value of type {type(answer).__name__}.")
    return bool(answer)


# ---- 3 attention


@exercise
def masked_attention(function) -> str:
    """masked_attention(query (d,), keys (T, d), values (T, e), known (T,)) -> (e,)."""
    generator = torch.Generator().manual_seed(0)
    query, keys = torch.randn(16, generator=generator), torch.randn(6, 16, generator=generator)
    values = torch.randn(6, 3, generator=generator)
    masks = [torch.tensor(mask) for mask in ([True] * 6, [True, False, True, True, False, False])]
    answers = [_vector(call(function, query, keys, values, known), 3) for known in masks]
    right = [_attention(query, keys, values, known) for known in masks]
    if not all(torch.allclose(a, b, atol=1e-5) for a, b in zip(answers, right, strict=True)):
        for message, rival in OTHER_ATTENTIONS.items():
            told = [rival(query, keys, values, known) for known in masks]
            if all(torch.allclose(a, b, atol=1e-5) for a, b in zip(answers, told, strict=True)):
                raise Wrong(message)
        if torch.allclose(answers[0], right[0], atol=1e-5):
            raise Wrong("Right where all places are known, wrong with a mask.")
        raise Wrong("Wrong even where all places are known. Scale, softmax over the places, weighted sum?")
    nothing = _vector(call(function, query, keys, values, torch.zeros(6, dtype=torch.bool)), 3)
    if nothing.isnan().any():
        raise Wrong("Where no place is known the softmax divides 0 by 0, and you return NaN. Zeros are asked for.")
    if nothing.ne(0).any():
        raise Wrong("Where no place is known, zeros are asked for.")
    return "The unknown places have weight 0, and the others sum to 1."


def _vector(answer, size: int) -> Tensor:
    if not isinstance(answer, Tensor) or answer.shape != (size,):
        got = tuple(answer.shape) if isinstance(answer, Tensor) else f"a value of type {type(answer).__name__}"
        raise Wrong(f"A tensor of shape ({size},) is asked for, not {got}.")
    return answer.detach().float()


def _weights(query: Tensor, keys: Tensor, known: Tensor, scale: float) -> Tensor:
    match = (keys @ query * scale).masked_fill(~known, -math.inf)
    return match.softmax(dim=0)


def _attention(query: Tensor, keys: Tensor, values: Tensor, known: Tensor) -> Tensor:
    return _weights(query, keys, known, len(query) ** -0.5) @ values


def _all(known: Tensor) -> Tensor:
    return torch.ones_like(known)


OTHER_ATTENTIONS = {
    "You do not divide by √d.": lambda q, k, v, known: _weights(q, k, known, 1.0) @ v,
    "You divide by d, not by √d.": lambda q, k, v, known: _weights(q, k, known, 1 / len(q)) @ v,
    "You do not use the mask: the unknown places are weighed, too.": (
        lambda q, k, v, known: _attention(q, k, v, _all(known))
    ),
    "You set weights to 0 after the softmax (or the values): the rest no longer sums to 1.": (
        lambda q, k, v, known: (_weights(q, k, _all(known), len(q) ** -0.5) * known) @ v
    ),
    "You multiply the matches by the mask: 0 is not −∞, and e⁰ = 1 still counts.": (
        lambda q, k, v, known: (k @ q * len(q) ** -0.5 * known).softmax(dim=0) @ v
    ),
    "The mask is upside down: it is the known places that may be looked at.": (
        lambda q, k, v, known: _attention(q, k, v, ~known if not known.all() else known)
    ),
}


# ---- 4 time

CASES = [((7, 9), 2.0, 3.0, 4), ((7, 9), 0.5, 1.0, 1), ((6, 6), 1.0, 0.25, 1000), ((1, 5), 1.0, 1.0, 2)]


@exercise
def decode_time(function) -> str:
    """decode_time(pass_of (h, w), latency, work, processors): seconds for a whole latent."""
    maps: list[tuple[str, Tensor, float, float, int]] = []
    for (height, width), latency, work, processors in CASES:
        i, j = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        for order, passes in (("raster", 3 * i + j), ("checkerboard", (i + j) % 2)):
            maps.append((order, passes, latency, work, processors))
    answers = [call(function, *case[1:]) for case in maps]
    right = [_time(*case[1:]) for case in maps]
    answers = [as_number(answer, "A number of seconds") for answer in answers]
    if all(map(_close, answers, right)):
        return "Passes × latency stays, however many processors there are."
    for message, rival in OTHER_TIMES.items():
        if all(_close(answer, rival(*case[1:])) for answer, case in zip(answers, maps, strict=True)):
            raise Wrong(message)
    for answer, truth, (order, passes, latency, work, processors) in zip(answers, right, maps, strict=True):
        if not _close(answer, truth):
            raise Wrong(
                f"{order}, {passes.shape[0]} × {passes.shape[1]}, latency {latency}, work {work}, "
                f"{processors} processor(s): it takes {truth:g} seconds, you say {answer:g}."
            )
    raise AssertionError("one of the answers is wrong")


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5)


def _counts(passes: Tensor) -> list[int]:
    return passes.unique(return_counts=True)[1].tolist()


def _time(passes: Tensor, latency: float, work: float, processors: int) -> float:
    return sum(latency + work * -(-n // processors) for n in _counts(passes))


OTHER_TIMES = {
    "The positions of different passes cannot share the processors: round up in each pass, not once at the end.": (
        lambda passes, latency, work, p: len(_counts(passes)) * latency + work * -(-passes.numel() // p)
    ),
    "A processor cannot compute half a position: round up in each pass.": (
        lambda passes, latency, work, p: len(_counts(passes)) * latency + work * passes.numel() / p
    ),
    "Processors do not shorten the latency, only the work.": (
        lambda passes, latency, work, p: sum((latency + work * n) / p for n in _counts(passes))
    ),
    "The latency goes by before each pass, not once.": (
        lambda passes, latency, work, p: latency + sum(work * -(-n // p) for n in _counts(passes))
    ),
    "The latency goes by before each pass, not before each position.": (
        lambda passes, latency, work, p: passes.numel() * latency + sum(work * -(-n // p) for n in _counts(passes))
    ),
    "There is a latency before each pass, too.": lambda passes, latency, work, p: sum(
        work * -(-n // p) for n in _counts(passes)
    ),
    "The largest pass number is not the number of passes: it starts at 0.": (
        lambda passes, latency, work, p: _time(passes, latency, work, p) - latency
    ),
    "That is the time on one processor.": lambda passes, latency, work, p: _time(passes, latency, work, 1),
}
