"""A codec for one picture: its decoder is trained on this picture alone, and travels in the file.

    file = header, then one stream of rANS: the decoder's learned numbers, rounded; then the latents

Other codecs learn from thousands of pictures what to expect of the next one. Here nothing is known beforehand. The
encoder trains latents, a context network and a synthesis *together*, by gradient descent on R + λ D of one picture; so
encoding is a training, and decoding computes a few hundred multiplications a pixel. The idea is COOL-CHIC's (Ladune,
Philippe, Henry, Clare & Leguay 2023) and C3's (Kim, Bauer, Theis, Schwarz & Dupont 2024). What differs here makes it
train in seconds:

- Latents are the bands of a wavelet (12) and begin as the picture's own coefficients; those papers have a pyramid of
  planes, and tens of thousands of steps. The pyramid stays: each level is enlarged, and the next finer one added.
- A checkerboard (09) instead of a raster scan: two passes a band, in which nobody waits.

*The same tables on every machine* (11). Latents and weights are coded as whole numbers, logarithms of latents are
rounded to multiples of 1/16, and the network's slopes are powers of two. So all that the context network adds up are
multiples of a power of two, exact in float64: no order of summation can change a table. The synthesis is computed in
float64, too; there a sum may differ in its last bit, and a pixel only where it lies within that of a rounding edge.
"""

from __future__ import annotations

import math
import struct
from binascii import crc_hqx
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib import laplace, rans, wavelet
from tutorial_lib.bitstream_error import BitstreamError
from tutorial_lib.cdf import CdfTables
from tutorial_lib.quantization import add_uniform_noise, round_ste

MAGIC = b"1P1"
HEADER = struct.Struct("<HHHBBBB")  # height, width, step in 1/16 grey levels, both precisions, both sizes
LEVELS = 5  # halvings
WIDTH = 6  # channels of the context network
NOISY = 0.8  # of the steps; then latents are rounded in training, too
RATES = {"latents": 0.03, "decoder": 0.02}  # learning rates
PRECISIONS = range(1, 11)  # bits behind the point of a learned number
MOST_PIXELS = 2**24
CROSS = [1, 3, 5, 7]  # of a 3×3 kernel over the own band: the four direct neighbours, of the other half
SEEN = torch.tensor([*CROSS, *range(9, 27)])  # and of the coarser level, and of the bands before: all nine


def checkerboard(height: int, width: int) -> Tensor:
    """(H, W) bool: the half that is coded first."""
    return (torch.arange(height)[:, None] + torch.arange(width)) % 2 == 0


def passes(shape: tuple[int, ...]) -> Iterator[Tensor]:
    """In which order the latents (planes, bands, h, w) of a level are coded: masks of that shape.

    Grey's bands one after the other, each in two halves; then both colours and all their bands at once. The low-pass,
    of one band, in one pass.
    """
    planes, bands, height, width = shape
    if bands == 1:
        yield torch.ones(shape, dtype=torch.bool)
        return
    first = checkerboard(height, width)
    groups: list[tuple] = [(0, band) for band in range(bands)] + [(slice(1, 3), slice(None))] * (planes > 1)
    for group in groups:
        for half in (first, ~first):
            mask = torch.zeros(shape, dtype=torch.bool)
            mask[group] = half
            yield mask


