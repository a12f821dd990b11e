"""Training: crops, losses, and a few steps on small codecs, which tell a loop that learns from one that does not."""

from __future__ import annotations

import copy
import io
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tutorial_lib import hyperprior  # noqa: F401, registers its codecs
from tutorial_lib import training as training_module
from tutorial_lib.codec import Codec
from tutorial_lib.codec_registry import create_codec
from tutorial_lib.first_codec import FirstCodec, notes_codec
from tutorial_lib.information import bits, rate_distortion_loss
from tutorial_lib.padding import reflect_pad
from tutorial_lib.quality import VariableRateCodec
from tutorial_lib.recipe import Recipe
from tutorial_lib.training import (
    LOSSES,
    RandomCrops,
    Training,
    cosine_schedule,
    fit_prior,
    half_precision,
    rate_distortion,
    rate_ms_ssim,
    seed_of,
)
from tutorial_lib.transform_codec import FactorizedPrior, TransformCodec
from tutorial_lib.workbench.photos import photo

LMBDA = 0.0067
SHORT = Recipe(steps=30, batch=8, crop=48, warm_up=5, rate_warm_up=1)


@pytest.fixture(scope="module")
def photos() -> list[Tensor]:
    return [photo("chelsea"), photo("coffee")]


@pytest.fixture(scope="module")
def batch(photos: list[Tensor]) -> Tensor:
    return RandomCrops(photos, size=48, batch=8)(0)


def new_codec(seed: int = 0) -> FirstCodec:
    torch.manual_seed(seed)
    return FirstCodec(LMBDA, hidden=16)


def prior_fitted(codec: FirstCodec, batch: Tensor, steps: int, **options: Any) -> FirstCodec:
    with torch.no_grad():
        y = codec.analysis(batch)
    for _ in fit_prior(codec.prior, lambda step: y, replace(SHORT, steps=max(1, steps)), **options):
        pass
    return codec


@pytest.fixture(scope="module")
def fitted(batch: Tensor) -> FirstCodec:
    return prior_fitted(new_codec(), batch, steps=40)


def trained(codec: TransformCodec, batches: Callable[[int], Tensor], recipe: Recipe, **options: Any) -> list[dict]:
    return list(Training(codec, batches, recipe, start=False, **options))


def parameters(codec: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in codec.named_parameters()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@torch.no_grad()
def evaluate(codec: TransformCodec, x: Tensor) -> dict[str, float]:
    codec = copy.deepcopy(codec).eval()
    return {name: value.item() for name, value in rate_distortion_loss(codec(x), x, LMBDA).items()}


class TestCrops:
    def test_a_batch(self, photos: list[Tensor]) -> None:
        x = RandomCrops(photos, size=40, batch=5)(3)
        assert x.shape == (5, 3, 40, 40) and x.dtype == torch.float32 and 0 <= x.min() < x.max() <= 1

    def test_they_follow_from_the_seed_and_the_step(self, photos: list[Tensor]) -> None:
        crops, again, other = (RandomCrops(photos, 32, 4, (0.8, 2.0), seed) for seed in (3, 3, 4))
        torch.manual_seed(0)  # on which nothing may depend
        first, second = crops(0), crops(1)
        torch.manual_seed(1)
        assert torch.equal(again(1), second) and torch.equal(again(0), first) and torch.equal(again(1), second)
        assert not torch.equal(first, second) and not torch.equal(first, other(0))
        assert not any(torch.equal(a, b) for a, b in itertools.combinations([*first, *second, *other(0)], 2))

    def test_weights_are_the_photos_chances(self) -> None:
        greys = [torch.full((3, 40, 40), 51 * n, dtype=torch.uint8) for n in range(4)]
        crops = RandomCrops(greys, 8, 400, seed=1, weights=[2.0, 0.0, 5.0, 1.0])
        shown = (crops(0)[:, 0, 0, 0] * 5).round().long()
        shares = torch.bincount(shown, minlength=4) / 400
        torch.testing.assert_close(shares, torch.tensor([0.25, 0.0, 0.625, 0.125]), rtol=0, atol=0.06)
        assert torch.equal(crops(3), RandomCrops(greys, 8, 400, seed=1, weights=[4, 0, 10, 2])(3))
        assert not torch.equal(crops(3), RandomCrops(greys, 8, 400, seed=1)(3))

    @pytest.mark.parametrize("weights", [[1.0], [1, 2, 3], [0, 0], [1, -1], [math.nan, 1], [math.inf, 1]])
    def test_weights_that_are_no_chances(self, weights: list[float]) -> None:
        with pytest.raises(ValueError, match=r"^2 photos need 2 finite weights, none below 0 and some above\.$"):
            RandomCrops([torch.zeros(3, 9, 9, dtype=torch.uint8)] * 2, weights=weights)

    def test_no_photos_no_crops(self) -> None:
        with pytest.raises(ValueError, match=r"^There are no photos to take crops from\.$"):
            RandomCrops([])

    def test_small_photos_are_mirrored(self) -> None:
        small = photo("coffee")[:, 200:240, 300:350]  # 40 × 50
        whole = reflect_pad(small, 0, 14, 0, 24) / 255
        crops = RandomCrops([small], size=64, batch=12)(0)
        turned = [torch.equal(crop, whole.flip(-1)) for crop in crops]
        assert all(torch.equal(crop, whole) for crop, flipped in zip(crops, turned, strict=True) if not flipped)
        assert True in turned and False in turned

    @pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 2), (63, 64)])
    def test_photos_of_any_shape_serve(self, shape: tuple[int, int]) -> None:
        x = RandomCrops([torch.full((3, *shape), 51, dtype=torch.uint8)], 64, 6, (0.8, 2.0))(0)
        torch.testing.assert_close(x, torch.full_like(x, 0.2))

    def test_they_are_of_random_size_place_and_side(self) -> None:
        """On a picture that grows brighter by one level a pixel, the slope shows the size, and its sign the flip."""
        ramp = torch.arange(250, dtype=torch.uint8).expand(3, 100, 250)
        crops = RandomCrops([ramp], 64, 80, (0.8, 2.0))(0) * 255  # (80, 3, 64, 64)
        slope = (crops[:, 0, 32, 48] - crops[:, 0, 32, 16]) / 32
        scale = 1 / slope.abs()
        assert 0.79 < scale.min() < 0.9 and 1.8 < scale.max() < 2.03
        assert 0.4 < (scale < math.sqrt(0.8 * 2)).float().mean() < 0.6  # as often half the size as twice
        assert 0.3 < (slope < 0).float().mean() < 0.7
        middle = crops[:, 0, 32, 32]
        assert middle.min() < 60 and middle.max() > 190


