"""The diagram of notebook 08: nothing overlaps, nothing is cut off, and it says in words what it shows."""

from itertools import combinations

import pytest
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.workbench import hyperprior_diagram
from tutorial_lib.workbench.figures import plt


def test_labels_lie_in_the_picture_apart_from_each_other_and_from_others_boxes() -> None:
    figure = hyperprior_diagram.draw_hyperprior()
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = {text: text.get_window_extent() for text in axes.texts if text.get_text()}
    for text, box in boxes.items():
        assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text
    for one, other in combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), (one.get_text(), other.get_text())
    blocks = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(blocks) == len(hyperprior_diagram.BOXES)
    for text, box in boxes.items():
        for block in blocks:
            inside = block.contains(box.x0, box.y0) and block.contains(box.x1, box.y1)
            assert inside or not block.overlaps(box), text.get_text()
    plt.close(figure)


def test_it_is_shown_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {}
    monkeypatch.setattr(hyperprior_diagram, "show", lambda figure, alt: shown.update(figure=figure, alt=alt))
    hyperprior_diagram.show_hyperprior()
    plt.close(shown["figure"])
    assert "hyper-synthesis" in shown["alt"]
