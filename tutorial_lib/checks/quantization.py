"""The checks of notebook 02: quantization."""

import math

import numpy as np
import torch
from torch import Tensor

from tutorial_lib.checks import Wrong, as_number, call, exercise
from tutorial_lib.quantization import error_statistics


def _tensor_like(answer: object, y: Tensor, gradients: bool = True) -> Tensor:
    """The answer, if it is a tensor of y's shape. Without gradients an array or a list will do as well."""
    if not isinstance(answer, Tensor):
        if gradients or not isinstance(answer, np.ndarray | list | tuple):
            why = ", which carries gradients," if gradients and isinstance(answer, np.ndarray | list | tuple) else ""
            raise Wrong(f"A tensor{why} is asked for, not a value of type {type(answer).__name__}.")
        try:
            answer = torch.as_tensor(np.asarray(answer, dtype=np.float64))
        except (TypeError, ValueError):
            raise Wrong(f"Numbers are asked for; this {type(answer).__name__} holds something else.") from None
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
def zone_end(function) -> str:
    """zone_end(extra, price): where 0 and 1 cost the same."""
    for extra, price in ((0.0, 3.0), (2.0, 4.0), (5.0, 20.0), (3.0, 2.0)):
        wanted = 0.5 + extra / (2 * price)
        given = as_number(call(function, extra, price), "One number, a place between 0 and 1 or beyond,")
        if abs(given - wanted) < 1e-6:
            continue
        where = f"With extra = {extra:g} and price = {price:g} you give {given:g}."
        as_zero, as_one = price * given**2, extra + price * (1 - given) ** 2
        rivals = {
            "That is ½, plain rounding: the bits do not matter to it.": 0.5,
            "You are missing the 2 of (1 − y)² = 1 − 2y + y²: solve for y once more.": 0.5 + extra / price,
            "The zone got narrower. A 1 that costs more bits makes it wider.": 0.5 - extra / (2 * price),
            "The ½ is missing, which is the place where the two errors are equal.": extra / (2 * price),
            "Price and bits have changed their places: bits count as they are, errors times `price`.": 0.5
            + extra * price / 2,
        }
        for message, rival in rivals.items():
            if extra > 0 and abs(given - rival) < 1e-6:
                raise Wrong(f"{where} {message}")
        raise Wrong(f"{where} There, 0 costs {as_zero:.3g} and 1 costs {as_one:.3g}, which should be the same.")
    return "It is wider the more a 1 costs, and the less an error matters; notebook 07's RDOQ decides like that."


