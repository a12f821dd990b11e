"""How good a codec is in the middle of its training: against JPEG, on a few photos, in a small share of the time."""

from __future__ import annotations

import copy
import time

import torch
from torch import Tensor

from tutorial_lib.command.training_report import middle_of
from tutorial_lib.evaluation.classical import decode, jpeg_encode
from tutorial_lib.evaluation.curves import Curve, bd_rate_limited, curve
from tutorial_lib.evaluation.file_codecs import JPEG, spread
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.training import Training
from tutorial_lib.transform_codec import TransformCodec

SHARES = (0.15, 0.35, 0.55, 0.75, 0.95)  # where in a codec's range of qualities it is measured
MOST = 4  # photos
SHARE_OF_TIME = 0.05  # spent on it, at most, after the first time


class Validation:
    """`validation(training)`: the BD-rate against JPEG in percent, if it is time to measure it, else None.

    photos: uint8 (3, H, W), of which the first few count, and their middle. every: so many steps, or more, lie between
    two measurements. The files are those of one pass of the encoder, without a search.
    """

    def __init__(self, photos: list[Tensor], every: int) -> None:
        self.photos, self.every = [middle_of(photo) for photo in photos[:MOST]], every
        self.anchors: list[Curve] = []  # JPEG's, of each photo
        self.not_before = 0.0  # seconds

    def __call__(self, training: Training) -> float | None:
        if not self.every or training.step % self.every or time.monotonic() < self.not_before:
            return None
        begin = time.monotonic()
        try:
            percent = self.measure(finished_copy(training))
        except ValueError:  # a codec that has learned little may have no tables yet
            percent = None
        end = time.monotonic()
        self.not_before = end + (end - begin) * (1 / SHARE_OF_TIME - 1)
        return percent

    @torch.no_grad()
    def measure(self, codec: TransformCodec) -> float | None:
        """The mean of the photos' BD-rates; None if none of them can be compared."""
        if not self.anchors:
            self.anchors = [self._jpeg(photo) for photo in self.photos]
        pairs = zip(self.anchors, self.photos, strict=True)
        rates = [bd_rate_limited(jpeg, self._ours(codec, photo))[0] for jpeg, photo in pairs]
        known = [rate for rate in rates if rate is not None]
        return sum(known) / len(known) if known else None

    @staticmethod
    def _jpeg(photo: Tensor) -> Curve:
        files = [jpeg_encode(photo, int(quality)) for quality in JPEG.qualities]
        return curve((8 * len(file) / photo[0].numel(), psnr(decode(file), photo)) for file in files)

    @staticmethod
    def _ours(codec: TransformCodec, photo: Tensor) -> Curve:
        files = [codec.encode(photo, quality, effort=0) for quality in spread(codec, SHARES)]
        return curve((8 * len(file) / photo[0].numel(), psnr(codec.decode(file), photo)) for file in files)


def finished_copy(training: Training) -> TransformCodec:
    """What `Training.finish` would give now; the run goes on."""
    codec = copy.deepcopy(training.codec)
    if training.average is not None:
        codec.load_state_dict(training.average, strict=False)
    codec.cpu().eval().build_coder()
    return codec
