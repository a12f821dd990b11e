"""Both ways to cut a latent on one page, for notebook 10: z, the features made of it, the slices, and the passes."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tutorial_lib.workbench.diagram import ENDS, GREY, LEARNED, box, canvas, line
from tutorial_lib.workbench.figures import COLOURS, show

HEIGHT = 0.7
SIDE, NETWORKS, STRINGS, TILES = 4.9, 3.45, 2.0, 0.0  # the rows, from the top
COLUMNS = {"1": 2.0, "2": 4.1, "3": 6.2, "8": 9.3}  # the slices that are drawn, and where they begin
WIDTH = 1.3
KNOWN = {"2": "ŷ₁", "3": "ŷ₁ ŷ₂", "8": "ŷ₁ … ŷ₇"}  # what a slice's network sees of those before it


def show_slicing() -> None:
    """Display the diagram."""
    show(
        draw_slicing(),
        alt="Two ways to cut a latent. Above, slices of channels: z's string, a hyper-synthesis, features for all. A "
        "network for each slice looks at the features and at the slices decoded before it, and gives the means and "
        "scales that the slice's string is read with: pass after pass, a chain from slice 1 to slice 8. Below, tiles: "
        "each has strings of z and of y and networks of its own reach, nothing leads from one to another, and all are "
        "read in one pass.",
    )


def draw_slicing() -> Figure:
    """The figure that `show_slicing` displays."""
    figure, axes = canvas(10, 5.0, xlim=(-0.3, 11.5), ylim=(-0.75, 6.2))
    axes.axhspan(-0.75, 1.15, color="#f8f9fa", zorder=0)
    _channels(axes)
    _tiles(axes)
    for y, text in ((6.0, "slices of channels: a chain"), (0.95, "tiles: nothing in common")):
        axes.text(-0.2, y, text, fontsize=9, style="italic", color=GREY, va="center")
    return figure


def _channels(axes: Axes) -> None:
    middle = HEIGHT / 2
    box(axes, "z's string", ENDS, 0.0, SIDE, WIDTH, HEIGHT)
    box(axes, "hyper-\nsynthesis", LEARNED, 2.0, SIDE, WIDTH, HEIGHT)
    line(axes, (WIDTH, SIDE + middle), (2.0, SIDE + middle))
    last = COLUMNS["8"] + WIDTH / 2
    line(axes, (2.0 + WIDTH, SIDE + middle), (last, SIDE + middle), (last, NETWORKS + HEIGHT))
    axes.text(6.3, SIDE + middle + 0.1, "features, the same for every slice", fontsize=8.5, color=GREY, ha="center")
    for name, left in COLUMNS.items():
        centre = left + WIDTH / 2
        box(axes, f"network {name}", LEARNED, left, NETWORKS, WIDTH, HEIGHT)
        box(axes, f"slice {name}", ENDS, left, STRINGS, WIDTH, HEIGHT)
        top = SIDE if name == "1" else SIDE + middle
        line(axes, (centre, top), (centre, NETWORKS + HEIGHT))
        line(axes, (centre, NETWORKS), (centre, STRINGS + HEIGHT))
        axes.text(centre + 0.1, NETWORKS - 0.38, "μ, σ", fontsize=8.5, color=GREY)
        axes.text(centre, STRINGS - 0.32, f"pass {name}", fontsize=8.5, color=GREY, ha="center")
    for (_, left), (name, following) in pairwise(COLUMNS.items()):
        if name == "8":  # from the slices that are not drawn
            axes.text(left + WIDTH + 0.75, STRINGS + middle, "…", fontsize=14, color=GREY, ha="center", va="center")
            left = following - 2.1
        turn = following - 0.4
        up = NETWORKS + middle
        start = (left + WIDTH if name != "8" else turn - 0.25, STRINGS + middle)
        line(axes, start, (turn, STRINGS + middle), (turn, up), (following, up), colour=COLOURS[1])
        axes.text(turn - 0.07, up - 0.62, KNOWN[name], fontsize=8.5, color=COLOURS[1], ha="right", va="center")


def _tiles(axes: Axes) -> None:
    for n, left in enumerate((0.0, 2.95, 5.9, 8.85), start=1):
        name = "16" if n == 4 else str(n)
        box(axes, f"z of {name}", ENDS, left, TILES, 0.75, HEIGHT)
        box(axes, f"y of {name}", ENDS, left + 1.45, TILES, 0.75, HEIGHT)
        line(axes, (left + 0.75, TILES + HEIGHT / 2), (left + 1.45, TILES + HEIGHT / 2))
        axes.text(left + 1.1, TILES - 0.35, f"tile {name}: pass 1", fontsize=8.5, color=GREY, ha="center")
    axes.text(8.5, TILES + HEIGHT / 2, "…", fontsize=14, color=GREY, ha="center", va="center")
