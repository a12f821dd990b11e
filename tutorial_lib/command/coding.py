"""`lic encode`, `lic decode` and `lic info`. They start without PyTorch, and do the cheap checks before it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tutorial_lib import bitstream
from tutorial_lib.command.bad_input import (
    BadInput,
    blaming,
    check_input,
    check_output,
    printable,
    quoted,
    write_output,
)
from tutorial_lib.command.codecs import load_codec, name_in, shipped_fingerprint
from tutorial_lib.files.pictures import check_ending, picture_bytes, read_picture


def add_parsers(commands: argparse._SubParsersAction, form: dict) -> None:
    """`encode`, `decode` and `info`, for the parser of `lic`."""
    encode = commands.add_parser("encode", help="a picture to a .lic file", **form)
    encode.add_argument("input", type=Path, metavar="IN", help="the picture")
    encode.add_argument("output", type=Path, metavar="OUT.lic", help="the file to write; it must end in .lic")
    meaning = "from 1 (small) to 100 (good), 50 unless it is given; a codec with one rate takes none"
    encode.add_argument("--quality", type=int, metavar="Q", help=meaning)
    encode.set_defaults(command=encode_command)

    decode = commands.add_parser("decode", help="a .lic file to a picture", **form)
    decode.add_argument("input", type=Path, metavar="IN.lic", help="the file")
    decode.add_argument("output", type=Path, metavar="OUT.png", help="the picture to write")
    decode.add_argument("--slices", type=int, metavar="K", help="only the first K slices, for less detail")
    decode.set_defaults(command=decode_command)

    for parser in (encode, decode):
        meaning = "a trained codec (default: the one that ships)"
        parser.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)

    info = commands.add_parser("info", help="what a .lic file says", **form)
    info.add_argument("input", type=Path, metavar="FILE.lic", help="the file")
    info.set_defaults(command=info_command)


def encode_command(options: argparse.Namespace) -> None:
    """A picture to a .lic file. Raises BadInput with one sentence."""
    if options.output.suffix.lower() != ".lic":  # else a mistyped command could overwrite a photo
        raise BadInput(f"the output's name must end in .lic, unlike {quoted(options.output)}.")
    check_input(options.input)
    check_output(options.output, options.input)
    with blaming(options.input):
        picture, notes = read_picture(options.input, bitstream.check_size)
    codec = load_codec(options.checkpoint)
    if options.plugin and options.checkpoint is None:
        print(f"note: this codes with {codec.name}, which ships; --checkpoint chooses another.", file=sys.stderr)
    if codec.qualities is None and options.quality is not None:
        raise BadInput(f"the codec {codec.name} has one quality; leave --quality out.")
    try:
        quality = codec.check_quality(options.quality)
    except ValueError as error:
        raise BadInput(f"--quality: {error}") from None
    with blaming(options.input):
        data = codec.encode(picture, quality)
    _write(options.output, data, notes)
    header = bitstream.read_header(data)
    print(f"{printable(options.output)}: {_size(header)}, {_rate(data, len(data), *picture.size)}")


def decode_command(options: argparse.Namespace) -> None:
    """A .lic file to a picture. Raises BadInput with one sentence."""
    data, header = _read_file(options.input)
    strings = _strings_wanted(options, header)
    _check_strings(options.input, data, strings)
    with blaming(options.output):
        check_ending(options.output)
    check_output(options.output, options.input)
    if options.checkpoint is not None and (name := name_in(options.checkpoint)) != header.codec:
        raise BadInput(
            f"{quoted(options.input)} was made by {header.codec}, while {quoted(options.checkpoint)} is a checkpoint "
            f"of {name}; name another by --checkpoint."
        )
    codec = load_codec(options.checkpoint, header.codec)
    if header.fingerprint != codec.fingerprint():
        raise BadInput(
            f"{quoted(options.input)} was made with another checkpoint (with the fingerprint {header.fingerprint}, "
            f"while this one's is {codec.fingerprint()}); name that one by --checkpoint."
        )

    from tutorial_lib.files.images import to_pil

    with blaming(options.input):
        image = codec.decode(data, options.slices)
    with blaming(options.output):
        file, notes = picture_bytes(to_pil(image), options.output)
    _write(options.output, file, notes)
    detail = "" if options.slices is None else f", {options.slices} of {_slices(header)} slices"
    print(f"{printable(options.output)}: {_size(header)}{detail}")


def info_command(options: argparse.Namespace) -> None:
    """Print what a .lic file says. Raises BadInput with one sentence, for a damaged file after printing."""
    data, header = _read_file(options.input)
    ours = shipped_fingerprint(header.codec)
    if ours is None:
        decodable = "no checkpoint of this codec ships, so decode it with its own --checkpoint"
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
    print(printable(options.input))
    for name, value in rows.items():
        print(f"  {name:<11}  {value}")
    _check_strings(options.input, data, None)  # all has been said; that the file is damaged is an error all the same


def _strings_wanted(options: argparse.Namespace, header: bitstream.Header) -> int | None:
    """How many strings make the slices that were asked for. None: all of them."""
    if options.slices is None:
        return None
    if not _slices(header):
        raise BadInput(f"{quoted(options.input)} was made by {header.codec} and has no slices; leave --slices out.")
    if not 0 <= options.slices <= _slices(header):
        span = f"from 0 to {_slices(header)} for {quoted(options.input)}"
        raise BadInput(f"--slices is a whole number {span}, not {options.slices}.")
    return header.required + options.slices


def _slices(header: bitstream.Header) -> int:
    return len(header.sections) - header.required


def _check_strings(path: Path, data: bytes, strings: int | None) -> None:
    """Are they whole? Raises BadInput, which says where a preview can be had."""
    try:
        bitstream.unpack(data, strings)
    except bitstream.IncompleteFile as error:
        preview = "" if error.slices is None else f"; a preview can be had with --slices {error.slices}"
        raise BadInput(f"{quoted(path)}: {str(error).rstrip('.')}{preview}.") from None
    except ValueError as error:
        raise BadInput(f"{quoted(path)}: {error}") from None


def _read_file(path: Path) -> tuple[bytes, bitstream.Header]:
    check_input(path)
    with blaming(path), open(path, "rb") as file:
        data = file.read(len(bitstream.MAGIC))
        if data == bitstream.MAGIC:  # do not read a whole film to find that it is none of ours
            data += file.read()
        return data, bitstream.read_header(data)


def _write(path: Path, data: bytes, notes: list[str]) -> None:
    """The file, then the notes, on stderr."""
    write_output(path, data)
    for note in notes:
        print(f"note: {note}", file=sys.stderr)


def _size(header: bitstream.Header) -> str:
    return f"{header.width} x {header.height}"


def _rate(data: bytes, size: int, width: int, height: int) -> str:
    """size: what the file should have."""
    instead = "" if len(data) == size else f" instead of {size:,}"
    return f"{len(data):,} bytes{instead}, {8 * size / (width * height):.3f} bits per pixel"
