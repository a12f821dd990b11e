"""From marks to the metadata that folds: for JupyterLab, Colab and MyST-NB."""

from __future__ import annotations

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tutorial_lib.workbench.notebooks import clean
from tutorial_lib.workbench.setup_cell import setup_cell


@pytest.fixture
def notebook() -> NotebookNode:
    cells = [
        new_markdown_cell("# 02 · A lesson"),
        new_markdown_cell("## 1 First · core"),
        new_code_cell("plot()", metadata={"tags": ["scaffold"]}),
        new_markdown_cell("**Predict:** how many?"),
        new_markdown_cell("## 2 More of it · deeper\n\nText."),
        new_code_cell("assert True", metadata={"tags": ["test"], "collapsed": True}),
        new_markdown_cell("> **Claim.** a\n>\n> **Verdict.** refuted\n>\n> **Measured.** 3"),
        new_code_cell("1 + 1"),
    ]
    notebook = new_notebook(cells=cells, metadata={"lesson_edition": 2})
    clean(notebook)
    return notebook


def test_the_notebook_stays_valid(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)


def test_deeper_sections_are_collapsed(notebook: NotebookNode) -> None:
    assert notebook.cells[4].metadata == {"id": "cell-04", "jp-MarkdownHeadingCollapsed": True}
    assert notebook.metadata["colab"]["collapsed_sections"] == ["cell-04"] and notebook.metadata["lesson_edition"] == 2
    assert notebook.cells[1].metadata == {}


def test_colab_does_not_complete_the_exercises(notebook: NotebookNode) -> None:
    assert notebook.metadata["colab"]["generative_ai_disabled"] is True


def test_the_setup_cell_hides_its_code() -> None:
    notebook = new_notebook(cells=[new_code_cell(setup_cell())], metadata={"lesson_edition": 2})
    clean(notebook)
    assert notebook.cells[0].metadata["jupyter"] == {"source_hidden": True}


def test_scaffolds_and_tests_hide_their_code(notebook: NotebookNode) -> None:
    for place, tag in ((2, "scaffold"), (5, "test")):
        hidden = {"cellView": "form", "jupyter": {"source_hidden": True}, "tags": [tag, "hide-input"]}
        assert notebook.cells[place].metadata == hidden
    assert notebook.cells[7].metadata == {}


def test_predictions_and_claims_are_tagged(notebook: NotebookNode) -> None:
    assert notebook.cells[3].metadata == {"tags": ["predict"]} and notebook.cells[6].metadata == {"tags": ["claim"]}


def test_a_second_time_changes_nothing(notebook: NotebookNode) -> None:
    before = nbformat.writes(notebook)
    clean(notebook)
    assert nbformat.writes(notebook) == before


def test_what_is_no_longer_marked_no_longer_folds(notebook: NotebookNode) -> None:
    notebook.cells[2].metadata["tags"].remove("scaffold")
    notebook.cells[4].source = "## 2 More of it · core"
    clean(notebook)
    assert notebook.cells[2].metadata == notebook.cells[4].metadata == {}
    assert notebook.metadata["colab"]["collapsed_sections"] == []


def test_other_notebooks_keep_their_tags_only(notebook: NotebookNode) -> None:
    del notebook.metadata["lesson_edition"]
    clean(notebook)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert [cell.metadata for cell in notebook.cells if cell.metadata] == [{"tags": ["scaffold"]}, {"tags": ["test"]}]
