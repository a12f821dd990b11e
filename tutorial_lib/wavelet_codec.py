"""The full codec: a fixed wavelet, a prior that goes from coarse to fine, and a restoration.

    x ─ colours ─ CDF 9/7, five levels ─ : step ─ y ─ prior ─ ŷ ─ corrections ─ inverse wavelet ─ restoration ─ x̂

Any size; nothing is padded. What a picture's first parts say is a whole picture already: of less detail, or small.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tutorial_lib.quality import check_quality, step_of
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.subband_prior import Coefficients, SubbandPrior, qualities
from tutorial_lib.wavelet import colour_matrix, split, turn_colours


class WaveletAnalysis(nn.Module):
    """x (B, 3, H, W) in [0, 1] and the quality (B,) -> y, in steps. Nothing in it is learned."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("colours", colour_matrix(), persistent=False)

    def forward(self, x: Tensor, quality: Tensor) -> Coefficients:
        low, parts = turn_colours((x.float() - 0.5) * 255, self.colours) / step_of(quality), []
        for _ in range(self.levels):
            low, details = split(low)
            parts.append(details.flatten(1, 2))  # (B, 9, h, w)
        return Coefficients(tuple(x.shape[-2:]), [low, *reversed(parts)])


class WaveletCodec(nn.Module):
    """The codec. C, P, P_colour: see `SubbandPrior`; half, quarter, blocks: see `Restoration`."""

    def __init__(
        self,
        C: Sequence[int] = (24, 40, 64, 64, 64),
        P: Sequence[int] = (24, 40, 64, 64, 64),
        P_colour: Sequence[int] = (8, 32, 64, 64, 64),
        half: int = 32,
        quarter: int = 64,
        blocks: int = 2,
    ) -> None:
        super().__init__()
        self.analysis = WaveletAnalysis(len(C))
        self.prior = SubbandPrior(C, P, P_colour)
        self.synthesis = WaveletSynthesis(C, half, quarter, blocks)

    def forward(self, x: Tensor, quality: Tensor) -> dict:
        """x (B, 3, H, W) in [0, 1], quality (B,) -> {"x_hat": like x, "likelihoods": {"part0": (B, n), …}}.

        In evaluation mode x_hat is what decoding gives, and likelihoods are of what is coded.
        """
        y_hat, likelihoods = self.prior(self.analysis(x, quality), quality)
        return {"x_hat": self.synthesis(y_hat, quality), "likelihoods": likelihoods}

    def build_coder(self) -> None:
        """Make the coding tables: once, after training. Raises as `SubbandPrior.build_coder` does."""
        self.prior.build_coder()

    @torch.no_grad()
    def compress(self, x: Tensor, quality: int) -> dict:
        """x (B, 3, H, W) in [0, 1] -> {"strings": for each part one list of B strings, "shape": (H, W)}."""
        check_quality(quality)
        y = self.analysis(x, qualities(quality, x))
        return {"strings": self.prior.compress(y, quality), "shape": y.shape}

    @torch.no_grad()
    def decompress(
        self, strings: Sequence[Sequence[bytes]], shape: tuple[int, int], quality: int, smaller: int = 0
    ) -> dict:
        """{"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode if all strings are given.

        strings: the first parts, or all. smaller: the picture with its sides halved so often; only the parts that it
        needs are decoded. Raises rans.BitstreamError for damaged strings, ValueError if it should be too small.
        """
        levels = self.prior.parts - 1
        if not 0 <= smaller <= levels:
            raise ValueError(f"a picture can be halved 0 to {levels} times, not {smaller}.")
        if smaller:
            strings = strings[: levels - smaller + 1]
        y_hat = self.prior.decompress(strings, shape, quality)
        return {"x_hat": self.synthesis(y_hat, qualities(quality, y_hat.parts[0]), smaller)}

    @torch.no_grad()
    def start_at(self, x: Tensor) -> None:
        """Before training: the usual levels, from a batch of crops (B, 3, H, W)."""
        quality = qualities(50, x)
        self.prior.start_at(self.analysis(x, quality), quality)

    def parameter_groups(self) -> list[dict]:
        """For an optimizer: {"params", "lr", "name"} each; the rates suit SOAP."""
        return [*self.prior.parameter_groups(), *self.synthesis.parameter_groups()]
