"""What is fuzzed: functions of bytes that say which outcomes are allowed, and raise AssertionError for any other.

Allowed is a success, or one of the errors that the docstrings promise. Checksums are put right first, wherever there
are any: what lies behind them is what a forger reaches. `test_targets.py` runs all of this on damaged seeds in each
test run; `guided.py` lets atheris, which sees what code an input reaches, look for more.
"""

import functools
import struct
import tempfile
import zlib
from binascii import crc_hqx
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tutorial_lib.bitstream import MAGIC, BitstreamError, Stream, pack, read_header, unpack
from tutorial_lib.cdf import MAGIC as TABLES_MAGIC
from tutorial_lib.cdf import CdfTables, sealed
from tutorial_lib.rans import decode, encode


def container(data: bytes) -> None:
    """`unpack`, after the checksums of the header and of the strings that it announces have been put right."""
    data = forged(MAGIC + data)
    try:
        header = read_header(data)
    except BitstreamError as error:
        assert_sentence(error)
        return
    try:
        stream = unpack(data)
    except BitstreamError as error:
        assert_sentence(error)
        for wanted in range(1, len(header.sections) + 1):
            try:
                assert len(unpack(data, wanted).strings) == wanted
            except BitstreamError:
                return
    else:
        assert pack(stream) == data  # no two files say the same


def forged(data: bytes) -> bytes:
    """A container whose checksums are right, if it is one at all otherwise."""
    name_ends = 21 + data[20] if len(data) > 20 else 0
    if not name_ends or len(data) < name_ends:
        return data
    at, lengths = name_ends, []
    for _ in range(data[18]):
        length = shift = 0
        while at < len(data) and shift < 35:
            length |= (data[at] & 127) << shift
            shift, at = shift + 7, at + 1
            if not data[at - 1] & 128:
                break
        lengths.append((at, length))
        at += 2
    damaged, begin = bytearray(data), at + 4
    if len(data) < begin:
        return data
    for where, length in lengths:
        damaged[where : where + 2] = struct.pack("<H", crc_hqx(data[begin : begin + length], 0))
        begin += length
    damaged[at : at + 4] = struct.pack("<I", zlib.crc32(damaged[:at]))
    return bytes(damaged)


def tables(data: bytes) -> None:
    """`CdfTables.from_bytes`, sealed anew; what it reads is written as the same bytes, and can code."""
    whole = sealed(TABLES_MAGIC, data)
    try:
        read = CdfTables.from_bytes(whole)
    except ValueError as error:
        assert_sentence(error)
        return
    assert read.to_bytes() == whole
    if read.precision == 16:
        symbols = read.offset.tolist()
        indexes = list(range(len(symbols)))
        assert decode(encode(symbols, indexes, read), indexes, read).tolist() == symbols


@functools.cache
def coding_tables() -> CdfTables:
    """Narrow, wide and lopsided ones; all with an escape."""
    rows = [[0.5, 0.4], [0.001, 0.9, 0.05], [1e-6] * 40 + [0.9], [1 / 300] * 256]
    return CdfTables.from_pmfs(rows, offsets=[0, -1, -20, -128], tail_masses=[0.1, 1e-9, 0.01, 0.1])


