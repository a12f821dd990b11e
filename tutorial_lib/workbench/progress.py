"""What a learner has answered, in all notebooks: a small file beside them, and `progress()`, which shows it.

A check that says right or wrong leaves its verdict in `progress.json`, in the folder in which the notebook runs (on
Colab that is the runtime's, and goes with it). A right answer stays right.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path

from IPython.core.getipython import get_ipython

from tutorial_lib.course import NOTEBOOKS, notebook_of
from tutorial_lib.files.atomic_write import atomic_write

CHECKS = Path(__file__).parents[1] / "checks"
NAME = "progress.json"


def exercises() -> dict[str, list[str]]:
    """The exercises that are checked: {"quantization": ["sign_ste", …], …}, in the order of the course.

    They are read from the files of checks, not imported: a learner looks here before anything is installed for them.
    """
    found = {}
    for path in CHECKS.glob("[a-z]*.py"):
        functions = [
            node for node in ast.parse(path.read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)
        ]
        found[path.stem] = [f.name for f in functions if any("exercise" in ast.unparse(d) for d in f.decorator_list)]
    return dict(sorted(found.items(), key=lambda item: notebook_of(item[0])))


def read_verdicts(folder: Path | None = None) -> dict[str, bool]:
    """{"quantization.sign_ste": right or wrong, …}; a file that cannot be read counts as none."""
    try:
        data = json.loads(((folder or Path.cwd()) / NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: right is True for name, right in data.items()} if isinstance(data, dict) else {}


def keep_verdict(module: str, exercise: str, right: bool, folder: Path | None = None) -> None:
    """Write a verdict down. A folder that cannot be written to is no reason to disturb a lesson."""
    folder = folder or Path.cwd()
    verdicts = read_verdicts(folder)
    name = f"{module}.{exercise}"
    verdicts[name] = right or verdicts.get(name, False)
    try:
        atomic_write(folder / NAME, (json.dumps(verdicts, indent=1, sort_keys=True) + "\n").encode())
    except OSError:
        pass


def in_a_notebook() -> bool:
    """Is this a kernel's process? Tests and scripts leave no verdicts behind."""
    return hasattr(get_ipython(), "kernel")


def progress(folder: Path | None = None) -> None:
    """Print a line a notebook: ■ right, ▨ tried, □ open. folder: None: where the notebook runs."""
    verdicts, right = read_verdicts(folder), 0
    titles = {notebook.number: notebook.title for notebook in NOTEBOOKS}
    of_notebooks: dict[str, list[str]] = {}
    for module, names in exercises().items():
        of_notebooks.setdefault(notebook_of(module), []).extend(f"{module}.{name}" for name in names)
    for number, names in of_notebooks.items():
        signs = "".join({True: "■", False: "▨", None: "□"}[verdicts.get(name)] for name in names)
        answered = sum(verdicts.get(name, False) for name in names)
        right += answered
        print(f"{number} {titles[number]:<24} {signs:<12} {answered} of {len(names)}")
    print(f"{right} of {sum(map(len, of_notebooks.values()))} exercises are answered right.")
