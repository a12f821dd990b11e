"""The door of the command `lic`, also by `python -m tutorial_lib.cli`. What is behind it: the folder `command`."""

import sys

from tutorial_lib.command.main import main

if __name__ == "__main__":
    sys.exit(main())
