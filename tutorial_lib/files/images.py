"""The way between picture files, Pillow's images and tensors."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tutorial_lib.files.pictures import strips_of, to_rgb8


def to_float(image: Tensor) -> Tensor:
    """uint8 (3, H, W) in 0…255 to a float batch (1, 3, H, W) in [0, 1], which is what the networks take."""
    return image[None].float() / 255  # (1, 3, H, W)


def to_uint8(batch: Tensor) -> Tensor:
    """The first image of a float batch (B, 3, H, W) in [0, 1], clamped and rounded, as uint8 (3, H, W)."""
    return (batch[0].detach().clamp(0, 1) * 255).round().to(torch.uint8)  # (3, H, W)


def to_pil(image: Tensor) -> Image.Image:
    """uint8 (3, H, W) to a Pillow image."""
    return Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())  # (H, W, 3)


def from_pil(image: Image.Image) -> Tensor:
    """A Pillow image of any mode to uint8 (3, H, W) RGB; `pictures.to_rgb8` says what that may drop."""
    rgb, _ = to_rgb8(image)
    x = torch.empty(3, rgb.height, rgb.width, dtype=torch.uint8)
    for box in strips_of(rgb):
        x[:, box[1] : box[3]] = torch.from_numpy(np.array(rgb.crop(box))).permute(2, 0, 1)
    return x
