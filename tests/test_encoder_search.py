"""The encoder's search: never worse, always the same, and decoded by the same decoder."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib import encoder_search
from tutorial_lib.codec import Codec
from tutorial_lib.encoder_search import (
    DEFAULT_EFFORT,
    ERRORS,
    MARGIN,
    PIECE,
    PRICE,
    ROUNDS,
    Search,
    picture_of,
    pieces_of,
    step_size,
)
from tutorial_lib.files.images import to_float, to_uint8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.quality import lambda_of
from tutorial_lib.subband_prior import Coefficients
from tutorial_lib.wavelet import sizes
from tutorial_lib.workbench.photos import photo

LEVELS = 3
CUP = photo("coffee")[:, 100:196, 170:298]


def scene(height: int, width: int, seed: int = 0) -> Tensor:
    """Waves and some noise, far from black and white: (1, 3, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns = torch.arange(height)[:, None] / 5, torch.arange(width) / 4
    waves = (rows.sin() * columns.cos()).expand(1, 3, height, width) / 6 + 0.5
    return waves + 0.03 * torch.randn(1, 3, height, width, generator=generator)


def search_of(codec: Codec) -> Search:
    return Search(codec.prior, codec.synthesis)


def asked(codec: Codec, x: Tensor, quality: int) -> tuple[Coefficients, Tensor, Tensor]:
    """What `Search.best` is given."""
    condition = torch.tensor([float(quality)])
    return codec.analysis(x, condition), x, condition


@pytest.fixture(scope="module")
def codec(lively_codec: Callable[..., Codec]) -> Codec:
    return lively_codec()


@pytest.fixture(scope="module")
def trained() -> Codec:
    """The one that ships."""
    return Codec.load()


class TestNeverWorse:
    @given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
    @settings(max_examples=8)
    @example(1, 1, 50)
    @example(33, 17, 95)
    def test_more_rounds_never_cost_more(self, codec: Codec, height: int, width: int, quality: int) -> None:
        search, (y, x, condition) = search_of(codec), asked(codec, scene(height, width), quality)
        costs = [search.cost(search.best(y, x, condition, rounds), x, condition) for rounds in range(5)]
        assert costs[0] == search.cost(y, x, condition)
        assert costs == sorted(costs, reverse=True)

    def test_not_even_with_steps_that_lead_astray(self, codec: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(encoder_search, "step_size", lambda n: 40.0)
        search, (y, x, condition) = search_of(codec), asked(codec, scene(40, 33), 80)
        costs = [cost for _, cost in search.candidates(y, x, condition, 3)]
        assert min(costs[1:]) > 1.1 * costs[0]
        assert search.best(y, x, condition, 3) is y

    def test_more_effort_is_more_of_the_same(self) -> None:
        assert ROUNDS[0] == 0 and sorted(set(ROUNDS)) == list(ROUNDS) and len(ROUNDS) == len(Codec.efforts) == 10
        steps = [step_size(n) for n in range(ROUNDS[-1])]
        assert steps == sorted(steps, reverse=True) and 0 < steps[-1] and steps[0] < 1

    def test_it_pays(self, trained: Codec) -> None:
        search = search_of(trained)
        for quality in (30, 75):
            request = asked(trained, to_float(CUP), quality)
            costs = [search.cost(search.best(*request, rounds), *request[1:]) for rounds in (0, 1, 3)]
            assert costs == sorted(costs, reverse=True)
            assert costs[2] < 0.99 * costs[0]  # bits are about a half of the costs


class TestTheSameDecoder:
    @pytest.mark.parametrize("effort", [1, 3])
    @pytest.mark.parametrize("size", [(1, 1), (24, 37)])
    def test_what_is_decoded_is_the_forward_pass_of_the_kept_y(self, codec: Codec, effort: int, size: tuple) -> None:
        x = scene(*size)
        y, _, condition = asked(codec, x, 70)
        kept = search_of(codec).best(y, x, condition, ROUNDS[effort])
        coded = codec.compress(x, 70, effort)
        with torch.no_grad():
            y_hat, likelihoods = codec.prior(kept, condition)
            x_hat = codec.synthesis(y_hat, condition)
        assert torch.equal(codec.decompress(**coded, quality=70)["x_hat"], x_hat)
        bits = -sum(float(each.double().log2().sum()) for each in likelihoods.values())
        assert sum(len(part[0]) for part in coded["strings"]) <= 1.005 * bits / 8 + 64

    def test_large_pictures_are_searched_only_when_that_is_asked_for(self, codec: Codec) -> None:
        assert [codec.check_effort(None, pixels) for pixels in (0, 2**20, 2**20 + 1)] == [
            DEFAULT_EFFORT,
            DEFAULT_EFFORT,
            0,
        ]
        assert [codec.check_effort(effort, 10**8) for effort in (0, 1, 9)] == [0, 1, 9]

    def test_files_there_and_back(self, codec: Codec) -> None:
        picture = to_uint8(scene(30, 41))
        files = {effort: codec.encode(picture, 80, effort) for effort in (None, 0, DEFAULT_EFFORT, 9)}
        assert files[None] == files[DEFAULT_EFFORT] and files[9] != files[0]
        for data in files.values():
            assert codec.decode(data).shape == picture.shape

    def test_it_is_deterministic(self, codec: Codec) -> None:
        picture = to_uint8(scene(30, 41))
        assert codec.encode(picture, 60, 4) == codec.encode(picture, 60, 4)

    def test_each_picture_of_a_batch_is_searched_for_itself(self, codec: Codec) -> None:
        x = torch.cat([scene(20, 30), scene(20, 30, seed=1)])
        together = codec.compress(x, 60, 2)["strings"]
        for b in range(2):
            alone = codec.compress(x[b : b + 1], 60, 2)["strings"]
            assert [part[b] for part in together] == [part[0] for part in alone]

    def test_the_codec_is_left_as_it_was(self, lively_codec: Callable[..., Codec]) -> None:
        made = lively_codec().train()
        before = copy.deepcopy(made.state_dict())
        made.compress(scene(20, 30), 60, 2)
        assert made.training and all(parameter.requires_grad for parameter in made.parameters())
        assert all(parameter.grad is None for parameter in made.parameters())
        assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())


class TestARound:
    @pytest.mark.parametrize("size", [(1, 1), (21, 30)])
    def test_costs_are_bits_and_weighed_errors(self, codec: Codec, size: tuple) -> None:
        y, x, condition = asked(codec, scene(*size), 65)
        with torch.no_grad():
            forward = codec(x, 65)
        bits = -sum(float(each.double().log2().sum()) for each in forward["likelihoods"].values())
        mse = float((forward["x_hat"].clamp(0, 1) - x).double().square().mean())
        expected = bits + ERRORS * float(lambda_of(condition)) * 255**2 * mse * x.shape[-2] * x.shape[-1]
        assert search_of(codec).cost(y, x, condition) == pytest.approx(expected, rel=1e-5)
        assert search_of(codec)._targets(y, x, condition)[1] == pytest.approx(expected, rel=1e-5)

    def test_targets_are_where_the_parabola_ends(self) -> None:
        """Where no context says anything, the cost is a parabola in ŷ, and differences give its slope exactly."""
        torch.manual_seed(0)
        plain = Codec(C=[6, 8, 8], P=[5, 7, 8], P_colour=[4, 6, 6], half=8, quarter=8, blocks=1).eval()
        plain.start_at(scene(32, 32))
        with torch.no_grad():
            for name, parameter in plain.prior.named_parameters():
                if ".third." in name:
                    parameter.zero_()
        plain.build_coder()
        x, search = scene(19, 26), search_of(plain)
        y, _, condition = asked(plain, x, 90)
        targets, _ = search._targets(y, x, condition)
        with torch.no_grad():
            y_hat, _ = plain.prior(y, condition)
            for part, channel, row, column in ((0, 0, 1, 2), (1, 2, 0, 1), (2, 4, 3, 3), (3, 0, 5, 6), (3, 7, 2, 11)):
                ends = []
                for sign in (-0.5, 0.5):
                    moved = y_hat._replace(parts=[each.clone() for each in y_hat.parts])
                    moved.parts[part][0, channel, row, column] += sign
                    error = (plain.synthesis(moved, condition) - x).double().square().sum() / 3
                    ends.append(ERRORS * float(lambda_of(condition)) * 255**2 * float(error))
                expected = y_hat.parts[part][0, channel, row, column] - (ends[1] - ends[0]) / (2 * PRICE)
                assert float(targets[part][0, channel, row, column]) == pytest.approx(float(expected), abs=2e-3)

    def test_contexts_count(self, codec: Codec) -> None:
        """Where errors count for nothing, what is left of the gradient is the bits of symbols that come later."""
        y, x, condition = asked(codec, scene(32, 32), 60)
        search = search_of(codec)
        search.synthesis = lambda y_hat, quality: x + 0.0 * sum(part.sum() for part in y_hat.parts)
        targets, cost = search._targets(y, x, condition)
        with torch.no_grad():
            y_hat, likelihoods = codec.prior(y, condition)
        assert cost == pytest.approx(-sum(float(each.double().log2().sum()) for each in likelihoods.values()), rel=1e-5)
        moved = [not torch.equal(t, part) for t, part in zip(targets, y_hat.parts, strict=True)]
        assert moved == [True] * (LEVELS + 1)
        last = targets[-1] - y_hat.parts[-1]  # of the finest level, nothing follows the colours' second pass
        assert not last[:, 3:, 0::2, 1::2].any() and not last[:, 3:, 1::2, 0::2].any() and last[:, :3].any()

    def test_it_is_told_of_every_round(self, codec: Codec) -> None:
        for effort in (0, 2, 4):
            calls: list[int] = []
            codec.encode(to_uint8(scene(9, 9)), 50, effort, lambda calls=calls: calls.append(1))
            assert len(calls) == codec.rounds(effort) == ROUNDS[effort]


class TestPieces:
    @given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 20))
    @settings(max_examples=40)
    def test_they_make_up_the_picture(self, height: int, width: int, piece: int, margin: int) -> None:
        parts = [torch.rand(1, 3, *sizes((height, width), LEVELS)[-1])]
        parts += [torch.rand(1, 9, *size) for size in reversed(sizes((height, width), LEVELS)[1:])]
        y = Coefficients((height, width), parts)
        covered, pasted = torch.zeros(height, width), [torch.full_like(part, -1) for part in parts]
        for each in pieces_of(y.shape, LEVELS, piece, margin):
            covered[each.inner] += 1
            cut = each.cut(y)
            assert [part.shape[-2:] for part in cut.parts[1:]] == [*reversed(sizes(cut.shape, LEVELS)[1:])]
            assert cut.parts[0].shape[-2:] == cut.parts[1].shape[-2:]
            assert all(o.start <= i.start < i.stop <= o.stop for i, o in zip(each.inner, each.outer, strict=True))
            each.paste(cut.parts, pasted)
        assert (covered == 1).all()
        assert all(torch.equal(ours, true) for ours, true in zip(pasted, parts, strict=True))

    def test_small_pictures_are_one_piece(self) -> None:
        (piece,) = pieces_of((768, 512), 5, PIECE, MARGIN)
        assert piece.inner == piece.outer == (slice(0, 768), slice(0, 512))
        assert len(list(pieces_of((769, 512), 5, PIECE, MARGIN))) == 2

    def test_a_search_by_pieces_finds_nearly_the_same(self, trained: Codec, monkeypatch: pytest.MonkeyPatch) -> None:
        search, request = search_of(trained), asked(trained, to_float(CUP), 75)
        whole = [search.cost(search.best(*request, rounds), *request[1:]) for rounds in (0, 2)]
        monkeypatch.setattr(encoder_search, "PIECE", 64)
        monkeypatch.setattr(encoder_search, "MARGIN", 32)
        pieces = [search.cost(search.best(*request, rounds), *request[1:]) for rounds in (0, 1, 2)]
        assert pieces[0] == whole[0] and pieces == sorted(pieces, reverse=True)
        assert whole[0] - pieces[2] > 0.5 * (whole[0] - whole[1]) > 0

    @given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 100))
    @settings(max_examples=5)
    def test_a_picture_of_coefficients_undoes_the_analysis(
        self, codec: Codec, height: int, width: int, quality: int
    ) -> None:
        y, x, condition = asked(codec, scene(height, width), quality)
        torch.testing.assert_close(picture_of(y, condition, codec.synthesis.colours), x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("effort", [-1, 10, 2.5, True, "9"])
def test_efforts_that_there_are_not(codec: Codec, effort: object) -> None:
    with pytest.raises(ValueError, match=r"^an effort is a whole number from 0 to 9, not .*\.$"):
        codec.encode(to_uint8(scene(9, 9)), 50, effort)


def test_a_codec_that_does_not_search() -> None:
    first = FirstCodec().eval()
    first.build_coder()
    picture = to_uint8(scene(16, 16))
    assert first.encode(picture, effort=0) == first.encode(picture)
    with pytest.raises(ValueError, match=r"^this codec's encoder does not search; leave the effort 1 out\.$"):
        first.encode(picture, effort=1)
