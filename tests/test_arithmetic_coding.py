"""arithmetic_coding: against all messages of an alphabet, against big integers; carries made on purpose."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from tutorial_lib.arithmetic_coding import (
    AdaptiveModel,
    ArithmeticDecoder,
    ArithmeticEncoder,
    StaticModel,
    decode,
    encode,
    exact_decode,
    exact_encode,
    exact_interval,
)
from tutorial_lib.cdf import pmf_to_quantized_cdf

THIRDS = [Fraction(1, 3)] * 3
TOO_SHORT = "ends before its symbols do"
TOO_LONG = "goes on after its symbols"


@st.composite
def counts_and_message(draw, longest=60):
    """Counts, flat or steep, some of them 0, and a message of symbols that have some."""
    one = st.one_of(st.integers(0, 3), st.integers(0, 300), st.integers(0, 65536))
    counts = draw(st.lists(one, min_size=1, max_size=12).filter(any))
    if sum(counts) > 65536:
        counts = [count * 65536 // sum(counts) for count in counts]
    usable = [symbol for symbol, count in enumerate(counts) if count]
    return counts, draw(st.lists(st.sampled_from(usable), max_size=longest))


def probabilities(counts):
    return [Fraction(count, sum(counts)) for count in counts]


def ideal_bits(counts, message):
    total = sum(counts)
    return sum(math.log2(total / counts[symbol]) for symbol in message)


# ---- exactly ----


@pytest.mark.parametrize(
    "pmf", [["1/2", "1/4", "1/4"], THIRDS, ["0.1", "0", "0.7", "0.2"], [0, 1], ["1/1000", "0.999"]]
)
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_the_interval_is_where_the_messages_before_it_end(pmf, count):
    """All messages of one length, in alphabetical order, lie side by side and fill [0, 1)."""
    probability = [Fraction(p) for p in pmf]
    end = Fraction(0)
    for message in itertools.product(range(len(pmf)), repeat=count):
        width = math.prod([probability[symbol] for symbol in message], start=Fraction(1))
        if width:
            assert exact_interval(message, pmf) == (end, width)
        end += width
    assert end == 1


def shortest_block(low, width):
    """By trying them all."""
    for n in itertools.count():
        for k in range(2**n):
            if low * 2**n <= k and k + 1 <= (low + width) * 2**n:
                return "".join(str(k >> n - 1 - i & 1) for i in range(n))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5).filter(any), st.data())
def test_the_exact_code_is_the_shortest_block_inside(counts, data):
    pmf = probabilities(counts)
    message = data.draw(st.lists(st.sampled_from([symbol for symbol, p in enumerate(pmf) if p]), max_size=3))
    low, width = exact_interval(message, pmf)
    if width > Fraction(1, 300):
        assert exact_encode(message, pmf) == shortest_block(low, width)


def test_where_probabilities_are_powers_of_two_the_codes_are_those_of_huffman():
    pmf = ["1/2", "1/4", "1/4"]
    assert exact_encode([0, 1, 2], pmf) == "01011"
    assert exact_encode([], pmf) == ""
    assert exact_encode([1] * 100, [0, 1]) == ""
    assert exact_encode([1], THIRDS) == "011"  # [3/8, 1/2), the lowest; [1/2, 5/8) would fit as well


@given(counts_and_message())
def test_exact_round_trip_within_two_bits(case):
    counts, message = case
    pmf = probabilities(counts)
    code = exact_encode(message, pmf)
    _, probability = exact_interval(message, pmf)
    assert probability == math.prod([pmf[symbol] for symbol in message], start=Fraction(1))
    assert 1 <= 2 ** len(code) * probability and (2 ** len(code) * probability < 4)  # -log2(P) <= n < -log2(P) + 2
    assert exact_decode(code, len(message), pmf) == message
    for more in ("0", "1", "0110", "1" * 40):  # whatever might follow
        assert exact_decode(code + more, len(message), pmf) == message
    for end in range(len(code)):
        with pytest.raises(ValueError, match="bits are missing"):
            exact_decode(code[:end], len(message), pmf)


@pytest.mark.parametrize("pmf", [THIRDS, ["0.05", "0.9", "0.05"], ["1/2", "0", "1/4", "1/4"]])
def test_no_exact_code_begins_with_another(pmf):
    usable = [symbol for symbol, p in enumerate(pmf) if Fraction(p)]
    codes = sorted(exact_encode(message, pmf) for message in itertools.product(usable, repeat=4))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(codes))


@given(st.text("01", max_size=40), st.integers(0, 12))
def test_any_bits_decode_or_are_too_few(code, count):
    pmf = ["0.2", "0", "0.5", "0.3", "0"]
    try:
        message = exact_decode(code, count, pmf)
    except ValueError as error:
        assert "bits are missing" in str(error)
    else:
        low, width = exact_interval(message, pmf)  # refuses symbols of probability 0
        assert low * 2 ** len(code) <= int("0" + code, 2) <= (low + width) * 2 ** len(code) - 1


@pytest.mark.parametrize(
    ("pmf", "message"),
    [
        ([0.1] * 10, "sum to 1, not to .*; the float 0.1 is not 1/10"),
        ([], "not to 0"),
        (["1/2", "1/4"], "not to 3/4"),
        (["3/2", "-1/2"], "0 or more"),
        ([float("nan"), 1], "probabilities must be"),
        ([float("inf"), 1], "probabilities must be"),
        (["1/0", 1], "probabilities must be"),
        (["half", "half"], "probabilities must be"),
        ([None], "probabilities must be"),
        (1, "probabilities must be"),
    ],
)
def test_what_is_no_pmf(pmf, message):
    for call in (lambda: exact_interval([], pmf), lambda: exact_encode([], pmf), lambda: exact_decode("", 0, pmf)):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exact_encode([0], [0, 1]), "symbol 0 has probability 0"),
        (lambda: exact_encode([2], [0, 1]), r"a symbol must lie in 0 \.\.\. 1, not 2"),
        (lambda: exact_encode([-1], [0, 1]), r"a symbol must lie in 0 \.\.\. 1, not -1"),
        (lambda: exact_encode([1.0], [0, 1]), "a symbol must be an integer, not float"),
        (lambda: exact_decode("012", 1, THIRDS), 'string of "0" and "1"'),
        (lambda: exact_decode(b"01", 1, THIRDS), 'string of "0" and "1"'),
        (lambda: exact_decode([0, 1], 1, THIRDS), 'string of "0" and "1"'),
        (lambda: exact_decode("0", -1, THIRDS), r"the number of symbols must lie in 0 \.\.\. inf, not -1"),
        (lambda: exact_decode("0", 1.5, THIRDS), "the number of symbols must be an integer, not float"),
        (lambda: exact_decode("0", None, THIRDS), "the number of symbols must be an integer, not NoneType"),
    ],
)
def test_what_the_exact_coder_refuses(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_numpy_integers_do_not_overflow_in_fractions():
    pmf = np.array([0, 1, 0])
    low, width = exact_interval([1] * 3, pmf)
    assert (low, width) == (0, 1) and type(low.numerator) is type(width.numerator) is int
    assert exact_encode(np.array([1, 0, 1], dtype=np.uint8), np.array([0.25, 0.75])) == exact_encode(
        [1, 0, 1], ["1/4", "3/4"]
    )


# ---- with integers: the coder ----


class BigIntegers:
    """The same arithmetic on one number that grows as it likes: no window, no carry."""

    def __init__(self):
        self.low, self.range, self.shifts = 0, 2**32, 0

    def push(self, start, width, total):
        below, above = self.range * start // total, self.range * (start + width) // total
        self.low, self.range = self.low + below, above - below
        while self.range < 2**24:
            self.low, self.range, self.shifts = self.low * 256, self.range * 256, self.shifts + 1

    def finish(self):
        """The fewest bytes; all lengths are tried."""
        for n in itertools.count():
            block = Fraction(256) ** (self.shifts + 4 - n)
            k = math.ceil(self.low / block)
            if (k + 1) * block <= self.low + self.range:
                return k.to_bytes(n, "big")


@st.composite
def interval(draw):
    total = draw(st.one_of(st.sampled_from([1, 2, 3, 255, 256, 257, 65535, 65536]), st.integers(1, 65536)))
    start = draw(st.one_of(st.integers(0, total - 1), st.sampled_from([0, total // 2, total - 1])))
    width = draw(st.one_of(st.integers(1, total - start), st.sampled_from([1, total - start])))
    return start, width, total


@given(st.lists(interval(), max_size=60))
@example([(0, 1, 65536)] * 50)
@example([(65535, 1, 65536)] * 50)
@example([(1, 1, 3)] * 200 + [(2, 1, 3)])
def test_the_encoder_equals_the_big_integers_at_every_step(pushes):
    encoder, reference = ArithmeticEncoder(), BigIntegers()
    for push in pushes:
        encoder.push(*push)
        reference.push(*push)
        assert 0 <= encoder.low < 2**32 and 2**24 <= encoder.range <= 2**32
        assert encoder.range == reference.range and len(encoder.written) == reference.shifts
        assert int.from_bytes(encoder.written, "big") << 32 | encoder.low == reference.low
        assert reference.low + reference.range <= 2**32 * 256**reference.shifts  # it never leaves [0, 1)
        data = encoder.finish()  # and nothing changes, or the next step would show it
        assert data == reference.finish() == encoder.finish()
        assert len(encoder.written) <= len(data) <= len(encoder.written) + 2
    data = encoder.finish()
    decoder, reference = ArithmeticDecoder(data), BigIntegers()
    for start, width, total in pushes:
        assert start <= decoder.target(total) < start + width
        decoder.pop(start, width, total)
        reference.push(start, width, total)
        code = int.from_bytes(data.ljust(reference.shifts + 4, b"\0")[: reference.shifts + 4], "big")
        assert (decoder.offset, decoder.range) == (code - reference.low, reference.range)
    decoder.finish()


@given(interval(), st.integers(0, 2**32 - 1))
def test_the_target_is_the_count_at_which_the_code_lies(middle, code):
    """Also on the edges of its part, where rounding decides, and in a range that is no power of two."""
    narrowed = BigIntegers()
    narrowed.push(*middle)
    if narrowed.shifts == 0:
        for total in (1, 2, 3, 1000, 65535, 65536):
            count = code % total
            part = [narrowed.low + narrowed.range * k // total for k in (count, count + 1)]
            for value in (part[0], part[1] - 1):
                decoder = ArithmeticDecoder(value.to_bytes(4, "big"))
                decoder.pop(*middle)
                assert decoder.target(total) == count


def test_what_is_left_over_is_noticed_even_if_the_bytes_in_use_name_one_number_only():
    for more in (b"\x00", b"\xff", bytes(2), bytes(5)):
        first, last = ArithmeticDecoder(b"\x55\x55\x55\x55" + more), ArithmeticDecoder(b"\xaa\xaa\xaa\xa9" + more)
        first.pop(1, 1, 3)  # from 0x55555555 on
        last.pop(1, 1, 3)  # up to 0xaaaaaaa9
        for decoder in (first, last):
            with pytest.raises(ValueError, match=TOO_LONG):
                decoder.finish()


def test_eight_plain_bits_are_a_byte_and_flat_counts_are_the_bytes_themselves():
    encoder = ArithmeticEncoder()
    for bit in (0, 1, 1, 0, 1, 0, 0, 1):
        encoder.push(bit, 1, 2)
    assert encoder.finish() == b"\x69"
    assert encode(b"carry \xff\xff\x00", StaticModel([256] * 256)) == b"carry \xff\xff\x00"


@given(st.lists(st.integers(0, 11), max_size=60))
def test_where_nothing_is_rounded_it_is_the_exact_code_in_whole_bytes(message):
    counts = [2 ** (15 - k) for k in range(11)] + [2**5]  # powers of two, and so is their sum
    code = exact_encode(message, probabilities(counts))
    whole = code.ljust(-(-len(code) // 8) * 8, "0")
    assert encode(message, StaticModel(counts)) == int("0" + whole, 2).to_bytes(len(whole) // 8, "big")


# ---- carries ----


def encoder_at_one_half(count):
    """Symbol after symbol, the third in which 1/2 lies: the interval shrinks around it, from 0x7fff... to 0x8000..."""
    encoder, at_one_half, message = ArithmeticEncoder(), ArithmeticDecoder(b"\x80" + bytes(count)), []
    while len(message) < count or at_one_half.target(3) != 1:  # in the end, there is a third on either side
        symbol = at_one_half.target(3)
        at_one_half.pop(symbol, 1, 3)
        encoder.push(symbol, 1, 3)
        message.append(symbol)
    length = len(encoder.written)
    assert length >= count * math.log2(3) // 8 - 1 and encoder.written == b"\x7f" + b"\xff" * (length - 1)
    assert encoder.low < 2**32 < encoder.low + encoder.range
    return encoder, message


@pytest.mark.parametrize("count", [8, 20, 21, 100, 1000])
def test_a_carry_runs_through_all_bytes_written(count):
    encoder, message = encoder_at_one_half(count)
    length = len(encoder.written)
    encoder.push(2, 1, 3)  # all of it lies above 1/2
    assert encoder.written[:length] == b"\x80" + b"\x00" * (length - 1)
    assert decode(encoder.finish(), len(message) + 1, StaticModel([1, 1, 1])) == [*message, 2]


@pytest.mark.parametrize("count", [8, 20, 21, 100, 1000])
def test_no_carry_where_the_message_stays_below(count):
    encoder, message = encoder_at_one_half(count)
    before = bytes(encoder.written)
    encoder.push(0, 1, 3)
    data = encoder.finish()
    assert data.startswith(before) and encoder.written.startswith(before)
    assert decode(data, len(message) + 1, StaticModel([1, 1, 1])) == [*message, 0]


@pytest.mark.parametrize("count", [8, 20, 21, 100, 1000])
def test_a_carry_at_the_very_end(count):
    """Go on where all but a sliver lies above 1/2: the last bytes are above, those written still below."""
    encoder, message = encoder_at_one_half(count)
    half = 65536 * (2**32 - encoder.low) // encoder.range
    encoder.push(half, 65536 - half, 65536)
    before = bytes(encoder.written)
    assert encoder.low < 2**32 and before == b"\x7f" + b"\xff" * (len(before) - 1)
    data = encoder.finish()
    assert data == b"\x80" + bytes(len(data) - 1) and len(before) < len(data)
    assert encoder.written == before  # the carry was in a copy: one may go on
    decoder = ArithmeticDecoder(data)
    for symbol in message:
        assert decoder.target(3) == symbol
        decoder.pop(symbol, 1, 3)
    decoder.pop(half, 65536 - half, 65536)
    decoder.finish()


@given(st.integers(0, 10**6), st.integers(0, 400), st.sampled_from([3, 5, 7, 65535]))
def test_no_byte_is_carried_into_twice(seed, near, total):
    """Symbols on the edge of a byte, then any: many carries, some of them long."""
    rng = random.Random(seed)
    encoder, carries, before = ArithmeticEncoder(), [], b""
    edge = ArithmeticDecoder(rng.randbytes(3) + bytes(1000))
    for step in range(near + 50):
        count = edge.target(total) if step < near else rng.randrange(total)
        if step < near:
            edge.pop(count, 1, total)
        encoder.push(count, 1, total)
        carries += [0] * (len(encoder.written) - len(before))
        for i, (old, new) in enumerate(zip(before, encoder.written, strict=False)):
            carries[i] += old != new
        before = bytes(encoder.written)
    assert max(carries) <= 1


# ---- whole messages ----


@given(counts_and_message())
@example(([65536], [0] * 40))
@example(([0, 5, 0], [1] * 40))
@example(([1, 65535], [0] * 30))
def test_static_round_trip_and_every_cut_is_noticed(case):
    counts, message = case
    model = StaticModel(counts)
    data = encode(message, model)
    assert decode(data, len(message), model) == message
    assert 8 * len(data) < ideal_bits(counts, message) + 17.01
    every_cut_is_noticed(data, len(message), model)


@given(st.integers(1, 12), st.data())
def test_adaptive_round_trip_and_every_cut_is_noticed(size, data):
    limit = data.draw(st.one_of(st.integers(size, 40), st.just(65536)))
    message = data.draw(st.lists(st.integers(0, size - 1), max_size=80))
    model = AdaptiveModel(size, limit)
    stream = encode(message, model)
    assert decode(stream, len(message), model) == message
    assert model.counts == [1] * size and model.total == size  # neither side changed the caller's
    every_cut_is_noticed(stream, len(message), model)


def every_cut_is_noticed(data, count, model):
    for end in range(len(data)):
        with pytest.raises(ValueError, match=TOO_SHORT):
            decode(data[:end], count, model)
    for more in (b"\x00", b"\xff", b"\x80\x00", bytes(3), bytes(4), bytes(5), b"\x01" * 9):
        with pytest.raises(ValueError, match=TOO_LONG):
            decode(data + more, count, model)


@pytest.mark.parametrize("counts", [[1, 1, 1], [1, 30, 2], [0, 7, 1, 0, 8]])
def test_no_stream_begins_with_another(counts):
    usable = [symbol for symbol, count in enumerate(counts) if count]
    streams = sorted(encode(message, StaticModel(counts)) for message in itertools.product(usable, repeat=5))
    assert not any(b.startswith(a) for a, b in itertools.pairwise(streams))


@given(st.binary(max_size=30), st.integers(0, 60), st.integers(0, 4))
def test_any_bytes_decode_or_are_refused(data, count, which):
    size, model = [
        (3, StaticModel([1, 65534, 1])),
        (2, StaticModel([65535, 1])),
        (256, StaticModel([256] * 256)),
        (5, AdaptiveModel(5)),
        (5, AdaptiveModel(5, limit=7)),
    ][which]
    try:
        message = decode(data, count, model)
    except ValueError as error:
        assert TOO_SHORT in str(error) or TOO_LONG in str(error)
    else:
        assert len(message) == count and all(0 <= symbol < size for symbol in message)
        assert len(encode(message, model)) == len(data)


def test_flipped_bits_go_unnoticed_where_all_symbols_cost_the_same():
    message = list(range(200))
    model = StaticModel([256] * 256)
    data = bytearray(encode(message, model))
    data[100] ^= 1
    assert decode(data, 200, model) == [*message[:100], 101, *message[101:]]


def test_flipped_bits_are_often_noticed_where_costs_differ():
    rng = random.Random(6)
    counts = [1, 50, 1000, 8000, 20000, 8000, 1000, 50, 1]
    model, noticed = StaticModel(counts), 0
    for _ in range(50):
        message = rng.choices(range(9), counts, k=500)
        data = bytearray(encode(message, model))
        data[rng.randrange(len(data) // 2)] ^= 1 << rng.randrange(8)
        try:
            assert decode(data, 500, model) != message
        except ValueError:
            noticed += 1
    assert 25 < noticed < 50


def test_a_decoder_without_a_stream_stops_soon():
    with pytest.raises(ValueError, match=TOO_SHORT):
        decode(b"", 10**12, StaticModel([1, 1]))
    with pytest.raises(ValueError, match=TOO_SHORT):
        decode(b"\x12\x34", 10**12, AdaptiveModel(3))
    decoder = ArithmeticDecoder(b"\xff")
    for _ in range(2):  # three zeros are in the window already, a fourth may come
        decoder.pop(decoder.target(256), 1, 256)
    with pytest.raises(ValueError, match=TOO_SHORT):
        decoder.pop(decoder.target(256), 1, 256)


SKEWED = [65470, 66]
ONES = [1] * 65536
STEEP_ONES = [1] * 1000 + [64536]
SHAPED = np.diff(pmf_to_quantized_cdf(np.exp(-(np.linspace(-5, 5, 90) ** 2) / 2) / 3.56)).tolist()


@pytest.mark.parametrize(
    "counts",
    [SKEWED, SKEWED[::-1], [256] * 256, [65536], ONES, STEEP_ONES, STEEP_ONES[::-1], SHAPED, [1, 1, 1], [999, 1]],
    ids=[
        "skewed",
        "skewed the other way",
        "flat",
        "one symbol",
        "ones",
        "steep",
        "steep down",
        "cdf",
        "thirds",
        "1000",
    ],
)
def test_a_long_message_costs_what_it_must(counts):
    message = random.Random(1).choices(range(len(counts)), counts, k=100_000)
    data = encode(message, StaticModel(counts))
    ideal = ideal_bits(counts, message)
    assert -0.01 < 8 * len(data) - ideal < 1e-5 * ideal + 17  # promised: 1e-4 and 32
    assert decode(data, len(message), StaticModel(counts)) == message


@pytest.mark.parametrize("limit", [65536, 4096])
def test_an_adaptive_message_costs_what_its_counts_say(limit):
    message = random.Random(2).choices(range(20), [2.0**-k for k in range(20)], k=20_000)
    model, ideal = AdaptiveModel(20, limit), 0.0
    counts, total = [1] * 20, 20
    for symbol in message:
        ideal += math.log2(total / counts[symbol])
        counts[symbol] += 1
        total += 1
        if total > limit:
            counts = [count - count // 2 for count in counts]
            total = sum(counts)
    data = encode(message, model)
    assert -0.01 < 8 * len(data) - ideal < 1e-5 * ideal + 17
    assert decode(data, len(message), model) == message


def test_laplace_counts_cost_the_same_in_any_order():
    """The probability of a message is (size - 1)! n1! n2! ... / (n + size - 1)!, whatever came first."""
    message = [0] * 300 + [1] * 20 + [2] * 5
    numbers = [math.factorial(n) for n in (300, 20, 5, 2)]
    ideal = math.log2(math.factorial(327)) - math.log2(math.prod(numbers))
    for seed in range(3):
        random.Random(seed).shuffle(message)
        assert -0.01 < 8 * len(encode(message, AdaptiveModel(3))) - ideal < 17.01


def test_a_model_that_changes_and_plain_bits_in_between():
    """The coder asks nothing of models: here, another one after each symbol, and 3 bits as they are."""
    rng = random.Random(4)
    models = [StaticModel([1, 5, 10]), StaticModel([900, 0, 1]), AdaptiveModel(3, 64)]
    learning = [StaticModel([1, 5, 10]), StaticModel([900, 0, 1]), AdaptiveModel(3, 64)]
    encoder, sent = ArithmeticEncoder(), []
    for step in range(500):
        symbol, bits = rng.choice([0, 2]), [rng.randrange(2) for _ in range(3)]
        encoder.push(*models[step % 3].interval(symbol))
        models[step % 3].update(symbol)
        for bit in bits:
            encoder.push(bit, 1, 2)
        sent.append((symbol, bits))
    decoder, got = ArithmeticDecoder(encoder.finish()), []
    for step in range(500):
        model = learning[step % 3]
        symbol = model.find(decoder.target(model.total))
        decoder.pop(*model.interval(symbol))
        model.update(symbol)
        bits = []
        for _ in range(3):
            bits.append(decoder.target(2))
            decoder.pop(bits[-1], 1, 2)
        got.append((symbol, bits))
    decoder.finish()
    assert got == sent


def test_a_model_of_ones_own():
    class Alternating:
        """Changes in a way that only a copy leaves untouched."""

        total = 10

        def __init__(self):
            self.likely = [0]

        def interval(self, symbol):
            return ((0, 9, 10), (9, 1, 10))[symbol ^ self.likely[0]]

        def find(self, target):
            return int(target >= 9) ^ self.likely[0]

        def update(self, symbol):
            self.likely[0] = 1 - symbol

    model, message = Alternating(), [0, 1] * 200
    data = encode(message, model)
    assert decode(data, 400, model) == message and model.likely == [0]
    assert 8 * len(data) < 400 * math.log2(10 / 9) + 17


# ---- models ----


@given(counts_and_message())
def test_a_static_model_finds_whose_each_count_is(case):
    counts, _ = case
    model, start = StaticModel(counts), 0
    assert model.total == sum(counts)
    for symbol, count in enumerate(counts):
        if count:
            assert model.interval(symbol) == (start, count, sum(counts))
            assert {model.find(start), model.find(start + count // 2), model.find(start + count - 1)} == {symbol}
        else:
            with pytest.raises(ValueError, match=f"symbol {symbol} has no counts"):
                model.interval(symbol)
        start += count


def test_an_adaptive_model_counts_and_halves():
    model = AdaptiveModel(3, limit=6)
    assert [model.interval(symbol) for symbol in range(3)] == [(0, 1, 3), (1, 1, 3), (2, 1, 3)]
    for _ in range(3):
        model.update(1)
    assert (model.counts, model.total) == ([1, 4, 1], 6)
    assert [model.find(target) for target in range(6)] == [0, 1, 1, 1, 1, 2]
    assert model.interval(2) == (5, 1, 6)
    model.update(1)  # [1, 5, 1] is one too many
    assert (model.counts, model.total) == ([1, 3, 1], 5)


@pytest.mark.parametrize(("size", "limit"), [(1, 1), (4, 4), (4, 5), (3, 100), (65536, 65536)])
def test_an_adaptive_model_stays_within_its_limit(size, limit):
    model = AdaptiveModel(size, limit)
    for step in range(300 if size < 100 else 3):
        model.update(step * step % size)
        assert sum(model.counts) == model.total <= limit and min(model.counts) >= 1 and len(model.counts) == size
    assert AdaptiveModel(3).limit == 65536


def test_an_adaptive_model_forgets():
    """A small limit follows a change; a large one remembers what no longer is."""
    message = [0] * 3000 + [1] * 3000
    assert len(encode(message, AdaptiveModel(2, limit=64))) < len(encode(message, AdaptiveModel(2))) / 2


def test_numbers_of_numpy_and_torch_are_welcome():
    row = pmf_to_quantized_cdf([0.25, 0.5, 0.2, 0.05])
    assert row.dtype == np.int32  # 32 bits times 2^32 would not fit
    model = StaticModel(np.diff(row))
    message = [1, 0, 3, 2, 1] * 20
    data = encode(message, model)
    assert data == encode(message, StaticModel([16384, 32768, 13107, 3277]))
    assert data == encode(np.array(message, dtype=np.uint8), model) == encode(torch.tensor(message), model)
    assert decode(memoryview(data), np.int64(100), model) == decode(bytearray(data), 100, model) == message
    encoder, plain = ArithmeticEncoder(), ArithmeticEncoder()
    for symbol in message:
        encoder.push(row[symbol], row[symbol + 1] - row[symbol], row[-1])
        plain.push(*model.interval(symbol))
    assert encoder.finish() == plain.finish() == data and type(encoder.low) is int


# ---- what is refused ----


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: ArithmeticEncoder().push(0, 0, 4), r"width must lie in 1 \.\.\. 4, not 0"),
        (lambda: ArithmeticEncoder().push(0, -1, 4), r"width must lie in 1 \.\.\. 4, not -1"),
        (lambda: ArithmeticEncoder().push(3, 2, 4), r"width must lie in 1 \.\.\. 1, not 2"),
        (lambda: ArithmeticEncoder().push(-1, 1, 4), r"start must lie in 0 \.\.\. 3, not -1"),
        (lambda: ArithmeticEncoder().push(4, 1, 4), r"start must lie in 0 \.\.\. 3, not 4"),
        (lambda: ArithmeticEncoder().push(0, 1, 65537), r"total must lie in 1 \.\.\. 65536, not 65537"),
        (lambda: ArithmeticEncoder().push(0, 1, 0), r"total must lie in 1 \.\.\. 65536, not 0"),
        (lambda: ArithmeticEncoder().push(0.0, 1, 2), "start must be an integer, not float"),
        (lambda: ArithmeticEncoder().push(0, 1.0, 2), "width must be an integer, not float"),
        (lambda: ArithmeticEncoder().push(0, 1, "2"), "total must be an integer, not str"),
        (lambda: ArithmeticDecoder(b"\x80").pop(0, 1, 65537), "total must lie"),
        (lambda: ArithmeticDecoder(b"\x80").pop(0, 0, 2), "width must lie"),
        (lambda: ArithmeticDecoder(b"\x80").pop(0, 1, 2), "not at the counts from 0 on, but at 1"),
        (lambda: ArithmeticDecoder(b"\x7f").pop(1, 1, 2), "not at the counts from 1 on, but at 0"),
        (lambda: ArithmeticDecoder(b"").target(0), "total must lie"),
        (lambda: ArithmeticDecoder(b"").target(65537), "total must lie"),
        (lambda: ArithmeticDecoder("0110"), "a stream is bytes, not str"),
        (lambda: ArithmeticDecoder([1, 2]), "a stream is bytes, not list"),
        (lambda: decode(4, 1, StaticModel([1])), "a stream is bytes, not int"),
        (lambda: decode(b"", -1, StaticModel([1])), r"the number of symbols must lie in 0 \.\.\. inf, not -1"),
        (lambda: decode(b"", 1.0, StaticModel([1])), "the number of symbols must be an integer"),
        (lambda: encode([2], StaticModel([1, 1])), r"a symbol must lie in 0 \.\.\. 1, not 2"),
        (lambda: encode([-1], StaticModel([1, 1])), r"a symbol must lie in 0 \.\.\. 1, not -1"),
        (lambda: encode([0.0], StaticModel([1, 1])), "a symbol must be an integer, not float"),
        (lambda: encode("ab", StaticModel([1, 1])), "a symbol must be an integer, not str"),
        (lambda: encode([1], StaticModel([1, 0])), "symbol 1 has no counts"),
        (lambda: encode([2], AdaptiveModel(2)), r"a symbol must lie in 0 \.\.\. 1, not 2"),
        (lambda: encode([-1], AdaptiveModel(2)), r"a symbol must lie in 0 \.\.\. 1, not -1"),
        (lambda: encode([0.5], AdaptiveModel(2)), "a symbol must be an integer"),
        (lambda: StaticModel([]), r"the sum of the counts must lie in 1 \.\.\. 65536, not 0"),
        (lambda: StaticModel([0, 0]), "the sum of the counts must lie"),
        (lambda: StaticModel([65536, 1]), "the sum of the counts must lie"),
        (lambda: StaticModel([5, -1]), r"a count must lie in 0 \.\.\. 65536, not -1"),
        (lambda: StaticModel([0.5, 0.5]), "a count must be an integer, not float"),
        (lambda: AdaptiveModel(0), r"the alphabet's size must lie in 1 \.\.\. 65536, not 0"),
        (lambda: AdaptiveModel(65537), "the alphabet's size must lie"),
        (lambda: AdaptiveModel(2.0), "the alphabet's size must be an integer"),
        (lambda: AdaptiveModel(5, limit=4), r"the limit must lie in 5 \.\.\. 65536, not 4"),
        (lambda: AdaptiveModel(5, limit=65537), "the limit must lie"),
    ],
)
def test_what_the_integer_coder_and_its_models_refuse(call, message):
    with pytest.raises(ValueError, match=message) as caught:
        call()
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
