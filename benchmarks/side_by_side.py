"""How `bench.py` and `codec.py` compare: who is compared runs in turn, many times, and ratios are taken within a turn.

A machine does other things, too, and its clock rate wanders. So in each round every call runs once, one after another,
and whatever comes between hits all of them alike. A ratio is taken of two times of the same round; what is shown is the
median over the rounds, of the ratios as of the times. (The ratio shown is therefore not that of the times shown.)
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

Call = Callable[[], object]
SHORTEST = 0.005  # seconds: what takes less is called several times in a row
ENOUGH, FEWEST = 60.0, 3  # no more rounds after so many seconds, if there were so many


@dataclass(frozen=True)
class Row:
    """One thing that was measured, of us and of a peer; or that was left out, and why."""

    what: str
    peer: str
    ours: Sequence[float] = ()  # a number a round
    theirs: Sequence[float] = ()
    floor: float | None = None  # the least that the ratio may be
    left_out: str = ""
    unit: str = "s"

    @property
    def ratio(self) -> float | None:
        """How many times as much the peer takes: above 1 where ours is better."""
        if not self.ours or not self.theirs:
            return None
        return median(b / a for a, b in zip(self.ours, self.theirs, strict=True))

    @property
    def is_below(self) -> bool:
        """Is there a floor, and the ratio under it?"""
        return self.floor is not None and self.ratio is not None and self.ratio < self.floor

    def __str__(self) -> str:
        sides = [written(median(side), self.unit) if side else "–" for side in (self.ours, self.theirs)]
        ratio = "–" if self.ratio is None else f"{self.ratio:.2f}"
        floor = "" if self.floor is None else f"{self.floor:.2f}"
        what = f"{self.what} ({self.left_out})" if self.left_out else self.what
        return f"| {what} | {sides[0]} | {self.peer} | {sides[1]} | {ratio} | {floor} |"


def head(corner: str) -> str:
    """The two lines over the rows."""
    return f"| {corner} | ours | peer | theirs | theirs / ours | at least |\n|---|--:|---|--:|--:|--:|"


def written(value: float, unit: str) -> str:
    """
    >>> written(0.00345, "s"), written(3.45, "s"), written(345.6, "MiB")
    ('3.45 ms', '3.45 s', '346 MiB')
    """
    if unit == "s":
        value, unit = (value, "s") if value >= 1 else (1e3 * value, "ms") if value >= 1e-3 else (1e6 * value, "µs")
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


@dataclass
class Rounds:
    """How often, how long, and by which clock."""

    most: int = 7
    longest: float = 20.0  # seconds: what would take longer is left out
    now: Callable[[], float] = time.perf_counter
    last: dict[str, tuple[float, float]] = field(default_factory=dict)  # name: size, seconds

    def interleaved(self, calls: Mapping[str, Call]) -> dict[str, list[float]]:
        """Seconds of each call in each round, after one to warm up."""
        often = {name: self._warm_up(call) for name, call in calls.items()}
        times: dict[str, list[float]] = {name: [] for name in calls}
        end = time.perf_counter() + ENOUGH
        for done in range(self.most):
            if done >= FEWEST and time.perf_counter() > end:
                break
            for name, call in calls.items():
                begin = self.now()
                for _ in range(often[name]):
                    call()
                times[name].append((self.now() - begin) / often[name])
        return times

    def _warm_up(self, call: Call) -> int:
        """Memory is set aside, kernels are compiled. Returns how often in a row it shall be called."""
        for _ in range(2):
            begin = time.perf_counter()
            call()
            seconds = time.perf_counter() - begin
            if seconds > 1:
                break
        return min(1000, 1 + int(SHORTEST / max(seconds, 1e-9)))

    def growing(self, size: int, calls: Mapping[str, Call]) -> dict[str, list[float]]:
        """`interleaved`, but for calls that would take too long, as they took at a smaller size: these get no times."""
        times = self.interleaved({name: call for name, call in calls.items() if not self.too_long(name, size)})
        for name, each in times.items():
            self.note(name, size, each)
        return {name: times.get(name, []) for name in calls}

    def note(self, name: str, size: int, times: Sequence[float]) -> None:
        """Remember how long this took, to know what a larger size would take."""
        if times:
            self.last[name] = size, median(times)

    def too_long(self, name: str, size: int) -> bool:
        """Would it take more than `longest`, in proportion to the size before?"""
        before, seconds = self.last.get(name, (1, 0.0))
        return seconds * size / before > self.longest

    def row(self, what: str, peer: str, ours: Sequence[float], theirs: Sequence[float], floor: float | None) -> Row:
        """A row; if a side was left out, it says by which rule."""
        reason = "" if ours and theirs else f"left out: over {self.longest:g} s"
        return Row(what, peer, ours, theirs, floor, reason)


def each_round(*times: Sequence[float]) -> list[float]:
    """The sums of what took place in the same round; empty if anything was left out."""
    return [sum(each) for each in zip(*times, strict=True)] if all(times) else []


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for, on all cores."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def fresh_process(*arguments: str) -> tuple[float, float]:
    """A Python process's whole life: seconds on the clock, and MiB of memory at its peak.

    Raises subprocess.CalledProcessError if it fails.
    """
    # A small process starts it: what Linux counts as a process's peak is at least what its parent held.
    starter = [sys.executable, "-I", "-S", "-c", STARTER, sys.executable, "-W", "ignore", *arguments]
    said = subprocess.run(starter, cwd=Path(__file__).parents[1], check=True, capture_output=True, text=True).stdout
    seconds, peak = map(float, said.split())
    return seconds, peak / 1024  # Linux counts in KiB


STARTER = """
import resource, subprocess, sys, time
begin = time.perf_counter()
status = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(status)
"""


Rows = Iterator[Row]
