"""The hyperpriors against CompressAI's, with its weights: the same numbers, and the same strings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

pytest.importorskip("compressai")
from compressai import models
from compressai.layers import GDN

from tutorial_lib.cdf import CdfTables
from tutorial_lib.gdn import Gdn, gdn_analysis, gdn_synthesis
from tutorial_lib.hyperprior import (
    MeanScaleHyperprior,
    ScaleHyperprior,
    from_compressai,
    mean_scale_hyperprior,
    scale_hyperprior,
)
from tutorial_lib.transform_codec import TransformCodec

N, M = 32, 48


def lively(kind: str) -> nn.Module:
    """Their model, its weights made larger: untrained, y and z would be all zeros."""
    torch.manual_seed(0)
    net = getattr(models, kind)(N, M).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith(("g_a", "h_a", "h_s.4")) and name.endswith("weight"):
                parameter.mul_(3)
        net.entropy_bottleneck.quantiles[:, 0, 1] = torch.linspace(-0.7, 0.7, N)  # medians, as if they were trained
    net.update(force=True)
    return net


KINDS = ("ScaleHyperprior", "MeanScaleHyperprior")


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest) -> tuple[TransformCodec, nn.Module]:
    theirs = lively(request.param)
    return from_compressai(theirs.state_dict()), theirs


def test_the_test_models_have_something_to_code(pair: tuple, noise) -> None:
    _, theirs = pair
    with torch.no_grad():
        y = theirs.g_a(noise(1, 3, 128, 192))
        z = theirs.h_a(y if isinstance(theirs, models.MeanScaleHyperprior) else y.abs())
        assert y.round().unique().numel() > 12 and z.round().unique().numel() > 5
        scales = theirs.h_s(theirs.entropy_bottleneck(z)[0])[:, :M]
    assert theirs.gaussian_conditional.build_indexes(scales).unique().numel() > 10


def test_their_weights_make_the_codec_of_that_name(pair: tuple) -> None:
    ours, theirs = pair
    kind = MeanScaleHyperprior if isinstance(theirs, models.MeanScaleHyperprior) else ScaleHyperprior
    assert type(ours.prior) is kind and ours.is_built and not ours.training
    expected = sum(p.numel() for name, p in theirs.named_parameters() if "quantiles" not in name)
    assert sum(p.numel() for p in ours.parameters()) == expected


def test_the_same_forward_pass(pair: tuple, noise) -> None:
    ours, theirs = pair
    x = noise(2, 3, 128, 192)
    with torch.no_grad():
        output, expected = ours(x), theirs(x)
    torch.testing.assert_close(output["x_hat"], expected["x_hat"], rtol=0, atol=1e-6)
    assert output["likelihoods"].keys() == expected["likelihoods"].keys()
    for name, likelihoods in expected["likelihoods"].items():
        assert (output["likelihoods"][name] - likelihoods).abs().max() <= 1e-6


def test_the_same_training_step(pair: tuple, noise) -> None:
    """Noise for z, then noise for y: with the same seed it is the same noise."""
    gradients = []
    for model in pair:
        model.train().zero_grad()
        torch.manual_seed(3)
        x = noise(2, 3, 64, 128)
        output = model(x)
        rate = sum(-value.log2().sum() for value in output["likelihoods"].values())
        (rate + 1000 * (output["x_hat"] - x).square().mean()).backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if "quantiles" not in name})
        model.eval()
    ours, theirs = gradients
    names = {"analysis.": "g_a.", "synthesis.": "g_s.", "prior.side.entropy_bottleneck.": "entropy_bottleneck."}
    names |= {"prior.side.analysis.": "h_a.", "prior.side.synthesis.": "h_s."}
    assert len(ours) == len(theirs)
    for name, gradient in ours.items():
        prefix = next(prefix for prefix in names if name.startswith(prefix))
        expected = theirs[names[prefix] + name.removeprefix(prefix)]
        assert (gradient - expected).abs().max() <= 1e-3 * expected.abs().max(), name


@pytest.mark.parametrize("size", [(128, 192), (64, 64)])
def test_the_same_strings_and_each_decodes_the_others(pair: tuple, size: tuple[int, int], noise) -> None:
    ours, theirs = pair
    x = noise(2, 3, *size)
    with torch.no_grad():
        coded, expected = ours.compress(x), theirs.compress(x)
        z_strings, y_strings = coded["strings"]
        assert [y_strings, z_strings] == expected["strings"]
        assert min(map(len, y_strings)) > 500 and min(map(len, z_strings)) > 20
        back = ours.decompress(expected["strings"][::-1], size)["x_hat"]
        assert torch.equal(back, ours(x)["x_hat"])
        their_back = theirs.decompress([y_strings, z_strings], expected["shape"])["x_hat"]
        assert torch.equal(back.clamp(0, 1), their_back)


@pytest.mark.parametrize("size", [(17, 64), (65, 130), (33, 100)])
def test_sizes_that_theirs_cannot_take(pair: tuple, size: tuple[int, int], noise) -> None:
    ours, theirs = pair
    x = noise(2, 3, *size)
    with pytest.raises(RuntimeError), torch.no_grad():
        theirs(x)
    with torch.no_grad():
        assert torch.equal(ours.decompress(**ours.compress(x))["x_hat"], ours(x)["x_hat"])


def test_tables_built_anew(pair: tuple, noise) -> None:
    """Those of y are theirs; those of z need not be, but code the same symbols."""
    ours, theirs = pair
    again = from_compressai(theirs.state_dict())
    again.build_coder()
    assert again.prior.holder.coder.tables == ours.prior.holder.coder.tables
    eb = theirs.entropy_bottleneck
    assert ours.prior.side.holder.coder.tables == CdfTables(eb._quantized_cdf, eb._cdf_length, eb._offset)
    assert torch.equal(ours.prior.side.holder.coder.medians, eb.quantiles[:, 0, 1])
    x = noise(1, 3, 64, 128)
    coded = again.compress(x)
    assert coded["strings"][1] == ours.compress(x)["strings"][1]
    assert torch.equal(again.decompress(**coded)["x_hat"], ours.decompress(**ours.compress(x))["x_hat"])


def test_the_state_travels_on_with_its_tables(pair: tuple, noise) -> None:
    ours, theirs = pair
    make = mean_scale_hyperprior if isinstance(theirs, models.MeanScaleHyperprior) else scale_hyperprior
    fresh = make(N, M)
    fresh.load_state_dict(ours.state_dict(), strict=True)
    x = noise(1, 3, 64, 128)
    assert fresh.eval().compress(x) == ours.compress(x)


def test_weights_under_the_names_of_older_versions(pair: tuple, noise) -> None:
    ours, theirs = pair
    older = {"matrices.": "_matrix", "biases.": "_bias", "factors.": "_factor"}
    state = {}
    for name, value in theirs.state_dict().items():
        for new, old in older.items():
            name = name.replace(f"entropy_bottleneck.{new}", f"entropy_bottleneck.{old}")
        state[name] = value
    assert "entropy_bottleneck._matrix0" in state
    loaded = from_compressai(state)
    x = noise(1, 3, 64, 64)
    assert loaded.compress(x) == ours.compress(x)


@pytest.mark.parametrize("kind", ["FactorizedPrior", "JointAutoregressiveHierarchicalPriors", "Cheng2020Anchor"])
def test_other_models_are_refused(kind: str) -> None:
    theirs = getattr(models, kind)(*((N, M) if kind != "Cheng2020Anchor" else (N,)))
    theirs.update(force=True)
    with pytest.raises(ValueError, match="no state dict of a ScaleHyperprior or MeanScaleHyperprior"):
        from_compressai(theirs.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_models_without_tables_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"update\(force=True\)"):
        from_compressai(getattr(models, kind)(N, M).state_dict())


# ---- the transforms


@pytest.mark.parametrize("inverse", [False, True])
def test_the_same_normalization_and_gradients(inverse: bool) -> None:
    torch.manual_seed(1)
    theirs = GDN(6, inverse=inverse)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
        theirs.beta[0] = -1.0
    ours = Gdn(6, inverse)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    x = torch.randn(2, 6, 5, 7)
    results = []
    for model in (ours, theirs):
        x = x.detach().requires_grad_()
        y = model(x)
        (y * torch.linspace(-1, 2, y.numel()).view_as(y)).sum().backward()
        results.append([y.detach(), x.grad, model.beta.grad, model.gamma.grad])
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-5, atol=1e-6)


def test_normalizations_and_networks_start_alike() -> None:
    assert all(torch.equal(mine, other) for mine, other in zip(Gdn(5).parameters(), GDN(5).parameters(), strict=True))
    theirs = models.ScaleHyperprior(N, M)
    for ours, other in ((gdn_analysis(N, M), theirs.g_a), (gdn_synthesis(N, M), theirs.g_s)):
        ours.load_state_dict(other.state_dict(), strict=True)
        for mine, its in zip(ours, other, strict=True):
            for setting in ("stride", "padding", "output_padding", "inverse"):
                assert getattr(mine, setting, None) == getattr(its, setting, None)
