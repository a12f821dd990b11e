"""Codecs whose qualities are whole numbers get them as such, however they are written."""

import pytest
import torch

from tutorial_lib.evaluation.file_codecs import CLASSICAL, JPEG, FileCodec

IMAGE = (torch.arange(3 * 16 * 24).view(3, 16, 24) % 256).to(torch.uint8)
WHOLE = [codec for codec in CLASSICAL.values() if codec.whole and codec.is_here]


@pytest.mark.parametrize("codec", WHOLE, ids=lambda codec: codec.name)
def test_a_quality_may_be_a_float_without_a_fraction(codec: FileCodec) -> None:
    assert codec.encode(IMAGE, 50.0) == codec.encode(IMAGE, 50)
    assert codec.encode(IMAGE, 50.0) != codec.encode(IMAGE, 20)


def test_a_fraction_is_refused() -> None:
    with pytest.raises(ValueError, match=r"whole number, not 50\.5"):
        JPEG.encode(IMAGE, 50.5)
