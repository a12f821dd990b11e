"""The one set-up cell that opens every notebook. It is written here and nowhere else: `make notebooks` puts it in
place, and a test compares."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

TEMPLATE = """\
# Set-up: the same cell opens every notebook. Where the package is installed, it does nothing.
import importlib.util
import os
import pathlib
import subprocess
import sys
from importlib.metadata import version

if importlib.util.find_spec("tutorial_lib") is None:
    clone = pathlib.Path("..").resolve()
    source = str(clone) if (clone / "tutorial_lib").is_dir() else "{address}"
    source = os.environ.get("TUTORIAL_LIB", source)
    if "<" in source:
        raise SystemExit("This copy does not know where to install tutorial_lib from: open it inside a clone.")
    keep = [f"{{name}}=={{version(name)}}" for name in ("numpy", "torch") if importlib.util.find_spec(name)]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source, "ipywidgets", *keep], check=True)
    importlib.invalidate_caches()
"""


def setup_cell() -> str:
    """The cell's source, with the address that pyproject.toml sets."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return TEMPLATE.format(address=settings["tool"]["tutorial_lib"]["address"]).strip()
