"""The codecs that `lic evaluate` compares, all of one form: a picture to the bytes of a file, and back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, features
from torch import Tensor

from tutorial_lib.evaluation import classical
from tutorial_lib.files.picture_kinds import EXTRA, add_plugins
from tutorial_lib.transform_codec import TransformCodec


@dataclass(frozen=True)
class FileCodec:
    """A codec as a user meets it.

    encode(image, quality) gives a whole file, headers included; decode(file) the picture. Pictures are uint8 (3, H, W).
    """

    name: str
    encode: Callable[[Tensor, float], bytes]
    decode: Callable[[bytes], Tensor]
    qualities: tuple[float, ...]  # what to measure it at: about 0.1 to 2 bits per pixel
    lowest: float = 1  # the qualities it takes
    highest: float = 100
    whole: bool = True  # numbers only
    fingerprint: str | None = None  # of the checkpoint, where it has one
    effort: int | None = None  # what was asked of an encoder that can be patient; None: its default
    pillow_feature: str | None = None  # what this Pillow must have been built with
    plugin_format: str | None = None  # what a plugin must have taught it, by Pillow's name

    def __post_init__(self) -> None:
        for quality in self.qualities:
            if not self.lowest <= quality <= self.highest or (self.whole and quality != int(quality)):
                kind = "whole numbers" if self.whole else "numbers (bits per pixel)"
                reach = f"from {self.lowest:g} to {self.highest:g}"
                raise ValueError(f"The qualities of {self.name} are {kind} {reach}, not {quality:g}.")

    @property
    def is_here(self) -> bool:
        """Whether this Pillow, with the plugins that are installed, can write such files."""
        if self.plugin_format is not None:
            add_plugins()
            return self.plugin_format in Image.SAVE
        return self.pillow_feature is None or bool(features.check(self.pillow_feature))

    @property
    def why_not_here(self) -> str:
        """Where it is not: a sentence."""
        if self.plugin_format is not None:
            return f"{self.name} is left out; {EXTRA} to measure it."
        return f"this Pillow cannot write {self.name}, so it is left out."


def _at_whole(encode: Callable[[Tensor, int], bytes]) -> Callable[[Tensor, float], bytes]:
    """For an encoder whose qualities are whole numbers: 50.0 is one, and it gets it as 50; 50.5 is a ValueError."""

    def encode_at(image: Tensor, quality: float) -> bytes:
        if quality != int(quality):
            raise ValueError(f"a quality is a whole number, not {quality:g}")
        return encode(image, int(quality))

    return encode_at


JPEG = FileCodec(
    "jpeg", _at_whole(classical.jpeg_encode), classical.decode, (2, 5, 8, 12, 17, 25, 35, 50, 65, 75, 85, 90, 95), 1, 95
)
WEBP = FileCodec(
    "webp",
    _at_whole(classical.webp_encode),
    classical.decode,
    (0, 5, 12, 20, 30, 45, 60, 75, 85, 92, 96),
    0,
    pillow_feature="webp",
)
AVIF = FileCodec(
    "avif",
    _at_whole(classical.avif_encode),
    classical.decode,
    (0, 5, 12, 20, 30, 40, 50, 60, 70, 80, 88, 94),
    0,
    pillow_feature="avif",
)
JPEG2000 = FileCodec(
    "jpeg2000",
    classical.jpeg2000_encode,
    classical.decode,
    (0.05, 0.1, 0.15, 0.22, 0.33, 0.5, 0.75, 1.1, 1.6, 2.1),
    0.01,
    24,
    whole=False,
    pillow_feature="jpg_2000",
)
JPEG_XL = FileCodec(
    "jpegxl",
    _at_whole(classical.jpegxl_encode),
    classical.decode,
    (1, 10, 20, 30, 40, 50, 60, 70, 80, 87, 92, 95),
    0,
    plugin_format="JXL",
)
HEIC = FileCodec(
    "heic",
    _at_whole(classical.heic_encode),
    classical.decode,
    (0, 6, 12, 18, 24, 30, 37, 44, 51, 58, 66),
    0,
    plugin_format="HEIF",
)
CLASSICAL = {codec.name: codec for codec in (JPEG, WEBP, AVIF, JPEG_XL, HEIC, JPEG2000)}


MEASURED = tuple(n / 10 for n in range(11))  # where in a learned codec's range of qualities it is measured


def spread(codec: TransformCodec, shares: Sequence[float]) -> tuple[int | None, ...]:
    """Qualities in these places of the codec's range, without repetition; (None,) for a codec with one rate."""
    if codec.qualities is None:
        return (None,)
    count = len(codec.qualities)
    return tuple(dict.fromkeys(codec.qualities[max(0, round(share * count) - 1)] for share in shares))


def learned(codec: TransformCodec, name: str = "lic", effort: int | None = None) -> FileCodec:
    """A learned codec. One that has one rate is measured at that; its quality counts as 1.

    effort: how hard its encoder searches; None: its default. Raises ValueError for one that it lacks.
    """
    chosen = codec.check_effort(effort) if effort is not None or len(codec.efforts) > 1 else None
    encode = codec.encode if chosen is None else functools.partial(codec.encode, effort=chosen)
    fingerprint = codec.fingerprint()
    if codec.qualities is None:
        return FileCodec(
            name, lambda image, _: encode(image), codec.decode, (1,), 1, 1, fingerprint=fingerprint, effort=chosen
        )
    lowest, highest = codec.qualities[0], codec.qualities[-1]
    qualities = tuple(quality for quality in spread(codec, MEASURED) if quality is not None)
    return FileCodec(
        name, _at_whole(encode), codec.decode, qualities, lowest, highest, fingerprint=fingerprint, effort=chosen
    )
