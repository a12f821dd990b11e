"""The full codec's prior: the decoder finds the encoder's latent to the last bit, from all of the stream or a part."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor
from tutorial_lib.turns import turns_of

from tutorial_lib.dct_transforms import KEPT, coarse_to_fine
from tutorial_lib.gaussian_conditional import SCALE_LEVELS, scale_table
from tutorial_lib.information import bits
from tutorial_lib.portable import LIMIT, ONE, to_fixed
from tutorial_lib.portable_slices import TABLES_PER_LEVEL, PortableSlices, level_of, scale_of
from tutorial_lib.rans import BitstreamError, Decoder, decode, encode
from tutorial_lib.variable_rate import plane, quality_of

M, N = sum(KEPT), 8
SIZES = (6, 18, 36, 72, 252)
K = len(SIZES)
PRICE = torch.full((1, M, 1, 1), 2.0)
Size = tuple[int, int]


def latent(*shape: int, seed: int = 0) -> Tensor:
    """(B, h, w) -> (B, M, h, w): coarse coefficients large, fine ones small."""
    batch, height, width = shape
    spread = 6 * torch.exp(-coarse_to_fine().argsort() / 60)[:, None, None] + 0.2
    return spread * torch.randn(batch, M, height, width, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def prior(lively_codec) -> PortableSlices:
    return lively_codec().prior


def recorded(prior: PortableSlices, strings: list[list[bytes]], shape: Size, quality: int) -> list[tuple]:
    """What a decoder of one picture computes, part by part: (slice, tables (1, C, positions), means in fixed point)."""
    decoder = Decoder(b"".join(piece for (piece,) in strings), prior.slot.coder.tables)
    seen: list[tuple[int, np.ndarray, Tensor]] = []

    def part(n: int, where: Tensor, tables: Tensor, means: Tensor) -> Tensor:
        seen.append((n, tables.numpy(), means))
        return torch.from_numpy(decoder.pull(tables.numpy()))

    prior.walk(quality, shape, part)
    return seen


# Exactness ---------------------------------------------------------------------------------------------------------


def check_coding(prior: PortableSlices, y: Tensor, quality: int) -> list[list[bytes]]:
    shape = tuple(y.shape[-2:])
    with torch.no_grad():
        strings = prior.compress(y, quality, PRICE)
        y_hat, likelihoods = prior.rate(y, quality, PRICE)
        decoded = prior.decompress(strings, shape, quality)
    assert [len(pieces) for pieces in strings] == [len(y)] * (K + 1)
    assert decoded.dtype == torch.float32 and decoded.shape == y.shape
    assert torch.equal(decoded, y_hat)
    assert {name: value.shape for name, value in likelihoods.items()} == {
        "y": y.shape,
        "z": (len(y), N, -(-shape[0] // 4), -(-shape[1] // 4)),
    }
    return strings


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
def test_decoding_gives_exactly_what_was_rated(prior, size: Size, batch: int, quality: int, seed: int) -> None:
    check_coding(prior, latent(batch, *size, seed=seed), quality)


def test_the_test_prior_has_something_to_code(prior) -> None:
    """Without this, all that was found equal might have been zero."""
    strings = prior.compress(latent(1, 6, 7), 37, PRICE)
    seen = recorded(prior, strings, (6, 7), 37)
    assert [n for n, _, _ in seen] == [0, 1, 1, 1, 1, 1, 2, 3, 4, 5]
    for n, tables, means in seen[1:]:
        assert len(np.unique(tables)) > 4 and (n == 1 or np.ptp(tables, axis=2).max() > 0)  # a turn is of few positions
        assert (means / ONE).std() > 0.1 and means.std(dim=2).min() > 0
    _, z_tables, z_means = seen[0]
    assert len(np.unique(z_tables)) > 4 and (z_means == 0).all()
    z = prior._analyse(latent(1, 6, 7), torch.tensor([37.0]))
    assert z.round().unique().numel() > 5 and latent(1, 6, 7).round().unique().numel() > 15


def by_hand(prior: PortableSlices, y_hat: Tensor, z_hat: Tensor, quality: int, known: int) -> Tensor:
    """ŷ where the first `known` slices are those of a whole ŷ, and the others what the networks expect."""
    told = to_fixed(plane(quality_of(quality, z_hat), z_hat))
    features = prior.synthesis.exact(torch.cat([z_hat * ONE, told], dim=1))
    features = features[..., : y_hat.shape[2], : y_hat.shape[3]]
    whole = y_hat.double()[:, coarse_to_fine()] * ONE
    first, turn_of = torch.zeros_like(whole[:, : SIZES[0]]), turns_of(*y_hat.shape[2:])
    for turn, network in enumerate(prior.turns):
        _, means = network.exact(features, first)
        here = turn_of == turn
        first = torch.where(turn_of < turn, first, means)
        first[..., here] = (whole[:, : SIZES[0]] if known else means)[..., here]
    seen = torch.cat([features, first], dim=1)
    begin = SIZES[0]
    for k, size in enumerate(SIZES[1:], start=1):
        here = whole[:, begin : begin + size]
        if k >= known:
            here = prior.predictors[k - 1].exact(seen)[:, size:]
        seen = torch.cat([seen, here], dim=1)
        begin += size
    return (seen[:, -M:] / ONE)[:, coarse_to_fine().argsort()].float()


@pytest.mark.parametrize("quality", [1, 37, 100])
def test_the_first_pieces_decode_and_what_is_missing_gets_its_means(prior, quality: int) -> None:
    y = latent(2, 5, 6)
    strings = prior.compress(y, quality, PRICE)
    whole = prior.decompress(strings, (5, 6), quality)
    z_hat = torch.round(prior._analyse(y, quality_of(quality, y))).detach().double()
    order = coarse_to_fine()
    errors = []
    for known in range(K + 1):
        some = prior.decompress(strings[: known + 1], (5, 6), quality)
        first = order[: sum(SIZES[:known])]
        assert torch.equal(some[:, first], whole[:, first])
        assert torch.equal(some, by_hand(prior, whole, z_hat, quality, known))
        errors.append((some - y).square().mean().item())
    assert errors[K] < 0.5 and errors[K] < min(errors[:K])


def test_what_follows_the_means_is_whole_numbers_away_from_them(prior) -> None:
    strings = prior.compress(latent(1, 4, 4), 60, PRICE)
    y_hat = prior.decompress(strings, (4, 4), 60)[:, coarse_to_fine()[SIZES[0] :]]
    means = torch.cat([means for n, _, means in recorded(prior, strings, (4, 4), 60) if n > 1], dim=1)
    symbols = y_hat.double().flatten(2) - means / ONE
    assert torch.equal(symbols, symbols.round()) and symbols.abs().max() >= 2


# One stream --------------------------------------------------------------------------------------------------------


def test_the_pieces_are_one_stream_cut_behind_the_last_word_that_each_needs(prior) -> None:
    y = latent(1, 5, 4)
    strings = prior.compress(y, 80, PRICE)
    stream = b"".join(piece for (piece,) in strings)
    indexes = np.concatenate([tables.reshape(-1) for _, tables, _ in recorded(prior, strings, (5, 4), 80)])
    tables = prior.slot.coder.tables
    symbols = decode(stream, indexes, tables)  # which checks the end, too
    assert encode(symbols, indexes, tables) == stream
    assert symbols.size == N * 2 * 1 + M * 20
    assert len(strings[0][0]) >= 8 and all(len(piece) % 4 == 0 for (piece,) in strings)
    for k, (piece,) in enumerate(strings):
        if len(piece) > (8 if k == 0 else 0):
            with pytest.raises(BitstreamError, match="ends before"):
                prior.decompress([*strings[:k], [piece[:-4]]], (5, 4), 80)


def test_a_batch_is_coded_as_its_images_are(prior) -> None:
    y = latent(3, 3, 5)
    together = prior.compress(y, 42, PRICE)
    alone = [prior.compress(image[None], 42, PRICE) for image in y]
    assert together == [[strings[k][0] for strings in alone] for k in range(K + 1)]
    decoded = prior.decompress(together, (3, 5), 42)
    for n, strings in enumerate(alone):
        assert torch.equal(decoded[n : n + 1], prior.decompress(strings, (3, 5), 42))


@pytest.mark.filterwarnings("ignore:TF32")
def test_the_same_bytes_and_latents_however_it_is_computed(lively_codec, other_ways_to_compute) -> None:
    prior, y, shape = lively_codec().prior, latent(2, 7, 6), (7, 6)
    strings = prior.compress(y, 55, PRICE)
    y_hat = prior.decompress(strings, shape, 55)
    for name, way in other_ways_to_compute.items():
        with way():
            assert torch.equal(prior.decompress(strings, shape, 55), y_hat), name
            assert prior.compress(y, 55, PRICE) == strings, name
    assert prior.compress(y.contiguous(memory_format=torch.channels_last), 55, PRICE) == strings
    prior.to(memory_format=torch.channels_last)
    assert torch.equal(prior.decompress(strings, shape, 55), y_hat)
    assert prior.compress(y, 55, PRICE) == strings
    assert torch.equal(prior.train().decompress(strings, shape, 55), y_hat)


def test_no_float_of_a_network_chooses_a_table(lively_codec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all floating-point convolutions be wrong: the decoder does not notice."""
    prior, y = lively_codec().prior, latent(1, 4, 5)
    strings = prior.compress(y, 20, PRICE)
    y_hat = prior.decompress(strings, (4, 5), 20)

    def none(*_: object, **__: object) -> Tensor:
        raise AssertionError("a decoder computes with floats")

    monkeypatch.setattr(torch.nn.functional, "conv2d", none)
    monkeypatch.setattr(torch.nn.Conv2d, "forward", none)
    monkeypatch.setattr(type(prior.y_level), "forward", none)
    assert torch.equal(prior.decompress(strings, (4, 5), 20), y_hat)


