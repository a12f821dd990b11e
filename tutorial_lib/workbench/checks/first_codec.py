"""The checks of notebook 07: the first codec."""

import math
import struct

import torch
from torch import Tensor, nn

from tutorial_lib.bitstream import Stream, pack
from tutorial_lib.information import bits_per_pixel
from tutorial_lib.workbench.checks import Wrong, call, exercise


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
    ]
    for case in cases:
        n, kernel, stride, padding, output_padding = case
        answer = call(function, *case)
        down = nn.Conv2d(1, 1, kernel, stride, padding)
        up = nn.ConvTranspose2d(1, 1, kernel, stride, padding, output_padding)
        with torch.no_grad():
            small = down(torch.zeros(1, 1, n, n))
            true = up(small).shape[-1]
        asked = f"n {n}, kernel {kernel}, stride {stride}, padding {padding}, output_padding {output_padding}"
        if answer == small.shape[-1] != true:
            raise Wrong(f"{asked}: {answer} is the size in the middle; the transposed convolution is still to come.")
        if isinstance(answer, float) and answer != int(answer):
            raise Wrong(
                f"{asked}: {answer:g} is no size. Where a step does not fit any more, the convolution stops: //."
            )
        if answer == true - output_padding and output_padding:
            raise Wrong(f"{asked}: {answer}, but torch gives {true}. Where does output_padding go?")
        if answer == (n - kernel) // stride * stride + kernel + output_padding != true:
            raise Wrong(f"{asked}: torch gives {true}. Without padding it would be your {answer}; so it matters here.")
        if answer != true:
            raise Wrong(f"{asked}: torch gives {true}, not {answer}.")
    return "Kernel 5, stride 2, padding 2, output_padding 1 give n for every even n, and n + 1 for every odd one."


@exercise
def rate(function) -> str:
    """rate(likelihoods, height, width): bits per pixel of the photos, of which the latent may be padded."""
    generator = torch.Generator().manual_seed(0)
    for batch, height, width in ((1, 32, 48), (1, 33, 50), (3, 20, 16)):
        rows, columns = -(-height // 16), -(-width // 16)
        likelihoods = 0.9 * torch.rand(batch, 12, rows, columns, generator=generator) + 0.05
        answer = call(function, likelihoods, height, width)
        try:
            answer = float(answer)
        except (TypeError, ValueError):
            raise Wrong(f"One number is asked for, not {type(answer).__name__}.") from None
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
        raise Wrong(f"{asked}: {true:.3f} bits per pixel are right, you give {answer:.3f}.")
    return "The pad costs bits, and adds no pixels: small photos pay most for it."


@exercise
def header(function) -> str:
    """read_header(data) -> (width, height, lengths of the strings)."""
    cases = [
        ("first_codec", 640, 480, [12]),
        ("mine", 1, 777, [8]),
        ("codec", 300, 65000, [70_000]),
        ("a_fourth", 9, 9, [8, 0, 300]),
    ]
    for name, width, height, lengths in cases:
        strings = tuple(bytes(length) for length in lengths)
        stream = Stream(width, height, "0123456789abcdef", strings, name)
        data = pack(stream)
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
        answer = call(function, y.clone(), offset)
        if not isinstance(answer, Tensor) or answer.shape != y.shape:
            raise Wrong("A tensor of the same shape as y is asked for.")
        if (answer != answer.round()).any():
            raise Wrong(f"offset {offset}: not all of these are whole numbers.")
        true = y.sign() * (y.abs() + offset).floor()
        if torch.equal(answer, true):
            continue
        first = (answer != true).nonzero()[0, 0]
        if torch.equal(answer, (y + offset).floor()):
            raise Wrong(
                f"offset {offset}: {y[first]:.2f} becomes {answer[first]:.0f}. Negative numbers go down instead of "
                "towards 0: work on |y| and give the sign back."
            )
        if offset != 0.5 and torch.equal(answer, y.round()):
            raise Wrong(
                f"offset {offset}: this is plain rounding. The offset decides how far it is to the next number."
            )
        raise Wrong(f"offset {offset}: {y[first]:.2f} becomes {true[first] + 0:.0f}, not {answer[first]:.0f}.")
    return "Offset 1/2 rounds; with 1/3 or 1/6, as video encoders use them, the bin of 0 is 2·(1 − offset) wide."
