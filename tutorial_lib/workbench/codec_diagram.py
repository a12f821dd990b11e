"""The full codec on one page, for notebook 12: encoder above, decoder below, and between them the prior of both."""

from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tutorial_lib.workbench.diagram import ENDS, FIXED, GREY, LEARNED, box, canvas, line
from tutorial_lib.workbench.figures import COLOURS, show

PARTS = ("low-pass", "level 5", "level 4", "level 3", "level 2", "level 1")
TOP, MIDDLE, BOTTOM, HEIGHT = 4.0, 2.0, 0.0, 0.8

# (label, colour, left edge, width), from left to right; the decoder is read from right to left
ENCODER = (
    ("photo x", ENDS, 0.0, 1.1),
    ("grey and\ncolours", FIXED, 1.5, 1.2),
    ("wavelet,\nfive levels", FIXED, 3.1, 1.3),
    (": step", FIXED, 4.8, 1.0),
    ("choose k near y − m\nby bits and error", FIXED, 6.4, 2.2),
    ("rANS", FIXED, 9.0, 0.9),
)
DECODER = (
    ("picture x̂", ENDS, 0.0, 1.1),
    ("restoration", LEARNED, 1.5, 1.3),
    ("inverse wavelet,\ncolours", FIXED, 3.2, 1.6),
    ("· step", FIXED, 5.2, 0.8),
    ("corrections", LEARNED, 6.4, 1.3),
    ("rANS:\nk + m = ŷ", FIXED, 8.4, 1.5),
)


def show_codec() -> None:
    """Display the diagram."""
    show(
        draw_codec(),
        alt="The codec as a diagram. Encoder: photo, grey and colours, wavelet of five levels, division by the step, "
        "choice of whole numbers by bits and error, rANS, file. In the middle the prior, in whole numbers: low-pass, "
        "then levels 5 to 1, features passed from each to the next; it gives means and scales to the choice and to "
        "both coders. Decoder: rANS, corrections, times the step, inverse wavelet and colours, restoration, picture.",
    )


def draw_codec() -> Figure:
    """The figure that `show_codec` displays."""
    figure, axes = canvas(10, 4.6, xlim=(-0.15, 12.1), ylim=(-0.75, 5.5))
    for boxes, y, forward in ((ENCODER, TOP, True), (DECODER, BOTTOM, False)):
        for label, colour, left, width in boxes:
            box(axes, label, colour, left, y, width, HEIGHT)
        for (_, _, left, width), (_, _, following, _) in pairwise(boxes):
            ends = (left + width, y + HEIGHT / 2), (following, y + HEIGHT / 2)
            line(axes, *(ends if forward else ends[::-1]))
    axes.text(6.1, TOP + HEIGHT / 2 + 0.1, "y", ha="center", style="italic")
    _file(axes)
    _prior(axes)
    notes = (
        (0.0, TOP + 1.0, "encoder", GREY),
        (0.0, BOTTOM - 0.35, "decoder; orange: networks, here in floats", GREY),
        (0.0, MIDDLE + 0.98, "prior, run by both, in whole numbers", GREY),
    )
    for x, y, text, colour in notes:
        axes.text(x, y, text, fontsize=9, style="italic", color=colour, va="center")
    return figure


def _prior(axes: Axes) -> None:
    lefts = [0.25 + 1.3 * n for n in range(len(PARTS))]
    for n, (left, part) in enumerate(zip(lefts, PARTS, strict=True)):
        passes = "4 passes" if n == 0 else "2 grey, 2 colour"
        box(axes, f"{part}\n", LEARNED, left, MIDDLE, 1.0, HEIGHT)
        axes.text(left + 0.5, MIDDLE + 0.2, passes, ha="center", fontsize=6.5, color=GREY)
        if n:
            line(axes, (left - 0.3, MIDDLE + HEIGHT / 2), (left, MIDDLE + HEIGHT / 2))
    right = lefts[-1] + 1.0
    line(axes, (7.95, MIDDLE + HEIGHT / 2), (7.95, TOP))
    line(axes, (right, MIDDLE + HEIGHT / 2), (9.45, MIDDLE + HEIGHT / 2), (9.45, TOP))
    line(axes, (9.15, MIDDLE + HEIGHT / 2), (9.15, BOTTOM + HEIGHT))
    axes.text(9.6, MIDDLE + 0.62, "m and scale\nof each\ncoefficient", fontsize=8.5, color=GREY, va="center")
    for x in (2.15, 7.05):  # features, for what is learned in the decoder
        start = (lefts[-1] + 0.35 if x > 5 else lefts[-2] + 0.4, MIDDLE)
        line(axes, start, (x, BOTTOM + HEIGHT), colour=COLOURS[1], style="--")
    for x, text in ((2.0, "features of\nlevels 1 and 2"), (7.2, "features of\nall levels")):
        axes.text(x, MIDDLE - 0.45, text, fontsize=8, color=COLOURS[1], va="center")


def _file(axes: Axes) -> None:
    """The file between the two coders: its pieces, one under the other."""
    left, width, each = 10.75, 1.25, 0.36
    top = 3.5
    for n, part in enumerate(PARTS):
        box(axes, part, ENDS, left, top - each * (n + 1), width, each - 0.04, fontsize=8)
    axes.text(left + width / 2, top + 0.12, "file", ha="center", fontsize=9, style="italic", color=GREY)
    corner = left + width / 2
    line(axes, (9.9, TOP + HEIGHT / 2), (corner, TOP + HEIGHT / 2), (corner, top + 0.38))
    line(axes, (corner, top - each * len(PARTS)), (corner, BOTTOM + HEIGHT / 2), (9.9, BOTTOM + HEIGHT / 2))
