"""Checkpoints were renamed inside, files got a new layout, and the strings in them stayed: these were written before.

`vectors/strings_0.1.npz` holds a latent, "y", and for each prior of that version that still ships the strings that it
was coded to, "<name>/<part>". (The full codec is another one since. The lessons' priors were trained anew for 0.2;
their strings are of then.)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.prior import Prior
from tutorial_lib.workbench.lesson_models import lesson_codec, priors

VECTORS = np.load(Path(__file__).parent / "vectors" / "strings_0.1.npz")
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
    assert Y.shape == (1, 384, 6, 5) and Y.round().unique().numel() > 20
    assert sum(len(string) for (string,) in old_strings("first_codec")) > 400


def test_the_first_codecs_strings_are_the_same() -> None:
    check(FirstCodec.load().prior, "first_codec")


@pytest.mark.parametrize("name", priors())
def test_the_lessons_strings_are_the_same(name: str) -> None:
    check(lesson_codec(name).prior, f"lesson_{name}")
