"""`lic train`: photos in, a checkpoint out, with a table and a picture of what it can do. Starts without PyTorch."""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from tutorial_lib.codec_training import OTHER_CODECS, PRESETS
from tutorial_lib.command.bad_input import BadInput, check_folder, check_output, of_file, printable, quoted
from tutorial_lib.command.codecs import fresh_codec, load_codec, name_in
from tutorial_lib.command.stopping import signals_wait
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.recipe import LMBDA, LOSSES, MS_SSIM_SMALLEST, Recipe

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.photo_crops import PhotoFolder
    from tutorial_lib.training import Training
    from tutorial_lib.training_run import RunFiles
    from tutorial_lib.transform_codec import TransformCodec

    Photos = dict[str, Tensor]  # name: uint8 (3, H, W)

DEFAULT_CODEC, DEFAULT_PRESET = "codec", "laptop"
MS_SSIM_CROP = 192  # pixels at least, unless --crop is given
SAVE_EVERY = 500  # steps
MOST_READ = 1200  # photos that are all read, and checked, before the training; of more, it reads what it needs
HELD_OUT, ONE_OF = 8, 20  # where no --valid is given: that many photos at most, and never more than one of twenty
MOST_MEASURED = 24  # photos of --valid, evenly spread over those there are
VALIDATE_EVERY = 500  # steps, or an eighth of the run if that is less
GPU_WORKERS = 4
MOST_THREADS = 1024  # of the CPU: PyTorch takes any number, and the process dies of it
REPORT = ".png"  # what the picture beside a checkpoint is called, behind the checkpoint's name

MEANING = """
A folder of photos becomes a checkpoint of the full codec, or of another one:

    lic train --data PHOTOS --out mine.safetensors
    lic train --data PHOTOS --out mine.safetensors --resume        after it was stopped
    lic --plugin mine.py train --codec mine --set N=64 --data PHOTOS --out mine.safetensors
    torchrun --nproc-per-node 2 -m tutorial_lib.cli train ...      on several devices, or machines

Photos may be of any size, and any number. Large ones are scaled down to 1024 pixels, small ones are mirrored at their
edges; those that cannot be read are named and left out.

What --resume continues from lies in mine.safetensors.training. An older checkpoint is replaced at the very end, all at
once. Beside it then lies mine.safetensors.png, with photos that were not trained on: the original, and what is decoded
at three qualities. Ctrl-C ends the step, keeps the state, and stops; under torchrun --max-restarts, processes that died
go on from the state by themselves.

The learning rates stay constant, and fall at the end. Until they do, a run can be made longer: --resume --steps N. Its
state at that moment stays when the run is done, so --resume --steps N makes a finished run longer, too; delete
mine.safetensors.training if you do not want that.
"""


