"""`lic train`: photos in, a checkpoint out, with a table and a picture of what it can do. Starts without PyTorch."""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import math
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from tutorial_lib.codec_training import PRESETS
from tutorial_lib.command.bad_input import BadInput, check_output, of_file, printable, quoted
from tutorial_lib.command.codecs import fresh_codec, load_codec
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.recipe import LMBDA, LOSSES, MS_SSIM_SMALLEST

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.recipe import Recipe
    from tutorial_lib.transform_codec import TransformCodec

    Photos = dict[str, Tensor]  # name: uint8 (3, H, W)

DEFAULT_CODEC, DEFAULT_PRESET = "codec", "laptop"
MS_SSIM_CROP = 192  # pixels at least, unless --crop is given
SAVE_EVERY = 500  # steps
MOST_PHOTOS, LARGEST = 1200, 1024  # kept in memory, and their longer side: 4 GB at most
HELD_OUT, ONE_OF = 8, 20  # where no --valid is given: that many photos at most, and never more than one of twenty
MOST_MEASURED = 24  # photos of --valid, evenly spread over those there are

MEANING = """
A folder of photos becomes a checkpoint of the full codec, or of another one:

    lic train --data PHOTOS --out mine.safetensors
    lic train --data PHOTOS --out mine.safetensors --resume        after it was stopped
    lic --plugin mine.py train --codec mine --set N=64 --data PHOTOS --out mine.safetensors
    torchrun --nproc-per-node 2 -m tutorial_lib.cli train ...      on several devices

Photos may be of any size. Large ones are scaled down to 1024 pixels, small ones are mirrored at their edges.

Until the training is done, what --resume continues from lies in mine.safetensors.training. An older checkpoint is
replaced at the very end, all at once. Beside it then lies mine.safetensors.png, with photos that were not trained on:
the original, and what is decoded at three qualities. Ctrl-C ends the step, keeps the state, and stops.
"""


def add_parser(commands: argparse._SubParsersAction, form: dict) -> None:
    """`train`, for the parser of `lic`."""
    parser = commands.add_parser("train", help="a folder of photos to a checkpoint", description=MEANING, **form)
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="the photos to train on")
    parser.add_argument("--out", type=Path, required=True, metavar="CKPT", help="the checkpoint to write")
    meaning = "photos to measure on in the end, 24 at most (default: hold some of DIR out)"
    parser.add_argument("--valid", type=Path, metavar="DIR", help=meaning)
    meaning = "which codec, by the name it is registered under; default: %(default)s"
    parser.add_argument("--codec", default=DEFAULT_CODEC, metavar="NAME", help=meaning)
    meaning = "settings of the codec, as in --set N=64 M=96"
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=meaning)
    meaning = "how large and how long: minutes on two cores, an hour, or long on a GPU; default: %(default)s"
    parser.add_argument("--preset", default=DEFAULT_PRESET, choices=PRESETS, help=meaning)
    meaning = f"an error: squared, or one minus MS-SSIM, with crops of {MS_SSIM_CROP} or more; default: %(default)s"
    parser.add_argument("--loss", default=LOSSES[0], choices=LOSSES, help=meaning)
    meaning = f"lambda, the weight of distortion against bits, of a codec with one rate (default: {LMBDA})"
    parser.add_argument("--lambda", "--lmbda", dest="lmbda", type=float, metavar="L", help=meaning)
    parser.add_argument("--steps", type=int, metavar="N", help="how many (default: the preset's)")
    meaning = "crops in a step, over all devices (default: the preset's)"
    parser.add_argument("--batch", type=int, metavar="B", help=meaning)
    parser.add_argument("--crop", type=int, metavar="PIXELS", help="their size (default: the preset's)")
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
        settings = _settings(options)
        if _check(options):
            _train(options, settings)
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


def _train(options: argparse.Namespace, settings: dict[str, Any]) -> None:
    import torch

    from tutorial_lib import training as loop
    from tutorial_lib import training_run
    from tutorial_lib.command.training_report import picture, picture_qualities, table

    recipe = _recipe(options)
    with training_run.process_group(options.device) as device:
        torch.manual_seed(options.seed)
        codec = fresh_codec(options.codec, settings)
        if options.lmbda is not None and codec.qualities is not None:
            raise BadInput(f"--lmbda is for a codec with one rate; {options.codec} learns all its qualities at once.")
        if options.lmbda is not None and (own := codec.lagrange_multiplier(None)) is not None:
            raise BadInput(f"{options.codec} has a lambda of its own, {own:g}: give --set lmbda={options.lmbda:g}.")
        photos, measured = _photos(options)
        crops = loop.RandomCrops(list(photos.values()), recipe.crop, recipe.batch, recipe.scales, options.seed)
        kept = _beside(options.out, ".training")
        if options.plugin and training_run.is_rank_zero():
            _rehearse(codec, crops(0)[:1], options.out.parent)
        loss, start = loop.LOSSES[options.loss], not kept.exists()
        training = loop.Training(codec, crops, recipe, loss, options.seed, device, start)
        chosen = {"codec": options.codec, "settings": json.dumps(codec.settings), "loss": options.loss}
        run = {"preset": options.preset, "steps": recipe.steps, "batch": recipe.batch, "seed": options.seed}
        numbers = {name: json.dumps(value) for name, value in asdict(recipe).items()}
        parts = hashlib.sha256(repr(codec).encode()).hexdigest()  # a plugin may have changed
        whole_run = {**chosen, **run, **numbers, "photos": training_run.digest_of(photos), "modules": parts}
        if kept.exists():
            training_run.restore(training, kept, whole_run)
        else:
            training_run.check_room(training, options.out.parent)
            training_run.keep(training, kept, whole_run)
        try:
            training_run.take_steps(training, lambda: training_run.keep(training, kept, whole_run), options.save_every)
        except KeyboardInterrupt:
            if training_run.is_rank_zero():
                print(f"stopped after step {training.step}; go on with --resume.", file=sys.stderr)
            raise
    if not training_run.is_rank_zero():
        return
    codec = training.finish()
    metadata = {name: str(value) for name, value in {**run, "loss": options.loss}.items()}
    metadata = {**metadata, "recipe": json.dumps(asdict(recipe)), "trained_on": f"{len(photos)} photos"}
    codec.save(options.out, metadata)
    _check_saved(options.out, codec, crops(0)[0])
    kept.unlink()
    print(
        printable(
            f"{options.out}: trained for {recipe.steps:,} steps on {len(photos):,} photo{'s' * (len(photos) != 1)}"
        )
    )
    print(table(codec, list(measured.values())))
    shown = dict(list(measured.items())[:3])
    atomic_write(_beside(options.out, ".png"), picture(codec, list(shown.values())))
    shown_at = ", ".join(map(str, picture_qualities(codec)))
    qualities = f", and at qualities {shown_at}" if codec.qualities else ", and decoded"
    print(printable(f"{_beside(options.out, '.png')}: {', '.join(shown)}; the original{qualities}"))


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
        recipe = replace(recipe, rates={})
    crop = options.crop or (max(recipe.crop, MS_SSIM_CROP) if options.loss == "ms-ssim" else recipe.crop)
    steps, batch = options.steps or recipe.steps, options.batch or recipe.batch
    return replace(recipe, steps=steps, batch=batch, crop=crop, lmbda=options.lmbda or recipe.lmbda)


