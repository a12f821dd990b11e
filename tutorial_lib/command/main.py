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
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tutorial_lib import __version__
from tutorial_lib.command import coding, evaluate, train
from tutorial_lib.command.bad_input import BadInput
from tutorial_lib.command.codecs import run_plugin
from tutorial_lib.command.stopping import Stopped, stopped_by_sigterm
from tutorial_lib.command.streams import fault_of, patient_streams

TOO_MUCH = {"train": "the training needs more memory than there is; a smaller --batch or --preset may do."}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `lic` with these arguments (default: the process's own) and return its exit status."""
    with patient_streams() as out:
        try:
            with stopped_by_sigterm():
                status = _run(arguments)
        except SystemExit as left:  # usage, help, version
            if left.code or not fault_of(out):
                raise
            status = 0
        if status == 0 and (fault := fault_of(out)):
            print(f"error: {fault}", file=sys.stderr)
            status = 2
    return status


def _run(arguments: Sequence[str] | None) -> int:
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if "paths" in options and all(word == "-" or not word.startswith("-") for word in unknown):
        options.paths += map(Path, unknown)  # names behind an option, as in `lic encode IN --quality 50 OUT.lic`
        unknown = []
    if unknown:
        hint = "; --plugin FILE.py stands before the command's name" if "--plugin" in unknown else ""
        parser.error(
            f"unrecognized arguments: {' '.join(unknown)}{hint} (lic {options.name} --help lists what there is)"
        )
    try:
        for plugin in options.plugin:
            run_plugin(plugin)
        options.command(options)
    except BadInput as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        # PyTorch's MemoryError is a RuntimeError
        if isinstance(error, RuntimeError) and not re.search("out of memory|allocate memory", str(error)):
            raise
        sentence = TOO_MUCH.get(options.name, "the picture needs more memory than there is; a smaller one may do.")
        print(f"error: {sentence}", file=sys.stderr)
        return 2
    except ImportError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        print(f"error: a library cannot be loaded ({reason}); free memory, or install it again.", file=sys.stderr)
        return 2
    except Stopped as stop:
        return 128 + stop.number
    except KeyboardInterrupt:
        return 130
    return 0


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
