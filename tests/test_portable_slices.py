"""The full codec's prior: the decoder finds the encoder's latent to the last bit, from all of the stream or a part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib import portable_slices
from tutorial_lib.context import coding_passes
from tutorial_lib.dct_transforms import KEPT, coarse_to_fine
from tutorial_lib.gaussian_conditional import SCALE_LEVELS, scale_table
from tutorial_lib.information import bits
from tutorial_lib.portable import FIXED_POINT, FLOATS, LIMIT, ONE, to_fixed
from tutorial_lib.portable_slices import TABLES_PER_UNIT, PassPredictor, PortableSlices, log_scale_of, scale_of
from tutorial_lib.quality import quality_map
from tutorial_lib.rans import BitstreamError, Decoder, decode, encode

M, N = sum(KEPT), 8
SIZES = (6, 18, 36, 72, 252)
K = len(SIZES)
Size = tuple[int, int]


def coefficients(*shape: int, seed: int = 0) -> Tensor:
    """(B, h, w) -> (B, M, h, w): coarse coefficients large, fine ones small."""
    batch, height, width = shape
    spread = 6 * torch.exp(-coarse_to_fine().argsort() / 60)[:, None, None] + 0.2
    return spread * torch.randn(batch, M, height, width, generator=torch.Generator().manual_seed(seed))


def at(quality: float, batch: int = 1) -> Tensor:
    """The condition for so many images that are coded at one quality."""
    return torch.full((batch,), float(quality))


def price(weight: float | Tensor) -> Callable[[Tensor], Tensor]:
    """A distortion weight that is the same for all qualities, for `PortableSlices.distortion_weight`."""
    return lambda quality: torch.as_tensor(weight).expand(len(quality), M, 1, 1)


@pytest.fixture(scope="module")
def make_prior(lively_codec) -> Callable[..., PortableSlices]:
    def make(weight: float | Tensor = 2.0) -> PortableSlices:
        prior = lively_codec().prior
        prior.distortion_weight = price(weight)
        return prior

    return make


@pytest.fixture(scope="module")
def prior(make_prior) -> PortableSlices:
    return make_prior()


def recorded(prior: PortableSlices, strings: list[list[bytes]], shape: Size, quality: int) -> list[tuple]:
    """What a decoder of one picture computes, part by part: (slice, tables (1, C, positions), means in fixed point)."""
    decoder = Decoder(b"".join(piece for (piece,) in strings), prior.holder.coder.tables)
    seen: list[tuple[int, np.ndarray, Tensor]] = []

    def read(number: int, where: Tensor, log_scales: Tensor, means: Tensor) -> Tensor:
        tables = table_of(log_scales)[..., where].numpy()
        seen.append((number, tables, means[..., where]))
        y_hat = means.clone()
        y_hat[..., where] += torch.from_numpy(decoder.pop(tables)) * ONE
        return y_hat.clamp(-LIMIT, LIMIT)

    prior.scan(at(quality), shape, read, FIXED_POINT)
    return seen


def table_of(log_scales: Tensor) -> Tensor:
    """In fixed point 128 units are a table."""
    return torch.round(log_scales / 128).clamp(0, 63).int()


# Exactness ---------------------------------------------------------------------------------------------------------


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 6)),
    batch=st.integers(1, 3),
    quality=st.integers(1, 100),
    seed=st.integers(0, 99),
)
@settings(max_examples=8)
@example(size=(1, 1), batch=1, quality=1, seed=0)
@example(size=(1, 5), batch=2, quality=100, seed=0)
@example(size=(8, 4), batch=1, quality=37, seed=0)
def test_decoding_gives_exactly_what_was_rated(
    prior, size: Size, batch: int, quality: int, seed: int, check_coding
) -> None:
    y = coefficients(batch, *size, seed=seed)
    check_coding(prior, y, K + 1, at(quality, len(y)))
    with torch.no_grad():
        _, likelihoods = prior(y, at(quality, len(y)))
    z_shape = (batch, N, -(-size[0] // 4), -(-size[1] // 4))
    assert {name: value.shape for name, value in likelihoods.items()} == {"y": y.shape, "z": z_shape}


def test_the_test_prior_has_something_to_code(prior) -> None:
    """Without this, all that was found equal might have been zero."""
    strings = prior.compress(coefficients(1, 6, 7), at(37))
    seen = recorded(prior, strings, (6, 7), 37)
    assert [n for n, _, _ in seen] == [0, 1, 1, 1, 1, 1, 2, 3, 4, 5]
    for n, tables, means in seen[1:]:
        assert len(np.unique(tables)) > 4 and (n == 1 or np.ptp(tables, axis=2).max() > 0)  # a pass is of few positions
        assert (means / ONE).std() > 0.1 and means.std(dim=2).min() > 0
    _, z_tables, z_means = seen[0]
    assert len(np.unique(z_tables)) > 4 and (z_means == 0).all()
    z = prior._parts(coefficients(1, 6, 7), at(37))[0][0]
    assert z.round().unique().numel() > 5 and coefficients(1, 6, 7).round().unique().numel() > 15


def by_hand(prior: PortableSlices, y_hat: Tensor, z_hat: Tensor, quality: int, known: int) -> Tensor:
    """ŷ where the first `known` slices are those of a whole ŷ, and the others what the networks expect."""
    hint = to_fixed(quality_map(at(quality, len(z_hat)), z_hat))
    features = prior.synthesis.fixed_point(torch.cat([z_hat * ONE, hint], dim=1))
    features = features[..., : y_hat.shape[2], : y_hat.shape[3]]
    whole = y_hat.double()[:, coarse_to_fine()] * ONE
    first, pass_of = torch.zeros_like(whole[:, : SIZES[0]]), coding_passes("pyramid", *y_hat.shape[2:])
    for number, predictor in enumerate(prior.passes):
        _, means = predictor(features, first, FIXED_POINT)
        here = pass_of == number
        first = torch.where(pass_of < number, first, means)
        first[..., here] = (whole[:, : SIZES[0]] if known else means)[..., here]
    seen = torch.cat([features, first], dim=1)
    begin = SIZES[0]
    for k, size in enumerate(SIZES[1:], start=1):
        here = whole[:, begin : begin + size]
        if k >= known:
            here = prior.predictors[k - 1].fixed_point(seen)[:, size:]
        seen = torch.cat([seen, here], dim=1)
        begin += size
    return (seen[:, -M:] / ONE)[:, coarse_to_fine().argsort()].float()


@pytest.mark.parametrize("quality", [1, 37, 100])
def test_the_first_pieces_decode_and_what_is_missing_gets_its_means(prior, quality: int) -> None:
    y = coefficients(2, 5, 6)
    strings = prior.compress(y, at(quality, len(y)))
    whole = prior.decompress(strings, (5, 6), at(quality, 2))
    z_hat = torch.round(prior._parts(y, at(quality, 2))[0][0]).detach().double()
    order = coarse_to_fine()
    errors = []
    for known in range(K + 1):
        some = prior.decompress(strings[: known + 1], (5, 6), at(quality, 2))
        first = order[: sum(SIZES[:known])]
        assert torch.equal(some[:, first], whole[:, first])
        assert torch.equal(some, by_hand(prior, whole, z_hat, quality, known))
        errors.append((some - y).square().mean().item())
    assert errors[K] < 0.5 and errors[K] < min(errors[:K])


def test_what_follows_the_means_is_whole_numbers_away_from_them(prior) -> None:
    strings = prior.compress(coefficients(1, 4, 4), at(60))
    y_hat = prior.decompress(strings, (4, 4), at(60))[:, coarse_to_fine()[SIZES[0] :]]
    means = torch.cat([means for n, _, means in recorded(prior, strings, (4, 4), 60) if n > 1], dim=1)
    symbols = y_hat.double().flatten(2) - means / ONE
    assert torch.equal(symbols, symbols.round()) and symbols.abs().max() >= 2


# One stream --------------------------------------------------------------------------------------------------------


def test_the_pieces_are_one_stream_cut_behind_the_last_word_that_each_needs(prior) -> None:
    y = coefficients(1, 5, 4)
    strings = prior.compress(y, at(80, len(y)))
    stream = b"".join(piece for (piece,) in strings)
    indexes = np.concatenate([tables.reshape(-1) for _, tables, _ in recorded(prior, strings, (5, 4), 80)])
    tables = prior.holder.coder.tables
    symbols = decode(stream, indexes, tables)  # which checks the end, too
    assert encode(symbols, indexes, tables) == stream
    assert symbols.size == N * 2 * 1 + M * 20
    assert len(strings[0][0]) >= 8 and all(len(piece) % 4 == 0 for (piece,) in strings)
    for k, (piece,) in enumerate(strings):
        if len(piece) > (8 if k == 0 else 0):
            with pytest.raises(BitstreamError, match="ends before"):
                prior.decompress([*strings[:k], [piece[:-4]]], (5, 4), at(80))


def test_a_batch_is_coded_as_its_images_are(prior) -> None:
    y = coefficients(3, 3, 5)
    together = prior.compress(y, at(42, len(y)))
    alone = [prior.compress(image[None], at(42)) for image in y]
    assert together == [[strings[k][0] for strings in alone] for k in range(K + 1)]
    decoded = prior.decompress(together, (3, 5), at(42, 3))
    for n, strings in enumerate(alone):
        assert torch.equal(decoded[n : n + 1], prior.decompress(strings, (3, 5), at(42)))


@pytest.mark.filterwarnings("ignore:TF32")
def test_the_same_bytes_and_latents_however_it_is_computed(make_prior, other_ways_to_compute) -> None:
    prior, y, shape = make_prior(), coefficients(2, 7, 6), (7, 6)
    strings = prior.compress(y, at(55, len(y)))
    y_hat = prior.decompress(strings, shape, at(55, 2))
    for name, way in other_ways_to_compute.items():
        with way():
            assert torch.equal(prior.decompress(strings, shape, at(55, 2)), y_hat), name
            assert prior.compress(y, at(55, len(y))) == strings, name
    assert prior.compress(y.contiguous(memory_format=torch.channels_last), at(55, 2)) == strings
    prior.to(memory_format=torch.channels_last)
    assert torch.equal(prior.decompress(strings, shape, at(55, 2)), y_hat)
    assert prior.compress(y, at(55, len(y))) == strings
    assert torch.equal(prior.train().decompress(strings, shape, at(55, 2)), y_hat)


def test_no_float_of_a_network_chooses_a_table(make_prior, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all floating-point convolutions be wrong: the decoder does not notice."""
    prior, y = make_prior(), coefficients(1, 4, 5)
    strings = prior.compress(y, at(20, len(y)))
    y_hat = prior.decompress(strings, (4, 5), at(20))

    def none(*_: object, **__: object) -> Tensor:
        raise AssertionError("a decoder computes with floats")

    monkeypatch.setattr(torch.nn.functional, "conv2d", none)
    monkeypatch.setattr(torch.nn.Conv2d, "forward", none)
    monkeypatch.setattr(type(prior.base_log_scale), "forward", none)
    assert torch.equal(prior.decompress(strings, (4, 5), at(20)), y_hat)


