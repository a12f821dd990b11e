"""A training run on disk: begun, kept, stopped at any moment, continued to the bit; in one process or in many.

What a run continues from lies in a file of its own: a checksum, what the run is (so that it is not continued as another
one), and `Training.state`. It is written whole, so there is always one that is intact. `RunFiles` has a second one
while the learning rates fall, and the first stays as it was before: from there the run can be made longer, even after
its end.

Under torchrun there are many processes. `process_group` joins them; only the first, of rank 0, prints, writes and reads
files: the others hear from it what they hold.
"""

from __future__ import annotations

import importlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from tqdm import tqdm

from tutorial_lib.cdf import sealed, unsealed
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.recipe import Recipe, fall_begins
from tutorial_lib.training import Training

MAGIC = b"RUN2"  # what a kept run begins with; the digit is the version
SHOWN = 50  # steps whose mean the progress bar shows: of a single one, chance decides


# ---- a run on disk


def keep(training: Training, path: Path, description: Mapping[str, Any]) -> None:
    """Write down what `restore` continues from. description: what kind of run it is; numbers and strings."""
    if is_rank_zero():
        file = io.BytesIO()
        torch.save({"run": dict(description), "spent": training.spent, **training.state()}, file)
        atomic_write(path, sealed(MAGIC, file.getvalue()))


def restore(training: Training, path: Path, description: Mapping[str, Any]) -> None:
    """Continue a run that was kept. Raises ValueError if it is damaged, or of another description.

    Its "steps" and "decay" may be others as long as its learning rates have not begun to fall, before or now.
    """
    state = _read(path, from_rank_zero(path.read_bytes() if is_rank_zero() else None, training.device) or b"")
    before = state["run"]
    other = [name for name in description if before.get(name) != description[name]]
    if set(other) <= EXTENDED <= before.keys():
        _check_extension(state["step"], before, training.recipe, path)
    elif other:
        raise ValueError(f"{str(path)!r} was begun with other {' and '.join(other)}; give the same, or delete it.")
    try:
        training.restore(state)
    except (RuntimeError, KeyError, ValueError):
        raise ValueError(f"{str(path)!r} holds the weights of another codec; delete it to start anew.") from None
    training.spent = {**training.spent, **state.get("spent", {})}


EXTENDED = {"steps", "decay"}  # what of a run may change before its learning rates fall


def _read(path: Path, data: bytes) -> dict[str, Any]:
    try:
        state = torch.load(io.BytesIO(unsealed(MAGIC, data, "bytes of a run")), map_location="cpu", weights_only=True)
        return {**state, "run": dict(state["run"])}
    except Exception:  # anything may be in the file
        raise ValueError(f"{str(path)!r} is no unfinished run, or is damaged; delete it to start anew.") from None


def _check_extension(step: int, before: Mapping[str, Any], recipe: Recipe, path: Path) -> None:
    """Raise ValueError unless a run that stands at a step may go on by another recipe's number of steps."""
    steps, decay = int(before["steps"]), float(before["decay"])
    if (steps, decay) == (recipe.steps, recipe.decay):
        return
    fall_start = int(fall_begins(steps, decay) + 1e-6)
    if step > fall_start:
        raise ValueError(
            f"{str(path)!r} stands at step {step:,}, and its learning rates fall since step {fall_start:,}, so it "
            f"cannot be made longer or shorter than {steps:,} steps; give the same --steps and --decay, or delete it."
        )
    if step > recipe.fall_start:
        raise ValueError(
            f"{str(path)!r} stands at step {step:,}, and in a run of {recipe.steps:,} steps the learning rates would "
            f"have begun to fall at step {recipe.fall_start:,}; give more steps."
        )


class RunFiles:
    """What a run continues from: `path` and, while its learning rates fall, `falling` beside it.

    description: what the run is; with the "steps" and "decay" of `recipe` among it.
    """

    def __init__(self, path: Path, recipe: Recipe, description: Mapping[str, Any]) -> None:
        self.path, self.recipe, self.description = path, recipe, description
        self.falling = falling_of(path)

    def keep(self, training: Training) -> None:
        """Write down where it stands."""
        falls = 0 < self.recipe.fall_start < training.step
        keep(training, self.falling if falls else self.path, self.description)

    def restore(self, training: Training) -> bool:
        """Continue from there: on its way down if that is of the same length, else from before. False: from nowhere.

        Raises ValueError as `restore` does.
        """
        falling, path = (here_on_rank_zero(each, training.device) for each in (self.falling, self.path))
        if falling and path and not self._is_same(training):
            falling = False
        if not (falling or path):
            return False
        restore(training, self.falling if falling else self.path, self.description)
        if not falling and is_rank_zero():
            self.falling.unlink(missing_ok=True)
        return True

    def _is_same(self, training: Training) -> bool:
        """Is what falls already of these very numbers of steps?"""
        data = from_rank_zero(self.falling.read_bytes() if is_rank_zero() else None, training.device)
        before = _read(self.falling, data or b"")["run"]
        return all(before.get(name) == self.description[name] for name in EXTENDED)

    def finish(self) -> None:
        """The run is done. What it can be made longer from stays, if its learning rates were ever constant."""
        self.falling.unlink(missing_ok=True)
        if not self.recipe.fall_start:
            self.path.unlink(missing_ok=True)


