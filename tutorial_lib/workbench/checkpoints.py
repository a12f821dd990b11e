"""Where the trained checkpoints lie, and what they say about themselves. Starts without PyTorch."""

from pathlib import Path

from safetensors import safe_open

from tutorial_lib.cdf import CdfTables, unsealed

PACKAGE = Path(__file__).parents[1]


def shipped(name: str) -> Path:
    """A checkpoint that comes with the course: under data/ in a clone, else beside the modules."""
    in_clone = PACKAGE.parent / "data" / "checkpoints" / name
    return in_clone if in_clone.exists() else PACKAGE / "checkpoints" / name


def facts_of(path: Path) -> dict[str, str]:
    """What was saved with the weights. Raises SafetensorError or OSError where the file is no checkpoint."""
    with safe_open(path, framework="numpy") as file:
        return file.metadata() or {}


def tables_fingerprint(path: Path) -> str:
    """The fingerprint of the coding tables in a model's slot, laid out as by `EntropyCoder.to_tensor`."""
    with safe_open(path, framework="numpy") as file:
        coder = file.get_tensor("prior.slot._extra_state").tobytes()
    body = unsealed(b"ENC1", coder, "entropy coder's bytes")
    tables = 4 + 4 * int.from_bytes(body[:4], "little")  # behind the medians
    return CdfTables.from_bytes(body[tables:]).fingerprint()
