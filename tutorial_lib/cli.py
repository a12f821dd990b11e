"""A learned image codec: a picture goes in, a small file comes out, and back.

    lic encode photo.png photo.lic
    lic decode photo.lic back.png
    lic info photo.lic

Pictures may be of any kind that Pillow reads. They are coded upright, in 8-bit
RGB: transparency (alpha) is laid on white, 16 bits a sample become 8, an EXIF
rotation is carried out, of an animation only the first picture is coded. A note
on stderr says so each time. Metadata and colour profiles are left behind.

The ending of a decoded picture's name chooses its kind; one without loss, such
as .png, keeps it exactly.

Exit status: 0 when done; 2 when the input was bad, and one sentence on stderr
says how; 130 when stopped by Ctrl-C. An output appears complete or not at all.
"""

# PyTorch takes seconds to import, so only commands that run a network do it, and after the cheaper checks.

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from tutorial_lib import __version__, bitstream
from tutorial_lib.workbench.checkpoints import shipped, tables_fingerprint
from tutorial_lib.workbench.picture_files import check_ending, picture_bytes, read_picture

if TYPE_CHECKING:
    from tutorial_lib.first_codec import FirstCodec


class BadInput(Exception):
    """One sentence about what the user has given."""


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
    encode.set_defaults(command=_encode)

    decode = commands.add_parser("decode", help="a .lic file to a picture", **form)
    decode.add_argument("input", type=Path, metavar="IN.lic", help="the file")
    decode.add_argument("output", type=Path, metavar="OUT.png", help="the picture to write")
    decode.set_defaults(command=_decode)

    for parser_of_both in (encode, decode):
        meaning = "a trained codec (default: the one that ships)"
        parser_of_both.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)

    info = commands.add_parser("info", help="what a .lic file says", **form)
    info.add_argument("input", type=Path, metavar="FILE.lic", help="the file")
    info.set_defaults(command=_info)
    return parser


def _encode(options: argparse.Namespace) -> None:
    if options.output.suffix.lower() != ".lic":  # else a slip of the hand could replace a photo
        raise BadInput(f"the output's name must end in .lic, unlike {_name(options.output)}.")
    _check_input(options.input)
    _check_output(options.output, options.input)
    with _blaming(options.input):
        picture, notes = read_picture(options.input, bitstream.check_size)
    codec = _load(options.checkpoint)

    from tutorial_lib.workbench.images import from_pil, to_float

    strings = codec.compress(to_float(from_pil(picture)))["strings"]
    stream = bitstream.Stream(*picture.size, codec.fingerprint(), tuple(string for (string,) in strings))
    data = bitstream.pack(stream)
    _write(options.output, data, notes)
    print(f"{_shown(options.output)}: {_size(stream)}, {_rate(stream, data)}")


def _decode(options: argparse.Namespace) -> None:
    stream, _ = _read_stream(options.input)
    with _blaming(options.output):
        check_ending(options.output)
    _check_output(options.output, options.input)
    codec = _load(options.checkpoint)
    if stream.fingerprint != codec.fingerprint():
        raise BadInput(
            f"{_name(options.input)} was made with another checkpoint (with the tables {stream.fingerprint}, "
            f"while these are {codec.fingerprint()}); name that one by --checkpoint."
        )

    from tutorial_lib.workbench.images import to_pil, to_uint8

    with _blaming(options.input):
        decoded = codec.decompress([[string] for string in stream.strings], (stream.height, stream.width))
    with _blaming(options.output):
        data, notes = picture_bytes(to_pil(to_uint8(decoded["x_hat"])), options.output)
    _write(options.output, data, notes)
    print(f"{_shown(options.output)}: {_size(stream)}")


def _info(options: argparse.Namespace) -> None:
    stream, data = _read_stream(options.input)
    ours = _shipped_fingerprint()
    if ours is None:
        decodable = "the checkpoint that ships is not to be found here"
    elif stream.fingerprint == ours:
        decodable = "those of the checkpoint that ships, which can decode it"
    else:
        decodable = f"decode it with its own --checkpoint (the one that ships has {ours})"
    print(_shown(options.input))
    print(f"  layout   version {bitstream.VERSION}, checksum correct")
    print(f"  codec    {stream.codec}")
    print(f"  picture  {_size(stream)} pixels")
    print(f"  file     {_rate(stream, data)}")
    print(f"  strings  {', '.join(f'{len(string):,} bytes' for string in stream.strings)}")
    print(f"  tables   {stream.fingerprint}: {decodable}")


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


def _read_stream(path: Path) -> tuple[bitstream.Stream, bytes]:
    _check_input(path)
    with _blaming(path), open(path, "rb") as file:
        data = file.read(len(bitstream.MAGIC))
        if data == bitstream.MAGIC:  # do not read a whole film to find that it is none of ours
            data += file.read()
        return bitstream.unpack(data), data


def _load(checkpoint: Path | None) -> FirstCodec:
    from tutorial_lib.first_codec import FirstCodec

    try:
        return FirstCodec.load(checkpoint)
    except (OSError, ValueError) as error:  # these name the file themselves
        raise BadInput(str(error)) from None


def _shipped_fingerprint() -> str | None:
    """Of the tables in the shipped checkpoint, if that can be read."""
    try:
        return tables_fingerprint(shipped("first_codec.safetensors"))
    except (OSError, ValueError, SafetensorError):
        return None


def _write(path: Path, data: bytes, notes: list[str]) -> None:
    """All of the file or nothing: it gets its name when the last byte is in it. Then the notes, on stderr."""
    target = Path(os.path.realpath(path))  # through links, so that they stay links
    unfinished = target.with_name(f".{secrets.token_hex(8)}.unfinished")
    with _blaming(path):
        try:
            unfinished.write_bytes(data)
            os.replace(unfinished, target)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise
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


def _size(stream: bitstream.Stream) -> str:
    return f"{stream.width} x {stream.height}"


def _rate(stream: bitstream.Stream, data: bytes) -> str:
    return f"{len(data):,} bytes, {8 * len(data) / (stream.width * stream.height):.3f} bits per pixel"


if __name__ == "__main__":
    sys.exit(main())
