"""Files of few bytes that claim a large picture are refused before memory is set aside; blank pictures never are."""

from __future__ import annotations

import functools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tutorial_lib.bitstream import pack, read_header, unpack
from tutorial_lib.codec import Codec
from tutorial_lib.command.bad_input import BadInput
from tutorial_lib.command.codecs import LEAST, SYMBOLS, check_claim
from tutorial_lib.dct_transforms import BLOCK, KEPT
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.rans import BitstreamError
from tutorial_lib.transform_codec import TransformCodec

LARGEST = (11585, 11585)
KINDS = {"codec": Codec, "first_codec": FirstCodec}


@functools.cache
def shipped(name: str) -> TransformCodec:
    return KINDS[name].load()


def blank(name: str, height: int, width: int, quality: int, level: int) -> bytes:
    codec = shipped(name)
    image = torch.full((3, height, width), level, dtype=torch.uint8)
    return codec.encode(image, None if codec.qualities is None else quality, 0)


def claiming(data: bytes, width: int, height: int) -> bytes:
    return pack(replace(unpack(data), width=width, height=height))


# Blank pictures are the smallest files there are. One of more than 2^20 pixels is coded in tiles.
SIZES = [(1, 1), (1, 999), (63, 65), (480, 640), (1025, 1024)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", KINDS)
def test_blank_pictures_are_believed(name: str, size: tuple[int, int]) -> None:
    for quality, level in ((1, 128), (50, 0), (100, 255)):
        data, codec = blank(name, *size, quality, level), shipped(name)
        header = read_header(data)
        for halved in range(len(header.sections) if codec.halvings else 1):
            check_claim(Path("blank.lic"), header, len(header.sections) - halved)
            assert codec.decode(data, smaller=halved).shape[1:] == tuple(-(-side // 2**halved) for side in size)
        if size == SIZES[-1]:  # one quality will do
            break


@pytest.mark.parametrize("name", KINDS)
def test_a_blank_dot_that_claims_to_be_huge_is_not(name: str) -> None:
    data = claiming(blank(name, 1, 1, 50, 128), *LARGEST)
    with pytest.raises(BitstreamError, match=r"bytes are too few for [0-9,]* symbols"):
        shipped(name).decode(data)
    with pytest.raises(BadInput, match=r"'a\.lic' is damaged: \d+ bytes are too few for a picture of 11585 x 11585"):
        check_claim(Path("a.lic"), read_header(data), None)


def test_previews_are_looked_at_too() -> None:
    data = claiming(blank("codec", 1, 1, 50, 128), *LARGEST)
    check_claim(Path("a.lic"), read_header(data), 1)  # 8 bytes may do for a 1024th of it, for all that is known here
    with pytest.raises(BitstreamError, match=r"bytes are too few|ends before its symbols do"):
        shipped("codec").decode(data, slices=0)
    with pytest.raises(BitstreamError, match="bytes are too few for 25,"):
        shipped("codec").decode(data, smaller=2)


def test_what_the_command_knows_of_the_codecs() -> None:
    assert SYMBOLS["first_codec"] == sum(KEPT) / BLOCK**2
    for size in ((37, 50), (64, 64)):
        y = shipped("codec").analysis(torch.zeros(1, 3, *size), torch.tensor([50.0]))
        passes = shipped("codec").prior.chosen(y, torch.tensor([50.0]))[1]
        assert sum(each.of(0)[0].size for each in passes) == SYMBOLS["codec"] * size[0] * size[1]
    assert all(float(shipped(name).prior.holder.coder.tables.fewest_bits.min()) >= LEAST for name in KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_the_command_refuses_without_pytorch(name: str, tmp_path: Path) -> None:
    (tmp_path / "bomb.lic").write_bytes(claiming(blank(name, 1, 1, 50, 128), *LARGEST))
    code = "import sys\nfrom tutorial_lib.command.main import main\nstatus = main(['decode', 'bomb.lic', 'out.png'])\n"
    code += "print(status, 'torch' in sys.modules, 'numba' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == "2 False False\n"
    assert "bytes are too few for a picture of 11585 x 11585 pixels." in run.stderr
    assert not (tmp_path / "out.png").exists()
