"""Make the samples of the page that opens .lic files: `python web/samples.py build/web/samples`.

Each is one of scikit-image's free photos, as

    NAME.lic            made by the checkpoint that ships
    NAME.original.webp  the photo, at WebP's quality 92, for showing
    NAME.jpeg           the best JPEG that has at most as many bytes as the .lic file
    NAME.small.webp     what the page's button shows

and `index.json` says how many bytes each of them has, and the PSNR of both codecs. Nothing of it is committed: it
depends on the checkpoint.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from torch import Tensor

from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.classical import decode, jpeg_at_most, webp_encode
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.workbench.photos import photo

QUALITY = 50  # lic encode takes it unless another is given
EFFORT = 3
LARGEST, SMALL = 768, 192  # pixels of the longer side: of a sample, and of its button's picture


class Sample(NamedTuple):
    """A photo, and what there is to read about it. All are in the public domain, or CC0 by their photographers."""

    name: str
    title: str
    alt: str
    by: str


SAMPLES = (
    Sample(
        "chelsea", "Cat", "The face of a ginger tabby cat, with green eyes and long whiskers.", "Stefan van der Walt"
    ),
    Sample("coffee", "Coffee", "A cup of espresso with a spoon, on a table of worn wood.", "Rachel Michetti"),
    Sample("astronaut", "Astronaut", "An astronaut in an orange suit, smiling, before a flag and a shuttle.", "NASA"),
    Sample("rocket", "Rocket", "A rocket that has just left its launch pad, between four towers.", "SpaceX"),
)


def scaled(image: Tensor, largest: int) -> Tensor:
    """The picture, uint8 (3, H, W), with at most so many pixels on its longer side."""
    picture = to_pil(image)
    picture.thumbnail((largest, largest), Image.Resampling.LANCZOS)
    return from_pil(picture)


def write_sample(sample: Sample, codec: Codec, folder: Path) -> dict:
    """Write a sample's files, and return its entry of the index."""
    image = scaled(photo(sample.name), LARGEST)
    lic = codec.encode(image, QUALITY, EFFORT)
    jpeg = jpeg_at_most(image, len(lic))
    if len(jpeg) > len(lic):
        raise SystemExit(f"No JPEG of {sample.name} is as small as its .lic file of {len(lic):,} bytes.")
    files = {
        f"{sample.name}.lic": lic,
        f"{sample.name}.jpeg": jpeg,
        f"{sample.name}.original.webp": webp_encode(image, 92),
        f"{sample.name}.small.webp": webp_encode(scaled(image, SMALL), 80),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    ours, theirs = psnr(codec.decode(lic), image), psnr(decode(jpeg), image)
    print(f"{sample.name}: {len(lic):,} bytes, {ours:.2f} dB; JPEG {len(jpeg):,} bytes, {theirs:.2f} dB")
    return {
        **sample._asdict(),
        "width": image.shape[2],
        "height": image.shape[1],
        "quality": QUALITY,
        "lic": {"file": f"{sample.name}.lic", "bytes": len(lic), "psnr": round(ours, 2)},
        "jpeg": {"file": f"{sample.name}.jpeg", "bytes": len(jpeg), "psnr": round(theirs, 2)},
        "original": f"{sample.name}.original.webp",
        "small": f"{sample.name}.small.webp",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the samples of the page; what was in their folder is deleted.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="another than the one that ships")
    options = parser.parse_args()

    codec = Codec.load(options.checkpoint) if options.checkpoint else Codec.load()
    codec.eval()
    shutil.rmtree(options.folder, ignore_errors=True)
    options.folder.mkdir(parents=True)
    entries = [write_sample(sample, codec, options.folder) for sample in SAMPLES]
    index = json.dumps({"fingerprint": codec.fingerprint(), "samples": entries}, indent=1)
    (options.folder / "index.json").write_text(index + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
