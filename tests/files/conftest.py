"""What the tests of picture files share: a reader, and writers of what no library writes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tutorial_lib.files.pictures import read_picture

SIZES = {"B": 1, "s": 1, "H": 2, "I": 4, "II": 8}
TYPES = {"B": 1, "s": 2, "H": 3, "I": 4, "II": 5}


def any_size(width: int, height: int) -> None:
    assert width > 0 and height > 0


@pytest.fixture
def read(tmp_path: Path, monkeypatch) -> Callable[..., tuple[np.ndarray, list[str]]]:
    """read(name) -> pixels (H, W, 3), notes. The working folder is an empty one."""
    monkeypatch.chdir(tmp_path)

    def run(name: str) -> tuple[np.ndarray, list[str]]:
        picture, notes = read_picture(Path(name), any_size)
        assert picture.mode == "RGB" and len(notes) == len(set(notes))
        assert all(note.endswith(".") and "\n" not in note for note in notes)
        return np.asarray(picture), notes

    return run


@pytest.fixture
def refusal(read) -> Callable[[str], str]:
    """refusal(name): the one sentence why it is not read."""

    def run(name: str) -> str:
        with pytest.raises(ValueError) as caught:
            read(name)
        sentence = str(caught.value)
        assert sentence.endswith(".") and "\n" not in sentence
        return sentence

    return run


def ifd(entries: dict[int, tuple[str, object]], place: int, order: str = "<", following: int = 0) -> bytes:
    """A directory of a TIFF that stands at this place: tag -> (type, values), with what does not fit behind it."""
    table, behind = struct.pack(order + "H", len(entries)), b""
    free = place + 2 + 12 * len(entries) + 4
    for tag, (kind, values) in sorted(entries.items()):
        if kind == "s":
            data = bytes(values)  # type: ignore[call-overload]
            count = len(data)
        else:
            values = values if isinstance(values, (tuple, list)) else (values,)
            data, count = struct.pack(order + kind[0] * len(values), *values), len(values) // len(kind)
        if len(data) > 4:
            entry, behind = struct.pack(order + "I", free + len(behind)), behind + data + b"\0" * (len(data) % 2)
        else:
            entry = data.ljust(4, b"\0")
        table += struct.pack(order + "HHI", tag, TYPES[kind], count) + entry
    return table + struct.pack(order + "I", following) + behind


def tiff(data: bytes, width: int, height: int, order: str = "<", sub: dict | None = None, **tags: object) -> bytes:
    """One strip. tags: t262=1 or t258=("H", (8, 8, 8)); None leaves one out. sub: those of a SubIFD, without pixels."""
    entries: dict[int, tuple[str, object]] = {
        256: ("I", width), 257: ("I", height), 258: ("H", 8), 259: ("H", 1), 262: ("H", 1), 273: ("I", 0),
        277: ("H", 1), 278: ("I", height), 279: ("I", len(data)),
    }  # fmt: skip
    for name, value in tags.items():
        tag = int(name[1:])
        if value is None:
            del entries[tag]
        else:
            entries[tag] = value if isinstance(value, tuple) and isinstance(value[0], str) else ("H", value)
    if sub is not None:
        entries[330] = ("I", 0)
    for _ in range(2):  # the second time with the right places
        main = ifd(entries, 8, order)
        entries[273] = ("I", 8 + len(main))
        if sub is not None:
            entries[330] = ("I", 8 + len(main) + len(data) + len(data) % 2)
    body = main + data + b"\0" * (len(data) % 2)
    if sub is not None:
        body += ifd({tag: v if isinstance(v, tuple) else ("I", v) for tag, v in sub.items()}, 8 + len(body), order)
    return (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8) + body


def png(samples: np.ndarray, bits: int, colour_type: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """(H, W, channels) of 8 or 16 bits, or (H, W, 1) of fewer. chunks: those before the pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = samples.shape
    if bits < 8:
        unpacked = np.unpackbits(samples.astype(np.uint8), axis=2)[..., 8 - bits :].reshape(height, -1)
        rows = [row.tobytes() for row in np.packbits(unpacked, axis=1)]
    else:
        rows = [row.astype(f">u{bits // 8}").tobytes() for row in samples]
    header = struct.pack(">IIBBBBB", width, height, bits, colour_type, 0, 0, 0)
    body = [(b"IHDR", header), *chunks, (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(kind, data) for kind, data in body)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """make.tiff, make.png, make.ifd: bytes of files."""
    return SimpleNamespace(tiff=tiff, png=png, ifd=ifd)
