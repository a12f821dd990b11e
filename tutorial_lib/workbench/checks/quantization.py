"""The checks of notebook 02: quantization."""

import math

import torch
from torch import Tensor

from tutorial_lib.quantization import error_statistics
from tutorial_lib.workbench.checks import Wrong, call, exercise


def _tensor_like(answer: object, y: Tensor) -> Tensor:
    """The answer, if it is a tensor of y's shape."""
    if not isinstance(answer, Tensor):
        raise Wrong(f"A tensor is asked for, not a value of type {type(answer).__name__}.")
    if answer.shape != y.shape:
        raise Wrong(f"Every number becomes one number: {tuple(y.shape)} is asked for, not {tuple(answer.shape)}.")
    return answer


def _gradient(output: Tensor, of: Tensor) -> Tensor:
    """What backward hands to `of` if the loss sends back ones; zeros if the two are not connected."""
    if not output.requires_grad:
        return torch.zeros_like(of)
    (gradient,) = torch.autograd.grad(output.sum(), of, allow_unused=True, retain_graph=True)
    return torch.zeros_like(of) if gradient is None else gradient


@exercise
def sign_ste(function) -> str:
    """sign_ste(y): ±1 forward; backward the gradient where |y| <= 1."""
    y = torch.tensor([-3.0, -1.25, -0.75, -0.1, 0.0, 0.3, 0.9, 1.1, 4.0], requires_grad=True)
    answer = _tensor_like(call(function, y), y)
    forward = answer.detach().to(y.dtype)
    expected = torch.where(y >= 0, 1.0, -1.0)
    if forward[4] == 0 and torch.allclose(forward, torch.sign(y), atol=1e-6):
        raise Wrong("At y = 0 you give 0, which is not one of the two values. (torch.sign has three.)")
    if torch.allclose(forward, y.clamp(-1, 1), atol=1e-6):
        raise Wrong("Forward, this is the ramp itself: between −1 and 1 nothing is quantized.")
    if not torch.allclose(forward, expected, atol=1e-6):
        first = int(torch.argmax(((forward - expected).abs() > 1e-6).int()))
        raise Wrong(f"Forward: y = {y[first]:g} becomes {expected[first]:g}, not {forward[first]:g}.")
    gradient = _gradient(answer, y)
    inside = (y.abs() <= 1).float()
    if (gradient == 0).all():
        raise Wrong("Forward right; but the gradient is 0 everywhere, so nothing before it would learn.")
    if (gradient == 1).all():
        raise Wrong("Forward right; but the gradient passes everywhere. Where |y| > 1 it should be 0.")
    if torch.equal(gradient, 1 - inside):
        raise Wrong("Forward right; but the gradient passes outside of −1 … 1 and is 0 inside: the other way round.")
    if not torch.equal(gradient, inside):
        at = 5 if gradient[5] != 1 else int((gradient - inside).abs().argmax())
        raise Wrong(
            "Forward right; but the gradient should be 1 where |y| ≤ 1 and 0 elsewhere, "
            f"and at y = {y[at]:g} it is {gradient[at]:.2f}."
        )
    weights = torch.linspace(-2, 2, len(y))
    (weighted,) = torch.autograd.grad((call(function, y) * weights).sum(), y)
    if not torch.allclose(weighted, weights * inside):
        raise Wrong("The incoming gradient must be passed on as it is; yours hands back the same whatever comes in.")
    return "The gradient is that of the ramp clamp(y, −1, 1), which a hard tanh would have."


# Sources for `best_step`: (what it is called, its samples, bits). Wide and narrow, so that no constant will do.
def _sources() -> list[tuple[str, Tensor, int]]:
    generator = torch.Generator().manual_seed(0)
    gaussian = torch.randn(20_000, generator=generator, dtype=torch.float64)
    laplacian = torch.empty_like(gaussian).exponential_(generator=generator)
    laplacian = laplacian * torch.where(torch.rand(20_000, generator=generator) < 0.5, -1.0, 1.0)
    uniform = torch.rand(20_000, generator=generator, dtype=torch.float64) * 10 - 5
    return [
        ("Gaussian", gaussian, 2),
        ("Gaussian, seven times as wide", 7 * gaussian, 4),
        ("Laplacian", laplacian, 3),
        ("uniform", uniform, 3),
    ]


def _with_levels(x: Tensor, step: float, bits: int) -> tuple[float, float]:
    """Granular and overload error of the quantizer with 2**bits levels around 0."""
    half = 2**bits // 2
    outermost = (half - 0.5) * step
    x_hat = ((x / step).floor() + 0.5).clamp(-half + 0.5, half - 0.5) * step
    statistics = error_statistics(x, x_hat, levels=(-outermost, outermost), step=step)
    return statistics.granular, statistics.overload


