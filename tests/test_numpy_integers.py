"""NumPy's integers are integers, wherever a whole number is asked for: of all sizes, with and without a sign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tutorial_lib import bitstream, padding
from tutorial_lib.codec import Codec
from tutorial_lib.first_codec import FirstCodec

TYPES = (np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64)
pytestmark = pytest.mark.parametrize("kind", TYPES)


@pytest.fixture(scope="module")
def codec() -> Codec:
    return Codec.load()


def test_files(codec: Codec, kind: type) -> None:
    image = torch.arange(3 * 20 * 33).reshape(3, 20, 33).to(torch.uint8)
    data = codec.encode(image, 50, 0)
    assert codec.encode(image, kind(50), kind(0)) == data
    assert torch.equal(codec.decode(data, slices=kind(1)), codec.decode(data, slices=1))
    assert torch.equal(codec.decode(data, smaller=kind(2)), codec.decode(data, smaller=2))
    assert codec.memory_to_encode((kind(100), kind(100)), 0) == codec.memory_to_encode((100, 100), 0)
    assert codec.memory_to_decode((kind(100), kind(100)), kind(1)) == codec.memory_to_decode((100, 100), 1)


def test_tensors(codec: Codec, kind: type) -> None:
    x = torch.linspace(0, 1, 3 * 9 * 11).reshape(1, 3, 9, 11)
    coded = codec.compress(x, kind(50), kind(0))
    assert coded == codec.compress(x, 50, 0)
    expected = codec.decompress(**coded, quality=50)["x_hat"]
    assert torch.equal(codec.decompress(coded["strings"], (kind(9), kind(11)), kind(50))["x_hat"], expected)


def test_sizes(kind: type) -> None:
    facts = ("0123456789abcdef", (b"a", b"b"), "codec")
    stream = bitstream.Stream(kind(100), kind(90), *facts, kind(50), kind(1))
    assert bitstream.pack(stream) == bitstream.pack(bitstream.Stream(100, 90, *facts, 50, 1))
    assert bitstream.unpack(bitstream.pack(stream), kind(1)).strings == (b"a",)
    if np.iinfo(kind).max >= 65535:
        with pytest.raises(ValueError, match="a picture of 65,535 x 65,535 pixels does not fit"):
            bitstream.check_size(kind(65535), kind(65535))


def test_padding(kind: type) -> None:
    x = torch.arange(30.0).reshape(5, 6)
    assert torch.equal(padding.reflect_pad(x, *map(kind, (2, 3, 1, 4))), padding.reflect_pad(x, 2, 3, 1, 4))
    padded, pads = padding.pad_to_multiple(x, kind(4))
    assert torch.equal(padded, padding.pad_to_multiple(x, 4)[0]) and torch.equal(padding.crop(padded, pads), x)


def test_settings(kind: type, tmp_path: Path) -> None:
    if kind is np.uint64:
        pytest.skip("NumPy 1 makes floating point of it beside Python's integers, in the layers of PyTorch")
    codec = FirstCodec(hidden=kind(2)).eval()
    assert codec.settings == FirstCodec(hidden=2).settings
    codec.build_coder()
    codec.save(tmp_path / "saved")
    assert FirstCodec.load(tmp_path / "saved").fingerprint() == codec.fingerprint()
