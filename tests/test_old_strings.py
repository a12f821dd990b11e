"""Checkpoints were renamed inside, files got a new layout, and the strings in them stayed: these were written before.

`vectors/strings_0.1.npz` holds a latent, "y", and the strings that version 0.1's first codec made of it,
"<name>/<part>"; `strings_0.2.npz` the same of the lessons' priors, which were trained anew for 0.2. (The full codec has
tests of its own.)
The lessons' priors compute with floats, which machines round in their own ways, and a value near a tie becomes another
symbol on some of them: so their latent has none, which is tested, too.
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

FIRST, LESSONS = (np.load(Path(__file__).parent / "vectors" / f"strings_{version}.npz") for version in ("0.1", "0.2"))


def latent(vectors: np.lib.npyio.NpzFile) -> torch.Tensor:
    return torch.from_numpy(vectors["y"])


def old_strings(vectors: np.lib.npyio.NpzFile, name: str) -> list[list[bytes]]:
    """In the order of the parts."""
    keys = [key for key in vectors.files if key.startswith(f"{name}/")]
    assert keys == [f"{name}/{part}" for part in range(len(keys))] and keys
    return [[vectors[key].tobytes()] for key in keys]


def check(prior: Prior, vectors: np.lib.npyio.NpzFile, name: str) -> None:
    """Raise unless y becomes the old strings, and these the forward pass's ŷ."""
    with torch.no_grad():
        strings, y = old_strings(vectors, name), latent(vectors)
        assert prior.compress(y) == strings
        assert torch.equal(prior.decompress(strings, (y.shape[-2], y.shape[-1])), prior(y)[0])


def test_the_vectors_are_of_every_prior_that_ships() -> None:
    names = [{key.split("/")[0] for key in vectors.files if "/" in key} for vectors in (FIRST, LESSONS)]
    assert names == [{"first_codec"}, {f"lesson_{name}" for name in priors()}]
    assert latent(FIRST).shape == (1, 384, 6, 5) and latent(LESSONS).shape == (1, 384, 3, 4)
    assert all(latent(vectors).round().unique().numel() > 20 for vectors in (FIRST, LESSONS))
    assert sum(len(string) for (string,) in old_strings(FIRST, "first_codec")) > 400


def test_the_first_codecs_strings_are_the_same() -> None:
    check(FirstCodec.load().prior, FIRST, "first_codec")


@pytest.mark.parametrize("name", priors())
def test_the_lessons_strings_are_the_same(name: str) -> None:
    check(lesson_codec(name).prior, LESSONS, f"lesson_{name}")


@pytest.mark.parametrize("name", priors())
def test_no_value_is_near_a_tie(name: str) -> None:
    """Weights that are wrong by more than any machine rounds change nothing."""
    strings = old_strings(LESSONS, f"lesson_{name}")
    for seed in range(3):
        prior, noise = deepcopy(lesson_codec(name).prior), torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for weight in prior.parameters():
                weight.mul_(1 + 1e-6 * torch.randn(weight.shape, generator=noise))
            assert prior.compress(latent(LESSONS)) == strings
