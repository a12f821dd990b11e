"""Being told to end, by SIGTERM or by a terminal that closes, is to the command what Ctrl-C is: it cleans up first."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
USUAL = (signal.SIG_DFL, signal.default_int_handler)
AGAIN = 0.05  # seconds after which a signal comes once more


@contextmanager
def stopped_by_signals() -> Iterator[list[int]]:
    """Inside, signals that end a process raise KeyboardInterrupt(number); where they are ignored (nohup), they are so.

    Yields the numbers of those that have come. C code within which the exception is raised may make another of it: they
    tell. Or it may drop it: then the signal comes once more.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came  # only the main thread may say what a signal does
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        came.append(number)
        raise KeyboardInterrupt(number)

    timers: list[threading.Timer] = []
    usual_hook = sys.unraisablehook

    def dropped(lost: Any) -> None:
        if not (came and isinstance(lost.exc_value, KeyboardInterrupt)):
            usual_hook(lost)
            return
        timers.append(threading.Timer(AGAIN, os.kill, (os.getpid(), came[-1])))
        timers[-1].daemon = True
        timers[-1].start()

    before = {kind: handler for kind in SIGNALS if (handler := signal.getsignal(kind)) in USUAL}
    try:
        sys.unraisablehook = dropped
        for kind in before:
            signal.signal(kind, stop)
        yield came
    finally:
        for timer in timers:
            timer.cancel()
        for kind, handler in before.items():
            signal.signal(kind, handler)
        sys.unraisablehook = usual_hook


@contextmanager
def signals_wait() -> Iterator[None]:
    """Inside, libraries are loaded: signals wait until that is done, as an exception within PyTorch's aborts it."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    came: list[int] = []
    before = {kind: handler for kind in SIGNALS if callable(handler := signal.getsignal(kind))}
    for kind in before:
        signal.signal(kind, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
        if came:
            signal.raise_signal(came[0])
