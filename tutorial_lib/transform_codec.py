"""The frame that makes a codec of two transforms and a prior, and the simplest prior that fits.

    x ─ pad ─ analysis ─ y ─ prior.compress ─ bytes ─ prior.decompress ─ ŷ ─ synthesis ─ crop ─ x̂

A **prior** knows how likely each latent ŷ is, and how to write it down. The frame asks four things of it:

    forward(y)                   -> (y_hat, likelihoods): y_hat like y, likelihoods a dict of tensors
    build_coder()                   make the coding tables: once, after training
    compress(y)                  -> strings: for each part that it writes, one string an image
    decompress(strings, (h, w))  -> y_hat, equal to the forward pass in evaluation mode, bit for bit

`FactorizedPrior` writes one part. The hyperpriors, context models and slices of later notebooks ask for the same
frame and offer the same four things, so that one takes another's place by one word.

The frame minimises R + λ·D (Ballé, Laparra & Simoncelli 2017), with the rate of whole numbers: see `IntegerPrior`.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.entropy_coder import CoderSlot
from tutorial_lib.padding import crop, pad_to_multiple
from tutorial_lib.quantization import round_ste
from tutorial_lib.rans import BitstreamError

Strings = Sequence[Sequence[bytes]]  # a part, then an image


def rate_of_whole_numbers(
    y: Tensor, likelihood: Callable[[Tensor], Tensor], error_price: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Quantize, and rate the very symbols that will be coded: y -> (whole numbers, likelihoods), both like y.

    likelihood:  gives that of whole numbers, of y's shape.
    error_price: what a squared error of 1 costs, in bits, broadcast to y's shape. Of the two whole numbers around y
                 the one is taken that costs least together with its error, which may be the farther one. None: the
                 nearer one, always.

    With noise for rounding, the rate is smooth, but where most symbols are 0 it is far too high: y = 0.3 will be coded
    as 0, while its noisy stand-in may land at 0.8, where the density expects next to nothing. So here the rate is that
    of the symbol itself. Its gradient for the density is exact. Rounding passes none to y, so y gets the slope of the
    code length between the two whole numbers around it: what a step up would cost, or a step down save.
    """
    below = y.detach().floor()
    cost_below, cost_above = -likelihood(below).log2(), -likelihood(below + 1).log2()  # bits
    slope = (cost_above - cost_below).detach()  # bits for each step up
    if error_price is None:
        y_hat = round_ste(y)
    else:  # the two squared errors, (y − below − 1)² and (y − below)², differ by 1 − 2 (y − below)
        up = slope + error_price * (1 - 2 * (y.detach() - below)) < 0
        y_hat = y + (below + up - y).detach()
    cost = torch.where(y_hat > below, cost_above, cost_below)
    return y_hat, torch.exp2(-cost - slope * (y - y.detach()))


class IntegerPrior(EntropyBottleneck):
    """A factorized prior of whole numbers, trained on the very symbols that will be coded.

    Rounding is centred on 0: of a density that has been trained at whole numbers only, the median means nothing.
    """

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, C, ...) -> (round(y), likelihoods), in training as in use; only the gradients are stand-ins."""
        return rate_of_whole_numbers(y, self.rate) if self.training else super().forward(y)

    def _refresh_medians(self) -> None:
        """They stay 0."""


class FactorizedPrior(nn.Module):
    """One density a channel, and nothing else is known about a latent (B, channels, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.entropy_bottleneck = IntegerPrior(channels)
        self.slot = CoderSlot()

    def forward(self, y: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        y_hat, likelihoods = self.entropy_bottleneck(y)
        return y_hat, {"y": likelihoods}

    def build_coder(self) -> None:
        self.slot.build(self.entropy_bottleneck)

    def compress(self, y: Tensor) -> list[list[bytes]]:
        return [self.slot.coder.compress(y)]

    def decompress(self, strings: Strings, shape: tuple[int, int]) -> Tensor:
        (y_strings,) = parts(strings, 1)
        return self.slot.coder.decompress(y_strings, shape)  # (B, C, h, w)


def parts(strings: Strings, count: int) -> Strings:
    """The strings, if there are as many parts as a prior writes; else BitstreamError."""
    if len(strings) != count:
        raise BitstreamError(f"this codec writes {count} string(s) a picture, not {len(strings)}.")
    return strings


class TransformCodec(nn.Module):
    """A codec around two transforms and a prior.

    analysis:  (B, 3, H, W) in [0, 1], sizes a multiple of `stride` -> latent y (B, M, H/stride, W/stride).
    synthesis: the way back.
    prior:     what the module's first lines ask for.
    """

    def __init__(self, analysis: nn.Module, synthesis: nn.Module, prior: nn.Module, stride: int) -> None:
        super().__init__()
        self.analysis = analysis
        self.synthesis = synthesis
        self.prior = prior
        self.stride = stride

    def forward(self, x: Tensor) -> dict:
        """x (B, 3, H, W) in [0, 1], of any size -> {"x_hat": like x, "likelihoods": {"y": like the latent, …}}."""
        padded, padding = pad_to_multiple(x, self.stride)
        y = self.analysis(padded)  # (B, M, H/stride, W/stride)
        y_hat, likelihoods = self.prior(y)
        return {"x_hat": crop(self.synthesis(y_hat), padding), "likelihoods": likelihoods}

    def build_coder(self) -> None:
        """Make the coding tables of the prior as it is now: once, after training."""
        self.prior.build_coder()

    @property
    def is_built(self) -> bool:
        """Are there coding tables?"""
        return all(slot.is_built for slot in self._slots())

    @torch.no_grad()
    def compress(self, x: Tensor) -> dict:
        """x (B, 3, H, W) in [0, 1] -> {"strings": for each part one list of B strings, "shape": (H, W)}.

        Raises RuntimeError before `build_coder`, ValueError where the latent is not finite.
        """
        padded, _ = pad_to_multiple(x, self.stride)
        return {"strings": self.prior.compress(self.analysis(padded)), "shape": tuple(x.shape[-2:])}

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int]) -> dict:
        """Undo `compress`: {"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode.

        Raises rans.BitstreamError for damaged strings.
        """
        height, width = shape
        latent_shape = (-(-height // self.stride), -(-width // self.stride))  # rounded up, as padding does
        y_hat = self.prior.decompress(strings, latent_shape)  # (B, M, H/stride, W/stride)
        return {"x_hat": self.synthesis(y_hat)[..., :height, :width]}

    def fingerprint(self) -> str:
        """16 hex digits that tell these coding tables from all others."""
        prints = [slot.coder.tables.fingerprint() for slot in self._slots()]
        return prints[0] if len(prints) == 1 else hashlib.sha256("".join(prints).encode()).hexdigest()[:16]

    def _slots(self) -> list[CoderSlot]:
        return [module for module in self.prior.modules() if isinstance(module, CoderSlot)]
