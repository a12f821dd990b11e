"""What a training writes down of each step: JSON lines, and TensorBoard's file beside them where that is installed."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from tutorial_lib.files.atomic_write import atomic_write


class TrainingLog:
    """`log.add(record)`: a line for each step. Steps that a run takes again, after `from_step`, are written anew."""

    def __init__(self, path: Path, from_step: int) -> None:
        atomic_write(path, b"".join(lines_until(path, from_step)))
        self.file = open(path, "a", encoding="utf-8", buffering=1)  # line by line, for who watches
        self.board: Any = None
        if importlib.util.find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(path.parent), purge_step=from_step + 1)

    def add(self, record: dict[str, float]) -> None:
        """record: numbers by name, "step" among them."""
        print(json.dumps(record), file=self.file)
        if self.board is not None:
            for name, value in record.items():
                if name != "step":
                    self.board.add_scalar(name, value, record["step"])

    def close(self) -> None:
        self.file.close()
        if self.board is not None:
            self.board.close()


def lines_until(path: Path, step: int) -> list[bytes]:
    """The lines of a log, up to that of a step; none if there is no file. Raises ValueError if it is no log."""
    if not path.exists():
        return []
    lines = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            if json.loads(line)["step"] <= step:
                lines.append(line)
        except (ValueError, KeyError, TypeError):
            if line.endswith(b"\n"):  # else the machine stopped while it was written
                raise ValueError(f"{str(path)!r} is no log of a training; give another name.") from None
    return lines
