"""What every notebook has, and what none may contain. (That its cells run and print what is printed is nbval's.)"""

import re
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from tutorial_lib.workbench.notebooks import clean
from tutorial_lib.workbench.setup_cell import setup_cell

PATHS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
TOUR = PATHS[0]


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


lessons_only = pytest.mark.parametrize("path", PATHS[1:], ids=lambda path: path.stem)


@pytest.fixture
def notebook(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook: NotebookNode) -> list[NotebookNode]:
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def page(notebook: NotebookNode) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def section(notebook: NotebookNode, heading: str) -> str:
    """The text under the heading that matches, up to the next one."""
    found = re.search(rf"^#+ [^\n]*{heading}[^\n]*\n(.*?)(?=^#+ |\Z)", page(notebook), re.M | re.S | re.I)
    assert found, f"no heading says {heading!r}"
    return found[1]


def test_there_are_notebooks() -> None:
    assert PATHS


# ---- the file


def test_valid(notebook: NotebookNode) -> None:
    nbformat.validate(notebook)


def test_the_setup_cell_is_the_one_and_only(notebook: NotebookNode) -> None:
    assert code_cells(notebook)[0].source == setup_cell()


def test_executed_in_order_from_a_fresh_kernel(notebook: NotebookNode) -> None:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_metadata_holds_nothing_that_changes_from_run_to_run(notebook: NotebookNode) -> None:
    """Cleaned again, it is the same: tags, and what `folding` derives from the marks."""
    before = nbformat.writes(notebook)
    clean(notebook)
    assert nbformat.writes(notebook) == before
    tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    assert tags <= {"nbval-ignore-output", "scaffold", "test", "hide-input", "predict", "claim"}


def test_nobody_finds_the_authors_folders_in_it(path: Path) -> None:
    text = re.sub(r"base64,[A-Za-z0-9+/=]*|\"image/png\": \"[^\"]*\"", "", path.read_text(encoding="utf-8"))
    assert not re.findall(r"(?:/(?:home|root|work|Users)/|[A-Z]:\\\\)[^\s\"]*", text)


# ---- the outputs


def test_no_errors_and_nothing_on_stderr(notebook: NotebookNode) -> None:
    for output in outputs(notebook):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text


def test_values_are_printed_for_readers(notebook: NotebookNode) -> None:
    for output in outputs(notebook):
        text = output.get("text", "") + output.get("data", {}).get("text/plain", "")
        assert not re.search(r"tensor\(|np\.float|<[\w.]+ at 0x|\r", text), text
    for cell in code_cells(notebook):
        assert not re.search(r";\s*$", cell.source, re.M), "assign to _ instead of ending a line with a semicolon"


def test_what_nbval_ignores_is_asserted_in_the_next_cell(notebook: NotebookNode) -> None:
    cells = code_cells(notebook)
    for cell, following in zip(cells, [*cells[1:], None], strict=True):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            assert following is not None and re.search(r"^\s*assert\b", following.source, re.M), cell.source


def test_every_picture_says_in_words_what_it_shows(notebook: NotebookNode) -> None:
    for output in outputs(notebook):
        data = output.get("data", {})
        if "image/png" in data:
            assert len(output.metadata.get("image/png", {}).get("alt", "")) >= 40
        for tag in re.findall(r"<img[^>]*>", data.get("text/html", "")):
            assert re.search(r'alt="[^"]{40,}"', tag), tag[:200]
    assert not re.search(r"!\[\s*\]\(", page(notebook))
    for tag in re.findall(r"<img[^>]*>", page(notebook)):
        assert re.search(r'alt="[^"]+"', tag), tag


# ---- the lesson


def test_it_opens_with_a_title_a_map_objectives_minutes_and_terms(path: Path, notebook: NotebookNode) -> None:
    number = re.match(r"# (\w\d) · \w", notebook.cells[0].source)
    assert number, "the first cell begins with the title: # 01 · …"
    assert path == TOUR or 'show_pipeline("' in "".join(cell.source for cell in code_cells(notebook)[:2])

    opening = page(notebook).split("\n## ")[0]
    objectives = re.search(r"you can\b[^\n]*\n+((?:\d\. .*\n(?: {2,}.*\n)*)+)", opening)
    assert objectives and 3 <= len(re.findall(r"^\d\.", objectives[1], re.M)) <= 5
    assert len(re.findall(r"\bminutes?\b", opening)) >= 2, "minutes to read, and to run"
    tables = [opening, *(output.get("data", {}).get("text/markdown", "") for output in outputs(notebook))]
    assert len(re.findall(r"^\|.*\|.*[\u4e00-\u9fff].*\|.*\|$", "\n".join(tables), re.M)) >= 3, "a table of terms"


@lessons_only
def test_it_has_the_real_thing_a_widget_and_its_still_picture(notebook: NotebookNode) -> None:
    section(notebook, "Now the real thing")
    shown = {kind for output in outputs(notebook) for kind in output.get("data", {})}
    assert "application/vnd.jupyter.widget-view+json" in shown and shown & {"text/html", "image/png"}


@lessons_only
def test_three_exercises_with_stubs_and_folded_solutions(path: Path, exercises) -> None:
    found = exercises(path.stem)
    assert len(found) >= 3
    for name, exercise in found.items():
        assert exercise.solution, f"check.{name}: no solution is folded under it"
        assert exercise.output == "○ Not answered yet.\n", f"check.{name} was saved answered"


def test_it_ends_with_what_to_remember_what_to_read_and_where_to_go(path: Path, notebook: NotebookNode) -> None:
    assert len(re.findall(r"^\d\. ", section(notebook, "remember"), re.M)) == 5
    reading = section(notebook, "reading")
    works = re.findall(r"^- .*(?:\n {2,}.*)*", reading, re.M)
    assert works and all(re.search(r"\b(19|20)\d\d\b", work) for work in works)
    if path != PATHS[-1]:
        last = [cell for cell in notebook.cells if cell.cell_type == "markdown"][-1].source
        assert re.search(r"\]\(\w+\.ipynb\)", last), "the last cell links to the next notebook"


def test_links_lead_to_notebooks_that_exist(path: Path, notebook: NotebookNode) -> None:
    for name in re.findall(r"\]\((\w+\.ipynb)\)", page(notebook)):
        assert (path.parent / name).is_file(), name
