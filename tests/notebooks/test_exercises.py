"""Every notebook's exercises: the stubs are unanswered, the folded solutions pass, and mistakes are named.

The wrong answers lie in wrong_answers/<notebook>.py: WRONG = [(check, the learner's Python, part of what it is told)].
The right ones, besides the folded solution, in right_answers/<notebook>.py: RIGHT = [(check, the learner's Python)].
"""

import functools
import re
import runpy
from collections import Counter
from collections.abc import Callable
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch

from tutorial_lib.checks import padding
from tutorial_lib.padding import reflect_pad

HERE = Path(__file__).parent
STEMS = sorted(path.stem for path in (HERE.parents[1] / "notebooks").glob("*.ipynb") if path.stem != "00_tour")
WRONG = {path.stem: runpy.run_path(str(path))["WRONG"] for path in sorted((HERE / "wrong_answers").glob("*.py"))}
RIGHT = {path.stem: runpy.run_path(str(path))["RIGHT"] for path in sorted((HERE / "right_answers").glob("*.py"))}


def calls_of_checks(stem: str) -> list[str]:
    cells = nbformat.read(HERE.parents[1] / "notebooks" / f"{stem}.ipynb", as_version=4).cells
    lines = [line for cell in cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    return [line.split("(")[0].removeprefix("check.") for line in lines if line.startswith("check.")]


EXERCISES = [(stem, name) for stem in STEMS for name in calls_of_checks(stem)]


def test_every_notebook_has_its_wrong_and_its_right_answers() -> None:
    assert list(WRONG) == list(RIGHT) == STEMS


@pytest.mark.parametrize("stem", STEMS)
def test_every_exercise_is_found_and_has_two_wrong_answers(exercises, stem: str) -> None:
    names = [name for of, name in EXERCISES if of == stem]
    assert list(exercises(stem)) == names
    count = Counter(name for name, _, _ in WRONG[stem])
    assert set(count) == set(names) and min(count.values()) >= 2


@pytest.mark.parametrize(("stem", "name"), EXERCISES)
def test_the_stub_is_not_answered_yet(exercises, stem: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exercises(stem)[name].verdict() is None
    assert capsys.readouterr().out == "○ Not answered yet.\n"


@pytest.mark.parametrize(("stem", "name"), EXERCISES)
def test_the_folded_solution_is_right(exercises, stem: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    exercise = exercises(stem)[name]
    assert exercise.verdict(exercise.solution) is True
    assert capsys.readouterr().out.startswith("✓ Right.")


@pytest.mark.parametrize("stem", STEMS)
def test_every_exercise_has_right_answers_in_three_ways(stem: str) -> None:
    """One is the folded solution; the others are written otherwise: in NumPy, in torch, with lists, as a loop."""
    count = Counter(name for name, _ in RIGHT[stem])
    assert set(count) == {name for of, name in EXERCISES if of == stem} and min(count.values()) >= 2
    assert len(set(RIGHT[stem])) == len(RIGHT[stem])


@pytest.mark.parametrize(
    ("stem", "name", "answer"), [(stem, *right) for stem, all_right in RIGHT.items() for right in all_right]
)
def test_a_right_answer_is_accepted(
    exercises, stem: str, name: str, answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exercises(stem)[name].verdict(answer) is True, capsys.readouterr().out


@pytest.mark.parametrize(
    ("stem", "name", "answer", "message"), [(stem, *wrong) for stem, all_wrong in WRONG.items() for wrong in all_wrong]
)
def test_a_mistake_is_named(
    exercises, stem: str, name: str, answer: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exercises(stem)[name].verdict(answer) is False
    said = capsys.readouterr().out
    assert said.startswith("✗ ") and message in said


# ---- the folded solution, spoiled: what every check must notice

# These call the function with one case only, which has many numbers, of every kind that matters.
ONE_CASE = {"sign_ste", "around_mean", "dithered", "bound_gradient", "quantize", "is_causal", "worth"}


def verdict_on_spoiled(exercise, spoil: Callable) -> bool | None:
    """What the check says if the solution's function goes through `spoil`; False where no function is asked for."""
    name = re.search(r"\((\w+)", exercise.call)[1]
    if f"def {name}(" not in exercise.solution:
        return False
    return exercise.verdict(f"{exercise.solution}\n{name} = spoil({name})", spoil=spoil)


def with_nan(value):
    """The same with NaN in place of its last number."""
    if (
        isinstance(value, torch.Tensor | np.ndarray)
        and len(value.reshape(-1))
        and value.dtype not in (bool, torch.bool)
    ):
        value = value * 1.0
        value[(-1,) * value.ndim] = float("nan")
        return value
    if isinstance(value, list | tuple) and value:
        return type(value)([*value[:-1], with_nan(value[-1])])
    return float("nan") if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize(("stem", "name"), EXERCISES)
def test_nan_is_never_right(exercises, stem: str, name: str) -> None:
    replaced = []

    def spoil(function: Callable) -> Callable:
        @functools.wraps(function)
        def spoiled(*arguments):
            result = function(*arguments)
            spoilt = with_nan(result)
            replaced.append(spoilt is not result and "nan" in repr(spoilt))
            return spoilt

        return spoiled

    assert verdict_on_spoiled(exercises(stem)[name], spoil) is not True or not any(replaced)


def overwrite(value) -> bool:
    """Change a list, an array or a tensor in place, the first one that there is."""
    if isinstance(value, list):
        value.append(value[0] if value else 0)
        return True
    if isinstance(value, torch.Tensor):
        value.data.copy_(~value.data if value.dtype is torch.bool else value.data + 1)
        return len(value.reshape(-1)) > 0
    if isinstance(value, np.ndarray) and value.flags.writeable:
        value[...] = ~value if value.dtype == bool else value + 1
        return value.size > 0
    return False


@pytest.mark.parametrize(("stem", "name"), EXERCISES)
def test_whoever_overwrites_what_was_given_is_told(exercises, stem: str, name: str) -> None:
    overwritten = []

    def spoil(function: Callable) -> Callable:
        @functools.wraps(function)
        def spoiled(*arguments):
            result = function(*arguments)
            result = result.clone() if isinstance(result, torch.Tensor) else result
            overwritten.append(any(overwrite(argument) for argument in arguments))
            return result

        return spoiled

    assert verdict_on_spoiled(exercises(stem)[name], spoil) is not True or not any(overwritten)


@pytest.mark.parametrize(("stem", "name"), EXERCISES)
def test_the_first_answer_does_not_do_for_all_cases(exercises, stem: str, name: str) -> None:
    def spoil(function: Callable) -> Callable:
        first = []

        @functools.wraps(function)
        def spoiled(*arguments):
            if not first:
                first.append(function(*arguments))
            return first[0]

        return spoiled

    assert verdict_on_spoiled(exercises(stem)[name], spoil) is not True or name in ONE_CASE


def test_only_one_answer_to_the_picture_of_01() -> None:
    """The check compares pads, not pictures: so no other pads may give the same picture."""
    same = []
    for left, top in product(range(6), range(4)):
        pads = (left, 5 - left, top, 3 - top)
        if torch.equal(reflect_pad(padding.ORIGINAL, *pads), padding.puzzle()):
            same.append(pads)
    assert same == [padding.PADS]
