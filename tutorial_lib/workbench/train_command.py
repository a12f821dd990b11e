"""`lic train`: photos in, a checkpoint out, with a table and a picture of what it can do. Starts without PyTorch."""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from tutorial_lib.cdf import sealed, unsealed
from tutorial_lib.workbench.bad_input import BadInput
from tutorial_lib.workbench.checkpoints import facts_of
from tutorial_lib.workbench.whole_files import write_whole

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.codec_training import Preset, Training

    Photos = dict[str, Tensor]  # name: uint8 (3, H, W)

PRESETS = ("laptop", "standard", "gpu")  # those of `codec_training`
SAVE_EVERY = 500  # steps
SHOWN = 50  # steps whose mean the progress bar shows: of a single one, chance decides
MOST_PHOTOS, LARGEST = 1200, 1024  # kept in memory, and their longer side: 4 GB at most
HELD_OUT, ONE_OF = 8, 20  # where no --valid is given: that many photos at most, and never more than one of twenty
MOST_MEASURED = 24  # photos of --valid, evenly spread over those there are
MAGIC = b"RUN1"

MEANING = """
A folder of photos becomes a checkpoint of the full codec:

    lic train --data PHOTOS --out mine.safetensors
    lic train --data PHOTOS --out mine.safetensors --resume        after it was stopped
    torchrun --nproc-per-node 2 -m tutorial_lib.cli train ...      on several devices

Photos may be of any size. Large ones are scaled down to 1024 pixels, small ones are mirrored at their edges.

Until the training is done, what --resume continues from lies in mine.safetensors.training. An older checkpoint is
replaced at the very end, all at once. Beside it then lies mine.safetensors.png, with photos that were not trained on:
the original, and what is decoded at three qualities. Ctrl-C ends the step, keeps the state, and stops.
"""


def add_parser(commands: argparse._SubParsersAction) -> None:
    """`train`, for the parser of `lic`."""
    form = {"description": MEANING, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = commands.add_parser("train", help="a folder of photos to a checkpoint", **form)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the photos to train on")
    parser.add_argument("--out", type=Path, required=True, metavar="CKPT", help="the checkpoint to write")
    meaning = "photos to measure on in the end, 24 at most (default: hold some of DIR out)"
    parser.add_argument("--valid", type=Path, metavar="DIR", help=meaning)
    meaning = "how large and how long: minutes on two cores, an hour, or long on a GPU; default: %(default)s"
    parser.add_argument("--preset", default=PRESETS[0], choices=PRESETS, help=meaning)
    parser.add_argument("--steps", type=int, metavar="N", help="how many (default: the preset's)")
    meaning = "crops in a step, over all devices (default: the preset's)"
    parser.add_argument("--batch", type=int, metavar="B", help=meaning)
    meaning = "all chance follows from it; default: %(default)s"
    parser.add_argument("--seed", type=int, default=0, metavar="S", help=meaning)
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: cuda where there is one)")
    parser.add_argument("--resume", action="store_true", help="go on where a run of the same --out was stopped")
    meaning = "keep the state after so many steps; default: %(default)s"
    parser.add_argument("--save-every", type=int, default=SAVE_EVERY, metavar="N", help=meaning)
    parser.set_defaults(command=train_command)


def train_command(options: argparse.Namespace) -> None:
    """Raises BadInput with one sentence; KeyboardInterrupt after Ctrl-C, with the state kept."""
    try:
        _check(options)
        _train(options)
    except OSError as error:
        where = "" if error.filename is None else f"{str(error.filename)!r}: "
        sentence = f"{where}{error.strerror or error}."
    except ValueError as error:
        sentence = str(error)
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not re.search("out of memory|allocate memory", str(error)):
            raise
        sentence = "the training needs more memory than there is; a smaller --batch or --preset may do."
    else:
        return
    if not _is_first():
        raise SystemExit(2)  # of many processes that find the same fault, one says so
    raise BadInput(sentence)


