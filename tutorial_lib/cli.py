"""The door of the command `lic`, also by `python -m tutorial_lib.cli`. What is behind it: the folder `command`."""

import contextlib
import os
import sys

from tutorial_lib.command.main import main


def run() -> None:
    """The script `lic`. It ends without PyTorch's clearing up: a third of a second, which frees only memory."""
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # closed by whoever listened, or never there
            stream.flush()
    os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