def output_of(*shape: int) -> tuple[dict[str, Any], Tensor]:
    """What a codec might have made of x, and x: (3, 3, …)."""
    generator = torch.Generator().manual_seed(1)
    x = torch.rand(3, 3, *shape, generator=generator)
    x_hat = (x + 0.1 * torch.rand(x.shape, generator=generator)).clamp(0, 1)
    y, z = (0.01 + 0.98 * torch.rand(3, *size, generator=generator) for size in ((5, 2, 2), (3, 1, 1)))
    return {"x_hat": x_hat, "likelihoods": {"y": y, "z": z}}, x


class TestLosses:
    @pytest.mark.parametrize("side_weight", [1.0, 0.25, 0.0])
    @pytest.mark.parametrize("lmbda", [0.01, torch.tensor([0.001, 0.01, 0.1])])
    def test_squared_error(self, lmbda: float | Tensor, side_weight: float) -> None:
        output, x = output_of(4, 6)
        losses = rate_distortion(output, x, lmbda, side_weight)
        assert losses.keys() == {"cost", "bpp", "mse"}
        for b in range(3):
            y, z = (sum(-math.log2(p) for p in output["likelihoods"][n][b].flatten().tolist()) / 24 for n in "yz")
            differences = (output["x_hat"][b] - x[b]).flatten().tolist()
            mse = sum(d * d for d in differences) / len(differences)
            price = lmbda if isinstance(lmbda, float) else lmbda[b].item()
            assert losses["bpp"][b].item() == pytest.approx(y + z, rel=1e-5)
            assert losses["mse"][b].item() == pytest.approx(mse, rel=1e-5)
            assert losses["cost"][b].item() == pytest.approx(y + side_weight * z + price * 255**2 * mse, rel=1e-5)

    def test_it_is_that_of_notebook_03(self) -> None:
        output, x = output_of(16, 16)
        mean = rate_distortion_loss(output, x, LMBDA)["loss"]
        torch.testing.assert_close(rate_distortion(output, x, LMBDA)["cost"].mean(), mean)

    def test_ms_ssim(self) -> None:
        from pytorch_msssim import ms_ssim

        output, x = output_of(161, 200)
        losses = rate_ms_ssim(output, x, 0.01, 0.5)
        assert losses.keys() == {"cost", "bpp", "mse", "ms_ssim"}
        plain = rate_distortion(output, x, 0.0, 0.5)
        for b in range(3):
            similarity = ms_ssim(output["x_hat"][b : b + 1], x[b : b + 1], data_range=1.0)
            torch.testing.assert_close(losses["ms_ssim"][b], similarity)
            torch.testing.assert_close(losses["cost"][b], plain["cost"][b] + 0.01 * 1300 * (1 - similarity))
        for name in ("bpp", "mse"):
            assert torch.equal(losses[name], plain[name])

    def test_ms_ssim_needs_large_crops(self) -> None:
        output, x = output_of(160, 200)
        with pytest.raises(ValueError, match=r"^MS-SSIM needs crops of at least 161 pixels, not 200 × 160\.$"):
            rate_ms_ssim(output, x, 0.01)

    @pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
    def test_pictures_of_two_sizes(self, loss) -> None:
        output, x = output_of(176, 176)
        with pytest.raises(ValueError, match="they must be alike"):
            loss(output, x[..., 1:], 0.01)

    def test_ms_ssim_can_be_learned(self, fitted: FirstCodec, photos: list[Tensor]) -> None:
        x = RandomCrops(photos, size=192, batch=2)(0)
        records = trained(copy.deepcopy(fitted), lambda step: x, replace(SHORT, steps=12, batch=2), loss=rate_ms_ssim)
        assert records[0].keys() == {"loss", "bpp", "mse", "ms_ssim"}
        assert records[-1]["loss"] < 0.97 * records[0]["loss"]


