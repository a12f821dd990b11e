"""What each part of the full codec is worth: the trained checkpoint with one thing changed, without training anew.

    python benchmarks/codec_ablations.py --photos PHOTOS [--checkpoint CKPT] [--crop 384x256]

The middle of each photo is coded at three qualities; rates are the model's bits, PSNR is that of the 8-bit pictures.
The mean curve of each change is held against that of the checkpoint as it is (Bjøntegaard, over all PSNRs that both
reach; positive: it needs more bits). The encoder does not search (effort 0; `benchmarks/effort.py` measures that). A
part that was trained with the others and is switched off leaves them unprepared: how much worse it gets says how much
they lean on it, which is more than it would be after training anew.

The table printed is that of `codec_ablations.md`.
"""

import argparse
import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tutorial_lib import laplace
from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.curves import Curve, bd_rate_all, curve
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.folders import photos_in
from tutorial_lib.files.images import from_pil, to_float, to_uint8
from tutorial_lib.files.pictures import to_rgb8
from tutorial_lib.subband_networks import Pass
from tutorial_lib.subband_prior import Chosen, fitted_offsets
from tutorial_lib.whole_networks import check

QUALITIES = (30, 50, 75)


@dataclass(frozen=True)
class Variant:
    """One change. change: is done to a copy of the codec."""

    name: str
    change: Callable[[Codec], None] = lambda codec: None
    weight: float = laplace.CODING_WEIGHT  # of errors, where whole numbers are chosen
    whole: bool = True  # the prior's networks
    per_octave: float | None = laplace.PER_OCTAVE  # tables; None: one for every scale
    shifted: bool = True  # the tables of each part, by the offsets that a file says


class Unrestored(nn.Module):
    """In place of the restoration: the picture as it is."""

    def forward(self, x: Tensor, *_: Tensor) -> Tensor:
        return x


class Uncorrected(nn.Module):
    """In place of a correction: none."""

    def forward(self, features: Tensor) -> Tensor:
        return features.new_zeros(len(features), 9, *features.shape[-2:])


def without_restoration(codec: Codec) -> None:
    codec.synthesis.restoration = Unrestored()


def without_corrections(codec: Codec) -> None:
    codec.synthesis.corrections = nn.ModuleList(Uncorrected() for _ in codec.synthesis.corrections)


def without_both(codec: Codec) -> None:
    without_restoration(codec)
    without_corrections(codec)


def without_coarser_features(codec: Codec) -> None:
    """The finest level does not see what coarser ones have made of theirs; it still sees its low-pass."""

    def blind(level: nn.Module, xs: tuple) -> tuple:
        return (torch.zeros_like(xs[0]), *xs[1:])

    codec.prior.levels[-1].register_forward_pre_hook(blind)


def without_first_half(codec: Codec) -> None:
    """At the finest level, the second pass of a checkerboard does not see the first."""

    def blind(layer: nn.Module, xs: tuple) -> tuple:
        return (*xs[:-1], torch.zeros_like(xs[-1]))

    for checkerboard in (codec.prior.levels[-1].grey, codec.prior.levels[-1].colour):
        checkerboard.first[1].register_forward_pre_hook(blind)


AS_IT_IS = Variant("as it is")
VARIANTS = (
    Variant("restoration off", without_restoration),
    Variant("corrections of coefficients off", without_corrections),
    Variant("restoration and corrections off", without_both),
    Variant("finest level: coarser features unseen", without_coarser_features),
    Variant("finest level: second pass does not see the first", without_first_half),
    Variant("RDOQ: none, the nearest whole number", weight=math.inf),
    Variant("RDOQ: errors count three times", weight=3.0),
    Variant("RDOQ: errors count 1.4 times", weight=1.4),
    Variant("RDOQ: errors count once", weight=1.0),
    Variant("prior's networks in floats", whole=False),
    Variant("a table for every scale, none shared", per_octave=None),
    Variant("4 tables an octave instead of 8", per_octave=4),
    Variant("2 tables an octave", per_octave=2),
    Variant("1 table an octave", per_octave=1),
    Variant("tables that no file shifts", shifted=False),
)


