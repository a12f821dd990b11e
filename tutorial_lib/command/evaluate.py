"""`lic evaluate`: codecs side by side on a folder of photos. Starts without PyTorch."""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tutorial_lib import __version__
from tutorial_lib.command.bad_input import BadInput, check_output, of_file, quoted, write_output
from tutorial_lib.command.codecs import load_codec

if TYPE_CHECKING:
    from torch import Tensor
    from tqdm import tqdm

    from tutorial_lib.evaluation.file_codecs import FileCodec

NAMES = ("lic", "jpeg", "webp", "avif", "jpeg2000")
SHOWN = (0.25, 0.5, 1.0)  # bits per pixel near which the table shows a point
MEANING = """
For each photo, each codec, and each of its qualities, a file is written and read again. Rates count all of its
bytes. PSNR is that of the 8-bit RGB picture that comes back, and so is MS-SSIM. BD-rate says how many percent more
bits than JPEG's a codec needs for equal PSNR (negative: fewer), photo by photo, then the mean: for those PSNRs for
which JPEG spends 0.15 to 1.2 bits per pixel ("covered": how much of them the codec reaches), and for all that both
reach; of a codec that has one rate, at its one PSNR. JPEG is always measured. Seconds are those of this machine,
while it does whatever else it does.
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
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the mean curves into this file")
    meaning = "draw CompressAI's published curves beside them: only fair if DIR holds the 24 Kodak photos"
    parser.add_argument("--published", action="store_true", help=meaning)
    meaning = "a trained codec for lic (default: the one that ships)"
    parser.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)
    parser.set_defaults(command=evaluate_command)


def evaluate_command(options: argparse.Namespace) -> None:
    """Raises BadInput with one sentence."""
    names = _names(",".join(options.codecs or NAMES))
    if options.published and options.plot is None:
        raise BadInput("--published draws into the file of --plot, which is missing.")
    if not options.folder.is_dir():
        raise BadInput(f"there is no folder {quoted(options.folder)}.")
    for output in (options.json, options.plot):
        if output is not None:
            check_output(output)
    try:
        from tutorial_lib.evaluation import comparison, plot
        from tutorial_lib.evaluation.file_codecs import JPEG
        from tutorial_lib.files.folders import photos_in

        for package in ("bjontegaard", "pytorch_msssim"):
            __import__(package)
    except ImportError as error:
        package = str(error.name).replace("_", "-")
        raise BadInput(f"{error}; `pip install {package}`, or install this package with its extra, peers.") from None
    try:
        if options.plot is not None:
            plot.check_ending(options.plot)
        codecs = _codecs(names, _qualities(options.qualities), options.checkpoint)
        paths = photos_in(options.folder, lambda note: print(f"note: {note}", file=sys.stderr))
        with _bar(sum(len(codec.qualities) for codec in codecs) * len(paths)) as bar:
            photos = _photos(paths, bar)
            reference = next(codec for codec in codecs if codec.name == JPEG.name)
            result = comparison.evaluate(photos, codecs, reference, bar.update)
    except ValueError as error:
        raise BadInput(str(error)) from None
    except OSError as error:  # a folder or a checkpoint that may not be read
        raise BadInput(of_file(error)) from None
    result["versions"] = _versions()
    print(table(result))
    if options.json is not None:
        text = json.dumps(result, indent=1, ensure_ascii=True, allow_nan=False)
        write_output(options.json, text.encode() + b"\n")
    if options.plot is not None:
        write_output(options.plot, plot.plot_bytes(result, options.plot, options.published))


def table(result: dict) -> str:
    """For people: a row for each codec."""
    low, high = result["limits"]
    count = len(result["photos"])
    lines = [
        f"{count} photo{'s' * (count != 1)}; BD-rate against {result['reference']}, "
        f"where {result['reference']} spends {low:g} to {high:g} bits per pixel, and over all",
        f"{'codec':<10}{'BD-rate':>9}{'covered':>9}{'all':>9}   {'bits per pixel / PSNR':<40}seconds to write / read",
    ]
    for name, codec in result["codecs"].items():
        mean, limited, every = codec["mean"], codec["bd_rate"]["limited"], codec["bd_rate"]["all"]["mean"]
        nearest = {min(range(len(mean)), key=lambda k: abs(mean[k]["bpp"] - shown)) for shown in SHOWN}
        points = [f"{mean[k]['bpp']:.3f}/{_number(mean[k]['psnr'], '.2f')}" for k in sorted(nearest)]
        seconds = [sum(p[kind] for p in mean) / len(mean) for kind in ("encode_seconds", "decode_seconds")]
        lines.append(
            f"{name:<10}{_number(limited['mean'], '+.1f', ' %'):>9}{_number(100 * limited['covered'], '.0f', ' %'):>9}"
            f"{_number(every, '+.1f', ' %'):>9}   {'  '.join(points):<40}{seconds[0]:.3f} / {seconds[1]:.3f}"
        )
    if any(codec["bd_rate"]["limited"]["mean"] is None for codec in result["codecs"].values()):
        lines.append(f"-: of all PSNRs measured, none lies where {result['reference']} spends so much")
    return "\n".join(lines)


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


def _codecs(names: list[str], qualities: dict[str, tuple[float, ...]], checkpoint: Path | None) -> list[FileCodec]:
    from tutorial_lib.evaluation import file_codecs

    strange = [name for name in qualities if name not in names]
    if strange:
        raise ValueError(f"--qualities are given for {strange[0]!r}, which is not among the codecs to measure.")
    codecs = []
    for name in names:
        codec = _learned(checkpoint) if name == "lic" else file_codecs.CLASSICAL[name]
        if not codec.is_here:
            print(f"note: this Pillow cannot write {name}, so it is left out.", file=sys.stderr)
            continue
        if name in qualities and codec.lowest == codec.highest:
            raise ValueError(f"this checkpoint's codec has one rate: leave --qualities {name}=… out.")
        codecs.append(replace(codec, qualities=qualities.get(name, codec.qualities)))
    return codecs


def _learned(checkpoint: Path | None) -> FileCodec:
    """The codec of a checkpoint, which is called lic here; a note says which one it is, unless it is the full codec."""
    from tutorial_lib.evaluation.file_codecs import learned

    codec = load_codec(checkpoint)
    if checkpoint is not None and codec.name != "codec":
        print(f"note: lic is the codec {codec.name}, of {quoted(checkpoint)}.", file=sys.stderr)
    return learned(codec)


def _photos(paths: list[Path], bar: tqdm) -> Iterator[tuple[str, Tensor]]:
    """Those that can be read; the others are named on stderr."""
    from tutorial_lib.bitstream import check_size
    from tutorial_lib.files.folders import read_photos
    from tutorial_lib.files.images import from_pil

    assert bar.total is not None  # `_bar` has been told it
    share = bar.total // len(paths)

    def say(note: str) -> None:
        bar.write(f"note: {note}", file=sys.stderr)

    for path, picture in read_photos(paths, check_size, say):
        if picture is None:
            bar.total -= share
            continue
        yield path.name, from_pil(picture)


def _bar(total: int) -> tqdm:
    from tqdm import tqdm

    return tqdm(total=total, unit="file", file=sys.stderr, leave=False, disable=None)  # only on a terminal


def _versions() -> dict[str, str | None]:
    """Whose code has made these numbers."""
    import PIL
    import torch
    from PIL import features

    libraries = {name: features.version(name) for name in ("libjpeg_turbo", "jpg_2000", "webp", "avif")}
    own = {"tutorial_lib": __version__, "torch": torch.__version__, "pillow": PIL.__version__}
    return {**own, "python": platform.python_version(), **libraries}


def _number(value: float | None, form: str, unit: str = "") -> str:
    return "-" if value is None else f"{value:{form}}{unit}"
