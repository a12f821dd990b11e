"""GitHub's side: workflows and issue forms, read as far as that is possible without GitHub."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml  # comes with JupyterLab

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.stem: path for path in sorted((ROOT / ".github/workflows").glob("*.yml"))}
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
KINDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}  # of fields, in GitHub's issue forms


def read(name: str) -> dict:
    return yaml.safe_load(WORKFLOWS[name].read_text(encoding="utf-8"))


def events(workflow: dict) -> dict:
    return workflow[True]  # YAML 1.1 reads the key `on` as true


def scripts(workflow: dict) -> list[str]:
    return [step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step]


def test_there_are_four() -> None:
    assert set(WORKFLOWS) == {"colab", "fork", "site", "tests"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_says_when_how_long_and_what_it_may(name: str) -> None:
    workflow = read(name)
    assert "workflow_dispatch" in events(workflow) and "permissions" in workflow
    for job in workflow["jobs"].values():
        assert "runs-on" in job and all(("run" in step) != ("uses" in step) for step in job["steps"])
        assert "timeout-minutes" in job or job["permissions"] == {"pages": "write", "id-token": "write"}


@pytest.mark.parametrize("name", WORKFLOWS)
def test_what_a_workflow_runs_is_there(name: str) -> None:
    for script in scripts(read(name)):
        for target in re.findall(r"^make ([\w/.-]+)", script, re.MULTILINE):
            assert re.search(rf"^{re.escape(target)}:", MAKEFILE, re.MULTILINE), target
        for module in re.findall(r"-m (tutorial_lib[\w.]+)", script):
            assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
        for file in re.findall(r"python3? ((?:tests|site|web)/\S+\.py)", script):
            assert (ROOT / file).exists(), file


def test_linux_runs_each_python_and_others_run_too() -> None:
    jobs = read("tests")["jobs"]
    assert jobs["linux"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert jobs["elsewhere"]["strategy"]["matrix"]["system"] == ["macos-latest", "windows-latest"]


def test_a_fork_rewrites_its_address_on_main_and_nothing_else_may_write() -> None:
    assert events(read("fork"))["push"] == {"branches": ["main"]}
    assert read("fork")["permissions"] == {"contents": "write"}
    others = [read(name)["permissions"] for name in WORKFLOWS if name != "fork"]
    assert all(permissions["contents"] == "read" for permissions in others)


def test_only_main_is_published() -> None:
    assert "refs/heads/main" in read("site")["jobs"]["publish"]["if"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form_asks(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert all(field["type"] in KINDS and field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)


def test_there_are_three_forms() -> None:
    assert {path.stem for path in FORMS} == {"wrong_statement", "broken_cell", "unhelpful_check"}
