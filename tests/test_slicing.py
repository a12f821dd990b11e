"""Slices: of channels, each told by those before it; and of the picture plane, which know nothing of each other."""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutorial_lib.context import AttentionContext, ContextPrior, ConvContext, neighbours
from tutorial_lib.hyperprior import MeanScaleHyperprior, ScaleHyperprior, ScaleMeanHead, SideInformation
from tutorial_lib.information import bits
from tutorial_lib.rans import BitstreamError
from tutorial_lib.slicing import ChannelSlices, SpatialSlices, slim_slices
from tutorial_lib.transform_codec import FactorizedPrior

P = 3
SIZES = [(1, 1), (1, 7), (9, 2), (13, 10)]  # height, width
UNEVEN = (2, 1, 3)
Size = tuple[int, int]


def small_side(M: int, parameters: int) -> SideInformation:
    return SideInformation(nn.Conv2d(M, 2, 4, 4), nn.ConvTranspose2d(2, parameters, 4, 4), 2)


def shuffled(M: int) -> Tensor:
    return torch.randperm(M, generator=torch.Generator().manual_seed(3))


def channel_slices(sizes: tuple[int, ...], refined: bool = True, seed: int = 0, noise: bool = False) -> ChannelSlices:
    """Small networks, with weights at random: every slice matters to all that come after it."""
    torch.manual_seed(seed)
    before = [P + sum(sizes[:k]) for k in range(len(sizes))]
    predictors = [
        ScaleMeanHead(nn.Conv2d(b, 2 * size, 3, padding=1), size) for b, size in zip(before, sizes, strict=True)
    ]
    residuals = [nn.Conv2d(b + size, size, 3, padding=1) for b, size in zip(before, sizes, strict=True)]
    M = sum(sizes)
    order = shuffled(M) if refined else None
    side = small_side(M, P)
    return ChannelSlices(side, list(sizes), predictors, order, residuals if refined else None, noise).eval()


@functools.cache
def built_slices(sizes: tuple[int, ...], refined: bool = True) -> ChannelSlices:
    prior = channel_slices(sizes, refined)
    prior.build_coder()
    return prior


class SameSide(nn.Module):
    """Side information that is the same for all latents: what one slice knows of y, the others have told it."""

    def told(self, y: Tensor) -> Tensor:
        torch.manual_seed(5)
        return torch.randn(1, P, *y.shape[-2:]).expand(len(y), -1, -1, -1)

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.told(y), torch.ones(len(y), 1)

    def compress(self, y: Tensor) -> tuple[list[bytes], Tensor]:
        return [b""] * len(y), self.told(y)


# Slices of channels: coding ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("refined", [False, True], ids=["plain", "refined, in another order"])
@pytest.mark.parametrize("K", range(1, 13))
def test_decoding_gives_exactly_the_forward_pass_for_every_number_of_slices(
    K: int, refined: bool, check_coding, latent
) -> None:
    check_coding(built_slices((2,) * K, refined), latent(2, 2 * K, 5, 6), K + 1)


@given(
    sizes=st.sampled_from([UNEVEN, (1, 5), (7,), (4, 1, 1)]),
    refined=st.booleans(),
    size=st.sampled_from(SIZES) | st.tuples(st.integers(1, 12), st.integers(1, 12)),
    batch=st.integers(1, 3),
    threads=st.integers(1, 2),
    seed=st.integers(0, 99),
)
@settings(max_examples=15)
@example(sizes=UNEVEN, refined=True, size=(1, 1), batch=1, threads=1, seed=0)
@example(sizes=UNEVEN, refined=True, size=(1, 7), batch=2, threads=2, seed=0)
@example(sizes=UNEVEN, refined=False, size=(9, 2), batch=3, threads=1, seed=0)
@example(sizes=(1, 5), refined=True, size=(13, 10), batch=1, threads=2, seed=0)
def test_decoding_gives_exactly_the_forward_pass(
    sizes: tuple[int, ...], refined: bool, size: Size, batch: int, threads: int, seed: int, check_coding, latent
) -> None:
    torch.set_num_threads(threads)
    try:
        check_coding(built_slices(sizes, refined), latent(batch, sum(sizes), *size, seed=seed), len(sizes) + 1)
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_slim_ones_code(residual: bool, threads: int, check_coding, latent) -> None:
    torch.manual_seed(0)
    prior = slim_slices((4, 8, 12), order=shuffled(24), residual=residual).eval()
    prior.build_coder()
    torch.set_num_threads(threads)
    try:
        check_coding(prior, latent(2, 24, 9, 14), 4)
    finally:
        torch.set_num_threads(1)
    assert prior.channels.sizes == [4, 8, 12] and not prior.gaussian.noise
    assert torch.equal(prior.channels.order, shuffled(24)) and (prior.residuals is None) != residual


