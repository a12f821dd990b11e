"""The factorized prior against closed forms and against itself, and the rules for its medians.

With no hidden layers the prior is a logistic distribution, whose masses and quantiles are known.
"""

import copy
import io
import math
from collections.abc import Callable, Iterator
from itertools import zip_longest

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tutorial_lib.entropy_bottleneck import LIKELIHOOD_BOUND, LONGEST_ROW, EntropyBottleneck, lower_bound
from tutorial_lib.quantization import add_uniform_noise


def random_bottleneck(channels: int = 5, seed: int = 0, spread: float = 0.7, **options) -> EntropyBottleneck:
    """A prior whose channels all differ: lopsided, some with several modes."""
    torch.manual_seed(seed)
    bottleneck = EntropyBottleneck(channels, **options)
    with torch.no_grad():
        for parameter in bottleneck.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return bottleneck


def logistic_bottleneck(centres: list[float], scales: list[float]) -> EntropyBottleneck:
    """Channel c is logistic with mean centres[c] and scale scales[c]."""
    bottleneck = EntropyBottleneck(len(centres), filters=()).double()
    with torch.no_grad():
        for c, (centre, scale) in enumerate(zip(centres, scales, strict=True)):
            bottleneck.matrices[0][c] = softplus_inverse(1 / scale)
            bottleneck.biases[0][c] = -centre / scale
    return bottleneck


def softplus_inverse(x: float) -> float:
    return x + math.log(-math.expm1(-x))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > 0 else math.exp(x) / (1 + math.exp(x))


# ---- the cumulative


def test_an_untrained_density_is_as_wide_as_init_scale() -> None:
    """With all factors zero the layers are linear, and together they divide by init_scale."""
    for init_scale, filters in ((10.0, (3, 3, 3, 3)), (4.0, (2,)), (25.0, ())):
        logits = EntropyBottleneck(3, filters, init_scale).cumulative_logits(torch.tensor([[0.0, 1.0]] * 3))
        assert torch.allclose(logits.diff(), torch.full((3, 1), 1 / init_scale), rtol=1e-4)


def test_weights_start_equal_and_biases_at_random() -> None:
    bottleneck = EntropyBottleneck(200, filters=(2, 5), init_scale=8.0)
    for matrix, width in zip(bottleneck.matrices, (2, 5, 1), strict=True):
        assert torch.allclose(F.softplus(matrix), torch.tensor(1 / (2 * width)))  # 2: the cube root of 8
    biases = torch.cat([bias.flatten() for bias in bottleneck.biases])
    assert -0.5 <= biases.min() < -0.48 and 0.48 < biases.max() < 0.5
    assert all((factor == 0).all() for factor in bottleneck.factors)


def test_the_cumulative_increases_from_0_to_1() -> None:
    bottleneck = random_bottleneck(40, spread=2.0).double()
    values = torch.linspace(-300, 300, 6001, dtype=torch.float64).expand(40, -1)
    assert (bottleneck.cumulative_logits(values).diff() > 0).all()
    ends = torch.tensor([[-1e6, 1e6]], dtype=torch.float64).expand(40, -1)
    assert torch.allclose(torch.sigmoid(bottleneck.cumulative_logits(ends)), torch.tensor([0.0, 1.0]).double())


def test_each_channel_is_its_own_network() -> None:
    """The layers of the paper, written out for one channel and one value at a time."""
    bottleneck = random_bottleneck(3, filters=(2, 4)).double()
    for c in range(3):
        for z in (-2.5, 0.1, 7.0):
            x = torch.tensor([z], dtype=torch.float64)
            for k in range(3):
                x = F.softplus(bottleneck.matrices[k][c]) @ x + bottleneck.biases[k][c, :, 0]
                if k < 2:
                    x = x + torch.tanh(bottleneck.factors[k][c, :, 0]) * torch.tanh(x)
            logits = bottleneck.cumulative_logits(torch.full((3, 1), z, dtype=torch.float64))
            assert logits[c, 0].item() == pytest.approx(x.item(), rel=1e-12)


# ---- likelihoods


