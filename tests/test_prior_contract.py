"""Every prior of the course in the frame of a variable rate: it trains, saves, loads, codes, and refuses damage."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tutorial_lib.bitstream import unpack
from tutorial_lib.codec import Codec
from tutorial_lib.codec_registry import register_codec
from tutorial_lib.context import ORDERS, AttentionContext, ConvContext, slim_context
from tutorial_lib.dct_transforms import BLOCK, KEPT, DctAnalysis, DctSynthesis, coarse_to_fine
from tutorial_lib.files.images import to_float, to_uint8
from tutorial_lib.gaussian_conditional import GaussianConditional
from tutorial_lib.hyperprior import MeanScaleHyperprior, ScaleHyperprior, slim_hyperprior
from tutorial_lib.information import bits
from tutorial_lib.prior import FactorizedPrior, Prior
from tutorial_lib.quality import VariableRateCodec, step_of
from tutorial_lib.rans import BitstreamError
from tutorial_lib.recipe import Recipe
from tutorial_lib.slicing import SpatialSlices, slim_slices
from tutorial_lib.training import RandomCrops, Training
from tutorial_lib.transform_codec import TransformCodec
from tutorial_lib.workbench.photos import photo

M = sum(KEPT)
SIZES = (6, 18, 108, 252)
KINDS = {"conv": ConvContext, "attention": AttentionContext}
HEIGHT, WIDTH = 50, 70  # pixels: 4 × 5 positions of a latent
TILE = 3  # so 4 × 5 positions are 4 tiles


def slices(residual: bool) -> Prior:
    return slim_slices(SIZES, coarse_to_fine(), N=16, inner=8, residual=residual)


# What a prior is called, how it is made, and how many strings it writes for such a picture.
PRIORS: dict[str, tuple[Callable[[], Prior], int]] = {
    "factorized": (lambda: FactorizedPrior(M), 1),
    "scale": (lambda: slim_hyperprior(ScaleHyperprior, M), 2),
    "mean-scale": (lambda: slim_hyperprior(MeanScaleHyperprior, M), 2),
    **{
        f"{order} {name}": (lambda order=order, kind=kind: slim_context(kind, order, M, N=16), 2)
        for order in ORDERS
        for name, kind in KINDS.items()
    },
    "channel slices": (lambda: slices(residual=False), 1 + len(SIZES)),
    "channel slices with residuals": (lambda: slices(residual=True), 1 + len(SIZES)),
    "tiles": (lambda: SpatialSlices(slim_hyperprior(MeanScaleHyperprior, M), TILE), 2 * 4),
}
TINY = {"C": (4, 6, 6, 6), "P": (4, 6, 6, 6), "P_colour": (4, 4, 6, 6), "half": 4, "quarter": 4, "blocks": 1}
STRINGS = {name: count for name, (_, count) in PRIORS.items()} | {"subbands": 1 + len(TINY["C"])}
WITH_SLICES = [name for name in STRINGS if name.endswith(("slices", "residuals", "subbands"))]  # four each
any_prior = pytest.mark.parametrize("name", STRINGS)


class Analysis(DctAnalysis):
    """In units of the quality's step."""

    def forward(self, x: Tensor, quality: Tensor) -> Tensor:
        return super().forward(x) * (self.step / step_of(quality))


class Synthesis(DctSynthesis):
    def forward(self, y_hat: Tensor, quality: Tensor) -> Tensor:
        return super().forward(y_hat * (step_of(quality) / self.step))


@register_codec("test.any_prior")
def any_prior_in_the_frame(prior: str) -> VariableRateCodec:
    if prior == "subbands":  # whose latent is a structure of its own transforms
        return Codec(**TINY)
    return VariableRateCodec(Analysis(16.0, hidden=8), Synthesis(16.0, hidden=8), PRIORS[prior][0](), BLOCK)


@dataclass
class Run:
    """A codec that has been trained for a few steps; its parameters when it was created; and the steps' records."""

    codec: TransformCodec
    before: dict[str, Tensor]
    records: list[dict[str, float]]


@functools.cache
def run(name: str) -> Run:
    torch.manual_seed(0)
    codec = any_prior_in_the_frame(name)
    crops = RandomCrops([photo("chelsea")[:, 40:200, 60:260]], size=64, batch=2, seed=3)
    training = Training(codec, crops, Recipe(steps=4, batch=2, crop=64, warm_up=1, rate_warm_up=1), seed=3)
    before = {name: value.detach().clone() for name, value in codec.named_parameters()}
    records = list(training)
    return Run(training.finish(), before, records)


def cat(batch: int = 1) -> Tensor:
    """Parts of a photo, floats (B, 3, HEIGHT, WIDTH)."""
    parts = [photo("chelsea")[:, 60 : 60 + HEIGHT, left : left + WIDTH] for left in (110, 200, 20)]
    return torch.cat([to_float(part) for part in parts[:batch]])


@any_prior
def test_it_is_a_prior_and_the_frame_knows_its_name(name: str) -> None:
    codec = run(name).codec
    assert isinstance(codec.prior, Prior)
    assert (codec.name, codec.settings) == ("test.any_prior", {"prior": name})
    assert codec.prior.slices == (len(SIZES) if name in WITH_SLICES else 0)
    groups = codec.parameter_groups()
    assert all({"name", "params", "lr"} <= group.keys() for group in groups)
    ids = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(ids) == sorted(id(parameter) for parameter in codec.parameters())  # each once


