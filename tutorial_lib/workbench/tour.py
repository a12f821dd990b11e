"""The tour's stops: a photo at some qualities, and what the shipped codec and JPEG make of it, computed beforehand.

A slider that moves over them redraws at once: each quality's figure is a finished file.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from IPython.display import display
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tutorial_lib import laplace
from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.classical import decode, jpeg_at_most
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_float, to_pil
from tutorial_lib.files.pictures import to_rgb8
from tutorial_lib.subband_prior import Coefficients, SubbandPrior, shifted_scales
from tutorial_lib.workbench.controls import focus_ring
from tutorial_lib.workbench.figures import draw_image, image_element, picture_file, plt, show
from tutorial_lib.workbench.photos import PHOTOS, photo

QUALITIES = (30, 40, 50, 60, 70, 80)
LONGEST = 512  # pixels of an uploaded photo's longer side: larger ones would keep the learner waiting


class Stop(NamedTuple):
    """A photo at one quality: the codec's file and picture, and JPEG's at as many bytes or its fewest."""

    image: Tensor  # uint8 (3, H, W), as are the others
    file: bytes
    picture: Tensor
    jpeg_file: bytes
    jpeg: Tensor


@cache
def codec() -> Codec:
    """The codec that ships."""
    return Codec.load()


def stop(image: Tensor, quality: int) -> Stop:
    """Encode and decode the photo, uint8 (3, H, W)."""
    file = codec().encode(image, quality=quality, effort=0)  # a slider waits for it
    jpeg = jpeg_at_most(image, len(file))
    return Stop(image, file, codec().decode(file), jpeg, decode(jpeg))


# ---- the pictures side by side


def draw_stop(each: Stop) -> tuple[plt.Figure, str]:
    """The photo, the codec's picture and JPEG's, and the figure's alternative text."""
    near = {name: psnr(picture, each.image) for name, picture in (("learned", each.picture), ("JPEG", each.jpeg))}
    size = {"learned": len(each.file), "JPEG": len(each.jpeg_file)}
    titles = [f"photo: {each.image.numel():,} bytes of pixels"]
    titles += [f"{name}: {size[name]:,} bytes, {near[name]:.1f} dB" for name in size]
    height, width = each.image.shape[1:]
    figure, axes = plt.subplots(1, 3, figsize=(12, 0.4 + 4 * height / width))
    for panel, picture, title in zip(axes, (each.image, each.picture, each.jpeg), titles, strict=True):
        draw_image(panel, picture, title)
    said = "; ".join(f"{name} at {size[name] / 1000:.1f} kB and {near[name]:.1f} dB" for name in size)
    return figure, f"Side by side: the photo; {said}."


def explore(image: Tensor | None = None) -> Callable[[int], str] | None:
    """Display a widget: choose a photo, bundled or your own, and pull the quality's slider.

    Gives what the slider calls, quality -> HTML, or None, after a sentence, where ipywidgets is not installed.
    """
    if importlib.util.find_spec("ipywidgets") is None:
        print("There are no widgets here (pip install ipywidgets): the figure above shows one quality.")
        return None
    widgets = importlib.import_module("ipywidgets")
    slider = widgets.SelectionSlider(options=QUALITIES, value=50, description="quality")
    names = widgets.Dropdown(options=PHOTOS, value="chelsea", description="photo")
    upload = widgets.FileUpload(accept="image/*", multiple=False, description="or your own")
    view = widgets.HTML()
    page = pages_of(photo("chelsea") if image is None else image)

    def redraw(*_: Any) -> None:
        view.value = page(slider.value).replace("<img", '<img style="max-width: 100%"')  # never wider than the page

    def take(read: Callable[[], Tensor]) -> None:
        nonlocal page
        try:
            page = pages_of(read())
            redraw()
        except ValueError as error:
            view.value = str(error)

    def take_upload(change: Any) -> None:
        if files := change["new"]:  # ipywidgets 7, which Colab has, gives them by their names
            first = next(iter(files.values())) if isinstance(files, dict) else files[0]
            take(lambda: uploaded(bytes(first["content"])))

    slider.observe(redraw, "value")
    names.observe(lambda change: take(lambda: smaller(photo(change["new"]))), "value")
    upload.observe(take_upload, "value")
    redraw()
    display(widgets.VBox([widgets.HBox([names, upload]), slider, view, focus_ring(widgets)]))
    return lambda quality: page(quality)


def pages_of(image: Tensor) -> Callable[[int], str]:
    """quality -> its figure as HTML. Each is made when it is first asked for, which takes about a second."""

    @cache
    def page(quality: int) -> str:
        figure, alt = draw_stop(stop(image, quality))
        html = image_element(*picture_file(figure), alt)
        plt.close(figure)
        return html

    return page


def uploaded(data: bytes) -> Tensor:
    """A picture's file as uint8 (3, H, W), its longer side at most `LONGEST`. Raises ValueError for what is none."""
    try:
        image, _ = to_rgb8(Image.open(io.BytesIO(data)))
    except OSError:
        raise ValueError("This file is no picture that can be read here; take a JPEG, a PNG or a WebP.") from None
    return smaller(from_pil(image))