@exercise
def sign_ste(function) -> str:
    """sign_ste(y): ±1 forward; backward the gradient where |y| <= 1."""
    y = torch.tensor([-3.0, -1.25, -0.75, -0.1, 0.0, 0.3, 0.9, 1.1, 4.0, 1.0, -1.0], requires_grad=True)
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
    if torch.equal(gradient[:-2], 1 - inside[:-2]):
        raise Wrong("Forward right; but the gradient passes outside of −1 … 1 and is 0 inside: the other way round.")
    if not torch.equal(gradient, inside):
        at = 5 if gradient[5] != 1 else int((gradient - inside).abs().argmax())
        if y[at].abs() == 1 and (gradient != inside)[:-2].sum() == 0:
            raise Wrong(
                "Forward right, and the gradient nearly: it should pass where |y| ≤ 1, the two ends included. "
                "(At its ends, the slope of clamp depends on the version of PyTorch: a mask says it exactly.)"
            )
        raise Wrong(
            "Forward right; but the gradient should be 1 where |y| ≤ 1 and 0 elsewhere, "
            f"and at y = {y[at]:g} it is {gradient[at]:.2f}."
        )
    weights = torch.linspace(-2, 2, len(y))
    (weighted,) = torch.autograd.grad((call(function, y) * weights).sum(), y)
    if not torch.allclose(weighted, weights * inside, atol=1e-6):
        raise Wrong("The incoming gradient must be passed on as it is; yours hands back the same whatever comes in.")
    return "The gradient is that of a ramp from −1 to 1, as a hard tanh has it."


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
        ("the Laplacian's left half", -laplacian.abs(), 2),  # its largest magnitude is not its maximum
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
    answer = _tensor_like(call(function, y.clone(), u.clone()), y, gradients=False).detach().double()

    def is_whole(x: Tensor) -> bool:
        return bool((x - x.round()).abs().max() < 1e-5)  # float32 is precise enough

    def near(a: Tensor, b: Tensor) -> bool:
        """Equal but for float32's precision. (No y, y + u or y - u is so near to a half that it would matter.)"""
        return bool((a - b).abs().max() < 1e-5)

    if is_whole(answer):
        if near(answer, y.round()):
            raise Wrong("This is plain rounding: the noise is not used at all.")
        raise Wrong("The noise is in the symbols, and still in what is decoded. The decoder knows it: take it off.")
    if any(near(answer, rival) for rival in (y + u, y - u, y)):
        raise Wrong("Nothing is rounded here, so there is no whole number to put into a file.")
    for sign, words in ((1, "subtract it before rounding"), (-1, "add it before rounding")):
        symbols = answer - sign * u  # what the file must hold if the decoder adds sign * u
        if not is_whole(symbols):
            continue
        if near(symbols, (y - sign * u).round()):
            return "The error is uniform whatever y is: the noise of training, in use."
        if near(symbols, y.round()):
            raise Wrong(
                "The decoder adds noise to a plainly rounded value: that makes the error larger. "
                "Put the noise in before rounding, so that taking it off undoes something."
            )
        if near(symbols, (y + sign * u).round()):
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


