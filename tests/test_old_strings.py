"""Checkpoints may be renamed inside and files get a new layout, but the strings in them stay: these are of 0.2.

`vectors/strings_0.2.npz` holds a latent, "y", and for each prior of the lessons the strings that it was coded to,
"<name>/<part>". (The full codec has tests of its own.) These priors compute with floats, which machines round in their
own ways, and a value near a tie becomes another symbol on some of them: so the latent has none, which is tested, too.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.prior import Prior
from tutorial_lib.workbench.lesson_models import lesson_codec, priors

VECTORS = np.load(Path(__file__).parent / "vectors" / "strings_0.2.npz")
Y = torch.from_numpy(VECTORS["y"])


def old_strings(name: str) -> list[list[bytes]]:
    """In the order of the parts."""
    keys = [key for key in VECTORS.files if key.startswith(f"{name}/")]
    assert keys == [f"{name}/{part}" for part in range(len(keys))] and keys
    return [[VECTORS[key].tobytes()] for key in keys]


def check(prior: Prior, name: str) -> None:
    """Raise unless y becomes the old strings, and these the forward pass's ŷ."""
    with torch.no_grad():
        strings = old_strings(name)
        assert prior.compress(Y) == strings
        assert torch.equal(prior.decompress(strings, (Y.shape[-2], Y.shape[-1])), prior(Y)[0])


def test_the_vectors_are_of_every_prior_that_ships() -> None:
    names = {key.split("/")[0] for key in VECTORS.files if "/" in key}
    assert names == {"first_codec"} | {f"lesson_{name}" for name in priors()}
    assert Y.shape == (1, 384, 3, 4) and Y.round().unique().numel() > 20
    assert sum(len(string) for (string,) in old_strings("first_codec")) > 150


def test_the_first_codecs_strings_are_the_same() -> None:
    check(FirstCodec.load().prior, "first_codec")


@pytest.mark.parametrize("name", priors())
def test_the_lessons_strings_are_the_same(name: str) -> None:
    check(lesson_codec(name).prior, f"lesson_{name}")


@pytest.mark.parametrize("name", priors())
def test_no_value_is_near_a_tie(name: str) -> None:
    """Weights that are wrong by more than any machine rounds change nothing."""
    strings = old_strings(f"lesson_{name}")
    for seed in range(3):
        prior, noise = deepcopy(lesson_codec(name).prior), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in prior.parameters():
                weight.mul_(1 + 1e-6 * torch.randn(weight.shape, generator=noise))
            assert prior.compress(Y) == strings
