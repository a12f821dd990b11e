"""Files appear complete or not at all, on the disk before they have their name; an older file's permissions stay."""

from __future__ import annotations

import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tutorial_lib.files import atomic_write as module
from tutorial_lib.files.atomic_write import atomic_write

pytestmark = pytest.mark.skipif(os.name != "posix", reason="permissions and processes are POSIX's")


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def umask():
    old = os.umask(0o022)
    yield os.umask
    os.umask(old)


def test_bytes_are_on_the_disk_before_they_have_a_name(tmp_path: Path, monkeypatch) -> None:
    path, seen = tmp_path / "file", []

    def fsync(number: int) -> None:
        [unfinished] = tmp_path.iterdir()
        assert os.path.samestat(os.fstat(number), unfinished.stat()) and unfinished.read_bytes() == b"bytes"
        assert re.fullmatch(rf"\.[0-9a-f]{{8}}-{os.getpid()}-[0-9a-f]{{8}}\.unfinished", unfinished.name)
        seen.append(path.exists())

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write(path, b"bytes")
    assert seen == [False] and path.read_bytes() == b"bytes" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0, 0o666)])
def test_a_new_file_honours_the_umask(tmp_path: Path, umask, mask: int, mode: int) -> None:
    umask(mask)
    atomic_write(tmp_path / "file", b"bytes")
    assert mode_of(tmp_path / "file") == mode


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755, 0o200])
def test_an_older_files_mode_stays(tmp_path: Path, umask, monkeypatch, mode: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    path.chmod(mode)
    if os.geteuid():
        monkeypatch.setattr(module.os, "access", lambda *_: True)

    def fsync(_number: int) -> None:  # what nobody else might read before, nobody may read in between
        [unfinished] = [other for other in tmp_path.iterdir() if other != path]
        assert mode_of(unfinished) == 0o600

    monkeypatch.setattr(os, "fsync", fsync)
    atomic_write(path, b"newer")
    assert mode_of(path) == mode and path.stat().st_size == 5


@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_an_older_files_owner_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    os.chown(path, 1234, 2345)
    path.chmod(0o640)
    atomic_write(path, b"newer")
    assert (path.stat().st_uid, path.stat().st_gid, mode_of(path)) == (1234, 2345, 0o640)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="the system has no such attributes")
def test_what_users_have_attached_to_an_older_file_stays(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    try:
        os.setxattr(path, "user.rating", b"5")
    except OSError:
        pytest.skip("the file system has no such attributes")
    os.setxattr(path, "user.empty", b"")
    path.chmod(0o640)
    for data in (b"newer", b"newest"):
        atomic_write(path, data)
        assert path.read_bytes() == data and mode_of(path) == 0o640
        assert {name: os.getxattr(path, name) for name in os.listxattr(path) if name.startswith("user.")} == {
            "user.rating": b"5",
            "user.empty": b"",
        }

    def refuse(*_: object) -> None:
        raise OSError("no room for attributes")

    monkeypatch.setattr(os, "setxattr", refuse)  # they cost no file
    atomic_write(path, b"last")
    assert path.read_bytes() == b"last" and os.listxattr(path) == []


def test_another_users_file_is_not_made_ones_own(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="another user's"):
        atomic_write(path, b"newer")
    assert path.read_bytes() == b"older"


def test_a_write_protected_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"older")
    path.chmod(0o444)
    (tmp_path / "link").symlink_to(path)
    for name in ("file", "link"):
        with pytest.raises(PermissionError, match="Permission denied"):
            atomic_write(tmp_path / name, b"newer")
    assert path.read_bytes() == b"older" and {other.name for other in tmp_path.iterdir()} == {"file", "link"}


def test_what_killed_processes_left_is_removed(tmp_path: Path) -> None:
    program = """if True:
        import os, signal, sys
        from pathlib import Path
        from tutorial_lib.files.atomic_write import atomic_write
        os.fsync = lambda number: os.kill(os.getpid(), signal.SIGKILL)
        atomic_write(Path(sys.argv[1]), b"bytes")
    """
    for _ in range(2):
        ran = subprocess.run([sys.executable, "-c", program, str(tmp_path / "file")])
        assert ran.returncode == -signal.SIGKILL
        [left] = tmp_path.iterdir()  # of the last one only
        assert left.name.endswith(".unfinished")
    machine, process = left.name[1:].split("-")[:2]
    others = [
        f".{machine}-{os.getpid()}-00000000.unfinished",  # one that lives: of another thread, here
        f".{machine}-1-00000000.unfinished",
        f".00000000-{process}-00000000.unfinished",  # another machine's
        ".unfinished",
        "mine.unfinished",
    ]
    for name in others:
        (tmp_path / name).write_bytes(b"")
    atomic_write(tmp_path / "file", b"bytes")
    assert {path.name for path in tmp_path.iterdir()} == {"file", *others}


def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch) -> None:
    def refuse(_folder: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "listdir", refuse)
    atomic_write(tmp_path / "file", b"bytes")
    assert (tmp_path / "file").read_bytes() == b"bytes"
