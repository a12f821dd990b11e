"""Training: a few steps on small codecs, which already tell a loop that learns from one that does not."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from torch import Tensor

from tutorial_lib.first_codec import FirstCodec, notes_codec
from tutorial_lib.information import bits, rate_distortion_loss
from tutorial_lib.training import TRANSFORM_RATE, RandomCrops, fit_prior, train
from tutorial_lib.workbench.photos import photo

LMBDA = 0.0067


@pytest.fixture(scope="module")
def batch() -> Tensor:
    return RandomCrops([photo("chelsea"), photo("coffee")], size=48, seed=0)(16)


def new_codec(seed: int = 0) -> FirstCodec:
    torch.manual_seed(seed)
    return FirstCodec(LMBDA, hidden=16)


@pytest.fixture(scope="module")
def fitted(batch: Tensor) -> FirstCodec:
    codec = new_codec()
    fit_prior(codec, batch, steps=40)
    return codec


def parameters(codec: FirstCodec) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in codec.named_parameters()}


@torch.no_grad()
def evaluate(codec: FirstCodec, x: Tensor) -> dict[str, float]:
    codec = copy.deepcopy(codec).eval()
    return {name: value.item() for name, value in rate_distortion_loss(codec(x), x, LMBDA).items()}


def test_fitting_the_prior_lowers_the_bits_and_touches_nothing_else(batch: Tensor, fitted: FirstCodec) -> None:
    before, after = evaluate(new_codec(), batch), evaluate(fitted, batch)
    assert after["bpp"] < 0.5 * before["bpp"]
    for name, parameter in parameters(new_codec()).items():
        same = torch.equal(parameter, dict(fitted.named_parameters())[name])
        assert same != name.startswith("prior."), name


def test_the_prior_starts_as_wide_as_its_channel(batch: Tensor) -> None:
    """So it is useful before its first gradient step; the steps improve it further."""
    bits_after = {}
    for steps in (0, 10, 40):
        codec = new_codec()
        fit_prior(codec, batch, steps)
        bits_after[steps] = evaluate(codec, batch)["bpp"]
    assert bits_after[40] < bits_after[10] < bits_after[0] < 0.7 * evaluate(new_codec(), batch)["bpp"]


def test_a_wide_channel_gets_a_wide_density(batch: Tensor) -> None:
    codec = new_codec()
    fit_prior(codec, batch, steps=0)
    quantiles = codec.prior.entropy_bottleneck.quantiles(0.2)  # (M, 3)
    spread = quantiles[:, 2] - quantiles[:, 0]
    with torch.no_grad():
        width = codec.analysis(batch).abs().mean(dim=(0, 2, 3)).clamp(min=0.1)
    # between 10 % and 90 % a logistic density of scale s is 2 ln 9 · s wide; the factors start at 0, so it is one
    torch.testing.assert_close(spread.float(), 2 * torch.log(torch.tensor(9.0)) * width, rtol=1e-3, atol=1e-3)


def test_a_fresh_start_forgets_and_a_later_fit_goes_on(batch: Tensor, fitted: FirstCodec) -> None:
    again = copy.deepcopy(fitted)
    with torch.no_grad():
        again.prior.entropy_bottleneck.factors[0].fill_(3.0)  # far from any logistic density
    fit_prior(again, batch, steps=0, fresh=True)
    start = new_codec()
    fit_prior(start, batch, steps=0)
    assert evaluate(again, batch)["bpp"] == pytest.approx(evaluate(start, batch)["bpp"], rel=0.01)

    later = copy.deepcopy(fitted)
    fit_prior(later, batch, steps=0, fresh=False)
    assert all(torch.equal(p, q) for p, q in zip(later.parameters(), fitted.parameters(), strict=True))
    flatter = 0.5 + 0.3 * (batch - 0.5)  # pictures with less contrast, to which the fitted prior is too wide
    fit_prior(later, flatter, steps=20, fresh=False)
    assert evaluate(later, flatter)["bpp"] < 0.95 * evaluate(fitted, flatter)["bpp"]


@pytest.mark.parametrize("mode", [True, False])
def test_fitting_leaves_the_codec_in_its_mode(batch: Tensor, mode: bool) -> None:
    codec = new_codec().train(mode)
    fit_prior(codec, batch, steps=1)
    assert all(module.training is mode for module in codec.modules())


def test_the_fits_last_steps_are_small(batch: Tensor) -> None:
    torch.manual_seed(0)
    near, far = new_codec(), new_codec()
    for codec, steps in ((near, 1), (far, 2)):
        torch.manual_seed(0)
        fit_prior(codec, batch, steps)
    moved = [(a - b).abs().max() for a, b in zip(near.parameters(), far.parameters(), strict=True)]
    assert 0 < max(moved) < 0.025  # the second of two steps is half as long as the first, whose rate is 0.03


def test_training_lowers_the_loss_and_leaves_the_tables_built(batch: Tensor, fitted: FirstCodec) -> None:
    codec = copy.deepcopy(fitted)
    before = evaluate(codec, batch)
    records = list(train(codec, lambda: batch, LMBDA, steps=30))
    assert len(records) == 30
    assert evaluate(codec, batch)["loss"] < 0.97 * before["loss"]
    assert sum(r["loss"] for r in records[-5:]) < 0.99 * sum(r["loss"] for r in records[:5])

    assert not codec.training and codec.is_built
    coded = codec.compress(batch[:1])
    with torch.no_grad():
        forward = codec(batch[:1])
    assert torch.equal(codec.decompress(**coded)["x_hat"], forward["x_hat"])
    promised = bits(forward["likelihoods"]["y"]).item() / 8
    assert len(coded["strings"][0][0]) <= 1.002 * promised + 37  # the tables are those of the trained density


def test_a_record_is_the_loss_of_its_step(batch: Tensor, fitted: FirstCodec) -> None:
    codec = copy.deepcopy(fitted)
    record = next(train(codec, lambda: batch, LMBDA, steps=5))
    assert record.keys() == {"loss", "bpp", "mse"}
    assert all(type(value) is float for value in record.values())
    assert record["loss"] == pytest.approx(record["bpp"] + LMBDA * 255**2 * record["mse"], rel=1e-5)
    assert record["mse"] == pytest.approx(evaluate(fitted, batch)["mse"], rel=0.2)
    assert not codec.is_built  # not run to its end


def test_the_notes_codec_can_be_trained_too(batch: Tensor) -> None:
    torch.manual_seed(0)
    codec = notes_codec()
    records = list(train(codec, lambda: batch, LMBDA, steps=30))
    assert records[-1]["loss"] < 0.8 * records[0]["loss"]
    assert codec.is_built


def test_the_same_seed_gives_the_same_codec(batch: Tensor) -> None:
    states = []
    for seed in (0, 0, 1):
        codec = new_codec(seed)
        crops = RandomCrops([photo("chelsea")], size=32, seed=seed)
        fit_prior(codec, batch, steps=3)
        for _ in train(codec, lambda: crops(2), LMBDA, steps=3):  # noqa: B023
            pass
        states.append(codec.state_dict())
    same, again, other = states
    assert all(torch.equal(same[name], again[name]) for name in same)
    assert not torch.equal(same["analysis.dct.weight"], other["analysis.dct.weight"])


def test_the_cosines_move_slowly(batch: Tensor, fitted: FirstCodec) -> None:
    codec = copy.deepcopy(fitted)
    before = parameters(codec)
    steps = 20
    for _ in train(codec, lambda: batch, LMBDA, steps):
        pass
    moved = {name: (parameter - before[name]).abs().max().item() for name, parameter in parameters(codec).items()}
    assert min(moved.values()) > 0
    for name in ("analysis.dct.weight", "synthesis.idct.weight"):
        assert moved[name] < 1.5 * TRANSFORM_RATE * steps, name  # Adam's steps are about as long as the rate
    assert moved["analysis.refine.network.0.weight"] > 3 * moved["analysis.dct.weight"]


def test_one_odd_batch_does_not_undo_the_others(batch: Tensor, fitted: FirstCodec) -> None:
    """The gradient is cut to length 1 before the step, however large the loss."""
    codec = copy.deepcopy(fitted)
    for _ in train(codec, lambda: batch, 1000 * LMBDA, steps=3):
        gradients = [p.grad for name, p in codec.named_parameters() if not name.startswith("prior.")]
        assert torch.cat([g.flatten() for g in gradients]).norm() <= 1.001
    assert all(p.isfinite().all() for p in codec.parameters())


def test_the_last_steps_are_small(batch: Tensor, fitted: FirstCodec) -> None:
    """A short warm-up, then down along a cosine: the first and the last step move less than one in between."""
    codec = copy.deepcopy(fitted)
    name = "analysis.dead_zone"
    path = [parameters(codec)[name]]
    for _ in train(codec, lambda: batch, LMBDA, steps=40):
        path.append(parameters(codec)[name])
    lengths = [(b - a).norm().item() for a, b in itertools.pairwise(path)]
    assert lengths[0] < 0.2 * max(lengths) and lengths[-1] < 0.2 * max(lengths)


@pytest.mark.parametrize(
    ("lmbda", "steps"), [(LMBDA, 0), (LMBDA, -3), (0.0, 5), (-1.0, 5), (math.inf, 5), (math.nan, 5)]
)
def test_training_for_nothing_is_refused(batch: Tensor, lmbda: float, steps: int) -> None:
    with pytest.raises(ValueError, match=r"both must be above 0\.$"):
        next(train(new_codec(), lambda: batch, lmbda, steps))


def test_a_loss_that_is_no_number_stops_the_training_and_spoils_nothing(batch: Tensor, fitted: FirstCodec) -> None:
    codec = copy.deepcopy(fitted)
    batches = iter([batch, batch * float("nan")])
    steps = train(codec, lambda: next(batches), LMBDA, steps=5)
    next(steps)
    before = parameters(codec)
    with pytest.raises(ValueError, match="loss of step 1 is nan"):
        next(steps)
    assert all(torch.equal(before[name], parameter) for name, parameter in parameters(codec).items())
