"""A notebook's exercises as a learner meets them: the stub, the call of the check, the folded solution."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


@dataclass(frozen=True)
class Exercise:
    imports: str  # every import of the notebook, that of its checks included
    stub: str  # the exercise's cell without the line that calls the check
    call: str  # that line: check.name(answer)
    output: str  # what the cell printed when the notebook was made
    solution: str  # the Python under the fold; empty if there is none

    def verdict(self, answer: str = "", **given) -> bool | None:
        """Run the stub, the answer over it, and the check. None means "not answered yet".

        given: variables of the notebook that the stub or the answer uses.
        """
        names = dict(given)
        exec("\n".join([self.imports, self.stub, answer]), names)
        verdict = eval(self.call, names)
        return None if verdict is None else bool(verdict)


@pytest.fixture(scope="session")
def exercises() -> Callable[[str], dict[str, Exercise]]:
    """exercises("01_mirror_padding"): the notebook's exercises under the names of their checks."""

    def read(stem: str) -> dict[str, Exercise]:
        cells = nbformat.read(NOTEBOOKS / f"{stem}.ipynb", as_version=4).cells
        imports = "\n".join(_imports(cell.source) for cell in cells if cell.cell_type == "code")
        found = {}
        for cell, following in zip(cells, [*cells[1:], None], strict=True):
            call = re.search(r"^check\.(\w+)\(.*\)$", cell.source, re.MULTILINE)
            if cell.cell_type != "code" or call is None:
                continue
            folded = following.source if following is not None and following.cell_type == "markdown" else ""
            fold = re.search(r"<details>.*?<summary>Solution</summary>(.*?)</details>", folded, re.DOTALL)
            python = re.findall(r"^```python\n(.*?)^```", fold[1] if fold else "", re.DOTALL | re.MULTILINE)
            found[call[1]] = Exercise(
                imports=imports,
                stub=cell.source.replace(call[0], ""),
                call=call[0],
                output="".join(output.get("text", "") for output in cell.outputs),
                solution="\n".join(python),
            )
        return found

    return read


def _imports(source: str) -> str:
    statements = ast.parse(source).body
    return "\n".join(ast.unparse(s) for s in statements if isinstance(s, ast.Import | ast.ImportFrom))
