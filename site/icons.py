"""The theme's icons, those that the pages use: the file that holds all of them weighs as much as a page may."""

import re
from pathlib import Path

ICON = re.compile(
    r"""["']?(?P<name>[\w-]+)["']?:\[\d+,\d+,\[(?P<aliases>[^\]]*)\],"[0-9a-f]*",(?:"[^"]*"|\["[^"]*"(?:,"[^"]*")*\])\],?"""
)


def keep_used_icons(html: Path) -> None:
    """Cut the icons that no page and no script of the theme names out of the theme's file of icons, in place."""
    pages = "".join(path.read_text(encoding="utf-8") for path in html.rglob("*.html"))
    for path in (html / "_static").rglob("*.js"):
        if path.name != "fontawesome.js" and "mathjax" not in path.parts:
            pages += path.read_text(encoding="utf-8")
    used = set(re.findall(r"fa-([a-z0-9-]+)", pages))

    def cut(icon: re.Match[str]) -> str:
        names = {icon["name"], *re.findall(r'"([^"]+)"', icon["aliases"])}
        return icon[0] if names & used else ""

    for path in (html / "_static").rglob("fontawesome.js"):
        path.write_text(ICON.sub(cut, path.read_text(encoding="utf-8")), encoding="utf-8")
