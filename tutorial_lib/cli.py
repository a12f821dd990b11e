"""A learned image codec: a picture goes in, a small file comes out, and back.

    lic encode photo.png photo.lic --quality 50
    lic decode photo.lic back.png
    lic info photo.lic
    lic train --data folder-of-photos --out mine.safetensors
    lic evaluate folder-of-photos

Pictures may be of any kind that Pillow reads. They are coded upright, in 8-bit
RGB: transparency (alpha) is laid on white, 16 bits a sample become 8, an EXIF
rotation is carried out, of an animation only the first picture is coded. A note
on stderr says so each time. Metadata and colour profiles are left behind.

The ending of a decoded picture's name chooses its kind; one without loss, such
as .png, keeps it exactly. The first few slices of a file are a picture of less
detail: --slices asks for it, and a file that was cut short may still hold it.

Exit status: 0 when done; 2 when the input was bad, and one sentence on stderr
says how; 130 when stopped by Ctrl-C. An output appears complete or not at all.
"""

# PyTorch takes seconds to import, so only commands that run a network do it, and after the cheaper checks.

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from tutorial_lib import __version__, bitstream
from tutorial_lib.workbench.bad_input import BadInput
from tutorial_lib.workbench.checkpoints import facts_of, shipped, tables_fingerprint
from tutorial_lib.workbench.evaluate_command import add_parser as add_evaluate
from tutorial_lib.workbench.picture_files import check_ending, picture_bytes, read_picture
from tutorial_lib.workbench.train_command import add_parser as add_train
from tutorial_lib.workbench.whole_files import write_whole

if TYPE_CHECKING:
    from tutorial_lib.codec import Codec
    from tutorial_lib.first_codec import FirstCodec

