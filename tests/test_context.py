"""Context models: they see what has been decoded and nothing else, and they decode exactly what was encoded."""

from __future__ import annotations

import copy
import functools
import itertools
import types
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutorial_lib import context
from tutorial_lib.context import (
    ORDERS,
    RADIUS,
    AttentionContext,
    ContextPrior,
    ConvContext,
    coding_passes,
    neighbours,
    slim_context,
)
from tutorial_lib.hyperprior import ScaleMeanHead, SideInformation
from tutorial_lib.information import bits
from tutorial_lib.rans import BitstreamError

M, N = 3, 4
KINDS = (ConvContext, AttentionContext)
SIZES = [(1, 1), (1, 7), (9, 2), (13, 10)]

every_order = pytest.mark.parametrize("order", ORDERS)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)

Position = tuple[int, int]


def randomised(module: nn.Module, seed: int, size: float = 0.3) -> nn.Module:
    """Every parameter moved away from its start, so that contexts matter."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(size * torch.randn(parameter.shape, generator=generator))
    return module


def fresh_prior(order: str, kind: type, seed: int = 0, noise: bool = False) -> ContextPrior:
    torch.manual_seed(seed)
    side = SideInformation(nn.Conv2d(M, 2, 4, 4), nn.ConvTranspose2d(2, N, 4, 4), 2)
    places = len(context.neighbours(order))
    network = ConvContext(N, N, places) if kind is ConvContext else AttentionContext(N, N, places, N, heads=2)
    fuse = nn.Sequential(nn.Conv1d(2 * N, 2 * N, 1), nn.LeakyReLU(), ScaleMeanHead(nn.Conv1d(2 * N, 2 * M, 1), M))
    embed = nn.Sequential(nn.Conv1d(M, N, 1, bias=False), nn.Tanh())
    prior = ContextPrior(M, side, embed, network, fuse, order, noise)
    for part in (prior.embed, prior.context, prior.fuse):
        randomised(part, seed)
    return prior.eval()


@functools.cache
def built_prior(order: str, kind: type) -> ContextPrior:
    prior = fresh_prior(order, kind)
    prior.build_coder()
    return prior


class SameSide(nn.Module):
    """Side information that is the same for all latents: what depends on y does so through the context."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.told = torch.randn(1, N, height, width, generator=torch.Generator().manual_seed(5))

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        return self.told.expand(len(y), -1, -1, -1), torch.ones(len(y), 1)


# Orders, in the words of the papers: who comes before whom ---------------------------------------------------------

QUARTERS = [(0, 0), (1, 1), (0, 1), (1, 0)]  # one position of a 2 × 2 square, the one across, the other two


def level_in_pyramid(p: Position) -> int:
    """0 4 2 4 0
    4 3 4 3 4    Pass 0 has one position in sixteen. Each pass fills the middles of the squares that the passes before
    2 4 1 4 2    it have left, upright ones and tilted ones by turns: its nearest known positions are four, all around.
    4 3 4 3 4
    """
    row, column = p
    if row % 4 == column % 4 == 0:
        return 0
    if row % 4 == column % 4 == 2:
        return 1
    if row % 2 == column % 2 == 0:
        return 2
    return 3 if (row + column) % 2 == 0 else 4


def comes_before(order: str, q: Position, p: Position) -> bool:
    if order in ("raster", "wavefront"):
        return q < p  # tuples: by rows, then by columns
    if order == "checkerboard":
        return sum(q) % 2 == 0 and sum(p) % 2 == 1
    if order == "pyramid":
        return level_in_pyramid(q) < level_in_pyramid(p)
    return QUARTERS.index((q[0] % 2, q[1] % 2)) < QUARTERS.index((p[0] % 2, p[1] % 2))


def positions(height: int, width: int) -> list[Position]:
    return list(itertools.product(range(height), range(width)))


@functools.cache
def may_see(order: str, height: int, width: int) -> Tensor:
    """(h, w, h, w): p, then q: whether q lies in p's window and comes before p."""
    allowed = torch.zeros(height, width, height, width, dtype=torch.bool)
    for p, q in itertools.product(positions(height, width), repeat=2):
        near = max(abs(p[0] - q[0]), abs(p[1] - q[1])) <= 2
        allowed[p][q] = near and comes_before(order, q, p)
    return allowed