@pytest.mark.parametrize("refined", [False, True])
def test_bytes_are_what_the_likelihoods_promise(refined: bool, latent) -> None:
    prior, y = built_slices((3, 4), refined), latent(1, 7, 30, 31) / 4
    with torch.no_grad():
        strings = prior.compress(y)
        _, likelihoods = prior(y)
    in_order = likelihoods["y"][:, prior.channels.order]
    assert likelihoods.keys() == {"y", "z"} and likelihoods["y"].shape == y.shape
    for part, some in zip(strings, (likelihoods["z"], in_order[:, :3], in_order[:, 3:]), strict=True):
        promised = bits(some).item() / 8
        assert 0.98 * promised - 4 < len(part[0]) < 1.02 * promised + 12


def by_hand(prior: ChannelSlices, y: Tensor, known: int) -> Tensor:
    """ŷ with the first `known` slices decoded and the others predicted; channels in the order of coding."""
    parameters, _ = prior.side(y)
    y = y[:, prior.channels.order]
    done = torch.zeros(len(y), 0, *y.shape[-2:])
    for k, size in enumerate(prior.channels.sizes):
        here = y[:, done.shape[1] :][:, :size]
        means = prior.predictors[k](torch.cat([parameters, done], dim=1))[:, size:]
        value = torch.round(here - means) + means if k < known else means
        if prior.residuals is not None:
            guess = prior.residuals[k](torch.cat([parameters, done, value], dim=1))
            value = value + guess.tanh() / 2
        done = torch.cat([done, value], dim=1)
    return done


@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("sizes", [UNEVEN, (1, 1, 1, 1, 1), (4,)], ids=str)
def test_a_prefix_of_the_strings_decodes_and_what_is_missing_gets_its_means(
    sizes: tuple[int, ...], refined: bool, latent
) -> None:
    prior, y = built_slices(sizes, refined), latent(2, sum(sizes), 5, 7)
    K = len(sizes)
    with torch.no_grad():
        strings = prior.compress(y)
        whole = prior.decompress(strings, (5, 7))
        for known in range(K + 1):
            prefix = prior.decompress(strings[: known + 1], (5, 7))
            assert torch.equal(prefix, prior.decompress([*strings[: known + 1], *[None] * (K - known)], (5, 7)))
            torch.testing.assert_close(prefix[:, prior.channels.order], by_hand(prior, y, known), rtol=0, atol=1e-4)
            first = prior.channels.order[: sum(sizes[:known])]
            assert torch.equal(prefix[:, first], whole[:, first])
            assert known == K or not torch.allclose(prefix, whole, atol=0.1)
        if K > 1:
            partly = prior.decompress([*strings[:2], None], (5, 7))  # an end that comes early, and a loss
            assert torch.equal(partly, prior.decompress(strings[:2], (5, 7)))


def test_every_slice_brings_the_latent_nearer(latent) -> None:
    prior, y = built_slices(UNEVEN), latent(2, 6, 5, 7)
    with torch.no_grad():
        strings = prior.compress(y)
        errors = [(prior.decompress(strings[:k], (5, 7)) - y).square().mean() for k in range(1, 5)]
    assert errors[3] < errors[0] and errors[3] < 1


# Slices of channels: who knows whom --------------------------------------------------------------------------------


def slice_of(prior: ChannelSlices, k: int) -> Tensor:
    return prior.channels.order.split(prior.channels.sizes)[k]


