"""The CDF 9/7 wavelet by lifting: a picture as a small picture and what is lost on the way to it, level by level.

    split:  x (h, w)  ->  low-pass (⌈h/2⌉, ⌈w/2⌉)  and three bands of details: lh, hl, hh
    join:   the way back

Along one axis samples at even places (`even`) and those between them (`odd`) lift each other in turn (Sweldens 1996;
Daubechies & Sweldens 1998). A step adds to each sample a multiple of its two neighbours of the other kind:

    odd  += −1.586 · (left even + right even)        predict
    even += −0.053 · (left odd + right odd)          update
    odd  += +0.883 · (…)      even += +0.444 · (…)   once more
    low = even · S            high = odd / S         so that the whole is nearly orthonormal

*Invariants.* A step is undone by subtracting what it added, whatever that was: so `join` gives the picture back up to
the rounding of floats, and a step of whole numbers can be undone exactly. At the ends the signal is mirrored at its
outermost sample, as in JPEG 2000; a neighbour that is missing is then the other neighbour once more. So every length
works, and n samples stay n: ⌈n/2⌉ low, ⌊n/2⌋ high. A single sample is its own low-pass.

The three bands of a level are kept in one tensor of the low-pass's size. Where a side is odd, a band has one row or
column less: it holds zeros there (`band_sizes` says what counts).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

STEPS = (-1.586134342, -0.05298011854, 0.8829110762, 0.4435068522)  # CDF 9/7: predict, update, predict, update
ROWS, COLUMNS = -2, -1  # the axes: from row to row, from column to column
SCALE = 1.149604398  # low · S, high / S: both filters then have a norm near 1
FRACTION = 8  # bits behind the point of what `join_whole` reads and writes
LARGEST = 2**19  # of its numbers, in units of 2^-8; a window's 25 of them add up to less than 2^24
PRECISION = 20  # bits of its constants; (2^19 + 2^19) · 1.586 · 2^20 is below 2^53, so float64 is exact


def colour_matrix() -> Tensor:
    """Grey and two colour differences from red, green, blue: the 3-point DCT, (3, 3) float32, orthonormal."""
    k = torch.arange(3, dtype=torch.float64)
    cosines = math.sqrt(2 / 3) * torch.cos(math.pi * (2 * k + 1) * k[:, None] / 6)
    cosines[0] /= math.sqrt(2)
    return cosines.float()


def turn_colours(x: Tensor, matrix: Tensor) -> Tensor:
    """(B, 3, H, W) -> (B, 3, H, W), each pixel times the matrix; its transpose turns back.

    Summed in one order, not as a product of matrices: so a pixel's result does not depend on the picture's size.
    """
    x = x.float()  # a picture's 8 bits need all of it
    columns = matrix.T[:, :, None, None]  # (3, 3, 1, 1)
    first, second, third = (columns[n] * x[:, n : n + 1] for n in range(3))
    return first + second + third if torch.is_grad_enabled() else first.add_(second).add_(third)


def half(size: tuple[int, int]) -> tuple[int, int]:
    """The low-pass's size."""
    return (size[0] + 1) // 2, (size[1] + 1) // 2


def sizes(shape: tuple[int, int], levels: int) -> list[tuple[int, int]]:
    """The picture's size, and the low-pass's of each level: levels + 1 pairs."""
    pairs = [(shape[0], shape[1])]
    for _ in range(levels):
        pairs.append(half(pairs[-1]))
    return pairs


