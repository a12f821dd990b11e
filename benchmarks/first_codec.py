"""Train notebook 07's codec at several rates, and measure it against Pillow's JPEG on photos that it has not seen.

    python benchmarks/first_codec.py --data PHOTOS --valid PHOTOS [--checkpoints DIR] [--steps 2000]

For each λ one network is trained: `--steps` steps of eight 128 × 128 crops. What is measured is the size of whole
`.lic` files, header included, and the PSNR of the 8-bit pictures that come back out of them. BD-rate is against JPEG
with 4:2:0 colour, optimised tables, progressive. With --checkpoints, the networks are kept there, the one that ships
(λ = 0.0067) under its own name, together with the model card.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from tutorial_lib import bitstream, first_codec, training
from tutorial_lib.information import bits
from tutorial_lib.rans import BitstreamError
from tutorial_lib.workbench.classical import decode, jpeg_encode
from tutorial_lib.workbench.images import PHOTOS, RandomCrops, from_pil, photo, photos_in, to_float, to_pil, to_uint8
from tutorial_lib.workbench.metrics import bd_rate, psnr

LAMBDAS = (0.0012, 0.0025, 0.0067, 0.013, 0.025)
SHIPPED = 0.0067
QUALITIES = (5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95)
Curve = list[tuple[float, float]]  # (bits per pixel, PSNR) of one photo at rising rates


def training_photos(folder: Path, seed: int) -> list[Tensor]:
    """The folder's photos, each scaled to 0.8 … 1 of its size: that takes off the block edges that JPEG left."""
    random = np.random.default_rng(seed)
    photos = []
    for path in photos_in(folder):
        image = Image.open(path).convert("RGB")
        scale = random.uniform(0.8, 1.0)
        size = (round(image.width * scale), round(image.height * scale))
        if min(size) >= 128:
            photos.append(from_pil(image.resize(size, Image.Resampling.LANCZOS)))
    return photos


def trained(lmbda: float, photos: list[Tensor], steps: int, seed: int) -> first_codec.FirstCodec:
    torch.manual_seed(seed)
    crops = RandomCrops(photos, size=128, seed=seed)
    codec = first_codec.dct_codec(lmbda)
    training.fit_prior(codec, crops(160))
    progress = tqdm(training.train(codec, crops, lmbda, steps), total=steps, desc=f"λ = {lmbda}")
    for record in progress:
        progress.set_postfix({"bpp": f"{record['bpp']:.2f}", "dB": f"{-10 * np.log10(record['mse']):.1f}"})
    return codec


def file_and_picture(codec: first_codec.FirstCodec, image: Tensor) -> tuple[bytes, Tensor, float]:
    """The whole .lic file, the picture that comes out of it again, and the bits the likelihoods promise."""
    height, width = image.shape[1:]
    strings = codec.compress(to_float(image))["strings"]
    data = bitstream.pack(bitstream.Stream(width, height, codec.fingerprint(), tuple(s for (s,) in strings)))
    stream = bitstream.unpack(data)
    back = codec.decompress([[s] for s in stream.strings], (stream.height, stream.width))["x_hat"]
    with torch.no_grad():
        forward = codec(to_float(image))
    if not torch.equal(back, forward["x_hat"]):
        raise BitstreamError("the decoded picture is not the model's own reconstruction.")
    return data, to_uint8(back), bits(forward["likelihoods"]["y"]).item()


def jpeg_curve(image: Tensor) -> Curve:
    files = [jpeg_encode(image, quality) for quality in QUALITIES]
    pixels = image.shape[1] * image.shape[2]
    return [(8 * len(data) / pixels, psnr(decode(data), image)) for data in files]


