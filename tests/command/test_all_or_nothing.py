"""Whatever stops the command, an output is complete or untouched, and nothing lies beside it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from PIL import Image

JOBS = (("encode", "photo.png", "photo.lic"), ("decode", "photo.lic", "back.png"))


@pytest.fixture(autouse=True)
def outputs(table: Path) -> None:
    Path("back.png").write_bytes(b"an older file")


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("moment", ["compute", "write", "replace"])
def test_ctrl_c(lic, table: Path, stand_in, contents, monkeypatch, job: tuple[str, ...], moment: str) -> None:
    def stop(*_args, **_kwargs):
        raise KeyboardInterrupt

    def write_a_bit_and_stop(path: Path, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data[:10])
        raise KeyboardInterrupt

    before = contents(table)
    if moment == "compute":
        monkeypatch.setattr(stand_in.codec, "encode", stop)
        monkeypatch.setattr(stand_in.codec, "decode", stop)
    elif moment == "write":
        monkeypatch.setattr(Path, "write_bytes", write_a_bit_and_stop)
    else:
        monkeypatch.setattr(os, "replace", stop)
    assert lic(*job) == (130, "", "")
    assert contents(table) == before


@pytest.mark.parametrize("job", JOBS)
def test_a_full_disk(refused, table: Path, monkeypatch, job: tuple[str, ...]) -> None:
    def write_a_bit_and_fail(path: Path, data: bytes) -> None:
        with open(path, "wb") as file:
            file.write(data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_a_bit_and_fail)
    assert refused(*job) == f"{job[-1]!r}: No space left on device."


@pytest.mark.parametrize("job", JOBS)
def test_notes_come_only_with_a_result(refused, noise, table: Path, monkeypatch, job: tuple[str, ...]) -> None:
    Image.fromarray(noise(8, 8, 4)).save("photo.png")

    def fail(*_args) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "replace", fail)
    assert "Input/output error" in refused(*job)


def test_an_older_file_is_replaced(lic, table: Path) -> None:
    assert lic(*JOBS[1])[0] == 0
    with Image.open("back.png") as back, Image.open("photo.png") as photo:
        assert back.tobytes() == photo.tobytes()
    names = {path.name for path in table.iterdir()}
    assert not any("unfinished" in name for name in names)


def test_as_long_a_name_as_there_can_be(lic, table: Path) -> None:
    name = "x" * (os.pathconf(".", "PC_NAME_MAX") - 4) + ".lic"
    assert lic("encode", "photo.png", name)[0] == 0 and Path(name).exists()


def test_a_link_stays_a_link(lic, table: Path) -> None:
    Path("elsewhere").mkdir()
    os.symlink("elsewhere/real.png", "link.png")
    assert lic("decode", "photo.lic", "link.png")[0] == 0
    assert Path("link.png").is_symlink() and Path("elsewhere/real.png").stat().st_size > 100


def test_others_may_read_the_file_as_the_umask_says(lic, table: Path) -> None:
    old = os.umask(0o027)
    try:
        assert lic("encode", "photo.png", "new.lic")[0] == 0
    finally:
        os.umask(old)
    assert stat.S_IMODE(os.stat("new.lic").st_mode) == 0o640
