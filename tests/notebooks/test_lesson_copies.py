"""Copies for a class: without solutions, and with the solutions in the place of the stubs."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tutorial_lib.workbench.lesson_copies import CALL, copy, fill_in, with_solutions, without_solutions

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
FOLDED = """<details><summary>Hint 1</summary>

Twice.

</details>

<details><summary>Solution</summary>

Add it to itself:

```python
def double(x):
    return x + x
```

</details>"""


@pytest.fixture
def lesson(tmp_path: Path) -> Path:
    stub = "import math\n\nN = 3\n\n\ndef double(x):\n    return ...\n\n\ncheck.double(double)"
    cells = [new_code_cell("check = print"), new_code_cell(stub), new_markdown_cell(FOLDED), new_markdown_cell("End.")]
    path = tmp_path / "lesson.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def test_students_get_hints_and_no_solution(lesson: Path, tmp_path: Path) -> None:
    after = nbformat.read(copy(lesson, tmp_path / "class", without_solutions), as_version=4)
    assert after.cells[2].source == "<details><summary>Hint 1</summary>\n\nTwice.\n\n</details>"
    assert after.cells[1].source.endswith("return ...\n\n\ncheck.double(double)")
    assert "x + x" in lesson.read_text(), "the notebook itself stays as it was"


def test_solutions_take_the_place_of_stubs(lesson: Path, tmp_path: Path) -> None:
    after = nbformat.read(copy(lesson, tmp_path / "class", with_solutions), as_version=4)
    body = "def double(x):\n    return x + x"
    assert after.cells[1].source == f"import math\nN = 3\n\n\n{body}\n\n\ncheck.double(double)"
    assert "Hint 1" in after.cells[2].source and "Solution" not in after.cells[2].source


@pytest.mark.parametrize(
    ("stub", "solution", "filled"),
    [
        ("answer = ...", "answer = 6 * 7", "answer = 6 * 7\n\n\ncheck.it()"),
        ("a, b = ..., ...\nc = 1", "a = 1\nb = 2", "c = 1\n\n\na = 1\nb = 2\n\n\ncheck.it()"),
        ("class Net:\n    pass", "class Net:\n    depth = 1", "class Net:\n    depth = 1\n\n\ncheck.it()"),
    ],
)
def test_only_what_is_defined_anew_is_replaced(stub: str, solution: str, filled: str) -> None:
    assert fill_in(stub, solution, "check.it()") == filled


def test_a_cell_that_held_a_solution_only_goes(lesson: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(lesson, as_version=4)
    notebook.cells[2].source = re.sub(r"(?s)^.*(?=<details><summary>Solution)", "", FOLDED)
    without_solutions(notebook)
    assert [cell.source for cell in notebook.cells if cell.cell_type == "markdown"] == ["End."]


def test_a_check_without_a_solution_is_named(lesson: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(lesson, as_version=4)
    del notebook.cells[2]
    with pytest.raises(ValueError, match=r"Under check\.double\(double\) no solution is folded"):
        with_solutions(notebook)


def test_copies_never_lie_over_the_notebooks(lesson: Path) -> None:
    with pytest.raises(ValueError, match="copies need a folder of their own"):
        copy(lesson, lesson.parent, without_solutions)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_of_every_notebook(path: Path, tmp_path: Path) -> None:
    solved, student = (nbformat.read(path, as_version=4) for _ in range(2))
    with_solutions(solved)
    without_solutions(student)
    for notebook in (solved, student):
        nbformat.validate(notebook)
        text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert "<summary>Solution</summary>" not in text and text.count("<details>") == text.count("</details>")
    stubs = [cell.source for cell in student.cells if cell.cell_type == "code" and CALL.search(cell.source)]
    answers = [cell.source for cell in solved.cells if cell.cell_type == "code" and CALL.search(cell.source)]
    assert len(stubs) == len(answers) and all("..." in stub for stub in stubs)
    for stub, answer in zip(stubs, answers, strict=True):
        assert answer != stub and CALL.search(answer)[0] == CALL.search(stub)[0]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_checks_call_the_filled_in_stubs_right(path: Path, exercises) -> None:
    for each in exercises(path.stem).values():
        names: dict = {}
        exec(f"{each.imports}\n{fill_in(each.stub, each.solution, f'verdict = {each.call}')}", names)
        assert names["verdict"], each.call
