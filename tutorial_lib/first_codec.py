"""The first codec: the small network of the source notes, as printed, mended, and one that learns in minutes.

`NotesNetwork` is what the notes print. It does not reproduce the size of its input, what it calls a quantizer is a
convolution, and it codes nothing. `transform_codec.TransformCodec` is the frame that mends this around any two
transforms. Here two pairs go into it:

- `notes_codec`: the notes' own convolutions, mended. It works, and learns slowly.
- `FirstCodec`: transforms that start as block cosines (`dct_transforms`). It works before it has learned anything,
  and learns within minutes.
"""

import math
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from tutorial_lib.dct_transforms import BLOCK, KEPT, DctAnalysis, DctSynthesis
from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.transform_codec import FactorizedPrior, TransformCodec
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


def notes_codec() -> TransformCodec:
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
    return TransformCodec(analysis, synthesis, FactorizedPrior(32), stride=8)


class FirstCodec(TransformCodec):
    """A codec that starts as a block transform codec, with the quantizer's step that suits λ.

    At high rates each of a pixel's three coefficients costs half a bit more whenever its squared error Δ²/12 is halved,
    so that R + λ·D is least at the step Δ = √(18 / ln 2) / √λ = 5.1 / √λ. (5.3 here; at real rates, where most
    coefficients are 0, notebook 07 finds somewhat coarser steps best, and training moves on from this one.)
    """

    def __init__(self, lmbda: float = 0.0067, hidden: int = 96) -> None:
        step = 5.3 / math.sqrt(lmbda)
        channels = sum(KEPT)
        super().__init__(DctAnalysis(step, hidden), DctSynthesis(step, hidden), FactorizedPrior(channels), BLOCK)

    @classmethod
    def load(cls, path: str | Path | None = None) -> "FirstCodec":
        """A trained one, ready to compress. path None: the checkpoint that comes with the course.

        Raises ValueError with one sentence where the file is missing or holds something else.
        """
        path = shipped(CHECKPOINT) if path is None else Path(path)
        if not path.is_file():
            raise ValueError(f"There is no checkpoint at {path}.")
        codec = cls()
        try:
            codec.load_state_dict(load_file(path))
        except (SafetensorError, RuntimeError, ValueError) as error:
            raise ValueError(f"{path} is not a checkpoint of the first codec.") from error
        if not codec.is_built:
            raise ValueError(f"{path} holds no coding tables; call build_coder() before saving.")
        return codec.eval()