class Context(nn.Module):
    """Log-scales (planes, bands, h, w) of a level's Laplace densities, from what is decoded before each latent.

    One small network for all levels, bands and colours, on three maps of logarithms of magnitudes: of the same band
    (the first half of the checkerboard), of the coarser level, and of the bands before. base: of each band.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], width: int = WIDTH) -> None:
        super().__init__()
        self.bands = [(planes, bands) for planes, bands, *_ in shapes]
        self.kernels = nn.Parameter(torch.randn(width, len(SEEN)) * 0.1)
        self.bias = nn.Parameter(torch.zeros(width))
        self.flag = nn.Parameter(torch.randn(width) * 0.1)  # says which half it is
        self.out = nn.Parameter(torch.randn(width) * 0.1)
        self.base = nn.Parameter(torch.zeros(sum(planes * bands for planes, bands in self.bands)))

    def forward(self, level: int, y: Tensor, above: Tensor | None) -> Tensor:
        base = self.base.split([planes * bands for planes, bands in self.bands])[level].reshape(*y.shape[:2], 1, 1)
        if above is None or not len(self.kernels):
            return base.expand(y.shape)
        planes, _, height, width = y.shape
        first = checkerboard(height, width).to(y.dtype)
        sizes = self.logarithms(y)
        coarser = self.logarithms(above)[:planes].repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
        coarser = coarser[..., :height, :width].expand(y.shape)  # a low-pass is above all three bands
        grey = sizes[:1]
        before = torch.cat([torch.zeros_like(grey[:, :1]), grey[:, :1], grey[:, :1] + grey[:, 1:2]], dim=1)
        if planes > 1:
            before = torch.cat([before, grey.expand(2, -1, -1, -1)])
        maps = torch.stack([sizes * first, coarser, before], dim=2).flatten(0, 1)  # (planes · bands, 3, h, w)
        kernels = self.kernels.new_zeros(len(self.kernels), 27).index_copy(1, SEEN, self.kernels)
        f = F.conv2d(maps, kernels.view(-1, 3, 3, 3), self.bias, padding=1) + self.flag[:, None, None] * first
        return base + F.conv2d(F.leaky_relu(f, 0.125), self.out[None, :, None, None]).reshape(y.shape)

    def logarithms(self, y: Tensor) -> Tensor:
        """log(1 + |y|); once training is over, in multiples of 1/16."""
        sizes = torch.log1p(y.abs())
        return sizes if self.training else torch.round(16 * sizes) / 16


class Synthesis(nn.Module):
    """The picture (3, H, W), in grey levels, from latents: a factor for each level, wavelet, colours, and a network.

    hidden: channels of a small network that is added in the end; 0: none, which is what pays for small pictures.
    """

    def __init__(self, size: tuple[int, int], shapes: Sequence[tuple[int, ...]], step: float, hidden: int = 0) -> None:
        super().__init__()
        self.sizes, self.step = wavelet.sizes(size, LEVELS), step
        self.planes = [planes for planes, *_ in shapes]
        self.log_factors = nn.Parameter(torch.zeros(sum(self.planes)))  # of the step, to the base 2
        self.colours = nn.Parameter(torch.zeros(3, 3))  # added to what turns grey and differences into colours
        self.bias = nn.Parameter(torch.zeros(3))  # in 64 grey levels, as what the network sees and gives
        if hidden:
            self.kernels = nn.Parameter(torch.randn(hidden, 3, 3, 3) * 0.1)
            self.mix = nn.Parameter(torch.zeros(3, hidden))

    def forward(self, latents: list[Tensor]) -> Tensor:
        factors = [f.exp2()[:, None, None, None] for f in self.log_factors.split(self.planes)]
        low = (latents[0] * factors[0])[:, 0]  # (3, h, w)
        for level in range(1, LEVELS + 1):
            details = latents[level] * factors[level]
            details = F.pad(details, (0,) * 7 + (3 - len(details),))  # colours that a level does not have are 0
            low = wavelet.join(low[None], details[None], self.sizes[-level - 1])[0]
        start = wavelet.colour_matrix().T.to(low)
        picture = torch.einsum("ij,jhw->ihw", start + self.colours, low * (self.step / 64)) + self.bias[:, None, None]
        if hasattr(self, "kernels"):
            f = F.leaky_relu(F.conv2d(picture[None], self.kernels, padding=1), 0.125)
            picture = picture + F.conv2d(f, self.mix[:, :, None, None])[0]
        return 128 + 64 * picture


class OnePicture(nn.Module):
    """Latents and decoder of one picture. size: (H, W); step: grey levels that a latent's 1 stands for, at first."""

    def __init__(self, size: tuple[int, int], step: float, width: int = WIDTH, hidden: int = 0) -> None:
        super().__init__()
        lows = wavelet.sizes(size, LEVELS)[1:]
        # from coarse to fine; the finest level is grey alone
        self.shapes = [(3, 1, *lows[-1]), *((3 if n else 1, 3, *lows[n]) for n in reversed(range(LEVELS)))]
        self.latents = nn.ParameterList(torch.zeros(shape) for shape in self.shapes)
        self.context = Context(self.shapes, width)
        self.synthesis = Synthesis(size, self.shapes, step, hidden)

    @torch.no_grad()
    def start_at(self, image: Tensor) -> OnePicture:
        """Begin with the picture's own coefficients, and scales that fit them. image: uint8 (3, H, W)."""
        low = wavelet.turn_colours(image[None].float() - 128, wavelet.colour_matrix()) / self.synthesis.step
        for latent in reversed(self.latents[1:]):
            low, details = wavelet.split(low)
            latent.copy_(details[0, : len(latent)])
        self.latents[0].copy_(low[0, :, None])
        self.context.base.copy_(torch.cat([(y.abs().mean((2, 3)) + 0.03).log2().flatten() for y in self.latents]))
        return self

    def bits(self, latents: list[Tensor]) -> Tensor:
        """What these latents cost, in bits."""
        above = [None, *latents[:-1]]
        scales = [self.context(n, y, a) for n, (y, a) in enumerate(zip(latents, above, strict=True))]
        return sum((bits(y, s).sum() for y, s in zip(latents, scales, strict=True)), torch.zeros(()))

    def scan(self, code: Callable[[int, Tensor, Tensor], Tensor]) -> list[Tensor]:
        """Walk through the latents in the order of coding, and return them.

        code(level, mask, indexes) -> the latents of a pass, whose tables have these numbers. Encoder and decoder
        call this same function, each with a `code` of its own.
        """
        latents: list[Tensor] = []
        for level, shape in enumerate(self.shapes):
            y, above = torch.zeros(shape, dtype=torch.float64), latents[-1] if latents else None
            for mask in passes(shape):
                y[mask] = code(level, mask, laplace.indexes(self.context(level, y, above)[mask]))
            latents.append(y)
        return latents

    def learned(self, part: str) -> list[nn.Parameter]:
        """The learned numbers of the context, or the synthesis, in the order of the file."""
        return list(getattr(self, part).parameters())