def _train(options: argparse.Namespace) -> None:
    from tutorial_lib.codec_training import PRESETS
    from tutorial_lib.workbench.training_report import PICTURE_QUALITIES, picture, table

    preset = PRESETS[options.preset]
    preset = replace(preset, steps=options.steps or preset.steps, batch=options.batch or preset.batch)
    with _processes(options.device) as device:
        photos, measured = _photos(options)
        training = _begin(preset, photos, options.seed, device)
        run = {"preset": options.preset, "steps": preset.steps, "batch": preset.batch, "seed": options.seed}
        whole_run = {**run, "photos": _digest(photos), "settings": repr(replace(preset, steps=0, batch=0))}
        kept = _beside(options.out, ".training")
        if kept.exists():
            _restore(training, kept, whole_run)
        else:
            _check_room(training, options.out)
            _keep(training, kept, whole_run)
        _take_steps(training, lambda: _keep(training, kept, whole_run), options.save_every)
    if not _is_first():
        return
    codec = training.finish()
    facts = {name: str(value) for name, value in run.items()}
    codec.save(options.out, {**facts, "trained_on": f"{len(photos)} photos"})
    kept.unlink()
    _say(f"{options.out}: trained for {preset.steps:,} steps on {len(photos):,} photo{'s' * (len(photos) != 1)}")
    print(table(codec, list(measured.values())))
    shown = dict(list(measured.items())[:3])
    write_whole(_beside(options.out, ".png"), picture(codec, list(shown.values())))
    qualities = ", ".join(map(str, PICTURE_QUALITIES))
    _say(f"{_beside(options.out, '.png')}: {', '.join(shown)}; the original, and at qualities {qualities}")


# ---- before the work


def _check(options: argparse.Namespace) -> None:
    """Find out what stands in the work's way. Raises ValueError or OSError."""
    for name in ("steps", "batch", "save_every"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"--{name.replace('_', '-')} is {value}; it must be 1 or more.")
    if not 0 <= options.seed < 2**63:
        raise ValueError(f"--seed is {options.seed}; it must be 0 or more, and below 2^63.")
    for folder in (options.data, options.valid):
        if folder is not None and not folder.is_dir():
            raise ValueError(f"there is no folder {str(folder)!r}.")
    out, kept = options.out, _beside(options.out, ".training")
    if not out.parent.is_dir():
        raise ValueError(f"there is no folder {str(out.parent)!r} to write to; create it first.")
    if out.exists():
        _check_replaceable(out)
    if kept.exists() and not options.resume:
        raise ValueError(f"{str(kept)!r} is an unfinished run: continue it with --resume, or delete it.")
    if options.resume and not kept.exists() and _is_first():
        print("note: there is no unfinished run of this name, so a new one is started.", file=sys.stderr)


def _check_replaceable(out: Path) -> None:
    """A slip of the hand shall not cost anybody a photo."""
    if not out.is_file():
        raise ValueError(f"{str(out)!r} is no file that could be replaced.")
    try:
        if out.stat().st_size:
            facts_of(out)
    except SafetensorError:
        raise ValueError(f"{str(out)!r} is there already, and is no checkpoint; give another name.") from None


def _check_room(training: Training, out: Path) -> None:
    """Can the folder be written to, and does it hold two states of a run, the next beside the last, and the rest?"""
    with tempfile.TemporaryFile(dir=out.parent):
        pass
    weights = sum(parameter.nbytes for parameter in training.codec.parameters())
    needed, free = 7 * weights, shutil.disk_usage(out.parent).free  # a state is the weights and two moments of each
    if free < needed:
        raise ValueError(
            f"the folder {str(out.parent)!r} has room for {free / 1e6:,.0f} MB, and {needed / 1e6:,.0f} MB are needed."
        )


