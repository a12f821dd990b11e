"""The decoder in JavaScript, in Node and in Chromium.

`npm ci --prefix web` installs what both need; the extra `web` has what exports the codec, the extra `site` what
controls the browser.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tutorial_lib.codec import Codec

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
PATIENCE = 3600  # seconds

sys.path[:0] = [str(WEB), str(Path(__file__).parent)]  # export.py imports graphs.py, as a script does

from chromium import Decoded, Tab, decoded, opened  # noqa: E402


@pytest.fixture(scope="session")
def node() -> str:
    program = shutil.which("node")
    if program is None or not (WEB / "node_modules").is_dir():
        pytest.skip("the decoder in JavaScript is tested where Node is installed, after `npm ci --prefix web`.")
    return program


@pytest.fixture(scope="session")
def codec() -> Codec:
    return Codec.load().eval()


@pytest.fixture(scope="session")
def folder(node: str, codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make web` puts together, without the page's samples."""
    pytest.importorskip("onnx", reason="the extra `web` has it: it writes the networks.")
    from assemble import gather
    from export import export

    folder = tmp_path_factory.mktemp("web")
    gather(folder)
    export(codec, folder / "model")
    return folder


@pytest.fixture(scope="session")
def model(folder: Path) -> Path:
    """The folder that the codec has been exported to."""
    return folder / "model"


@pytest.fixture(scope="session")
def tab(folder: Path) -> Iterator[Tab]:
    """A tab of Chromium, in which the decoder is loaded."""
    pytest.importorskip("playwright.sync_api", reason="the extra `site` has it.")
    try:
        with opened(folder) as tab:
            tab.load()
            yield tab
    except LookupError as error:
        pytest.skip(str(error))


Outcomes = dict[str, "Decoded | dict"]


@pytest.fixture
def open_in_node(node: str, model: Path, tmp_path: Path) -> Callable[..., Outcomes]:
    """What becomes of some files, by name: a picture, or an error and its kind. slices: of the first slices only."""

    def open_files(files: dict[str, bytes], slices: int | None = None) -> Outcomes:
        paths = [tmp_path / f"{name}.lic" for name in files]
        for path, data in zip(paths, files.values(), strict=True):
            path.write_bytes(data)
        some = [] if slices is None else ["--slices", str(slices)]
        command = [node, WEB / "decode_files.js", *some, model, tmp_path, *paths]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        outcomes: Outcomes = {}
        for facts in map(json.loads, done.stdout.splitlines()):
            made = [tmp_path / f"{facts['name']}.{kind}" for kind in ("latents", "rgba")]
            failed = "kind" in facts
            outcomes[facts["name"]] = facts if failed else decoded(facts, *(path.read_bytes() for path in made))
        return outcomes

    return open_files


@pytest.fixture(params=["Node", "Chromium"])
def decode_files(request: pytest.FixtureRequest) -> Callable[..., dict[str, Decoded]]:
    """What the decoder says about some files, by name; or about their first slices."""
    if request.param == "Node":
        open_files = request.getfixturevalue("open_in_node")
    else:
        tab = request.getfixturevalue("tab")

        def open_files(files: dict[str, bytes], slices: int | None = None) -> Outcomes:
            return {name: tab.decode(data, slices) for name, data in files.items()}

    def decode(files: dict[str, bytes], slices: int | None = None) -> dict[str, Decoded]:
        outcomes = open_files(files, slices)
        assert all(isinstance(each, Decoded) and not each.facts.get("error") for each in outcomes.values()), outcomes
        return outcomes

    return decode
