"""The hyperpriors: out of the bytes comes what the forward pass promised; and CompressAI's layout of weights loads."""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutorial_lib.gaussian_conditional import GaussianConditional
from tutorial_lib.gdn import gdn_analysis, gdn_synthesis
from tutorial_lib.hyperprior import (
    MeanScaleHyperprior,
    ScaleHyperprior,
    ScaleMeanHead,
    SideBySide,
    from_compressai,
    mean_scale_hyperprior,
    scale_hyperprior,
    slim_features,
    slim_hyperprior,
    slim_side,
)
from tutorial_lib.information import bits, rate_distortion_loss
from tutorial_lib.rans import BitstreamError
from tutorial_lib.transform_codec import TransformCodec

N, M = 8, 12


def slim(kind: type[ScaleHyperprior]) -> TransformCodec:
    return TransformCodec(gdn_analysis(N, M), gdn_synthesis(N, M), slim_hyperprior(kind, M), stride=16)


KINDS: dict[str, Callable[[], TransformCodec]] = {
    "scale": lambda: scale_hyperprior(N, M),
    "mean-scale": lambda: mean_scale_hyperprior(N, M),
    "slim scale": lambda: slim(ScaleHyperprior),
    "slim mean-scale": lambda: slim(MeanScaleHyperprior),
}


def spread(layer: nn.Module, values: Tensor, deviation: float) -> None:
    """Scale a layer so that these values, its outputs, would have this deviation."""
    factor = deviation / values.std()
    layer.weight.mul_(factor)
    layer.bias.mul_(factor)


def last_layers(codec: TransformCodec) -> list[nn.Module]:
    """The layers that give the parameters: scales (or their logarithms), then means; one layer, or two side by side."""
    synthesis = codec.prior.side.synthesis
    networks = synthesis.networks if isinstance(synthesis, SideBySide) else [synthesis]
    ends = [network[-1] for network in networks]
    ends = [end.layer if isinstance(end, ScaleMeanHead) else end for end in ends]
    return [end if hasattr(end, "weight") else network[-2] for end, network in zip(ends, networks, strict=True)]


def lively(codec: TransformCodec, seed: int = 0) -> TransformCodec:
    """Weights of a network that has learned something: y, z, scales and means are far from being all the same."""
    generator = torch.Generator().manual_seed(seed)
    side = codec.prior.side
    x = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(9))
    codec.eval()
    with torch.no_grad():
        for parameter in codec.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
        spread(codec.analysis[-1], codec.analysis(x), 4.0)
        y = codec.prior.hyper_input(codec.analysis(x))
        spread(side.analysis[-1], side.analysis(y), 3.0)
        for last in last_layers(codec):
            outputs = []
            hook = last.register_forward_hook(lambda layer, inputs, output, outputs=outputs: outputs.append(output))
            side(y)
            hook.remove()
            spread(last, outputs[0], 1.5)
        last_layers(codec)[0].bias[:M].add_(1.0)
    return codec


@functools.cache
def _built(kind: str, seed: int) -> TransformCodec:
    torch.manual_seed(seed)
    codec = lively(KINDS[kind](), seed)
    codec.build_coder()
    return codec


def built(kind: str, seed: int = 0) -> TransformCodec:
    """A copy, for a test to do with as it likes."""
    return copy.deepcopy(_built(kind, seed))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def codec(kind: str) -> TransformCodec:
    return built(kind)


# Exactness -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 130), (70, 1), (65, 47), (64, 128), (130, 150)])
def test_decoding_gives_exactly_the_forward_pass(
    codec: TransformCodec, size: tuple[int, int], batch: int, noise, check_codec
) -> None:
    check_codec(codec, noise(batch, 3, *size), parts=2)


@pytest.mark.parametrize(("batch", "size"), [(1, (1, 1)), (3, (65, 47)), (1, (130, 150))])
def test_decoding_is_exact_with_two_threads(
    codec: TransformCodec, size: tuple[int, int], batch: int, threads: Callable, noise, check_codec
) -> None:
    with threads(2):
        check_codec(codec, noise(batch, 3, *size), parts=2)