def add_parser(commands: argparse._SubParsersAction, form: dict) -> None:
    """`train`, for the parser of `lic`."""
    parser = commands.add_parser("train", help="a folder of photos to a checkpoint", description=MEANING, **form)
    meaning = "the photos to train on; for several folders, repeat it"
    parser.add_argument("--data", type=Path, action="append", required=True, metavar="DIR", help=meaning)
    meaning = "the folders' shares of the crops, in their order (default: as many as there are photos in each)"
    parser.add_argument("--weight", type=float, nargs="+", action="extend", metavar="W", help=meaning)
    parser.add_argument("--out", type=Path, required=True, metavar="CKPT", help="the checkpoint to write")
    meaning = "photos to measure on, during the run and in the end, 24 at most (default: hold some of DIR out)"
    parser.add_argument("--valid", type=Path, metavar="DIR", help=meaning)
    meaning = "which codec, by the name it is registered under; default: %(default)s"
    parser.add_argument("--codec", default=DEFAULT_CODEC, metavar="NAME", help=meaning)
    meaning = "settings of the codec, as in --set N=64 M=96"
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=meaning)
    meaning = "start with the weights of a checkpoint, of the same codec and settings"
    parser.add_argument("--from", dest="source", type=Path, metavar="CKPT", help=meaning)
    meaning = "how long: five minutes of a core, an hour, nine hours or a GPU (neither tried); default: %(default)s"
    parser.add_argument("--preset", default=DEFAULT_PRESET, choices=PRESETS, help=meaning)
    meaning = f"an error: squared, or one minus MS-SSIM, by default in crops of {MS_SSIM_CROP}; default: %(default)s"
    parser.add_argument("--loss", default=LOSSES[0], choices=LOSSES, help=meaning)
    meaning = f"lambda, the weight of distortion against bits, of a codec with one rate (default: {LMBDA})"
    parser.add_argument("--lambda", "--lmbda", dest="lmbda", type=float, metavar="L", help=meaning)
    parser.add_argument("--steps", type=int, metavar="N", help="how many (default: the preset's)")
    meaning = "crops in a step, over all devices (default: the preset's)"
    parser.add_argument("--batch", type=int, metavar="B", help=meaning)
    parser.add_argument("--crop", type=int, metavar="PIXELS", help="their size (default: the preset's)")
    meaning = "parts of its batch that a device takes in turn: less memory, the same up to rounding; default: 1"
    parser.add_argument("--accumulate", type=int, metavar="K", help=meaning)
    meaning = "times all learning rates (default: the preset's, mostly 1)"
    parser.add_argument("--learning-rate-factor", type=float, metavar="F", help=meaning)
    meaning = "steps at the end in which learning rates fall: up to 1 a share (default: the preset's)"
    parser.add_argument("--decay", type=float, metavar="D", help=meaning)
    meaning = "what a step leaves of the weights' mean, which is saved; 0: only the last ones (default: the preset's)"
    parser.add_argument("--average", type=float, metavar="A", help=meaning)
    meaning = "all chance follows from it; default: %(default)s"
    parser.add_argument("--seed", type=int, default=0, metavar="S", help=meaning)
    parser.add_argument("--device", metavar="D", help="cpu, cuda, ... (default: cuda where there is one)")
    parser.add_argument("--threads", type=int, metavar="N", help="of the CPU (default: one for each core)")
    meaning = f"processes that read photos ahead; the result is the same (default: 0 on the CPU, else {GPU_WORKERS})"
    parser.add_argument("--workers", type=int, metavar="N", help=meaning)
    parser.add_argument("--resume", action="store_true", help="go on where a run of the same --out was stopped")
    meaning = "keep the state after so many steps; default: %(default)s"
    parser.add_argument("--save-every", type=int, default=SAVE_EVERY, metavar="N", help=meaning)
    meaning = (
        "measure the BD-rate against JPEG, on a few photos, after so many steps, or more where that would take more "
        f"than a twentieth of the time; 0: never (default: {VALIDATE_EVERY}, or an eighth of the run)"
    )
    parser.add_argument("--validate-every", type=int, metavar="N", help=meaning.replace("%", "%%"))
    meaning = "write each step's losses down: JSON lines, and for TensorBoard, if installed, beside them"
    parser.add_argument("--log", type=Path, metavar="FILE", help=meaning)
    parser.set_defaults(command=train_command)


def train_command(options: argparse.Namespace) -> None:
    """Raises BadInput with one sentence; KeyboardInterrupt after Ctrl-C, with the state kept."""
    restarted = int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0
    options.resume = options.resume or restarted
    try:
        settings = _settings(options)
        if _check(options):
            _train(options, settings, _recipe(options))
        return
    except BadInput as error:
        sentence = str(error)
    except OSError as error:
        sentence = of_file(error)
    except ValueError as error:
        sentence = str(error)
    except ImportError as error:  # of an extra
        sentence = f"{error}; install this package with its extra, peers."
    from tutorial_lib.training_run import is_rank_zero

    if not is_rank_zero():
        raise SystemExit(2)  # of many processes that find the same fault, one says so
    raise BadInput(sentence)