def check_dependences(prior: ChannelSlices, y: Tensor) -> None:
    """Raise unless slice k's likelihoods depend on slices up to k, and on nothing else."""
    K = len(prior.channels.sizes)
    y.requires_grad_()
    y_hat, likelihoods = prior(y)
    for k, j in itertools.product(range(K), repeat=2):
        for what in (y_hat, likelihoods["y"]):
            gradient = torch.autograd.grad(what[:, slice_of(prior, k)].square().sum(), y, retain_graph=True)[0]
            depends = bool(gradient[:, slice_of(prior, j)].abs().max() > 0)
            if depends and j > k:
                raise AssertionError(f"slice {k} knows slice {j}, which comes later")
            if not depends and (j == k or (what is not y_hat and j < k)):
                raise AssertionError(f"slice {k} does not know slice {j}")


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("sizes", [UNEVEN, (1, 1, 1, 1), (5,)], ids=str)
def test_a_slice_depends_on_itself_and_on_those_before_it(
    sizes: tuple[int, ...], refined: bool, noise: bool, latent
) -> None:
    prior = channel_slices(sizes, refined, noise=noise).train()
    prior.side = SameSide()
    check_dependences(prior, latent(1, sum(sizes), 4, 5) / 8)


@pytest.mark.parametrize("wrong", ["all of y", "none of y"])
def test_a_slice_that_sees_the_wrong_ones_is_noticed(wrong: str, monkeypatch: pytest.MonkeyPatch, latent) -> None:
    prior = channel_slices((2, 2, 2)).train()
    prior.side = SameSide()
    predict = ChannelSlices._predict
    y = latent(1, 6, 4, 5) / 8

    def look(self: ChannelSlices, k: int, parameters: Tensor, done: list[Tensor]) -> tuple[Tensor, Tensor]:
        if wrong == "none of y":
            return predict(self, k, parameters, [slice_hat.detach() for slice_hat in done])
        scales, means = predict(self, k, parameters, done)
        return scales, means + 0.1 * y.mean(dim=1, keepdim=True)

    monkeypatch.setattr(ChannelSlices, "_predict", look)
    with pytest.raises(AssertionError, match=r"slice \d (knows|does not know) slice \d"):
        check_dependences(prior, y)


@pytest.mark.parametrize("refined", [False, True])
def test_strings_before_a_change_stay_and_those_after_it_do_not(refined: bool, latent) -> None:
    prior = channel_slices(UNEVEN, refined)
    prior.build_coder()
    prior.side = SameSide()
    y = latent(1, 6, 8, 9)
    before = prior.compress(y)
    for k in range(3):
        changed = y.clone()
        changed[:, slice_of(prior, k)[0]] += 3.3
        after = prior.compress(changed)
        assert [one == other for one, other in zip(before, after, strict=True)] == [n <= k for n in range(4)]


def test_order_says_which_channels_come_first(latent) -> None:
    """Slices in order of `order` are slices as they are, of a latent with its channels in that order."""
    plain, ordered = channel_slices(UNEVEN, refined=False), channel_slices(UNEVEN, refined=False)
    ordered.channels.order.copy_(shuffled(6))
    plain.side = ordered.side = SameSide()
    y = latent(2, 6, 5, 6)
    with torch.no_grad():
        y_hat, likelihoods = ordered(y)
        expected, expected_likelihoods = plain(y[:, shuffled(6)])
    assert torch.equal(y_hat[:, shuffled(6)], expected)
    assert torch.equal(likelihoods["y"][:, shuffled(6)], expected_likelihoods["y"])


def test_a_guess_of_what_rounding_took_is_at_most_a_half(latent) -> None:
    prior = channel_slices((2, 3))
    with torch.no_grad():
        for parameter in prior.residuals.parameters():
            parameter.mul_(100)
        y = latent(2, 5, 6, 7)
        y_hat, _ = prior(y)
        means = prior._predict(0, prior.side(y)[0], [])[1]
        first = prior.channels.order[:2]
        guess = y_hat[:, first] - (torch.round(y[:, first] - means) + means)
    assert 0.49 < guess.abs().max() <= 0.5 + 1e-5
    assert guess.min() < 0 < guess.max()


@pytest.mark.parametrize("noise", [False, True])
def test_gradients_reach_every_parameter(noise: bool, gradients_reach_all, latent) -> None:
    prior = channel_slices(UNEVEN, noise=noise).train()
    y = latent(2, 6, 8, 9).requires_grad_()
    y_hat, likelihoods = prior(y)
    (bits(likelihoods["y"]) + bits(likelihoods["z"]) + y_hat.square().sum()).backward()
    gradients_reach_all(prior)
    assert y.grad.isfinite().all()


