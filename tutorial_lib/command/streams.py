"""Standard output and standard error that may be closed, or lead to a full disk: no work is lost by it."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any


class Patient:
    """A text stream that keeps its first fault instead of raising it. Everything else is as of the stream in it."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.fault: OSError | None = None

    def write(self, text: str) -> int:
        try:
            try:
                self.stream.write(text)
            except UnicodeEncodeError as error:  # not all encodings have all characters of a help text
                self.stream.write(text.encode(error.encoding, "backslashreplace").decode(error.encoding))
        except OSError as error:
            self.fault = self.fault or error
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        self.flush()
        try:
            self.stream.buffer.write(data)
            self.stream.buffer.flush()
        except OSError as error:
            self.fault = self.fault or error

    def flush(self) -> None:
        try:
            self.stream.flush()
        except OSError as error:
            self.fault = self.fault or error

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def close_if_faulty(self) -> None:
        """Let what cannot be written go nowhere, so that Python does not try it once more when it ends."""
        self.flush()
        if self.fault is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.stream.fileno())
            os.close(nowhere)
            self.stream.flush()


@contextmanager
def patient_streams() -> Iterator[Patient]:
    """Inside, printing raises no OSError. Yields standard output, whose `fault` says whether all of it was written."""
    _open_closed_ones()
    out: Any = Patient(sys.stdout)
    err: Any = Patient(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        try:
            yield out
        finally:
            out.close_if_faulty()
            err.close_if_faulty()


def fault_of(out: Patient) -> str | None:
    """Why not all was written: a sentence; None if it was, or if nobody wanted to read more (a closed pipe)."""
    out.flush()
    if out.fault is None or out.fault.errno == errno.EPIPE:
        return None
    return f"standard output: {out.fault.strerror or out.fault}."


def is_closed(stream: Any) -> bool:
    """Does what is printed go nowhere, as the stream has been closed before the process began (`>&-`)?"""
    return getattr(stream, "name", None) == os.devnull


def _open_closed_ones() -> None:
    """Where a stream was closed (`>&-`), print into nothing. Else the next file to be opened would take its number."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")
