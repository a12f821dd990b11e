"""The glossary: complete, in the course's order, found in texts, and drawn as a table."""

import re
from collections import Counter

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from tutorial_lib.course import NOTEBOOKS
from tutorial_lib.workbench import glossary
from tutorial_lib.workbench.glossary import Term


def test_every_line_of_the_table_is_a_term() -> None:
    lines = [line for line in glossary.FILE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    assert len(glossary.glossary()) == len(lines) - 2 >= 50


def test_terms_stand_once_in_the_order_of_notebooks_that_exist() -> None:
    terms = glossary.glossary()
    names = Counter(name.lower() for each in terms for name in each.names)
    assert max(names.values()) == 1, names.most_common(3)
    numbers = [each.notebook for each in terms]
    assert numbers == sorted(numbers) and set(numbers) <= {each.number for each in NOTEBOOKS}


@pytest.mark.parametrize("each", glossary.glossary(), ids=lambda each: each.names[0])
def test_a_term_is_explained_in_one_plain_sentence(each: Term) -> None:
    assert re.search(r"[\u4e00-\u9fff]", each.chinese)
    assert 4 <= len(each.meaning.split()) <= 35 and not each.meaning.endswith(".") and ". " not in each.meaning


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Hyperpriors say it first.", {"Hyperpriors": "hyperprior"}),
        ("The peak signal-to-noise ratio", {"peak signal-to-noise ratio": "PSNR"}),
        ("psnr in lower case is a function", {}),
        ("a low-pass-context-free word, a contextual one", {}),
        ("CDFs and a mean-scale model", {"CDFs": "CDF"}),
        ("An entropy coder.", {"entropy coder": "entropy coding"}),
        ("The entropy of an entropy model", {"entropy model": "entropy model", "entropy": "entropy"}),
    ],
)
def test_terms_are_found_in_a_text(text: str, found: dict[str, str]) -> None:
    assert {said: each.names[0] for said, each in glossary.used_in(text).items()} == found


def test_a_notebook_has_its_own_terms_and_those_it_asks_for() -> None:
    names = [each.names[0] for each in glossary.terms_of("08", "bitstream", "peak signal-to-noise ratio")]
    assert names[:3] == ["bitstream", "PSNR", "hyperprior"] and "context" not in names
    with pytest.raises(ValueError, match="The glossary has no 'hyperprio'"):
        glossary.terms_of("08", "hyperprio")


def test_the_table_is_markdown_with_a_row_a_term() -> None:
    InteractiveShell.instance()
    with capture_output() as captured:
        glossary.show_terms("05", "DCT")
    table = captured.outputs[0].data["text/markdown"].splitlines()
    assert table[0] == "| term | Chinese | what it is |"
    assert len(table) == 2 + len(glossary.terms_of("05", "DCT")) and table[2].startswith("| DCT, ")
