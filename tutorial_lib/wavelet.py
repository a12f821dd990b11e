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
SCALE = 1.149604398  # low · S, high / S: both filters then have a norm near 1
FRACTION = 8  # bits behind the point of what `join_whole` reads and writes
LARGEST = 2**19  # of its numbers, in units of 2^-8; a window's 25 of them add up to less than 2^24
PRECISION = 20  # bits of its constants; (2^19 + 2^19) · 1.586 · 2^20 is below 2^53, so doubles would do as well


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
    return columns[0] * x[:, 0:1] + columns[1] * x[:, 1:2] + columns[2] * x[:, 2:3]


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
    low, high = _split_rows(x)
    ll, hl = (t.mT for t in _split_rows(low.mT))  # along the rows after along the columns: contiguous where it is long
    lh, hh = (t.mT for t in _split_rows(high.mT))
    height, width = ll.shape[-2:]
    bands = [F.pad(band, (0, width - band.shape[-1], 0, height - band.shape[-2])) for band in (lh, hl, hh)]
    return ll, torch.stack(bands, dim=2)


def join(low: Tensor, details: Tensor, shape: tuple[int, int]) -> Tensor:
    """Undo `split`, for a picture of that shape."""
    lh, hl, hh = _bands(details, shape)
    rows = _join_rows(low.mT, hl.mT).mT, _join_rows(lh.mT, hh.mT).mT
    return _join_rows(*rows)


def join_whole(low: Tensor, details: Tensor, shape: tuple[int, int]) -> Tensor:
    """`join` in whole numbers: the same on every machine.

    All are float32 multiples of 2^-8 within ±2^11, given and returned. What is beyond is cut off.
    """
    lh, hl, hh = _bands(torch.round(details * 2.0**FRACTION).long(), shape)
    low = torch.round(low * 2.0**FRACTION).long()
    rows = _join_rows_whole(low.mT, hl.mT).mT, _join_rows_whole(lh.mT, hh.mT).mT
    return _join_rows_whole(*rows).float() * 2.0**-FRACTION


def _bands(details: Tensor, shape: tuple[int, int]) -> list[Tensor]:
    """Without the zeros that fill them up."""
    return [band[..., :h, :w] for band, (h, w) in zip(details.unbind(2), band_sizes(shape), strict=True)]


def _split_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Along the last axis but one: (…, n, w) -> (…, ⌈n/2⌉, w), (…, ⌊n/2⌋, w)."""
    even, odd = x[..., 0::2, :], x[..., 1::2, :]
    if x.shape[-2] == 1:
        return even, odd
    for n, factor in enumerate(STEPS):
        if n % 2 == 0:
            odd = odd + factor * _evens(even, odd)
        else:
            even = even + factor * _odds(even, odd)
    return even * SCALE, odd / SCALE


def _join_rows(low: Tensor, high: Tensor) -> Tensor:
    if high.shape[-2] == 0:
        return low
    even, odd = low / SCALE, high * SCALE
    for n, factor in reversed(list(enumerate(STEPS))):
        if n % 2 == 0:
            odd = odd - factor * _evens(even, odd)
        else:
            even = even - factor * _odds(even, odd)
    return _interleave(even, odd)


def _join_rows_whole(low: Tensor, high: Tensor) -> Tensor:
    """The same, of int64 within ±LARGEST."""
    if high.shape[-2] == 0:
        return low
    even, odd = _times(low, 1 / SCALE), _times(high, SCALE)
    for n, factor in reversed(list(enumerate(STEPS))):
        if n % 2 == 0:
            odd = (odd - _times(_evens(even, odd), factor)).clamp(-LARGEST, LARGEST)
        else:
            even = (even - _times(_odds(even, odd), factor)).clamp(-LARGEST, LARGEST)
    return _interleave(even, odd)


def _times(x: Tensor, factor: float) -> Tensor:
    """Whole numbers times a constant of 20 bits, to the nearest whole number. (>> rounds down, and so is defined.)"""
    return (x * round(factor * 2**PRECISION) + 2 ** (PRECISION - 1)) >> PRECISION


def _evens(even: Tensor, odd: Tensor) -> Tensor:
    """For each odd sample the sum of its neighbours."""
    n = odd.shape[-2]
    after = even[..., 1:, :] if even.shape[-2] > n else torch.cat([even[..., 1:, :], even[..., -1:, :]], dim=-2)
    return even[..., :n, :] + after


def _odds(even: Tensor, odd: Tensor) -> Tensor:
    """For each even sample the sum of its neighbours."""
    before = torch.cat([odd[..., :1, :], odd], dim=-2)[..., : even.shape[-2], :]
    here = odd if even.shape[-2] == odd.shape[-2] else torch.cat([odd, odd[..., -1:, :]], dim=-2)
    return before + here


def _interleave(even: Tensor, odd: Tensor) -> Tensor:
    n, m = even.shape[-2], odd.shape[-2]
    if n == m:
        return torch.stack([even, odd], dim=-2).flatten(-3, -2)
    whole = even.new_empty(*even.shape[:-2], n + m, even.shape[-1])
    whole[..., 0::2, :] = even
    whole[..., 1::2, :] = odd
    return whole
