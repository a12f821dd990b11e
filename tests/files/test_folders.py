"""Folders: what cannot be opened is counted and named, and what was changed is counted."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.files import picture_kinds
from tutorial_lib.files.folders import photos_in, read_photos
from tutorial_lib.files.jpeg_xl import read_header
from tutorial_lib.files.pictures import read_picture
from tutorial_lib.files.samples import ON_WHITE, TO_8_BITS

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
JXL = b"\xff\x0a" + bytes(100)
JPEG_XL_HEADERS = {  # (bits, moves): what libjxl writes for a black picture
    (8, False): "ff0a5809488048080401001c004b188b15820300",
    (10, False): "ff0a580948a080a245080401001c004b188b15820300",
    (12, False): "ff0a580948c080a245080401001c004b188b15820300",
    (16, False): "ff0a580948e007a06811080401001c004b188b15820300",
    (32, False): "ff0a5809489003285a040804010018004b188b158201",
    (8, True): "ff0ae80050089a00404c080401001c004b188b1582030008",
}


@pytest.fixture
def without_plugins(monkeypatch) -> None:
    """As where the extra is not installed."""
    for name in picture_kinds.PLUGINS:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(picture_kinds, "add_plugins", lambda: None)
    Image.init()
    for kind in ("HEIF", "JXL"):
        monkeypatch.delitem(Image.OPEN, kind, raising=False)
    monkeypatch.setattr(Image, "ID", [kind for kind in Image.ID if kind not in ("HEIF", "JXL")])
    kept = {e: k for e, k in Image.registered_extensions().items() if k not in ("HEIF", "JXL")}
    monkeypatch.setattr(Image, "EXTENSION", kept)


def photo(path: Path, deep: bool = False) -> None:
    Image.fromarray(np.full((4, 5), 1000 if deep else 100, np.uint16 if deep else np.uint8)).save(path)


def test_a_link_to_itself_is_named_and_left_out(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("b.png")
    said: list[str] = []
    read = dict(read_photos(photos_in(tmp_path), lambda width, height: None, said.append))
    assert [(path.name, picture is not None) for path, picture in read.items()] == [("a.png", True), ("b.png", False)]
    assert len(said) == 1 and said[0].startswith("'b.png' is left out: ")


def test_unreadable_kinds_are_counted(tmp_path: Path, without_plugins) -> None:
    photo(tmp_path / "a.png")
    for name in ("b.heic", "c.HEIC", "d.jxl", "e.NEF", "f.exr", "g.txt", ".DS_Store"):
        (tmp_path / name).write_bytes(HEIC)
    said: list[str] = []
    assert photos_in(tmp_path, said.append) == [tmp_path / "a.png"]
    heic, jxl, nef = (next(note for note in said if ending in note) for ending in (".heic", ".jxl", ".nef"))
    assert len(said) == 4 and any(note.startswith("1 .exr file is left out") for note in said)
    assert heic.startswith("2 .heic files are left out") and "photos" in heic and "pillow-heif" in heic
    assert jxl.startswith("1 .jxl file is left out") and "photos" in jxl
    assert nef.startswith("1 .nef file is left out") and "export" in nef and "photos" not in nef


def test_a_link_that_leads_nowhere_is_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to("missing.png")
    (tmp_path / "c.png").symlink_to("a.png")
    said: list[str] = []
    pictures = dict(read_photos(photos_in(tmp_path), lambda width, height: None, said.append))
    assert [path.name for path, picture in pictures.items() if picture is not None] == ["a.png", "c.png"]
    assert said == ["'b.png' is left out: No such file or directory."]


def test_a_folder_of_nothing_else(tmp_path: Path, without_plugins) -> None:
    for n in range(3):
        (tmp_path / f"{n}.heic").write_bytes(HEIC)
    with pytest.raises(ValueError, match=r"No image files were found in .*3 \.heic files.*extra, photos"):
        photos_in(tmp_path)


@pytest.mark.parametrize(("data", "kind"), [(HEIC, "HEIC"), (JXL, "JPEG XL")])
def test_a_file_of_such_a_kind_names_the_extra(tmp_path: Path, without_plugins, monkeypatch, data, kind) -> None:
    monkeypatch.setattr("tutorial_lib.files.pictures.add_plugins", lambda: None)
    for name in ("a.heic", "a.jpg"):  # by what it is, not by what it is called
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"it is a {kind} picture; .*extra, photos"):
            read_picture(tmp_path / name, lambda width, height: None)


def test_what_was_changed_is_counted(tmp_path: Path) -> None:
    for n in range(3):
        photo(tmp_path / f"{n}.png", deep=True)
    Image.new("RGBA", (4, 5), (1, 2, 3, 4)).save(tmp_path / "clear.png")
    photo(tmp_path / "plain.png")
    (tmp_path / "broken.png").write_bytes(b"none")
    said: list[str] = []
    read = dict(read_photos(photos_in(tmp_path), lambda width, height: None, said.append))
    assert [path.name for path, picture in read.items() if picture is None] == ["broken.png"]
    assert said == [
        "'broken.png' is left out: it is no picture, or of a kind that Pillow does not know.",
        f"3 pictures: t{TO_8_BITS[1:]}",
        f"1 picture: t{ON_WHITE[1:]}",
    ]


@pytest.mark.parametrize(("plugin", "ending"), [("pillow_heif", ".heic"), ("pillow_jxl", ".jxl")])
def test_with_the_plugin(tmp_path: Path, plugin: str, ending: str) -> None:
    pytest.importorskip(plugin)
    picture_kinds.add_plugins()
    rgb = np.full((32, 48, 3), (120, 90, 150), np.uint8)
    Image.fromarray(rgb).save(tmp_path / f"in{ending}", quality=95)
    assert photos_in(tmp_path) == [tmp_path / f"in{ending}"]
    picture, notes = read_picture(tmp_path / f"in{ending}", lambda width, height: None)
    assert np.abs(np.asarray(picture).astype(int) - rgb).max() <= 4 and notes == []


def test_jpeg_xl_says_its_size_and_bits_and_whether_it_moves() -> None:
    for (bits, moves), data in JPEG_XL_HEADERS.items():
        expected = (41, 30, bits, moves) if moves else (37, 300, bits, moves)
        for box in (b"", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\1\0jxlc", b"\0\0\0\x0cJXL \r\n\x87\n\0\0\1\0jxlp\0\0\0\0"):
            assert read_header(box + bytes.fromhex(data)) == expected
    assert read_header(b"\xff\x0b") is None and read_header(b"") is None


@pytest.mark.parametrize(("width", "height"), [(64, 64), (512, 256), (48, 36), (300, 7), (9, 300), (1920, 1080)])
def test_sizes_as_the_plugin_writes_them(tmp_path: Path, width: int, height: int) -> None:
    pytest.importorskip("pillow_jxl")
    picture_kinds.add_plugins()
    Image.new("L", (width, height)).save(tmp_path / "in.jxl", effort=1)
    header = read_header((tmp_path / "in.jxl").read_bytes())
    assert header is not None and header[:2] == (width, height)


def test_the_size_of_a_jpeg_xl_is_checked_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "in.jxl").write_bytes(bytes.fromhex(JPEG_XL_HEADERS[8, False]))

    def check(width: int, height: int) -> None:
        raise ValueError(f"{width} x {height} is too much.")

    with pytest.raises(ValueError, match=r"^37 x 300 is too much\.$"):
        read_picture(tmp_path / "in.jxl", check)
