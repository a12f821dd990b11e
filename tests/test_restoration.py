"""From coefficients to a picture: at first nothing is restored; small pictures are averages; any size will do."""

from __future__ import annotations

import pytest
import torch

from tutorial_lib.codec import WaveletAnalysis
from tutorial_lib.restoration import Restoration, WaveletSynthesis, filled
from tutorial_lib.subband_prior import Decoded

LEVELS = 3


def test_before_training_nothing_is_restored(noise) -> None:
    """Corrections and restoration start at 0: what was not quantized comes back as it was."""
    torch.manual_seed(0)
    x, quality = noise(1, 3, 29, 34), torch.tensor([70.0])
    y = WaveletAnalysis(LEVELS)(x, quality)
    features = [torch.randn(1, c, *part.shape[-2:]) for c, part in zip((8, 8, 8, 6), y.parts, strict=True)]
    x_hat = WaveletSynthesis((6, 8, 8), 8, 8, 1)(Decoded(y.shape, y.parts, features), quality)
    torch.testing.assert_close(x_hat, x, rtol=0, atol=1e-5)


def test_small_pictures_are_averages_of_the_large_one() -> None:
    x, quality = torch.full((1, 3, 13, 9), 0.7), torch.tensor([50.0])
    y = WaveletAnalysis(LEVELS)(x, quality)
    synthesis = WaveletSynthesis((6, 8, 8), 8, 8, 1)
    features = [torch.zeros(1, 8, *y.parts[0].shape[-2:])]
    for smaller in range(LEVELS + 1):
        small = synthesis(Decoded(y.shape, y.parts, features), quality, smaller)
        torch.testing.assert_close(small, torch.full_like(small, 0.7), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 8), (9, 6), (16, 16)])
def test_the_restoration_takes_any_size(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    restoration = Restoration(fine=6, coarse=7, half=8, quarter=8, blocks=2)
    torch.nn.init.normal_(restoration.third.weight)
    half, quarter = (tuple(-(-side // n) for side in shape) for n in (2, 4))
    x, hint = torch.randn(2, 3, *shape), torch.zeros(2, 1, 1, 1)
    fine, coarse = torch.randn(2, 6, *half), torch.randn(2, 7, *quarter)
    with_gradients = restoration(x, fine, coarse, hint)
    with torch.no_grad():
        assert torch.equal(restoration(x, fine, coarse, hint), with_gradients)
    assert with_gradients.shape == x.shape and not torch.equal(with_gradients, x)


def test_filling_repeats_edges() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert filled(x, 4)[0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert filled(x, 1) is x
