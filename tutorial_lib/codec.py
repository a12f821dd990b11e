"""The full codec: one network for a hundred qualities, and files whose latents are the same on every machine.

    x ─ analysis ─ y ─ prior.compress ─ pieces ─ .lic file ─ pieces ─ prior.decompress ─ ŷ ─ synthesis ─ x̂

It is the frame of `transform_codec` once more (07), with gained transforms (`variable_rate`) and the portable prior
(`portable_slices`). Its latents are the same to the last bit on every machine; the synthesis computes with floats, so a
pixel may differ by one grey level where it lies between two.
"""

from collections.abc import Sequence
from typing import Any

from tutorial_lib.codec_registry import register_codec
from tutorial_lib.dct_transforms import BLOCK, parameter_groups
from tutorial_lib.portable_slices import PortableSlices
from tutorial_lib.quality import VariableRateCodec
from tutorial_lib.variable_rate import GainedAnalysis, GainedSynthesis

LARGEST, DEEPEST = 1024, 32  # no file shall make us set aside memory without end


@register_codec("codec")
class Codec(VariableRateCodec):
    """The codec. Fresh, it is a block transform codec; `training` makes more of it; `load` gets a trained one.

    hidden:   channels inside the refinements of the two transforms, depth: their 3 × 3 layers.
    deblock:  channels inside the deblocking filter, behind the synthesis.
    side:     channels of z, features: of what it is turned into for the predictors, inner: inside these.
    slices:   their numbers of channels, from coarse to fine.
    Raises ValueError for sizes that no checkpoint of this course has.

    >>> import torch
    >>> codec = Codec(hidden=8, depth=1, deblock=4, side=8, features=8, inner=8).eval()
    >>> codec.build_coder()  # a trained one, `Codec.load()`, has its tables already
    >>> picture = torch.full((3, 20, 30), 200, dtype=torch.uint8)
    >>> data = codec.encode(picture, quality=30)
    >>> tuple(codec.decode(data).shape), tuple(codec.decode(data, slices=1).shape)  # all of it, and a preview
    ((3, 20, 30), (3, 20, 30))
    """

    checkpoint = "codec.safetensors"

    def __init__(
        self,
        hidden: int = 128,
        depth: int = 2,
        deblock: int = 24,
        side: int = 32,
        features: int = 96,
        inner: int = 64,
        slices: Sequence[int] = (6, 18, 36, 72, 252),
    ) -> None:
        sizes = (hidden, depth, deblock, side, features, inner, *slices)
        if not all(isinstance(size, int) and 1 <= size <= LARGEST for size in sizes) or depth > DEEPEST:
            raise ValueError(f"sizes are whole numbers from 1 to {LARGEST:,}, the depth to {DEEPEST}: unlike {sizes}.")
        analysis = GainedAnalysis(hidden, depth)
        prior = PortableSlices(slices, side, features, inner, analysis.distortion_weight)
        super().__init__(analysis, GainedSynthesis(hidden, depth, deblock), prior, BLOCK)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Three groups: the cosines, "linear", and the "transforms" around them; and what the prior says."""
        return [*parameter_groups(self.analysis, self.synthesis), *self.prior.parameter_groups()]
