"""One list of dependencies, pyproject.toml: whoever sets up by conda or by make gets all of it from there."""

from __future__ import annotations

import re
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
