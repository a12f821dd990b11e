"""The codec for one picture: what its file holds, what comes back, and that its tables depend on no order of sums."""

from __future__ import annotations

import struct
from binascii import crc_hqx

import pytest
import torch
from torch import Tensor

from tutorial_lib import laplace, one_picture
from tutorial_lib.bitstream_error import BitstreamError
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.one_picture import OnePicture, Synthesis

LAMBDA = 0.02


def picture(height: int, width: int) -> Tensor:
    """Smooth colours, and an edge."""
    row, column = torch.arange(height)[:, None], torch.arange(width)
    planes = [
        128 + 80 * torch.sin(row / 9) + 0 * column,
        2.0 * row + column,
        torch.where(column > width / 3, 200.0, 60.0),
    ]
    return torch.stack([plane.expand(height, width) for plane in planes]).clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def small() -> Tensor:
    return picture(48, 40)


@pytest.fixture(scope="module")
def model(small: Tensor) -> OnePicture:
    return one_picture.fit(small, LAMBDA, steps=12)


@pytest.fixture(scope="module")
def data(model: OnePicture, small: Tensor) -> bytes:
    return one_picture.write(model, one_picture.best_precisions(model, small, LAMBDA))


class TestRates:
    @pytest.mark.parametrize("s", [-4.0, -1.0, 0.5, 3.0])
    def test_at_whole_numbers_bits_are_those_of_the_coders_density(self, s: float) -> None:
        k, scale = torch.arange(-6.0, 7), torch.tensor(s)
        assert torch.allclose(one_picture.bits(k, scale), -laplace.log2_likelihood(k, scale), atol=2e-3)

    def test_masses_of_a_row_of_real_numbers_sum_to_one(self) -> None:
        y = torch.arange(-60, 61) + 0.37
        assert (2 ** -one_picture.bits(y.double(), torch.tensor(1.0))).sum() == pytest.approx(1, abs=1e-5)

    def test_it_has_a_slope_everywhere(self) -> None:
        y = torch.tensor([-3.0, -0.5, -0.2, 0.0, 0.3, 0.5, 40.0], requires_grad=True)
        s = torch.zeros(7, requires_grad=True)
        one_picture.bits(y, s).sum().backward()
        assert y.grad is not None and s.grad is not None
        assert y.grad.isfinite().all() and s.grad.isfinite().all()


class TestOrder:
    @pytest.mark.parametrize("shape", [(3, 1, 2, 3), (3, 3, 4, 5), (1, 3, 1, 1)])
    def test_each_latent_is_coded_once(self, shape: tuple[int, ...]) -> None:
        assert torch.equal(sum(mask.int() for mask in one_picture.passes(shape)), torch.ones(shape, dtype=torch.int))

    def test_a_scale_depends_only_on_what_was_coded_before(self) -> None:
        """Change a latent: scales of its own pass and of earlier ones stay what they are."""
        torch.manual_seed(0)
        shapes = [(3, 1, 3, 4), (3, 3, 3, 4)]
        context = one_picture.Context(shapes).eval()
        y, above = torch.randn(shapes[1]).mul(3).round(), torch.randn(shapes[0]).round()
        masks, changed = list(one_picture.passes(shapes[1])), 0
        before = context(1, y, above)
        for n, mask in enumerate(masks):
            other = y.clone()
            other[mask] += 2
            after = context(1, other, above)
            assert all(torch.equal(after[m], before[m]) for m in masks[: n + 1])
            changed += int((after != before).sum())
        assert changed > 0


class TestTheModel:
    def test_it_begins_at_the_picture(self, small: Tensor) -> None:
        fresh = OnePicture((48, 40), 30).start_at(small)
        finest = fresh.latents[-1]
        assert finest.shape == (1, 3, 24, 20)  # without colours, which cost a little
        assert psnr(fresh.synthesis(list(fresh.latents)).round().clamp(0, 255).to(torch.uint8), small) > 35

    def test_training_lowers_rate_and_distortion(self, small: Tensor) -> None:
        losses: list[float] = []
        one_picture.fit(small, LAMBDA, steps=30, each_step=lambda n, r, d: losses.append(r + LAMBDA * d))
        assert losses[-1] < 0.8 * losses[0]

    def test_the_same_again(self, small: Tensor, model: OnePicture) -> None:
        torch.manual_seed(99)  # of the caller, who finds it where it was
        expected = torch.rand(1)
        torch.manual_seed(99)
        again = one_picture.fit(small, LAMBDA, steps=12)
        assert torch.equal(torch.rand(1), expected)
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))

    def test_another_quantizer(self, small: Tensor) -> None:
        seen: list[float] = []
        one_picture.fit(small, LAMBDA, steps=4, quantize=lambda y, done: (seen.append(done), y)[1])
        assert sorted(set(seen)) == [0, 0.25, 0.5, 0.75]

    def test_a_network_at_the_end_begins_without_effect(self) -> None:
        shapes = OnePicture((32, 32), 10).shapes
        plain, more = (Synthesis((32, 32), shapes, 10.0, hidden) for hidden in (0, 4))
        latents = [torch.randn(shape) for shape in shapes]
        assert torch.equal(plain(latents), more(latents))
        assert sum(p.numel() for p in more.parameters()) - sum(p.numel() for p in plain.parameters()) == 120


