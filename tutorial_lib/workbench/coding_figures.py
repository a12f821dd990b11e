"""Figures of notebook 06: a message's interval, the carry through bytes, and a rANS state on a number line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

from tutorial_lib.workbench.figures import COLOURS, plt, show

Shares = Mapping[str, Fraction]  # symbol -> its probability, in the order of the alphabet
PALE = "#e9ecef"


# ---- the interval of a message


def interval_of(message: str, shares: Shares) -> tuple[Fraction, Fraction]:
    """Where the message's interval begins, and how wide it is."""
    starts = dict(zip(shares, accumulate(shares.values(), initial=Fraction(0)), strict=False))
    low, width = Fraction(0), Fraction(1)
    for symbol in message:
        low, width = low + width * starts[symbol], width * shares[symbol]
    return low, width


def settled_bits(low: Fraction, width: Fraction) -> str:
    """The binary digits behind the point that all numbers of the interval share."""
    bits = ""
    while True:
        longer = len(bits) + 1
        first, last = math.floor(low * 2**longer), math.ceil((low + width) * 2**longer) - 1
        if first != last:
            return bits
        bits = f"{first:0{longer}b}"


def progress_of(message: str, shares: Shares) -> list[tuple[float, str]]:
    """(bits of information, settled bits) after 0, 1, 2 … symbols."""
    intervals = [interval_of(message[:n], shares) for n in range(len(message) + 1)]
    return [(-math.log2(width), settled_bits(low, width)) for low, width in intervals]


def bounds(low: Fraction, width: Fraction) -> str:
    """The interval in decimals, with enough of them to tell its ends apart."""
    digits = max(4, 2 + math.ceil(-math.log10(width)))
    begin, end = (round(10**digits * bound) for bound in (low, low + width))
    return f"[{begin // 10**digits}.{begin % 10**digits:0{digits}d}, {end // 10**digits}.{end % 10**digits:0{digits}d})"


def nested(message: str, shares: Shares) -> Figure:
    """A column for each symbol: the chosen part of the column before, enlarged."""
    figure, axes = plt.subplots(figsize=(10, 4))
    starts = list(accumulate(shares.values(), initial=Fraction(0)))
    for column, chosen in enumerate(message):
        for (symbol, share), start, colour in zip(shares.items(), starts, COLOURS, strict=False):
            face, ink = (colour, "white") if symbol == chosen else ("white", "black")
            _box(axes, column, float(start), 0.5, float(share), face, symbol, ink)
            if symbol == chosen:
                for end, height in ((start, 0), (start + share, 1)):
                    axes.plot([column + 0.5, column + 1], [float(end), height], "k:", linewidth=1)
        low, width = interval_of(message[: column + 1], shares)
        ends = f"from {float(low):.4f}\nto {float(low + width):.4f}"
        axes.text(column + 0.25, -0.05, ends, ha="center", va="top", fontsize=9)
    _box(axes, len(message), 0, 0.5, 1, "#ffd8a8", message, "black")
    axes.set(xlim=(-0.2, len(message) + 0.6), ylim=(-0.2, 1.02))
    axes.axis("off")
    return figure


def step_figure(message: str, steps: int, shares: Shares) -> Figure:
    """The interval after some symbols; the same enlarged and divided; and the settled bits against the information."""
    steps = min(steps, len(message))
    low, width = interval_of(message[:steps], shares)
    history = progress_of(message, shares)
    figure = plt.figure(figsize=(9, 4.4), layout="none")
    whole, zoom, bits = (
        figure.add_axes((0.07, *place)) for place in ((0.88, 0.9, 0.06), (0.66, 0.9, 0.12), (0.11, 0.9, 0.42))
    )
    _box(whole, 0, 0, 1, 1, PALE, "", "black")
    shown = max(float(width), 0.004)  # a bar that can be seen, and that does not leave the line
    _box(whole, min(float(low), 1 - shown), 0, shown, 1, COLOURS[1], "", "black", edge=COLOURS[1])
    whole.set_title(f"{message[:steps] or 'nothing yet'}: {bounds(low, width)}", fontsize=10)
    starts = accumulate(shares.values(), initial=Fraction(0))
    for (symbol, share), start, colour in zip(shares.items(), starts, COLOURS, strict=False):
        _box(zoom, float(start), 0, float(share), 1, colour, symbol, "white")
    zoom.set_title("enlarged, and divided for the next symbol", fontsize=10)
    for axes in (whole, zoom):
        axes.set(xlim=(0, 1), ylim=(0, 1))
        axes.axis("off")
    bits.plot([information for information, _ in history], "o-", label="information")
    bits.step(range(len(history)), [len(settled) for _, settled in history], where="post", label="bits settled")
    bits.axvline(steps, color=COLOURS[5], linestyle="--")
    bits.set_title(f"settled: 0.{history[steps][1]}…", fontsize=10)
    bits.set(ylabel="bits", xticks=range(len(history)), xticklabels=["", *message])
    bits.legend(loc="upper left")
    return figure