def test_likelihood_of_a_logistic() -> None:
    bottleneck = logistic_bottleneck([0.3, -4.0], [0.5, 3.0])
    values = torch.linspace(-8, 8, 33, dtype=torch.float64)
    likelihood = bottleneck.likelihood(values.expand(2, -1))
    for c, (centre, scale) in enumerate([(0.3, 0.5), (-4.0, 3.0)]):
        for z, p in zip(values.tolist(), likelihood[c].tolist(), strict=True):
            exact = sigmoid((z + 0.5 - centre) / scale) - sigmoid((z - 0.5 - centre) / scale)
            assert p == pytest.approx(exact, abs=1e-14)


def test_the_bin_that_the_median_halves_has_its_mass() -> None:
    """There the two logits add up to zero: a sign function would make the likelihood zero."""
    likelihood = logistic_bottleneck([0.0], [1.0]).likelihood(torch.zeros(1, 1, dtype=torch.float64))
    assert likelihood.item() == pytest.approx(sigmoid(0.5) - sigmoid(-0.5))


def test_both_tails_keep_their_precision_in_float32() -> None:
    bottleneck = logistic_bottleneck([0.0], [1.0])
    values = torch.tensor([[-60.0, -30.0, -15.0, 15.0, 30.0, 60.0]])
    exact = torch.tensor([[sigmoid(-abs(z) + 0.5) - sigmoid(-abs(z) - 0.5) for z in values[0].tolist()]])
    values.requires_grad_()
    likelihood = bottleneck.float().likelihood(values)
    assert torch.allclose(likelihood, exact, rtol=1e-4, atol=0)
    (slope,) = torch.autograd.grad(likelihood.log().sum(), values)
    assert torch.allclose(slope, torch.tensor([1.0, 1, 1, -1, -1, -1]), atol=1e-4)  # the tails are exponential


def test_likelihoods_of_all_symbols_sum_to_one() -> None:
    bottleneck = random_bottleneck().double()
    symbols = torch.arange(-20_000, 20_001, dtype=torch.float64) + 0.37
    assert torch.allclose(bottleneck.likelihood(symbols.expand(5, -1)).sum(1), torch.ones(5).double())


def test_lower_bound_lets_gradients_through_that_raise_x() -> None:
    x = torch.tensor([0.5, 0.5, 2.0, 2.0, 1.0, 1.0], requires_grad=True)
    y = lower_bound(x, 1.0)
    assert y.tolist() == [1, 1, 2, 2, 1, 1]
    y.backward(torch.tensor([-3.0, 3.0, -3.0, 3.0, -3.0, 3.0]))
    assert x.grad.tolist() == [-3, 0, -3, 3, -3, 3]


# ---- forward


