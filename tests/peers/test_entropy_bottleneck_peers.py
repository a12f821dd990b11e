"""The factorized prior against CompressAI's: the same weights give the same likelihoods and gradients."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tutorial_lib.entropy_bottleneck import EntropyBottleneck

entropy_models = pytest.importorskip("compressai.entropy_models")

CHANNELS = 6


def pair(seed: int = 0, spread: float = 0.5, **options) -> tuple[EntropyBottleneck, nn.Module]:
    """(ours, theirs) with equal weights, a density of its own in each channel, and untrue medians."""
    torch.manual_seed(seed)
    theirs = entropy_models.EntropyBottleneck(CHANNELS, **options)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    ours = EntropyBottleneck(CHANNELS, **options)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    return ours, theirs


def run(model: nn.Module, z: Tensor, seed: int = 5) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """z_hat, likelihoods, and the gradients of the bits with respect to z and every parameter."""
    model.zero_grad()
    z = z.detach().requires_grad_()  # keeps the layout in memory
    torch.manual_seed(seed)
    z_hat, likelihoods = model(z)
    (-torch.log2(likelihoods).sum()).backward()
    gradients = {name: p.grad for name, p in model.named_parameters() if name != "quantiles"}
    return z_hat.detach(), likelihoods.detach(), {"z": z.grad, **gradients}


def assert_equal_runs(ours: nn.Module, theirs: nn.Module, z: Tensor, tolerance: float) -> None:
    z_hat, likelihoods, gradients = run(ours, z)
    expected_z_hat, expected_likelihoods, expected_gradients = run(theirs, z)
    assert torch.equal(z_hat, expected_z_hat)
    assert (likelihoods - expected_likelihoods).abs().max() <= 1e-6
    assert gradients.keys() == expected_gradients.keys() and len(gradients) > 1
    for name, expected in expected_gradients.items():
        error = (gradients[name] - expected).abs().max()
        assert error <= tolerance * expected.abs().max(), name


def layouts(shape: tuple[int, ...], dtype: torch.dtype) -> Iterator[Tensor]:
    z = 5 * torch.randn(shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    yield z
    yield z.transpose(0, -1).contiguous().transpose(0, -1)
    if len(shape) == 4:
        yield z.to(memory_format=torch.channels_last)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(7, CHANNELS), (1, CHANNELS, 5, 3), (2, CHANNELS, 8, 8), (2, CHANNELS, 4, 3, 2)])
def test_same_likelihoods_and_gradients(shape: tuple[int, ...], dtype: torch.dtype, training: bool) -> None:
    ours, theirs = (model.to(dtype).train(training) for model in pair())
    for z in layouts(shape, dtype):
        assert_equal_runs(ours, theirs, z, tolerance=1e-4 if dtype == torch.float32 else 1e-11)


@pytest.mark.parametrize("options", [{"filters": (3, 3)}, {"filters": (2, 5, 1), "init_scale": 4.0}, {"filters": ()}])
def test_same_with_other_networks(options: dict) -> None:
    ours, theirs = pair(**options)
    assert_equal_runs(ours, theirs, 5 * torch.randn(2, CHANNELS, 8, 8), tolerance=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_same_where_likelihoods_hit_their_bound(training: bool) -> None:
    """In the lower tail, where CompressAI's own arithmetic is exact too."""
    ours, theirs = (model.double().train(training) for model in pair())
    z = torch.linspace(-400, 0, 128, dtype=torch.float64).view(-1, 1).repeat(1, CHANNELS)
    assert_equal_runs(ours, theirs, z, tolerance=1e-7)
    assert (run(ours, z)[1] == 1e-9).any()


def test_precise_in_the_upper_tail_where_theirs_is_not() -> None:
    """Both in float32, against float64: there CompressAI subtracts two sigmoids that have rounded to 1."""
    ours, theirs = pair()
    values = ours.quantiles(1e-6)[:, 2:].float()  # (C, 1)
    expected = copy.deepcopy(ours).double().likelihood(values.double())
    assert torch.allclose(ours.likelihood(values).double(), expected, rtol=1e-3)
    assert not torch.allclose(theirs._likelihood(values.unsqueeze(1))[0][:, 0].double(), expected, rtol=1e-1)