def bits(y: Tensor, s: Tensor) -> Tensor:
    """−log2 of a Laplace density's mass within ½ of y, a real number; s: log-scales."""
    t = torch.exp2(-s.clamp(laplace.LOWEST, laplace.HIGHEST))  # 1 / b
    near = -torch.log2((1 - torch.exp(-t / 2) * torch.cosh(t * y.abs().clamp(max=0.5))).clamp(min=1e-9))
    far = 1 - (torch.log(-torch.expm1(-t)) - (y.abs().clamp(min=0.5) - 0.5) * t) / math.log(2)
    return torch.where(y.abs() < 0.5, near, far).clamp(max=-laplace.LEAST)


# ---- the encoder


def fit(
    image: Tensor,
    lmbda: float,
    steps: int = 120,
    *,
    width: int = WIDTH,
    hidden: int = 0,
    quantize: Callable[[Tensor, float], Tensor] | None = None,
    each_step: Callable[[int, float, float], object] = lambda step, rate, error: None,
) -> OnePicture:
    """Train latents and decoder on one picture, uint8 (3, H, W): bits per pixel + λ · squared error in grey levels.

    quantize(y, share of the steps done) -> what stands for rounded latents; None: noise, and then rounding straight
    through. each_step(step, bits per pixel, mean squared error) is called after each step. The same arguments give the
    same decoder on one machine.
    """
    height, width_of_image = image.shape[-2:]
    noise, target = torch.Generator().manual_seed(0), image.float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = OnePicture((height, width_of_image), step_of(lmbda), width, hidden).start_at(image)
    groups = {"latents": list(model.latents), "decoder": model.learned("context") + model.learned("synthesis")}
    optimizer = torch.optim.Adam([{"params": groups[name], "lr": rate} for name, rate in RATES.items()])
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda n: min(1, (n + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * n / steps)) + 1e-3
    )
    for step in range(steps):
        done = step / steps
        if quantize is not None:
            latents = [quantize(y, done) for y in model.latents]
        else:
            latents = [add_uniform_noise(y, noise) if done < NOISY else round_ste(y) for y in model.latents]
        rate = model.bits(latents) / target[0].numel()
        error = (model.synthesis(latents) - target).square().mean()
        optimizer.zero_grad()
        (rate + lmbda * error).backward()
        optimizer.step()
        schedule.step()
        each_step(step, rate.item(), error.item())
    return model.eval()


