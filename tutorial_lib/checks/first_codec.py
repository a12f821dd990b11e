"""The checks of notebook 07: the first codec."""

import math
import struct
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from tutorial_lib.bitstream import Stream, pack
from tutorial_lib.checks import Wrong, as_number, call, exercise
from tutorial_lib.gdn import OFFSET, Gdn
from tutorial_lib.information import bits_per_pixel


@exercise
def size_after(function) -> str:
    """size_after(n, kernel, stride, padding, output_padding): down through a convolution, and up again."""
    cases = [
        (100, 3, 1, 1, 0),
        (64, 5, 2, 0, 0),
        (64, 5, 2, 2, 1),
        (63, 5, 2, 2, 1),
        (17, 3, 2, 1, 0),
        (50, 7, 4, 3, 3),
        (32, 5, 3, 1, 2),
    ]
    for case in cases:
        n, kernel, stride, padding, output_padding = case
        answer = as_number(call(function, *case), "One whole number")
        down = nn.Conv2d(1, 1, kernel, stride, padding)
        up = nn.ConvTranspose2d(1, 1, kernel, stride, padding, output_padding)
        with torch.no_grad():
            small = down(torch.zeros(1, 1, n, n))
            true = up(small).shape[-1]
        asked = f"n {n}, kernel {kernel}, stride {stride}, padding {padding}, output_padding {output_padding}"
        if answer == small.shape[-1] != true:
            raise Wrong(f"{asked}: {answer:g} is the size in the middle; the transposed convolution is still to come.")
        if answer != round(answer):
            raise Wrong(
                f"{asked}: {answer:g} is no size. Where a step does not fit any more, the convolution stops: //."
            )
        if answer == true - output_padding and output_padding:
            raise Wrong(f"{asked}: {answer:g}, but torch gives {true}. Where does output_padding go?")
        if answer == (n - kernel) // stride * stride + kernel + output_padding != true:
            raise Wrong(f"{asked}: torch gives {true}. Without padding it would be your {answer:g}: it matters here.")
        if answer != true:
            raise Wrong(
                f"{asked}: torch gives {true}, not {answer:g}. The convolution makes {small.shape[-1]} of n; "
                "which formula leads from there to the end?"
            )
    return "Kernel 5, stride 2, padding 2, output_padding 1 give n for every even n, and n + 1 for every odd one."


