"""The report at the end of a training: a table and a picture."""

from __future__ import annotations

import io

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from tutorial_lib.evaluation.classical import jpeg_rates_at
from tutorial_lib.evaluation.file_codecs import spread
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import to_pil
from tutorial_lib.transform_codec import TransformCodec

TABLE_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)  # where in a codec's range of qualities it is measured
PICTURE_SHARES = (0.1, 0.4, 0.8)
SHOWN = 384  # pixels of a photo, in either direction
GAP = 8


def picture_qualities(codec: TransformCodec) -> tuple[int | None, ...]:
    """Those that the picture shows."""
    return spread(codec, PICTURE_SHARES)


def table(codec: TransformCodec, photos: list[Tensor]) -> str:
    """A row for each quality: means over the photos, and the bits that JPEG needs for the same PSNRs."""
    qualities = spread(codec, TABLE_SHARES)
    measured = np.array([_row(codec, photo, qualities) for photo in photos]).mean(axis=0)  # (3, Q)
    lines = [f"{'quality':>7}  {'bits per pixel':>14}  {'PSNR':>8}  {'JPEG, same PSNR':>15}"]
    for quality, bpp, dB, jpeg in zip(qualities, *measured, strict=True):
        lines.append(f"{quality or '-':>7}  {bpp:14.3f}  {dB:5.2f} dB  {'-' if np.isnan(jpeg) else f'{jpeg:.3f}':>15}")
    return "\n".join(lines)


def _row(codec: TransformCodec, photo: Tensor, qualities: tuple) -> tuple[list[float], list[float], list[float]]:
    """Of one photo, for each quality: bits per pixel, PSNR, and JPEG's bits per pixel."""
    files = [codec.encode(photo, quality) for quality in qualities]
    decibels = [psnr(codec.decode(data), photo) for data in files]
    rates = [8 * len(data) / photo[0].numel() for data in files]
    return rates, decibels, jpeg_rates_at(photo, decibels)


def picture(codec: TransformCodec, photos: list[Tensor]) -> bytes:
    """A PNG with a row for each photo: the middle of the original, then what is decoded at three qualities."""
    rows = [torch.cat([_tile(image) for image in _versions(codec, photo)], dim=2) for photo in photos]
    width = max(row.shape[2] for row in rows)
    rows = [F.pad(row, (0, width - row.shape[2]), value=255) for row in rows]
    file = io.BytesIO()
    to_pil(torch.cat(rows, dim=1)).save(file, "PNG")
    return file.getvalue()


def _versions(codec: TransformCodec, photo: Tensor) -> list[Tensor]:
    qualities, middle = picture_qualities(codec), middle_of(photo)
    return [middle, *(codec.decode(codec.encode(middle, quality)) for quality in qualities)]


def middle_of(photo: Tensor) -> Tensor:
    """As much of it as is shown: (3, H, W), 384 pixels at most in either direction."""
    height, width = photo.shape[1:]
    top, left = max(0, height - SHOWN) // 2, max(0, width - SHOWN) // 2
    return photo[:, top : top + SHOWN, left : left + SHOWN]


def _tile(image: Tensor) -> Tensor:
    """With a white gap to the right and below."""
    return F.pad(image, (0, GAP, 0, GAP), value=255)
