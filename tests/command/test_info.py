"""`lic info`: all that a file says, and what is wrong with it."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path

import pytest
from safetensors.numpy import save_file

from tutorial_lib.bitstream import Stream, pack, read_header
from tutorial_lib.command import codecs, coding

OURS, OTHER = "00112233445566ff", "ffeeddccbbaa9988"


@pytest.mark.parametrize(
    ("codec", "rows", "header"),
    [
        (
            ("codec", 73, 1),
            ["codec        codec", "quality      73", "string 1     2,000 bytes", "slice 1      0 bytes"],
            37,
        ),
        (("my.own-1", 0), ["codec        my.own-1", "string 1     2,000 bytes", "string 2     0 bytes"], 40),
    ],
)
def test_all_that_a_file_says(lic, here: Path, monkeypatch, codec: tuple, rows: list[str], header: int) -> None:
    data = pack(Stream(70, 51, OURS, (bytes(2000), b""), *codec))
    Path("photo.lic").write_bytes(data)
    for ours, sentence in [
        (OURS, "that of the checkpoint that ships, which can decode it"),
        (OTHER, f"decode it with its own --checkpoint (the one that ships has {OTHER})"),
        (None, "no checkpoint of this codec ships, so decode it with its own --checkpoint"),
    ]:
        monkeypatch.setattr(coding, "shipped_fingerprint", lambda kind, ours=ours: ours if kind == codec[0] else "")
        status, out, err = lic("info", "photo.lic")
        assert (status, err) == (0, "")
        assert out.splitlines() == [
            "photo.lic",
            "  layout       version 3",
            *(f"  {row}" for row in rows[:-2]),
            "  picture      70 x 51 pixels",
            f"  file         {len(data):,} bytes, {8 * len(data) / 3570:.3f} bits per pixel",
            f"  header       {header} bytes",
            *(f"  {row}" for row in rows[-2:]),
            f"  fingerprint  {OURS}: {sentence}",
        ]


def test_which_string_is_damaged(lic, here: Path) -> None:
    strings = tuple(bytes([k]) * 100 for k in range(6))
    data = pack(Stream(70, 51, OURS, strings, "codec", 50, 1))
    damaged = bytearray(data)
    damaged[read_header(data).sections[2].begin] ^= 1
    for name, changed, rows, sentence in [
        ("damaged", damaged, {"slice 2": "damaged"}, "the checksum of slice 2 is wrong; a preview"),
        ("cut", data[:-150], {"slice 4": "cut short", "slice 5": "missing"}, "of 648, and 4 whole string(s) of 6"),
        ("both", damaged[:-90], {"slice 2": "damaged", "slice 5": "cut short"}, "checksum of slice 2 is wrong"),
        ("longer", data + b"more", {}, "the file was added to: it has 652 bytes, not 648."),
    ]:
        Path(name).write_bytes(changed)
        status, out, err = lic("info", name)
        assert status == 2 and err.startswith(f"error: {name!r}: ") and sentence in err and err.count("\n") == 1
        for section in ("string 1", *(f"slice {k}" for k in range(1, 6))):
            row = f"  {section:<11}  100 bytes" + (f": {rows[section]}" if section in rows else "")
            assert row in out.splitlines()
        assert ("instead of 648" in out) == (len(changed) != len(data)) and OURS in out


def test_a_film_is_not_read_to_its_end(one_sentence, table: Path) -> None:
    Path("film").write_bytes(b"film")
    os.truncate("film", 2**25)
    tracemalloc.start()
    try:
        assert "this is no .lic file" in one_sentence("info", "film")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_the_fingerprint_of_what_ships(tmp_path: Path, monkeypatch) -> None:
    """It stands in the checkpoint's metadata; where there is none, or no checkpoint, there is no fingerprint."""
    monkeypatch.setattr(codecs, "shipped", lambda name: tmp_path / name)
    assert codecs.shipped_fingerprint("codec") is None
    file = tmp_path / "codec.safetensors"
    save_file({}, file, metadata={"fingerprint": OTHER})
    assert codecs.shipped_fingerprint("codec") == OTHER and codecs.shipped_fingerprint("first_codec") is None
    whole = file.read_bytes()
    save_file({}, file)
    for data in (file.read_bytes(), b"", b"hello", whole[:-10], bytes(1000)):
        file.write_bytes(data)
        assert codecs.shipped_fingerprint("codec") is None
