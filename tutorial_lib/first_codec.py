"""The first codec: the small network of the source notes, as printed and repaired, and one that learns in minutes.

`NotesNetwork` is what the notes print. It does not reproduce the size of its input, what it calls a quantizer is a
convolution, and it codes nothing. `transform_codec.TransformCodec` is the frame that does all this around any two
transforms. Here two pairs go into it:

- `notes_codec`: the notes' own convolutions, repaired. It works, and learns slowly.
- `FirstCodec`: transforms that start as block cosines (`dct_transforms`). It works before it has learned anything,
  and learns within minutes.
"""

import math
from typing import Any

from torch import Tensor, nn

from tutorial_lib.codec_registry import register_codec
from tutorial_lib.dct_transforms import BLOCK, KEPT, DctAnalysis, DctSynthesis, parameter_groups
from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.prior import FactorizedPrior
from tutorial_lib.transform_codec import TransformCodec


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


def notes_codec() -> TransformCodec:
    """The notes' convolutions, repaired: sizes match, the latent may be negative, and it is rounded."""
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
    return TransformCodec(analysis, synthesis, FactorizedPrior(32), stride=8)


@register_codec("first_codec")
class FirstCodec(TransformCodec):
    """A codec that starts as a block transform codec, with the quantizer's step that suits λ.

    At high rates each of a pixel's three coefficients costs half a bit more whenever its squared error Δ²/12 is halved,
    so that R + λ·D is least at the step Δ = √(18 / ln 2) / √λ = 5.1 / √λ. (5.3 here; at real rates, where most
    coefficients are 0, notebook 07 finds somewhat coarser steps best, and training moves on from this one.)
    """

    checkpoint = "first_codec.safetensors"

    def __init__(self, lmbda: float = 0.0067, hidden: int = 96) -> None:
        step = 5.3 / math.sqrt(lmbda)
        channels = sum(KEPT)
        super().__init__(DctAnalysis(step, hidden), DctSynthesis(step, hidden), FactorizedPrior(channels), BLOCK)
        self.lmbda = lmbda

    def lagrange_multiplier(self, condition: Tensor | None) -> float:
        """That of the quantizer's step."""
        return self.lmbda

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [*parameter_groups(self.analysis, self.synthesis), *self.prior.parameter_groups()]
