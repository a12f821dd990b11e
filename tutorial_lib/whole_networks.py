"""Networks of whole numbers below 2^24, held in float32: exact on every machine, at the full speed of float32.

A decoder must find the table that the encoder used, for every symbol. If a network chooses the table, its result must
not depend on the machine; but (a + b) + c is not a + (b + c) in floats, and how a library orders its sums is its own
affair. Sums of *whole numbers* have no such trouble as long as all of them stay below 2^24, which float32 represents
exactly (Ballé, Johnston & Minnen 2019, who use integer types). Then an ordinary float32 convolution is exact in any
order.

    activations   whole numbers from −1023 to 1023 (11 bits), in units of 1/64
    weights       8 bits and a power of two for each output channel: m · 2^-e, |m| ≤ 127
    sums          Σ w·a + b: multiples of 2^-e, exact
    output        leaky ReLU of slope 1/8 (exact, too), round, clamp to −1023 … 1023

All layers use the one unit 1/64, so nothing is calibrated on data: the range ±16 is part of what is trained. In
training the same layers work on floats, the clamp included. With `whole=True` weights and activations are rounded, in
training with straight-through gradients (Jacob et al. 2018), so that the last steps can get used to it.

*Invariant.* For each output channel (Σ|w| · 1023 + 1023 + |b|) / unit < 2^24 (one more input is added as it is), where
the unit is the finest that occurs in its sums. `WholeLayer.whole_weights` makes weights coarser until that holds, for
every input there can be. It makes them from the float32 weights by operations that are exact or defined to the last
bit, so nothing is stored twice.

What it takes is float32 convolutions that multiply and add: no Winograd, no bfloat16. `self_test` notices others.
"""

from collections.abc import Sequence
from functools import cache, reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

UNIT = 64.0  # of activations: the number n stands for n / 64
LIMIT = 1023.0  # of activations, in units
WEIGHT_LIMIT = 127.0
EXACT = 2.0**24  # whole numbers up to here are exact in float32
SLOPE = 0.125  # of negative values: a power of two
OUTPUT_UNIT = 256.0  # of outputs, which are real numbers: multiples of 1/256
OUTPUT_LIMIT = 128.0


class _Straight(torch.autograd.Function):
    """`rounded` forward, to the bit; the identity of x backward."""

    @staticmethod
    def forward(ctx, x: Tensor, rounded: Tensor) -> Tensor:
        return rounded.view_as(rounded)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def straight(x: Tensor, rounded: Tensor) -> Tensor:
    """The value of `rounded`, with the gradient of x."""
    return _Straight.apply(x, rounded) if torch.is_grad_enabled() and x.requires_grad else rounded


def round_to(x: Tensor, unit: float) -> Tensor:
    """The nearest multiple of 1/unit, a power of two; straight-through."""
    rounded = torch.round(x.detach()) if unit == 1 else (x.detach() * unit).round_().div_(unit)
    return straight(x, rounded)


