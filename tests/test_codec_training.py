"""Training the full codec: where it starts, what a step minimises, that it learns and can go on, and its presets."""

from __future__ import annotations

import io
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.quality import ROW_SPACING, ROWS
from tutorial_lib.recipe import Recipe
from tutorial_lib.soap import SOAP
from tutorial_lib.subband_prior import spread
from tutorial_lib.training import RandomCrops, Training, rate_distortion, seed_of
from tutorial_lib.workbench.photos import photo

TINY = Recipe(steps=6, batch=2, crop=32, scales=(0.8, 2.0))
QUALITIES = torch.linspace(1, 100, 8)


@pytest.fixture(scope="module")
def photos() -> list[Tensor]:
    return [photo("chelsea")[:, :150, 100:300], photo("coffee")[:, 100:220, 100:200], photo("rocket")[:, 200:240, :50]]


@pytest.fixture(scope="module")
def crops(photos: list[Tensor]) -> RandomCrops:
    return RandomCrops(photos, 32, 8, (0.8, 2.0), seed=9)


def new_codec(seed: int = 0) -> Codec:
    torch.manual_seed(seed)
    return Codec(C=[6, 8, 8], P=[5, 7, 8], P_colour=[4, 6, 6], half=8, quarter=8, blocks=1)


def started(crops: RandomCrops) -> Codec:
    codec = new_codec()
    codec.start_at(crops(0))
    return codec


def cost(codec: Codec, x: Tensor, quality: Tensor) -> Tensor:
    """What a step minimises: of all qualities, an equal share."""
    lmbda = codec.lagrange_multiplier(quality)
    return (rate_distortion(codec(x, quality), x, lmbda)["cost"] * (0.0067 / lmbda) ** 0.6).mean()


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
    """Of the details at each quality that has a row, both of the passes alike."""
    fresh, codec, x = new_codec(), started(crops), crops(0)
    for row in (0, 4, ROWS - 1):
        y = codec.analysis(x, torch.full((8,), 1.0 + ROW_SPACING * row))
        for table, part in zip(codec.prior.base_log_scale[1:], y.parts[1:], strict=True):
            torch.testing.assert_close(table.values[row], spread(part).repeat(2), rtol=0, atol=0.3)
    with torch.no_grad():
        assert cost(codec.train(), crops(1), QUALITIES) < 0.9 * cost(fresh.train(), crops(1), QUALITIES)


def test_a_step_minimises_that_cost(crops: RandomCrops) -> None:
    codec, twin = started(crops), started(crops)
    training = Training(codec, crops, TINY, start=False)
    assert isinstance(training.optimizer, SOAP)
    record = next(iter(training))
    quality = twin.sample_condition(8, torch.Generator().manual_seed(seed_of(0, 0, 1)))
    torch.manual_seed(seed_of(0, 0))
    losses = rate_distortion(twin.train()(crops(0), quality), crops(0), twin.lagrange_multiplier(quality))
    means = {name: losses[key].mean().item() for name, key in (("loss", "cost"), ("bpp", "bpp"), ("mse", "mse"))}
    assert record == pytest.approx(means, rel=1e-4)


def test_every_parameter_is_in_one_group() -> None:
    codec = new_codec()
    grouped = [id(p) for group in codec.parameter_groups() for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in codec.parameters())
    assert [group["name"] for group in codec.parameter_groups()] == ["prior", "synthesis", "steps"]


@pytest.mark.parametrize("rounds", [False, True])
def test_every_parameter_gets_a_gradient(rounds: bool, lively_codec, noise, gradients_reach_all) -> None:
    codec, x = lively_codec().train(), noise(ROWS, 3, 40, 35)
    codec.prior.rounds = rounds
    quality = torch.arange(ROWS) * 11.0 + 1  # every row of the tables
    output = codec(x, quality)
    assert output["x_hat"].shape == x.shape
    rate_distortion(output, x, codec.lagrange_multiplier(quality))["cost"].mean().backward()
    gradients_reach_all(codec)


@pytest.mark.parametrize("rounds", [False, True])
def test_thirty_steps_teach_something(rounds: bool, crops: RandomCrops, monkeypatch) -> None:
    """Of two crops at two qualities, the same ones in every step."""
    codec, x, quality = started(crops), crops(0)[:2], torch.tensor([25.0, 75.0])
    codec.prior.rounds = rounds
    monkeypatch.setattr(codec, "sample_condition", lambda count, generator: quality)
    records = list(Training(codec, lambda step: x, replace(TINY, steps=30, warm_up=3), start=False))
    assert records[-1]["loss"] < 0.9 * records[0]["loss"]
    assert all(math.isfinite(record["loss"]) for record in records)


def test_finish_makes_the_tables(photos: list[Tensor], crops: RandomCrops) -> None:
    codec = Training(new_codec().train(), crops, TINY).finish()
    assert codec.is_built and not codec.training
    assert codec.decode(codec.encode(photos[0], 20)).shape == photos[0].shape


def test_a_stopped_run_goes_on_to_the_bit(photos: list[Tensor]) -> None:
    """With SOAP, its bases renewed in between, and with means of the weights."""
    recipe = Recipe(steps=16, batch=2, crop=24, warm_up=2, decay=0.25, average=0.9)
    crops = RandomCrops(photos, 24, 2, weights=[1, 2, 0])

    def new_run(seed: int = 0, start: bool = True) -> Training:
        return Training(new_codec(seed), crops, recipe, start=start)

    whole, half = new_run(), new_run()
    records = list(whole)
    before = [record for _, record in zip(range(9), half, strict=False)]
    file = io.BytesIO()
    torch.save(half.state(), file)
    kept = sum(value.nbytes for state in half.optimizer.state.values() for value in state.values())
    assert half.optimizer.state_bytes() == pytest.approx(kept, rel=0.01)
    file.seek(0)
    other = new_run(seed=5, start=False)
    other.restore(torch.load(file, weights_only=True))
    assert before + list(other) == records
    ours, theirs = (run.finish().state_dict() for run in (other, whole))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_half_precision_costs_little_precision(lively_codec, crops: RandomCrops) -> None:
    """GPUs compute the synthesis in bfloat16, and so can a CPU; the prior and the wavelet, never."""
    codec, x = lively_codec().train(), crops(2)
    exact = codec(x, QUALITIES)
    with torch.autocast("cpu", torch.bfloat16):
        half = codec(x, QUALITIES)
    for name, likelihoods in exact["likelihoods"].items():
        assert torch.equal(half["likelihoods"][name], likelihoods)
    assert half["x_hat"].dtype == torch.float32 and not torch.equal(half["x_hat"], exact["x_hat"])
    error = (half["x_hat"] - exact["x_hat"]).square().mean()
    assert error < 0.02 * (exact["x_hat"] - x).square().mean()
    half["x_hat"].sum().backward()
    assert all(p.grad.isfinite().all() for p in codec.parameters() if p.grad is not None)


@pytest.mark.parametrize("size", [50, 17, 1])
def test_crops_are_of_any_size(photos: list[Tensor], size: int) -> None:
    training = Training(new_codec(), RandomCrops(photos, size, 2), replace(TINY, steps=2, crop=size))
    assert all(math.isfinite(record["loss"]) for record in training)
