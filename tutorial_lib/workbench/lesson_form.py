"""The form of a lesson, read from its notebook: sections, minutes, predictions, claims, exercises, and what is missing.

CONTRIBUTING.md says how a lesson is written ("How a lesson is written"). Here is what can be counted of it:

    python -m tutorial_lib.workbench.lesson_form notebooks/02_quantization.ipynb     # minutes, and what to mend
    python -m tutorial_lib.workbench.lesson_form --claims notebooks/*.ipynb          # the table of claims for README

A notebook declares that it has the form by `"lesson_edition": 2` in its metadata.
"""

from __future__ import annotations

import argparse
import itertools
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbformat import NotebookNode

from tutorial_lib.workbench.glossary import Term, used_in

EDITION = 2
WORDS, LINES = 180, 12  # that are read in a minute
LONGEST_CELL = 25  # lines
CORE_MINUTES = 45
FOLDED = ("scaffold", "test")  # tags of cells that pages fold: plotting and measuring; asserts that are no lesson
MARK = re.compile(r" · (core|deeper)$")
EXERCISE = re.compile(
    r"^### (?P<title>.+?) · (?P<stars>★{1,3}) · (?P<minutes>\d+) minutes?(?: · (?P<kind>\w+))?$", re.M
)
CLAIM = re.compile(r"^> \*\*Claim\.\*\* (.+)\n>\n> \*\*Verdict\.\*\* (.+)\n>\n> \*\*Measured\.\*\* (.+)$", re.MULTILINE)
DETAILS = re.compile(r"<details>.*?</details>", re.DOTALL)
PREDICT = "**Predict:**"


class Section(NamedTuple):
    """heading: without its mark; mark: "core", "deeper", or None where it is missing; cells: all of its cells."""

    heading: str
    mark: str | None
    cells: list[NotebookNode]

    @property
    def number(self) -> str:
        """As in "## 3 How wrong is it?"; "" if it has none."""
        found = re.match(r"\d+(?= )", self.heading)
        return found[0] if found else ""


class Exercise(NamedTuple):
    """kind: "trains", "ablates" or "plots" where it asks for that. hints, solutions: how many are folded under it."""

    title: str
    stars: int
    minutes: int
    kind: str | None
    hints: int
    solutions: int
    core: bool


class Claim(NamedTuple):
    """One box: what the source notes claim, the verdict, and the number. section: of the notebook."""

    section: str
    claim: str
    verdict: str
    measured: str


