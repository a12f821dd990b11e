"""How the full codec is trained: the presets of `lic train`. The loop is `training`'s, as for every other codec.

All train the same model with SOAP: the learning rates rise, stay, and fall over the last part of the run, and what is
saved are running means of the weights. They differ in length, `laptop` also in its mean, `gpu` also in batch, crops and
rates. Whatever preset a run was begun with, it can be made longer until its rates fall, and from that state again after
its end. What the first two give, and how what ships was trained: `benchmarks/codec_ablations.md`, and its model card.

Starts without PyTorch.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from tutorial_lib.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """A recipe, and the settings of the full codec that go with it."""

    recipe: Recipe
    settings: dict[str, Any] = field(default_factory=dict)


BASE = Recipe(batch=8, crop=128, scales=(0.5, 1.5), average=0.999)

PRESETS = {
    # Five minutes of one core, of 0.6 s a step. So short a run would not forget its beginning by a mean over 1,000
    # steps, and half of it is none too long a fall.
    "laptop": Preset(replace(BASE, steps=480, decay=0.5, average=0.99)),
    "standard": Preset(replace(BASE, steps=5500, decay=0.2)),  # an hour of one core
    "long": Preset(replace(BASE, steps=50_000, decay=0.1)),  # nine hours of one core; it has not been run
    # For a GPU; it has not been run. Of a batch with eight times as many crops, each with four times the pixels, the
    # gradient is less noisy: the square root rule would say 2.8 times the rates, and 2 is on the safe side.
    "gpu": Preset(replace(BASE, steps=200_000, batch=64, crop=256, rate_factor=2.0, warm_up=500, decay=0.1)),
}

# What "laptop" is for all other codecs: Adam, at the rates of their own, takes more steps, each of which is cheaper.
OTHER_CODECS = Recipe(steps=2000, batch=8, crop=128, scales=(0.8, 2.0))
