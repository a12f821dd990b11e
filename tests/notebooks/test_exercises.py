"""Every notebook's exercises: the stubs are unanswered, the folded solutions pass, and mistakes are named.

The wrong answers lie in wrong_answers/<notebook>.py: WRONG = [(check, the learner's Python, part of what it is told)].
The right ones, besides the folded solution, in right_answers/<notebook>.py: RIGHT = [(check, the learner's Python)].
"""

import runpy
from collections import Counter
from itertools import product
from pathlib import Path

import nbformat
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
    assert capsys.readouterr().out == "⬜ Not answered yet.\n"


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


def test_only_one_answer_to_the_picture_of_01() -> None:
    """The check compares pads, not pictures: so no other pads may give the same picture."""
    same = []
    for left, top in product(range(6), range(4)):
        pads = (left, 5 - left, top, 3 - top)
        if torch.equal(reflect_pad(padding.ORIGINAL, *pads), padding.puzzle()):
            same.append(pads)
    assert same == [padding.PADS]
