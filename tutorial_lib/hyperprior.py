"""The hyperprior: tell the decoder first how large the latent's values are, then the values.

    y ─ analysis ─ z ─ round ─ ẑ ─ synthesis ─ parameters: a scale (and a mean) for every value of y
                        │                          │
                 EntropyBottleneck          GaussianConditional ─ ŷ

A photo's latent is large where the photo has detail, and nearly zero in the sky. A second, much smaller latent z, the
side information, describes this; it is coded with a factorized prior, and saves many times its bits (Ballé et al.
2018). `ScaleHyperprior` predicts scales, around mean 0; `MeanScaleHyperprior` predicts means, too (Minnen, Ballé &
Toderici 2018).

`SideInformation` is the upper row. Hyperpriors, context models and slices differ only in what they do with the
parameters that it gives them; and the decoder gets these from the same ẑ by the same arithmetic. `SideInformedPrior`
is what all of them share.

Both hyperpriors write two parts: z's strings, then y's.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from tutorial_lib.cdf import CdfTables
from tutorial_lib.codec_registry import register_codec
from tutorial_lib.entropy_bottleneck import EntropyBottleneck, lower_bound
from tutorial_lib.entropy_coder import CoderHolder, EntropyCoder
from tutorial_lib.gaussian_conditional import SCALE_MAX, SCALE_MIN, GaussianConditional
from tutorial_lib.gdn import conv, deconv, gdn_analysis, gdn_synthesis
from tutorial_lib.padding import pad_to_multiple
from tutorial_lib.prior import Prior, Strings, check_parts
from tutorial_lib.transform_codec import TransformCodec

HYPER_STRIDE = 4  # z has a fourth of y's height and width


class SideInformation(nn.Module):
    """y (B, M, h, w) -> z, and by way of it the parameters (B, P, h, w) of y's distributions.

    analysis:  (B, M, h, w) -> (B, channels, h/4, w/4), for sizes that are multiples of 4; others are padded.
    synthesis: (B, channels, h/4, w/4) -> (B, P, h, w).

    Training stands in for rounding z with noise, whatever y's prior does: a z that is rounded before it has learned to
    be large is all zeros, and stays so (posterior collapse).
    """

    def __init__(self, analysis: nn.Module, synthesis: nn.Module, channels: int) -> None:
        super().__init__()
        self.analysis = analysis
        self.synthesis = synthesis
        self.entropy_bottleneck = EntropyBottleneck(channels)
        self.holder = CoderHolder(channels)

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """y -> (parameters, the likelihoods of z)."""
        z_hat, likelihoods = self.entropy_bottleneck(self._analyse(y))  # (B, channels, h/4, w/4)
        return self._synthesise(z_hat, (y.shape[-2], y.shape[-1])), likelihoods

    def build_coder(self) -> None:
        """Make z's tables: once, after training. Raises ValueError where the densities have diverged."""
        self.holder.build(self.entropy_bottleneck)

    def compress(self, y: Tensor) -> tuple[list[bytes], Tensor]:
        """y -> (one string an image, parameters)."""
        strings = self.holder.coder.compress(self._analyse(y))
        return strings, self.decompress(strings, (y.shape[-2], y.shape[-1]))

    def decompress(self, strings: Sequence[bytes], shape: tuple[int, int]) -> Tensor:
        """The parameters again; shape: that of y, (h, w)."""
        return self._synthesise(self.holder.coder.decompress(strings, hyper_shape(shape)), shape)

    def _analyse(self, y: Tensor) -> Tensor:
        padded, _ = pad_to_multiple(y, HYPER_STRIDE)
        return self.analysis(padded)  # (B, channels, h/4, w/4)

    def _synthesise(self, z_hat: Tensor, shape: tuple[int, int]) -> Tensor:
        height, width = shape
        return self.synthesis(z_hat)[..., :height, :width]  # (B, P, h, w)


