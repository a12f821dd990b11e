"""The checks of notebook 03: entropy and rate."""

import heapq
import itertools
import math
import warnings
from collections.abc import Callable

import numpy as np
import torch

from tutorial_lib.checks import Wrong, as_number, call, exercise
from tutorial_lib.information import entropy, kl_divergence

NATS = "these are nats. A bit is a logarithm to the base 2."


def call_quietly(function: Callable, *arguments):
    """Call the learner's function without NumPy's warnings: what it returns, NaN say, is told in words."""
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return call(function, *arguments)


def as_pair(answer, case: str, wanted: str) -> tuple[float, float]:
    try:
        one, other = (float(value) for value in answer)
    except (TypeError, ValueError):
        raise Wrong(f"{case}: two numbers are asked for, {wanted}.") from None
    return one, other


def close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-5, abs_tol=1e-6)


@exercise
def entropy_from_counts(function) -> str:
    """entropy_from_counts(counts): bits a symbol of a histogram, in which some counts are 0."""
    for counts in ([8, 4, 2, 2], [7, 1, 2], [5, 5, 5, 5, 5], [12], [5, 0, 5], [0, 3, 0, 9, 1]):
        case = f"counts {counts}"
        try:
            answer = as_number(call_quietly(function, list(counts)), f"{case}: one number")
        except (ValueError, ZeroDivisionError) as error:
            if 0 not in counts:
                raise
            raise Wrong(f"{case}: a count of 0 stops it ({error}). What never happens adds nothing.") from None
        total = sum(counts)
        pmf = np.array(counts) / total
        true = float(entropy(pmf))
        if close(answer, true):
            continue
        if math.isnan(answer) or math.isinf(answer):
            raise Wrong(f"{case}: {answer}. Where a count is 0, 0 · log 0 is to be 0: leave these symbols out.")
        happens = pmf[pmf > 0]
        mistakes = {
            -true: "a probability is at most 1, so its logarithm is negative: change the sign.",
            true * math.log(2): NATS,
            true * math.log10(2): "this is a logarithm to the base 10. A bit is one to the base 2.",
            true * total: "these are the bits of the whole message; those of one symbol are asked for.",
            float(-np.log2(happens).mean()): "every surprise counts equally here; weigh each with its probability.",
            math.log2(
                len(happens)
            ): "this is the logarithm of how many symbols there are: right for equal counts only.",
            true / len(counts): "you average over the kinds of symbols. The probabilities are the weights already.",
            float(-(np.array(counts)[pmf > 0] * np.log2(np.array(counts)[pmf > 0])).sum()): (
                "counts are no probabilities; divide them by their sum first."
            ),
        }
        for mistake, words in mistakes.items():
            if close(answer, mistake):
                raise Wrong(f"{case}: {words}")
        raise Wrong(f"{case}: {true:.3f} bits a symbol are right, you give {answer:.3f}.")
    return "Times the number of symbols, it is what a coder pays, if somebody gives it the table for nothing."


@exercise
def losses(function) -> str:
    """losses(p, lengths) -> (D(p‖q), log2(1 / K)): bits lost to a wrong belief, and to words that are never used."""
    cases = [
        ([0.5, 0.25, 0.125, 0.125], [1, 2, 3, 3]),
        ([0.4, 0.3, 0.2, 0.1], [1, 2, 3, 3]),
        ([0.7, 0.2, 0.1], [2, 2, 2]),
        ([0.6, 0.3, 0.1], [1, 3, 4]),
        ([0.9, 0.0, 0.1], [1, 2, 3]),
    ]
    for p, lengths in cases:
        case = f"p {p}, lengths {lengths}"
        belief, unused = as_pair(call_quietly(function, list(p), list(lengths)), case, "(belief, unused)")
        kraft = sum(2.0**-length for length in lengths)
        q = np.array([2.0**-length for length in lengths]) / kraft
        true_belief, true_unused = float(kl_divergence(p, q)), -math.log2(kraft)
        if close(belief, true_belief) and close(unused, true_unused):
            continue
        if math.isnan(belief) or math.isnan(unused):
            raise Wrong(f"{case}: NaN. Where p is 0, nothing is lost to a belief: leave these symbols out.")
        if close(belief, true_unused) and close(unused, true_belief):
            raise Wrong(f"{case}: the right numbers in the other order; (belief, unused) is asked for.")
        if close(belief, true_belief * math.log(2)) and close(unused, true_unused * math.log(2)):
            raise Wrong(f"{case}: {NATS}")
        if close(belief, true_belief) and close(unused, -true_unused):
            raise Wrong(f"{case}: a loss is positive. The Kraft sum is at most 1: take the logarithm of 1 / K.")
        if close(belief, true_belief) and close(unused, 1 - kraft):
            raise Wrong(f"{case}: {1 - kraft:g} is the share of unused words; how many bits do they cost a symbol?")
        if close(belief, true_belief + true_unused) and not close(true_unused, 0):
            raise Wrong(
                f"{case}: your first number is the whole loss. 2^-length does not sum to 1 here: divide by the Kraft "
                "sum, and only then call it a belief."
            )
        if close(belief, sum(a * length for a, length in zip(p, lengths, strict=True))):
            raise Wrong(f"{case}: your first number is the average length. Which part of it is lost?")
        if close(belief, float(kl_divergence(q, p))):
            raise Wrong(f"{case}: this is D(q‖p). The symbols come with the probabilities p: average over p.")
        if not close(belief, true_belief):
            raise Wrong(f"{case}: the belief costs {true_belief:.3f} bits, you give {belief:.3f}.")
        raise Wrong(f"{case}: the unused words cost {true_unused:.3f} bits, you give {unused:.3f}.")
    return "Their sum, added to the entropy, is the average length: no code is left out of this account."


