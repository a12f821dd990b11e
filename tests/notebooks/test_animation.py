"""Pictures that move: their frames, their size; and the descent of notebook 02 that is one of them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tutorial_lib.workbench.animation import animation_file
from tutorial_lib.workbench.coding_figures import state_figure
from tutorial_lib.workbench.descent_figure import descent_figure, staircase_loss
from tutorial_lib.workbench.figures import plt

PATHS = {"stays": [0.2] * 4, "arrives": [0.2, 1.2, 2.4, 2.6]}


def test_an_animation_is_short_and_small() -> None:
    states = [2, 8, 12, 20, 68]
    frames = [state_figure(states[: n + 1], "baab"[:n], {"a": 6, "b": 3, "c": 1}, 80) for n in range(5)]
    milliseconds = [100, 200, 300, 400, 500]
    data = animation_file(frames, milliseconds)
    for frame in frames:
        plt.close(frame)
    picture, stays = Image.open(io.BytesIO(data)), []
    for n in range(5):
        picture.seek(n)
        stays.append(picture.info["duration"])
    assert getattr(picture, "n_frames", 1) == 5 and stays == milliseconds and len(data) < 30_000


def test_frames_without_durations_are_refused(one_sentence) -> None:
    with pytest.raises(ValueError, match="0 frames need as many durations, not 1") as raised:
        animation_file([], [100])
    assert one_sentence(raised.value)


@given(y=st.floats(-0.5, 5.5), target=st.integers(0, 5))
def test_the_stairs_round_as_numpy_does(y: float, target: int) -> None:
    assert staircase_loss(y, target) == (np.rint(y) - target) ** 2


@pytest.mark.parametrize("steps", range(4))
def test_y_stands_on_a_stair_and_the_title_says_where(steps: int) -> None:
    figure = descent_figure(PATHS, steps, target=3)
    plt.close(figure)
    for axes, path in zip(figure.axes, PATHS.values(), strict=True):
        stairs = [line.get_xydata() for line in axes.lines[:-2]]
        been, now = (line.get_xydata() for line in axes.lines[-2:])
        assert been[:, 0].tolist() == path[: steps + 1] and now[0].tolist() == been[-1].tolist()
        (height,) = {stair[0, 1] for stair in stairs if stair[0, 0] <= path[steps] < stair[1, 0]}
        assert 0 < now[0, 1] - height < 0.5  # on it, not on another
        assert axes.get_title().endswith(f"y = {path[steps]:.1f}, rounded {round(path[steps])}")