class TestFittingAPrior:
    def test_it_lowers_the_bits_and_touches_nothing_else(self, batch: Tensor, fitted: FirstCodec) -> None:
        before, after = evaluate(new_codec(), batch), evaluate(fitted, batch)
        assert after["bpp"] < 0.5 * before["bpp"]
        for name, parameter in parameters(new_codec()).items():
            unchanged = torch.equal(parameter, dict(fitted.named_parameters())[name])
            assert unchanged != name.startswith("prior."), name

    def test_it_starts_as_wide_as_its_channels(self, batch: Tensor) -> None:
        """So it is useful before its first gradient step; the steps improve it further."""
        started = new_codec()
        started.start_at(batch)
        bits_after = [evaluate(started, batch)["bpp"]]
        bits_after += [evaluate(prior_fitted(new_codec(), batch, steps), batch)["bpp"] for steps in (10, 40)]
        assert bits_after[2] < bits_after[1] < bits_after[0] < 0.7 * evaluate(new_codec(), batch)["bpp"]

    def test_a_wide_channel_gets_a_wide_density(self, batch: Tensor) -> None:
        codec = new_codec()
        codec.start_at(batch)
        quantiles = codec.prior.entropy_bottleneck.quantiles(0.2)  # (M, 3)
        spread = quantiles[:, 2] - quantiles[:, 0]
        with torch.no_grad():
            width = codec.analysis(batch).abs().mean(dim=(0, 2, 3)).clamp(min=0.1)
        # between 10 % and 90 % a logistic density of scale s is 2 ln 9 · s wide; the factors start at 0, so it is one
        torch.testing.assert_close(spread.float(), 2 * torch.log(torch.tensor(9.0)) * width, rtol=1e-3, atol=1e-3)

    def test_a_start_forgets_and_a_later_fit_goes_on(self, batch: Tensor, fitted: FirstCodec) -> None:
        again, start = copy.deepcopy(fitted), new_codec()
        with torch.no_grad():
            again.prior.entropy_bottleneck.factors[0].fill_(3.0)  # far from any logistic density
        again.start_at(batch)
        start.start_at(batch)
        assert evaluate(again, batch)["bpp"] == pytest.approx(evaluate(start, batch)["bpp"], rel=0.02)

        flatter = 0.5 + 0.3 * (batch - 0.5)  # pictures with less contrast, to which the fitted prior is too wide
        later = prior_fitted(copy.deepcopy(fitted), flatter, steps=20, start=False)
        assert evaluate(later, flatter)["bpp"] < 0.95 * evaluate(fitted, flatter)["bpp"]

    def test_the_record_is_bits_a_position(self, batch: Tensor) -> None:
        codec = new_codec()
        with torch.no_grad():
            y = codec.analysis(batch)
        record = next(iter(fit_prior(codec.prior, lambda step: y, SHORT)))
        assert record["loss"] == record["bpp"] == pytest.approx(evaluate(codec, batch)["bpp"] * 256, rel=0.2)

    def test_with_another_loss(self, batch: Tensor) -> None:
        """Of ŷ and y, too."""
        codec, heard = new_codec(), []
        with torch.no_grad():
            y = codec.analysis(batch)

        def loss(output, x: Tensor, lmbda, side_weight: float = 1.0) -> dict[str, Tensor]:
            heard.append((torch.equal(x, y), lmbda, side_weight))
            return rate_distortion(output, x, lmbda, side_weight)

        recipe = replace(SHORT, steps=2, lmbda=0.5, rate_warm_up=4)
        assert len(list(fit_prior(codec.prior, lambda step: y, recipe, loss))) == 2
        assert heard == [(True, 0.5, 0.0), (True, 0.5, 0.25)]


