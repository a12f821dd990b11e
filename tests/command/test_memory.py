"""`--memory`: what a picture takes is said before the work."""

from pathlib import Path

import pytest

from tutorial_lib.command import memory
from tutorial_lib.command.bad_input import BadInput

PHOTO = Path("photo.lic")
GIGABYTE = 2**30


def check(needed: int | None, limit: int | None) -> None:
    memory.check_memory(PHOTO, (12000, 8000), needed, limit, "; --scale 1/2 takes less")


def test_a_picture_beyond_the_limit_is_refused_in_a_sentence() -> None:
    with pytest.raises(BadInput) as refused:
        check(2 * GIGABYTE, 1536)
    said = "'photo.lic': 12000 x 8000 pixels take about 2.0 GB of memory, while --memory allows 1.5 GB; --scale 1/2"
    assert str(refused.value) == f"{said} takes less."


def test_small_amounts_are_said_in_megabytes() -> None:
    with pytest.raises(BadInput, match="take about 3 MB of memory, while --memory allows 2 MB;"):
        check(2 * 2**20 + 1, 2)


def test_what_the_machine_has_free_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_memory", lambda: GIGABYTE)
    check(GIGABYTE, None)
    with pytest.raises(BadInput, match=r"while 1\.0 GB are free"):
        check(GIGABYTE + 1, None)
    check(GIGABYTE + 1, 1025)


def test_where_nobody_knows_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check(None, 1)
    monkeypatch.setattr(memory, "free_memory", lambda: None)
    check(2**60, None)


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_is_a_number_of_megabytes(limit: int) -> None:
    with pytest.raises(BadInput, match=f"--memory is {limit}; it is a number of megabytes"):
        check(None, limit)


def test_free_memory_is_a_plausible_number() -> None:
    free = memory.free_memory()
    assert free is None or 2**20 < free < 2**50