@dataclass(frozen=True)
class Lesson:
    """A notebook, as a lesson. number: "02"."""

    number: str
    notebook: NotebookNode

    @property
    def edition(self) -> int:
        return self.notebook.metadata.get("lesson_edition", 1)

    @cached_property
    def sections(self) -> list[Section]:
        """The opening, marked core, and what stands under each heading of level two."""
        sections = [Section("", "core", [])]
        for cell in self.notebook.cells:
            if cell.cell_type == "markdown" and cell.source.startswith("## "):
                heading = cell.source.splitlines()[0].removeprefix("## ")
                mark = MARK.search(heading)
                sections.append(Section(MARK.sub("", heading), mark[1] if mark else None, []))
            sections[-1].cells.append(cell)
        return sections

    @property
    def code(self) -> list[NotebookNode]:
        return [cell for cell in self.notebook.cells if cell.cell_type == "code"]

    @cached_property
    def exercises(self) -> list[Exercise]:
        found = []
        for section in self.sections:
            for group in groups(section.cells):
                if heading := EXERCISE.match(group[0].source):
                    text = "\n".join(cell.source for cell in group if cell.cell_type == "markdown")
                    hints, solutions = (len(re.findall(f"<summary>{word}", text)) for word in ("Hint", "Solution"))
                    stars, minutes = len(heading["stars"]), int(heading["minutes"])
                    core = section.mark == "core"
                    found.append(Exercise(heading["title"], stars, minutes, heading["kind"], hints, solutions, core))
        return found

    @cached_property
    def claims(self) -> list[Claim]:
        boxes = [
            (section, box)
            for section in self.sections
            for cell in section.cells
            if cell.cell_type == "markdown"
            for box in CLAIM.findall(cell.source)
        ]
        return [Claim(section.number, *box) for section, box in boxes]

    @cached_property
    def predictions(self) -> list[str]:
        """What the reader is asked to predict, where the cell that follows shows it."""
        pairs = itertools.pairwise(self.notebook.cells)
        return [
            cell.source
            for cell, following in pairs
            if cell.source.startswith(PREDICT) and following.cell_type == "code" and following.outputs
        ]

    def minutes(self, mark: str | None = None) -> float:
        """To read: words and lines of code at the usual pace, exercises as they say. mark None: core and deeper."""
        total = 0.0
        for section in self.sections:
            if mark in (None, section.mark):
                for group in groups(section.cells):
                    exercise = EXERCISE.match(group[0].source)
                    total += int(exercise["minutes"]) if exercise else sum(map(self._minutes_of, group))
        return total

    def _minutes_of(self, cell: NotebookNode) -> float:
        if cell.cell_type == "markdown":
            return len(words(cell.source)) / WORDS
        folded = set(FOLDED) & set(cell.metadata.get("tags", []))
        if cell.cell_type != "code" or folded or cell is self.code[0]:  # the set-up cell is not for reading
            return 0.0
        return sum(1 for line in cell.source.splitlines() if line.strip()) / LINES

    @property
    def stated_minutes(self) -> tuple[int, int] | None:
        """(core, with everything), as the notebook says it."""
        said = re.search(r"\*\*Time:\*\* (\d+) minutes to read(?: the core, (\d+) with everything)?", self.text)
        return (int(said[1]), int(said[2] or said[1])) if said else None

    @cached_property
    def text(self) -> str:
        return "\n\n".join(cell.source for cell in self.notebook.cells if cell.cell_type == "markdown")

    def terms_used(self) -> dict[str, Term]:
        """Of the glossary, in the text; not in code, in links to other notebooks, in lists of further reading."""
        parts = [section for section in self.sections if "reading" not in section.heading.lower()]
        text = "\n\n".join(c.source for part in parts for c in part.cells if c.cell_type == "markdown")
        text = re.sub(r"^```.*?^```|`[^`]*`|\[[^\]]*\]\([^)]*\.ipynb[^)]*\)", " ", text, flags=re.DOTALL | re.MULTILINE)
        return used_in(text)

    def terms_shown(self) -> set[str]:
        """The first names of the terms in the notebook's table, as it was drawn."""
        tables = [o.data.get("text/markdown", "") for cell in self.code for o in cell.outputs if "data" in o]
        rows = re.findall(r"^\| (.+?) \| .+ \| .+ \|$", "\n".join(tables), re.MULTILINE)
        return {row.split(", ")[0] for row in rows}


def read_lesson(path: Path) -> Lesson:
    """The lesson in a notebook's file, whose name begins with its number."""
    return Lesson(path.name.split("_")[0], nbformat.read(path, as_version=4))


def groups(cells: list[NotebookNode]) -> list[list[NotebookNode]]:
    """Cells, parted before each one that begins with a heading."""
    parts: list[list[NotebookNode]] = []
    for cell in cells:
        if not parts or (cell.cell_type == "markdown" and cell.source.startswith("#")):
            parts.append([])
        parts[-1].append(cell)
    return parts


def words(text: str) -> list[str]:
    """Those that are read: not what is folded; a formula counts as one."""
    text = re.sub(r"\$\$.*?\$\$|\$[^$\n]+\$", " x ", DETAILS.sub(" ", text), flags=re.DOTALL)
    text = re.sub(r"<[^>]+>|\]\([^)]*\)", " ", text)
    return re.findall(r"\w+(?:[-'’.]\w+)*", text)


# ---- what is missing


def faults(lesson: Lesson) -> list[str]:
    """What the lesson lacks of the form, each in a sentence; none: []. The tour, 00, has no exercises and no recap."""
    return [*_faults_of_layout(lesson), *_faults_of_time(lesson), *_faults_of_outputs(lesson), *_faults_of_text(lesson)]


def _faults_of_layout(lesson: Lesson) -> list[str]:
    found = [f"Mark the section {s.heading!r}: core or deeper." for s in lesson.sections if s.mark is None]
    for cell in lesson.notebook.cells:
        if cell.cell_type == "markdown" and re.search(r"\n#{2,3} ", _without_fences(cell.source)):
            found.append(f"A heading begins its cell; part the one that begins {cell.source[:40]!r}.")
    if len(lesson.predictions) < 3:
        found.append(
            f"{len(lesson.predictions)} predictions: three cells begin with {PREDICT}, and the next one shows it."
        )
    if lesson.number == "00":
        return found
    recap = next((s for s in lesson.sections if s.heading.startswith("Recap")), None)
    text = "\n".join(cell.source for cell in recap.cells) if recap else ""
    if len(re.findall(r"^\d\. [^\n]*(?:\n {2,}[^\n]*)*\?$", text, re.MULTILINE)) != 2 or "<details>" not in text:
        found.append("A section 'Recap' asks two numbered questions, and folds the answers.")
    return found + _faults_of_exercises(lesson)