def band_sizes(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Of lh, hl, hh, for what was split."""
    (low_h, low_w), (high_h, high_w) = half(shape), (shape[0] // 2, shape[1] // 2)
    return [(high_h, low_w), (low_h, high_w), (high_h, high_w)]


def split(x: Tensor) -> tuple[Tensor, Tensor]:
    """(B, C, h, w) -> low-pass (B, C, ⌈h/2⌉, ⌈w/2⌉), details (B, C, 3, ⌈h/2⌉, ⌈w/2⌉)."""
    low, high = _split_along(x, ROWS)
    (ll, hl), (lh, hh) = _split_along(low, COLUMNS), _split_along(high, COLUMNS)
    height, width = ll.shape[-2:]
    bands = [F.pad(band, (0, width - band.shape[-1], 0, height - band.shape[-2])) for band in (lh, hl, hh)]
    return ll, torch.stack(bands, dim=2)


def join(low: Tensor, details: Tensor, shape: tuple[int, int]) -> Tensor:
    """Undo `split`, for a picture of that shape."""
    lh, hl, hh = _bands(details, shape)
    return _join_along(_join_along(low, hl, COLUMNS), _join_along(lh, hh, COLUMNS), ROWS)


def join_whole(low: Tensor, details: Tensor, shape: tuple[int, int]) -> Tensor:
    """`join` in whole numbers: the same on every machine.

    All are float32 multiples of 2^-8 within ±2^11, given and returned. What is beyond is cut off.
    """
    lh, hl, hh = _bands(_whole(details), shape)
    rows = _join_whole_along(_whole(low), hl, COLUMNS), _join_whole_along(lh, hh, COLUMNS)
    return _join_whole_along(*rows, ROWS).mul_(2.0**-FRACTION).float()


def _whole(x: Tensor) -> Tensor:
    """In units of 2^-8: whole numbers, held in float64."""
    return (x * 2.0**FRACTION).round_().to(torch.float64, memory_format=torch.contiguous_format)


def _bands(details: Tensor, shape: tuple[int, int]) -> list[Tensor]:
    """Without the zeros that fill them up."""
    return [band[..., :h, :w] for band, (h, w) in zip(details.unbind(2), band_sizes(shape), strict=True)]


def _split_along(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Along rows or columns: n samples -> ⌈n/2⌉ low, ⌊n/2⌋ high."""
    even, odd = (_every_second(x, k, dim).clone(memory_format=torch.contiguous_format) for k in (0, 1))
    if x.shape[dim] == 1:
        return even, odd
    for n, factor in enumerate(STEPS):
        if n % 2 == 0:
            odd = _plus(odd, _evens(even, odd, dim), factor)
        else:
            even = _plus(even, _odds(even, odd, dim), factor)
    return even * SCALE, odd / SCALE


def _join_along(low: Tensor, high: Tensor, dim: int) -> Tensor:
    if high.shape[dim] == 0:
        return low
    even, odd = low / SCALE, high * SCALE
    for n, factor in reversed(list(enumerate(STEPS))):
        if n % 2 == 0:
            odd = _plus(odd, _evens(even, odd, dim), -factor)
        else:
            even = _plus(even, _odds(even, odd, dim), -factor)
    return _interleave(even, odd, dim)


def _plus(x: Tensor, y: Tensor, factor: float) -> Tensor:
    """x + factor · y; without gradients in the place of both."""
    return x + factor * y if torch.is_grad_enabled() else x.add_(y.mul_(factor))


def _join_whole_along(low: Tensor, high: Tensor, dim: int) -> Tensor:
    """The same, of whole numbers within ±LARGEST."""
    if high.shape[dim] == 0:
        return low
    even, odd = _times(low, 1 / SCALE), _times(high, SCALE)
    for n, factor in reversed(list(enumerate(STEPS))):
        if n % 2 == 0:
            odd.sub_(_times(_evens(even, odd, dim), factor)).clamp_(-LARGEST, LARGEST)
        else:
            even.sub_(_times(_odds(even, odd, dim), factor)).clamp_(-LARGEST, LARGEST)
    return _interleave(even, odd, dim)


def _times(x: Tensor, factor: float) -> Tensor:
    """Whole numbers times a constant of 20 bits, to the nearest whole number, halves upwards: exact in float64."""
    return (x * (round(factor * 2**PRECISION) * 2.0**-PRECISION)).add_(0.5).floor_()


def _evens(even: Tensor, odd: Tensor, dim: int) -> Tensor:
    """For each odd sample the sum of its neighbours."""
    n, m = odd.shape[dim], even.shape[dim]
    after = even.narrow(dim, 1, m - 1)
    after = after if m > n else torch.cat([after, even.narrow(dim, m - 1, 1)], dim)
    return even.narrow(dim, 0, n) + after


def _odds(even: Tensor, odd: Tensor, dim: int) -> Tensor:
    """For each even sample the sum of its neighbours."""
    n, m = odd.shape[dim], even.shape[dim]
    before = torch.cat([odd.narrow(dim, 0, 1), odd], dim).narrow(dim, 0, m)
    return before + (odd if m == n else torch.cat([odd, odd.narrow(dim, n - 1, 1)], dim))


def _interleave(even: Tensor, odd: Tensor, dim: int) -> Tensor:
    shape = list(even.shape)
    shape[dim] += odd.shape[dim]
    whole = even.new_empty(shape)
    for first, samples in enumerate((even, odd)):
        _every_second(whole, first, dim).copy_(samples)
    return whole


def _every_second(x: Tensor, first: int, dim: int) -> Tensor:
    """A view of the even samples, or of the odd ones."""
    return x[..., first::2, :] if dim == ROWS else x[..., first::2]