# Choices -----------------------------------------------------------------------------------------------------------


def test_an_error_that_costs_nothing_saves_bits_and_a_dear_one_is_small(make_prior) -> None:
    y = coefficients(1, 8, 8)
    sizes, errors = [], []
    for weight in (0.0, 1.0, 4.0, 1e6):
        prior = make_prior(weight)
        strings = prior.compress(y, at(50))
        sizes.append(sum(len(piece) for (piece,) in strings))
        errors.append((prior.decompress(strings, (8, 8), at(50)) - y).abs().max().item())
    assert sizes[0] < sizes[2] < sizes[3] and sizes[1] < sizes[2] and sizes[0] < 0.9 * sizes[3]
    assert errors[0] <= 1 + 1e-3 and 0.49 < errors[-1] <= 0.5 + 1e-3


def test_each_channel_has_its_own_weight(make_prior) -> None:
    y = coefficients(1, 4, 4)
    weight = torch.full((1, M, 1, 1), 1e6)
    weight[:, 300] = 0.0
    with torch.no_grad():
        error = (make_prior(weight).eval()(y, at(50))[0] - y).abs().amax(dim=(0, 2, 3))
    assert error[300] > 0.51 and error[torch.arange(M) != 300].max() <= 0.5 + 1e-3


def test_without_a_distortion_weight_every_symbol_is_the_nearest(make_prior) -> None:
    y, prior = coefficients(1, 4, 4), make_prior()
    prior.distortion_weight = None
    with torch.no_grad():
        nearest = prior(y, at(50))[0]
        assert torch.equal(nearest, make_prior(1e6)(y, at(50))[0])
    assert torch.equal(prior.decompress(prior.compress(y, at(50)), (4, 4), at(50)), nearest)


