"""The exercises' checks, one file a notebook.

A check takes the learner's answer, calls it or compares it, and says one of three things: not answered yet, what is
wrong, or right. It never compares the answer with itself, and its own tests feed it right and wrong answers.
"""

import functools
from collections.abc import Callable

from tutorial_lib.workbench.progress import in_a_notebook, keep_verdict


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
        return None, "⬜ Not answered yet."
    if any(answer is None for answer in answers):
        return False, "✗ Your answer is None. Was it meant to be computed, by a function without a return?"
    try:
        remark = check(*answers)
    except NotAnswered:
        return None, "⬜ Not answered yet."
    except Wrong as wrong:
        return False, f"✗ {wrong}"
    except Exception as error:
        return False, f"✗ Your answer stopped with {type(error).__name__}: {error}"
    return True, f"✓ Right. {remark or ''}".rstrip()


class NotAnswered(Exception):
    """Raised by `call` when the learner's function still returns `...`."""


def call(function: Callable, *arguments, none: bool = False, **keywords):
    """Call the learner's function; a stub that still returns `...` is not answered, not wrong.

    none: None is among the right answers. Otherwise the learner is told that a return may be missing.
    """
    if not callable(function):
        raise Wrong(f"A function is asked for, not a value of type {type(function).__name__}.")
    result = function(*arguments, **keywords)
    if result is ...:
        raise NotAnswered
    if result is None and not none:
        given = ", ".join(short(argument) for argument in arguments)
        raise Wrong(f"For {given or 'no argument'} your function returned None: is a return missing?")
    return result


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
        return float(answer)
    except (TypeError, ValueError, RuntimeError):  # the last one: a tensor of several numbers
        raise Wrong(f"{wanted} is asked for, not {type(answer).__name__}.") from None
