"""The scoreboard: one photo at one PSNR, and how many bytes the codec built so far needs for it.

Each notebook measures its row and ends with the chart of all rows up to its own. `python -m
tutorial_lib.workbench.scoreboard notebooks/*.ipynb` collects the rows from the outputs of executed notebooks, measures
the two fixed lines anew, and writes `notebooks/scoreboard.json`, from which later notebooks draw the earlier rows.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from tutorial_lib.evaluation.classical import decode, jpeg_encode
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.workbench.figures import COLOURS, plt, show
from tutorial_lib.workbench.lesson_files import lesson_file
from tutorial_lib.workbench.photos import photo

FILE = lesson_file("scoreboard.json")
PHOTO = "chelsea"  # 300 × 451: coded in a second, and neither side is a multiple of anything
DECIBELS = 34.0  # what JPEG reaches at its quality 50 or so
HALVINGS = 12  # of the range of a quality that is a real number


class Row(NamedTuple):
    """What a codec makes of the photo. notebook: "00" …; codec: its name in the chart; size: bytes, at `DECIBELS`."""

    notebook: str
    codec: str
    size: float


class Board(NamedTuple):
    """The two fixed lines, and the rows in the order of the course."""

    lines: dict[str, float]
    rows: tuple[Row, ...]


# ---- measuring


def size_on_curve(curve: list[tuple[float, float]], decibels: float = DECIBELS) -> float:
    """The size at a PSNR, from points (size, PSNR) around it: between two, the logarithm of the size is interpolated.

    Raises ValueError if the points lie all above or all below.
    """
    points = sorted((quality, size) for size, quality in curve)
    qualities, sizes = zip(*points, strict=True)
    if not qualities[0] <= decibels <= qualities[-1]:
        reached = f"from {qualities[0]:.1f} to {qualities[-1]:.1f} dB"
        raise ValueError(f"The scoreboard asks for {decibels:g} dB; these points reach {reached}: take a wider range.")
    return math.exp(np.interp(decibels, qualities, np.log(sizes)))


def size_at(
    encode: Callable[[Tensor, float], bytes],
    decode: Callable[[bytes], Tensor],
    worst: float,
    best: float,
    *,
    decibels: float = DECIBELS,
    image: Tensor | None = None,
) -> float:
    """How many bytes a codec needs for the photo at a PSNR, found by halving the range of its quality parameter.

    encode(image, quality) -> the file, of a uint8 image (3, H, W); decode(file) -> the picture, alike.
    worst, best: two values of the parameter, on either side of the PSNR asked for. If both are int, so are those that
                 are tried; in between, the logarithm of the size is interpolated.
    image: None: the course's photo.
    Raises ValueError if the range does not hold the PSNR.
    """
    x = photo(PHOTO) if image is None else image
    whole = isinstance(worst, int) and isinstance(best, int)

    def measure(quality: float) -> tuple[float, float]:
        file = encode(x, quality)
        return len(file), psnr(decode(file), x)

    ends = [measure(worst), measure(best)]
    if ends[0][1] < decibels < ends[1][1]:
        for _ in range(HALVINGS):
            middle = (worst + best) // 2 if whole else (worst + best) / 2
            if middle in (worst, best):
                break
            point = measure(middle)
            if point[1] < decibels:
                worst, ends[0] = middle, point
            else:
                best, ends[1] = middle, point
    return size_on_curve(ends, decibels)


def measure_lines() -> dict[str, float]:
    """The fixed lines: JPEG, and the codec that ships."""
    from tutorial_lib.codec import Codec

    codec = Codec.load()
    return {
        "JPEG": size_at(lambda x, quality: jpeg_encode(x, int(quality)), decode, 5, 95),
        "shipped codec": size_at(lambda x, quality: codec.encode(x, quality=int(quality)), codec.decode, 20, 95),
    }


# ---- the file


def read_board(path: Path = FILE) -> Board:
    """The board as it was last collected."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return Board(data["lines"], tuple(Row(**row) for row in data["rows"]))


def write_board(board: Board, path: Path = FILE) -> None:
    """Write it, sizes rounded to whole bytes."""
    data = {
        "photo": PHOTO,
        "decibels": DECIBELS,
        "lines": {name: round(size) for name, size in board.lines.items()},
        "rows": [row._replace(size=round(row.size))._asdict() for row in board.rows],
    }
    atomic_write(path, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())


def rows_in(path: Path) -> list[Row]:
    """The rows that an executed notebook holds: `show_rows` leaves them in its output's metadata."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [Row(**row) for output in outputs for row in output.get("metadata", {}).get("rows", [])]


# ---- the chart


def kilobytes(size: float) -> str:
    """A size for readers, in three digits."""
    return f"{float(f'{size / 1000:.3g}'):g} kB"


def show_rows(notebook: str, sizes: dict[str, float]) -> None:
    """Display the chart of all notebooks up to this one, its bars as measured here and now.

    notebook: "02". sizes: what each codec of this notebook is called in the chart -> bytes, of `size_at`.
    """
    mine = [Row(notebook, codec, round(size)) for codec, size in sizes.items()]
    board = read_board()
    rows = (*(row for row in board.rows if row.notebook < notebook), *mine)
    bars = "; ".join(f"{row.notebook} {row.codec} {kilobytes(row.size)}" for row in rows)
    fixed = ", ".join(f"{name} {kilobytes(size)}" for name, size in board.lines.items())
    alt = f"Bar chart: bytes for the photo {PHOTO} at {DECIBELS:g} dB. {bars}. Lines: {fixed}."
    show(draw(Board(board.lines, rows), lit=len(mine)), alt, rows=[row._asdict() for row in mine])


def draw(board: Board, lit: int = 1) -> Figure:
    """Bars from the first notebook to the last, the last `lit` in colour, and the two lines."""
    figure, axes = plt.subplots(figsize=(9, 1.5 + 0.34 * len(board.rows)))
    for place, row in enumerate(board.rows):
        colour = COLOURS[1] if place >= len(board.rows) - lit else "#ced4da"
        _ = axes.barh(place, row.size / 1000, color=colour, height=0.7)
        label = axes.annotate(
            kilobytes(row.size), (row.size / 1000, place), (4, 0), textcoords="offset points", va="center", fontsize=9
        )
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})  # it may lie on one of the two lines
    for (name, size), colour, dash in zip(board.lines.items(), (COLOURS[5], COLOURS[0]), ("--", "-"), strict=True):
        _ = axes.axvline(size / 1000, color=colour, linestyle=dash, label=f"{name} {kilobytes(size)}")
    axes.set_yticks(range(len(board.rows)), [f"{row.notebook}  {row.codec}" for row in board.rows])
    axes.set(ylim=(-0.6, max(2, len(board.rows)) - 0.4))
    axes.set(xlim=(0, 1.15 * max(*board.lines.values(), *(row.size for row in board.rows)) / 1000))
    axes.set_xlabel(f"kilobytes for {PHOTO} at {DECIBELS:g} dB: less is better")
    axes.invert_yaxis()
    axes.grid(False)
    figure.legend(loc="outside upper right", ncols=2, frameon=False, fontsize=9)
    return figure


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Collect the scoreboard's rows from executed notebooks.")
    parser.add_argument("notebooks", nargs="+", type=Path)
    collected = [row for path in sorted(parser.parse_args().notebooks) for row in rows_in(path)]
    write_board(Board(measure_lines(), tuple(collected)))
    print(FILE.read_text(encoding="utf-8"))
