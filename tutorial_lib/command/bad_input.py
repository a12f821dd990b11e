"""What the command `lic` says when it cannot do what it was asked to. Starts without PyTorch."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutorial_lib.files.atomic_write import atomic_write, check_replaceable


class BadInput(Exception):
    """One sentence about what the user has given."""


@contextmanager
def blaming(path: Path) -> Iterator[None]:
    """What goes wrong inside is the fault of this file."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{quoted(path)}: {error.strerror or error}.") from None
    except ValueError as error:  # BitstreamError is one
        raise BadInput(f"{quoted(path)}: {error}") from None


def of_file(error: OSError) -> str:
    """A sentence that names the file, where the error knows it."""
    where = "" if error.filename is None else f"{str(error.filename)!r}: "
    return f"{where}{error.strerror or error}."


def check_input(path: Path) -> None:
    """Raise BadInput unless it is a file."""
    if not _is_there(path):
        raise BadInput(f"there is no file {quoted(path)}.")
    _check_is_file(path)


def check_folder(path: Path) -> None:
    """Raise BadInput unless it is a folder."""
    if not _is_there(path) or not os.path.isdir(path):
        raise BadInput(f"there is no folder {quoted(path)}.")


def check_output(path: Path, source: Path | None = None, force: bool = False) -> None:
    """Find out before the work, not after it, whether its result has a place. force: even a write-protected one."""
    folder = Path(os.path.realpath(path)).parent if os.path.islink(path) else path.parent
    if not os.path.isdir(folder):
        raise BadInput(f"there is no folder {quoted(folder)} to write to; create it first.")
    if _is_there(path):
        _check_is_file(path)
        if source is not None and os.path.samefile(path, source):
            raise BadInput(f"the output {quoted(path)} is the input; give another name.")
        if not force:
            with blaming(path):
                check_replaceable(path)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"nothing may be written into the folder {quoted(folder)}; give another.")


def _is_there(path: Path) -> bool:
    """Raises BadInput where nobody can tell: behind a folder that may not be entered, or of too long a name."""
    try:
        os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise BadInput(f"{quoted(path)}: {error.strerror or error}.") from None
    return True


def _check_is_file(path: Path) -> None:
    if os.path.isdir(path):
        raise BadInput(f"{quoted(path)} is a folder; give a file.")
    if not os.path.isfile(path):
        raise BadInput(f"{quoted(path)} is a device or a pipe; give a file.")


def write_output(path: Path, data: bytes, force: bool = False) -> None:
    """Write the file, all of it or nothing. Raises BadInput where that fails."""
    with blaming(path):
        atomic_write(path, data, force)


def quoted(path: Path) -> str:
    """For a sentence: in quotes, on one line whatever it holds."""
    return repr(str(path))


def printable(text: object) -> str:
    """For stdout: on one line, and in its characters, whatever a file's name may hold."""
    encoding = sys.stdout.encoding or "utf-8"
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
    return shown.encode(encoding, "backslashreplace").decode(encoding)