# Likelihoods -------------------------------------------------------------------------------------------------------


def test_scales_are_those_of_the_tables() -> None:
    """Eight tables are one unit of a log-scale."""
    torch.testing.assert_close(scale_of(torch.arange(SCALE_LEVELS) / 8), scale_table(), rtol=1e-5, atol=0)
    between = scale_of(torch.tensor([10.5 / 8]))
    torch.testing.assert_close(between, (scale_table()[10] * scale_table()[11]).sqrt()[None])
    torch.testing.assert_close(log_scale_of(scale_table()), torch.arange(SCALE_LEVELS) / 8)


def test_scales_stay_within_the_tables_and_find_back() -> None:
    log_scale = torch.tensor([-3.0, 0.0, 2.4, 7.875, 70.0], requires_grad=True)
    scales = scale_of(log_scale)
    assert scales.tolist() == pytest.approx([0.11, 0.11, scales[2].item(), 256, 256], rel=1e-5)
    (up,) = torch.autograd.grad(scales.sum(), log_scale, retain_graph=True)  # gradient descent makes scales smaller
    (down,) = torch.autograd.grad(-scales.sum(), log_scale)
    assert (up[1:] > 0).all() and up[0] == 0
    assert (down[:-1] < 0).all() and down[-1] == 0


def test_the_nearest_table_is_taken_and_one_that_exists() -> None:
    log_scales = torch.tensor([-5000.0, -1, 63, 65, 193, 20 * 128, 63.4 * 128, 1e6, LIMIT], dtype=torch.float64)
    taken = portable_slices._tables(log_scales)
    assert taken.tolist() == [0, 0, 0, 1, 2, 20, 63, 63, 63] and taken.dtype == torch.int32
    assert torch.equal(taken, table_of(log_scales))