@pytest.mark.parametrize("shape", [(2, 5), (1, 5, 1, 1), (2, 5, 3, 4), (3, 5, 7), (1, 5, 2, 3, 2), (0, 5, 2, 2)])
@pytest.mark.parametrize("training", [True, False])
def test_forward_treats_any_shape_channel_by_channel(shape: tuple[int, ...], training: bool) -> None:
    bottleneck = random_bottleneck().train(training)
    z_hat, likelihoods = bottleneck(4 * torch.randn(shape))
    assert z_hat.shape == likelihoods.shape == shape
    for c in range(5):
        values = z_hat[:, c].reshape(1, -1).expand(5, -1)
        assert torch.allclose(bottleneck.likelihood(values)[c], likelihoods[:, c].flatten(), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_forward_does_not_depend_on_the_layout_in_memory(training: bool) -> None:
    bottleneck = random_bottleneck(6).train(training)
    z = 4 * torch.randn(2, 6, 8, 4)
    layouts = {
        "contiguous": z,
        "channels_last": z.to(memory_format=torch.channels_last),
        "transposed": z.transpose(2, 3).contiguous().transpose(2, 3),
        "strided": torch.stack([z, -z], dim=-1)[..., 0],
        "batch innermost": z.permute(1, 2, 3, 0).contiguous().permute(3, 0, 1, 2),
    }
    results = []
    for layout in layouts.values():
        torch.manual_seed(3)
        results.append(bottleneck(layout))
    for z_hat, likelihoods in results[1:]:
        assert torch.equal(z_hat, results[0][0])
        assert torch.equal(likelihoods, results[0][1])
    one_image = [bottleneck.eval()(layout[:1])[0] for layout in layouts.values()]
    assert all(torch.equal(z_hat, one_image[0]) for z_hat in one_image)


def test_training_adds_noise_and_gives_every_parameter_a_gradient() -> None:
    bottleneck = random_bottleneck()
    z = (3 * torch.randn(2, 5, 4, 4)).requires_grad_()
    torch.manual_seed(1)
    z_hat, likelihoods = bottleneck(z)
    torch.manual_seed(1)
    noise = add_uniform_noise(torch.zeros(5, 2, 4, 4)).transpose(0, 1)  # drawn channel by channel, as CompressAI does
    assert torch.equal(z_hat, z + noise)
    (-torch.log2(likelihoods).sum() + 0.1 * z_hat.square().sum()).backward()
    for parameter in (z, *bottleneck.parameters()):
        assert parameter.grad.isfinite().all()
        assert (parameter.grad.abs() > 0).float().mean() > 0.99


def test_evaluation_rounds_around_the_median() -> None:
    bottleneck = random_bottleneck().eval()
    z = 4 * torch.randn(2, 5, 4, 4)
    z_hat, _ = bottleneck(z)
    medians = bottleneck.medians.view(1, 5, 1, 1)
    assert (medians.abs() > 0.01).all()  # else this would show nothing
    symbols = torch.round(z - medians)
    assert torch.equal(z_hat, symbols + medians)  # to the last bit: what a decoder will compute from integers
    assert ((z_hat - z).abs() <= 0.5 + 1e-5).all()


def test_an_impossible_value_costs_a_finite_number_of_bits() -> None:
    bottleneck = random_bottleneck().eval()
    _, likelihoods = bottleneck(torch.full((1, 5, 1, 1), 1e6))
    assert LIKELIHOOD_BOUND == 1e-9 and torch.equal(likelihoods, torch.full((1, 5, 1, 1), 1e-9))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype: torch.dtype) -> None:
    bottleneck = random_bottleneck().to(dtype)
    z = torch.randn(2, 5, 3, 3, dtype=dtype, requires_grad=True)
    for training in (True, False):
        z_hat, likelihoods = bottleneck.train(training)(z)
        assert z_hat.dtype == likelihoods.dtype == dtype
    rows, _, tails = bottleneck.pmfs()
    assert all(row.sum() + tail == pytest.approx(1, abs=1e-12) for row, tail in zip(rows, tails, strict=True))


@pytest.mark.parametrize("shape", [(5,), (2, 4, 3, 3), (5, 2), (0,)])
def test_forward_refuses_a_wrong_number_of_channels(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"\(B, 5, \.\.\.\)"):
        random_bottleneck()(torch.zeros(shape))


@pytest.mark.parametrize(
    "options", [{"channels": 0}, {"filters": (3, 0)}, {"init_scale": 0.0}, {"init_scale": math.nan}]
)
def test_construction_refuses_nonsense(options: dict) -> None:
    with pytest.raises(ValueError, match="above 0"):
        EntropyBottleneck(**{"channels": 2, **options})


