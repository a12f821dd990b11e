"""The presets of the full codec's training."""

from __future__ import annotations

import pytest

from tutorial_lib.codec import Codec
from tutorial_lib.codec_training import OTHER_CODECS, PRESETS
from tutorial_lib.recipe import LMBDA
from tutorial_lib.training import Training, cosine_schedule


def test_they_train_one_model_for_longer_and_longer() -> None:
    assert list(PRESETS) == ["laptop", "standard", "long", "gpu"]
    recipes = [preset.recipe for preset in PRESETS.values()]
    assert all(preset.settings == {} for preset in PRESETS.values())
    steps = [recipe.steps for recipe in recipes]
    assert steps == sorted(steps) and all(recipe.lmbda == LMBDA and recipe.rates == {} for recipe in recipes)
    assert {recipe.scales for recipe in recipes} == {(0.5, 1.5)}


@pytest.mark.parametrize("name", PRESETS)
def test_they_rise_stay_and_fall(name: str) -> None:
    """Constant rates in between, so that a run can be made longer; the mean forgets the steps before the fall."""
    recipe = PRESETS[name].recipe
    factors = [
        cosine_schedule(step, recipe.steps, recipe.warm_up, recipe.decay)
        for step in (0, recipe.warm_up, recipe.fall_start, recipe.steps - 1)
    ]
    assert factors[0] < 0.1 and factors[1:3] == [1, 1] and factors[3] < 0.02
    assert recipe.warm_up < recipe.fall_start < recipe.steps
    assert 2 / (1 - recipe.average) < recipe.steps - recipe.fall_start or name == "standard"


def test_the_rates_are_the_codecs_own() -> None:
    codec = Codec(C=[6, 8], P=[6, 8], P_colour=[4, 6], half=6, quarter=6, blocks=1)
    for name, factor in {"laptop": 1, "gpu": 2}.items():
        training = Training(codec, lambda step: None, PRESETS[name].recipe, start=False)  # type: ignore[arg-type]
        rates = {group["name"]: group["full_rate"] for group in training.optimizer.param_groups}
        assert rates == {group["name"]: factor * group["lr"] for group in codec.parameter_groups()}


def test_other_codecs_take_more_steps() -> None:
    assert OTHER_CODECS.steps > PRESETS["laptop"].recipe.steps and OTHER_CODECS.fall_start == 0
