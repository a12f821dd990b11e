"""The first codec: the small network of the source notes, as printed, mended, and one that learns in minutes.

    x ─ pad ─ analysis ─ y ─ round ─ ŷ ─ entropy coder ─ bytes ─ entropy coder ─ ŷ ─ synthesis ─ crop ─ x̂
                                     │
                             EntropyBottleneck: how many bits?

`NotesNetwork` is what the notes print. It does not reproduce the size of its input, what it calls a quantizer is a
convolution, and it codes nothing. `FirstCodec` is the frame that mends this around any two transforms; training
minimises R + λ·D (Ballé, Laparra & Simoncelli 2017), straight through the rounding (Theis et al. 2017), in the rate
as in the distortion.

Two pairs of transforms go into the frame:

- `notes_codec`: the notes' own convolutions, mended. It works, and learns slowly.
- `dct_codec`: transforms that start as block cosines (`dct_transforms`). It works before it has learned anything,
  and learns within minutes.
"""

import math
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tutorial_lib.dct_transforms import BLOCK, KEPT, DctAnalysis, DctSynthesis
from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.entropy_coder import CoderSlot
from tutorial_lib.padding import crop, pad_to_multiple
from tutorial_lib.quantization import round_ste
from tutorial_lib.rans import BitstreamError
from tutorial_lib.workbench.checkpoints import shipped

CHECKPOINT = "first_codec.safetensors"


class NotesNetwork(nn.Module):
    """The network as the source notes print it, with its faults: for looking at, not for using."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(3, 32, 5, stride=2), nn.ReLU(), nn.Conv2d(32, 64, 5, stride=2), nn.ReLU()
        )
        self.quantizer = nn.Sequential(nn.Conv2d(64, 32, 5, stride=2), nn.ReLU())
        self.entropy_bottleneck = EntropyBottleneck(32)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 64, 5, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(64, 32, 5, stride=2),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 3, 5, stride=2),
        )

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, 3, H, W) -> its "reconstruction", of another size, and the likelihoods of the latent."""
        y = self.encoder(x)  # (B, 64, about H/4, about W/4)
        z = self.quantizer(y)  # (B, 32, about H/8, about W/8), real numbers still
        z_hat, likelihoods = self.entropy_bottleneck(z)
        return self.decoder(z_hat), likelihoods


