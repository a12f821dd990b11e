"""The codecs that the command knows: the course's own, and those of a learner's plugin."""

from __future__ import annotations

import gc
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError

from tutorial_lib.bitstream import Header
from tutorial_lib.command.bad_input import BadInput, check_input, of_file, quoted
from tutorial_lib.command.stopping import signals_wait
from tutorial_lib.files.checkpoints import metadata_of, shipped

if TYPE_CHECKING:
    from tutorial_lib.transform_codec import TransformCodec

HINT = "lic --plugin FILE.py …, before the command's name, runs a file of yours that registers another"
SYMBOLS = {"codec": 3.0, "first_codec": 1.5}  # for each pixel: those of the codecs that ship
LEAST = 2.2e-5  # bits that a symbol takes with the narrowest table there can be: all of 2^16 counts but one


def run_plugin(path: Path) -> None:
    """Run a file of the user's, which registers codecs. Raises BadInput with one sentence for whatever fails in it."""
    check_input(path)
    _register_all()
    from tutorial_lib.codec_registry import FACTORIES

    before = dict(FACTORIES)
    spec = importlib.util.spec_from_file_location(f"lic_plugin_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise BadInput(f"the plugin {quoted(path)} is no Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    sys.path.insert(0, str(path.parent.resolve()))  # so that it finds what lies beside it, as a program does
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise BadInput(f"the plugin {quoted(path)} fails{_place_in(path, error)}: {_described(error)}.") from None
    if before == FACTORIES:
        raise BadInput(f"the plugin {quoted(path)} registers no codec; decorate a factory in it with register_codec.")


def _place_in(path: Path, error: BaseException) -> str:
    """Where in a file an error was raised, as far as that is known."""
    name = str(path.absolute())
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == name]
    lines += [error.lineno] if isinstance(error, SyntaxError) and error.filename == name else []
    return f" in line {lines[-1]}" if lines else ""


def _described(error: BaseException) -> str:
    """An error in words, without a full stop."""
    words = str(error).rstrip(".")
    return words if isinstance(error, ValueError) else f"{type(error).__name__}: {words}".rstrip(": ")


def fresh_codec(name: str, settings: dict) -> TransformCodec:
    """An untrained codec. Raises BadInput for a name that is not registered, or settings that it does not take."""
    _register_all()
    from tutorial_lib.codec_registry import UnfitSettings, UnknownCodec, create_codec

    try:
        return create_codec(name, **settings)
    except UnknownCodec as error:
        raise BadInput(f"{str(error).rstrip('.')}; {HINT}.") from None
    except UnfitSettings as error:
        raise BadInput(str(error)) from None
    except Exception as error:  # a learner's factory may raise anything
        given = ", ".join(f"{key}={value!r}" for key, value in settings.items()) or "its defaults"
        raise BadInput(f"the codec {name} cannot be built with {given}: {_described(error)}.") from None


def load_codec(checkpoint: Path | None, name: str = "codec") -> TransformCodec:
    """A trained one. checkpoint None: that of this name which comes with the course. Raises BadInput."""
    if checkpoint is None:
        checkpoint = shipped(f"{name}.safetensors")
        if not checkpoint.is_file():
            _register_all()
            from tutorial_lib.codec_registry import FACTORIES

            missing = f"no checkpoint of {name} comes with the course"
            if getattr(FACTORIES.get(name), "checkpoint", None):
                missing = f"the checkpoint of {name} that ships is missing ({quoted(checkpoint)})"
            raise BadInput(f"{missing}; name one by --checkpoint.")
    else:
        check_input(checkpoint)
    _register_all()
    from tutorial_lib.codec_registry import UnknownCodec
    from tutorial_lib.transform_codec import TransformCodec

    try:
        return TransformCodec.load(checkpoint)
    except UnknownCodec as error:
        raise BadInput(f"{quoted(checkpoint)}: {str(error.__cause__).rstrip('.')}; {HINT}.") from None
    except OSError as error:
        raise BadInput(of_file(error)) from None
    except ValueError as error:  # it names the file itself
        raise BadInput(str(error)) from None


def name_in(checkpoint: Path) -> str:
    """The name of the codec whose checkpoint it is; without PyTorch. Raises BadInput where it is none."""
    check_input(checkpoint)
    try:
        return metadata_of(checkpoint)["codec"]
    except (OSError, SafetensorError):
        raise BadInput(f"{quoted(checkpoint)} is not a checkpoint.") from None
    except KeyError:
        raise BadInput(f"{quoted(checkpoint)} is no checkpoint of a codec that this version reads.") from None


def shipped_fingerprint(name: str) -> str | None:
    """Of the checkpoint that comes with the course, if there is one of this name; without PyTorch."""
    try:
        return metadata_of(shipped(f"{name}.safetensors")).get("fingerprint")
    except (OSError, SafetensorError):
        return None


def check_claim(path: Path, header: Header, strings: int | None) -> None:
    """Raise BadInput where the first strings (None: all) are too short for any picture of the size that is claimed.

    A first look, without PyTorch, at what the codecs that ship have made; decoders know their tables, and look closer.
    """
    if header.codec not in SYMBOLS or header.fingerprint != shipped_fingerprint(header.codec):
        return
    sections = header.sections[:strings]
    halved = len(header.sections) - len(sections)  # each slice doubles both sides
    symbols = SYMBOLS[header.codec] * header.width * header.height / 4**halved
    size = sections[-1].end - header.size
    if LEAST * symbols > 8 * size:
        claim = f"{header.width} x {header.height} pixels"
        raise BadInput(f"{quoted(path)} is damaged: {size:,} bytes are too few for a picture of {claim}.")


def _register_all() -> None:
    """Importing a module registers its codecs. (They need PyTorch, so only who needs them does it.)"""
    collects = gc.isenabled()
    gc.disable()  # what is imported stays: looking for garbage in it takes a quarter of a second
    try:
        with signals_wait():
            from tutorial_lib import codec, context, first_codec, hyperprior  # noqa: F401
    finally:
        gc.freeze()  # nor is it looked at later
        if collects:
            gc.enable()
