"""The checks of notebook 06: arithmetic coding."""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from tutorial_lib.arithmetic_coding import AdaptiveModel, StaticModel
from tutorial_lib.workbench.checks import Wrong, as_number, call, exercise


def tenths(*numbers: int) -> list[Fraction]:
    return [Fraction(number, 10) for number in numbers]


# What follows what: in the first, each symbol is mostly followed by another; the last is for numbers on a border.
CHAINS = [
    [tenths(6, 3, 1), tenths(1, 2, 7), tenths(5, 5, 0)],
    [tenths(1, 9), tenths(8, 2)],
    [tenths(5, 5), tenths(5, 5)],
]


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
        try:
            answer = [int(symbol) for symbol in answer]
        except (TypeError, ValueError):
            raise Wrong(f"A list of symbol numbers is asked for, not {answer!r}.") from None
        if answer == symbols:
            continue
        asked = f"The code {code!r} of {len(symbols)} symbols"
        for words, rival in WITHOUT_MEMORY.items():
            if answer == rival(code, len(symbols), pmfs):
                raise Wrong(f"{asked}: {words}")
        if len(answer) != len(symbols):
            raise Wrong(f"{asked}: {len(answer)} symbols came back.")
        first = next(i for i, (a, s) in enumerate(zip(answer, symbols, strict=True)) if a != s)
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
    """adaptive_bits(symbols, size): what an adaptive model pays, beginning with one of each."""
    for symbols, size in (([0], 2), ([1, 1, 1], 2), ([0, 2, 2, 1, 2, 0], 3), ([0, 3] * 30, 5)):
        answer = as_number(call(function, list(symbols), size))
        true = _paid(AdaptiveModel(size), symbols)
        asked = f"{size} symbols, message {symbols if len(symbols) < 9 else f'of {len(symbols)}'}"
        if math.isclose(answer, true, rel_tol=1e-6):
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
            math.ceil(true): "without rounding, please.",
        }
        for mistake, words in mistakes.items():
            if math.isclose(answer, mistake, rel_tol=1e-6, abs_tol=1e-9):
                raise Wrong(f"{asked}: {words}")
        if math.isinf(answer) or math.isnan(answer):
            raise Wrong(f"{asked}: a symbol that was never seen must be possible, too: begin with one of each.")
        raise Wrong(f"{asked}: {true:.3f} bits are right, you give {answer:.3f}.")
    return "Compare it with section 4's formula: the same, in any order of the symbols."


def _paid(model: AdaptiveModel | StaticModel, symbols: Sequence[int], peeks: bool = False) -> float:
    bits = 0.0
    for symbol in symbols:
        if peeks:
            model.update(symbol)
        _, width, total = model.interval(symbol)
        bits += math.log2(total / width)
        if not peeks:
            model.update(symbol)
    return bits


LANES_ROW = [0, 30000, 50000, 60000, 65535, 65536]


def encode_lanes(symbols: Sequence[int], lanes: int, row: list[int]) -> bytes:
    """Section 10's stream in plain integers: all states, then the words, first step first, in the lanes' order."""
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
