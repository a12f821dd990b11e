"""Information: what symbols cost, in bits, and the loss that trades bits for distortion.

A symbol of probability p carries -log2 p bits of surprise (Shannon 1948). A source with pmf p, on average:

    entropy         H(p)    = -Σ p log2 p           the least that any lossless code can spend on a symbol
    cross-entropy   H(p, q) = -Σ p log2 q           what a code made for q spends when the truth is p
    KL divergence   D(p‖q)  = H(p, q) - H(p) >= 0   the price of believing q (Kullback & Leibler 1951)

By continuity 0 log 0 = 0. Where q calls impossible (q = 0) what does happen (p > 0), the cost is infinite.

The likelihoods that an entropy model gives to its symbols say how many bits a coder will spend on them:
`bits` adds them up, `bits_per_pixel` spreads them over the images, and `rate_distortion_loss` weighs them
against the pictures' error, with a Lagrange multiplier (Ballé, Laparra & Simoncelli 2017; scaled as by
Bégaint et al. 2020).

Every function takes torch tensors and gives tensors, through which gradients flow; or it takes NumPy arrays
(lists too) and gives NumPy's.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

SUM_TOLERANCE = 1e-5  # how far from 1 a pmf may sum; a float32 softmax over many symbols strays by about 1e-6


def entropy(pmf: Tensor | ArrayLike) -> Any:
    """Entropy in bits. pmf: (..., n), each row along the last axis a distribution. Returns (...).

    Raises ValueError for a pmf that is empty, has a negative or NaN entry, or does not sum to 1.

    >>> entropy([0.5, 0.25, 0.25]), entropy([1.0, 0.0])
    (1.5, 0.0)
    """
    return cross_entropy(pmf, pmf)


def cross_entropy(p: Tensor | ArrayLike, q: Tensor | ArrayLike) -> Any:
    """Bits per symbol, on average, when p is true and the code is made for q. p, q: (..., n). Returns (...).

    Infinite where q = 0 < p. Raises ValueError as `entropy` does, and if p and q have different shapes.

    >>> cross_entropy([0.5, 0.25, 0.25], [0.25, 0.25, 0.5])  # a code made for another distribution
    1.75
    """
    return _like(p, q, result=_cross_entropy(*_checked_pmfs(p, q)))


def kl_divergence(p: Tensor | ArrayLike, q: Tensor | ArrayLike) -> Any:
    """Bits per symbol that a code made for q wastes when p is true. p, q: (..., n). Returns (...).

    Infinite where q = 0 < p. Raises ValueError as `cross_entropy` does.

    >>> kl_divergence([0.5, 0.25, 0.25], [0.25, 0.25, 0.5])  # cross-entropy less entropy
    0.25
    """
    p_checked, q_checked = _checked_pmfs(p, q)
    wasted = _cross_entropy(p_checked, q_checked) - _cross_entropy(p_checked, p_checked)
    return _like(p, q, result=wasted.clamp(min=0))  # it is never negative, but rounding may make it -1e-17


def bits(likelihoods: Tensor | ArrayLike) -> Any:
    """What symbols of these likelihoods (any shape) cost together: the sum of -log2. Returns a scalar.

    >>> bits([0.5, 0.25, 0.125])
    6.0
    """
    return _like(likelihoods, result=_negative(torch.log2(_as_tensor(likelihoods)).sum()))


def bits_per_pixel(likelihoods: Mapping[str, Tensor] | Tensor | ArrayLike, num_pixels: int) -> Any:
    """Bits of all the likelihoods, per pixel. Returns a scalar.

    likelihoods: of any shape, or a dict of such, as a model's forward returns them: {"y": ..., "z": ...}.
    num_pixels: batch * height * width of the *images*, whatever the size of the latent.
    Raises ValueError if num_pixels is less than 1.

    >>> bits_per_pixel({"y": [0.5, 0.25], "z": [0.5]}, num_pixels=16)
    0.25
    """
    if num_pixels < 1:
        raise ValueError(f"num_pixels is {num_pixels}; it is the batch size times height times width of the images.")
    parts = likelihoods.values() if isinstance(likelihoods, Mapping) else [likelihoods]
    return sum(bits(part) for part in parts) / num_pixels


def rate_distortion_loss(output: Mapping[str, Any], x: Tensor, lmbda: float) -> dict[str, Tensor]:
    """The Lagrangian R + lambda D of a batch: loss = bpp + lmbda * 255² * mse.

    output: what a model's forward returns: "x_hat", shaped like x, and "likelihoods", a dict of tensors.
    x: (B, C, H, W), values from 0 to 1. The factor 255² puts the error on the usual scale of 8-bit pixels.
    Returns {"loss", "bpp" (bits per pixel), "mse"}: 0-d tensors. A larger lmbda buys quality with bits.
    Raises ValueError if x_hat is not shaped like x (which would broadcast without a warning), or x not as above.

    >>> x = torch.zeros(1, 3, 4, 4)
    >>> output = {"x_hat": x + 0.1, "likelihoods": {"y": torch.full((1, 8, 1, 1), 0.25)}}
    >>> {name: round(float(value), 2) for name, value in rate_distortion_loss(output, x, lmbda=0.01).items()}
    {'loss': 7.5, 'bpp': 1.0, 'mse': 0.01}
    """
    x_hat = output["x_hat"]
    if x.dim() != 4 or x_hat.shape != x.shape:
        raise ValueError(f"x is {tuple(x.shape)} and x_hat {tuple(x_hat.shape)}; both must be the same (B, C, H, W).")
    batch, _, height, width = x.shape
    bpp = bits_per_pixel(output["likelihoods"], batch * height * width)
    mse = (x_hat - x).square().mean()
    return {"loss": bpp + lmbda * 255**2 * mse, "bpp": bpp, "mse": mse}


def _cross_entropy(p: Tensor, q: Tensor) -> Tensor:
    return _negative(torch.xlogy(p, q).sum(dim=-1) / math.log(2))  # xlogy(0, q) is 0 for every q, even for 0


def _negative(x: Tensor) -> Tensor:
    return 0.0 - x  # -x would turn a cost of 0 into -0.0, which looks odd in print


def _checked_pmfs(*pmfs: Tensor | ArrayLike) -> list[Tensor]:
    tensors = [_as_tensor(pmf) for pmf in pmfs]
    for pmf in tensors:
        if pmf.shape != tensors[0].shape:
            raise ValueError(
                f"The shapes differ: {[tuple(t.shape) for t in tensors]}; give both pmfs the same symbols."
            )
        if pmf.dim() == 0 or pmf.numel() == 0:
            raise ValueError("The pmf is empty; it needs at least one symbol along its last axis.")
        if not (pmf >= 0).all():  # written so that NaN fails too
            raise ValueError("The pmf has a negative or NaN entry; probabilities are 0 or more.")
        total = pmf.sum(dim=-1, dtype=torch.float64)
        if not ((total - 1).abs() <= SUM_TOLERANCE).all():
            raise ValueError(f"The pmf sums to {total.flatten().tolist()[:3]}, not to 1; divide it by its sum.")
    return tensors


def _as_tensor(values: Tensor | ArrayLike) -> Tensor:
    return values if isinstance(values, Tensor) else torch.from_numpy(np.asarray(values, dtype=np.float64))


def _like(*inputs: Tensor | ArrayLike, result: Tensor) -> Any:
    """The result as a tensor if any input was one, else as a NumPy scalar or array."""
    return result if any(isinstance(value, Tensor) for value in inputs) else result.numpy()[()]
