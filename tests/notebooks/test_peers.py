"""CompressAI's answers: live, stored, and compared with what is stored."""

from types import ModuleType

import pytest
import torch

from tutorial_lib.workbench import peers

THEIRS = {"numbers": torch.arange(6).reshape(2, 3), "floats": torch.tensor([0.5, -1.0]), "string": b"\x00\xffbytes"}


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "lesson_file", lambda name: tmp_path / name)
    monkeypatch.setattr(peers, "version", lambda name: "1.2.8")
    monkeypatch.setattr(peers, "_imported", lambda: ModuleType("compressai"))
    monkeypatch.delenv(peers.STORE, raising=False)


def store(monkeypatch: pytest.MonkeyPatch, name: str = "04 a", **answers) -> None:
    with monkeypatch.context() as context:
        context.setenv(peers.STORE, "1")
        peers.answers(name, lambda _: {**THEIRS, **answers})


def test_where_it_is_missing_the_stored_answers_are_given(monkeypatch, capsys) -> None:
    store(monkeypatch)
    store(monkeypatch, "04 b", numbers=torch.zeros(1))
    monkeypatch.setattr(peers, "_imported", lambda: ImportError("none"))
    found = peers.answers("04 a", pytest.fail)
    assert found.keys() == THEIRS.keys() and found["string"] == THEIRS["string"]
    assert torch.equal(found["numbers"], THEIRS["numbers"]) and torch.equal(found["floats"], THEIRS["floats"])
    assert "stored answers, of version 1.2.8" in capsys.readouterr().out
    with pytest.raises(LookupError, match="04 c"):
        peers.answers("04 c", pytest.fail)


def test_live_answers_are_those_that_are_stored(monkeypatch, capsys) -> None:
    store(monkeypatch)
    live = peers.answers("04 a", lambda _: {**THEIRS, "floats": THEIRS["floats"] + 1e-6})
    assert live["floats"][0] != THEIRS["floats"][0] and capsys.readouterr().out == ""


@pytest.mark.parametrize(
    "other",
    [
        {"numbers": THEIRS["numbers"] + 1},
        {"numbers": THEIRS["numbers"].float()},
        {"floats": THEIRS["floats"] + 0.01},
        {"floats": THEIRS["floats"][:1]},
        {"string": b"\x00\xfebytes"},
        {"more": torch.ones(1)},
    ],
)
def test_other_answers_are_noticed(monkeypatch, other: dict) -> None:
    store(monkeypatch)
    with pytest.raises(AssertionError, match="04 a"):
        peers.answers("04 a", lambda _: {**THEIRS, **other})
