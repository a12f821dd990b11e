"""The rooms of the package: the course order is the import order, no arrow runs back up, and importing costs little."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import tutorial_lib
from tutorial_lib import course
from tutorial_lib.bitstream import Stream, pack

PACKAGE = Path(tutorial_lib.__file__).parent
FOLDERS = ("files", "evaluation", "command", "workbench", "checks")
TAUGHT = tuple(module.name for module in course.MODULES)
# From the ground floor up. A room may import what stands before it, and itself if it is a folder.
ROOMS = ("files", *TAUGHT, *course.UPPER)
LESSONS = ("course", "workbench", "checks")  # the order itself, and what is for lessons only: nothing else leans on it
HEAVY = {"compressai", "torchvision", "matplotlib"}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    """The folder in which a file lies, or the file itself: `command`, `rans`, …"""
    first, *rest = path.relative_to(PACKAGE).parts
    return first if rest else path.stem


def imported_names(source: str) -> set[str]:
    """The rooms of tutorial_lib that some source imports, wherever in it: `rans`, `workbench`, …

    Inside functions, for type checkers only, or by name: all count.
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            paths = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.level == 1 or node.module == "tutorial_lib"):
            prefix = f"tutorial_lib.{node.module}" if node.level and node.module else "tutorial_lib"
            paths = [f"{prefix}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            paths = [node.module or ""]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("__import__", "import_module"):
            paths = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        else:
            continue
        parts = [path.split(".") for path in paths]
        names |= {part[1] for part in parts if part[0] == "tutorial_lib" and len(part) > 1}
    return names - {name for name in dir(tutorial_lib) if name.startswith("__")}


def fresh_process(program: str) -> dict[str, list[str]]:
    """Run a program that fills the dictionary `loaded`, in a process that has not imported anything yet."""
    program = f"import importlib, json, sys\nloaded = {{}}\n{program}\nprint(json.dumps(loaded))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout.splitlines()[-1])


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
        ("if TYPE_CHECKING:\n    from tutorial_lib.files import images", {"files"}),
        ("importlib.import_module('tutorial_lib.command.train')\n__import__('tutorial_lib.cli')", {"command", "cli"}),
        ("from torch import nn\nimport rans", set()),
    ],
)
def test_the_reader_of_imports(source: str, names: set[str]) -> None:
    assert imported_names(source) == names


class TestTheTable:
    def test_it_names_every_module_and_no_other(self) -> None:
        flat = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
        folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
        assert folders == set(FOLDERS)
        assert Counter(TAUGHT) == Counter(flat - set(course.UPPER) - set(LESSONS))
        assert set(course.UPPER) <= flat | folders

    def test_modules_stand_under_notebooks_in_their_order(self) -> None:
        numbers = [module.notebook for module in course.MODULES]
        assert numbers == sorted(numbers) and set(numbers) == {each.number for each in course.NOTEBOOKS} - {"00"}
        assert course.notebook_of("bitstream") == "07"  # where files are first written
        with pytest.raises(KeyError):
            course.notebook_of("command")

    def test_it_can_be_printed(self) -> None:
        command = [sys.executable, "-m", "tutorial_lib.course"]
        said = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", env=UTF8).stdout
        assert said == course.table() + "\n" and "\n07 A first codec: " in said
        assert [line.split()[0] for line in said.splitlines() if line.startswith(" ")] == list(TAUGHT)


UTF8 = {"PYTHONIOENCODING": "utf-8"}


