"""A hyperprior on one page, for notebook 08: what the encoder sends first, and what both sides make of it."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.workbench.figures import COLOURS, plt, show

GREY = "#495057"
CODED, LEARNED, ENDS = "#f1f3f5", "#ffd8a8", "#d0ebff"  # nothing is learned in it; networks; strings
HEIGHT = 0.8
SIDE, SHARED, Y = 3.4, 1.7, 0.0  # the rows: side information, what both sides compute from it, the symbols

# (label, colour, left edge, bottom, width)
BOXES = (
    ("hyper-\nanalysis", LEARNED, 0.9, SIDE, 1.3),
    ("round", CODED, 2.9, SIDE, 1.0),
    ("1  z's string", ENDS, 5.1, SIDE, 1.5),
    ("hyper-\nsynthesis", LEARNED, 2.75, SHARED, 1.3),
    ("hyper-\nsynthesis", LEARNED, 7.75, SHARED, 1.3),
    ("round(y − μ)", CODED, 0.9, Y, 1.4),
    ("code", CODED, 2.95, Y, 0.9),
    ("2  y's string", ENDS, 5.1, Y, 1.5),
    ("decode", CODED, 7.9, Y, 1.0),
    ("+ μ", CODED, 9.6, Y, 0.7),
)


def show_hyperprior() -> None:
    """Display the diagram."""
    show(
        draw_hyperprior(),
        alt="A hyperprior as a diagram, the encoder on the left, the decoder on the right, two strings between them. "
        "Above: y, hyper-analysis, round, z's string. Below: y minus the means, rounded, coded into y's string; the "
        "decoder reads it and adds the means. In the middle, on both sides alike, a hyper-synthesis makes of the "
        "rounded z what the lower row needs: a scale for each value, which chooses its table, and a mean.",
    )


def draw_hyperprior() -> Figure:
    """The figure that `show_hyperprior` displays."""
    figure, axes = plt.subplots(figsize=(10, 4.3))
    axes.set(xlim=(-0.4, 11.6), ylim=(-0.85, 4.85))
    axes.axis("off")
    axes.axvspan(4.75, 6.95, color="#f8f9fa", zorder=0)
    for box in BOXES:
        _box(axes, *box)
    middle = HEIGHT / 2
    for y in (SIDE, Y):
        axes.text(-0.1, y + middle, "y", ha="center", va="center", style="italic", fontsize=11)
    axes.text(10.85, Y + middle, "ŷ", ha="center", va="center", style="italic", fontsize=11)
    for x0, x1, y in (
        (0.1, 0.9, SIDE),
        (2.2, 2.9, SIDE),
        (3.9, 5.1, SIDE),
        (0.1, 0.9, Y),
        (2.3, 2.95, Y),
        (3.85, 5.1, Y),
    ):
        _line(axes, (x0, y + middle), (x1, y + middle))
    for x0, x1 in ((6.6, 7.9), (8.9, 9.6), (10.3, 10.65)):
        _line(axes, (x0, Y + middle), (x1, Y + middle))
    _line(axes, (3.4, SIDE), (3.4, SHARED + HEIGHT))  # the rounded z, for the encoder as well
    _line(axes, (6.6, SIDE + middle), (8.4, SIDE + middle), (8.4, SHARED + HEIGHT))
    _line(axes, (3.4, SHARED), (3.4, Y + HEIGHT))  # scales choose tables
    _line(axes, (8.4, SHARED), (8.4, Y + HEIGHT))
    _line(axes, (2.75, SHARED + middle), (1.6, SHARED + middle), (1.6, Y + HEIGHT))  # means
    _line(axes, (9.05, SHARED + middle), (9.95, SHARED + middle), (9.95, Y + HEIGHT))
    notes = (
        (2.55, SIDE + middle + 0.08, "z"),
        (4.4, SIDE + middle + 0.08, "ẑ"),
        (7.5, SIDE + middle + 0.08, "ẑ"),
        (4.0, 1.1, "σ: a table"),
        (8.9, 1.1, "σ: a table"),
        (1.3, 1.1, "μ"),
        (10.15, 1.1, "μ"),
        (5.85, SIDE - 0.35, "small, a factorized prior"),
        (5.85, Y - 0.4, "all values in one pass"),
    )
    for x, y, text in notes:
        axes.text(x, y, text, fontsize=8.5, color=GREY, ha="center", va="bottom")
    for x, text in ((2.3, "encoder"), (5.85, "file"), (9.2, "decoder")):
        axes.text(x, 4.6, text, fontsize=9, style="italic", color=GREY, ha="center")
    return figure


def _box(axes: Axes, label: str, colour: str, left: float, bottom: float, width: float) -> None:
    style = "round,pad=0,rounding_size=0.1"
    axes.add_patch(FancyBboxPatch((left, bottom), width, HEIGHT, boxstyle=style, facecolor=colour, edgecolor="#adb5bd"))
    axes.text(left + width / 2, bottom + HEIGHT / 2, label, ha="center", va="center", fontsize=9, linespacing=1.0)


def _line(axes: Axes, *points: tuple[float, float]) -> None:
    """A line through points, with an arrow's head at the last one."""
    axes.plot(*zip(*points[:-1], strict=True), color=COLOURS[5], linewidth=1)
    line = {"arrowstyle": "-|>", "color": COLOURS[5], "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=points[-1], xytext=points[-2], arrowprops=line)