class TestLearning:
    def test_the_loss_falls_and_the_tables_can_be_built(self, batch: Tensor, fitted: FirstCodec) -> None:
        codec = copy.deepcopy(fitted)
        before = evaluate(codec, batch)
        training = Training(codec, lambda step: batch, SHORT, start=False)
        records = list(training)
        assert len(records) == training.step == 30 and not codec.is_built
        assert evaluate(codec, batch)["loss"] < 0.97 * before["loss"]
        assert sum(r["loss"] for r in records[-5:]) < 0.99 * sum(r["loss"] for r in records[:5])

        assert training.finish() is codec and not codec.training and codec.is_built
        coded = codec.compress(batch[:1])
        with torch.no_grad():
            forward = codec(batch[:1])
        assert torch.equal(codec.decompress(**coded)["x_hat"], forward["x_hat"])
        promised = bits(forward["likelihoods"]["y"]).item() / 8
        assert len(coded["strings"][0][0]) <= 1.002 * promised + 37  # the tables are those of the trained density

    def test_a_record_is_the_loss_of_its_step(self, batch: Tensor, fitted: FirstCodec) -> None:
        record = trained(copy.deepcopy(fitted), lambda step: batch, replace(SHORT, steps=1))[0]
        assert record.keys() == {"loss", "bpp", "mse"}
        assert all(type(value) is float for value in record.values())
        assert record["loss"] == pytest.approx(record["bpp"] + LMBDA * 255**2 * record["mse"], rel=1e-5)
        assert record["mse"] == pytest.approx(evaluate(fitted, batch)["mse"], rel=0.2)

    def test_the_notes_codec_can_be_trained_too(self, batch: Tensor) -> None:
        torch.manual_seed(0)
        training = Training(notes_codec(), lambda step: batch, SHORT)
        records = list(training)
        assert records[-1]["loss"] < 0.8 * records[0]["loss"]
        assert training.finish().is_built

    def test_it_starts_the_prior_at_the_first_crops(self, photos: list[Tensor]) -> None:
        codec, twin = new_codec(), new_codec()
        crops = RandomCrops(photos, 48, 8)
        Training(codec, crops, SHORT)
        twin.start_at(torch.cat([crops(10**8 + n) for n in range(4)]))  # none that is trained on
        assert same(parameters(codec), parameters(twin)) and not same(parameters(codec), parameters(new_codec()))

    def test_the_same_seed_gives_the_same_codec(self, photos: list[Tensor]) -> None:
        states = []
        for seed in (0, 0, 1):
            codec = new_codec(seed)
            torch.rand(seed)  # what was drawn before does not matter
            list(Training(codec, RandomCrops(photos, 32, 2, seed=seed), replace(SHORT, steps=3, batch=2), seed=seed))
            states.append(codec.state_dict())
        one, again, other = states
        assert same(one, again) and not torch.equal(one["analysis.dct.weight"], other["analysis.dct.weight"])

    def test_a_stopped_run_goes_on_to_the_bit(self, photos: list[Tensor]) -> None:
        recipe, crops = replace(SHORT, steps=6, batch=2), RandomCrops(photos, 48, 2, (0.8, 2.0))
        whole = Training(new_codec(), crops, recipe)
        records = list(whole)
        half = Training(new_codec(), crops, recipe)
        before = [record for _, record in zip(range(3), half, strict=False)]
        file = io.BytesIO()
        torch.save(half.state(), file)
        file.seek(0)
        other = Training(new_codec(seed=7), crops, recipe, start=False)
        next(iter(other))  # has moved on, too
        other.restore(torch.load(file, weights_only=True))
        assert other.step == 3 and before + list(other) == records
        assert same(other.codec.state_dict(), whole.codec.state_dict())
        assert not same(half.codec.state_dict(), whole.codec.state_dict())


