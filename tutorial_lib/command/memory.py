"""How much memory a picture takes, said before the work: `--memory`."""

from __future__ import annotations

import argparse
import math
import os
from pathlib import Path

from tutorial_lib.command.bad_input import BadInput, quoted

MEGABYTE = 2**20


def add_argument(parser: argparse.ArgumentParser) -> None:
    """`--memory`, for the parser of a command."""
    meaning = "how much memory a picture may take, in megabytes (default: what this machine has free)"
    parser.add_argument("--memory", type=int, metavar="MB", help=meaning)


def free_memory() -> int | None:
    """Bytes that a process can still get without swapping; None where this system does not say."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return 1024 * int(line.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def check_memory(path: Path, size: tuple[int, int], needed: int | None, limit: int | None, hint: str = "") -> None:
    """Raise BadInput if a picture (width, height) needs more bytes than `limit` MB; None: than there are free.

    needed None: nobody knows. hint: what would take less.
    """
    if limit is not None and limit < 1:
        raise BadInput(f"--memory is {limit}; it is a number of megabytes, 1 or more.")
    given = free_memory() if limit is None else MEGABYTE * limit
    if needed is None or given is None or needed <= given:
        return
    pixels = f"{size[0]} x {size[1]} pixels"
    have = f"{_amount(given)} are free" if limit is None else f"--memory allows {_amount(given)}"
    raise BadInput(f"{quoted(path)}: {pixels} take about {_amount(needed)} of memory, while {have}{hint}.")


def _amount(size: int) -> str:
    """Of so many bytes."""
    return f"{size / 2**30:.1f} GB" if size >= 2**30 else f"{math.ceil(size / MEGABYTE)} MB"
