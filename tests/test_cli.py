"""The command `lic`, first with a stand-in codec that loses nothing, then with the checkpoint that ships."""

from __future__ import annotations

import errno
import functools
import io
import os
import random
import stat
import struct
import subprocess
import sys
import tracemalloc
import types
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import save_file
from safetensors.torch import save as safetensors_bytes

from tutorial_lib import __version__, cli
from tutorial_lib.bitstream import MAX_PIXELS, Stream, pack, read_header, unpack
from tutorial_lib.codec import Codec, Settings
from tutorial_lib.entropy_coder import EntropyCoder
from tutorial_lib.files.checkpoints import metadata_of, shipped, tables_fingerprint
from tutorial_lib.files.images import from_pil, to_float, to_pil, to_uint8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.information import bits
from tutorial_lib.rans import BitstreamError
from tutorial_lib.workbench.photos import photo

FINGERPRINT = "00112233445566ff"
OTHER = "ffeeddccbbaa9988"


def checkpoint(path: Path, fingerprint: str) -> Path:
    """A file that says it is a checkpoint of the full codec."""
    save_file({}, path, metadata={"settings": "{}", "fingerprint": fingerprint})
    return path


class StandIn:
    """Has the methods of Codec, and keeps every pixel: z is the picture's darkest colour, slice 1 is all of it."""

    def __init__(self, fingerprint: str) -> None:
        self._fingerprint = fingerprint

    @classmethod
    def load(cls, path=None):
        return cls(FINGERPRINT if path is None else metadata_of(path)["fingerprint"])

    def fingerprint(self) -> str:
        return self._fingerprint

    def encode(self, image, quality):
        assert image.dtype == torch.uint8 and len(image) == 3
        pieces = bytes(image.amin((1, 2)).tolist()), zlib.compress(image.numpy().tobytes())
        return pack(Stream(image.shape[2], image.shape[1], self._fingerprint, pieces, "codec", quality))

    def decode(self, data, slices=None):
        stream = unpack(data, None if slices is None else slices + 1)
        shape = (3, stream.height, stream.width)
        if len(stream.strings) == 1:
            return torch.tensor(list(stream.strings[0]), dtype=torch.uint8)[:, None, None].expand(shape)
        try:
            return torch.tensor(list(zlib.decompress(stream.strings[1])), dtype=torch.uint8).reshape(shape)
        except (zlib.error, RuntimeError):
            raise BitstreamError("the stream does not end with its symbols: it is damaged.") from None


@pytest.fixture
def stand_in(monkeypatch, tmp_path_factory) -> type[StandIn]:
    module = types.ModuleType("tutorial_lib.codec")
    module.Codec = StandIn
    monkeypatch.setitem(sys.modules, "tutorial_lib.codec", module)
    ships = checkpoint(tmp_path_factory.mktemp("ships") / "codec.safetensors", FINGERPRINT)
    monkeypatch.setattr(cli, "shipped", ships.with_name)
    return StandIn


