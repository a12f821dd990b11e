"""Notebooks that declare the form of a lesson have it; and what reads the form finds each thing that is missing."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tutorial_lib.course import NOTEBOOKS
from tutorial_lib.workbench.lesson_form import (
    EDITION,
    Claim,
    Exercise,
    Lesson,
    claims_table,
    faults,
    read_lesson,
    rounded,
    words,
)

ROOT = Path(__file__).parents[2]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CONVERTED = [path for path in PATHS if read_lesson(path).edition == EDITION]


# ---- the notebooks


@pytest.mark.parametrize("path", CONVERTED, ids=lambda path: path.stem)
def test_a_notebook_has_the_form_that_it_declares(path: Path) -> None:
    assert faults(read_lesson(path)) == []


@pytest.mark.parametrize("path", CONVERTED, ids=lambda path: path.stem)
def test_the_map_says_the_minutes_that_were_counted(path: Path) -> None:
    lesson = read_lesson(path)
    (entry,) = [each for each in NOTEBOOKS if each.number == lesson.number]
    assert entry.minutes == rounded(lesson.minutes("core"))
    title = lesson.notebook.cells[0].source.split("\n")[0]
    assert title.split(":")[0] == f"# {entry.number} · {entry.title}"


@pytest.mark.parametrize("path", CONVERTED, ids=lambda path: path.stem)
def test_readmes_claims_are_those_of_the_boxes(path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    number = path.name.split("_")[0]
    listed = re.findall(rf"^\| .+ \| .+ \| .+ \| \[{number} §.*$", readme, re.MULTILINE)
    assert listed == claims_table([path]).splitlines()


# ---- a small lesson, and what is missing when a part of it is

ALT = "A picture of something that is described in a sentence."
CHECKED = new_output("stream", name="stdout", text="○ Not answered yet.\n")


def picture(alt: str = ALT, **metadata: object):
    html = f'<img alt="{alt}" src="data:image/png;base64,AAAA">'
    return new_output("display_data", data={"text/html": html}, metadata=metadata)


def exercise(number: int, stars: str, kind: str = "") -> list:
    folds = [f"<details><summary>{name}</summary>\n\nWords.\n\n</details>" for name in ("Hint 1", "Hint 2", "Solution")]
    return [
        new_markdown_cell(f"### {number} A task · {stars} · 4 minutes{kind}\n\nDo it."),
        new_code_cell("check.it(...)", outputs=[CHECKED]),
        new_markdown_cell("\n\n".join(folds)),
    ]


def predict(n: int) -> list:
    shown = new_output("stream", name="stdout", text="3\n")
    return [new_markdown_cell("**Predict:** how many?"), new_code_cell(f"print({n})", outputs=[shown])]


@pytest.fixture
def lesson() -> Lesson:
    """A lesson without a fault: its core 25 minutes, 35 with everything."""
    table = new_output("display_data", data={"text/markdown": "| rate | 码率 | bits |\n| entropy | 熵 | bits |"})
    cells = [
        new_markdown_cell("# 03 · Entropy\n\n**Time:** 25 minutes to read the core, 35 with everything, and run."),
        new_code_cell("set_up = 1\n" * 20),
        new_code_cell('show_terms("03")', outputs=[table], metadata={"tags": ["scaffold"]}),
        new_markdown_cell(
            "## Recap · core\n\n1. What is\n   it?\n2. Why?\n\n<details><summary>Answers</summary>So.</details>"
        ),
        new_markdown_cell("## 1 The entropy · core\n\n" + "word " * 1800),
        *(cell for n in range(3) for cell in predict(n)),
        new_markdown_cell("> **Claim.** a\n>\n> **Verdict.** refuted\n>\n> **Measured.** 3 bits"),
        new_code_cell("x = 1\n\n" * 12, metadata={"tags": ["test"]}),
        new_markdown_cell("## Exercises · core"),
        *exercise(1, "★"),
        *exercise(2, "★★"),
        *exercise(3, "★★"),
        new_markdown_cell("## More exercises · deeper"),
        *exercise(4, "★★"),
        *exercise(5, "★★★"),
        *exercise(6, "★", " · plots"),
        new_markdown_cell("## Scoreboard · core"),
        new_code_cell("scoreboard.show_rows()", outputs=[picture(rows=[{"notebook": "03"}])]),
        new_markdown_cell("## Further reading · deeper\n\n- Shannon, *On the hyperprior*, 1948."),
    ]
    notebook = new_notebook(cells=cells, metadata={"lesson_edition": 2})
    for place, cell in enumerate(notebook.cells):
        cell.id = f"cell-{place}"
    return Lesson("03", notebook)


def test_a_lesson_without_a_fault(lesson: Lesson) -> None:
    assert faults(lesson) == []


def test_minutes_are_words_lines_and_what_exercises_say(lesson: Lesson) -> None:
    counted = (1800 + 40) / 180 + 4 / 12 + 3 * 4
    assert lesson.minutes("core") == pytest.approx(counted, abs=0.2)
    assert lesson.minutes() - lesson.minutes("core") == pytest.approx(3 * 4, abs=0.1)
    assert lesson.stated_minutes == (25, 35)


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Two words", 2),
        ("A formula $x + y$ is one, and $$a\nb$$ too", 8),
        ("[A link](somewhere/far.ipynb) and <b>bold</b>", 4),
        ("Shown <details><summary>Hint</summary>\n\nnot read\n\n</details> again", 2),
        ("rate–distortion, don't, 3.5", 4),
    ],
)
def test_words_are_those_that_are_read(text: str, count: int) -> None:
    assert len(words(text)) == count


def test_exercises_and_claims_are_read(lesson: Lesson) -> None:
    assert lesson.exercises[0] == Exercise("1 A task", 1, 4, None, 2, 1, True)
    assert lesson.exercises[5].kind == "plots" and not lesson.exercises[5].core
    assert lesson.claims == [Claim("1", "a", "refuted", "3 bits")]


def test_the_table_of_claims(tmp_path: Path, lesson: Lesson) -> None:
    import nbformat

    nbformat.write(lesson.notebook, tmp_path / "03_entropy.ipynb")
    row = "| a | refuted | 3 bits | [03 §1](notebooks/03_entropy.ipynb) |"
    assert claims_table([tmp_path / "03_entropy.ipynb"]) == row


def change(old: str, new: str):
    """Replace a text in every cell."""

    def apply(cells: list) -> None:
        assert any(old in cell.source for cell in cells)
        for cell in cells:
            cell.source = cell.source.replace(old, new)

    return apply


def find(cells: list, text: str):
    return next(cell for cell in cells if text in cell.source)


MISSING = [
    (change("## 1 The entropy · core", "## 1 The entropy"), "Mark the section '1 The entropy'"),
    (change("Do it.", "Do it.\n\n### Another heading"), "A heading begins its cell"),
    (change("**Predict:**", "Predict:"), "0 predictions"),
    (lambda cells: find(cells, "print(1)").outputs.clear(), "2 predictions"),
    (change("2. Why?", "2. Why."), "asks two numbered questions"),
    (change("<details><summary>Answers</summary>So.</details>", "So."), "folds the answers"),
    (change("### 6 A task · ★ · 4 minutes", "### 6 A task · ★"), "5 exercises with stars"),
    (change("★★★", "★★"), "from ★ to ★★★"),
    (change(" · plots", ""), "trains, ablates or plots"),
    (change("Hint 2", "A word"), "folds 1 hints"),
    (change("<summary>Solution", "<summary>Answer"), "and then one solution"),
    (change("word " * 1800, "word " * 6000), "45 is the most"),
    (change("25 minutes to read", "20 minutes to read"), r"\*\*Time:\*\* 25 minutes to read the core, 35 with"),
    (change("print(1)", "print(1)\n" * 26), "26 lines; 25 is the most|27 lines"),
    (change("print(1)", "from unittest import mock"), "No mock"),
    (lambda cells: find(cells, "show_rows").outputs.append(picture("short")), "no alt text"),
    (lambda cells: find(cells, "show_rows").outputs.clear(), "without a row on the scoreboard"),
    (change("Do it.", "Do it with a hyperprior."), r"'hyperprior' is used before it is explained: show_terms\('03'"),
    (change("Do it.", "Bits are dear."), "Say 'expensive'"),
    (change("> **Verdict.** refuted", "> Verdict: refuted"), "three paragraphs"),
]


@pytest.mark.parametrize(("spoil", "said"), MISSING, ids=[said[:30] for _, said in MISSING])
def test_what_is_missing_is_said(lesson: Lesson, spoil, said: str) -> None:
    spoiled = copy.deepcopy(lesson.notebook)
    spoil(spoiled.cells)
    found = faults(Lesson("03", spoiled))
    assert any(re.search(said, fault) for fault in found), found


def test_terms_in_code_links_and_titles_are_not_used(lesson: Lesson) -> None:
    change("Do it.", "`context` [hyperprior](08_hyperprior.ipynb)\n\n```\nslice\n```")(lesson.notebook.cells)
    assert faults(lesson) == []
