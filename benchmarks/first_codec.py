"""Train notebook 07's codec at several rates, and measure it against Pillow's JPEG on photos that it has not seen.

    python benchmarks/first_codec.py --data PHOTOS --valid PHOTOS --checkpoints DIR

For each λ one network is trained: 2,000 steps of eight 128 × 128 crops, then 150 for the densities alone. Two are
trained at a time, each on one processor core. With --resume, those that are in DIR already are taken as they are.

What is measured is the size of whole `.lic` files, header included, and the PSNR of the 8-bit pictures that come back
out of them. BD-rate is against JPEG with 4:2:0 colour, optimised tables, progressive. The network that ships
(λ = 0.0067) is kept under its own name, together with the model card.
"""

import argparse
import math
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from tutorial_lib.evaluation.classical import decode, jpeg_encode
from tutorial_lib.evaluation.metrics import bd_rate, psnr
from tutorial_lib.files.checkpoints import metadata_of
from tutorial_lib.files.folders import photos_in
from tutorial_lib.files.images import from_pil, to_float, to_pil, to_uint8
from tutorial_lib.files.pictures import to_rgb8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.information import bits
from tutorial_lib.recipe import Recipe
from tutorial_lib.training import RandomCrops, Training, fit_prior
from tutorial_lib.workbench.photos import PHOTOS, photo

STEPS, SEED = 2000, 0
LAMBDAS = (0.0012, 0.0025, 0.0067, 0.013, 0.025)
SHIPPED = 0.0067
QUALITIES = (5, 10, 15, 20, 30, 40, 50, 60, 70, 80, 85, 90, 95)
Curve = list[tuple[float, float]]  # (bits per pixel, PSNR) of one photo at rising rates


def training_photos(folder: Path, smallest: float, largest: float) -> list[Tensor]:
    """The folder's photos, each scaled by a random factor."""
    random = np.random.default_rng(SEED)
    photos = []
    for path in photos_in(folder):
        with Image.open(path) as file:
            image, _ = to_rgb8(file)
        image.thumbnail((1024, 1024))  # so that a folder of large photos fits in memory, too
        scale = random.uniform(smallest, largest)
        size = (round(image.width * scale), round(image.height * scale))
        if min(size) >= 128:
            photos.append(from_pil(image.resize(size, Image.Resampling.LANCZOS)))
    return photos


class Latents:
    """The latents of so many batches of crops, made once; of these, `size` at random for the number of a step."""

    def __init__(self, codec: FirstCodec, crops: RandomCrops, batches: int, size: int = 8) -> None:
        self.size = size
        with torch.no_grad():
            y = torch.cat([codec.analysis(crops(n)).half() for n in tqdm(range(batches), desc="latents", leave=False)])
        self.y = y.share_memory_()  # among the processes that train on them

    def __call__(self, step: int) -> Tensor:
        return self.y[np.random.default_rng((SEED, step)).integers(len(self.y), size=self.size)].float()


def checkpoint(folder: Path, lmbda: float) -> Path:
    name = str(FirstCodec.checkpoint)
    return folder / (name if lmbda == SHIPPED else name.replace(".", f"_{lmbda}.", 1))


def train_one(lmbda: float, data: Path, trained_on: str, path: Path, line: int) -> None:
    """The recipe, whole. Saves the network, and what it was trained on."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    begin = time.perf_counter()
    photos = training_photos(data, 0.8, 1.0)  # a little smaller: that takes off the block edges that JPEG left
    crops = RandomCrops(photos, seed=SEED)
    codec = FirstCodec(lmbda)
    for _ in fit_prior(codec.prior, Latents(codec, crops, 20), Recipe(steps=100), seed=SEED):
        pass
    run = Training(codec, crops, Recipe(steps=STEPS, lmbda=lmbda), seed=SEED, start=False)
    progress = tqdm(run, total=STEPS, desc=f"λ = {lmbda}", position=line)
    for record in progress:
        progress.set_postfix({"bpp": f"{record['bpp']:.2f}", "dB": f"{-10 * math.log10(record['mse']):.1f}"})
    # Photos of 768 pixels show the same scenes larger, and so smoother, than these of 481 do.
    count = len(photos)
    del photos, crops
    larger = RandomCrops(training_photos(data, 1.0, 2.5), seed=SEED)
    codec.eval()
    for _ in fit_prior(codec.prior, Latents(codec, larger, 80), Recipe(steps=150), seed=SEED, start=False):
        pass
    codec.eval().build_coder()
    minutes = round((time.perf_counter() - begin) / 60, 1)
    codec.save(path, {"trained_on": trained_on, "photos": str(count), "minutes": str(minutes)})


def file_and_picture(codec: FirstCodec, image: Tensor) -> tuple[bytes, Tensor, float]:
    """The whole .lic file, the picture that comes out of it again, and the bytes that the likelihoods promise."""
    data = codec.encode(image)
    back = codec.decode(data)
    with torch.no_grad():
        forward = codec(to_float(image))
    assert torch.equal(back, to_uint8(forward["x_hat"])), "the decoded picture is not the model's own reconstruction"
    return data, back, bits(forward["likelihoods"]["y"]).item() / 8


def jpeg_curve(image: Tensor) -> Curve:
    files = [jpeg_encode(image, quality) for quality in QUALITIES]
    pixels = image.shape[1] * image.shape[2]
    return [(8 * len(data) / pixels, psnr(decode(data), image)) for data in files]


def measure(codecs: dict[float, FirstCodec], images: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Two markdown tables: one row a λ, one row a photo."""
    jpeg = {name: jpeg_curve(image) for name, image in images.items()}
    ours: dict[str, Curve] = {name: [] for name in images}
    by_rate = ["| λ | bits per pixel | PSNR | file / likelihoods' bytes |", "|---|---|---|---|"]
    for lmbda, codec in sorted(codecs.items()):
        excess = []
        for name, image in images.items():
            data, picture, ideal = file_and_picture(codec, image)
            ours[name].append((8 * len(data) / (image.shape[1] * image.shape[2]), psnr(picture, image)))
            excess.append(len(data) / ideal)
        bpp, quality = np.mean([curve[-1] for curve in ours.values()], axis=0)
        by_rate.append(f"| {lmbda} | {bpp:.3f} | {quality:.2f} dB | {np.mean(excess):.4f} |")
    rates = {name: bd_rate(jpeg[name], ours[name]) for name in images}
    by_photo = ["| photo | BD-rate against JPEG |", "|---|---|"]
    by_photo += [f"| {name} | {rate:+.1f} % |" for name, rate in rates.items()]
    by_photo.append(f"| **mean of {len(rates)}** | **{np.mean(list(rates.values())):+.1f} %** |")
    return by_rate, by_photo


