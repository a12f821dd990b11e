"""What README promises about the notebooks is there."""

import json
import re
from pathlib import Path

import pytest

from tutorial_lib import course

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CLAIMS = re.findall(r"^\| (.+?) \| (.+?) \| .+ \| \[(\w\d) §(\d+)[^\]]*\]\((.+?)\) \|$", README, re.M)


def test_the_map_is_that_of_the_course() -> None:
    """Number, title, file, what one learns, and the minutes, of every notebook that there is."""
    listed = re.findall(r"^\| \[(\w\d) ([^\]]+)\]\(notebooks/(.+?)\.ipynb\) \| (.+?) \| (\d+) \|$", README, re.M)
    assert listed == [(n.number, n.title, n.file, n.learned, str(n.minutes)) for n in course.NOTEBOOKS]
    assert [path.stem for path in NOTEBOOKS] == [notebook.file for notebook in course.NOTEBOOKS]
    assert all(notebook.file.startswith(notebook.number) for notebook in course.NOTEBOOKS)


@pytest.mark.parametrize("notebook", course.NOTEBOOKS, ids=lambda notebook: notebook.file)
def test_a_notebook_says_its_number_and_the_minutes_of_the_map(notebook: course.Notebook) -> None:
    cells = json.loads((ROOT / f"notebooks/{notebook.file}.ipynb").read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells[:5])
    assert text.startswith(f"# {notebook.number} · ") and f"**Time:** {notebook.minutes} minutes to read" in text


def test_local_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(((?!http)[^)#]+)\)", README):
        assert (ROOT / link).exists(), link


def test_there_are_claims_with_verdicts() -> None:
    assert len(CLAIMS) >= 25
    for claim, verdict, *_ in CLAIMS:
        assert re.match(r"(half )?confirmed|refined|refuted", verdict), claim


@pytest.mark.parametrize(("claim", "verdict", "number", "section", "link"), CLAIMS)
def test_a_claim_names_a_section_that_exists(claim: str, verdict: str, number: str, section: str, link: str) -> None:
    path = ROOT / link
    assert path.name.startswith(number)
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    assert re.search(rf"^## {section} ", text, re.M), claim