class TestNoArrowRunsBackUp:
    @pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
    def test_a_file_imports_only_what_stands_below_it(self, path: Path) -> None:
        room, names = room_of(path), imported_names(path.read_text(encoding="utf-8"))
        if room in ("__init__", "course"):
            allowed: set[str] = set()
        elif room in ("workbench", "checks"):
            allowed = {*ROOMS, *LESSONS} - {"command", "cli"}  # a lesson runs the command as its reader does
        else:
            allowed = {*ROOMS[: ROOMS.index(room)], *({room} & set(FOLDERS))}
        assert names <= allowed, f"{room} stands below {sorted(names - allowed)}"

    def test_the_ground_floor_needs_nothing_of_the_course(self) -> None:
        for path in (PACKAGE / "files").glob("*.py"):
            assert imported_names(path.read_text(encoding="utf-8")) <= {"files"}, path.name

    def test_nothing_later_comes_in_by_a_detour(self) -> None:
        """Import room after room, from the ground up: none may bring a later one with it."""
        loaded = fresh_process(
            f"for room in {ROOMS!r}:\n"
            "    importlib.import_module(f'tutorial_lib.{room}')\n"
            "    loaded[room] = [name[13:] for name in sys.modules if name.startswith('tutorial_lib.')]\n"
        )
        assert list(loaded) == list(ROOMS)
        for room, names in loaded.items():
            later = {*ROOMS[ROOMS.index(room) + 1 :], *LESSONS}
            assert not later & {name.split(".")[0] for name in names}, f"importing {room} imports a later one"

    def test_the_folders_need_no_lessons(self) -> None:
        """Whatever of them is imported: nothing of the lessons comes with it."""
        modules = [path.relative_to(PACKAGE) for folder in FOLDERS[:3] for path in (PACKAGE / folder).glob("*.py")]
        names = [".".join(module.with_suffix("").parts).removesuffix(".__init__") for module in modules]
        loaded = fresh_process(
            f"for name in {names!r}:\n"
            "    importlib.import_module(f'tutorial_lib.{name}')\n"
            "loaded['all'] = list(sys.modules)\n"
        )
        assert not [
            name for name in loaded["all"] if name.startswith(tuple(f"tutorial_lib.{room}" for room in LESSONS))
        ]


def test_no_room_is_the_place_for_everything() -> None:
    """No file and no folder, with all that lies in it, holds more than 30 % of the package's lines."""
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    rooms = Counter(lines)
    for path, count in lines.items():
        for parent in path.relative_to(PACKAGE).parents[:-1]:
            rooms[PACKAGE / parent] += count
    whole = sum(lines.values())
    assert {room.name: f"{count / whole:.1%}" for room, count in rooms.items() if count > 0.3 * whole} == {}


def test_the_package_alone_imports_nothing_else() -> None:
    loaded = fresh_process(
        "before = set(sys.modules); import tutorial_lib; loaded['new'] = list(set(sys.modules) - before)"
    )
    assert loaded["new"] == ["tutorial_lib"]


def test_no_taught_module_imports_what_is_heavy() -> None:
    loaded = fresh_process(
        f"for module in {TAUGHT!r}:\n"
        "    importlib.import_module(f'tutorial_lib.{module}')\n"
        "loaded['all'] = list(sys.modules)\n"
    )
    assert "torch" in loaded["all"]
    assert not HEAVY & set(loaded["all"])


def test_the_command_starts_without_pytorch(tmp_path: Path) -> None:
    """Its help, the help of its parts, and what a file says: nobody waits seconds for these."""
    file = tmp_path / "photo.lic"
    file.write_bytes(pack(Stream(60, 40, "ffeeddccbbaa9988", (b"hello",), "own")))
    loaded = fresh_process(
        "from tutorial_lib.cli import main\n"
        "names = ('encode', 'decode', 'info', 'train', 'evaluate')\n"
        "for words in (['--help'], ['--version'], *([name, '--help'] for name in names)):\n"
        "    try:\n"
        "        main(words)\n"
        "    except SystemExit as left:\n"
        "        assert left.code == 0\n"
        "    loaded[' '.join(words)] = list(sys.modules)\n"
        f"assert main(['info', {str(file)!r}]) == 0\n"
        "loaded['info'] = list(sys.modules)\n"
    )
    assert len(loaded) == 8
    for words, modules in loaded.items():
        assert not {"torch", "numba", *HEAVY} & set(modules), words


def test_no_module_is_named_after_nothing() -> None:
    names = {path.stem for path in FILES}
    assert not names & {"util", "utils", "helper", "helpers", "common", "misc", "tools"}