def test_bytes_are_what_the_likelihoods_promise(prior) -> None:
    """Of a latent that is drawn from the very Gaussians that the prior expects."""
    generator = torch.Generator().manual_seed(3)
    drawn: list[tuple[Tensor, Tensor]] = []

    def draw(number: int, where: Tensor, log_scales: Tensor, means: Tensor) -> Tensor:
        index = table_of(log_scales)[..., where]
        scales = scale_of(index.float() / TABLES_PER_UNIT)
        symbols = torch.round(scales * torch.randn(index.shape, generator=generator))
        drawn.append((symbols, index))
        y_hat = means.clone()
        y_hat[..., where] += symbols * ONE
        return y_hat

    prior.scan(at(50), (24, 24), draw, FIXED_POINT)
    model = sum(
        bits(prior.gaussian.likelihood(symbols, scale_of(index.float() / TABLES_PER_UNIT))).item()
        for symbols, index in drawn
    )
    symbols, indexes = (
        np.concatenate([each.numpy().reshape(-1) for each in arrays]) for arrays in zip(*drawn, strict=True)
    )
    length = 8 * len(encode(symbols, indexes, prior.holder.coder.tables))
    assert model > 100_000
    assert 0.995 * model < length < 1.005 * model + 64


BEFORE_ANYTHING_IS_KNOWN = ("passes.0.from_known.weight", "passes.0.nearest.weight")


