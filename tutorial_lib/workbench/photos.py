"""The photos of the lessons."""

import numpy as np
import torch
from torch import Tensor

# scikit-image ships these inside its wheel: nothing is downloaded.
PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "motorcycle")


def photo(name: str) -> Tensor:
    """One of scikit-image's bundled photos as a uint8 tensor (3, H, W). Names: `PHOTOS`."""
    from skimage import data

    if name not in PHOTOS:
        raise ValueError(f"No photo is called {name!r}; choose one of {', '.join(PHOTOS)}.")
    array = data.stereo_motorcycle()[0] if name == "motorcycle" else getattr(data, name)()
    return torch.from_numpy(np.array(array)).permute(2, 0, 1).contiguous()  # (H, W, 3) -> (3, H, W)
