"""The address of the published course, written into a clone and taken out again."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml  # comes with JupyterLab

from tutorial_lib.workbench.address import ROOT, main, with_badges, write

FILES = (
    "pyproject.toml",
    "README.md",
    "CITATION.cff",
    "notebooks/00_tour.ipynb",
    "notebooks/03_entropy_and_rate.ipynb",
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    (tmp_path / "notebooks").mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path / name)
    write(None, tmp_path)
    return tmp_path


def contents(clone: Path) -> list[bytes]:
    return [(clone / name).read_bytes() for name in FILES]


def test_everything_opens_the_repository(clone: Path) -> None:
    write("Some-Body/lic.course", clone)
    assert 'address = "git+https://github.com/Some-Body/lic.course"' in (clone / "pyproject.toml").read_text()
    for path in (clone / "notebooks").iterdir():
        cells = nbformat.read(path, 4).cells
        title, _, badge = cells[0].source.split("\n")[:3]
        setup = cells[1].source
        assert title.startswith("# ")
        assert badge.endswith(
            f"(https://colab.research.google.com/github/Some-Body/lic.course/blob/main/notebooks/{path.name})"
        )
        assert '"git+https://github.com/Some-Body/lic.course"' in setup
    citation = yaml.safe_load((clone / "CITATION.cff").read_text())
    assert citation["repository-code"] == "https://github.com/Some-Body/lic.course"
    assert citation["url"] == "https://some-body.github.io/lic.course/"
    readme = (clone / "README.md").read_text().split("\n")
    assert "notebooks/00_tour.ipynb" in readme[2] and "https://some-body.github.io/lic.course/" in readme[2]
    assert "/Some-Body/lic.course/actions/workflows/tests.yml/badge.svg" in readme[2] and readme[3] == ""


def test_a_second_time_changes_nothing_and_a_fork_changes_all(clone: Path) -> None:
    before = contents(clone)
    write("first/one", clone)
    first = contents(clone)
    write("first/one", clone)
    assert contents(clone) == first
    write("fork/two", clone)
    assert not any(re.search(rb"first/one|first\.github", data) for data in contents(clone))
    assert [data.count(b"fork/two") for data in contents(clone)] == [data.count(b"first/one") for data in first]
    write(None, clone)
    assert contents(clone) == before


def test_only_the_line_under_the_title_is_a_line_of_badges() -> None:
    assert with_badges("# Title", "[![b](c)](d)") == "# Title\n\n[![b](c)](d)"
    assert with_badges("# Title\n\nText.\n\n[![p](q)](r)\n", "") == "# Title\n\nText.\n\n[![p](q)](r)\n"
    assert with_badges("# Title\n\n[![b](c)](d)\n\nText.", "") == "# Title\n\nText."


@pytest.mark.parametrize("words", [[], ["course"], ["a/b/c"], ["a/b", "--none"], ["https://github.com/a/b"]])
def test_what_is_no_address(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("sys.argv", ["address", *words])
    with pytest.raises(SystemExit):
        main()
    assert "OWNER/NAME" in capsys.readouterr().err