@pytest.fixture
def one_thread() -> Iterator[None]:
    """On tensors this small, threads spend their time waiting for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_training_finds_a_bimodal_density(one_thread: None) -> None:
    """Its bits per symbol come down to the empirical entropy of the symbols."""
    generator = torch.Generator().manual_seed(0)
    bumps = torch.where(torch.rand(2000, generator=generator) < 0.5, -6.0, 6.0)
    z = (bumps + 0.8 * torch.randn(2000, generator=generator)).view(2000, 1)
    torch.manual_seed(0)
    bottleneck = EntropyBottleneck(1)
    optimizer = torch.optim.Adam(bottleneck.parameters(), lr=0.03)
    for _ in range(200):
        optimizer.zero_grad()
        (-torch.log2(bottleneck(z)[1]).mean()).backward()
        optimizer.step()
    with torch.no_grad():
        z_hat, likelihoods = bottleneck.eval()(z)
    counts = z_hat.unique(return_counts=True)[1] / 2000
    entropy = -(counts * counts.log2()).sum().item()
    assert entropy <= -torch.log2(likelihoods).mean().item() < entropy + 0.05


# ---- quantiles


def test_quantiles_of_a_logistic() -> None:
    centres, scales = [0.0, 1234.5, -0.001, 50.0], [1.0, 0.01, 300.0, 1e-3]
    bottleneck = logistic_bottleneck(centres, scales)
    for tail_mass in (1e-9, 1e-3, 0.5, 0.999):
        quantiles = bottleneck.quantiles(tail_mass)
        assert quantiles.shape == (4, 3) and quantiles.dtype == torch.float64
        logit = math.log(2 / tail_mass - 1)
        for c, (centre, scale) in enumerate(zip(centres, scales, strict=True)):
            expected = [centre - scale * logit, centre, centre + scale * logit]
            assert quantiles[c].tolist() == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_quantiles_undo_the_cumulative() -> None:
    bottleneck = random_bottleneck(30, spread=1.5)
    quantiles = bottleneck.quantiles(0.01)
    assert (quantiles.diff() > 0).all()
    cumulative = torch.sigmoid(copy.deepcopy(bottleneck).double().cumulative_logits(quantiles))
    assert torch.allclose(cumulative, torch.tensor([0.005, 0.5, 0.995]).double().expand(30, 3), atol=1e-12)


@pytest.mark.parametrize("tail_mass", [0.0, 1.0, -1e-9, math.nan])
def test_quantiles_refuse_what_is_no_probability(tail_mass: float) -> None:
    with pytest.raises(ValueError, match="tail_mass"):
        random_bottleneck().quantiles(tail_mass)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("group", ["matrices", "biases", "factors"])
@pytest.mark.parametrize("use", ["quantiles", "pmfs", "state_dict", "eval"])
def test_diverged_parameters_are_named(group: str, value: float, use: str) -> None:
    bottleneck = random_bottleneck()
    with torch.no_grad():
        getattr(bottleneck, group)[1][3, 0, 0] = value
    with pytest.raises(ValueError, match=r"\[3\] have diverged"):
        bottleneck.eval()(torch.zeros(1, 5)) if use == "eval" else getattr(bottleneck, use)()


def test_tables_are_made_on_the_cpu_whatever_the_default_device() -> None:
    bottleneck = random_bottleneck()
    with torch.device("meta"):  # stands in for a GPU: tensors made without saying where would land there
        rows, _, tails = bottleneck.pmfs()
    assert rows[0].sum() + tails[0] == pytest.approx(1)


def test_a_prior_may_be_built_on_another_device() -> None:
    with torch.device("meta"):
        bottleneck = EntropyBottleneck(5)
    bottleneck.to_empty(device="cpu")
    with torch.no_grad():
        for parameter, value in zip(bottleneck.parameters(), random_bottleneck().parameters(), strict=True):
            parameter.copy_(value)
    assert torch.allclose(bottleneck.state_dict()["medians"].double(), bottleneck.quantiles()[:, 1])


def test_a_density_without_quantiles_is_named() -> None:
    bottleneck = random_bottleneck()
    with torch.no_grad():
        bottleneck.matrices[2][4] = -2000.0  # softplus gives 0: the cumulative no longer increases
    with pytest.raises(ValueError, match=r"\[4\] have diverged"):
        bottleneck.quantiles()


# ---- probability mass functions


def test_pmfs_of_a_logistic() -> None:
    rows, offsets, tails = logistic_bottleneck([0.3, -40.25], [0.5, 3.0]).pmfs(tail_mass=1e-6)
    assert offsets.dtype == np.int64 and offsets.shape == tails.shape == (2,)
    for c, scale in enumerate([0.5, 3.0]):
        reach = round(scale * math.log(2e6 - 1))  # the symbol that the quantile falls into, on either side
        assert offsets[c] == -reach and len(rows[c]) == 2 * reach + 1
        for k, p in enumerate(rows[c].tolist()):
            symbol = k - reach
            exact = sigmoid((symbol + 0.5) / scale) - sigmoid((symbol - 0.5) / scale)
            assert p == pytest.approx(exact, rel=1e-5)  # the median is kept in float32
        assert tails[c] == pytest.approx(2 * sigmoid((-reach - 0.5) / scale), rel=1e-4)


@pytest.mark.parametrize("tail_mass", [1e-9, 1e-4, 0.3])
def test_a_row_leaves_out_at_most_the_tail_mass(tail_mass: float) -> None:
    bottleneck = random_bottleneck(30, spread=1.5)
    rows, _, tails = bottleneck.pmfs(tail_mass)
    assert len(rows) == 30 and len({len(row) for row in rows}) > 5
    for row, tail in zip(rows, tails, strict=True):
        assert row.ndim == 1 and row.dtype == np.float64 and (row >= 0).all()
        assert row.sum() + tail == pytest.approx(1, abs=1e-12)
        assert 0 < tail <= tail_mass
        assert tail + row[0] + row[-1] > tail_mass / 2 or len(row) == 1  # and it is no longer than that takes


def test_pmfs_are_the_likelihoods_of_evaluation() -> None:
    bottleneck = random_bottleneck(8).eval()
    rows, offsets, _ = bottleneck.pmfs()
    for c, (row, offset) in enumerate(zip(rows, offsets, strict=True)):
        symbols = torch.arange(offset, offset + len(row), dtype=torch.float32)
        z = (symbols + bottleneck.medians[c]).view(-1, 1).expand(-1, 8)
        _, likelihoods = bottleneck(z)
        assert np.allclose(likelihoods[:, c].detach(), np.maximum(row, LIKELIHOOD_BOUND), rtol=1e-3, atol=1e-6)


def test_a_sharp_density_needs_one_symbol() -> None:
    rows, offsets, tails = logistic_bottleneck([0.5], [1e-3]).pmfs()
    assert [len(row) for row in rows] == [1] and offsets.tolist() == [0] and 0 <= tails[0] < 1e-9


@pytest.mark.parametrize("init_scale", [1e3, 1e5, 1e9])
def test_the_rows_of_a_diverged_density_are_capped_around_the_median(init_scale: float) -> None:
    bottleneck = EntropyBottleneck(3, init_scale=init_scale)
    rows, offsets, tails = bottleneck.pmfs()
    for row, offset, tail in zip(rows, offsets, tails, strict=True):
        assert len(row) == LONGEST_ROW
        assert offset == pytest.approx(-LONGEST_ROW // 2, abs=1e-7 * init_scale)  # the median is a float32
        assert row.sum() + tail == pytest.approx(1, abs=1e-9)
        assert tail > 1e-3


def test_rows_follow_the_density_even_where_the_medians_do_not() -> None:
    """A loaded median may be off (CompressAI trains it); then the symbols are not around 0."""
    bottleneck = logistic_bottleneck([100.0, -100.0], [1.0, 1.0])
    bottleneck.load_state_dict(bottleneck.state_dict() | {"medians": torch.zeros(2)})
    rows, offsets, tails = bottleneck.pmfs(tail_mass=1e-9)
    assert offsets.tolist() == [79, -121] and (tails <= 1e-9).all()
    assert [offset + row.argmax() for row, offset in zip(rows, offsets, strict=True)] == [100, -100]


def test_no_probability_is_negative_where_the_density_vanishes() -> None:
    """With tanh(a) = -1, h + tanh(a) tanh(h) is flat around 0: two bumps, and rounding errors in between."""
    bottleneck = EntropyBottleneck(1, filters=(1, 1, 1)).double()
    with torch.no_grad():
        for matrix, weight in zip(bottleneck.matrices, (1e-8, 1e10, 1e10, 1e10), strict=True):
            matrix.fill_(softplus_inverse(weight))
        for bias, factor in zip_longest(bottleneck.biases, bottleneck.factors, fillvalue=torch.zeros(1)):
            bias.fill_(0.0)
            factor.fill_(-40.0)
    (row,), _, (tail,) = bottleneck.pmfs()
    assert len(row) > 1000 and (row == 0).sum() > 100 and (row >= 0).all()
    assert row.sum() + tail == pytest.approx(1, abs=1e-9)


# ---- the medians: when they are looked up, when they are kept


def off_centre() -> EntropyBottleneck:
    """A prior with medians that bisection did not find, as CompressAI's training leaves them."""
    bottleneck = random_bottleneck()
    bottleneck.load_state_dict(bottleneck.state_dict() | {"medians": torch.arange(5) + 0.25})
    return bottleneck