class TestMeansOfTheWeights:
    RECIPE = replace(SHORT, steps=12, batch=2, average=0.75)

    def new_run(self, photos: list[Tensor], recipe: Recipe = RECIPE, seed: int = 0, start: bool = True) -> Training:
        return Training(new_codec(seed), RandomCrops(photos, 32, 2), recipe, start=start)

    def test_they_are_running_means_that_forget_the_beginning(self, photos: list[Tensor]) -> None:
        training = self.new_run(photos)
        mean = parameters(training.codec)
        for step, _ in enumerate(training, start=1):
            kept = min(0.75, step / (step + 10))  # 1/11, 2/12, … : at first the steps so far count alike, nearly
            for name, value in parameters(training.codec).items():
                mean[name] = kept * mean[name] + (1 - kept) * value
        last = parameters(training.codec)
        assert not same(last, mean)
        finished = parameters(training.finish())
        for name, value in mean.items():
            torch.testing.assert_close(finished[name], value)

    def test_they_change_nothing_in_the_run(self, photos: list[Tensor]) -> None:
        plain, averaged = self.new_run(photos, replace(self.RECIPE, average=0.0)), self.new_run(photos)
        assert list(plain) == list(averaged)
        assert same(parameters(plain.codec), parameters(averaged.codec))
        assert "average" not in plain.state() and averaged.state()["average"].keys() == parameters(plain.codec).keys()

    def test_a_stopped_run_keeps_them_to_the_bit(self, photos: list[Tensor]) -> None:
        whole, half = self.new_run(photos), self.new_run(photos)
        list(whole), [record for _, record in zip(range(5), half, strict=False)]
        file = io.BytesIO()
        torch.save(half.state(), file)
        file.seek(0)
        other = self.new_run(photos, seed=7, start=False)
        other.restore(torch.load(file, weights_only=True))
        list(other), list(half)
        assert same(other.average, whole.average) and same(half.average, whole.average)
        assert same(other.finish().state_dict(), whole.finish().state_dict())

    def test_a_state_without_them_is_of_another_run(self, photos: list[Tensor]) -> None:
        state = self.new_run(photos, replace(self.RECIPE, average=0.0)).state()
        with pytest.raises(KeyError):
            self.new_run(photos).restore(state)


class Dial(VariableRateCodec):
    """A codec of variable rate that does nothing but tell what it was asked for."""

    def __init__(self) -> None:
        super().__init__(nn.Identity(), nn.Identity(), FactorizedPrior(3), stride=1)
        self.asked: list[Tensor] = []

    def forward(self, x: Tensor, quality: Tensor) -> dict[str, Any]:
        self.asked.append(quality)
        y_hat, likelihoods = self.prior(x)
        return {"x_hat": y_hat, "likelihoods": likelihoods}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return self.prior.parameter_groups()


def test_qualities_follow_from_the_seed_and_the_step(batch: Tensor) -> None:
    batch, recipe, asked = batch[..., :8, :8], replace(SHORT, steps=40), []
    for seed in (0, 0, 1):
        codec = Dial()
        trained(codec, lambda step: batch, recipe, seed=seed)
        asked.append(torch.stack(codec.asked))  # (40, 8)
    one, again, other = asked
    assert torch.equal(one, again) and not (one == other).any() and len(one.unique()) == 320
    assert 1 <= one.min() < 5 and 96 < one.max() <= 100 and 45 < one.mean() < 56
    # ... and have nothing to do with the noise inside the codec, which comes from torch's own generator.
    noise = torch.stack([torch.rand(8, generator=torch.Generator().manual_seed(seed_of(0, n))) for n in range(40)])
    assert torch.corrcoef(torch.stack([one.flatten(), noise.flatten()]))[0, 1].abs() < 0.2


