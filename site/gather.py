"""Gather the site's sources in a folder: `python site/gather.py build/site/source`. Sphinx makes the pages from it.

Nothing is written twice by hand: the front page is README, the claims are its appendix, the reference is the
docstrings, the lessons are the executed notebooks. Nothing is executed.
"""

import argparse
import ast
import json
import re
import shutil
from pathlib import Path

import nbformat
import sliders
from links import CARDS, page_of, rewrite, with_units_at_their_numbers, without_remote_pictures
from notebook_pages import page_of_notebook
from pictures import Pictures
from repository import BRANCH, ROOT, repository_url

from tutorial_lib import course

PAGES = Path(__file__).parent / "pages"
WEB = ROOT / "build/web"  # the decoder in JavaScript with its page and samples, where `make web` has made them
OPEN = "<!-- open -->"  # where a page has the link to it
FLOORS = ("files", "evaluation")  # folders of the package whose modules have a page of the reference


class Site:
    """A folder of sources, and what is put into it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = repository_url()
        self.files_at = f"{self.url}/blob/{BRANCH}" if self.url else None
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.pictures = Pictures(folder.parent / "pictures")
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.front, self.claims, title = split_claims(readme)
        self.anchors = {f"#{slug(title)}": "look_up/claims.md"} if title else {}

    def write(self, page: str, text: str) -> None:
        path = self.folder / page
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.rstrip() + "\n", encoding="utf-8")

    def markdown(self, file: str, text: str | None = None) -> str:
        """The text of a Markdown file of the repository, as a page has it."""
        text = (ROOT / file).read_text(encoding="utf-8") if text is None else text
        text = with_units_at_their_numbers(without_remote_pictures(text))
        return rewrite(text, file, self.picture, self.files_at, self.anchors)

    def picture(self, file: str) -> str:
        """Keep a picture that a Markdown file shows. Returns its place among the sources, where Sphinx finds it."""
        name, _, _ = self.pictures.add((ROOT / file).read_bytes())
        (self.folder / "pictures").mkdir(exist_ok=True)
        shutil.copy(self.pictures.folder / name, self.folder / "pictures" / name)
        return f"/pictures/{name}"

    # ---- the pages

    def front_page(self) -> None:
        if self.claims:
            self.write("look_up/claims.md", self.markdown("README.md", self.claims))
        title, picture, rest = self.markdown("README.md", self.front).split("\n\n", 2)
        self.write("index.md", "\n\n".join([title, picture, opener(), rest, self.contents()]))

    def contents(self) -> str:
        """The tables of contents that fill the sidebar, of what there is."""
        parts = {
            "The notebooks": [f"notebooks/{path.name}" for path in notebooks()],
            "To look up": ["look_up/glossary.md", "look_up/claims.md", "look_up/scoreboard.md", "look_up/decoder.md"],
            "For teachers": ["teach/instructor.md"],
            "The package": ["reference/index.md"],
            "Measured": sorted(str(path.relative_to(self.folder)) for path in self.folder.glob("measured/*.md")),
            "The project": ["project/contributing.md", "project/changelog.md", "project/licence.md"],
        }
        trees = []
        for caption, pages in parts.items():
            there = [page for page in pages if (self.folder / page).exists()]
            if there:
                trees.append("\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *there, "```"]))
        return "\n\n".join(trees)

    def notebooks(self) -> None:
        (self.folder / "notebooks").mkdir()
        for path in notebooks():
            notebook = nbformat.read(path, as_version=4)
            colab = self.colab(path.name)
            frames = sliders.read(sliders.FOLDER / path.stem)
            if frames and not sliders.are_fresh(frames, notebook):
                again = f"make frames NOTEBOOKS=notebooks/{path.name}"
                print(f"{path.stem} draws something else than its frames show, so its page gets no slider: {again}")
                frames = None
            page_of_notebook(notebook, self.pictures, "../pictures", colab, frames)
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = self.markdown(f"notebooks/{path.name}", cell.source)
            nbformat.write(notebook, self.folder / "notebooks" / path.name)

    def colab(self, name: str) -> str | None:
        """A notebook's address on Colab, if the repository's is known."""
        if not self.url or not self.url.startswith("https://github.com/"):
            return None
        return f"{self.url.replace('github.com', 'colab.research.google.com/github', 1)}/blob/{BRANCH}/notebooks/{name}"

    def scoreboard(self) -> None:
        path = ROOT / "notebooks/scoreboard.json"
        if path.exists():
            self.write("look_up/scoreboard.md", scoreboard_page(json.loads(path.read_text(encoding="utf-8"))))

    def glossary(self) -> None:
        """The words of the course, each with a link to the notebook that introduces it."""
        file = "notebooks/glossary.md"
        if (ROOT / file).exists():
            text = self.markdown(file)
            for notebook in course.NOTEBOOKS:
                text = text.replace(
                    f"| {notebook.number} |", f"| [{notebook.number}](/notebooks/{notebook.file}.ipynb) |"
                )
            self.write("look_up/glossary.md", text)

    def reference(self) -> None:
        """Pages of the package's modules, those of one notebook together."""
        groups = {
            number: (f"{number} · {title}", [f"tutorial_lib.{m.name}" for m in course.MODULES if m.notebook == number])
            for number, _, title, *_ in course.NOTEBOOKS
        }
        for floor in FLOORS:
            stems = sorted(path.stem for path in (ROOT / "tutorial_lib" / floor).glob("[a-z]*.py"))
            groups[floor] = (f"The folder {floor}", [f"tutorial_lib.{floor}.{stem}" for stem in stems])
        lines = [
            "# The package, module by module\n",
            "Modules stand under the notebook that teaches them, and import only what stands above them.\n",
        ]
        for name, (title, modules) in groups.items():
            if modules:
                self.write(f"reference/{name}.md", reference_page(title, modules))
                names = ", ".join(f"`{module.removeprefix('tutorial_lib.')}`" for module in modules)
                lines.append(f"- [{title}]({name}.md): {names}")
        tree = ["```{toctree}", ":hidden:", "", *(name for name, (_, modules) in groups.items() if modules), "```"]
        self.write("reference/index.md", "\n".join([*lines, "", *tree]))

    def measured(self) -> None:
        """Model cards, the data's page, and what each benchmark measures."""
        for path in sorted((ROOT / CARDS).glob("*.md")):
            self.write(f"measured/{path.name}", self.markdown(f"{CARDS}/{path.name}"))
        self.write("measured/data.md", self.markdown("data/README.md"))
        scripts = {path.name: documentation(path) for path in sorted((ROOT / "benchmarks").glob("*.py"))}
        self.write("measured/benchmarks.md", benchmarks_page(scripts))

    def project(self) -> None:
        for file in ("CONTRIBUTING.md", "CHANGELOG.md"):
            self.write(page_of(file) or file, self.markdown(file))
        licence = (ROOT / "LICENSE").read_text(encoding="utf-8")
        self.write("project/licence.md", f"# Licence\n\n```{{code-block}} text\n:class: wrapped\n\n{licence}\n```")

    def decoder(self) -> None:
        """The files that the page about the decoder shows."""
        for name in ("decoder", "encoder"):
            shutil.copytree(ROOT / "web" / name, self.folder / "web" / name)
        if not (WEB / "page/index.html").exists():
            print("The site gets no page that opens .lic files: `make web` makes it, before `make site`.")

    def everything(self) -> None:
        self.notebooks()
        self.scoreboard()
        self.glossary()
        self.reference()
        self.measured()
        self.project()
        self.decoder()
        for path in PAGES.rglob("*.md"):
            name = str(path.relative_to(PAGES))
            self.write(name, self.markdown(f"site/pages/{name}").replace(OPEN, opener("../")))
        self.front_page()
        self.pictures.sweep()


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def split_claims(readme: str) -> tuple[str, str, str]:
    """README without its section of claims; that section as a page of its own; and the section's heading."""
    found = re.search(r"^## ([^\n]*claims[^\n]*)\n(.*?)(?=^## |\Z)", readme, re.M | re.S | re.I)
    if not found:
        return readme, "", ""
    title = re.sub(r"^Appendix: ", "", found[1])
    return readme.replace(found[0], ""), f"# {title[0].upper()}{title[1:]}\n{found[2]}", found[1]


