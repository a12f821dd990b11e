"""The checks of notebook 08: hyperpriors."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tutorial_lib.checks import NotAnswered, Wrong, as_number, call, exercise
from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.entropy_coder import EntropyCoder
from tutorial_lib.gaussian_conditional import GaussianConditional, scale_table
from tutorial_lib.rans import BitstreamError

REACH = 400  # symbols on either side of 0; the widest scale asked for is 30


def _masses(scale: float) -> Tensor:
    """The bins' masses in float64, both edges in the lower tail: (2 REACH + 1,)."""
    k = torch.arange(-REACH, REACH + 1, dtype=torch.float64).abs()
    lower, upper = (0.5 * torch.erfc((k + edge) / scale / math.sqrt(2)) for edge in (0.5, -0.5))
    return upper - lower


@exercise
def waste(function) -> str:
    """waste(true_scale, believed): bits a symbol more than a coder pays that knows the scale."""
    for true_scale, believed in ((2.0, 2.0), (2.0, 4.0), (2.0, 1.0), (5.0, 1.0), (0.5, 1.0), (0.3, 0.2), (30.0, 10.0)):
        answer = as_number(call(function, true_scale, believed))
        p, q = _masses(true_scale), _masses(believed).clamp(min=1e-300)
        right = (torch.xlogy(p, p) - torch.xlogy(p, q)).sum().item() / math.log(2)
        if math.isclose(answer, right, rel_tol=1e-3, abs_tol=2e-4):
            continue
        asked = f"true scale {true_scale:g}, believed {believed:g}: "
        if math.isnan(answer) or math.isinf(answer):
            raise Wrong(
                f"{asked}{answer}. Far out, masses underflow to 0; what is 0 · log 0 there, and what is log 0? "
                "And is each bin computed in the lower tail?"
            )
        _explain_waste(asked, answer, right, true_scale, believed)
    return "Too small a scale wastes more than too large a one; and equal ones waste nothing."


def _explain_waste(asked: str, answer: float, right: float, true_scale: float, believed: float) -> None:
    p, q = _masses(true_scale), _masses(believed).clamp(min=1e-300)
    entropy = -torch.xlogy(p, p).sum().item() / math.log(2)
    swapped = (torch.xlogy(q, q) - torch.xlogy(q, p.clamp(min=1e-300))).sum().item() / math.log(2)
    ratio = believed / true_scale
    limit = math.log2(ratio) + (ratio**-2 - 1) / (2 * math.log(2))

    def near(value: float) -> bool:
        return math.isclose(answer, value, rel_tol=1e-3, abs_tol=2e-4)

    if near(right + entropy):
        raise Wrong(f"{asked}{answer:.3f} is all that the coder pays; subtract what one that knows would pay.")
    if near(-right):
        raise Wrong(f"{asked}{answer:.3f}: right, but negative. Believing something wrong never saves bits.")
    if near(right * math.log(2)):
        raise Wrong(f"{asked}{answer:.3f} are nats. A bit is a logarithm to the base 2.")
    if near(swapped):
        raise Wrong(f"{asked}{answer:.3f} is for the two exchanged: symbols come as often as the *true* scale says.")
    if near(limit):
        raise Wrong(f"{asked}{answer:.3f} is the formula for continuous values; rounded ones waste {right:.3f}.")
    if near(right * (2 * REACH + 1)) or near(right / (2 * REACH + 1)):
        raise Wrong(f"{asked}an average with equal weights? Weigh each symbol with its probability.")
    terms = (torch.xlogy(p, p) - torch.xlogy(p, q)) / math.log(2)
    for reach in range(5, REACH):
        if near(terms[REACH - reach : REACH + reach + 1].sum().item()):
            raise Wrong(f"{asked}{answer:.4f}. Are there enough symbols in your sum? Those beyond ±{reach} count, too.")
    raise Wrong(
        f"{asked}{right:.4f} bits are wasted, you give {answer:.4f}. A bin has the width 1, and half of it lies on "
        "either side of its symbol; and far out, both of its edges belong into the lower tail."
    )


def _as_tensor(answer: Any) -> Tensor | None:
    """A tensor of an array or of lists, too; None of anything else."""
    try:
        return torch.as_tensor(answer)
    except (TypeError, ValueError, RuntimeError):
        return None


TABLES = ([0.11, 0.5, 1.0, 4.0], [0.3, 0.31, 7.0], [2.0], scale_table().tolist())


