"""`lic` as a whole: help and usage, checkpoints that are not there, memory, and what starts without PyTorch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tutorial_lib import __version__
from tutorial_lib.bitstream import Stream, pack
from tutorial_lib.command import codecs
from tutorial_lib.command.main import main
from tutorial_lib.encoder_search import DEFAULT_EFFORT
from tutorial_lib.quality import VariableRateCodec


def test_version_and_help(capsys) -> None:
    for arguments, words in [
        (["--version"], [f"lic {__version__}"]),
        (["--help"], ["encode", "decode", "info", "--plugin FILE.py", "laid on white", "8-bit", "EXIF"]),
        (
            ["encode", "--help"],
            [
                *("OUT.lic", "--checkpoint", "laid on white", "8-bit"),
                *(f"{VariableRateCodec.default_quality} unless it is", f"{DEFAULT_EFFORT} unless it is"),
            ],
        ),
        (["decode", "--help"], ["OUT.png", "--checkpoint", "--slices"]),
    ]:
        with pytest.raises(SystemExit) as left:
            main(arguments)
        out = " ".join(capsys.readouterr().out.split())
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
def test_usage_errors(capsys, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2 and "usage: lic" in capsys.readouterr().err


def test_a_library_that_cannot_be_loaded(refused, table: Path, monkeypatch) -> None:
    def fail(*_: object) -> None:
        raise ImportError("libtorch_cpu.so: failed to map segment from shared object")

    monkeypatch.setattr(codecs, "_register_all", fail)
    monkeypatch.setattr("tutorial_lib.command.coding.load_codec", fail)
    assert "failed to map segment from shared object); free memory" in refused("encode", "photo.png", "new.lic")


def test_no_checkpoint_ships(lic, refused, table: Path, monkeypatch) -> None:
    monkeypatch.setattr(codecs, "shipped", lambda name: table / "nowhere" / name)
    for job in (["encode", "photo.png", "new.lic"], ["decode", "photo.lic", "new.png"]):
        sentence = refused(*job)
        assert "the checkpoint of codec that ships is missing" in sentence and "codec.safetensors" in sentence
        assert sentence.endswith("name one by --checkpoint.")
    assert "first_codec.safetensors" in refused("decode", "first.lic", "new.png")
    assert lic("info", "photo.lic")[0] == 0


def test_no_such_checkpoint(refused, table: Path) -> None:
    for missing, sentence in [("missing", "there is no file 'missing'."), ("a\nb", "'a\\nb'")]:
        for job in (["encode", "photo.png", "out.lic"], ["decode", "photo.lic", "out.png"]):
            assert sentence in refused(*job, "--checkpoint", missing)


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail at alloc_cpu.cpp:127] can't allocate memory: 97 GB")]
)
def test_more_memory_than_there_is(refused, table: Path, stand_in, monkeypatch, error: Exception) -> None:
    def fail(*_args, **_kwargs) -> None:
        raise error

    sentence = "the picture needs more memory than there is; a smaller one may do."
    monkeypatch.setattr(stand_in.codec, "encode", fail)
    assert refused("encode", "photo.png", "out.lic") == sentence
    monkeypatch.setattr(stand_in.codec, "decode", fail)
    assert refused("decode", "photo.lic", "out.png") == sentence
    monkeypatch.setattr(Image.Image, "convert", fail)
    if isinstance(error, MemoryError):
        assert refused("encode", "photo.png", "out.lic") == sentence


def test_a_mistake_of_ours_is_not_blamed_on_the_input(table: Path, stand_in, monkeypatch) -> None:
    def fail(*_args) -> None:
        raise RuntimeError("shapes cannot be multiplied")

    monkeypatch.setattr(stand_in.codec, "decode", fail)
    with pytest.raises(RuntimeError, match="shapes"):
        main(["decode", "photo.lic", "out.png"])
    assert not Path("out.png").exists()


def test_cheap_answers_come_without_pytorch(tmp_path: Path) -> None:
    (tmp_path / "photo.lic").write_bytes(pack(Stream(60, 40, "ffeeddccbbaa9988", (bytes(100),), "first_codec")))
    (tmp_path / "full.lic").write_bytes(pack(Stream(60, 40, "ffeeddccbbaa9988", (bytes(100),) * 2, "codec", 50, 1)))
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
        assert not {"torch", "numba", "matplotlib", "tutorial_lib.transform_codec"} & set(sys.modules)
    """
    ran = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert [line[:7] for line in ran.stderr.splitlines()] == ["error: "] * 7
    assert {path.name for path in tmp_path.iterdir()} == {"photo.lic", "full.lic", "text.lic"}


class TestTheScript:
    """`lic` as it is installed: it ends early, and still says what it has to say, with the status of `main`."""

    @staticmethod
    def lic(*words: str, **more) -> subprocess.CompletedProcess:
        script = Path(sys.executable).with_name("lic")
        if not script.exists():
            pytest.skip("the package is not installed here")
        return subprocess.run([script, *words], capture_output=True, text=True, **more)

    def test_what_it_says_arrives(self) -> None:
        ran = self.lic("--version")
        assert ran.returncode == 0 and __version__ in ran.stdout

    def test_the_status_is_that_of_main(self, tmp_path: Path) -> None:
        ran = self.lic("info", "none.lic", cwd=tmp_path)
        assert ran.returncode == 2 and ran.stderr == "error: there is no file 'none.lic'.\n" and ran.stdout == ""

    def test_a_picture_there_and_back(self, tmp_path: Path) -> None:
        Image.new("RGB", (20, 10), (200, 30, 60)).save(tmp_path / "a.png")
        assert self.lic("encode", "a.png", "a.lic", cwd=tmp_path).stdout.startswith("a.lic: 20 x 10, ")
        assert self.lic("decode", "a.lic", "b.png", cwd=tmp_path).stdout == "b.png: 20 x 10\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a.lic", "a.png", "b.png"]


def test_a_folder_that_has_been_deleted(one_sentence, table: Path) -> None:
    Path("gone").mkdir()
    os.chdir("gone")
    (table / "gone").rmdir()
    assert one_sentence("encode", table / "photo.png", table / "new.lic") == (
        "the current folder has been deleted; go to another."
    )


def test_a_name_that_looks_like_an_option(lic, table: Path, capsys) -> None:
    Path("-photo.png").write_bytes(Path("photo.png").read_bytes())
    with pytest.raises(SystemExit):
        lic("encode", "-photo.png", "new.lic")
    assert "unrecognized arguments: -photo.png; the file of that name is ./-photo.png (lic" in capsys.readouterr().err
    assert lic("encode", "./-photo.png", "new.lic")[0] == 0


def test_why_there_is_no_region(lic, table: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        lic("decode", "photo.lic", "new.png", "--region", "0,0,8,8")
    assert "a region cannot be decoded alone, as a file's strings run through" in capsys.readouterr().err