def opener(up: str = "") -> str:
    """The way to the page that opens .lic files, for the front page; nothing where there is no such page.

    up: for a page that lies deeper, the way to the front page's folder.
    """
    if not (WEB / "page/index.html").exists():
        return ""
    more = "" if up else ' <a href="look_up/decoder.html">How that works.</a>'
    link = f'<a href="{up}web/page/index.html">Open a .lic file, or a sample.</a>{more}'
    return f"```{{admonition}} The decoder in your browser\n:class: tip\n{link}\n```"


def scoreboard_page(board: dict) -> str:
    """The scoreboard as a table with bars, from `scoreboard.json`: its photo, its lines and its rows."""
    titles = {notebook.number: (notebook.title, notebook.file) for notebook in course.NOTEBOOKS}
    jpeg = board["lines"]["JPEG"]
    bars = [(row["notebook"], row["codec"], row["size"]) for row in board["rows"]]
    bars += [("", f"**{name}**", size) for name, size in board["lines"].items()]
    longest = max(size for _, _, size in bars)
    lines = [
        "# The scoreboard\n",
        f"One photo, `{board['photo']}`, runs through all notebooks. Each adds what the codec built so far makes of "
        f"it: the bytes that it needs for {board['decibels']:g} dB of PSNR. The last rows are JPEG and the codec that "
        "ships. Where a step costs bytes, the notebook says why.\n",
        "| notebook | codec | bytes | beside JPEG | |",
        "|---|---|---:|---:|---|",
    ]
    for number, codec, size in bars:
        title, file = titles.get(number, ("", ""))
        name = f"[{number} {title}](/notebooks/{file}.ipynb)" if file else number
        bar = f'<span class="bar" style="width: {9 * size / longest:.2f}em"></span>'
        lines.append(f"| {name} | {codec} | {size:,} | {size / jpeg:.2f} | {bar} |")
    return "\n".join(lines)


def documentation(script: Path) -> str:
    """The docstring of a file, which is not run for it."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""


def benchmarks_page(scripts: dict[str, str]) -> str:
    """What each script of `benchmarks/` measures, in its own words."""
    lines = [
        "# Benchmarks\n",
        "Each table of this project comes from a script that anybody can run again. `make bench` runs those that need "
        "no photos. This is what they say about themselves.\n",
    ]
    for name, text in scripts.items():
        if text:
            lines += [f"## {name}\n", "```{code-block} text", ":class: wrapped", "", text, "```\n"]
    return "\n".join(lines)


def reference_page(title: str, modules: list[str]) -> str:
    parts = [f"# {title}\n"]
    for module in modules:
        directive = [f".. automodule:: {module}", "   :members:", "   :show-inheritance:"]
        parts += [f"## {module.removeprefix('tutorial_lib.')}\n", "```{eval-rst}", *directive, "```\n"]
    return "\n".join(parts)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Gather the site's sources in a folder; what was in it is deleted.")
    parser.add_argument("folder", type=Path)
    Site(parser.parse_args().folder.resolve()).everything()
