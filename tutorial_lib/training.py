"""Training: one loop for every codec of the course, and for a learner's own.

    photos ─ `RandomCrops` ─ x ─ codec ─ loss ─ gradients, clipped ─ optimizer ─ weights
                                  └─ condition                  (averaged over the processes)

`Training` minimises bits per pixel + λ · distortion (with a variable rate, each image's is divided by λ^0.6), the loss
being an argument. What a codec has to offer for it: `parameter_groups`, `start_at`, and, with a variable rate,
`sample_condition` and `lagrange_multiplier`. It may choose its `optimizer`, too; else that is Adam.

*All* that is random in a step follows from the seed and the number of the step: the crops, the qualities, and the noise
that stands in for rounding. So a run is a function of its seed, and `Training.state` is the weights, their running
means, and what the optimizer and the scaling of the loss remember: who continues from there does what an uninterrupted
run does, bit for bit on the same machine (a GPU adds in no fixed order, so there only nearly). Processes that train
together draw the same and keep their share, so two of them with half a batch each compute what one does with all of it,
up to the order of sums; and so does one that takes a batch in parts (`Recipe.accumulate`). (`training_run` starts them.
PyTorch's DDP would average the gradients while they are computed, which pays for large networks. For these, one sum
over all of them does, in twenty lines; and nothing holds on to the process group, whose threads have to end before
Python does.)

A GPU computes the transforms in half precision: bfloat16 where it can, else float16, whose narrow range needs the loss
scaled (Micikevicius et al. 2018, "Mixed precision training").
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib.padding import reflect_pad
from tutorial_lib.prior import Prior
from tutorial_lib.quantization import share_of_batch
from tutorial_lib.recipe import LMBDA, MS_SSIM_SMALLEST, Recipe, fall_begins
from tutorial_lib.recipe import LOSSES as LOSS_NAMES
from tutorial_lib.transform_codec import TransformCodec

# Bits grow nearly as λ^0.6. Divided by it, all qualities weigh about the same in what is minimised.
BALANCE = 0.6
# One unit of 255² · MSE costs about as much as so many of 1 − MS-SSIM: the ratio of the λ that CompressAI publishes
# for the two (0.0018 … 0.0483 and 2.4 … 60.5).
MS_SSIM_LAMBDA = 1300.0

Loss = Callable[[Mapping[str, Any], Tensor, "Tensor | float", float], dict[str, Tensor]]


class RandomCrops:
    """Random crops of photos: `crops(step)` gives floats (batch, 3, size, size) in [0, 1], always the same for a step.

    photos: uint8 (3, H, W), of any size: what is smaller than a crop is continued by reflection.
    scales: a crop shows its photo at a random size between these: 0.5 is half as large. Half of them are mirrored.
    weights: each photo's chance, up to a common factor. None: all have the same.
    """

    def __init__(
        self,
        photos: Sequence[Tensor],
        size: int = 128,
        batch: int = 8,
        scales: tuple[float, float] = (1.0, 1.0),
        seed: int = 0,
        weights: Sequence[float] | None = None,
    ) -> None:
        if not photos:
            raise ValueError("There are no photos to take crops from.")
        # Running sums, the last one 1: by them, a weighted choice among a million photos takes no time.
        sums = None if weights is None else np.cumsum(_shares(weights, len(photos)))
        self.sums = None if sums is None else sums / sums[-1]
        self.photos, self.size, self.batch, self.scales, self.seed = photos, size, batch, scales, seed

    def __call__(self, step: int) -> Tensor:
        return self.rows(step, range(self.batch))

    def rows(self, step: int, places: Sequence[int]) -> Tensor:
        """Those of a batch in these places only: (len(places), 3, size, size)."""
        return torch.stack([self.one(step, place) for place in places])

    def one(self, step: int, place: int) -> Tensor:
        """That of a batch in this place: (3, size, size). Only the seed, the step and the place decide on it."""
        rng = np.random.default_rng((self.seed, step, place))
        photo = self.photos[self._choice(rng)]
        low, high = self.scales
        size = math.ceil(self.size / (low * (high / low) ** rng.random()))  # of what is cut out of the photo
        height, width = photo.shape[1:]
        if min(height, width) < size:
            photo = reflect_pad(photo, 0, max(0, size - width), 0, max(0, size - height))
            height, width = photo.shape[1:]
        top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
        crop = photo[None, :, top : top + size, left : left + size].float() / 255  # (1, 3, size, size)
        if size != self.size:
            shape = (self.size, self.size)
            crop = F.interpolate(crop, shape, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return crop[0].flip(-1) if rng.random() < 0.5 else crop[0]  # (3, size, size)

    def _choice(self, rng: np.random.Generator) -> int:
        if self.sums is None:
            return int(rng.integers(len(self.photos)))
        return int(self.sums.searchsorted(rng.random(), side="right"))


def _shares(weights: Sequence[float], count: int) -> NDArray[np.float64]:
    """The weights divided by their sum. Raises ValueError unless there are so many, and chances follow from them."""
    numbers = np.asarray(weights, dtype=np.float64)
    if numbers.shape != (count,) or not np.isfinite(numbers).all() or (numbers < 0).any() or not numbers.any():
        raise ValueError(f"{count} photos need {count} finite weights, none below 0 and some above.")
    return numbers / numbers.sum()


# ---- losses: of each image of a batch, "cost", which is minimised, "bpp" and "mse"


def rate_distortion(
    output: Mapping[str, Any], x: Tensor, lmbda: Tensor | float, side_weight: float = 1.0
) -> dict[str, Tensor]:
    """Bits per pixel + λ · 255² · MSE: {"cost", "bpp", "mse"}, (B,) each.

    output: what a codec's forward returns. lmbda: a number, or (B,). side_weight: how much of z's bits count.
    """
    bpp, mse, cost = _rate_and_error(output, x, side_weight)
    return {"cost": cost + lmbda * 255**2 * mse, "bpp": bpp, "mse": mse}


def rate_ms_ssim(
    output: Mapping[str, Any], x: Tensor, lmbda: Tensor | float, side_weight: float = 1.0
) -> dict[str, Tensor]:
    """Bits per pixel + 1300 λ · (1 − MS-SSIM), with the λ of `rate_distortion` for about as many bits.

    Multi-scale structural similarity (Wang, Simoncelli & Bovik 2003) asks whether contrast and structure are kept
    rather than each value. Crops need 161 pixels: ValueError for smaller ones.
    """
    from pytorch_msssim import ms_ssim  # an extra, not of the core

    if min(x.shape[-2:]) < MS_SSIM_SMALLEST:
        size = f"{x.shape[-1]} × {x.shape[-2]}"
        raise ValueError(f"MS-SSIM needs crops of at least {MS_SSIM_SMALLEST} pixels, not {size}.")
    bpp, mse, cost = _rate_and_error(output, x, side_weight)
    similarity = ms_ssim(output["x_hat"].float(), x, data_range=1.0, size_average=False)  # (B,)
    return {"cost": cost + lmbda * MS_SSIM_LAMBDA * (1 - similarity), "bpp": bpp, "mse": mse, "ms_ssim": similarity}


def _rate_and_error(output: Mapping[str, Any], x: Tensor, side_weight: float) -> tuple[Tensor, Tensor, Tensor]:
    """Bits per pixel, squared error, and the bits per pixel that count, (B,) each."""
    if output["x_hat"].shape != x.shape:
        raise ValueError(f"x is {tuple(x.shape)}, x_hat {tuple(output['x_hat'].shape)}: they must be alike.")
    pixels = x.shape[-2] * x.shape[-1]
    bpp = {name: -part.log2().flatten(1).sum(dim=1) / pixels for name, part in output["likelihoods"].items()}
    counted = [part * side_weight if name == "z" else part for name, part in bpp.items()]
    mse = (output["x_hat"] - x).square().flatten(1).mean(dim=1)
    return reduce(operator.add, bpp.values()), mse, reduce(operator.add, counted)


LOSSES: dict[str, Loss] = dict(zip(LOSS_NAMES, (rate_distortion, rate_ms_ssim), strict=True))


# ---- the loop


class Training:
    """A run: `for record in training: …` takes the steps that are left; `state` and `restore` stop and continue it.

    batches: gives x (B, 3, H, W) in [0, 1] for the number of a step; `RandomCrops`, for example. One with `rows(step,
             places)` and a `batch`, B, is only asked for this process's rows.
    loss:    see `rate_distortion`.
    start:   begin with the prior at what crops tell (`TransformCodec.start_at`): those of steps that no run reaches.

    Under torchrun each process builds the same `Training` and takes its share of each batch.
    """

    def __init__(
        self,
        codec: TransformCodec,
        batches: Callable[[int], Tensor],
        recipe: Recipe | None = None,
        loss: Loss = rate_distortion,
        seed: int = 0,
        device: str = "cpu",
        start: bool = True,
    ) -> None:
        self.batches, self.recipe, self.loss, self.seed = batches, recipe or Recipe(), loss, seed
        self.step = 0
        self.spent = {"seconds": 0.0, "core_seconds": 0.0}  # so far, by whoever takes the steps
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self.parts = self.world * self.recipe.accumulate
        if self.recipe.batch % self.parts:
            each = f" of {self.recipe.accumulate} parts each" * (self.recipe.accumulate > 1)
            raise ValueError(f"a batch of {self.recipe.batch} cannot be shared evenly by {self.world} processes{each}.")
        if start:
            codec.start_at(torch.cat([batches(START + n) for n in range(START_BATCHES)]).to(codec.device))
        self.codec, self.device = codec.to(device), torch.device(device)
        if self.world > 1:  # the first one's weights, in case that another machine rounds differently
            for value in codec.state_dict().values():
                dist.broadcast(value, 0)
        self.precision = half_precision(self.device)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.precision == torch.float16)
        groups, seen = [], set[int]()
        names = [group["name"] for group in codec.parameter_groups()]
        if strange := sorted(set(self.recipe.rates) - set(names)):
            raise ValueError(f"the recipe has a rate for {strange[0]!r}; this codec's groups are {', '.join(names)}.")
        for group in codec.parameter_groups():
            rate = self.recipe.rates.get(group["name"], group["lr"]) * self.recipe.rate_factor
            fresh = [p for p in group["params"] if id(p) not in seen]  # shared weights count once
            seen |= {id(p) for p in fresh}
            if rate > 0:
                groups.append({**group, "params": fresh, "lr": rate, "full_rate": rate})
        self.optimizer = codec.optimizer(groups)
        self.clipped = [p for group in groups if group.get("clip", True) for p in group["params"]]
        self.unclipped = [p for group in groups if not group.get("clip", True) for p in group["params"]]
        self.average = _copies(codec) if self.recipe.average else None  # of the weights, by name

    def __iter__(self) -> Iterator[dict[str, float]]:
        """Yields {"loss", "bpp", "mse"}, means of the whole batch, after each step.

        Raises ValueError, and changes no weight, at a step whose loss or gradient is not finite.
        """
        while self.step < self.recipe.steps:
            self.codec.train()
            yield self._one_step()

    def _one_step(self) -> dict[str, float]:
        recipe = self.recipe
        factor = cosine_schedule(self.step, recipe.steps, recipe.warm_up, recipe.decay)
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * factor
        self.optimizer.zero_grad()
        rows, count = self._rows()
        condition = self.codec.sample_condition(count, torch.Generator().manual_seed(seed_of(self.seed, self.step, 1)))
        parts = rows.chunk(recipe.accumulate)
        conditions = [None] * self.parts if condition is None else condition.chunk(self.parts)
        first = self.rank * recipe.accumulate  # the place of its first part among all processes' parts
        record = self._over_all(
            [self._backward(x, conditions[place], place) for place, x in enumerate(parts, start=first)]
        )
        self._average_gradients()
        self.scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.clipped, recipe.clip)  # of gradients, already averaged over processes
        norm = norm + nn.utils.clip_grad_norm_(self.unclipped, math.inf)  # which only looks at these
        # A gradient too large for float16 only says that the loss is scaled too much: such a step is left out.
        scaled_too_much = self.scaler.is_enabled() and self.scaler.get_scale() > 1
        if not (math.isfinite(record["loss"]) and (norm.isfinite() or scaled_too_much)):  # in one process, so in all
            raise ValueError(
                f"the loss of step {self.step} is {record['loss']:.4g} with a gradient of length {norm.item():.4g}: "
                "the training has diverged; look at the crops, or try another seed or smaller learning rates."
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.step += 1
        self._update_average()
        return record

    def _rows(self) -> tuple[Tensor, int]:
        """This process's rows of the step's batch, and how many rows the whole batch has."""
        torch.manual_seed(seed_of(self.seed, self.step))
        batches: Any = self.batches
        if hasattr(batches, "rows"):
            share = batches.batch // self.world
            places = range(self.rank * share, (self.rank + 1) * share)
            return batches.rows(self.step, places), batches.batch
        whole = batches(self.step)
        return whole.chunk(self.world)[self.rank], len(whole)

    def _backward(self, x: Tensor, condition: Tensor | None, place: int) -> dict[str, Tensor]:
        """Adds the gradients of one part of the batch; its mean losses. place: among all parts of the batch."""
        x, condition = x.to(self.device), None if condition is None else condition.to(self.device)
        chosen = self.codec.lagrange_multiplier(condition)
        lmbda = self.recipe.lmbda if chosen is None else chosen
        torch.manual_seed(seed_of(self.seed, self.step))  # of the noise inside the codec
        half = torch.autocast(self.device.type, self.precision, enabled=self.precision is not None)
        with half, share_of_batch(place, self.parts):
            output = self.codec(x, condition)
        losses = self.loss(output, x, lmbda, min(1.0, self.step / max(1, self.recipe.rate_warm_up)))
        loss = (losses["cost"] * (LMBDA / lmbda) ** BALANCE).mean() / self.recipe.accumulate
        self.scaler.scale(loss).backward()
        return {"loss" if name == "cost" else name: value.detach().float().mean() for name, value in losses.items()}

    @torch.no_grad()
    def _average_gradients(self) -> None:
        """Over the processes, in one sum. A weight that none of them has a gradient of keeps none."""
        if self.world == 1:
            return
        weights = self.clipped + self.unclipped
        used = torch.tensor([float(p.grad is not None) for p in weights], device=self.device)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in weights]
        summed = torch.cat([used, *(g.flatten().float() for g in gradients)])
        dist.all_reduce(summed)
        used, *means = summed.split([len(weights), *(p.numel() for p in weights)])
        for p, times, mean in zip(weights, used.tolist(), means, strict=True):
            p.grad = (mean / self.world).view_as(p).to(p.dtype) if times else None

    @torch.no_grad()
    def _update_average(self) -> None:
        if self.average is not None:
            kept = min(self.recipe.average, self.step / (self.step + AVERAGE_START))
            for name, parameter in self.codec.named_parameters():
                self.average[name].lerp_(parameter, 1 - kept)

    def _over_all(self, losses: list[dict[str, Tensor]]) -> dict[str, float]:
        """Means over the parts of a batch, which are equal, and the processes."""
        values = torch.stack([torch.stack(list(part.values())) for part in losses]).mean(dim=0)
        if self.world > 1:
            dist.all_reduce(values)
        return dict(zip(losses[0], (values / self.world).tolist(), strict=True))

    def any_rank(self, here: bool) -> bool:
        """Is it true in any of the processes?"""
        flag = torch.tensor(float(here), device=self.device)
        if self.world > 1:
            dist.all_reduce(flag)
        return bool(flag)

    def state(self) -> dict[str, Any]:
        """All that the next step depends on: tensors and numbers, which `torch.load(weights_only=True)` reads.

        They are the very tensors in use: write them down, or copy them, before the next step changes them.
        """
        average = {} if self.average is None else {"average": self.average}
        rest = {"codec": self.codec.state_dict(), "optimizer": self.optimizer.state_dict()}
        scaler = {"scaler": self.scaler.state_dict()} if self.scaler.is_enabled() else {}
        return {"step": self.step, **rest, **average, **scaler}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` gave."""
        self.codec.load_state_dict(state["codec"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average = {name: state["average"][name].to(mean, copy=True) for name, mean in self.average.items()}
        if self.scaler.is_enabled() and "scaler" in state:
            self.scaler.load_state_dict(state["scaler"])
        self.step = state["step"]

    def finish(self) -> TransformCodec:
        """The codec, on the CPU and in evaluation mode, with its tables; with the weights' means, if there are any.

        Afterwards the run cannot go on: keep its `state` before.
        """
        if self.average is not None:
            self.codec.load_state_dict(self.average, strict=False)
        self.codec.cpu().eval().build_coder()
        return self.codec


START, START_BATCHES = 10**8, 4  # the steps, beyond any run's, whose crops a prior begins at
AVERAGE_START = 10  # steps: a running mean first forgets what there was before


def _copies(codec: nn.Module) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in codec.named_parameters()}


def half_precision(device: torch.device, capability: tuple[int, int] | None = None) -> torch.dtype | None:
    """What a device computes fast, and with fewer bits: bfloat16, float16, or None, which leaves it at float32.

    capability: of an NVIDIA GPU, such as (7, 5) of Colab's T4; None: that of the one that is here.
    """
    if device.type != "cuda":
        return None
    found = torch.cuda.get_device_capability(device) if capability is None else capability
    return torch.bfloat16 if found >= (8, 0) else torch.float16 if found >= (7, 0) else None


def cosine_schedule(step: int, steps: int, warm_up: int, decay: float = 1.0) -> float:
    """The learning rates' factor: a short rise, then down along half a cosine to a hundredth.

    decay: over how much of the run it falls, at the end: a share of the steps, up to 1, or their number. Between rise
    and fall it is 1.
    """
    begin = fall_begins(steps, decay)
    fall = (step - begin) / (steps - begin) if step > begin else 0.0
    return min(1, (step + 1) / max(1, warm_up)) * (0.505 + 0.495 * math.cos(math.pi * fall))


def seed_of(*numbers: int) -> int:
    """A seed of its own for each step of a run, (seed, step), and for what else is drawn there, (seed, step, 1)."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def fit_prior(
    prior: Prior, latents: Callable[[int], Tensor], recipe: Recipe, loss: Loss | None = None, **options: Any
) -> Training:
    """A run that trains a prior alone, on latents (B, M, h, w) of transforms that stay as they are.

    latents: gives a batch of them for the number of a step. loss: of {"x_hat": ŷ, "likelihoods"} and y; None: the
    bits a position, and nothing else.
    """
    frame = TransformCodec(nn.Identity(), nn.Identity(), prior, stride=1)
    return Training(frame, latents, recipe, loss or _bits_alone, **options)


def _bits_alone(
    output: Mapping[str, Any], x: Tensor, lmbda: Tensor | float, side_weight: float = 1.0
) -> dict[str, Tensor]:
    bpp, mse, cost = _rate_and_error(output, x, side_weight)
    return {"cost": cost, "bpp": bpp, "mse": mse}
