"""Notebook 06's figures: what they say of an interval, and that nothing leaves its place."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise, product

import pytest

from tutorial_lib.workbench import coding_figures as figures
from tutorial_lib.workbench.figures import plt

SHARES = {"a": Fraction(6, 10), "b": Fraction(3, 10), "c": Fraction(1, 10)}
COUNTS = {"a": 6, "b": 3, "c": 1}


def test_intervals_of_all_messages_fill_the_line() -> None:
    end = Fraction(0)
    for message in map("".join, product("abc", repeat=4)):
        low, width = figures.interval_of(message, SHARES)
        assert low == end and width == math.prod(SHARES[symbol] for symbol in message)
        end = low + width
    assert end == 1


@pytest.mark.parametrize("message", ["abaca", "aaaaaaaaaa", "abbacbcaab", "cccccccccc"])
def test_settled_bits_are_those_of_both_ends(message: str) -> None:
    low, width = figures.interval_of(message, SHARES)
    bits = figures.settled_bits(low, width)
    below_the_end = low + width - Fraction(1, 2**200)
    for number in (low, below_the_end):
        assert math.floor(number * 2 ** len(bits)) == int(bits or "0", 2)
    assert math.floor(low * 2 ** (len(bits) + 1)) != math.floor(below_the_end * 2 ** (len(bits) + 1))


@pytest.mark.parametrize("steps", range(11))
@pytest.mark.parametrize("message", ["cccccccccc", "abacabaaca"])
def test_a_narrow_interval_is_seen_and_named(message: str, steps: int) -> None:
    low, width = figures.interval_of(message[:steps], SHARES)
    begin, end = figures.bounds(low, width)[1:-1].split(", ")
    assert begin != end and abs(float(begin) - low) < 1e-4
    figure = figures.step_figure(message, steps, SHARES)
    bar = figure.axes[0].patches[1]
    plt.close(figure)
    assert bar.get_width() >= 0.004 and bar.get_x() >= 0 and bar.get_x() + bar.get_width() <= 1 + 1e-12


@pytest.mark.parametrize("written", ["7fffff", "12ff", "05", "ff00ff", "00"])
def test_a_carry_adds_one(written: str) -> None:
    data = bytes.fromhex(written)
    steps = figures.carry_steps(data)
    assert int.from_bytes(steps[-1], "big") == int.from_bytes(data, "big") + 1
    for before, after in pairwise(steps):
        assert sum(a != b for a, b in zip(before, after, strict=True)) == 1


def test_a_carry_out_of_the_number_is_refused(one_sentence) -> None:
    with pytest.raises(ValueError, match="all bytes are ff") as raised:
        figures.carry_steps(b"\xff\xff")
    assert one_sentence(raised.value)


@pytest.mark.parametrize("symbol", "abc")
def test_a_push_leads_to_the_xth_number_of_the_symbol(symbol: str) -> None:
    owned = [number for number in range(400) if "aaaaaabbbc"[number % 10] == symbol]
    assert [figures.count_of(symbol, x, COUNTS) for x in range(40)] == owned[:40]
