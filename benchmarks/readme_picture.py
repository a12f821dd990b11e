"""Draw the README's picture: a photo, what the shipped checkpoint makes of it, and JPEG at the same number of bytes.

python benchmarks/readme_picture.py data/codec.png
"""

import argparse
from pathlib import Path

import matplotlib.pyplot as plt

from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.classical import decode, jpeg_at_most
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.workbench.figures import draw_image
from tutorial_lib.workbench.photos import photo

QUALITY = 60


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()

    image = photo("chelsea")
    codec = Codec.load()
    file = codec.encode(image, QUALITY)
    ours = codec.decode(file)
    jpeg_file = jpeg_at_most(image, len(file))
    jpeg = decode(jpeg_file)

    columns = (
        (image, f"the photo\n{image.numel():,} bytes as pixels"),
        (ours, f"our codec\n{len(file):,} bytes, {psnr(ours, image):.1f} dB"),
        (jpeg, f"JPEG\n{len(jpeg_file):,} bytes, {psnr(jpeg, image):.1f} dB"),
    )
    figure, axes = plt.subplots(2, 3, figsize=(10, 4.9))
    for column, (picture, title) in zip(axes.T, columns, strict=True):
        draw_image(column[0], picture, title)
        draw_image(column[1], picture[:, 80:200, 145:325], "")  # around the eyes
    figure.savefig(options.output, dpi=90)


if __name__ == "__main__":
    main()
