"""The checks of the appendix A1: a codec for one picture."""

import math
import random
from collections.abc import Callable, Sequence

from tutorial_lib.checks import Wrong, as_number, call, exercise

MOST_BITS = 16  # of a learned number, behind the point


def _judge(answers: Sequence[float], cases: dict[str, tuple], right: Callable, mistakes: dict[str, Callable]) -> None:
    """Raise Wrong for the first wrong answer, with the words of the mistake that would give all of them."""

    def agree(answer: float, number: float) -> bool:
        return math.isclose(answer, number, rel_tol=1e-4, abs_tol=1e-9)  # float32 will do

    for answer, (name, case) in zip(answers, cases.items(), strict=True):
        if not agree(answer, right(*case)):
            for words, mistake in mistakes.items():
                if all(agree(a, mistake(*given)) for a, given in zip(answers, cases.values(), strict=True)):
                    raise Wrong(f"{name}: {words}")
            raise Wrong(f"{name}: {right(*case):.6g}, not {answer:.6g}.")


@exercise
def plane_latents(function) -> str:
    """plane_latents(height, width, planes): the numbers in a pyramid of planes, each half as long on both sides."""
    sizes = ((8, 8, 1), (8, 8, 3), (300, 451, 7), (5, 9, 4), (128, 96, 6))
    answers = [as_number(call(function, *size), "A whole number") for size in sizes]
    cases = {f"{height} × {width}, planes {planes}": (height, width, planes) for height, width, planes in sizes}
    _judge(answers, cases, _planes, PYRAMIDS)
    return "A third more numbers than pixels. A wavelet has as many coefficients as there are pixels of each colour."


