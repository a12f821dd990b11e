"""A context model on one page, for notebook 09: z and its features, what is decoded so far, and the coding passes."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tutorial_lib.workbench.diagram import ENDS, FIXED, GREY, LEARNED, box, canvas, line
from tutorial_lib.workbench.figures import COLOURS, show

HEIGHT = 0.8
SIDE, WAY, Y = 3.3, 1.6, 0.0  # the rows: side information, the way around, the symbols

# (label, colour, left edge, bottom, width)
BOXES = (
    ("hyper-\nanalysis", LEARNED, 1.0, SIDE, 1.3),
    ("z's string", ENDS, 2.9, SIDE, 1.3),
    ("hyper-\nsynthesis", LEARNED, 4.8, SIDE, 1.3),
    ("masked\nconvolution", LEARNED, 4.65, WAY, 1.6),
    ("fuse", LEARNED, 8.6, WAY, 1.0),
    ("round(y − μ)", FIXED, 2.6, Y, 1.5),
    ("y's string", ENDS, 4.8, Y, 1.3),
    ("read the\nsymbols, + μ", FIXED, 8.35, Y, 1.5),
)
# of each row: where its straight arrows begin and end
STRAIGHT = (
    (SIDE, ((0.1, 1.0), (2.3, 2.9), (4.2, 4.8))),
    (WAY, ((3.35, 4.65), (6.25, 8.6))),
    (Y, ((0.1, 2.6), (4.1, 4.8), (6.1, 8.35))),
)
BACK = ((9.85, 0.4), (10.9, 0.4), (10.9, -0.85), (1.05, -0.85), (1.05, 0.75), (1.05, 1.05))  # from ŷ to the map
PASSES = 6, 5  # columns and rows of the little map
NOW = 8  # the pass that is drawn in orange


def show_context_model() -> None:
    """Display the diagram."""
    show(
        draw_context_model(),
        alt="A context model as a diagram. Above, the side information: y, hyper-analysis, z's string, "
        "hyper-synthesis, features. In the middle a small map of what is decoded so far, positions on a slanted line "
        "in orange being the pass that comes now; a masked convolution looks at it, and a network fuses what it finds "
        "with the features into means and scales. Below, y minus the means is rounded and written to y's string, from "
        "which the decoder reads the symbols of this pass. An arrow leads from them back to the map: then comes the "
        "next pass.",
    )


def draw_context_model() -> Figure:
    """The figure that `show_context_model` displays."""
    figure, axes = canvas(10, 4.5, xlim=(-0.4, 11.9), ylim=(-1.15, 4.55))
    for each in BOXES:
        box(axes, *each, HEIGHT)
    middle = HEIGHT / 2
    for y in (SIDE, Y):
        axes.text(-0.1, y + middle, "y", ha="center", va="center", style="italic", fontsize=11)
    for y, spans in STRAIGHT:
        for x0, x1 in spans:
            line(axes, (x0, y + middle), (x1, y + middle))
    line(axes, (6.1, SIDE + middle), (9.1, SIDE + middle), (9.1, WAY + HEIGHT))  # features
    line(axes, (9.1, WAY), (9.1, Y + HEIGHT))
    line(axes, (8.9, WAY), (8.9, 1.2), (3.35, 1.2), (3.35, Y + HEIGHT))  # μ for the encoder
    line(axes, *BACK, colour=COLOURS[1])
    _map(axes, 1.05 - 0.3, 1.05)
    notes = (
        (7.6, SIDE + middle + 0.13, "features, everywhere at once", GREY, "center"),
        (7.4, WAY + middle + 0.13, "what the neighbours tell", GREY, "center"),
        (9.25, 1.2, "μ and σ, for this pass", GREY, "left"),
        (6.0, -0.85 + 0.13, "ŷ of this pass: the next one may look at it", COLOURS[1], "center"),
        (3.5, WAY + middle + 0.95, "decoded so far, and\n(orange) this pass", GREY, "left"),
    )
    for x, y, text, colour, side in notes:
        axes.text(x, y, text, fontsize=8.5, color=colour, ha=side, va="bottom" if side == "center" else "center")
    return figure


def _map(axes: Axes, left: float, bottom: float) -> None:
    """Positions of ŷ in three shades: decoded, decoded in this pass, unknown."""
    columns, rows = PASSES
    size = 0.36
    for i in range(rows):
        for j in range(columns):
            number = 3 * i + j
            colour = "#74c0fc" if number < NOW else COLOURS[1] if number == NOW else "#dee2e6"
            corner = (left + 0.42 + size * j, bottom + 0.05 + size * (rows - 1 - i))
            axes.add_patch(Rectangle(corner, size, size, facecolor=colour, edgecolor="white"))
            where = (corner[0] + size / 2, corner[1] + size / 2)
            shade = "white" if number <= NOW else GREY
            axes.text(*where, f"{number}", fontsize=6.5, ha="center", va="center", color=shade)