def _train(options: argparse.Namespace, settings: dict[str, Any], recipe: Recipe) -> None:
    with signals_wait():
        import torch

        from tutorial_lib import training as loop
        from tutorial_lib import training_run
        from tutorial_lib.photo_crops import CropLoader, digest_of

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    with training_run.process_group(options.device) as device:
        torch.manual_seed(options.seed)
        codec = fresh_codec(options.codec, settings)
        if options.lmbda is not None and codec.qualities is not None:
            raise BadInput(f"--lmbda is for a codec with one rate; {options.codec} learns all its qualities at once.")
        if options.lmbda is not None and (own := codec.lagrange_multiplier(None)) is not None:
            raise BadInput(f"{options.codec} has a lambda of its own, {own:g}: give --set lmbda={options.lmbda:g}.")
        source = _start_from(options.source, codec) if options.source is not None else ""
        photos, weights, measured = _photos(options)
        crops = loop.RandomCrops(photos, recipe.crop, recipe.batch, recipe.scales, options.seed, weights)
        workers = options.workers if options.workers is not None else GPU_WORKERS * (not device.startswith("cpu"))
        photos.room //= max(1, workers)
        loader = CropLoader(crops, workers, lambda note: print(f"note: {note}", file=sys.stderr))
        kept = _beside(options.out, ".training")
        begun = training_run.here_on_rank_zero(kept, device)
        if options.plugin and training_run.is_rank_zero():
            _rehearse(codec, crops(0)[:1], options.out.parent)
        start = not (begun or source)
        training = loop.Training(codec, loader, recipe, loop.LOSSES[options.loss], options.seed, device, start)
        chosen = {"codec": options.codec, "settings": json.dumps(codec.settings), "loss": options.loss, "from": source}
        run = {"preset": options.preset, "steps": recipe.steps, "batch": recipe.batch, "seed": options.seed}
        numbers = {name: json.dumps(value) for name, value in asdict(recipe).items()}
        parts = hashlib.sha256(repr(codec).encode()).hexdigest()  # a plugin may have changed
        told = {"photos": digest_of(photos.photos), "weight": json.dumps(options.weight), "modules": parts}
        whole_run = {**chosen, **run, **numbers, **told}
        digest = hashlib.sha256(json.dumps(whole_run, sort_keys=True).encode()).hexdigest()
        if begun and _is_finished(options.out, digest):
            if training_run.is_rank_zero():
                print(_finished_already(options.out))
            return
        files = training_run.RunFiles(kept, recipe, whole_run)
        if not files.restore(training):
            training_run.check_room(training, options.out.parent)
            files.keep(training)
        try:
            _take_steps(options, training, files, list(measured.values()))
        except KeyboardInterrupt:
            if training_run.is_rank_zero():
                print(f"stopped after step {training.step}; go on with --resume.", file=sys.stderr)
            raise
        finally:
            loader.close()
    if not training_run.is_rank_zero():
        return
    codec = training.finish()
    metadata = {name: str(value) for name, value in {**run, "loss": options.loss}.items()}
    metadata |= {"trained_on": f"{len(photos)} photos", "recipe": json.dumps(asdict(recipe)), "run": digest}
    codec.save(options.out, metadata)  # no clock's reading in it: the same run writes the same bytes again
    _check_saved(options.out, codec, crops(0)[0])
    files.finish()
    done = f"{recipe.steps:,} steps on {len(photos):,} photo{'s' * (len(photos) != 1)}"
    print(printable(f"{options.out}: trained for {done}; {training.spent['core_seconds']:,.0f} core-seconds"))
    _report(options.out, codec, measured)


