"""Figures that look alike in every notebook, and that say in words what they show.

What is displayed is an `<img alt="…">`: JupyterLab, Colab and a page made of the notebook all hand its words on to
those who listen. (The metadata of a picture, where IPython puts them, reaches none of the three.)
"""

import base64
import html
import io

import matplotlib

matplotlib.use("agg")  # figures are rendered here and displayed by `show`: no second copy from the backend

import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML, display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
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
        # A photo drawn smaller than it is is filtered: nearest neighbours would invent coloured tiles. Enlarged three
        # times or more, pixels keep their edges.
        "image.interpolation": "antialiased",
        "font.size": 10,
    }
)


COLOURS_OF_A_DRAWING = 128  # lines, letters and their soft edges need no more, and the file is a third as large


def show(figure: Figure, alt: str, **metadata: object) -> None:
    """Display a figure with its alternative text, and close it.

    metadata: what a program may find in the stored output; no reader sees it.
    """
    kind, data = picture_file(figure)
    plt.close(figure)
    display(HTML(image_element(kind, data, alt)), metadata=metadata)


def picture_file(figure: Figure) -> tuple[str, bytes]:
    """("png" or "webp", the file): PNG of few colours for drawings, WebP where a figure holds photos or maps."""
    drawn = io.BytesIO()
    figure.savefig(drawn, format="png", facecolor="white")
    image, file = Image.open(drawn).convert("RGB"), io.BytesIO()
    if any(axes.images for axes in figure.axes):
        image.save(file, "WEBP", quality=92, method=6)
        return "webp", file.getvalue()
    image.quantize(COLOURS_OF_A_DRAWING, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return "png", file.getvalue()


def image_element(kind: str, data: bytes, alt: str) -> str:
    """A picture as HTML that holds all of its file."""
    text = base64.b64encode(data).decode()
    return f'<img alt="{html.escape(alt)}" src="data:image/{kind};base64,{text}">'


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
