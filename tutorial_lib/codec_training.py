"""How the full codec is trained: the presets of `lic train`. The loop is `training`'s, as for every other codec.

Starts without PyTorch.
"""

from dataclasses import dataclass, field
from typing import Any

from tutorial_lib.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A recipe, and the settings of the full codec that go with it."""

    recipe: Recipe
    settings: dict[str, Any] = field(default_factory=dict)


PRESETS = {
    "laptop": Preset(Recipe(steps=2000, batch=8, crop=128, scales=(0.8, 2.0))),  # minutes on two cores
    "standard": Preset(  # an hour or less; the checkpoint that ships
        Recipe(
            steps=6000, batch=6, crop=160, scales=(0.8, 2.0), rates={"linear": 1e-4, "transforms": 7e-4, "prior": 2e-3}
        ),
        {"hidden": 192, "depth": 3, "deblock": 32, "side": 48, "features": 128, "inner": 96},
    ),
    "gpu": Preset(  # for a GPU; not yet run to its end
        Recipe(
            steps=200_000,
            batch=16,
            crop=256,
            scales=(0.8, 2.0),
            rates={"linear": 1e-4, "transforms": 5e-4, "prior": 1e-3},
        ),
        {"hidden": 384, "depth": 6, "deblock": 64, "side": 96, "features": 192, "inner": 192},
    ),
}
