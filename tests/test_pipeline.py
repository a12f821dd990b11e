"""The map at the top of every notebook: nothing overlaps, and every topic lights up what it should."""

from itertools import combinations

import pytest
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.course import NOTEBOOKS, notebook_of
from tutorial_lib.workbench import pipeline
from tutorial_lib.workbench.figures import plt


@pytest.fixture(params=pipeline.TOPICS)
def figure(request: pytest.FixtureRequest):
    figure = pipeline.draw_pipeline(request.param)
    figure.topic = request.param
    yield figure
    plt.close(figure)


def test_labels_lie_in_the_picture_apart_from_each_other_and_inside_their_blocks(figure) -> None:
    figure.canvas.draw()
    axes = figure.axes[0]
    texts = [text for text in axes.texts if text.get_text()]
    boxes = {text: text.get_window_extent() for text in texts}
    for text, box in boxes.items():
        assert figure.bbox.contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1), text
    for one, other in combinations(texts, 2):
        assert not boxes[one].overlaps(boxes[other]), (one.get_text(), other.get_text())

    blocks = [patch.get_window_extent() for patch in axes.patches if isinstance(patch, FancyBboxPatch)]
    assert len(blocks) == len(pipeline.BLOCKS)
    for text, box in boxes.items():
        for block in blocks:
            inside = block.contains(box.x0, box.y0) and block.contains(box.x1, box.y1)
            assert inside or not block.overlaps(box), text.get_text()


def test_the_topic_is_lit_and_nothing_else(figure) -> None:
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    lit = {block for block, patch in zip(pipeline.BLOCKS, patches, strict=True) if patch.get_linewidth() > 1}
    assert lit == set(pipeline.TOPICS[figure.topic])


def test_the_numbers_are_those_of_the_course(figure) -> None:
    """Each block names the notebooks that teach the modules behind it, as the course's table has them."""
    numbers = {block: pipeline.notebooks_of(modules) for block, (_, modules, _, _) in pipeline.BLOCKS.items()}
    assert set(numbers.values()) - {""} == {"01", "02", "05", "06", "07", "03 04 08–11"}
    assert numbers["bytes"] == notebook_of("bitstream") == "07" and numbers["photo"] == numbers["picture"] == ""
    shown = [text.get_text() for text in figure.axes[0].texts if text.get_fontsize() == 7 and text.get_text()]
    assert sorted(shown) == sorted(filter(None, numbers.values()))


@pytest.mark.parametrize(
    ("modules", "text"),
    [
        ((), ""),
        (("cdf",), "05"),
        (("slicing", "padding", "context"), "01 09 10"),
        (("whole_networks", "slicing", "context", "codec", "padding", "quantization"), "01 02 09–12"),
    ],
)
def test_numbers_in_a_row_are_a_span(modules: tuple[str, ...], text: str) -> None:
    assert pipeline.notebooks_of(modules) == text


def test_every_notebook_has_its_topic() -> None:
    """Under the name of a module that it teaches; from 01 to A1, in this order. (The tour teaches none.)"""
    assert [notebook_of(topic) for topic in pipeline.TOPICS] == [each.number for each in NOTEBOOKS[1:]]


def test_arrows_and_topics_name_blocks() -> None:
    named = {end for start, finish, _ in pipeline.ARROWS for end in (start, finish)}
    assert named == set(pipeline.BLOCKS)
    assert all(set(blocks) <= set(pipeline.BLOCKS) for blocks in pipeline.TOPICS.values())


def test_a_picture_with_words(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = {}
    monkeypatch.setattr(pipeline, "show", lambda figure, alt: shown.update(figure=figure, alt=alt))
    pipeline.show_pipeline("padding")
    plt.close(shown["figure"])
    assert shown["alt"].endswith("Lit up: pad, crop.")
    with pytest.raises(ValueError, match="No topic is called 'paddding'; choose one of padding, "):
        pipeline.show_pipeline("paddding")
