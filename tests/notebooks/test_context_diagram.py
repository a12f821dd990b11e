"""The diagram of notebook 09: labels stand free, the map is a wavefront's, and it says in words what it shows."""

from itertools import combinations

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import FancyBboxPatch, Rectangle

from tutorial_lib.context import coding_passes
from tutorial_lib.workbench import context_diagram
from tutorial_lib.workbench.figures import COLOURS, plt


def test_labels_lie_in_the_picture_apart_from_each_other_and_from_others_boxes() -> None:
    figure = context_diagram.draw_context_model()
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = {text: text.get_window_extent() for text in axes.texts if text.get_text()}
    for text, box in boxes.items():
        assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text
    for one, other in combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), (one.get_text(), other.get_text())
    blocks = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(blocks) == len(context_diagram.BOXES)
    for text, box in boxes.items():
        for block in blocks:
            inside = block.contains(box.x0, box.y0) and block.contains(box.x1, box.y1)
            assert inside or not block.overlaps(box), text.get_text()
    plt.close(figure)


def test_the_orange_positions_are_one_pass_of_a_wavefront_and_the_numbers_are_the_passes() -> None:
    figure = context_diagram.draw_context_model()
    axes = figure.axes[0]
    columns, rows = context_diagram.PASSES
    passes = coding_passes("wavefront", rows, columns).flatten().tolist()
    squares = [patch for patch in axes.patches if type(patch) is Rectangle]
    orange = [to_hex(square.get_facecolor()) == to_hex(COLOURS[1]) for square in squares]
    assert orange == [number == context_diagram.NOW for number in passes]
    assert [int(text.get_text()) for text in axes.texts if text.get_text().isdigit()] == passes
    plt.close(figure)


def test_it_is_shown_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {}
    monkeypatch.setattr(context_diagram, "show", lambda figure, alt: shown.update(figure=figure, alt=alt))
    context_diagram.show_context_model()
    plt.close(shown["figure"])
    assert "masked convolution" in shown["alt"]
