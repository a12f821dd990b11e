"""The decoder in JavaScript, in Node: `npm ci --prefix web` installs what it needs, and the extra `web`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from tutorial_lib.codec import Codec

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
PATIENCE = 3600  # seconds

sys.path[:0] = [str(WEB), str(Path(__file__).parent)]  # export.py imports graphs.py, as a script does


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
def model(codec: Codec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the codec has been exported to."""
    pytest.importorskip("onnx", reason="the extra `web` has it: it writes the networks.")
    from export import export

    folder = tmp_path_factory.mktemp("model")
    export(codec, folder)
    return folder


Said = tuple[dict, NDArray, NDArray]  # facts, latents of all parts (int32), pixels (3, H, W)


@pytest.fixture
def decode_in_node(node: str, model: Path, tmp_path: Path) -> Callable[..., dict[str, Said]]:
    """What the decoder in JavaScript says about some files, by name; or about their first slices."""

    def decode(files: dict[str, bytes], slices: int | None = None) -> dict[str, Said]:
        paths = [tmp_path / f"{name}.lic" for name in files]
        for path, data in zip(paths, files.values(), strict=True):
            path.write_bytes(data)
        some = [] if slices is None else ["--slices", str(slices)]
        command = [node, WEB / "decode_files.js", *some, model, tmp_path, *paths]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        said = {}
        for line in done.stdout.splitlines():
            facts = json.loads(line)
            assert "error" not in facts, facts
            latents = np.fromfile(tmp_path / f"{facts['name']}.latents", "<i4")
            rgba = np.fromfile(tmp_path / f"{facts['name']}.rgba", np.uint8)
            pixels = rgba.reshape(facts["height"], facts["width"], 4)
            assert (pixels[..., 3] == 255).all()
            said[facts["name"]] = facts, latents, pixels[..., :3].transpose(2, 0, 1)
        return said

    return decode
