"""What is kept of a learner's answers, and how it is shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from IPython.core.formatters import DisplayFormatter

from tutorial_lib import checks
from tutorial_lib.checks import Wrong, call, exercise
from tutorial_lib.workbench import progress as progress_module
from tutorial_lib.workbench.progress import NAME, exercises, keep_verdict, read_verdicts


@exercise
def doubled(function) -> str:
    if call(function, 3) != 6:
        raise Wrong("Twice 3 is 6.")
    return "It is."


@exercise
def nobody(function) -> str:
    if call(function, none=True) is not None:
        raise Wrong("Nobody does.")
    return ""


@exercise
def first_of_three(function) -> str:
    if call(function, [3, [1], 2]) != 3:
        raise Wrong("The first one is 3.")
    return ""


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """As in a notebook that runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks, "in_a_notebook", lambda: True)
    return tmp_path / NAME


class TestVerdicts:
    def test_only_dots_are_not_answered(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert doubled(...) is None and doubled(lambda x: ...) is None
        assert capsys.readouterr().out == "○ Not answered yet.\n" * 2

    def test_none_is_an_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert [doubled(None), doubled(lambda x: None), nobody(lambda: None)] == [False, False, True]
        said = capsys.readouterr().out
        assert "Your answer is None" in said and "For 3 your function returned None: is a return missing?" in said

    def test_what_was_given_stays_as_it_was(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert first_of_three(lambda values: values.pop(0)) == checks.Verdict(False)
        assert "The result is right, but your function has changed `values`" in capsys.readouterr().out
        assert not first_of_three(lambda values: (values[1].append(0), values[0])[1])  # within a list, too
        assert "has changed `values`" in capsys.readouterr().out
        assert not first_of_three(lambda values: values.pop())
        assert capsys.readouterr().out == "✗ The first one is 3.\n"  # of the other fault it says more
        assert first_of_three(lambda values: values[0])  # and the next answer is judged for itself

    def test_a_number_is_no_text(self) -> None:
        assert checks.as_number(2) == checks.as_number(2.0) == 2
        with pytest.raises(Wrong, match="One number is asked for, not str"):
            checks.as_number("2.0")

    def test_long_arguments_are_named_by_their_kind(self) -> None:
        torch = pytest.importorskip("torch")
        assert checks.short(torch.zeros(2, 300)) == "a Tensor of shape (2, 300)" and checks.short([1, 2]) == "[1, 2]"
        assert checks.short(list(range(99))) == "a list"


@pytest.mark.parametrize("answer", [..., lambda x: x, lambda x: 2 * x], ids=["open", "wrong", "right"])
def test_a_cell_shows_the_sentence_and_nothing_below_it(answer, capsys: pytest.CaptureFixture[str]) -> None:
    verdict = doubled(answer)
    assert capsys.readouterr().out.count("\n") == 1
    assert verdict is None or DisplayFormatter().format(verdict) == ({}, {})  # IPython shows nothing of None


class TestTheFile:
    def test_it_keeps_what_was_answered_and_right_stays_right(self, kernel: Path) -> None:
        doubled(...)
        assert not kernel.exists()
        doubled(lambda x: x)
        module = __name__.rsplit(".", 1)[-1]
        assert json.loads(kernel.read_text()) == {f"{module}.doubled": False}
        doubled(lambda x: 2 * x)
        doubled(lambda x: x)
        nobody(lambda: 1)
        assert read_verdicts() == {f"{module}.doubled": True, f"{module}.nobody": False}

    def test_outside_of_notebooks_nothing_is_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert doubled(lambda x: 2 * x) and list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", ["", "{", "[1]", "\x00", '"a"'])
    def test_a_damaged_file_counts_as_none(self, kernel: Path, content: str) -> None:
        kernel.write_text(content)
        assert read_verdicts() == {}
        assert doubled(lambda x: 2 * x) and len(read_verdicts()) == 1

    def test_a_folder_that_cannot_be_written_to_disturbs_nobody(self, tmp_path: Path) -> None:
        keep_verdict("padding", "which_pads", True, tmp_path / "missing")


class TestTheTable:
    def test_every_check_of_the_course_is_in_it(self) -> None:
        found = exercises()
        assert "sign_ste" in found["quantization"] and "error_statistics" not in found["quantization"]
        order = list(found)
        assert all(found.values()) and order[0] == "padding" and order[-1] == "one_picture"

    def test_it_shows_right_tried_and_open(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        of_two = {"padding": ["which_pads"], "quantization": ["one", "two", "three", "four"]}
        monkeypatch.setattr(progress_module, "exercises", lambda: of_two)
        keep_verdict("quantization", "one", True, tmp_path)
        keep_verdict("quantization", "three", False, tmp_path)
        progress_module.progress(tmp_path)
        first, second, last = capsys.readouterr().out.splitlines()
        assert first.startswith("01 Mirror padding") and "□" in first and first.endswith("0 of 1")
        assert second.startswith("02 Quantization") and "■□▨□" in second and second.endswith("1 of 4")
        assert last == "1 of 5 exercises are answered right."
