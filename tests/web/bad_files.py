"""Damaged and forged .lic files, and what Python says about them.

Most have checksums that fit, so that a decoder believes what they say:

damaged   bytes changed anywhere, in files that a header announces rightly or wrongly; cut short, or longer
strings   a sound header, and strings that no encoder wrote
claims    sound strings, and a header with another size, quality or number of strings
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from targets import seeds
from web_vectors import damaged

from tutorial_lib.bitstream import MAGIC, BitstreamError, IncompleteFile, Stream, pack, unpack
from tutorial_lib.codec import Codec


class Answer(NamedTuple):
    """sentence: of the error, if there is one; pixels: the picture, or what the file's first parts give of it."""

    sentence: str | None
    pixels: NDArray[np.uint8] | None


def corpus(sound: bytes, count: int) -> Iterator[bytes]:
    """About as many files, the same in each run. sound: a file of the codec that will read them."""
    rng = random.Random("bad files")
    stream = unpack(sound)
    others = [MAGIC + seed for seed in seeds("container")]
    yield from (b"", sound[:20], sound + b"\0")
    for _ in range(count // 4):
        yield damaged(rng, rng.choice(others))
        yield damaged(rng, sound)
        yield pack(replace(stream, strings=forged_strings(rng, stream.strings)))
        yield pack(claiming(rng, stream))


def forged_strings(rng: random.Random, strings: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """A few bytes changed; sometimes a string is replaced, and the last one cut short."""
    forged = [bytearray(string) for string in strings]
    for _ in range(rng.randint(1, 3)):
        string = rng.choice(forged)
        string[rng.randrange(len(string))] = rng.randrange(256)
    if rng.random() < 0.25:
        del forged[-1][rng.randint(1, len(forged[-1])) :]
    if rng.random() < 0.15:
        rng.choice(forged)[:] = bytes(rng.randrange(3))
    return tuple(map(bytes, forged))


def claiming(rng: random.Random, stream: Stream) -> Stream:
    """With a few facts changed."""
    count = rng.choice([len(stream.strings)] * 3 + [rng.randint(1, 8)])
    strings = (*stream.strings, b"\x88", b"\x88")[:count]
    width, height = (rng.choice([side, rng.randint(1, 300), rng.randint(1, 9000)]) for side in (stream.width, 61))
    quality = rng.choice([stream.quality, stream.quality, rng.randrange(256)])
    required = rng.randint(1, count)
    return replace(stream, strings=strings, width=width, height=height, quality=quality, required=required)


def answer_of(codec: Codec, data: bytes) -> Answer:
    """What Python makes of a file; if it was cut short, of its first parts."""
    try:
        return Answer(None, codec.decode(data).numpy())
    except IncompleteFile as error:
        sentence, slices = str(error), error.slices
    except BitstreamError as error:
        return Answer(str(error), None)
    if slices is None or slices > codec.prior.slices:
        return Answer(sentence, None)
    try:
        return Answer(sentence, codec.decode(data, slices).numpy())
    except BitstreamError as error:
        return Answer(str(error), None)