def are_kept(bottleneck: EntropyBottleneck) -> bool:
    return torch.equal(bottleneck.medians, torch.arange(5) + 0.25)


def are_true(bottleneck: EntropyBottleneck) -> bool:
    return torch.allclose(bottleneck.medians.double(), bottleneck.quantiles()[:, 1], atol=1e-6)


USES: dict[str, Callable[[EntropyBottleneck], object]] = {
    "eval": lambda bottleneck: bottleneck.eval()(torch.zeros(1, 5, 2, 2)),
    "pmfs": lambda bottleneck: bottleneck.pmfs(),
    "state_dict": lambda bottleneck: bottleneck.state_dict(),
    "parent's state_dict": lambda bottleneck: nn.Sequential(nn.Identity(), bottleneck).state_dict(),
    "inference mode": lambda bottleneck: torch.inference_mode()(bottleneck.eval())(torch.zeros(1, 5, 2, 2)),
}


@pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
class TestMedians:
    def test_of_a_new_prior_are_looked_up_at_first_use(self, use: Callable) -> None:
        bottleneck = random_bottleneck()
        assert not are_true(bottleneck)
        use(bottleneck)
        assert are_true(bottleneck)

    def test_are_looked_up_again_after_a_training_step(self, use: Callable) -> None:
        for bottleneck in (random_bottleneck(), off_centre()):
            optimizer = torch.optim.SGD(bottleneck.parameters(), lr=0.1)
            for _ in range(2):
                bottleneck.train()(torch.randn(2, 5, 2, 2))[1].sum().backward()
                use(bottleneck)  # between backward and step: it must not count as the look-up after the step
                optimizer.step()
                assert not are_true(bottleneck)
                use(bottleneck)
                assert are_true(bottleneck)

    def test_are_looked_up_again_after_weights_are_set_by_hand(self, use: Callable) -> None:
        """As averaging weights does, without a forward in training mode; behind autograd's back, too."""
        bottleneck = off_centre()
        bottleneck.biases[4].data.add_(1.0)
        use(bottleneck)
        assert are_true(bottleneck)
        with torch.no_grad():
            bottleneck.factors[0].copy_(torch.randn_like(bottleneck.factors[0]))
        use(bottleneck)
        assert are_true(bottleneck)

    def test_are_kept_if_training_mode_changes_no_parameter(self, use: Callable) -> None:
        bottleneck = off_centre()
        bottleneck.train()(torch.zeros(1, 5))[1].sum().backward()
        use(bottleneck)
        assert are_kept(bottleneck)

    def test_are_kept_after_loading(self, use: Callable) -> None:
        bottleneck = off_centre()
        assert not are_true(bottleneck)
        use(bottleneck)
        assert are_kept(bottleneck)

    def test_are_kept_by_a_copy(self, use: Callable) -> None:
        for clone in (copy.deepcopy(off_centre()), saved_and_loaded(off_centre())):
            use(clone)
            assert are_kept(clone)

    def test_are_stale_in_the_copy_of_a_stale_prior(self, use: Callable) -> None:
        bottleneck = off_centre()
        with torch.no_grad():
            bottleneck.biases[0].add_(1.0)
        for clone in (copy.deepcopy(bottleneck), saved_and_loaded(bottleneck)):
            use(clone)
            assert are_true(clone)

    def test_are_looked_up_after_loading_a_state_dict_without_medians(self, use: Callable) -> None:
        state = random_bottleneck(seed=9).state_dict()
        del state["medians"]
        bottleneck = off_centre()
        bottleneck.load_state_dict(state, strict=False)
        use(bottleneck)
        assert are_true(bottleneck)

    def test_are_kept_when_a_state_dict_concerns_something_else(self, use: Callable) -> None:
        bottleneck = off_centre()
        nn.ModuleDict({"prior": bottleneck}).load_state_dict({"other.weight": torch.zeros(1)}, strict=False)
        use(bottleneck)
        assert are_kept(bottleneck)

    def test_are_kept_from_one_use_to_the_next(self, use: Callable) -> None:
        bottleneck = random_bottleneck()
        use(bottleneck)
        bottleneck.medians.copy_(torch.arange(5) + 0.25)  # to see whether they are written again
        use(bottleneck)
        assert are_kept(bottleneck)

    def test_are_kept_by_a_copy_of_a_used_prior(self, use: Callable) -> None:
        bottleneck = off_centre()
        use(bottleneck)
        use(clone := copy.deepcopy(bottleneck))
        assert are_kept(clone)


