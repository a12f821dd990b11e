"""The notebooks' set-up cell, run in each situation that it may find, with pip replaced by a notebook of its calls."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version
from pathlib import Path

import pytest

from tutorial_lib.workbench.setup_cell import setup_cell


@pytest.fixture
def run_cell(monkeypatch, tmp_path: Path):
    """run_cell(installed, cell): execute the cell in an empty folder; returns what it gave to pip, or None."""
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    for name in ("TUTORIAL_LIB", "COLAB_JUPYTER_IP", "KMP_TARGET_PORT"):
        monkeypatch.delenv(name, raising=False)
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


def test_installs_the_clone_around_it_and_keeps_what_there_is(run_cell, monkeypatch, tmp_path: Path) -> None:
    (tmp_path / "tutorial_lib").mkdir()
    monkeypatch.setenv("TUTORIAL_LIB", "elsewhere")
    kept = [f"{name}=={version(name)}" for name in ("numpy", "torch", "ipywidgets")]
    assert run_cell() == ["--quiet", str(tmp_path), "ipywidgets", *kept]


def test_then_comes_the_environment(run_cell, monkeypatch) -> None:
    monkeypatch.setenv("TUTORIAL_LIB", "elsewhere")
    assert run_cell(cell=published())[1] == "elsewhere"


def test_then_the_address(run_cell, colab) -> None:
    colab("fileId=https%3A%2F%2Fgithub.com%2Ffork%2Fcourse%2Fblob%2Fmain%2Fnotebooks%2F00_tour.ipynb")
    assert run_cell(cell=published())[1].endswith("somebody/course")


@pytest.mark.parametrize("branch", ["main", "second/edition"])
@pytest.mark.parametrize("quote", [str, lambda text: urllib.parse.quote(text, safe="")], ids=["plain", "quoted"])
def test_on_colab_a_copy_without_address_asks_what_it_was_opened_from(run_cell, colab, branch: str, quote) -> None:
    colab("fileId=" + quote(f"https://github.com/some-body/lic.course/blob/{branch}/notebooks/03_entropy.ipynb"))
    assert run_cell(cell=unpublished())[1] == f"git+https://github.com/some-body/lic.course@{branch}"


@pytest.mark.parametrize("said", ["fileId=1aBcD", "", None], ids=["from a drive", "nothing", "no server"])
def test_says_so_where_nothing_helps(run_cell, colab, said: str | None) -> None:
    colab(said)
    with pytest.raises(SystemExit, match="Where is tutorial_lib"):
        run_cell(cell=unpublished())
    assert "COLAB_JUPYTER_IP" in os.environ


def test_says_so_elsewhere(run_cell) -> None:
    with pytest.raises(SystemExit, match="Set TUTORIAL_LIB"):
        run_cell(cell=unpublished())


def published() -> str:
    """The cell of a repository that has an address."""
    return unpublished().replace("<owner>/<repository>", "somebody/course")


def unpublished() -> str:
    return re.sub('"git.https.*?"', '"git+https://github.com/<owner>/<repository>"', setup_cell(), count=1)


@pytest.fixture
def colab(monkeypatch):
    """colab(path): a server such as Colab's, with one session of that path; None: an address without a server."""
    servers = []

    def start(path: str | None) -> None:
        class Sessions(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                assert self.path == "/api/sessions"
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps([{"name": "notebook.ipynb", "path": path}]).encode())

            def log_message(self, *_) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Sessions))
        if path is None:
            servers[-1].server_close()
        else:
            threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        monkeypatch.setenv("COLAB_JUPYTER_IP", "127.0.0.1")
        monkeypatch.setenv("KMP_TARGET_PORT", str(servers[-1].server_port))

    yield start
    for server in servers:
        server.shutdown() if server.socket.fileno() >= 0 else None
