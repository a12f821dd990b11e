"""The notebooks in JupyterLab, in a real browser: `make test-browser` runs these tests.

JupyterLab serves a temporary copy, so that nothing which a browser saves reaches the checkout. Screenshots are left in
build/browser, for people to look at.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PATIENCE = 300_000  # milliseconds: a busy machine is slow, and no notebook is wrong for it

# What JupyterLab says of itself where a machine is slow: while it starts, and while it scrolls to a cell that waits.
NOISE = (
    r"^Plugin @[\w/:.-]+ (\(with \d+ dependants\) took [\d.]+ms|is taking too long) to activate",
    r"^Item with index \d+ did not appear within \d+ ms ",
)
SETTINGS = {  # no questions when it starts first, and nobody elsewhere is asked for news
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "extensionmanager-extension/plugin": {"enabled": False},
}
PLACES = {  # its settings, workspaces and history are not the user's
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "IPYTHONDIR": "ipython",
}


class Lab:
    """JupyterLab's page. One notebook is open at a time; a cell is named by its index."""

    def __init__(self, page, heard: list[str]) -> None:
        self.page = page
        self._heard = heard

    @property
    def said(self) -> list[str]:
        """By the console, since the notebook was opened."""
        return [text for text in self._heard if not any(re.search(noise, text) for noise in NOISE)]

    def _command(self, index: int, *names: str) -> None:
        self.page.evaluate(
            """async ([index, names]) => {
                panel.content.activeCellIndex = index;
                for (const name of names) await jupyterapp.commands.execute(`notebook:${name}`);
            }""",
            [index, names],
        )

    def open(self, name: str) -> None:
        """A notebook, by the name of its file; its kernel waits."""
        self._heard.clear()
        self.page.evaluate(
            """async name => {
                window.panel = await jupyterapp.commands.execute('docmanager:open', {path: name});
                await panel.context.ready;
                await panel.sessionContext.ready;
            }""",
            name,
        )

    def close(self) -> None:
        """Its kernel ends, and nothing is saved."""
        self.page.evaluate("async () => { await panel.sessionContext.shutdown(); panel.dispose(); }")

    def run(self, index: int) -> None:
        self._command(index, "run-cell")

    def run_up_to(self, index: int) -> None:
        """All cells above, and then this one, as a reader does who comes to it."""
        self._command(index, "run-all-above", "run-cell")

    def add_below(self, index: int) -> None:
        """An empty cell."""
        self._command(index, "insert-cell-below")

    def cell(self, index: int):
        """A cell, scrolled into sight."""
        cell = self.page.locator(f".jp-NotebookPanel .jp-Cell[data-windowed-list-index='{index}']")
        cell.wait_for(state="attached")
        cell.scroll_into_view_if_needed()
        return cell

    def failures(self) -> list[str]:
        """The errors among the outputs of all cells."""
        return self.page.evaluate(
            """() => panel.content.widgets.flatMap(cell => cell.model.sharedModel.outputs || [])
                .filter(output => output.output_type === 'error').map(output => `${output.ename}: ${output.evalue}`)"""
        )


MEASURED = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    """What was measured, at the end of all."""
    for line in config.stash.get(MEASURED, []):
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> list[str]:
    """Lines that are printed when all tests are through."""
    return pytestconfig.stash.setdefault(MEASURED, [])


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = ROOT / "build/browser"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with copies of the notebooks, beside nothing else."""
    folder = tmp_path_factory.mktemp("lab") / "notebooks"
    folder.mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="session")
def jupyterlab(browser, notebooks: Path) -> Iterator[str]:
    """Its address."""
    pytest.importorskip("jupyterlab", reason="the extra `notebooks` has it")
    home = notebooks.parent
    for name, settings in SETTINGS.items():
        file = home / "settings/@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--port=0", f"--ServerApp.root_dir={notebooks}"]
    command += ["--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True", "--LabApp.news_url=None"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    places = {name: str(home / place) for name, place in PLACES.items()}
    with subprocess.Popen(command, env={**os.environ, **places}, stderr=subprocess.PIPE, encoding="utf-8") as process:
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"http://(?:localhost|127\.0\.0\.1):(\d+)/lab", line):
                break
        else:
            pytest.fail("JupyterLab did not start:\n" + "".join(said))
        threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would make it wait
        yield f"http://127.0.0.1:{found[1]}"
        process.terminate()


@pytest.fixture(scope="session")
def page(browser, jupyterlab: str):
    page = browser.new_page(viewport={"width": 1366, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.goto(f"{jupyterlab}/lab")
    page.wait_for_function("() => window.jupyterapp")
    page.evaluate("() => jupyterapp.restored.then(() => true)")
    return page


@pytest.fixture(scope="session")
def only_lab(page, listen: Callable) -> Lab:
    return Lab(page, listen(page))


@pytest.fixture
def lab(only_lab: Lab) -> Iterator[Lab]:
    """JupyterLab without an open notebook; the one that a test opens is closed."""
    yield only_lab
    if only_lab.page.evaluate("() => Boolean(window.panel && !panel.isDisposed)"):
        only_lab.close()
