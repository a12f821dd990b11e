"""Rate–distortion optimised quantization (RDOQ), and a gradient for what it decides.

Between the two whole numbers around y, the one is taken that costs least, its bits and its error together:

    cost(n) = −log2 P(n) + w · (y − n)²        w: the distortion weight, bits for a squared error of 1

It may be the farther one: next to nothing is lost by coding 0.6 as 0, and 0 is nearly free. The decoder does not
notice. Classical encoders have done this for decades (Ramchandran & Vetterli 1994; HEVC's RDOQ).
"""

from collections.abc import Callable

import torch
from torch import Tensor

from tutorial_lib.quantization import round_ste


def rdoq(
    y: Tensor, likelihood: Callable[[Tensor], Tensor], distortion_weight: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Quantize, and rate the very symbols that will be coded: y -> (whole numbers, likelihoods), both like y.

    likelihood:        gives that of whole numbers, of y's shape.
    distortion_weight: what a squared error of 1 costs, in bits, broadcast to y's shape. None: the nearest whole
                       number is taken, always.

    The gradient of the rate for y is a finite difference. With noise for rounding, the rate is smooth, but where most
    symbols are 0 it is far too high: y = 0.3 will be coded as 0, while y + noise may be 0.8, where the density expects
    next to nothing. So here the rate is that of the symbol itself. Its gradient for the density is exact. Rounding
    passes none to y, so y gets the slope of the code length between the two whole numbers around it: what a step up
    would cost, or a step down save. The gradient of the whole numbers for y is 1 (straight-through).
    """
    below = y.detach().floor()
    cost_below, cost_above = -likelihood(below).log2(), -likelihood(below + 1).log2()  # bits
    slope = (cost_above - cost_below).detach()  # bits for each step up
    if distortion_weight is None:
        y_hat = round_ste(y)
    else:  # the two squared errors, (y − below − 1)² and (y − below)², differ by 1 − 2 (y − below)
        up = slope + distortion_weight * (1 - 2 * (y.detach() - below)) < 0
        y_hat = y + (below + up - y).detach()
    cost = torch.where(y_hat > below, cost_above, cost_below)
    return y_hat, torch.exp2(-cost - slope * (y - y.detach()))
