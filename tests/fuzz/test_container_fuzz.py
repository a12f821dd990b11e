"""Thousands of damaged .lic files: each is refused with one sentence, and none leaves a file behind."""

from __future__ import annotations

import random
import struct
import zlib
from pathlib import Path

import pytest

from tutorial_lib import cli
from tutorial_lib.bitstream import Stream, pack, read_header, unpack
from tutorial_lib.rans import BitstreamError


def whole_file(rng: random.Random) -> bytes:
    strings = tuple(rng.randbytes(rng.choice([0, 8, 40, 300])) for _ in range(rng.choice([1, 1, 1, 2, 10])))
    codec, quality = rng.choice([("first_codec", 0), ("codec", rng.randint(1, 100)), ("x" * rng.randint(1, 32), 255)])
    size, required = (rng.randint(1, 4000), rng.randint(1, 4000)), rng.randint(1, len(strings))
    return pack(Stream(*size, rng.randbytes(8).hex(), strings, codec, quality, required))


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def flip(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for bit in rng.sample(range(8 * len(data)), rng.choice([1, 1, 2, 3, 20])):
        damaged[bit // 8] ^= 1 << bit % 8
    return bytes(damaged)


def overwrite(rng: random.Random, data: bytes) -> bytes:
    begin = rng.randrange(len(data))
    piece = rng.choice([bytes, rng.randbytes])(rng.randint(1, 30))
    return data[:begin] + piece + data[begin + len(piece) :]


def cut_out(rng: random.Random, data: bytes) -> bytes:
    begin = rng.randrange(len(data))
    return data[:begin] + data[begin + rng.randint(1, 30) :]


def append(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice([bytes, rng.randbytes])(rng.randint(1, 30))


def anything(rng: random.Random, data: bytes) -> bytes:
    return rng.choice([b"", data[:4], data[:6], data[:20]]) + rng.randbytes(rng.randrange(60))


DAMAGES = (cut, flip, overwrite, cut_out, append, anything)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_always_refused(damage) -> None:
    rng = random.Random(damage.__name__)
    for _ in range(2000):
        data = whole_file(rng)
        damaged = damage(rng, data)
        if damaged == data:  # zeros over zeros
            continue
        with pytest.raises(BitstreamError) as caught:
            unpack(damaged)
        sentence = str(caught.value)
        assert sentence.endswith(".") and "\n" not in sentence and ". " not in sentence


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_first_strings_are_theirs_or_refused(damage) -> None:
    rng = random.Random(damage.__name__)
    read = 0
    for _ in range(2000):
        data = whole_file(rng)
        stream = unpack(data)
        damaged = damage(rng, data)
        n = rng.randint(1, len(stream.strings))
        try:
            part = unpack(damaged, n)
        except BitstreamError:
            continue
        read += 1
        assert part.strings == stream.strings[:n] and part.left_out == len(stream.strings) - n
        assert (part.width, part.height, part.quality) == (stream.width, stream.height, stream.quality)
    assert read > 100 or damage is anything  # both ways were tried


def test_a_forged_checksum_gets_no_further_than_a_stream_that_packs_to_the_same_bytes() -> None:
    rng = random.Random("forged")
    read = 0
    for _ in range(10_000):
        data = whole_file(rng)
        end = read_header(data).size
        damaged = bytearray(data[: end - 4])
        for _ in range(rng.randint(1, 3)):
            damaged[rng.randrange(len(damaged))] = rng.choice([0, 1, 2, 255, rng.randrange(256)])
        forged = bytes(damaged) + struct.pack("<I", zlib.crc32(damaged)) + data[end:]
        try:
            stream = unpack(forged)
        except BitstreamError:
            continue
        read += 1
        assert pack(stream) == forged
    assert 1000 < read < 9000  # both ways were tried


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_command_says_one_sentence_and_writes_nothing(damage, tmp_path: Path, capsys) -> None:
    rng = random.Random(damage.__name__)
    source = tmp_path / "damaged.lic"
    for _ in range(40):
        data = whole_file(rng)
        damaged = damage(rng, data)
        if damaged == data:
            continue
        source.write_bytes(damaged)
        try:
            facts = str(read_header(damaged).size)
        except BitstreamError:
            facts = ""
        for arguments in (["decode", str(source), str(tmp_path / "back.png")], ["info", str(source)]):
            assert cli.main(arguments) == 2
            said = capsys.readouterr()
            assert facts in said.out if arguments[0] == "info" and facts else said.out == ""
            assert said.err.startswith(f"error: {str(source)!r}: ") and said.err.count("\n") == 1
        assert list(tmp_path.iterdir()) == [source]
