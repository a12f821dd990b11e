"""`lic encode`, `lic decode` and `lic info`. They start without PyTorch, and do the cheap checks before it."""

from __future__ import annotations

import argparse
import math
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tutorial_lib import bitstream
from tutorial_lib.command import memory
from tutorial_lib.command.bad_input import BadInput, blaming, check_input, printable, quoted
from tutorial_lib.command.codecs import check_claim, load_codec, name_in, shipped_fingerprint
from tutorial_lib.command.jobs import STANDARD, Done, Job, add_arguments, as_file, do_all, jobs_of
from tutorial_lib.files.pictures import check_ending, picture_bytes, read_picture

if TYPE_CHECKING:
    from torch import Tensor

    from tutorial_lib.transform_codec import TransformCodec

MOST_HALVINGS = 16  # of any codec


def add_parsers(commands: argparse._SubParsersAction, form: dict) -> None:
    """`encode`, `decode` and `info`, for the parser of `lic`."""
    encode = commands.add_parser("encode", help="a picture to a .lic file", **form)
    add_arguments(encode, "OUT.lic")
    meaning = "from 1 (small) to 100 (good), 50 unless it is given; a codec with one rate takes none"
    aim = encode.add_mutually_exclusive_group()
    aim.add_argument("--quality", type=int, metavar="Q", help=meaning)
    meaning = "the highest quality whose file has at most so many bytes"
    aim.add_argument("--target-bytes", type=int, metavar="N", help=meaning)
    meaning = "the lowest quality at which the picture, decoded again, has at least this PSNR in dB"
    aim.add_argument("--target-psnr", type=float, metavar="D", help=meaning)
    meaning = "how long to search for a file that costs less: from 0, one pass, to 9"
    encode.add_argument("--effort", type=int, metavar="E", help=f"{meaning}; 2 unless it is given, 0 above a megapixel")
    encode.set_defaults(command=encode_command)

    decode = commands.add_parser("decode", help="a .lic file to a picture", **form)
    add_arguments(decode, "OUT.png")
    fewer = decode.add_mutually_exclusive_group()
    fewer.add_argument("--slices", type=int, metavar="K", help="only the first K slices, for less detail")
    meaning = "a small picture, 1/2, 1/4, … 1/32 of its sides, from the first slices alone"
    fewer.add_argument("--scale", metavar="1/N", help=meaning)
    decode.set_defaults(command=decode_command)

    for parser in (encode, decode):
        meaning = "a trained codec (default: the one that ships)"
        parser.add_argument("--checkpoint", type=Path, metavar="C", help=meaning)
        memory.add_argument(parser)

    info = commands.add_parser("info", help="what a .lic file says", **form)
    info.add_argument("input", type=Path, metavar="FILE.lic", help="the file")
    info.set_defaults(command=info_command)


def encode_command(options: argparse.Namespace) -> None:
    """Pictures to .lic files. Raises BadInput with one sentence."""
    jobs = jobs_of(options, ".lic")
    for job in jobs:
        if job.target != STANDARD and not job.target.name.lower().endswith(".lic"):  # else a mistake overwrites a photo
            raise BadInput(f"the output's name must end in .lic (or be -), unlike {quoted(job.target)}.")
    if options.target_bytes is not None and options.target_bytes < 1:
        raise BadInput(f"--target-bytes is {options.target_bytes}; it must be 1 or more.")
    if options.target_psnr is not None and not 0 < options.target_psnr < math.inf:
        raise BadInput(f"--target-psnr is {options.target_psnr:g}; it is a number of decibels above 0.")
    coder = _Once(lambda _: _coder(options))
    if options.out_dir is not None:
        coder("the same for all")  # what is wrong with it is said once
    do_all(jobs, lambda job: _encode(job, coder, options), options)


class _Asked(NamedTuple):
    """The codec that is to be used, and how."""

    codec: TransformCodec
    quality: int | None
    effort: int | None


def _coder(options: argparse.Namespace) -> _Asked:
    """The codec, and what it is asked for. Raises BadInput where it does not have that."""
    codec = load_codec(options.checkpoint)
    if options.plugin and options.checkpoint is None:
        print(f"note: this codes with {codec.name}, which ships; --checkpoint chooses another.", file=sys.stderr)
    if codec.qualities is None and options.quality is not None:
        raise BadInput(f"the codec {codec.name} has one quality; leave --quality out.")
    if codec.qualities is None and (options.target_bytes or options.target_psnr):
        raise BadInput(f"the codec {codec.name} has one quality, so it cannot aim at a size or a PSNR.")
    try:
        quality = codec.check_quality(options.quality)
    except ValueError as error:
        raise BadInput(f"--quality: {error}") from None
    try:
        codec.check_effort(options.effort)
    except ValueError as error:
        raise BadInput(f"--effort: {error}") from None
    return _Asked(codec, quality, options.effort)