# Choices -----------------------------------------------------------------------------------------------------------


def test_an_error_that_costs_nothing_saves_bits_and_a_dear_one_is_small(prior) -> None:
    y = latent(1, 8, 8)
    sizes, errors = [], []
    for price in (0.0, 1.0, 4.0, 1e6):
        price = torch.full((1, M, 1, 1), price)
        strings = prior.compress(y, 50, price)
        sizes.append(sum(len(piece) for (piece,) in strings))
        errors.append((prior.decompress(strings, (8, 8), 50) - y).abs().max().item())
    assert sizes[0] < sizes[2] < sizes[3] and sizes[1] < sizes[2] and sizes[0] < 0.9 * sizes[3]
    assert errors[0] <= 1 + 1e-3 and 0.49 < errors[-1] <= 0.5 + 1e-3


def test_each_channel_has_its_own_price(prior) -> None:
    y = latent(1, 4, 4)
    price = torch.full((1, M, 1, 1), 1e6)
    price[:, 300] = 0.0
    error = (prior.rate(y, 50, price)[0] - y).abs().amax(dim=(0, 2, 3))
    assert error[300] > 0.51 and error[torch.arange(M) != 300].max() <= 0.5 + 1e-3


# Likelihoods -------------------------------------------------------------------------------------------------------


