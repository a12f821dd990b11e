"""The door of the command `lic`, also by `python -m tutorial_lib.cli`. What is behind it: the folder `command`."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `lic` with these arguments (default: the process's own) and return its exit status."""
    from tutorial_lib.command.main import main as command

    return command(arguments)


def run() -> None:
    """The script `lic`. It ends without PyTorch's clearing up: a third of a second, which frees only memory."""
    pressed = signal.getsignal(signal.SIGINT)
    if pressed is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # while this starts there is nothing to clean up, or to say
        import tutorial_lib.command.main  # noqa: F401

        signal.signal(signal.SIGINT, pressed)
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed by whoever listened, or never there
            stream.flush()
    if status > 128 and os.name == "posix":  # a signal: a shell's loop ends, too, if it sees that one has ended this
        signal.signal(status - 128, signal.SIG_DFL)
        os.kill(os.getpid(), status - 128)
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