def falling_of(path: Path) -> Path:
    """The file beside a run's that is written while its learning rates fall."""
    return path.with_name(path.name + ".falling")


def check_room(training: Training, folder: Path) -> None:
    """Raise OSError if the folder cannot be written to, ValueError if it has no room for what a run keeps there.

    That is two states, the next one beside the last; a third where learning rates fall; and the finished checkpoint.
    """
    with tempfile.TemporaryFile(dir=folder):
        pass
    weights = sum(parameter.nbytes for parameter in training.codec.parameters())
    size_of = getattr(training.optimizer, "state_bytes", lambda: 2 * weights)  # Adam keeps two moments of each weight
    state = weights + size_of() + (weights if training.average is not None else 0)
    states = 3 if 0 < training.recipe.fall_start < training.recipe.steps else 2
    needed, free = states * state + weights, shutil.disk_usage(folder).free
    if free < needed:
        raise ValueError(
            f"the folder {str(folder)!r} has room for {free / 1e6:,.0f} MB, and {needed / 1e6:,.0f} MB are needed."
        )


def take_steps(
    training: Training,
    keep_now: Callable[[], None],
    save_every: int,
    after_each: Callable[[dict[str, float]], str] = lambda record: "",
) -> None:
    """All that are left, with a progress bar. Raises KeyboardInterrupt after Ctrl-C or SIGTERM, with the state kept.

    after_each: is given each step's losses; what it returns stands in the bar. The state is kept after so many steps,
    and where the learning rates begin to fall.
    """
    bar = tqdm(
        desc="training",
        total=training.recipe.steps,
        initial=training.step,
        disable=not is_rank_zero(),
        mininterval=0.5 if sys.stderr.isatty() else 10,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}, ETA {remaining}{postfix}",
    )
    recent: deque[dict[str, float]] = deque(maxlen=SHOWN)
    times = {"seconds": time.monotonic, "core_seconds": time.process_time}
    begun = {name: training.spent[name] - clock() for name, clock in times.items()}
    with bar, stop_signals() as pressed:
        for record in training:
            training.spent = {name: begun[name] + clock() for name, clock in times.items()}
            recent.append(record)
            bar.set_postfix_str(_progress(recent) + after_each(record), refresh=False)
            bar.update()
            stopped = training.any_rank(bool(pressed()))
            if stopped or training.step % save_every == 0 or training.step == training.recipe.fall_start:
                keep_now()
            if stopped:
                bar.close()
                raise KeyboardInterrupt(*filter(None, [pressed()]))


def decibels(record: Mapping[str, float]) -> float:
    """The PSNR of a step's squared error."""
    return float(-10 * np.log10(max(record["mse"], 1e-12)))


def _progress(records: deque[dict[str, float]]) -> str:
    """Means over the last steps, for the progress bar."""
    bpp = np.mean([record["bpp"] for record in records])
    return f"{bpp:.3f} bpp, PSNR {np.mean([decibels(record) for record in records]):.2f} dB"


@contextmanager
def stop_signals() -> Iterator[Callable[[], int]]:
    """Catch what ends a process, so that a step is finished first; but what is ignored (nohup) still is.

    Yields a function: the number of the signal that has come, 0 if none has.
    """
    came: list[int] = []
    before = {kind: handler for kind in STOPPING if (handler := signal.getsignal(kind)) != signal.SIG_IGN}
    for kind in before:
        signal.signal(kind, lambda number, _: came.append(number))
    try:
        yield lambda: came[0] if came else 0
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


STOPPING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


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
    # PyTorch's optimizers import this module, and its functions have the process group, if there is one by then, among
    # their default arguments: it would outlive `destroy_process_group`, and its threads the interpreter. A thread that
    # then lets go of a tensor ends the process by SIGABRT. Imported before there is a group, it holds none.
    importlib.import_module("torch.distributed.nn")
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()  # which ends its threads, too, as nothing else holds the group


def from_rank_zero(data: bytes | None, device: torch.device) -> bytes | None:
    """What the first process has. Other machines need not see its files."""
    if not dist.is_initialized():
        return data
    size = torch.tensor([-1 if data is None else len(data)], device=device)
    dist.broadcast(size, 0)
    if size.item() < 0:
        return None
    content = torch.zeros(int(size.item()), dtype=torch.uint8, device=device)
    if not len(content):
        return b""
    if data:
        content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
    dist.broadcast(content, 0)
    return content.cpu().numpy().tobytes()


def here_on_rank_zero(path: Path, device: str | torch.device) -> bool:
    """Does the first process see such a file?"""
    return from_rank_zero(b"" if is_rank_zero() and path.exists() else None, torch.device(device)) is not None


def is_rank_zero() -> bool:
    """Is this process the one that prints and writes files? True without torchrun, which numbers its processes."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"