@exercise
def indexes(function) -> str:
    """indexes(scales, table): the number of the smallest scale not below each."""
    for values in TABLES:
        table = torch.tensor(values)
        inside = torch.exp(torch.linspace(math.log(values[0]) - 1, math.log(values[-1]) + 1, 61))
        scales = torch.cat([inside, table, torch.nextafter(table, table + 1)])  # between, on, and just above the steps
        scales = torch.stack([scales, scales.flip(0)])  # (2, N)
        answer = _as_tensor(call(function, scales.clone(), table.clone()))
        if answer is None or answer.shape != scales.shape:
            raise Wrong(f"A tensor of the shape of the scales is asked for, here {tuple(scales.shape)}.")
        if answer.is_complex() or answer.isnan().any() or (answer != answer.round()).any():
            raise Wrong("Indexes are whole numbers.")
        above = (scales[..., None] > table).sum(-1)  # how many of the table's scales are below
        right = above.clamp(max=len(table) - 1)
        if torch.equal(answer.long(), right):
            continue
        _explain_indexes(answer.long(), right, above, scales, table)
    return "Searching takes 6 comparisons for 64 scales; counting takes 63."


def _explain_indexes(answer: Tensor, right: Tensor, above: Tensor, scales: Tensor, table: Tensor) -> None:
    first = int((answer != right).flatten().nonzero()[0])
    scale, got, wanted = (tensor.flatten()[first].item() for tensor in (scales, answer, right))
    case = f"table {[round(value, 2) for value in table[:4].tolist()]}, scale {scale:.4g}: "
    nearest = (scales[..., None] - table).abs().argmin(-1)
    nearest_log = (scales.log()[..., None] - table.log()).abs().argmin(-1)
    if torch.equal(answer, above):
        raise Wrong(f"{case}there is no table {got}. What about scales beyond the last?")
    if torch.equal(answer, nearest) or torch.equal(answer, nearest_log):
        raise Wrong(f"{case}you take the nearest, {got}. The smallest that is *not below* is {wanted}.")
    if torch.equal(answer, (above - 1).clamp(min=0)):
        raise Wrong(f"{case}you take the largest that is below, {got}; the next one, {wanted}, is asked for.")
    on_a_step = torch.isin(scales, table)
    if (answer == right)[~on_a_step].all():
        raise Wrong(f"{case}it equals one of the table's, which is not below it: {wanted}, not {got}. Mind `right=`.")
    if got < 0 or got >= len(table):
        raise Wrong(f"{case}there is no table {got}; the numbers run from 0 to {len(table) - 1}.")
    raise Wrong(f"{case}the right number is {wanted}, you give {got}.")


@exercise
def quantize(function) -> str:
    """quantize(y, means): round(y - means) + means, with a gradient of 1 for y and of 0 for the means."""
    generator = torch.Generator().manual_seed(0)
    y = 5 * torch.randn(2, 3, 4, 4, generator=generator)
    means = 3 * torch.randn(2, 3, 4, 4, generator=generator)
    weight = torch.randn(2, 3, 4, 4, generator=generator)
    with torch.enable_grad():
        y_leaf, means_leaf = y.clone().requires_grad_(), means.clone().requires_grad_()
        answer = call(function, y_leaf, means_leaf)
        if not isinstance(answer, Tensor) or answer.shape != y.shape:
            raise Wrong(f"A tensor like y is asked for, here of shape {tuple(y.shape)}.")
        _explain_values(answer.detach().to(y.dtype), y, means)
        if not answer.requires_grad:
            raise Wrong("The values are right, but no gradient comes through: everything is detached.")
        given = torch.autograd.grad((answer * weight).sum(), (y_leaf, means_leaf), allow_unused=True)
    for_y, for_means = (torch.zeros_like(y) if gradient is None else gradient / weight for gradient in given)
    if torch.allclose(for_y, torch.zeros_like(y), atol=1e-4):
        raise Wrong("The values are right, but the gradient with respect to y is 0: rounding has none of its own.")
    if not torch.allclose(for_y, torch.ones_like(y), atol=1e-4):
        raise Wrong(f"The gradient with respect to y should be 1; somewhere it is {for_y.flatten()[0]:.2f}.")
    for value, words in (
        (1.0, "is 1: they are added at the end, but subtracted before, and rounding between must pass on that, too"),
        (-1.0, "is -1: they are subtracted, and what is added at the end is detached"),
    ):
        if torch.allclose(for_means, torch.full_like(y, value), atol=1e-4):
            raise Wrong(f"The gradient with respect to the means {words}. It should be 0.")
    if not torch.allclose(for_means, torch.zeros_like(y), atol=1e-4):
        raise Wrong("The gradient with respect to the means should be 0 everywhere.")
    return "Without a gradient by way of ŷ, means learn from the rate alone: where does y probably lie?"


