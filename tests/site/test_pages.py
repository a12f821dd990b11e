"""The pages as files: links, pictures, and who else would be asked when somebody reads them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import pytest
from bs4 import BeautifulSoup

from tutorial_lib import course

repository = pytest.importorskip("repository", reason="its folder is put on the path by conftest")

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src"}
MACHINERY = {"genindex.html", "py-modindex.html", "search.html"}  # Sphinx's own


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def pages(html: Path) -> list[Path]:
    return sorted(path for path in html.rglob("*.html") if "_static" not in path.parts)


def test_every_part_of_the_course_has_its_page(html: Path) -> None:
    names = {str(path.relative_to(html)) for path in pages(html)}
    wanted = {f"notebooks/{path.stem}.html" for path in Path("notebooks").glob("*.ipynb")}
    wanted |= {f"reference/{module.notebook}.html" for module in course.MODULES}
    wanted |= {"index.html", "look_up/claims.html", "teach/instructor.html", "measured/codec.html"}
    assert wanted <= names


def test_every_taught_module_is_documented(html: Path) -> None:
    for module in course.MODULES:
        text = soup(html / f"reference/{module.notebook}.html")
        assert text.find(id=f"module-tutorial_lib.{module.name}"), module.name


def test_no_page_loads_anything_from_elsewhere(html: Path) -> None:
    for path in pages(html):
        for tag, attribute in LOADED.items():
            for found in soup(path).find_all(tag):
                assert not re.match(r"(https?:)?//", found.get(attribute, "")), f"{path.name}: {found}"
        for link in soup(path).find_all("link"):
            assert not re.match(r"(https?:)?//", link.get("href", "")), f"{path.name}: {link}"
    for path in html.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", path.read_text(encoding="utf-8")), path


def test_no_internal_link_is_broken(html: Path) -> None:
    broken = []
    for path in pages(html):
        for link in soup(path).find_all("a", href=True):
            if re.match(r"[a-z]+:", link["href"]):
                continue
            target, anchor = urldefrag(urljoin(f"/{path.relative_to(html)}", link["href"]))
            file = html / unquote(target).split("?")[0].lstrip("/")
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file():
                broken.append(f"{path.relative_to(html)} -> {link['href']}")
            elif anchor and file.suffix == ".html" and not soup(file).find(id=unquote(anchor)):
                broken.append(f"{path.relative_to(html)} -> {link['href']} (no such heading)")
    assert not broken, "\n".join(sorted(set(broken)))


def test_every_picture_says_what_it_shows(html: Path) -> None:
    for path in pages(html):
        for picture in soup(path).find_all("img"):
            assert picture.get("alt", "").strip(), f"{path.name}: {picture}"


def test_photos_are_light(html: Path) -> None:
    """PNG outputs have become WebP, and none is missing."""
    for path in (html / "notebooks").glob("*.html"):
        pictures = soup(path).select("div.output img")
        assert all(picture["src"].endswith(".webp") for picture in pictures), path.name
        assert all((path.parent / picture["src"]).is_file() for picture in pictures)


@pytest.mark.parametrize("notebook", course.NOTEBOOKS, ids=lambda notebook: notebook.file)
def test_a_notebook_is_downloaded_as_it_is(html: Path, notebook: course.Notebook) -> None:
    if not Path(f"notebooks/{notebook.file}.ipynb").exists():
        pytest.skip("not written yet")
    name = f"notebooks/{notebook.file}.ipynb"
    assert (html / "_sources" / name).read_bytes() == Path(name).read_bytes()
    assert soup(html / f"notebooks/{notebook.file}.html").find("a", href=f"../_sources/{name}")


def test_where_the_address_is_known_a_notebook_opens_on_colab(html: Path) -> None:
    address = repository.repository_url()
    if address is None:
        pytest.skip("pyproject.toml names no address yet")
    colab = address.replace("https://github.com", "https://colab.research.google.com/github")
    for path in (html / "notebooks").glob("*.html"):
        target = f"{colab}/blob/main/notebooks/{path.stem}.ipynb"
        assert any(link["href"] == target for link in soup(path).select("header a, .article-header-buttons a")), target


def test_a_notebooks_words_are_a_table(html: Path) -> None:
    """What cells display as Markdown is set, tables included."""
    for path in (html / "notebooks").glob("*.html"):
        heads = [[head.get_text() for head in row.find_all("th")] for row in soup(path).select("div.cell_output tr")]
        assert ["term", "Chinese", "what it is"] in heads, path.name
        assert "|---|" not in soup(path).get_text() and "|—|" not in soup(path).get_text(), path.name


def test_solutions_and_setup_are_folded(html: Path) -> None:
    for path in (html / "notebooks").glob("*.html"):
        page = soup(path)
        if "check." in page.get_text():
            assert page.find("summary", string=re.compile("Solution")), path.name
        assert page.select_one("div.cell").find("details").find("div", class_="cell_input"), path.name


def test_nobody_finds_the_authors_folders(html: Path) -> None:
    for path in pages(html):
        assert not re.findall(r"/(?:home|root|work)/\w+", soup(path).get_text()), path.name
