"""Other machines, played on this one: settings and shortcuts that change how a convolution adds up. For notebook 11."""

import contextlib
import copy
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib import rans
from tutorial_lib.cdf import CdfTables
from tutorial_lib.prior import Prior

# conv2d(x, weight, bias, stride), without padding, as `WholeLayer` calls it
Convolution = Callable[[Tensor, Tensor, Tensor | None, int], Tensor]
CONV2D = F.conv2d


# ---- settings, for the time of a `with`


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """With so many threads of PyTorch's."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def onednn(on: bool) -> Iterator[None]:
    """With oneDNN, the library that PyTorch convolves with on a CPU, or with PyTorch's own loops."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch remarks on another switch of oneDNN
        with torch.backends.mkldnn.flags(enabled=on):
            yield


def convolution(function: Convolution) -> contextlib.AbstractContextManager:
    """With another `conv2d`."""
    return mock.patch.object(F, "conv2d", function)


# ---- ways to convolve, the same on paper


def channels_last(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """With another layout in memory."""
    return CONV2D(x.contiguous(memory_format=torch.channels_last), weight, bias, stride)


def contiguous(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """With the usual layout in memory."""
    return CONV2D(x.contiguous(), weight.contiguous(), bias, stride)


def in_a_batch(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """With two more pictures beside it."""
    return CONV2D(torch.cat([x, -x, x / 2]), weight, bias, stride)[: len(x)]


def other_order(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """With the input's channels, and the weights', in other places."""
    order = torch.randperm(x.shape[1], generator=torch.Generator().manual_seed(x.shape[1]))
    return CONV2D(x[:, order], weight[:, order], bias, stride)


def matrix_product(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """As a product of two matrices."""
    size = [(side - kernel) // stride + 1 for side, kernel in zip(x.shape[-2:], weight.shape[-2:], strict=True)]
    sums = weight.flatten(1) @ F.unfold(x, weight.shape[-1], stride=stride)  # (B, C_out, positions)
    return (sums if bias is None else sums + bias[:, None]).unflatten(-1, size)


def in_float64(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """In double precision, the sum rounded to float32."""
    return CONV2D(x.double(), weight.double(), None if bias is None else bias.double(), stride).float()


WAYS: dict[str, Convolution] = {
    "as it is": CONV2D,
    "contiguous": contiguous,
    "channels last": channels_last,
    "batch of three": in_a_batch,
    "other order": other_order,
    "matrix product": matrix_product,
    "float64": in_float64,
}


# ---- shortcuts of fast hardware and libraries


def keep_digits(x: Tensor, digits: int) -> Tensor:
    """Round to so many binary digits: 8 are bfloat16's, 11 are TF32's and float16's."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp(torch.round(mantissa * 2.0**digits) / 2.0**digits, exponent)


def with_digits(digits: int) -> Convolution:
    """A convolution that keeps so many binary digits of its inputs and weights."""

    def convolve(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
        return CONV2D(keep_digits(x, digits), keep_digits(weight, digits), bias, stride)

    return convolve


def in_float16(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """In half precision, its sums, too."""
    return CONV2D(x.half(), weight.half(), None if bias is None else bias.half(), stride).float()


def winograd(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int) -> Tensor:
    """F(4 × 4, 3 × 3) of Lavin & Gray (2016): four outputs a side from six inputs, with 36 products instead of 144.

    For kernels of 3 and stride 1; others are convolved as usual.
    """
    if weight.shape[-1] != 3 or stride != 1:
        return CONV2D(x, weight, bias, stride)
    to_outputs, to_inputs, to_weights = (torch.tensor(m) for m in (_OUTPUTS, _INPUTS, _WEIGHTS))
    height, width = x.shape[-2] - 2, x.shape[-1] - 2
    padded = F.pad(x, (0, -width % 4, 0, -height % 4))
    tiles = padded.unfold(2, 6, 4).unfold(3, 6, 4)  # (B, C, rows, columns, 6, 6)
    u = to_weights @ weight @ to_weights.T  # (C_out, C, 6, 6)
    v = to_inputs @ tiles @ to_inputs.T
    sums = torch.einsum("ocij,bcrsij->borsij", u, v)
    pixels = (to_outputs @ sums @ to_outputs.T).permute(0, 1, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)
    pixels = pixels[..., :height, :width]
    return pixels if bias is None else pixels + bias[:, None, None]


_OUTPUTS = [[1.0, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
_INPUTS = [
    [4.0, 0, -5, 0, 1, 0],
    [0, -4, -4, 1, 1, 0],
    [0, 4, -4, -1, 1, 0],
    [0, -2, -1, 2, 1, 0],
    [0, 2, -1, -2, 1, 0],
    [0, 4, 0, -5, 0, 1],
]
_WEIGHTS = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]


# ---- a network of floats, as other computers see it


def in_another_order(network: nn.Module, seed: int) -> nn.Module:
    """The same network on paper: each of its convolutions adds up its input channels in another order."""
    twin, generator = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    for layer in twin.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and layer.groups == 1:
            order = torch.randperm(layer.in_channels, generator=generator)
            layer.weight.data = layer.weight.data.index_select(0 if layer.transposed else 1, order)
            layer.register_forward_pre_hook(lambda _, inputs, order=order: inputs[0][:, order])
    return twin


def computers(network: nn.Module) -> dict[str, Callable[[Tensor], Tensor]]:
    """Other computers that run a network of floats: a name, and what each makes of an input."""
    double = copy.deepcopy(network).double()
    last = copy.deepcopy(network).to(memory_format=torch.channels_last)

    def on_two_threads(x: Tensor) -> Tensor:
        with threads(2):
            return network(x)

    def without_onednn(x: Tensor) -> Tensor:
        with onednn(False):
            return network(x)

    return {
        "the same again": network,
        "two threads": on_two_threads,
        "oneDNN off": without_onednn,
        "channels last": lambda x: last(x.contiguous(memory_format=torch.channels_last)),
        "batch of four": lambda x: network(x.expand(4, -1, -1, -1))[:1],
        "float64": lambda x: double(x.double()).float(),
        **{f"other order {seed + 1}": in_another_order(network, seed) for seed in range(3)},
    }


Decisions = tuple[Tensor, Tensor, Tensor]  # the numbers of the tables, the scales, the means


class Differences(NamedTuple):
    """Between two computers, over some photos. share: of the scales that differ. ulps: by how many at most.

    flips: (photo, place in the stream) of each other table. errors: the sum of the scales' relative differences."""

    photos: int
    share: float
    ulps: int
    flips: list[tuple[int, int]]
    errors: float


def differences(own: Mapping[int, Decisions], other: Callable[[int], Decisions]) -> Differences:
    """What another computer decides, photo by photo, against one's own decisions."""
    shares, ulps, flips, total = [], 0, [], 0.0
    for n, (index, scales, _) in own.items():
        other_index, other_scales, _ = other(n)
        errors = (other_scales - scales).abs()
        shares.append(float((errors > 0).float().mean()))
        ulps = max(ulps, int((other_scales.view(torch.int32) - scales.view(torch.int32)).abs().max()))
        flips += [(n, int(place)) for place in (other_index != index).flatten().nonzero()]
        total += float((errors / scales).double().sum())
    return Differences(len(own), float(np.mean(shares)), ulps, flips, total)


def in_floats(prior: Prior) -> Prior:
    """A twin of a prior of whole numbers whose networks compute as they were trained: with floats."""
    twin: Any = copy.deepcopy(prior)
    scan = type(twin).scan
    twin.scan = lambda *arguments, whole, **options: scan(twin, *arguments, whole=False, **options)
    return twin


def seconds(function: Callable[[], Any], laps: int = 7) -> float:
    """The shortest processor time that a call took: what else the computer does at the same time hardly counts."""
    clock = time.process_time if time.get_clock_info("process_time").resolution < 1e-4 else time.perf_counter  # Windows
    spent = []
    for _ in range(laps):
        begin = clock()
        function()
        spent.append(clock() - begin)
    return min(spent)


def trusting_decode(string: bytes, indexes: NDArray, tables: CdfTables) -> NDArray:
    """A decoder that does not check: symbols (C, h, w), whatever they are; zeros where even the bytes have ended."""
    decoder, channels = rans.Decoder(string, tables), np.zeros(indexes.shape, np.int32)
    with contextlib.suppress(rans.BitstreamError):
        for channel, tables_of_channel in zip(channels, indexes, strict=True):
            channel[:] = decoder.pop(tables_of_channel)
    return channels
