"""Entropy coders: `tutorial_lib.rans` beside CompressAI's `ans` and constriction. Rows of `bench.py`.

The data are symbols of a Gaussian latent, each with one of CompressAI's 64 scales, from 0.11 to 256:

- *mixed*: any scale may follow any other, which is as hard on caches and on the prediction of branches as can be;
- *latent-like*: 64 channels of different scales, most of them small, each of which varies smoothly.

What is timed is a whole Python call, from an array to bytes (encode) and from bytes to an array (decode). CompressAI's
coder takes and returns Python lists. Its entropy models make them from tensors, and a tensor of the result, for every
image; so does "CompressAI", with the same functions. "CompressAI, lists" leaves that out: lists made beforehand, and a
list for a result. What a coder decodes is compared with what went in.

"two lanes" are `rans.encode(…, lanes=2)` and its decoder, beside CompressAI, which has one.

What binds a decoder of one lane is its one state: a symbol's counts are known when the state is, and the state when the
symbol before is known. Mask, shift, load, multiply, add, compare, select follow one after another, and a processor that
could do several at a time waits; with two lanes it does two. That is why an entry of `CdfTables.guide` holds all that
most pops need, and why taking a word in has no branch. Where the scales are mixed, it waits for caches, too, and for
the search if the entry is another symbol's.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, log

import constriction
import numpy as np
import torch
from compressai.ans import RansDecoder, RansEncoder
from side_by_side import Rounds, Rows

from tutorial_lib import rans
from tutorial_lib.cdf import CdfTables
from tutorial_lib.gaussian_conditional import GaussianConditional, scale_table

COUNTS = (10**3, 10**4, 10**5, 10**6, 10**7)
FLOORS = {  # whose decoder, symbols: the least that CompressAI's time may be of it, whatever the scales
    ("ours", 10**5): 15.0,
    ("ours", 10**6): 13.0,
    ("ours", 10**7): 13.0,
    ("two lanes", 10**5): 20.0,
    ("two lanes", 10**6): 20.0,
    ("two lanes", 10**7): 20.0,
}
CHANNELS = 64
REACH = 6.2  # standard deviations: less than 10⁻⁹ of a Gaussian lies outside

Coder = tuple[Callable[[], bytes], Callable[[bytes], object]]  # encode() -> data; decode(data) -> symbols


def rows(rounds: Rounds) -> Rows:
    tables = CdfTables.from_pmfs(*GaussianConditional().pmfs())
    for kind in ("latent-like", "mixed"):
        for count in COUNTS:
            symbols, indexes = latent(kind, count)
            coders = {
                "ours": our_coder(symbols, indexes, tables, lanes=1),
                "two lanes": our_coder(symbols, indexes, tables, lanes=2),
                **compressai_coders(symbols, indexes, tables),
                "constriction": constriction_coder(symbols, indexes),
            }
            calls = {}
            for name, (encode, decode) in coders.items():
                data = encode()
                if not np.array_equal(decode(data), symbols):
                    raise RuntimeError(f"{name} does not return what it was given.")
                calls[f"encode {name} {kind}"] = encode
                calls[f"decode {name} {kind}"] = lambda decode=decode, data=data: decode(data)
            times = rounds.growing(count, calls)
            for direction in ("encode", "decode"):
                pairs = [("ours", name) for name in list(coders)[2:]]
                for mine, name in [*pairs, ("two lanes", "CompressAI")]:
                    ours, theirs = (times[f"{direction} {who} {kind}"] for who in (mine, name))
                    what = f"{direction} {count:,} symbols, {kind}" + (", two lanes" if mine != "ours" else "")
                    bound = (direction, name) == ("decode", "CompressAI")
                    yield rounds.row(what, name, ours, theirs, FLOORS.get((mine, count)) if bound else None)


def latent(kind: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Symbols and the numbers of their scales: (count,) int32 each."""
    rng = np.random.default_rng(0)
    scales = scale_table().numpy()
    if kind == "mixed":
        indexes = rng.integers(0, len(scales), count)
    else:
        level = np.repeat(np.linspace(log(0.02), log(16), CHANNELS), ceil(count / CHANNELS))[:count]
        smooth = np.convolve(rng.normal(size=count + 63), np.full(64, 1 / 8), mode="valid")  # of standard deviation 1
        indexes = np.searchsorted(scales[:-1], np.exp(level + smooth))
    symbols = np.rint(rng.normal(size=count) * scales[indexes])
    return symbols.astype(np.int32), indexes.astype(np.int32)


def our_coder(symbols: np.ndarray, indexes: np.ndarray, tables: CdfTables, lanes: int) -> Coder:
    def decode(data: bytes) -> np.ndarray:
        return rans.decode(data, indexes, tables, lanes)

    return lambda: rans.encode(symbols, indexes, tables, lanes), decode


def compressai_coders(symbols: np.ndarray, indexes: np.ndarray, tables: CdfTables) -> dict[str, Coder]:
    tensors = [torch.tensor(array) for array in (symbols, indexes, tables.cdf, tables.length, tables.offset)]
    ready = [tensor.tolist() for tensor in tensors]

    def encode() -> bytes:
        return RansEncoder().encode_with_indexes(*[tensor.tolist() for tensor in tensors])

    def decode(data: bytes) -> torch.Tensor:
        arguments = [tensor.tolist() for tensor in tensors[1:]]
        return torch.tensor(RansDecoder().decode_with_indexes(data, *arguments), dtype=torch.int32)

    return {
        "CompressAI": (encode, decode),
        "CompressAI, lists": (
            lambda: RansEncoder().encode_with_indexes(*ready),
            lambda data: RansDecoder().decode_with_indexes(data, *ready[1:]),
        ),
    }


def constriction_coder(symbols: np.ndarray, indexes: np.ndarray) -> Coder:
    stream = constriction.stream
    scales = scale_table().double().numpy()
    reach = ceil(scales[-1] * REACH)
    model, means, each = stream.model.QuantizedGaussian(-reach, reach), np.zeros(len(indexes)), scales[indexes]

    def encode() -> bytes:
        coder = stream.stack.AnsCoder()
        coder.encode_reverse(symbols, model, means, each)
        return coder.get_compressed().tobytes()

    return encode, lambda data: stream.stack.AnsCoder(np.frombuffer(data, np.uint32)).decode(model, means, each)
