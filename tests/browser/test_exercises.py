"""An exercise as a learner does it: a wrong answer, a hint, the solution, the right answer, and what is left to do."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[2]

EXERCISES = [  # the notebook, the check, and a wrong answer, which begins as the stub does
    ("01_mirror_padding", "which_pads", "pads = (1, 2, 3, 0)"),
    ("02_quantization", "sign_ste", "def sign_ste(y):\n    return y.sign()"),
]


def answer(lab, index: int, source: str) -> str:
    """Type this instead of what stands in a cell, and press Shift + Enter; what the cell then says."""
    cell, keyboard = lab.cell(index), lab.page.keyboard
    cell.locator(".cm-content").click()
    keyboard.press("ControlOrMeta+A")
    keyboard.insert_text(source)
    prompt = cell.locator(".jp-InputArea-prompt")
    before = prompt.inner_text()
    keyboard.press("Shift+Enter")
    cell.locator(".jp-InputArea-prompt", has_text="]:").filter(has_not_text=before).filter(has_not_text="*").wait_for()
    return said_by(lab, index)


def said_by(lab, index: int) -> str:
    """The first output of a cell."""
    return lab.cell(index).locator(".jp-OutputArea-output").first.inner_text()


@pytest.mark.parametrize(("name", "check", "wrong"), EXERCISES)
def test_exercise(name: str, check: str, wrong: str, lab, notebooks: Path, screenshots: Path) -> None:
    cells = nbformat.read(ROOT / f"notebooks/{name}.ipynb", 4).cells
    lesson = next(index for index, cell in enumerate(cells) if cell.source.startswith("## 1 "))
    stub = next(index for index, cell in enumerate(cells) if f"check.{check}(" in cell.source)
    asked = f"\n\n\ncheck.{check}({wrong.split(' =')[0].removeprefix('def ').split('(')[0]})"
    (notebooks / "progress.json").unlink(missing_ok=True)

    lab.open(f"{name}.ipynb")
    needed = [index for index, cell in enumerate(cells) if index < lesson or " as check\n" in cell.source]
    for index in [index for index in needed if cells[index].cell_type == "code" and index != stub]:
        lab.run(index)
    lab.run(stub)
    assert "Not answered yet." in said_by(lab, stub)
    said = answer(lab, stub, wrong + asked)
    assert said.startswith("✗ ") and len(said.split()) > 5
    assert lab.cell(stub).locator(".jp-OutputArea-output").count() == 1  # the sentence, and no False below it

    folds = lab.cell(stub + 1).locator("details")
    hints, solution = folds.filter(has_text="Hint"), folds.filter(has_text="Solution")
    assert hints.count() >= 2
    for hint in hints.all():
        assert not hint.locator("p").first.is_visible()
        hint.locator("summary").click()
        assert hint.locator("p").first.is_visible()
        assert not solution.locator("pre").first.is_visible()
    solution.locator("summary").click()
    right = solution.locator("pre").first.inner_text().strip()
    lab.page.screenshot(path=screenshots / f"exercise_{check}_folds.png")

    said = answer(lab, stub, right + asked)
    assert said.startswith("✓ Right.")
    answer(lab, stub, wrong + asked)  # a right answer stays right
    lab.add_below(stub)
    shown = answer(lab, stub + 1, "from tutorial_lib.workbench.progress import progress\n\nprogress()")
    [line] = [line for line in shown.splitlines() if line.startswith(name[:2])]
    assert line.count("■") == 1 and "▨" not in line and " 1 of " in line
    lab.page.screenshot(path=screenshots / f"exercise_{check}_progress.png")
    assert lab.failures() == [] and lab.said == []
