"""libtiff, which Pillow uses, writes what it finds wrong to the process's stderr. Starts without PyTorch."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import IO

STDERR = Lock()
MOST = 1 << 10  # bytes that are kept of it


@contextmanager
def heard_libtiff() -> Iterator[Callable[[], bytes]]:
    """Inside, nothing is printed. Yields a function that tells, afterwards, what libtiff has said."""
    with STDERR, _file() as heard:
        try:
            kept = os.dup(2)
        except OSError:  # there is no stderr
            yield lambda: b""
            return
        said = b""
        try:
            os.dup2(heard.fileno(), 2)
            yield lambda: said
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            heard.seek(0)
            said = heard.read(MOST)


def _file() -> IO[bytes]:
    try:
        return tempfile.TemporaryFile()
    except OSError:  # no room for one
        return open(os.devnull, "r+b")
