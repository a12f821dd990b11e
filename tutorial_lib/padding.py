"""Mirror (reflection) padding, and padding an image to a size that a codec can take.

Reflection continues a signal beyond its edge by walking back over the pixels it has just passed, without
repeating the edge pixel itself. A walker on pixels 0, 1, 2, 3 who turns around at both ends visits

    … 2 3 2 1 | 0 1 2 3 | 2 1 0 1 …

which repeats after 2·(n − 1) steps. So the source pixel of any position is found by integer arithmetic alone
(`reflect_indices`), and a pad wider than the image simply reflects back and forth. Signal processing calls
this whole-sample symmetry: the mirror stands on the edge pixel, not beside it (Martucci 1994). Filtering with
a symmetric kernel keeps it, which is why wavelet codecs extend images this way (Brislawn 1996; JPEG 2000).

Reflection makes no jump at the edge, as zeros do, and the pad looks like the photo beside it. It is not the
cheapest choice: repeating the edge pixel takes fewer bits, above all in wide pads. Notebook 01 measures both.

A codec whose networks shrink an image by a factor s needs a height and a width that are multiples of s. The
encoder pads at the right and at the bottom (`pad_to_multiple`), the decoder cuts that off again (`crop`).
With the padding always on those two sides, the original size is all that a file has to store.
"""

from operator import index
from typing import NamedTuple

import torch
from torch import Tensor


class Padding(NamedTuple):
    """How many pixels were added on each side."""

    left: int
    right: int
    top: int
    bottom: int


def reflect_indices(length: int, before: int, after: int) -> Tensor:
    """Which pixel of an axis each position of the padded axis shows.

    Returns int64 indices (before + length + after,), each in 0 … length − 1. An axis of a single pixel has
    nothing to reflect, so that pixel is repeated, as `numpy.pad` does. Raises ValueError on a negative pad or
    an empty axis.

    >>> reflect_indices(4, 2, 3).tolist()
    [2, 1, 0, 1, 2, 3, 2, 1, 0]
    """
    if length < 1:
        raise ValueError(f"An axis of {length} pixels cannot be padded; give at least one pixel.")
    if before < 0 or after < 0:
        raise ValueError(f"Pads count pixels to add, so {before} and {after} must not be negative; use crop.")
    position = torch.arange(-index(before), length + index(after))  # NumPy's unsigned integers have no negative
    if length == 1:
        return torch.zeros_like(position)
    period = 2 * (length - 1)
    step = position % period  # 0 … period − 1, also for negative positions
    return torch.minimum(step, period - step)  # the second half of the period walks back


def reflect_pad(x: Tensor, left: int, right: int, top: int, bottom: int) -> Tensor:
    """Continue an image by reflection without repeating its edge pixels.

    x: any tensor (..., H, W), of any type; each pad may be wider than the image.
    Returns a new tensor (..., top + H + bottom, left + W + right), through which gradients flow. It equals
    `torch.nn.functional.pad(mode="reflect")` and `numpy.pad(mode="reflect")` wherever those are defined.
    Raises ValueError on a negative pad, an empty axis or fewer than two dimensions.

    >>> reflect_pad(torch.tensor([[1, 2, 3]]), left=2, right=3, top=0, bottom=1).tolist()  # wider than the image
    [[3, 2, 1, 2, 3, 2, 1, 2], [3, 2, 1, 2, 3, 2, 1, 2]]
    """
    height, width = _height_and_width(x)
    rows = reflect_indices(height, top, bottom).to(x.device)
    columns = reflect_indices(width, left, right).to(x.device)
    return x.index_select(-2, rows).index_select(-1, columns)  # (..., top + H + bottom, left + W + right)


def pad_to_multiple(x: Tensor, multiple: int) -> tuple[Tensor, Padding]:
    """Reflect at the right and bottom until height and width are multiples of `multiple`.

    x: (..., H, W). Returns the padded tensor, no larger than it must be, and the `Padding` that `crop` takes
    to undo it. Raises ValueError on an empty axis or a multiple below 1.

    >>> padded, padding = pad_to_multiple(torch.zeros(1, 3, 45, 64), 16)
    >>> tuple(padded.shape), padding
    ((1, 3, 48, 64), Padding(left=0, right=0, top=0, bottom=3))
    """
    if multiple < 1:
        raise ValueError(f"Sizes can be multiples of 1, 2, 3, … but not of {multiple}.")
    height, width, multiple = *_height_and_width(x), index(multiple)
    padding = Padding(left=0, right=-width % multiple, top=0, bottom=-height % multiple)
    return reflect_pad(x, *padding), padding


def crop(x: Tensor, padding: Padding) -> Tensor:
    """Cut a padding off again: (..., H, W) loses `padding`'s pixels on each side.

    Returns a view of x, not a copy. Raises ValueError if nothing would be left.

    >>> x = torch.rand(1, 3, 45, 61)
    >>> torch.equal(crop(*pad_to_multiple(x, 16)), x)
    True
    """
    left, right, top, bottom = padding
    height, width = _height_and_width(x)
    if min(padding) < 0 or left + right >= width or top + bottom >= height:
        raise ValueError(f"{padding} does not fit in an image of {height} × {width} pixels.")
    return x[..., top : height - bottom, left : width - right]


def _height_and_width(x: Tensor) -> tuple[int, int]:
    if x.ndim < 2:
        raise ValueError(f"An image is a tensor (..., H, W), but this one has {x.ndim} dimension(s).")
    return x.shape[-2], x.shape[-1]