def test_decoding_is_exact_whatever_the_layout_in_memory(codec: TransformCodec, noise, check_codec) -> None:
    """A photo that was loaded pixel by pixel, and a network that computes that way."""
    x = noise(2, 50, 70, 3).permute(0, 3, 1, 2)
    check_codec(codec, x, parts=2)
    check_codec(built("mean-scale").to(memory_format=torch.channels_last), x, parts=2)


def test_decoding_does_not_depend_on_training_mode(kind: str, noise) -> None:
    codec = built(kind)
    x = noise(1, 3, 50, 70)
    coded, back = codec.compress(x), codec.decompress(**codec.compress(x))["x_hat"]
    codec.train()
    assert codec.compress(x) == coded
    assert torch.equal(codec.decompress(**coded)["x_hat"], back)


def test_the_test_codecs_have_something_to_code(codec: TransformCodec, noise) -> None:
    """Without this, all that was found equal might have been zero."""
    with torch.no_grad():
        y = codec.analysis(noise(1, 3, 256, 256))
        parameters, _ = codec.prior.side(codec.prior.hyper_input(y))
        scales, means = codec.prior.scales_and_means(parameters)
        y_hat, _ = codec.prior(y)
        z_hat = codec.prior.side.entropy_bottleneck(codec.prior.side.analysis(codec.prior.hyper_input(y)))[0]
    assert y_hat.unique().numel() > 15 and z_hat.unique().numel() > 10
    assert codec.prior.gaussian.indexes(scales).unique().numel() > 10
    assert (means is None) == (type(codec.prior) is ScaleHyperprior)
    assert means is None or means.std() > 0.5


def test_strings_are_as_long_as_the_likelihoods_promise(kind: str, noise) -> None:
    codec = built(kind)
    with torch.no_grad():
        # Scales as wide as y: a value that a table does not list costs less than its likelihood says, 1e-9 at least.
        last_layers(codec)[0].bias[:M].add_(3.0 if kind.startswith("slim") else 8.0)
        x = noise(1, 3, 512, 384)
        promised = {name: bits(value).item() / 8 for name, value in codec(x)["likelihoods"].items()}
    (z_string,), (y_string,) = codec.compress(x)["strings"]
    assert len(y_string) > 4000 and len(z_string) > 200
    for string, name in ((z_string, "z"), (y_string, "y")):
        assert 0.98 * promised[name] < len(string) < 1.02 * promised[name] + 8


# What is computed ------------------------------------------------------------------------------------------------


def test_the_contract_of_a_forward_pass(codec: TransformCodec, noise) -> None:
    x = noise(2, 3, 33, 150)  # y has 3 × 10 positions, z 1 × 3
    output = codec(x)
    assert output.keys() == {"x_hat", "likelihoods"} and output["x_hat"].shape == x.shape
    assert {name: value.shape[2:] for name, value in output["likelihoods"].items()} == {"y": (3, 10), "z": (1, 3)}
    for name, channels in (("y", M), ("z", codec.prior.side.entropy_bottleneck.channels)):
        likelihoods = output["likelihoods"][name]
        assert likelihoods.shape[:2] == (2, channels)
        assert (likelihoods > 0).all() and (likelihoods <= 1).all()


def test_the_forward_pass_step_by_step(codec: TransformCodec, noise) -> None:
    """With sizes that need no padding; the two kinds differ in what the side sees, and in the means."""
    x = noise(2, 3, 64, 128)
    scale_only = type(codec.prior) is ScaleHyperprior
    with torch.no_grad():
        y = codec.analysis(x)
        side = codec.prior.side
        z_hat, z_likelihoods = side.entropy_bottleneck(side.analysis(y.abs() if scale_only else y))
        parameters = side.synthesis(z_hat)
        scales, means = (parameters, 0.0) if scale_only else (parameters[:, :M], parameters[:, M:])
        y_hat = torch.round(y - means) + means
        output = codec(x)
        assert torch.equal(output["x_hat"], codec.synthesis(y_hat))
        assert torch.equal(output["likelihoods"]["z"], z_likelihoods)
        assert torch.equal(output["likelihoods"]["y"], GaussianConditional().likelihood(y_hat - means, scales))


