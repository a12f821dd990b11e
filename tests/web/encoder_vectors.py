"""What the encoder in JavaScript is compared with: numbers and bytes, and what Python makes of them.

rans       symbols with their tables, their stream, and where the decoder stands after some of them
container  facts and strings, and the file
splitting  pictures of 32-bit floats, and their low-passes and details
choices    real numbers with their tables, and the whole numbers that are chosen
counts     symbols with their tables, and the offset with which they cost least
"""

from __future__ import annotations

import numpy as np
import torch
from targets import coding_tables

from tutorial_lib import bitstream, laplace, rans
from tutorial_lib.table_offsets import Counts
from tutorial_lib.wavelet import split

SIDES = [(1, 1), (1, 2), (2, 1), (1, 7), (5, 1), (2, 2), (3, 5), (8, 6), (9, 16), (31, 33)]
EXTREME = 2**31


def streams() -> dict:
    tables = coding_tables()
    numbers = np.random.default_rng(3)
    made = []
    for scale, count in [(0.5, 0), (0.5, 1), (0.5, 4000), (3.0, 4000), (50.0, 4000), (1e5, 4000), (1e9, 1000)]:
        indexes = numbers.integers(0, len(tables.length), count)
        symbols = np.clip(np.rint(numbers.laplace(0, scale, count)), -EXTREME, EXTREME - 1).astype(np.int64)
        symbols[: count // 500] = numbers.choice([-EXTREME, EXTREME - 1, EXTREME // 2, -1, 0], count // 500)
        counts = np.sort(numbers.integers(0, count + 1, 5))
        data, positions = rans.encode_with_positions(symbols, indexes, tables, counts)
        entry = {"symbols": symbols, "indexes": indexes, "counts": counts}
        lists = {name: array.tolist() for name, array in entry.items()}
        made.append({**lists, "data": data.hex(), "positions": positions})
    widths = [np.diff(row[:length]).tolist() for row, length in zip(tables.cdf, tables.length, strict=True)]
    return {"widths": widths, "offset": tables.offset.tolist(), "streams": made}


def container() -> list[dict]:
    numbers = np.random.default_rng(4)
    made = []
    for lengths in ([0], [1, 127, 128], [16383, 16384, 3, 0, 255, 300], [5] * 255):
        strings = tuple(numbers.bytes(n) for n in lengths)
        width, height = (int(n) for n in numbers.integers(1, 2**13, 2))
        facts = {
            "width": width,
            "height": height,
            "quality": int(numbers.integers(0, 256)),
            "fingerprint": numbers.bytes(8).hex(),
            "codec": "a_codec.of+1-letters"[: int(numbers.integers(1, 21))],
            "required": int(numbers.integers(1, len(strings) + 1)),
        }
        stream = bitstream.Stream(strings=strings, **facts)
        made.append({"facts": facts, "strings": [s.hex() for s in strings], "file": bitstream.pack(stream).hex()})
    return made


def splitting() -> list[dict]:
    generator = torch.Generator().manual_seed(5)
    made = []
    for height, width in SIDES:
        x = 100 * torch.randn(1, 3, height, width, generator=generator)
        low, details = split(x)
        entry = {"x": x, "low": low, "details": details}
        made.append({"height": height, "width": width, **{k: v.flatten().tolist() for k, v in entry.items()}})
    return made


def choices() -> dict:
    generator = torch.Generator().manual_seed(6)
    tables = torch.randint(0, laplace.TABLES, (5000,), generator=generator)
    r = torch.randn(5000, generator=generator) * torch.exp2(4 * torch.rand(5000, generator=generator) - 1)
    r[:40] = torch.arange(-20, 20) / 2  # halves
    k = laplace.choose(r, laplace.savings(laplace.log_scale_of(tables)))
    return {"r": r.tolist(), "tables": tables.tolist(), "k": k.int().tolist()}


def counts() -> list[dict]:
    numbers = np.random.default_rng(7)
    made = []
    for scale, count in [(0.1, 0), (0.0, 50), (0.1, 500), (0.7, 500), (4.0, 500), (200.0, 500)]:
        for tables in (numbers.integers(0, laplace.TABLES, count), numbers.integers(30, 50, count)):
            symbols = np.rint(numbers.laplace(0, scale, count)).astype(int)
            each = Counts()
            each.add(symbols, tables)
            made.append({"symbols": symbols.tolist(), "tables": tables.tolist(), "best": each.best()})
    return made


def encoding() -> dict:
    parts = {"rans": streams(), "container": container(), "splitting": splitting()}
    return {**parts, "choices": choices(), "counts": counts()}
