"""One list of dependencies, pyproject.toml: whoever sets up by conda or by make gets all of it from there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml  # comes with JupyterLab
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
MISSION = {"jupyterlab", "torch", "compressai", "matplotlib", "ipywidgets", "nbval", "numpy"}
ENVIRONMENT = (ROOT / "environment.yml").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def requirements(extras: set[str]) -> list[Requirement]:
    """What pip installs for `.[extras]`."""
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return [Requirement(line) for part in lists for line in part]


def extras_of(install: str) -> set[str]:
    """The extras in `--editable .[a,b]`."""
    return set(re.fullmatch(r"--editable \.\[([\w,]+)\]", install)[1].split(","))


def pip_lines() -> list[str]:
    """What environment.yml hands to pip."""
    [pip] = [entry["pip"] for entry in yaml.safe_load(ENVIRONMENT)["dependencies"] if isinstance(entry, dict)]
    return pip


def test_conda_users_get_every_package_of_the_mission() -> None:
    [install] = pip_lines()
    wanted = requirements(extras_of(install))
    assert {requirement.name for requirement in wanted} >= MISSION
    # ... and with the Python that environment.yml asks for, no marker leaves one of them out.
    [python] = [entry for entry in yaml.safe_load(ENVIRONMENT)["dependencies"] if str(entry).startswith("python")]
    version = python.split("=")[1]
    assert version in SpecifierSet(PROJECT["requires-python"])
    here = {"python_version": version, "sys_platform": "linux"}
    found = {r.name for r in wanted if r.marker is None or r.marker.evaluate(here)}
    assert found >= MISSION


def test_environment_yml_repeats_nothing() -> None:
    entries = [entry for entry in yaml.safe_load(ENVIRONMENT)["dependencies"] if isinstance(entry, str)]
    assert sorted(re.split("[=<>]", entry)[0] for entry in entries) == ["pip", "python"]
    assert len(pip_lines()) == 1


def test_the_makefile_installs_the_same_and_repeats_nothing() -> None:
    installs = re.findall(r"pip install (.*)", MAKEFILE)
    assert installs == ["--quiet --editable '.[$(EXTRAS)]'"]
    [extras] = re.findall(r"^EXTRAS := (.*)$", MAKEFILE, re.MULTILINE)
    assert set(extras.split(",")) == extras_of(pip_lines()[0]) == set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"python3": 12, "python3.11": 11}, "python3"),
        ({"python3": 10, "python3.11": 11, "python3.12": 12}, "python3.12"),
        ({"python3": 14, "python3.13": 13}, "python3.13"),
        ({"python3": 14}, "python3"),
        ({"python3": 9}, "python3"),
    ],
)
def test_make_takes_a_python_that_fits(there: dict[str, int], chosen: str, tmp_path: Path) -> None:
    """Of those on the path, which here only pretend to be of some version."""
    make, bash = shutil.which("make"), "/bin/bash"
    if make is None or not Path(bash).exists():
        pytest.skip("there is no make")
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name, minor in there.items():
        program = tmp_path / name
        program.write_text(f"#!{bash}\n[ {minor} -ge 11 ] && [ {minor} -lt 14 ]\n", encoding="utf-8")
        program.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHON", "MAKEFLAGS")}
    said = subprocess.run(
        [make, "--dry-run", "env"],
        cwd=tmp_path,
        env={**environment, "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"^(\S+) -m venv", said.stdout, re.MULTILINE) == [chosen]


def test_ci_installs_only_through_the_makefile() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make env" in script and not re.search(r"\bpip\b|\bconda\b|\buv\b", script)


def test_nothing_is_listed_twice() -> None:
    names = [requirement.name for requirement in requirements(set(PROJECT["optional-dependencies"]))]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_supported_pythons(python: str) -> None:
    assert python in SpecifierSet(PROJECT["requires-python"]) and "3.10" not in SpecifierSet(PROJECT["requires-python"])
    here = {"python_version": python, "sys_platform": "linux"}
    left_out = [
        r.name for r in requirements(set(PROJECT["optional-dependencies"])) if r.marker and not r.marker.evaluate(here)
    ]
    assert left_out == (["compressai"] if python == "3.13" else [])