@any_prior
def test_it_trains(name: str) -> None:
    done = run(name)
    assert len(done.records) == 4
    assert all(torch.tensor(list(record.values())).isfinite().all() for record in done.records)
    assert done.codec.is_built and not done.codec.training
    for parameter, value in done.codec.named_parameters():
        assert value.isfinite().all()
        assert not torch.equal(value, done.before[parameter]), parameter


@any_prior
def test_it_decodes_exactly_the_forward_pass_also_from_a_file(name: str, check_codec) -> None:
    codec, x = run(name).codec, cat()
    check_codec(codec, x, STRINGS[name], quality=30)
    with torch.no_grad():
        forward = to_uint8(codec(x, 30)["x_hat"])
    data = codec.encode(to_uint8(x), 30, effort=0)
    assert torch.equal(codec.decode(data), forward)
    stream = unpack(data)
    assert (stream.codec, stream.quality, len(stream.strings)) == ("test.any_prior", 30, STRINGS[name])
    assert stream.required == (1 if name in WITH_SLICES else STRINGS[name])


@any_prior
def test_it_is_saved_and_loaded(name: str, tmp_path: Path) -> None:
    codec, x = run(name).codec, cat()
    codec.save(tmp_path / "codec")
    torch.manual_seed(9)
    for kind in (TransformCodec, VariableRateCodec):
        loaded = kind.load(tmp_path / "codec")
    assert loaded.fingerprint() == codec.fingerprint() and loaded.settings == codec.settings
    data = codec.encode(to_uint8(x), 80)
    assert loaded.encode(to_uint8(x), 80) == data
    assert torch.equal(loaded.decode(data), codec.decode(data))


@any_prior
def test_a_batch_is_coded_like_its_images(name: str, check_codec) -> None:
    """Exactly as one forward pass; compared with the images alone, floats may be summed in another order."""
    codec, x = run(name).codec, cat(2)
    check_codec(codec, x, STRINGS[name], quality=60)
    together = codec.compress(x, 60)
    x_hat = codec.decompress(**together, quality=60)["x_hat"]
    for n in range(2):
        alone = codec.compress(x[n : n + 1], 60)
        for part, one in zip(together["strings"], alone["strings"], strict=True):
            assert abs(len(part[n]) - len(one[0])) <= 8
        difference = codec.decompress(**alone, quality=60)["x_hat"] - x_hat[n : n + 1]
        assert (difference.abs() < 1e-3).float().mean() > 0.95


def rated_by_the_tables(
    gaussian: GaussianConditional, residual: Tensor, scales: Tensor, likelihood=GaussianConditional.likelihood
) -> Tensor:
    """The likelihood with the table's scale instead of its own, which is up to 13 % smaller."""
    return likelihood(gaussian, residual, gaussian.scale_table[gaussian.indexes(scales).long()])


@any_prior
def test_bytes_are_what_the_likelihoods_promise(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codec, x = run(name).codec, cat()
    if name != "subbands":  # which rates with the tables' scales anyway
        monkeypatch.setattr(GaussianConditional, "likelihood", rated_by_the_tables)
    for quality in (10, 70):
        with torch.no_grad():
            likelihoods = list(codec(x, quality)["likelihoods"].values())
        promised = sum(bits(values).item() for values in likelihoods)
        rare = sum(int((values < 2**-20).sum()) for values in likelihoods)
        strings = [string for (string,) in codec.compress(x, quality)["strings"]]
        written = 8 * sum(map(len, strings))
        # An escape may cost less than its likelihood says, which is 1e-9 at least: 30 bits.
        assert 0.99 * promised - 64 - 10 * rare < written < 1.005 * promised + 64 * len(strings)


@any_prior
def test_damaged_strings_are_refused(name: str) -> None:
    codec = run(name).codec
    coded = codec.compress(cat(), 50)
    strings, shape = coded["strings"], coded["shape"]
    for n, (string,) in enumerate(strings):
        for damaged in (b"", string[:-1], string[:-4], string + bytes(4)):
            if damaged != string:
                wrong = [[damaged] if m == n else part for m, part in enumerate(strings)]
                with pytest.raises(BitstreamError) as caught:
                    codec.decompress(wrong, shape, 50)
                assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
    for wrong in ([], [*strings, [b""]], [*strings, *strings]):
        with pytest.raises(BitstreamError):
            codec.decompress(wrong, shape, 50)
    if name not in WITH_SLICES:
        with pytest.raises(BitstreamError):
            codec.decompress(strings[:-1], shape, 50)


@pytest.mark.parametrize("name", WITH_SLICES)
def test_slices_are_previews_that_come_nearer(name: str) -> None:
    codec, x = run(name).codec, cat()
    data, errors = codec.encode(to_uint8(x), 70), []
    for count in range(len(SIZES) + 1):
        picture = codec.decode(data, slices=count)
        assert picture.shape == (3, HEIGHT, WIDTH)
        errors.append((picture.float() - 255 * x[0]).square().mean().item())
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.5 * errors[1]
    assert torch.equal(codec.decode(data), picture)


@any_prior
def test_without_slices_none_can_be_asked_for(name: str) -> None:
    codec = run(name).codec
    data = codec.encode(to_uint8(cat()), 50)
    words = "5; this codec has 0 to 4" if name in WITH_SLICES else "this codec's files have no slices; leave them out"
    with pytest.raises(ValueError, match=words):
        codec.decode(data, slices=5)
