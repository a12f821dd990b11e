"""Training the full codec on a folder of photos: stopped at any moment, continued to the bit, on one device or many.

    photos ─ `Batches`: crops, qualities, noise ─ codec ─ `loss_of` ─ gradients ─ Adam ─ weights
                 └─ one generator                            (averaged over the processes)

*All* that is random comes out of one generator, on the CPU, for the whole batch; a process that trains together with
others draws the same and keeps its share. So the run is a function of its seed: `Training.state` is the weights, what
Adam remembers, and that generator; who continues from there does what an uninterrupted run does, bit for bit on the
same machine (a GPU adds in no fixed order, so there only nearly). And two processes with half a batch each compute
what one does with all of it, up to the order of sums.

To train on several devices: `torchrun --nproc-per-node 2 -m tutorial_lib.cli train …` (PyTorch's own engine, DDP).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from tutorial_lib.codec import Codec, Settings
from tutorial_lib.dct_transforms import BLOCK
from tutorial_lib.gaussian_conditional import SCALE_MIN
from tutorial_lib.hyperprior import HYPER_STRIDE
from tutorial_lib.padding import reflect_pad
from tutorial_lib.portable_slices import level_of
from tutorial_lib.turns import turns_of
from tutorial_lib.variable_rate import APART, HIGHEST, LEVELS, LOWEST, lambda_of

BALANCE = 0.6  # bits grow nearly as λ^0.6; divided by it, all qualities weigh about the same in the loss
# Steps until z's bits count in full: a z that costs before it is of use would fall silent at once. (In the checkpoint
# that ships it has nearly fallen silent later: what it could say, the first slice's turns find out by themselves.)
Z_FREE = 300
WARM_UP = 50  # steps in which the learning rates rise


@dataclass(frozen=True)
class Preset:
    """How to train. rates: learning rates of what is linear in coefficients, of the refinements, and of the prior."""

    settings: Settings = field(default_factory=Settings)
    steps: int = 2000
    batch: int = 8
    crop: int = 128
    enlarged: tuple[float, float] = (0.8, 2.0)  # each crop shows its photo at a random size between these
    rates: tuple[float, float, float] = (1e-4, 1e-3, 4e-3)


PRESETS = {
    "laptop": Preset(),  # minutes on two cores
    "standard": Preset(  # an hour or less; the checkpoint that ships
        settings=Settings(hidden=192, depth=3, smooth=32, side=48, features=128, inner=96),
        steps=6000,
        batch=6,
        crop=160,
        rates=(1e-4, 7e-4, 2e-3),
    ),
    "gpu": Preset(  # for a GPU; nobody has run it to its end yet
        settings=Settings(hidden=384, depth=6, smooth=64, side=96, features=192, inner=192),
        steps=200_000,
        batch=16,
        crop=256,
        rates=(1e-4, 5e-4, 1e-3),
    ),
}


class Batches:
    """Crops of photos at random sizes, each with a quality and with the noise that stands in for rounding its z.

    photos: uint8 (3, H, W), of any size: what is smaller than a crop is continued by reflection.
    """

    def __init__(self, photos: Sequence[Tensor], preset: Preset, seed: int = 0) -> None:
        if not photos:
            raise ValueError("There are no photos to train on.")
        self.photos = photos
        self.preset = preset
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self) -> tuple[Tensor, Tensor, Tensor]:
        """x (B, 3, crop, crop) in [0, 1], quality (B,), noise (B, N, crop/64, crop/64) rounded up."""
        preset = self.preset
        x = torch.stack([self._crop() for _ in range(preset.batch)])
        quality = LOWEST + (HIGHEST - LOWEST) * torch.rand(preset.batch, generator=self.generator)
        size = -(-preset.crop // (BLOCK * HYPER_STRIDE))
        noise = torch.rand(preset.batch, preset.settings.side, size, size, generator=self.generator) - 0.5
        return x, quality, noise

    def _crop(self) -> Tensor:
        photo = self.photos[self._below(len(self.photos))]
        low, high = self.preset.enlarged
        scale = low * (high / low) ** float(torch.rand((), generator=self.generator))
        size = math.ceil(self.preset.crop / scale)  # of what is cut out of the photo
        height, width = photo.shape[1:]
        if min(height, width) < size:
            photo = reflect_pad(photo, 0, max(0, size - width), 0, max(0, size - height))
            height, width = photo.shape[1:]
        top, left = self._below(height - size + 1), self._below(width - size + 1)
        crop = photo[None, :, top : top + size, left : left + size].float() / 255  # (1, 3, size, size)
        if size != self.preset.crop:
            shape = (self.preset.crop, self.preset.crop)
            crop = F.interpolate(crop, shape, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        return crop[0].flip(-1) if self._below(2) else crop[0]  # (3, crop, crop)

    def _below(self, limit: int) -> int:
        return int(torch.randint(limit, (), generator=self.generator))


@torch.no_grad()
def start_at_spreads(codec: Codec, x: Tensor) -> None:
    """Let the usual levels begin at the spreads in a batch x (B, 3, H, W), and what networks add to them near 0.

    Finding the spreads out by gradient descent would take most of a short training. In the first slice they are those
    of what is left when the nearest known positions' mean is taken away.
    """
    prior = codec.prior
    for row in range(LEVELS):
        first, *others = prior._cut(codec.analysis(x, torch.full((len(x),), float(LOWEST + APART * row))))
        turn_of, known, spreads = turns_of(*first.shape[-2:]), torch.zeros_like(first), []
        for turn, network in enumerate(prior.turns):
            means = network.nearest(known)
            left = (first - means)[..., turn_of == turn]  # (B, C, positions), none at all in very small crops
            spreads.append((left.square().sum(dim=(0, 2)) / max(1, left[:, 0].numel())).sqrt())  # (C,)
            known = torch.where(turn_of <= turn, first, means)
        spreads += [y.square().mean(dim=(0, 2, 3)).sqrt() for y in others]
        prior.y_level.values[row] = level_of(torch.cat(spreads).clamp(min=SCALE_MIN))
    for network in (*(turn.network for turn in prior.turns), *prior.predictors):
        network[-1].weight.mul_(0.01)
        network[-1].bias.zero_()


def loss_of(output: dict, x: Tensor, quality: Tensor, z_price: float = 1.0) -> dict[str, Tensor]:
    """{"loss", "bpp", "mse"}: means over the batch. The loss is (bpp + λ · 255² · MSE) / λ^0.6, up to a constant."""
    pixels = x.shape[-2] * x.shape[-1]
    y_bits, z_bits = (-output["likelihoods"][name].log2().flatten(1).sum(dim=1) for name in ("y", "z"))  # (B,)
    mse = (output["x_hat"] - x).square().flatten(1).mean(dim=1)  # (B,)
    lmbda = lambda_of(quality)
    cost = (y_bits + z_price * z_bits) / pixels + lmbda * 255**2 * mse
    weight = (lambda_of(torch.tensor((LOWEST + HIGHEST) / 2)) / lmbda) ** BALANCE
    return {"loss": (cost * weight).mean(), "bpp": ((y_bits + z_bits) / pixels).mean(), "mse": mse.mean()}


class Training:
    """A run: `for record in training: …` takes the steps that are left; `state` and `restore` stop and continue it.

    Under torchrun each process builds the same `Training` and takes its share of each batch.
    """

    def __init__(self, codec: Codec, batches: Batches, device: str = "cpu") -> None:
        self.codec, self.batches, self.preset = codec.to(device), batches, batches.preset
        self.device = torch.device(device)
        self.step = 0
        self.rank, self.world = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        if self.preset.batch % self.world:
            raise ValueError(f"a batch of {self.preset.batch} cannot be shared evenly by {self.world} processes.")
        # Coefficients may be hundreds: what multiplies them must move slowly, or one step makes their product jump.
        slow = [codec.analysis.dct.weight, codec.synthesis.idct.weight]
        slow += [p for turn in codec.prior.turns for p in (*turn.nearest.parameters(), *turn.from_known.parameters())]
        prior = [p for p in codec.prior.parameters() if all(p is not other for other in slow)]
        others = [*codec.analysis.parameters(), *codec.synthesis.parameters()]
        others = [p for p in others if all(p is not other for other in slow)]
        groups = zip((slow, others, prior), self.preset.rates, strict=True)
        self.optimizer = torch.optim.Adam([{"params": p, "lr": rate, "full_rate": rate} for p, rate in groups])
        self.network: nn.Module = DistributedDataParallel(codec) if self.world > 1 else codec

    def __iter__(self) -> Iterator[dict[str, float]]:
        """Yields {"loss", "bpp", "mse"} of the whole batch after each step."""
        while self.step < self.preset.steps:
            self.codec.train()
            yield self._one_step()

    def _one_step(self) -> dict[str, float]:
        x, quality, noise = (each.chunk(self.world)[self.rank].to(self.device) for each in self.batches())
        for group in self.optimizer.param_groups:
            group["lr"] = group["full_rate"] * self._schedule()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            output = self.network(x, quality, noise)
        losses = loss_of(output, x, quality, z_price=min(1, self.step / Z_FREE))
        record = self._over_all(losses)
        self.optimizer.zero_grad()
        losses["loss"].backward()
        norm = nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)  # one odd crop shall not undo a hundred
        if not (math.isfinite(record["loss"]) and norm.isfinite()):  # in one process, so in all; no weight has changed
            raise ValueError(
                f"the loss of step {self.step} is {record['loss']:.4g} with a gradient of length {norm.item():.4g}: "
                "the training has diverged; another seed may do better."
            )
        self.optimizer.step()
        self.step += 1
        return record

    def _over_all(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Means over the processes."""
        values = torch.stack([value.detach() for value in losses.values()])
        if self.world > 1:
            dist.all_reduce(values)
        return dict(zip(losses, (values / self.world).tolist(), strict=True))

    def anywhere(self, here: bool) -> bool:
        """Is it true in any of the processes?"""
        flag = torch.tensor(float(here), device=self.device)
        if self.world > 1:
            dist.all_reduce(flag)
        return bool(flag)

    def _schedule(self) -> float:
        """The learning rates' factor: a short rise, then down along half a cosine."""
        fall = 0.505 + 0.495 * math.cos(math.pi * self.step / self.preset.steps)
        return min(1, (self.step + 1) / WARM_UP) * fall

    def state(self) -> dict:
        """All that the next step depends on: tensors and numbers, which `torch.load(weights_only=True)` reads.

        They are the very tensors in use: write them down, or copy them, before the next step changes them.
        """
        return {
            "step": self.step,
            "codec": self.codec.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.batches.generator.get_state(),
        }

    def restore(self, state: dict) -> None:
        """Continue from what `state` gave."""
        self.step = state["step"]
        self.codec.load_state_dict(state["codec"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.batches.generator.set_state(state["generator"].cpu())

    def finish(self) -> Codec:
        """The codec, on the CPU and in evaluation mode, with its tables."""
        self.codec.cpu().eval().build_coder()
        return self.codec