class TestSteps:
    def test_a_step_is_one_of_adam(self, batch: Tensor, fitted: FirstCodec) -> None:
        """On the mean over the batch of cost · (λ₀ / λ)^0.6, with the gradient of all but the densities clipped."""
        codec, twin = copy.deepcopy(fitted), copy.deepcopy(fitted)
        codec.lmbda = 0.02  # its own, which counts, and not the recipe's
        recipe = replace(SHORT, steps=10, lmbda=0.5, clip=0.1, warm_up=1)
        record = trained(codec, lambda step: batch, replace(recipe, steps=1))[0]
        torch.manual_seed(seed_of(0, 0))
        losses = rate_distortion(twin.train()(batch), batch, 0.02, side_weight=0.0)
        assert record == pytest.approx(
            {"loss": losses["cost"].mean().item()} | {n: losses[n].mean().item() for n in ("bpp", "mse")}
        )
        (losses["cost"] * (0.0067 / 0.02) ** 0.6).mean().backward()
        assert nn.utils.get_total_norm([p.grad for p in twin.analysis.parameters()]) > 0.1
        rates = {"prior.": 3e-2, "analysis.dct.weight": 1e-4, "synthesis.idct.weight": 1e-4, "": 1e-3}
        for name, parameter in twin.named_parameters():
            rate = next(rate for start, rate in rates.items() if name.startswith(start))
            step = codec.get_parameter(name) - parameter
            assert step.abs().max() < 1.01 * rate + 1e-6 * parameter.abs().max(), (
                name
            )  # Adam's first step is ± the rate
            clear = parameter.grad.abs() > 1e-3  # beside Adam's 1e-8, however the gradient was clipped
            assert torch.equal(step[clear].sign(), -parameter.grad[clear].sign()), name

    def test_rates_by_name_and_a_rate_of_0_leaves_a_group_out(self, batch: Tensor, fitted: FirstCodec) -> None:
        codec = copy.deepcopy(fitted)
        before = parameters(codec)
        recipe = replace(SHORT, steps=3, warm_up=1, rates={"linear": 0.0, "densities": 0, "transforms": 5e-3})
        training = Training(codec, lambda step: batch, recipe, start=False)
        assert [group["name"] for group in training.optimizer.param_groups] == ["transforms"]
        list(training)
        for name, parameter in parameters(codec).items():
            left_out = name.startswith("prior.") or name in ("analysis.dct.weight", "synthesis.idct.weight")
            assert torch.equal(parameter, before[name]) == left_out, name
        assert 3e-3 < (parameters(codec)["analysis.dead_zone"] - before["analysis.dead_zone"]).abs().max() < 0.016

    def test_the_cosines_move_slowly(self, batch: Tensor, fitted: FirstCodec) -> None:
        codec = copy.deepcopy(fitted)
        before = parameters(codec)
        trained(codec, lambda step: batch, replace(SHORT, steps=20))
        moved = {name: (p - before[name]).abs().max().item() for name, p in parameters(codec).items()}
        assert min(moved.values()) > 0
        for name in ("analysis.dct.weight", "synthesis.idct.weight"):
            assert moved[name] < 1.5 * 1e-4 * 20, name  # Adam's steps are about as long as the rate
        assert moved["analysis.refine.network.0.weight"] > 3 * moved["analysis.dct.weight"]

    def test_gradients_are_clipped_but_for_groups_that_say_no(self, batch: Tensor, fitted: FirstCodec) -> None:
        """The gradient of all others together is cut to length 1 before the step, however large the loss."""
        codec = copy.deepcopy(fitted)
        training = Training(codec, lambda step: batch, replace(SHORT, steps=3, lmbda=1000 * LMBDA), start=False)
        for _ in training:
            gradients = {name: p.grad for name, p in codec.named_parameters()}
            clipped = [g for name, g in gradients.items() if not name.startswith("prior.")]
            assert torch.cat([g.flatten() for g in clipped]).norm() == pytest.approx(1, rel=1e-3)
        assert all(p.isfinite().all() for p in codec.parameters())

        def gradient_of_densities(clip: float) -> Tensor:
            codec = copy.deepcopy(fitted)
            trained(codec, lambda step: batch, replace(SHORT, steps=1, clip=clip))
            return torch.cat([p.grad.flatten() for p in codec.prior.parameters()])

        assert torch.equal(gradient_of_densities(1e-6), gradient_of_densities(1e6))

    def test_the_schedule(self) -> None:
        factors = [cosine_schedule(step, 1000, 50) for step in range(1000)]
        assert factors[0] == pytest.approx(1 / 50, rel=1e-3) and factors.index(max(factors)) in (48, 49, 50)
        assert all(a < b for a, b in itertools.pairwise(factors[:48]))
        assert all(a > b for a, b in itertools.pairwise(factors[50:]))
        assert factors[500] == pytest.approx(0.505) and 0.01 <= factors[-1] < 0.011
        assert cosine_schedule(0, 1, 0) == 1
        assert factors == [cosine_schedule(step, 1000, 50, decay=1.0) for step in range(1000)]

    def test_a_schedule_that_can_be_extended(self) -> None:
        """A rise, a plateau, and a fall at the end; up to the fall it knows nothing of the end."""
        short, long = ([cosine_schedule(step, steps, 50, decay=0.2) for step in range(steps)] for steps in (1000, 3000))
        assert short[:800] == long[:800] and set(short[49:801]) == {1.0} and set(long[49:2401]) == {1.0}
        assert all(a > b for a, b in itertools.pairwise(short[800:]))
        assert short[900] == pytest.approx(0.505) and 0.01 <= short[-1] < 0.011
        assert {cosine_schedule(step, 100, 1, decay=0.0) for step in range(100)} == {1.0}
        assert short == pytest.approx([cosine_schedule(step, 1000, 50, decay=200) for step in range(1000)])
        recipes = [Recipe(steps=1000, decay=decay) for decay in (0.0, 0.1, 0.2, 1.0, 300, 5000)]
        assert [recipe.fall_start for recipe in recipes] == [1000, 900, 800, 0, 700, 0]

    def test_the_recipe_says_when_rates_fall(self, batch: Tensor, fitted: FirstCodec) -> None:
        training = Training(
            copy.deepcopy(fitted), lambda step: batch, replace(SHORT, steps=8, warm_up=1, decay=0.5), start=False
        )
        rates = [
            training.optimizer.param_groups[0]["lr"] / training.optimizer.param_groups[0]["full_rate"] for _ in training
        ]
        assert rates[:5] == [1.0] * 5 and rates[6] == pytest.approx(0.505) and rates[7] < 0.2

    def test_a_codec_may_choose_its_optimizer(self, batch: Tensor, fitted: FirstCodec, monkeypatch) -> None:
        codec = copy.deepcopy(fitted)
        monkeypatch.setattr(codec, "optimizer", lambda groups: torch.optim.SGD(groups, momentum=0.5))
        training = Training(codec, lambda step: batch, replace(SHORT, steps=2, rates={"linear": 0}), start=False)
        assert type(training.optimizer) is torch.optim.SGD
        assert [group["name"] for group in training.optimizer.param_groups] == ["transforms", "densities"]
        before = parameters(codec)
        assert len(list(training)) == 2 and not same(before, parameters(codec))

    def test_the_last_steps_are_small(self, batch: Tensor, fitted: FirstCodec) -> None:
        codec, name = copy.deepcopy(fitted), "analysis.dead_zone"
        path = [parameters(codec)[name]]
        for _ in Training(codec, lambda step: batch, replace(SHORT, steps=40, warm_up=10), start=False):
            path.append(parameters(codec)[name])
        lengths = [(b - a).norm().item() for a, b in itertools.pairwise(path)]
        assert lengths[0] < 0.2 * max(lengths) and lengths[-1] < 0.2 * max(lengths)

    def test_a_z_that_costs_nothing_at_first(self, batch: Tensor) -> None:
        heard = []

        def loss(output, x, lmbda, side_weight: float = 1.0) -> dict[str, Tensor]:
            heard.append(side_weight)
            return rate_distortion(output, x, lmbda, side_weight)

        trained(new_codec(), lambda step: batch, replace(SHORT, steps=6, rate_warm_up=4), loss=loss)
        assert heard == [0, 0.25, 0.5, 0.75, 1, 1]


