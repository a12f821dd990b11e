"""The course order is the import order, and importing the package costs little."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tutorial_lib

PACKAGE = Path(tutorial_lib.__file__).parent

# The order in which the notebooks teach the modules. Each may import those before it, and the workbench.
ORDER = (
    "padding",
    "quantization",
    "information",
    "entropy_bottleneck",
    "cdf",
    "arithmetic_coding",
    "rans",
    "entropy_coder",
    "dct_transforms",
    "transform_codec",
    "first_codec",
    "gaussian_conditional",
    "gdn",
    "hyperprior",
    "context",
    "slicing",
    "portable",
    "variable_rate",
    "turns",
    "portable_slices",
    "bitstream",
    "codec",
    "training",
    "codec_training",
    "cli",
)
HEAVY = {"compressai", "torchvision", "matplotlib"}

TAUGHT = sorted(path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__")


def imported_names(source: str) -> set[str]:
    """The modules of tutorial_lib that some source imports, wherever in it: `rans`, `workbench`, …"""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.level == 1 or node.module == "tutorial_lib"):
            prefix = f"tutorial_lib.{node.module}" if node.level and node.module else "tutorial_lib"
            paths = [f"{prefix}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            paths = [node.module or ""]
        else:
            continue
        parts = [path.split(".") for path in paths]
        names |= {part[1] for part in parts if part[0] == "tutorial_lib" and len(part) > 1}
    return names - {name for name in dir(tutorial_lib) if name.startswith("__")}


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import tutorial_lib", set()),
        ("import tutorial_lib.rans as r, numpy", {"rans"}),
        ("from tutorial_lib import rans, __version__", {"rans"}),
        ("from tutorial_lib.workbench.photos import photo", {"workbench"}),
        ("from . import cdf, rans", {"cdf", "rans"}),
        ("from .cdf import CdfTables", {"cdf"}),
        ("def f():\n    from tutorial_lib.codec import Codec", {"codec"}),
        ("from torch import nn\nimport rans", set()),
    ],
)
def test_the_reader_of_imports(source: str, names: set[str]) -> None:
    assert imported_names(source) == names


def test_every_module_has_its_place_in_the_course() -> None:
    assert set(TAUGHT) <= set(ORDER)


@pytest.mark.parametrize("module", TAUGHT)
def test_a_module_imports_only_what_was_taught_before(module: str) -> None:
    names = imported_names((PACKAGE / f"{module}.py").read_text(encoding="utf-8"))
    allowed = {"workbench", *ORDER[: ORDER.index(module)]}
    if module == "cli":  # it starts without PyTorch, and imports the codec where a command needs it
        assert "first_codec" in names or "codec" in names
    assert names <= allowed, f"{module} is taught before {sorted(names - allowed)}"


def test_nothing_taught_comes_in_through_the_workbench() -> None:
    """Import module after module, in the order of the course: none may bring a later one with it."""
    loaded = fresh_process(
        f"for module in {[module for module in ORDER if module in TAUGHT]!r}:\n"
        "    importlib.import_module(f'tutorial_lib.{module}')\n"
        "    loaded[module] = [name[13:] for name in sys.modules if name.startswith('tutorial_lib.')]\n"
    )
    assert list(loaded) == [module for module in ORDER if module in TAUGHT]
    for module, names in loaded.items():
        later = set(ORDER[ORDER.index(module) + 1 :])
        assert not later & set(names), f"importing {module} imports {sorted(later & set(names))}"


def test_the_package_alone_imports_nothing_else() -> None:
    loaded = fresh_process(
        "before = set(sys.modules); import tutorial_lib; loaded['new'] = list(set(sys.modules) - before)"
    )
    assert loaded["new"] == ["tutorial_lib"]


def test_no_module_imports_what_is_heavy() -> None:
    loaded = fresh_process(
        f"for module in {TAUGHT!r}:\n"
        "    importlib.import_module(f'tutorial_lib.{module}')\n"
        "loaded['all'] = list(sys.modules)\n"
    )
    assert "torch" in loaded["all"]
    assert not HEAVY & set(loaded["all"])


def test_no_module_is_named_after_nothing() -> None:
    names = {path.stem for path in PACKAGE.rglob("*.py")}
    assert not names & {"util", "utils", "helper", "helpers", "common", "misc", "tools"}


def fresh_process(program: str) -> dict[str, list[str]]:
    """Run a program that fills the dictionary `loaded`, in a new interpreter."""
    program = f"import importlib, json, sys\nloaded = {{}}\n{program}\nprint(json.dumps(loaded))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)