def _take_steps(options: argparse.Namespace, training: Training, files: RunFiles, photos: list[Tensor]) -> None:
    """All that are left; each is logged, and some are followed by a measurement."""
    from tutorial_lib import training_run
    from tutorial_lib.command.training_log import TrainingLog
    from tutorial_lib.command.validation import Validation

    first = training_run.is_rank_zero()
    every = min(VALIDATE_EVERY, max(25, training.recipe.steps // 8))
    validation = Validation(photos, every if options.validate_every is None else options.validate_every)
    log = TrainingLog(options.log, training.step) if options.log is not None and first else None
    shown = ""

    def after_each(record: dict[str, float]) -> str:
        nonlocal shown
        if not first:
            return ""
        percent = validation(training)
        if percent is not None:
            shown = f", BD-rate {percent:+.1f} %"
        if log is not None:
            line = {"step": training.step, **record, "psnr": training_run.decibels(record), **training.spent}
            log.add(line if percent is None else {**line, "bd_rate": percent})
        return shown

    with closing(log) if log is not None else nullcontext():
        training_run.take_steps(training, lambda: files.keep(training), options.save_every, after_each)


def _report(out: Path, codec: TransformCodec, measured: Photos) -> None:
    """A table on stdout, and a picture beside the checkpoint."""
    from tutorial_lib.command.training_report import picture, picture_qualities, table

    print(table(codec, list(measured.values())))
    shown = dict(list(measured.items())[:3])
    atomic_write(_beside(out, REPORT), picture(codec, list(shown.values())))
    shown_at = ", ".join(map(str, picture_qualities(codec)))
    qualities = f", and at qualities {shown_at}" if codec.qualities else ", and decoded"
    print(printable(f"{_beside(out, REPORT)}: {', '.join(shown)}; the original{qualities}"))


# ---- before the work


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    """The codec's, of --set: numbers, lists, true, false as in JSON or Python; anything else is a string."""
    settings = dict(PRESETS[options.preset].settings) if options.codec == DEFAULT_CODEC else {}
    for text in options.set:
        key, equals, value = text.partition("=")
        if not equals or not key.isidentifier():
            raise BadInput(f"--set takes KEY=VALUE, as in N=64, unlike {text!r}.")
        settings[key] = _value(value)
    return settings


def _value(text: str) -> Any:
    """What a setting says. Raises BadInput for NaN and infinity, which no checkpoint can name."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
            break
        except (ValueError, SyntaxError):
            value = text
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"--set takes finite numbers, unlike {text!r}.")
    return value


def _recipe(options: argparse.Namespace) -> Recipe:
    """The preset's, and what the options change in it."""
    recipe = PRESETS[options.preset].recipe
    if options.codec != DEFAULT_CODEC:  # other codecs say themselves how fast they learn
        recipe = OTHER_CODECS if options.preset == DEFAULT_PRESET else replace(recipe, rates={}, rate_factor=1.0)
    changes = {name: getattr(options, name) for name in ("steps", "batch", "crop", "accumulate", "decay", "average")}
    changes = {**changes, "lmbda": options.lmbda, "rate_factor": options.learning_rate_factor}
    if options.loss == "ms-ssim" and options.crop is None:
        changes["crop"] = max(recipe.crop, MS_SSIM_CROP)
    return replace(recipe, **{name: value for name, value in changes.items() if value is not None})


def _start_from(checkpoint: Path, codec: TransformCodec) -> str:
    """Give the codec a checkpoint's weights. Returns its fingerprint; raises BadInput where it is of another codec."""
    trained = load_codec(checkpoint)
    if (trained.name, trained.settings) != (codec.name, codec.settings):
        theirs, ours = (f"{each.name} with {json.dumps(each.settings)}" for each in (trained, codec))
        raise BadInput(f"{quoted(checkpoint)} is of {theirs}, and what is to be trained is {ours}.")
    codec.load_state_dict(trained.state_dict())
    return trained.fingerprint()


def _check(options: argparse.Namespace) -> bool:
    """Find out what stands in the work's way; False: there is nothing left to do. Raises BadInput or OSError."""
    for name in ("steps", "batch", "crop", "save_every", "accumulate", "threads", "workers", "validate_every"):
        value, least = getattr(options, name), int(name not in ("workers", "validate_every"))
        if value is not None and value < least:
            raise BadInput(f"--{name.replace('_', '-')} is {value}; it must be {least} or more.")
    if options.threads is not None and options.threads > MOST_THREADS:
        raise BadInput(f"--threads is {options.threads}; it must be {MOST_THREADS} or less.")
    factor = options.learning_rate_factor
    if factor is not None and not 0 < factor < math.inf:
        raise BadInput(f"--learning-rate-factor is {factor:g}; it must be above 0, and finite.")
    if options.weight is not None and len(options.weight) != len(options.data):
        raise BadInput(f"--weight takes a number for each --data: {len(options.data)}, not {len(options.weight)}.")
    if options.weight is not None and not all(0 < weight < math.inf for weight in options.weight):
        raise BadInput(f"--weight takes numbers above 0, unlike {min(options.weight):g}.")
    if options.lmbda is not None and not 0 < options.lmbda < math.inf:
        raise BadInput(f"--lmbda is {options.lmbda:g}; it must be above 0, and finite.")
    if options.loss == "ms-ssim" and options.crop is not None and options.crop < MS_SSIM_SMALLEST:
        raise BadInput(f"--crop is {options.crop}; with --loss ms-ssim it must be {MS_SSIM_SMALLEST} or more.")
    if not 0 <= options.seed < 2**63:
        raise BadInput(f"--seed is {options.seed}; it must be 0 or more, and below 2^63.")
    for folder in (*options.data, options.valid):
        if folder is not None:
            check_folder(folder)
    out, kept = options.out, _beside(options.out, ".training")
    check_output(out)
    check_output(_beside(out, REPORT))
    if out.exists():
        _check_replaceable(out)
    elif (report := _beside(out, REPORT)).exists() and not kept.exists():  # then no older run has made it
        raise BadInput(f"{quoted(report)}, where the report would go, is there already; give another name.")
    if options.log is not None:
        check_output(options.log)
        if options.log.exists() and not options.resume:
            raise BadInput(f"{quoted(options.log)} is there already; give another name, or delete it.")
    if options.source is not None:
        name_in(options.source)
    if kept.exists() and not options.resume:
        raise BadInput(f"{quoted(kept)} is a run that can go on: continue it with --resume, or delete it.")
    if options.resume and not kept.exists():
        if out.exists() and out.stat().st_size:
            _check_same(out, options)
            print(_finished_already(out))
            return False
        _note("there is no unfinished run of this name, so a new one is started.")
    if options.plugin and options.codec == DEFAULT_CODEC:
        _note(f"this trains {DEFAULT_CODEC}, the full codec; --codec NAME chooses that of the plugin.")
    return True


def _check_same(out: Path, options: argparse.Namespace) -> None:
    """Raise BadInput where a checkpoint is of a run with other options, as far as it says them."""
    wanted = {"codec": options.codec, "preset": options.preset, "seed": str(options.seed), "loss": options.loss}
    wanted |= {"recipe": json.dumps(asdict(_recipe(options)))}
    said = metadata_of(out)
    other = [name for name in wanted if said.get(name, wanted[name]) != wanted[name]]
    if other == ["recipe"]:  # say which of its numbers
        before, now = json.loads(said["recipe"]), json.loads(wanted["recipe"])
        other = [name for name in now if before.get(name) != now[name]]
    if other:
        raise BadInput(
            f"{quoted(out)} is finished, with other {' and '.join(other)}, and cannot go on: "
            "give another --out, with --from for its weights."
        )


def _is_finished(out: Path, digest: str) -> bool:
    """Is the checkpoint what this very run has made?"""
    return out.exists() and out.stat().st_size > 0 and metadata_of(out).get("run") == digest


def _finished_already(out: Path) -> str:
    return printable(f"{out}: this run is finished already, and was left as it is.")


def _rehearse(codec: TransformCodec, x: Tensor, folder: Path) -> None:
    """All that is done with a learner's codec behind its training, before it: a mistake should not cost the training.

    x: (1, 3, H, W), a crop. Raises BadInput that names what fails.
    """
    import copy

    trial, what = copy.deepcopy(codec), "the forward pass"
    condition = None if codec.qualities is None else x.new_full((1,), float(codec.qualities[-1]))
    try:
        trial.lagrange_multiplier(condition)
        trial.train()(x, condition)
        what = "build_coder"
        trial.eval().build_coder()
        what = "saving"
        with tempfile.TemporaryDirectory(dir=folder) as place:
            trial.save(Path(place) / "trial.safetensors")
            _check_saved(Path(place) / "trial.safetensors", trial, x[0])
    except BadInput:
        raise
    except Exception as error:  # a learner's codec may raise anything
        words = " ".join(str(error).split()).rstrip(".")
        raise BadInput(f"{what} of {codec.name} fails on a crop of {x.shape[-1]} pixels: {words}.") from None


def _check_saved(path: Path, codec: TransformCodec, x: Tensor) -> None:
    """Load the checkpoint and code a crop x (3, H, W) with it: what is decoded must be the codec's own forward pass.

    Raises BadInput where it is not.
    """
    import torch

    from tutorial_lib.files.images import to_uint8

    image = to_uint8(x[None])
    quality = codec.qualities[-1] if codec.qualities else None
    with torch.no_grad():
        expected = to_uint8(codec(image[None].float() / 255, quality)["x_hat"])
    try:
        loaded = load_codec(path)
        decoded = loaded.decode(loaded.encode(image, quality, effort=0))
    except BadInput:
        raise
    except Exception as error:  # a learner's codec may raise anything
        words = " ".join(str(error).split()).rstrip(".")
        raise BadInput(f"{codec.name}, loaded from its checkpoint, cannot code a crop: {words}.") from None
    if not torch.equal(decoded, expected):
        raise BadInput(
            f"{codec.name} decodes another picture than its forward pass gives in evaluation mode: compare "
            f"{type(codec.prior).__name__}'s decompress with its forward."
        )


def _check_replaceable(out: Path) -> None:
    """Raise BadInput unless the file is a checkpoint (or empty): a mistyped --out must not overwrite a photo."""
    try:
        if out.stat().st_size:
            metadata_of(out)
    except SafetensorError:
        raise BadInput(f"{quoted(out)} is there already, and is no checkpoint; give another name.") from None


def _photos(options: argparse.Namespace) -> tuple[PhotoFolder, Sequence[float] | None, Photos]:
    """The photos to train on, their weights, and the photos to measure on."""
    photos = _open(options.data, options.out)
    if options.valid is not None:
        measured = _read_all(_open([options.valid], options.out), options.valid)
        every = -(-len(measured) // MOST_MEASURED)
        return photos, _weights(options, photos), dict(list(measured.items())[::every])
    count = len(photos)
    if count < ONE_OF:
        _note("with so few photos none are held out; the table is of those trained on.")
        return photos, _weights(options, photos), _by_name(photos, range(min(count, HELD_OUT)))
    held = range(0, count, max(ONE_OF, -(-count // HELD_OUT)))
    left = photos.without(set(held))
    return left, _weights(options, left), _by_name(photos, held)


def _by_name(photos: PhotoFolder, places: Sequence[int]) -> Photos:
    return {Path(photos.photos[n].path).name: photos[n] for n in places}


def _weights(options: argparse.Namespace, photos: PhotoFolder) -> list[float] | None:
    """Each photo's chance, so that the folders have theirs."""
    if options.weight is None:
        return None
    folders = [os.path.dirname(photo.path) for photo in photos.photos]
    counts = {folder: folders.count(folder) for folder in set(folders)}
    shares = {os.fspath(folder): weight for folder, weight in zip(options.data, options.weight, strict=True)}
    return [shares[folder] / counts[folder] for folder in folders]


def _open(folders: Sequence[Path], out: Path) -> PhotoFolder:
    """The photos of the folders, but no reports. Few are read now, and those left out that cannot be."""
    from tutorial_lib.files.folders import list_photos
    from tutorial_lib.photo_crops import PhotoFolder

    listed = [photo for folder in folders for photo in list_photos(folder, _note)]
    listed = [photo for photo in listed if not _is_report(photo.path, out)]
    photos = PhotoFolder(listed)
    if len(listed) > MOST_READ:
        _note(f"{len(listed):,} photos are read as they are needed.")
    else:
        _read_all(photos, folders[0])
        left = {os.path.dirname(photo.path) for photo in photos.photos}
        for folder in folders:
            if os.fspath(folder) not in left:
                raise BadInput(f"no photo in {quoted(folder)} can be read.")
    return photos


def _is_report(path: str, out: Path) -> bool:
    """Is it the picture that this run, or an older one, has put beside its checkpoint?"""
    checkpoint = path.removesuffix(REPORT)
    if checkpoint == path:
        return False
    if os.path.basename(checkpoint) == out.name and os.path.realpath(checkpoint) == os.path.realpath(out):
        return True
    try:
        return os.path.isfile(checkpoint) and bool(metadata_of(Path(checkpoint)))
    except (OSError, SafetensorError):
        return False


def _read_all(photos: PhotoFolder, folder: Path) -> Photos:
    """All of them, by name. Raises BadInput if none can be read."""
    from tqdm import tqdm

    from tutorial_lib.training_run import is_rank_zero

    with tqdm(total=len(photos), desc="reading", disable=None if is_rank_zero() else True, leave=False) as bar:
        photos.read_all(bar.update)
    for note in photos.take_notes():
        _note(note)
    if not len(photos):
        raise BadInput(f"no photo in {quoted(folder)} can be read.")
    return _by_name(photos, range(len(photos)))


def _note(text: str) -> None:
    from tutorial_lib.training_run import is_rank_zero

    if is_rank_zero():
        print(f"note: {text}", file=sys.stderr)


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)