class TestABatchInParts:
    @pytest.mark.parametrize("codec", ["first", "hyperprior"])
    def test_it_is_one_batch_up_to_the_order_of_sums(self, photos: list[Tensor], codec: str) -> None:
        """The noise for rounding included, which a hyperprior is trained with."""
        runs = []
        for parts in (1, 2, 4):
            torch.manual_seed(0)
            made = new_codec() if codec == "first" else create_codec("bmshj2018-hyperprior", N=4, M=6)
            recipe = replace(SHORT, steps=2, batch=4, crop=64, accumulate=parts)
            runs.append((list(Training(made, RandomCrops(photos, 64, 4), recipe)), parameters(made)))
        (records, weights), *others = runs
        for other_records, other_weights in others:
            for record, other in zip(records, other_records, strict=True):
                assert record == pytest.approx(other, rel=1e-4)
            for name, value in weights.items():
                assert (other_weights[name] - value).norm() <= 1e-3 * value.norm() + 1e-6, name

    def test_parts_that_are_no_whole_crops(self) -> None:
        with pytest.raises(ValueError, match=r"^a batch of 8 cannot .* evenly by 1 processes of 3 parts each\.$"):
            Training(new_codec(), lambda step: torch.zeros(0), replace(SHORT, accumulate=3))
        with pytest.raises(ValueError, match=r"^accumulate is 0, rate_factor 1\.0: they must be 1 or more"):
            replace(SHORT, accumulate=0)


