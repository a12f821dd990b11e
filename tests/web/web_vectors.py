"""What the decoder in JavaScript is compared with: files, streams and numbers, and what Python says about them.

container  files, sound and damaged: their headers and strings, or the sentence of the error
rans       tables, streams, and the symbols in them, or the sentence of the error
lifting    low-passes and details in whole numbers, and what they join to
rounding   numbers that lie between two others, rounded
qualities  what depends on the quality
encoding   what the encoder is compared with: `encoder_vectors`
"""

from __future__ import annotations

import random
import struct
import zlib

import numpy as np
import torch
from encoder_vectors import encoding
from targets import coding_tables, forged, seeds

from tutorial_lib import bitstream, rans
from tutorial_lib.bitstream import MAGIC, BitstreamError
from tutorial_lib.quality import ROWS, QualityTable, quality_map, step_of
from tutorial_lib.wavelet import FRACTION, join_whole
from tutorial_lib.whole_networks import OUTPUT_UNIT, UNIT

DAMAGED = 400  # files made of each sound one
SIDES = [(1, 1), (1, 2), (2, 1), (1, 7), (5, 1), (2, 2), (3, 5), (8, 6), (9, 16)]


def container() -> list[dict]:
    rng = random.Random("container")
    made = [b"", MAGIC, MAGIC + b"\x02", MAGIC + b"\x04", b"\x89PNG"]
    for seed in seeds("container"):
        sound = MAGIC + seed
        made += [sound, sound + b"\0", sound[:-1], newer(sound)]
        made += [damaged(rng, sound) for _ in range(DAMAGED)]
    return [{"file": data.hex(), "all": said_of(data, None), "first": said_of(data, 1)} for data in made]


def newer(sound: bytes) -> bytes:
    """A file of a later version, whose header is as long as its own checksum says."""
    header = MAGIC + bytes([bitstream.VERSION + 1]) + sound[5:30]
    return header + struct.pack("<I", zlib.crc32(header)) + sound


def damaged(rng: random.Random, sound: bytes) -> bytes:
    """A few bytes changed, most often with checksums that fit; or cut short, or longer."""
    data = bytearray(sound)
    for _ in range(rng.choice([0, 1, 1, 2, 5])):
        place = rng.randrange(len(data) if rng.random() < 0.3 else min(len(data), 60))
        data[place] = rng.choice([0, 1, 39, 127, 255, rng.randrange(256)])
    data = data[: rng.choice([len(data), len(data), rng.randrange(len(data) + 1)])]
    data += rng.randbytes(rng.choice([0, 0, 0, 3]))
    return forged(bytes(data)) if rng.random() < 0.7 else bytes(data)


def said_of(data: bytes, strings: int | None) -> dict:
    try:
        stream = bitstream.unpack(data, strings)
    except BitstreamError as error:
        return {"error": str(error)}
    pieces = [piece.hex() for piece in stream.strings]
    facts = {name: getattr(stream, name) for name in ("width", "height", "fingerprint", "codec", "quality", "required")}
    return {**facts, "strings": pieces}


def rans_streams() -> dict:
    tables = coding_tables()
    rng = random.Random("rans")
    numbers = np.random.default_rng(0)
    streams = []
    for seed in seeds("rans"):
        indexes = np.arange(seed[0]) % len(tables.length)
        for n in range(60):
            data = bytearray(seed[1:])
            for _ in range(rng.choice([1, 1, 2]) if n else 0):
                data[rng.randrange(len(data))] = rng.randrange(256)
            cut = len(data) - (rng.choice([0, 0, 4, 1]) if n else 0)
            streams.append(stream_of(bytes(data[:cut]), indexes))
    for scale in (0.5, 3.0, 50.0, 1e5):
        indexes = numbers.integers(0, len(tables.length), 4000)
        symbols = np.rint(numbers.laplace(0, scale, 4000)).astype(np.int32)
        streams.append(stream_of(rans.encode(symbols, indexes, tables), indexes))
    widths = [np.diff(row[:length]).tolist() for row, length in zip(tables.cdf, tables.length, strict=True)]
    return {"widths": widths, "offset": tables.offset.tolist(), "streams": streams}


def stream_of(data: bytes, indexes: np.ndarray) -> dict:
    made: dict = {"data": data.hex(), "indexes": indexes.tolist()}
    try:
        return {**made, "symbols": rans.decode(data, indexes, coding_tables()).tolist()}
    except BitstreamError as error:
        return {**made, "error": str(error)}


def lifting() -> list[dict]:
    numbers = np.random.default_rng(1)
    made = []
    for height, width in SIDES:
        h, w = (height + 1) // 2, (width + 1) // 2
        for largest in (300, 2**19):  # what occurs, and what is cut off
            low, details = (numbers.integers(-largest, largest + 1, (n, h, w)) for n in (3, 9))
            given = (torch.from_numpy(x).float()[None] * 2.0**-FRACTION for x in (low, details.reshape(3, 3, h, w)))
            joined = join_whole(*given, (height, width))[0] * 2**FRACTION  # (3, height, width)
            entry = {"low": low, "details": details, "joined": joined.int().numpy()}
            made.append({"height": height, "width": width, **{k: v.ravel().tolist() for k, v in entry.items()}})
    return made


def rounding() -> list[list[float]]:
    numbers = torch.arange(-9, 10) / 2
    return [numbers.tolist(), torch.round(numbers).tolist()]


def qualities() -> dict:
    """At every quality: the hint that networks get, and what a table says, in whole numbers."""
    start = torch.from_numpy(np.random.default_rng(2).uniform(-3, 5, (ROWS, 4))).float()
    table, quality = QualityTable(start), torch.arange(1.0, 101.0)
    rows = torch.round(start.double() * OUTPUT_UNIT).int()
    return {
        "hints": torch.round(quality_map(quality) * UNIT).flatten().int().tolist(),
        "rows": rows.flatten().tolist(),
        "table": table.in_units(quality, OUTPUT_UNIT).flatten(1).int().tolist(),
        "steps": step_of(quality).flatten().tolist(),
    }


def everything() -> dict:
    parts = {"container": container(), "rans": rans_streams(), "lifting": lifting()}
    return {**parts, "rounding": rounding(), "qualities": qualities(), "encoding": encoding()}
