"""The diagram of notebook 10: labels stand free of each other and of others' boxes, and words say what it shows."""

from itertools import combinations

import pytest
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.workbench import slicing_diagram
from tutorial_lib.workbench.figures import plt


def test_labels_lie_in_the_picture_apart_from_each_other_and_from_others_boxes() -> None:
    figure = slicing_diagram.draw_slicing()
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = {text: text.get_window_extent() for text in axes.texts if text.get_text()}
    for text, box in boxes.items():
        assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text
    for one, other in combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), (one.get_text(), other.get_text())
    blocks = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(blocks) == 2 + 2 * len(slicing_diagram.COLUMNS) + 8
    for text, box in boxes.items():
        for block in blocks:
            inside = block.contains(box.x0, box.y0) and block.contains(box.x1, box.y1)
            assert inside or not block.overlaps(box), text.get_text()
    plt.close(figure)


def test_every_slice_but_the_first_is_told_what_stands_before_it() -> None:
    assert list(slicing_diagram.KNOWN) == list(slicing_diagram.COLUMNS)[1:]
    passes = [text.get_text() for text in slicing_diagram.draw_slicing().axes[0].texts if "pass" in text.get_text()]
    assert passes[:4] == [f"pass {name}" for name in slicing_diagram.COLUMNS]
    assert all(said.endswith("pass 1") for said in passes[4:]) and len(passes) == 8
    plt.close("all")


def test_it_is_shown_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict = {}
    monkeypatch.setattr(slicing_diagram, "show", lambda figure, alt: shown.update(figure=figure, alt=alt))
    slicing_diagram.show_slicing()
    plt.close(shown["figure"])
    assert "slices of channels" in shown["alt"] and "tiles" in shown["alt"]
