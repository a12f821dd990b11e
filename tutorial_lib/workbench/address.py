"""Where the course is published, written wherever it stands: `python -m tutorial_lib.workbench.address OWNER/NAME`

In pyproject.toml; in each notebook's set-up cell, and as a badge under its title; as badges under the README's title;
in what is cited. `--none` takes it out again. Nothing is executed, and nbformat is all that it needs: in a fork, a
workflow does it (.github/workflows/fork.yml).
"""

import argparse
import re
from pathlib import Path

import nbformat

from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.workbench.setup_cell import ROOT, setup_cell

UNKNOWN = "<owner>/<repository>"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+")
ADDRESS = re.compile(r'^(address = "git\+https://github\.com/)[^"]*"$', re.MULTILINE)
BADGES = re.compile(r"\A(# [^\n]*\n)(\n\[!\[[^\n]*\n)?")  # the title, and the line of badges under it
CITED = re.compile(r"^(?:repository-code|url): [^\n]*\n", re.MULTILINE)
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
BRANCH = "main"


def on_colab(repository: str, notebook: str) -> str:
    """A badge, in Markdown, that opens a notebook."""
    address = f"https://colab.research.google.com/github/{repository}/blob/{BRANCH}/notebooks/{notebook}"
    return f"[![Open in Colab]({BADGE})]({address})"


def site_of(repository: str) -> str:
    """Where GitHub Pages publishes its site."""
    owner, name = repository.split("/")
    return f"https://{owner.lower()}.github.io/{name}/"


def of_readme(repository: str, first: str) -> str:
    """Colab, the site, and whether the tests pass."""
    workflow = f"https://github.com/{repository}/actions/workflows/tests.yml"
    shield = "https://img.shields.io/badge/read-online-2a6f97"
    return (
        f"{on_colab(repository, first)} [![Read online]({shield})]({site_of(repository)}) "
        f"[![Tests]({workflow}/badge.svg)]({workflow})"
    )


def with_badges(text: str, badges: str) -> str:
    """Markdown with that line under its title, and no other line of badges. "": none at all."""
    line = f"\n{badges}\n" if badges else ""
    changed = BADGES.sub(lambda found: found[1] + line, text if text.endswith("\n") else text + "\n", count=1)
    return changed if text.endswith("\n") else changed.removesuffix("\n")


def with_addresses(citation: str, repository: str | None) -> str:
    """CITATION.cff with the addresses of that repository and of its site, and no others."""
    lines = f'repository-code: "https://github.com/{repository}"\nurl: "{site_of(repository)}"\n' if repository else ""
    return CITED.sub("", citation).replace("license:\n", f"{lines}license:\n", 1)


def write(repository: str | None, root: Path = ROOT) -> None:
    """Write the address OWNER/NAME, or with None that there is none, into a clone of the course."""
    settings = root / "pyproject.toml"
    text, count = ADDRESS.subn(
        lambda found: f'{found[1]}{repository or UNKNOWN}"', settings.read_text(encoding="utf-8")
    )
    if count != 1:
        raise SystemExit(f"{settings} holds {count} addresses, not one: set it there by hand.")
    atomic_write(settings, text.encode())
    notebooks = sorted((root / "notebooks").glob("*.ipynb"))
    for path in notebooks:
        notebook = nbformat.read(path, as_version=4)
        notebook.cells[0].source = with_badges(
            notebook.cells[0].source, on_colab(repository, path.name) if repository else ""
        )
        next(cell for cell in notebook.cells if cell.cell_type == "code").source = setup_cell(root)
        atomic_write(path, (nbformat.writes(notebook) + "\n").encode())
    citation = root / "CITATION.cff"
    atomic_write(citation, with_addresses(citation.read_text(encoding="utf-8"), repository).encode())
    readme = root / "README.md"
    badges = of_readme(repository, notebooks[0].name) if repository else ""
    atomic_write(readme, with_badges(readme.read_text(encoding="utf-8"), badges).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description="Write where the course is published.")
    parser.add_argument("repository", nargs="?", metavar="OWNER/NAME", help="as GitHub spells it")
    parser.add_argument("--none", action="store_true", help="it is published nowhere")
    options = parser.parse_args()
    if options.none == bool(options.repository):
        parser.error("say OWNER/NAME, or --none.")
    if options.repository and not NAME.fullmatch(options.repository):
        parser.error(f"{options.repository!r} is not of the form OWNER/NAME.")
    write(options.repository)


if __name__ == "__main__":
    main()
