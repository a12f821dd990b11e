"""The program that executes every notebook and writes it back: tried on notebooks of a few cells."""

from __future__ import annotations

import json
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tutorial_lib.workbench import notebooks
from tutorial_lib.workbench.setup_cell import setup_cell

PROGRESS = """
import sys
for n in range(3):
    print(f"step {n}", end="\\r", file=sys.stderr, flush=True)
print("done", file=sys.stderr)
"""
PIECES = """
print("one", flush=True)
print("two")
"""


def write(path: Path, *cells: nbformat.NotebookNode) -> Path:
    """A notebook whose set-up cell is an old one, and which has picked up what a notebook picks up."""
    cells = (new_markdown_cell("# A lesson"), new_code_cell("print('an old set-up cell')"), *cells)
    notebook = new_notebook(
        cells=list(cells), metadata={"widgets": {"state": 1}, "kernelspec": {"name": "my-own", "display_name": "Mine"}}
    )
    for n, cell in enumerate(notebook.cells):
        cell.id = f"random-{n}"
        cell.metadata.update({"collapsed": True, "execution": {"iopub.status.busy": "2024-01-01"}})
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> Path:
    """A notebook after the program."""
    folder = tmp_path_factory.mktemp("lessons")
    (folder / "beside.txt").write_text("found")
    cells = (
        new_code_cell("answer = 6 * 7\nanswer", metadata={"tags": ["remember"]}),
        new_code_cell("open('beside.txt').read()"),
        new_code_cell(PROGRESS),
        new_code_cell(PIECES),
        new_markdown_cell("The end."),
    )
    path = write(folder / "lesson.ipynb", *cells)
    notebooks.execute(path)
    return path


@pytest.fixture(scope="module")
def after(executed: Path) -> nbformat.NotebookNode:
    return nbformat.read(executed, as_version=4)


def test_it_runs_all_cells_in_order_beside_the_notebook(after: nbformat.NotebookNode) -> None:
    nbformat.validate(after)
    code = [cell for cell in after.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert [cell.outputs[0].data["text/plain"] for cell in code[1:3]] == ["42", "'found'"]


def test_it_brings_the_set_up_cell_up_to_date(after: nbformat.NotebookNode) -> None:
    assert after.cells[1].source == setup_cell() and after.cells[1].outputs == []
    assert after.cells[2].source == "answer = 6 * 7\nanswer"


def test_it_leaves_clean_metadata(executed: Path, after: nbformat.NotebookNode) -> None:
    assert after.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    assert [cell.metadata for cell in after.cells] == [{}, {}, {"tags": ["remember"]}, {}, {}, {}, {}]
    assert [cell.id for cell in after.cells] == [f"cell-{n:02}" for n in range(7)]
    text = executed.read_text(encoding="utf-8")
    assert not any(word in text for word in ("2024", "iopub", "my-own", "state", "collapsed"))
    assert [path.name for path in sorted(executed.parent.iterdir())] == ["beside.txt", "lesson.ipynb"]


def test_it_keeps_of_a_progress_bar_what_stands_there_in_the_end(after: nbformat.NotebookNode) -> None:
    assert [(output.name, output.text) for output in after.cells[4].outputs] == [("stderr", "done\n")]
    assert [(output.name, output.text) for output in after.cells[5].outputs] == [("stdout", "one\ntwo\n")]


def test_a_second_time_changes_nothing(executed: Path) -> None:
    before = executed.read_bytes()
    notebooks.execute(executed)
    assert executed.read_bytes() == before


def test_a_cell_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "lesson.ipynb", new_code_cell("1 + 1"), new_code_cell("1 / 0"), new_code_cell("2 + 2"))
    before = path.read_bytes()
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        notebooks.execute(path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def stream(text: str, name: str = "stdout") -> nbformat.NotebookNode:
    return new_output("stream", name=name, text=text)


@pytest.mark.parametrize(
    ("outputs", "left"),
    [
        ([], []),
        ([stream("a\n"), stream("b\n")], [stream("a\nb\n")]),
        ([stream("0 %\r"), stream("50 %\r"), stream("100 %\n")], [stream("100 %\n")]),
        ([stream("0 %\r50 %\r"), stream("done\n", "stderr")], [stream("done\n", "stderr")]),
        ([stream("0 %\r50 %", "stderr"), stream("done\n")], [stream("50 %", "stderr"), stream("done\n")]),
        (
            [stream("a\n"), stream("b\n", "stderr"), stream("c\n")],
            [stream("a\n"), stream("b\n", "stderr"), stream("c\n")],
        ),
    ],
)
def test_streams_are_put_together(outputs: list, left: list) -> None:
    assert notebooks._without_repetition(outputs) == left


def test_other_outputs_stay_where_they_are() -> None:
    picture = new_output("display_data", data={"image/png": "abc", "text/plain": "a\rb"})
    cell = new_code_cell("…", outputs=[stream("a"), picture, stream("b"), stream("c")])
    notebook = new_notebook(cells=[cell])
    notebooks.clean(notebook)
    assert notebook.cells[0].outputs == [stream("a"), picture, stream("bc")]
    json.dumps(notebook)
