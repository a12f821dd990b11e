"""What a process costs: seconds to import, and memory at its peak. Rows of `bench.py`, each of fresh processes.

- *imports*: the whole life of an interpreter that runs one statement, beside that of another one.
- *memory*: MiB at the peak of a process that loads a codec, encodes a picture with it and decodes it again; Python and
  PyTorch are in it. CompressAI's hyperprior has random weights. One run each: memory hardly varies.

    python benchmarks/processes.py ours 512 768      # what `bench.py` runs for a row of memory
"""

import sys
from dataclasses import replace
from functools import partial

from side_by_side import Rounds, Rows, fresh_process

TORCH = "import torch"
IMPORTS = (  # ours, theirs, the least that "theirs / ours" may be
    ("import tutorial_lib", TORCH, 1 / 1.5),
    ("from tutorial_lib import rans", TORCH, 1.0),
    ("from tutorial_lib import cli", TORCH, 1.0),
    ("from tutorial_lib import entropy_coder", TORCH, 1 / 1.5),
    ("from tutorial_lib import codec", TORCH, 1 / 1.5),
    ("from tutorial_lib import hyperprior", "from compressai.models import MeanScaleHyperprior", 1.0),
)
SIZES = ((512, 768), (1088, 1920), (2176, 3840))
MEMORY_FLOOR = 1.0  # at 4K: no more than CompressAI's hyperprior
WHO = {"ours": "full codec", "theirs": "CompressAI's hyperprior"}


def imports(rounds: Rounds) -> Rows:
    statements = dict.fromkeys(statement for ours, theirs, _ in IMPORTS for statement in (theirs, ours))
    lives = rounds.interleaved({each: partial(fresh_process, "-c", each) for each in statements})
    for ours, theirs, floor in IMPORTS:
        yield rounds.row(f"`{ours}`", f"`{theirs}`", lives[ours], lives[theirs], floor)


def memory(rounds: Rounds) -> Rows:
    for height, width in SIZES:
        peaks: dict[str, list[float]] = {}
        for side, name in WHO.items():
            peaks[side] = []
            if not rounds.too_long(f"memory of {name}", height * width):
                seconds, peak = fresh_process(__file__, side, str(height), str(width))
                rounds.note(f"memory of {name}", height * width, [seconds])
                peaks[side].append(peak)
        floor = MEMORY_FLOOR if (height, width) == SIZES[-1] else None
        row = rounds.row(f"{WHO['ours']}, {width:,} × {height:,}, memory", WHO["theirs"], *peaks.values(), floor)
        yield replace(row, unit="MiB")


def ours(height: int, width: int) -> None:
    import torch

    from tutorial_lib.codec import Codec

    codec = Codec.load()
    codec.decode(codec.encode(torch.randint(256, (3, height, width), dtype=torch.uint8), 50, 0))


def theirs(height: int, width: int) -> None:
    import torch
    from compressai.models import MeanScaleHyperprior

    model = MeanScaleHyperprior(128, 192).eval()
    model.update(force=True)
    with torch.no_grad():
        model.decompress(**model.compress(torch.rand(1, 3, height, width)))


if __name__ == "__main__":
    {"ours": ours, "theirs": theirs}[sys.argv[1]](*map(int, sys.argv[2:]))
