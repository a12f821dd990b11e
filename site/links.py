"""Links in the repository's Markdown files, rewritten for the pages that these files become."""

import posixpath
import re
from collections.abc import Callable
from pathlib import PurePosixPath

# file of the repository: the page that it becomes. (Notebooks keep their place.)
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "LICENSE": "project/licence.md",
    "data/README.md": "measured/data.md",
    "notebooks/glossary.md": "look_up/glossary.md",
}
CARDS = "data/checkpoints"  # each NAME.md in it becomes measured/NAME.md
LINK = re.compile(r"(?P<open>!?\[(?:[^\[\]]|\[[^\]]*\])*\]\()(?P<target>[^)\s]+)(?P<close>\))")
EXTERNAL = re.compile(r"[a-z][a-z+.-]*:", re.I)  # https:, mailto:
BADGE = re.compile(r"\[!\[[^\]]*\]\(https?:[^)]*\)\]\([^)]*\)[ \t]*|!\[[^\]]*\]\(https?:[^)]*\)[ \t]*")


def page_of(file: str) -> str | None:
    """The page that a file of the repository becomes, or None."""
    path = PurePosixPath(file)
    if str(path.parent) == "notebooks" and path.suffix == ".ipynb":
        return file
    if str(path.parent) == CARDS and path.suffix == ".md":
        return f"measured/{path.name}"
    return PAGES.get(file)


def without_remote_pictures(text: str) -> str:
    """The text without badges and other pictures of third-party hosts, which would see every reader."""
    return BADGE.sub("", text)


def with_units_at_their_numbers(text: str) -> str:
    """The text of a Markdown file, in whose tables no line breaks between a number and its percent sign."""
    return re.sub(r"^\|.*", lambda row: re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", row[0]), text, flags=re.MULTILINE)


def rewrite(text: str, file: str, picture: Callable[[str], str], files_at: str | None, anchors: dict[str, str]) -> str:
    """The text of a Markdown file with its links turned to pages.

    file: its own path in the repository. picture: takes the path of a picture, and returns where the site has it.
    files_at: the address under which the repository's files can be seen; where it is None, a link to a file that is
    no page becomes plain text. anchors: README's headings that have become pages of their own.
    """
    folder = posixpath.dirname(file)

    def turned(match: re.Match[str]) -> str:
        target, is_picture = match["target"], match["open"].startswith("!")
        if EXTERNAL.match(target):
            return match[0]
        if target.startswith("#"):
            return f"{match['open']}/{anchors[target]})" if target in anchors else match[0]
        path, _, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(folder, path))
        if is_picture:
            return f"{match['open']}{picture(path)})"
        if page := page_of(path):
            page = anchors.get(f"#{anchor}", page) if path == "README.md" else page
            return f"{match['open']}/{page}{f'#{anchor}' if anchor and page.endswith('.ipynb') else ''})"
        if files_at:
            return f"{match['open']}{files_at}/{path})"
        return match["open"][1:-2]

    # A fenced block is code: what looks like a link in it is none.
    parts = re.split(r"(^```.*?^```)", text, flags=re.M | re.S)
    return "".join(part if part.startswith("```") else LINK.sub(turned, part) for part in parts)
