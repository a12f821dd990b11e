"""The conditional Gaussian against CompressAI's: likelihoods, gradients, tables, and strings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

pytest.importorskip("compressai")
from compressai import entropy_models
from compressai.models.google import get_scale_table

from tutorial_lib.cdf import CdfTables
from tutorial_lib.entropy_coder import EntropyCoder
from tutorial_lib.gaussian_conditional import GaussianConditional, scale_table


def pair(table: Tensor | None = None) -> tuple[GaussianConditional, nn.Module]:
    ours = GaussianConditional(table)
    theirs = entropy_models.GaussianConditional(
        ours.scale_table.tolist() if table is not None else get_scale_table().tolist(),
        scale_bound=0.11 if table is None else table[0].item(),
    )
    theirs.update()
    return ours, theirs


def latent(shape: tuple[int, ...], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """(y, scales, means): scales from far below the table to beyond it, y spread as they say, with outliers."""
    generator = torch.Generator().manual_seed(seed)
    scales = torch.exp(10 * torch.rand(shape, generator=generator) - 4)
    means = 5 * torch.randn(shape, generator=generator)
    y = means + scales * torch.randn(shape, generator=generator)
    y[torch.rand(shape, generator=generator) < 0.01] *= 30
    return y, scales, means


def run(model: nn.Module, inputs: tuple[Tensor, ...], seed: int = 5) -> tuple[Tensor, Tensor, list[Tensor]]:
    """y_hat, likelihoods, and the gradients of bits and ŷ together."""
    inputs = [t.detach().requires_grad_() for t in inputs]
    torch.manual_seed(seed)
    y_hat, likelihoods = model(*inputs)
    gradients = torch.autograd.grad(-likelihoods.log2().sum() + y_hat.sum(), inputs, allow_unused=True)
    return y_hat.detach(), likelihoods.detach(), gradients


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("with_means", [True, False])
@pytest.mark.parametrize("shape", [(3, 7), (2, 5, 16, 12), (1, 2, 3, 4, 5)])
def test_same_likelihoods_and_gradients(
    shape: tuple[int, ...], with_means: bool, dtype: torch.dtype, training: bool
) -> None:
    ours, theirs = (model.to(dtype).train(training) for model in pair())
    inputs = tuple(t.to(dtype) for t in latent(shape)[: 3 if with_means else 2])
    y_hat, likelihoods, gradients = run(ours, inputs)
    expected_y_hat, expected_likelihoods, expected_gradients = run(theirs, inputs)
    assert torch.equal(y_hat, expected_y_hat)
    assert (likelihoods - expected_likelihoods).abs().max() <= 1e-6
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-6)


def test_same_in_another_layout_in_memory() -> None:
    """Noise is drawn in the order of the memory, so this might differ."""
    for training in (True, False):
        ours, theirs = (model.train(training) for model in pair())
        inputs = tuple(t.to(memory_format=torch.channels_last) for t in latent((2, 5, 8, 6)))
        for mine, other in zip(run(ours, inputs)[:2], run(theirs, inputs)[:2], strict=True):
            torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)


def test_the_same_scale_table() -> None:
    assert torch.equal(scale_table(), get_scale_table())
    assert torch.equal(pair()[0].scale_table, pair()[1].scale_table)


@given(st.lists(st.floats(-1, 400, width=32), min_size=1, max_size=30))
@settings(max_examples=50)
def test_the_same_indexes(scales: list[float]) -> None:
    ours, theirs = PAIR
    assert torch.equal(ours.indexes(torch.tensor(scales)), theirs.build_indexes(torch.tensor(scales)))


PAIR = pair()


def test_the_same_indexes_at_just_below_and_just_above_the_tables_values() -> None:
    ours, theirs = pair()
    table = ours.scale_table
    ends = torch.tensor([-math.inf, 0.0, 1e-9, 0.1, 300.0, math.inf])
    for scales in (table, torch.nextafter(table, ends[:1]), torch.nextafter(table, ends[-1:]), ends):
        indexes = ours.indexes(scales)
        assert torch.equal(indexes, theirs.build_indexes(scales)) and indexes.dtype == torch.int32


@pytest.mark.parametrize(
    "table",
    [None, torch.tensor([0.5]), scale_table(0.3, 20.0, 10), torch.tensor([0.013, 0.2, 0.9, 77.7])],
    ids=["usual", "one", "ten", "uneven"],
)
def test_the_same_tables_count_for_count(table: Tensor | None) -> None:
    ours, theirs = pair(table)
    tables = CdfTables.from_pmfs(*ours.pmfs())
    assert np.array_equal(tables.cdf, theirs._quantized_cdf.numpy())
    assert np.array_equal(tables.length, theirs._cdf_length.numpy())
    assert np.array_equal(tables.offset, theirs._offset.numpy())


@pytest.mark.parametrize("with_means", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_the_same_bytes_and_each_decodes_the_others(seed: int, with_means: bool) -> None:
    ours, theirs = pair()
    coder = EntropyCoder.build(ours)
    y, scales, means = latent((2, 4, 12, 9), seed)
    means = means if with_means else None
    indexes = ours.indexes(scales)
    strings = coder.compress(y, indexes, means)
    expected = theirs.compress(y, theirs.build_indexes(scales), means)
    assert strings == expected
    back = coder.decompress(expected, indexes=indexes, means=means)
    assert torch.equal(back, theirs.decompress(strings, indexes, means=means))
    assert torch.equal(back, ours.eval()(y, scales, means)[0])
    assert torch.equal(back, theirs.eval()(y, scales, means)[0])


def test_its_state_loads_tables_and_all() -> None:
    _, theirs = pair(scale_table(0.3, 20.0, 10))
    ours = GaussianConditional(scale_table(1.0, 2.0, 10))
    holder = nn.ModuleDict({"gaussian_conditional": ours})
    state = nn.ModuleDict({"gaussian_conditional": theirs}).state_dict()
    assert len(state) > 4
    holder.load_state_dict(state, strict=True)
    assert torch.equal(ours.scale_table, theirs.scale_table)
    inputs = latent((2, 3, 4, 4))
    for mine, other in zip(run(ours.eval(), inputs)[:2], run(theirs.eval(), inputs)[:2], strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-6)
