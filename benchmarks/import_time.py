"""What imports cost: `make bench`, or `python benchmarks/import_time.py [--rounds 5]`.

In each round every statement is run once by a fresh interpreter, one after another, so that all of them meet
the same machine. A ratio is the time of a statement over that of `import torch` in the same round, with the
interpreter's own start in both. The table shows medians over the rounds. `import tutorial_lib` may cost 1.5.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

REFERENCE = "import torch"
STATEMENTS = (
    "pass",
    REFERENCE,
    "import tutorial_lib",
    "from tutorial_lib import rans",
    "from tutorial_lib import cli",
    "from tutorial_lib import entropy_coder",
    "from tutorial_lib import first_codec",
    "from tutorial_lib.evaluation import metrics",
)


def seconds(statement: str) -> float:
    """A fresh interpreter's whole life, in which it runs this statement."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd=Path(__file__).parents[1])
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds

    seconds(REFERENCE)  # the files come from the disk once, and compiled modules are cached, before anything counts
    times = [{statement: seconds(statement) for statement in STATEMENTS} for _ in range(rounds)]

    print(f"{rounds} rounds, Python {sys.version.split()[0]}")
    print(f"{'statement':52} {'seconds':>8} {'ratio':>6}")
    for statement in STATEMENTS:
        ratio = median(each[statement] / each[REFERENCE] for each in times)
        print(f"{statement:52} {median(each[statement] for each in times):8.2f} {ratio:6.2f}")


if __name__ == "__main__":
    main()