def _encode(job: Job, coder: _Once, options: argparse.Namespace) -> Done:
    job.check_source()
    job.check_target()
    with blaming(job.source), as_file(job.source) as source:
        picture, notes = read_picture(source, bitstream.check_size)
    asked, size = coder("the same for all"), picture.size
    effort = asked.codec.check_effort(asked.effort, size[0] * size[1])
    needed = asked.codec.memory_to_encode((size[1], size[0]), effort)
    less = asked.codec.memory_to_encode((size[1], size[0]), 0)
    hint = "; --effort 0 takes less" if needed is not None and less is not None and less < needed else ""
    memory.check_memory(job.source, size, needed, options.memory, hint)

    from tutorial_lib.files.images import from_pil

    with blaming(job.source):
        image = from_pil(picture)
        del picture  # it takes as much memory again
        data, reached = _coded(image, asked, effort, options)
    header = bitstream.read_header(data)
    return job.write(data, f"{_size(header)}, {_rate(data, len(data), *size)}{reached}", notes)


def _coded(image: Tensor, asked: _Asked, effort: int, options: argparse.Namespace) -> tuple[bytes, str]:
    """The file, and what there is to say of a target. A bar shows on a terminal, after the first second."""
    from tqdm import tqdm

    from tutorial_lib.evaluation.rate_control import at_least, at_most

    codec = asked.codec
    hidden = None if options.out_dir is None else True  # many files have a bar of their own
    with tqdm(unit="round", file=sys.stderr, leave=False, disable=hidden, delay=1) as bar:

        def advance() -> None:
            bar.update()

        if options.target_bytes is not None:
            found = at_most(codec, image, options.target_bytes, effort, advance)
            return found.data, f", quality {found.quality}"
        if options.target_psnr is not None:
            found = at_least(codec, image, options.target_psnr, effort, advance)
            return found.data, f", quality {found.quality}, {found.decibels:.2f} dB"
        bar.total = codec.rounds(effort)
        return codec.encode(image, asked.quality, effort, advance), ""


def decode_command(options: argparse.Namespace) -> None:
    """.lic files to pictures. Raises BadInput with one sentence."""
    codecs = _Once(lambda name: load_codec(options.checkpoint, name))
    do_all(jobs_of(options, ".png"), lambda job: _decode(job, codecs, options), options)


def _decode(job: Job, codecs: _Once, options: argparse.Namespace) -> Done:
    data, header = _read_file(job.source)
    smaller = _halvings(options.scale)
    strings = _strings_wanted(job.source, options.slices, smaller, header)
    _check_strings(job.source, data, strings)
    check_claim(job.source, header, strings)
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

    if smaller > codec.halvings:
        most = f"down to 1/{2**codec.halvings}" if codec.halvings else "in their full size only"
        raise BadInput(f"{quoted(job.source)} was made by {header.codec}, which decodes pictures {most}.")

    needed = codec.memory_to_decode((header.height, header.width), smaller)
    hint = "" if options.scale or not codec.halvings else "; --scale 1/2 takes less"
    memory.check_memory(job.source, (header.width, header.height), needed, options.memory, hint)

    from tutorial_lib.files.images import to_pil

    with blaming(job.source):
        image = codec.decode(data, options.slices, smaller)
    with blaming(job.target):
        file, notes = picture_bytes(to_pil(image), named)
    said = _size(header)
    if smaller:
        said = f"{image.shape[2]} x {image.shape[1]}, {options.scale} of {said}"
    elif options.slices is not None:
        said = f"{said}, {options.slices} of {_slices(header)} slices"
    return job.write(file, said, notes)


def _halvings(scale: str | None) -> int:
    """How often sides are halved for a --scale. Raises BadInput for what is none."""
    if scale is None:
        return 0
    scales = [f"1/{2**n}" for n in range(1, MOST_HALVINGS + 1)]
    if scale not in scales:
        raise BadInput(f"--scale is 1/2, 1/4, 1/8 and so on, not {scale!r}.")
    return scales.index(scale) + 1


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


def _strings_wanted(path: Path, slices: int | None, smaller: int, header: bitstream.Header) -> int | None:
    """How many strings make the slices that were asked for, or are needed for a smaller picture. None: all of them."""
    if smaller:  # each slice doubles the size
        if smaller > _slices(header):
            what = f"has {_slices(header)} slice(s), too few for that --scale" if _slices(header) else "has no slices"
            raise BadInput(f"{quoted(path)} was made by {header.codec} and {what}; leave --scale out.")
        return len(header.sections) - smaller
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
