"""Files of a size, pictures of a PSNR: the best quality that meets the wish, and never one that does not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.evaluation.rate_control import at_least, at_most
from tutorial_lib.first_codec import FirstCodec

IMAGE = torch.full((3, 4, 4), 200, dtype=torch.uint8)
COUNT = 20
growing = st.lists(st.integers(1, 9), min_size=COUNT, max_size=COUNT).map(lambda steps: list(accumulate(steps)))
anyhow = st.lists(st.integers(1, 99), min_size=COUNT, max_size=COUNT)


class Numbers:
    """In place of a codec: at each effort and quality a file is as long as a table says, and its picture as dark."""

    qualities = range(1, COUNT + 1)

    def __init__(self, *tables: list[int]) -> None:
        self.tables = tables

    def check_effort(self, effort: int | None, pixels: int = 0) -> int:
        return effort or 0

    def encode(self, image: Tensor, quality: int, effort: int, on_round: object = None) -> bytes:
        return bytes(self.tables[effort][quality - 1])

    def decode(self, data: bytes) -> Tensor:
        return (IMAGE.int() - 200 + len(data)).to(torch.uint8)  # 200 were without an error


@given(growing, growing, st.integers(1, 180), st.sampled_from([0, 1]))
def test_the_highest_quality_that_fits(quick: list[int], slow: list[int], size: int, effort: int) -> None:
    codec = Numbers(quick, slow)
    fits = [quality for quality in codec.qualities if codec.tables[effort][quality - 1] <= size]
    if fits:
        found = at_most(codec, IMAGE, size, effort)
        assert (found.quality, len(found.data)) == (fits[-1], codec.tables[effort][fits[-1] - 1])
    else:
        with pytest.raises(ValueError, match=rf"^{size} bytes are too few .* at quality 1 it takes [0-9]+\.$"):
            at_most(codec, IMAGE, size, effort)


@given(growing, growing, st.integers(1, 180), st.sampled_from([0, 1]))
def test_the_lowest_quality_that_is_good_enough(quick: list[int], slow: list[int], least: int, effort: int) -> None:
    codec = Numbers(quick, slow)
    decibels = psnr(codec.decode(bytes(least)), IMAGE)
    fits = [quality for quality in codec.qualities if codec.tables[effort][quality - 1] >= least]
    if fits:
        found = at_least(codec, IMAGE, decibels, effort)
        assert found.quality == fits[0] and found.decibels == psnr(codec.decode(found.data), IMAGE) >= decibels
    else:
        with pytest.raises(ValueError, match=r"dB are too many .* even at quality 20 this picture reaches [0-9.]+\.$"):
            at_least(codec, IMAGE, decibels, effort)


@given(anyhow, anyhow, st.integers(1, 99), st.sampled_from([0, 1]))
def test_where_qualities_are_not_ordered_no_wish_is_missed(
    quick: list[int], slow: list[int], wish: int, effort: int
) -> None:
    codec = Numbers(quick, slow)
    try:
        assert len(at_most(codec, IMAGE, wish, effort).data) <= wish
    except ValueError:
        assert codec.tables[effort][0] > wish
    try:
        assert len(at_least(codec, IMAGE, psnr(codec.decode(bytes(wish)), IMAGE), effort).data) >= wish
    except ValueError:
        assert codec.tables[effort][-1] < wish


@settings(max_examples=3)
@given(st.integers(150, 400))
def test_a_real_codec(lively_codec: Callable[..., Codec], size: int) -> None:
    codec = lively_codec()
    rows, columns = torch.arange(20)[:, None] / 3, torch.arange(30) / 4
    image = ((rows.sin() * columns.cos()).expand(3, 20, 30) * 60 + 128).to(torch.uint8)
    found = at_most(codec, image, size, effort=1)
    assert found.data == codec.encode(image, found.quality, 1) and len(found.data) <= size
    assert found.quality == 100 or len(codec.encode(image, found.quality + 1, 1)) > size
    best = psnr(codec.decode(codec.encode(image, 100, 1)), image)  # an untrained codec's is not always the highest
    wish = min(best, psnr(codec.decode(found.data), image))
    reached = at_least(codec, image, wish, effort=1)
    assert reached.decibels >= wish and reached.decibels == psnr(codec.decode(reached.data), image)


def test_a_codec_of_one_rate_cannot_aim() -> None:
    for aim in (at_most, at_least):
        with pytest.raises(ValueError, match=r"^this codec has one rate, so it cannot aim at a size or a PSNR\.$"):
            aim(FirstCodec(), IMAGE, 30)
