"""The checks of notebook 09: context and attention models."""

import copy
import math
from collections.abc import Callable
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.checks import Wrong, as_number, call, exercise
from tutorial_lib.context import ContextPrior, ConvContext, coding_passes, slim_context


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


def _at_the_end(x: Tensor) -> Tensor:
    """Honest but for the last output, which sees its own place."""
    y = _masked(12)(x)
    leak = torch.zeros_like(y)
    leak[..., -1, -1] = 1
    return y + leak * x


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
    ("a leak at the very last output, which sees its own place", _at_the_end, False),
)


@exercise
def is_causal(function) -> str:
    """is_causal(context, height, width): may it be used in raster order?"""
    torch.manual_seed(0)
    with torch.enable_grad():
        answers = [bool(_truth(call(function, context, 5, 6))) for _, context, _ in CONTEXTS]
        if len(set(answers)) == 1:
            raise Wrong(f"You say {answers[0]} to all of eleven contexts, and some are honest, some cheat.")
        if all(answer != honest for answer, (_, _, honest) in zip(answers, CONTEXTS, strict=True)):
            raise Wrong("The other way around: True means that it may be used.")
        for answer, (what, _, honest) in zip(answers, CONTEXTS, strict=True):
            if answer != honest:
                verdict = "is honest, and you refuse it" if honest else "must not be used, and you let it pass"
                raise Wrong(f"One of the contexts {verdict}: {what}.")
    return "Eleven contexts told apart, eight cheats among them."


def _truth(answer) -> bool:
    if isinstance(answer, Tensor) and answer.numel() == 1:
        return bool(answer)
    if not isinstance(answer, bool | np.bool_ | int) or answer not in (0, 1):
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
    answers = [_vector(call(function, query, keys, values, known.clone()), 3) for known in masks]
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


def _vector(answer, size: int, wanted: str = "numbers") -> Tensor:
    """A tensor, an array or a list of so many numbers, as float32."""
    try:
        if isinstance(answer, list | tuple):
            answer = [float(value) for value in answer]
        vector = torch.as_tensor(answer).detach().float()
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{size} {wanted} are asked for, not a value of type {type(answer).__name__}.") from None
    if vector.shape != (size,):
        raise Wrong(f"{size} {wanted} are asked for, of shape ({size},), not {tuple(vector.shape)}.")
    return vector


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


# ---- 3 which neighbours count