def test_odd_latents_are_reflected_for_the_side_and_cut_again(codec: TransformCodec) -> None:
    prior = codec.prior
    y = 4 * torch.randn(1, M, 5, 6, generator=torch.Generator().manual_seed(2))
    padded = y[..., [0, 1, 2, 3, 4, 3, 2, 1], :][..., [0, 1, 2, 3, 4, 5, 4, 3]]
    with torch.no_grad():
        parameters, z_likelihoods = prior.side(y)
        expected, expected_z = prior.side(padded)
    assert torch.equal(z_likelihoods, expected_z)
    assert torch.equal(parameters, expected[..., :5, :6])
    strings, coded = prior.side.compress(y)
    assert strings == prior.side.compress(padded)[0]
    assert torch.equal(coded, parameters)
    assert torch.equal(prior.side.decompress(strings, (5, 6)), parameters)


def test_the_z_of_a_scale_hyperprior_does_not_see_signs() -> None:
    for kind, blind in (("scale", True), ("slim scale", True), ("mean-scale", False), ("slim mean-scale", False)):
        prior = built(kind).prior
        y = 4 * torch.randn(1, M, 8, 8, generator=torch.Generator().manual_seed(2))
        assert (prior.compress(y)[0] == prior.compress(-y)[0]) == blind


def test_one_networks_scales_are_what_the_other_priors_would_use() -> None:
    parameters = torch.arange(12.0).reshape(1, 6, 1, 2)
    scales, means = built("mean-scale").prior.scales_and_means(parameters)
    assert torch.equal(scales, parameters[:, :3]) and torch.equal(means, parameters[:, 3:])
    scales, means = built("scale").prior.scales_and_means(parameters)
    assert torch.equal(scales, parameters) and means is None


# Training --------------------------------------------------------------------------------------------------------


def given_parameters(codec: TransformCodec, y: Tensor) -> None:
    """Let the side information be the same in training as in use, without noise."""
    with torch.no_grad():
        parameters, likelihoods = codec.prior.side.eval()(codec.prior.hyper_input(y))
    codec.prior.side.forward = lambda seen: (parameters, likelihoods)


def test_training_quantizes_y_as_use_will(kind: str) -> None:
    codec = built(kind)
    y = 4 * torch.randn(2, M, 8, 8, generator=torch.Generator().manual_seed(2))
    given_parameters(codec, y)
    (trained, rated), (used, promised) = codec.prior.train()(y), codec.prior.eval()(y)
    if kind.startswith("slim"):
        assert torch.equal(trained, used)
        torch.testing.assert_close(rated["y"], promised["y"], rtol=1e-3, atol=1e-8)
    else:
        assert 0.45 < (trained - y).abs().max() <= 0.5 + 1e-5
        assert trained.frac().unique().numel() > 1000
    assert bits(rated["y"]).item() == pytest.approx(bits(promised["y"]).item(), rel=0.2)


def test_training_adds_noise_to_z_whatever_y_s_prior_does(kind: str) -> None:
    codec = built(kind).train()
    y = 4 * torch.randn(1, M, 8, 8, generator=torch.Generator().manual_seed(2))
    assert not torch.equal(codec.prior.side(y)[0], codec.prior.side(y)[0])
    codec.eval()
    assert torch.equal(codec.prior.side(y)[0], codec.prior.side(y)[0])


def test_gradients_reach_every_parameter(kind: str, gradients_reach_all, noise) -> None:
    codec = built(kind).train()
    x = noise(2, 3, 128, 128)
    torch.manual_seed(0)
    rate_distortion_loss(codec(x), x, lmbda=0.01)["loss"].backward()
    gradients_reach_all(codec)


