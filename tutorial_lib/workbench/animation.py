"""Pictures that move: figures one after the other, as one GIF, for ideas whose point is a motion.

The lesson shows the same as a still picture beside it, for paper and for whoever switches animations off.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

from IPython.display import HTML, display
from matplotlib.figure import Figure
from PIL import Image

from tutorial_lib.workbench.figures import image_element, plt

COLOURS_OF_A_FRAME = 64  # an animation's frames hold boxes, lines and letters


def show_animation(frames: Sequence[Figure], milliseconds: Sequence[int], alt: str) -> None:
    """Display figures one after the other, again and again, as one GIF; and close them.

    milliseconds: how long each stays.
    """
    data = animation_file(frames, milliseconds)
    for frame in frames:
        plt.close(frame)
    display(HTML(image_element("gif", data, alt)))


def animation_file(frames: Sequence[Figure], milliseconds: Sequence[int]) -> bytes:
    """The GIF. Raises ValueError unless there are as many durations as frames."""
    if len(frames) != len(milliseconds):
        raise ValueError(f"{len(frames)} frames need as many durations, not {len(milliseconds)}.")
    pictures = []
    for frame in frames:
        drawn = io.BytesIO()
        frame.savefig(drawn, format="png", facecolor="white")
        pictures.append(Image.open(drawn).convert("RGB"))
    palette = pictures[-1].quantize(COLOURS_OF_A_FRAME, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    indexed = [picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    file = io.BytesIO()
    indexed[0].save(
        file, "GIF", save_all=True, append_images=indexed[1:], duration=list(milliseconds), loop=0, optimize=True
    )
    return file.getvalue()