@pytest.fixture
def here(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def lic(capsys, *arguments: str | Path) -> tuple[int, str, str]:
    """Exit status, stdout, stderr."""
    status = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def refused(capsys, folder: Path, *arguments: str | Path) -> str:
    """The one sentence on stderr, once it is certain that nothing else was said or changed."""
    before = contents(folder)
    sentence = one_sentence(capsys, *arguments)
    assert contents(folder) == before
    return sentence


def one_sentence(capsys, *arguments: str | Path) -> str:
    status, out, err = lic(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and err.endswith(".\n") and err.count("\n") == 1
    return err.removeprefix("error: ").rstrip("\n")


def there_and_back(capsys, name: str, *arguments: str | Path) -> tuple[np.ndarray, list[str]]:
    """The decoded pixels (H, W, 3), and the notes of the encoder."""
    status, _, err = lic(capsys, "encode", name, "there.lic", *arguments)
    assert status == 0
    assert lic(capsys, "decode", "there.lic", "back.png")[::2] == (0, "")
    with Image.open("back.png") as back:
        assert back.mode == "RGB"
        return np.asarray(back), err.splitlines()


def deep_png(colour_type: int, samples: np.ndarray, extra: bytes = b"") -> bytes:
    """A PNG with 16 bits a sample, (H, W, channels), which Pillow itself can only write in grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, _ = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


ON_WHITE = "note: Transparency was dropped: the picture was laid on white."
TO_8_BITS = "note: The samples were reduced to 8 bits."
UPRIGHT = "note: The picture was turned upright, as its EXIF orientation asks."
FIRST = "note: The file holds several pictures; only the first was taken."


@pytest.mark.usefixtures("stand_in", "here")
class TestPictures:
    """Whatever Pillow reads comes back with its own pixels, computed here without Pillow's conversions."""

    def test_rgb(self, capsys) -> None:
        rgb = noise(5, 7, 3)
        for ending in ("png", "bmp", "tif", "ppm", "tga"):
            Image.fromarray(rgb).save(f"in.{ending}")
            pixels, notes = there_and_back(capsys, f"in.{ending}")
            assert np.array_equal(pixels, rgb) and notes == []

    def test_grey_and_two_levels(self, capsys) -> None:
        grey = noise(5, 7)
        Image.fromarray(grey).save("grey.png")
        pixels, notes = there_and_back(capsys, "grey.png")
        assert np.array_equal(pixels, np.stack([grey] * 3, axis=-1)) and notes == []
        Image.fromarray(grey > 100).save("bilevel.png")
        pixels, notes = there_and_back(capsys, "bilevel.png")
        assert np.array_equal(pixels, np.stack([(grey > 100) * 255] * 3, axis=-1)) and notes == []

    def test_palette(self, capsys) -> None:
        indexes, colours = noise(5, 7) % 4, noise(4, 3)
        image = Image.fromarray(indexes)
        image.putpalette(colours.tobytes())
        assert image.mode == "P"
        image.save("palette.png")
        pixels, notes = there_and_back(capsys, "palette.png")
        assert np.array_equal(pixels, colours[indexes]) and notes == []
        image.save("clear.png", transparency=2)
        colours[2] = 255
        pixels, notes = there_and_back(capsys, "clear.png")
        assert np.array_equal(pixels, colours[indexes]) and notes == [ON_WHITE]

    @pytest.mark.parametrize("channels", [4, 2])
    def test_alpha_is_laid_on_white(self, capsys, channels: int) -> None:
        samples = noise(16, 16, channels)
        samples[0, :, -1], samples[1, :, -1] = 0, 255
        Image.fromarray(samples).save("alpha.png")
        pixels, notes = there_and_back(capsys, "alpha.png")
        alpha = samples[..., -1:] / 255
        assert np.abs(pixels - (samples[..., :-1] * alpha + 255 * (1 - alpha))).max() <= 1
        assert (pixels[0] == 255).all() and (pixels[1] == samples[1, :, :-1]).all()
        assert notes == [ON_WHITE]

    @pytest.mark.parametrize("brightest", [65535, 255])  # a dark picture stays dark
    def test_16_bits_grey(self, capsys, brightest: int) -> None:
        samples = np.random.default_rng(1).integers(0, brightest + 1, (9, 9), dtype=np.uint16)
        for name in ("deep.png", "deep.tif"):
            Image.fromarray(samples).save(name)
            pixels, notes = there_and_back(capsys, name)
            assert np.array_equal(pixels[..., 0], np.rint(samples / 257)) and notes == [TO_8_BITS]

    @pytest.mark.parametrize(("colour_type", "channels"), [(2, 3), (4, 2), (6, 4)])
    def test_16_bits_in_colour_or_with_alpha(self, capsys, colour_type: int, channels: int) -> None:
        samples = np.random.default_rng(2).integers(0, 65536, (9, 9, channels), dtype=np.uint16)
        Path("deep.png").write_bytes(deep_png(colour_type, samples))
        pixels, notes = there_and_back(capsys, "deep.png")
        alpha = np.ones((9, 9, 1)) if channels == 3 else samples[..., -1:] / 65535
        colours = samples[..., : channels - (channels != 3)] / 257
        assert np.abs(pixels - (colours * alpha + 255 * (1 - alpha))).max() <= 2
        assert notes == [TO_8_BITS] + [ON_WHITE] * (channels != 3)

    def test_16_bits_grey_with_one_transparent_value(self, capsys) -> None:
        samples = np.array([[[0x1234], [0x1235], [0xFFFF]]], dtype=np.uint16)
        kind, data = b"tRNS", b"\x12\x34"
        clear = struct.pack(">I", 2) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        Path("clear.png").write_bytes(deep_png(0, samples, clear))
        pixels, notes = there_and_back(capsys, "clear.png")
        assert pixels[0, :, 0].tolist() == [255, round(0x1235 / 257), 255] and notes == [TO_8_BITS, ON_WHITE]

    def test_32_bits_and_floats(self, capsys) -> None:
        floats = np.linspace(0, 1, 81, dtype=np.float32).reshape(9, 9)
        Image.fromarray(floats).save("floats.tif")
        pixels, notes = there_and_back(capsys, "floats.tif")
        assert np.array_equal(pixels[..., 0], np.rint(floats.astype(float) * 255)) and notes == [TO_8_BITS]
        integers = np.linspace(0, 65535, 81).astype(np.int32).reshape(9, 9)
        Image.fromarray(integers).save("integers.tif")
        pixels, notes = there_and_back(capsys, "integers.tif")
        assert np.array_equal(pixels[..., 0], np.rint(integers / 257)) and notes == [TO_8_BITS]

    def test_16_bits_a_pixel_are_not_16_bits_a_sample(self, capsys) -> None:
        # The BMP of 5 + 6 + 5 bits, written by hand: red, green, blue, white from the lower left on.
        pixels = struct.pack("<4H", 0xF800, 0x07E0, 0x001F, 0xFFFF)
        masks = struct.pack("<3I", 0xF800, 0x07E0, 0x001F)
        info = struct.pack("<IiiHHIIiiII", 40, 2, 2, 1, 16, 3, 8, 0, 0, 0, 0)
        Path("565.bmp").write_bytes(b"BM" + struct.pack("<IHHI", 74, 0, 0, 66) + info + masks + pixels)
        decoded, notes = there_and_back(capsys, "565.bmp")
        assert decoded.tolist() == [[[0, 0, 255], [255] * 3], [[255, 0, 0], [0, 255, 0]]] and notes == []

    def test_cmyk(self, capsys) -> None:
        image = Image.new("CMYK", (8, 8), (255, 0, 0, 0))
        image.save("print.tif")
        pixels, notes = there_and_back(capsys, "print.tif")
        assert (pixels == [0, 255, 255]).all() and notes == []

    @pytest.mark.parametrize("orientation", range(2, 9))
    def test_exif_rotation(self, capsys, orientation: int) -> None:
        rgb = noise(5, 7, 3)
        exif = Image.Exif()
        exif[0x0112] = orientation
        Image.fromarray(rgb).save("turned.png", exif=exif)
        pixels, notes = there_and_back(capsys, "turned.png")
        flipped = {2: (1,), 3: (0, 1), 4: (0,), 5: (), 6: (0,), 7: (0, 1), 8: (1,)}[orientation]
        upright = np.flip(rgb, flipped)
        if orientation >= 5:
            upright = upright.transpose(1, 0, 2)
        assert np.array_equal(pixels, upright) and notes == [UPRIGHT]

    def test_of_an_animation_the_first_picture(self, capsys) -> None:
        frames = [Image.new("RGB", (6, 4), colour) for colour in ("red", "lime", "blue")]
        for name in ("moves.gif", "moves.png", "pages.tif"):
            frames[0].save(name, save_all=True, append_images=frames[1:])
            pixels, notes = there_and_back(capsys, name)
            assert (pixels == [255, 0, 0]).all() and pixels.shape == (4, 6, 3) and notes == [FIRST]

    @pytest.mark.parametrize("size", [(1, 1), (777, 1), (1, 777), (389, 513)])
    def test_odd_sizes(self, capsys, size: tuple[int, int]) -> None:
        rgb = noise(size[1], size[0], 3)
        Image.fromarray(rgb).save("odd.png")
        assert np.array_equal(there_and_back(capsys, "odd.png")[0], rgb)


@pytest.mark.usefixtures("stand_in")
class TestWhatIsSaid:
    def test_encode_and_decode(self, capsys, here: Path) -> None:
        Image.fromarray(noise(51, 70, 3)).save("photo.png")
        status, out, err = lic(capsys, "encode", "photo.png", "photo.lic")
        size = Path("photo.lic").stat().st_size
        rate = f"{size:,} bytes, {8 * size / (70 * 51):.3f} bits per pixel"
        assert (status, out, err) == (0, f"photo.lic: 70 x 51, {rate}\n", "") and "," in f"{size:,}"
        assert unpack(Path("photo.lic").read_bytes()).fingerprint == FINGERPRINT
        assert lic(capsys, "decode", "photo.lic", "back.png") == (0, "back.png: 70 x 51\n", "")

    def test_encode_at_a_quality(self, capsys, here: Path) -> None:
        Image.fromarray(noise(5, 7, 3)).save("photo.png")
        assert lic(capsys, "encode", "photo.png", "photo.lic")[0] == 0
        assert unpack(Path("photo.lic").read_bytes()).quality == 50
        for quality in (1, 99, 100):
            assert lic(capsys, "encode", "photo.png", "photo.lic", "--quality", quality)[0] == 0
            assert unpack(Path("photo.lic").read_bytes()).quality == quality

    @pytest.mark.parametrize(
        ("codec", "rows"),
        [
            (
                ("codec", 73),
                ["codec        codec", "quality      73", "z            2,000 bytes", "slice 1      0 bytes"],
            ),
            (("first_codec", 0), ["codec        first_codec", "string 1     2,000 bytes", "string 2     0 bytes"]),
        ],
    )
    def test_info(self, capsys, here: Path, monkeypatch, codec: tuple[str, int], rows: list[str]) -> None:
        data = pack(Stream(70, 51, FINGERPRINT, (bytes(2000), b""), *codec))
        Path("photo.lic").write_bytes(data)
        for ours, sentence in [
            (FINGERPRINT, "that of the checkpoint that ships, which can decode it"),
            (OTHER, f"decode it with its own --checkpoint (the one that ships has {OTHER})"),
            (None, "the checkpoint that ships is not to be found here"),
        ]:
            monkeypatch.setattr(cli, "_shipped_fingerprint", lambda kind, ours=ours: ours if kind == codec[0] else "")
            status, out, err = lic(capsys, "info", "photo.lic")
            assert (status, err) == (0, "")
            assert out.splitlines() == [
                "photo.lic",
                "  layout       version 2",
                *(f"  {row}" for row in rows[:-2]),
                "  picture      70 x 51 pixels",
                f"  file         {len(data):,} bytes, {8 * len(data) / 3570:.3f} bits per pixel",
                "  header       31 bytes",
                *(f"  {row}" for row in rows[-2:]),
                f"  fingerprint  {FINGERPRINT}: {sentence}",
            ]

    def test_info_says_which_section_is_damaged(self, capsys, here: Path) -> None:
        strings = tuple(bytes([k]) * 100 for k in range(6))
        data = pack(Stream(70, 51, FINGERPRINT, strings, "codec", 50))
        damaged = bytearray(data)
        damaged[read_header(data).sections[2].begin] ^= 1
        for name, changed, rows, sentence in [
            ("damaged", damaged, {"slice 2": "damaged"}, "the checksum of slice 2 is wrong; a preview"),
            ("cut", data[:-150], {"slice 4": "cut short", "slice 5": "missing"}, "of 642, and 4 whole string(s) of 6"),
            ("both", damaged[:-90], {"slice 2": "damaged", "slice 5": "cut short"}, "checksum of slice 2 is wrong"),
            ("longer", data + b"more", {}, "the file was added to: it has 646 bytes, not 642."),
        ]:
            Path(name).write_bytes(changed)
            status, out, err = lic(capsys, "info", name)
            assert status == 2 and err.startswith(f"error: {name!r}: ") and sentence in err and err.count("\n") == 1
            for section in ("z", *(f"slice {k}" for k in range(1, 6))):
                row = f"  {section:<11}  100 bytes" + (f": {rows[section]}" if section in rows else "")
                assert row in out.splitlines()
            assert ("instead of 642" in out) == (len(changed) != len(data)) and FINGERPRINT in out

    def test_endings_in_capitals(self, capsys, here: Path) -> None:
        Image.fromarray(noise(50, 70, 3)).save("PHOTO.PNG")
        assert lic(capsys, "encode", "PHOTO.PNG", "PHOTO.LIC")[0] == 0
        assert lic(capsys, "decode", "PHOTO.LIC", "BACK.PNG")[0] == 0

    def test_pillow_warns_nobody(self, capsys, here: Path, monkeypatch, recwarn) -> None:
        Image.fromarray(noise(50, 70, 3)).save("photo.png")
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # above this, Pillow warns; at twice as much, it refuses
        assert lic(capsys, "encode", "photo.png", "photo.lic")[::2] == (0, "")
        assert not recwarn.list

    def test_a_lossy_ending_is_noted(self, capsys, here: Path) -> None:
        Image.fromarray(noise(50, 70, 3)).save("photo.png")
        lic(capsys, "encode", "photo.png", "photo.lic")
        status, out, err = lic(capsys, "decode", "photo.lic", "back.jpg")
        assert (status, out) == (0, "back.jpg: 70 x 50\n")
        assert err == "note: JPEG has changed the pixels; .png would keep them exactly.\n"
        with Image.open("back.jpg") as back:
            assert (back.format, back.size) == ("JPEG", (70, 50))

    def test_names_that_no_terminal_shows(self, capsys, here: Path) -> None:
        name = os.fsdecode(b"caf\xe9\n.png")
        try:
            Image.fromarray(noise(4, 4, 3)).save(name)
        except OSError:
            pytest.skip("this file system has no such names")
        assert lic(capsys, "encode", name, name + ".lic")[0] == 0
        assert "caf\\udce9\\n" in refused(capsys, here, "decode", name, "back.png")

    def test_version_and_help(self, capsys) -> None:
        for arguments, words in [
            (["--version"], [f"lic {__version__}"]),
            (["--help"], ["encode", "decode", "info", "laid on white", "8-bit", "EXIF"]),
            (["encode", "--help"], ["OUT.lic", "--checkpoint", "--quality", "default: 50", "laid on white", "8-bit"]),
            (["decode", "--help"], ["OUT.png", "--checkpoint", "--slices"]),
        ]:
            with pytest.raises(SystemExit) as left:
                cli.main(arguments)
            out = capsys.readouterr().out
            assert left.value.code == 0 and all(word in out for word in words)

    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["paint"],
            ["encode"],
            ["encode", "a.png"],
            ["encode", "a", "b.lic", "--quality", "x"],
            ["info", "a", "b"],
        ],
    )
    def test_usage_errors(self, capsys, arguments: list[str]) -> None:
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        assert left.value.code == 2 and "usage: lic" in capsys.readouterr().err


