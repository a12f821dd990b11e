"""Copies of the notebooks for a class: `python -m tutorial_lib.workbench.lesson_copies student FOLDER NOTEBOOK …`

    student      without the solutions; hints stay
    solutions    the solutions in the place of the stubs, then executed: every check says right

Both are made from the same notebooks, which keep each solution folded under its exercise.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Callable
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.workbench.notebooks import execute

SOLUTION = re.compile(r"<details>\s*<summary>Solution</summary>(?P<text>(?:(?!<details>).)*?)</details>\n*", re.DOTALL)
PYTHON = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
CALL = re.compile(r"^check\.\w+\(.*\)$", re.MULTILINE)


def without_solutions(notebook: NotebookNode) -> None:
    """Take the folded solutions out, in place. A cell that held nothing else goes, too."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = SOLUTION.sub("", cell.source).rstrip()
    notebook.cells = [cell for cell in notebook.cells if cell.source]


def with_solutions(notebook: NotebookNode) -> None:
    """Put each solution in the place of its stub, in place. Raises ValueError for a check that has no solution."""
    cells = notebook.cells
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        call = CALL.search(cell.source) if cell.cell_type == "code" else None
        if call is None:
            continue
        folded = SOLUTION.search(following.source) if following is not None else None
        python = "\n".join(PYTHON.findall(folded["text"])) if folded else ""
        if not python:
            raise ValueError(f"Under {call[0]} no solution is folded: ```python … ``` in <details>.")
        cell.source = fill_in(cell.source.replace(call[0], ""), python, call[0])
        following.source = SOLUTION.sub("", following.source).rstrip()
    notebook.cells = [cell for cell in cells if cell.source]


def fill_in(stub: str, solution: str, call: str) -> str:
    """The solution after whatever of the stub it does not define anew, and the call of the check."""
    defined = {name for statement in ast.parse(solution).body for name in _names(statement)}
    kept = [statement for statement in ast.parse(stub).body if not set(_names(statement)) & defined]
    before = [ast.get_source_segment(stub, statement) or "" for statement in kept]
    return "\n\n\n".join(part for part in ("\n".join(before), solution.strip(), call) if part)


def _names(statement: ast.stmt) -> list[str]:
    """What a statement defines: a function's or a class's name, or the variables that it sets."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = [node for target in statement.targets for node in ast.walk(target)]
        return [node.id for node in targets if isinstance(node, ast.Name)]
    return []


def copy(path: Path, folder: Path, change: Callable[[NotebookNode], None]) -> Path:
    """Write a changed copy of a notebook under its own name into a folder."""
    if folder.resolve() == path.parent.resolve():
        raise ValueError(f"{folder} is where the notebooks are: copies need a folder of their own.")
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / path.name, (nbformat.writes(notebook) + "\n").encode())
    return folder / path.name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Copies of the notebooks for a class.")
    parser.add_argument("kind", choices=["student", "solutions"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("notebooks", nargs="+", type=Path)
    options = parser.parse_args()
    for notebook_path in options.notebooks:
        if options.kind == "student":
            copy(notebook_path, options.folder, without_solutions)
        else:
            execute(copy(notebook_path, options.folder, with_solutions))
