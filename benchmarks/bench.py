"""Everything that this project measures against its peers, in one table: `make bench`, or

    python benchmarks/bench.py [SUBJECT …] [--rounds 7] [--threads 2] [--longest 20] [--cpu] [--check]

Subjects: coders, tables, training, pictures, imports, memory (all of them, if none is named). `coders.py`, `tables.py`,
`models.py` and `processes.py` say what is measured and which floors it has; `side_by_side.py` says how. "theirs / ours"
is how many times as much the peer takes: above 1, ours is better.

- Rounds: up to --rounds, no more after a minute, and three at least.
- A call that would take over --longest seconds, by what it took at the next smaller size, is left out, and so is its
  row's ratio.
- --cpu: seconds of the processes on their cores, for a machine that is busy with other things.
- --check: exit with 1, and name the rows, if a ratio lies below its floor.
"""

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib.util import find_spec

from side_by_side import Rounds, Row, Rows, cpu_seconds, head

SUBJECTS = ("coders", "tables", "training", "pictures", "imports", "memory")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--longest", type=float, default=20, metavar="SECONDS")
    parser.add_argument("--cpu", action="store_true", help="processor seconds instead of those on the clock")
    parser.add_argument("--check", action="store_true", help="fail if a ratio is below its floor")
    options = parser.parse_args()
    if unknown := [subject for subject in options.subjects if subject not in SUBJECTS]:
        parser.error(f"there is no subject {unknown[0]!r}; there are {', '.join(SUBJECTS)}.")
    if missing := [peer for peer in ("compressai", "constriction") if not find_spec(peer)]:
        parser.error(f"there is nothing to compare with: pip install --no-deps {' '.join(missing)}")
    if options.rounds < 1 or options.threads < 1:
        parser.error("give at least 1 round and 1 thread.")

    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # of the processes that are started, too
    warnings.filterwarnings("ignore")  # CompressAI uses what PyTorch has deprecated
    import torch

    torch.set_num_threads(options.threads)
    measure = measures()
    rounds = Rounds(options.rounds, options.longest, cpu_seconds if options.cpu else time.perf_counter)
    clock = "processor time" if options.cpu else "time on the clock"
    print(head(f"{options.threads} thread(s), {clock}, load {os.getloadavg()[0]:.1f}"), flush=True)
    below = report(row for subject in options.subjects or SUBJECTS for row in measure[subject](rounds))
    if options.check and below:
        sys.exit("\n".join(["below the floor:", *below]))


def report(rows: Iterable[Row]) -> list[str]:
    """Print the rows as they come. Returns those below their floor."""
    below = []
    for row in rows:
        print(row, flush=True)
        if row.is_below:
            below.append(f"{row.what}, {row.peer}: {row.ratio:.2f}, not {row.floor:.2f}")
    return below


def measures() -> Mapping[str, Callable[[Rounds], Rows]]:
    """What each subject measures. The peers are imported here, after threads and warnings are set."""
    import coders
    import models
    import processes
    import tables

    return {
        "coders": coders.rows,
        "tables": tables.rows,
        "training": models.training,
        "pictures": models.pictures,
        "imports": processes.imports,
        "memory": processes.memory,
    }


if __name__ == "__main__":
    main()