def hyper_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """The height and width of z, for those of y: a fourth, rounded up, as padding does."""
    height, width = shape
    return -(-height // HYPER_STRIDE), -(-width // HYPER_STRIDE)


class SideInformedPrior(Prior):
    """What all priors with side information share: how they are built, where they start, how fast they learn.

    noise: how training stands in for rounding y, see `GaussianConditional`. Whole numbers (False) want networks that
    end in a `ScaleMeanHead`, so that they can start from the data: `slim_hyperprior` and its like build such.
    """

    encoder_only = ("side.analysis.",)

    def __init__(self, side: SideInformation, noise: bool = True) -> None:
        super().__init__()
        self.side = side
        self.gaussian = GaussianConditional(noise=noise)
        self.holder = CoderHolder(len(self.gaussian.scale_table))

    def build_coder(self) -> None:
        self.side.build_coder()
        self.holder.build(self.gaussian)

    def start_at(self, y: Tensor, condition: Tensor | None = None) -> None:
        """Begin with each channel's spread as its scale, and nearly 0 as its mean, in every `ScaleMeanHead`.

        Finding the spreads out would take most of a training; and means that begin at random are worse than none.
        """
        spread = y.square().mean(dim=(0, 2, 3)).sqrt()  # (M,)
        for head in self.modules():
            if isinstance(head, ScaleMeanHead):
                head.start_at(spread)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The densities of z, whose gradients are not clipped, and the networks."""
        densities = list(self.side.entropy_bottleneck.parameters())
        networks = [p for p in self.parameters() if all(p is not other for other in densities)]
        return [
            {"name": "densities", "params": densities, "lr": 1e-2, "clip": False},
            {"name": "networks", "params": networks, "lr": 4e-3 if not self.gaussian.noise else 1e-3},
        ]


class ScaleHyperprior(SideInformedPrior):
    """Scales from the side information, whose P = M parameters they are."""

    required_parts = 2

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        parameters, z_likelihoods = self.side(self.hyper_input(y))
        y_hat, y_likelihoods = self.gaussian(y, *self.scales_and_means(parameters))
        return y_hat, {"y": y_likelihoods, "z": z_likelihoods}

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        z_strings, parameters = self.side.compress(self.hyper_input(y))
        scales, means = self.scales_and_means(parameters)
        return [z_strings, self.holder.coder.compress(y, self.gaussian.indexes(scales), means)]

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        z_strings, y_strings = check_parts(strings, 2)
        scales, means = self.scales_and_means(self.side.decompress(z_strings, shape))
        return self.holder.coder.decompress(y_strings, indexes=self.gaussian.indexes(scales), means=means)

    def hyper_input(self, y: Tensor) -> Tensor:
        """What the side information is made from: magnitudes, for a scale does not depend on signs."""
        return y.abs()

    def scales_and_means(self, parameters: Tensor) -> tuple[Tensor, Tensor | None]:
        """What the parameters (B, P, h, w) say: two tensors (B, M, h, w). Means None: all of them 0."""
        return parameters, None


class MeanScaleHyperprior(ScaleHyperprior):
    """Scales and means from the side information: its P = 2 M parameters, in this order."""

    def hyper_input(self, y: Tensor) -> Tensor:
        """y itself: means depend on signs."""
        return y

    def scales_and_means(self, parameters: Tensor) -> tuple[Tensor, Tensor]:
        """The two halves of the parameters (B, 2 M, h, w): (B, M, h, w) each."""
        scales, means = parameters.chunk(2, dim=1)
        return scales, means


# ---- the networks


class WithMagnitudes(nn.Module):
    """(B, M, h, w) -> (B, 2 M, h, w): the values, then their magnitudes, which tell of scales at once.

    (A network would have to find |y| first; until it has, z only costs bits, and may become constant for good:
    posterior collapse.)
    """

    def forward(self, y: Tensor) -> Tensor:
        """y and |y|, one after another as channels."""
        return torch.cat([y, y.abs()], dim=1)


class ScaleMeanHead(nn.Module):
    """The last layer of a network that predicts scales and means: logarithms become scales, means stay.

    Scales range over three powers of ten; a network that gives their logarithms reaches all of them equally well.

    layer:    a convolution to `scales` logarithms and any number of means.
    channels: which of y's channels the scales belong to, (scales,). None: the first ones.
    """

    def __init__(self, layer: nn.Conv1d | nn.Conv2d, scales: int, channels: Tensor | None = None) -> None:
        super().__init__()
        self.layer = layer
        self.scales = scales
        self.channels = torch.arange(scales) if channels is None else channels

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, …) -> (B, scales + means, …), the scales within SCALE_MIN … SCALE_MAX."""
        logs, means = self.layer(x).tensor_split([self.scales], dim=1)
        logs = lower_bound(logs, math.log(SCALE_MIN))  # from beyond either end, gradients lead back
        logs = -lower_bound(-logs, -math.log(SCALE_MAX))
        return torch.cat([logs.exp(), means], dim=1)

    @torch.no_grad()
    def start_at(self, spread: Tensor) -> None:
        """Begin with these scales, (M,), for y's channels, and with means near 0."""
        assert self.layer.bias is not None
        self.layer.bias[: self.scales] = spread[self.channels.to(spread.device)].clamp(SCALE_MIN, SCALE_MAX).log()
        self.layer.weight[self.scales :] *= 0.01
        self.layer.bias[self.scales :] *= 0.01


def slim_side(M: int, P: int, N: int = 64) -> SideInformation:
    """Side information for a latent of M channels, with N inside and in z, and P parameters.

    Slim: thin in the middle, 0.25 M parameters for M = 384. (The `slim_…` functions build the priors that notebooks 08
    to 10 compare; they train on whole numbers, with the gradients of `rdoq`.)
    """
    analysis = nn.Sequential(
        WithMagnitudes(), conv(2 * M, N, 1, 1), nn.LeakyReLU(), conv(N, N, 3), nn.LeakyReLU(), conv(N, N, 3)
    )  # (B, N, h/4, w/4)
    synthesis = nn.Sequential(
        deconv(N, N, 3), nn.LeakyReLU(), deconv(N, N, 3), nn.LeakyReLU(), conv(N, P, 1, 1)
    )  # (B, P, h, w)
    return SideInformation(analysis, synthesis, N)


class SideBySide(nn.Module):
    """Networks that see the same and know nothing of each other: their outputs, one after another as channels."""

    def __init__(self, *networks: nn.Module) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, h, w) -> all networks' channels, (B, their sum, h, w)."""
        return torch.cat([network(x) for network in self.networks], dim=1)


