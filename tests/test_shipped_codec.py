"""The checkpoint that ships, on photos: files as long as the model says, and a hundred qualities in their order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import to_float
from tutorial_lib.workbench.photos import photo


@pytest.fixture(scope="module")
def codec() -> Iterator[Codec]:
    with torch.no_grad():
        yield Codec.load()


CROPS = {"cup": photo("coffee")[:, 100:356, 200:456], "cat": photo("chelsea")[:, 20:276, 100:356]}


@pytest.mark.parametrize("quality", [1, 20, 50, 80, 100])
@pytest.mark.parametrize("crop", CROPS)
def test_files_are_as_long_as_the_model_says(codec: Codec, crop: str, quality: int) -> None:
    image = CROPS[crop]
    likelihoods = codec(to_float(image), quality)["likelihoods"]
    bits = -sum(float(each.double().log2().sum()) for each in likelihoods.values())
    size = len(codec.encode(image, quality, effort=0))
    assert bits / 8 <= size <= 1.005 * bits / 8 + 64


def steps_back(values: Sequence[float]) -> list[tuple[int, float, float]]:
    """(quality, value before, value) where a quality's is not above that of the quality before."""
    return [(n + 1, a, b) for n, (a, b) in enumerate(pairwise(values), start=1) if b <= a]


def test_a_hundred_qualities_are_ordered(codec: Codec) -> None:
    image: Tensor = CROPS["cup"]
    files = [codec.encode(image, quality, effort=0) for quality in codec.qualities]
    assert not steps_back([len(data) for data in files])
    assert not steps_back([psnr(codec.decode(data), image) for data in files])
