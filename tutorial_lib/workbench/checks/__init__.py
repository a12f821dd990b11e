"""The exercises' checks, one file a notebook.

A check takes the learner's answer, calls it or compares it, and says one of three things: not answered yet, what is
wrong, or right. It never compares the answer with itself, and its own tests feed it right and wrong answers.
"""

import functools
from collections.abc import Callable


class Wrong(Exception):
    """Raised inside a check with the sentence that tells the learner what is wrong."""


def exercise(check: Callable) -> Callable:
    """Turn a function that raises `Wrong` (and returns a closing remark) into a check that prints its verdict.

    The decorated check returns None for "not answered yet", False for wrong and True for right.
    `...` or None as the answer, or a function that returns one of these, counts as not answered.
    """

    @functools.wraps(check)
    def checked(*answers) -> bool | None:
        if any(answer is ... or answer is None for answer in answers):
            print("⬜ Not answered yet.")
            return None
        try:
            remark = check(*answers)
        except NotAnswered:
            print("⬜ Not answered yet.")
            return None
        except Wrong as wrong:
            print(f"❌ {wrong}")
            return False
        except Exception as error:
            print(f"❌ Your answer stopped with {type(error).__name__}: {error}")
            return False
        print(f"✅ Right. {remark or ''}".rstrip())
        return True

    return checked


class NotAnswered(Exception):
    """Raised by `call` when the learner's function still returns `...` or None."""


def call(function: Callable, *arguments, **keywords):
    """Call the learner's function; a stub that still returns `...` or None is not answered, not wrong."""
    if not callable(function):
        raise Wrong(f"A function is asked for, not a value of type {type(function).__name__}.")
    result = function(*arguments, **keywords)
    if result is ... or result is None:
        raise NotAnswered
    return result


def as_number(answer, wanted: str = "One number") -> float:
    """The learner's answer as a float, or the sentence that says what was wanted."""
    try:
        return float(answer)
    except (TypeError, ValueError):
        raise Wrong(f"{wanted} is asked for, not {type(answer).__name__}.") from None