@pytest.fixture
def table(here: Path, stand_in, capsys) -> Path:
    """A folder with one of everything that a command might be given."""
    Image.fromarray(noise(40, 60, 3)).save("photo.png")
    Path("text.txt").write_text("hello\n")
    Path("empty").write_bytes(b"")
    Path("folder.lic").mkdir()
    Path("folder.png").mkdir()
    assert cli.main(["encode", "photo.png", "photo.lic"]) == 0
    data = Path("photo.lic").read_bytes()
    Path("cut.lic").write_bytes(data[:-50])
    Path("flipped.lic").write_bytes(data[:100] + bytes([data[100] ^ 4]) + data[101:])
    Path("longer.lic").write_bytes(data + b"\0")
    Path("headless.lic").write_bytes(data[:12] + bytes([data[12] ^ 4]) + data[13:])
    Path("stub.lic").write_bytes(data[:30])
    Path("foreign.lic").write_bytes(pack(Stream(60, 40, OTHER, unpack(data).strings, "codec", 50)))
    Path("noise.lic").write_bytes(pack(Stream(60, 40, FINGERPRINT, (bytes(100),) * 2, "codec", 50)))
    Path("first.lic").write_bytes(pack(Stream(60, 40, FINGERPRINT, (bytes(100),))))
    checkpoint(Path("other.checkpoint"), OTHER)
    save_file({}, "first.checkpoint")
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


