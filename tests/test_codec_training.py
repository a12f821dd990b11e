"""Training the full codec: where it starts, what a step minimises, that it learns, and its presets."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.codec_training import PRESETS
from tutorial_lib.context import coding_passes
from tutorial_lib.portable_slices import PASSES, scale_of
from tutorial_lib.quality import ROW_SPACING, ROWS
from tutorial_lib.recipe import Recipe
from tutorial_lib.training import RandomCrops, Training, rate_distortion, seed_of
from tutorial_lib.workbench.photos import photo

TINY = Recipe(steps=6, batch=2, crop=64, scales=(0.8, 2.0))


@pytest.fixture(scope="module")
def photos() -> list[Tensor]:
    return [photo("chelsea")[:, :150, 100:300], photo("coffee")[:, 100:220, 100:200], photo("rocket")[:, 200:240, :50]]


@pytest.fixture(scope="module")
def crops(photos: list[Tensor]) -> RandomCrops:
    return RandomCrops(photos, 64, 8, (0.8, 2.0), seed=9)


def new_codec(seed: int = 0) -> Codec:
    torch.manual_seed(seed)
    return Codec(hidden=8, depth=1, deblock=4, side=8, features=8, inner=8)


def started(crops: RandomCrops) -> Codec:
    codec = new_codec()
    codec.start_at(crops(0))
    return codec


def cost(codec: Codec, x: Tensor, quality: Tensor, side_weight: float = 1.0) -> Tensor:
    """What a step minimises: of all qualities, an equal share."""
    torch.manual_seed(seed_of(0, 0))
    lmbda = codec.lagrange_multiplier(quality)
    return (rate_distortion(codec(x, quality), x, lmbda, side_weight)["cost"] * (0.0067 / lmbda) ** 0.6).mean()


QUALITIES = torch.linspace(1, 100, 8)


def test_lambda_rises_in_equal_ratios() -> None:
    quality = torch.tensor([1.0, 37.5, 50.5, 100.0])
    expected = [0.0004 * 300 ** ((q - 1) / 99) for q in quality.tolist()]
    assert new_codec().lagrange_multiplier(quality).tolist() == pytest.approx(expected, rel=1e-5)
    with pytest.raises(ValueError, match="a quality for each image"):
        new_codec().lagrange_multiplier(None)


def test_qualities_are_drawn_from_all_there_are() -> None:
    drawn = new_codec().sample_condition(1000, torch.Generator().manual_seed(0))
    assert drawn.shape == (1000,) and 1 <= drawn.min() < 1.5 and 99.5 < drawn.max() <= 100
    assert 47 < drawn.mean() < 54


def test_tables_start_at_the_spread_of_their_channels(crops: RandomCrops) -> None:
    fresh, codec, x = new_codec(), started(crops), crops(0)
    prior = codec.prior
    C = prior.channels.sizes[0]
    for row in (0, 4, ROWS - 1):
        with torch.no_grad():
            y = codec.analysis(x, torch.full((8,), 1.0 + ROW_SPACING * row))  # (8, M, 4, 4)
            first, *others = prior.channels.split(y)
            last = (first - prior.passes[-1].nearest(first))[..., coding_passes("pyramid", 4, 4) == PASSES - 1]
        scales = scale_of(prior.base_log_scale.values[row].double())
        for part, left in (
            (scales[:C], first[:, :, :1, :1].flatten(2)),  # the first pass knows nothing
            (scales[(PASSES - 1) * C : PASSES * C], last),  # all its neighbours are known
            (scales[PASSES * C :], torch.cat(others, dim=1).flatten(2)),
        ):
            spread = left.double().pow(2).mean(dim=(0, 2)).sqrt().clamp(min=0.11)
            torch.testing.assert_close(part, spread, rtol=1e-3, atol=0)
    for before, after in zip(fresh.prior.predictors, prior.predictors, strict=True):
        torch.testing.assert_close(after[-1].weight, 0.01 * before[-1].weight)
        assert not after[-1].bias.any()
    with torch.no_grad():
        assert cost(codec.train(), crops(1), QUALITIES) < 0.8 * cost(fresh.train(), crops(1), QUALITIES)


def test_a_step_is_one_of_adam_on_that_cost(crops: RandomCrops) -> None:
    codec, twin = started(crops), started(crops)
    training = Training(codec, crops, TINY, start=False)
    record = next(iter(training))
    quality = twin.sample_condition(8, torch.Generator().manual_seed(seed_of(0, 0, 1)))
    twin.train()
    torch.manual_seed(seed_of(0, 0))
    losses = rate_distortion(twin(crops(0), quality), crops(0), twin.lagrange_multiplier(quality), side_weight=0.0)
    means = {name: losses[key].mean().item() for name, key in (("loss", "cost"), ("bpp", "bpp"), ("mse", "mse"))}
    assert record == pytest.approx(means, rel=1e-5)
    cost(twin, crops(0), quality, side_weight=0.0).backward()  # z is free at first
    moved, slow = 0, ("dct.weight", "nearest.weight", "nearest.bias", "from_known.weight", "from_known.bias")
    for name, parameter in twin.named_parameters():
        rate = (1e-4 if name.endswith(slow) else 4e-3 if name.startswith("prior.") else 1e-3) / TINY.warm_up
        step = codec.get_parameter(name) - parameter
        assert step.abs().max() < 1.01 * rate + 1e-7 * parameter.abs().max(), name  # Adam's first step is ± the rate
        clear = parameter.grad.abs() > 1e-3  # beside Adam's 1e-8, however the gradient was clipped
        assert (step[clear].sign() == -parameter.grad[clear].sign()).float().mean() > 0.99 if clear.any() else True
        moved += int(clear.sum())
    assert moved > 1000


def test_every_parameter_is_in_one_group() -> None:
    codec = new_codec()
    grouped = [id(p) for group in codec.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in codec.parameters())
    assert {group["name"] for group in codec.parameter_groups()} == set(PRESETS["standard"].recipe.rates)


def test_sixty_steps_teach_something(crops: RandomCrops, monkeypatch) -> None:
    """Of two crops at two qualities, the same ones in every step."""
    codec, x, quality = started(crops), crops(0)[:2], torch.tensor([25.0, 75.0])
    monkeypatch.setattr(codec, "sample_condition", lambda count, generator: quality)
    with torch.no_grad():
        before = cost(codec.train(), x, quality)
    records = list(Training(codec, lambda step: x, replace(TINY, steps=60), start=False))
    with torch.no_grad():
        assert cost(codec.train(), x, quality) < 0.85 * before
    assert records[-1]["loss"] < 0.85 * records[0]["loss"]


def test_finish_makes_the_tables(photos: list[Tensor], crops: RandomCrops) -> None:
    codec = Training(new_codec().train(), crops, TINY).finish()
    assert codec.is_built and not codec.training
    assert codec.decode(codec.encode(photos[0], 20)).shape == photos[0].shape


def test_half_precision_costs_little_precision(crops: RandomCrops) -> None:
    """GPUs compute the networks in bfloat16; so can a CPU."""
    codec = started(crops).train()
    for parameter in codec.parameters():  # so that the refinements, which start as nothing, do something
        parameter.data += 0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    x, lmbda = crops(2), codec.lagrange_multiplier(QUALITIES)
    torch.manual_seed(0)
    exact = rate_distortion(codec(x, QUALITIES), x, lmbda)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        output = codec(x, QUALITIES)
    half = rate_distortion(output, x, lmbda)
    assert output["x_hat"].dtype == output["likelihoods"]["y"].dtype == torch.float32
    for name in exact:
        assert half[name].mean().item() == pytest.approx(exact[name].mean().item(), rel=0.04)
        assert not torch.equal(half[name], exact[name])
    half["cost"].mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in codec.parameters())


def test_presets_grow() -> None:
    laptop, standard, gpu = (PRESETS[name] for name in ("laptop", "standard", "gpu"))
    assert list(PRESETS) == ["laptop", "standard", "gpu"]
    first = laptop.recipe
    assert (first.steps, first.batch, first.crop) == (2000, 8, 128)  # what the course promises of it
    sizes = [Codec.__init__.__wrapped__.__defaults__[0], standard.settings["hidden"], gpu.settings["hidden"]]
    assert laptop.settings == {} and sizes == sorted(set(sizes))
    assert laptop.recipe.steps < standard.recipe.steps < gpu.recipe.steps


@pytest.mark.parametrize("size", [50, 17, 1])
def test_crops_need_not_fit_the_blocks(photos: list[Tensor], size: int) -> None:
    training = Training(new_codec(), RandomCrops(photos, size, 2), replace(TINY, steps=2, crop=size))
    assert all(math.isfinite(record["loss"]) for record in training)
