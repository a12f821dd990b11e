"""Photos for the lessons, and the way between image files, arrays and tensors."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tutorial_lib.workbench.picture_files import to_rgb8

# scikit-image ships these inside its wheel: nothing is downloaded.
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle")


def photo(name: str) -> Tensor:
    """One of scikit-image's bundled photos as a uint8 tensor (3, H, W). Names: `PHOTOS`."""
    from skimage import data

    if name not in PHOTOS:
        raise ValueError(f"No photo is called {name!r}; choose one of {', '.join(PHOTOS)}.")
    array = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    return torch.from_numpy(np.array(array)).permute(2, 0, 1).contiguous()  # (H, W, 3) -> (3, H, W)


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
    """A Pillow image of any mode to uint8 (3, H, W) RGB; `picture_files.to_rgb8` says what that may drop."""
    rgb, _ = to_rgb8(image)
    return torch.from_numpy(np.array(rgb)).permute(2, 0, 1).contiguous()  # (3, H, W)


def photos_in(folder: str | Path) -> list[Path]:
    """The image files (by ending) directly in a folder, sorted. Raises ValueError if there are none."""
    endings = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    found = sorted(p for p in Path(folder).glob("*") if p.suffix.lower() in endings and p.is_file())
    if not found:
        raise ValueError(f"No image files were found in {folder}; give a folder that holds photos.")
    return found


class RandomCrops:
    """An endless source of random crops: `crops(batch_size)` gives floats (B, 3, size, size) in [0, 1].

    photos: uint8 tensors (3, H, W), each at least `size` in both directions.
    One generator seeds everything, so two sources with the same seed give the same crops.
    """

    def __init__(self, photos: list[Tensor], size: int = 128, seed: int = 0):
        if not photos:
            raise ValueError("There are no photos to take crops from.")
        small = [tuple(p.shape[1:]) for p in photos if min(p.shape[1:]) < size]
        if small:
            raise ValueError(f"A photo of {small[0]} pixels is smaller than the crop of {size}; leave it out.")
        self.photos = photos
        self.size = size
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, batch_size: int = 8) -> Tensor:
        return torch.stack([self._crop() for _ in range(batch_size)]).float() / 255  # (B, 3, size, size)

    def _crop(self) -> Tensor:
        image = self.photos[self._below(len(self.photos))]
        top = self._below(image.shape[1] - self.size + 1)
        left = self._below(image.shape[2] - self.size + 1)
        crop = image[:, top : top + self.size, left : left + self.size]  # (3, size, size)
        return crop.flip(-1) if self._below(2) else crop

    def _below(self, limit: int) -> int:
        return int(torch.randint(limit, (), generator=self.generator))
