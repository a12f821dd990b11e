"""Sliders where there are widgets, and the picture alone where there are none."""

import importlib.util

import ipywidgets
import pytest

from tutorial_lib.workbench import controls
from tutorial_lib.workbench.controls import Slider, interact


class Shown:
    """Stands for what IPython displays: everything, and the updates of the picture."""

    def __init__(self) -> None:
        self.all: list = []
        self.updates: list[str] = []

    def __call__(self, each, display_id: bool = False):
        self.all.append(each)
        return self if display_id else None

    def update(self, picture) -> None:
        self.updates.append(picture.data)


def test_widgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "display", shown := Shown())

    def said(**values: object) -> None:
        print(values if values["whole"] != 6 else 1 / 0)

    interact(said, whole=Slider(3, 1, 6), part=Slider(0.5, -1, 1, 0.25, "λ", live=False), kind=["b", "a"])
    box, picture = shown.all
    *each_control, ring = box.children
    whole, part, kind = each_control
    assert isinstance(whole, ipywidgets.IntSlider) and isinstance(part, ipywidgets.FloatSlider)
    assert (whole.value, whole.min, whole.max, whole.step, whole.description) == (3, 1, 6, 1, "whole")
    assert (part.value, part.min, part.max, part.step, part.description) == (0.5, -1, 1, 0.25, "λ")
    assert whole.continuous_update and not part.continuous_update
    assert kind.value == "b" and kind.options == ("b", "a")
    assert {each.style.description_width for each in each_control} == {"6ch"}  # for the longest label, "whole"
    assert ":focus-visible" in ring.value and ring.layout.display == "none"
    assert "&#x27;whole&#x27;: 3" in picture.data and shown.updates == []
    whole.value, kind.value = 5, "a"
    assert len(shown.updates) == 2 and "&#x27;kind&#x27;: &#x27;a&#x27;" in shown.updates[-1]
    whole.value = 6
    assert "ZeroDivisionError" in shown.updates[-1]


def test_none(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    interact(lambda **values: print(values), n=Slider(3, 1, 6), kind=("b", "a"))
    first, second = capsys.readouterr().out.splitlines()
    assert "There are no widgets here" in first and second == "{'n': 3, 'kind': 'b'}"