# Before training ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(5))
def test_a_pass_starts_with_the_mean_of_the_nearest_known_positions(number: int) -> None:
    """Which are four, all around: with a map of their own, as in the old picture of the passes."""
    torch.manual_seed(number)
    nearest = {1: [(-2, -2), (-2, 2), (2, -2), (2, 2)], 3: [(-1, -1), (-1, 1), (1, -1), (1, 1)]}
    nearest |= {2: [(-2, 0), (0, -2), (0, 2), (2, 0)], 4: [(-1, 0), (0, -1), (0, 1), (1, 0)], 0: []}
    predictor, known = PassPredictor(number, 3, 4, 6), torch.randn(2, 3, 9, 8)
    expected = torch.zeros_like(known)[..., 2:-2, 2:-2]
    for down, right in nearest[number]:
        expected += known[..., 2 + down : 7 + down, 2 + right : 6 + right] / 4
    with torch.no_grad():
        torch.testing.assert_close(predictor.nearest(known)[..., 2:-2, 2:-2], expected)
        predictor.network[-1].weight.zero_()
        predictor.network[-1].bias.zero_()
        log_scales, means = predictor(torch.randn(2, 4, 9, 8), known, FLOATS)
    torch.testing.assert_close(means[..., 2:-2, 2:-2], expected)
    assert log_scales.shape == means.shape and not log_scales.any()


@pytest.mark.parametrize("channels", [1, 6, 20])
def test_what_a_pass_makes_of_coefficients_starts_a_tenth_as_large_as_pytorch_would(channels: int) -> None:
    torch.manual_seed(0)
    weight = PassPredictor(1, channels, 4, 40).from_known.weight
    usual = 1 / (25 * channels) ** 0.5  # the bound of the uniform distribution that a convolution starts with
    assert 0.095 * usual < weight.abs().max() <= 0.1 * usual


def test_the_prior_starts_at_the_spreads_of_what_is_left_and_with_small_networks() -> None:
    torch.manual_seed(0)
    prior = PortableSlices(SIZES, N, 8, 8)
    before = [network[-1].weight.clone() for network in prior.predictors]
    weights = [predictor.network[-1].weight.clone() for predictor in prior.passes]
    smooth = torch.full((2, M, 8, 8), 40.0) + coefficients(2, 8, 8)  # alike everywhere, but for some noise
    y, qualities = torch.cat([smooth, 3 * coefficients(2, 8, 8, seed=1)]), torch.tensor([1.0, 1.0, 100.0, 100.0])
    prior.start_at(y, qualities)
    base = prior.base_log_scale.values
    rows = {row: y[qualities == quality][:, coarse_to_fine()] for row, quality in ((0, 1.0), (9, 100.0))}
    for row, latent in rows.items():
        scales = scale_of(base[row])
        spread = latent.square().mean(dim=(0, 2, 3)).sqrt()
        torch.testing.assert_close(scales[5 * SIZES[0] :], spread[SIZES[0] :].clamp(min=0.11), rtol=1e-4, atol=0)
        first = latent[:, : SIZES[0]]
        corners = (first[..., ::4, ::4].square().mean(dim=(0, 2, 3))).sqrt()  # pass 0 knows nothing
        torch.testing.assert_close(scales[: SIZES[0]], corners, rtol=1e-4, atol=0)
    of_passes = scale_of(base[0, : 5 * SIZES[0]]).view(5, SIZES[0])
    assert (of_passes[3:] < 0.6 * of_passes[0]).all()  # neighbours are alike, and that is known from the start
    assert (base[1:9] == 1.0).all()  # of other qualities nothing was told
    for network, weight in zip(prior.predictors, before, strict=True):
        assert torch.equal(network[-1].weight, 0.01 * weight) and not network[-1].bias.any()
    for predictor, weight in zip(prior.passes, weights, strict=True):
        assert torch.equal(predictor.network[-1].weight, 0.01 * weight) and not predictor.network[-1].bias.any()