def _faults_of_exercises(lesson: Lesson) -> list[str]:
    found = []
    if len(lesson.exercises) < 6:
        found.append(f"{len(lesson.exercises)} exercises with stars and minutes; there should be six.")
    if {1, 2, 3} - {each.stars for each in lesson.exercises}:
        found.append("Exercises go from ★ to ★★★.")
    if not any(each.kind in ("trains", "ablates", "plots") for each in lesson.exercises):
        found.append("One exercise trains, ablates or plots, and its heading says so.")
    for each in lesson.exercises:
        if not 2 <= each.hints <= 3 or each.solutions != 1:
            found.append(f"Exercise {each.title!r} folds {each.hints} hints; two or three, and then one solution.")
    return found


def _faults_of_time(lesson: Lesson) -> list[str]:
    core, whole = rounded(lesson.minutes("core")), rounded(lesson.minutes())
    most = 10 if lesson.number == "00" else CORE_MINUTES
    found = [] if core <= most else [f"The core takes {core} minutes; {most} is the most."]
    if lesson.stated_minutes != (core, whole):
        found.append(f"'**Time:** {core} minutes to read the core, {whole} with everything, …' is what was counted.")
    return found


def _faults_of_outputs(lesson: Lesson) -> list[str]:
    found = []
    for cell in lesson.code:
        if cell.source.count("\n") >= LONGEST_CELL:
            lines = cell.source.count("\n") + 1
            found.append(f"{lines} lines; {LONGEST_CELL} is the most, in the cell {cell.source[:40]!r}.")
        if re.search(r"\bimport mock\b|unittest|TorchDispatchMode|\bweakref\b", cell.source):
            found.append(f"No mock, dispatch mode or weak reference in a lesson: {cell.source[:40]!r}.")
        for output in cell.outputs:
            data = output.get("data", {})
            pictures = re.findall(r"<img\b[^>]*>", data.get("text/html", ""))
            if "image/png" in data or not all(re.search(r'alt="[^"]{40,}"', picture) for picture in pictures):
                found.append(f"A picture has no alt text that reaches the page; show it with figures.show: {cell.id}.")
    if not any(output.get("metadata", {}).get("rows") for cell in lesson.code for output in cell.outputs):
        found.append("It ends without a row on the scoreboard.")
    return found


def _faults_of_text(lesson: Lesson) -> list[str]:
    known = lesson.terms_shown()
    found = [
        f"{said!r} is used before it is explained: show_terms({lesson.number!r}, {each.names[0]!r}) explains it here."
        for said, each in lesson.terms_used().items()
        if each.notebook >= lesson.number and each.names[0] not in known
    ]
    found += [f"Say 'expensive', not {word!r}." for word in re.findall(r"\bdear(?:er|est|ly)?\b", lesson.text)]
    loose = lesson.text.count("**Claim.**") - len(lesson.claims)
    return [*found, *["A box of a claim has three paragraphs: claim, verdict, measured."] * (loose != 0)]


def _without_fences(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


def rounded(minutes: float) -> int:
    """Up to a multiple of five, as they are stated."""
    return 5 * math.ceil(minutes / 5)


# ---- README's table of claims


def claims_table(paths: list[Path]) -> str:
    """Rows for README's table: claim, verdict, measured, and where."""
    rows = []
    for path in paths:
        lesson = read_lesson(path)
        for each in lesson.claims:
            where = f"[{lesson.number} §{each.section}](notebooks/{path.name})"
            rows.append(f"| {each.claim} | {each.verdict} | {each.measured} | {where} |")
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Report what lessons have of the form.")
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--claims", action="store_true", help="print README's table of claims instead")
    options = parser.parse_args()
    if options.claims:
        print(claims_table(options.notebooks))
    else:
        for notebook_path in options.notebooks:
            read = read_lesson(notebook_path)
            print(f"{notebook_path.stem}: core {read.minutes('core'):.1f} minutes, everything {read.minutes():.1f}")
            print("".join(f"  {fault}\n" for fault in faults(read)), end="")
