"""What the tests of `lic` share: the command itself, a desk full of files, and a stand-in codec that loses nothing."""

from __future__ import annotations

import functools
import io
import signal
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from torch import Tensor, nn

from tutorial_lib.bitstream import Stream, pack, unpack
from tutorial_lib.command import codecs
from tutorial_lib.command.main import main
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.quality import VariableRateCodec
from tutorial_lib.rans import BitstreamError
from tutorial_lib.transform_codec import Prior, TransformCodec

SHIPS, OTHER = "00112233445566ff", "ffeeddccbbaa9988"  # fingerprints


@pytest.fixture(autouse=True)
def no_signal_ignored() -> Iterator[None]:
    """As in a terminal: in the background SIGINT is ignored, and under `nohup` SIGHUP is, by `lic`, too."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL, signal.SIGHUP: signal.SIG_DFL}
    before = {kind: signal.signal(kind, handler) for kind, handler in usual.items()}
    yield
    for kind, handler in before.items():
        signal.signal(kind, handler)


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """noise(*shape): bytes, the same ones for each shape."""

    def make(*shape: int) -> np.ndarray:
        return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)

    return make


@pytest.fixture(scope="session")
def contents() -> Callable[[Path], dict[str, bytes]]:
    """contents(folder): all files in it, and what they hold."""
    return lambda folder: {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def lic(capsys) -> Callable[..., tuple[int, str, str]]:
    """lic(*arguments) -> exit status, stdout, stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def one_sentence(lic) -> Callable[..., str]:
    """one_sentence(*arguments): what `lic` says on stderr when it refuses, once it is certain that it says no more."""

    def run(*arguments: object) -> str:
        status, out, err = lic(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("error: ") and err.endswith(".\n") and err.count("\n") == 1
        return err.removeprefix("error: ").rstrip("\n")

    return run


@pytest.fixture
def refused(here: Path, one_sentence, contents) -> Callable[..., str]:
    """refused(*arguments): that sentence, once it is certain that no file has changed, too."""

    def run(*arguments: object) -> str:
        before = contents(here)
        sentence = one_sentence(*arguments)
        assert contents(here) == before
        return sentence

    return run


@pytest.fixture
def there_and_back(lic) -> Callable[..., tuple[np.ndarray, list[str]]]:
    """there_and_back(name, *arguments): the decoded pixels (H, W, 3), and the notes of the encoder."""

    def run(name: str, *arguments: object) -> tuple[np.ndarray, list[str]]:
        status, _, err = lic("encode", name, "there.lic", *arguments)
        assert status == 0
        assert lic("decode", "there.lic", "back.png")[::2] == (0, "")
        with Image.open("back.png") as back:
            assert back.mode == "RGB"
            return np.asarray(back), err.splitlines()

    return run


# ---- a stand-in


class Whole(Prior):
    """Keeps every pixel: the string that a decoder needs is the picture's darkest colour, slice 1 is all of it."""

    slices = 1

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        [image] = (y * 255).round().to(torch.uint8)
        return [[bytes(image.amin((1, 2)).tolist())], [zlib.compress(image.numpy().tobytes())]]

    def decompress(self, strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        darkest, *rest = (part[0] for part in strings)
        if not rest:
            return torch.tensor(list(darkest))[None, :, None, None].expand(1, 3, *shape) / 255
        try:
            return torch.tensor(list(zlib.decompress(rest[0]))).reshape(1, 3, *shape) / 255
        except (zlib.error, RuntimeError):
            raise BitstreamError("the stream does not end with its symbols: it is damaged.") from None


class As(nn.Identity):
    """Takes the condition, too."""

    def forward(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return x


class StandIn(VariableRateCodec):
    """The frame around nothing. Its checkpoint's metadata say what it is called."""

    def __init__(self, metadata: dict[str, str]) -> None:
        super().__init__(As(), As(), Whole(), stride=1)
        self.weight = nn.Parameter(torch.zeros(1))
        self.name, self._fingerprint = metadata["codec"], metadata["fingerprint"]

    def fingerprint(self) -> str:
        return self._fingerprint


class OneRate(StandIn):
    qualities = default_quality = None


def checkpoint(path: Path, codec: str, fingerprint: str) -> Path:
    """A file that says whose checkpoint it is, and holds nothing."""
    save_file({}, path, metadata={"codec": codec, "settings": "{}", "fingerprint": fingerprint})
    return path


@pytest.fixture
def stand_in(monkeypatch, tmp_path_factory) -> SimpleNamespace:
    """Stands in for all trained codecs. codec: its class; ships: the fingerprint of the one that ships; and another."""

    def load(path: Path) -> StandIn:
        metadata = metadata_of(path)
        return (StandIn if metadata["codec"] == "codec" else OneRate)(metadata)

    ships = checkpoint(tmp_path_factory.mktemp("ships") / "codec.safetensors", "codec", SHIPS)
    monkeypatch.setattr(TransformCodec, "load", load)
    monkeypatch.setattr(codecs, "shipped", ships.with_name)
    return SimpleNamespace(codec=StandIn, ships=SHIPS, other=OTHER)


# ---- a desk


@pytest.fixture
def table(here: Path, stand_in, noise, capsys) -> Path:
    """A folder with one of everything that a command might be given."""
    Image.fromarray(noise(40, 60, 3)).save("photo.png")
    Path("text.txt").write_text("hello\n")
    Path("empty").write_bytes(b"")
    Path("folder.lic").mkdir()
    Path("folder.png").mkdir()
    assert main(["encode", "photo.png", "photo.lic"]) == 0
    data = Path("photo.lic").read_bytes()
    strings = unpack(data).strings
    Path("cut.lic").write_bytes(data[:-50])
    Path("flipped.lic").write_bytes(data[:100] + bytes([data[100] ^ 4]) + data[101:])
    Path("longer.lic").write_bytes(data + b"\0")
    Path("headless.lic").write_bytes(data[:12] + bytes([data[12] ^ 4]) + data[13:])
    Path("stub.lic").write_bytes(data[:30])
    Path("foreign.lic").write_bytes(pack(Stream(60, 40, OTHER, strings, "codec", 50, 1)))
    Path("noise.lic").write_bytes(pack(Stream(60, 40, SHIPS, (bytes(100),) * 2, "codec", 50, 1)))
    Path("first.lic").write_bytes(pack(Stream(60, 40, SHIPS, (bytes(100),), "first_codec")))
    checkpoint(Path("other.checkpoint"), "codec", OTHER)
    checkpoint(Path("first.checkpoint"), "first_codec", SHIPS)
    photo = Path("photo.png").read_bytes()
    Path("cut.png").write_bytes(photo[: len(photo) // 2])
    Path("flipped.png").write_bytes(photo[:1000] + bytes([photo[1000] ^ 4]) + photo[1001:])
    Path("bomb.png").write_bytes(bomb(20_000, 20_000))
    Path("large.png").write_bytes(bomb(12_000, 12_000))
    Path("long.png").write_bytes(bomb(70_000, 1))
    capsys.readouterr()
    return here


@functools.cache
def bomb(width: int, height: int) -> bytes:
    """A PNG of many pixels in few bytes."""
    file = io.BytesIO()
    Image.new("1", (8, 8)).save(file, format="PNG")
    data = file.getvalue()
    header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)))
    pixels = struct.pack(">I", len(rows)) + b"IDAT" + rows + struct.pack(">I", zlib.crc32(b"IDAT" + rows))
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + pixels + data[-12:]
