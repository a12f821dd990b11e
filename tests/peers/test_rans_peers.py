"""rans beside CompressAI's coder: the same bytes, and each decodes the other's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("compressai")
from compressai.ans import BufferedRansEncoder, RansDecoder, RansEncoder
from compressai.entropy_models import EntropyBottleneck, GaussianConditional

from tutorial_lib import rans
from tutorial_lib.cdf import CdfTables
from tutorial_lib.entropy_coder import EntropyCoder


def their_arguments(indexes, tables):
    return indexes.tolist(), tables.cdf.tolist(), tables.length.tolist(), tables.offset.tolist()


@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_streams_are_byte_identical(random_tables, random_symbols, seed):
    rng = np.random.default_rng(seed)
    for _ in range(100):
        tables = random_tables(rng, fewest=2)  # a table of one symbol would end their process
        indexes = rng.integers(0, len(tables.length), rng.integers(4, 400))
        symbols = random_symbols(rng, tables, indexes, 2**26)
        ours = rans.encode(symbols, indexes, tables)
        theirs = RansEncoder().encode_with_indexes(symbols.tolist(), *their_arguments(indexes, tables))
        assert ours == theirs
        assert RansDecoder().decode_with_indexes(ours, *their_arguments(indexes, tables)) == symbols.tolist()
        assert (rans.decode(theirs, indexes, tables) == symbols).all()


def test_streams_that_they_write_or_read_in_parts(random_tables, random_symbols):
    rng = np.random.default_rng(11)
    for _ in range(20):
        tables = random_tables(rng, fewest=2)
        indexes = rng.integers(0, len(tables.length), 50)
        symbols = random_symbols(rng, tables, indexes, 2**20)
        encoder, decoder = BufferedRansEncoder(), RansDecoder()
        for part in np.split(np.arange(50), [20, 21]):
            encoder.encode_with_indexes(symbols[part].tolist(), *their_arguments(indexes[part], tables))
        data = rans.encode(symbols, indexes, tables)
        assert encoder.flush() == data
        decoder.set_stream(data)
        back = [decoder.decode_stream(*their_arguments(part, tables)) for part in np.split(indexes, [7, 8])]
        assert np.concatenate(back).tolist() == symbols.tolist()


def test_their_bottleneck_and_our_coder_write_the_same_strings():
    torch.manual_seed(12)
    model = EntropyBottleneck(5)
    with torch.no_grad():
        model.quantiles += torch.tensor([-3.2, 0.3, 4.9])
    model.update(force=True)
    tables = CdfTables(model._quantized_cdf, model._cdf_length, model._offset)
    coder = EntropyCoder(tables, model.quantiles[:, 0, 1])
    latent = torch.randn(3, 5, 6, 7) * 8
    strings = model.compress(latent)
    assert coder.compress(latent) == strings
    assert torch.equal(coder.decompress(strings, (6, 7)), model.decompress(strings, (6, 7)))


def test_their_gaussian_conditional_and_our_coder_write_the_same_strings():
    torch.manual_seed(13)
    model = GaussianConditional(np.exp(np.linspace(np.log(0.11), np.log(256), 64)).tolist())
    model.update()
    tables = CdfTables(model._quantized_cdf, model._cdf_length, model._offset)
    coder = EntropyCoder(tables)
    scales = torch.exp(torch.rand(2, 4, 8, 8) * 6 - 2)
    means = torch.randn(scales.shape) * 5
    latent = means + scales * torch.randn(scales.shape)
    indexes = model.build_indexes(scales)
    strings = model.compress(latent, indexes, means=means)
    assert coder.compress(latent, indexes, means) == strings
    assert torch.equal(
        coder.decompress(strings, (8, 8), indexes, means), model.decompress(strings, indexes, means=means)
    )