def test_same_in_evaluation_after_training_mode() -> None:
    """A forward in training mode, without a step, leaves the loaded medians alone."""
    ours, theirs = pair()
    z = 5 * torch.randn(2, CHANNELS, 8, 8)
    for training in (True, False, True, False):
        assert_equal_runs(ours.train(training), theirs.train(training), z, tolerance=1e-4)


def test_same_after_the_same_training() -> None:
    ours, theirs = pair()
    optimizers = [torch.optim.SGD(model.parameters(), lr=1e-3) for model in (ours, theirs)]
    for step in range(10):
        z = 4 * torch.randn(4, CHANNELS, 4, 4)
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            run(model, z, seed=step)
            optimizer.step()
    for name, parameter in ours.named_parameters():
        assert torch.allclose(parameter, theirs.get_parameter(name), atol=1e-5), name


def test_a_new_prior_draws_the_same_weights() -> None:
    torch.manual_seed(4)
    ours = EntropyBottleneck(CHANNELS, filters=(3, 2), init_scale=7.0)
    torch.manual_seed(4)
    theirs = entropy_models.EntropyBottleneck(CHANNELS, filters=(3, 2), init_scale=7.0)
    expected = {name: p for name, p in theirs.named_parameters() if name != "quantiles"}
    assert dict(ours.named_parameters()).keys() == expected.keys()
    for name, parameter in ours.named_parameters():
        assert torch.equal(parameter, expected[name]), name


def test_loads_what_a_model_saved_after_its_update() -> None:
    """Tables and all, under a prefix, and with the medians that CompressAI's quantiles say."""
    _, theirs = pair()
    theirs.update(force=True, update_quantiles=True)
    holder = nn.ModuleDict({"hyper": nn.ModuleDict({"entropy_bottleneck": EntropyBottleneck(CHANNELS)})})
    state = {f"hyper.entropy_bottleneck.{name}": value for name, value in theirs.state_dict().items()}
    names = list(state)
    holder.load_state_dict(state, strict=True)
    assert list(state) == names
    ours = holder["hyper"]["entropy_bottleneck"]
    assert torch.equal(ours.medians, theirs.quantiles[:, 0, 1])
    z = 5 * torch.randn(2, CHANNELS, 8, 8)
    assert_equal_runs(ours.eval(), theirs.eval(), z, tolerance=1e-4)


@pytest.mark.parametrize("prefix", ["", "entropy_bottleneck."])
def test_loads_the_names_of_older_versions(prefix: str) -> None:
    ours, theirs = pair()
    older = {"matrices.": "_matrix", "biases.": "_bias", "factors.": "_factor"}
    state = {}
    for name, value in theirs.state_dict().items():
        for new, old in older.items():
            name = name.replace(new, old)
        state[prefix + name] = value
    assert prefix + "_matrix0" in state and prefix + "_factor3" in state
    loaded = EntropyBottleneck(CHANNELS)
    (nn.ModuleDict({"entropy_bottleneck": loaded}) if prefix else loaded).load_state_dict(state, strict=True)
    for name, value in ours.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name


def test_bisection_finds_the_quantiles_that_theirs_approximates() -> None:
    ours, theirs = pair()
    theirs._update_quantiles()  # to a tolerance of 1e-3 and 1e-4 of the value
    assert torch.allclose(ours.quantiles(1e-9), theirs.quantiles[:, 0].double(), rtol=1e-3, atol=2e-3)


def test_pmfs_are_the_likelihoods_that_theirs_codes_with() -> None:
    ours, theirs = pair()
    theirs.eval()
    rows, offsets, _ = ours.pmfs()
    for c, (row, offset) in enumerate(zip(rows, offsets, strict=True)):
        symbols = torch.arange(offset, offset + len(row)).float()
        z = (symbols + theirs.quantiles[c, 0, 1]).view(-1, 1).repeat(1, CHANNELS)
        likelihoods = theirs(z)[1][:, c].detach().double()
        assert (likelihoods - torch.from_numpy(row)).abs().max() <= 1e-6
