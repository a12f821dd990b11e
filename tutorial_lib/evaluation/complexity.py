"""How much a codec computes: the multiplications of its convolutions, each with the addition that follows (MAC).

Papers give thousands of them for a pixel of the picture, kMAC/pixel, of the encoder and of the decoder. They are
counted while the codec runs: each layer tells the sizes that it sees. What else is computed (activation functions,
lifting, the coder) is not counted; the lifting of a 9/7 wavelet is 0.02 kMAC/pixel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from tutorial_lib.transform_codec import TransformCodec
from tutorial_lib.whole_networks import WholeLayer


def multiplications(network: nn.Module, run: Callable[[], object]) -> Counter[str]:
    """Of each convolution and matrix, by its name in the network, while `run()` lasts. Whole batches are counted."""
    counted: Counter[str] = Counter()

    def watch(name: str, module: nn.Module) -> torch.utils.hooks.RemovableHandle:
        def count(layer: nn.Module, xs: tuple, result: Tensor) -> None:
            counted[name] += _of_layer(layer, xs, result)

        return module.register_forward_hook(count)

    hooks = [watch(name, module) for name, module in network.named_modules() if isinstance(module, COUNTED)]
    try:
        with torch.no_grad():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return counted


COUNTED = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear, WholeLayer)


def _of_layer(layer: nn.Module, xs: tuple, result: Tensor) -> int:
    if isinstance(layer, WholeLayer):  # a sum of convolutions, each of its own size
        terms = zip(xs, layer.weights, layer.strides, strict=True)
        return sum(_positions(x, weight.shape[-1], stride) * weight.numel() for x, weight, stride in terms)
    one_channel = cast(Tensor, layer.weight)[0].numel()
    # of a transposed convolution, each input is multiplied with all of its channel's kernel
    return (xs[0] if isinstance(layer, nn.ConvTranspose2d) else result).numel() * one_channel


def _positions(x: Tensor, kernel: int, stride: int) -> int:
    height, width = (max(0, (size - kernel) // stride + 1) for size in x.shape[-2:])
    return len(x) * height * width


def encoder_and_decoder(codec: TransformCodec, x: Tensor, quality: int | None = None) -> tuple[Counter, Counter]:
    """Multiplications of `compress`, at effort 0, and `decompress`, by layer. x (1, 3, H, W) in [0, 1].

    They do not depend on what the picture shows.
    """
    encoder = multiplications(codec, lambda: codec.compress(x, quality))
    coded = codec.compress(x, quality)
    return encoder, multiplications(codec, lambda: codec.decompress(**coded, quality=quality))


def kmac_per_pixel(counted: Counter[str], x: Tensor, prefix: str = "") -> float:
    """Thousands of multiplications for a pixel of pictures x (B, 3, H, W), of the layers whose name begins so."""
    total = sum(count for name, count in counted.items() if name.startswith(prefix))
    return total / 1000 / x[:, 0].numel()
