"""Standard output that is closed, or full: what was to be written as a file is written, and there is no traceback."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tutorial_lib.bitstream import Stream, pack
from tutorial_lib.command.main import main

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
FULL = "error: standard output: No space left on device.\n"


@pytest.fixture
def shell(here: Path):
    """shell(line): exit status, stdout, stderr; `lic` is the command, in a process of its own."""
    Image.new("RGB", (8, 8)).save("photo.png")
    Path("file.lic").write_bytes(pack(Stream(60, 40, "ffeeddccbbaa9988", (bytes(100),) * 200, "own")))

    def run(line: str, unbuffered: bool) -> tuple[int, str, str]:
        definition = f'lic() {{ "{sys.executable}" -m tutorial_lib.cli "$@"; }}; set -o pipefail; '
        environment = {**os.environ, "PYTHONUNBUFFERED": "1" if unbuffered else ""}
        ran = subprocess.run(["bash", "-c", definition + line], capture_output=True, text=True, env=environment)
        return ran.returncode, ran.stdout, ran.stderr

    return run


@pytest.mark.parametrize("unbuffered", [False, True])
@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("lic info file.lic >&-", (0, "", "")),
        ("lic info file.lic >&- 2>&- <&-", (0, "", "")),
        ("lic info file.lic | true", (0, "", "")),
        (
            "lic encode photo.png - >&-",
            (2, "", "error: standard output is closed, so the result would be lost; give a file.\n"),
        ),
        ("lic info file.lic | head -1", (0, "file.lic\n", "")),
        ("lic info file.lic >/dev/full", (2, "", FULL)),
        ("lic info missing.lic >/dev/full", (2, "", "error: there is no file 'missing.lic'.\n")),
        ("lic info missing.lic 2>/dev/full", (2, "", "")),
        ("lic info missing.lic 2>&-", (2, "", "")),
        ("lic --help | true", (0, "", "")),
        ("lic --help >&-", (0, "", "")),
        ("lic --help >/dev/full", (2, "", FULL)),
    ],
)
def test_a_process_of_its_own(shell, line: str, said: tuple[int, str, str], unbuffered: bool) -> None:
    assert shell(line, unbuffered) == said


def test_an_encoding_that_lacks_characters(capsys, monkeypatch) -> None:
    for encoding in ("ascii", "latin-1"):
        with io.TextIOWrapper(io.BytesIO(), encoding=encoding) as out, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            with pytest.raises(SystemExit) as left:
                main(["encode", "--help"])
            assert left.value.code == 0 and rb"IN IN \u2026 --out-dir DIR" in out.buffer.getvalue()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("buffering", [-1, 1])
@pytest.mark.parametrize("job", [("encode", "photo.png", "new.lic"), ("decode", "photo.lic", "new.png")])
def test_the_file_is_written_all_the_same(table: Path, monkeypatch, capsys, job: tuple, buffering: int) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    for stream, status, err in [(writer, 0, ""), ("/dev/full", 2, FULL)]:
        Path(job[-1]).unlink(missing_ok=True)
        with open(stream, "w", buffering=buffering) as out, monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", out)
            assert main(list(job)) == status
        assert capsys.readouterr().err == err
        if job[0] == "encode":
            assert Path("new.lic").read_bytes() == Path("photo.lic").read_bytes()
        else:
            with Image.open("new.png") as new, Image.open("photo.png") as photo:
                assert new.tobytes() == photo.tobytes()


def test_notes_that_nobody_can_read_cost_nothing(noise, table: Path, monkeypatch, capsys) -> None:
    Image.fromarray(noise(40, 60, 4)).save("photo.png")
    with open("/dev/full", "w", buffering=1) as err:
        monkeypatch.setattr(sys, "stderr", err)
        assert main(["encode", "photo.png", "new.lic"]) == 0
    assert Path("new.lic").exists() and capsys.readouterr().out.startswith("new.lic: 60 x 40")