class TestTheFile:
    def test_the_latents_and_the_rounded_numbers_come_back(self, data: bytes, model: OnePicture, small: Tensor) -> None:
        received, latents = one_picture.read(data)
        assert all(torch.equal(a, b.round().double()) for a, b in zip(latents, model.latents, strict=True))
        context, synthesis = one_picture.best_precisions(model, small, LAMBDA)
        expected = one_picture.rounded(model, {"context": context, "synthesis": synthesis}).double()
        for part in ("context", "synthesis"):
            pairs = zip(received.learned(part), expected.learned(part), strict=True)
            assert all(torch.equal(a, b) for a, b in pairs)
        drawn = expected.synthesis(latents).round().clamp(0, 255).to(torch.uint8)
        assert torch.equal(one_picture.decode(data), drawn)

    def test_it_costs_what_training_said(self, data: bytes, model: OnePicture, small: Tensor) -> None:
        precisions = dict(zip(("context", "synthesis"), one_picture.best_precisions(model, small, LAMBDA), strict=True))
        copy = one_picture.rounded(model, precisions)
        bits = copy.bits([y.round() for y in copy.latents]).item()
        bits += sum(one_picture.bits_of_numbers(model.learned(part), p) for part, p in precisions.items())
        assert bits / 8 < len(data) < 1.02 * bits / 8 + 32

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 3), (33, 17), (31, 64)])
    @pytest.mark.parametrize("hidden", [0, 3])
    def test_any_size(self, height: int, width: int, hidden: int) -> None:
        image = picture(height, width)
        decoded = one_picture.decode(one_picture.encode(image, 0.1, steps=6, hidden=hidden))
        assert decoded.shape == image.shape and decoded.dtype == torch.uint8 and psnr(decoded, image) > 20

    def test_without_a_context(self, small: Tensor) -> None:
        assert psnr(one_picture.decode(one_picture.encode(small, LAMBDA, steps=6, width=0)), small) > 25

    def test_sums_in_another_order_choose_the_same_tables(self, data: bytes) -> None:
        """The context's channels and the planes of a level, turned round: not one log-scale changes."""
        received, latents = one_picture.read(data)
        context = received.context
        straight = [context(n, latents[n], latents[n - 1]) for n in range(1, 6)]
        for name in ("kernels", "bias", "flag", "out"):
            setattr(context, name, torch.nn.Parameter(getattr(context, name).flip(0)))
        for n, expected in enumerate(straight, 1):
            assert torch.equal(context(n, latents[n], latents[n - 1]), expected)


class TestBadInput:
    @pytest.mark.parametrize(
        "spoil", [lambda d: d[:-1], lambda d: d[:12], lambda d: d[:40] + b"x" + d[41:], lambda d: d + b"\0"]
    )
    def test_a_damaged_file_is_refused(self, data: bytes, spoil) -> None:
        with pytest.raises(BitstreamError, match="checksum does not fit"):
            one_picture.decode(spoil(data))

    @pytest.mark.parametrize("other", [b"", b"1P", b"\xff\xd8\xff\xe0 JPEG"])
    def test_something_else_is_refused(self, other: bytes) -> None:
        with pytest.raises(BitstreamError, match="no file of the codec for one picture"):
            one_picture.decode(other)

    @pytest.mark.parametrize(
        ("place", "value", "said"),
        [
            (0, b"\0\0", "0 × 40 pixels"),
            (0, b"\xff\xff\xff\xff", "65535 × 65535 pixels"),
            (6, b"\x63", "there is not"),
            (10, b"\xff", "there is not"),
        ],
    )
    def test_a_header_that_lies_is_refused(self, data: bytes, place: int, value: bytes, said: str) -> None:
        body = data[5:]
        body = body[:place] + value + body[place + len(value) :]
        with pytest.raises(BitstreamError, match=said):
            one_picture.decode(one_picture.MAGIC + struct.pack("<H", crc_hqx(body, 0)) + body)

    @pytest.mark.parametrize("image", [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8)])
    def test_what_is_no_picture_is_refused(self, image: Tensor) -> None:
        with pytest.raises(ValueError, match=r"a picture is uint8 \(3, H, W\)"):
            one_picture.encode(image, LAMBDA)


def test_multiplications_by_hand() -> None:
    model = OnePicture((64, 64), 10, width=6, hidden=4)
    latents = 9 * (32**2 // 4 + 32**2 // 16 + 32**2 // 64 + 32**2 // 256) + 3 * 32**2
    counted = one_picture.multiplications_per_pixel(model)
    assert counted["context"] == pytest.approx(6 * 23 * latents / 64**2)
    assert counted["synthesis"] == 9 + 4 * 27 + 3 * 4