class TestBadInput:
    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("missing.png", "there is no file 'missing.png'."),
            ("no folder/photo.png", "there is no file"),
            ("folder.png", "'folder.png' is a folder"),
            ("text.txt", "'text.txt': it is no picture, or of a kind that Pillow does not know."),
            ("empty", "'empty': it is no picture"),
            ("photo.lic", "'photo.lic': it is no picture"),
            ("cut.png", "'cut.png': it is damaged, or of a kind that Pillow cannot read ("),
            ("flipped.png", "'flipped.png': it is damaged"),
            ("bomb.png", "'bomb.png': Pillow cannot open it as a picture (Image size (400000000 pixels)"),
            (
                "large.png",
                "a picture of 12,000 x 12,000 pixels does not fit in a .lic file, which allows 1 to",
            ),
            ("large.png", f"65,535 pixels on each side and {MAX_PIXELS:,} altogether."),
            ("long.png", "a picture of 70,000 x 1 pixels does not fit"),
            (os.devnull, "is a device or a pipe"),
        ],
    )
    def test_encode(self, capsys, table: Path, source: str, sentence: str) -> None:
        assert sentence in refused(capsys, table, "encode", source, "out.lic")
        assert sentence in refused(capsys, table, "encode", source, "photo.lic" if source != "photo.lic" else "cut.lic")

    @pytest.mark.parametrize(
        ("source", "sentence"),
        [
            ("missing.lic", "there is no file 'missing.lic'."),
            ("folder.lic", "'folder.lic' is a folder"),
            ("text.txt", "'text.txt': this is no .lic file"),
            ("photo.png", "'photo.png': this is no .lic file"),
            ("empty", "'empty': the file is empty."),
            ("cut.lic", "'cut.lic': the file was cut short"),
            ("flipped.lic", "'flipped.lic': the file is damaged: the checksum of slice 1 is wrong; a preview"),
            ("longer.lic", "'longer.lic': the file was added to"),
            ("headless.lic", "'headless.lic': the file is damaged: its header's checksum is wrong."),
            ("stub.lic", "'stub.lic': the file was cut short or damaged: its 30 bytes do not even hold a header."),
            (os.devnull, "is a device or a pipe"),
        ],
    )
    def test_decode_and_info(self, capsys, table: Path, source: str, sentence: str) -> None:
        assert sentence in refused(capsys, table, "decode", source, "out.png")
        assert sentence in refused(capsys, table, "decode", source, "cut.png")
        try:
            facts = read_header(Path(source).read_bytes()) if os.path.isfile(source) else None
        except BitstreamError:
            facts = None
        if facts is None:
            assert sentence in refused(capsys, table, "info", source)
        else:
            status, out, err = lic(capsys, "info", source)
            assert status == 2 and "60 x 40" in out and sentence in err and err.count("\n") == 1

    @pytest.mark.parametrize("quality", ["0", "101", "-1", "1000000"])
    def test_qualities_that_there_are_not(self, capsys, table: Path, quality: str) -> None:
        sentence = refused(capsys, table, "encode", "photo.png", "new.lic", "--quality", quality)
        assert sentence == f"--quality is a whole number from 1 to 100, not {quality}."

    def test_a_first_codec_has_one_quality_and_no_slices(self, capsys, table: Path) -> None:
        job = ["encode", "photo.png", "new.lic", "--checkpoint", "first.checkpoint", "--quality", "50"]
        assert "which has one quality; leave --quality out." in refused(capsys, table, *job)
        sentence = refused(capsys, table, "decode", "first.lic", "new.png", "--slices", "0")
        assert "has no slices; leave --slices out." in sentence

    @pytest.mark.parametrize("slices", ["-1", "2", "1000"])
    def test_slices_that_there_are_not(self, capsys, table: Path, slices: str) -> None:
        sentence = refused(capsys, table, "decode", "photo.lic", "new.png", "--slices", slices)
        assert sentence == f"--slices is a whole number from 0 to 1 for 'photo.lic', not {slices}."

    def test_a_checkpoint_of_the_other_codec(self, capsys, table: Path) -> None:
        for source, other in [("photo.lic", "first.checkpoint"), ("first.lic", "other.checkpoint")]:
            sentence = refused(capsys, table, "decode", source, "new.png", "--checkpoint", other)
            assert f"{source!r} was made by " in sentence and f"while {other!r} is a checkpoint of " in sentence

    def test_no_checkpoint_ships(self, capsys, table: Path, monkeypatch) -> None:
        monkeypatch.setattr(cli, "shipped", lambda name: table / "nowhere" / name)
        for job in (["encode", "photo.png", "new.lic"], ["decode", "photo.lic", "new.png"]):
            sentence = refused(capsys, table, *job)
            assert "the checkpoint of codec that ships is missing" in sentence and "codec.safetensors" in sentence
            assert sentence.endswith("name one by --checkpoint.")
        assert "first_codec.safetensors" in refused(capsys, table, "decode", "first.lic", "new.png")
        assert lic(capsys, "info", "photo.lic")[0] == 0

    def test_a_preview_of_a_file_that_was_cut_short(self, capsys, table: Path) -> None:
        darkest = tuple(np.asarray(Image.open("photo.png")).min((0, 1)))
        for source in ("cut.lic", "flipped.lic", "photo.lic"):
            status, out, err = lic(capsys, "decode", source, "new.png", "--slices", 0)
            assert (status, out, err) == (0, "new.png: 60 x 40, 0 of 1 slices\n", "")
            with Image.open("new.png") as preview:
                assert preview.size == (60, 40) and preview.getcolors() == [(2400, darkest)]
        Path("new.png").unlink()
        for arguments in ([], ["--slices", "1"]):
            sentence = refused(capsys, table, "decode", "cut.lic", "new.png", *arguments)
            assert "1 whole string(s) of 2; a preview can be had with --slices 0." in sentence
        assert "was cut short" in refused(capsys, table, "decode", "stub.lic", "new.png", "--slices", "0")

    def test_a_film_is_not_read_to_its_end(self, capsys, table: Path) -> None:
        Path("film").write_bytes(b"film")
        os.truncate("film", 2**25)
        tracemalloc.start()
        try:
            assert "this is no .lic file" in one_sentence(capsys, "info", "film")
            assert tracemalloc.get_traced_memory()[1] < 2**20
        finally:
            tracemalloc.stop()

    def test_a_stream_of_another_checkpoint(self, capsys, table: Path) -> None:
        sentence = refused(capsys, table, "decode", "foreign.lic", "out.png")
        assert "'foreign.lic' was made with another checkpoint" in sentence
        assert OTHER in sentence and FINGERPRINT in sentence and "--checkpoint" in sentence
        assert lic(capsys, "decode", "foreign.lic", "out.png", "--checkpoint", "other.checkpoint")[0] == 0
        sentence = refused(capsys, table, "decode", "photo.lic", "out.png", "--checkpoint", "other.checkpoint")
        assert "another checkpoint" in sentence

    def test_a_stream_that_the_coder_refuses(self, capsys, table: Path) -> None:
        sentence = refused(capsys, table, "decode", "noise.lic", "out.png")
        assert sentence == "'noise.lic': the stream does not end with its symbols: it is damaged."

    @pytest.mark.parametrize(
        "error", [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:127] can't allocate memory: 97 GB")]
    )
    def test_more_memory_than_there_is(self, capsys, table: Path, monkeypatch, error: Exception) -> None:
        def fail(*_args, **_kwargs) -> None:
            raise error

        sentence = "the picture needs more memory than there is; a smaller one may do."
        monkeypatch.setattr(StandIn, "encode", fail)
        assert refused(capsys, table, "encode", "photo.png", "out.lic") == sentence
        monkeypatch.setattr(StandIn, "decode", fail)
        assert refused(capsys, table, "decode", "photo.lic", "out.png") == sentence
        monkeypatch.setattr(Image.Image, "convert", fail)
        if isinstance(error, MemoryError):
            assert refused(capsys, table, "encode", "photo.png", "out.lic") == sentence

    def test_a_mistake_of_ours_is_not_blamed_on_the_input(self, table: Path, monkeypatch) -> None:
        def fail(*_args) -> None:
            raise RuntimeError("shapes cannot be multiplied")

        monkeypatch.setattr(StandIn, "decode", fail)
        with pytest.raises(RuntimeError, match="shapes"):
            cli.main(["decode", "photo.lic", "out.png"])
        assert not Path("out.png").exists()

    def test_no_such_checkpoint(self, capsys, table: Path) -> None:
        for missing, sentence in [("missing", "there is no file 'missing'."), ("a\nb", "'a\\nb'")]:
            for job in (["encode", "photo.png", "out.lic"], ["decode", "photo.lic", "out.png"]):
                assert sentence in refused(capsys, table, *job, "--checkpoint", missing)

    @pytest.mark.parametrize(
        ("output", "sentence"),
        [
            ("nowhere/out.lic", "there is no folder 'nowhere' to write to; create it first."),
            ("text.txt/out.lic", "there is no folder 'text.txt'"),
            ("out.png", "the output's name must end in .lic, unlike 'out.png'."),
            ("photo.png", "must end in .lic"),
            ("out", "must end in .lic"),
            ("folder.lic", "'folder.lic' is a folder"),
            ("x" * 300 + ".lic", "File name too long"),
        ],
    )
    def test_outputs_of_encode(self, capsys, table: Path, output: str, sentence: str) -> None:
        assert sentence in refused(capsys, table, "encode", "photo.png", output)

    @pytest.mark.parametrize(
        ("output", "sentence"),
        [
            ("nowhere/out.png", "there is no folder 'nowhere' to write to; create it first."),
            ("out.xyz", "'out.xyz': Pillow writes no pictures with the ending '.xyz'; choose .png."),
            ("out", "with the ending ''; choose .png."),
            ("out.mpg", "with the ending '.mpg'; choose .png."),  # Pillow knows it, but only reads it
            ("out.ico", "Pillow cannot write this picture as ICO, so choose .png (it would have"),
            ("out.xbm", "Pillow cannot write this picture as XBM"),
            ("folder.png", "'folder.png' is a folder"),
        ],
    )
    def test_outputs_of_decode(self, capsys, table: Path, output: str, sentence: str) -> None:
        Image.fromarray(noise(300, 300, 3)).save("icon.png")  # larger than icons can be
        assert cli.main(["encode", "icon.png", "photo.lic"]) == 0
        capsys.readouterr()
        assert sentence in refused(capsys, table, "decode", "photo.lic", output)

    def test_output_equal_to_input(self, capsys, table: Path) -> None:
        Path("photo.png").rename("sly.lic")
        Path("photo.lic").rename("sly.png")
        os.link("sly.lic", "twin.lic")
        os.symlink("sly.lic", "link.lic")
        for output in (
            "sly.lic",
            "./sly.lic",
            table / "sly.lic",
            "twin.lic",
            "link.lic",
            "folder.png/../sly.lic",
        ):
            assert "is the input; give another name." in refused(capsys, table, "encode", "sly.lic", output)
        assert "is the input; give another name." in refused(capsys, table, "decode", "sly.png", "sly.png")

    def test_a_device_is_never_replaced(self, capsys, table: Path) -> None:
        os.mkfifo("pipe.png")
        assert "is a device or a pipe" in refused(capsys, table, "decode", "photo.lic", "pipe.png")
        assert stat.S_ISFIFO(os.stat("pipe.png").st_mode)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "BMP", "WEBP", "PPM", "TGA", "ICO", "JPEG2000"])
    def test_damaged_pictures(self, capsys, table: Path, kind: str) -> None:
        """Pillow may still make something of them; else there is one sentence and no file."""
        rng = random.Random(kind)
        file = io.BytesIO()
        Image.fromarray(noise(24, 31, 3)).save(file, format=kind)
        endings = set()
        for _ in range(30):
            data = bytearray(file.getvalue())
            for _ in range(rng.choice([0, 1, 5, 50])):
                data[int(len(data) * rng.random() ** 3)] = rng.randrange(256)  # headers hurt most
            Path("damaged").write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
            status, out, err = lic(capsys, "encode", "damaged", "damaged.lic")
            endings.add(status)
            assert status in (0, 2) and err.count("error: ") == (status == 2)
            assert Path("damaged.lic").exists() == (status == 0) == (out != "")
            assert status == 0 or (err.count("\n") == 1 and err.endswith(".\n"))
            Path("damaged.lic").unlink(missing_ok=True)
        assert 2 in endings


