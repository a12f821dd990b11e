"""Quantization: rounding, three ways to train through it, and the error it makes.

An entropy coder codes integers, so a codec rounds its latent y to ŷ = round(y). Rounding is flat between its
steps: its gradient is 0, and nothing before it would learn. Three stand-ins for training:

- `round_ste`, the straight-through estimator: round forward, and pretend to be the identity backward. Its
  gradient is biased, but the decoder is trained on what it will see in use. (Bengio, Léonard & Courville
  2013; in compression Theis, Shi, Cunningham & Huszár 2017.)
- `add_uniform_noise`: y + u with u ~ U(-1/2, 1/2). Its density is that of y smoothed by a box one step wide,
  and at the integers it equals the probabilities of round(y): the right stand-in for the *rate*. (Ballé,
  Laparra & Simoncelli 2017.)
- `soft_round`: a smooth staircase, the identity at alpha = 0, that hardens towards round as alpha grows.
  (Agustsson & Theis 2020.)

Rounding goes to the nearest integer, ties to the even one, everywhere in this package, as in torch and NumPy.

Rounding is not clipping. A quantizer with finitely many levels errs in two ways, which `error_statistics`
tells apart: granular error (rounding, at most half a step) where it has levels, overload error (clipping, as
large as the source is wide) beyond them. (Gersho & Gray 1992, chapter 5.)
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


def round_ste(x: Tensor) -> Tensor:
    """Round to the nearest integer, with the gradient of the identity (exactly 1).

    x: any shape, floating point. Returns the same shape and type.

    The result equals round(x) exactly, although it comes out of a sum: floats within a factor of two of each
    other subtract without error (Sterbenz 1974), and so do x and round(x); or round(x) is 0, and the sum is
    x - x. Only an infinite x does not stay itself but turns to NaN.

    >>> x = torch.tensor([0.4, 0.6, -1.7], requires_grad=True)
    >>> y = round_ste(x)
    >>> y.tolist()
    [0.0, 1.0, -2.0]
    >>> y.sum().backward()  # the gradient of rounding itself would be 0
    >>> x.grad.tolist()
    [1.0, 1.0, 1.0]
    """
    return x + (torch.round(x) - x).detach()


def add_uniform_noise(x: Tensor, generator: torch.Generator | None = None, batch_dim: int = 0) -> Tensor:
    """Add independent noise, uniform on [-1/2, 1/2), to every element: rounding, for training.

    x: any shape, floating point. Returns the same shape and type; its gradient with respect to x is 1.
    generator: the source of the noise; None: torch's own for the device of x.

    Inside `share_of_batch`, x is a share of a larger batch, along batch_dim, and gets its share of that one's noise.

    >>> noise = add_uniform_noise(torch.zeros(10_000), torch.Generator().manual_seed(0))
    >>> bool((noise.abs() <= 0.5).all()), round(float(noise.var()), 3)  # 1/12, as the error of rounding
    (True, 0.083)
    """
    place, parts = _shares[-1]
    whole = torch.cat([x.detach()] * parts, dim=batch_dim) if parts > 1 else x
    noise = torch.empty_like(whole).uniform_(-0.5, 0.5, generator=generator)
    return x + (noise.chunk(parts, dim=batch_dim)[place] if parts > 1 else noise)


_shares = [(0, 1)]  # the innermost `share_of_batch` is the last


@contextmanager
def share_of_batch(place: int, parts: int) -> Iterator[None]:
    """Inside, batches are one of so many equal shares of a larger one: the one in this place, counted from 0.

    So processes that train together, and the parts of a batch that one process takes one after the other, draw the
    noise that one process with the whole batch would.

    >>> whole = add_uniform_noise(torch.zeros(4), torch.Generator().manual_seed(0))
    >>> with share_of_batch(1, 2):
    ...     second = add_uniform_noise(torch.zeros(2), torch.Generator().manual_seed(0))
    >>> torch.equal(second, whole[2:])
    True
    """
    _shares.append((place, parts))
    try:
        yield
    finally:
        _shares.pop()


def soft_round(x: Tensor, alpha: float) -> Tensor:
    """The smooth staircase of Agustsson & Theis 2020, section 4.1.

    With m = floor(x) + 1/2, the middle of the step that x is on: m + tanh(alpha (x - m)) / (2 tanh(alpha /
    2)). The curve increases through every integer and half integer. Its steepest slope, at the half integers,
    is about alpha / 2: raise alpha slowly, or gradients explode.

    x: any shape, floating point. Returns the same shape and type.
    Raises ValueError unless 0 <= alpha < infinity.

    >>> x = torch.tensor([0.0, 0.25, 0.5, 0.75])
    >>> [[round(value, 2) for value in soft_round(x, alpha).tolist()] for alpha in (0.0, 5.0, 30.0)]
    [[0.0, 0.25, 0.5, 0.75], [0.0, 0.07, 0.5, 0.93], [0.0, 0.0, 0.5, 1.0]]
    """
    if not 0 <= alpha < math.inf:  # written so that NaN fails too
        raise ValueError(f"soft_round needs 0 <= alpha < infinity, not {alpha}; the limit itself is torch.round.")
    if alpha < 1e-4:  # the curve is within alpha² / 60 of x by now, and 0 / 0 at alpha = 0
        return x
    middle = torch.floor(x) + 0.5
    return middle + torch.tanh(alpha * (x - middle)) / (2 * math.tanh(alpha / 2))


@dataclass(frozen=True)
class ErrorStatistics:
    """The error x_hat - x of a quantizer: its mean, mean square and largest magnitude, in the units of x.

    `mse` is the sum of two parts: `granular`, from samples that some level is near to (rounding), and
    `overload`, from samples beyond the outermost levels (clipping). Both are means over all samples.
    """

    mean: float
    mse: float
    max_abs: float
    granular: float
    overload: float


def error_statistics(
    x: Tensor, x_hat: Tensor, levels: tuple[float, float] | None = None, step: float = 1.0
) -> ErrorStatistics:
    """Measure, in float64, the error of quantizing x to x_hat (equal shapes, any but empty).

    levels: the lowest and the highest output, if the quantizer has finitely many; None: it never clips.
    step: the distance between neighbouring levels; it matters only with `levels`. The outermost levels serve
    half a step outwards too, so x is overload below levels[0] - step / 2 and above levels[1] + step / 2.
    Raises ValueError if the shapes differ or are empty, or if levels and step describe no quantizer.

    >>> x = torch.tensor([0.2, 0.9, 5.0])
    >>> measured = error_statistics(x, x.round().clamp(0, 2), levels=(0.0, 2.0))
    >>> round(measured.mse, 4), round(measured.overload, 4)  # nearly all of it is clipping
    (3.0167, 3.0)
    """
    if x.shape != x_hat.shape or x.numel() == 0:
        raise ValueError(
            f"x is {tuple(x.shape)} and x_hat {tuple(x_hat.shape)}; give equal shapes, and not empty ones."
        )
    lowest, highest = (-math.inf, math.inf) if levels is None else levels
    if not (lowest <= highest and step > 0):
        raise ValueError(f"levels {levels}, step {step}: need lowest <= highest and a step above 0.")

    x, x_hat = x.detach().double(), x_hat.detach().double()
    error = x_hat - x
    squared = error.square()
    overloaded = (x < lowest - step / 2) | (x > highest + step / 2)
    return ErrorStatistics(
        mean=error.mean().item(),
        mse=squared.mean().item(),
        max_abs=error.abs().max().item(),
        granular=torch.where(overloaded, 0.0, squared).mean().item(),
        overload=torch.where(overloaded, squared, 0.0).mean().item(),
    )
