"""Many inputs into a folder, pipes instead of files, and what becomes of outputs that are there already."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import stat
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tutorial_lib.command.bad_input import BadInput
from tutorial_lib.command.jobs import Job, Written
from tutorial_lib.command.streams import Patient


@pytest.fixture
def photos(table: Path, noise) -> list[str]:
    """Three photos in a folder; their names."""
    Path("photos").mkdir()
    names = [f"photos/{name}.png" for name in "abc"]
    for k, name in enumerate(names):
        Image.fromarray(noise(10 + k, 20, 3)).save(name)
    return names


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


class TestManyInputs:
    @pytest.mark.parametrize("jobs", [1, 2, 5])
    def test_there_and_back(self, lic, photos: list[str], jobs: int) -> None:
        status, out, err = lic("encode", *photos, "--out-dir", "new/lic", "--jobs", jobs, "--quality", 70)
        files = [f"new/lic/{name}.lic" for name in "abc"]
        assert (status, err) == (0, "") and [line.split(": ")[0] for line in out.splitlines()] == files
        status, out, err = lic("decode", *files, "--out-dir", "back", "--jobs", jobs)
        assert (status, err) == (0, "")
        assert out.splitlines() == [f"back/{name}.png: 20 x {10 + k}" for k, name in enumerate("abc")]
        for name in "abc":
            assert (pixels(f"back/{name}.png") == pixels(f"photos/{name}.png")).all()

    def test_each_is_the_file_that_one_alone_gives(self, lic, photos: list[str]) -> None:
        assert lic("encode", *photos, "--out-dir", "lic", "--jobs", 3)[0] == 0
        for name in "abc":
            assert lic("encode", f"photos/{name}.png", "alone.lic")[0] == 0
            assert Path("alone.lic").read_bytes() == Path(f"lic/{name}.lic").read_bytes()

    def test_what_fails_is_named_and_the_others_are_done(self, lic, photos: list[str]) -> None:
        status, out, err = lic("encode", photos[0], "text.txt", "missing", photos[2], "--out-dir", "lic")
        assert status == 2 and [line.split(": ")[0] for line in out.splitlines()] == ["lic/a.lic", "lic/c.lic"]
        assert err.splitlines() == [
            "error: 'text.txt': it is no picture, or of a kind that Pillow does not know.",
            "error: there is no file 'missing'.",
            "error: 2 of 4 inputs failed; the others are done.",
        ]
        assert {path.name for path in Path("lic").iterdir()} == {"a.lic", "c.lic"}

    def test_outputs_that_are_links_to_each_other(self, refused, photos: list[str]) -> None:
        Path("lic").mkdir()
        Path("lic/b.lic").symlink_to("a.lic")
        assert "several inputs would be written to 'lic/a.lic'" in refused("encode", *photos, "--out-dir", "lic")

    def test_names_that_are_the_same_to_the_disk(self, here: Path) -> None:
        """As A.lic and a.lic are on many; here they are made so once one of them is written."""
        written = Written()
        Job(Path("a.png"), Path("a.lic"), others=written).write(b"first", "", [])
        os.link("a.lic", "A.lic")
        with pytest.raises(BadInput, match="has just been written for another input; give them different folders"):
            Job(Path("A.png"), Path("A.lic"), others=written).write(b"second", "", [])
        assert Path("a.lic").read_bytes() == b"first"
        Job(Path("b.png"), Path("b.lic"), others=written).write(b"third", "", [])

    def test_where_all_fail_there_are_no_others(self, lic, photos: list[str]) -> None:
        status, out, err = lic("encode", "text.txt", "missing", "--out-dir", "lic")
        assert (status, out) == (2, "") and err.endswith("error: 2 of 2 inputs failed.\n")

    def test_what_is_wrong_with_all_is_said_once(self, one_sentence, photos: list[str]) -> None:
        sentence = one_sentence("encode", *photos, "--out-dir", "lic", "--quality", 0)
        assert sentence == "--quality: a quality is a whole number from 1 to 100, not 0."

    @pytest.mark.parametrize(
        ("arguments", "sentence"),
        [
            (["photos/a.png", "photos/a.png"], "several inputs would be written to 'lic/a.lic'"),
            (["photos/a.png", "-"], "standard input has no name that an output in --out-dir could get."),
            (["photos/a.png", "--jobs", "0"], "--jobs is 0; it must be 1 or more."),
            (["photos/a.png", "--out-dir", "text.txt"], "'text.txt': File exists."),
            (["photo.png", "photo.lic", "--out-dir", "."], "the output 'photo.lic' is an input; give another folder."),
        ],
    )
    def test_refused_before_the_work(self, refused, photos: list[str], arguments: list[str], sentence: str) -> None:
        assert sentence in refused("encode", "--out-dir", "lic", *arguments)

    @pytest.mark.parametrize("paths", [["a.png"], ["a.png", "b.png", "c.lic"]])
    def test_usage(self, lic, capsys, paths: list[str]) -> None:
        with pytest.raises(SystemExit) as left:
            lic("encode", *paths)
        assert left.value.code == 2 and "--out-dir DIR" in capsys.readouterr().err

    def test_options_may_stand_anywhere(self, lic, photos: list[str]) -> None:
        assert lic("encode", photos[0], "--quality", "70", "new.lic")[0] == 0
        assert lic("decode", "new.lic", "--slices", "1", "new.png")[0] == 0
        assert lic("encode", "--jobs", 2, photos[0], "--out-dir", "lic", *photos[1:])[0] == 0
        with pytest.raises(SystemExit):
            lic("encode", photos[0], "new.lic", "--bogus", "5")

    def test_a_name_takes_one_line(self, lic, photos: list[str]) -> None:
        for name in ("new\nline", "bell\a", "red\x1b[31m", "left\u202eright", "line\u2028"):
            os.replace(photos[0], f"{name}.png")
            status, out, _ = lic("encode", f"{name}.png", f"{name}.lic")
            shown = name.encode("unicode_escape").decode()
            assert status == 0 and out.startswith(f"{shown}.lic: 20 x 10, ") and out.count("\n") == 1
            assert lic("info", f"{name}.lic")[1].startswith(f"{shown}.lic\n  layout ")
            os.replace(f"{name}.png", photos[0])

    @pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
    def test_stopped(self, lic, photos: list[str], stand_in, monkeypatch, kind: signal.Signals) -> None:
        begun, encode = [], stand_in.codec.encode

        def stop(codec, *asked) -> bytes:
            begun.append(asked[0].size)
            if len(begun) == 2:
                os.kill(os.getpid(), kind)
                time.sleep(0.2)
            return encode(codec, *asked)

        monkeypatch.setattr(stand_in.codec, "encode", stop)
        status, _, err = lic("encode", *photos, "--out-dir", "lic")
        assert (status, err, len(begun)) == (128 + kind, "", 2)  # what has begun is finished
        assert {path.name for path in Path("lic").iterdir()} == {"a.lic", "b.lic"}

    @pytest.mark.parametrize("slow", [False, True])
    def test_a_bar_on_a_terminal(self, lic, photos: list[str], stand_in, monkeypatch, slow: bool) -> None:
        assert lic("encode", photos[0], "first.lic")[0] == 0  # what is compiled on the way is no part of the seconds
        data = Path("first.lic").read_bytes()

        def take_time(*_asked) -> bytes:
            time.sleep(0.6 * slow)
            return data

        monkeypatch.setattr(stand_in.codec, "encode", take_time)
        monkeypatch.setattr(Patient, "isatty", lambda _: True, raising=False)
        status, out, err = lic("encode", *photos, "--out-dir", "lic")
        assert status == 0 and len(re.findall(r"lic/[abc]\.lic: 20 x", out)) == 3
        assert ("2/3" in err) == slow


class TestPipes:
    @pytest.fixture
    def pipe(self, lic, monkeypatch):
        """pipe(data, *arguments): exit status, stdout as bytes, stderr; with `data` in standard input."""

        def run(data: bytes, *arguments: str) -> tuple[int, bytes, str]:
            out = io.TextIOWrapper(io.BytesIO(), write_through=True)
            with monkeypatch.context() as patch:
                patch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
                patch.setattr(sys, "stdout", out)
                status, _, err = lic(*arguments)
            return status, out.buffer.getvalue(), err

        return run

    def test_there_and_back(self, table: Path, pipe) -> None:
        photo, coded = Path("photo.png").read_bytes(), Path("photo.lic").read_bytes()
        assert pipe(photo, "encode", "-", "-") == (0, coded, "")
        assert pipe(b"", "encode", "photo.png", "-") == (0, coded, "")
        assert pipe(photo, "encode", "-", "new.lic")[0] == 0 and Path("new.lic").read_bytes() == coded
        status, back, err = pipe(coded, "decode", "-", "-")
        assert (status, err, back[:4]) == (0, "", b"\x89PNG")
        assert (pixels(io.BytesIO(back)) == pixels("photo.png")).all()
        assert pipe(coded, "decode", "-", "new.png")[0] == 0 and (pixels("new.png") == pixels("photo.png")).all()
        status, said, err = pipe(coded, "info", "-")
        assert (status, err) == (0, "") and said.startswith(b"-\n  layout       version 3\n")
        assert not Path("-").exists()

    def test_standard_input_that_cannot_be_read(self, one_sentence, table: Path, monkeypatch) -> None:
        def refuse(_size: int = -1) -> bytes:
            raise IsADirectoryError(errno.EISDIR, "Is a directory")

        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=SimpleNamespace(read=refuse)))
        assert one_sentence("encode", "-", "new.lic") == "'-': Is a directory."
        assert one_sentence("decode", "-", "new.png") == "'-': Is a directory."
        monkeypatch.setattr(sys, "stdin", None)  # as after <&-
        assert one_sentence("encode", "-", "new.lic") == "'-': the file is empty."
        monkeypatch.setattr(sys, "stdin", None)
        assert one_sentence("info", "-") == "'-': the file is empty."

    def test_standard_input_for_which_there_is_no_room(self, table: Path, pipe, monkeypatch) -> None:
        full = "error: standard input could not be put into a file: No space left on device; the environment"

        def no_room(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        for function in ("tempfile.TemporaryDirectory", "builtins.open"):
            with monkeypatch.context() as patch:
                patch.setattr(function, no_room)
                status, out, err = pipe(b"hello", "encode", "-", "new.lic")
            assert (status, out) == (2, b"") and err.startswith(full)

    def test_what_is_wrong_is_a_sentence(self, table: Path, pipe) -> None:
        assert pipe(b"hello", "encode", "-", "-")[::2] == (
            2,
            "error: '-': it is no picture, or of a kind that Pillow does not know.\n",
        )
        assert pipe(b"hello", "decode", "-", "-")[2].startswith("error: '-': this is no .lic file")
        assert pipe(b"", "decode", "-", "new.png")[2] == "error: '-': the file is empty.\n"

    def test_not_to_a_terminal(self, refused, table: Path, monkeypatch) -> None:
        monkeypatch.setattr(Patient, "isatty", lambda _: True, raising=False)
        assert refused("encode", "photo.png", "-") == "standard output is a terminal; send it to a file or a pipe."

    def test_a_full_disk_behind_the_pipe(self, table: Path, lic, monkeypatch, capsys) -> None:
        with open("/dev/full", "w") as full:
            monkeypatch.setattr(sys, "stdout", full)
            assert lic("encode", "photo.png", "-") == (2, "", "error: standard output: No space left on device.\n")


class TestOutputsThatAreThere:
    def test_no_clobber(self, lic, photos: list[str]) -> None:
        Path("lic").mkdir()
        Path("lic/b.lic").write_bytes(b"older")
        status, out, err = lic("encode", *photos, "--out-dir", "lic", "--no-clobber")
        assert (status, err) == (0, "note: 'lic/b.lic' is there already, and was left alone.\n")
        assert Path("lic/b.lic").read_bytes() == b"older" and len(out.splitlines()) == 2
        assert lic("encode", photos[0], "lic/b.lic", "--no-clobber")[0] == 0
        assert Path("lic/b.lic").read_bytes() == b"older"

    def test_force(self, lic, refused, photos: list[str]) -> None:
        os.chmod("photo.lic", 0o444)
        assert refused("encode", photos[0], "photo.lic") == "'photo.lic': Permission denied."
        assert lic("encode", photos[0], "photo.lic", "--force")[0] == 0
        assert stat.S_IMODE(os.stat("photo.lic").st_mode) == 0o444
        assert lic("decode", "photo.lic", "new.png")[1] == "new.png: 20 x 10\n"

    def test_not_both(self, lic, capsys) -> None:
        with pytest.raises(SystemExit):
            lic("encode", "a.png", "b.lic", "--force", "--no-clobber")
        assert "not allowed with" in capsys.readouterr().err