CARD = """# Model card: first_codec.safetensors

The codec of notebook 07, `tutorial_lib.first_codec.FirstCodec`: transforms that start as 16 × 16 block cosines, a
factorized prior, and its coding tables (fingerprint {fingerprint}). {parameters:,} parameters. One rate: λ = {lmbda}.

- **Recipe**: `make train DATA=… VALID=…`, that is {steps:,} steps of eight 128 × 128 crops, seed {seed}, loss = bits a
  pixel + λ · 255² · MSE, from photos scaled to 0.8 … 1 of their size; then 150 steps for the densities alone, from the
  same photos scaled to 1 … 2.5. {minutes} minutes on one CPU core, busy with other things, too.
- **Trained on** {photos} photos: {trained_on}. They are not part of this repository.
- **Licence**: MIT as far as the weights are ours to license. Look at the terms of the photos before commercial use.
- **Meant for** teaching: it shows that a small codec with real files can be trained in minutes.
- **Not for** archives: it has one quality; its networks compute with floats, so the same photo may become another file
  on another machine, and the last bit of a pixel may differ (the symbols read from one file do not: the tables are
  stored); it has seen photos only, no text and no drawings.

## Measured by the same command

Whole `.lic` files, header included; PSNR of the 8-bit RGB pictures decoded from them; BD-rate (PCHIP) against
Pillow's JPEG (4:2:0, optimised, progressive). None of these photos was trained on; they are a validation set, looked at
while the recipe was made: {measured_on}, and scikit-image's five (the motorcycle halved). One network a row, each
trained by the recipe with its λ. (A file can be smaller than the likelihoods say: the tables' escape carries very rare
symbols in some 24 to 28 bits, for which the density asks up to 29.9.)

{by_rate}

{by_photo}
"""


def recipe_parser(description: str) -> argparse.ArgumentParser:
    """The options of every recipe: photos to train on and to measure on, and a folder for the networks."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="a folder of photos to train on")
    parser.add_argument("--valid", type=Path, required=True, help="a folder of photos to measure on")
    parser.add_argument("--checkpoints", type=Path, required=True, help="the networks' folder")
    parser.add_argument("--trained-on", default="photos of the user's", help="for the card: what --data holds")
    parser.add_argument("--measured-on", default="photos of the user's", help="for the card: what --valid holds")
    return parser


def main() -> None:
    parser = recipe_parser(__doc__)
    parser.add_argument("--resume", action="store_true", help="train only the networks that are not there yet")
    options = parser.parse_args()
    try:
        photos_in(options.data)
        measured = photos_in(options.valid)
    except ValueError as error:
        parser.error(str(error))

    images = {path.stem: from_pil(Image.open(path)) for path in measured}
    images |= {name: photo(name) for name in PHOTOS if name != "motorcycle"}
    # The motorcycle was interpolated from a mosaic of colours: halved, it is as sharp as the others.
    images["motorcycle"] = from_pil(to_pil(photo("motorcycle")).resize((370, 250), Image.Resampling.LANCZOS))

    paths = {lmbda: checkpoint(options.checkpoints, lmbda) for lmbda in LAMBDAS}
    missing = [lmbda for lmbda, path in paths.items() if not (options.resume and path.exists())]
    with ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context("spawn")) as pool:
        jobs = [
            pool.submit(train_one, m, options.data, options.trained_on, paths[m], line)
            for line, m in enumerate(missing)
        ]
        for job in jobs:
            job.result()

    codecs = {lmbda: FirstCodec.load(path) for lmbda, path in paths.items()}
    by_rate, by_photo = measure(codecs, images)
    print(*by_rate, "", *by_photo, sep="\n")
    trained = metadata_of(paths[SHIPPED])
    card = CARD.format(
        fingerprint=codecs[SHIPPED].fingerprint(),
        parameters=sum(p.numel() for p in codecs[SHIPPED].parameters()),
        lmbda=SHIPPED,
        steps=STEPS,
        seed=SEED,
        measured_on=options.measured_on,
        by_rate="\n".join(by_rate),
        by_photo="\n".join(by_photo),
        **{name: trained[name] for name in ("trained_on", "photos", "minutes")},
    )
    paths[SHIPPED].with_suffix(".md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