@pytest.mark.parametrize("kind", ["scale", "mean-scale", "slim mean-scale"])
def test_a_few_steps_of_training_lower_the_rate(kind: str) -> None:
    torch.manual_seed(0)
    prior = lively(KINDS[kind]()).prior.train()
    optimizer = torch.optim.Adam(prior.parameters(), lr=5e-3)
    generator = torch.Generator().manual_seed(5)
    wild = torch.where(torch.arange(16) < 8, 0.3, 8.0)  # the left half of every latent is silent
    rates = []
    for _ in range(25):
        y = 3.0 + wild * torch.randn(2, M, 16, 16, generator=generator)
        rate = bits(prior(y)[1]["y"])
        optimizer.zero_grad()
        rate.backward()
        optimizer.step()
        rates.append(rate.item())
    assert sum(rates[-5:]) < 0.7 * sum(rates[:5])


# Scales by their logarithms --------------------------------------------------------------------------------------


def test_log_scales() -> None:
    parameters = torch.tensor([-9.0, math.log(0.11), 0.0, math.log(3.0), 9.0]).reshape(1, 1, 1, 5)
    parameters = torch.cat([parameters, parameters], dim=1)
    output = ScaleMeanHead(nn.Identity(), 1)(parameters)
    assert output[0, 0, 0].tolist() == pytest.approx([0.11, 0.11, 1.0, 3.0, 256.0], rel=1e-5)
    assert torch.equal(output[:, 1], parameters[:, 1])  # means stay as they are
    assert torch.equal(ScaleMeanHead(nn.Identity(), 2)(parameters)[:, 1], output[:, 0])  # and there may be none


def test_log_scales_come_back_from_beyond_both_ends() -> None:
    def gradient(log: float, residual: float) -> float:
        logs = torch.tensor([[[[log]]]], requires_grad=True)
        cost = bits(GaussianConditional().likelihood(torch.tensor(residual), ScaleMeanHead(nn.Identity(), 1)(logs)))
        return torch.autograd.grad(cost, logs)[0].item()

    assert gradient(-9.0, residual=1.0) < -1  # a scale that is too small for this value shall grow
    assert gradient(-9.0, residual=0.0) == 0  # one that is small enough stays
    assert gradient(9.0, residual=1.0) > 0.5
    assert gradient(9.0, residual=2000.0) == 0
    assert gradient(0.0, residual=0.0) > 0 > gradient(0.0, residual=3.0)


def test_a_head_starts_at_the_channels_spreads_with_means_near_zero() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(5, 3 + 2, 1)
    before = {name: value.detach().clone() for name, value in layer.named_parameters()}
    head = ScaleMeanHead(layer, 3, channels=torch.tensor([4, 0, 2]))
    head.start_at(torch.tensor([0.5, 9.0, 1000.0, 9.0, 0.01]))
    scales = head(torch.zeros(1, 5, 1, 1))[0, :3, 0, 0]
    assert scales.tolist() == pytest.approx([0.11, 0.5, 256.0], rel=1e-5)
    assert torch.equal(layer.weight[:3], before["weight"][:3])
    assert torch.equal(layer.weight[3:], 0.01 * before["weight"][3:])
    assert torch.equal(layer.bias[3:], 0.01 * before["bias"][3:])


@pytest.mark.parametrize("kind", [ScaleHyperprior, MeanScaleHyperprior])
def test_a_slim_prior_starts_better_at_the_spreads_of_what_it_will_code(kind: type) -> None:
    torch.manual_seed(0)
    spreads = torch.logspace(-1, 2, M)
    y = spreads[:, None, None] * torch.randn(2, M, 8, 8)
    prior = slim_hyperprior(kind, M).eval()
    with torch.no_grad():
        before = bits(prior(y)[1]["y"])
        prior.start_at(y)
        after = bits(prior(y)[1]["y"])
        ideal = bits(prior.gaussian(y, spreads[:, None, None].expand_as(y))[1])
        scales, means = prior.scales_and_means(prior.side(prior.hyper_input(y))[0])
    assert after < 0.5 * before and after < 1.1 * ideal
    assert means is None or means.abs().max() < 0.05
    torch.testing.assert_close(
        scales.log().mean(dim=(0, 2, 3)), spreads.log().clamp(min=math.log(0.11)), rtol=0, atol=0.5
    )


