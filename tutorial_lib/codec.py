"""The full codec: a fixed wavelet, a prior that goes from coarse to fine, and a restoration.

    x ─ colours ─ CDF 9/7, five levels ─ : step ─ y ─ prior ─ ŷ ─ corrections ─ inverse wavelet ─ restoration ─ x̂

Any size; nothing is padded. What a picture's first parts say is a whole picture already: of less detail, or small.
Coefficients are the same to the last bit on every machine; the synthesis computes with floats, so a pixel may differ by
one grey level where it lies between two.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from tutorial_lib import tiled_decoding, tiled_encoding
from tutorial_lib.codec_registry import register_codec
from tutorial_lib.encoder_search import DEFAULT_EFFORT, MARGIN, PIECE, ROUNDS, Search
from tutorial_lib.prior import Strings
from tutorial_lib.quality import VariableRateCodec, given, step_of
from tutorial_lib.rans import check_length
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.soap import SOAP
from tutorial_lib.subband_prior import Coefficients, SubbandPrior
from tutorial_lib.wavelet import colour_matrix, sizes, split, turn_colours

LARGEST, DEEPEST = 1024, 16  # no file shall make us set aside memory without end
WHOLE = 2**20  # pixels of a picture that is coded whole: a little faster than in tiles, and just as small
# Bytes that coding takes: a pixel coded whole, a pixel in a gradient of the search, tiles, and a pixel in tiles.
PER_WHOLE, PER_SEARCHED, PER_TILE, PER_PIXEL = 560, 2100, 400 << 20, 16


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


@register_codec("codec")
class Codec(VariableRateCodec):
    """The codec: one network for the qualities from 1 to 100. `training` makes it; `load` gets a trained one.

    C, P, P_colour: widths of the prior's features and checkerboards, from the finest level to the coarsest: as many
                    as there are levels (`SubbandPrior`).
    half, quarter:  widths of the restoration at half and at a quarter of the resolution; blocks: at a quarter.
    Raises ValueError for widths that are not from 1 to 1,024, and for more than 16 levels or blocks.

    >>> codec = Codec(C=[6, 8], P=[6, 8], P_colour=[4, 6], half=8, quarter=8, blocks=1).eval()
    >>> codec.build_coder()
    >>> picture = torch.full((3, 21, 30), 200, dtype=torch.uint8)
    >>> data = codec.encode(picture, quality=30)
    >>> tuple(codec.decode(data).shape), tuple(codec.decode(data, slices=1).shape)  # all of it, and a preview
    ((3, 21, 30), (3, 21, 30))
    """

    efforts = range(len(ROUNDS))
    default_effort = DEFAULT_EFFORT
    searched_pixels = WHOLE  # by default; a search takes much more time and memory than coding
    checkpoint = "codec.safetensors"
    revision = 1  # the strings of its parts begin with `table_offsets`
    # of the codec that had this name before, with lapped cosines, and the version that reads it
    former_settings: ClassVar[dict[str, str]] = dict.fromkeys(
        ("hidden", "depth", "deblock", "side", "features", "inner", "slices"), "version 0.1"
    )

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
        self.halvings = prior.slices

    def rounds(self, effort: int) -> int:
        return ROUNDS[effort]

    def searched(
        self,
        y: Coefficients,
        x: Tensor,
        condition: Tensor | None,
        effort: int,
        on_round: Callable[[], object] | None = None,
    ) -> Coefficients:
        """The cheapest y that the rounds of this effort come across: see `encoder_search`."""
        search = Search(cast(SubbandPrior, self.prior), cast(WaveletSynthesis, self.synthesis))
        return search.best(y, x, given(condition), ROUNDS[effort], on_round)

    @torch.no_grad()
    def decompress(
        self, strings: Strings, shape: tuple[int, int], quality: int | None = None, smaller: int = 0
    ) -> dict[str, Tensor]:
        """{"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode if all strings are given.

        strings: the first parts, or all. smaller: the picture with its sides halved so often; only the parts that it
        needs are decoded. Raises rans.BitstreamError for damaged strings, ValueError if it should be too small.
        """
        self.check_smaller(smaller)
        needed = strings[: self.prior.slices - smaller + 1] if smaller else strings
        y_hat, condition = self._decompress_latent(needed, shape, quality)
        return {"x_hat": self.synthesis(y_hat, condition, smaller)}

    @torch.no_grad()
    def strings_of(
        self, image: Tensor, quality: int | None, effort: int, on_round: Callable[[], object] | None
    ) -> list[bytes]:
        """As the frame does it; of a large picture without a search, in tiles: the same strings in less memory."""
        if effort or image.shape[-2] * image.shape[-1] <= WHOLE:
            return super().strings_of(image, quality, effort, on_round)
        condition = self.condition(quality, image[None])
        colours = cast(WaveletAnalysis, self.analysis).colours
        return tiled_encoding.compress(cast(SubbandPrior, self.prior), colours, image, given(condition))

    def memory_to_encode(self, shape: tuple[int, int], effort: int) -> int:
        """About how many bytes `encode` needs for a picture (H, W), itself included, beside the codec."""
        pixels = math.prod(map(int, shape))
        if effort:  # gradients of a piece, and what the whole takes
            return PER_SEARCHED * min(pixels, (PIECE + 2 * MARGIN) ** 2) + PER_WHOLE * pixels
        return PER_WHOLE * pixels if pixels <= WHOLE else PER_TILE + PER_PIXEL * pixels

    def memory_to_decode(self, shape: tuple[int, int], smaller: int = 0) -> int:
        """The same of `decode`. A smaller picture is decoded from fewer levels, but in tiles of the same size."""
        pixels = math.prod(map(int, shape))
        return PER_WHOLE * pixels if pixels <= WHOLE else PER_TILE + PER_PIXEL * (pixels >> 2 * smaller)

    @torch.no_grad()
    def picture_of(self, strings: Sequence[bytes], shape: tuple[int, int], quality: int | None, smaller: int) -> Tensor:
        """As the frame does it; a large picture in tiles: the same, within a grey level, in less memory."""
        self._check_length(strings, shape)
        if shape[0] * shape[1] <= WHOLE:
            return super().picture_of(strings, shape, quality, smaller)
        prior, synthesis = cast(SubbandPrior, self.prior), cast(WaveletSynthesis, self.synthesis)
        condition = self.condition(quality, torch.empty(1, device=self.device))
        needed = strings[: prior.slices - smaller + 1] if smaller else strings
        return tiled_decoding.decompress(prior, synthesis, needed, shape, given(condition), smaller)

    def _check_length(self, strings: Sequence[bytes], shape: tuple[int, int]) -> None:
        """Raise BitstreamError where these are too few bytes for a picture of that shape, blank as it may be."""
        side = sizes(shape, self.prior.slices)[max(self.prior.slices + 1 - len(strings), 0)]
        stream = sum(len(string) - 1 for string in strings)
        check_length(stream, 3 * side[0] * side[1], cast(SubbandPrior, self.prior).holder.coder.tables)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """For SOAP: what the prior says, then the synthesis's networks and its steps."""
        return [*self.prior.parameter_groups(), *cast(WaveletSynthesis, self.synthesis).parameter_groups()]

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        return SOAP(groups)