@exercise
def conditional(function) -> str:
    """conditional(joint): H(X | C) in bits, joint[c][x] being counts."""
    cases = [
        [[4, 4, 0], [3, 0, 9], [1, 1, 1]],
        [[1, 2, 5], [6, 0, 2]],
        [[10, 0], [0, 30]],
        [[1, 3], [0, 0], [5, 2]],
    ]
    for joint in cases:
        case = f"joint {joint}"
        try:
            answer = as_number(call_quietly(function, [list(row) for row in joint]), f"{case}: one number")
        except ZeroDivisionError:
            raise Wrong(f"{case}: you divide by 0. Which context never occurs?") from None
        counts = np.array(joint, dtype=float)
        both = float(entropy(counts.ravel() / counts.sum()))
        of_x, of_c = (float(entropy(counts.sum(axis=axis) / counts.sum())) for axis in (0, 1))
        rows = counts[counts.sum(axis=1) > 0]
        true = both - of_c
        if close(answer, true):
            continue
        if math.isnan(answer) or math.isinf(answer):
            raise Wrong(f"{case}: {answer}. Leave out what never occurs: symbols within a row, and whole rows.")
        mistakes = {
            -true: "a probability is at most 1, so its logarithm is negative: change the sign.",
            true * math.log(2): NATS,
            both: "this is H(X, C), what symbol and context tell together. The context is known already.",
            of_x: "this is H(X), without any context.",
            of_c: "this is H(C), the entropy of the contexts.",
            both - of_x: "this is H(C | X): the roles are swapped. One row is one context.",
            of_x - true: "this is what the context saves, H(X) − H(X | C); what it leaves is asked for.",
            float(np.mean(entropy(rows / rows.sum(axis=1, keepdims=True)))): (
                "every context counts equally here. Weigh each with how often it occurs."
            ),
            float(np.sum(entropy(rows / rows.sum(axis=1, keepdims=True)))): (
                "you add up the contexts' entropies; they are to be averaged, each with its share."
            ),
        }
        for mistake, words in mistakes.items():
            if close(answer, mistake):
                raise Wrong(f"{case}: {words}")
        raise Wrong(f"{case}: {true:.3f} bits are right, you give {answer:.3f}.")
    return "The chain rule H(X, C) = H(C) + H(X | C) is why a coder may send one symbol after the other."


def _cost_of_scale(sizes: np.ndarray, b: float) -> float:
    """Mean surprise, in bits, of whole numbers of these sizes |k|, with a Laplace density of scale b."""
    far = np.log(0.5) + np.log1p(-math.exp(-1 / b)) - (sizes - 0.5) / b
    return float(-np.where(sizes == 0, np.log(-math.expm1(-0.5 / b)), far).mean() / math.log(2))


def _best_scale(sizes: np.ndarray) -> float:
    """Where `_cost_of_scale`, which has a single valley in log b, is lowest: by shrinking an interval."""
    low, high = math.log(0.05), math.log(200.0)
    for _ in range(80):
        third = (high - low) / 3
        if _cost_of_scale(sizes, math.exp(low + third)) < _cost_of_scale(sizes, math.exp(high - third)):
            high -= third
        else:
            low += third
    return math.exp((low + high) / 2)