def test_the_densities_learn_unclipped_and_each_parameter_once(kind: str) -> None:
    prior = KINDS[kind]().prior
    densities, networks = prior.parameter_groups()
    assert densities["name"] == "densities" and densities["clip"] is False and networks["name"] == "networks"
    assert len(densities["params"]) == len(list(prior.side.entropy_bottleneck.parameters()))
    together = sorted(id(p) for group in (densities, networks) for p in group["params"])
    assert together == sorted(id(p) for p in prior.parameters())


def test_slim_side_information_is_slim() -> None:
    for P in (384, 768):
        side = slim_side(384, P)
        assert 0.22e6 < sum(p.numel() for p in side.parameters()) < 0.26e6
        parameters, likelihoods = side(torch.zeros(1, 384, 8, 12))
        assert parameters.shape == (1, P, 8, 12) and likelihoods.shape == (1, 64, 2, 3)
    for kind in (ScaleHyperprior, MeanScaleHyperprior):
        prior = slim_hyperprior(kind, M)
        assert type(prior) is kind and not prior.gaussian.noise
        of_scales = prior.side.synthesis.networks[0] if kind is MeanScaleHyperprior else prior.side.synthesis
        assert isinstance(of_scales[-1], ScaleMeanHead) and of_scales[-1].scales == M
    assert scale_hyperprior(N, M).prior.gaussian.noise and mean_scale_hyperprior(N, M).prior.gaussian.noise


def test_features_for_scales_and_features_for_means_come_from_networks_of_their_own() -> None:
    side = slim_features(M, N)
    features, _ = side(torch.randn(1, M, 8, 12))
    assert features.shape == (1, 2 * N, 8, 12)
    for half, others in enumerate(reversed(side.synthesis.networks)):
        gradients = torch.autograd.grad(
            features[:, half * N : (half + 1) * N].sum(),
            list(others.parameters()),
            allow_unused=True,
            retain_graph=True,
        )
        assert all(gradient is None or gradient.eq(0).all() for gradient in gradients)


# What can go wrong -----------------------------------------------------------------------------------------------


def test_without_tables_there_is_a_loud_error(kind: str, noise) -> None:
    codec = KINDS[kind]().eval()
    x = noise(1, 3, 16, 16)
    strings = built(kind).compress(x)["strings"]
    for build in (lambda: None, codec.prior.side.build_coder):  # no tables at all; those of z only
        build()
        assert not codec.is_built
        if codec.prior.side.holder.is_built:
            strings = [
                codec.prior.side.holder.coder.compress(torch.zeros(1, N if "slim" not in kind else 64, 1, 1)),
                [],
            ]
        for use in (lambda: codec.compress(x), lambda: codec.decompress(strings, (16, 16))):  # noqa: B023
            with pytest.raises(RuntimeError, match="no coding tables yet"):
                use()
    codec.build_coder()
    assert codec.is_built
    codec.compress(x)


def test_too_few_or_too_many_strings_are_refused(codec: TransformCodec, noise) -> None:
    coded = codec.compress(noise(2, 3, 32, 32))
    z_strings, y_strings = coded["strings"]
    for strings in ([], [z_strings], [z_strings, y_strings, y_strings]):
        with pytest.raises(BitstreamError, match=r"2 string\(s\) a picture"):
            codec.decompress(strings, coded["shape"])
    for strings in ([z_strings[:1], y_strings], [z_strings, y_strings[:1]], [[], y_strings]):
        with pytest.raises(ValueError, match="do not fit"):
            codec.decompress(strings, coded["shape"])


def test_damaged_strings_are_refused(codec: TransformCodec, noise) -> None:
    coded = codec.compress(noise(1, 3, 150, 90))
    (z_string,), (y_string,) = coded["strings"]
    for cut in (lambda s: b"", lambda s: s[:-4], lambda s: s + bytes(4), lambda s: s[:-1], lambda s: bytes(len(s))):
        for strings in ([[cut(z_string)], [y_string]], [[z_string], [cut(y_string)]]):
            with pytest.raises(BitstreamError):
                codec.decompress(strings, coded["shape"])
    for strings, shape in (([[y_string], [z_string]], coded["shape"]), (coded["strings"], (300, 300))):
        with pytest.raises(BitstreamError):
            codec.decompress(strings, shape)


