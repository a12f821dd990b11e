"""Measure the full codec's checkpoint beside the codecs people have, and write its model card and plot.

    python benchmarks/codec_card.py --valid PHOTOS [--checkpoint CKPT] [--avif] --trained-on TEXT --measured-on TEXT

It does what `lic evaluate` does, on a folder of photos and scikit-image's five, and writes CKPT's name with .md and
.png instead of .safetensors. AVIF takes a slow encoder seconds a file, so it is measured only when asked for.
"""

import argparse
from pathlib import Path

from PIL import Image
from torch import Tensor
from tqdm import tqdm

from tutorial_lib.codec import Codec
from tutorial_lib.codec_training import PRESETS
from tutorial_lib.evaluation import comparison
from tutorial_lib.evaluation.file_codecs import CLASSICAL, JPEG, learned
from tutorial_lib.evaluation.plot import plot_bytes
from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.files.checkpoints import metadata_of, shipped
from tutorial_lib.files.folders import photos_in
from tutorial_lib.files.images import from_pil
from tutorial_lib.workbench.photos import PHOTOS, photo

CARD = """# Model card: {name}

The codec of notebook 12 and of the command `lic`: one network for qualities 1 to 100, portable files, slices that
decode one after another (`tutorial_lib.codec`). {parameters:,} parameters, {size:.1f} MB; the fingerprint of its
decoder is `{fingerprint}`.

- **Recipe**: `make train-codec DATA=… VALID=…`, that is `lic train` with the preset "{preset}", seed {seed}: {steps:,}
  steps of {batch} crops of {crop} × {crop} pixels, at random sizes and qualities; loss = (bits per pixel + λ · 255² ·
  MSE) / λ^0.6; from transforms that start as lapped cosines. {minutes}
- **Trained on** {trained_on}. The photos are not part of this repository.
- **Licence**: MIT as far as the weights are ours to license. Look at the terms of the photos before commercial use.
- **Meant for** learning, and for photos. It was trained for squared error, so at low rates it blurs where a viewer
  might like texture better; drawings and text are better served by PNG or WebP (notebook 12 shows it).
- **Portable**: whatever chooses a table is computed with integers, so files decode to the same latents everywhere; a
  pixel may differ by one grey level where the synthesis, in floats, lies between two.

## Measured by `benchmarks/codec_card.py`

Whole files, 8-bit RGB pictures, on {measured_on}, and scikit-image's five photos: {count} photos, none of them trained
on. BD-rate is against Pillow's JPEG (4:2:0, optimised, progressive): the mean over the photos of how many more bits are
needed for equal PSNR, where JPEG spends 0.15 to 1.2 bits per pixel; "covered" is how much of that stretch a codec
reaches, "all" the same over all PSNRs that both reach.

| codec | BD-rate | covered | all |
|---|---|---|---|
{by_codec}

| quality | bits per pixel | PSNR | MS-SSIM |
|---|---|---|---|
{by_quality}

| photo | BD-rate |
|---|---|
{by_photo}

![Mean PSNR and MS-SSIM against mean bits per pixel, for each codec]({plot})
"""


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:+.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--valid", type=Path, required=True, help="photos to measure on")
    parser.add_argument("--checkpoint", type=Path, default=shipped(str(Codec.checkpoint)))
    parser.add_argument("--avif", action="store_true")
    parser.add_argument("--trained-on", default="the photos of DATA")
    parser.add_argument("--measured-on", default="the photos of VALID")
    parser.add_argument("--minutes", default="", help="a sentence on how long it took, and on what")
    options = parser.parse_args()
    try:
        paths = photos_in(options.valid)
        codec = Codec.load(options.checkpoint)
    except ValueError as error:
        parser.error(str(error))
    photos: list[tuple[str, Tensor]] = [(path.stem, from_pil(Image.open(path))) for path in paths]
    photos += [(name, photo(name)) for name in PHOTOS]
    classical = CLASSICAL.items()
    codecs = [learned(codec), *(each for name, each in classical if each.is_here and (name != "avif" or options.avif))]
    with tqdm(total=len(photos) * sum(len(each.qualities) for each in codecs), unit="file") as bar:
        result = comparison.evaluate(photos, codecs, JPEG, bar.update)

    trained = metadata_of(options.checkpoint)
    rates = {name: each["bd_rate"] for name, each in result["codecs"].items() if name != JPEG.name}
    plot = options.checkpoint.with_suffix(".png")
    card = CARD.format(
        name=options.checkpoint.name,
        parameters=sum(p.numel() for p in codec.parameters()),
        size=options.checkpoint.stat().st_size / 1e6,
        fingerprint=codec.fingerprint(),
        crop=PRESETS[trained["preset"]].recipe.crop,
        **{name: trained[name] for name in ("preset", "seed", "batch")},
        steps=int(trained["steps"]),
        minutes=options.minutes,
        trained_on=options.trained_on,
        measured_on=options.measured_on,
        count=len(photos),
        by_codec="\n".join(
            f"| {name} | {percent(rate['limited']['mean'])} | {rate['limited']['covered']:.0%} | "
            f"{percent(rate['all']['mean'])} |"
            for name, rate in rates.items()
        ),
        by_quality="\n".join(
            f"| {point['quality']:g} | {point['bpp']:.3f} | {point['psnr']:.2f} dB | {point['ms_ssim']:.4f} |"
            for point in result["codecs"]["lic"]["mean"]
        ),
        by_photo="\n".join(f"| {name} | {percent(rate)} |" for name, rate in rates["lic"]["limited"]["photos"].items()),
        plot=plot.name,
    )
    atomic_write(plot, plot_bytes(result, plot))
    atomic_write(options.checkpoint.with_suffix(".md"), card.encode())
    print("\n".join(line for line in card.splitlines() if line.startswith("| ")))


if __name__ == "__main__":
    main()
