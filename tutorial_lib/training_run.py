"""A training run on disk: begun, kept, stopped at any moment, continued to the bit; in one process or in many.

Until a run is done, what it continues from lies in a file of its own: a checksum, what the run is (so that it is not
continued as another one), and `Training.state`. It is written whole, so there is always one that is intact.

Under torchrun there are many processes. `process_group` joins them; only the first, of rank 0, prints and writes files.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from tqdm import tqdm

from tutorial_lib.cdf import sealed, unsealed
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.training import Training

MAGIC = b"RUN2"  # what a kept run begins with; the digit is the version
SHOWN = 50  # steps whose mean the progress bar shows: of a single one, chance decides


# ---- a run on disk


def keep(training: Training, path: Path, description: Mapping[str, Any]) -> None:
    """Write down what `restore` continues from. description: what kind of run it is; numbers and strings."""
    if is_rank_zero():
        file = io.BytesIO()
        torch.save({"run": dict(description), **training.state()}, file)
        atomic_write(path, sealed(MAGIC, file.getvalue()))


def restore(training: Training, path: Path, description: Mapping[str, Any]) -> None:
    """Continue a run that was kept. Raises ValueError if it is damaged, or of another description."""
    data = path.read_bytes()
    try:
        state = torch.load(io.BytesIO(unsealed(MAGIC, data, "bytes of a run")), map_location="cpu", weights_only=True)
        before = state["run"]
    except Exception:  # anything may be in the file
        raise ValueError(f"{str(path)!r} is no unfinished run, or is damaged; delete it to start anew.") from None
    other = [name for name in description if before.get(name) != description[name]]
    if other:
        raise ValueError(f"{str(path)!r} was begun with other {' and '.join(other)}; give the same, or delete it.")
    try:
        training.restore(state)
    except (RuntimeError, KeyError, ValueError):
        raise ValueError(f"{str(path)!r} holds the weights of another codec; delete it to start anew.") from None


def check_room(training: Training, folder: Path) -> None:
    """Raise OSError if the folder cannot be written to, ValueError if it has no room for what a run keeps there.

    That is two states, the next one beside the last, and the finished checkpoint.
    """
    with tempfile.TemporaryFile(dir=folder):
        pass
    weights = sum(parameter.nbytes for parameter in training.codec.parameters())
    size_of = getattr(training.optimizer, "state_bytes", lambda: 2 * weights)  # Adam keeps two moments of each weight
    state = weights + size_of() + (weights if training.average is not None else 0)
    needed, free = 2 * state + weights, shutil.disk_usage(folder).free
    if free < needed:
        raise ValueError(
            f"the folder {str(folder)!r} has room for {free / 1e6:,.0f} MB, and {needed / 1e6:,.0f} MB are needed."
        )


def digest_of(photos: Mapping[str, Tensor]) -> str:
    """Tells these photos from all others. name: uint8 (3, H, W)."""
    digest = hashlib.sha256()
    for name, photo in photos.items():
        digest.update(os.fsencode(name) + repr(tuple(photo.shape)).encode())
        digest.update(photo.numpy().tobytes())
    return digest.hexdigest()


def take_steps(training: Training, keep_now: Callable[[], None], save_every: int) -> None:
    """All that are left, with a progress bar. Raises KeyboardInterrupt after Ctrl-C or SIGTERM, with the state kept."""
    bar = tqdm(
        desc="training",
        total=training.recipe.steps,
        initial=training.step,
        disable=not is_rank_zero(),
        mininterval=0.5 if sys.stderr.isatty() else 10,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}, ETA {remaining}{postfix}",
    )
    recent: deque[dict[str, float]] = deque(maxlen=SHOWN)
    with bar, stop_signals() as pressed:
        for record in training:
            recent.append(record)
            bar.set_postfix_str(_progress(recent), refresh=False)
            bar.update()
            stopped = training.any_rank(pressed())
            if stopped or training.step % save_every == 0:
                keep_now()
            if stopped:
                bar.close()
                raise KeyboardInterrupt


def _progress(records: deque[dict[str, float]]) -> str:
    """Means over the last steps, for the progress bar."""
    bpp = np.mean([record["bpp"] for record in records])
    dB = np.mean([-10 * np.log10(max(record["mse"], 1e-12)) for record in records])
    return f"{bpp:.3f} bpp, PSNR {dB:.2f} dB"


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Catch Ctrl-C and SIGTERM, so that a step is finished first. Yields a function: has one of them come?"""
    came: list[int] = []
    before = {kind: signal.signal(kind, lambda number, _: came.append(number)) for kind in STOPPING}
    try:
        yield lambda: bool(came)
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


STOPPING = (signal.SIGINT, signal.SIGTERM)


# ---- many processes


@contextmanager
def process_group(device: str | None) -> Iterator[str]:
    """Join the others under torchrun, if there are any. Yields the device for this one; ValueError if there is none."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if dist.is_torchelastic_launched() and device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        raise ValueError(f"there is no device {device!r} here: {str(error).splitlines()[0].rstrip('.')}.") from None
    if not dist.is_torchelastic_launched():
        yield device
        return
    if device.startswith("cuda"):
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def is_rank_zero() -> bool:
    """Is this process the one that prints and writes files? True without torchrun, which numbers its processes."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"
