"""The trained priors of notebooks 08 to 10: all for one latent, that of `FirstCodec` as it ships.

Equal transforms, so that two priors differ in bits only for what they know. `benchmarks/lessons.py` trains them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tutorial_lib.files.checkpoints import read_checkpoint, shipped

if TYPE_CHECKING:
    from tutorial_lib.prior import Prior
    from tutorial_lib.transform_codec import TransformCodec

CONTEXTS = (
    ("raster", "conv"),
    ("raster", "attention"),
    ("checkerboard", "conv"),
    ("quarters", "conv"),
    ("quarters", "attention"),
)
PASSES = {"raster": "wavefront"}  # the same values, decoded in fewer passes
UNEVEN = (12, 24, 36, 48, 60, 64, 68, 72)  # channels a slice, of 384: few in the first ones, where the most bits are


def priors() -> dict[str, Callable[[], Prior]]:
    """Every prior's name, and what makes it, untrained."""
    from tutorial_lib.context import AttentionContext, ConvContext, slim_context
    from tutorial_lib.dct_transforms import KEPT, coarse_to_fine
    from tutorial_lib.hyperprior import MeanScaleHyperprior, ScaleHyperprior, slim_hyperprior
    from tutorial_lib.prior import FactorizedPrior
    from tutorial_lib.slicing import slim_slices

    M = sum(KEPT)
    kinds = {"conv": ConvContext, "attention": AttentionContext}
    contexts = {
        f"{order}_{kind}": lambda order=order, kind=kind: slim_context(kinds[kind], PASSES.get(order, order), M)
        for order, kind in CONTEXTS
    }
    slices = {f"slices_{K}": lambda K=K: slim_slices([M // K] * K, coarse_to_fine()) for K in (1, 4, 8, 12)}
    return {
        "factorized": lambda: FactorizedPrior(M),
        "scale": lambda: slim_hyperprior(ScaleHyperprior, M),
        "mean_scale": lambda: slim_hyperprior(MeanScaleHyperprior, M),
        **contexts,
        **slices,
        "slices_uneven": lambda: slim_slices(UNEVEN, coarse_to_fine()),
    }


def lesson_codec(name: str, path: Path | None = None) -> TransformCodec:
    """FirstCodec's transforms around a trained prior, ready to compress. path None: the one that ships.

    Raises KeyError for a name not in `priors`, ValueError for a file that is missing or damaged.
    """
    from tutorial_lib.dct_transforms import BLOCK
    from tutorial_lib.first_codec import FirstCodec
    from tutorial_lib.transform_codec import TransformCodec

    first = FirstCodec.load()
    prior = priors()[name]()
    path = shipped(f"lesson_{name}.safetensors") if path is None else path
    _, state = read_checkpoint(path)
    prior.load_state_dict(state)  # weights: float16 there, float32 here
    return TransformCodec(first.analysis, first.synthesis, prior, BLOCK).eval()


def learning_curves() -> dict[str, list[tuple[int, float]]]:
    """Of each prior with networks: (steps, bits per pixel that its likelihoods promised for held-out photos then)."""
    return json.loads(shipped("lessons.json").read_text(encoding="utf-8"))
