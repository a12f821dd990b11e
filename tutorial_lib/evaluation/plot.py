"""The curves of an evaluation: PSNR and MS-SSIM over the rate, and beside them what others have published."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tutorial_lib.evaluation.curves import similarity_decibels
from tutorial_lib.evaluation.published import KODAK, SOURCE

KINDS = (".png", ".svg", ".pdf", ".jpg", ".webp")
WIDEST = 2.2  # bits per pixel: beyond, differences are of no practical interest
COLOURS = ("#0b6e99", "#d9480f", "#2b8a3e", "#862e9c", "#b08900", "#495057", "#c2255c", "#087f5b")
MARKERS = "osD^vPXp"
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 3)))


def check_ending(path: Path) -> None:
    """Raise ValueError if the name's ending is of no kind of picture that Matplotlib draws without further programs."""
    if path.suffix.lower() not in KINDS:
        raise ValueError(f"The curves are drawn into {', '.join(KINDS)}, not into {path.suffix!r}.")


def plot_bytes(result: dict, path: Path, published: bool = False) -> bytes:
    """The picture of what `evaluation.evaluate` gave, as a file of the kind that the ending asks for."""
    file = BytesIO()
    draw(result, published).savefig(file, format=path.suffix.lower().removeprefix("."), dpi=150)
    return file.getvalue()


def draw(result: dict, published: bool = False) -> Figure:
    """One panel for PSNR, and one for MS-SSIM where it was measured. Points beyond WIDEST are left to the JSON."""
    panels = [("psnr", "PSNR of 8-bit RGB (dB)")]
    if any(point["ms_ssim"] is not None for codec in result["codecs"].values() for point in codec["mean"]):
        panels.append(("ms_ssim", "MS-SSIM (dB: −10 log₁₀(1 − x))"))
    figure = Figure(figsize=(5.2 * len(panels) + 2.2, 4.6), layout="constrained")
    for axes, (measure, label) in zip(figure.subplots(1, len(panels), squeeze=False).flat, panels, strict=True):
        if measure == "psnr" and published:
            _draw_published(axes)
        _draw_codecs(axes, result["codecs"], measure)
        axes.set(xlabel="bits per pixel, of the whole file", ylabel=label)
        axes.set_xlim(left=0)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    own: list[Line2D] = []
    others: list[Line2D] = []
    for line in figure.axes[0].get_lines():
        (others if line.get_label() in KODAK else own).append(line)
    figure.legend(handles=own, loc="outside right upper", frameon=False)
    if others:
        title = SOURCE.replace(" results", "\nresults")
        style: dict[str, Any] = {"fontsize": "small", "title_fontsize": "small", "alignment": "left", "frameon": False}
        figure.legend(handles=others, loc="outside right lower", title=title, **style)
    count = len(result["photos"]) - len(result["in_no_mean"])
    figure.suptitle(f"Mean of {count} photo{'s' * (count != 1)}", fontsize="medium")
    return figure


def _draw_codecs(axes: Axes, codecs: dict, measure: str) -> None:
    beyond = [sum(point["bpp"] <= WIDEST for point in codec["mean"]) < 2 for codec in codecs.values()]
    widest = math.inf if any(beyond) else WIDEST  # pictures may be too small for such rates
    for k, (name, codec) in enumerate(codecs.items()):
        points = [
            (p["bpp"], p[measure] if measure == "psnr" else similarity_decibels(p[measure]))
            for p in codec["mean"]
            if p["bpp"] <= widest
        ]
        points = sorted(point for point in points if point[1] is not None)
        width = 2.4 if name.startswith("lic") else 1.4
        style: dict[str, Any] = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
        rates, values = zip(*points, strict=True) if points else ((), ())
        axes.plot(rates, values, linewidth=width, label=name, zorder=3, markersize=4, **style)


def _draw_published(axes: Axes) -> None:
    for k, (name, points) in enumerate(KODAK.items()):
        dashes = DASHES[k % len(DASHES)]
        axes.plot(*zip(*points, strict=True), color="#868e96", linewidth=0.9, linestyle=dashes, label=name)
