"""Files that appear complete or not at all, also when the machine goes down. Starts without PyTorch.

The bytes go into an unfinished file in the same folder, `.<machine>-<process>-<random>.unfinished`, and from there to
the disk; then it takes the name that was asked for. What a file of that name was stays: its permissions, its owner, and
what users have attached to it (extended attributes, where the system has them: `user.…`).
Where it may not be written to, it is not replaced, either. Its other names (hard links) keep the older bytes.

A process that was killed leaves its unfinished file behind. The next one that writes into the folder removes it.
"""

import errno
import os
import platform
import re
import secrets
import stat
import zlib
from contextlib import suppress
from pathlib import Path

NAME = re.compile(r"\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.unfinished")


def atomic_write(path: Path, data: bytes, force: bool = False) -> None:
    """Write a file that gets its name when its last byte is on the disk; an older one of that name is replaced then.

    Raises OSError: PermissionError, for one, where the older one is write-protected, unless `force` is given.
    """
    if not force:
        check_replaceable(path)
    target = Path(os.path.realpath(path))  # through links, so that they stay links
    _remove_stale(target.parent)
    unfinished = target.with_name(f".{_machine()}-{os.getpid()}-{secrets.token_hex(4)}.unfinished")
    try:
        older = os.stat(target) if target.exists() else None
        mode = 0o666 if older is None else 0o600  # of a new file, less the umask; until it is an older one's, nobody's
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if older is not None:
            _copy_attributes(target, unfinished)
            _make_alike(unfinished, older)
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


_BINARY = getattr(os, "O_BINARY", 0)  # of Windows


def check_replaceable(path: Path) -> None:
    """Raise PermissionError if there is a file of this name that is write-protected, or cannot keep its owner."""
    if not os.path.exists(path):
        return
    if not os.access(path, os.W_OK) or not os.stat(path).st_mode & 0o222:  # root, too, respects a protection
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    if os.name == "posix" and os.geteuid() not in (0, os.stat(path).st_uid):
        raise PermissionError(errno.EPERM, "it is another user's, and would become yours; delete it first", str(path))


def _copy_attributes(source: Path, target: Path) -> None:
    """Those that users have given it; others are the system's affair."""
    if not hasattr(os, "listxattr"):
        return
    with suppress(OSError):  # a file system without them, or one that may not be read
        for name in os.listxattr(source):
            if name.startswith("user."):
                os.setxattr(target, name, os.getxattr(source, name))


def _make_alike(path: Path, older: os.stat_result) -> None:
    """Give a file the owner, the group and the permissions of an older one."""
    now = os.stat(path)
    mode = stat.S_IMODE(older.st_mode)
    if os.name == "posix" and (now.st_uid, now.st_gid) != (older.st_uid, older.st_gid):
        try:
            os.chown(path, older.st_uid, older.st_gid)
        except PermissionError:  # a group that one has left: then it is for nobody but its owner and all others
            mode &= ~(stat.S_IRWXG | stat.S_ISGID)
    os.chmod(path, mode)


def _remove_stale(folder: Path) -> None:
    """Remove what processes of this machine left unfinished in a folder when they were killed."""
    if os.name != "posix":
        return  # elsewhere there is no harmless way to ask whether a process lives
    try:
        names = [match for name in os.listdir(folder) if (match := NAME.fullmatch(name))]
    except OSError:  # a folder that one may write to, but not list
        return
    for name in names:
        machine, process = name.groups()
        if machine == _machine() and not _lives(int(process)):
            try:
                (folder / name.group()).unlink()
            except OSError:  # another user's, or gone already
                pass


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True


def _machine() -> str:
    """Tells this machine from others that share the folder: a process's number is its own only here."""
    return f"{zlib.crc32(platform.node().encode()):08x}"