@exercise
def lloyd_round(function) -> str:
    """lloyd_round(x, levels): each sample to its nearest level, each level to the mean of its samples."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(500, generator=generator, dtype=torch.float64)
    skewed = torch.empty_like(x).exponential_(generator=generator)
    cases = [
        ("", x, torch.tensor([-1.5, -0.5, 0.4, 1.7], dtype=torch.float64)),
        ("Uneven levels, only positive samples: ", skewed, torch.tensor([0.0, 0.5, 3.0], dtype=torch.float64)),
        ("A level that is far from every sample: ", x, torch.tensor([-1.0, 1.0, 50.0], dtype=torch.float64)),
    ]
    for where, samples, levels in cases:
        answer = call(function, samples.clone(), levels.clone())
        if isinstance(answer, tuple) and len(answer) != len(levels):
            raise Wrong("Only the new levels are asked for, not the cells or the error with them.")
        given = _tensor_like(answer, levels, gradients=False).detach().double()
        cell = (samples[:, None] - levels).abs().argmin(1)
        taken = [i for i in range(len(levels)) if (cell == i).any()]
        wanted = levels.clone()
        for i in taken:
            wanted[i] = samples[cell == i].mean()
        if torch.allclose(given, wanted, atol=1e-5):
            continue
        if given.isnan().any():
            raise Wrong(f"{where}a level is NaN, the mean of no samples. A level to which none came stays where it is.")
        if torch.allclose(given, levels):
            raise Wrong(f"{where}the levels are the old ones. Each should move to the mean of its samples.")
        medians = torch.stack([samples[cell == i].median() if i in taken else levels[i] for i in range(len(levels))])
        if torch.allclose(given, medians, atol=1e-5):
            raise Wrong(f"{where}these are the medians. The least *squared* error is at the mean.")
        middles = torch.tensor([(samples[cell == i].min() + samples[cell == i].max()).item() / 2 for i in taken])
        if torch.allclose(given[taken].float(), middles, atol=1e-4):
            raise Wrong(f"{where}these are the middles of the cells; the mean lies nearer to where samples are dense.")
        other = [i for i in range(len(levels)) if i not in taken]
        if other and torch.allclose(given[taken], wanted[taken], atol=1e-5):
            i = other[0]
            raise Wrong(f"{where}no sample came to the level {levels[i]:g}, so it stays; yours becomes {given[i]:g}.")
        i = int((given - wanted).abs().argmax())
        raise Wrong(
            f"{where}the level {levels[i]:.2f} has {int((cell == i).sum())} samples nearest to it, with the mean "
            f"{wanted[i]:.3f}; yours becomes {given[i]:.3f}."
        )
    return "Again and again, it settles: for a Gaussian and four levels at ±0.45 and ±1.51."


@exercise
def zone_curve(function) -> str:
    """zone_curve(y, steps, zone): (bits, error) for each step, with the decoder's values the means of the symbols."""
    generator = torch.Generator().manual_seed(1)
    y = torch.empty(20_000, dtype=torch.float64).exponential_(generator=generator)
    y = y * torch.where(torch.rand(20_000, generator=generator) < 0.4, -1.0, 1.0)
    for steps, zone in (([0.5, 1.0, 3.0], 0.5), ([0.7, 2.0], 0.8)):
        answer = call(function, y.clone(), list(steps), zone)
        pairs = _pairs(answer, len(steps))
        for step, (bits, error) in zip(steps, pairs, strict=True):
            symbols = torch.where(y.abs() < zone * step, 0, (y / step).round())
            values, where, counts = torch.unique(symbols, return_inverse=True, return_counts=True)
            share = counts / len(y)
            entropy = -(share * share.log2()).sum().item()
            means = torch.zeros_like(values).index_add(0, where, y) / counts
            least, plain = ((each - y).square().mean().item() for each in (means[where], symbols * step))
            said = f"Step {step:g}, zone {zone:g}: "
            if not math.isclose(bits, entropy, rel_tol=1e-4):
                raise Wrong(said + _about_bits(bits, entropy, len(values), y, step))
            if math.isclose(error, least, rel_tol=1e-4):
                continue
            if math.isclose(error, plain, rel_tol=1e-3):
                raise Wrong(said + "the decoder still gives symbol · step. The mean of a symbol's numbers is nearer.")
            if math.isclose(error, math.sqrt(least), rel_tol=1e-3):
                raise Wrong(said + "this error is the root of the mean square; the mean square itself is asked for.")
            if math.isclose(error, least * len(y), rel_tol=1e-3):
                raise Wrong(said + "the squared errors are summed; their mean is asked for.")
            raise Wrong(said + f"the bits are right, and the mean squared error is {least:.4g}, not {error:.4g}.")
    return "Now plot it. The means tell you why decoders shift their values towards 0."


def _pairs(answer: object, count: int) -> list[tuple[float, float]]:
    """The learner's curve as pairs of floats."""
    try:
        pairs = [(float(bits), float(error)) for bits, error in answer]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise Wrong("A list of pairs (bits, error) is asked for, one pair for each step.") from None
    if len(pairs) != count:
        raise Wrong(f"There are {count} steps, so {count} pairs are asked for, not {len(pairs)}.")
    return pairs


def _about_bits(bits: float, entropy: float, symbols: int, y: Tensor, step: float) -> str:
    """What may be wrong with an entropy."""
    nearest = torch.unique((y / step).round(), return_counts=True)[1] / len(y)
    if math.isclose(bits, entropy * math.log(2), rel_tol=1e-3):
        return "these are nats. Bits take the logarithm to the base 2."
    if math.isclose(bits, entropy * len(y), rel_tol=1e-3):
        return "these are the bits of all numbers; the mean is asked for."
    if math.isclose(bits, -entropy, rel_tol=1e-3):
        return "the bits are negative: logarithms of shares are, so there is a minus before the sum."
    if math.isclose(bits, math.log2(symbols), rel_tol=1e-3):
        return f"log2({symbols}) would be right if all symbols were equally frequent; weigh each with its share."
    if math.isclose(bits, -(nearest * nearest.log2()).sum().item(), rel_tol=1e-4):
        return "these are the bits of plain rounding. Below zone · step in magnitude, everything becomes 0."
    return f"the symbols have an entropy of {entropy:.5g} bits, not {bits:.5g}."