class TestAllOrNothing:
    """Whatever stops the command, an output is complete or untouched, and nothing lies beside it."""

    JOBS = (("encode", "photo.png", "photo.lic"), ("decode", "photo.lic", "back.png"))

    @pytest.fixture(autouse=True)
    def outputs(self, table: Path) -> None:
        Path("back.png").write_bytes(b"an older file")

    @pytest.mark.parametrize("job", JOBS)
    @pytest.mark.parametrize("moment", ["compute", "write", "replace"])
    def test_ctrl_c(self, capsys, table: Path, monkeypatch, job: tuple[str, ...], moment: str) -> None:
        def stop(*_args, **_kwargs):
            raise KeyboardInterrupt

        def write_a_bit_and_stop(path: Path, data: bytes) -> None:
            with open(path, "wb") as file:
                file.write(data[:10])
            raise KeyboardInterrupt

        before = contents(table)
        if moment == "compute":
            monkeypatch.setattr(StandIn, "encode", stop)
            monkeypatch.setattr(StandIn, "decode", stop)
        elif moment == "write":
            monkeypatch.setattr(Path, "write_bytes", write_a_bit_and_stop)
        else:
            monkeypatch.setattr(os, "replace", stop)
        assert lic(capsys, *job) == (130, "", "")
        assert contents(table) == before

    @pytest.mark.parametrize("job", JOBS)
    def test_a_full_disk(self, capsys, table: Path, monkeypatch, job: tuple[str, ...]) -> None:
        def write_a_bit_and_fail(path: Path, data: bytes) -> None:
            with open(path, "wb") as file:
                file.write(data[:10])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(Path, "write_bytes", write_a_bit_and_fail)
        assert refused(capsys, table, *job) == f"{job[-1]!r}: No space left on device."

    @pytest.mark.parametrize("job", JOBS)
    def test_notes_come_only_with_a_result(self, capsys, table: Path, monkeypatch, job: tuple[str, ...]) -> None:
        Image.fromarray(noise(8, 8, 4)).save("photo.png")

        def fail(*_args) -> None:
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "replace", fail)
        assert "Input/output error" in refused(capsys, table, *job)

    def test_an_older_file_is_replaced(self, capsys, table: Path) -> None:
        assert lic(capsys, *self.JOBS[1])[0] == 0
        with Image.open("back.png") as back, Image.open("photo.png") as photo:
            assert back.tobytes() == photo.tobytes()
        names = {path.name for path in table.iterdir()}
        assert not any("unfinished" in name for name in names)

    def test_as_long_a_name_as_there_can_be(self, capsys, table: Path) -> None:
        name = "x" * (os.pathconf(".", "PC_NAME_MAX") - 4) + ".lic"
        assert lic(capsys, "encode", "photo.png", name)[0] == 0 and Path(name).exists()

    def test_a_link_stays_a_link(self, capsys, table: Path) -> None:
        Path("elsewhere").mkdir()
        os.symlink("elsewhere/real.png", "link.png")
        assert lic(capsys, "decode", "photo.lic", "link.png")[0] == 0
        assert Path("link.png").is_symlink() and Path("elsewhere/real.png").stat().st_size > 100

    def test_others_may_read_the_file_as_the_umask_says(self, capsys, table: Path) -> None:
        old = os.umask(0o027)
        try:
            assert lic(capsys, "encode", "photo.png", "new.lic")[0] == 0
        finally:
            os.umask(old)
        assert stat.S_IMODE(os.stat("new.lic").st_mode) == 0o640


