"""Training a codec: first the densities alone, then everything together, for rate + λ · distortion."""

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.information import bits, rate_distortion_loss
from tutorial_lib.transform_codec import TransformCodec


def fit_prior(codec: TransformCodec, batch: Tensor, steps: int = 100, *, fresh: bool = True) -> None:
    """Fit the densities, and nothing else, to the latents that the codec makes of a batch (B, 3, H, W) now.

    fresh: start each channel as a logistic density as wide as the channel's values. Coefficients differ in width a
    thousandfold, and finding that out by gradient descent would take most of the training. Otherwise go on from what
    the densities are. Either way call `build_coder` afterwards: older tables belong to the older densities.
    """
    prior = codec.prior.entropy_bottleneck
    mode = prior.training
    with torch.no_grad():
        y = codec.analysis(batch)  # (B, M, h, w)
        if fresh:
            fit_widths(prior, y.abs().mean(dim=(0, 2, 3)).clamp(min=0.1))
    optimizer = torch.optim.Adam(prior.parameters(), lr=PRIOR_RATE)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    prior.train()
    for _ in range(steps):
        some = y[torch.randint(len(y), (8,))]  # (8, M, h, w)
        loss = bits(prior(some)[1]) / some.numel()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    prior.train(mode)


@torch.no_grad()
def fit_widths(prior: EntropyBottleneck, width: Tensor) -> None:
    """Make every density the logistic one around 0 of a given width (M,), nearly: not all alike to the last bit."""
    for matrix, bias in zip(prior.matrices, prior.biases, strict=True):
        slope = torch.full_like(matrix, 1 / matrix.shape[1])  # so that the layers together have the slope 1, …
        if matrix is prior.matrices[0]:
            slope /= width[:, None, None]  # … or, by the first one, 1 / width
        matrix.copy_(slope.expm1().log())  # log(expm1) undoes the softplus
        bias.mul_(0.1)
    for factor in prior.factors:
        factor.zero_()


# Learning rates: the cosines are good already, and a density has far fewer samples to learn from than parameters.
TRANSFORM_RATE, NETWORK_RATE, PRIOR_RATE = 1e-4, 1e-3, 3e-2


def train(
    codec: TransformCodec, next_batch: Callable[[], Tensor], lmbda: float, steps: int
) -> Iterator[dict[str, float]]:
    """Minimise bits per pixel + λ · 255² · MSE; yields {"loss", "bpp", "mse"} after each step.

    next_batch: gives a batch (B, 3, H, W) of crops in [0, 1].
    Ends in evaluation mode with the coding tables made, provided that the iterator is run to its end. Raises
    ValueError, at the first step, for steps or a λ that are not above 0, and at any step whose loss is not finite.
    """
    if steps < 1 or not 0 < lmbda < math.inf:
        raise ValueError(f"There are {steps} steps and λ is {lmbda}: both must be above 0.")
    cosines = [p for name, p in codec.named_parameters() if name.endswith((".dct.weight", ".idct.weight"))]
    prior = list(codec.prior.entropy_bottleneck.parameters())
    special = {id(p) for p in cosines + prior}
    networks = [p for p in codec.parameters() if id(p) not in special]
    optimizer = torch.optim.Adam(
        [
            {"params": cosines, "lr": TRANSFORM_RATE},
            {"params": prior, "lr": PRIOR_RATE},
            {"params": networks, "lr": NETWORK_RATE},
        ]
    )

    def schedule(step: int) -> float:  # a short warm-up, then down along a half cosine
        return min(1, (step + 1) / 20) * (0.51 + 0.49 * math.cos(math.pi * step / steps))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    codec.train()
    for step in range(steps):
        x = next_batch()  # (B, 3, H, W)
        loss = rate_distortion_loss(codec(x), x, lmbda)
        if not loss["loss"].isfinite():
            raise ValueError(f"The loss of step {step} is {loss['loss'].item()}: look at the crops.")
        optimizer.zero_grad()
        loss["loss"].backward()
        torch.nn.utils.clip_grad_norm_(cosines + networks, 1.0)  # one odd crop shall not undo a hundred
        optimizer.step()
        scheduler.step()
        yield {name: value.item() for name, value in loss.items()}
    codec.eval()
    codec.build_coder()
