"""Training the full codec: what a batch is, what a step minimises, and that a stopped run goes on to the bit."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from tutorial_lib.turns import turns_of

from tutorial_lib.codec import Codec, Settings
from tutorial_lib.codec_training import PRESETS, WARM_UP, Batches, Preset, Training, loss_of, start_at_spreads
from tutorial_lib.padding import reflect_pad
from tutorial_lib.portable_slices import scale_of
from tutorial_lib.variable_rate import APART, LEVELS
from tutorial_lib.workbench.photos import photo

TINY = Preset(Settings(hidden=8, depth=1, smooth=4, side=8, features=8, inner=8), steps=6, batch=2, crop=64)


class Fixed(Batches):
    """The same batch again and again."""

    def __call__(self) -> tuple[Tensor, Tensor, Tensor]:
        self.generator.manual_seed(5)
        return super().__call__()


@pytest.fixture(scope="module")
def photos() -> list[Tensor]:
    return [photo("chelsea")[:, :150, 100:300], photo("coffee")[:, 100:220, 100:200], photo("rocket")[:, 200:240, :50]]


def new_codec(seed: int = 0) -> Codec:
    torch.manual_seed(seed)
    return Codec(TINY.settings)


def started(photos: list[Tensor], seed: int = 0) -> Codec:
    codec = new_codec(seed)
    start_at_spreads(codec, Batches(photos, replace(TINY, batch=8), seed=9)()[0])
    return codec


@torch.no_grad()
def loss(codec: Codec, batch: tuple[Tensor, Tensor, Tensor]) -> float:
    return loss_of(codec.train()(*batch), *batch[:2])["loss"].item()


def weights(codec: Codec) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in codec.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


# ---- the loss


@pytest.mark.parametrize("z_price", [1.0, 0.25, 0.0])
def test_the_loss_is_what_its_docstring_says(z_price: float) -> None:
    generator = torch.Generator().manual_seed(1)
    quality = torch.tensor([1.0, 37.5, 100.0])
    x, x_hat = (torch.rand(3, 3, 4, 6, generator=generator) for _ in range(2))
    y, z = (0.01 + 0.98 * torch.rand(3, *shape, generator=generator) for shape in ((5, 2, 2), (3, 1, 1)))
    losses = loss_of({"x_hat": x_hat, "likelihoods": {"y": y, "z": z}}, x, quality, z_price)

    costs, rates, errors = [], [], []
    for b, q in enumerate(quality.tolist()):
        y_bits, z_bits = (sum(-math.log2(p) for p in likelihoods[b].flatten().tolist()) for likelihoods in (y, z))
        differences = (x_hat[b] - x[b]).flatten().tolist()
        errors.append(sum(d * d for d in differences) / len(differences))
        rates.append((y_bits + z_bits) / 24)
        lmbda, middle = (0.0004 * 300 ** ((at - 1) / 99) for at in (q, 50.5))
        costs.append(((y_bits + z_price * z_bits) / 24 + lmbda * 255**2 * errors[b]) * (middle / lmbda) ** 0.6)
    assert losses["loss"].item() == pytest.approx(sum(costs) / 3, rel=1e-5)
    assert losses["bpp"].item() == pytest.approx(sum(rates) / 3, rel=1e-5)
    assert losses["mse"].item() == pytest.approx(sum(errors) / 3, rel=1e-5)


# ---- the batches


@pytest.mark.parametrize(("crop", "side"), [(64, 1), (80, 2), (128, 2)])
def test_a_batch(photos: list[Tensor], crop: int, side: int) -> None:
    x, quality, noise = Batches(photos, replace(TINY, batch=5, crop=crop))()
    assert x.shape == (5, 3, crop, crop) and x.dtype == torch.float32 and 0 <= x.min() < x.max() <= 1
    assert quality.shape == (5,) and 1 <= quality.min() < quality.max() <= 100
    assert noise.shape == (5, 8, side, side) and -0.5 <= noise.min() < -0.2 and 0.2 < noise.max() < 0.5
    new_codec().train()(x, quality, noise)  # the noise is of z's shape


def test_batches_follow_from_the_seed(photos: list[Tensor]) -> None:
    a, b, other = (Batches(photos, TINY, seed) for seed in (3, 3, 4))
    torch.manual_seed(0)  # of which nothing may depend on
    first, second = a(), a()
    torch.manual_seed(1)
    for one, again in zip((*first, *second), (*b(), *b()), strict=True):
        assert torch.equal(one, again)
    assert not any(torch.equal(one, another) for one, another in zip(first, second, strict=True))
    assert not any(torch.equal(one, another) for one, another in zip(first, other(), strict=True))


def test_no_photos_no_batches() -> None:
    with pytest.raises(ValueError, match=r"^There are no photos to train on\.$"):
        Batches([], TINY)


def test_small_photos_are_mirrored() -> None:
    small = photo("coffee")[:, 200:240, 300:350]  # 40 × 50
    whole = reflect_pad(small, 0, 14, 0, 24) / 255
    crops = Batches([small], replace(TINY, batch=12, enlarged=(1.0, 1.0)))()[0]
    turned = [torch.equal(crop, whole.flip(-1)) for crop in crops]
    assert all(torch.equal(crop, whole) for crop, flipped in zip(crops, turned, strict=True) if not flipped)
    assert True in turned and False in turned


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (63, 64)])
def test_photos_of_any_shape_serve(shape: tuple[int, int]) -> None:
    x = Batches([torch.full((3, *shape), 51, dtype=torch.uint8)], replace(TINY, batch=6))()[0]
    torch.testing.assert_close(x, torch.full_like(x, 0.2))


def test_crops_are_of_random_size_place_and_side() -> None:
    """On a picture that grows brighter by one level a pixel, the slope shows the size, and its sign the flip."""
    ramp = torch.arange(250, dtype=torch.uint8).expand(3, 100, 250)
    crops = Batches([ramp], replace(TINY, batch=80))()[0] * 255  # (80, 3, 64, 64)
    slope = (crops[:, 0, 32, 48] - crops[:, 0, 32, 16]) / 32
    scale = 1 / slope.abs()
    assert 0.79 < scale.min() < 0.9 and 1.8 < scale.max() < 2.03
    assert 0.4 < (scale < math.sqrt(0.8 * 2)).float().mean() < 0.6  # as often half the size as twice
    assert 0.3 < (slope < 0).float().mean() < 0.7
    middle = crops[:, 0, 32, 32]
    assert middle.min() < 60 and middle.max() > 190


# ---- the start


def test_tables_start_at_the_spread_of_their_channels(photos: list[Tensor]) -> None:
    fresh, codec = new_codec(), started(photos)
    x = Batches(photos, replace(TINY, batch=8), seed=9)()[0]
    prior, C = codec.prior, TINY.settings.slices[0]
    for row in (0, 4, LEVELS - 1):
        with torch.no_grad():
            y = codec.analysis(x, torch.full((8,), 1.0 + APART * row))[:, prior.order]  # (8, M, 4, 4)
            last = (y[:, :C] - prior.turns[-1].nearest(y[:, :C]))[..., turns_of(4, 4) == len(prior.turns) - 1]
        scales = scale_of(prior.y_level.values[row].double())
        for part, left in (
            (scales[:C], y[:, :C, :1, :1].flatten(2)),  # the first turn knows nothing
            (scales[(len(prior.turns) - 1) * C : len(prior.turns) * C], last),  # all its neighbours are known
            (scales[len(prior.turns) * C :], y[:, C:].flatten(2)),
        ):
            spread = left.double().pow(2).mean(dim=(0, 2)).sqrt().clamp(min=0.11)
            torch.testing.assert_close(part, spread, rtol=1e-3, atol=0)
    for before, after in zip(fresh.prior.predictors, prior.predictors, strict=True):
        torch.testing.assert_close(after[-1].weight, 0.01 * before[-1].weight)
        assert not after[-1].bias.any()
    batch = Batches(photos, replace(TINY, batch=4), seed=3)()
    assert loss(codec, batch) < 0.8 * loss(fresh, batch)


# ---- the run


def test_a_stopped_run_goes_on_to_the_bit(photos: list[Tensor]) -> None:
    whole = Training(started(photos), Batches(photos, TINY))
    records = list(whole)
    assert len(records) == whole.step == TINY.steps and records[0].keys() == {"loss", "bpp", "mse"}

    half = Training(started(photos), Batches(photos, TINY))
    before = [record for _, record in zip(range(3), half, strict=False)]
    file = io.BytesIO()
    torch.save(half.state(), file)
    file.seek(0)
    other = Training(new_codec(seed=7), Batches(photos, TINY, seed=7))
    next(iter(other))  # has moved on, too
    other.restore(torch.load(file, weights_only=True))
    assert other.step == 3
    assert before + list(other) == records
    assert same(weights(other.codec), weights(whole.codec))
    assert not same(weights(half.codec), weights(whole.codec))


def test_a_step_is_one_of_adam_on_that_loss(photos: list[Tensor]) -> None:
    codec, twin = started(photos), started(photos)
    record = next(iter(Training(codec, Batches(photos, TINY))))
    x, quality, noise = Batches(photos, TINY)()
    losses = loss_of(twin.train()(x, quality, noise), x, quality, z_price=0.0)  # z is free at first
    assert record == pytest.approx({name: value.item() for name, value in losses.items()})
    losses["loss"].backward()
    moved = 0
    for name, parameter in twin.named_parameters():
        rate = TINY.rates[2 if name.startswith("prior.") else 0 if "dct.weight" in name else 1] / WARM_UP
        step = codec.get_parameter(name) - parameter
        assert step.abs().max() < 1.01 * rate + 1e-7 * parameter.abs().max(), name  # Adam's first steps are ± the rate
        clear = parameter.grad.abs() > 1e-3  # beside Adam's 1e-8, however the gradient was cut
        assert (step[clear].sign() == -parameter.grad[clear].sign()).float().mean() > 0.99 if clear.any() else True
        moved += int(clear.sum())
    assert moved > 1000


def test_rates_rise_and_fall(photos: list[Tensor]) -> None:
    training = Training(new_codec(), Batches(photos, replace(TINY, steps=1000)))
    groups = training.optimizer.param_groups
    assert sorted(id(p) for g in groups for p in g["params"]) == sorted(id(p) for p in training.codec.parameters())
    factors = []
    for training.step in range(1000):
        factors.append(training._schedule())
    assert factors[0] == pytest.approx(1 / WARM_UP) and factors.index(max(factors)) in range(WARM_UP - 2, WARM_UP + 1)
    assert factors[500] == pytest.approx(0.505) and 0.01 <= factors[-1] < 0.011
    next(iter(Training(training.codec, training.batches)))


def test_sixty_steps_teach_something(photos: list[Tensor]) -> None:
    codec = started(photos)
    batches = Fixed(photos, replace(TINY, steps=60))
    before = loss(codec, batches())
    records = list(Training(codec, batches))
    assert loss(codec, batches()) < 0.85 * before
    assert records[-1]["loss"] < 0.85 * records[0]["loss"]


def test_finish_makes_the_tables(photos: list[Tensor]) -> None:
    codec = Training(new_codec().train(), Batches(photos, TINY)).finish()
    assert codec.is_built and not codec.training
    assert codec.decode(codec.encode(photos[0], 20)).shape == photos[0].shape


class Spoiled(Batches):
    """Nothing but NaN from the third batch on."""

    count = 0

    def __call__(self) -> tuple[Tensor, Tensor, Tensor]:
        x, quality, noise = super().__call__()
        self.count += 1
        return (x if self.count < 3 else x * float("nan")), quality, noise


def after_two(training: Training) -> Iterator[dict[str, float]]:
    steps = iter(training)
    next(steps), next(steps)
    return steps


def test_a_loss_that_is_no_number_ends_the_run_and_changes_nothing(photos: list[Tensor]) -> None:
    training = Training(started(photos), Spoiled(photos, TINY))
    steps = after_two(training)
    before = weights(training.codec)
    with pytest.raises(ValueError, match=r"^the loss of step 2 is nan .* the training has diverged"):
        next(steps)
    assert training.step == 2 and same(before, weights(training.codec))


def test_nor_does_a_gradient_that_is_none(photos: list[Tensor]) -> None:
    training = Training(started(photos), Batches(photos, TINY))
    steps = after_two(training)
    before = weights(training.codec)
    training.codec.synthesis.idct.weight.register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(ValueError, match=r"^the loss of step 2 is \d.* gradient of length (inf|nan): the training has"):
        next(steps)
    assert training.step == 2 and same(before, weights(training.codec))


def test_a_batch_that_cannot_be_shared(photos: list[Tensor], monkeypatch) -> None:
    for name, value in {"is_initialized": True, "get_rank": 0, "get_world_size": 3}.items():
        monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
    with pytest.raises(ValueError, match=r"^a batch of 2 cannot be shared evenly by 3 processes\.$"):
        Training(new_codec(), Batches(photos, TINY))


def test_half_precision_costs_little_precision(photos: list[Tensor]) -> None:
    """GPUs compute the networks in bfloat16; so can a CPU."""
    codec = started(photos).train()
    for parameter in codec.parameters():  # so that the refinements, which start as nothing, do something
        parameter.data += 0.01 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    x, quality, noise = Batches(photos, replace(TINY, batch=4), seed=2)()
    exact = loss_of(codec(x, quality, noise), x, quality)
    with torch.autocast("cpu", torch.bfloat16):
        output = codec(x, quality, noise)
    half = loss_of(output, x, quality)
    assert output["x_hat"].dtype == output["likelihoods"]["y"].dtype == torch.float32
    for name in exact:
        assert half[name].item() == pytest.approx(exact[name].item(), rel=0.04)
        assert half[name].item() != exact[name].item()
    half["loss"].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in codec.parameters())


def test_presets_grow() -> None:
    laptop, standard, gpu = (PRESETS[name] for name in ("laptop", "standard", "gpu"))
    assert (laptop.steps, laptop.batch, laptop.crop) == (2000, 8, 128)  # what the course promises of it
    for small, large in ((laptop, standard), (standard, gpu)):
        assert small.steps < large.steps and small.settings.hidden < large.settings.hidden
