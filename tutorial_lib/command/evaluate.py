"""`lic evaluate`: codecs side by side on a folder of photos. Starts without PyTorch."""

from __future__ import annotations

import argparse
import functools
import json
import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutorial_lib import __version__
from tutorial_lib.command.bad_input import BadInput, check_folder, check_output, of_file, quoted, write_output
from tutorial_lib.command.codecs import load_codec
from tutorial_lib.command.stopping import signals_wait

if TYPE_CHECKING:
    from torch import Tensor
    from tqdm import tqdm

    from tutorial_lib.evaluation.comparison import Comparison
    from tutorial_lib.evaluation.file_codecs import FileCodec

NAMES = ("lic", "jpeg", "webp", "avif", "jpegxl", "heic", "jpeg2000")
SHOWN = (0.25, 0.5, 1.0)  # bits per pixel near which the table shows a point
SECONDS = ("encode_seconds", "decode_seconds")
EVERY = 10.0  # seconds at least from one writing of the JSON to the next
MEANING = """
For each photo, each codec, and each of its qualities, a file is written and read again. Rates count all of its
bytes. PSNR is that of the 8-bit RGB picture that comes back, and of its luma (BT.601: 0.299 R + 0.587 G + 0.114 B, not
rounded); MS-SSIM is that of RGB. BD-rate says how many percent more bits than JPEG's a codec needs for equal PSNR of
RGB (negative: fewer). Three of them are given: photo by photo, then the mean, for those PSNRs for which JPEG spends
0.15 to 1.2 bits per pixel ("covered": how much of them the codec reaches), and for all that both reach; and that of the
mean curves, mean rate and mean PSNR at each quality, from 28 to 36 dB, as papers report it for Kodak. A last one is for
equal MS-SSIM, of the mean curves over all that both reach. Of a codec that has one rate, at its one PSNR. JPEG is
always measured. A photo that a codec cannot do is left out for it, with a note.
Seconds are those of this machine, while it does whatever else it does.
"""


def add_parser(commands: argparse._SubParsersAction, form: dict) -> None:
    """`evaluate`, for the parser of `lic`."""
    meaning = "codecs side by side on a folder of photos"
    parser = commands.add_parser("evaluate", help=meaning, description=MEANING, **form)
    parser.add_argument("folder", type=Path, metavar="DIR", help="the photos; losslessly stored ones, if possible")
    meaning = f"default: {','.join(NAMES)}"
    parser.add_argument("--codecs", action="append", metavar="A,B,..", help=meaning)
    meaning = "what to measure a codec at, as in jpeg=10,50,90 (jpeg2000's are bits per pixel); for several, repeat it"
    parser.add_argument("--qualities", action="append", default=[], metavar="CODEC=Q,Q,..", help=meaning)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file, as it goes")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the mean curves into this file")
    meaning = "add CompressAI's published curves of learned codecs and VTM: only fair if DIR holds the 24 Kodak photos"
    parser.add_argument("--published", action="store_true", help=meaning)
    meaning = "how hard lic's encoder searches, 0 to 9 (default: the codec's own)"
    parser.add_argument("--effort", type=int, metavar="N", help=meaning)
    meaning = "a trained codec for lic (default: the one that ships)"
    parser.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)
    parser.set_defaults(command=evaluate_command)


def evaluate_command(options: argparse.Namespace) -> None:
    """Raises BadInput with one sentence."""
    names = _names(",".join(options.codecs or NAMES))
    for name in ("effort", "checkpoint"):
        if getattr(options, name) is not None and "lic" not in names:
            raise BadInput(f"--{name} is lic's, which is not among the codecs to measure.")
    check_folder(options.folder)
    for output in (options.json, options.plot):
        if output == Path("-"):
            raise BadInput("standard output gets the table; --json and --plot take a file's name, unlike '-'.")
        if output is not None:
            check_output(output)
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # that it has no folder to keep things in harms nobody
    try:
        with signals_wait():
            from tutorial_lib.evaluation import comparison, plot
            from tutorial_lib.evaluation.file_codecs import JPEG
            from tutorial_lib.files.folders import photos_in

            for package in ("bjontegaard", "pytorch_msssim"):
                __import__(package)
    except ModuleNotFoundError as error:
        package = str(error.name).replace("_", "-")
        raise BadInput(f"{error}; `pip install {package}`, or install this package with its extra, peers.") from None
    try:
        if options.plot is not None:
            plot.check_ending(options.plot)
        codecs = _codecs(names, _qualities(options.qualities), options.checkpoint, options.effort)
        paths = photos_in(options.folder, lambda note: print(f"note: {note}", file=sys.stderr))
        _check_no_input_is_replaced(options, paths)
        with _bar(sum(len(codec.qualities) for codec in codecs) * len(paths)) as bar, _keeping(options) as keep:
            photos = _photos(paths, bar)
            reference = next(codec for codec in codecs if codec.name == JPEG.name)
            say = functools.partial(_say, bar)
            result = comparison.evaluate(photos, codecs, reference, bar.update, keep, say, options.published)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:  # a folder or a checkpoint that may not be read
        raise BadInput(of_file(error)) from None
    print(table(result))
    if options.json is not None:
        write_output(options.json, _json(result, options))
    if options.plot is not None:
        write_output(options.plot, plot.plot_bytes(result, options.plot, options.published))


