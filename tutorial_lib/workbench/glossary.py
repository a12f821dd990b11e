"""The glossary, English and Chinese: `notebooks/glossary.md` read, and drawn into the notebooks' tables."""

import re
from functools import cache
from typing import NamedTuple

from IPython.display import Markdown, display

from tutorial_lib.workbench.lesson_files import lesson_file

FILE = lesson_file("glossary.md")


class Term(NamedTuple):
    """A word of the course. names: the ways to say it, the usual one first. notebook: whose table holds it."""

    names: tuple[str, ...]
    chinese: str
    meaning: str
    notebook: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """Finds the word in a text, in the plural, too. Abbreviations are capitals there as here."""
        ways = [
            re.escape(name) if sum(map(str.isupper, name)) > 1 else f"(?i:{re.escape(name)})" for name in self.names
        ]
        return re.compile(rf"(?<![\w-])(?:{'|'.join(ways)})(?:s|es)?(?![\w-])")


@cache
def glossary() -> tuple[Term, ...]:
    """All terms, in the order of the course."""
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \| (\w\d) \|$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    return tuple(Term(tuple(names.split(", ")), *rest) for names, *rest in rows)


def term(name: str) -> Term:
    """The term with that name. Raises ValueError if the glossary has none."""
    for each in glossary():
        if name.lower() in (way.lower() for way in each.names):
            return each
    raise ValueError(f"The glossary has no {name!r}: add a line to {FILE.name}.")


def terms_of(notebook: str, *more: str) -> list[Term]:
    """The terms that a notebook, "02", introduces, after those others that it has to explain already."""
    return [*(term(name) for name in more), *(each for each in glossary() if each.notebook == notebook)]


def show_terms(notebook: str, *more: str) -> None:
    """Display a notebook's table of terms: those that it introduces, and more by name."""
    rows = [f"| {', '.join(t.names)} | {t.chinese} | {t.meaning} |" for t in terms_of(notebook, *more)]
    display(Markdown("\n".join(["| term | Chinese | what it is |", "|---|---|---|", *rows])))


def used_in(text: str) -> dict[str, Term]:
    """The terms that occur in a text, and as what. In "entropy coder" that is one term; "entropy" is not used."""
    found = {}
    for each in sorted(glossary(), key=lambda each: -max(map(len, each.names))):
        if occurrence := each.pattern.search(text):
            found[occurrence[0]] = each
            text = each.pattern.sub(" ", text)
    return found
