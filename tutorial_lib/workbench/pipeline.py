"""The map of the codec that opens every notebook: the whole way from photo to file and back, one block lit up."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from tutorial_lib.course import notebook_of
from tutorial_lib.workbench.figures import COLOURS, show

WIDTH, HEIGHT = 1.5, 0.92  # of a block, in the diagram's own units
COLUMN, ROW = 2.05, 1.5  # from one block's centre to the next one's
GREY = COLOURS[5]
ENTROPY_MODELS = ("information", "entropy_bottleneck", "hyperprior", "context", "slicing", "whole_networks")

# block: (what is written on it, the modules that make it, column, row); the encoder is row 2, the decoder row 0
BLOCKS = {
    "photo": ("photo", (), 0, 2),
    "pad": ("pad", ("padding",), 1, 2),
    "analysis": ("analysis\ntransform", ("dct_transforms",), 2, 2),
    "quantize": ("quantize", ("quantization",), 3, 2),
    "encoder": ("entropy\nencoder", ("entropy_coder",), 4, 2),
    "bytes": ("bytes\nin a file", ("bitstream",), 5, 1),
    "decoder": ("entropy\ndecoder", ("entropy_coder",), 4, 0),
    "synthesis": ("synthesis\ntransform", ("dct_transforms",), 2, 0),
    "crop": ("crop", ("padding",), 1, 0),
    "picture": ("picture", (), 0, 0),
    "entropy model": ("entropy\nmodel", ENTROPY_MODELS, 3, 1),
    "tables": ("integer\ntables", ("cdf",), 4, 1),
}

# (from, to, what travels)
ARROWS = (
    ("photo", "pad", "x"),
    ("pad", "analysis", ""),
    ("analysis", "quantize", "y"),
    ("quantize", "encoder", "ŷ"),
    ("encoder", "bytes", ""),
    ("bytes", "decoder", ""),
    ("decoder", "synthesis", "ŷ"),
    ("synthesis", "crop", ""),
    ("crop", "picture", "x̂"),
    ("entropy model", "tables", ""),
    ("tables", "encoder", ""),
    ("tables", "decoder", ""),
)

# What a notebook lights up, under the name of the module that it teaches.
TOPICS = {
    "padding": ("pad", "crop"),
    "quantization": ("quantize",),
    "information": ("entropy model",),
    "entropy_bottleneck": ("entropy model",),
    "cdf": ("tables",),
    "arithmetic_coding": ("encoder", "decoder"),
    "first_codec": tuple(BLOCKS),
    "hyperprior": ("entropy model",),
    "context": ("entropy model",),
    "slicing": ("entropy model",),
    "whole_networks": ("entropy model", "tables"),
    "codec": tuple(BLOCKS),
    "one_picture": ("synthesis", "entropy model", "bytes"),
}


def show_pipeline(topic: str) -> None:
    """Display the codec with the blocks of one topic lit up. Topics: the keys of `TOPICS`."""
    figure = draw_pipeline(topic)
    lit = ", ".join(TOPICS[topic]) if len(TOPICS[topic]) < len(BLOCKS) else "all blocks"
    show(
        figure,
        alt="The codec as a row of blocks. Encoder: photo, pad, analysis transform, quantize, entropy encoder, "
        "bytes in a file. Decoder, back from the bytes: entropy decoder, synthesis transform, crop, picture. "
        f"Between them an entropy model feeds integer tables to both coders. Lit up: {lit}.",
    )


def draw_pipeline(topic: str) -> Figure:
    """The figure that `show_pipeline` displays. Raises ValueError for a topic that is not in `TOPICS`."""
    if topic not in TOPICS:
        raise ValueError(f"No topic is called {topic!r}; choose one of {', '.join(TOPICS)}.")
    figure, axes = plt.subplots(figsize=(10, 3.6))
    axes.set(xlim=(-0.9, 5 * COLUMN + 0.9), ylim=(-0.75, 2 * ROW + 0.95), aspect="equal")
    axes.axis("off")
    for start, end, cargo in ARROWS:
        _draw_arrow(axes, start, end, cargo)
    for block in BLOCKS:
        _draw_block(axes, block, lit=block in TOPICS[topic])
    for row, side in ((2, "encoder"), (0, "decoder")):
        above = (-WIDTH / 2, row * ROW + HEIGHT / 2 + 0.12)
        axes.text(*above, side, ha="left", va="bottom", fontsize=9, style="italic", color=GREY)
    legend = "orange: this notebook's block\nsmall numbers: the notebooks that teach a block"
    axes.text(-WIDTH / 2, ROW, legend, ha="left", va="center", fontsize=8.5, color=GREY)
    return figure


def notebooks_of(modules: tuple[str, ...]) -> str:
    """The numbers of the notebooks that teach these modules, as in `03 04 08–11`: from three in a row on, a span."""
    runs: list[list[int]] = []
    for number in sorted({int(notebook_of(module)) for module in modules}):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return " ".join(
        f"{run[0]:02}–{run[-1]:02}" if len(run) > 2 else " ".join(f"{number:02}" for number in run) for run in runs
    )


def _centre(block: str) -> tuple[float, float]:
    _, _, column, row = BLOCKS[block]
    return column * COLUMN, row * ROW


def _draw_block(axes: Axes, block: str, lit: bool) -> None:
    label, modules, _, _ = BLOCKS[block]
    notebooks = notebooks_of(modules)
    x, y = _centre(block)
    ends = block in ("photo", "picture", "bytes")  # what goes in and comes out, not a step
    axes.add_patch(
        FancyBboxPatch(
            (x - WIDTH / 2, y - HEIGHT / 2),
            WIDTH,
            HEIGHT,
            boxstyle=f"round,pad=0,rounding_size={0.3 if ends else 0.08}",
            facecolor="#ffd8a8" if lit else "#f1f3f5",
            edgecolor=COLOURS[1] if lit else "#adb5bd",
            linewidth=2.2 if lit else 1,
        )
    )
    weight = "bold" if lit else "normal"
    raised = y + 0.1 if notebooks else y
    axes.text(x, raised, label, ha="center", va="center", fontsize=10, linespacing=0.95, weight=weight)
    axes.text(x, y - HEIGHT / 2 + 0.05, notebooks, ha="center", va="bottom", fontsize=7, color=GREY)


def _draw_arrow(axes: Axes, start: str, end: str, cargo: str) -> None:
    (x0, y0), (x1, y1) = _centre(start), _centre(end)
    right, up = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    if end == "bytes":  # around the corner: sideways, then down
        tail, head, path = (x0 + WIDTH / 2, y0), (x1, y1 + HEIGHT / 2), "angle,angleA=0,angleB=90,rad=6"
    elif start == "bytes":  # down, then sideways
        tail, head, path = (x0, y0 - HEIGHT / 2), (x1 + WIDTH / 2, y1), "angle,angleA=90,angleB=0,rad=6"
    else:
        tail = (x0 + right * WIDTH / 2, y0 + up * HEIGHT / 2)
        head = (x1 - right * WIDTH / 2, y1 - up * HEIGHT / 2)
        path = "arc3"
    line = {"arrowstyle": "-|>", "color": GREY, "connectionstyle": path, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", xy=head, xytext=tail, arrowprops=line)
    middle = ((tail[0] + head[0]) / 2, (tail[1] + head[1]) / 2 + 0.06)
    axes.text(*middle, cargo, ha="center", va="bottom", fontsize=10, style="italic")
