"""Sections that are marked as deeper, folded: their heading stays in sight, the rest opens with a click."""

import re

from docutils import nodes
from sphinx.application import Sphinx

MARK = re.compile(r" · deeper$")  # as in "## 5 Who pays? · deeper"


def fold_deeper_sections(app: Sphinx, document: nodes.document) -> None:
    """Wrap what stands under each such heading, subsections included, into `<details>`."""
    for section in list(document.findall(nodes.section)):
        if not MARK.search(section[0].astext()) or _inside_a_fold(section):
            continue
        section["classes"].append("deeper")
        opening = "<details><summary>Deeper: not needed for what follows</summary>"
        section.insert(1, nodes.raw("", opening, format="html"))
        section.append(nodes.raw("", "</details>", format="html"))


def _inside_a_fold(section: nodes.Element) -> bool:
    parent = section.parent
    while parent is not None:
        if "deeper" in parent.get("classes", ()):
            return True
        parent = parent.parent
    return False