def _photos(options: argparse.Namespace) -> tuple[Photos, Photos]:
    """The photos to train on, and those to measure on."""
    photos = _read(options.data, without=_beside(options.out, ".png"))
    if options.valid is not None:
        measured = _read(options.valid)
        return photos, dict(list(measured.items())[:: -(-len(measured) // MOST_MEASURED)])
    names = list(photos)
    if len(names) < ONE_OF:
        if _is_first():
            print("note: with so few photos none are held out; the table is of those trained on.", file=sys.stderr)
        return photos, {name: photos[name] for name in names[:HELD_OUT]}
    held = names[:: max(ONE_OF, -(-len(names) // HELD_OUT))]
    return {name: photos[name] for name in names if name not in held}, {name: photos[name] for name in held}


def _read(folder: Path, without: Path | None = None) -> Photos:
    """The photos of a folder. Files that cannot be read are named on stderr and left out."""
    import numpy as np
    from tqdm import tqdm

    from tutorial_lib.bitstream import check_size
    from tutorial_lib.workbench.images import from_pil, photos_in
    from tutorial_lib.workbench.picture_files import read_picture

    paths = [path for path in photos_in(folder) if path != without]
    if len(paths) > MOST_PHOTOS:
        chosen = np.random.default_rng(0).choice(len(paths), MOST_PHOTOS, replace=False)
        if _is_first():
            print(f"note: {MOST_PHOTOS:,} of {len(paths):,} photos are taken, at random.", file=sys.stderr)
        paths = [paths[n] for n in sorted(chosen)]
    photos = {}
    for path in tqdm(paths, desc="reading", disable=None if _is_first() else True, leave=False):
        try:
            picture, _ = read_picture(path, check_size)
        except (OSError, ValueError) as error:
            reason = (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
            if _is_first():
                tqdm.write(f"note: {path.name!r} is left out: {reason.rstrip('.')}.", file=sys.stderr)
            continue
        picture.thumbnail((LARGEST, LARGEST))
        photos[path.name] = from_pil(picture)
    if not photos:
        raise ValueError(f"no photo in {str(folder)!r} can be read.")
    return photos


def _begin(preset: Preset, photos: Photos, seed: int, device: str) -> Training:
    """A run at its beginning."""
    import torch

    from tutorial_lib.codec import Codec
    from tutorial_lib.codec_training import Batches, Training, start_at_spreads

    torch.manual_seed(seed)
    codec = Codec(preset.settings)
    start_at_spreads(codec, Batches(list(photos.values()), replace(preset, batch=64), seed + 1)()[0])
    return Training(codec, Batches(list(photos.values()), preset, seed), device)


# ---- the work


def _take_steps(training: Training, keep: Callable[[], None], save_every: int) -> None:
    """All that are left. Raises KeyboardInterrupt after the step in which Ctrl-C was pressed."""
    from tqdm import tqdm

    bar = tqdm(
        desc="training",
        total=training.preset.steps,
        initial=training.step,
        disable=not _is_first(),
        mininterval=0.5 if sys.stderr.isatty() else 10,
        bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt}, ETA {remaining}{postfix}",
    )
    recent: deque[dict[str, float]] = deque(maxlen=SHOWN)
    with bar, _ctrl_c() as pressed:
        for record in training:
            recent.append(record)
            bar.set_postfix_str(_progress(recent), refresh=False)
            bar.update()
            stopped = training.anywhere(pressed())
            if stopped or training.step % save_every == 0:
                keep()
            if stopped:
                bar.close()
                if _is_first():
                    print(f"stopped after step {training.step}; go on with --resume.", file=sys.stderr)
                raise KeyboardInterrupt


def _progress(records: deque[dict[str, float]]) -> str:
    """Means over the last steps, for the progress bar."""
    import numpy as np

    bpp = np.mean([record["bpp"] for record in records])
    dB = np.mean([-10 * np.log10(max(record["mse"], 1e-12)) for record in records])
    return f"{bpp:.3f} bpp, PSNR {dB:.2f} dB"


@contextmanager
def _ctrl_c() -> Iterator[Callable[[], bool]]:
    """Ctrl-C leaves word, and no step is left half done. Yields what tells whether it was pressed."""
    pressed = []
    before = signal.signal(signal.SIGINT, lambda *_: pressed.append(True))
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)


def _keep(training: Training, kept: Path, run: dict) -> None:
    """Write down what `_restore` continues from."""
    import torch

    if _is_first():
        file = io.BytesIO()
        torch.save({"run": run, **training.state()}, file)
        write_whole(kept, sealed(MAGIC, file.getvalue()))


def _restore(training: Training, kept: Path, run: dict) -> None:
    """Continue a run that was kept. Raises ValueError if it is damaged, or another one than `run`."""
    import torch

    data = kept.read_bytes()
    try:
        state = torch.load(io.BytesIO(unsealed(MAGIC, data, "bytes of a run")), map_location="cpu", weights_only=True)
        before = state["run"]
    except Exception:  # anything may be in the file
        raise ValueError(f"{str(kept)!r} is no unfinished run, or is damaged; delete it to start anew.") from None
    other = [name for name in run if before.get(name) != run[name]]
    if other:
        raise ValueError(f"{str(kept)!r} was begun with other {' and '.join(other)}; give the same, or delete it.")
    try:
        training.restore(state)
    except (RuntimeError, KeyError, ValueError):
        raise ValueError(f"{str(kept)!r} is of another version of this program; delete it to start anew.") from None


def _digest(photos: Photos) -> str:
    """Tells these photos from all others."""
    digest = hashlib.sha256()
    for name, photo in photos.items():
        digest.update(os.fsencode(name) + repr(tuple(photo.shape)).encode())
        digest.update(photo.numpy())
    return digest.hexdigest()


# ---- many processes


@contextmanager
def _processes(device: str | None) -> Iterator[str]:
    """Join the others under torchrun, if there are any. Yields the device for this one; ValueError if there is none."""
    import torch
    import torch.distributed as dist

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


def _is_first() -> bool:
    """Is it this process that speaks and writes? torchrun numbers them."""
    return "TORCHELASTIC_RUN_ID" not in os.environ or os.environ["RANK"] == "0"


# ---- names


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)


def _say(text: str) -> None:
    """On stdout, which need not know each character that a file's name may have."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