def rans(data: bytes) -> None:
    """`rans.decode`: half of the first byte says how many symbols are expected; it is odd for two lanes.

    What it decodes can be encoded. Not to the same bytes: an escape that takes more digits than it needs is read, too
    (CompressAI's layout allows it).
    """
    if not data:
        return
    indexes, lanes = np.arange(data[0] // 2) % len(coding_tables().length), 1 + data[0] % 2
    try:
        symbols = decode(data[1:], indexes, coding_tables(), lanes)
    except BitstreamError as error:
        assert_sentence(error)
        return
    assert symbols.shape == indexes.shape and symbols.dtype == np.int32
    again = decode(encode(symbols, indexes, coding_tables(), lanes), indexes, coding_tables(), lanes)
    assert np.array_equal(again, symbols)


@functools.cache
def small_codec():
    """A codec of the full kind, a few thousand weights, in evaluation mode with tables."""
    import torch

    from tutorial_lib.codec import Codec

    torch.manual_seed(0)
    codec = Codec(C=[6, 8], P=[5, 7], P_colour=[4, 6], half=8, quarter=8, blocks=1).eval()
    codec.build_coder()
    return codec


def picture(data: bytes) -> None:
    """`Codec.decode` of a sound container around any strings: a picture of the size that the header says, or refused.

    The first three bytes: width, height (up to 64), quality. Then the strings, each behind its length in two bytes.
    """
    if len(data) < 5:
        return
    codec = small_codec()
    width, height, quality = 1 + data[0] % 64, 1 + data[1] % 64, data[2]
    strings, at = [], 3
    while at < len(data) and len(strings) < 8:
        length = int.from_bytes(data[at : at + 2], "little")
        strings.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    try:
        made = codec.decode(pack(Stream(width, height, codec.fingerprint(), tuple(strings), "codec", quality, 1)))
    except ValueError as error:  # BitstreamError is one
        assert_sentence(error)
    else:
        assert tuple(made.shape) == (3, height, width)


@functools.cache
def place() -> Path:
    """Where checkpoints are written: in memory, if there is such a folder."""
    memory = Path("/dev/shm")
    folder = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
    return Path(folder) / "fuzzed.safetensors"


def checkpoint(data: bytes) -> None:
    """`TransformCodec.load` of a file whose header has the length that it says, and whose digest is right."""
    from tutorial_lib.files.checkpoints import describe_checkpoint
    from tutorial_lib.transform_codec import TransformCodec

    header, _, weights = data.partition(b"\0")
    place().write_bytes(struct.pack("<Q", len(header)) + header + weights)
    try:
        metadata, described = describe_checkpoint(place())
        assert all(isinstance(value, str) for value in metadata.values())
        assert sum(each.size for each in described.values()) == len(weights)
        TransformCodec.load(place())
    except ValueError as error:
        assert_sentence(error)


def assert_sentence(error: ValueError) -> None:
    """One line, and it ends."""
    assert str(error).endswith((".", '"')) and "\n" not in str(error), str(error)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (container, tables, rans, picture, checkpoint)
}


def seeds(target: str) -> list[bytes]:
    """Inputs that get far: what is made from them by small changes gets far, too."""
    if target == "container":
        streams = [
            Stream(6, 4, "0123456789abcdef", (b"string",), "first_codec"),
            Stream(768, 512, "0" * 16, (b"low", b"", b"finer" * 40), "codec", 50, 1),
            Stream(65535, 2048, "f" * 16, tuple(bytes([n]) * n for n in range(30)), "x", 255, 30),
        ]
        return [pack(stream)[len(MAGIC) :] for stream in streams]
    if target == "tables":
        one = CdfTables.from_pmfs([[0.5, 0.5]], offsets=[3], tail_masses=[0.0])
        return [each.to_bytes()[len(TABLES_MAGIC) : -4] for each in (one, coding_tables())]
    if target == "rans":
        rng = np.random.default_rng(0)
        made = []
        for count, lanes in ((0, 1), (1, 1), (20, 1), (127, 1), (0, 2), (20, 2), (127, 2)):
            indexes = np.arange(count) % len(coding_tables().length)
            symbols = np.rint(rng.standard_cauchy(count)).clip(-(2**31), 2**31 - 1)  # escapes, long ones, too
            made.append(bytes([2 * count + lanes - 1]) + encode(symbols, indexes, coding_tables(), lanes))
        return made
    if target == "picture":
        import torch

        made = []
        for width, height in ((1, 1), (64, 33), (17, 40)):
            image = (torch.arange(3 * height * width) * 7 % 256).to(torch.uint8).reshape(3, height, width)
            strings = unpack(small_codec().encode(image, 50)).strings
            whole = b"".join(struct.pack("<H", len(string)) + string for string in strings)
            made.append(bytes([width - 1, height - 1, 50]) + whole)
        return made
    from safetensors.torch import save

    small_codec().save(place(), {"steps": "1"})
    data = place().read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    none = save({}, {"codec": "codec", "settings": "{}"})
    return [data[8 : 8 + length] + b"\0" + data[8 + length :], none[8:] + b"\0"]
