"""The checks of notebook 06: arithmetic coding."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from tutorial_lib.arithmetic_coding import AdaptiveModel, StaticModel
from tutorial_lib.checks import Wrong, as_number, call, exercise, short


def whole_numbers(answer: Any, wanted: str) -> list[int]:
    """The answer (a list, bytes, an array, a tensor) as a list of int, or the sentence that says what was wanted."""
    try:
        numbers = [float(number) for number in answer]
    except (TypeError, ValueError):
        raise Wrong(f"{wanted} is asked for, not {short(answer)}.") from None
    if any(number != int(number) for number in numbers if math.isfinite(number)) or not all(
        map(math.isfinite, numbers)
    ):
        raise Wrong(f"{wanted} is asked for; not all of these are whole numbers: {short(answer)}.")
    return [int(number) for number in numbers]


@exercise
def carried(function) -> str:
    """carried(written): the bytes after 1 has been added to the last one."""
    for written in (
        [1, 2, 3],
        [0x7F, 0xFF, 0xFF],
        [0x12, 0xFF],
        [0xFF, 0x00, 0xFF, 0xFF],
        [254],
        [0xFF, 0xFE],
        [0] * 3,
    ):
        answer = whole_numbers(call(function, list(written)), "A list of bytes")
        right = list((int.from_bytes(written, "big") + 1).to_bytes(len(written), "big"))
        if answer == right:
            continue
        ripple = len(written) - len(bytes(written).rstrip(b"\xff"))  # bytes at the end that are 255
        mistakes = [
            (answer == written, "nothing has changed. 1 is added to the last byte."),
            (len(answer) != len(written), f"{len(answer)} bytes came back."),
            (max(answer) > 255, "a byte holds 255 at most. A 255 becomes 0, and the 1 goes on to its left."),
            (
                answer == [*written[:-1], 0] and ripple > 0,
                "the last byte is right, but the 1 got lost: it goes on to the byte on its left.",
            ),
            (
                answer == [*written[: len(written) - ripple], *[0] * ripple] and ripple > 0,
                "the bytes of 255 are right. Now the byte before them gets the 1.",
            ),
            (
                answer[0] == written[0] + 1 and right[0] == written[0] and len(written) > 1,
                "the 1 is added at the end, not at the beginning.",
            ),
            (
                answer[: len(written) - ripple] == right[: len(written) - ripple] and ripple > 0,
                "each 255 that the 1 has passed becomes 0.",
            ),
        ]
        for made, words in mistakes:
            if made:
                raise Wrong(f"{written}: {words}")
        raise Wrong(f"{written}: {right} is right, you give {answer}.")
    return "Read as one large number, the bytes have grown by 1. That is why the decoder never hears of it."


def tenths(*numbers: int) -> list[Fraction]:
    return [Fraction(number, 10) for number in numbers]


# What follows what: in the first, each symbol is mostly followed by another; the last is for numbers on a border.
CHAINS = [
    [tenths(6, 3, 1), tenths(1, 2, 7), tenths(5, 5, 0)],
    [tenths(1, 9), tenths(8, 2)],
    [tenths(5, 5), tenths(5, 5)],
]

FLOATS_HOLD = 12  # symbols of the last message that a walk in floats gets right before it goes astray


def code_with_memory(symbols: Sequence[int], pmfs: list[list[Fraction]]) -> str:
    """The shortest binary number whose continuations stay in the interval of a message of a Markov chain."""
    low, width, last = Fraction(0), Fraction(1), 0
    for symbol in symbols:
        low += width * sum(pmfs[last][:symbol])
        width *= pmfs[last][symbol]
        last = symbol
    length = 0
    while math.ceil(low * 2**length) + 1 > (low + width) * 2**length:
        length += 1
    return f"{math.ceil(low * 2**length):0{length}b}" if length else ""


@exercise
def memory(function) -> str:
    """decode_with_memory(code, count, pmfs): the pmf of each symbol is that of the symbol before."""
    messages = [
        (CHAINS[0], [0]),
        (CHAINS[0], [1, 2, 0, 0, 1, 2, 1, 1, 0]),
        (CHAINS[0], [2, 1, 1, 2, 1, 0, 2, 0]),
        (CHAINS[1], [1, 0, 1, 0, 0, 1, 1, 1, 0]),
        (CHAINS[2], [1, 1, 0, 1, 0]),
        (CHAINS[0], [0, 0, 0, 2, 0, 1] * 8),
    ]
    for pmfs, symbols in messages:
        code = code_with_memory(symbols, pmfs)
        answer = call(function, code, len(symbols), [list(pmf) for pmf in pmfs])
        answer = whole_numbers(answer, "A list of symbol numbers")
        if answer == symbols:
            continue
        asked = f"The code {code!r} of {len(symbols)} symbols"
        for words, rival in WITHOUT_MEMORY.items():
            if answer == rival(code, len(symbols), pmfs):
                raise Wrong(f"{asked}: {words}")
        if len(answer) != len(symbols):
            raise Wrong(f"{asked}: {len(answer)} symbols came back.")
        first = next(i for i, (a, s) in enumerate(zip(answer, symbols, strict=True)) if a != s)
        if first >= FLOATS_HOLD:
            raise Wrong(
                f"{asked}: {first} symbols are right, and then it goes wrong. Do you compute with floats? They hold 53 "
                "bits, less than this code: keep the number, and all that it is compared with, Fractions."
            )
        raise Wrong(f"{asked}: symbol number {first + 1} is {symbols[first]}, not {answer[first]}.")
    return "This is all that a context model asks of a coder: both sides must know the past."


def _walk(code: str, count: int, pmf_of: Callable, inclusive: bool = True, narrows: bool = True) -> list[int]:
    """The walk with the mistakes that learners make."""
    number = Fraction(int(code or "0", 2), 2 ** len(code))
    symbols: list[int] = []
    for _ in range(count):
        pmf, start, symbol = pmf_of(symbols), Fraction(0), 0
        while symbol < len(pmf) - 1 and (number >= start + pmf[symbol] if inclusive else number > start + pmf[symbol]):
            start += pmf[symbol]
            symbol += 1
        if narrows and pmf[symbol]:
            number = (number - start) / pmf[symbol]
        symbols.append(symbol)
    return symbols


def _last(symbols: list[int], back: int = 1) -> int:
    return symbols[-back] if len(symbols) >= back else 0


WITHOUT_MEMORY = {
    "you take pmfs[0] throughout. After symbol s the probabilities are pmfs[s].": (
        lambda code, count, pmfs: _walk(code, count, lambda symbols: pmfs[0])
    ),
    "you never step into the symbol's share, so the number stays where it was: narrow the interval, or enlarge the "
    "number.": (lambda code, count, pmfs: _walk(code, count, lambda symbols: pmfs[_last(symbols)], narrows=False)),
    "a number that lies exactly where a share begins belongs to this share, not to the one before: >= and not >.": (
        lambda code, count, pmfs: _walk(code, count, lambda symbols: pmfs[_last(symbols)], inclusive=False)
    ),
    "you are one symbol late: the probabilities are those of the symbol just decoded.": (
        lambda code, count, pmfs: _walk(code, count, lambda symbols: pmfs[_last(symbols, 2)])
    ),
}


@exercise
def learning(function) -> str:
    """learning_bits(symbols, size): what an adaptive model pays, beginning with one of each."""
    for symbols, size in (([0], 2), ([1, 1, 1], 2), ([0, 2, 2, 1, 2, 0], 3), ([0, 3] * 30, 5)):
        answer = as_number(call(function, list(symbols), size))
        true = _paid(AdaptiveModel(size), symbols)
        asked = f"{size} symbols, message {symbols if len(symbols) < 9 else f'of {len(symbols)}'}"
        if math.isclose(answer, true, rel_tol=CLOSE):
            continue
        mistakes = {
            true * math.log(2): "these are nats. A bit is a logarithm to the base 2.",
            -true: "a probability is below 1, so its logarithm is negative: change the sign.",
            true / len(symbols): "this is the mean of a symbol; the whole message is asked for.",
            _paid(AdaptiveModel(size), symbols, peeks=True): (
                "you count a symbol before you code it. The decoder does not know it yet, so it cannot do the same."
            ),
            _paid(StaticModel([symbols.count(s) for s in range(size)]), symbols): (
                "these are the message's own frequencies. Who codes the first symbol has not seen the others."
            ),
            _paid(StaticModel([1] * size), symbols): "your model never learns: add 1 to the symbol's count.",
            _paid(AdaptiveModel(size), symbols, first=0.5): (
                "your counts start at one half (Krichevsky and Trofimov's estimator). Here they start at 1."
            ),
            _paid(AdaptiveModel(size), symbols, first=2): "your counts start at 2. Here they start at 1.",
            math.ceil(true): "without rounding, please.",
            math.floor(true): "without rounding, please.",
        }
        for mistake, words in mistakes.items():
            if math.isclose(answer, mistake, rel_tol=CLOSE, abs_tol=1e-9):
                raise Wrong(f"{asked}: {words}")
        if math.isinf(answer) or math.isnan(answer):
            raise Wrong(f"{asked}: a symbol that was never seen must be possible, too: begin with one of each.")
        raise Wrong(f"{asked}: {true:.3f} bits are right, you give {answer:.3f}.")
    return "Compare it with section 6's formula: the same, in any order of the symbols."


CLOSE = 1e-5  # relative: a float32 that adds up the bits of a hundred symbols


def _paid(model: AdaptiveModel | StaticModel, symbols: Sequence[int], peeks: bool = False, first: float = 1) -> float:
    """What a model pays. peeks: it counts a symbol before it is coded. first: what its counts start from."""
    bits = 0.0
    for symbol in symbols:
        if peeks:
            model.update(symbol)
        _, width, total = model.interval(symbol)
        size = len(model.counts) if isinstance(model, AdaptiveModel) else 0
        bits += math.log2((total + size * (first - 1)) / (width + first - 1))
        if not peeks:
            model.update(symbol)
    return bits


@exercise
def rice(function) -> str:
    """rice(value, k): the Golomb–Rice code of a whole number as a string."""
    for value, k in ((11, 2), (9, 2), (5, 3), (3, 0), (0, 2), (0, 0), (8, 3), (100, 4)):
        answer = call(function, value, k)
        if not isinstance(answer, str):
            raise Wrong(f"A string of 0 and 1 is asked for, not {short(answer)}.")
        quotient, remainder = divmod(value, 2**k)
        digits = f"{remainder:0{k}b}" if k else ""
        if answer == "1" * quotient + "0" + digits:
            continue
        asked = f"value {value}, k = {k}"
        mistakes = {
            "1" * quotient + digits: "how does the decoder know where the quotient ends? A 0 follows it.",
            "0" * quotient + "1" + digits: "the quotient is written in 1s, and ended by a 0; you have them swapped.",
            digits + "1" * quotient + "0": "the quotient comes first, the remainder behind it.",
            "1" * quotient + "0" + f"{remainder:b}": (
                f"the remainder has always {k} digits, zeros in front included; else nobody knows where it ends."
            ),
            "1" * quotient + "0" + digits[::-1]: "the remainder's highest digit comes first.",
            f"{quotient:b}" + "0" + digits: "the quotient is written as so many 1s, not in binary.",
            f"{value:b}": "this is the number in binary: the decoder cannot see where it ends.",
        }
        if words := mistakes.get(answer):
            raise Wrong(f"{asked}: {words}")
        raise Wrong(f"{asked}: {'1' * quotient + '0' + digits!r} is right, you give {answer!r}.")
    return "The best k has 2^k near 0.7 times the mean value: one parameter in place of a table."


def moving_costs(answers: Sequence[int], window: float, first: float = 0.5, peeks: bool = False) -> float:
    """The mean bits an answer with a probability that moves; peeks: it moves before the answer is paid."""
    p, bits = first, 0.0
    for answer in answers:
        moved = p + (answer - p) / window
        p = moved if peeks else p
        bits -= math.log2(p if answer else 1 - p)
        p = moved
    return bits / len(answers)


@exercise
def forgetting(function) -> str:
    """forgetting(answers, windows): the mean bits an answer for each window."""
    rng = np.random.default_rng(3)
    steady = (rng.random(1500) < 0.1).astype(int).tolist()
    restless = (rng.random(1500) < np.repeat([0.03, 0.4] * 3, 250)).astype(int).tolist()
    for answers, windows in (([1], [2]), ([1, 1, 0], [2, 8]), (steady, [4, 32, 256]), (restless, [4, 32, 256])):
        given = call(function, list(answers), list(windows))
        try:
            means = [float(mean) for mean in given]
        except (TypeError, ValueError):
            raise Wrong(f"A list of numbers, one for each window, is asked for, not {short(given)}.") from None
        asked = f"{answers if len(answers) < 9 else f'{len(answers)} answers'}, windows {windows}"
        if len(means) != len(windows):
            raise Wrong(f"{asked}: {len(means)} numbers came back. One for each window is asked for.")
        true = [moving_costs(answers, window) for window in windows]
        if np.allclose(means, true, rtol=1e-4):
            continue
        ones = sum(answers) / len(answers)
        for mistake, words in {
            tuple(mean * len(answers) for mean in true): "these are the bits of all answers; the mean is asked for.",
            tuple(mean * math.log(2) for mean in true): "these are nats. A bit is a logarithm to the base 2.",
            tuple(-mean for mean in true): "a probability is below 1, so its logarithm is negative: change the sign.",
            tuple(moving_costs(answers, window, peeks=True) for window in windows): (
                "you move p before you pay. The decoder does not know the answer yet, so it cannot do the same."
            ),
            tuple(moving_costs([1 - a for a in answers], window, first=0.5) for window in windows): (
                "1 and 0 are swapped: p is the probability of a 1."
            ),
            tuple(moving_costs(answers, window, first=min(max(ones, 0.01), 0.99)) for window in windows): (
                "your p starts at the answers' own share of ones, which nobody knows before. It starts at ½."
            ),
            (1.0,) * len(windows): "your p never moves.",
        }.items():
            if np.allclose(means, mistake, rtol=1e-4):
                raise Wrong(f"{asked}: {words}")
        if np.isclose(means[0], true[0], rtol=1e-4):
            raise Wrong(f"{asked}: the first is right. Does p start at ½ again for each window?")
        raise Wrong(f"{asked}: {[round(t, 3) for t in true]} is right, you give {[round(m, 3) for m in means]}.")
    return "A steady source likes a long memory, one that changes a short one: that is why VVC keeps two estimates."


LANES_ROW = [0, 30000, 50000, 60000, 65535, 65536]


def encode_lanes(symbols: Sequence[int], lanes: int, row: list[int]) -> bytes:
    """Section 11's stream in plain integers: all states, then the words, first step first, in the lanes' order."""
    states, words = [2**31] * lanes, []
    for i in range(len(symbols) - 1, -1, -1):
        x, start, freq = states[i % lanes], row[symbols[i]], row[symbols[i] + 1] - row[symbols[i]]
        if x >= freq << 47:
            words.append(x % 2**32)
            x >>= 32
        states[i % lanes] = (x // freq << 16) + x % freq + start
    head = b"".join(x.to_bytes(8, "little") for x in states)
    return head + b"".join(word.to_bytes(4, "little") for word in reversed(words))


@exercise
def lanes(function) -> str:
    """decode_lanes(data, count, lanes, row): undo encode_lanes."""
    rng = np.random.default_rng(9)
    for count, width in ((40, 1), (600, 1), (12, 4), (2000, 4), (3 * 700, 3), (4096, 64)):
        symbols = rng.choice(5, count, p=[0.3, 0.3, 0.2, 0.15, 0.05])
        data = encode_lanes(symbols.tolist(), width, LANES_ROW)
        try:
            answer = call(function, data, count, width, list(LANES_ROW))
        except (IndexError, ValueError) as error:
            raise Wrong(
                f"{count} symbols in {width} lane(s): your decoder stopped with {type(error).__name__}: {error}. Does "
                "it take a word exactly when a state is below 2^31, and never at another time?"
            ) from None
        answer = np.asarray(answer)
        asked = f"{count} symbols in {width} lane(s)"
        if answer.size != count:
            raise Wrong(f"{asked}: {answer.size} symbols came back.")
        if answer.shape == (count // width, width) and width > 1 and np.array_equal(answer.ravel(), symbols):
            raise Wrong(f"{asked}: all are right; now put the steps into one row.")
        answer = answer.ravel()
        if np.array_equal(answer, symbols):
            continue
        if np.array_equal(answer[::-1], symbols):
            raise Wrong(f"{asked}: from the last to the first. The decoder gets them in reading order by itself.")
        if np.array_equal(answer, symbols.reshape(-1, width).T.ravel()):
            raise Wrong(f"{asked}: right, but lane by lane. They were dealt: symbol i went to lane i % lanes.")
        first = int(np.flatnonzero(answer != symbols)[0])
        if first < width:
            raise Wrong(
                f"{asked}: the first step is wrong already. A state is eight bytes, little-endian; its lowest 16 bits "
                "are the digit."
            )
        raise Wrong(
            f"{asked}: right up to symbol {first}. In a step, the lanes whose state is below 2^31 take one word each, "
            "in the order of the lanes, before the next step begins."
        )
    return "The lanes need no signs of their own in the stream: who needs a word can be seen from the states."
