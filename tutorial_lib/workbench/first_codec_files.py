"""The first codec's .lic files, as `codec.Codec` has them: a picture to bytes, and back."""

from torch import Tensor

from tutorial_lib.bitstream import Stream, check_size, pack, unpack
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.workbench.images import to_float, to_uint8


def encode(codec: FirstCodec, image: Tensor) -> bytes:
    """A picture, uint8 (3, H, W), to the bytes of a .lic file."""
    height, width = image.shape[1:]
    check_size(width, height)
    strings = codec.compress(to_float(image))["strings"]
    return pack(Stream(width, height, codec.fingerprint(), tuple(string for (string,) in strings), "first_codec"))


def decode(codec: FirstCodec, data: bytes) -> Tensor:
    """The bytes of a .lic file to the picture, uint8 (3, H, W).

    Raises rans.BitstreamError for bytes that are damaged, or of another codec.
    """
    stream = unpack(data)
    stream.check_made_by("first_codec", codec.fingerprint())
    strings = [[string] for string in stream.strings]
    return to_uint8(codec.decompress(strings, (stream.height, stream.width))["x_hat"])
