"""The wavelet codec as a whole: any size there and back, previews, what it learns."""

from __future__ import annotations

import copy
import io
import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from tutorial_lib.bitstream import unpack
from tutorial_lib.files.images import to_float, to_uint8
from tutorial_lib.quality import VariableRateCodec, lambda_of, step_of
from tutorial_lib.rans import BitstreamError
from tutorial_lib.recipe import Recipe
from tutorial_lib.restoration import Restoration, WaveletSynthesis, filled
from tutorial_lib.soap import SOAP
from tutorial_lib.subband_prior import Decoded
from tutorial_lib.training import RandomCrops, Training
from tutorial_lib.transform_codec import TransformCodec
from tutorial_lib.wavelet_codec import WaveletAnalysis, WaveletCodec

SMALL = {"C": (6, 8, 8), "P": (5, 7, 8), "P_colour": (4, 6, 6), "half": 8, "quarter": 8, "blocks": 1}
LEVELS = 3


def picture(batch: int, height: int, width: int, seed: int = 0) -> Tensor:
    """Smooth, with edges, and some noise: (B, 3, H, W) in [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    phase = 6 * torch.rand(batch, 3, 1, 1, generator=generator)
    rows, columns = torch.arange(height)[:, None] / 9, torch.arange(width) / 7
    x = torch.sin(rows + phase) * torch.cos(columns - phase) + (rows + columns > 3).float()
    return (x / 4 + 0.4 + 0.04 * torch.randn(batch, 3, height, width, generator=generator)).clamp(0, 1)


@pytest.fixture(scope="module")
def codec() -> WaveletCodec:
    """With corrections and a restoration that do something, too."""
    torch.manual_seed(0)
    made = WaveletCodec(**SMALL)
    made.start_at(picture(2, 64, 64))
    with torch.no_grad():
        for layer in (*made.synthesis.corrections, made.synthesis.restoration.third):
            layer.weight.normal_(0, 0.03)
        for table in made.synthesis.log_step:
            table.values.normal_(0, 0.05)
    made.build_coder()
    return made.eval()


@pytest.fixture(scope="module")
def plain() -> WaveletCodec:
    """Untrained: a wavelet and a quantizer."""
    torch.manual_seed(0)
    made = WaveletCodec(**SMALL)
    made.start_at(picture(2, 64, 64))
    made.build_coder()
    return made.eval()


def bytes_of(x: Tensor) -> Tensor:
    """The first picture of a batch, uint8 (3, H, W)."""
    return to_uint8(x[:1])


def bits_of(likelihoods: dict[str, Tensor]) -> float:
    return -sum(float(each.double().log2().sum()) for each in likelihoods.values())


# Coding ------------------------------------------------------------------------------------------------------------


@given(
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    batch=st.integers(1, 2),
    quality=st.integers(1, 100),
    seed=st.integers(0, 99),
)
@settings(max_examples=12, deadline=None)
@example(size=(1, 1), batch=1, quality=100, seed=0)
@example(size=(2, 37), batch=1, quality=50, seed=0)
@example(size=(48, 64), batch=2, quality=9, seed=0)
def test_decoding_is_the_forward_pass(codec, size: tuple[int, int], batch: int, quality: int, seed: int) -> None:
    x = picture(batch, *size, seed=seed)
    with torch.no_grad():
        rated = codec(x, torch.full((batch,), float(quality)))
    made = codec.compress(x, quality)
    assert made["shape"] == size
    decoded = codec.decompress(**made, quality=quality)["x_hat"]
    assert decoded.shape == x.shape and torch.equal(decoded, rated["x_hat"])
    total = 8 * sum(len(piece) for pieces in made["strings"] for piece in pieces)
    assert total <= 1.005 * bits_of(rated["likelihoods"]) + 120 * batch


def test_a_saved_codec_decodes_alike(codec) -> None:
    x = picture(1, 40, 33)
    made = codec.compress(x, 60)
    other = WaveletCodec(**SMALL)
    other.load_state_dict(codec.state_dict())
    assert torch.equal(
        other.eval().decompress(**made, quality=60)["x_hat"], codec.decompress(**made, quality=60)["x_hat"]
    )


def test_better_qualities_cost_more_and_err_less(plain) -> None:
    x = picture(1, 64, 64)
    found = []
    for quality in (1, 20, 40, 60, 80, 100):
        with torch.no_grad():
            made = plain(x, torch.tensor([float(quality)]))
        found.append((bits_of(made["likelihoods"]), float((made["x_hat"] - x).square().mean())))
    bits, errors = zip(*found, strict=True)
    assert list(bits) == sorted(bits) and list(errors) == sorted(errors, reverse=True)
    step = float(step_of(torch.tensor([100.0])))
    assert errors[-1] * 255**2 < step**2 / 6  # a step's rounding has step² / 12


# Files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (40, 33), (17, 64)])
def test_a_file_holds_what_the_forward_pass_gives(codec, size: tuple[int, int]) -> None:
    image = bytes_of(picture(1, *size))
    data = codec.encode(image, 40)
    with torch.no_grad():
        forward = to_uint8(codec(to_float(image), 40)["x_hat"])
    assert torch.equal(codec.decode(data), forward)
    stream = unpack(data)
    assert (stream.codec, stream.quality, stream.required) == ("wavelet", 40, 1)
    assert len(stream.strings) == LEVELS + 1


def test_slices_of_a_file_are_levels(plain) -> None:
    image = bytes_of(picture(1, 45, 64))
    data, errors = plain.encode(image, 80), []
    for slices in range(LEVELS + 1):
        some = plain.decode(data, slices)
        assert some.shape == image.shape
        errors.append(float((some.float() - image.float()).square().mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < errors[0] / 3
    assert torch.equal(plain.decode(data), some)
    short = data[: len(data) - 8]  # of the last level something is missing: the levels before are there
    assert torch.equal(plain.decode(short, LEVELS - 1), plain.decode(data, LEVELS - 1))
    with pytest.raises(BitstreamError):
        plain.decode(short)
    with pytest.raises(ValueError, match=f"this codec has 0 to {LEVELS} of them"):
        plain.decode(data, LEVELS + 1)


def test_a_checkpoint_gives_the_same_codec(codec, tmp_path: Path) -> None:
    codec.save(tmp_path / "wavelet.safetensors", {"trained_on": "nothing"})
    for kind in (WaveletCodec, VariableRateCodec, TransformCodec):
        loaded = kind.load(tmp_path / "wavelet.safetensors")
    assert type(loaded) is WaveletCodec and loaded.fingerprint() == codec.fingerprint()
    assert loaded.settings == {name: list(v) if isinstance(v, tuple) else v for name, v in SMALL.items()}
    image = bytes_of(picture(1, 31, 50))
    data = codec.encode(image, 75)
    assert loaded.encode(image, 75) == data and torch.equal(loaded.decode(data), codec.decode(data))


def test_a_checkpoint_with_wild_weights_is_refused(codec, tmp_path: Path, one_sentence) -> None:
    wild = copy.deepcopy(codec)
    with torch.no_grad():
        wild.prior.levels[0].grey.second[0].weights[0].fill_(1e6)
    with pytest.raises(ValueError, match="diverged"):
        wild.save(tmp_path / "wild.safetensors")
    state = {name: value.contiguous() for name, value in wild.state_dict().items()}
    save_file(state, tmp_path / "wild.safetensors", {"codec": "wavelet", "settings": json.dumps(wild.settings)})
    with pytest.raises(ValueError, match="cannot be used as a checkpoint") as caught:
        WaveletCodec.load(tmp_path / "wild.safetensors")
    assert one_sentence(caught.value)


# Previews ----------------------------------------------------------------------------------------------------------


def test_the_first_parts_are_a_picture_that_gets_better(plain) -> None:
    x = picture(1, 45, 64)
    made = plain.compress(x, 80)
    errors = []
    for count in range(1, LEVELS + 2):
        x_hat = plain.decompress(made["strings"][:count], made["shape"], 80)["x_hat"]
        assert x_hat.shape == x.shape
        errors.append(float((x_hat - x).square().mean()))
    assert errors[0] < 0.05 and errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("shape", [(45, 64), (7, 3), (1, 1)])
def test_a_small_picture_needs_the_first_parts_only(plain, shape: tuple[int, int]) -> None:
    x = picture(2, *shape)
    made = plain.compress(x, 90)
    whole = plain.decompress(**made, quality=90)["x_hat"]
    for smaller in range(LEVELS + 1):
        needed = made["strings"][: LEVELS - smaller + 1]
        small = plain.decompress(made["strings"], shape, 90, smaller)["x_hat"]
        assert torch.equal(small, plain.decompress(needed, shape, 90, smaller)["x_hat"])
        assert small.shape[-2:] == tuple(-(-side // 2**smaller) for side in shape)
        if min(shape) > 40:
            averaged = torch.nn.functional.interpolate(whole, small.shape[-2:], mode="bilinear", antialias=True)
            assert (small - averaged)[..., 1:-1, 1:-1].abs().mean() < 0.05
    with pytest.raises(ValueError, match="halved"):
        plain.decompress(made["strings"], shape, 90, LEVELS + 1)


def test_a_small_picture_may_come_from_fewer_parts_still(plain) -> None:
    made = plain.compress(picture(1, 32, 40), 90)
    small = plain.decompress(made["strings"][:1], (32, 40), 90, smaller=1)["x_hat"]
    assert small.shape == (1, 3, 16, 20)


# Bad input ---------------------------------------------------------------------------------------------------------


def test_damage_is_refused(codec) -> None:
    made = codec.compress(picture(1, 33, 20), 50)
    strings = made["strings"]
    for wrong in ([], [[b""]], [*strings, [b""]], [*strings[:-1], [strings[-1][0] + b"\0\0\0\0"]]):
        with pytest.raises(BitstreamError):
            codec.decompress(wrong, made["shape"], 50)
    with pytest.raises(ValueError, match="NaN"):
        codec.compress(torch.full((1, 3, 8, 8), math.nan), 50)
    for quality in (0, 101, 5.5):
        with pytest.raises(ValueError, match="quality"):
            codec.compress(picture(1, 8, 8), quality)


# Training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rounds", [False, True])
def test_training_lowers_the_loss(rounds: bool, gradients_reach_all) -> None:
    torch.manual_seed(0)
    made, x = WaveletCodec(**SMALL), picture(4, 32, 32)
    made.start_at(x)
    made.prior.rounds = rounds
    groups = made.parameter_groups()
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in made.parameters())
    optimizer, quality = torch.optim.Adam(groups), torch.tensor([20.0, 40.0, 60.0, 80.0])
    losses = []
    for _ in range(15):
        result = made(x, quality)
        bits = sum(-each.log2().sum(dim=1) for each in result["likelihoods"].values())
        error = (result["x_hat"] - x).square().flatten(1).mean(dim=1)
        loss = (bits / 32**2 + lambda_of(quality) * 255**2 * error).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.95 * losses[0] and all(math.isfinite(loss) for loss in losses)
    gradients_reach_all(made)


def test_a_stopped_run_goes_on_to_the_bit() -> None:
    """With SOAP, its bases renewed in between, and with means of the weights."""
    recipe = Recipe(steps=16, batch=2, crop=24, warm_up=2, decay=0.25, average=0.9)
    crops = RandomCrops([bytes_of(picture(1, 60, 50, seed)) for seed in range(3)], 24, 2, weights=[1, 2, 0])

    def new_run(seed: int = 0, start: bool = True) -> Training:
        torch.manual_seed(seed)
        return Training(WaveletCodec(**SMALL), crops, recipe, start=start)

    whole, half = new_run(), new_run()
    assert isinstance(whole.optimizer, SOAP)
    records = list(whole)
    before = [record for _, record in zip(range(9), half, strict=False)]
    file = io.BytesIO()
    torch.save(half.state(), file)
    kept = sum(value.nbytes for state in half.optimizer.state.values() for value in state.values())
    assert half.optimizer.state_bytes() == pytest.approx(kept, rel=0.01)
    file.seek(0)
    other = new_run(seed=5, start=False)
    other.restore(torch.load(file, weights_only=True))
    assert before + list(other) == records
    ours, theirs = (run.finish().state_dict() for run in (other, whole))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_half_precision_costs_little_precision(codec) -> None:
    """GPUs compute the synthesis in bfloat16; the prior and the wavelet, never."""
    x, quality = picture(2, 48, 32), torch.tensor([30.0, 80.0])
    made = copy.deepcopy(codec).train()
    exact = made(x, quality)
    with torch.autocast("cpu", torch.bfloat16):
        half = made(x, quality)
    for name, likelihoods in exact["likelihoods"].items():
        assert torch.equal(half["likelihoods"][name], likelihoods)
    assert half["x_hat"].dtype == torch.float32 and not torch.equal(half["x_hat"], exact["x_hat"])
    error = (half["x_hat"] - exact["x_hat"]).square().mean()
    assert error < 0.02 * (exact["x_hat"] - x).square().mean()
    half["x_hat"].sum().backward()
    assert all(p.grad.isfinite().all() for p in made.parameters() if p.grad is not None)


def test_qualities_of_a_batch_do_not_mix(codec) -> None:
    x, qualities = picture(2, 24, 31), torch.tensor([10.0, 90.0])
    with torch.no_grad():
        both = codec(x, qualities)["x_hat"]
        for n in range(2):
            torch.testing.assert_close(
                codec(x[n : n + 1], qualities[n : n + 1])["x_hat"][0], both[n], rtol=0, atol=1e-5
            )


# Synthesis ---------------------------------------------------------------------------------------------------------


def test_before_training_nothing_is_restored() -> None:
    """Corrections and restoration start at 0: what was not quantized comes back as it was."""
    torch.manual_seed(0)
    x, quality = picture(1, 29, 34), torch.tensor([70.0])
    y = WaveletAnalysis(LEVELS)(x, quality)
    features = [torch.randn(1, c, *part.shape[-2:]) for c, part in zip((8, 8, 8, 6), y.parts, strict=True)]
    x_hat = WaveletSynthesis((6, 8, 8), 8, 8, 1)(Decoded(y.shape, y.parts, features), quality)
    torch.testing.assert_close(x_hat, x, rtol=0, atol=1e-5)


def test_small_pictures_are_averages_of_the_large_one() -> None:
    x, quality = torch.full((1, 3, 13, 9), 0.7), torch.tensor([50.0])
    y = WaveletAnalysis(LEVELS)(x, quality)
    synthesis = WaveletSynthesis((6, 8, 8), 8, 8, 1)
    features = [torch.zeros(1, 8, *y.parts[0].shape[-2:])]
    for smaller in range(LEVELS + 1):
        small = synthesis(Decoded(y.shape, y.parts, features), quality, smaller)
        torch.testing.assert_close(small, torch.full_like(small, 0.7), rtol=0, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (5, 8), (9, 6), (16, 16)])
def test_the_restoration_takes_any_size(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    restoration = Restoration(fine=6, coarse=7, half=8, quarter=8, blocks=2)
    torch.nn.init.normal_(restoration.third.weight)
    half, quarter = (tuple(-(-side // n) for side in shape) for n in (2, 4))
    x, hint = torch.randn(2, 3, *shape), torch.zeros(2, 1, 1, 1)
    fine, coarse = torch.randn(2, 6, *half), torch.randn(2, 7, *quarter)
    with_gradients = restoration(x, fine, coarse, hint)
    with torch.no_grad():
        assert torch.equal(restoration(x, fine, coarse, hint), with_gradients)
    assert with_gradients.shape == x.shape and not torch.equal(with_gradients, x)


def test_filling_repeats_edges() -> None:
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert filled(x, 4)[0, 0].tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert filled(x, 1) is x


@pytest.mark.parametrize("widths", [{"half": 0}, {"quarter": 1.5}, {"C": (6, 8, 2000)}, {"P": (True, 0, 1)}])
def test_widths_without_sense_are_refused(widths: dict) -> None:
    with pytest.raises(ValueError, match="widths are whole numbers from 1 to 1,024"):
        WaveletCodec(**{**SMALL, **widths})


@pytest.mark.parametrize("number", [-1, 17, 2.0])
def test_blocks_without_end_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="at most 16 levels and blocks"):
        WaveletCodec(**{**SMALL, "blocks": number})


@pytest.mark.parametrize("widths", [{"C": (6,), "P": (6,), "P_colour": (6,)}, {"P": (5, 7)}])
def test_widths_that_do_not_fit_are_refused(widths: dict) -> None:
    with pytest.raises(ValueError, match="levels"):
        WaveletCodec(**{**SMALL, **widths})
