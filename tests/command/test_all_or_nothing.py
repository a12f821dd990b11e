"""Whatever stops the command, an output is complete or untouched, and nothing lies beside it."""

from __future__ import annotations

import errno
import os
import signal
import stat
import time
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

    before = contents(table)
    if moment == "compute":
        monkeypatch.setattr(stand_in.codec, "encode", stop)
        monkeypatch.setattr(stand_in.codec, "decode", stop)
    elif moment == "write":
        monkeypatch.setattr(os, "fsync", stop)
    else:
        monkeypatch.setattr(os, "replace", stop)
    assert lic(*job) == (130, "", "")
    assert contents(table) == before


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("moment", ["compute", "write", "replace"])
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGHUP])
def test_signals(
    lic, table: Path, stand_in, contents, monkeypatch, job: tuple[str, ...], moment: str, kind: signal.Signals
) -> None:
    def stop(*_args, **_kwargs):
        os.kill(os.getpid(), kind)
        for _ in range(1000):  # until Python has noticed it
            time.sleep(0.01)

    before, handler = contents(table), signal.getsignal(kind)
    if moment == "compute":
        monkeypatch.setattr(stand_in.codec, "encode", stop)
        monkeypatch.setattr(stand_in.codec, "decode", stop)
    else:
        monkeypatch.setattr(os, "fsync" if moment == "write" else "replace", stop)
    assert lic(*job) == (128 + kind, "", "")
    assert contents(table) == before and signal.getsignal(kind) == handler


@pytest.mark.parametrize("job", JOBS)
def test_a_full_disk(refused, table: Path, monkeypatch, job: tuple[str, ...]) -> None:
    def fail(_number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
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


@pytest.mark.parametrize("job", JOBS)
def test_a_write_protected_file_is_not_replaced(refused, lic, table: Path, job: tuple[str, ...]) -> None:
    os.chmod(job[-1], 0o444)
    assert refused(*job) == f"{job[-1]!r}: Permission denied."
    os.chmod(job[-1], 0o600)
    assert lic(*job)[0] == 0
    assert stat.S_IMODE(os.stat(job[-1]).st_mode) == 0o600


def test_other_names_keep_the_older_file(lic, table: Path) -> None:
    os.link("back.png", "twin.png")
    status, _, err = lic(*JOBS[1])
    assert status == 0
    assert err == "note: 'back.png' had another name (hard links), by which the older file is still there.\n"
    assert Path("twin.png").read_bytes() == b"an older file" != Path("back.png").read_bytes()
    assert lic(*JOBS[1])[2] == ""


@pytest.mark.parametrize("job", JOBS)
def test_a_folder_that_nobody_may_write_to(refused, table: Path, stand_in, monkeypatch, job: tuple[str, ...]) -> None:
    """It is found out before the work."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: access(path, mode) and not os.path.isdir(path))
    monkeypatch.setattr(stand_in.codec, "encode", None)
    monkeypatch.setattr(stand_in.codec, "decode", None)
    assert refused(*job) == "nothing may be written into the folder '.'; give another."


@pytest.mark.parametrize("job", [("encode", "photo.png", "{}.lic"), ("decode", "photo.lic", "{}.png")])
def test_too_long_a_name(refused, table: Path, stand_in, monkeypatch, job: tuple[str, ...]) -> None:
    monkeypatch.setattr(stand_in.codec, "encode", None)
    monkeypatch.setattr(stand_in.codec, "decode", None)
    assert refused(*(word.format("n" * 300) for word in job)).endswith(f"': {os.strerror(errno.ENAMETOOLONG)}.")


def test_a_link_to_itself(refused, table: Path) -> None:
    os.symlink("loop.lic", "loop.lic")
    for job in (("encode", "photo.png", "loop.lic"), ("decode", "loop.lic", "new.png")):
        assert refused(*job) == f"'loop.lic': {os.strerror(errno.ELOOP)}."