def _check_no_input_is_replaced(options: argparse.Namespace, photos: list[Path]) -> None:
    """Raise BadInput where an output is a photo, or the checkpoint, or another output."""
    outputs = [path for path in (options.json, options.plot) if path is not None]
    inputs = [path for path in (*photos, options.checkpoint) if path is not None]
    for output in outputs:
        if os.path.exists(output) and any(os.path.samefile(output, path) for path in inputs):
            raise BadInput(f"the output {quoted(output)} is an input; give another name.")
    if len({os.path.realpath(output) for output in outputs}) < len(outputs):
        raise BadInput(f"--json and --plot name the same file, {quoted(outputs[0])}; give two names.")


@contextmanager
def _keeping(options: argparse.Namespace) -> Iterator[Callable[[Comparison], None]]:
    """Gives what is called after each photo: it writes the JSON now and then, and again if the work is broken off."""
    last: Comparison | None = None
    written = time.monotonic()

    def write() -> None:
        if last is not None and last.photos and options.json is not None:
            write_output(options.json, _json(last.result(options.published, complete=False), options))

    def keep(comparison: Comparison) -> None:
        nonlocal last, written
        last = comparison
        if time.monotonic() - written >= EVERY:
            write()
            written = time.monotonic()

    try:
        yield keep
    except BaseException:
        write()
        raise


