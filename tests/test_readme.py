"""What README promises about the notebooks is there."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CLAIMS = re.findall(r"^\| (.+?) \| (.+?) \| .+ \| \[(\d\d) §(\d+)[^\]]*\]\((.+?)\) \|$", README, re.M)


def test_every_notebook_is_in_the_table() -> None:
    listed = re.findall(r"^\| \[\d\d [^\]]+\]\(notebooks/(.+?)\)", README, re.M)
    assert listed == [path.name for path in NOTEBOOKS]


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