def test_flipped_bits_are_noticed_or_give_a_picture(codec: TransformCodec, noise) -> None:
    """Never any other error, whatever scales and means a damaged z implies."""
    coded = codec.compress(noise(1, 3, 64, 64))
    noticed, trials = 0, 40
    generator = torch.Generator().manual_seed(1)
    for _ in range(trials):
        strings = [[bytearray(part[0])] for part in coded["strings"]]
        damaged = strings[int(torch.randint(2, (1,), generator=generator))][0]
        position = int(torch.randint(8 * len(damaged), (1,), generator=generator))
        damaged[position // 8] ^= 1 << position % 8
        try:
            x_hat = codec.decompress([[bytes(s) for s in part] for part in strings], coded["shape"])["x_hat"]
            assert x_hat.shape == (1, 3, 64, 64)
        except BitstreamError:
            noticed += 1
    assert noticed > 0.8 * trials


def test_a_diverged_network_is_no_picture(kind: str, noise) -> None:
    for network in ("analysis", "prior.side.analysis"):
        codec = built(kind)
        with torch.no_grad():
            next(codec.get_submodule(network).parameters()).fill_(math.nan)
        with pytest.raises(ValueError, match="NaN"):
            codec.compress(noise(1, 3, 16, 16))


# Saving and loading ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["safetensors", "torch"])
def test_a_fresh_model_takes_the_state_and_reads_the_bytes(
    kind: str, codec: TransformCodec, how: str, tmp_path: Path, noise
) -> None:
    path = tmp_path / "codec"
    if how == "safetensors":
        save_file(codec.state_dict(), path)
        state = load_file(path)
    else:
        torch.save(codec.state_dict(), path)
        state = torch.load(path, weights_only=True)
    torch.manual_seed(99)
    fresh = KINDS[kind]()
    assert not fresh.is_built
    fresh.load_state_dict(state, strict=True)
    fresh.eval()
    assert fresh.is_built and fresh.fingerprint() == codec.fingerprint()
    x = noise(2, 3, 50, 70)
    coded = codec.compress(x)
    assert fresh.compress(x) == coded
    assert torch.equal(fresh.decompress(**coded)["x_hat"], codec.decompress(**coded)["x_hat"])


def test_tables_stay_as_they_are_until_they_are_built_again(kind: str, noise) -> None:
    codec = built(kind)
    holder, coded = codec.prior.side.holder, codec.compress(noise(1, 3, 64, 64))
    before = holder.coder.tables.fingerprint()
    with torch.no_grad():
        codec.prior.side.entropy_bottleneck.biases[0].add_(3.0)
    assert holder.coder.tables.fingerprint() == before and codec.compress(noise(1, 3, 64, 64)) == coded
    codec.build_coder()
    assert holder.coder.tables.fingerprint() != before


def test_the_fingerprint_knows_both_tables() -> None:
    codec, other = built("scale"), built("scale")
    fingerprint = codec.fingerprint()
    assert len(fingerprint) == 16 and int(fingerprint, 16) >= 0
    other.prior.side.holder.set_extra_state(built("scale", seed=1).prior.side.holder.coder.to_tensor())
    assert other.fingerprint() != fingerprint  # y's tables are the same, z's are not
    other.prior.side.holder.set_extra_state(codec.prior.side.holder.coder.to_tensor())
    assert other.fingerprint() == fingerprint
    other.prior.holder.build(GaussianConditional(torch.tensor([1.0, 4.0])))
    assert other.fingerprint() != fingerprint


# CompressAI's weights --------------------------------------------------------------------------------------------


def compressais(codec: TransformCodec) -> dict[str, Tensor]:
    """The state dict of this codec in CompressAI's layout, made up here; tests/peers has the real ones."""
    names = {
        "analysis.": "g_a.",
        "synthesis.": "g_s.",
        "prior.side.analysis.": "h_a.",
        "prior.side.synthesis.": "h_s.",
        "prior.side.entropy_bottleneck.": "entropy_bottleneck.",
        "prior.gaussian.": "gaussian_conditional.",
    }
    state = {}
    for name, value in codec.state_dict().items():
        for ours, theirs in names.items():
            if name.startswith(ours):
                state[theirs + name.removeprefix(ours)] = value
    medians = state.pop("entropy_bottleneck.medians")
    state["entropy_bottleneck.quantiles"] = torch.stack([medians - 9, medians, medians + 9], dim=1)[:, None]
    for model, holder in (
        ("entropy_bottleneck", codec.prior.side.holder),
        ("gaussian_conditional", codec.prior.holder),
    ):
        tables = holder.coder.tables
        for name, array in (("quantized_cdf", tables.cdf), ("cdf_length", tables.length), ("offset", tables.offset)):
            state[f"{model}._{name}"] = torch.tensor(array)
    for bound in ("likelihood_lower_bound.bound", "lower_bound_scale.bound", "scale_bound"):
        state[f"gaussian_conditional.{bound}"] = torch.tensor([0.11])
    state["g_a.1.beta_reparam.pedestal"] = state["g_a.1.gamma_reparam.lower_bound.bound"] = torch.zeros(1)
    return state


@pytest.mark.parametrize("kind", ["scale", "mean-scale"])
def test_a_state_dict_of_compressai_becomes_a_codec(kind: str, noise, check_codec) -> None:
    codec = built(kind)
    state = compressais(codec)
    names = list(state)
    loaded = from_compressai(state)
    assert list(state) == names
    assert type(loaded.prior) is type(codec.prior) and loaded.stride == 16
    assert not loaded.training and loaded.is_built
    assert loaded.fingerprint() == codec.fingerprint()
    ours = codec.state_dict()
    assert ours.keys() == loaded.state_dict().keys()
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, ours[name]), name
    x = noise(2, 3, 33, 50)
    assert loaded.compress(x) == codec.compress(x)
    check_codec(loaded, x, parts=2)