@exercise
def fit_scale(function) -> str:
    """fit_scale(symbols): the scale of the Laplace density that pays least for these whole numbers."""
    given = []
    for scale in (3.0, 0.4, 12.0):
        quantiles = (np.arange(2_000) + 0.5) / 2_000
        values = -scale * np.sign(quantiles - 0.5) * np.log(1 - 2 * np.abs(quantiles - 0.5))
        symbols = np.rint(values).astype(int)
        sizes = np.abs(symbols)
        case = f"2,000 symbols, {(sizes == 0).mean():.0%} of them 0, the largest {sizes.max()}"
        scale_of = call_quietly(function, symbols)
        if isinstance(scale_of, torch.Tensor):
            scale_of = scale_of.detach()  # or torch would warn the learner of a float made of it
        answer = as_number(scale_of, f"{case}: one number")
        true = _best_scale(sizes)
        given.append(answer)
        if math.isclose(answer, true, rel_tol=0.03):
            continue
        if math.isnan(answer):
            raise Wrong(
                f"{case}: NaN. A symbol whose mass is 0 in floats costs infinitely much: compute in float64, or the "
                "logarithm of the mass without the mass."
            )
        mistakes = {
            math.log(true): "this is log b. Train the logarithm, but return its exp().",
            math.log2(true): "this is log2 b; b itself is asked for.",
            _cost_of_scale(sizes, true): "these are the bits that the best scale pays; the scale is asked for.",
            float(sizes.mean()): (
                "this is the mean size, right for real numbers. Rounding has made many of them 0: lower the bits."
            ),
            float(symbols.std()): "this is the standard deviation, √2 times the scale even before rounding.",
            float(symbols.std() / math.sqrt(2)): (
                "this is the standard deviation over √2, right for real numbers only: lower the bits themselves."
            ),
        }
        for mistake, words in mistakes.items():
            if math.isclose(answer, mistake, rel_tol=0.01):
                raise Wrong(f"{case}: {words}")
        if answer <= 0:
            raise Wrong(f"{case}: {answer:.3f}. A scale is positive; train its logarithm, and it stays so.")
        pays, least = _cost_of_scale(sizes, answer), _cost_of_scale(sizes, true)
        if len(given) > 1 and len(set(given)) == 1:
            raise Wrong(f"{case}: {answer:.3f} again, as for the symbols before. Does your answer depend on them?")
        side = "narrow: too sure of the zeros" if answer < true else "wide: it spends mass where nothing comes"
        raise Wrong(
            f"{case}: b = {answer:.3f} is too {side}. It pays {pays:.3f} bits a symbol, and {least:.3f} would do; "
            "let it train longer, or look at the two masses once more."
        )
    return "Every learned codec does this, with one scale for a channel (04) or one for each symbol (08)."


def _merges(masses: list[float]) -> list[float]:
    """The probabilities of the pairs that Huffman joins; their sum is the average length of a word."""
    heap, pairs = sorted(masses), []
    heapq.heapify(heap)
    while len(heap) > 1:
        pairs.append(heapq.heappop(heap) + heapq.heappop(heap))
        heapq.heappush(heap, pairs[-1])
    return pairs


@exercise
def block_length(function) -> str:
    """block_length(p, n): bits a symbol, when blocks of n independent symbols get Huffman's words."""
    for p, n in [
        ([0.6, 0.3, 0.1], 2),
        ([0.9, 0.1], 2),
        ([0.5, 0.25, 0.25], 3),
        ([0.8, 0.15, 0.05], 4),
        ([0.9, 0.1], 1),
    ]:
        case = f"p {p}, n {n}"
        answer = as_number(call_quietly(function, list(p), n), f"{case}: one number")
        blocks = [math.prod(block) for block in itertools.product(p, repeat=n)]
        pairs = _merges(blocks)
        true, least = sum(pairs) / n, float(entropy(p))
        if close(answer, true):
            continue
        shannon = sum(mass * math.ceil(-math.log2(mass)) for mass in blocks)
        mistakes = {
            sum(pairs): "these are the bits of a whole block. It holds n symbols: divide.",
            sum(_merges(p)): "this is the code for single symbols. Give a word to each block of n.",
            sum(_merges(p)) / n: "you divided the code for single symbols by n. Give a word to each block of n.",
            least: "this is the entropy. Whole code words cost more; how much more, for blocks of this length?",
            least * n: "this is the entropy of a block. Its words are whole bits, and the answer is per symbol.",
            shannon / n: "your words have ⌈−log₂ p⌉ bits, Shannon's lengths. Huffman's are shorter: join the rarest.",
            shannon: "these are Shannon's lengths, ⌈−log₂ p⌉, and the bits of a whole block.",
            math.ceil(math.log2(len(blocks))) / n: "all your words are equally long. Frequent blocks get shorter ones.",
            (sum(pairs) - pairs[-1]) / n: "you stop one step early: the last two groups are joined, too.",
        }
        for mistake, words in mistakes.items():
            if close(answer, mistake):
                raise Wrong(f"{case}: {words}")
        if answer < least:
            raise Wrong(f"{case}: {answer:.3f} bits are below the entropy, {least:.3f}: nobody could decode that.")
        raise Wrong(f"{case}: Huffman's words for these blocks take {true:.3f} bits a symbol, yours {answer:.3f}.")
    return "Less than 1/n bit above the entropy: the source coding theorem, which you have just run."