def test_scales_are_those_of_the_tables() -> None:
    """Eight tables are one level."""
    torch.testing.assert_close(scale_of(torch.arange(SCALE_LEVELS) / 8), scale_table(), rtol=1e-5, atol=0)
    between = scale_of(torch.tensor([10.5 / 8]))
    torch.testing.assert_close(between, (scale_table()[10] * scale_table()[11]).sqrt()[None])
    torch.testing.assert_close(level_of(scale_table()), torch.arange(SCALE_LEVELS) / 8)


def test_scales_stay_within_the_tables_and_find_back() -> None:
    level = torch.tensor([-3.0, 0.0, 2.4, 7.875, 70.0], requires_grad=True)
    scales = scale_of(level)
    assert scales.tolist() == pytest.approx([0.11, 0.11, scales[2].item(), 256, 256], rel=1e-5)
    (up,) = torch.autograd.grad(scales.sum(), level, retain_graph=True)  # gradient descent makes scales smaller
    (down,) = torch.autograd.grad(-scales.sum(), level)
    assert (up[1:] > 0).all() and up[0] == 0
    assert (down[:-1] < 0).all() and down[-1] == 0


def test_the_nearest_table_is_taken_and_one_that_exists(prior) -> None:
    levels = torch.tensor([-5000.0, -1, 63, 65, 193, 20 * 128, 63.4 * 128, 1e6, LIMIT], dtype=torch.float64)
    taken = []

    def part(n: int, where: Tensor, tables: Tensor, means: Tensor) -> None:
        taken.extend(tables.flatten().tolist())

    prior._fill(part, 2, torch.ones(3, 3, dtype=torch.bool), levels.view(1, 1, 3, 3), torch.zeros(1, 1, 3, 3))
    assert taken == [0, 0, 0, 1, 2, 20, 63, 63, 63]