def smaller(image: Tensor) -> Tensor:
    """The picture with its longer side at most `LONGEST`."""
    factor = LONGEST / max(image.shape[1:])
    if factor >= 1:
        return image
    height, width = (max(1, round(factor * side)) for side in image.shape[1:])
    return from_pil(to_pil(image).resize((width, height), Image.Resampling.LANCZOS))


# ---- what is in a file


class Inside(NamedTuple):
    """coefficients: grey's, as a mosaic (H, W), in steps. bits: where they are spent, (H, W); parts: of each part."""

    coefficients: NDArray
    bits: NDArray
    parts: Sequence[float]


@torch.no_grad()
def look_inside(image: Tensor, quality: int) -> Inside:
    """What the codec makes of a photo whose sides are multiples of 32, so that all parts fit into one picture."""
    if any(side % 2 ** codec().prior.slices for side in image.shape[1:]):
        raise ValueError(f"Crop the photo to multiples of 32: {tuple(image.shape[1:])} does not fit together.")
    condition = torch.tensor([float(quality)])
    y: Coefficients = codec().analysis(to_float(image), condition)
    spent = [torch.zeros_like(part) for part in y.parts]
    bits = _bits_of(y, condition, spent)
    height, width = image.shape[1:]
    where = torch.zeros(height, width)
    for part in spent:
        each = part.sum(1)[0]  # over colours and directions: (h, w)
        times = (height // each.shape[0], width // each.shape[1])
        where += each.repeat_interleave(times[0], 0).repeat_interleave(times[1], 1) / (times[0] * times[1])
    return Inside(mosaic([part[0] for part in y.parts]).numpy(), where.numpy(), bits)


def _bits_of(y: Coefficients, condition: Tensor, spent: list[Tensor]) -> list[float]:
    """Fill `spent` with each coefficient's bits, and give the sum of each part."""
    _, passes = cast(SubbandPrior, codec().prior).chosen(y, condition)
    for (which, k, _), s in zip(passes, shifted_scales(passes), strict=True):
        which.of(spent).copy_(-laplace.log2_likelihood(k, s))
    return [part.sum().item() for part in spent]


def mosaic(parts: list[Tensor]) -> Tensor:
    """Grey's parts, low-pass (3, h, w) and details (9, h, w) from coarse to fine, laid out as one picture (H, W)."""
    picture = parts[0][0]
    for details in parts[1:]:
        lh, hl, hh = details[:3]
        picture = torch.cat([torch.cat([picture, hl], dim=1), torch.cat([lh, hh], dim=1)], dim=0)
    return picture


def low_pass_corner(inside: Inside) -> tuple[slice, slice]:
    """Where the mosaic holds the low-pass: the photo, made smaller once a level."""
    height, width = (side >> len(inside.parts) - 1 for side in inside.coefficients.shape)
    return slice(height), slice(width)


def brightness(inside: Inside) -> NDArray:
    """The mosaic to look at, (H, W), black 0 to white 1: details by their size, logarithmically, and white from 7 on.

    The low-pass is a picture, with values far above 7: it is scaled by itself, linearly, from darkest to brightest.
    """
    picture = np.minimum(np.log2(1 + np.abs(inside.coefficients)) / 3, 1)
    corner = low_pass_corner(inside)
    low_pass = inside.coefficients[corner]
    picture[corner] = (low_pass - low_pass.min()) / max(np.ptp(low_pass), 1e-9)
    return picture


def show_inside(inside: Inside, quality: int) -> None:
    """Display the latent, with its low-pass enlarged, and the map of bits."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.4))
    picture = brightness(inside)
    draw_image(left, picture, "the latent: grey's wavelet coefficients, log scale", vmin=0, vmax=1)
    enlarged = left.inset_axes((0.68, 0.03, 0.3, 0.3))
    draw_image(enlarged, picture[low_pass_corner(inside)], vmin=0, vmax=1)
    enlarged.set_title("upper left corner, enlarged", fontsize=8, color="white", pad=3)
    image = right.imshow(inside.bits, cmap="magma", vmin=0, vmax=3)
    right.set(xticks=[], yticks=[])
    right.set_title("bits spent at each pixel", fontsize=10)
    right.grid(False)
    figure.colorbar(image, ax=right, shrink=0.8)
    show(
        figure,
        f"At quality {quality}. Left: the wavelet's coefficients, a tiny copy of the photo in the corner, enlarged in "
        "an inset, and around it edges, level by level, mostly black. Right: where the bits go: into fur and whiskers, "
        "few into the rest.",
    )


def show_bytes(data: bytes, rows: int = 6) -> None:
    """Print the first bytes of a file, sixteen a row, with the letters among them."""
    for start in range(0, 16 * rows, 16):
        row = data[start : start + 16]
        letters = "".join(chr(byte) if 32 <= byte < 127 else "·" for byte in row)
        print(f"{start:4}  {row.hex(' '):<48} {letters}")
