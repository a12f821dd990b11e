"""Execute notebooks in place and leave clean metadata: `python -m tutorial_lib.workbench.notebooks FILE.ipynb …`

The set-up cell is brought up to date, the cells are run top to bottom, and what differs from run to run without
meaning anything (timestamps, widget state, kernel versions) is left out. CompressAI's answers are stored (`peers`). A
cell that fails stops the command, and the notebook's file stays as it was.
"""

import argparse
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.workbench.folding import fold
from tutorial_lib.workbench.peers import STORE
from tutorial_lib.workbench.setup_cell import setup_cell


def execute(path: Path) -> None:
    """Run one notebook and write it back."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells[0].source = setup_cell()
    with tqdm(total=len(cells), desc=path.stem, unit="cell") as progress:
        client = NotebookClient(
            notebook,
            timeout=300,
            kernel_name="python3",
            resources={"metadata": {"path": str(path.parent)}},
            store_widget_state=False,
            record_timing=False,
            on_cell_executed=lambda **_: progress.update(),
        )
        # No stand-in for output widgets: what a widget draws first is then saved with its cell. (The stand-in
        # fails without stored state, and now and then it makes nbclient wait until the timeout.)
        client.widget_registry = {}
        client.execute()
    clean(notebook)
    atomic_write(path, (nbformat.writes(notebook) + "\n").encode())


def clean(notebook: nbformat.NotebookNode) -> None:
    """Leave only what a reader needs: the kernel's name, the tags, what folds, the outputs without repeated lines."""
    edition = notebook.metadata.get("lesson_edition")
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **({"lesson_edition": edition} if edition else {}),
        }
    )
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index:02d}"
        if "outputs" in cell:
            cell.outputs = _without_repetition(cell.outputs)
    fold(notebook)


def _without_repetition(outputs: list) -> list:
    """Pieces of one stream put together, and of a progress bar only what stands there in the end."""
    merged: list[nbformat.NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream" and merged and merged[-1].get("name") == output.name:
            merged[-1].text += output.text
        else:
            merged.append(output)
    for output in merged:
        if output.output_type == "stream":
            output.text = "\n".join(line.split("\r")[-1] for line in output.text.split("\n"))
    return [output for output in merged if output.output_type != "stream" or output.text]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Execute notebooks in place and leave clean metadata.")
    parser.add_argument("notebooks", nargs="+", type=Path)
    os.environ[STORE] = "1"  # CompressAI's answers, where it is installed
    for notebook_path in parser.parse_args().notebooks:
        execute(notebook_path)
