"""The wavelet codec: a fixed wavelet, a prior that goes from coarse to fine, and a restoration.

    x ─ colours ─ CDF 9/7, five levels ─ : step ─ y ─ prior ─ ŷ ─ corrections ─ inverse wavelet ─ restoration ─ x̂

Any size; nothing is padded. What a picture's first parts say is a whole picture already: of less detail, or small.
Coefficients are the same to the last bit on every machine; the synthesis computes with floats, so a pixel may differ by
one grey level where it lies between two.
"""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from tutorial_lib.codec_registry import register_codec
from tutorial_lib.prior import Strings
from tutorial_lib.quality import VariableRateCodec, step_of
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.soap import SOAP
from tutorial_lib.subband_prior import Coefficients, SubbandPrior
from tutorial_lib.wavelet import colour_matrix, split, turn_colours

LARGEST, DEEPEST = 1024, 16  # no file shall make us set aside memory without end


class WaveletAnalysis(nn.Module):
    """x (B, 3, H, W) in [0, 1] and the quality (B,) -> y, in steps. Nothing in it is learned."""

    colours: Tensor

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.register_buffer("colours", colour_matrix(), persistent=False)

    def forward(self, x: Tensor, quality: Tensor) -> Coefficients:
        low, parts = turn_colours((x.float() - 0.5) * 255, self.colours) / step_of(quality), []
        for _ in range(self.levels):
            low, details = split(low)
            parts.append(details.flatten(1, 2))  # (B, 9, h, w)
        return Coefficients((x.shape[-2], x.shape[-1]), [low, *reversed(parts)])


@register_codec("wavelet")
class WaveletCodec(VariableRateCodec):
    """The codec.

    C, P, P_colour: widths of the prior's features and checkerboards, from the finest level to the coarsest: as many
                    as there are levels (`SubbandPrior`).
    half, quarter:  widths of the restoration at half and at a quarter of the resolution; blocks: at a quarter.
    Raises ValueError for sizes that no checkpoint of this course has.

    >>> codec = WaveletCodec(C=[6, 8], P=[6, 8], P_colour=[4, 6], half=8, quarter=8, blocks=1).eval()
    >>> codec.build_coder()
    >>> picture = torch.full((3, 21, 30), 200, dtype=torch.uint8)
    >>> data = codec.encode(picture, quality=30)
    >>> tuple(codec.decode(data).shape), tuple(codec.decode(data, slices=1).shape)  # all of it, and a preview
    ((3, 21, 30), (3, 21, 30))
    """

    def __init__(
        self,
        C: Sequence[int] = (24, 40, 64, 64, 64),
        P: Sequence[int] = (24, 40, 64, 64, 64),
        P_colour: Sequence[int] = (8, 32, 64, 64, 64),
        half: int = 32,
        quarter: int = 64,
        blocks: int = 2,
    ) -> None:
        widths = (*C, *P, *P_colour, half, quarter)
        if not all(isinstance(width, int) and 1 <= width <= LARGEST for width in widths):
            raise ValueError(f"widths are whole numbers from 1 to {LARGEST:,}, unlike {widths}.")
        if not isinstance(blocks, int) or not 0 <= blocks <= DEEPEST or len(C) > DEEPEST:
            raise ValueError(f"there are at most {DEEPEST} levels and blocks, unlike {len(C)} and {blocks}.")
        prior, synthesis = SubbandPrior(C, P, P_colour), WaveletSynthesis(C, half, quarter, blocks)
        super().__init__(WaveletAnalysis(len(C)), synthesis, prior, stride=1)

    @torch.no_grad()
    def decompress(
        self, strings: Strings, shape: tuple[int, int], quality: int | None = None, smaller: int = 0
    ) -> dict[str, Tensor]:
        """{"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode if all strings are given.

        strings: the first parts, or all. smaller: the picture with its sides halved so often; only the parts that it
        needs are decoded. Raises rans.BitstreamError for damaged strings, ValueError if it should be too small.
        """
        levels = self.prior.slices
        if not 0 <= smaller <= levels:
            raise ValueError(f"a picture can be halved 0 to {levels} times, not {smaller}.")
        needed = strings[: levels - smaller + 1] if smaller else strings
        y_hat, condition = self._decompress_latent(needed, shape, quality)
        return {"x_hat": self.synthesis(y_hat, condition, smaller)}

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For SOAP: what the prior says, then the synthesis's networks and its steps."""
        return [*self.prior.parameter_groups(), *cast(WaveletSynthesis, self.synthesis).parameter_groups()]

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return SOAP(groups)
