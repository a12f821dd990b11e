"""The codecs people have, by way of Pillow: what a learned codec is measured against."""

import io

from PIL import Image
from torch import Tensor

from tutorial_lib.workbench.images import from_pil, to_pil


def jpeg_encode(image: Tensor, quality: int) -> bytes:
    """JPEG at its usual best: 4:2:0 colour, optimised Huffman tables, progressive. image: uint8 (3, H, W)."""
    file = io.BytesIO()
    to_pil(image).save(file, "JPEG", quality=quality, subsampling="4:2:0", optimize=True, progressive=True)
    return file.getvalue()


def decode(data: bytes) -> Tensor:
    """Any file that Pillow reads, as uint8 (3, H, W)."""
    return from_pil(Image.open(io.BytesIO(data)))


def jpeg_at_most(image: Tensor, budget: int) -> bytes:
    """The best JPEG of at most `budget` bytes (the lowest quality, if even that is larger)."""
    low, high = 1, 96  # quality `low` is taken to fit, quality `high` not
    while high - low > 1:
        middle = (low + high) // 2
        if len(jpeg_encode(image, middle)) <= budget:
            low = middle
        else:
            high = middle
    return jpeg_encode(image, low)
