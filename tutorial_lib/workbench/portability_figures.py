"""The figures of notebook 11."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutorial_lib.workbench.figures import COLOURS, draw_image, plt, show

BLOCK = 16  # pixels a side, of one position of notebook 08's latent


def show_accident(good: Tensor, bad: Tensor, wrong: NDArray, position: int, computer: str) -> None:
    """Two pictures, uint8 (3, H, W), and which symbols (C, h, w) are wrong; position: of the one other table."""
    figure, panels = plt.subplots(1, 3, figsize=(10, 3.9), width_ratios=(1, 1, 0.9))
    draw_image(panels[0], good, "decoded where it was encoded", interpolation="antialiased")
    draw_image(panels[1], bad, f"decoded elsewhere: {computer}", interpolation="antialiased")
    channel, row, column = np.unravel_index(position, wrong.shape)
    for axes in panels[:2]:
        corner = (BLOCK * float(column), BLOCK * float(row))
        axes.add_patch(plt.Rectangle(corner, BLOCK, BLOCK, fill=False, edgecolor="yellow", linewidth=2))
    flat = wrong.reshape(len(wrong), -1)
    panels[2].imshow(flat, aspect="auto", cmap="Reds", vmin=0, vmax=0.5, interpolation="antialiased")
    panels[2].axhline(float(channel), color=COLOURS[0], linestyle="--")
    panels[2].set_title("wrong symbols", fontsize=10)
    panels[2].set(xlabel="position in the picture", ylabel="channel, in the order of the stream")
    panels[2].grid(False)
    show(
        figure,
        alt="Left: a photo decoded where it was encoded, clean. Middle: the same bytes decoded with one other table: "
        "noise and wrong colours all over the picture; a yellow square marks the block whose table differed. Right: a "
        "map of the symbols in the order of the stream: all right above a dashed line, the flipped table, and many "
        "wrong below it.",
    )


def show_errors(errors: NDArray, marks: Mapping[str, float]) -> None:
    """A sum's errors in random orders, in ulps; marks: those in some orders that have names."""
    figure, axes = plt.subplots(figsize=(8, 2.8))
    axes.hist(errors, bins=np.arange(-25.5, 26) + errors[0] % 1, color=COLOURS[0], alpha=0.7)
    for colour, (name, error) in zip(COLOURS[1:], marks.items(), strict=False):
        axes.axvline(error, color=colour, linewidth=2, label=name)
    axes.set(xlabel="error of the sum, in ulps", ylabel=f"of {len(errors):,} random orders")
    axes.legend(frameon=False, loc="upper left")
    show(
        figure,
        alt="Histogram of the error of one float32 sum in random orders, in ulps: a bell around zero, some ten ulps to "
        "either side. Lines mark the sum from the left, in eight lanes, and in halves of halves, near zero.",
    )


def show_law(sizes: NDArray, law: Sequence[tuple[int, float]], seen: Sequence[tuple[float, float]]) -> None:
    """Flips against the error: law [(found, expected)] for errors of these sizes; seen [(expected, found)] a photo."""
    figure, axes = plt.subplots(figsize=(8, 3.6))
    line, per_error = np.logspace(-8.5, -1.8, 2), law[-1][1] / sizes[-1]
    axes.plot(line, per_error * line, color=COLOURS[5], label="expected: Σ |δ| / 0.123")
    axes.plot(sizes, [found for found, _ in law], "o", color=COLOURS[0], label="flips found, errors added")
    places = np.array([(expected / per_error, found) for expected, found in seen if found]).reshape(-1, 2)
    axes.plot(*places.T, "s", color=COLOURS[1], markersize=7, label="this machine's computers, a photo on average")
    for size, name in ((2**-11, "TF32, float16"), (2**-8, "bfloat16")):
        axes.axvline(size, color=COLOURS[3], linestyle=":")
        axes.text(size * 0.9, 1.2e-2, name, rotation=90, ha="right", va="bottom", color=COLOURS[3])
    axes.set(xscale="log", yscale="log", xlabel="relative error of a scale", ylabel="other tables in a photo")
    axes.set_ylim(5e-3, 2e5)
    axes.legend(frameon=False, loc="upper left")
    show(
        figure,
        alt="Other tables in a photo against the relative error of a scale, both logarithmic. A straight line is what "
        "is expected; round points, with errors added, lie on it over three decades; square points, computers that sum "
        "in another order, lie around its lower end, at about one flip a photo or fewer. Dotted: TF32 and bfloat16, "
        "at thousands.",
    )