class TestHalfPrecision:
    @pytest.mark.parametrize(
        ("device", "capability", "expected"),
        [
            ("cpu", None, None),
            ("cuda", (9, 0), torch.bfloat16),
            ("cuda", (8, 0), torch.bfloat16),
            ("cuda", (7, 5), torch.float16),  # Colab's T4
            ("cuda", (7, 0), torch.float16),
            ("cuda", (6, 1), None),
        ],
    )
    def test_what_a_device_can_do(self, device: str, capability: Any, expected: Any) -> None:
        assert half_precision(torch.device(device), capability) == expected

    def float16_run(self, batch: Tensor, codec: FirstCodec, monkeypatch, steps: int = 6) -> Training:
        monkeypatch.setattr(training_module, "half_precision", lambda device: torch.float16)
        return Training(copy.deepcopy(codec), lambda step: batch, replace(SHORT, steps=steps, warm_up=1), start=False)

    def test_float16_with_a_scaled_loss_learns_alike(self, batch: Tensor, fitted: FirstCodec, monkeypatch) -> None:
        exact = trained(copy.deepcopy(fitted), lambda step: batch, replace(SHORT, steps=6, warm_up=1))
        training = self.float16_run(batch, fitted, monkeypatch)
        assert training.scaler.is_enabled() and training.scaler.get_scale() > 1000
        for half, record in zip(training, exact, strict=True):
            assert half["loss"] == pytest.approx(record["loss"], rel=0.03) and half != record

    def test_a_step_whose_gradient_overflows_is_left_out(self, batch: Tensor, fitted: FirstCodec, monkeypatch) -> None:
        training = self.float16_run(batch, fitted, monkeypatch)
        weight, scale = training.codec.get_parameter("synthesis.idct.weight"), training.scaler.get_scale()
        handle, before = weight.register_hook(lambda gradient: gradient * math.inf), parameters(training.codec)
        steps = iter(training)
        next(steps)
        assert training.step == 1 and training.scaler.get_scale() == scale / 2
        assert same(before, parameters(training.codec))
        handle.remove()
        next(steps)
        assert not same(before, parameters(training.codec))
        state = training.state()
        other = self.float16_run(batch, fitted, monkeypatch)
        other.restore(copy.deepcopy(state))
        assert other.scaler.get_scale() == scale / 2 and list(other) == list(steps)

    def test_a_gpu_could_compute_it(self) -> None:
        """Forward pass and loss of the full codec, with tensors that say they are on one, and hold nothing.

        (PyTorch does not go backward without a real one.)
        """
        from torch._subclasses.fake_tensor import FakeTensorMode

        codec = Codec(C=[6, 8], P=[6, 8], P_colour=[4, 6], half=6, quarter=6, blocks=1)
        for precision in (torch.bfloat16, torch.float16):
            there = copy.deepcopy(codec).train()
            with FakeTensorMode(allow_non_fake_inputs=True) as mode:
                for module in there.modules():
                    for name, p in module._parameters.items():
                        if p is not None:
                            module._parameters[name] = nn.Parameter(mode.from_tensor(p.detach()).to("cuda"))
                    for name, value in module._buffers.items():
                        module._buffers[name] = None if value is None else mode.from_tensor(value).to("cuda")
                x, quality = torch.rand(2, 3, 32, 32, device="cuda"), torch.tensor([20.0, 80.0], device="cuda")
                with torch.autocast("cuda", precision):
                    output = there(x, quality)
                lmbda = there.lagrange_multiplier(quality)
                loss = rate_distortion(output, x, lmbda)["cost"].mean()
            assert output["x_hat"].device.type == "cuda" and output["x_hat"].dtype == torch.float32
            assert all(part.dtype == torch.float32 for part in output["likelihoods"].values())
            assert loss.device.type == "cuda" and loss.requires_grad


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "numbers",
        [{"steps": 0}, {"steps": -3}, {"batch": 0}, {"crop": 0}]
        + [{"lmbda": value} for value in (0.0, -1.0, math.inf, math.nan)],
    )
    def test_training_for_nothing(self, numbers: dict[str, float]) -> None:
        with pytest.raises(ValueError, match=r"^There are .* λ is .*: all must be above 0.*\.$"):
            Recipe(**numbers)

    @pytest.mark.parametrize("numbers", [{"decay": -0.1}, {"decay": 1.5}, {"average": 1.0}, {"average": -0.5}])
    def test_shares_beyond_0_and_1(self, numbers: dict[str, float]) -> None:
        with pytest.raises(
            ValueError, match=r"^decay is .*, average .*: they must be from 0 to 1, and average below 1; or .*\.$"
        ):
            Recipe(**numbers)

    def test_a_loss_that_is_no_number_spoils_nothing(self, batch: Tensor, fitted: FirstCodec) -> None:
        training = Training(
            copy.deepcopy(fitted), lambda step: batch * (float("nan") if step == 2 else 1), SHORT, start=False
        )
        steps = after_two(training)
        before = parameters(training.codec)
        with pytest.raises(ValueError, match=r"^the loss of step 2 is nan .* the training has diverged"):
            next(steps)
        assert training.step == 2 and same(before, parameters(training.codec))

    @pytest.mark.parametrize("name", ["synthesis.idct.weight", "prior.entropy_bottleneck.matrices.0"])
    def test_nor_does_a_gradient_that_is_none(self, batch: Tensor, fitted: FirstCodec, name: str) -> None:
        """Whether it is one that is clipped or not."""
        training = Training(copy.deepcopy(fitted), lambda step: batch, SHORT, start=False)
        steps = after_two(training)
        before = parameters(training.codec)
        training.codec.get_parameter(name).register_hook(lambda gradient: gradient * float("inf"))
        with pytest.raises(ValueError, match=r"^the loss of step 2 is \d.* gradient of length (inf|nan): the training"):
            next(steps)
        assert training.step == 2 and same(before, parameters(training.codec))

    def test_a_batch_that_cannot_be_shared(self, batch: Tensor, monkeypatch) -> None:
        for name, value in {"is_initialized": True, "get_rank": 0, "get_world_size": 3}.items():
            monkeypatch.setattr(torch.distributed, name, lambda value=value: value)
        with pytest.raises(ValueError, match=r"^a batch of 8 cannot be shared evenly by 3 processes\.$"):
            Training(new_codec(), lambda step: batch, SHORT)


def after_two(training: Training) -> Iterator[dict[str, float]]:
    steps = iter(training)
    next(steps), next(steps)
    return steps
