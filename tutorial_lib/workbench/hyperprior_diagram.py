"""A hyperprior on one page, for notebook 08: what the encoder sends first, and what both sides make of it."""

from matplotlib.figure import Figure

from tutorial_lib.workbench.diagram import ENDS, FIXED, GREY, LEARNED, box, canvas, line
from tutorial_lib.workbench.figures import show

HEIGHT = 0.8
SIDE, SHARED, Y = 3.4, 1.7, 0.0  # the rows: side information, what both sides compute from it, the symbols

# (label, colour, left edge, bottom, width)
BOXES = (
    ("hyper-\nanalysis", LEARNED, 0.9, SIDE, 1.3),
    ("round", FIXED, 2.9, SIDE, 1.0),
    ("1  z's string", ENDS, 5.1, SIDE, 1.5),
    ("hyper-\nsynthesis", LEARNED, 2.75, SHARED, 1.3),
    ("hyper-\nsynthesis", LEARNED, 7.75, SHARED, 1.3),
    ("round(y − μ)", FIXED, 0.9, Y, 1.4),
    ("code", FIXED, 2.95, Y, 0.9),
    ("2  y's string", ENDS, 5.1, Y, 1.5),
    ("decode", FIXED, 7.9, Y, 1.0),
    ("+ μ", FIXED, 9.6, Y, 0.7),
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
    figure, axes = canvas(10, 4.3, xlim=(-0.4, 11.6), ylim=(-0.85, 4.85))
    axes.axvspan(4.75, 6.95, color="#f8f9fa", zorder=0)
    for each in BOXES:
        box(axes, *each, HEIGHT)
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
        line(axes, (x0, y + middle), (x1, y + middle))
    for x0, x1 in ((6.6, 7.9), (8.9, 9.6), (10.3, 10.65)):
        line(axes, (x0, Y + middle), (x1, Y + middle))
    line(axes, (3.4, SIDE), (3.4, SHARED + HEIGHT))  # the rounded z, for the encoder as well
    line(axes, (6.6, SIDE + middle), (8.4, SIDE + middle), (8.4, SHARED + HEIGHT))
    line(axes, (3.4, SHARED), (3.4, Y + HEIGHT))  # scales choose tables
    line(axes, (8.4, SHARED), (8.4, Y + HEIGHT))
    line(axes, (2.75, SHARED + middle), (1.6, SHARED + middle), (1.6, Y + HEIGHT))  # means
    line(axes, (9.05, SHARED + middle), (9.95, SHARED + middle), (9.95, Y + HEIGHT))
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
