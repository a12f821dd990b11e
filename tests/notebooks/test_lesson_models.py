"""The priors of notebooks 08 to 10: who shares layers with whom, and how their training went."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from tutorial_lib.hyperprior import ScaleMeanHead
from tutorial_lib.workbench.lesson_models import learning_curves, priors

PREDICTING_BOTH = [name for name in priors() if name not in ("factorized", "scale")]


@pytest.mark.parametrize("name", PREDICTING_BOTH)
def test_no_layer_of_a_decoder_ends_in_scales_and_in_means(name: str) -> None:
    """What is shared is z, and what of ŷ the context or a slice sees."""
    heads = [module for module in priors()[name]().modules() if isinstance(module, ScaleMeanHead)]
    assert {head.scales for head in heads} > {0}
    assert all(head.scales in (0, head.layer.out_channels) for head in heads)


def test_bits_fall_with_the_steps_and_all_have_had_as_many() -> None:
    curves = learning_curves()
    assert set(curves) >= set(PREDICTING_BOTH) | {"scale"}
    for name in [*PREDICTING_BOTH, "scale"]:
        steps, bits = zip(*curves[name], strict=True)
        assert all(before < after for before, after in pairwise(steps))
        assert steps == next(zip(*curves["scale"], strict=True)) and bits[-1] < 0.7 * bits[0]
        assert torch.tensor(bits).isfinite().all() and min(bits) == bits[-1]
