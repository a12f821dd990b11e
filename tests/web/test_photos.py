"""Photos, at five qualities: Python's latents, whole number for whole number, and its pixels within one level.

`make test-web DATA=folder` decodes all photos of a folder and those of the lessons, in Node and in Chromium. Without a
folder (its name is in LIC_PHOTOS) there are two pieces of a photo.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from test_web_decoder import cropped, latents
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.files.images import from_pil
from tutorial_lib.workbench.photos import PHOTOS, photo

QUALITIES = (1, 10, 30, 50, 100)
FOLDER = os.environ.get("LIC_PHOTOS")


class Answer(NamedTuple):
    """What Python makes of a photo's file."""

    data: bytes
    latents: NDArray[np.int32]
    pixels: NDArray[np.uint8]


def photos() -> dict[str, Tensor]:
    """By name; uint8 (3, H, W)."""
    if FOLDER is None:
        return {"coffee": cropped("coffee", 160, 200), "astronaut": cropped("astronaut", 201, 149)}
    paths = sorted(path for path in Path(FOLDER).iterdir() if path.is_file())
    assert paths, f"{FOLDER} holds no photos."
    return {path.stem: from_pil(Image.open(path)) for path in paths} | {name: photo(name) for name in PHOTOS}


@pytest.fixture(scope="module")
def answers(codec: Codec) -> list[dict[str, Answer]]:
    """Of each photo, by a name for each quality."""
    made = []
    for name, image in photos().items():
        files = {f"{name}-{quality}": codec.encode(image, quality, effort=0) for quality in QUALITIES}
        made.append({k: Answer(data, latents(codec, data), codec.decode(data).numpy()) for k, data in files.items()})
    return made


def test_latents_and_pixels(answers: list[dict[str, Answer]], decode_files, request: pytest.FixtureRequest) -> None:
    shares, seconds = [], []
    for photo_answers in answers:
        said = decode_files({name: answer.data for name, answer in photo_answers.items()})
        for name, answer in photo_answers.items():
            facts, theirs, pixels = said[name]
            assert np.array_equal(theirs, answer.latents), f"{name}: other latents"
            difference = np.abs(pixels.astype(int) - answer.pixels)
            assert difference.max() <= 1, f"{name}: pixels differ by {difference.max()} levels"
            shares.append(float((difference > 0).mean()))
            seconds.append(facts["seconds"]["total"])
    assert max(shares) < 0.05
    print(
        f"\n{request.node.name}: {len(shares)} files of {len(answers)} photos: all latents equal; no pixel differs by "
        f"more than one level, {100 * np.mean(shares):.3f} % of the samples by one (at most {100 * max(shares):.3f} % "
        f"of a file's); {np.mean(seconds):.2f} s a file."
    )
