"""The wavelet's prior: the decoder finds the encoder's coefficients to the bit, from all of the stream or a part."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib import laplace, subband_prior
from tutorial_lib.cdf import CdfTables
from tutorial_lib.quality import DISTORTION_WEIGHT, ROWS, QualityTable, lambda_of, quality_map, step_of
from tutorial_lib.rans import BitstreamError
from tutorial_lib.subband_networks import (
    LOGARITHMS,
    Logarithms,
    LowPass,
    Pass,
    logarithm_table,
    surroundings,
    twice,
)
from tutorial_lib.subband_prior import Coefficients, Decoded, SubbandPrior, valid_places
from tutorial_lib.wavelet import sizes, split
from tutorial_lib.whole_networks import UNIT, WholeLayer

WIDTHS = (6, 8, 8), (5, 7, 8), (4, 6, 6)
LEVELS = len(WIDTHS[0])
Size = tuple[int, int]


@pytest.fixture(scope="module")
def prior() -> SubbandPrior:
    """Small, and lively: its means and levels differ from place to place."""
    return lively_prior()


def lively_prior(seed: int = 0) -> SubbandPrior:
    torch.manual_seed(seed)
    made = SubbandPrior(*WIDTHS)
    with torch.no_grad():
        for name, module in made.named_modules():
            if isinstance(module, WholeLayer):
                for weight in module.weights:
                    weight.mul_(8.0 if ".third" in name else 2.0)
        for table in made.base_log_scale:
            table.values.uniform_(-3.0, 3.0)
    made.build_coder()
    return made.eval()


def coefficients(batch: int, *shape: int, seed: int = 0) -> Coefficients:
    """Of noise that is smooth enough to resemble a picture."""
    x = 8 * torch.randn(batch, 3, *shape, generator=torch.Generator().manual_seed(seed)).cumsum(-1).cumsum(-2).sin()
    low, parts = 2 * x, []
    for _ in range(LEVELS):
        low, details = split(low)
        parts.append(details.flatten(1, 2))
    return Coefficients(tuple(shape), [low, *reversed(parts)])


def at(quality: float, batch: int = 1) -> Tensor:
    """One quality for each image of a batch."""
    return torch.full((batch,), float(quality))


def bits_of(likelihoods: dict[str, Tensor]) -> float:
    return -sum(float(each.double().log2().sum()) for each in likelihoods.values())


def equal(ours: Decoded, theirs: Decoded) -> bool:
    pairs = zip((*ours.parts, *ours.features), (*theirs.parts, *theirs.features), strict=True)
    return ours.shape == theirs.shape and all(torch.equal(a, b) for a, b in pairs)


def check_coding(prior: SubbandPrior, y: Coefficients, quality: int, near: bool = True) -> list[list[bytes]]:
    batch = len(y.parts[0])
    with torch.no_grad():
        rated, likelihoods = prior(y, at(quality, batch))
        strings = prior.compress(y, at(quality, batch))
        decoded = prior.decompress(strings, y.shape, at(quality, batch))
    assert [len(pieces) for pieces in strings] == [batch] * prior.parts
    assert equal(decoded, rated)
    assert [part.shape for part in decoded.parts] == [part.shape for part in y.parts]
    total = 8 * sum(len(piece) for pieces in strings for piece in pieces)
    if near:
        assert total <= 1.005 * bits_of(likelihoods) + 120 * batch  # a state of 64 bits, a word begun, rounding
    return strings


# Coding ------------------------------------------------------------------------------------------------------------


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    batch=st.integers(1, 3),
    quality=st.integers(1, 100),
    seed=st.integers(0, 99),
)
@settings(max_examples=15, deadline=None)
@example(size=(1, 1), batch=1, quality=1, seed=0)
@example(size=(1, 33), batch=2, quality=100, seed=0)
@example(size=(32, 48), batch=2, quality=37, seed=0)
def test_decoding_gives_exactly_what_was_rated(prior, size: Size, batch: int, quality: int, seed: int) -> None:
    check_coding(prior, coefficients(batch, *size, seed=seed), quality)


def test_the_test_prior_has_something_to_code(prior) -> None:
    """Without this, all that was found equal might have been zero."""
    y = coefficients(1, 33, 40)
    seen: list[tuple[Tensor, Tensor]] = []

    def code(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        seen.append((m, laplace.indexes(s)))
        return torch.round(which.of(y.parts) - m)

    with torch.no_grad():
        y_hat = prior.scan(y.shape, torch.tensor([50.0]), code, whole=True)
    assert len(seen) == 4 + LEVELS * 8
    assert sum(len(index.unique()) > 4 for _, index in seen) > len(seen) / 2
    assert sum(float(m.std()) > 0.05 for m, _ in seen[1:] if m.numel() > 8) > len(seen) / 2
    assert all(part.unique().numel() > 5 for part in y_hat.parts)
    assert all((f != 0).float().mean() > 0.3 and (f.abs() == 1023).float().mean() < 0.3 for f in y_hat.features)


def test_images_of_a_batch_are_coded_alone(prior) -> None:
    y = coefficients(3, 21, 18)
    together = prior.compress(y, at(60, 3))
    for b in range(3):
        alone = prior.compress(Coefficients(y.shape, [part[b : b + 1] for part in y.parts]), at(60))
        assert [pieces[b] for pieces in together] == [piece for (piece,) in alone]


@contextlib.contextmanager
def threads(n: int):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    yield
    torch.set_num_threads(before)


def test_threads_backends_and_layouts_change_no_byte(prior) -> None:
    y = coefficients(2, 25, 36)
    strings = prior.compress(y, at(70, 2))
    whole = prior.decompress(strings, y.shape, at(70, 2))
    for count, onednn, layout in itertools.product(
        (1, 2), (True, False), (torch.contiguous_format, torch.channels_last)
    ):
        other = lively_prior().to(memory_format=layout)
        with threads(count), torch.backends.mkldnn.flags(enabled=onednn):
            assert other.compress(y, at(70, 2)) == strings
            assert equal(other.decompress(strings, y.shape, at(70, 2)), whole)


def test_a_saved_prior_reads_what_another_wrote(prior) -> None:
    y = coefficients(1, 19, 30)
    torch.manual_seed(5)
    other = SubbandPrior(*WIDTHS)
    other.load_state_dict(prior.state_dict())
    assert equal(
        other.eval().decompress(prior.compress(y, at(20)), y.shape, at(20)),
        prior.decompress(prior.compress(y, at(20)), y.shape, at(20)),
    )


# Parts -------------------------------------------------------------------------------------------------------------


def test_the_first_pieces_decode_the_first_parts_and_no_more_is_computed(prior, monkeypatch) -> None:
    y = coefficients(2, 37, 22)
    strings = prior.compress(y, at(40, 2))
    whole = prior.decompress(strings, y.shape, at(40, 2))
    for count in range(1, prior.parts + 1):
        for level in prior.levels[count - 1 :]:
            monkeypatch.setattr(level, "forward", None)
        some = prior.decompress(strings[:count], y.shape, at(40, 2))
        monkeypatch.undo()
        assert len(some.features) == count
        assert all(torch.equal(a, b) for a, b in zip(some.features, whole.features[:count], strict=True))
        for n, (part, true) in enumerate(zip(some.parts, whole.parts, strict=True)):
            assert part.shape == true.shape
            assert torch.equal(part, true) if n < count else not part.any()


def test_a_part_decodes_even_if_the_stream_goes_on(prior) -> None:
    """A reader who has more bytes than it asks for: what follows does not disturb."""
    y = coefficients(1, 37, 22)
    strings = prior.compress(y, at(40))
    some = prior.decompress(strings[:2], y.shape, at(40))
    longer = [strings[0], [strings[1][0] + strings[2][0][1:]]]
    assert equal(prior.decompress(longer, y.shape, at(40)), some)


# Hostile input -----------------------------------------------------------------------------------------------------


def test_damaged_strings_are_refused_or_decode_to_something_else(prior) -> None:
    y = coefficients(1, 30, 31)
    strings = prior.compress(y, at(80))
    places = [(part, place) for part, (piece,) in enumerate(strings) for place in range(len(piece))]
    refused = 0
    for part, place in places[:: max(1, len(places) // 25)]:
        (piece,) = strings[part]
        damaged = [piece[:place] + bytes([piece[place] ^ 0x55]) + piece[place + 1 :]]
        pieces = [*strings[:part], damaged, *strings[part + 1 :]]
        try:
            other = prior.decompress(pieces, y.shape, at(80))
            assert all(part.isfinite().all() and part.abs().max() <= 2047 for part in other.parts)
        except BitstreamError:
            refused += 1
    assert refused > 15


def test_strings_that_do_not_fit_are_refused(prior) -> None:
    y = coefficients(1, 16, 16)
    strings = prior.compress(y, at(50))
    for wrong in (
        [],
        [*strings, [b""]],
        [[b""], *strings[1:]],
        [*strings[:-1], [strings[-1][0][:-4]]],
        [*strings[:-1], [strings[-1][0] + b"\0\0\0\0"]],
        [strings[0] * 2, *strings[1:]],
        [[b"\xff" * 8], *([b""] for _ in strings[1:])],
    ):
        with pytest.raises(BitstreamError):
            prior.decompress(wrong, y.shape, at(50))
    for lost in (0, 2, LEVELS):
        with pytest.raises(BitstreamError, match="without a gap"):
            prior.decompress([None if n == lost else part for n, part in enumerate(strings)], y.shape, at(50))


@pytest.mark.parametrize("condition", [None, at(0), at(101), at(50.5), torch.tensor([50.0, 51.0]), torch.empty(0)])
def test_a_batch_is_coded_at_one_whole_quality(prior, condition: Tensor | None) -> None:
    y = coefficients(2, 16, 16)
    strings = prior.compress(y, at(50, 2))
    with pytest.raises(ValueError, match="quality"):
        prior.compress(y, condition)
    with pytest.raises(ValueError, match="quality"):
        prior.decompress(strings, y.shape, condition)


def test_what_cannot_be_coded_is_refused(prior) -> None:
    y = coefficients(1, 16, 16)
    y.parts[2][0, 0, 0, 0] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        prior.compress(y, at(50))
    with pytest.raises(RuntimeError, match="tables"):
        SubbandPrior(*WIDTHS).compress(coefficients(1, 8, 8), at(50))


def test_coefficients_beyond_all_pictures_survive(prior) -> None:
    y = coefficients(1, 24, 17)
    strings = check_coding(prior, Coefficients(y.shape, [100 * part for part in y.parts]), 90, near=False)
    assert prior.decompress(strings, y.shape, at(90)).parts[0].abs().max() > 100


@pytest.mark.parametrize("name", ["levels.0.grey.first.1.bias", "base_log_scale.1.values"])
def test_diverged_weights_make_no_tables(name: str) -> None:
    made = lively_prior()
    with torch.no_grad():
        made.get_parameter(name).view(-1)[0] = math.nan
    with pytest.raises(ValueError, match="diverged"):
        made.build_coder()


# Training ----------------------------------------------------------------------------------------------------------


def trained_prior() -> SubbandPrior:
    torch.manual_seed(0)
    return SubbandPrior(*WIDTHS).train()


@pytest.mark.parametrize("shape", [(32, 32), (27, 41)])
def test_training_computes_nearly_what_is_coded(shape: Size, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the shift of the tables, which is a picture's own and only saves."""
    made, y, quality = trained_prior(), coefficients(2, *shape), torch.tensor([30.0, 80.0])
    made.start_at(y, torch.full((2,), 50.0))
    with torch.no_grad():
        _, trained = made(y, quality)
        made.rounds = True
        _, rounded = made(y, quality)
        _, shifted = made.eval()(y, quality)
        monkeypatch.setattr(subband_prior, "fitted_offsets", lambda passes, b: defaultdict(int))
        _, coded = made(y, quality)
    assert bits_of(shifted) < bits_of(coded)
    assert {name: value.shape for name, value in trained.items()} == {name: v.shape for name, v in coded.items()}
    assert abs(bits_of(trained) / bits_of(coded) - 1) < 0.02
    assert abs(bits_of(rounded) / bits_of(coded) - 1) < 0.01


