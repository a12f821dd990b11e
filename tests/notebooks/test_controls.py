"""Sliders where there are widgets, and the picture alone where there are none."""

import importlib.util

import ipywidgets
import pytest

from tutorial_lib.workbench.controls import Slider, interact


def test_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    made = {}
    monkeypatch.setattr(ipywidgets, "interact", lambda function, **controls: made.update(controls))
    interact(print, whole=Slider(3, 1, 6), part=Slider(0.5, -1, 1, 0.25, "λ", live=False), kind=["b", "a"])
    assert isinstance(made["whole"], ipywidgets.IntSlider) and isinstance(made["part"], ipywidgets.FloatSlider)
    whole, part, kind = made.values()
    assert (whole.value, whole.min, whole.max, whole.step, whole.description) == (3, 1, 6, 1, "whole")
    assert (part.value, part.min, part.max, part.step, part.description) == (0.5, -1, 1, 0.25, "λ")
    assert whole.continuous_update and not part.continuous_update
    assert kind.value == "b" and kind.options == ("b", "a")


def test_none(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    interact(lambda **values: print(values), n=Slider(3, 1, 6), kind=("b", "a"))
    first, second = capsys.readouterr().out.splitlines()
    assert "There are no widgets here" in first and second == "{'n': 3, 'kind': 'b'}"