def slim_hyperprior(kind: type[ScaleHyperprior], M: int) -> ScaleHyperprior:
    """A hyperprior, of either kind, around `slim_side`, trained on whole numbers.

    Means have a network of their own. Where both shared one, learning the means disturbed the scales, by more than the
    means saved.
    """
    side = with_head(slim_side(M, M), scales=M)
    if issubclass(kind, MeanScaleHyperprior):
        side.synthesis = SideBySide(side.synthesis, with_head(slim_side(M, M), scales=0).synthesis)
    return kind(side, noise=False)


def slim_features(M: int, N: int = 64) -> SideInformation:
    """`slim_side` whose P = 2 N parameters are features for other networks: N meant for scales, N for means.

    For the same reason, each half has a network of its own.
    """
    side = slim_side(M, N, N)
    side.synthesis = SideBySide(side.synthesis, slim_side(M, N, N).synthesis)
    return side


def with_head(side: SideInformation, scales: int) -> SideInformation:
    """The same, its synthesis ending in a `ScaleMeanHead`."""
    assert isinstance(side.synthesis, nn.Sequential)  # as `slim_side` makes it, and its last layer is a convolution
    *layers, last = side.synthesis
    assert isinstance(last, nn.Conv1d | nn.Conv2d)
    side.synthesis = nn.Sequential(*layers, ScaleMeanHead(last, scales))
    return side


