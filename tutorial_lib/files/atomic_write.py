"""Files that appear complete or not at all. Starts without PyTorch."""

import os
import secrets
from pathlib import Path


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file that gets its name when its last byte is in it; an older one of that name is replaced then."""
    target = Path(os.path.realpath(path))  # through links, so that they stay links
    unfinished = target.with_name(f".{secrets.token_hex(8)}.unfinished")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, target)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
