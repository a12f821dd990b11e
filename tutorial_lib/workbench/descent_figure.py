"""Figure of notebook 02: gradient descent on a loss behind rounding, which is a staircase of flat steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from tutorial_lib.workbench.figures import COLOURS, plt

STAIRS = range(6)  # whole numbers that are drawn


def staircase_loss(y: float, target: int) -> int:
    """(round(y) - target)², half-way cases to the even neighbour, as torch and NumPy round."""
    return (round(y) - target) ** 2


def descent_figure(paths: Mapping[str, Sequence[float]], steps: int, target: int) -> Figure:
    """A panel for each way to descend: the loss's stairs, y after so many steps on its stair, and where it was before.

    paths: a panel's title -> y after 0, 1, 2 … steps.
    """
    figure, panels = plt.subplots(1, len(paths), figsize=(8, 2.8), sharey=True, squeeze=False)
    for axes, (title, path) in zip(panels[0], paths.items(), strict=True):
        for k in STAIRS:
            axes.plot([k - 0.5, k + 0.5], [(k - target) ** 2] * 2, color=COLOURS[0], linewidth=2.5)
        been, now = np.array(path[: steps + 1]), path[steps]
        height = np.array([staircase_loss(y, target) for y in been])
        axes.plot(been, height + 0.35, "o", markersize=7, markerfacecolor="white", color=COLOURS[5])
        axes.plot(now, height[-1] + 0.35, "o", markersize=11, color=COLOURS[1])
        axes.set(xlim=(-0.6, STAIRS[-1] + 0.6), ylim=(-0.5, 10.5), xlabel="y", xticks=STAIRS)
        axes.set_title(f"{title}, step {steps}: y = {now:.1f}, rounded {round(now)}", fontsize=11)
    panels[0, 0].set_ylabel("loss")
    return figure