def step_of(lmbda: float) -> float:
    """The quantizer's step for a λ, in grey levels and multiples of 1/16: c / √λ, with c near 5 (12)."""
    return min(max(1, round(16 * 5 / math.sqrt(lmbda))), 2**16 - 1) / 16


def encode(image: Tensor, lmbda: float, steps: int = 120, *, width: int = WIDTH, hidden: int = 0) -> bytes:
    """Train on one picture, uint8 (3, H, W), and write the file. Raises ValueError for what is no such picture."""
    if image.dtype != torch.uint8 or image.ndim != 3 or len(image) != 3 or min(image.shape) < 1:
        raise ValueError(f"a picture is uint8 (3, H, W), not {image.dtype} {tuple(image.shape)}.")
    if max(image.shape) >= 2**16 or image[0].numel() > MOST_PIXELS:
        raise ValueError(
            f"a picture of {image.shape[1]} × {image.shape[2]} pixels is too large: {MOST_PIXELS:,} at most."
        )
    model = fit(image, lmbda, steps, width=width, hidden=hidden)
    return write(model, best_precisions(model, image, lmbda))


@torch.no_grad()
def best_precisions(model: OnePicture, image: Tensor, lmbda: float) -> tuple[int, int]:
    """Bits behind the point for the context's numbers, and for the synthesis's: those with the smallest R + λ D.

    The context moves no pixel, and the synthesis no latent's bits: so the two are chosen apart.
    """
    latents = [y.round() for y in model.latents]

    def cost(part: str, precision: int) -> float:
        with_rounded = rounded(model, {part: precision})
        if part == "context":
            rest = with_rounded.bits(latents).item()
        else:
            rest = lmbda * (with_rounded.synthesis(latents) - image).square().mean().item() * image[0].numel()
        return bits_of_numbers(model.learned(part), precision) + rest

    context, synthesis = (min(PRECISIONS, key=lambda p: cost(part, p)) for part in ("context", "synthesis"))
    return context, synthesis


def rounded(model: OnePicture, precisions: dict[str, int]) -> OnePicture:
    """A copy whose learned numbers are multiples of 2^-precision, in the parts that are named."""
    height, width = model.synthesis.sizes[0]
    hidden = len(getattr(model.synthesis, "kernels", ()))
    copy = OnePicture((height, width), model.synthesis.step, len(model.context.kernels), hidden)
    copy.load_state_dict(model.state_dict())
    with torch.no_grad():
        for part, precision in precisions.items():
            for numbers in copy.learned(part):
                numbers.copy_(torch.round(numbers * 2**precision) / 2**precision)
    return copy.eval()


def bits_of_numbers(tensors: list[nn.Parameter], precision: int) -> float:
    """What learned numbers cost, in bits: each tensor with the table that fits it, whose number takes a byte."""
    total = 0.0
    for tensor in tensors:
        k = torch.round(tensor.detach() * 2**precision)
        total += 8 - laplace.log2_likelihood(k, laplace.log_scale_of(table_of(k))).sum().item()
    return total


def table_of(k: Tensor) -> Tensor:
    """The number of the Laplace table for whole numbers k: a scale of their mean magnitude."""
    return laplace.indexes(torch.log2((k.abs().sum() / max(1, k.numel())).clamp(min=2**laplace.LOWEST)))


# ---- the file


@cache
def tables() -> CdfTables:
    """The Laplace tables, integers."""
    return CdfTables.from_pmfs(*laplace.LaplaceTables().pmfs())