class WholeLayer(nn.Module):
    """A sum of convolutions of several inputs, a bias and perhaps one more tensor; then leaky ReLU, or an output.

    channels: of the sum. inputs: for each input its channels, the kernel's side and the stride. Nothing is padded here.
    slope: of negative values, a power of two; 1: no activation function.
    output: give real numbers, multiples of 1/256 within ±128, instead of activations in units.
    """

    def __init__(
        self, channels: int, *inputs: tuple[int, int, int], slope: float = SLOPE, output: bool = False
    ) -> None:
        super().__init__()
        self.strides = [stride for _, _, stride in inputs]
        self.weights = nn.ParameterList()
        for channels_in, kernel, _ in inputs:
            start = nn.init.kaiming_uniform_(torch.empty(channels, channels_in, kernel, kernel), a=5**0.5)
            self.weights.append(start)
        fan = sum(weight[0].numel() for weight in self.weights)
        self.bias = nn.Parameter((2 * torch.rand(channels) - 1) / fan**0.5)
        self.slope, self.output = slope, output
        self._kept: tuple | None = None  # whole weights, and what they were made from

    def forward(self, *xs: Tensor, plus: Tensor | None = None, whole: bool) -> Tensor:
        """Inputs (B, C_n, h_n, w_n), in units; plus: like the sum, in units -> the layer's output, see above."""
        if whole and not self._learning():
            return _Frozen.apply(self, plus, *xs) if torch.is_grad_enabled() else self._exact(xs, plus)
        weights, bias = self.whole_weights() if whole else (list(self.weights), self.bias * UNIT)
        terms = list(zip(xs, weights, self.strides, strict=True))  # summed: to join the inputs costs more
        biases = [bias, *[None] * (len(terms) - 1)]
        total = reduce(torch.add, [F.conv2d(x, w, b, stride) for (x, w, stride), b in zip(terms, biases, strict=True)])
        return self._finished(total if plus is None else total + plus, whole)

    def _learning(self) -> bool:
        """Are gradients of its parameters wanted?"""
        return torch.is_grad_enabled() and any(p.requires_grad for p in self.parameters())

    def _exact(self, xs: Sequence[Tensor], plus: Tensor | None) -> Tensor:
        """In whole numbers, without gradients."""
        weights, bias = self._kept_weights()
        return self._finished_in_place(_exact_sum(list(zip(xs, weights, self.strides, strict=True)), bias, plus))

    def _finished(self, total: Tensor, whole: bool) -> Tensor:
        if self.output:
            total = total / UNIT
            return (round_to(total, OUTPUT_UNIT) if whole else total).clamp(-OUTPUT_LIMIT, OUTPUT_LIMIT)
        total = F.leaky_relu(total, self.slope) if self.slope < 1 else total
        return (round_to(total, 1.0) if whole else total).clamp(-LIMIT, LIMIT)

    def _finished_in_place(self, total: Tensor) -> Tensor:
        """The same numbers in whole, without gradients and in less time: all factors are powers of two."""
        if self.output:
            total.mul_(OUTPUT_UNIT / UNIT).round_().clamp_(-OUTPUT_LIMIT * OUTPUT_UNIT, OUTPUT_LIMIT * OUTPUT_UNIT)
            return total.div_(OUTPUT_UNIT)
        total = F.leaky_relu_(total, self.slope) if self.slope < 1 else total
        return total.round_().clamp_(-LIMIT, LIMIT)

    def _kept_weights(self) -> tuple[list[Tensor], Tensor]:
        """`whole_weights`, made anew when parameters or the mode have changed since."""
        parameters = [*self.weights, self.bias]
        if any(p.is_inference() for p in parameters):
            return self.whole_weights()
        version = [(p._version, p.data_ptr()) for p in parameters]
        if self._kept is None or self._kept[0] != version:
            self._kept = version, self.whole_weights()
        return self._kept[1]

    @torch.no_grad()
    def made_anew(self) -> tuple[list[Tensor], Tensor]:
        """`whole_weights`, of the parameters as they are now, and kept for what follows."""
        self._kept = None
        return self._kept_weights()

    def train(self, mode: bool = True) -> "WholeLayer":
        self._kept = None  # whoever writes to `.data` leaves no trace, but changes the mode
        return super().train(mode)

    def whole_weights(self) -> tuple[list[Tensor], Tensor]:
        """Weights of 8 bits and a bias, such that all sums are exact; with the float weights' gradients.

        Raises ValueError for weights that are not finite, or so large that nothing sensible can follow.
        """
        largest = torch.stack([weight.detach().abs().amax(dim=(1, 2, 3)) for weight in self.weights])  # (inputs, C)
        if not bool(((largest < 2.0**12) & (self.bias.detach().abs() < 2.0**12)).all()):
            raise ValueError("a network's weights are not finite, or huge: they have diverged.")
        exponents = (7 - torch.frexp(largest).exponent).clamp(-8, 14)  # |w| · 2^e < 128
        while True:
            weights = [self._rounded(weight, e) for weight, e in zip(self.weights, exponents, strict=True)]
            finest = exponents.amax(dim=0).clamp(min=0)  # what is added besides is a multiple of 1
            step = torch.exp2(-finest.float())
            bias = torch.round(self.bias.detach() * UNIT / step) * step
            beyond = largest_sums(weights, bias) / step >= EXACT
            if not bool(beyond.any()):
                return weights, straight(self.bias * UNIT, bias)
            if bool((beyond & (finest == 0)).any()):
                raise ValueError("a network's weights are so large that sums cannot be exact: they have diverged.")
            exponents = exponents - (beyond & (exponents == finest)).to(exponents.dtype)

    @staticmethod
    def _rounded(weight: Tensor, exponents: Tensor) -> Tensor:
        scale = torch.exp2(exponents.float())[:, None, None, None]  # powers of two: exact
        m = torch.round(weight.detach() * scale).clamp(-WEIGHT_LIMIT, WEIGHT_LIMIT)
        return straight(weight, m / scale)