# The third and the fourth are never chosen, although the third lies below the line between its two neighbours.
RATES = [3.0, 2.0, 1.65, 1.45, 0.9, 0.4, 0.0]
DISTORTIONS = [0.02, 0.07, 0.2, 0.3, 0.4, 0.6, 1.0]


@exercise
def price_range(function) -> str:
    """price_range(R, D, k) -> (low, high): the λ for which R + λ D is lowest at k."""
    shuffled = [4, 0, 6, 2, 5, 1, 3]  # a list of codecs need not be sorted
    for order in (range(7), shuffled):
        R, D = [RATES[k] for k in order], [DISTORTIONS[k] for k in order]
        for k in sorted(range(7), key=lambda k: order[k]):
            case = f"R {R}, D {D}, k {k}"
            try:
                answer = call_quietly(function, list(R), list(D), k)
            except (ValueError, IndexError) as error:
                raise Wrong(
                    f"{case}: stopped with {type(error).__name__}: {error}. The finest codec has nobody on one side, "
                    "the coarsest nobody on the other: there the price goes to math.inf, or from 0."
                ) from None
            low, high = as_pair(answer, case, "(low, high)")
            _judge_range(low, high, R, D, k, case)
    return "Put in order, the ranges follow one another without a gap: some codec is always the cheapest."


def _slopes(R: list, D: list, k: int, others: list[int]) -> tuple[float, float]:
    """The prices between which k beats the others."""
    low = max([(R[k] - R[j]) / (D[j] - D[k]) for j in others if D[j] > D[k]], default=0.0)
    high = min([(R[j] - R[k]) / (D[k] - D[j]) for j in others if D[j] < D[k]], default=math.inf)
    return max(low, 0.0), high


def _judge_range(low: float, high: float, R: list, D: list, k: int, case: str) -> None:
    def is_range(wanted: tuple[float, float]) -> bool:
        return close(low, wanted[0]) and close(high, wanted[1])

    true_low, true_high = _slopes(R, D, k, list(range(len(R))))
    if is_range((true_low, true_high)) or (true_low > true_high and low > high):
        return
    by_error = sorted(range(len(R)), key=lambda j: D[j])
    at = by_error.index(k)
    if is_range(_slopes(R, D, k, by_error[max(at - 1, 0) : at + 2])):
        raise Wrong(f"{case}: you compared it with its two neighbours only. All the others bid, too.")
    if is_range(_slopes(R, D, k, [j for j in (k - 1, k + 1) if 0 <= j < len(R)])):
        raise Wrong(f"{case}: you compared it with the codecs next to it in the list, which need not be sorted.")
    if true_low > true_high:
        raise Wrong(f"{case}: no λ chooses this codec (at each, some other is cheaper); let low exceed high.")
    if is_range((true_high, true_low)):
        raise Wrong(f"{case}: the right prices, swapped: the lower one first.")
    inverted = sorted(1 / price if price else math.inf for price in (true_low, true_high))
    if is_range((inverted[0], inverted[1])) or is_range((inverted[1], inverted[0])):
        raise Wrong(f"{case}: upside down. λ is bits for a unit of error: differences of R over differences of D.")
    if low < 0 or high < 0:
        raise Wrong(f"{case}: negative. The line's slope is −λ; λ itself is a price, 0 or more.")
    if k == 0 and close(high, (R[-1] - R[0]) / (D[0] - D[-1])):
        raise Wrong(f"{case}: for k = 0 the index k - 1 is −1, and that is the last codec.")
    if close(high, true_high):
        raise Wrong(f"{case}: high is right; but it is chosen from {true_low:.3f} on, not from {low:.3f}.")
    if close(low, true_low):
        raise Wrong(f"{case}: low is right; but it is chosen up to {true_high:.3f}, not up to {high:.3f}.")
    raise Wrong(f"{case}: chosen for λ from {true_low:.3f} to {true_high:.3f}, not from {low:.3f} to {high:.3f}.")