def test_bytes_are_what_the_likelihoods_promise(prior) -> None:
    """Of a latent that is drawn from the very Gaussians that the prior expects."""
    generator = torch.Generator().manual_seed(3)
    drawn: list[tuple[Tensor, Tensor]] = []

    def part(n: int, where: Tensor, index: Tensor, means: Tensor) -> Tensor:
        symbols = torch.round(
            scale_of(index.float() / TABLES_PER_LEVEL) * torch.randn(index.shape, generator=generator)
        )
        drawn.append((symbols, index))
        return symbols

    prior.walk(50, (24, 24), part)
    model = sum(
        bits(prior.gaussian.likelihood(symbols, scale_of(index.float() / TABLES_PER_LEVEL))).item()
        for symbols, index in drawn
    )
    symbols, indexes = (
        np.concatenate([each.numpy().reshape(-1) for each in arrays]) for arrays in zip(*drawn, strict=True)
    )
    length = 8 * len(encode(symbols, indexes, prior.slot.coder.tables))
    assert model > 100_000
    assert 0.995 * model < length < 1.005 * model + 64


BEFORE_ANYTHING_IS_KNOWN = ("turns.0.from_known.weight", "turns.0.nearest.weight")


# Training ----------------------------------------------------------------------------------------------------------


def test_gradients_reach_every_parameter(lively_codec, gradients_reach_all) -> None:
    prior = lively_codec().prior.train()
    quality = torch.arange(10) * 11.0 + 1  # every row of the tables
    y = latent(10, 5, 6).requires_grad_()  # with a position for each turn
    torch.manual_seed(0)
    y_hat, likelihoods = prior(y, quality, PRICE)
    (bits(likelihoods["y"]) + bits(likelihoods["z"]) + y_hat.square().sum()).backward()
    gradients_reach_all(prior, but=BEFORE_ANYTHING_IS_KNOWN)
    assert y.grad.isfinite().all() and (y.grad != 0).float().mean() > 0.9


def test_training_sees_nearly_what_use_will_code(lively_codec) -> None:
    """With the noise that makes z whole: the same symbols, but for the few that fixed point rounds differently.

    (The nearest ones: a choice by bits differs more often, because scales are real numbers in training.)
    """
    prior, y, price = lively_codec().prior, latent(2, 4, 8), 1e6 * PRICE
    quality = torch.full((2,), 50.0)
    with torch.no_grad():
        z = prior._analyse(y, quality)
        trained, rated = prior.train()(y, quality, price, noise=z.round() - z)
        used, promised = prior.rate(y, 50, price)
    assert ((trained - used).abs() < 0.05).float().mean() > 0.9
    for name in ("y", "z"):
        assert bits(rated[name]).item() == pytest.approx(bits(promised[name]).item(), rel=0.03)


def test_noise_is_what_is_given_or_else_fresh(prior) -> None:
    y, quality = latent(1, 4, 4), torch.tensor([50.0])
    noise = torch.rand(1, N, 1, 1, generator=torch.Generator().manual_seed(0)) - 0.5

    def z_likelihoods(noise: Tensor | None) -> Tensor:
        with torch.no_grad():
            return prior(y, quality, PRICE, noise)[1]["z"]

    assert torch.equal(z_likelihoods(noise), z_likelihoods(noise))
    assert not torch.equal(z_likelihoods(None), z_likelihoods(None))
    before = torch.get_rng_state()
    z_likelihoods(noise)
    prior.decompress(prior.compress(y, 50, PRICE), (4, 4), 50)
    assert torch.equal(torch.get_rng_state(), before)  # neither coding nor given noise draws any


