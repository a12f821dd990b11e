"""Being told to end, by SIGTERM or by a terminal that closes, is to the command what Ctrl-C is: it cleans up first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


class Stopped(KeyboardInterrupt):
    """A signal has come that ends the process. number: which one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def stopped_by_sigterm() -> Iterator[None]:
    """Inside, SIGTERM and SIGHUP raise Stopped; where they are ignored (nohup), they still are."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return
    before = {kind: signal.getsignal(kind) for kind in SIGNALS}
    changed = [kind for kind, handler in before.items() if handler == signal.SIG_DFL]
    for kind in changed:
        signal.signal(kind, _stop)
    try:
        yield
    finally:
        for kind in changed:
            signal.signal(kind, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)
