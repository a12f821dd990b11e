"""How fast are entropy coders? tutorial_lib.rans beside CompressAI's `ans` and constriction, in one run.

    python benchmarks/coders.py [--rounds 9] [--symbols 1000000]

The data: symbols of a Gaussian latent, each with one of 64 scales from 0.11 to 256 (CompressAI's default
table), in two orders. *Mixed*: the scale changes at random from symbol to symbol, which is hard on caches.
*By channel*: 64 runs of one scale each, as in a factorised latent.

What is timed: a whole Python call, from an array to bytes (encode) and from bytes to an array (decode).
CompressAI's coder takes and returns Python lists. Its own entropy models make them from tensors, and a
tensor from the result, for every image; so does the row "CompressAI, tensors", with the same functions.
"CompressAI, lists ready" leaves all that out: lists made beforehand, and a list for a result.

How: in each round every coder runs once, one after another, so that whatever else the machine does hits all
of them alike. Ratios are taken within a round, and their medians over the rounds are shown: "x slower" is a
coder's time over that of tutorial_lib.rans. What each coder decodes is compared with what went in.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from math import erfc, sqrt

import numpy as np

from tutorial_lib import rans
from tutorial_lib.cdf import CdfTables

SCALES = np.exp(np.linspace(np.log(0.11), np.log(256), 64))
REACH = 6.1094  # standard deviations: outside of them is 1e-9 of a Gaussian

Coder = tuple[Callable[[], object], Callable[[object], object]]  # encode() -> coded; decode(coded) -> symbols


def gaussian_tables() -> tuple[CdfTables, list[np.ndarray]]:
    """A table for each scale, as CompressAI's GaussianConditional makes them; and the PMFs before that."""
    upper = np.vectorize(lambda t: erfc(t / sqrt(2)) / 2)
    pmfs, offsets, tails = [], [], []
    for scale in SCALES:
        reach = int(np.ceil(scale * REACH))
        distance = np.abs(np.arange(-reach, reach + 1))
        pmfs.append(upper((distance - 0.5) / scale) - upper((distance + 0.5) / scale))
        offsets.append(-reach)
        tails.append(2 * upper((reach + 0.5) / scale))
    return CdfTables.from_pmfs(pmfs, offsets, tails), pmfs


def information(symbols: np.ndarray, indexes: np.ndarray, pmfs: list[np.ndarray]) -> float:
    """-log2 of the symbols' probability, in bits. (Outside of its PMF a symbol costs 30, its tail.)"""
    bits = 0.0
    for t, pmf in enumerate(pmfs):
        position = symbols[indexes == t] + len(pmf) // 2
        listed = (position >= 0) & (position < len(pmf))
        bits += 30 * (~listed).sum() - np.log2(pmf[position[listed]]).sum()
    return bits


def latent(order: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    indexes = rng.integers(0, len(SCALES), count).astype(np.int32)
    if order == "by channel":
        indexes.sort()
    symbols = np.rint(rng.normal(size=count) * SCALES[indexes]).astype(np.int32)
    return symbols, indexes


def our_coder(symbols: np.ndarray, indexes: np.ndarray, tables: CdfTables) -> dict[str, Coder]:
    return {
        "tutorial_lib.rans": (
            lambda: rans.encode(symbols, indexes, tables),
            lambda data: rans.decode(data, indexes, tables),
        )
    }


def compressai_coders(symbols: np.ndarray, indexes: np.ndarray, tables: CdfTables) -> dict[str, Coder]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from compressai.ans import RansDecoder, RansEncoder
    import torch

    tensors = [torch.tensor(array) for array in (symbols, indexes, tables.cdf, tables.length, tables.offset)]

    def lists() -> list[list]:
        return [tensor.tolist() for tensor in tensors]

    def decode(data: bytes) -> torch.Tensor:
        arguments = [tensor.tolist() for tensor in tensors[1:]]
        return torch.tensor(RansDecoder().decode_with_indexes(data, *arguments), dtype=torch.int32)

    ready = lists()
    return {
        "CompressAI, tensors": (lambda: RansEncoder().encode_with_indexes(*lists()), decode),
        "CompressAI, lists ready": (
            lambda: RansEncoder().encode_with_indexes(*ready),
            lambda data: RansDecoder().decode_with_indexes(data, *ready[1:]),
        ),
    }


def constriction_coders(symbols: np.ndarray, indexes: np.ndarray, tables: CdfTables) -> dict[str, Coder]:
    import constriction

    AnsCoder, QuantizedGaussian = (
        constriction.stream.stack.AnsCoder,
        constriction.stream.model.QuantizedGaussian,
    )
    reach = int(np.ceil(SCALES[-1] * REACH)) + 100
    model, scales, means = QuantizedGaussian(-reach, reach), SCALES[indexes], np.zeros(len(indexes))

    def encode() -> bytes:
        coder = AnsCoder()
        coder.encode_reverse(symbols, model, means, scales)
        return coder.get_compressed().tobytes()

    return {
        "constriction, arrays": (
            encode,
            lambda data: AnsCoder(np.frombuffer(data, np.uint32)).decode(model, means, scales),
        )
    }


def measure(coders: dict[str, Coder], symbols: np.ndarray, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of (encode, decode) in each round, after one to warm up, which also checks the results."""
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in coders}
    for name, (encode, decode) in coders.items():
        if not np.array_equal(decode(encode()), symbols):
            raise RuntimeError(f"{name} does not return what it was given.")
    for _ in range(rounds):
        for name, (encode, decode) in coders.items():
            start = time.perf_counter()
            data = encode()
            middle = time.perf_counter()
            decode(data)
            seconds[name].append((middle - start, time.perf_counter() - middle))
    return seconds


def report(order: str, count: int, rounds: int) -> None:
    tables, pmfs = gaussian_tables()
    symbols, indexes = latent(order, count)
    ideal = information(symbols, indexes, pmfs) / 8
    coders, missing = our_coder(symbols, indexes, tables), []
    for peer, make in (("compressai", compressai_coders), ("constriction", constriction_coders)):
        try:
            coders |= make(symbols, indexes, tables)
        except ImportError as error:
            missing.append(f"{peer} is not here ({error}). To compare with it: pip install {peer}")
    seconds = measure(coders, symbols, rounds)
    ours = seconds["tutorial_lib.rans"]

    print(f"\n**{count:,} symbols, scales {order}, medians of {rounds} rounds**\n")
    print("| coder | encode Msym/s | decode Msym/s | encode x slower | decode x slower | bytes / ideal |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, (encode, _) in coders.items():
        cells = []
        for side in (0, 1):
            cells.append(f"{count / 1e6 / statistics.median(s[side] for s in seconds[name]):.1f}")
        for side in (0, 1):
            ratios = [s[side] / o[side] for s, o in zip(seconds[name], ours, strict=True)]
            cells.append(f"{statistics.median(ratios):.1f}")
        cells.append(f"{len(encode()) / ideal:.4f}")
        print(f"| {name} | {' | '.join(cells)} |")
    for line in missing:
        print(f"\n{line}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Entropy coders side by side: throughput and size.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--symbols", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if arguments.rounds < 1 or arguments.symbols < 1000:
        parser.error("give at least 1 round and 1000 symbols")
    for order in ("mixed", "by channel"):
        report(order, arguments.symbols, arguments.rounds)


if __name__ == "__main__":
    main()
