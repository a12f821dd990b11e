"""Train the priors of notebooks 08 to 10, and measure them on photos that they have not seen.

    python benchmarks/lessons.py --data PHOTOS --valid PHOTOS --checkpoints DIR [--only NAME …]

All priors are for the latent of one analysis, `FirstCodec` as it ships, which is not trained on. So the latents of the
training photos are computed once; after that a prior takes minutes: 1,500 steps of eight latents of 16 × 16 positions,
the same for all (600 for the factorized one, which has no network). Two are trained at a time, each on one processor
core. Weights are rounded to float16 and the tables built from the rounded ones, so that the files are small and lose
nothing by it.

Bits are those of whole strings, as `compress` writes them.
"""

import multiprocessing
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from first_codec import Latents, recipe_parser, training_photos
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from tutorial_lib.dct_transforms import BLOCK
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.checkpoints import write_checkpoint
from tutorial_lib.files.folders import photos_in
from tutorial_lib.files.images import from_pil, to_float, to_uint8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.recipe import LMBDA, Recipe
from tutorial_lib.training import RandomCrops, fit_prior
from tutorial_lib.transform_codec import FactorizedPrior
from tutorial_lib.workbench.lesson_models import lesson_codec, priors
from tutorial_lib.workbench.photos import PHOTOS, photo

STEPS, BATCH, SEED = 1500, 8, 0
DENSITY_STEPS = 600  # of a prior without networks; it has learned what it can by then
CROPS, CROP = 1600, 256
RATES = {"densities": 1e-2, "networks": 4e-3}
RATE_WARM_UP = 300  # steps until z's bits count in full: see `Recipe`


def latent_loss(step: float) -> Callable[..., dict[str, Tensor]]:
    """Bits and squared error of a latent y, per pixel of the picture that it is made from; for `training.Training`.

    step: the quantizer's. As far as the transform is orthonormal, 255² · MSE counts an error in ŷ step² / 3 fold.
    """

    def loss(output: Mapping, y: Tensor, lmbda: float, side_weight: float = 1.0) -> dict[str, Tensor]:
        pixels = BLOCK**2 * y.shape[-2] * y.shape[-1]
        bpp = {name: -part.log2().flatten(1).sum(1) / pixels for name, part in output["likelihoods"].items()}
        counted = sum(part * side_weight if name == "z" else part for name, part in bpp.items())
        error = (output["x_hat"] - y).square().flatten(1).sum(1) / pixels
        return {"cost": counted + lmbda * step**2 / 3 * error, "bpp": sum(bpp.values()), "mse": error}

    return loss


def train_one(name: str, latents: Latents, path: Path, line: int) -> None:
    """The recipe, whole."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    begin = time.perf_counter()
    prior = priors()[name]()
    steps = DENSITY_STEPS if isinstance(prior, FactorizedPrior) else STEPS
    rates = {group["name"]: RATES[group["name"]] for group in prior.parameter_groups()}
    recipe = Recipe(steps=steps, batch=BATCH, lmbda=LMBDA, rates=rates, rate_warm_up=RATE_WARM_UP)
    run = fit_prior(prior, latents, recipe, latent_loss(float(FirstCodec.load().analysis.step)), seed=SEED)
    progress = tqdm(run, total=steps, desc=f"{name:22}", position=line, mininterval=5)
    for record in progress:
        progress.set_postfix(bpp=f"{record['bpp']:.3f}")
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(parameter.half())
    prior.eval()
    prior.build_coder()
    weights = {key for key, _ in prior.named_parameters()}  # not the medians and the scale table
    state = {key: value.half() if key in weights else value for key, value in prior.state_dict().items()}
    write_checkpoint(path, state, {"minutes": f"{(time.perf_counter() - begin) / 60:.1f}"})


def measure(names: list[str], images: dict[str, Tensor], folder: Path) -> list[str]:
    """A markdown table, one row a prior: means over the images."""
    table = [
        "| prior | parameters | bits per pixel | of these, z | PSNR | against factorized |",
        "|---|---|---|---|---|---|",
    ]
    first = None
    for name in names:
        codec = lesson_codec(name, folder / f"lesson_{name}.safetensors")
        total = side = quality = 0.0
        for image in images.values():
            x, pixels = to_float(image), image.shape[1] * image.shape[2]
            output = codec.compress(x)
            sizes = [8 * len(part[0]) / pixels for part in output["strings"]]
            total += sum(sizes) / len(images)
            side += (sizes[0] if len(sizes) > 1 else 0) / len(images)
            quality += psnr(to_uint8(codec.decompress(**output)["x_hat"]), image) / len(images)
        first = first or total
        parameters = sum(p.numel() for p in codec.prior.parameters())
        saved = 100 * (total / first - 1)
        table.append(f"| {name} | {parameters:,} | {total:.4f} | {side:.4f} | {quality:.2f} dB | {saved:+.1f} % |")
        print(table[-1], flush=True)
    return table


CARD = """# Model card: lesson_*.safetensors

The priors of notebooks 08 to 10 (`tutorial_lib.workbench.lesson_models`), each for the latent of
`first_codec.safetensors`, whose transforms they share. Weights in float16, coding tables included.

- **Recipe**: `make train-lessons DATA=… VALID=…`: {steps:,} steps ({density_steps} for the factorized prior) of {batch}
  latents of 16 × 16 positions, of {crops:,} crops of {crop} pixels, seed {seed}; loss = bits a pixel (those of z
  count in full from step {free} on) + λ · the squared error of ŷ in units of the picture. The transforms are not
  trained on.
- **Trained on** {trained_on}. The photos are not part of this repository.
- **Licence**: MIT as far as the weights are ours to license. Look at the terms of the photos before commercial use.
- **Meant for** comparing priors; not for archives.

## Measured by the same command

Whole strings; PSNR of 8-bit RGB pictures; means over {measured_on}, and scikit-image's five. No photo was trained on.

{table}
"""


def main() -> None:
    parser = recipe_parser(__doc__)
    parser.add_argument("--only", nargs="*", help="train these only; the others are taken as they are")
    options = parser.parse_args()
    names = list(priors())
    chosen = names if options.only is None else options.only
    unknown = set(chosen) - set(names)
    if unknown:
        parser.error(f"{sorted(unknown)} are none of {names}.")
    try:
        photos_in(options.data)
        measured = photos_in(options.valid)
    except ValueError as error:
        parser.error(str(error))
    if chosen:
        crops = RandomCrops(training_photos(options.data, 1.0, 2.5), size=CROP, batch=16, seed=SEED)
        latents = Latents(FirstCodec.load(), crops, CROPS // 16)
        with ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context("spawn")) as pool:
            jobs = [
                pool.submit(train_one, name, latents, options.checkpoints / f"lesson_{name}.safetensors", line)
                for line, name in enumerate(chosen)
            ]
            for job in jobs:
                job.result()

    images = {path.stem: from_pil(Image.open(path)) for path in measured}
    images |= {name: photo(name) for name in PHOTOS}
    card = CARD.format(
        steps=STEPS,
        density_steps=DENSITY_STEPS,
        batch=BATCH,
        crops=CROPS,
        crop=CROP,
        seed=SEED,
        free=RATE_WARM_UP,
        trained_on=options.trained_on,
        measured_on=options.measured_on,
        table="\n".join(measure(names, images, options.checkpoints)),
    )
    (options.checkpoints / "lessons.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
