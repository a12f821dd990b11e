"""`lic encode`, `lic decode` and `lic info`. They start without PyTorch, and do the cheap checks before it."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tutorial_lib import bitstream
from tutorial_lib.command.bad_input import BadInput, blaming, check_input, printable, quoted
from tutorial_lib.command.codecs import load_codec, name_in, shipped_fingerprint
from tutorial_lib.command.jobs import STANDARD, Done, Job, add_arguments, as_file, do_all, jobs_of
from tutorial_lib.files.pictures import check_ending, picture_bytes, read_picture

if TYPE_CHECKING:
    from tutorial_lib.transform_codec import TransformCodec


def add_parsers(commands: argparse._SubParsersAction, form: dict) -> None:
    """`encode`, `decode` and `info`, for the parser of `lic`."""
    encode = commands.add_parser("encode", help="a picture to a .lic file", **form)
    add_arguments(encode, "OUT.lic")
    meaning = "from 1 (small) to 100 (good), 50 unless it is given; a codec with one rate takes none"
    encode.add_argument("--quality", type=int, metavar="Q", help=meaning)
    encode.set_defaults(command=encode_command)

    decode = commands.add_parser("decode", help="a .lic file to a picture", **form)
    add_arguments(decode, "OUT.png")
    decode.add_argument("--slices", type=int, metavar="K", help="only the first K slices, for less detail")
    decode.set_defaults(command=decode_command)

    for parser in (encode, decode):
        meaning = "a trained codec (default: the one that ships)"
        parser.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)

    info = commands.add_parser("info", help="what a .lic file says", **form)
    info.add_argument("input", type=Path, metavar="FILE.lic", help="the file")
    info.set_defaults(command=info_command)


def encode_command(options: argparse.Namespace) -> None:
    """Pictures to .lic files. Raises BadInput with one sentence."""
    jobs = jobs_of(options, ".lic")
    for job in jobs:
        if job.target != STANDARD and job.target.suffix.lower() != ".lic":  # a mistyped command could overwrite a photo
            raise BadInput(f"the output's name must end in .lic, unlike {quoted(job.target)}.")
    coder = _Once(lambda _: _coder(options))
    if options.out_dir is not None:
        coder("the same for all")  # what is wrong with it is said once
    do_all(jobs, lambda job: _encode(job, coder), options)


def _coder(options: argparse.Namespace) -> tuple[TransformCodec, int | None]:
    """The codec, and the quality that it is asked for."""
    codec = load_codec(options.checkpoint)
    if options.plugin and options.checkpoint is None:
        print(f"note: this codes with {codec.name}, which ships; --checkpoint chooses another.", file=sys.stderr)
    if codec.qualities is None and options.quality is not None:
        raise BadInput(f"the codec {codec.name} has one quality; leave --quality out.")
    try:
        return codec, codec.check_quality(options.quality)
    except ValueError as error:
        raise BadInput(f"--quality: {error}") from None


def _encode(job: Job, coder: _Once) -> Done:
    job.check_source()
    job.check_target()
    with as_file(job.source) as source, blaming(job.source):
        picture, notes = read_picture(source, bitstream.check_size)
    codec, quality = coder("the same for all")
    with blaming(job.source):
        data = codec.encode(picture, quality)
    header = bitstream.read_header(data)
    return job.write(data, f"{_size(header)}, {_rate(data, len(data), *picture.size)}", notes)


def decode_command(options: argparse.Namespace) -> None:
    """.lic files to pictures. Raises BadInput with one sentence."""
    codecs = _Once(lambda name: load_codec(options.checkpoint, name))
    do_all(jobs_of(options, ".png"), lambda job: _decode(job, codecs, options), options)


def _decode(job: Job, codecs: _Once, options: argparse.Namespace) -> Done:
    data, header = _read_file(job.source)
    strings = _strings_wanted(job.source, options.slices, header)
    _check_strings(job.source, data, strings)
    named = Path("standard output.png") if job.target == STANDARD else job.target
    with blaming(job.target):
        check_ending(named)
    job.check_target()
    if options.checkpoint is not None and (name := name_in(options.checkpoint)) != header.codec:
        raise BadInput(
            f"{quoted(job.source)} was made by {header.codec}, while {quoted(options.checkpoint)} is a checkpoint "
            f"of {name}; name another by --checkpoint."
        )
    codec = codecs(header.codec)
    if header.fingerprint != codec.fingerprint():
        raise BadInput(
            f"{quoted(job.source)} was made with another checkpoint (with the fingerprint {header.fingerprint}, "
            f"while this one's is {codec.fingerprint()}); name that one by --checkpoint."
        )

    from tutorial_lib.files.images import to_pil

    with blaming(job.source):
        image = codec.decode(data, options.slices)
    with blaming(job.target):
        file, notes = picture_bytes(to_pil(image), named)
    detail = "" if options.slices is None else f", {options.slices} of {_slices(header)} slices"
    return job.write(file, f"{_size(header)}{detail}", notes)


class _Once:
    """What takes long to make, by its name: made when it is first asked for, by whichever thread does."""

    def __init__(self, make: Callable[[str], Any]) -> None:
        self.make, self.made, self.lock = make, dict[str, Any](), threading.Lock()

    def __call__(self, name: str) -> Any:
        with self.lock:
            if name not in self.made:
                self.made[name] = self.make(name)
            return self.made[name]


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


def _strings_wanted(path: Path, slices: int | None, header: bitstream.Header) -> int | None:
    """How many strings make the slices that were asked for. None: all of them."""
    if slices is None:
        return None
    if not _slices(header):
        raise BadInput(f"{quoted(path)} was made by {header.codec} and has no slices; leave --slices out.")
    if not 0 <= slices <= _slices(header):
        raise BadInput(f"--slices is a whole number from 0 to {_slices(header)} for {quoted(path)}, not {slices}.")
    return header.required + slices


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
    if path != STANDARD:
        check_input(path)
    with blaming(path), nullcontext(sys.stdin.buffer) if path == STANDARD else open(path, "rb") as file:
        data = file.read(len(bitstream.MAGIC))
        if data == bitstream.MAGIC:  # do not read a whole film to find that it is none of ours
            data += file.read()
        return data, bitstream.read_header(data)


def _size(header: bitstream.Header) -> str:
    return f"{header.width} x {header.height}"


def _rate(data: bytes, size: int, width: int, height: int) -> str:
    """size: what the file should have."""
    instead = "" if len(data) == size else f" instead of {size:,}"
    return f"{len(data):,} bytes{instead}, {8 * size / (width * height):.3f} bits per pixel"