# Training ----------------------------------------------------------------------------------------------------------


def test_gradients_reach_every_parameter(make_prior, gradients_reach_all) -> None:
    prior = make_prior().train()
    quality = torch.arange(10) * 11.0 + 1  # every row of the tables
    y = coefficients(10, 5, 6).requires_grad_()  # with a position for each pass
    torch.manual_seed(0)
    y_hat, likelihoods = prior(y, quality)
    (bits(likelihoods["y"]) + bits(likelihoods["z"]) + y_hat.square().sum()).backward()
    gradients_reach_all(prior, but=BEFORE_ANYTHING_IS_KNOWN)
    assert y.grad.isfinite().all() and (y.grad != 0).float().mean() > 0.9


def test_training_sees_nearly_what_use_will_code(make_prior, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the noise that makes z whole: the same symbols, but for the few that fixed point rounds differently.

    (The nearest ones: a choice by bits differs more often, because scales are real numbers in training.)
    """
    prior, y = make_prior(2e6), coefficients(2, 4, 8)
    monkeypatch.setattr(portable_slices, "add_uniform_noise", torch.round)
    with torch.no_grad():
        trained, rated = prior.train()(y, at(50, 2))
        used, promised = prior.eval()(y, at(50, 2))
    assert ((trained - used).abs() < 0.05).float().mean() > 0.9
    for name in ("y", "z"):
        assert bits(rated[name]).item() == pytest.approx(bits(promised[name]).item(), rel=0.03)


def test_training_draws_noise_for_z_and_nothing_else_draws_any(make_prior) -> None:
    prior, y = make_prior().train(), coefficients(1, 4, 4)

    def z_likelihoods(seed: int) -> Tensor:
        torch.manual_seed(seed)
        with torch.no_grad():
            return prior(y, at(50))[1]["z"]

    assert torch.equal(z_likelihoods(0), z_likelihoods(0))
    assert not torch.equal(z_likelihoods(0), z_likelihoods(1))
    prior.eval()
    before = torch.get_rng_state()
    prior(y, at(50))
    prior.decompress(prior.compress(y, at(50)), (4, 4), at(50))
    assert torch.equal(torch.get_rng_state(), before)


# What can go wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(), (6, 18), (6, 18, 36, 72, 253), (385,)], ids=str)
def test_slices_that_do_not_make_the_latent_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^slices of \[.*\] channels do not make the latent's 384\.$"):
        PortableSlices(sizes, 4, 4, 4)


@pytest.mark.parametrize("sizes", [(384, 0), (385, -1)], ids=str)
def test_slices_without_channels_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^slices have 1 channel or more, unlike \[38.*\]\.$"):
        PortableSlices(sizes, 4, 4, 4)


def test_without_a_quality_nothing_is_coded(prior) -> None:
    y = coefficients(1, 2, 2)
    strings = prior.compress(y, at(50))
    for use in (prior, prior.compress, lambda y: prior.decompress(strings, (2, 2))):
        with pytest.raises(ValueError, match=r"^this prior is conditioned on a quality\.$"):
            use(y)


@pytest.mark.parametrize("condition", [torch.tensor([50.5, 50.5]), torch.tensor([50.0, 51.0])], ids=str)
def test_a_batch_is_coded_at_one_whole_quality(prior, condition: Tensor) -> None:
    y = coefficients(2, 2, 2)
    strings = prior.compress(y, at(50, 2))
    for use in (
        lambda: prior(y, condition),
        lambda: prior.compress(y, condition),
        lambda: prior.decompress(strings, (2, 2), condition),
    ):
        with pytest.raises(ValueError, match=r"^a batch is coded at one whole quality\.$"):
            use()


def test_without_tables_there_is_a_loud_error() -> None:
    prior = PortableSlices(SIZES, 4, 4, 4)
    for use in (
        lambda: prior.compress(coefficients(1, 1, 1), at(50)),
        lambda: prior.decompress([[b""]], (1, 1), at(50)),
    ):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (lambda prior: prior.synthesis[3].weight, 2.0**15),
        (lambda prior: prior.predictors[0][0].bias, float("nan")),
        (lambda prior: prior.passes[4].nearest.weight, float("inf")),
        (lambda prior: prior.base_log_scale.values, float("nan")),
        (lambda prior: prior.z_log_scale.values, float("inf")),
    ],
    ids=["synthesis", "first predictor", "last pass", "y's log-scales", "z's log-scales"],
)
def test_diverged_weights_get_no_tables(lively_codec, where, value: float, one_sentence) -> None:
    prior = lively_codec().prior
    before = prior.holder.coder
    with torch.no_grad():
        where(prior).view(-1)[-1] = value
    with pytest.raises(ValueError, match="weights have diverged") as caught:
        prior.build_coder()
    assert one_sentence(caught.value) and prior.holder.coder is before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_latents_that_cannot_be_coded_are_refused(prior, value: float) -> None:
    y = coefficients(1, 2, 3)
    y[0, 200, 1, 1] = value
    with pytest.raises(ValueError, match=r"NaN or infinity|fit in 32 bits") as caught:
        prior.compress(y, at(50, len(y)))
    assert not isinstance(caught.value, BitstreamError)


def test_wide_latents_are_coded_to_the_limit_and_cut_off_there_on_both_sides(prior, check_coding) -> None:
    y = coefficients(1, 3, 3)
    y[0, coarse_to_fine()[[0, 100]], 1, 1] = torch.tensor([20_000.0, -70_000.0])
    check_coding(prior, y, K + 1, at(50))
    assert prior(y, at(50))[0].abs().max() == 8192


def test_too_many_strings_or_none_are_refused(prior) -> None:
    strings = prior.compress(coefficients(1, 2, 2), at(50))
    for wrong in ([], [*strings, [b""]], strings * 3):
        with pytest.raises(BitstreamError, match=rf"^this codec reads 1 to 6 strings a picture, not {len(wrong)}\.$"):
            prior.decompress(wrong, (2, 2), at(50))
    with pytest.raises(BitstreamError, match=r"^string 3 is lost, and those behind it need it"):
        prior.decompress([*strings[:2], None, *strings[3:]], (2, 2), at(50))


def test_damaged_strings_are_refused(prior, one_sentence) -> None:
    strings = prior.compress(coefficients(1, 3, 3), at(50))
    for n, (piece,) in enumerate(strings):
        for damaged in (b"", piece[:-1], piece[:-4], piece + bytes(4)):
            if damaged != piece:
                with pytest.raises(BitstreamError) as caught:
                    prior.decompress([[damaged] if m == n else part for m, part in enumerate(strings)], (3, 3), at(50))
                assert one_sentence(caught.value)
    with pytest.raises(BitstreamError):
        prior.decompress([*strings[:-1], [strings[-1][0] + bytes(4)]], (3, 3), at(50))
    with pytest.raises(BitstreamError):
        prior.decompress(strings, (9, 9), at(50))


def test_bytes_at_random_are_refused_or_decode_to_something_finite(prior) -> None:
    strings = [piece for (piece,) in prior.compress(coefficients(1, 1, 2), at(50))]
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(150):
        damaged = [bytearray(piece) for piece in strings[: rng.integers(1, K + 2)]]
        for _ in range(rng.integers(1, 4)):
            piece = damaged[rng.integers(len(damaged))]
            if len(piece):
                piece[rng.integers(len(piece))] ^= 1 << rng.integers(8)
        if rng.random() < 0.2:
            damaged[-1] = damaged[-1][: rng.integers(len(damaged[-1]) + 1)]
        try:
            y_hat = prior.decompress([[bytes(piece)] for piece in damaged], (1, 2), at(50))
            assert y_hat.isfinite().all() and y_hat.abs().max() <= 8192
        except BitstreamError:
            refused += 1
    assert 20 < refused < 150