def coded(codec: Codec, x: Tensor, quality: int, variant: Variant) -> tuple[float, float]:
    """Bits per pixel and PSNR. x (1, 3, H, W) in [0, 1]."""
    condition = codec.condition(quality, x)
    assert condition is not None  # it has many rates
    y = codec.analysis(x, condition)
    passes: list[Chosen] = []
    scales: list[Tensor] = []

    def rate(which: Pass, m: Tensor, s: Tensor) -> Tensor:
        s = s.clamp(laplace.LOWEST, laplace.HIGHEST)
        if variant.per_octave is not None:
            s = laplace.LOWEST + torch.round((s - laplace.LOWEST) * variant.per_octave) / variant.per_octave
        worth = laplace.CODING_WEIGHT / variant.weight  # to let errors count more, let bits count less
        first, further = (worth * bits_saved for bits_saved in laplace.savings(s))
        k = laplace.choose(which.of(y.parts) - m, (first, further))
        passes.append(Chosen(which, k, laplace.indexes(s)))
        scales.append(s)
        return k

    y_hat = codec.prior.scan(y.shape, condition, rate, whole=variant.whole)
    offsets = fitted_offsets(passes, 0)
    bits = 0.0
    for (which, k, _), s in zip(passes, scales, strict=True):
        if variant.shifted:
            s = s + offsets[which.part, which.colours] / laplace.PER_OCTAVE
        log2 = laplace.log2_likelihood(k, s.clamp(laplace.LOWEST, laplace.HIGHEST))
        bits -= float((log2 if which.valid is None else log2.masked_fill(~which.valid, 0.0)).sum())
    x_hat = codec.synthesis(y_hat, condition)
    return bits / x[0, 0].numel(), psnr(to_uint8(x_hat), to_uint8(x))


def check_against_the_codec(codec: Codec, x: Tensor) -> None:
    """What is measured here, unchanged, is what the codec does."""
    output = codec(x, QUALITIES[0])
    bits = sum(-float(torch.log2(part).sum()) for part in output["likelihoods"].values())
    bpp, decibels = coded(codec, x, QUALITIES[0], AS_IT_IS)
    assert abs(bpp * x[0, 0].numel() / bits - 1) < 1e-4
    assert abs(decibels - psnr(to_uint8(output["x_hat"]), to_uint8(x))) < 1e-3


@torch.no_grad()
def measured(codec: Codec, crops: list[Tensor], variant: Variant) -> Curve:
    """The mean curve."""
    changed = copy.deepcopy(codec)
    variant.change(changed)
    points = np.array([[coded(changed, x, quality, variant) for x in crops] for quality in QUALITIES])
    return [(float(bpp), float(decibels)) for bpp, decibels in points.mean(axis=1)]


def middle_of(path: Path, width: int, height: int) -> Tensor:
    """(1, 3, H, W) in [0, 1], at most that large."""
    with Image.open(path) as file:
        image, _ = to_rgb8(file)
    left, top = max(0, image.width - width) // 2, max(0, image.height - height) // 2
    right, bottom = min(image.width, left + width), min(image.height, top + height)
    return to_float(from_pil(image.crop((left, top, right, bottom))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="a folder of photos that were not trained on")
    parser.add_argument("--checkpoint", type=Path, help="default: the one that ships")
    parser.add_argument("--crop", default="384x256", metavar="WxH")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    try:
        codec = Codec.load(options.checkpoint)
        width, height = (int(side) for side in options.crop.split("x"))
        paths = photos_in(options.photos)
    except ValueError as error:
        parser.error(str(error))
    check(codec.prior)
    crops = [middle_of(path, width, height) for path in paths]
    with torch.no_grad():
        check_against_the_codec(codec, crops[0])
    base = measured(codec, crops, AS_IT_IS)
    count, fingerprint = len(crops), codec.fingerprint()
    print(f"{count} photos, the middle {width} × {height} of each; qualities {', '.join(map(str, QUALITIES))};")
    print(f"checkpoint with the fingerprint `{fingerprint}`.\n")
    print("| change | BD-rate | bits per pixel / PSNR at quality 50 |")
    print("|---|---|---|")
    print(row(AS_IT_IS.name, 0.0, base))
    for variant in VARIANTS:
        points = measured(codec, crops, variant)
        print(row(variant.name, bd_rate_all(curve(base), curve(points)), points), flush=True)


def row(name: str, percent: float | None, points: Curve) -> str:
    bpp, decibels = points[QUALITIES.index(50)]
    return f"| {name} | {'–' if percent is None else f'{percent:+.2f} %'} | {bpp:.4f} / {decibels:.2f} dB |"


if __name__ == "__main__":
    main()
