"""The classical codecs, by way of Pillow and its plugins: what a learned codec is measured against.

Each at settings that ask for its best compression in a time that one would wait for.
"""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from torch import Tensor

from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.files.picture_kinds import add_plugins


def jpeg_encode(image: Tensor, quality: int) -> bytes:
    """JPEG at its usual best: 4:2:0 colour, optimised Huffman tables, progressive. image: uint8 (3, H, W)."""
    return _file(image, "JPEG", quality=quality, subsampling="4:2:0", optimize=True, progressive=True)


def webp_encode(image: Tensor, quality: int) -> bytes:
    """Lossy WebP (its colour is always 4:2:0), method 6, the slowest and best. image: uint8 (3, H, W)."""
    return _file(image, "WEBP", quality=quality, method=6)


def avif_encode(image: Tensor, quality: int) -> bytes:
    """AVIF, a still picture of AV1: 4:4:4 colour, speed 4 of 0 (slowest) to 10. image: uint8 (3, H, W)."""
    return _file(image, "AVIF", quality=quality, subsampling="4:4:4", speed=4)


def jpeg2000_encode(image: Tensor, bits_per_pixel: float) -> bytes:
    """JPEG 2000, lossy (the 9/7 wavelet, YCbCr), at a rate instead of a quality. image: uint8 (3, H, W)."""
    height, width = image.shape[1:]
    return _file(
        image,
        "JPEG2000",
        quality_mode="rates",
        quality_layers=[24 / bits_per_pixel],  # how many times smaller than the pixels
        irreversible=True,
        mct=1,
        num_resolutions=min(6, min(height, width).bit_length()),  # more halvings than there are pixels are refused
    )


def jpegxl_encode(image: Tensor, quality: int) -> bytes:
    """Lossy JPEG XL, effort 7 (its default), by way of pillow-jxl-plugin. image: uint8 (3, H, W)."""
    add_plugins()
    return _file(image, "JXL", quality=quality, effort=7)


def heic_encode(image: Tensor, quality: int) -> bytes:
    """HEIC, a still picture of HEVC (H.265): x265, 4:4:4 colour, by way of pillow-heif. image: uint8 (3, H, W)."""
    add_plugins()
    return _file(image, "HEIF", quality=quality, subsampling="4:4:4")


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


def jpeg_rates_at(image: Tensor, decibels: Sequence[float]) -> list[float]:
    """Bits per pixel, headers included, that JPEG needs for each of these PSNRs; NaN for those that it does not reach.

    Between the qualities 2, 5, 10, 15, … 95 the logarithm of the rate is interpolated.
    """
    files = [jpeg_encode(image, quality) for quality in (2, *range(5, 96, 5))]
    curve = sorted({psnr(decode(file), image): len(file) for file in files}.items())
    reached, sizes = zip(*curve, strict=True)
    rates = np.log(8 * np.array(sizes) / image[0].numel())
    return np.exp(np.interp(decibels, reached, rates, left=np.nan, right=np.nan)).tolist()


def _file(image: Tensor, kind: str, **options) -> bytes:
    file = io.BytesIO()
    to_pil(image).save(file, kind, **options)
    return file.getvalue()
