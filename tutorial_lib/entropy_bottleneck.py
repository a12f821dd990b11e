"""The factorized entropy model: a density learned for each channel of a latent.

From Ballé, Minnen, Singh, Hwang & Johnston 2018, "Variational image compression with a scale hyperprior",
appendix 6.1. Nobody knows beforehand how the values of a latent will be distributed, so that is learned with
the rest of the codec. What is learned is the *cumulative* c(z) = P(value <= z): for each channel a small
network with one input, one output and K layers,

    c = sigmoid ∘ f_K ∘ ... ∘ f_1        f_k(x) = h + tanh(a_k) tanh(h)   with   h = softplus(H_k) x + b_k

of a matrix H_k, a bias b_k and (except in the last layer) a factor a_k. It is a cumulative by construction.
Softplus makes the weights positive, and tanh(a) > -1 lets h + tanh(a) tanh(h) increase with h: so c
increases. Below the sigmoid nothing is bounded: so c runs from 0 to 1.

The likelihood of a symbol is the mass of its bin, c(z + 1/2) - c(z - 1/2). The density of a value with
uniform noise added is the same expression, so training with noise fits the very probabilities that coding
will use.

Rounding is centred on the channel's median, z_hat = round(z - median) + median, so a channel that hardly
varies needs one symbol only. CompressAI trains medians and tail quantiles with a loss and an optimizer of
their own; here they are looked up: c increases, so bisection finds any quantile, to the precision of floats.

All of it is per channel: inside, values are (C, N), one row a channel, whatever the shape of the latent.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise, zip_longest
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib.quantization import add_uniform_noise

LIKELIHOOD_BOUND = 1e-9  # no symbol seems to cost more than 29.9 bits, so one outlier cannot blow up the loss
# A coder's table counts in units of 2^-16, and no symbol in it may have none: one that is much rarer than that is
# cheaper left to the escape symbol than listed, where it takes a whole unit from the others.
TAIL_MASS = 1e-6
SEARCH_RADIUS = 2.0**40  # quantiles are looked for in [-SEARCH_RADIUS, SEARCH_RADIUS]
LONGEST_ROW = 4096  # symbols in a pmf; what lies farther out is left to the coder's escape symbol

# CompressAI's state dicts: entries that have no place here, and the lists that "_matrix0" and so on became.
NOT_OURS = {"quantiles", "target", "_offset", "_quantized_cdf", "_cdf_length", "likelihood_lower_bound.bound"}
LIST_NAMES = {"matrix": "matrices", "bias": "biases", "factor": "factors"}


class _LowerBound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, bound: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bound = bound
        return x.clamp(min=bound)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * ((x >= ctx.bound) | (grad < 0)), None


def lower_bound(x: Tensor, bound: float) -> Tensor:
    """max(x, bound), of any shape, with a gradient that lets x come back.

    The gradient of max is 0 below the bound, so what has sunk there stays there. This one passes below the
    bound too where it is negative, that is where gradient descent would raise x. (CompressAI's and TFC's
    LowerBound.)
    """
    return _LowerBound.apply(x, bound)


class EntropyBottleneck(nn.Module):
    """A factorized prior over a latent with `channels` channels.

    filters: widths of the hidden layers of each channel's network. init_scale: how far out, roughly, an
    untrained density reaches; start it at least as wide as the latent.

    Parameters are named and initialised as in CompressAI 1.2.8, and its state dicts load, strictly. Of the
    rest in there (quantiles, tables) only the medians are taken.

    `medians`, a buffer (C,), follows the parameters: a forward in evaluation mode, `pmfs()` and
    `state_dict()` look it up again if they have changed since it was last looked up or loaded.
    """

    medians: Tensor

    def __init__(self, channels: int, filters: Sequence[int] = (3, 3, 3, 3), init_scale: float = 10.0):
        super().__init__()
        if channels < 1 or any(width < 1 for width in filters) or not init_scale > 0:
            raise ValueError(
                f"channels {channels}, filters {tuple(filters)}, init_scale {init_scale}: must be above 0."
            )
        self.channels = channels
        self.matrices = nn.ParameterList()
        self.biases = nn.ParameterList()
        self.factors = nn.ParameterList()
        widths = (1, *filters, 1)
        layer_scale = init_scale ** (1 / (len(widths) - 1))  # the layers together divide by init_scale
        for width_in, width_out in pairwise(widths):
            start = math.log(math.expm1(1 / layer_scale / width_out))  # log(expm1) undoes softplus
            self.matrices.append(nn.Parameter(torch.full((channels, width_out, width_in), start)))
            self.biases.append(nn.Parameter(torch.empty(channels, width_out, 1).uniform_(-0.5, 0.5)))
        for width in filters:
            self.factors.append(nn.Parameter(torch.zeros(channels, width, 1)))
        self.register_buffer("medians", torch.zeros(channels))
        self._medians_fit: Tensor | None = torch.empty(0, device="cpu")  # parameters that `medians` belong to
        self.register_load_state_dict_post_hook(_trust_loaded_medians)

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Quantize z, (B, C, ...), and rate the result: (z_hat, likelihoods), both shaped like z.

        In training mode z_hat = z + uniform noise; in evaluation mode z_hat = round(z - median) + median.
        The bits of z_hat are -log2(likelihoods). Raises ValueError if z does not have C channels.
        """
        self.check_channels(z)
        if self.training:
            by_channel = z.transpose(0, 1).contiguous()  # (C, B, ...)
            noisy = add_uniform_noise(by_channel, batch_dim=1)  # drawn channel by channel
            z_hat = noisy.transpose(0, 1)  # (B, C, ...)
        else:
            self._refresh_medians()
            medians = self.medians.view(-1, *[1] * (z.dim() - 2))  # (C, 1, ...)
            z_hat = torch.round(z - medians) + medians
        return z_hat.contiguous(), self.rate(z_hat)

    def check_channels(self, z: Tensor) -> None:
        """Raise ValueError unless z is (B, C, ...)."""
        if z.dim() < 2 or z.shape[1] != self.channels:
            raise ValueError(f"z has shape {tuple(z.shape)}, but this prior needs (B, {self.channels}, ...).")

    def rate(self, z_hat: Tensor) -> Tensor:
        """The likelihood of each value of a latent, (B, C, ...), at least 1e-9: costing -log2 of it in bits."""
        by_channel = z_hat.transpose(0, 1).contiguous()  # (C, B, ...)
        likelihoods = lower_bound(self.likelihood(by_channel.flatten(1)), LIKELIHOOD_BOUND)  # (C, N)
        return likelihoods.view_as(by_channel).transpose(0, 1).contiguous()  # (B, C, ...)

    def cumulative_logits(self, values: Tensor) -> Tensor:
        """The cumulative before its sigmoid: values (C, N) -> logits (C, N) of P(channel <= value)."""
        return _cumulative_logits(values, self.matrices, self.biases, self.factors)

    def likelihood(self, values: Tensor) -> Tensor:
        """The mass of the bin of width 1 around each value: (C, N) -> (C, N)."""
        return _bin_mass(self.cumulative_logits(values - 0.5), self.cumulative_logits(values + 0.5))

    def quantiles(self, tail_mass: float = TAIL_MASS) -> Tensor:
        """Each channel's quantiles of tail_mass / 2, 1/2 (the median) and 1 - tail_mass / 2, by bisection.

        Returns (C, 3), float64, on the CPU, without a gradient. Raises ValueError if tail_mass is not between
        0 and 1, or if a channel has no such quantiles because its parameters have diverged.
        """
        if not 0 < tail_mass < 1:
            raise ValueError(f"tail_mass is {tail_mass}; it is a probability, above 0 and below 1.")
        logits = self._exact_logits()
        tail_logit = math.log(2 / tail_mass - 1)
        targets = torch.tensor([-tail_logit, 0.0, tail_logit], dtype=torch.float64, device="cpu")  # (3,)
        low = torch.full((self.channels, 3), -SEARCH_RADIUS, dtype=torch.float64, device="cpu")
        high = -low
        found = (logits(low) <= targets) & (targets <= logits(high))  # (C, 3)
        if not found.all():
            flat = (~found.all(dim=1)).nonzero().flatten().tolist()
            raise ValueError(f"Channels {flat} have diverged: too flat to have quantiles within 2^40 of 0.")
        for _ in range(93):  # 2^41 / 2^93: intervals of 2^-52. (Waiting for a tolerance might never end.)
            middle = (low + high) / 2
            below = logits(middle) < targets
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return high

    def pmfs(
        self, tail_mass: float = TAIL_MASS
    ) -> tuple[list[NDArray[np.float64]], NDArray[np.int64], NDArray[np.float64]]:
        """What a coder needs, for each channel c: (pmfs, offsets, tail_masses), as C arrays, (C,) and (C,).

        pmfs[c][k] = P(symbol = offsets[c] + k), with symbol = round(z - median). A row runs from the symbol
        of the lower quantile to that of the upper one, so that tail_masses[c], the mass on both sides of it,
        is at most tail_mass; unless that took more than LONGEST_ROW symbols. Raises ValueError as `quantiles`
        does.
        """
        self._refresh_medians()
        medians = self.medians.cpu().double().unsqueeze(1)  # (C, 1)
        symbols = torch.round(self.quantiles(tail_mass) - medians).long()  # (C, 3)
        first, centre, last = symbols.split(1, dim=1)  # (C, 1) each
        first = torch.maximum(first, centre - LONGEST_ROW // 2)
        last = torch.minimum(last, first + LONGEST_ROW - 1)
        length = last - first + 1  # (C, 1)
        steps = torch.arange(int(length.max()) + 1, device="cpu")
        edges = medians + first - 0.5 + steps  # (C, longest + 1)
        logits = self._exact_logits()(edges)
        mass = _bin_mass(logits[:, :-1], logits[:, 1:])  # (C, longest)
        mass = mass.clamp(min=0)  # where there is next to none, rounding may make it negative
        tails = torch.sigmoid(logits[:, :1]) + torch.sigmoid(-logits.gather(1, length))  # (C, 1)
        rows = [row[:n].numpy() for row, n in zip(mass, length.flatten().tolist(), strict=True)]
        return rows, first.flatten().numpy(), tails.flatten().numpy()

    @torch.no_grad()
    def start_at_widths(self, widths: Tensor) -> None:
        """Make every density the logistic one around 0 of a given width (C,), nearly: not all alike to the last bit.

        Channels may differ in width a thousandfold, and finding that out by gradient descent would take most of a
        training.
        """
        for matrix, bias in zip(self.matrices, self.biases, strict=True):
            slope = torch.full_like(matrix, 1 / matrix.shape[1])  # so that the layers together have the slope 1, …
            if matrix is self.matrices[0]:
                slope /= widths[:, None, None]  # … or, by the first one, 1 / width
            matrix.copy_(slope.expm1().log())  # log(expm1) undoes the softplus
            bias.mul_(0.1)
        for factor in self.factors:
            factor.zero_()

    def _refresh_medians(self) -> None:
        if self._medians_fit is None or not torch.equal(self._medians_fit, self._snapshot()):
            self.medians.copy_(self.quantiles()[:, 1])
            self._medians_fit = self._snapshot()

    def _snapshot(self) -> Tensor:
        """All parameters as one tensor, (C, number per channel), of whatever device and dtype they are."""
        return torch.cat([p.detach().flatten(1) for p in self.parameters()], dim=1).cpu().double()

    def _exact_logits(self) -> Callable[[Tensor], Tensor]:
        """`cumulative_logits` in float64, on the CPU, without gradient: the same from whatever device."""
        groups = (self.matrices, self.biases, self.factors)
        exact = [[p.detach().cpu().double() for p in group] for group in groups]
        broken = sum((~p.isfinite()).flatten(1).sum(dim=1) for group in exact for p in group)  # (C,)
        if broken.any():
            raise ValueError(
                f"Channels {broken.nonzero().flatten().tolist()} have diverged: NaN or infinite parameters."
            )
        return lambda values: _cumulative_logits(values, *exact)

    def _save_to_state_dict(self, *args: Any) -> None:
        self._refresh_medians()
        super()._save_to_state_dict(*args)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Read CompressAI's entries too. (torch hands over a copy of the dictionary, which we may change.)"""
        for key in [key for key in state_dict if key.startswith(prefix)]:
            name = key.removeprefix(prefix)
            if name in NOT_OURS:
                value = state_dict.pop(key)
                if name == "quantiles":  # (C, 1, 3): lower, median, upper
                    state_dict.setdefault(prefix + "medians", value[:, 0, 1])
            elif match := re.fullmatch(r"_(matrix|bias|factor)(\d+)", name):
                state_dict[f"{prefix}{LIST_NAMES[match[1]]}.{match[2]}"] = state_dict.pop(key)
        if prefix + "medians" in state_dict:
            self._medians_fit = None  # until the parameters are loaded, too: see _trust_loaded_medians
        super()._load_from_state_dict(state_dict, prefix, *args)


def _trust_loaded_medians(bottleneck: EntropyBottleneck, _: Any) -> None:
    """After loading: medians that came with the parameters belong to them, even if bisection finds others."""
    if bottleneck._medians_fit is None:
        bottleneck._medians_fit = bottleneck._snapshot()


def _cumulative_logits(
    values: Tensor, matrices: Iterable[Tensor], biases: Iterable[Tensor], factors: Iterable[Tensor]
) -> Tensor:
    x = values.unsqueeze(1)  # (C, 1, N)
    for matrix, bias, factor in zip_longest(matrices, biases, factors):  # the last layer has no factor
        x = torch.baddbmm(bias, F.softplus(matrix), x)  # softplus(H) x + b: (C, width of the layer, N)
        if factor is not None:
            x = x + torch.tanh(factor) * torch.tanh(x)
    return x.squeeze(1)  # (C, N)


def _bin_mass(lower: Tensor, upper: Tensor) -> Tensor:
    """sigmoid(upper) - sigmoid(lower), precise on both sides of the density.

    Floats are dense near 0 but not near 1, so in the upper tail the two sigmoids would round to the same
    number. sigmoid(x) = 1 - sigmoid(-x): such a bin has the mass of its mirror image in the lower tail.
    """
    sign = torch.where(lower + upper > 0, -1.0, 1.0).to(lower.dtype)
    return sign * (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower))
