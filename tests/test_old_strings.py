"""Checkpoints were renamed inside, files got a new layout, and the strings in them stayed: these were written before.

`vectors/strings_0.1.npz` holds latents, "y" and "y_<quality>"; for each prior that ships, the strings that version 0.1
coded them to, "<name>/<part>"; and what the full codec decoded, "y_hat_<quality>".
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.prior import Prior
from tutorial_lib.workbench.lesson_models import lesson_codec, priors

VECTORS = np.load(Path(__file__).parent / "vectors" / "strings_0.1.npz")
QUALITIES = (5, 35, 80)


def old_strings(name: str) -> list[list[bytes]]:
    """In the order of the parts."""
    keys = [key for key in VECTORS.files if key.startswith(f"{name}/")]
    assert keys == [f"{name}/{part}" for part in range(len(keys))] and keys
    return [[VECTORS[key].tobytes()] for key in keys]


def check(prior: Prior, name: str, y: Tensor, condition: Tensor | None = None) -> Tensor:
    """Raise unless y becomes the old strings, and these the forward pass's ŷ. Returns it."""
    with torch.no_grad():
        strings = old_strings(name)
        assert prior.compress(y, condition) == strings
        y_hat = prior.decompress(strings, (y.shape[-2], y.shape[-1]), condition)
        assert torch.equal(y_hat, prior(y, condition)[0])
    return y_hat


def latent(name: str) -> Tensor:
    return torch.from_numpy(VECTORS[name])


def test_the_vectors_are_of_every_prior_that_ships() -> None:
    names = {key.split("/")[0] for key in VECTORS.files if "/" in key}
    assert names == {"first_codec"} | {f"lesson_{name}" for name in priors()} | {f"codec_{q}" for q in QUALITIES}
    assert latent("y").shape == (1, 384, 6, 5) and latent("y").round().unique().numel() > 20
    assert sum(len(string) for (string,) in old_strings("first_codec")) > 400


def test_the_first_codecs_strings_are_the_same() -> None:
    check(FirstCodec.load().prior, "first_codec", latent("y"))


@pytest.mark.parametrize("name", priors())
def test_the_lessons_strings_are_the_same(name: str) -> None:
    check(lesson_codec(name).prior, f"lesson_{name}", latent("y"))


@pytest.mark.parametrize("quality", QUALITIES)
def test_the_full_codecs_strings_and_latents_are_the_same(quality: int) -> None:
    condition = torch.tensor([float(quality)])
    y_hat = check(Codec.load().prior, f"codec_{quality}", latent(f"y_{quality}"), condition)
    assert torch.equal(y_hat, latent(f"y_hat_{quality}"))