@pytest.mark.parametrize("refined", [False, True])
def test_training_sees_the_symbols_that_use_will_code(refined: bool, latent) -> None:
    prior = channel_slices(UNEVEN, refined)
    prior.side = SameSide()
    y = latent(2, 6, 5, 6)
    with torch.no_grad():
        in_use, in_training = prior(y), prior.train()(y)
    torch.testing.assert_close(in_training[0], in_use[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(in_training[1]["y"], in_use[1]["y"], rtol=1e-3, atol=1e-6)


# Slices of channels: what can go wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ((1,), "slice 2 cannot be decoded without slice 1, which is lost"),
        ((2,), "slice 3 cannot be decoded without slice 2, which is lost"),
        ((1, 2), "slice 3 cannot be decoded without slice 1, which is lost"),
        ((0,), "z's strings are lost"),
        ((0, 1, 2, 3), "z's strings are lost"),
    ],
    ids=str,
)
def test_what_follows_a_lost_slice_is_refused(lost: tuple[int, ...], words: str, latent, one_sentence) -> None:
    prior = built_slices(UNEVEN)
    strings = prior.compress(latent(1, 6, 5, 6))
    with pytest.raises(BitstreamError, match=words) as caught:
        prior.decompress([None if n in lost else part for n, part in enumerate(strings)], (5, 6))
    assert one_sentence(caught.value)


def test_strings_that_are_too_many_or_none_or_damaged_are_refused(latent, one_sentence) -> None:
    prior = built_slices(UNEVEN)
    strings = prior.compress(latent(1, 6, 5, 6))
    for wrong in ([], [*strings, strings[-1]], [*strings, None]):
        with pytest.raises(BitstreamError, match=r"1 to 4 strings? .*, not [05]") as caught:
            prior.decompress(wrong, (5, 6))
        assert one_sentence(caught.value)
    for n in range(4):
        (string,) = strings[n]
        for damaged in (b"", string[:-1], string + bytes(4), bytes(len(string))):
            with pytest.raises(BitstreamError):
                prior.decompress([[damaged] if m == n else part for m, part in enumerate(strings)], (5, 6))
    with pytest.raises(BitstreamError):
        prior.decompress(strings, (9, 9))


@pytest.mark.parametrize(
    ("sizes", "predictors", "residuals", "order", "words"),
    [
        ([], 0, None, None, r"slices have 1 channel or more, unlike \[\]"),
        ([2, 0], 2, None, None, r"slices have 1 channel or more, unlike \[2, 0\]"),
        ([2, -1], 2, None, None, r"slices have 1 channel or more, unlike \[2, -1\]"),
        ([2, 1], 1, None, None, r"slices of \[2, 1\] channels and 1 predictors"),
        ([2, 1], 3, None, None, r"slices of \[2, 1\] channels and 3 predictors"),
        ([2, 1], 2, 1, None, "2 slices need as many residual networks, not 1"),
        ([2, 1], 2, 0, None, "2 slices need as many residual networks, not 0"),
        ([2, 1], 2, 2, [0, 1], "order must hold each of the 3 channels once"),
        ([2, 1], 2, 2, [0, 1, 1], "order must hold each of the 3 channels once"),
        ([2, 1], 2, 2, [1, 2, 3], "order must hold each of the 3 channels once"),
        ([2, 1], 2, 2, [2, 1, 0, 3], "order must hold each of the 3 channels once"),
    ],
)
def test_slices_that_do_not_fit_are_refused(sizes, predictors, residuals, order, words, one_sentence) -> None:
    def networks(count: int) -> list[nn.Module]:
        return [nn.Identity() for _ in range(count)]

    with pytest.raises(ValueError, match=words) as caught:
        ChannelSlices(
            small_side(3, P),
            sizes,
            networks(predictors),
            None if order is None else torch.tensor(order),
            None if residuals is None else networks(residuals),
        )
    assert one_sentence(caught.value)


def test_without_tables_there_is_a_loud_error(latent) -> None:
    prior = channel_slices(UNEVEN)
    for use in (lambda: prior.compress(latent(1, 6, 4, 4)), lambda: prior.decompress([[b""]], (4, 4))):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()