def _json(result: dict, options: argparse.Namespace) -> bytes:
    result = {**result, "command": _command_of(options), "versions": _versions()}
    return json.dumps(result, indent=1, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def _command_of(options: argparse.Namespace) -> str:
    """What measures the same again; files by their names alone."""
    words = ["lic", "evaluate", options.folder.resolve().name]
    for name in ("codecs", "qualities"):
        for value in getattr(options, name) or []:
            words += [f"--{name}", value]
    for name in ("checkpoint", "json"):
        if (path := getattr(options, name)) is not None:
            words += [f"--{name}", path.name]
    words += [] if options.effort is None else ["--effort", str(options.effort)]
    words += ["--published"] if options.published else []
    return shlex.join(words)


def table(result: dict) -> str:
    """For people: a row for each codec."""
    count, reference = len(result["photos"]), result["reference"]
    low, high, dark, bright = (f"{limit:g}" for limit in (*result["limits"], *result["decibels"]))
    published = result.get("published", {"codecs": {}})["codecs"]
    width = 2 + max(8, *map(len, (*result["codecs"], *published)))
    stretch = f"{dark}-{bright} dB"
    lines = [
        f"{count} photo{'s' * (count != 1)}; BD-rate against {reference}: "
        f"where {reference} spends {low} to {high} bits per pixel; over all; and of the mean curves, {stretch}, "
        "and over MS-SSIM",
        f"{'codec':<{width}}{'BD-rate':>9}{'covered':>9}{'all':>9}{stretch:>10}{'MS-SSIM':>10}   "
        f"{'bits per pixel / PSNR of RGB / of luma':<57}seconds to write / read",
    ]
    for name, codec in result["codecs"].items():
        mean, limited, every = codec["mean"], codec["bd_rate"]["limited"], codec["bd_rate"]["all"]["mean"]
        nearest = {min(range(len(mean)), key=lambda k: abs(mean[k]["bpp"] - shown)) for shown in SHOWN if mean}
        points = ["/".join(_measures(mean[k])) for k in sorted(nearest)]
        seconds = [f"{sum(p[kind] for p in mean) / len(mean):.3f}" for kind in SECONDS if mean]
        lines.append(
            f"{name:<{width}}{_number(limited['mean'], '+.1f', ' %'):>9}"
            f"{_number(100 * limited['covered'], '.0f', ' %'):>9}{_number(every, '+.1f', ' %'):>9}"
            f"{_number(codec['bd_rate']['mean_curve']['percent'], '+.1f', ' %'):>10}"
            f"{_number(codec['bd_rate']['ms_ssim'], '+.1f', ' %'):>10}   "
            f"{'  '.join(points):<57}{' / '.join(seconds)}".rstrip()
        )
    for name, codec in published.items():
        percent = _number(codec["bd_rate"]["mean_curve"]["percent"], "+.1f", " %")
        lines.append(f"{name:<{width}}{'':27}{percent:>10}{'':10}   published")
    lines += _remarks(result)
    return "\n".join(lines)


def _measures(point: dict) -> list[str]:
    return [f"{point['bpp']:.3f}", _number(point["psnr"], ".2f"), _number(point["luma_psnr"], ".2f")]


def _remarks(result: dict) -> list[str]:
    """What the rows alone do not say."""
    remarks, reference = [], result["reference"]
    if any(codec["bd_rate"]["limited"]["mean"] is None for codec in result["codecs"].values()):
        remarks.append(f"-: of all PSNRs measured, none lies where {reference} spends so much")
    if blank := len(result["in_no_mean"]):
        which = f"{blank} picture{'s' * (blank != 1)}"
        remarks.append(f"in no mean: {which} of one colour, or that {reference} codes equally well at all qualities")
    for name, codec in result["codecs"].items():
        if failed := len(codec["failed"]):
            remarks.append(f"{name}: without {failed} photo{'s' * (failed != 1)} that it failed on")
    if "published" in result:
        remarks.append(f"published: {result['published']['source']}; fair only against JPEG of the same 24 photos")
    return remarks


def _names(text: str) -> list[str]:
    """JPEG first: all others are held against it."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in NAMES:
            learned = "; lic is the learned one, and --checkpoint says which"
            raise BadInput(f"no codec is called {name!r}; there are {', '.join(NAMES)}{learned}.")
    return list(dict.fromkeys(["jpeg", *names]))


def _qualities(texts: list[str]) -> dict[str, tuple[float, ...]]:
    """Of `jpeg=10,50,90`, each once; what several options say of one codec is joined. Raises ValueError."""
    found: dict[str, list[float]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        try:
            numbers = [float(value) for value in values.split(",")]
            numbers = [int(number) if number == int(number) else number for number in numbers]
        except (ValueError, OverflowError):
            raise ValueError(f"--qualities are given as in jpeg=10,50,90, unlike {text!r}.") from None
        found.setdefault(name, []).extend(numbers)
    return {name: tuple(dict.fromkeys(numbers)) for name, numbers in found.items()}


def _codecs(
    names: list[str], qualities: dict[str, tuple[float, ...]], checkpoint: Path | None, effort: int | None
) -> list[FileCodec]:
    from tutorial_lib.evaluation import file_codecs

    strange = [name for name in qualities if name not in names]
    if strange:
        raise ValueError(f"--qualities are given for {strange[0]!r}, which is not among the codecs to measure.")
    codecs = []
    for name in names:
        codec = _learned(checkpoint, effort) if name == "lic" else file_codecs.CLASSICAL[name]
        if not codec.is_here:
            print(f"note: {codec.why_not_here}", file=sys.stderr)
            continue
        if name in qualities and codec.lowest == codec.highest:
            raise ValueError(f"this checkpoint's codec has one rate: leave --qualities {name}=… out.")
        codecs.append(replace(codec, qualities=qualities.get(name, codec.qualities)))
    return codecs


def _learned(checkpoint: Path | None, effort: int | None) -> FileCodec:
    """The codec of a checkpoint, which is called lic here; a note says which one it is, unless it is the full codec."""
    from tutorial_lib.evaluation.file_codecs import learned

    codec = load_codec(checkpoint)
    if checkpoint is not None and codec.name != "codec":
        print(f"note: lic is the codec {codec.name}, of {quoted(checkpoint)}.", file=sys.stderr)
    return learned(codec, effort=effort)


def _photos(paths: list[Path], bar: tqdm) -> Iterator[tuple[str, Tensor]]:
    """Those that can be read; the others are named on stderr."""
    from tutorial_lib.bitstream import check_size
    from tutorial_lib.files.folders import read_photos
    from tutorial_lib.files.images import from_pil

    assert bar.total is not None  # `_bar` has been told it
    share = bar.total // len(paths)

    for path, picture in read_photos(paths, check_size, functools.partial(_say, bar)):
        if picture is None:
            bar.total -= share
            continue
        yield path.name, from_pil(picture)


def _say(bar: tqdm, note: str) -> None:
    bar.write(f"note: {note}", file=sys.stderr)


def _bar(total: int) -> tqdm:
    from tqdm import tqdm

    return tqdm(total=total, unit="file", file=sys.stderr, leave=False, disable=None)  # only on a terminal


def _versions() -> dict[str, str | None]:
    """Whose code has made these numbers."""
    from importlib.metadata import PackageNotFoundError, version

    import PIL
    import torch
    from PIL import features

    libraries = {name: features.version(name) for name in ("libjpeg_turbo", "jpg_2000", "webp", "avif")}
    for package in ("pillow-heif", "pillow-jxl-plugin"):
        try:
            libraries[package] = version(package)
        except PackageNotFoundError:
            libraries[package] = None
    own = {"tutorial_lib": __version__, "torch": torch.__version__, "pillow": PIL.__version__}
    return {**own, "python": platform.python_version(), **libraries}


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
