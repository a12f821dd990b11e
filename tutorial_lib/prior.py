"""What a prior has to offer to the frame of `transform_codec`, and the simplest prior.

A **prior** knows how likely each latent ŷ is, and how to write it down. Every prior of the course derives from
`Prior`, so that one takes another's place by one word: `FactorizedPrior` here, hyperpriors, context models and slices
in later notebooks.

What a variable-rate codec depends on, its quality, is the **condition**: (B,) numbers, one for each image. Elsewhere
there is none, and it is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.entropy_coder import CoderHolder
from tutorial_lib.rans import BitstreamError
from tutorial_lib.rdoq import rdoq

Latent = Any  # y or ŷ: a tensor (B, M, h, w), or another structure that transforms and prior agree on
Strings = Sequence[Sequence[bytes] | None]  # a part, then an image; None: a part that is lost


class Prior(nn.Module):
    """How likely a latent is, and how to write it down. y: (B, M, h, w), or whatever the transforms agree on.

    Of the parts that `compress` writes, one string an image each, a decoder needs the first `required_parts`; then
    come `slices` parts that it can do without, for a picture of less detail.
    """

    required_parts: int | None = 1  # None: it depends on the latent's size
    slices: int = 0
    encoder_only: tuple[str, ...] = ()  # how the names of weights begin that no decoder needs

    def forward(self, y: Latent, condition: Tensor | None = None) -> tuple[Latent, dict[str, Tensor]]:
        """y -> (y_hat like y, likelihoods: a tensor for each latent, such as {"y": like y, "z": …}).

        In training, stand-ins for rounding pass a gradient; in evaluation mode y_hat is exactly what `decompress`
        gives. The bits of an image are the sum of −log2 of its likelihoods. The name "z" is for side information: in
        training its bits count in full only after `Recipe.rate_warm_up` steps.
        """
        raise NotImplementedError

    def build_coder(self) -> None:
        """Make the coding tables: once, after training. Raises ValueError where the parameters have diverged.

        Keep the coder in a `entropy_coder.CoderHolder`, so that it is saved with the weights.
        """
        raise NotImplementedError

    @property
    def is_built(self) -> bool:
        """Are there tables in every `CoderHolder` in here? (A prior that keeps them elsewhere answers by itself.)"""
        return all(module.is_built for module in self.modules() if isinstance(module, CoderHolder))

    def compress(self, y: Latent, condition: Tensor | None = None) -> list[list[bytes]]:
        """y -> for each part one list of B strings.

        Raises RuntimeError before `build_coder`, ValueError where y is not finite.
        """
        raise NotImplementedError

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Latent:
        """Undo `compress`: y_hat, equal to the forward pass in evaluation mode, bit for bit.

        shape: the latent's (h, w). Raises rans.BitstreamError for damaged strings, or too few of them.
        """
        raise NotImplementedError

    def start_at(self, y: Latent, condition: Tensor | None = None) -> None:
        """Before training: initialise from the latents of some images, such as from their spreads. Default: nothing."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What an optimizer is given: {"name", "params", "lr"}, and "clip": False for gradients that are not clipped.

        The name is what `Recipe.rates` knows a group by. Densities learn better without clipping: their gradients are
        large at first, and would slow down all others.
        """
        return [{"name": "prior", "params": list(self.parameters()), "lr": 1e-3}]

    def check(self) -> None:
        """Raise ValueError where an encoder and a decoder could come to different results."""


def check_parts(strings: Strings, count: int) -> list[Sequence[bytes]]:
    """The strings, if there are as many parts as a prior writes, and none is lost; else BitstreamError."""
    check_count(strings, count)
    parts = [part for part in strings if part is not None]
    if len(parts) != count:
        raise BitstreamError(f"of the {count} string(s) of a picture some are lost, and this codec needs them all.")
    return parts


def check_count(strings: Strings, count: int) -> None:
    """Raise BitstreamError unless there are as many parts as a prior writes, lost ones (None) included."""
    if len(strings) != count:
        raise BitstreamError(f"this codec writes {count} string(s) a picture, not {len(strings)}.")


# ---- the simplest prior


class IntegerPrior(EntropyBottleneck):
    """A factorized prior of whole numbers, trained on the very symbols that will be coded.

    Rounding is centred on 0: of a density that has been trained at whole numbers only, the median means nothing.
    """

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, C, ...) -> (round(y), likelihoods), in training as in use; only the gradients are stand-ins."""
        self.check_channels(y)
        return rdoq(y, self.rate) if self.training else super().forward(y)

    def _refresh_medians(self) -> None:
        """They stay 0."""


class FactorizedPrior(Prior):
    """One density a channel, and nothing else is known about a latent (B, channels, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.entropy_bottleneck = IntegerPrior(channels)
        self.holder = CoderHolder(channels)

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        y_hat, likelihoods = self.entropy_bottleneck(y)
        return y_hat, {"y": likelihoods}

    def build_coder(self) -> None:
        self.holder.build(self.entropy_bottleneck)

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        return [self.holder.coder.compress(y)]

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        (y_strings,) = check_parts(strings, 1)
        return self.holder.coder.decompress(y_strings, shape)  # (B, C, h, w)

    def start_at(self, y: Tensor, condition: Tensor | None = None) -> None:
        """Begin with logistic densities as wide as the channels: they differ a thousandfold."""
        self.entropy_bottleneck.start_at_widths(y.abs().mean(dim=(0, 2, 3)).clamp(min=0.1))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"name": "densities", "params": list(self.parameters()), "lr": 3e-2, "clip": False}]