# What can go wrong -------------------------------------------------------------------------------------------------


def one_sentence(error: BaseException) -> bool:
    message = str(error)
    return message.endswith(".") and "\n" not in message and ". " not in message


@pytest.mark.parametrize("sizes", [(), (384, 0), (385, -1), (6, 18), (6, 18, 36, 72, 253)], ids=str)
def test_slices_that_do_not_make_the_latent_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"^slices of \[.*\] channels do not make the latent's 384\.$"):
        PortableSlices(sizes, 4, 4, 4)


def test_without_tables_there_is_a_loud_error() -> None:
    prior = PortableSlices(SIZES, 4, 4, 4)
    for use in (lambda: prior.compress(latent(1, 1, 1), 50, PRICE), lambda: prior.decompress([[b""]], (1, 1), 50)):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (lambda prior: prior.synthesis[3].weight, 2.0**15),
        (lambda prior: prior.predictors[0][0].bias, float("nan")),
        (lambda prior: prior.turns[4].nearest.weight, float("inf")),
        (lambda prior: prior.y_level.values, float("nan")),
        (lambda prior: prior.z_level.values, float("inf")),
    ],
    ids=["synthesis", "first predictor", "last turn", "y's levels", "z's levels"],
)
def test_diverged_weights_get_no_tables(lively_codec, where, value: float) -> None:
    prior = lively_codec().prior
    before = prior.slot.coder
    with torch.no_grad():
        where(prior).view(-1)[-1] = value
    with pytest.raises(ValueError, match="weights have diverged") as caught:
        prior.build_coder()
    assert one_sentence(caught.value) and prior.slot.coder is before


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_latents_that_cannot_be_coded_are_refused(prior, value: float) -> None:
    y = latent(1, 2, 3)
    y[0, 200, 1, 1] = value
    with pytest.raises(ValueError, match=r"NaN or infinity|fit in 32 bits") as caught:
        prior.compress(y, 50, PRICE)
    assert not isinstance(caught.value, BitstreamError)


def test_wide_latents_are_coded_to_the_limit_and_cut_off_there_on_both_sides(prior) -> None:
    y = latent(1, 3, 3)
    y[0, coarse_to_fine()[[0, 100]], 1, 1] = torch.tensor([20_000.0, -70_000.0])
    check_coding(prior, y, 50)
    assert prior.rate(y, 50, PRICE)[0].abs().max() == 8192


def test_too_many_strings_or_none_are_refused(prior) -> None:
    strings = prior.compress(latent(1, 2, 2), 50, PRICE)
    for wrong in ([], [*strings, [b""]], strings * 3):
        with pytest.raises(BitstreamError, match=rf"^this codec reads 1 to 6 strings a picture, not {len(wrong)}\.$"):
            prior.decompress(wrong, (2, 2), 50)


def test_damaged_strings_are_refused(prior) -> None:
    strings = prior.compress(latent(1, 3, 3), 50, PRICE)
    for n, (piece,) in enumerate(strings):
        for damaged in (b"", piece[:-1], piece[:-4], piece + bytes(4)):
            if damaged != piece:
                with pytest.raises(BitstreamError) as caught:
                    prior.decompress([[damaged] if m == n else part for m, part in enumerate(strings)], (3, 3), 50)
                assert one_sentence(caught.value)
    with pytest.raises(BitstreamError):
        prior.decompress([*strings[:-1], [strings[-1][0] + bytes(4)]], (3, 3), 50)
    with pytest.raises(BitstreamError):
        prior.decompress(strings, (9, 9), 50)


def test_bytes_at_random_are_refused_or_decode_to_something_finite(prior) -> None:
    strings = [piece for (piece,) in prior.compress(latent(1, 1, 2), 50, PRICE)]
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
            y_hat = prior.decompress([[bytes(piece)] for piece in damaged], (1, 2), 50)
            assert y_hat.isfinite().all() and y_hat.abs().max() <= 8192
        except BitstreamError:
            refused += 1
    assert 20 < refused < 150