@pytest.mark.parametrize("rounds", [False, True])
def test_every_parameter_learns(rounds: bool, gradients_reach_all) -> None:
    made, y = trained_prior(), coefficients(2, 32, 40)
    made.start_at(y, torch.full((2,), 50.0))
    made.rounds = rounds
    y_hat, likelihoods = made(y, torch.tensor([20.0, 70.0]))
    loss = sum(-each.log2().sum() for each in likelihoods.values())
    loss = loss + sum(part.square().sum() for part in y_hat.parts) + sum(f.sum() for f in y_hat.features)
    loss.backward()
    gradients_reach_all(made)


def test_a_step_downhill_saves_bits() -> None:
    made, y, quality = trained_prior(), coefficients(4, 32, 32), torch.full((4,), 60.0)
    optimizer = torch.optim.Adam(made.parameters(), lr=3e-3)
    bits = []
    for _ in range(12):
        _, likelihoods = made(y, quality)
        loss = sum(-each.log2().sum() for each in likelihoods.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        bits.append(loss.item())
    assert bits[-1] < 0.9 * bits[0]


def test_start_at_finds_the_spread_of_every_quality() -> None:
    made, y = trained_prior(), coefficients(4, 64, 64)
    made.start_at(y, torch.full((4,), 50.0))
    times = float(step_of(torch.tensor([50.0])) / step_of(torch.tensor([89.0])))
    expected = (y.parts[1] * times).abs().mean(dim=(0, 2, 3)) + 0.02
    torch.testing.assert_close(made.base_log_scale[1].values[8, :9].exp2(), expected, rtol=1e-4, atol=1e-4)


def test_groups_hold_every_parameter_once() -> None:
    made = trained_prior()
    held = [id(p) for group in made.parameter_groups() for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in made.parameters())


# Pieces ------------------------------------------------------------------------------------------------------------


def test_laplace_tables_are_the_likelihoods() -> None:
    tables = CdfTables.from_pmfs(*laplace.LaplaceTables().pmfs())
    assert len(tables.length) == laplace.TABLES
    for index in range(0, laplace.TABLES, 7):
        length, offset = int(tables.length[index]), int(tables.offset[index])
        k = torch.arange(offset, offset + length - 2)
        s = laplace.log_scale_of(torch.tensor(index))
        log2 = laplace.log2_likelihood(k.float(), s).numpy()
        widths = np.diff(tables.cdf[index, : length - 1])
        likely = widths > 300
        np.testing.assert_allclose(np.log2(widths[likely] / 65536), log2[likely], atol=0.02)


def test_laplace_likelihoods_are_masses_and_have_their_gradients() -> None:
    k = torch.arange(-400, 401).double()
    for s in (-3.0, 0.0, 2.0, 5.0):
        assert abs(float(laplace.log2_likelihood(k, torch.tensor(s).double()).exp2().sum()) - 1) < 1e-3
    k = torch.tensor([0.0, 1.0, -3.0], dtype=torch.float64)
    s = torch.tensor([0.3, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda s: laplace.log2_likelihood(k, s), s)


@pytest.mark.parametrize("times", [laplace.TRAINING_WEIGHT, laplace.CODING_WEIGHT])
def test_the_choice_is_the_cheaper_one(times: float) -> None:
    r = torch.linspace(-4, 4, 801)
    for s in (-1.0, 0.5, 3.0):
        log_scale = torch.full_like(r, s)
        chosen = laplace.choose(r, laplace.savings(log_scale), times)
        weight = times * DISTORTION_WEIGHT
        cost = lambda k, s=log_scale, weight=weight: weight * (r - k) ** 2 - laplace.log2_likelihood(k, s)  # noqa: E731
        nearest = r.round()
        best = torch.minimum(cost(nearest), cost(nearest - nearest.sign()))
        torch.testing.assert_close(cost(chosen), best, rtol=1e-4, atol=1e-4)


def test_table_numbers_are_within_the_tables() -> None:
    s = torch.tensor([-100.0, laplace.LOWEST, 0.0, laplace.HIGHEST, 100.0])
    assert laplace.indexes(s).tolist() == [0, 0, 36, laplace.TABLES - 1, laplace.TABLES - 1]
    assert laplace.log_scale_of(laplace.indexes(torch.tensor([0.25]))).tolist() == [0.25]


def test_no_logarithm_is_near_a_half() -> None:
    """So that every machine's logarithm rounds to the same number."""
    n = torch.arange(LOGARITHMS, dtype=torch.float64)
    exact = torch.log1p(n / 256) * UNIT
    assert ((exact - exact.floor() - 0.5).abs() > 1e-8).all()
    assert torch.equal(torch.from_numpy(logarithm_table()).double(), exact.round()) and logarithm_table().max() < 511


def test_logarithms_of_whole_numbers_and_floats_agree() -> None:
    y = torch.round(60 * torch.randn(2, 3, 5, 7) * 256) / 256
    whole, real = (Logarithms()(y, whole=which) for which in (True, False))
    assert whole.shape == (2, 6, 5, 7) and (whole - real).abs().max() <= 0.5001
    assert torch.equal(whole[:, :3].abs(), whole[:, 3:]) and torch.equal(
        whole[:, :3].sign(), y.sign() * (whole[:, 3:] > 0)
    )


def test_surroundings_are_means_of_squares() -> None:
    low = torch.randn(1, 3, 6, 7)
    padded = torch.nn.functional.pad(low, (2, 2, 2, 2), mode="replicate")
    true = low - torch.nn.functional.avg_pool2d(padded, 5, 1)
    torch.testing.assert_close(surroundings(low, 2, whole=False), true, rtol=0, atol=1e-5)
    rounded = surroundings(torch.round(low * 256) / 256, 2, whole=True) * 256
    assert torch.equal(rounded, rounded.round())


def test_twice_repeats_and_cuts() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert twice(x, (3, 5))[0, 0].tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [3, 3, 4, 4, 5]]


def test_the_low_pass_sees_only_what_is_known() -> None:
    """Changing a value changes nothing that was predicted for its own pass or an earlier one."""
    torch.manual_seed(0)
    low_pass, base = LowPass(6), torch.zeros(1, 12, 1, 1)
    y = 10 * torch.randn(1, 3, 6, 6)

    def predicted(y: Tensor) -> list[Tensor]:
        seen = []

        def code(which: Pass, m: Tensor, s: Tensor) -> Tensor:
            seen.append(torch.cat([m, s]))
            return torch.round(which.of([y]) - m)

        low_pass((6, 6), code, base, torch.zeros(1, 1, 1, 1), whole=True)
        return seen

    changed = y.clone()
    changed[0, :, 2, 3] += 50  # of the third pass
    before, after = predicted(y), predicted(changed)
    assert [torch.equal(a, b) for a, b in zip(before, after, strict=True)] == [True, True, True, False]


@pytest.mark.parametrize("shape", [(8, 8), (7, 8), (8, 5), (1, 1), (3, 1)])
def test_valid_places_count_the_coefficients(shape: Size) -> None:
    valid = valid_places(shape, torch.device("cpu"))
    h, w = sizes(shape, 1)[1]
    count = 9 * h * w if valid is None else int(valid.sum())
    assert count == 3 * (shape[0] * shape[1] - h * w)


def test_a_quality_table_gives_its_rows_and_what_lies_between() -> None:
    table = QualityTable(torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(0)))
    quality = torch.tensor([1.0, 12.0, 17.0, 100.0])
    values = table(quality)[:, :, 0, 0]
    assert torch.equal(values[[0, 1, 3]], table.values[[0, 1, 9]])
    torch.testing.assert_close(values[2], table.values[1] + (table.values[2] - table.values[1]) * 5 / 11)
    rounded = table.rounded(quality, 64.0)
    assert torch.equal(rounded.double() * 64, table.in_units(quality, 64.0))
    assert (rounded[:, :, 0, 0] - values).abs().max() < 1.01 / 64
    rounded.sum().backward()
    assert round(float(table.values.grad.sum())) == 16


def test_no_quality_is_near_half_a_unit_of_the_map() -> None:
    hints = quality_map(torch.arange(1.0, 101.0)).flatten()
    assert quality_map(torch.ones(3)).shape == (3, 1, 1, 1) and (hints.diff() > 0).all()
    exact = (2 * torch.arange(1, 101, dtype=torch.float64) - 101) / 99 * UNIT
    assert ((exact - exact.floor() - 0.5).abs() > 0.005).all()
    assert torch.equal((hints * UNIT).round().double(), exact.round())


def test_the_distortion_weight_is_that_of_every_quality() -> None:
    quality = torch.tensor([3.0, 77.0])
    weights = lambda_of(quality) * step_of(quality).flatten() ** 2 / 3
    torch.testing.assert_close(weights, torch.full((2,), DISTORTION_WEIGHT))