@torch.no_grad()
def write(model: OnePicture, precisions: tuple[int, int]) -> bytes:
    """The file of a trained model; its numbers with so many bits behind the point."""
    symbols: list[NDArray] = []
    indexes: list[NDArray] = []

    def put(k: Tensor, index: Tensor) -> None:
        symbols.append(k.double().flatten().numpy().astype(np.int32))
        indexes.append(np.broadcast_to(index.flatten().numpy(), symbols[-1].shape).astype(np.int32))

    chosen = []
    for part, precision in zip(("context", "synthesis"), precisions, strict=True):
        for tensor in model.learned(part):
            k = torch.round(tensor.double() * 2**precision)
            chosen.append(int(table_of(k)))
            put(k, torch.tensor(chosen[-1]))
    latents = [torch.round(y).double() for y in model.latents]

    def code(level: int, mask: Tensor, index: Tensor) -> Tensor:
        put(latents[level][mask], index)
        return latents[level][mask]

    rounded(model, {"context": precisions[0]}).double().scan(code)
    sizes = (len(model.context.kernels), len(getattr(model.synthesis, "kernels", ())))
    height, width = model.synthesis.sizes[0]
    body = HEADER.pack(height, width, round(16 * model.synthesis.step), *precisions, *sizes) + bytes(chosen)
    body += rans.encode(np.concatenate(symbols), np.concatenate(indexes), tables())
    return MAGIC + struct.pack("<H", crc_hqx(body, 0)) + body


@torch.no_grad()
def read(data: bytes) -> tuple[OnePicture, list[Tensor]]:
    """The decoder that a file holds, in float64, and the latents. Raises BitstreamError for what is no such file."""
    if data[:3] != MAGIC:
        raise BitstreamError("this is no file of the codec for one picture.")
    body = data[5:]
    if len(body) < HEADER.size or struct.unpack("<H", data[3:5])[0] != crc_hqx(body, 0):
        raise BitstreamError("the file's checksum does not fit: it is damaged, or was cut short.")
    height, width, step, *precisions, channels, hidden = HEADER.unpack(body[: HEADER.size])
    if min(height, width, step) < 1 or height * width > MOST_PIXELS:
        raise BitstreamError(f"the file tells of a picture of {height} × {width} pixels: it is damaged.")
    model = OnePicture((height, width), step / 16, channels, hidden).double().eval()
    numbers = [
        (tensor, precision)
        for part, precision in zip(("context", "synthesis"), precisions, strict=True)
        for tensor in model.learned(part)
    ]
    chosen = body[HEADER.size : HEADER.size + len(numbers)]
    if max(chosen, default=0) >= laplace.TABLES or max(precisions) > max(PRECISIONS):
        raise BitstreamError("the file's header names a table that there is not: it is damaged.")
    decoder = rans.Decoder(body[HEADER.size + len(numbers) :], tables())
    for (tensor, precision), table in zip(numbers, chosen, strict=True):
        k = decoder.pop(np.full(tensor.numel(), table, dtype=np.int32))
        tensor.copy_(torch.from_numpy(k).double().view(tensor.shape) / 2**precision)
    latents = model.scan(lambda level, mask, index: torch.from_numpy(decoder.pop(index.numpy())).double())
    decoder.finish()
    return model, latents


@torch.no_grad()
def decode(data: bytes) -> Tensor:
    """The picture of a file: uint8 (3, H, W). Raises BitstreamError for what is no such file."""
    model, latents = read(data)
    return model.synthesis(latents).round().clamp(0, 255).to(torch.uint8)


# ---- what it computes


def multiplications_per_pixel(model: OnePicture) -> dict[str, float]:
    """Of the decoder, each with its addition (MAC), a pixel: the context network's and the synthesis's.

    The wavelet's lifting is left out, as in `evaluation.complexity`. The context network is counted once for each
    latent, which is what a decoder needs; ours computes a whole level for each pass, because that is less code.
    """
    height, width = model.synthesis.sizes[0]
    latents = sum(y.numel() for y in model.latents[1:])
    context = len(model.context.kernels) * (len(SEEN) + 1)
    hidden = len(getattr(model.synthesis, "kernels", ()))
    return {"context": context * latents / (height * width), "synthesis": 9.0 + hidden * 30}