class _Frozen(torch.autograd.Function):
    """A `WholeLayer` in whole numbers whose weights are not learned, with gradients of its inputs: straight through.

    They need only what came out, and the weights.
    """

    @staticmethod
    def forward(ctx, layer: WholeLayer, plus: Tensor | None, *xs: Tensor) -> Tensor:
        y = layer._exact(xs, plus)
        ctx.save_for_backward(y)
        ctx.layer, ctx.shapes = layer, [x.shape for x in xs]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,), layer = ctx.saved_tensors, ctx.layer
        limit = OUTPUT_LIMIT if layer.output else LIMIT
        grad = torch.ops.aten.hardtanh_backward(grad, y, -limit, limit)
        if layer.output:
            grad = grad / UNIT
        elif layer.slope < 1:
            grad = torch.where(y.signbit(), grad * layer.slope, grad)  # a negative number rounded to 0 is −0
        weights, _ = layer._kept_weights()
        each = zip(ctx.needs_input_grad[2:], ctx.shapes, weights, layer.strides, strict=True)
        xs = [_input_gradient(shape, w, grad, stride) if wanted else None for wanted, shape, w, stride in each]
        return None, grad if ctx.needs_input_grad[1] else None, *xs


def _input_gradient(shape: torch.Size, weight: Tensor, grad: Tensor, stride: int) -> Tensor:
    """Of a convolution: like its input, channels last, as the one of `torch.nn.grad` is not, which takes longer."""
    x = torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last)
    args = [stride, stride], [0, 0], [1, 1], False, [0, 0], 1, [True, False, False]
    return torch.ops.aten.convolution_backward(grad, x, weight, None, *args)[0]


def _exact_sum(terms: Sequence[tuple[Tensor, Tensor, int]], bias: Tensor, plus: Tensor | None) -> Tensor:
    """The sum of convolutions, bias (C,) and plus, of whole numbers: in any order, so what is small comes first.

    The quality map, the last input, has one pixel: it becomes a part of the bias. Larger kernels add a bias on the way;
    to what 1 × 1 gives, on one thread, it is added faster afterwards.
    """
    total = bias[:, None, None]
    for x, weight, stride in reversed(terms):
        if total.numel() == len(bias) and weight.shape[-1] > 1:
            total = F.conv2d(x, weight, total.flatten(), stride)
        else:
            total = F.conv2d(x, weight, None, stride).add_(total)
    return total if plus is None else total.add_(plus)


def largest_sums(weights: Sequence[Tensor], bias: Tensor) -> Tensor:
    """The largest |sum| that inputs within ±LIMIT can lead to, one tensor more within ±LIMIT included: (C,)."""
    total = bias.detach().abs().double() + LIMIT
    for weight in weights:
        total = total + weight.detach().abs().double().sum(dim=(1, 2, 3)) * LIMIT
    return total


def check(network: nn.Module) -> None:
    """Make all whole weights, as parameters are now. Raises ValueError unless all sums are exact, whatever comes in."""
    for module in network.modules():
        if isinstance(module, WholeLayer):
            module.made_anew()


@cache
def self_test_once(device: torch.device) -> None:
    """`self_test`, unless this process has passed it there."""
    self_test(device)


@torch.no_grad()
def self_test(device: torch.device | str = "cpu") -> None:
    """Convolve numbers of the sizes that occur, sums of 24 bits included, and compare with products of int64 matrices.

    Raises ValueError if this machine's float32 convolutions are not exact: coding would not be safe.
    """
    generator = torch.Generator().manual_seed(0)
    for channels, out, kernel, stride in (
        (24, 24, 3, 1),
        (64, 64, 3, 1),
        (12, 40, 3, 2),
        (64, 24, 1, 1),
        (16, 64, 5, 1),
    ):
        x = torch.randint(-100, int(LIMIT) + 1, (1, channels, 20, 18), generator=generator)
        weight = torch.randint(-30, int(WEIGHT_LIMIT) + 1, (out, channels, kernel, kernel), generator=generator)
        bias = torch.randint(-(2**20), 2**20, (out,), generator=generator)  # odd and even ones: the last bit counts
        most = int(largest_sums([weight], bias).max())
        weight = (weight * min(1.0, (EXACT - 2**21) / most)).long()
        assert float(largest_sums([weight], bias).max()) < EXACT
        largest = int(weight.abs().sum(dim=(1, 2, 3)).argmax())  # one sum is as large as this channel's can be
        x[0, :, :kernel, :kernel] = int(LIMIT) * weight[largest].sign()
        bias[largest] = bias[largest].abs() | 1
        columns = F.unfold(x.double(), kernel, stride=stride).long()  # exact: whole numbers
        true = weight.flatten(1) @ columns[0] + bias[:, None]  # (out, positions), int64
        for layout in (torch.contiguous_format, torch.channels_last):
            a, w = (t.to(device, torch.float32).contiguous(memory_format=layout) for t in (x, weight))
            sums = F.conv2d(a, w, bias.to(device, torch.float32), stride).cpu().flatten(2)[0]
            if not torch.equal(sums.long(), true):
                raise ValueError(
                    "float32 convolutions are not exact on this device (bfloat16, Winograd or another shortcut?): "
                    "files coded here could not be decoded elsewhere. Use the CPU."
                )
