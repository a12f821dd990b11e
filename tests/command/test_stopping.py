"""Signals, wherever in the work they come."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tutorial_lib.command.stopping import AGAIN, signals_wait, stopped_by_signals

KINDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("kind", KINDS)
def test_what_ends_a_process_is_an_exception(kind: signal.Signals) -> None:
    before = signal.getsignal(kind)
    with stopped_by_signals() as came:
        with pytest.raises(KeyboardInterrupt) as stop:
            signal.raise_signal(kind)
        assert (came, stop.value.args) == ([kind], (kind,))
    assert signal.getsignal(kind) is before


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_ignored_still_is(kind: signal.Signals) -> None:
    signal.signal(kind, signal.SIG_IGN)
    with stopped_by_signals() as came:
        signal.raise_signal(kind)
    assert came == [] and signal.getsignal(kind) == signal.SIG_IGN


@pytest.mark.parametrize("kind", KINDS)
def test_while_libraries_are_loaded_signals_wait(kind: signal.Signals) -> None:
    done = False
    with stopped_by_signals() as came:
        with pytest.raises(KeyboardInterrupt) as stop, signals_wait():
            signal.raise_signal(kind)
            done = True
        assert (done, came, stop.value.args) == (True, [kind], (kind,))


class Dying:
    """Python drops what is raised while an object is deleted, as it does in a callback from C."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_signal_that_is_dropped_comes_once_more(capsys) -> None:
    hook = sys.unraisablehook
    with stopped_by_signals() as came:
        with pytest.raises(KeyboardInterrupt):
            Dying()
            for _ in range(1000):
                time.sleep(0.01)
        assert came == [signal.SIGTERM] * 2
    assert sys.unraisablehook is hook and capsys.readouterr().err == ""


def test_but_not_after_the_end() -> None:
    with stopped_by_signals():
        Dying()
    time.sleep(2 * AGAIN)  # else this process has ended by now


@pytest.mark.parametrize("error", [ImportError("numpy is half loaded"), RuntimeError("no shape"), ValueError("none")])
def test_a_library_that_makes_another_error_of_it(lic, table: Path, stand_in, monkeypatch, error: Exception) -> None:
    def stop(*_args, **_kwargs):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            raise error from None

    monkeypatch.setattr(stand_in.codec, "encode", stop)
    assert lic("encode", "photo.png", "new.lic") == (128 + signal.SIGTERM, "", "")


@pytest.mark.skipif(os.name != "posix", reason="such signals are POSIX's")
@pytest.mark.parametrize("kind", KINDS)
def test_the_script_ends_by_the_signal(kind: signal.Signals) -> None:
    """A shell's loop over many photos goes on if a program that was stopped only returns a status."""
    program = f"import tutorial_lib.cli as cli; cli.main = lambda: 128 + {int(kind)}; cli.run()"
    assert subprocess.run([sys.executable, "-c", program]).returncode == -kind


@pytest.mark.skipif(os.name != "posix", reason="such signals are POSIX's")
def test_ctrl_c_while_the_script_starts() -> None:
    program = """if True:
        import os, signal, sys
        signal.signal(signal.SIGINT, signal.default_int_handler)
        class Finder:
            def find_spec(name, *_):
                if name == "tutorial_lib.command.coding":
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Finder)
        from tutorial_lib.cli import run
        run()
    """
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (-signal.SIGINT, "", "")
