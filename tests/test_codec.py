"""The full codec: pictures of any size and quality to files and back, from the whole of a file or its beginning."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tutorial_lib import bitstream
from tutorial_lib.codec import Codec
from tutorial_lib.files.images import to_float, to_pil, to_uint8
from tutorial_lib.information import bits
from tutorial_lib.quality import step_of
from tutorial_lib.rans import BitstreamError
from tutorial_lib.workbench.photos import photo

LEVELS = 3
SMALL = {"C": [6, 8, 8], "P": [5, 7, 8], "P_colour": [4, 6, 6], "half": 8, "quarter": 8, "blocks": 1}


def cat(height: int, width: int) -> Tensor:
    """A part of a photo, uint8 (3, H, W)."""
    return photo("chelsea")[:, 60 : 60 + height, 110 : 110 + width]


@pytest.fixture(scope="module")
def codec(lively_codec) -> Codec:
    return lively_codec()


@pytest.fixture(scope="module")
def fresh() -> Codec:
    """Untrained: a wavelet and a quantizer."""
    torch.manual_seed(0)
    made = Codec(**SMALL)
    made.start_at(to_float(cat(64, 64)))
    made.build_coder()
    return made.eval()


# Exactness ------------------------------------------------------------------------------------------------------------


@given(
    size=st.tuples(st.integers(1, 50), st.integers(1, 50)),
    batch=st.integers(1, 2),
    quality=st.integers(1, 100),
    seed=st.integers(0, 99),
)
@settings(max_examples=12)
@example(size=(1, 1), batch=1, quality=100, seed=0)
@example(size=(2, 37), batch=1, quality=50, seed=0)
@example(size=(48, 64), batch=2, quality=9, seed=0)
def test_decoding_gives_exactly_the_forward_pass(codec, size, batch, quality, seed, noise, check_codec) -> None:
    check_codec(codec, noise(batch, 3, *size, seed=seed), LEVELS + 1, quality)


@pytest.mark.filterwarnings("ignore:TF32")
def test_every_way_to_compute_decodes_a_file_to_the_same_picture(lively_codec, other_ways_to_compute) -> None:
    """Latents are the same to the last bit (see test_subband_prior); pixels come of floats, within a grey level."""
    codec = lively_codec()
    picture = cat(50, 70)
    data = codec.encode(picture, 40)
    decoded = codec.decode(data)
    for name, way in other_ways_to_compute.items():
        with way():
            assert (codec.decode(data).int() - decoded.int()).abs().max() <= 1, name
    codec.to(memory_format=torch.channels_last)
    assert (codec.decode(data).int() - decoded.int()).abs().max() <= 1
    interleaved = picture.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    assert (codec.decode(codec.encode(interleaved, 40)).int() - decoded.int()).abs().max() <= 8
    assert torch.equal(codec.train().decode(data), codec.eval().decode(data))


@pytest.mark.parametrize("quality", [1, 40, 90])
def test_a_file_of_a_real_photo_is_as_long_as_the_likelihoods_promise(fresh, quality: int) -> None:
    x = to_float(cat(200, 256))
    with torch.no_grad():
        promised = sum(bits(values).item() for values in fresh(x, quality)["likelihoods"].values()) / 8
    length = sum(len(piece) for (piece,) in fresh.compress(x, quality)["strings"])
    assert length > 300 + 30 * quality
    assert 0.97 * promised < length <= 1.005 * promised + 15 * (LEVELS + 1)  # an escape may cost less than it says


def test_qualities_of_a_batch_do_not_mix(codec, noise) -> None:
    x, qualities = noise(2, 3, 24, 31), torch.tensor([10.0, 90.0])
    with torch.no_grad():
        both = codec(x, qualities)["x_hat"]
        for n in range(2):
            alone = codec(x[n : n + 1], qualities[n : n + 1])["x_hat"][0]
            torch.testing.assert_close(alone, both[n], rtol=0, atol=1e-4)


# Files ----------------------------------------------------------------------------------------------------------------


def test_a_fresh_codec_is_a_working_one_with_a_hundred_qualities(fresh) -> None:
    picture = cat(64, 80)
    sizes, errors = [], []
    for quality in (1, 25, 50, 75, 100):
        data = fresh.encode(picture, quality)
        decoded = fresh.decode(data)
        assert decoded.dtype == torch.uint8 and decoded.shape == picture.shape
        sizes.append(len(data))
        errors.append((decoded.float() - picture.float()).square().mean().item())
    assert sizes == sorted(sizes) and sizes[-1] > 3 * sizes[0]
    assert errors == sorted(errors, reverse=True) and errors[0] > 50
    step = float(step_of(torch.tensor([100.0])))
    assert errors[-1] < step**2 / 6 + 1 / 12  # a step's rounding has step² / 12, and bytes are rounded, too


def test_a_file_says_what_it_holds(codec) -> None:
    stream = bitstream.unpack(codec.encode(cat(21, 34), 77, effort=0))
    assert (stream.codec, stream.quality, stream.width, stream.height) == ("codec", 77, 34, 21)
    assert stream.required == 1 and len(stream.strings) == LEVELS + 1
    assert stream.fingerprint == codec.fingerprint()
    assert [[piece] for piece in stream.strings] == codec.compress(to_float(cat(21, 34)), 77)["strings"]


@pytest.mark.parametrize("size", [(1, 1), (21, 34), (17, 64)], ids=str)
def test_a_file_decodes_to_what_was_promised(codec, size: tuple[int, int]) -> None:
    picture = cat(*size)
    with torch.no_grad():
        promised = to_uint8(codec(to_float(picture), 77)["x_hat"])
    assert torch.equal(codec.decode(codec.encode(picture, 77, effort=0)), promised)


def test_pillow_s_pictures_are_taken_too_and_50_is_the_usual_quality(codec) -> None:
    picture = cat(20, 30)
    data = codec.encode(picture, 50)
    assert codec.encode(to_pil(picture)) == data == codec.encode(picture)
    grey = to_pil(picture).convert("L")
    assert codec.encode(grey) == codec.encode(grey.convert("RGB"))


# Previews -------------------------------------------------------------------------------------------------------------


def test_the_beginning_of_a_file_is_a_picture_of_less_detail(fresh) -> None:
    picture = cat(64, 64)
    data = fresh.encode(picture, 80)
    lengths = [len(piece) for piece in bitstream.unpack(data).strings]
    header = len(data) - sum(lengths)
    errors = []
    for slices in range(LEVELS + 1):
        preview = fresh.decode(data, slices)
        cut = data[: header + sum(lengths[: slices + 1])]
        assert torch.equal(fresh.decode(cut, slices), preview)
        if slices < LEVELS:
            with pytest.raises(BitstreamError, match="cut short"):
                fresh.decode(cut)
        with pytest.raises(BitstreamError):
            fresh.decode(cut[:-1], slices)
        errors.append((preview.float() - picture.float()).square().mean().item())
    assert torch.equal(fresh.decode(data), fresh.decode(data, LEVELS))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.3 * errors[0]


def test_a_preview_holds_the_coarse_coefficients_exactly(codec, noise) -> None:
    coded, quality = codec.compress(noise(1, 3, 30, 41), 60), torch.tensor([60.0])
    whole = codec.prior.decompress(coded["strings"], (30, 41), quality)
    for slices in range(LEVELS + 1):
        some = codec.prior.decompress(coded["strings"][: slices + 1], (30, 41), quality)
        for n in range(slices + 1):
            assert torch.equal(some.parts[n], whole.parts[n])
        with torch.no_grad():
            x_hat = codec.decompress(coded["strings"][: slices + 1], (30, 41), 60)["x_hat"]
            assert torch.equal(x_hat, codec.synthesis(some, quality))


@pytest.mark.parametrize("shape", [(45, 64), (7, 3), (1, 1)])
def test_a_small_picture_needs_the_first_parts_only(fresh, shape: tuple[int, int]) -> None:
    x = to_float(cat(*shape)).repeat(2, 1, 1, 1)
    made = fresh.compress(x, 90)
    whole = fresh.decompress(**made, quality=90)["x_hat"]
    for smaller in range(LEVELS + 1):
        needed = made["strings"][: LEVELS - smaller + 1]
        small = fresh.decompress(made["strings"], shape, 90, smaller)["x_hat"]
        assert torch.equal(small, fresh.decompress(needed, shape, 90, smaller)["x_hat"])
        assert small.shape[-2:] == tuple(-(-side // 2**smaller) for side in shape)
        if min(shape) > 40:
            averaged = torch.nn.functional.interpolate(whole, small.shape[-2:], mode="bilinear", antialias=True)
            assert (small - averaged)[..., 1:-1, 1:-1].abs().mean() < 0.05
    with pytest.raises(ValueError, match="halved"):
        fresh.decompress(made["strings"], shape, 90, LEVELS + 1)


def test_a_small_picture_may_come_from_fewer_parts_still(fresh) -> None:
    made = fresh.compress(to_float(cat(32, 40)), 90)
    small = fresh.decompress(made["strings"][:1], (32, 40), 90, smaller=1)["x_hat"]
    assert small.shape == (1, 3, 16, 20)


# What can go wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [0, 101, 50.0, "50", True])
def test_qualities_that_do_not_exist_are_refused(codec, quality: object, noise) -> None:
    x = noise(1, 3, 4, 4)
    strings = codec.compress(x, 50)["strings"]
    for use in (
        lambda: codec.encode(cat(4, 4), quality),
        lambda: codec.compress(x, quality),
        lambda: codec(x, quality),
        lambda: codec.decompress(strings, (4, 4), quality),
    ):
        with pytest.raises(ValueError, match="a quality is a whole number from 1 to 100"):
            use()


@pytest.mark.parametrize(
    "picture",
    [
        torch.zeros(3, 4, 4),
        torch.zeros(1, 4, 4, dtype=torch.uint8),
        torch.zeros(4, 4, dtype=torch.uint8),
        torch.zeros(1, 3, 4, 4, dtype=torch.uint8),
        torch.zeros(3, 0, 4, dtype=torch.uint8),
        torch.zeros(1, 1, dtype=torch.uint8).expand(3, 1, 70_000),
    ],
    ids=lambda picture: f"{picture.dtype} {tuple(picture.shape)}",
)
def test_what_is_no_picture_is_refused(codec, picture: Tensor, one_sentence) -> None:
    with pytest.raises(ValueError, match=r"a picture (is uint8|of [\d,]+ x [\d,]+ pixels does not fit)") as caught:
        codec.encode(picture)
    assert one_sentence(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_picture_with_nan_is_refused(codec, value: float, noise) -> None:
    x = noise(1, 3, 20, 20)
    x[0, 1, 7, 7] = value
    with pytest.raises(ValueError, match="NaN"):
        codec.compress(x, 50)


@pytest.mark.parametrize("slices", [-1, LEVELS + 1])
def test_slices_that_do_not_exist_are_refused(codec, slices: int) -> None:
    with pytest.raises(ValueError, match=rf"^slices is {slices}; this codec has 0 to {LEVELS} of them\.$"):
        codec.decode(codec.encode(cat(4, 4)), slices)


def test_files_of_others_are_refused(codec, fresh) -> None:
    with pytest.raises(BitstreamError, match=rf"another checkpoint .*{fresh.fingerprint()}.*{codec.fingerprint()}"):
        codec.decode(fresh.encode(cat(4, 4)))
    other = bitstream.pack(bitstream.Stream(4, 4, codec.fingerprint(), (b"12345678",), "first_codec"))
    with pytest.raises(BitstreamError, match="made by the codec called first_codec, not by codec"):
        codec.decode(other)


@pytest.mark.parametrize("count", [1, LEVELS + 2])
def test_a_file_with_another_number_of_strings_is_refused_or_a_preview(codec, count: int) -> None:
    pieces = (*bitstream.unpack(codec.encode(cat(4, 4), 30)).strings, b"more")[:count]
    data = bitstream.pack(bitstream.Stream(4, 4, codec.fingerprint(), pieces, "codec", 30, required=1))
    sentence = rf"^the file holds {count} string\(s\), while a picture with all its slices takes {LEVELS + 1}\.$"
    with pytest.raises(BitstreamError, match=sentence):
        codec.decode(data)
    for slices in range(LEVELS + 1):  # who asks for a preview gets what there is
        assert codec.decode(data, slices).shape == (3, 4, 4)


def test_a_damaged_file_is_refused(codec) -> None:
    data = codec.encode(cat(16, 16), 30)
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(data)
        damaged[rng.integers(len(data))] ^= 1 << rng.integers(8)
        with pytest.raises(BitstreamError):
            codec.decode(bytes(damaged[: rng.integers(len(data))] if rng.random() < 0.3 else damaged))


def test_damaged_pieces_whose_checksums_fit_are_refused_or_give_a_picture(codec) -> None:
    stream = bitstream.unpack(codec.encode(cat(16, 16), 30))
    rng = np.random.default_rng(1)
    outcomes = set()
    for _ in range(60):
        pieces = [bytearray(piece) for piece in stream.strings]
        piece = pieces[rng.integers(LEVELS + 1)]
        if piece:
            piece[rng.integers(len(piece))] ^= 1 << rng.integers(8)
        forged = dataclasses.replace(stream, strings=tuple(bytes(piece) for piece in pieces))
        try:
            picture = codec.decode(bitstream.pack(forged), slices=int(rng.integers(LEVELS + 1)))
            outcomes.add((picture.dtype, tuple(picture.shape)))
        except BitstreamError:
            outcomes.add("refused")
    assert outcomes == {"refused", (torch.uint8, (3, 16, 16))}


@pytest.mark.parametrize("widths", [{"half": 0}, {"quarter": 1.5}, {"C": (6, 8, 2000)}, {"P": (True, 0, 1)}])
def test_widths_without_sense_are_refused(widths: dict) -> None:
    with pytest.raises(ValueError, match="widths are whole numbers from 1 to 1,024"):
        Codec(**{**SMALL, **widths})


@pytest.mark.parametrize("number", [-1, 17, 2.0])
def test_blocks_without_end_are_refused(number: float) -> None:
    with pytest.raises(ValueError, match="at most 16 levels and blocks"):
        Codec(**{**SMALL, "blocks": number})


@pytest.mark.parametrize("widths", [{"C": (6,), "P": (6,), "P_colour": (6,)}, {"P": (5, 7)}])
def test_widths_that_do_not_fit_are_refused(widths: dict) -> None:
    with pytest.raises(ValueError, match="levels"):
        Codec(**{**SMALL, **widths})
