"""What all tests share: one hypothesis profile, and coding tables made at random."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import torch

from tutorial_lib.cdf import CdfTables

# The same examples on every machine and in every run: a red test stays red until it is mended.
hypothesis.settings.register_profile("course", deadline=None, derandomize=True)
hypothesis.settings.load_profile("course")

torch.set_num_threads(1)  # the tests' tensors are small: a second thread would mostly wait for the first


@pytest.fixture(scope="session")
def random_tables():
    """random_tables(rng, fewest=1): 1 to 7 tables of up to 200 symbols, flat or steep."""

    def make(rng: np.random.Generator, fewest: int = 1) -> CdfTables:
        rows = []
        for _ in range(rng.integers(1, 8)):
            cuts = rng.random(rng.integers(fewest, 201) - 1) ** rng.uniform(0.5, 6) * 65535
            inner = np.unique(cuts.astype(int) + 1)[:199]
            if len(inner) < fewest - 1:
                inner = np.arange(1, fewest)
            rows.append(np.array([0, *inner, 65536]))
        length = [len(row) for row in rows]
        cdf = [np.pad(row, (0, max(length) - len(row))) for row in rows]
        return CdfTables(cdf, length, rng.integers(-60, 10, len(rows)))

    return make


@pytest.fixture(scope="session")
def random_symbols():
    """random_symbols(rng, tables, indexes, reach): drawn from the tables, some far away."""

    def make(rng: np.random.Generator, tables: CdfTables, indexes: np.ndarray, reach: int) -> np.ndarray:
        symbols = np.empty(indexes.shape, dtype=np.int32)
        for position, t in np.ndenumerate(indexes):
            row = tables.cdf[t, : tables.length[t]]
            k = int(np.searchsorted(row, rng.integers(65536), side="right")) - 1
            value = k + int(tables.offset[t])
            if k == len(row) - 2 or rng.random() < 0.02:
                value = int(rng.choice([-1, 1]) * 2 ** rng.uniform(0, np.log2(reach)))
            symbols[position] = np.clip(value, -reach, reach - 1)
        return symbols

    return make
