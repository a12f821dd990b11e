"""Checkpoints: safetensors files, with what they say about themselves. Reading that alone starts without PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from tutorial_lib.files.atomic_write import atomic_write

if TYPE_CHECKING:
    from torch import Tensor

PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """A checkpoint that comes with the course: under data/ in a clone, else beside the modules."""
    in_clone = PACKAGE.parent / "data" / "checkpoints" / name
    return in_clone if in_clone.exists() else PACKAGE / "checkpoints" / name


def metadata_of(path: Path) -> dict[str, str]:
    """What was saved with the weights. Raises SafetensorError or OSError where the file is no checkpoint."""
    with safe_open(path, framework="numpy") as file:
        return file.metadata() or {}


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """(metadata, state dict). Raises ValueError with one sentence where there is no file, or one of another kind."""
    if not path.is_file():
        raise ValueError(f"There is no checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a checkpoint.") from error


def write_checkpoint(path: Path, state: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write one, all of it or nothing: the tensors by name, then the metadata."""
    from safetensors.torch import save

    # Copies: weights that several modules share are written once for each.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in sorted(state.items())}
    atomic_write(path, save(tensors, metadata))
