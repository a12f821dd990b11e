"""Multiplications, counted by hand."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tutorial_lib.evaluation.complexity import encoder_and_decoder, kmac_per_pixel, multiplications
from tutorial_lib.whole_networks import WholeLayer


def test_layers_counted_by_hand() -> None:
    x = torch.rand(2, 6, 10, 12)
    cases = [
        (nn.Conv2d(6, 4, 3), 2 * (8 * 10) * 4 * (6 * 9)),
        (nn.Conv2d(6, 4, 3, stride=2, padding=1), 2 * (5 * 6) * 4 * (6 * 9)),
        (nn.Conv2d(6, 4, (1, 5), groups=2), 2 * (10 * 8) * 4 * (3 * 5)),
        (nn.ConvTranspose2d(6, 4, 2, stride=2), 2 * (20 * 24) * 4 * 6),  # each output sees one position
        (nn.Linear(12, 7), 2 * 6 * 10 * 7 * 12),
    ]
    for layer, count in cases:
        assert multiplications(nn.Sequential(layer), lambda layer=layer: layer(x)) == {"0": count}


def test_a_sum_of_convolutions_of_different_sizes() -> None:
    """A 3 × 3 of five channels, a strided one of two, and one of a single value, which costs a product a channel."""
    layer = WholeLayer(4, (5, 3, 1), (2, 4, 2), (1, 1, 1))
    xs = torch.zeros(1, 5, 10, 12), torch.zeros(1, 2, 18, 22), torch.zeros(1, 1, 1, 1)
    counted = multiplications(nn.ModuleList([layer]), lambda: layer(*xs, whole=True))
    assert counted == {"0": 8 * 10 * 4 * 5 * 9 + 8 * 10 * 4 * 2 * 16 + 4}


def test_runs_add_up_and_hooks_go() -> None:
    layer, x = nn.Conv2d(3, 2, 1), torch.rand(1, 3, 4, 5)
    network = nn.Sequential(layer)
    assert multiplications(network, lambda: (layer(x), layer(x))) == {"0": 2 * 20 * 6}
    with pytest.raises(ZeroDivisionError):
        multiplications(network, lambda: 1 / 0)
    assert not layer._forward_hooks


def test_a_codec(lively_codec) -> None:
    """The prior's networks run the same way on both sides; the synthesis is the decoder's alone."""
    codec = lively_codec()
    x = torch.rand(1, 3, 37, 52)
    encoder, decoder = encoder_and_decoder(codec, x, 50)
    assert all(name.startswith("prior.") for name in encoder) and encoder.total() > 0
    assert {name: count for name, count in decoder.items() if name.startswith("prior.")} == encoder
    layer = codec.synthesis.restoration.second
    positions = 20 * 26  # half the resolution, of sides filled up to multiples of four
    assert decoder["synthesis.restoration.second"] == positions * layer.weight.numel()
    parts = [kmac_per_pixel(decoder, x, prefix) for prefix in ("prior.", "synthesis.")]
    assert sum(parts) == pytest.approx(kmac_per_pixel(decoder, x)) == pytest.approx(decoder.total() / 1000 / (37 * 52))