@every_order
@given(height=st.integers(1, 9), width=st.integers(1, 9))
@settings(max_examples=8)
def test_whoever_may_be_seen_goes_in_an_earlier_pass_and_others_in_the_window_do_not(
    order: str, height: int, width: int
) -> None:
    passes = coding_passes(order, height, width)
    assert passes.shape == (height, width) and passes.min() == 0
    allowed = may_see(order, height, width)
    for p, q in itertools.product(positions(height, width), repeat=2):
        if max(abs(p[0] - q[0]), abs(p[1] - q[1])) <= RADIUS:
            assert bool(passes[q] < passes[p]) == bool(allowed[p][q])


def test_the_number_of_passes() -> None:
    for height, width in [(1, 1), (1, 7), (4, 3), (13, 10), (8, 24)]:
        assert len(coding_passes("raster", height, width).unique()) == height * width
        assert len(coding_passes("wavefront", height, width).unique()) == width + 3 * (height - 1) or width < 3
        assert len(coding_passes("checkerboard", height, width).unique()) == min(2, height * width)
    assert len(coding_passes("wavefront", 9, 2).unique()) == 18  # so narrow that no two go together
    assert len(coding_passes("quarters", 2, 2).unique()) == len(coding_passes("quarters", 7, 9).unique()) == 4
    assert len(coding_passes("pyramid", 4, 4).unique()) == len(coding_passes("pyramid", 17, 30).unique()) == 5


def test_the_passes_written_out() -> None:
    assert coding_passes("raster", 2, 5).tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
    assert coding_passes("wavefront", 2, 5).tolist() == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]
    assert coding_passes("checkerboard", 2, 5).tolist() == [[0, 1, 0, 1, 0], [1, 0, 1, 0, 1]]
    assert coding_passes("quarters", 3, 5).tolist() == [[0, 2, 0, 2, 0], [3, 1, 3, 1, 3], [0, 2, 0, 2, 0]]
    pyramid = [[0, 4, 2, 4, 0], [4, 3, 4, 3, 4], [2, 4, 1, 4, 2], [4, 3, 4, 3, 4], [0, 4, 2, 4, 0]]
    assert coding_passes("pyramid", 5, 5).tolist() == pyramid


@given(height=st.integers(1, 14), width=st.integers(1, 14))
def test_the_pyramid_halves_the_gaps_again_and_again(height: int, width: int) -> None:
    passes = coding_passes("pyramid", height, width)
    assert passes.tolist() == [[level_in_pyramid((row, column)) for column in range(width)] for row in range(height)]


@given(order=st.sampled_from(list(ORDERS)), size=st.tuples(st.integers(1, 12), st.integers(1, 12)))
def test_every_neighbour_that_can_be_used_is_causal_somewhere_and_none_is_left_out(order: str, size: Position) -> None:
    passes, places = coding_passes(order, *size), {tuple(place) for place in neighbours(order).tolist()}
    seen = {
        (q[0] - p[0], q[1] - p[1])
        for p, q in itertools.product(positions(*size), repeat=2)
        if max(abs(q[0] - p[0]), abs(q[1] - p[1])) <= RADIUS and passes[q] < passes[p]
    }
    assert seen <= places
    assert (0, 0) not in places and (min(size) < 9 or seen == places)


def test_raster_and_wavefront_have_the_same_neighbours_and_values() -> None:
    assert torch.equal(neighbours("raster"), neighbours("wavefront"))
    one, other = (fresh_prior(order, ConvContext, seed=3) for order in ("raster", "wavefront"))
    other.load_state_dict(one.state_dict())
    generator = torch.Generator().manual_seed(0)
    for size in SIZES:
        y = 4 * torch.randn(1, M, *size, generator=generator)
        with torch.no_grad():
            (y_hat, likelihoods), (same, alike) = one(y), other(y)
        torch.testing.assert_close(y_hat, same, rtol=0, atol=1e-4)
        torch.testing.assert_close(likelihoods["y"], alike["y"], rtol=1e-3, atol=1e-6)


def test_the_places_of_a_neighbourhood() -> None:
    everywhere = set(itertools.product(range(-2, 3), repeat=2))
    for order in ("raster", "wavefront"):
        assert {tuple(place) for place in neighbours(order).tolist()} == {p for p in everywhere if p < (0, 0)}
    assert {tuple(place) for place in neighbours("pyramid").tolist()} == everywhere - {(0, 0)}
    assert {tuple(p) for p in neighbours("checkerboard").tolist()} == {p for p in everywhere if sum(p) % 2}
    assert {tuple(p) for p in neighbours("quarters").tolist()} == {p for p in everywhere if p[0] % 2 or p[1] % 2}