def without(*beginnings: str) -> Callable[[dict], dict]:
    return lambda state: {name: value for name, value in state.items() if not name.startswith(beginnings)}


def with_a_context_model(state: dict) -> dict:
    """What the joint autoregressive model has besides: its other weights have the same names and shapes."""
    return state | {"context_prediction.weight": torch.zeros(2 * M, M, 5, 5)}


def before_its_update(state: dict) -> dict:
    empty = {f"entropy_bottleneck.{name}": torch.empty(0) for name in ("_quantized_cdf", "_cdf_length", "_offset")}
    return state | empty


def with_damaged_tables(state: dict) -> dict:
    table = state["gaussian_conditional._quantized_cdf"].clone()
    table[3, 1] = 65536
    return state | {"gaussian_conditional._quantized_cdf": table}


def with_another_latent(state: dict) -> dict:
    return state | {"g_s.0.weight": torch.zeros(M + 1, N, 5, 5)}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: {},
        without("h_a.", "h_s.", "gaussian_conditional."),  # a factorized prior
        without("g_a.0.bias"),
        without("entropy_bottleneck.quantiles"),
        without("entropy_bottleneck._offset"),
        without("gaussian_conditional.scale_table"),
        lambda state: state | {"g_a.0.weight": torch.tensor(0.0)},
        lambda state: state | {"entropy_bottleneck.quantiles": torch.zeros(N)},
        with_a_context_model,
        before_its_update,
        with_damaged_tables,
        with_another_latent,
    ],
)
@pytest.mark.parametrize("kind", ["scale", "mean-scale"])
def test_other_state_dicts_are_refused_in_one_sentence(kind: str, spoil: Callable[[dict], dict]) -> None:
    state = spoil(compressais(built(kind)))
    with pytest.raises(ValueError, match=r"^this is no state dict of a ScaleHyperprior or Mean.*\.$") as caught:
        from_compressai(state)
    assert "update(force=True)" in str(caught.value) and "\n" not in str(caught.value)
