"""What `lic encode` and `lic decode` are to read and to write: a file or a pipe, or many files into a folder."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from tutorial_lib.command.bad_input import BadInput, check_input, check_output, of_file, printable, quoted, write_output
from tutorial_lib.command.stopping import signals_wait
from tutorial_lib.command.streams import is_closed

STANDARD = Path("-")  # standard input, or standard output
PIECE = 1 << 20  # bytes at a time


class Job(NamedTuple):
    """One input and its output. force: write-protected outputs are replaced, too. others: what the others have written.

    Names that differ may be one file's, as A.lic and a.lic are on many disks.
    """

    source: Path
    target: Path
    force: bool = False
    others: Written | None = None

    def check_source(self) -> None:
        """Raise BadInput unless it can be read."""
        if self.source != STANDARD:
            check_input(self.source)

    def check_target(self) -> None:
        """Raise BadInput unless it can be written: a check for before the work."""
        if self.target != STANDARD:
            check_output(self.target, None if self.source == STANDARD else self.source, self.force)
        elif sys.stdout.isatty():
            raise BadInput("standard output is a terminal; send it to a file or a pipe.")
        elif is_closed(sys.stdout):
            raise BadInput("standard output is closed, so the result would be lost; give a file.")

    def write(self, data: bytes, said: str, notes: list[str]) -> Done:
        """The output, all of it or nothing. said: what to say of it on stdout."""
        if self.target == STANDARD:
            patient: Any = sys.stdout  # streams.Patient
            patient.write_bytes(data)
            return Done("", notes)
        if os.path.exists(self.target) and (others := self.target.stat().st_nlink - 1):
            names = "another name" if others == 1 else f"{others:,} other names"
            notes = [*notes, f"{quoted(self.target)} had {names} (hard links), by which the older file is still there."]
        with self.others or nullcontext():
            if self.others is not None:
                self.others.check(self.target)
            write_output(self.target, data, self.force)
            if self.others is not None:
                self.others.add(self.target)
        return Done(f"{printable(self.target)}: {said}", notes)


class Written:
    """The files that several threads have written: `with written:` is for one of them at a time."""

    def __init__(self) -> None:
        self.lock, self.files = threading.Lock(), set[tuple[int, int]]()

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *_raised: object) -> None:
        self.lock.release()

    def check(self, path: Path) -> None:
        """Raise BadInput if it is one of them."""
        if os.path.exists(path) and self._of(path) in self.files:
            raise BadInput(f"{quoted(path)} has just been written for another input; give them different folders.")

    def add(self, path: Path) -> None:
        self.files.add(self._of(path))

    @staticmethod
    def _of(path: Path) -> tuple[int, int]:
        about = os.stat(path)
        return about.st_dev, about.st_ino


class Done(NamedTuple):
    """What there is to say of a job: on stdout, unless that is the output; and on stderr."""

    said: str
    notes: list[str]


@contextmanager
def as_file(source: Path) -> Iterator[Path]:
    """A file to read and seek in: standard input becomes one for a while."""
    if source != STANDARD:
        yield source
        return
    with ExitStack() as stack:
        with _room_for_standard_input():
            path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "standard input"
            file = open(path, "wb")
        for piece in iter(lambda: sys.stdin.buffer.read(PIECE), b""):
            with _room_for_standard_input():
                file.write(piece)
        with _room_for_standard_input():
            file.close()
        yield path


@contextmanager
def _room_for_standard_input() -> Iterator[None]:
    """What goes wrong inside is the fault of the folder for temporary files, not of the input."""
    try:
        yield
    except OSError as error:
        reason = of_file(error).rstrip(".")
        hint = "the environment variable TMPDIR names another folder"
        raise BadInput(f"standard input could not be put into a file: {reason}; {hint}.") from None


def add_arguments(parser: argparse.ArgumentParser, output: str) -> None:
    """The inputs and outputs, for the parser of a command. output: how its output is called in the help."""
    parser.usage = f"%(prog)s [options] IN {output}\n       %(prog)s [options] IN IN … --out-dir DIR"
    meaning = f"what to read, then the file to write, {output}; - is standard input or output"
    parser.add_argument("paths", type=Path, nargs="+", metavar="IN", help=meaning)
    meaning = "write a file for each input into this folder, named after it; what fails is left out"
    parser.add_argument("--out-dir", type=Path, metavar="DIR", help=meaning)
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="work on so many at once; default: 1")
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--force", action="store_true", help="replace outputs that are write-protected, too")
    existing.add_argument("--no-clobber", action="store_true", help="leave outputs alone that are there already")
    parser.set_defaults(complain=parser.error)


def jobs_of(options: argparse.Namespace, ending: str) -> list[Job]:
    """What the arguments of `add_arguments` ask for. ending: of outputs in a folder. Raises BadInput."""
    paths, folder = options.paths, options.out_dir
    if options.jobs < 1:
        raise BadInput(f"--jobs is {options.jobs}; it must be 1 or more.")
    if folder is None:
        if len(paths) != 2:
            options.complain(f"give one input and one output, or --out-dir DIR; {len(paths)} names were given.")
        return [Job(paths[0], paths[1], options.force)]
    if STANDARD in paths:
        raise BadInput("standard input has no name that an output in --out-dir could get.")
    written = Written()
    jobs = [Job(path, folder / f"{path.stem}{ending}", options.force, written) for path in paths]
    sources = {os.path.realpath(path) for path in paths}
    for job in jobs:
        if os.path.realpath(job.target) in sources:
            raise BadInput(f"the output {quoted(job.target)} is an input; give another folder.")
    places = Counter(os.path.realpath(job.target) for job in jobs)  # an output may be a link to another
    twice = [job.target for job in jobs if places[os.path.realpath(job.target)] > 1]
    if twice:
        raise BadInput(f"several inputs would be written to {quoted(twice[0])}; give them different folders.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"{quoted(folder)}: {error.strerror}.") from None
    return jobs


def do_all(jobs: list[Job], work: Callable[[Job], Done], options: argparse.Namespace) -> None:
    """Do the jobs, and say what came of them, in their order. Raises BadInput; where there are many, after the last."""
    clobber = not options.no_clobber
    wanted = [job for job in jobs if clobber or job.target == STANDARD or not os.path.lexists(job.target)]
    for job in jobs:
        if job not in wanted:
            print(f"note: {quoted(job.target)} is there already, and was left alone.", file=sys.stderr)
    if options.out_dir is None:
        for job in wanted:
            _say(work(job), print)
        return
    failed = _do_many(wanted, work, options.jobs)
    if failed:
        others = "; the others are done" if failed < len(jobs) else ""
        raise BadInput(f"{failed:,} of {len(jobs):,} inputs failed{others}.")


def _do_many(jobs: list[Job], work: Callable[[Job], Done], at_once: int) -> int:
    """How many failed. A bar shows on a terminal, after the first second."""
    from tqdm import tqdm

    with signals_wait():
        import torch

    failed, threads = 0, torch.get_num_threads()
    torch.set_num_threads(max(1, threads // at_once))  # the jobs share the cores
    pool = ThreadPoolExecutor(at_once)
    try:
        futures = [pool.submit(work, job) for job in jobs]
        with tqdm(futures, unit="file", file=sys.stderr, leave=False, disable=None, delay=1) as bar:
            for future in bar:
                try:
                    _say(future.result(), bar.write)
                except BadInput as error:
                    bar.write(f"error: {' '.join(str(error).split())}", file=sys.stderr)
                    failed += 1
    finally:
        pool.shutdown(cancel_futures=True)  # when stopped: what has begun is finished, the rest is not begun
        torch.set_num_threads(threads)
    return failed


def _say(done: Done, write: Callable[..., None]) -> None:
    for note in done.notes:
        write(f"note: {note}", file=sys.stderr)
    if done.said:
        write(done.said)