QUALITIES, DEFAULT_QUALITY = bitstream.QUALITIES["codec"], 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `lic` with these arguments (default: the process's own) and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except BadInput as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):  # PyTorch's MemoryError
            raise
        print("error: the picture needs more memory than there is; a smaller one may do.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    form = {"description": __doc__, "formatter_class": argparse.RawDescriptionHelpFormatter}
    parser = argparse.ArgumentParser("lic", **form)
    parser.add_argument("--version", action="version", version=f"lic {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    encode = commands.add_parser("encode", help="a picture to a .lic file", **form)
    encode.add_argument("input", type=Path, metavar="IN", help="the picture")
    encode.add_argument("output", type=Path, metavar="OUT.lic", help="the file to write; it must end in .lic")
    meaning = f"from {QUALITIES[0]} (small) to {QUALITIES[-1]} (good); default: {DEFAULT_QUALITY}"
    encode.add_argument("--quality", type=int, metavar="Q", help=meaning)
    encode.set_defaults(command=_encode)

    decode = commands.add_parser("decode", help="a .lic file to a picture", **form)
    decode.add_argument("input", type=Path, metavar="IN.lic", help="the file")
    decode.add_argument("output", type=Path, metavar="OUT.png", help="the picture to write")
    decode.add_argument("--slices", type=int, metavar="K", help="only the first K slices, for less detail")
    decode.set_defaults(command=_decode)

    for parser_of_both in (encode, decode):
        meaning = "a trained codec (default: the one that ships)"
        parser_of_both.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)

    info = commands.add_parser("info", help="what a .lic file says", **form)
    info.add_argument("input", type=Path, metavar="FILE.lic", help="the file")
    info.set_defaults(command=_info)

    add_train(commands)
    add_evaluate(commands)
    return parser


def _encode(options: argparse.Namespace) -> None:
    if options.output.suffix.lower() != ".lic":  # else a slip of the hand could replace a photo
        raise BadInput(f"the output's name must end in .lic, unlike {_name(options.output)}.")
    quality = DEFAULT_QUALITY if options.quality is None else options.quality
    if quality not in QUALITIES:
        raise BadInput(f"--quality is a whole number from {QUALITIES[0]} to {QUALITIES[-1]}, not {quality}.")
    _check_input(options.input)
    _check_output(options.output, options.input)
    kind = "codec" if options.checkpoint is None else _kind(options.checkpoint)
    if kind == "first_codec" and options.quality is not None:
        raise BadInput(f"{_name(options.checkpoint)} is a first codec, which has one quality; leave --quality out.")
    with _blaming(options.input):
        picture, notes = read_picture(options.input, bitstream.check_size)
    codec = _load(kind, options.checkpoint)

    from tutorial_lib.workbench import first_codec_files
    from tutorial_lib.workbench.images import from_pil

    image = from_pil(picture)
    with _blaming(options.input):
        data = first_codec_files.encode(codec, image) if kind == "first_codec" else codec.encode(image, quality)
    _write(options.output, data, notes)
    print(f"{_shown(options.output)}: {_size(bitstream.read_header(data))}, {_rate(data, len(data), *picture.size)}")


def _decode(options: argparse.Namespace) -> None:
    data, header = _read_file(options.input)
    _check_slices(options, header)
    with _blaming(options.input):
        bitstream.unpack(data, None if options.slices is None else options.slices + 1)
    with _blaming(options.output):
        check_ending(options.output)
    _check_output(options.output, options.input)
    if options.checkpoint is not None and (kind := _kind(options.checkpoint)) != header.codec:
        raise BadInput(
            f"{_name(options.input)} was made by {header.codec}, while {_name(options.checkpoint)} is a checkpoint "
            f"of {kind}; name another by --checkpoint."
        )
    codec = _load(header.codec, options.checkpoint)
    if header.fingerprint != codec.fingerprint():
        raise BadInput(
            f"{_name(options.input)} was made with another checkpoint (with the fingerprint {header.fingerprint}, "
            f"while this one's is {codec.fingerprint()}); name that one by --checkpoint."
        )

    from tutorial_lib.workbench import first_codec_files
    from tutorial_lib.workbench.images import to_pil

    with _blaming(options.input):
        if header.codec == "first_codec":
            image = first_codec_files.decode(codec, data)
        else:
            image = codec.decode(data, options.slices)
    with _blaming(options.output):
        file, notes = picture_bytes(to_pil(image), options.output)
    _write(options.output, file, notes)
    detail = "" if options.slices is None else f", {options.slices} of {len(header.sections) - 1} slices"
    print(f"{_shown(options.output)}: {_size(header)}{detail}")


def _info(options: argparse.Namespace) -> None:
    data, header = _read_file(options.input)
    ours = _shipped_fingerprint(header.codec)
    if ours is None:
        decodable = "the checkpoint that ships is not to be found here"
    elif header.fingerprint == ours:
        decodable = "that of the checkpoint that ships, which can decode it"
    else:
        decodable = f"decode it with its own --checkpoint (the one that ships has {ours})"
    rows = {"layout": f"version {bitstream.VERSION}", "codec": header.codec}
    if header.quality:
        rows["quality"] = str(header.quality)
    rows["picture"] = f"{_size(header)} pixels"
    rows["file"] = _rate(data, header.file_size, header.width, header.height)
    rows["header"] = f"{header.size:,} bytes"
    for section in header.sections:
        fault = section.fault(data)
        rows[section.name] = f"{section.end - section.begin:,} bytes{f': {fault}' if fault else ''}"
    rows["fingerprint"] = f"{header.fingerprint}: {decodable}"
    print(_shown(options.input))
    for name, value in rows.items():
        print(f"  {name:<11}  {value}")
    with _blaming(options.input):  # what can be said has been said; that the file is damaged is an error all the same
        bitstream.unpack(data)


def _check_slices(options: argparse.Namespace, header: bitstream.Header) -> None:
    if options.slices is None:
        return
    if header.codec == "first_codec":
        raise BadInput(f"{_name(options.input)} was made by first_codec and has no slices; leave --slices out.")
    slices = len(header.sections) - 1
    if not 0 <= options.slices <= slices:
        raise BadInput(
            f"--slices is a whole number from 0 to {slices} for {_name(options.input)}, not {options.slices}."
        )


def _check_input(path: Path) -> None:
    if os.path.isdir(path):
        raise BadInput(f"{_name(path)} is a folder; give a file.")
    if not os.path.exists(path):
        raise BadInput(f"there is no file {_name(path)}.")
    if not os.path.isfile(path):
        raise BadInput(f"{_name(path)} is a device or a pipe; give a file.")


def _check_output(path: Path, source: Path) -> None:
    """Find out before the work, not after it, whether its result has a place."""
    if not os.path.isdir(path.parent):
        raise BadInput(f"there is no folder {_name(path.parent)} to write to; create it first.")
    if os.path.exists(path):
        _check_input(path)
        if os.path.samefile(path, source):
            raise BadInput(f"the output {_name(path)} is the input; give another name.")


def _read_file(path: Path) -> tuple[bytes, bitstream.Header]:
    _check_input(path)
    with _blaming(path), open(path, "rb") as file:
        data = file.read(len(bitstream.MAGIC))
        if data == bitstream.MAGIC:  # do not read a whole film to find that it is none of ours
            data += file.read()
        return data, bitstream.read_header(data)


def _kind(checkpoint: Path) -> str:
    """Which codec's it is: only the full codec's says how large its networks are."""
    _check_input(checkpoint)
    try:
        return "codec" if "settings" in facts_of(checkpoint) else "first_codec"
    except (OSError, SafetensorError):
        raise BadInput(f"{_name(checkpoint)} is not a checkpoint.") from None


def _load(kind: str, checkpoint: Path | None) -> Codec | FirstCodec:
    """checkpoint None: the one that ships."""
    if checkpoint is None and not (path := _shipped_checkpoint(kind)).is_file():
        raise BadInput(f"the checkpoint of {kind} that ships is missing ({_name(path)}); name one by --checkpoint.")
    try:
        if kind == "first_codec":
            from tutorial_lib.first_codec import FirstCodec

            return FirstCodec.load(checkpoint)
        from tutorial_lib.codec import Codec

        return Codec.load(checkpoint)
    except (OSError, ValueError) as error:  # these name the file themselves
        raise BadInput(str(error)) from None


def _shipped_checkpoint(kind: str) -> Path:
    return shipped(f"{kind}.safetensors")


def _shipped_fingerprint(kind: str) -> str | None:
    """Of the shipped checkpoint, if that can be read."""
    path = _shipped_checkpoint(kind)
    try:
        return tables_fingerprint(path) if kind == "first_codec" else facts_of(path).get("fingerprint")
    except (OSError, ValueError, SafetensorError):
        return None


def _write(path: Path, data: bytes, notes: list[str]) -> None:
    """The file, then the notes, on stderr."""
    with _blaming(path):
        write_whole(path, data)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """What goes wrong inside is the fault of this file."""
    try:
        yield
    except OSError as error:
        raise BadInput(f"{_name(path)}: {error.strerror or error}.") from None
    except ValueError as error:  # BitstreamError is one
        raise BadInput(f"{_name(path)}: {error}") from None


def _name(path: Path) -> str:
    """For a sentence: in quotes, on one line whatever it holds."""
    return repr(str(path))


def _shown(path: Path) -> str:
    """For stdout, which need not know each character that a file's name may have."""
    encoding = sys.stdout.encoding or "utf-8"
    return str(path).encode(encoding, "backslashreplace").decode(encoding)


def _size(header: bitstream.Header) -> str:
    return f"{header.width} x {header.height}"


def _rate(data: bytes, size: int, width: int, height: int) -> str:
    """size: what the file should have."""
    instead = "" if len(data) == size else f" instead of {size:,}"
    return f"{len(data):,} bytes{instead}, {8 * size / (width * height):.3f} bits per pixel"


if __name__ == "__main__":
    sys.exit(main())
