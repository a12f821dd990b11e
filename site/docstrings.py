"""The package's docstrings, which are plain text with a little Markdown, as reStructuredText for autodoc.

Prose stays prose and lists stay lists; lines of `name: meaning` become a list. Whatever else is laid out by hand
(indented lines, doctests) is shown as it stands.
"""

import inspect
import re

ITEM = re.compile(r"(?:[-*]|\d+\.) +")
COLUMN = re.compile(r"(\*{0,2}\w+(?:, \*{0,2}\w+)*):\s+(?=\S)")
CODE = r"`[^`]+`"
STRONG, EMPHASIS = (rf"(?<![\w*]){stars}[^*\s](?:[^*]*[^*\s])?{stars}(?![\w*])" for stars in (r"\*\*", r"\*"))
SPANS = re.compile(f"({CODE}|{STRONG}|{EMPHASIS})")


def as_rest(lines: list[str]) -> list[str]:
    """A docstring's lines as those of reStructuredText."""
    rest: list[str] = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc("\n".join(lines))):
        rows = block.split("\n")
        if _all_start(rows, ITEM):
            rest += _items(rows, ITEM)
        elif _all_start(rows, COLUMN):
            rest += _items(rows, COLUMN)
        elif any(row[:1].isspace() for row in rows) or rows[0].startswith(">>>"):
            rest += ["::", "", *(f"    {row}".rstrip() for row in rows)]
        else:
            rest += _prose("\n".join(rows)).split("\n")
        rest.append("")
    return rest


def _all_start(rows: list[str], mark: re.Pattern[str]) -> bool:
    """Does every row either begin as an item does, or go on under one?"""
    return bool(mark.match(rows[0])) and all(mark.match(row) or row[:1].isspace() for row in rows)


def _items(rows: list[str], mark: re.Pattern[str]) -> list[str]:
    """A bulleted (or numbered) list of the rows' items."""
    items: list[list[str]] = []
    for row in rows:
        if mark.match(row):
            items.append([row])
        else:
            items[-1].append(row.strip())
    rest: list[str] = []
    for item in items:
        text = "\n".join(item)
        found = mark.match(text)
        assert found is not None
        bullet, name = (found[0].split()[0], "") if mark is ITEM else ("-", f"``{found[1]}``: ")
        body = (name + _prose(text[found.end() :])).split("\n")
        rest += ["", f"{bullet} {body[0]}", *(" " * (len(bullet) + 1) + row for row in body[1:])]
    return rest[1:]


def _prose(text: str) -> str:
    """Prose: `code` as code, emphasis kept, and every other sign meant as it stands."""
    parts = SPANS.split(text)
    rest = ""
    for at, part in enumerate(parts):
        if at % 2 == 0:
            rest += re.sub(r"([\\`*|_])", r"\\\1", part)
            continue
        # Inline markup ends only before a space or a full stop: an escaped space, which is none, comes between.
        before = r"\ " if re.search(r"[^\s(\[]$", parts[at - 1]) else ""
        after = r"\ " if re.match(r"[^\s.,;:!?)\]]", parts[at + 1]) else ""
        rest += before + (f"``{part[1:-1]}``" if part.startswith("`") else part) + after
    return rest
