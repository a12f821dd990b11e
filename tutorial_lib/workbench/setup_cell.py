"""The one set-up cell that opens every notebook. It is written here and nowhere else: `make notebooks` and
`make address` put it in place, and a test compares.

It finds the package in this order: installed; the clone around the notebook; the environment variable TUTORIAL_LIB; the
address that pyproject.toml sets; and on Colab, the repository that the notebook was opened from. Colab's server tells
that to whoever asks for its sessions, which is documented nowhere: so it comes last.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]

OPENING = "# Set-up: "
TEMPLATE = """
# Set-up: the same cell opens every notebook. Where the package is installed, it does nothing.
import importlib.util
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from importlib.metadata import version

if importlib.util.find_spec("tutorial_lib") is None:
    clone = os.path.abspath("..") if os.path.isdir("../tutorial_lib") else None
    source = clone or os.environ.get("TUTORIAL_LIB", "ADDRESS")
    if "<" in source and "COLAB_JUPYTER_IP" in os.environ:  # Colab knows what it has opened this notebook from
        try:
            address = "http://{COLAB_JUPYTER_IP}:{KMP_TARGET_PORT}/api/sessions".format_map(os.environ)
            sessions = urllib.parse.unquote(urllib.request.urlopen(address, timeout=5).read().decode())
            place = sessions.split("github.com/")[1].split("/notebooks/")[0]  # owner/name/blob/branch
            source = "git+https://github.com/" + place.replace("/blob/", "@")
        except (OSError, KeyError, IndexError):
            pass  # no answer
    if "<" in source:
        raise SystemExit("Where is tutorial_lib? Set TUTORIAL_LIB to its address or folder, or open this in a clone.")
    keep = [f"{name}=={version(name)}" for name in ("numpy", "torch", "ipywidgets") if importlib.util.find_spec(name)]
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", source, "ipywidgets", *keep], check=True)
    importlib.invalidate_caches()
"""


def setup_cell(root: Path = ROOT) -> str:
    """The cell's source, with the address that a clone's pyproject.toml sets."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return TEMPLATE.replace("ADDRESS", settings["tool"]["tutorial_lib"]["address"]).strip()
