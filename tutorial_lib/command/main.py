"""A learned image codec: a picture goes in, a small file comes out, and back.

    lic encode photo.png photo.lic --quality 50
    lic decode photo.lic back.png
    lic info photo.lic
    lic encode photo.png photo.lic --target-bytes 20000 --effort 9
    lic decode photo.lic small.png --scale 1/8
    lic encode photos/*.jpg --out-dir small --jobs 2
    lic decode small/*.lic --out-dir back
    lic train --data folder-of-photos --out mine.safetensors
    lic train --data folder-of-photos --out mine.safetensors --resume --steps 9999
    lic evaluate folder-of-photos

Pictures may be of any kind that Pillow reads, HEIC and JPEG XL with the extra
`photos`. They are coded upright, in 8-bit sRGB: colour profiles are converted,
transparency (alpha) is laid on white, an EXIF rotation is carried out, and of
several pictures only the first is coded. Samples become 8 bits by their type,
whatever they hold: integers by its range (signed ones, too), floating point as
0 to 1, clipped. A note on stderr says so each time. What cannot be read right,
such as camera raw files, is refused. Metadata are left behind.

The ending of a decoded picture's name chooses its kind; one without loss, such
as .png, keeps it exactly. The first few slices of a file are a picture of less
detail: --slices asks for it, and a file that was cut short may still hold it.

--effort says how long the encoder searches for a file that costs less; the
decoder does not notice. --target-bytes and --target-psnr choose the quality.
There is no option to decode a region: a file's strings run through the whole
picture, so that all of it must be decoded to have a part; crop it afterwards.
A picture above a megapixel is coded in tiles, to the same bytes, and without a
search, unless --effort is given: a search codes it as a whole. --memory says how
much it may take.

A codec of your own takes part, too: `lic --plugin mine.py train --codec mine …`
runs your file, which registers it, and so do encode, decode and evaluate.

Exit status: 0 when done; 2 when the input was bad, and one sentence on stderr
says how; 130 when stopped by Ctrl-C, 143 by SIGTERM. An output appears complete
or not at all. An older file of its name gives it its permissions and owner, and
is not replaced if it is write-protected; its other names (hard links) keep it.
"""

# PyTorch takes seconds to import, so only commands that run a network do it, and after the cheaper checks.

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tutorial_lib import __version__
from tutorial_lib.command import coding, evaluate, train
from tutorial_lib.command.bad_input import BadInput
from tutorial_lib.command.codecs import run_plugin
from tutorial_lib.command.stopping import stopped_by_signals
from tutorial_lib.command.streams import fault_of, patient_streams

TOO_MUCH = {"train": "the training needs more memory than there is; a smaller --batch or --preset may do."}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `lic` with these arguments (default: the process's own) and return its exit status."""
    with patient_streams() as out:
        try:
            with stopped_by_signals() as came:
                status = _run(arguments, came)
        except SystemExit as left:  # usage, help, version
            if left.code or not fault_of(out):
                raise
            status = 0
        if status == 0 and (fault := fault_of(out)):
            print(f"error: {fault}", file=sys.stderr)
            status = 2
    return status


def _run(arguments: Sequence[str] | None, came: list[int]) -> int:
    """came: the signals that have come, see `stopped_by_signals`."""
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if "paths" in options and all(word == "-" or not word.startswith("-") for word in unknown):
        options.paths += map(Path, unknown)  # names behind an option, as in `lic encode IN --quality 50 OUT.lic`
        unknown = []
    if unknown:
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{_hint(unknown, options.name)}")
    try:
        _check_folder()
        for plugin in options.plugin:
            run_plugin(plugin)
        options.command(options)
    except KeyboardInterrupt as stop:
        return 128 + (stop.args[0] if stop.args else signal.SIGINT)
    except Exception as error:
        if came:
            return 128 + came[0]
        sentence = _sentence(error, options.name)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    return 0


def _hint(unknown: list[str], command: str) -> str:
    """What may have been meant by arguments that there are not."""
    hint = "; --plugin FILE.py stands before the command's name" if "--plugin" in unknown else ""
    if any(word.startswith("--region") for word in unknown):
        hint += "; a region cannot be decoded alone, as a file's strings run through the whole picture"
    names = [word for word in unknown if os.path.exists(word)]
    hint += f"; the file of that name is ./{names[0]}" if names else ""
    return f"{hint} (lic {command} --help lists what there is)"


def _check_folder() -> None:
    """Raise BadInput where the current folder has been deleted: PyTorch's libraries end the process then."""
    try:
        os.getcwd()
    except OSError:
        raise BadInput("the current folder has been deleted; go to another.") from None


def _sentence(error: Exception, command: str) -> str | None:
    """What is said of an error; None for a mistake of ours."""
    words = " ".join(str(error).split())
    if isinstance(error, BadInput):
        return words
    # PyTorch's MemoryError is a RuntimeError
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and re.search("out of memory|allocate memory", words)
    ):
        return TOO_MUCH.get(command, "the picture needs more memory than there is; a smaller one may do.")
    if isinstance(error, ImportError):
        return f"a library cannot be loaded ({words.rstrip('.')}); free memory, or install it again."
    return None


def _parser() -> argparse.ArgumentParser:
    form: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser("lic", description=__doc__, **form)
    parser.add_argument("--version", action="version", version=f"lic {__version__}")
    meaning = "run this file first: it registers codecs of your own; for several, repeat it"
    parser.add_argument("--plugin", type=Path, action="append", default=[], metavar="FILE.py", help=meaning)
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="name")
    coding.add_parsers(commands, {"description": __doc__, **form})
    train.add_parser(commands, form)
    evaluate.add_parser(commands, form)
    return parser