def test_fresh_slices_take_the_state_and_read_the_bytes(tmp_path: Path, latent) -> None:
    prior = built_slices(UNEVEN)
    save_file(prior.state_dict(), tmp_path / "prior.safetensors")
    fresh = channel_slices(UNEVEN, seed=9)
    fresh.channels.order.copy_(torch.arange(6))  # which must come from the file
    fresh.load_state_dict(load_file(tmp_path / "prior.safetensors"), strict=True)
    y = latent(2, 6, 6, 9)
    with torch.no_grad():
        strings = prior.compress(y)
        assert fresh.compress(y) == strings
        assert torch.equal(fresh.decompress(strings, (6, 9)), prior(y)[0])


# Slices of the picture plane ---------------------------------------------------------------------------------------

M = 4
PARTS = {"factorized": 1, "scale": 2, "mean-scale": 2, "conv context": 2, "attention": 2, "slices": 4}


def inner(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    if name == "factorized":
        return FactorizedPrior(M)
    if name == "scale":
        side = small_side(M, M)
        side.synthesis = ScaleMeanHead(side.synthesis, M)
        return ScaleHyperprior(side, noise=False)
    if name == "mean-scale":
        side = small_side(M, 2 * M)
        side.synthesis = ScaleMeanHead(side.synthesis, M)
        return MeanScaleHyperprior(side, noise=False)
    if name == "slices":
        return channel_slices((1, 2, 1), seed=seed)
    kind = ConvContext if name == "conv context" else AttentionContext
    order = "raster" if name == "conv context" else "checkerboard"
    places = len(neighbours(order))
    network = ConvContext(P, 4, places) if kind is ConvContext else AttentionContext(P, 4, places, P, heads=2)
    fuse = ScaleMeanHead(nn.Conv1d(P + 4, 2 * M, 1), M)
    return ContextPrior(M, small_side(M, P), nn.Conv1d(M, P, 1, bias=False), network, fuse, order, noise=False)


@functools.cache
def built_tiles(name: str, size: int) -> SpatialSlices:
    prior = SpatialSlices(inner(name), size).eval()
    prior.build_coder()
    return prior


def tiles_of(height: int, width: int, size: int) -> list[tuple[slice, slice]]:
    """In reading order."""
    rows = [slice(a, a + size) for a in range(0, height, size)]
    return list(itertools.product(rows, [slice(a, a + size) for a in range(0, width, size)]))


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_decoding_tiles_gives_exactly_the_forward_pass(name: str, size: Size, check_coding, latent) -> None:
    prior = built_tiles(name, 4)
    check_coding(prior, latent(2, M, *size), PARTS[name] * len(tiles_of(*size, 4)))


@given(
    name=st.sampled_from(["factorized", "mean-scale"]),
    tile=st.sampled_from([1, 2, 3, 5, 8, 100]),
    size=st.tuples(st.integers(1, 13), st.integers(1, 13)),
    batch=st.integers(1, 3),
    threads=st.integers(1, 2),
)
@settings(max_examples=20)
def test_decoding_tiles_of_every_size(
    name: str, tile: int, size: Size, batch: int, threads: int, check_coding, latent
) -> None:
    if tile == 1:
        size = min(size, (4, 4))
    torch.set_num_threads(threads)
    try:
        check_coding(built_tiles(name, tile), latent(batch, M, *size), PARTS[name] * len(tiles_of(*size, tile)))
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("name", PARTS)
def test_each_tile_is_coded_as_if_it_were_alone(name: str, latent) -> None:
    """Its strings are the prior's own, they stand in reading order, and the likelihoods are theirs."""
    prior, y = built_tiles(name, 4), latent(2, M, 9, 7)
    tiles = tiles_of(9, 7, 4)
    assert len(tiles) == 6 and tiles[1][1].start == 4
    with torch.no_grad():
        alone = [prior.prior.compress(y[:, :, rows, columns]) for rows, columns in tiles]
        assert prior.compress(y) == [part for tile in alone for part in tile]
        y_hat, likelihoods = prior(y)
        pieces = [prior.prior(y[:, :, rows, columns]) for rows, columns in tiles]
    for (rows, columns), (piece, _) in zip(tiles, pieces, strict=True):
        assert torch.equal(y_hat[:, :, rows, columns], piece)
    assert likelihoods.keys() == pieces[0][1].keys()
    for key, values in likelihoods.items():
        assert len(values) == 2
        for image in range(2):
            expected = sum(bits(piece_likelihoods[key][image]) for _, piece_likelihoods in pieces)
            torch.testing.assert_close(bits(values[image]), expected, rtol=1e-5, atol=0)
    assert likelihoods["y"].numel() == y.numel()


@pytest.mark.parametrize("name", PARTS)
def test_a_change_in_a_tile_leaves_the_others_as_they_are(name: str, latent) -> None:
    prior, y, n_parts = built_tiles(name, 4), latent(1, M, 9, 7), PARTS[name]
    with torch.no_grad():
        before, y_hat = prior.compress(y), prior(y)[0]
        for n, (rows, columns) in enumerate(tiles_of(9, 7, 4)):
            changed = y.clone()
            changed[:, :, rows, columns] -= 5.4
            after, other_y_hat = prior.compress(changed), prior(changed)[0]
            same = [one == other for one, other in zip(before, after, strict=True)]
            here = slice(n * n_parts, (n + 1) * n_parts)
            assert not all(same[here])
            assert all(same[: here.start]) and all(same[here.stop :])
            other_y_hat[:, :, rows, columns] = y_hat[:, :, rows, columns]
            assert torch.equal(other_y_hat, y_hat)


@pytest.mark.parametrize("name", ["factorized", "conv context", "slices"])
def test_a_lost_tile_is_zero_and_the_others_are_exact(name: str, latent) -> None:
    prior, y, n_parts = built_tiles(name, 4), latent(2, M, 9, 7), PARTS[name]
    tiles = tiles_of(9, 7, 4)
    with torch.no_grad():
        strings, y_hat = prior.compress(y), prior(y)[0]
        for gone in [{0}, {3}, {5}, {0, 1, 2}, {1, 2, 3, 4, 5}]:
            for part in range(n_parts):  # one string of a tile is enough
                lost = {n * n_parts + part for n in gone}
                decoded = prior.decompress([None if n in lost else s for n, s in enumerate(strings)], (9, 7))
                expected = y_hat.clone()
                for n in gone:
                    expected[:, :, tiles[n][0], tiles[n][1]] = 0
                assert torch.equal(decoded, expected)


def test_tiles_that_cannot_be_decoded_are_refused(latent, one_sentence) -> None:
    prior = built_tiles("mean-scale", 4)
    strings = prior.compress(latent(1, M, 9, 7))
    for wrong, words in (
        ([None] * 12, r"^all tiles are lost\.$"),
        (strings[:-1], "not 11"),
        ([*strings, None], "not 13"),
        (strings[:6], "this codec writes 2"),
        ([*strings, *strings], "this codec writes 2"),
        ([], "not 0"),
        (strings[:3], "not 3"),
    ):
        with pytest.raises(BitstreamError, match=words) as caught:
            prior.decompress(wrong, (9, 7))
        assert one_sentence(caught.value)
    with pytest.raises(BitstreamError):
        prior.decompress([[b""], *strings[1:]], (9, 7))


@pytest.mark.parametrize("size", [0, -3])
def test_tiles_of_nothing_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=rf"^tiles of {size} × {size} positions: there must be at least one\.$"):
        SpatialSlices(FactorizedPrior(M), size)


@pytest.mark.parametrize("name", PARTS)
def test_tiles_train_like_their_prior(name: str, latent) -> None:
    prior = SpatialSlices(inner(name), 4).train()
    y = (latent(2, M, 9, 7) / 4).requires_grad_()
    y_hat, likelihoods = prior(y)
    (sum(bits(values) for values in likelihoods.values()) + y_hat.square().sum()).backward()
    assert (y.grad != 0).float().mean() > 0.9 and y.grad.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in prior.parameters())


def test_tiles_take_the_state_of_others(tmp_path: Path, latent) -> None:
    prior = built_tiles("slices", 4)
    save_file(prior.state_dict(), tmp_path / "prior.safetensors")
    fresh = SpatialSlices(inner("slices", seed=9), 4).eval()
    fresh.load_state_dict(load_file(tmp_path / "prior.safetensors"), strict=True)
    y = latent(1, M, 6, 9)
    with torch.no_grad():
        strings = prior.compress(y)
        assert fresh.compress(y) == strings
        assert torch.equal(fresh.decompress(strings, (6, 9)), prior(y)[0])
