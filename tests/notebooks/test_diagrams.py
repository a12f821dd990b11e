"""The diagrams of 08, 09, 10 and 12: nothing overlaps, nothing is cut off, and each says in words what it shows."""

from itertools import combinations
from types import ModuleType

import pytest
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.workbench import codec_diagram, context_diagram, hyperprior_diagram, slicing_diagram
from tutorial_lib.workbench.figures import plt

# the module, the names of its figure and of what displays it, how many boxes, and a part of its words
DIAGRAMS = (
    (hyperprior_diagram, "draw_hyperprior", "show_hyperprior", len(hyperprior_diagram.BOXES), "hyper-synthesis"),
    (context_diagram, "draw_context_model", "show_context_model", len(context_diagram.BOXES), "masked convolution"),
    (slicing_diagram, "draw_slicing", "show_slicing", 2 + 2 * len(slicing_diagram.COLUMNS) + 8, "slices of channels"),
)


@pytest.mark.parametrize(("module", "draw", "show", "count", "words"), DIAGRAMS)
def test_labels_lie_in_the_picture_apart_from_each_other_and_from_others_boxes(
    module: ModuleType, draw: str, show: str, count: int, words: str
) -> None:
    figure = getattr(module, draw)()
    figure.canvas.draw()
    axes = figure.axes[0]
    boxes = {text: text.get_window_extent() for text in axes.texts if text.get_text()}
    for text, box in boxes.items():
        assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text
    for one, other in combinations(boxes, 2):
        assert not boxes[one].overlaps(boxes[other]), (one.get_text(), other.get_text())
    blocks = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(blocks) == count
    for text, box in boxes.items():
        for block in blocks:
            inside = block.contains(box.x0, box.y0) and block.contains(box.x1, box.y1)
            assert inside or not block.overlaps(box), text.get_text()
    plt.close(figure)


SHOWN = [(module, show, words) for module, _, show, _, words in DIAGRAMS]


@pytest.mark.parametrize(("module", "show", "words"), [*SHOWN, (codec_diagram, "show_codec", "restoration")])
def test_it_is_shown_with_words(module: ModuleType, show: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: dict = {}
    monkeypatch.setattr(module, "show", lambda figure, alt: shown.update(figure=figure, alt=alt))
    getattr(module, show)()
    plt.close(shown["figure"])
    assert words in shown["alt"]