def test_an_unknown_order_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"^the order 'spiral' is none of raster, wavefront, checkerboard, quarters, pyramid\.$"
    ):
        coding_passes("spiral", 4, 4)
    with pytest.raises(ValueError, match="'spiral'"):
        slim_context(ConvContext, "spiral", 4)


# Causality, by gradients -----------------------------------------------------------------------------------------


def by_looking(prior: ContextPrior, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    """Scales and means of all positions at once, where all of ŷ lies before the network: only the mask hides it."""
    passes = context.coding_passes(prior.order, *y.shape[-2:])
    rows, columns = torch.ones_like(passes).nonzero(as_tuple=True)
    return tuple(t.unflatten(-1, passes.shape) for t in prior._look(prior._seen(y), parameters, passes, rows, columns))


def by_training(prior: ContextPrior, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    return prior._all_at_once(y, parameters)


def by_scanning(prior: ContextPrior, y: Tensor, parameters: Tensor) -> tuple[Tensor, Tensor]:
    scales, means = torch.zeros_like(y), torch.zeros_like(y)

    def decide(some_scales: Tensor, some_means: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        scales[:, :, rows, columns], means[:, :, rows, columns] = some_scales, some_means
        return y[:, :, rows, columns]

    prior._scan(parameters, decide)
    return scales, means


WAYS = (by_looking, by_training, by_scanning)
Way = Callable[[ContextPrior, Tensor, Tensor], tuple[Tensor, Tensor]]


def check_causality(
    latent: Callable[..., Tensor], prior: ContextPrior, way: Way, height: int = 4, width: int = 6
) -> None:
    """Raise unless scales and means at p depend on ŷ at all q that p may see, and on ŷ nowhere else."""
    y = latent(1, M, height, width, seed=1).requires_grad_()
    parameters = SameSide(height, width).told
    allowed = may_see(prior.order, height, width)
    weights = torch.tensor([1.0, -2.0, 3.0])
    for name, result in zip(("scales", "means"), way(prior, y, parameters), strict=True):
        for p in positions(height, width):
            (gradient,) = torch.autograd.grad(weights @ result[0, :, *p], y, retain_graph=True, materialize_grads=True)
            sees = (gradient != 0).any(dim=1)[0]  # (h, w)
            assert not (sees & ~allowed[p]).any(), f"{name} at {p} look where they may not"
            assert not (~sees & allowed[p]).any(), f"{name} at {p} do not look where they could"


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
@every_kind
@every_order
def test_causality(order: str, kind: type, way: Way, latent) -> None:
    check_causality(latent, fresh_prior(order, kind), way)


EVERYWHERE = torch.tensor(list(itertools.product(range(-RADIUS, RADIUS + 1), repeat=2)))
PLACES = {order: neighbours(order) for order in ORDERS}


def a_wrong_order(wrong: Callable[[Tensor], Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    def spoil(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(context, "coding_passes", lambda order, height, width: wrong(coding_passes(order, height, width)))
        patch.setattr(context, "neighbours", PLACES.get)

    return spoil


def a_wrong_window(wrong: Callable[[Tensor], Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    return lambda patch: patch.setattr(context, "neighbours", lambda order: wrong(PLACES[order]))


def a_wrong_mask(wrong: Callable[[Tensor], Tensor]) -> Callable[[pytest.MonkeyPatch], None]:
    def spoil(patch: pytest.MonkeyPatch) -> None:
        for kind in KINDS:
            forward = kind.forward
            patch.setattr(kind, "forward", lambda self, v, known, p, f=forward: f(self, v, wrong(known), p))

    return spoil


def no_mask(patch: pytest.MonkeyPatch) -> None:
    a_wrong_mask(torch.ones_like)(patch)
    a_wrong_window(lambda places: torch.cat([places[:6], -places[6:]]))(patch)  # raster's lie in the past, else


def its_own_pass(patch: pytest.MonkeyPatch) -> None:
    """A position sees those that are decoded together with it: `<=` for `<`."""

    def pad(x: Tensor, *args, **kwargs) -> Tensor:
        return F.pad(x, *args, **kwargs) - int(x.dtype == torch.int64)  # passes, not values

    patch.setattr(context, "F", types.SimpleNamespace(pad=pad))
    patch.setattr(context, "neighbours", lambda order: EVERYWHERE)


BROKEN = {  # and the orders that it breaks
    "backwards": (a_wrong_order(lambda passes: passes.max() - passes), ORDERS),
    "all at once": (a_wrong_order(torch.zeros_like), ORDERS),
    "mirrored": (a_wrong_order(lambda passes: passes.flip(1)), ORDERS),
    "too steep": (a_wrong_order(lambda passes: passes - torch.arange(len(passes))[:, None]), ("wavefront",)),
    "no mask": (no_mask, ORDERS),
    "no mask, right window": (a_wrong_mask(torch.ones_like), ("checkerboard", "quarters", "pyramid")),
    "inverted": (a_wrong_mask(lambda known: 1 - known), ORDERS),
    "transposed": (a_wrong_window(lambda places: places.flip(1)), ("raster", "wavefront")),
    "narrow": (a_wrong_window(lambda places: places[1:]), ORDERS),
    "its own pass": (its_own_pass, ORDERS),
}


@pytest.mark.parametrize(("broken", "order"), [(name, order) for name in BROKEN for order in BROKEN[name][1]])
@every_kind
def test_a_broken_mask_is_noticed(kind: type, broken: str, order: str, monkeypatch: pytest.MonkeyPatch, latent) -> None:
    BROKEN[broken][0](monkeypatch)
    with pytest.raises(AssertionError, match="look where they"):
        check_causality(latent, fresh_prior(order, kind), by_looking)


@every_kind
@every_order
def test_the_mask_alone_is_enough(order: str, kind: type, monkeypatch: pytest.MonkeyPatch, latent) -> None:
    """`neighbours` leaves out what can never be known: it saves work, and nothing hangs on it."""
    monkeypatch.setattr(context, "neighbours", lambda order: EVERYWHERE)
    check_causality(latent, fresh_prior(order, kind), by_looking)


# What is seen, and what for: against slow and plain computations ---------------------------------------------------


class OnlyFeatures(nn.Module):
    """Instead of `fuse`: what the context says, and nothing of the parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return x[:, N:]


@every_order
def test_a_conv_context_is_a_masked_convolution(order: str, latent) -> None:
    prior = fresh_prior(order, ConvContext)
    prior.fuse = OnlyFeatures()
    y = latent(2, M, 7, 9)
    with torch.no_grad():
        features = torch.cat(by_looking(prior, y, torch.zeros(2, N, 7, 9)), dim=1)
        embedded = prior.embed(y.flatten(2)).unflatten(-1, (7, 9))
        for p in positions(7, 9)[::4]:
            kernel = torch.zeros(N, N, 5, 5)
            for t, (down, right) in enumerate(neighbours(order).tolist()):
                if comes_before(order, (p[0] + down, p[1] + right), p):
                    kernel[:, :, 2 + down, 2 + right] = prior.context.weight[..., t]
            expected = F.conv2d(embedded, kernel, prior.context.bias[:, 0], padding=2)[..., p[0], p[1]]
            torch.testing.assert_close(features[..., p[0], p[1]], expected, rtol=1e-4, atol=1e-5)


def test_attention_is_torchs_attention(latent) -> None:
    torch.manual_seed(0)
    places, heads, positions_ = 12, 2, 11
    attention = randomised(AttentionContext(5, 6, places, 7, heads=heads), seed=1)
    values, parameters = latent(3, 5, places, positions_), latent(3, 7, positions_, seed=1)
    known = (torch.rand(places, positions_) < 0.5).float()
    known[:, 0] = 0
    with torch.no_grad():
        ours = attention(values, known, parameters)
        for n in range(positions_):
            around = values[..., n].transpose(1, 2)  # (B, T, C)
            around = around[:, known[:, n] > 0]
            keys = torch.cat([attention.key(around), attention.null_token[0].expand(3, 1, -1)], dim=1)
            answers = torch.cat([attention.value(around), attention.null_token[1].expand(3, 1, -1)], dim=1)
            question = attention.query(parameters[..., n])[:, None]
            split = [t.unflatten(-1, (heads, 3)).transpose(1, 2) for t in (question, keys, answers)]
            bias = torch.cat([attention.place[:, known[:, n] > 0], torch.zeros(heads, 1)], dim=1)[:, None]
            answer = F.scaled_dot_product_attention(*split, attn_mask=bias)  # (B, heads, 1, 3)
            expected = attention.out(answer.flatten(1))
            torch.testing.assert_close(ours[..., n], expected, rtol=1e-4, atol=1e-5)


def test_attention_without_a_known_neighbour_is_finite_and_sees_nobody(latent) -> None:
    torch.manual_seed(0)
    attention = randomised(AttentionContext(4, 8, 12, 6), seed=1)
    values = latent(2, 4, 12, 5).requires_grad_()
    features = attention(values, torch.zeros(12, 5), latent(2, 6, 5, seed=1))
    expected = attention.out(attention.null_token[1])
    torch.testing.assert_close(features, expected[:, None].expand_as(features), rtol=0, atol=1e-6)
    features.square().sum().backward()
    assert values.grad.abs().max() == 0
    assert all(p.grad.isfinite().all() for p in attention.parameters() if p.grad is not None)


@every_kind
def test_a_checkerboards_anchors_see_nothing(kind: type, latent) -> None:
    prior = fresh_prior("checkerboard", kind)
    parameters = SameSide(6, 7).told
    with torch.no_grad():
        scales, means = by_looking(prior, latent(1, M, 6, 7), parameters)
        other_scales, other_means = by_looking(prior, latent(1, M, 6, 7, seed=1), parameters)
    anchors = torch.tensor([[sum(p) % 2 == 0 for p in positions(6, 7)]]).view(6, 7)
    assert torch.equal(scales[..., anchors], other_scales[..., anchors])
    assert torch.equal(means[..., anchors], other_means[..., anchors])
    assert (means[..., ~anchors] != other_means[..., ~anchors]).all()


def one_by_one(prior: ContextPrior, y: Tensor, parameters: Tensor) -> Tensor:
    """ŷ, one position at a time, its neighbours gathered by hand."""
    y_hat = torch.zeros_like(y)
    every = positions(*y.shape[-2:])
    places = neighbours(prior.order).tolist()
    for p in sorted(every, key=lambda p: (sum(comes_before(prior.order, q, p) for q in every), p)):
        values, known = torch.zeros(len(y), N, len(places), 1), torch.zeros(len(places), 1)
        for t, (down, right) in enumerate(places):
            q = (p[0] + down, p[1] + right)
            if q in every and comes_before(prior.order, q, p):
                values[:, :, t] = prior.embed(y_hat[:, :, q[0], q[1], None])
                known[t] = 1
        here = parameters[:, :, p[0], p[1], None]
        fused = prior.fuse(torch.cat([here, prior.context(values, known, here)], dim=1))[..., 0]
        mean = fused[:, M:]
        y_hat[..., p[0], p[1]] = torch.round(y[..., p[0], p[1]] - mean) + mean
    return y_hat


@pytest.mark.parametrize("size", [*SIZES[:3], (6, 7)], ids=lambda size: "x".join(map(str, size)))
@every_kind
@every_order
def test_passes_give_what_one_position_at_a_time_gives(order: str, kind: type, size: Position, latent) -> None:
    """For the wavefront: on slanted lines what Minnen, Ballé & Toderici decode row by row."""
    prior = fresh_prior(order, kind, seed=2)
    prior.side = SameSide(*size)
    y = latent(2, M, *size, seed=3)
    with torch.no_grad():
        y_hat, likelihoods = prior(y)
        expected = one_by_one(prior, y, prior.side(y)[0])
    torch.testing.assert_close(y_hat, expected, rtol=0, atol=1e-4)
    assert likelihoods["y"].shape == y.shape


def test_the_likelihoods_are_those_of_the_walks_scales_and_means(latent) -> None:
    prior = fresh_prior("raster", ConvContext)
    prior.side = SameSide(5, 6)
    y = latent(2, M, 5, 6)
    with torch.no_grad():
        y_hat, likelihoods = prior(y)
        scales, means = by_scanning(prior, y_hat, prior.side(y)[0])
        expected = prior.gaussian.likelihood(y_hat - means, scales)
    assert likelihoods.keys() == {"y", "z"}
    torch.testing.assert_close(likelihoods["y"], expected, rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(y_hat, torch.round(y - means) + means, rtol=0, atol=1e-5)


# Training --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("training", [False, True], ids=["use", "training"])
@every_kind
@every_order
def test_a_change_is_felt_by_later_passes_only(order: str, kind: type, training: bool, latent) -> None:
    prior = fresh_prior(order, kind)
    prior.side = SameSide(6, 7)
    prior.train(training)
    y = latent(1, M, 6, 7)
    with torch.no_grad():
        before = prior(y)
        felt = 0
        for q in positions(6, 7)[::3]:
            changed = y.clone()
            changed[..., q[0], q[1]] += 7.3
            after = prior(changed)
            for one, other in ((before[0], after[0]), (before[1]["y"], after[1]["y"])):
                for p in (one != other).any(dim=1)[0].nonzero().tolist():
                    assert tuple(p) == q or comes_before(order, q, tuple(p))
                    felt += tuple(p) != q
    assert felt > 50


@every_kind
def test_on_a_checkerboard_training_is_use(kind: type, latent) -> None:
    """What its white squares see are anchors, whose means no guess can miss."""
    prior = fresh_prior("checkerboard", kind)
    prior.side = SameSide(6, 7)
    y = latent(2, M, 6, 7)
    with torch.no_grad():
        in_use, in_training = prior(y), prior.train()(y)
    torch.testing.assert_close(in_training[0], in_use[0], rtol=0, atol=1e-4)
    torch.testing.assert_close(in_training[1]["y"], in_use[1]["y"], rtol=1e-3, atol=1e-6)


class WholeMeans(nn.Module):
    """After `fuse`: means rounded to whole numbers, so that ŷ is round(y), whatever the context says."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, :M], x[:, M:].round()], dim=1)


@every_kind
@every_order
def test_training_has_the_parameters_of_the_walk_where_its_guess_is_right(order: str, kind: type, latent) -> None:
    prior = fresh_prior(order, kind)
    prior.side = SameSide(6, 7)
    prior.fuse.append(WholeMeans())
    with torch.no_grad():
        y_hat, _ = prior(latent(2, M, 6, 7))
        parameters = prior.side(y_hat)[0]
        ours, walked = by_training(prior, y_hat, parameters), by_scanning(prior, y_hat, parameters)
    torch.testing.assert_close(ours, walked, rtol=1e-4, atol=1e-4)


@every_order
def test_the_second_guess_is_nearer(order: str, latent) -> None:
    prior = fresh_prior(order, ConvContext)
    y = latent(2, M, 9, 9)
    parameters = SameSide(9, 9).told.expand(2, -1, -1, -1)
    with torch.no_grad():
        y_hat = prior._scan(parameters, lambda s, m, r, c: torch.round(y[:, :, r, c] - m) + m)
        truth, once, twice = (
            way(prior, values, parameters)[1]
            for way, values in ((by_scanning, y_hat), (by_looking, y.round()), (by_training, y))
        )
    error_once, error_twice = ((means - truth).abs().mean() for means in (once, twice))
    assert error_twice < 0.7 * error_once


@pytest.mark.parametrize("noise", [False, True])
@every_kind
@every_order
def test_gradients_reach_every_parameter(order: str, kind: type, noise: bool, gradients_reach_all, latent) -> None:
    prior = randomised(fresh_prior(order, kind, noise=noise), seed=4, size=0.05).train()
    y = latent(2, M, 8, 9).requires_grad_()
    y_hat, likelihoods = prior(y)
    (bits(likelihoods["y"]) + bits(likelihoods["z"]) + y_hat.square().sum()).backward()
    gradients_reach_all(prior)
    assert y.grad.isfinite().all()


# Coding ----------------------------------------------------------------------------------------------------------


@every_kind
@every_order
@given(
    size=st.sampled_from(SIZES) | st.tuples(st.integers(1, 9), st.integers(1, 9)),
    batch=st.integers(1, 3),
    threads=st.integers(1, 2),
    seed=st.integers(0, 99),
)
@settings(max_examples=3)
@example(size=(1, 1), batch=1, threads=1, seed=0)
@example(size=(1, 7), batch=2, threads=2, seed=0)
@example(size=(9, 2), batch=3, threads=1, seed=0)
@example(size=(13, 10), batch=2, threads=2, seed=0)
def test_decoding_gives_exactly_the_forward_pass(
    order: str, kind: type, size: Position, batch: int, threads: int, seed: int, check_coding, latent
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        check_coding(built_prior(order, kind), latent(batch, M, *size, seed=seed), parts=2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2])
@every_kind
@every_order
def test_the_slim_ones_code(order: str, kind: type, threads: int, check_coding, latent) -> None:
    torch.manual_seed(0)
    prior = randomised(slim_context(kind, order, 24), seed=1, size=0.02).eval()
    prior.build_coder()
    torch.set_num_threads(threads)
    try:
        check_coding(prior, latent(1, 24, 7, 10), parts=2)
    finally:
        torch.set_num_threads(1)
    assert not prior.gaussian.noise and prior.order == order and type(prior.context) is kind


@every_kind
@every_order
def test_bytes_are_what_the_likelihoods_promise(order: str, kind: type, latent) -> None:
    prior = copy.deepcopy(built_prior(order, kind))
    y = latent(1, M, 24, 26) / 5
    with torch.no_grad():
        # Scales as wide as y: a value that a table does not list costs less than its likelihood says, 1e-9 at least.
        prior.fuse[-1].layer.bias[:M].add_(0.5)
        _, likelihoods = prior(y)
        z_strings, y_strings = prior.compress(y)
    for strings, name in ((z_strings, "z"), (y_strings, "y")):
        promised = bits(likelihoods[name]).item() / 8
        assert 0.98 * promised - 4 < len(strings[0]) < 1.02 * promised + 12


def test_compress_needs_no_no_grad(latent) -> None:
    prior, y = built_prior("raster", ConvContext), latent(1, M, 3, 4)
    with torch.no_grad():
        strings = prior.compress(y)
    assert prior.compress(y.requires_grad_()) == strings


def test_without_tables_there_is_a_loud_error(latent) -> None:
    prior = fresh_prior("raster", ConvContext)
    for use in (lambda: prior.compress(latent(1, M, 4, 4)), lambda: prior.decompress([[b""], [b""]], (4, 4))):
        with pytest.raises(RuntimeError, match="no coding tables yet"):
            use()


@every_order
def test_damaged_strings_are_refused(order: str, latent) -> None:
    prior = built_prior(order, ConvContext)
    with torch.no_grad():
        (z,), (y,) = prior.compress(latent(1, M, 9, 10))
        for damaged in (b"", y[:-4], y[:-1], y + bytes(4), bytes(len(y)), b"\xff" * len(y)):
            with pytest.raises(BitstreamError) as caught:
                prior.decompress([[z], [damaged]], (9, 10))
            assert str(caught.value).endswith(".") and "\n" not in str(caught.value)
        for damaged in (b"", z[:-1], z + bytes(4), bytes(len(z))):
            with pytest.raises(BitstreamError):
                prior.decompress([[damaged], [y]], (9, 10))
        for shape in ((8, 10), (9, 11)):
            with pytest.raises(BitstreamError):
                prior.decompress([[z], [y]], shape)
        for strings in ([], [[z]], [[z], [y], [y]]):
            with pytest.raises(BitstreamError, match=r"^this codec writes 2 string\(s\) a picture, not \d\.$"):
                prior.decompress(strings, (9, 10))


def test_strings_left_over_are_noticed(latent) -> None:
    """Fewer positions than were written: the stream goes on when the decoder is done."""
    prior = built_prior("checkerboard", ConvContext)
    with torch.no_grad():
        strings = prior.compress(latent(1, M, 8, 8))
    with pytest.raises(BitstreamError, match="does not end with its symbols"):
        prior.decompress(strings, (8, 5))


@every_kind
def test_what_is_not_finite_is_refused(kind: type, latent) -> None:
    y = latent(1, M, 4, 4)
    y[0, 1, 2, 3] = float("nan")
    with pytest.raises(ValueError, match="NaN"), torch.no_grad():
        built_prior("raster", kind).compress(y)


@every_kind
def test_a_fresh_prior_takes_the_state_and_reads_the_bytes(kind: type, tmp_path: Path, latent) -> None:
    prior = built_prior("quarters", kind)
    save_file(prior.state_dict(), tmp_path / "prior.safetensors")
    fresh = fresh_prior("quarters", kind, seed=9)
    fresh.load_state_dict(load_file(tmp_path / "prior.safetensors"), strict=True)
    y = latent(2, M, 6, 9)
    with torch.no_grad():
        strings = prior.compress(y)
        assert fresh.compress(y) == strings
        assert torch.equal(fresh.decompress(strings, (6, 9)), prior(y)[0])
