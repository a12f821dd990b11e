"""Train the priors of notebooks 08 to 10, and measure them on photos that they have not seen.

    python benchmarks/lessons.py --data PHOTOS --valid PHOTOS --checkpoints DIR [--only NAME …] [--processes 2]

All priors are for the latent of one analysis, `FirstCodec` as it ships, which is not trained on. So the latents of the
training photos are computed once; after that a prior takes minutes: 1,200 steps of four latents of 16 × 16 positions,
the same for all (1,000 for the factorized one, which has no network). Networks learn with SOAP: after 300 steps it is
where Adam is not after 500. Each prior is trained on one processor core. Weights are rounded to float16 and the tables
built from the rounded ones, so that the files are small and lose nothing by it.

Bits are those of whole strings, as `compress` writes them. `lessons.json` holds what the likelihoods promised for the
same photos while the priors were trained.
"""

import json
import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from first_codec import Latents, recipe_parser, training_photos
from PIL import Image
from torch import Tensor, nn
from tqdm import tqdm

from tutorial_lib.dct_transforms import BLOCK
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.checkpoints import write_checkpoint
from tutorial_lib.files.folders import photos_in
from tutorial_lib.files.images import from_pil, to_float, to_uint8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.padding import pad_to_multiple
from tutorial_lib.prior import Prior
from tutorial_lib.recipe import LMBDA, Recipe
from tutorial_lib.soap import SOAP
from tutorial_lib.training import RandomCrops, Training
from tutorial_lib.transform_codec import FactorizedPrior, TransformCodec
from tutorial_lib.workbench.lesson_models import lesson_codec, priors
from tutorial_lib.workbench.photos import PHOTOS, photo

STEPS, BATCH, SEED = 1200, 4, 0
DENSITY_STEPS = 1000  # of a prior without networks
CROPS, CROP = 1600, 256
RATES = {"densities": 1e-2, "networks": 4e-3}
RATE_WARM_UP = 300  # steps until z's bits count in full: see `Recipe`
LOOKS = (50, 100, 200, 300, 450, 650, 900)  # steps after which the likelihoods' bits are noted, and the last one


class Alone(TransformCodec):
    """A prior to train, whose latents are the pictures."""

    def __init__(self, prior: Prior) -> None:
        super().__init__(nn.Identity(), nn.Identity(), prior, stride=1)

    def optimizer(self, groups: list[dict]) -> torch.optim.Optimizer:
        """SOAP for networks. Densities are a few numbers for each channel, with no axes to turn: Adam for them."""
        adam = {"largest": 0, "betas": (0.9, 0.99)}  # a matrix that gets no basis is left to Adam
        return SOAP({**group, **adam} if group["name"] == "densities" else group for group in groups)


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


def promised(prior: Prior, held_out: list[tuple[Tensor, int]]) -> float:
    """Bits per pixel by the likelihoods, mean over latents of held-out photos, each with its number of pixels."""
    prior.eval()
    with torch.no_grad():
        bits = [sum(-part.log2().sum().item() for part in prior(y)[1].values()) / pixels for y, pixels in held_out]
    return sum(bits) / len(bits)


def train_one(
    name: str, latents: Latents, held_out: list[tuple[Tensor, int]], path: Path, line: int
) -> list[tuple[int, float]]:
    """The recipe, whole. Returns (steps, bits per pixel promised for held-out photos after them)."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    prior = priors()[name]()
    steps = DENSITY_STEPS if isinstance(prior, FactorizedPrior) else STEPS
    rates = {group["name"]: RATES[group["name"]] for group in prior.parameter_groups()}
    recipe = Recipe(steps=steps, batch=BATCH, lmbda=LMBDA, rates=rates, rate_warm_up=RATE_WARM_UP)
    run = Training(Alone(prior), latents, recipe, latent_loss(float(FirstCodec.load().analysis.step)), seed=SEED)
    curve = []
    progress = tqdm(run, total=steps, desc=f"{name:22}", position=line, mininterval=5)
    for record in progress:
        progress.set_postfix(bpp=f"{record['bpp']:.3f}")
        if run.step in (*LOOKS, steps):
            curve.append((run.step, round(promised(prior, held_out), 4)))
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(parameter.half())
    prior.eval()
    prior.build_coder()
    weights = {key for key, _ in prior.named_parameters()}  # not the medians and the scale table
    state = {key: value.half() if key in weights else value for key, value in prior.state_dict().items()}
    write_checkpoint(path, state, {})
    return curve


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


def keep_curves(path: Path, curves: dict[str, list[tuple[int, float]]]) -> None:
    """Write {prior: [[steps, bits per pixel], …]}; of priors that were not trained now, what is there stays."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    rows = [f"{json.dumps(name)}: {json.dumps(curve)}" for name, curve in {**kept, **curves}.items()]
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


CARD = """# Model card: lesson_*.safetensors

The priors of notebooks 08 to 10 (`tutorial_lib.workbench.lesson_models`), each for the latent of
`first_codec.safetensors`, whose transforms they share. Weights in float16, coding tables included.

- **Recipe**: `make train-lessons DATA=… VALID=…`: {steps:,} steps ({density_steps:,} for the factorized prior) of
  {batch} latents of 16 × 16 positions, of {crops:,} crops of {crop} pixels, by SOAP, seed {seed}; loss = bits a pixel
  (those of z count in full from step {free} on) + λ · the squared error of ŷ in units of the picture. The transforms
  are not trained on. Scales and means have networks of their own. `lessons.json` holds the bits that the likelihoods
  promised for the photos below, after so many steps. They still fall: a longer training gains on all of them.
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
    parser.add_argument("--processes", type=int, default=2, help="priors that are trained at the same time")
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
    images = {path.stem: from_pil(Image.open(path)) for path in measured}
    images |= {name: photo(name) for name in PHOTOS}
    if chosen:
        first = FirstCodec.load()
        crops = RandomCrops(training_photos(options.data, 1.0, 2.5), size=CROP, batch=16, seed=SEED)
        latents = Latents(first, crops, CROPS // 16, BATCH)
        with torch.no_grad():
            held_out = [
                (first.analysis(pad_to_multiple(to_float(image), BLOCK)[0]), image[0].numel())
                for image in images.values()
            ]
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(max_workers=options.processes, mp_context=spawn) as pool:
            jobs = {
                name: pool.submit(
                    train_one, name, latents, held_out, options.checkpoints / f"lesson_{name}.safetensors", line
                )
                for line, name in enumerate(chosen)
            }
            curves = {name: job.result() for name, job in jobs.items()}
        keep_curves(options.checkpoints / "lessons.json", curves)

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