def _check(options: argparse.Namespace) -> bool:
    """Find out what stands in the work's way; False: there is nothing left to do. Raises BadInput or OSError."""
    for name in ("steps", "batch", "crop", "save_every"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise BadInput(f"--{name.replace('_', '-')} is {value}; it must be 1 or more.")
    if options.lmbda is not None and not 0 < options.lmbda < math.inf:
        raise BadInput(f"--lmbda is {options.lmbda:g}; it must be above 0, and finite.")
    if options.loss == "ms-ssim" and options.crop is not None and options.crop < MS_SSIM_SMALLEST:
        raise BadInput(f"--crop is {options.crop}; with --loss ms-ssim it must be {MS_SSIM_SMALLEST} or more.")
    if not 0 <= options.seed < 2**63:
        raise BadInput(f"--seed is {options.seed}; it must be 0 or more, and below 2^63.")
    for folder in (options.data, options.valid):
        if folder is not None and not folder.is_dir():
            raise BadInput(f"there is no folder {quoted(folder)}.")
    out, kept = options.out, _beside(options.out, ".training")
    check_output(out)
    check_output(_beside(out, ".png"))
    if out.exists():
        _check_replaceable(out)
    if kept.exists() and not options.resume:
        raise BadInput(f"{quoted(kept)} is an unfinished run: continue it with --resume, or delete it.")
    if options.resume and not kept.exists():
        if out.exists() and out.stat().st_size:
            print(printable(f"{out}: this run is finished already, and was left as it is."))
            return False
        _note("there is no unfinished run of this name, so a new one is started.")
    if options.plugin and options.codec == DEFAULT_CODEC:
        _note(f"this trains {DEFAULT_CODEC}, the full codec; --codec NAME chooses that of the plugin.")
    return True


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
        decoded = loaded.decode(loaded.encode(image, quality))
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


def _photos(options: argparse.Namespace) -> tuple[Photos, Photos]:
    """The photos to train on, and those to measure on."""
    photos = _read(options.data, without=_beside(options.out, ".png"))
    if options.valid is not None:
        measured = _read(options.valid)
        return photos, dict(list(measured.items())[:: -(-len(measured) // MOST_MEASURED)])
    names = list(photos)
    if len(names) < ONE_OF:
        _note("with so few photos none are held out; the table is of those trained on.")
        return photos, {name: photos[name] for name in names[:HELD_OUT]}
    held = names[:: max(ONE_OF, -(-len(names) // HELD_OUT))]
    return {name: photos[name] for name in names if name not in held}, {name: photos[name] for name in held}


def _read(folder: Path, without: Path | None = None) -> Photos:
    """The photos of a folder. Files that cannot be read are named on stderr and left out."""
    import numpy as np
    from tqdm import tqdm

    from tutorial_lib.bitstream import check_size
    from tutorial_lib.files.folders import photos_in, read_photos
    from tutorial_lib.files.images import from_pil
    from tutorial_lib.training_run import is_rank_zero

    paths = [path for path in photos_in(folder, _note) if path != without]
    if len(paths) > MOST_PHOTOS:
        chosen = np.random.default_rng(0).choice(len(paths), MOST_PHOTOS, replace=False)
        _note(f"{MOST_PHOTOS:,} of {len(paths):,} photos are taken, at random.")
        paths = [paths[n] for n in sorted(chosen)]
    photos = {}
    bar = tqdm(paths, desc="reading", disable=None if is_rank_zero() else True, leave=False)

    def say(note: str) -> None:
        if is_rank_zero():
            bar.write(f"note: {note}", file=sys.stderr)

    for path, picture in read_photos(bar, check_size, say):
        if picture is not None:
            picture.thumbnail((LARGEST, LARGEST))
            photos[path.name] = from_pil(picture)
    if not photos:
        raise BadInput(f"no photo in {quoted(folder)} can be read.")
    return photos


def _note(text: str) -> None:
    from tutorial_lib.training_run import is_rank_zero

    if is_rank_zero():
        print(f"note: {text}", file=sys.stderr)


def _beside(out: Path, ending: str) -> Path:
    return out.with_name(out.name + ending)