def _explain_values(answer: Tensor, y: Tensor, means: Tensor) -> None:
    right = torch.round(y - means) + means
    if torch.allclose(answer, right, rtol=0, atol=1e-5):
        return
    rivals = {
        "These are whole numbers around 0, the symbols. The decoder adds the means again.": torch.round(y - means),
        "You round y itself. Around the mean: subtract it first, add it at the end.": torch.round(y),
        "You round the means, too; what is coded then is another symbol.": torch.round(y - means) + torch.round(means),
        "Round of the sum? The mean is subtracted before rounding.": torch.round(y + means) - means,
        "Nothing is rounded: this is y again.": y,
        "Rounded down. The nearest whole number is asked for.": torch.floor(y - means) + means,
    }
    for words, rival in rivals.items():
        if torch.allclose(answer, rival, rtol=0, atol=1e-5):
            raise Wrong(words)
    raise Wrong("The values are not round(y - means) + means.")


class _Toy:
    """A hyperprior small enough to be made on the spot: 2 channels of z, 3 of y, which has this shape."""

    def __init__(self, shape: tuple[int, int]) -> None:
        generator = torch.Generator().manual_seed(3)
        self.shape = shape
        z_shape = (shape[0] // 4, shape[1] // 4)
        z = 6 * torch.randn(1, 2, *z_shape, generator=generator)
        bottleneck = EntropyBottleneck(2).eval()
        self.gaussian = GaussianConditional().eval()
        self.z_coder, self.y_coder = EntropyCoder.build(bottleneck), EntropyCoder.build(self.gaussian)
        mix = torch.randn(6, 2, generator=generator)
        self.synthesis = _Spread(mix)
        self.z_string = self.z_coder.compress(z)[0]
        scales, means = self.synthesis(self.z_coder.decompress([self.z_string], z_shape)).chunk(2, dim=1)
        y = means + scales * torch.randn(scales.shape, generator=generator)
        self.y_hat = torch.round(y - means) + means
        self.means = means
        self.y_string = self.y_coder.compress(y, self.gaussian.indexes(scales), means)[0]


class _Spread(nn.Module):
    """ẑ (1, 2, h/4, w/4) -> scales, means (1, 6, h, w)."""

    def __init__(self, mix: Tensor) -> None:
        super().__init__()
        self.mix = mix

    def forward(self, z_hat: Tensor) -> Tensor:
        if not isinstance(z_hat, Tensor) or z_hat.dim() != 4 or z_hat.shape[1] != 2:
            found = tuple(z_hat.shape) if isinstance(z_hat, Tensor) else type(z_hat).__name__
            raise Wrong(f"synthesis takes ẑ, here a tensor (1, 2, 2, 3); you give it {found}.")
        wide = z_hat.repeat_interleave(4, 2).repeat_interleave(4, 3)  # (1, 2, h, w)
        logs, means = torch.einsum("pc,bchw->bphw", self.mix, wide).chunk(2, dim=1)
        return torch.cat([(0.2 * logs + 1).clamp(-2, 4).exp(), means], dim=1)


@exercise
def decode(function: Callable) -> str:
    """decode(z_string, y_string, shape, z_coder, y_coder, synthesis, gaussian): ŷ, as the encoder has it."""
    for shape in ((12, 16), (8, 12)):
        _judge_decoder(function, _Toy(shape))
    return "Equal to what the encoder holds, bit for bit."


def _judge_decoder(function: Callable, toy: _Toy) -> None:
    try:
        answer = call(
            function, toy.z_string, toy.y_string, toy.shape, toy.z_coder, toy.y_coder, toy.synthesis, toy.gaussian
        )
    except BitstreamError:
        raise Wrong(
            "The string does not decode. The tables' numbers come from the scales, which are the first half of what "
            "synthesis gives; each string wants its own coder; and ẑ has a fourth of the latent's size."
        ) from None
    except ValueError as error:
        raise Wrong(f"A coder was given something that does not fit: {error}") from None
    found = _as_tensor(answer)
    if found is None or found.shape != toy.y_hat.shape:
        wrong = type(answer).__name__ if found is None else tuple(found.shape)
        raise Wrong(f"ŷ is asked for, a tensor {tuple(toy.y_hat.shape)}, not {wrong}.")
    answer = found.detach().to(toy.y_hat.dtype)
    if torch.equal(answer, toy.y_hat):
        return
    if torch.allclose(answer, toy.y_hat, rtol=0, atol=1e-4):
        raise Wrong("Nearly: the last digits differ. Let the coder add the means, in the same order as the encoder.")
    if torch.allclose(answer, toy.y_hat - toy.means, atol=1e-4):
        raise Wrong("These are the symbols, whole numbers: what is missing are the means.")
    if torch.allclose(answer, toy.y_hat + toy.means, atol=1e-4):
        raise Wrong("The means are added twice: the coder has done so already.")
    raise Wrong("That is not the encoder's ŷ. Which half of the parameters are the scales, and which the means?")


# ---- does side information pay?


def _cost(model: GaussianConditional, y: Tensor, scale: Tensor | None = None) -> Tensor:
    """Bits of symbols under one Gaussian, of their own scale unless another is given."""
    scale = y.square().mean().sqrt().clamp(min=0.11) if scale is None else scale
    return -model.likelihood(y, scale).log2().sum()


def _told_and_not(y: Tensor, z: Tensor) -> tuple[float, float, float]:
    """Bits a symbol: of y without z, of y with z, of z."""
    model = GaussianConditional().eval()
    classes, counts = z.unique(return_counts=True)
    told = sum(_cost(model, y[z == c]).item() for c in classes) / len(y)
    shares = counts / len(z)
    return _cost(model, y).item() / len(y), told, -(shares * shares.log2()).sum().item()


def _two_kinds(quiet: float, lively: float, share: float, classes: tuple[int, int], seed: int) -> tuple[Tensor, Tensor]:
    """Symbols of two scales, and which of them each has: (y, z)."""
    generator = torch.Generator().manual_seed(seed)
    is_lively = torch.rand(3000, generator=generator) < share
    scales = torch.where(is_lively, lively, quiet)
    y = (scales * torch.randn(3000, generator=generator)).round()
    return y, torch.where(is_lively, classes[1], classes[0])


@exercise
def saving(function: Callable) -> str:
    """saving(y, z): bits a symbol that classes save, their own cost subtracted."""
    y, z = _two_kinds(0.3, 6.0, 0.25, (0, 1), seed=1)
    shuffled = z[torch.randperm(len(z), generator=torch.Generator().manual_seed(2))]
    cases = (
        ("two classes of scales 0.3 and 6", y, z),
        ("the same, numbered 3 and 7", y, 3 + 4 * z),
        ("one class for all", y, torch.zeros_like(z)),
        ("classes that say nothing", y, shuffled),
        ("a class of zeros only", *_two_kinds(0.0, 2.0, 0.5, (0, 1), seed=3)),
    )
    for words, symbols, classes in cases:
        answer = as_number(call(function, symbols.clone(), classes.clone()), "One number, bits a symbol,")
        without, told, z_cost = _told_and_not(symbols, classes)
        if not math.isclose(answer, without - told - z_cost, rel_tol=2e-3, abs_tol=2e-3):
            _explain_saving(f"{words}: {answer:.3f}", answer, symbols, classes)
    return "And classes that say nothing cost their whole entropy: more side information is not better."


def _explain_saving(asked: str, answer: float, y: Tensor, z: Tensor) -> None:
    without, told, z_cost = _told_and_not(y, z)
    right = without - told - z_cost

    def near(value: float) -> bool:
        return math.isclose(answer, value, rel_tol=2e-3, abs_tol=2e-3)

    if math.isnan(answer) or math.isinf(answer):
        raise Wrong(f"{asked}. Is every scale at least 0.11, that of a class of zeros, too?")
    known = {
        "what z saves before it is paid: subtract the entropy of the classes": without - told,
        "right, but with the other sign: a saving is positive where z pays": -right,
        "in nats; a bit is a logarithm to the base 2": right * math.log(2),
        "the sum over all symbols; bits a *symbol* are asked for": right * len(y),
        "what is paid with z; by how much less is that than without?": told + z_cost,
        "with each class charged log2 of their number; frequent classes are cheaper": without
        - told
        - math.log2(len(z.unique())),
        "with the average of the classes' costs; a class counts as often as it occurs": without
        - z_cost
        - sum(_cost(GaussianConditional().eval(), y[z == c]).item() / (z == c).sum().item() for c in z.unique())
        / len(z.unique()),
    }
    for words, value in known.items():
        if near(value):
            raise Wrong(f"{asked} is {words}.")
    raise Wrong(
        f"{asked}; {right:.3f} is right: {without:.3f} without z, less {told:.3f} with it and {z_cost:.3f} for it."
    )


# ---- a mixture


def _mixture_bits(weights: Tensor, scales: Tensor, y: Tensor) -> float:
    """Bits a symbol under a mixture of Gaussians around 0."""
    values, counts = y.unique(return_counts=True)
    k = values.double().abs()
    lower, upper = (0.5 * torch.erfc((k + edge) / scales[:, None] / math.sqrt(2)) for edge in (0.5, -0.5))
    masses = (weights[:, None] * (upper - lower)).sum(0).clamp(min=1e-12)
    return -(counts * masses.log2()).sum().item() / len(y)


def _numbers(answer: Any, parts: int, words: str) -> Tensor:
    """The learner's weights or scales: (parts,) float64."""
    try:
        numbers = torch.as_tensor([float(each) for each in answer], dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{parts} {words} are asked for, not {type(answer).__name__}.") from None
    if len(numbers) != parts:
        raise Wrong(f"{parts} {words} are asked for; you give {len(numbers)}.")
    if not numbers.isfinite().all():
        raise Wrong(f"Of the {words} one is not a finite number: {', '.join(f'{n:.3g}' for n in numbers.tolist())}.")
    return numbers


SOURCES = (((0.8, 0.2), (0.5, 6.0)), ((0.5, 0.3, 0.2), (0.3, 2.0, 14.0)))  # weights, scales


@exercise
def fit_mixture(function: Callable) -> str:
    """fit_mixture(symbols, parts): weights and scales that code symbols of the same source as well as its own do."""
    for weights, scales in SOURCES:
        parts = len(weights)
        true_weights, true_scales = (torch.tensor(each, dtype=torch.float64) for each in (weights, scales))
        learn, judge = (_draw(true_weights, true_scales, seed) for seed in (5, 6))
        answer = call(function, learn, parts)
        if hasattr(answer, "tolist"):  # one array or tensor, of two rows
            answer = answer.tolist()
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            raise Wrong("Two things are asked for: the weights, and the scales.")
        if answer[0] is ... and answer[1] is ...:
            raise NotAnswered
        mine, widths = _numbers(answer[0], parts, "weights"), _numbers(answer[1], parts, "scales")
        if (widths <= 0).any():
            raise Wrong(f"A scale is above 0; one of yours is {widths.min():.3g}. (Are they still logarithms?)")
        if (mine < 0).any() or not math.isclose(mine.sum(), 1, abs_tol=1e-3):
            swapped = math.isclose(widths.sum(), 1, abs_tol=1e-3) and (mine > 0).all()
            hint = "they come first, before the scales" if swapped else "a softmax makes such numbers"
            raise Wrong(f"Weights are positive and have the sum 1, yours {mine.sum():.3g}; {hint}.")
        _judge_mixture(mine, widths, judge, _mixture_bits(true_weights, true_scales, judge))
    return "Nobody was told which Gaussian a symbol came from, and the price of that is what side information saves."


def _draw(weights: Tensor, scales: Tensor, seed: int) -> Tensor:
    """20,000 symbols of a mixture, float32."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.multinomial(weights, 20_000, replacement=True, generator=generator)
    return (scales[which] * torch.randn(20_000, generator=generator)).round().float()


def _judge_mixture(weights: Tensor, scales: Tensor, judge: Tensor, best: float) -> None:
    paid = _mixture_bits(weights, scales, judge)
    if paid <= 1.01 * best:
        return
    said = f"{paid:.3f} bits a symbol, where {best:.3f} is possible"
    if len(scales) > 1 and (scales.max() / scales.min() < 1.1):
        raise Wrong(f"{said}: all your Gaussians have the same scale. What starts alike stays alike; start them apart.")
    if _mixture_bits(weights.flip(0), scales, judge) <= 1.01 * best:
        raise Wrong(f"{said}: the right weights belong to the other scales.")
    if _mixture_bits(weights, scales.sqrt(), judge) <= 1.02 * best:
        raise Wrong(f"{said}: these are variances; a scale is their root.")
    raise Wrong(f"{said}. Has the fit come to an end? Take more steps, or larger ones; and look at what the scales do.")