@exercise
def best_step(function) -> str:
    """best_step_for(x, bits): the step with the least mean squared error, rounding and clipping together."""
    for name, x, bits in _sources():
        answer = call(function, x.clone(), bits)
        try:
            step = float(answer)
        except (TypeError, ValueError, RuntimeError):
            raise Wrong(f"One number is asked for, the step, not a value of type {type(answer).__name__}.") from None
        if not 0 < step < math.inf:
            raise Wrong(f"A step is a positive number; yours is {step:g}.")
        reach = x.abs().max().item()
        least = min(sum(_with_levels(x, reach * 2 / 1.02**i, bits)) for i in range(300))
        granular, overload = _with_levels(x, step, bits)
        if granular + overload <= 1.02 * least:
            continue
        worse = f"{name}, {bits} bits: your step has {(granular + overload) / least:.1f} times the least error"
        spread = (x.max() - x.min()).item()
        if any(abs(step / covering - 1) < 0.01 for covering in (spread / 2**bits, 2 * reach / 2**bits)):
            raise Wrong(f"{worse}. It covers every sample, so nothing is clipped; clipping a few would pay.")
        if abs(step / (spread / (2**bits - 1)) - 1) < 0.01:
            raise Wrong(f"{worse}. It covers every sample and more: 2**bits levels serve 2**bits bins, not one less.")
        if overload > granular:
            raise Wrong(
                f"{worse}: it is too fine. Most of it is clipping; the levels reach only ±{2**bits / 2 * step:.2g}."
            )
        raise Wrong(f"{worse}: it is too coarse. Most of it is rounding.")
    return "The uniform source wants no clipping at all, the Laplacian the most: its tails are long and nearly empty."


@exercise
def dithered(function) -> str:
    """dithered(y, u): round with the noise in it, and take the noise off again."""
    generator = torch.Generator().manual_seed(0)
    y = torch.cat([3 * torch.randn(500, generator=generator), 0.1 * torch.randn(500, generator=generator)]).double()
    u = torch.rand(1000, generator=generator).double() - 0.5
    answer = _tensor_like(call(function, y.clone(), u.clone()), y).detach().double()

    def is_whole(x: Tensor) -> bool:
        return bool((x - x.round()).abs().max() < 1e-9)

    if is_whole(answer):
        if torch.equal(answer, y.round()):
            raise Wrong("This is plain rounding: the noise is not used at all.")
        raise Wrong("The noise is in the symbols, and still in what is decoded. The decoder knows it: take it off.")
    if any(torch.allclose(answer, rival) for rival in (y + u, y - u, y)):
        raise Wrong("Nothing is rounded here, so there is no whole number to put into a file.")
    for sign, words in ((1, "subtract it before rounding"), (-1, "add it before rounding")):
        symbols = answer - sign * u  # what the file must hold if the decoder adds sign * u
        if not is_whole(symbols):
            continue
        if torch.allclose(symbols, (y - sign * u).round()):
            return "The error is uniform whatever y is: the noise of training, in use."
        if torch.allclose(symbols, y.round()):
            raise Wrong(
                "The decoder adds noise to a plainly rounded value: that makes the error larger. "
                "Put the noise in before rounding, so that taking it off undoes something."
            )
        if torch.allclose(symbols, (y + sign * u).round()):
            end = "added" if sign > 0 else "subtracted"
            raise Wrong(f"The noise goes the same way twice. If it is {end} at the end, {words}.")
    raise Wrong(
        "The answer minus the noise, or plus it, should be whole numbers: the symbols in the file. It is neither."
    )


@exercise
def around_mean(function) -> str:
    """around_mean(y, mean): ŷ = round(y − mean) + mean, straight through."""
    y = torch.tensor([-2.3, -0.4, 0.1, 0.8, 1.4, 3.7], dtype=torch.float64, requires_grad=True)
    mean = torch.tensor([0.3, -0.2, 0.4, 0.45, -1.3, 2.6], dtype=torch.float64, requires_grad=True)
    answer = _tensor_like(call(function, y, mean), y)
    forward, symbols = answer.detach().double(), (y - mean).detach().round()
    rivals = {
        "This rounds y itself: the mean is not used, so the symbols are not centred on 0.": y.round(),
        "These are the symbols; the decoder's ŷ has the mean added again.": symbols,
        "Nothing is rounded here.": y,
        "The mean is subtracted, but a rounded one is added again; then the mean's fraction is lost.": symbols
        + mean.round(),
        "Only the mean is rounded here; it is y − mean that becomes a whole number.": (y - mean.round()).round()
        + mean.round(),
        "The signs are swapped: subtract the mean first, add it again at the end.": (y + mean).round() - mean,
    }
    if not torch.allclose(forward, symbols + mean):
        for message, rival in rivals.items():
            if torch.allclose(forward, rival):
                raise Wrong(message)
        raise Wrong(
            f"y = {y[0]:g} and a mean of {mean[0]:g} make the symbol {symbols[0]:g}, so ŷ = {symbols[0] + mean[0]:g}, "
            f"not {forward[0]:g}."
        )
    by_y, by_mean = _gradient(answer, y), _gradient(answer, mean)
    if (by_y == 0).all():
        raise Wrong("The numbers are right, but y gets no gradient: round straight through.")
    if not torch.allclose(by_y, torch.ones_like(y)):
        raise Wrong(f"The numbers are right, but the gradient of y should be 1, not {by_y[0]:g}.")
    if not torch.allclose(by_mean, torch.zeros_like(mean)):
        raise Wrong(
            f"The numbers are right, and so is the gradient of y; that of the mean is {by_mean[0]:g}. The mean comes "
            "in twice, once with −1 and once with +1: let the gradient through both."
        )
    return "Straight through, ŷ is y whatever the mean is: the mean learns from the rate alone."