@register_codec("bmshj2018-hyperprior")
def scale_hyperprior(N: int = 128, M: int = 192) -> TransformCodec:
    """The model of Ballé et al. 2018 ("bmshj2018-hyperprior"): N channels inside, M in the latent."""
    analysis = nn.Sequential(conv(M, N, 3, 1), nn.ReLU(), conv(N, N), nn.ReLU(), conv(N, N))
    synthesis = nn.Sequential(deconv(N, N), nn.ReLU(), deconv(N, N), nn.ReLU(), conv(N, M, 3, 1), nn.ReLU())
    prior = ScaleHyperprior(SideInformation(analysis, synthesis, N))
    return TransformCodec(gdn_analysis(N, M), gdn_synthesis(N, M), prior, stride=16)


@register_codec("mbt2018-mean")
def mean_scale_hyperprior(N: int = 128, M: int = 192) -> TransformCodec:
    """Minnen, Ballé & Toderici 2018, without their context model ("mbt2018-mean")."""
    prior = MeanScaleHyperprior(SideInformation(*minnen_networks(N, M), N))
    return TransformCodec(gdn_analysis(N, M), gdn_synthesis(N, M), prior, stride=16)


def minnen_networks(N: int, M: int) -> tuple[nn.Sequential, nn.Sequential]:
    """The hyper-analysis and hyper-synthesis of Minnen, Ballé & Toderici 2018."""
    wide = M * 3 // 2
    analysis = nn.Sequential(conv(M, N, 3, 1), nn.LeakyReLU(), conv(N, N), nn.LeakyReLU(), conv(N, N))
    synthesis = nn.Sequential(deconv(N, M), nn.LeakyReLU(), deconv(M, wide), nn.LeakyReLU(), conv(wide, 2 * M, 3, 1))
    return analysis, synthesis


def from_compressai(state_dict: Mapping[str, Tensor]) -> TransformCodec:
    """A codec with the weights, and the tables, of CompressAI's ScaleHyperprior or MeanScaleHyperprior.

    state_dict: that of a CompressAI 1.2.8 model after its `update(force=True)`. Raises ValueError for others.
    """
    state = {_our_name(name): value for name, value in state_dict.items()}
    try:
        N, M = len(state["analysis.0.weight"]), len(state["analysis.6.weight"])
        last = state["prior.side.synthesis.4.weight"]
        codec = scale_hyperprior(N, M) if len(last) == M else mean_scale_hyperprior(N, M)
        medians = state_dict["entropy_bottleneck.quantiles"][:, 0, 1]
        for holder, model, means in (
            ("prior.side.holder", "entropy_bottleneck", medians),
            ("prior.holder", "gaussian_conditional", None),
        ):
            arrays = (
                state_dict[f"{model}._{name}"].cpu().numpy() for name in ("quantized_cdf", "cdf_length", "offset")
            )
            state[f"{holder}._extra_state"] = EntropyCoder(CdfTables(*arrays), means).to_tensor()
        codec.load_state_dict(state, strict=True)
    except (LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            "this is no state dict of a ScaleHyperprior or MeanScaleHyperprior with tables: call the model's "
            "update(force=True), then state_dict()."
        ) from error
    return codec.eval()


def _our_name(name: str) -> str:
    for theirs, ours in (
        ("g_a.", "analysis."),
        ("g_s.", "synthesis."),
        ("h_a.", "prior.side.analysis."),
        ("h_s.", "prior.side.synthesis."),
        ("entropy_bottleneck.", "prior.side.entropy_bottleneck."),
        ("gaussian_conditional.", "prior.gaussian."),
    ):
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name
