"""What the lessons' diagrams are drawn with: boxes, and lines that end in an arrow's head."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.workbench.figures import plt

GREY = "#495057"
FIXED, LEARNED, ENDS = "#f1f3f5", "#ffd8a8", "#d0ebff"  # nothing is learned in it; networks; what goes in or comes out
ROUNDING = 0.1  # of a box's corners; a flat box gets less


def canvas(width: float, height: float, xlim: tuple[float, float], ylim: tuple[float, float]) -> tuple[Figure, Axes]:
    """An empty figure of so many inches, without axes."""
    figure, axes = plt.subplots(figsize=(width, height))
    axes.set(xlim=xlim, ylim=ylim)
    axes.axis("off")
    return figure, axes


def box(
    axes: Axes, label: str, colour: str, left: float, bottom: float, width: float, height: float, fontsize: float = 9
) -> None:
    """A box with rounded corners and a label in its middle."""
    style = f"round,pad=0,rounding_size={min(ROUNDING, height / 5)}"
    axes.add_patch(FancyBboxPatch((left, bottom), width, height, boxstyle=style, facecolor=colour, edgecolor="#adb5bd"))
    axes.text(
        left + width / 2, bottom + height / 2, label, ha="center", va="center", fontsize=fontsize, linespacing=1.0
    )


def line(axes: Axes, *points: tuple[float, float], colour: str = GREY, style: str = "-") -> None:
    """A line through points, with an arrow's head at the last one."""
    for start, end in pairwise(points[:-1]):
        axes.plot(*zip(start, end, strict=True), color=colour, linewidth=1, linestyle=style)
    head = {"arrowstyle": "-|>", "color": colour, "linestyle": style, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=head)
