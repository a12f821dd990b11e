"""What folds where: from the marks of a lesson to the metadata that JupyterLab, Colab and a site of pages understand.

    ## … · deeper                 the section folds: JupyterLab keeps that with the heading's cell, Colab in a list of
                                  the notebook's; a page folds the section by its heading
    tag scaffold, or test; the    the code folds, not its output: `jupyter.source_hidden`, Colab's form view, and the
    set-up cell                   tag hide-input, which MyST-NB reads
    **Predict:**, a claim's box   get the tags predict and claim, for whoever styles or counts them

Colab is asked not to complete code by itself: whoever is offered the solution of an exercise has not solved it.

An author writes the marks; `make notebooks` writes the rest, so that both always agree.
"""

from typing import Any

from nbformat import NotebookNode, from_dict

from tutorial_lib.workbench.lesson_form import CLAIM, EDITION, FOLDED, MARK, PREDICT
from tutorial_lib.workbench.setup_cell import OPENING

DERIVED = ("hide-input", "predict", "claim")  # tags that are written here, and only here


def fold(notebook: NotebookNode) -> None:
    """Write the metadata of a notebook that has the form of a lesson; of others, leave tags only."""
    form = notebook.metadata.get("lesson_edition") == EDITION
    collapsed = []
    for cell in notebook.cells:
        tags = [tag for tag in cell.metadata.get("tags", []) if tag not in DERIVED]
        metadata: dict[str, Any] = {}
        if form and cell.cell_type == "markdown":
            tags += ["predict"] * cell.source.startswith(PREDICT) + ["claim"] * bool(CLAIM.search(cell.source))
            if is_deeper(cell):
                metadata = {"id": cell.id, "jp-MarkdownHeadingCollapsed": True}
                collapsed.append(cell.id)
        elif form and (set(FOLDED) & set(tags) or cell.source.startswith(OPENING)):
            tags.append("hide-input")
            metadata = {"cellView": "form", "jupyter": {"source_hidden": True}}
        cell.metadata = from_dict({**metadata, **({"tags": tags} if tags else {})})
    if form:
        notebook.metadata["colab"] = from_dict({"collapsed_sections": collapsed, "generative_ai_disabled": True})


def is_deeper(cell: NotebookNode) -> bool:
    """Does this cell begin a section that is marked deeper?"""
    mark = MARK.search(cell.source.split("\n")[0]) if cell.source.startswith("## ") else None
    return bool(mark and mark[1] == "deeper")