@pytest.mark.parametrize("with_medians", [False, True])
def test_info_reads_a_first_codec_without_pytorch(tmp_path: Path, monkeypatch, random_tables, with_medians) -> None:
    monkeypatch.setattr(cli, "shipped", lambda name: tmp_path / name)
    file = tmp_path / "first_codec.safetensors"
    assert cli._shipped_fingerprint("first_codec") is None
    tables = random_tables(np.random.default_rng(0))
    coder = EntropyCoder(tables, torch.arange(len(tables.length)).float() if with_medians else None)
    whole = safetensors_bytes({"prior.slot._extra_state": coder.to_tensor(), "weight": torch.zeros(9)})
    file.write_bytes(whole)
    assert tables_fingerprint(file) == tables.fingerprint() == cli._shipped_fingerprint("first_codec")
    no_slot = safetensors_bytes({"weight": torch.zeros(9)})
    empty_slot = safetensors_bytes({"prior.slot._extra_state": torch.empty(0, dtype=torch.uint8)})
    for data in (b"", b"hello", whole[:-100], bytes(1000), no_slot, empty_slot):
        file.write_bytes(data)
        assert cli._shipped_fingerprint("first_codec") is None


def test_info_reads_a_full_codec_without_pytorch(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(cli, "shipped", lambda name: tmp_path / name)
    assert cli._shipped_fingerprint("codec") is None
    file = checkpoint(tmp_path / "codec.safetensors", OTHER)
    assert cli._shipped_fingerprint("codec") == OTHER and cli._shipped_fingerprint("first_codec") is None
    save_file({}, file)
    assert cli._shipped_fingerprint("codec") is None
    file.write_bytes(b"hello")
    assert cli._shipped_fingerprint("codec") is None


def test_cheap_answers_come_without_pytorch(tmp_path: Path) -> None:
    (tmp_path / "photo.lic").write_bytes(pack(Stream(60, 40, OTHER, (bytes(100),))))
    (tmp_path / "full.lic").write_bytes(pack(Stream(60, 40, OTHER, (bytes(100), bytes(100)), "codec", 50)))
    (tmp_path / "text.lic").write_text("hello\n")
    program = """if True:
        import sys
        from tutorial_lib.cli import main
        assert main(["info", "photo.lic"]) == 0
        assert main(["info", "full.lic"]) == 0
        assert main(["decode", "full.lic", "back.png", "--slices", "2"]) == 2
        assert main(["encode", "text.lic", "new.lic", "--quality", "0"]) == 2
        assert main(["info", "text.lic"]) == 2
        assert main(["decode", "text.lic", "back.png"]) == 2
        assert main(["decode", "photo.lic", "back.xyz"]) == 2
        assert main(["encode", "text.lic", "new.lic"]) == 2
        assert main(["encode", "missing.png", "new.lic"]) == 2
        assert not {"torch", "matplotlib", "tutorial_lib.first_codec", "tutorial_lib.codec"} & set(sys.modules)
    """
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert [line[:7] for line in ran.stderr.splitlines()] == ["error: "] * 7
    assert {path.name for path in tmp_path.iterdir()} == {"photo.lic", "full.lic", "text.lic"}


def small_codec(seed: int) -> Codec:
    torch.manual_seed(seed)
    codec = Codec(Settings(hidden=8, depth=1, smooth=4, side=8, features=8, inner=8)).eval()
    codec.build_coder()
    return codec


@pytest.fixture(scope="module")
def small() -> Codec:
    return small_codec(seed=0)


class TestFullCodec:
    """The full codec, small and fresh."""

    @pytest.fixture
    def codec(self, small: Codec) -> Codec:
        return small

    @pytest.fixture
    def desk(self, capsys, here: Path, codec: Codec) -> Path:
        """A photo, a checkpoint, and the photo's file."""
        to_pil(photo("chelsea")).resize((70, 51)).save("photo.png")
        codec.save("small.safetensors", {"trained_on": "nothing"})
        job = ["encode", "photo.png", "photo.lic", "--checkpoint", "small.safetensors", "--quality", "60"]
        assert lic(capsys, *job)[0] == 0
        return here

    def test_the_picture_comes_back_as_the_model_made_it(self, capsys, desk: Path, codec: Codec) -> None:
        data, image = Path("photo.lic").read_bytes(), from_pil(Image.open("photo.png"))
        stream = unpack(data)
        assert (stream.codec, stream.quality, len(stream.strings)) == ("codec", 60, 6)
        assert data == codec.encode(image, 60) and len(data) <= sum(map(len, stream.strings)) + 64
        for slices in (None, 0, 2, 5):
            arguments = [] if slices is None else ["--slices", slices]
            job = ["decode", "photo.lic", "back.png", "--checkpoint", "small.safetensors", *arguments]
            said = "" if slices is None else f", {slices} of 5 slices"
            assert lic(capsys, *job) == (0, f"back.png: 70 x 51{said}\n", "")
            assert torch.equal(from_pil(Image.open("back.png")), codec.decode(data, slices))

    def test_a_cut_file_is_a_preview(self, capsys, desk: Path, codec: Codec) -> None:
        data = Path("photo.lic").read_bytes()
        Path("cut.lic").write_bytes(data[: read_header(data).sections[3].end + 10])
        job = ["decode", "cut.lic", "back.png", "--checkpoint", "small.safetensors"]
        sentence = refused(capsys, desk, *job)
        assert "4 whole string(s) of 6; a preview can be had with --slices 3." in sentence
        assert refused(capsys, desk, *job, "--slices", 4) == sentence
        assert lic(capsys, *job, "--slices", 3)[0] == 0
        assert torch.equal(from_pil(Image.open("back.png")), codec.decode(data, 3))

    def test_info(self, capsys, desk: Path, codec: Codec, monkeypatch) -> None:
        monkeypatch.setattr(cli, "shipped", lambda name: desk / name.replace("codec", "small"))
        assert (
            cli._shipped_fingerprint("codec")
            == codec.fingerprint()
            == metadata_of(Path("small.safetensors"))["fingerprint"]
        )
        status, out, err = lic(capsys, "info", "photo.lic")
        assert (status, err) == (0, "")
        rows = dict(line.split(maxsplit=1) for line in out.replace("slice ", "slice_").splitlines()[1:])
        assert list(rows) == (
            "layout codec quality picture file header z slice_1 slice_2 slice_3 slice_4 slice_5 fingerprint".split()
        )
        parts = [int(rows[name].removesuffix(" bytes").replace(",", "")) for name in list(rows)[5:-1]]
        assert sum(parts) == Path("photo.lic").stat().st_size and rows["quality"] == "60"
        assert rows["fingerprint"] == f"{codec.fingerprint()}: that of the checkpoint that ships, which can decode it"

    def test_another_checkpoint(self, capsys, desk: Path) -> None:
        other = small_codec(seed=1)
        other.save("other.safetensors")
        sentence = refused(capsys, desk, "decode", "photo.lic", "back.png", "--checkpoint", "other.safetensors")
        assert "'photo.lic' was made with another checkpoint" in sentence and other.fingerprint() in sentence

    def test_a_checkpoint_or_a_file_of_the_first_codec(self, capsys, desk: Path) -> None:
        first = shipped("first_codec.safetensors")
        sentence = refused(capsys, desk, "decode", "photo.lic", "back.png", "--checkpoint", first)
        assert "'photo.lic' was made by codec, while" in sentence and "is a checkpoint of first_codec" in sentence
        assert lic(capsys, "encode", "photo.png", "first.lic", "--checkpoint", first)[0] == 0
        sentence = refused(capsys, desk, "decode", "first.lic", "back.png", "--checkpoint", "small.safetensors")
        assert "'first.lic' was made by first_codec, while 'small.safetensors' is a checkpoint of codec" in sentence

    def test_checkpoints_that_say_they_are_one_and_are_not(self, capsys, desk: Path) -> None:
        checkpoint(Path("sly.safetensors"), FINGERPRINT)
        Path("cut.safetensors").write_bytes(Path("small.safetensors").read_bytes()[:-100])
        for name in ("sly.safetensors", "cut.safetensors"):
            assert "not a checkpoint" in refused(capsys, desk, "encode", "photo.png", "new.lic", "--checkpoint", name)

    def test_damaged_strings_with_right_checksums(self, capsys, desk: Path, codec: Codec) -> None:
        stream = unpack(Path("photo.lic").read_bytes())
        *most, last = stream.strings
        for strings in [(b"",) * 6, (*most, b""), (*most, last[:-4]), (*most, last + b"1234"), (*most, last, b"")]:
            Path("forged.lic").write_bytes(pack(replace(stream, strings=strings)))
            job = ["decode", "forged.lic", "out.png", "--checkpoint", "small.safetensors"]
            assert refused(capsys, desk, *job).startswith("'forged.lic': ")

    def test_in_fresh_processes_as_installed(self, desk: Path, codec: Codec) -> None:
        command = Path(sys.executable).with_name("lic")
        for arguments in (
            "encode photo.png again.lic --checkpoint small.safetensors --quality 60",
            "decode again.lic back.png --checkpoint small.safetensors --slices 1",
        ):
            ran = subprocess.run([command, *arguments.split()], capture_output=True, text=True)
            assert (ran.returncode, ran.stderr) == (0, "")
        assert unpack(Path("again.lic").read_bytes()).fingerprint == codec.fingerprint()


class TestShippedCheckpoint:
    """The first codec, with the checkpoint in data/checkpoints."""

    FIRST = ("--checkpoint", shipped("first_codec.safetensors"))

    @pytest.fixture
    def codec(self):
        return FirstCodec.load()

    @pytest.mark.parametrize("size", [(1, 1), (777, 1), (1, 777), (389, 513), (256, 256)])
    def test_the_picture_comes_back_as_the_model_made_it(self, capsys, here: Path, codec, size) -> None:
        image = to_pil(photo("chelsea")).resize(size)
        image.save("photo.png")
        pixels, notes = there_and_back(capsys, "photo.png", *self.FIRST)
        assert notes == [] and pixels.shape == (size[1], size[0], 3)
        with torch.no_grad():
            output = codec(to_float(from_pil(image)))
        assert np.array_equal(pixels, np.asarray(to_pil(to_uint8(output["x_hat"]))))
        ideal = sum(float(bits(likelihoods)) for likelihoods in output["likelihoods"].values()) / 8
        # Rounded to 16 bits, the tables may by chance fit a picture a little better than the density itself.
        assert 0.98 * ideal <= Path("there.lic").stat().st_size <= 1.002 * ideal + 64

    def test_info_knows_its_own(self, capsys, here: Path, codec) -> None:
        to_pil(photo("chelsea")).save("photo.png")
        assert lic(capsys, "encode", "photo.png", "photo.lic", *self.FIRST)[0] == 0
        assert "which can decode it" in lic(capsys, "info", "photo.lic")[1]
        assert cli._shipped_fingerprint("first_codec") == codec.fingerprint()

    def test_damaged_strings_with_a_right_checksum(self, capsys, here: Path, codec) -> None:
        image = to_pil(photo("coffee")).resize((80, 60))
        string = codec.compress(to_float(from_pil(image)))["strings"][0][0]
        damaged = bytearray(string)
        damaged[len(damaged) // 2] ^= 16
        for strings in [(bytes(damaged),), (b"",), (string[:-4],), (bytes(100),)]:
            Path("forged.lic").write_bytes(pack(Stream(80, 60, codec.fingerprint(), strings)))
            assert refused(capsys, here, "decode", "forged.lic", "out.png").startswith("'forged.lic': ")

    def test_files_that_are_no_checkpoint(self, capsys, here: Path, codec) -> None:
        to_pil(photo("coffee")).resize((80, 60)).save("photo.png")
        Path("folder").mkdir()
        Path("text.safetensors").write_text("hello\n")
        whole = shipped("first_codec.safetensors").read_bytes()
        Path("cut.safetensors").write_bytes(whole[: len(whole) // 2])
        for checkpoint in (
            "missing.safetensors",
            "folder",
            "text.safetensors",
            "cut.safetensors",
            "photo.png",
        ):
            refused(capsys, here, "encode", "photo.png", "photo.lic", "--checkpoint", checkpoint)

    def test_in_fresh_processes_as_installed(self, here: Path) -> None:
        to_pil(photo("coffee")).resize((120, 90)).save("photo.png")
        command = Path(sys.executable).with_name("lic")
        said = []
        for arguments in [
            ["encode", "photo.png", "photo.lic", *self.FIRST],
            ["decode", "photo.lic", "back.png"],
            ["info", "photo.lic"],
        ]:
            ran = subprocess.run([command, *arguments], capture_output=True, text=True)
            assert (ran.returncode, ran.stderr) == (0, "")
            said.append(ran.stdout)
        assert said[0].startswith("photo.lic: 120 x 90, ") and said[1] == "back.png: 120 x 90\n"
        with Image.open("back.png") as back:
            assert back.size == (120, 90)
        ran = subprocess.run([command, "decode", "photo.png", "b.png"], capture_output=True, text=True)
        assert ran.returncode == 2 and ran.stderr.count("\n") == 1 and not Path("b.png").exists()
