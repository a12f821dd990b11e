"""Train the priors of notebooks 08 to 10, and measure them on photos that they have not seen.

    python benchmarks/lessons.py --data PHOTOS --valid PHOTOS --checkpoints DIR [--only NAME …]

All priors are for the latent of one analysis, `FirstCodec` as it ships, which is not trained on. So the latents of the
training photos are computed once; after that a prior takes minutes: 1,500 steps of eight latents of 16 × 16 positions,
the same for all (600 for the factorized one, which has no network). Two are trained at a time, each on one processor
core. Weights are rounded to float16 and the tables built from the rounded ones, so that the files are small and lose
nothing by it.

Bits are those of whole strings, as `compress` writes them.
"""

import math
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from first_codec import recipe_parser, training_photos
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm import tqdm

from tutorial_lib.context import ContextPrior
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, photos_in, to_float, to_uint8
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.hyperprior import MeanScaleHyperprior, ScaleHyperprior
from tutorial_lib.information import bits
from tutorial_lib.slicing import ChannelSlices
from tutorial_lib.training import RandomCrops, fit_widths
from tutorial_lib.workbench.lesson_models import lesson_codec, priors
from tutorial_lib.workbench.photos import PHOTOS, photo

STEPS, BATCH, SEED = 1500, 8, 0
DENSITY_STEPS = 600  # of a prior without networks; it has learned what it can by then
CROPS, CROP = 1600, 256
DENSITY_RATE, NETWORK_RATE = 1e-2, 4e-3
LAMBDA = 0.0067  # FirstCodec's own
Z_FREE = 300  # steps until z's bits count in full


def latents(data: Path) -> Tensor:
    """What FirstCodec makes of random crops of the photos, enlarged up to 2.5 times: (CROPS, M, 16, 16) float16."""
    codec = FirstCodec.load()
    crops = RandomCrops(training_photos(data, 1.0, 2.5), size=CROP, seed=SEED)
    with torch.no_grad():
        return torch.cat([codec.analysis(crops(16)).half() for _ in tqdm(range(CROPS // 16), desc="latents")])


def start_at_widths(prior: nn.Module, y: Tensor) -> None:
    """Begin with each channel's own spread as its scale, and nearly 0 as its mean.

    Finding the spreads out would take most of the training; and means that begin at random are worse than none.
    """
    spread = y.float().square().mean(dim=(0, 2, 3)).sqrt().clamp(0.12, 200)  # (M,)
    if isinstance(prior, ContextPrior):
        last = [(prior.fuse[-2], spread)]
    elif isinstance(prior, ChannelSlices):
        slices = spread[prior.order].split(prior.sizes)
        last = [(network[-2], slice) for network, slice in zip(prior.predictors, slices, strict=True)]
    elif isinstance(prior, MeanScaleHyperprior):
        of_scales, of_means = prior.side.synthesis.networks
        last = [(of_scales[-2], spread), (of_means[-1], spread[:0])]
    elif isinstance(prior, ScaleHyperprior):
        last = [(prior.side.synthesis[-2], spread)]
    else:
        fit_widths(prior.entropy_bottleneck, y.float().abs().mean(dim=(0, 2, 3)).clamp(min=0.1))
        return
    for layer, scales in last:
        with torch.no_grad():
            layer.bias[: len(scales)] = scales.log()
            layer.weight[len(scales) :] *= 0.01  # what is not a scale is a mean
            layer.bias[len(scales) :] *= 0.01


def train_one(name: str, y: Tensor, path: Path, line: int) -> None:
    """The recipe, whole."""
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    begin = time.perf_counter()
    prior = priors()[name]()
    start_at_widths(prior, y[:200])
    densities = [p for key, p in prior.named_parameters() if "entropy_bottleneck" in key]
    networks = [p for key, p in prior.named_parameters() if "entropy_bottleneck" not in key]
    groups = [{"params": densities, "lr": DENSITY_RATE}, {"params": networks, "lr": NETWORK_RATE}]
    optimizer = torch.optim.Adam([group for group in groups if group["params"]])

    steps = STEPS if networks else DENSITY_STEPS

    def schedule(step: int) -> float:  # a short warm-up, then down along a half cosine
        return min(1, (step + 1) / 50) * (0.505 + 0.495 * math.cos(math.pi * step / steps))

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule)
    # λ · 255² · MSE of the picture, as far as its transform is orthonormal: an error in ŷ counts step² / 3 of it.
    error_weight = LAMBDA * float(FirstCodec.load().analysis.step) ** 2 / 3
    prior.train()
    progress = tqdm(range(steps), desc=f"{name:22}", position=line, mininterval=5)
    for step in progress:
        batch = y[torch.randint(len(y), (BATCH,))].float()
        y_hat, likelihoods = prior(batch)
        price = {"z": min(1, step / Z_FREE)}  # a z that costs before it is of use would fall silent for good
        bpp = sum(price.get(name, 1) * bits(part) for name, part in likelihoods.items()) / (BATCH * CROP**2)
        loss = bpp + error_weight * (y_hat - batch).square().sum() / (BATCH * CROP**2)
        optimizer.zero_grad()
        loss.backward()
        if networks:
            torch.nn.utils.clip_grad_norm_(networks, 1.0)
        optimizer.step()
        scheduler.step()
        progress.set_postfix(bpp=f"{bpp.item():.3f}")
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(parameter.half())
    prior.eval()
    prior.build_coder()
    weights = {key for key, _ in prior.named_parameters()}  # not the medians and the scale table
    state = {key: value.half() if key in weights else value for key, value in prior.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file(state, partial, metadata={"minutes": f"{(time.perf_counter() - begin) / 60:.1f}"})
    os.replace(partial, path)


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
        y = latents(options.data).share_memory_()
        with ProcessPoolExecutor(max_workers=2, mp_context=multiprocessing.get_context("spawn")) as pool:
            jobs = [
                pool.submit(train_one, name, y, options.checkpoints / f"lesson_{name}.safetensors", line)
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
        free=Z_FREE,
        trained_on=options.trained_on,
        measured_on=options.measured_on,
        table="\n".join(measure(names, images, options.checkpoints)),
    )
    (options.checkpoints / "lessons.md").write_text(card, encoding="utf-8")


if __name__ == "__main__":
    main()
