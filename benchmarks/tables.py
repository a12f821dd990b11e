"""From probabilities to a coder's integer tables, beside CompressAI. Rows of `bench.py`.

Models with equal weights, from the weights to tables that are ready to code with: what `build_coder()` does here, and
`update()` there. It is done once, after training. Where rows are many and short (an entropy bottleneck's), ours loses:
NumPy's calls take more than its work, and CompressAI's loops are in C++.
"""

import torch
from compressai.entropy_models import EntropyBottleneck as TheirBottleneck
from compressai.entropy_models import GaussianConditional as TheirGaussian
from side_by_side import Rounds, Rows

from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.entropy_coder import EntropyCoder
from tutorial_lib.gaussian_conditional import GaussianConditional, scale_table

CHANNELS = 192


def rows(rounds: Rounds) -> Rows:
    ours, theirs = EntropyBottleneck(CHANNELS).eval(), TheirBottleneck(CHANNELS).eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    gaussian, their_gaussian, scales = GaussianConditional(), TheirGaussian(None), scale_table()
    pairs = {  # ours, theirs, the least that "theirs / ours" may be
        f"tables of an entropy bottleneck, {CHANNELS} channels": (
            lambda: EntropyCoder.build(ours),
            lambda: theirs.update(force=True),
            None,
        ),
        f"tables of {len(scales)} Gaussians": (
            lambda: EntropyCoder.build(gaussian),
            lambda: their_gaussian.update_scale_table(scales, force=True),
            1.0,
        ),
    }
    for what, (mine, other, floor) in pairs.items():
        with torch.no_grad():
            times = rounds.interleaved({"ours": mine, "theirs": other})
        yield rounds.row(what, "CompressAI", times["ours"], times["theirs"], floor)
