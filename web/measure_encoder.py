"""Seconds of the encoder in headless Chromium, by stage: `python web/measure_encoder.py build/web`, after `make web`.

The photo of `measure.py`, of 768 × 512, is encoded a few times; the fastest counts. Python reads each file.
"""

import argparse
import base64
from pathlib import Path

import numpy as np
from chromium import opened
from measure import QUALITY, TIMES, picture, table

from tutorial_lib.codec import Codec

STAGES = ("analysis", "prior", "choice", "entropy", "total")
ENCODE = """async ([pixels, width, height, quality]) => {
    const { encode } = await import("/encoder/encoder.js");
    const rgba = Uint8ClampedArray.from(atob(pixels), (letter) => letter.charCodeAt(0));
    const { file, seconds } = await encode(window.decoder, { width, height, rgba }, quality);
    return { file: [...file], seconds };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Seconds of the encoder in headless Chromium.")
    parser.add_argument("folder", type=Path, help="what `make web` wrote")
    parser.add_argument("--checkpoint", type=Path, help="another than the one that ships")
    options = parser.parse_args()
    codec, image = Codec.load(options.checkpoint).eval(), picture()
    ours = codec.encode(image, QUALITY, effort=0)
    height, width = image.shape[1:]
    rgba = np.full((height, width, 4), 255, np.uint8)
    rgba[..., :3] = image.permute(1, 2, 0).numpy()
    given = [base64.b64encode(rgba.tobytes()).decode(), width, height, QUALITY]
    with opened(options.folder) as tab:
        tab.load()
        before = tab.processor_seconds()
        said = [tab.page.evaluate(ENCODE, given) for _ in range(TIMES)]
        processor = (tab.processor_seconds() - before) / TIMES
    best = min((each["seconds"] for each in said), key=lambda seconds: seconds["total"])
    file = bytes(said[0]["file"])
    codec.decode(file)  # raises an error for what is no such file
    table((*STAGES, "processor", "bytes", "Python's bytes"))
    cells = [*(f"{best[stage]:.2f}" for stage in STAGES), f"{processor:.2f}", f"{len(file):,}", f"{len(ours):,}"]
    print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