class IntegerPrior(EntropyBottleneck):
    """A factorized prior of whole numbers, trained on the very symbols that will be coded.

    With noise for rounding, the rate is smooth, but where most symbols are 0 it is far too high: y = 0.3 will be coded
    as 0, while its noisy stand-in may land at 0.8, where the density expects next to nothing. So here the rate is that
    of round(y). Its gradient for the densities is exact. Rounding passes none to y, so y gets the slope of the code
    length between the two whole numbers around it: what a step up would cost, or a step down save.

    Rounding is centred on 0: of a density that has been trained at whole numbers only, the median means nothing.
    """

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, C, ...) -> (round(y), likelihoods), in training as in use; only the gradients are stand-ins."""
        if not self.training:
            return super().forward(y)
        below = y.detach().floor()
        cost_below, cost_above = -self.rate(below).log2(), -self.rate(below + 1).log2()  # bits
        y_hat = round_ste(y)
        cost = torch.where(y_hat > below, cost_above, cost_below)
        slope = (cost_above - cost_below).detach()  # bits for each step up
        return y_hat, torch.exp2(-cost - slope * (y - y.detach()))

    def _refresh_medians(self) -> None:
        """They stay 0."""


class FirstCodec(nn.Module):
    """A codec around two transforms, with a factorized prior.

    analysis:  (B, 3, H, W) in [0, 1], sizes a multiple of `stride` -> latent (B, channels, H/stride, W/stride).
    synthesis: the way back.
    """

    def __init__(self, analysis: nn.Module, synthesis: nn.Module, channels: int, stride: int) -> None:
        super().__init__()
        self.analysis = analysis
        self.synthesis = synthesis
        self.stride = stride
        self.entropy_bottleneck = IntegerPrior(channels)
        self.slot = CoderSlot()

    def forward(self, x: Tensor) -> dict:
        """x (B, 3, H, W) in [0, 1], of any size -> {"x_hat": like x, "likelihoods": {"y": like the latent}}."""
        padded, padding = pad_to_multiple(x, self.stride)
        y = self.analysis(padded)  # (B, M, H/stride, W/stride)
        y_hat, likelihoods = self.entropy_bottleneck(y)
        return {"x_hat": crop(self.synthesis(y_hat), padding), "likelihoods": {"y": likelihoods}}

    def build_coder(self) -> None:
        """Make the coding tables of the density as it is now: once, after training."""
        self.slot.build(self.entropy_bottleneck)

    @torch.no_grad()
    def compress(self, x: Tensor) -> dict:
        """x (B, 3, H, W) in [0, 1] -> {"strings": [one list of B strings], "shape": (H, W)}.

        Raises RuntimeError before `build_coder`, ValueError where the latent is not finite.
        """
        padded, _ = pad_to_multiple(x, self.stride)
        return {"strings": [self.slot.coder.compress(self.analysis(padded))], "shape": tuple(x.shape[-2:])}

    @torch.no_grad()
    def decompress(self, strings: list[list[bytes]], shape: tuple[int, int]) -> dict:
        """Undo `compress`: {"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode.

        Raises rans.BitstreamError for damaged strings.
        """
        if len(strings) != 1:
            raise BitstreamError(f"this codec writes one string a picture, not {len(strings)}.")
        height, width = shape
        latent_shape = (-(-height // self.stride), -(-width // self.stride))  # rounded up, as padding does
        y_hat = self.slot.coder.decompress(strings[0], latent_shape)  # (B, M, H/stride, W/stride)
        return {"x_hat": self.synthesis(y_hat)[..., :height, :width]}

    def fingerprint(self) -> str:
        """16 hex digits that tell these coding tables from all others."""
        return self.slot.coder.tables.fingerprint()

    @classmethod
    def load(cls, path: str | Path | None = None) -> "FirstCodec":
        """A trained `dct_codec`, ready to compress. path None: the checkpoint that comes with the course.

        Raises ValueError with one sentence where the file is missing or holds something else.
        """
        path = shipped(CHECKPOINT) if path is None else Path(path)
        if not path.is_file():
            raise ValueError(f"There is no checkpoint at {path}.")
        codec = dct_codec()
        try:
            codec.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise ValueError(f"{path} is not a checkpoint of the first codec.") from error
        if not codec.slot.is_built:
            raise ValueError(f"{path} holds no coding tables; call build_coder() before saving.")
        return codec.eval()


def notes_codec() -> FirstCodec:
    """The notes' convolutions, mended: sizes match, the latent may be negative, and what rounds is rounding."""
    analysis = nn.Sequential(
        nn.Conv2d(3, 32, 5, stride=2, padding=2),  # (B, 32, H/2, W/2)
        nn.ReLU(),
        nn.Conv2d(32, 64, 5, stride=2, padding=2),  # (B, 64, H/4, W/4)
        nn.ReLU(),
        nn.Conv2d(64, 32, 5, stride=2, padding=2),  # (B, 32, H/8, W/8)
    )
    synthesis = nn.Sequential(
        nn.ConvTranspose2d(32, 64, 5, stride=2, padding=2, output_padding=1),  # (B, 64, H/4, W/4)
        nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 5, stride=2, padding=2, output_padding=1),  # (B, 32, H/2, W/2)
        nn.ReLU(),
        nn.ConvTranspose2d(32, 3, 5, stride=2, padding=2, output_padding=1),  # (B, 3, H, W)
    )
    return FirstCodec(analysis, synthesis, channels=32, stride=8)


def dct_codec(lmbda: float = 0.0067, hidden: int = 96) -> FirstCodec:
    """A codec that starts as a block transform codec, with the quantizer's step that suits λ.

    At high rates each of a pixel's three coefficients costs half a bit more whenever its squared error Δ²/12 is halved,
    so that R + λ·D is least at the step Δ = √(18 / ln 2) / √λ = 5.1 / √λ. (5.3 here; at real rates, where most
    coefficients are 0, notebook 07 finds somewhat coarser steps best, and training moves on from this one.)
    """
    step = 5.3 / math.sqrt(lmbda)
    return FirstCodec(DctAnalysis(step, hidden), DctSynthesis(step, hidden), sum(KEPT), BLOCK)