def _planes(height: int, width: int, planes: int, first: int = 0) -> int:
    return sum(-(-height // 2**n) * -(-width // 2**n) for n in range(first, first + planes))


PYRAMIDS: dict[str, Callable] = {
    "sides are rounded up: half of 451 is 226.": lambda h, w, planes: sum((h >> n) * (w >> n) for n in range(planes)),
    "the first plane has the picture's own size.": lambda h, w, planes: _planes(h, w, planes, first=1),
    "both sides are halved, so a plane has a quarter of the one before.": lambda h, w, planes: sum(
        -(-h // 2**n) * w for n in range(planes)
    ),
    "that is the last plane alone. Add them up.": lambda h, w, planes: _planes(h, w, 1, first=planes - 1),
    "that is the picture's pixels. Add the smaller planes.": lambda h, w, planes: h * w,
}


@exercise
def best_precision(function) -> str:
    """best_precision(sizes, errors, lmbda): where bits + λ · error is smallest."""
    sizes, errors = [410.0, 590.0, 770.0, 960.0, 1150.0], [9000.0, 4100.0, 3300.0, 3150.0, 3100.0]
    cases = {f"λ = {lmbda}": (sizes, errors, lmbda) for lmbda in (0.02, 0.1, 0.5, 3.0, 50.0)}
    answers = [as_number(call(function, list(sizes), list(errors), case[2]), "The place") for case in cases.values()]
    _judge(answers, cases, lambda r, d, price: _least(_costs(r, d, price)), DIGITS)
    return "The same sum that trained the latents chooses the digits of the weights."


def _costs(sizes: list[float], errors: list[float], price: float) -> list[float]:
    return [r + price * d for r, d in zip(sizes, errors, strict=True)]


def _least(costs: list[float]) -> int:
    return costs.index(min(costs))


DIGITS: dict[str, Callable] = {
    "that is the smallest cost; its place in the list is asked for.": lambda r, d, price: min(_costs(r, d, price)),
    "λ is the price of the error, not of the bits.": lambda r, d, price: _least(_costs(d, r, price)),
    "that has the fewest bits. The error costs, too.": lambda r, d, price: 0,
    "that has the smallest error. Bits cost, too.": lambda r, d, price: len(r) - 1,
    "that costs most.": lambda r, d, price: _costs(r, d, price).index(max(_costs(r, d, price))),
    "places are counted from 0.": lambda r, d, price: _least(_costs(r, d, price)) + 1,
}


@exercise
def weight_bits(function) -> str:
    """weight_bits(weights, precision, b): what rounded weights cost with a Laplace density of scale b."""
    generator, cases = random.Random(1), {}
    for precision, b in ((3, 2.0), (0, 0.5), (5, 9.0)):
        weights = [round(generator.gauss(0, 2 * b) / 2**precision, 4) for _ in range(9)]
        cases[f"precision {precision}, b = {b}"] = (weights, precision, b)
    answers = [as_number(call(function, list(w), p, b), "A number of bits") for w, p, b in cases.values()]
    _judge(answers, cases, _weight_bits, WEIGHTS)
    return "The file writes them with such a table, and a byte that says which."


def _laplace_bits(k: int, b: float) -> float:
    t = 1 / (2 * b)
    return -math.log2(1 - math.exp(-t) if k == 0 else 0.5 * (1 - math.exp(-2 * t)) * math.exp(-(2 * abs(k) - 1) * t))


def _weight_bits(weights: list[float], precision: int, b: float, bits: Callable = _laplace_bits) -> float:
    return sum(bits(round(w * 2**precision), b) for w in weights)


def _one_sided(k: int, b: float) -> float:
    return _laplace_bits(k, b) if k else -math.log2(0.5 * (1 - math.exp(-1 / b)) * math.exp(1 / (2 * b)))


def _density_bits(k: int, b: float) -> float:
    return abs(k) / b / math.log(2) + math.log2(2 * b)


WEIGHTS: dict[str, Callable] = {
    "those are nats. Bits take the logarithm to the base 2.": lambda *case: _weight_bits(*case) * math.log(2),
    "bits are not negative: the logarithm of a probability is, so take minus it.": lambda *case: -_weight_bits(*case),
    "the weights are rounded to multiples of 2^-precision; count these multiples.": lambda w, p, b: _weight_bits(
        w, 0, b
    ),
    "that is the mean. All weights are written.": lambda w, p, b: _weight_bits(w, p, b) / len(w),
    "that is the density at k. A symbol's probability is the mass from k − ½ to k + ½.": lambda w, p, b: _weight_bits(
        w, p, b, _density_bits
    ),
    "the mass at 0 has two halves, 1 − e^(−1/(2b)).": lambda w, p, b: _weight_bits(w, p, b, _one_sided),
}


@exercise
def mac_per_pixel(function) -> str:
    """mac_per_pixel(layers, pixels): multiplications of convolutions, a pixel."""
    pyramid = [(7, 40, 1, 4096), (40, 40, 1, 4096), (40, 3, 1, 4096), (24, 24, 1, 5461)]
    cases = {
        "one layer": ([(3, 6, 3, 100)], 100),
        "two layers": ([(3, 6, 3, 150), (6, 1, 1, 150)], 100),
        "four layers": (pyramid, 4096),
    }
    answers = [as_number(call(function, list(layers), pixels), "A number") for layers, pixels in cases.values()]
    _judge(answers, cases, lambda layers, pixels: _work(layers) / pixels, WORK)
    return "The third one is of COOL-CHIC's size: some thousands. The trained codec has ten times as many."


def _work(layers: list[tuple[int, int, int, int]], power: int = 2) -> int:
    return sum(i * o * k**power * n for i, o, k, n in layers)


WORK: dict[str, Callable] = {
    "a kernel has k × k taps, not k.": lambda layers, pixels: _work(layers, power=1) / pixels,
    "that is without the kernels' sizes: k × k taps each.": lambda layers, pixels: _work(layers, power=0) / pixels,
    "those are the weights. Each is used once at every position.": lambda layers, pixels: _work(
        [(*layer[:3], 1) for layer in layers]
    ),
    "that is for the whole picture; a pixel's share is asked for.": lambda layers, pixels: _work(layers),
    "that is in thousands; leave it as it is.": lambda layers, pixels: _work(layers) / pixels / 1000,
    "the layers' work is added, not averaged.": lambda layers, pixels: _work(layers) / pixels / len(layers),
    "each output sums over all inputs: their numbers are multiplied.": lambda layers, pixels: (
        _work([(i + o, 1, k, n) for i, o, k, n in layers]) / pixels
    ),
}


@exercise
def largest_precision(function) -> str:
    """largest_precision(weights, largest, fraction): digits that keep a sum in float32 exact."""
    given = (
        ([0.5, -0.25, 1.0], 50.0, 8),
        ([0.3, -0.7, 1.1, 0.9], 60.0, 8),
        ([2.0, -2.0], 100.0, 6),
        ([0.01], 1.0, 0),
        ([30.0, -40.0], 5e6, 4),
        ([1.0], 64.0, 8),  # ten digits reach 2^24 exactly, which is not below it
        ([3.0, -2.0], 2e6, 0),  # whole numbers only
        ([0.6, -0.7], 1e7, 0),  # rounded, they are larger
    )
    cases = {f"weights {w}, inputs up to {largest:g}, {f} digits": (w, largest, f) for w, largest, f in given}
    answers = [as_number(call(function, list(w), *rest), "A whole number") for w, *rest in cases.values()]
    _judge(answers, cases, _largest_precision, EXACT)
    return "What the proof of 11 asks for, turned round: here the digits are what is chosen."


def _largest_precision(
    weights: list[float], largest: float, fraction: int, limit: int = 24, sized: Callable = lambda ks: sum(map(abs, ks))
) -> int:
    for p in range(MOST_BITS, -1, -1):
        if sized([round(w * 2**p) for w in weights]) * largest * 2**fraction < 2**limit:
            return p
    return -1


EXACT: dict[str, Callable] = {
    "weights of both signs do not cancel: the inputs have signs, too.": lambda w, x, f: _largest_precision(
        w, x, f, sized=sum
    ),
    "the inputs have digits behind the point, too: a product has both.": lambda w, x, f: _largest_precision(w, x, 0),
    "every term adds to the sum, not the largest weight alone.": lambda w, x, f: _largest_precision(
        w, x, f, sized=lambda ks: max(map(abs, ks))
    ),
    "that is one digit too many: a sum reaches 2^24.": lambda *c: (
        _largest_precision(*c) + (_largest_precision(*c) >= 0)
    ),
    "that is exact, but so is one digit more.": lambda *c: _largest_precision(*c) - (_largest_precision(*c) >= 0),
    "weights are rounded first: it is the rounded ones that are multiplied.": lambda w, x, f: max(
        (p for p in range(MOST_BITS + 1) if sum(map(abs, w)) * 2**p * x * 2**f < 2**24), default=-1
    ),
    "that is float64's 2^53.": lambda w, x, f: _largest_precision(w, x, f, limit=53),
}


@exercise
def pays_from(function) -> str:
    """pays_from(numbers, bits_each, bpp, share): from how many pixels on a network saves what it costs."""
    given = ((12, 5.0, 0.7, 0.0625), (25, 6.0, 0.35, 0.0625), (3, 7.0, 1.3, 0.0078125))
    cases = {
        f"{n} numbers of {each:g} bits, {bpp:g} bits per pixel, share {share:g}": (n, each, bpp, share)
        for n, each, bpp, share in given
    }
    answers = [as_number(call(function, *case), "A number of pixels") for case in cases.values()]
    _judge(answers, cases, lambda n, each, bpp, share: math.ceil(n * each / (bpp * share)), PIXELS)
    return "So a decoder should grow with its picture; and a video, of many pictures, can afford a larger one."


PIXELS: dict[str, Callable] = {
    "only a share of the bits is saved, not all of them.": lambda n, each, bpp, share: math.ceil(n * each / bpp),
    "a pixel saves bpp · share bits.": lambda n, each, bpp, share: math.ceil(n * each / share),
    "each of the numbers costs bits_each.": lambda n, each, bpp, share: math.ceil(n / (bpp * share)),
    "both costs are in bits; nothing is divided by eight.": lambda n, each, bpp, share: math.ceil(
        n * each / 8 / (bpp * share)
    ),
    "1 − share is what is still paid; bpp · share is saved.": lambda n, each, bpp, share: math.ceil(
        n * each / (bpp * (1 - share))
    ),
    "so many pixels save a little less than it costs: round up.": lambda n, each, bpp, share: math.floor(
        n * each / (bpp * share)
    ),
    "a whole number of pixels: round up.": lambda n, each, bpp, share: n * each / (bpp * share),
}