def _small_prior() -> tuple[ContextPrior, Tensor]:
    """One whose places matter, in evaluation mode, and a latent for it."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        prior = slim_context(ConvContext, "wavefront", 6, N=4).requires_grad_(False).eval()
    for name, weight in prior.named_parameters():
        if name in ("context.weight", "embed.weight"):  # much larger than at the start, so that neighbours matter
            weight.copy_(torch.randn(weight.shape, generator=generator))
    return prior, 3 * torch.randn(1, 6, 5, 6, generator=generator)


def _bits(prior: ContextPrior, y: Tensor) -> float:
    return -prior(y)[1]["y"].log2().sum().item()


def _silenced(places: list[int]) -> float:
    """Bits of y without these places."""
    prior, y = _small_prior()
    assert isinstance(prior.context, ConvContext)
    prior.context.weight[:, :, places] = 0
    return _bits(prior, y)


@exercise
def worth(function) -> str:
    """worth(prior, y): for each place how many more bits y costs when the context is blind there."""
    prior, y = _small_prior()
    before, kept = copy.deepcopy(prior.state_dict()), y.clone()
    places = range(len(prior.places))
    answer = _vector(call(function, prior, y), len(places), "numbers of bits, one for each place,")
    all_places = _silenced([])
    right = torch.tensor([_silenced([place]) - all_places for place in places])
    others = {
        "Each place is to be silenced alone: bring its weights back before the next one.": [
            _silenced(list(range(place + 1))) - all_places for place in places
        ],
        "You silence all places but one.": [_silenced([o for o in places if o != p]) - all_places for p in places],
        "These are the bits without each place. How many *more* are they than with all of them?": (right + all_places),
        "The sign: bits without the place minus bits with all of them, so that a useful place has a positive worth.": (
            -right
        ),
        "These are nats, from the natural logarithm. Bits need log2.": right * math.log(2),
        "You divide by the bits with all places. Bits are asked for, not a share.": right / all_places,
        "These are means over the values. The bits of all of y are asked for: a sum.": right / y.numel(),
    }
    if not torch.allclose(answer, right, atol=0.02, rtol=1e-3):
        for message, rival in others.items():
            if torch.allclose(answer, torch.as_tensor(rival).float(), atol=2e-4, rtol=1e-3):
                raise Wrong(message)
    changed = [name for name, value in before.items() if isinstance(value, Tensor) and not _same(prior, name, value)]
    if changed:
        raise Wrong(f"Afterwards the prior's {changed[0]} are not what they were. Keep a clone, and copy it back.")
    if not torch.equal(y, kept):
        raise Wrong("Afterwards y is not what it was.")
    if not torch.allclose(answer, right, atol=0.02, rtol=1e-3):
        place = int((answer - right).abs().argmax())
        raise Wrong(
            f"Without place {place}, {prior.places[place]}, this y costs {right[place]:.2f} bits more; you say "
            f"{answer[place]:.2f}."
        )
    return "An ablation: leave one thing out, and leave all the rest as it is."


def _same(prior: ContextPrior, name: str, value: Tensor) -> bool:
    return torch.equal(prior.state_dict()[name], value)


# ---- 5 time

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


# ---- 6 what is known


@exercise
def known_on_average(function) -> str:
    """known_on_average(pass_of (h, w)): the mean number of neighbours within two rows and columns that come earlier."""
    orders = ("raster", "wavefront", "checkerboard", "quarters", "pyramid")
    maps = [(order, coding_passes(order, *shape)) for shape in ((6, 7), (1, 5), (4, 3)) for order in orders]
    maps.append(("all at once", torch.zeros(3, 4, dtype=torch.int64)))
    answers = [as_number(call(function, passes.clone()), "A mean number of neighbours") for _, passes in maps]
    right = [_known(passes) for _, passes in maps]
    if all(map(_close_or_zero, answers, right)):
        return "The wavefront and the raster scan know the same on average; whoever shares a pass knows less."
    for message, rival in OTHER_COUNTS.items():
        if all(_close_or_zero(answer, rival(passes)) for answer, (_, passes) in zip(answers, maps, strict=True)):
            raise Wrong(message)
    for answer, truth, (order, passes) in zip(answers, right, maps, strict=True):
        if not _close_or_zero(answer, truth):
            raise Wrong(
                f"{order}, {passes.shape[0]} × {passes.shape[1]}: a position knows {truth:.3f} neighbours on average; "
                f"you say {answer:.3f}."
            )
    raise AssertionError("one of the answers is wrong")


def _close_or_zero(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-4, abs_tol=1e-6)


def _around(passes: Tensor, beyond: float) -> Tensor:
    """The 25 passes around each position, its own in the middle: (25, h w). beyond: what lies outside."""
    padded = F.pad(passes.double()[None, None], [2] * 4, value=beyond)
    return F.unfold(padded, 5)[0]


def _known(passes: Tensor, beyond: float = math.inf) -> float:
    around = _around(passes, beyond)
    return (around < around[12]).double().sum(0).mean().item()


OTHER_COUNTS = {
    "Two positions of one pass are decoded together and do not know each other: earlier means <, not ≤.": (
        lambda passes: (_around(passes, math.inf) <= _around(passes, math.inf)[12]).double().sum(0).mean().item()
    ),
    "Positions of one pass do not know each other, and nobody knows itself: earlier means <, not ≤.": (
        lambda passes: (_around(passes, math.inf) <= _around(passes, math.inf)[12]).double().sum(0).mean().item() - 1
    ),
    "Beyond the edge there is nothing. A map padded with zeros has positions of pass 0 there, which seem known.": (
        lambda passes: _known(passes, 0.0)
    ),
    "That is the sum over all positions. The mean is asked for.": lambda passes: _known(passes) * passes.numel(),
    "Within two rows and two columns, not one: the neighbourhood is 5 × 5.": (
        lambda passes: _share(passes, [6, 7, 8, 11, 13, 16, 17, 18])
    ),
    "Only the four direct neighbours? The neighbourhood is 5 × 5.": lambda passes: _share(passes, [7, 11, 13, 17]),
    "That is the share of the 24 places. How many neighbours is it?": lambda passes: _known(passes) / 24,
}


def _share(passes: Tensor, places: list[int]) -> float:
    around = _around(passes, math.inf)
    return (around[places] < around[12]).double().sum(0).mean().item()
