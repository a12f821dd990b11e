"""Where the published course lives: what links to files, to Colab and to the issue forms are made of."""

import os
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
BRANCH = "main"


def repository_url() -> str | None:
    """The address of the repository's page, or None where nobody has set one.

    On GitHub the workflow's own repository comes first, so that a fork's pages open the fork.
    """
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return f"https://github.com/{name}"
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    address = settings["tool"]["tutorial_lib"]["address"]
    found = re.search(r"https://[\w.-]+/[\w.-]+/[\w.-]+", address)
    return found[0].removesuffix(".git") if found else None
