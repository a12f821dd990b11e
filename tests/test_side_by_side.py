"""The timing and the table that the benchmarks share."""

import importlib.util
import sys
from itertools import count
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def side_by_side():
    spec = importlib.util.spec_from_file_location("side_by_side", FOLDER / "side_by_side.py")
    module = sys.modules["side_by_side"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["side_by_side"]


def ticking(seconds: dict[str, float]):
    """A clock that advances only while a call runs, and the calls."""
    clock, order = [0.0], []

    def call(name: str) -> None:
        order.append(name)
        clock[0] += seconds[name]

    return (lambda: clock[0]), {name: (lambda name=name: call(name)) for name in seconds}, order


def test_calls_take_turns_and_short_ones_are_repeated(side_by_side) -> None:
    now, calls, order = ticking({"a": 2.0, "b": 6.0})
    times = side_by_side.Rounds(4, now=now).interleaved(calls)
    assert times == {"a": [2.0] * 4, "b": [6.0] * 4}  # of one call, however often it is repeated
    turns = [name for name, before in zip(order, [None, *order], strict=False) if name != before]
    assert turns == ["a", "b"] * 5 and len(order) > 20  # a round to warm up, then four


def test_the_ratio_is_the_median_of_the_rounds_ratios(side_by_side) -> None:
    row = side_by_side.Row("decode", "peer", [1.0, 2.0, 10.0], [3.0, 8.0, 20.0], 3.5)
    assert row.ratio == 3.0 and row.is_below
    assert str(row) == "| decode | 2 s | peer | 8 s | 3.00 | 3.50 |"
    assert not side_by_side.Row("decode", "peer", [1.0], [3.5], 3.5).is_below
    assert not side_by_side.Row("decode", "peer", [1.0], [3.0]).is_below


def test_what_would_take_too_long_is_left_out_and_is_not_below_its_floor(side_by_side) -> None:
    size = count(1)
    now, calls, _ = ticking({"ours": 1.0, "theirs": 9.0})
    rounds = side_by_side.Rounds(2, longest=20, now=now)
    small, middle, large = (rounds.growing(10 ** next(size), calls) for _ in range(3))
    assert small == {"ours": [1.0] * 2, "theirs": [9.0] * 2}
    assert middle == {"ours": [1.0] * 2, "theirs": []} and large == {"ours": [1.0] * 2, "theirs": []}
    row = rounds.row("decode", "peer", middle["ours"], middle["theirs"], 5.0)
    assert row.ratio is None and not row.is_below
    assert str(row) == "| decode (left out: over 20 s) | 1 s | peer | – | – | 5.00 |"


def test_rounds_that_lack_a_part_have_no_sum(side_by_side) -> None:
    assert side_by_side.each_round([1.0, 2.0], [10.0, 20.0]) == [11.0, 22.0]
    assert side_by_side.each_round([1.0, 2.0], []) == []


def test_a_process_has_a_life_and_a_peak_and_its_failure_is_not_silent(side_by_side) -> None:
    begin = side_by_side.cpu_seconds()
    seconds, peak = side_by_side.fresh_process("-c", "x = bytearray(200 << 20)")
    assert seconds > 0 and 200 < peak < 400
    assert side_by_side.cpu_seconds() > begin
    with pytest.raises(side_by_side.subprocess.CalledProcessError):
        side_by_side.fresh_process("-c", "raise SystemExit(3)")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.5, "s", "2.5 s"),
        (0.0123, "s", "12.3 ms"),
        (4.56e-6, "s", "4.56 µs"),
        (1234.5, "s", "1,234 s"),
        (976, "MiB", "976 MiB"),
    ],
)
def test_numbers_are_written_with_three_digits(side_by_side, value: float, unit: str, text: str) -> None:
    assert side_by_side.written(value, unit) == text


def test_the_report_names_the_rows_below_their_floor(side_by_side, monkeypatch, capsys) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))
    import bench

    rows = [side_by_side.Row("fast", "peer", [1.0], [2.0], 1.5), side_by_side.Row("slow", "peer", [1.0], [1.0], 1.5)]
    assert bench.report(iter(rows)) == ["slow, peer: 1.00, not 1.50"]
    assert capsys.readouterr().out.splitlines() == [
        "| fast | 1 s | peer | 2 s | 2.00 | 1.50 |",
        "| slow | 1 s | peer | 1 s | 1.00 | 1.50 |",
    ]