def step_through(message: str, steps: int, shares: Shares) -> None:
    """Display the walk after some of its symbols: what the slider calls."""
    alt = f"The interval of {message[:steps]!r} within 0 to 1, enlarged, and the bits settled after each symbol."
    show(step_figure(message, steps, shares), alt)


def _box(
    axes: Axes, x: float, y: float, width: float, height: float, face: str, text: str, ink: str, edge: str = "black"
) -> None:
    axes.add_patch(Rectangle((x, y), width, height, facecolor=face, edgecolor=edge))
    rotation = 90 if len(text) > 2 and height > width else 0
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", color=ink, rotation=rotation)


# ---- the carry


def carry_steps(written: bytes) -> list[bytes]:
    """The bytes while 1 is added to the last one: ff turns 00 and hands the 1 on to its left, until one can take it.

    Raises ValueError if all are ff: nobody takes it.
    """
    steps = [written]
    place = len(written) - 1
    while place >= 0 and written[place] == 0xFF:
        steps.append(steps[-1][:place] + b"\x00" + steps[-1][place + 1 :])
        place -= 1
    if place < 0:
        raise ValueError("all bytes are ff: the carry runs out of the number.")
    return [*steps, steps[-1][:place] + bytes([written[place] + 1]) + steps[-1][place + 1 :]]


def bytes_figure(rows: Sequence[tuple[str, bytes, int | None]], boxes: int) -> Figure:
    """Rows of bytes as boxes: (what is said on the left, the bytes, the place that has just changed)."""
    figure, axes = plt.subplots(figsize=(7, 0.35 + 0.5 * len(rows)))
    for row, (said, data, changed) in enumerate(rows):
        axes.text(-0.3, -row - 0.4, said, ha="right", va="center")
        for place in range(boxes):
            known, here = place < len(data), place == changed
            face = COLOURS[1] if here else PALE if known else "white"
            text = f"{data[place]:02x}" if known else ""
            _box(axes, place, -row - 0.8, 0.92, 0.8, face, text, "white" if here else "black", edge="#adb5bd")
    axes.set(xlim=(-2.2, boxes), ylim=(-len(rows) + 0.1, 0.1))
    axes.axis("off")
    return figure


def carry_rows(before: Sequence[tuple[str, bytes]], last: str) -> list[tuple[str, bytes, int | None]]:
    """Rows for `bytes_figure`: what is written after each of some messages, then one symbol more and its carry."""
    rows: list[tuple[str, bytes, int | None]] = [(said, data, None) for said, data in before]
    for old, new in pairwise(carry_steps(before[-1][1])):
        place = next(i for i, (a, b) in enumerate(zip(old, new, strict=True)) if a != b)
        rows.append((last if old is before[-1][1] else "carry", new, place))
    return rows


# ---- a rANS state


def state_figure(states: Sequence[int], symbols: str, counts: Mapping[str, int], last: int, title: str = "") -> Figure:
    """Numbers 0 … last in the colours of their owners, and the state's way along them: `states[0]` is where it begins.

    counts: how many of each `sum(counts.values())` numbers in turn a symbol owns.
    """
    owners = "".join(symbol * count for symbol, count in counts.items())
    colours = dict(zip(counts, COLOURS, strict=False))
    figure, axes = plt.subplots(figsize=(10, 2.3))
    for number in range(last + 1):
        colour = colours[owners[number % len(owners)]]
        axes.add_patch(Rectangle((number - 0.5, 0), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.5))
    for (begin, end), symbol in zip(pairwise(states), symbols, strict=True):
        bend = -0.5 * min(1, 14 / max(1, abs(end - begin)))
        arrow = FancyArrowPatch((begin, 1.1), (end, 1.1), arrowstyle="-|>", mutation_scale=14, linewidth=1.6)
        arrow.set(connectionstyle=f"arc3,rad={bend}", color=colours[symbol])
        axes.add_patch(arrow)
        axes.text(end, 1.75, symbol, color=colours[symbol], ha="center", va="bottom", weight="bold")
    for state in states:
        axes.text(state, -0.25, f"{state}", ha="center", va="top", fontsize=9, weight="bold")
        axes.plot([state], [0.5], "o", color="black", markersize=5)
    names = [Rectangle((0, 0), 1, 1, color=colours[symbol]) for symbol in counts]
    axes.legend(names, [f"numbers of {symbol}" for symbol in counts], ncols=3, loc="upper right", fontsize=9)
    axes.set(xlim=(-1, last + 1), ylim=(-1.2, 5))
    axes.set_title(title, fontsize=10, loc="left")
    axes.axis("off")
    return figure


def count_of(symbol: str, x: int, counts: Mapping[str, int]) -> int:
    """The x-th number, from the 0th on, that the symbol owns: where a push leads."""
    owners = np.array(list("".join(name * count for name, count in counts.items())))
    mine = np.flatnonzero(owners == symbol)
    return int(x // len(mine) * len(owners) + mine[x % len(mine)])
