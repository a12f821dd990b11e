"""Checkpoints: safetensors files, with what they say about themselves. Reading that alone starts without PyTorch.

Beside other facts they hold a digest, the SHA-256 of all weights with their names, and of the codec's name and
settings. `read_checkpoint` compares it: one bit that flipped on a disk spoils a codec without anybody seeing it, and
then the archive that the codec writes. Equal checkpoints are equal files, byte for byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from safetensors import SafetensorError, safe_open

from tutorial_lib.files.atomic_write import atomic_write

if TYPE_CHECKING:
    import torch
    from torch import Tensor

PACKAGE = Path(__file__).parents[1]
LONGEST_HEADER = 2 << 20  # bytes: of 10,000 tensors and more; a longer one takes seconds before anything can be told


class Described(NamedTuple):
    """A tensor in a file, by its header: "F32" and the like, the shape, and how many bytes it takes."""

    dtype: str
    shape: tuple[int, ...]
    size: int


def shipped(name: str) -> Path:
    """A checkpoint that comes with the course: under data/ in a clone, else beside the modules."""
    in_clone = PACKAGE.parent / "data" / "checkpoints" / name
    return in_clone if in_clone.exists() else PACKAGE / "checkpoints" / name


def metadata_of(path: Path) -> dict[str, str]:
    """What was saved with the weights. Raises SafetensorError or OSError where the file is no checkpoint."""
    with open(path, "rb") as file:
        if int.from_bytes(file.read(8), "little") > LONGEST_HEADER:
            raise SafetensorError("its header is too long")
    with safe_open(path, framework="numpy") as checkpoint:
        return checkpoint.metadata() or {}


def describe_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Described]]:
    """(metadata, what the header says of each tensor). Raises ValueError where read_checkpoint finds no checkpoint."""
    _check_is_file(path)
    try:
        metadata = metadata_of(path)
        with path.open("rb") as file:  # which is sound, or metadata_of had raised
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except (SafetensorError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a checkpoint.") from error
    header.pop("__metadata__", None)
    described = {}
    for name, said in header.items():
        begin, end = said["data_offsets"]
        described[name] = Described(said["dtype"], tuple(said["shape"]), end - begin)
    return metadata, described


def read_checkpoint(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """(metadata, state dict). Raises ValueError with one sentence where there is no file, one of another kind, or one
    whose weights are not those of its digest. (What others wrote may have none.)
    """
    _check_is_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata, state = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(f"{path} is not a checkpoint.") from error
    if metadata.get("digest", "") not in ("", digest_of(state, metadata)):
        raise ValueError(f"{path} is damaged: its weights are not those that were saved.")
    return metadata, state


def write_checkpoint(path: Path, state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write one, all of it or nothing: the tensors by name, then the metadata, to which the digest is added."""
    from safetensors.torch import save

    # Copies: weights that several modules share are written once for each.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in sorted(state.items())}
    data = save(tensors, {**metadata, "digest": digest_of(tensors, metadata)})
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()  # its order is random
    header += b" " * (-len(header) % 8)
    atomic_write(path, len(header).to_bytes(8, "little") + header + data[end:])


def digest_of(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """The SHA-256, in hex digits, of all weights and their names, and of a codec's name and settings."""
    import torch

    digest = hashlib.sha256(json.dumps([metadata.get("codec"), metadata.get("settings")]).encode())
    for name, value in sorted(state.items()):
        digest.update(json.dumps([name, str(value.dtype), list(value.shape)]).encode())
        digest.update(value.detach().cpu().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def fits(state: Mapping[str, Tensor], described: Mapping[str, Described]) -> bool:
    """Has a file tensors of a state dict's names, types and shapes? (Tables are of any size; their reader looks.)"""
    from torch.nn.parameter import is_lazy

    fixed = {name: value for name, value in state.items() if not (name.endswith("_extra_state") or is_lazy(value))}
    return state.keys() == described.keys() and all(
        described[name][:2] == (dtype_in_files(value.dtype), tuple(value.shape)) for name, value in fixed.items()
    )


def dtype_in_files(dtype: torch.dtype) -> str:
    """What a file's header calls it: "F32", "U8", "BF16", …"""
    name = str(dtype).removeprefix("torch.")
    for word, letter in (("float", "F"), ("uint", "U"), ("int", "I"), ("complex", "C")):
        name = name.replace(word, letter)
    return name.upper()


def _check_is_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"There is no checkpoint at {path}.")