@exercise
def rate(function) -> str:
    """rate(likelihoods, height, width): bits per pixel of the photos, of which the latent may be padded."""
    generator = torch.Generator().manual_seed(0)
    for batch, height, width in ((1, 32, 48), (1, 33, 50), (3, 20, 16)):
        rows, columns = -(-height // 16), -(-width // 16)
        likelihoods = 0.9 * torch.rand(batch, 12, rows, columns, generator=generator) + 0.05
        answer = as_number(call(function, likelihoods, height, width))
        true = bits_per_pixel(likelihoods, batch * height * width).item()
        asked = f"{batch} photo(s) of {height} × {width}"
        mistakes = {
            -true: "a likelihood is below 1, so its logarithm is negative: change the sign.",
            true * math.log(2): "these are nats. A bit is a logarithm to the base 2.",
            true * batch: "the likelihoods are those of a batch; its pixels are all photos' pixels.",
            true * height * width / (256 * rows * columns): (
                "you divide by the pixels of the padded photo. Whoever reads the file gets the photo without its pad, "
                "and the pad's bits are paid all the same."
            ),
            true * height * width / (rows * columns): "you divide by positions of the latent; pixels are asked for.",
            true * batch * height * width: "these are all the bits; per pixel they are fewer.",
            true * height * width / (12 * rows * columns): "this is the mean bits of a symbol; per pixel is asked for.",
        }
        if math.isclose(answer, true, rel_tol=1e-4):
            continue
        for mistake, words in mistakes.items():
            if math.isclose(answer, mistake, rel_tol=1e-4):
                raise Wrong(f"{asked}: {words}")
        whole = true * batch * height * width
        raise Wrong(
            f"{asked}: {answer:.3f} bits per pixel are not right. All −log₂ of the likelihoods add up to "
            f"{whole:.0f} bits, and the photos have {batch * height * width} pixels."
        )
    return "The pad costs bits, and adds no pixels: small photos pay most for it."


@exercise
def header(function) -> str:
    """read_header(data) -> (width, height, lengths of the strings)."""
    cases = [
        ("first_codec", 640, 480, [12]),
        ("mine", 1, 777, [8]),
        ("codec", 300, 65000, [70_000]),
        ("a_fourth", 9, 9, [8, 0, 300]),
        ("a_fifth", 10, 9, [128, 127, 16_384]),
    ]
    for name, width, height, lengths in cases:
        strings = tuple(bytes(length) for length in lengths)
        data = pack(Stream(width, height, "0123456789abcdef", strings, name, required=1))  # byte 19 is no count of all
        answer = call(function, data)
        try:
            got_width, got_height, got_lengths = answer
            got_lengths = [int(length) for length in got_lengths]
        except (TypeError, ValueError):
            raise Wrong(f"(width, height, [lengths]) is asked for, not {answer!r}.") from None
        asked = f"A picture {width} wide and {height} high, strings of {lengths} bytes"
        swapped = [int.from_bytes(size.to_bytes(2, "little"), "big") for size in (width, height)]
        if [got_width, got_height] == swapped != [width, height]:
            raise Wrong(
                f"{asked}: you read {got_width} × {got_height}: the bytes the wrong way around. Little-endian is '<'."
            )
        if (got_width, got_height) == (height, width) != (width, height):
            raise Wrong(f"{asked}: the width comes first in the file.")
        for early in (1, 2):
            if (got_width, got_height) == struct.unpack_from("<HH", data, 6 - early):
                raise Wrong(
                    f"{asked}: you begin {early} byte(s) early: between magic and width are version and quality."
                )
        if (got_width, got_height) != (width, height):
            raise Wrong(f"{asked}: you read {got_width} and {got_height}.")
        if len(got_lengths) != len(lengths):
            raise Wrong(
                f"{asked}: you found {len(got_lengths)} length(s). How many there are is the byte at offset 18."
            )
        at = 21 + len(name)
        mistakes = {
            "the byte at offset 20 is the length of the name, and behind it stands the name.": _lengths(data, 21),
            "the name is not always 11 bytes long; the byte at offset 20 says how long it is.": _lengths(data, 32),
            "the first seven bits of a length are the lowest ones.": _lengths(data, at, high_first=True),
            "behind each length come two bytes of checksum.": _lengths(data, at, checksum=0),
            "a byte of 128 or more says that the length goes on in the next one.": _lengths(data, at, longest=1),
        }
        for words, mistake in mistakes.items():
            if got_lengths == mistake != lengths:
                raise Wrong(f"{asked}: you read the lengths {got_lengths}; {words}")
        if got_lengths != lengths:
            raise Wrong(f"{asked}: you read the lengths {got_lengths}; the first begins behind the codec's name.")
    return "Behind the last length is the header's own checksum, of four bytes, and then come the strings."


def _lengths(data: bytes, at: int, high_first: bool = False, checksum: int = 2, longest: int = 5) -> list[int]:
    """The lengths in a header from offset `at` on, as right and wrong ways to read them give them."""
    lengths = []
    for _ in range(data[18]):
        pieces: list[int] = []
        while len(pieces) < longest and (not pieces or data[at - 1] >= 128):
            pieces.append(data[at] % 128)
            at += 1
        lengths.append(sum(piece << 7 * k for k, piece in enumerate(reversed(pieces) if high_first else pieces)))
        at += checksum
    return lengths


@exercise
def dead_zone(function) -> str:
    """quantize(y, offset): sign(y) · floor(|y| + offset)."""
    y = torch.tensor([-2.7, -1.45, -1.2, -0.7, -0.6, -0.3, 0.0, 0.3, 0.6, 0.7, 1.2, 1.45, 2.7])
    for offset in (0.5, 0.33, 0.15, 0.0):
        answer = _numbers(call(function, y.clone(), offset), "A tensor of the same shape as y")
        if answer.shape != y.shape:
            raise Wrong("A tensor of the same shape as y is asked for.")
        if (answer != answer.round()).any():
            raise Wrong(f"offset {offset}: not all of these are whole numbers.")
        true = (y.sign() * (y.abs() + offset).floor()).double()
        if torch.equal(answer, true):
            continue
        first = (answer != true).nonzero()[0, 0]
        if torch.equal(answer, (y + offset).floor().double()):
            raise Wrong(
                f"offset {offset}: {y[first]:.2f} becomes {answer[first]:.0f}. Negative numbers go down instead of "
                "towards 0: work on |y| and give the sign back."
            )
        if offset != 0.5 and torch.equal(answer, y.round().double()):
            raise Wrong(
                f"offset {offset}: this is plain rounding. The offset decides how far it is to the next number."
            )
        raise Wrong(
            f"offset {offset}: {y[first]:.2f} becomes {true[first] + 0:.0f}, not {answer[first]:.0f}: "
            f"|y| + offset is {y[first].abs() + offset:.2f}, and floor drops what is behind the point."
        )
    return "Offset 1/2 rounds; with 1/3 or 1/6, as video encoders use them, the bin of 0 is 2·(1 − offset) wide."


@exercise
def tie(function) -> str:
    """tie(first, second): the λ for which R + λ D is the same for two codecs (bits per pixel, squared error)."""
    for first, second in (((0.5, 40.0), (1.0, 20.0)), ((0.2, 90.0), (0.3, 80.0)), ((0.0, 400.0), (1.5, 25.0))):
        answer = as_number(call(function, first, second))
        (few, large), (many, small) = first, second
        true = (many - few) / (large - small)
        if math.isclose(answer, true, rel_tol=1e-4):
            continue
        asked = f"{first} and {second}"
        mistakes = {
            -true: "a price is positive. The second spends more bits, and the first has the larger error.",
            1 / true: "this is error for each bit, the other way around: λ is bits for each unit of error.",
            many / small: "this is the second codec alone. What counts are differences, of bits and of error.",
            few / large: "this is the first codec alone. What counts are differences, of bits and of error.",
            many - few: "so many more bits the second one spends. For how much less error?",
            (many + few) / (large + small): "sums are of no use here: subtract one cost from the other.",
        }
        for mistake, words in mistakes.items():
            if math.isclose(answer, mistake, rel_tol=1e-4):
                raise Wrong(f"{asked}: {answer:g}, but {words}")
        costs = [bpp + answer * error for bpp, error in (first, second)]
        raise Wrong(f"{asked}: at λ = {answer:g} they cost {costs[0]:.3f} and {costs[1]:.3f}, which should be equal.")
    return "From one point of a curve to the next it is the curve's slope: an encoder at λ stops where its slope is λ."


@exercise
def normalize(function) -> str:
    """normalize(x, beta, gamma): GDN at one place."""
    rng = np.random.default_rng(0)
    for size in (3, 5):
        x = np.round(rng.normal(0, 2, size), 2).tolist()
        beta = np.round(rng.uniform(0.5, 1.5, size), 2).tolist()
        gamma = np.round(rng.uniform(0, 0.5, (size, size)), 2).tolist()
        answer = _numbers(
            call(function, list(x), list(beta), [list(row) for row in gamma]), f"A list of {size} numbers"
        ).flatten()
        if len(answer) != size:
            raise Wrong(f"{size} channels go in, so {size} numbers are asked for, not {len(answer)}.")
        true = _gdn(x, beta, gamma)
        if torch.allclose(answer, true, rtol=1e-4, atol=1e-6):
            continue
        X, B, G = (torch.tensor(each, dtype=torch.float64) for each in (x, beta, gamma))
        energy = B + G @ X**2
        mistakes = {
            "row i of gamma belongs to the channel that is divided; you took column i.": X / (B + G.T @ X**2).sqrt(),
            "the root is missing.": X / energy,
            "beta is missing: without it, a place where all is 0 would be divided by 0.": X / (G @ X**2).sqrt(),
            "this multiplies; GDN divides (the synthesis multiplies).": X * energy.sqrt(),
            "the channels of a place count by their squares.": X / (B + G @ X.abs()).sqrt(),
            "all channels divide each one, with the weights of gamma; you took each channel's own square only.": X
            / (B + G.diag() * X**2).sqrt(),
            "beta belongs under the root.": X / (B + (G @ X**2).sqrt()),
        }
        for words, mistake in mistakes.items():
            if torch.allclose(answer, mistake, rtol=1e-4, atol=1e-6):
                raise Wrong(f"For x = {x}: {words}")
        place = int((answer - true).abs().argmax())
        raise Wrong(
            f"For x = {x}, channel {place}: {answer[place]:.3f} is not right. It is {x[place]} divided by the root of "
            f"beta[{place}] = {beta[place]} plus the squares of x weighted by gamma[{place}] = {gamma[place]}."
        )
    return "A 1 × 1 convolution of the squares does this at all places at once: that is how `Gdn` computes it."


@exercise
def saved_bits(function) -> str:
    """saved_bits(point, curve): the share of a curve's bits that a codec saves at its PSNR."""
    curve = [(0.25, 26.0), (0.5, 29.0), (1.0, 32.0), (2.0, 35.5)]
    for point in ((0.45, 30.5), (0.4, 29.0), (1.2, 31.0), (0.9, 34.0), (0.3, 27.5)):
        answer = as_number(call(function, point, list(curve)))
        rates, qualities = zip(*curve, strict=True)
        jpeg = math.exp(np.interp(point[1], qualities, np.log(rates)))
        true = 1 - point[0] / jpeg
        if math.isclose(answer, true, rel_tol=1e-3, abs_tol=1e-4):
            continue
        linear = float(np.interp(point[1], qualities, rates))
        decibels = float(np.interp(point[0], rates, qualities))
        mistakes = {
            1 - point[0] / linear: "you interpolate the bits themselves; their logarithms are asked for.",
            -true: "what is saved counts as positive.",
            100 * true: "a share is asked for, not percent.",
            point[0] / jpeg: "this is the share that the codec needs; what it saves is the rest.",
            jpeg / point[0] - 1: "this is what the curve needs more than the codec, as a share of the codec's bits.",
            jpeg - point[0]: "these are bits per pixel; divide by what the curve needs.",
            point[1] - decibels: "these are decibels, at equal bits. Compare bits, at equal decibels.",
        }
        asked = f"{point[0]} bits per pixel at {point[1]} dB"
        for mistake, words in mistakes.items():
            if math.isclose(answer, mistake, rel_tol=1e-3, abs_tol=1e-4):
                raise Wrong(f"{asked}: {words}")
        raise Wrong(f"{asked}: {answer:.3f} is not right. At this PSNR the curve needs {jpeg:.3f} bits per pixel.")
    return "Averaged over a range of PSNRs, this is the BD-rate of a curve against another."


def _gdn(x: Sequence[float], beta: Sequence[float], gamma: Sequence[Sequence[float]]) -> Tensor:
    """What the package's layer makes of one place, (C,) float64."""
    layer = Gdn(len(x)).double()
    with torch.no_grad():
        layer.beta.copy_((torch.tensor(beta, dtype=torch.float64) + OFFSET**2).sqrt())
        layer.gamma.copy_((torch.tensor(gamma, dtype=torch.float64) + OFFSET**2).sqrt())
        return layer(torch.tensor(x, dtype=torch.float64)[None, :, None, None]).flatten()


def _numbers(answer: object, wanted: str) -> Tensor:
    """The answer, a tensor, an array or a list of numbers, as float64. Raises Wrong for anything else."""
    if isinstance(answer, Tensor):
        return answer.detach().double()
    try:
        return torch.as_tensor(np.asarray(answer, dtype=np.float64))
    except (TypeError, ValueError):
        raise Wrong(f"{wanted} is asked for, not {type(answer).__name__}.") from None