def measure(codecs: dict[float, first_codec.FirstCodec], images: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Two markdown tables: one row a λ, one row a photo."""
    jpeg = {name: jpeg_curve(image) for name, image in images.items()}
    ours: dict[str, Curve] = {name: [] for name in images}
    by_rate = ["| λ | bits per pixel | PSNR | file / likelihoods' bytes |", "|---|---|---|---|"]
    for lmbda, codec in sorted(codecs.items()):
        excess = []
        for name, image in images.items():
            data, picture, ideal = file_and_picture(codec, image)
            ours[name].append((8 * len(data) / (image.shape[1] * image.shape[2]), psnr(picture, image)))
            excess.append(len(data) / (ideal / 8))
        bpp, quality = np.mean([curve[-1] for curve in ours.values()], axis=0)
        by_rate.append(f"| {lmbda} | {bpp:.3f} | {quality:.2f} dB | {np.mean(excess):.4f} |")
    rates = {name: bd_rate(jpeg[name], ours[name]) for name in images}
    by_photo = ["| photo | BD-rate against JPEG |", "|---|---|"]
    by_photo += [f"| {name} | {rate:+.1f} % |" for name, rate in rates.items()]
    by_photo.append(f"| **mean of {len(rates)}** | **{np.mean(list(rates.values())):+.1f} %** |")
    return by_rate, by_photo


CARD = """# Model card: first_codec.safetensors

The codec of notebook 07, `tutorial_lib.first_codec.dct_codec`: transforms that start as 16 × 16 block cosines, a
factorized prior, its coding tables (fingerprint {fingerprint}). {parameters:,} parameters. One rate: λ = {lmbda}.

- **Recipe**: `python benchmarks/first_codec.py --data PHOTOS --valid PHOTOS --checkpoints data/checkpoints`, that is
  {steps} steps of eight 128 × 128 crops with Adam, seed {seed}, loss = bits per pixel + λ · 255² · MSE; {minutes:.0f}
  minutes on {threads} CPU threads.
- **Trained on** {count} photos, each scaled to 0.8 … 1 of its size: 500 of the Berkeley Segmentation Data Set
  (BSDS500, Arbeláez et al. 2011; free for research and education) and 34 larger ImageNet samples, scaled down. The
  photos are not part of this repository.
- **Meant for** teaching: showing that a small codec with real files can be trained in minutes.
- **Not for** archiving: one quality only, pictures are decoded by float networks whose last bits depend on the
  machine (the symbols do not: tables are stored), and it has seen photos only, no text or drawings.

## Measured by the same command

Whole `.lic` files, header included; PSNR of the 8-bit RGB pictures decoded from them; BD-rate (PCHIP) against
Pillow's JPEG (4:2:0, optimised, progressive). None of these photos was trained on. One network a row, each trained
by the recipe above with its own λ:

{by_rate}

{by_photo}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photos to train on")
    parser.add_argument("--valid", type=Path, required=True, help="a folder of photos to measure on")
    parser.add_argument("--checkpoints", type=Path, help="where to keep the networks and the model card")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    images = {path.stem: from_pil(Image.open(path)) for path in photos_in(options.valid)}
    images |= {name: photo(name) for name in PHOTOS if name != "motorcycle"}
    # the motorcycle is a stereo camera's, interpolated from a colour mosaic: halved, it is as sharp as the others
    images["motorcycle"] = from_pil(to_pil(photo("motorcycle")).resize((370, 250), Image.Resampling.LANCZOS))

    photos = training_photos(options.data, options.seed)
    codecs, minutes = {}, {}
    for lmbda in LAMBDAS:
        begin = time.perf_counter()
        codecs[lmbda] = trained(lmbda, photos, options.steps, options.seed)
        minutes[lmbda] = (time.perf_counter() - begin) / 60
        if options.checkpoints:
            name = first_codec.CHECKPOINT if lmbda == SHIPPED else f"first_codec_{lmbda}.safetensors"
            save_file(codecs[lmbda].state_dict(), options.checkpoints / name)

    by_rate, by_photo = measure(codecs, images)
    print(*by_rate, "", *by_photo, sep="\n")
    if options.checkpoints:
        codec = codecs[SHIPPED]
        card = CARD.format(
            fingerprint=codec.fingerprint(),
            parameters=sum(p.numel() for p in codec.parameters()),
            lmbda=SHIPPED,
            steps=options.steps,
            seed=options.seed,
            minutes=minutes[SHIPPED],
            threads=torch.get_num_threads(),
            count=len(photos),
            by_rate="\n".join(by_rate),
            by_photo="\n".join(by_photo),
        )
        (options.checkpoints / Path(first_codec.CHECKPOINT).with_suffix(".md")).write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
