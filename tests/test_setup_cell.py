"""The notebooks' set-up cell, run in each situation that it may find, with pip replaced by a notebook of its calls."""

import importlib.util
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from tutorial_lib.workbench.setup_cell import setup_cell


@pytest.fixture
def run_cell(monkeypatch, tmp_path: Path):
    """run_cell(installed, cell): execute the cell in an empty folder; returns what it gave to pip, or None."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    monkeypatch.delenv("TUTORIAL_LIB", raising=False)
    find_spec = importlib.util.find_spec

    def run(installed: bool = False, cell: str | None = None) -> list[str] | None:
        calls = []
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: find_spec(name) if installed or name != "tutorial_lib" else None
        )
        monkeypatch.setattr(subprocess, "run", lambda command, check: calls.append(command))
        exec(cell or setup_cell(), {})
        assert all(command[:4] == [sys.executable, "-m", "pip", "install"] for command in calls)
        return calls[0][4:] if calls else None

    return run


def test_does_nothing_where_the_package_is(run_cell) -> None:
    assert run_cell(installed=True) is None


def test_installs_the_clone_around_it_and_keeps_numpy_and_torch(run_cell, tmp_path: Path) -> None:
    (tmp_path / "tutorial_lib").mkdir()
    kept = [f"{name}=={version(name)}" for name in ("numpy", "torch")]
    assert run_cell() == ["--quiet", str(tmp_path), "ipywidgets", *kept]


def test_installs_from_the_address_in_a_bare_folder(run_cell) -> None:
    cell = setup_cell().replace("<owner>/<repository>", "somebody/course")
    assert run_cell(cell=cell)[1].endswith("somebody/course")


def test_the_environment_has_the_last_word(run_cell, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "tutorial_lib").mkdir()
    monkeypatch.setenv("TUTORIAL_LIB", "elsewhere")
    assert run_cell()[1] == "elsewhere"


def test_says_so_where_it_does_not_know_the_address(run_cell) -> None:
    if "<" in setup_cell():  # until somebody publishes the course
        with pytest.raises(SystemExit, match="does not know where to install"):
            run_cell()
