"""Figures that look alike in every notebook, and that say in words what they show."""

import io

import matplotlib

matplotlib.use("agg")  # figures are rendered to PNG here and displayed by `show`: no second copy from the backend

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import Image, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from tutorial_lib.evaluation.plot import COLOURS

plt.rcParams.update(
    {
        "axes.prop_cycle": plt.cycler(color=COLOURS),
        "axes.grid": True,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "figure.dpi": 100,
        "figure.constrained_layout.use": True,
        "grid.alpha": 0.3,
        "image.interpolation": "nearest",
        "font.size": 10,
    }
)


def show(figure: Figure, alt: str) -> None:
    """Display a figure as PNG with its alternative text, and close it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", facecolor="white")
    plt.close(figure)
    display(Image(data=file.getvalue(), format="png", alt=alt))


def draw_image(axes: Axes, image: Tensor | np.ndarray, title: str = "", **options) -> None:
    """Draw one image, (3, H, W) or (H, W), uint8 or float in [0, 1], without ticks."""
    array = np.asarray(image)
    if array.ndim == 3 and array.shape[0] in (1, 3):
        array = array.transpose(1, 2, 0)  # (H, W, 3)
    if array.ndim == 2:
        options = {"cmap": "gray", **options}
    axes.imshow(array, **options)
    axes.set_title(title, fontsize=10)
    axes.set(xticks=[], yticks=[], frame_on=False)
    axes.grid(False)


def show_images(images: list, titles: list[str], alt: str, *, columns: int | None = None, width: float = 10) -> None:
    """Display images side by side, each under its title."""
    columns = columns or len(images)
    rows = -(-len(images) // columns)
    height, breadth = np.asarray(images[0]).shape[-2:]
    figure, axes = plt.subplots(
        rows, columns, figsize=(width, rows * (width / columns * height / breadth + 0.4)), squeeze=False
    )
    for cell in axes.flat:
        cell.axis("off")
    for cell, image, title in zip(axes.flat, images, titles, strict=False):
        cell.axis("on")
        draw_image(cell, image, title)
    show(figure, alt)
