"""Figures as they are displayed: HTML that holds the picture and its words."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from PIL import Image

from tutorial_lib.workbench import figures, photos
from tutorial_lib.workbench.figures import draw_image, picture_file, plt, show


def drawing():
    figure, axes = plt.subplots(figsize=(4, 3))
    _ = axes.plot([0, 1, 4, 9])
    return figure


def photo():
    figure, axes = plt.subplots(figsize=(4, 3))
    draw_image(axes, photos.photo("coffee"))
    return figure


def displayed(*arguments, **metadata):
    InteractiveShell.instance()
    with capture_output() as captured:
        show(*arguments, **metadata)
    (output,) = captured.outputs
    return output


def test_the_words_reach_the_page_whatever_they_hold() -> None:
    output = displayed(drawing(), 'a < b & "c"', rows=[1])
    assert output.data["text/html"].startswith('<img alt="a &lt; b &amp; &quot;c&quot;" src="data:image/png;base64,')
    assert "image/png" not in output.data and output.metadata == {"rows": [1]}


@pytest.mark.parametrize(("draw", "kind", "form"), [(drawing, "png", "PNG"), (photo, "webp", "WEBP")])
def test_the_picture_is_whole_and_of_the_kind_that_suits_it(draw, kind: str, form: str) -> None:
    html = displayed(draw(), "words").data["text/html"]
    said, data = re.search(r'src="data:image/(\w+);base64,([^"]*)"', html).groups()
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert said == kind and image.format == form and image.size == (400, 300)
    image.load()


def test_it_looks_as_matplotlib_has_drawn_it() -> None:
    for draw, most in ((drawing, 1.0), (photo, 4.0)):
        figure = draw()
        whole = io.BytesIO()
        figure.savefig(whole, format="png", facecolor="white")
        kept = Image.open(io.BytesIO(picture_file(figure)[1])).convert("RGB")
        plt.close(figure)
        error = np.asarray(kept, dtype=float) - np.asarray(Image.open(whole).convert("RGB"), dtype=float)
        assert np.abs(error).mean() < most


def test_a_drawing_takes_less_than_half_of_matplotlibs_file() -> None:
    figure, whole = drawing(), io.BytesIO()
    figure.savefig(whole, format="png", facecolor="white")
    assert len(picture_file(figure)[1]) < len(whole.getvalue()) / 2
    plt.close(figure)


def test_figures_are_closed() -> None:
    before = plt.get_fignums()
    _ = displayed(drawing(), "words")
    assert plt.get_fignums() == before


def test_a_photo_drawn_small_is_filtered() -> None:
    """Stripes one pixel wide become grey; nearest neighbours would keep some of them, as wide ones."""
    stripes = torch.zeros(3, 700, 700)
    stripes[:, :, ::2] = 1
    figure, axes = plt.subplots(figsize=(2, 2))
    draw_image(axes, stripes)
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png")
    plt.close(figure)
    middle = np.asarray(Image.open(drawn).convert("L"))[80:120, 80:120]
    assert figures.plt.rcParams["image.interpolation"] == "antialiased" and 100 < middle.min() <= middle.max() < 155
