"""Networks whose results are the same on every machine, to the last bit.

A decoder must find the very table that the encoder used, for every symbol. If a network chooses the table, then its
result must not depend on the machine; but float32 results do: (a + b) + c is not a + (b + c), and how a library orders
its sums is its own affair (another thread count, memory layout or GPU, another order). One table wrong, and all that
follows is noise.

Sums of *integers* have no such trouble, as long as none of them overflows. So here a network computes on integers
(Ballé, Johnston & Minnen 2019), in **fixed point**: the number a is held as round(a · 2^10), a weight w as
round(w · 2^16). They are kept in float64, whose whole numbers are exact up to 2^53, because every machine multiplies
matrices of these fast.

    sums    Σ w·a + b             whole numbers, in units of 2^-26, exact in whatever order
    scale   round(sums · 2^-16)   back to units of 2^-10; · 2^-16 only changes the exponent, and round() is defined
    clamp   to 0 … LIMIT (ReLU) or −LIMIT … LIMIT, so that the next layer's sums are bounded, too

*Invariant.* For each output of each layer Σ|w| · LIMIT + |b| < 2^53, in the integers' own units: `check` proves it from
the weights, for every input there can be. So no partial sum is ever rounded.

The integers are made from the float32 weights whenever they are needed: a product with a power of two is exact, and
its rounding defined, so this, too, gives the same on every machine. There is nothing to store twice, and nothing to
calibrate. What it takes is true float64: Apple's GPUs have none (decode on the CPU there), and NVIDIA's must not be
told to emulate it (CUBLAS_EMULATE_DOUBLE_PRECISION).
"""

from itertools import pairwise
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tutorial_lib.padding import reflect_pad

FRACTION = 10  # bits behind the point of what flows through a network
WEIGHT_FRACTION = 16  # and of its weights
ONE = 2.0**FRACTION
LIMIT = 2.0**23  # of the integers between layers: ±8192 in units of 1
EXACT = 2.0**53  # whole numbers below this are exact in float64


def to_fixed(x: Tensor) -> Tensor:
    """Real numbers to fixed point: float64 holding round(x · 2^10), within ±LIMIT."""
    return torch.round(x.double() * ONE).clamp(-LIMIT, LIMIT)


def from_fixed(x: Tensor) -> Tensor:
    """Fixed point to float32. Exact below 2^24, so for everything within ±LIMIT."""
    return (x / ONE).float()


class Arithmetic(Protocol):
    """What a prior computes with: `FLOATS` in training, `FIXED_POINT` for coding. So one control flow serves both.

    In between, sums and concatenations are the same for both.
    """

    def run(self, network: "PortableConv | PortableNetwork", x: Tensor) -> Tensor:
        """A layer or a network applied to x (B, C, h, w)."""
        ...

    def relu(self, x: Tensor) -> Tensor:
        """x, where it is above 0; else 0. In fixed point kept in its range, too."""
        ...

    def bounded(self, x: Tensor) -> Tensor:
        """x, clamped to the range of fixed point. Floats stay as they are."""
        ...

    def given(self, x: Tensor) -> Tensor:
        """Floats from elsewhere, such as a quality map, as numbers of this arithmetic."""
        ...


class _Floats:
    def run(self, network: "PortableConv | PortableNetwork", x: Tensor) -> Tensor:
        return network(x).float()  # whatever autocast makes of it

    def relu(self, x: Tensor) -> Tensor:
        return F.relu(x)

    def bounded(self, x: Tensor) -> Tensor:
        return x

    def given(self, x: Tensor) -> Tensor:
        return x


class _FixedPoint:
    def run(self, network: "PortableConv | PortableNetwork", x: Tensor) -> Tensor:
        return network.fixed_point(x)

    def relu(self, x: Tensor) -> Tensor:
        return x.clamp(0, LIMIT)

    def bounded(self, x: Tensor) -> Tensor:
        return x.clamp(-LIMIT, LIMIT)

    def given(self, x: Tensor) -> Tensor:
        return to_fixed(x)


FLOATS, FIXED_POINT = _Floats(), _FixedPoint()


class PortableConv(nn.Conv2d):
    """A convolution with stride 1 that keeps the size, by reflection: of floats in training, of integers for coding.

    relu: are results below 0 cut off?
    """

    bias: nn.Parameter  # a `Conv2d` may have none; this one has

    def __init__(self, channels_in: int, channels_out: int, kernel: int = 1, relu: bool = True) -> None:
        super().__init__(channels_in, channels_out, kernel)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C_in, h, w) -> (B, C_out, h, w)."""
        x = super().forward(self._padded(x))
        return F.relu(x) if self.relu else x

    def fixed_point(self, x: Tensor) -> Tensor:
        """The same in fixed point: float64 whole numbers in and out."""
        weight, bias = self.integers()
        (batch, _, height, width), kernel = x.shape, self.kernel_size[0]
        # A convolution is a matrix product. Said so, no library can choose a way of its own, such as Fourier's.
        columns = F.unfold(self._padded(x), kernel) if kernel > 1 else x.flatten(2)  # (B, C_in k², h w)
        sums = weight @ columns + bias  # (B, C_out, h w)
        rounded = torch.round(sums * 2.0**-WEIGHT_FRACTION)
        return rounded.clamp(0.0 if self.relu else -LIMIT, LIMIT).view(batch, -1, height, width)

    def _padded(self, x: Tensor) -> Tensor:
        beyond = self.kernel_size[0] // 2
        return reflect_pad(x, beyond, beyond, beyond, beyond) if beyond else x

    def integers(self) -> tuple[Tensor, Tensor]:
        """The weights (C_out, C_in k²) in units of 2^-16 and biases (C_out, 1) in units of 2^-26, as float64."""
        weight = torch.round(self.weight.detach().double() * 2.0**WEIGHT_FRACTION)
        bias = torch.round(self.bias.detach().double() * 2.0 ** (WEIGHT_FRACTION + FRACTION))
        return weight.flatten(1), bias[:, None]

    def check(self) -> None:
        """Raise ValueError unless all sums that any input can lead to are exact."""
        weight, bias = self.integers()
        largest = float((weight.abs().sum(dim=1, keepdim=True) * LIMIT + bias.abs()).max())
        if not largest < EXACT:  # so that NaN fails, too
            raise ValueError(
                f"a portable layer's sums could reach {largest:.3g}, beyond 2^53, where they are no longer exact: "
                "its weights have diverged."
            )


class PortableNetwork(nn.Sequential):
    """Portable convolutions one after another; between them pixels may be shuffled, which computes nothing."""

    def fixed_point(self, x: Tensor) -> Tensor:
        """In fixed point, whatever the mode: float64 whole numbers within ±LIMIT in and out."""
        for layer in self:
            x = layer.fixed_point(x) if isinstance(layer, PortableConv) else layer(x)
        return x

    def check(self) -> None:
        """Raise ValueError unless every sum in here is exact."""
        for layer in self:
            if isinstance(layer, PortableConv):
                layer.check()
            elif not isinstance(layer, nn.PixelShuffle):
                raise ValueError(f"{type(layer).__name__} has no place in a portable network.")


def portable_network(*widths: int, kernels: tuple[int, ...]) -> PortableNetwork:
    """Convolutions from widths[0] channels to widths[-1], with ReLU after all but the last."""
    layers = [
        PortableConv(*pair, kernel, relu=n < len(kernels) - 1)
        for n, (pair, kernel) in enumerate(zip(pairwise(widths), kernels, strict=True))
    ]
    return PortableNetwork(*layers)
