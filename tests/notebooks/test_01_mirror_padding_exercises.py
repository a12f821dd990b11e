"""Notebook 01's exercises: the solutions pass, the stubs are unanswered, and mistakes are named."""

from itertools import product

import pytest
import torch

from tutorial_lib.padding import reflect_pad
from tutorial_lib.workbench.checks import padding as check

NAMES = ["which_pads", "symmetric_index", "centred_pads", "undo"]

WRONG = [
    ("which_pads", "pads = (3, 0, 1, 4)", "wrong sides: the order is left, right, top, bottom"),
    ("which_pads", "pads = (4, 1, 0, 3)", "Mirrored"),
    ("which_pads", "pads = (1, 3, 3, 0)", "6 × 8; the one shown is 6 × 9"),
    ("which_pads", "pads = (2, 3, 3, 0)", "the original sits elsewhere"),
    ("which_pads", "pads = (1, 4, -3, 6)", "cannot be negative"),
    ("which_pads", "pads = 5", "Four whole numbers"),
    (
        "symmetric_index",
        "def symmetric_index(p, n):\n    s = p % (2 * (n - 1)); return min(s, 2 * (n - 1) - s)",
        "This is reflection",
    ),
    ("symmetric_index", "def symmetric_index(p, n): return min(max(p, 0), n - 1)", "repeats the edge pixel for ever"),
    ("symmetric_index", "def symmetric_index(p, n): return p % n", "circular"),
    (
        "symmetric_index",
        "def symmetric_index(p, n): return -p - 1 if p < 0 else 2 * n - 1 - p if p >= n else p",
        "Right near the image, wrong further out. In a row of 4 pixels, position -5 shows pixel 3, not 4.",
    ),
    (
        "symmetric_index",
        "def symmetric_index(p, n):\n    s = p % (2 * n); return min(s, 2 * n - s)",
        "In a row of 4 pixels, position -1 shows pixel 0, not 1.",
    ),
    ("symmetric_index", "symmetric_index = 3", "A function is asked for"),
    (
        "centred_pads",
        "def centred_pads(size, m):\n    t = m - size % m; return t // 2, t - t // 2",
        "size 64, multiple 64: that is 64 too many",
    ),
    (
        "centred_pads",
        "def centred_pads(size, m):\n    t = -size % m; return t - t // 2, t // 2",
        "the odd pixel goes after",
    ),
    ("centred_pads", "def centred_pads(size, m): return 0, -size % m", "is not centred"),
    ("centred_pads", "def centred_pads(size, m): return 0, 0", "100 + 0 + 0 is no multiple of 64"),
    ("centred_pads", "def centred_pads(size, m): return -size % m", "Two numbers are asked for"),
    (
        "centred_pads",
        "def centred_pads(size, m):\n    t = -size % m + 2 * m; return t // 2, t - t // 2",
        "28 pixels are enough, you add 156",
    ),
    ("undo", "def cut_off(x, l, r, t, b): return x[..., t:-b, l:-r]", "What does the slice [2:-0] give?"),
    (
        "undo",
        "def cut_off(x, l, r, t, b):\n    h, w = x.shape; return x[b : h - t, r : w - l]",
        "these are other pixels",
    ),
    ("undo", "def cut_off(x, l, r, t, b): return x[t:, l:]", "(4, 6) was padded, (5, 8) came back"),
    ("undo", "def cut_off(x, l, r, t, b): return x.tolist()", "A tensor is asked for"),
]


def test_these_are_all_exercises(exercises) -> None:
    assert list(exercises("01_mirror_padding")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_stub_is_not_answered_yet(exercises, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exercises("01_mirror_padding")[name].verdict() is None
    assert capsys.readouterr().out == "⬜ Not answered yet.\n"


@pytest.mark.parametrize("name", NAMES)
def test_the_folded_solution_is_right(exercises, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    exercise = exercises("01_mirror_padding")[name]
    assert exercise.verdict(exercise.solution) is True
    assert capsys.readouterr().out.startswith("✅ Right.")


@pytest.mark.parametrize(("name", "answer", "message"), WRONG)
def test_a_mistake_is_named(
    exercises, name: str, answer: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exercises("01_mirror_padding")[name].verdict(answer) is False
    said = capsys.readouterr().out
    assert said.startswith("❌ ") and message in said


def test_only_one_answer_to_the_picture() -> None:
    """The check compares pads, not pictures: so no other pads may give the same picture."""
    same = []
    for left, top in product(range(6), range(4)):
        pads = (left, 5 - left, top, 3 - top)
        if torch.equal(reflect_pad(check.ORIGINAL, *pads), check.puzzle()):
            same.append(pads)
    assert same == [check.PADS]