def show_gaps() -> None:
    """How far one float32 is from the next."""
    exponents = np.linspace(20, 27, 400, endpoint=False)
    figure, axes = plt.subplots(figsize=(8, 2.8))
    gaps = np.spacing((2.0**exponents).astype(np.float32))
    axes.step(exponents, gaps, where="post", color=COLOURS[0], linewidth=2)
    axes.axvspan(20, 24, color=COLOURS[2], alpha=0.15)
    axes.text(22, 2.5, "every whole number is a float32", ha="center", color=COLOURS[2])
    axes.text(25.6, 0.4, "odd ones are missing, then more", ha="center", color=COLOURS[3])
    axes.set(yscale="log", xlabel="size of the number, as a power of 2", ylabel="to the next float32", xlim=(20, 27))
    axes.set_yticks([0.125, 0.5, 1, 2, 8], ["1/8", "1/2", "1", "2", "8"])
    axes.minorticks_off()  # they would write their powers of ten over these
    show(
        figure,
        alt="The distance from a float32 to the next, against its size, from 2 to the 20 to 2 to the 27: a staircase "
        "that doubles at each power of two. Up to 2 to the 24, which is shaded, it is 1 or less; beyond, 2 and more.",
    )


def show_bounds(wished: Sequence[float], used: Sequence[float]) -> None:
    """The largest possible sum of each layer over 2^24: with eight bits in every weight, and as used."""
    order, above = np.argsort(wished), sum(share > 1 for share in wished)
    figure, axes = plt.subplots(figsize=(8, 3.2))
    axes.plot(np.array(wished)[order], "o", color=COLOURS[1], markersize=4, label="with eight bits in every weight")
    axes.plot(np.array(used)[order], "o", color=COLOURS[0], markersize=4, label="as used")
    axes.axhline(1, color=COLOURS[3], linestyle="--")
    axes.text(0, 1.2, "2^24: beyond, float32 rounds", color=COLOURS[3])
    axes.set(yscale="log", xlabel="layers of the prior, sorted", ylabel="largest possible sum / 2^24")
    axes.legend(frameon=False, loc="lower right")
    show(
        figure,
        alt="For each layer of the shipped prior the largest sum that any input could lead to, as a share of 2^24. "
        f"With eight bits in every weight, {above} of {len(wished)} layers lie above the dashed line at one; as used, "
        "all lie below it, many of them close to it.",
    )


def show_price(
    weights: Tensor, rounded: Tensor, bits: int, by_weights: Mapping[int, float], by_activations: Mapping[int, float]
) -> None:
    """Weights as trained and as rounded to so many bits, and what bits cost: {bits: percent}."""
    price = by_weights[bits]
    figure, panels = plt.subplots(1, 2, figsize=(10, 3.2))
    panels[0].plot(weights, rounded, ".", markersize=2, color=COLOURS[0])
    title = f"weights of {bits} bits: {len(torch.unique(rounded))} values in use"
    panels[0].set(xlabel="as trained", ylabel="as rounded", title=title)
    panels[1].plot(*zip(*by_weights.items(), strict=True), "o-", label="weights")
    panels[1].plot(*zip(*by_activations.items(), strict=True), "s-", label="activations")
    panels[1].plot(bits, price, "D", color=COLOURS[3], markersize=9)
    panels[1].set_yscale("symlog", linthresh=1)
    panels[1].set(
        xlabel="bits", ylabel="more bits, %", title=f"{price:+.1f} % at equal PSNR", yticks=(-1, 0, 1, 10, 100)
    )
    panels[1].set_yticklabels(["−1", "0", "1", "10", "100"])
    panels[1].legend(frameon=False)
    show(
        figure,
        alt=f"Left: weights as trained against weights rounded to {bits} bits, a staircase. Right: how many more bits "
        "a photo takes at equal PSNR, against the number of bits of weights and of activations; both curves fall to "
        f"about zero. A diamond marks weights of {bits} bits, at {price:+.0f} percent.",
    )