def saved_and_loaded(bottleneck: EntropyBottleneck) -> EntropyBottleneck:
    buffer = io.BytesIO()
    torch.save(bottleneck, buffer)
    return torch.load(io.BytesIO(buffer.getvalue()), weights_only=False)


def test_medians_are_kept_in_another_precision() -> None:
    bottleneck = off_centre().double()
    bottleneck.pmfs()
    assert are_kept(bottleneck.float())


def test_medians_are_a_persistent_float32_buffer() -> None:
    bottleneck = random_bottleneck()
    assert dict(bottleneck.named_buffers()).keys() == {"medians"}
    state = bottleneck.state_dict()
    assert state["medians"].shape == (5,) and state["medians"].dtype == torch.float32
    assert not state["medians"].requires_grad
    fresh = EntropyBottleneck(5)
    fresh.load_state_dict(state, strict=True)
    z = 3 * torch.randn(2, 5, 4, 4)
    for ours, theirs in zip(fresh.eval()(z), bottleneck.eval()(z), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("older", [False, True])
@pytest.mark.parametrize("prefix", ["", "hyper.entropy_bottleneck."])
def test_a_state_dict_of_compressai_loads_strictly(prefix: str, older: bool) -> None:
    """Its layout, made up here; tests/peers does the same with the real ones."""
    ours = random_bottleneck()
    state = {name: value for name, value in ours.state_dict().items() if name != "medians"}
    if older:
        singular = {"matrices.": "_matrix", "biases.": "_bias", "factors.": "_factor"}
        for new, old in singular.items():
            state = {name.replace(new, old): value for name, value in state.items()}
        assert {"_matrix4", "_bias4", "_factor3"} <= state.keys()
    state["quantiles"] = torch.randn(5, 1, 3)
    for name in ("target", "_offset", "_quantized_cdf", "_cdf_length", "likelihood_lower_bound.bound"):
        state[name] = torch.zeros(3)
    state = {prefix + name: value for name, value in state.items()}
    names = list(state)

    loaded = EntropyBottleneck(5)
    model = nn.ModuleDict({"hyper": nn.ModuleDict({"entropy_bottleneck": loaded})}) if prefix else loaded
    model.load_state_dict(state, strict=True)
    assert list(state) == names  # the caller's dictionary is left alone
    assert torch.equal(loaded.state_dict()["medians"], state[prefix + "quantiles"][:, 0, 1])
    for name, parameter in ours.named_parameters():
        assert torch.equal(loaded.get_parameter(name), parameter)


def test_loading_is_as_strict_as_ever_and_leaves_the_state_dict_alone() -> None:
    bottleneck = random_bottleneck()
    state = bottleneck.state_dict()
    for spoilt in (
        {**state, "matrix": torch.zeros(1)},
        {**state, "_matrix9": torch.zeros(1)},
        {key: value for key, value in state.items() if key != "medians"},
        {key: value for key, value in state.items() if key != "biases.2"},
        {**state, "medians": torch.zeros(6)},
    ):
        keys = list(spoilt)
        with pytest.raises(RuntimeError):
            random_bottleneck().load_state_dict(spoilt, strict=True)
        assert list(spoilt) == keys
