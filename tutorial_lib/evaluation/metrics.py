"""How good a picture is, and how good a codec is."""

import numpy as np
import torch
from torch import Tensor


def psnr(image: Tensor, reference: Tensor) -> float:
    """Peak signal-to-noise ratio in dB between two images of the same shape and type.

    uint8 images are compared on their 0…255 scale, float images on 0…1. Equal images give infinity.
    """
    if image.shape != reference.shape or image.dtype != reference.dtype:
        raise ValueError(
            f"psnr compares images of one shape and type, not {tuple(image.shape)} {image.dtype} "
            f"and {tuple(reference.shape)} {reference.dtype}."
        )
    peak = 255.0 if image.dtype == torch.uint8 else 1.0
    mse = (image.double() - reference.double()).square().mean().item()
    return float("inf") if mse == 0 else 10 * float(np.log10(peak**2 / mse))


LUMA = (0.299, 0.587, 0.114)  # of red, green and blue in BT.601's luma, as JPEG's files use it


def luma_psnr(image: Tensor, reference: Tensor) -> float:
    """PSNR in dB of BT.601's luma of two 8-bit pictures, uint8 (3, H, W): Y = 0.299 R + 0.587 G + 0.114 B.

    On the full scale from 0 to 255, and not rounded. Equal luma gives infinity.
    """
    if image.dtype != torch.uint8 or reference.dtype != torch.uint8 or image.shape != reference.shape:
        raise ValueError(
            f"luma_psnr compares uint8 images of one shape, not {tuple(image.shape)} {image.dtype} "
            f"and {tuple(reference.shape)} {reference.dtype}."
        )
    weights = torch.tensor(LUMA, dtype=torch.float64)
    difference = torch.einsum("c,chw->hw", weights, image.double() - reference.double())
    mse = difference.square().mean().item()
    return float("inf") if mse == 0 else 10 * float(np.log10(255.0**2 / mse))


def bd_rate(reference: list[tuple[float, float]], codec: list[tuple[float, float]]) -> float:
    """Bjøntegaard's rate difference in percent (negative: `codec` needs fewer bits than `reference`).

    Each curve is a list of (bits per pixel, PSNR) pairs; the two are compared where their PSNRs overlap.
    """
    import bjontegaard  # brings Matplotlib, which takes its time

    rates = [np.array([bpp for bpp, _ in sorted(curve)]) for curve in (reference, codec)]
    quality = [np.array([db for _, db in sorted(curve)]) for curve in (reference, codec)]
    return float(
        bjontegaard.bd_rate(rates[0], quality[0], rates[1], quality[1], method="pchip", require_matching_points=False)
    )
