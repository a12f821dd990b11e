"""The exercises' checks, one file a notebook.

A check takes the learner's answer, calls it or compares it, and says one of three things: not answered yet, what is
wrong, or right. It never compares the answer with itself, and its own tests feed it right and wrong answers.
"""

import functools
import inspect
from collections.abc import Callable

import numpy as np
import torch

from tutorial_lib.workbench.progress import in_a_notebook, keep_verdict

# A verdict's first character is one that every machine's fonts have: no emoji.
UNANSWERED = "○ Not answered yet."


class Verdict(int):
    """True or False, for a program. A notebook shows nothing of it: the sentence above it has said all."""

    def _ipython_display_(self) -> None:
        """Display nothing."""


class Wrong(Exception):
    """Raised inside a check with the sentence that tells the learner what is wrong."""


def exercise(check: Callable) -> Callable:
    """Turn a function that raises `Wrong` (and returns a closing remark) into a check that prints its verdict.

    The decorated check returns None for "not answered yet", `Verdict(False)` for wrong and `Verdict(True)` for right.
    `...` as the answer, or a function that returns it, counts as not answered. None is an answer, and a wrong one
    unless the check takes it: most often a return is missing. In a notebook, verdicts are kept for `progress()`.
    """

    @functools.wraps(check)
    def checked(*answers) -> Verdict | None:
        right, said = _verdict(check, answers)
        print(said)
        if right is None:
            return None
        if in_a_notebook():
            keep_verdict(check.__module__.rsplit(".", 1)[-1], check.__name__, right)
        return Verdict(right)

    return checked


def _verdict(check: Callable, answers: tuple) -> tuple[bool | None, str]:
    if any(answer is ... for answer in answers):
        return None, UNANSWERED
    if any(answer is None for answer in answers):
        return False, "✗ Your answer is None. Was it meant to be computed, by a function without a return?"
    _overwritten.clear()
    try:
        remark = check(*answers)
    except NotAnswered:
        return None, UNANSWERED
    except Wrong as wrong:
        return False, f"✗ {wrong}"
    except Exception as error:
        return False, f"✗ Your answer stopped with {type(error).__name__}: {error}"
    if _overwritten:
        return False, (
            f"✗ The result is right, but your function has changed {_overwritten[0]}, which its caller still needs. "
            "Work on a copy: x.clone() of a tensor, x.copy() of an array or a list."
        )
    return True, f"✓ Right. {remark or ''}".rstrip()


_overwritten: list[str] = []  # the arguments that the learner's function has changed, since the check began


class NotAnswered(Exception):
    """Raised by `call` when the learner's function still returns `...`."""


def call(function: Callable, *arguments, none: bool = False, **keywords):
    """Call the learner's function; a stub that still returns `...` is not answered, not wrong.

    none: None is among the right answers. Otherwise the learner is told that a return may be missing.
    Numbers among the positional arguments must be afterwards what they were: they belong to the caller. If not, the
    answer is wrong, but only if the check finds no other fault, of which it says more.
    """
    if not callable(function):
        raise Wrong(f"A function is asked for, not a value of type {type(function).__name__}.")
    before = [_numbers(argument) for argument in arguments]
    result = function(*arguments, **keywords)
    changed = [place for place, was in enumerate(before) if _numbers(arguments[place]) != was]
    if result is ...:
        raise NotAnswered
    if result is None and not none:
        given = ", ".join(short(argument) for argument in arguments)
        raise Wrong(f"For {given or 'no argument'} your function returned None: is a return missing?")
    _overwritten.extend(_name(function, place) for place in changed)
    return result


def _numbers(value: object) -> object:
    """What a function could overwrite in this value, as something that can be compared: bytes, or a list of them."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape), value.detach().cpu().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, list | tuple):
        return [_numbers(part) for part in value]
    if isinstance(value, dict):
        return [(key, _numbers(part)) for key, part in value.items()]
    return value if isinstance(value, int | float | str | bytes) else None


def _name(function: Callable, place: int) -> str:
    """The name of a function's argument at this place, as far as it can be told."""
    try:
        return f"`{list(inspect.signature(function).parameters)[place]}`"
    except (ValueError, TypeError, IndexError):
        return f"its argument number {place + 1}"


def short(value: object) -> str:
    """A value in a sentence: as it is written, if that is short, else what it is."""
    written = repr(value)
    if len(written) <= 40 and "\n" not in written:
        return written
    shape = getattr(value, "shape", None)
    return f"a {type(value).__name__}" + (f" of shape {tuple(shape)}" if shape is not None else "")


def as_number(answer, wanted: str = "One number") -> float:
    """The learner's answer as a float, or the sentence that says what was wanted."""
    try:
        if isinstance(answer, str | bytes):
            raise TypeError("digits that were written, which float would read")
        return float(answer)
    except (TypeError, ValueError, RuntimeError):  # the last one: a tensor of several numbers
        raise Wrong(f"{wanted} is asked for, not {type(answer).__name__}.") from None
