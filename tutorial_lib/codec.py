"""The full codec: one network for a hundred qualities, and files that decode to the same picture on every machine.

    x ─ analysis ─ y ─ prior.compress ─ pieces ─ .lic file ─ pieces ─ prior.decompress ─ ŷ ─ synthesis ─ x̂

It is the frame of `transform_codec` once more, with gained transforms (`variable_rate`), the portable prior
(`portable_slices`), and the container (`bitstream`) around it. Its latents are the same to the last bit on every
machine; the synthesis computes with floats, so a pixel may differ by one grey level where it lies between two.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from tutorial_lib import bitstream
from tutorial_lib.dct_transforms import BLOCK
from tutorial_lib.padding import crop, pad_to_multiple
from tutorial_lib.portable_slices import PortableSlices
from tutorial_lib.transform_codec import Strings
from tutorial_lib.variable_rate import GainedAnalysis, GainedSynthesis, check_quality, quality_of
from tutorial_lib.workbench.checkpoints import shipped
from tutorial_lib.workbench.images import from_pil, to_float, to_uint8
from tutorial_lib.workbench.whole_files import write_whole

CHECKPOINT = "codec.safetensors"
LARGEST, DEEPEST = 1024, 32  # no file shall make us set aside memory without end


@dataclass(frozen=True)
class Settings:
    """The sizes of the networks. Raises ValueError for sizes that no checkpoint of this course has."""

    hidden: int = 128  # channels inside the refinements of the two transforms
    depth: int = 2  # and their 3 × 3 layers
    smooth: int = 24  # channels inside the smoothing network, behind the synthesis
    side: int = 32  # channels of z
    features: int = 96  # channels of what z is turned into, for the predictors
    inner: int = 64  # channels inside the predictors
    slices: tuple[int, ...] = (6, 18, 36, 72, 252)  # their channels, from coarse to fine

    def __post_init__(self) -> None:
        sizes = (self.hidden, self.depth, self.smooth, self.side, self.features, self.inner)
        if not all(isinstance(size, int) and 1 <= size <= LARGEST for size in sizes) or self.depth > DEEPEST:
            raise ValueError(f"sizes are whole numbers from 1 to {LARGEST:,}, the depth to {DEEPEST}: unlike {sizes}.")


class Codec(nn.Module):
    """The codec. Fresh, it is a block transform codec; `codec_training` makes more of it; `load` gets a trained one."""

    def __init__(self, settings: Settings | None = None) -> None:
        super().__init__()
        self.settings = settings or Settings()
        self.analysis = GainedAnalysis(self.settings.hidden, self.settings.depth)
        self.synthesis = GainedSynthesis(self.settings.hidden, self.settings.depth, self.settings.smooth)
        self.prior = PortableSlices(
            self.settings.slices, self.settings.side, self.settings.features, self.settings.inner
        )

    # ---- pictures and files

    def encode(self, image: Tensor | Image.Image, quality: int = 50) -> bytes:
        """A picture, uint8 (3, H, W) or Pillow's, to the bytes of a .lic file. quality: 1 (small) to 100 (good)."""
        image = from_pil(image) if isinstance(image, Image.Image) else image
        if image.dtype != torch.uint8 or image.dim() != 3 or len(image) != 3:
            raise ValueError(f"a picture is uint8 (3, H, W), not {image.dtype} {tuple(image.shape)}.")
        height, width = image.shape[1:]
        bitstream.check_size(width, height)
        strings = self.compress(to_float(image).to(self.device), quality)["strings"]
        pieces = tuple(piece for (piece,) in strings)
        return bitstream.pack(bitstream.Stream(width, height, self.fingerprint(), pieces, "codec", quality))

    def decode(self, data: bytes, slices: int | None = None) -> Tensor:
        """The bytes of a .lic file to the picture, uint8 (3, H, W).

        slices: stop after so many, for a picture of less detail, which a file that was cut short may hold, too.
        Raises rans.BitstreamError for bytes that are damaged, or of another codec.
        """
        if slices is not None and not 0 <= slices <= len(self.settings.slices):
            raise ValueError(f"slices is {slices}; this codec has 0 to {len(self.settings.slices)} of them.")
        stream = bitstream.unpack(data, None if slices is None else slices + 1)
        stream.check_made_by("codec", self.fingerprint())
        strings = [[piece] for piece in stream.strings]
        return to_uint8(self.decompress(strings, (stream.height, stream.width), stream.quality)["x_hat"].cpu())

    # ---- tensors

    def forward(self, x: Tensor, quality: int | Tensor = 50, noise: Tensor | None = None) -> dict:
        """x (B, 3, H, W) in [0, 1] -> {"x_hat": like x, "likelihoods": {"y", "z"}}.

        quality: in training a number for each image, (B,), else one whole number. noise: see `PortableSlices.forward`.
        """
        padded, padding = pad_to_multiple(x, BLOCK)
        many = quality if isinstance(quality, Tensor) else quality_of(quality, x)
        y = self.analysis(padded, many)
        price = self.analysis.error_price(many).detach()
        if self.training:
            y_hat, likelihoods = self.prior(y, many, price, noise)
        else:
            y_hat, likelihoods = self.prior.rate(y, quality, price)
        return {"x_hat": crop(self.synthesis(y_hat, many), padding), "likelihoods": likelihoods}

    @torch.no_grad()
    def compress(self, x: Tensor, quality: int) -> dict:
        """x (B, 3, H, W) in [0, 1] -> {"strings": for each piece one list of B strings, "shape": (H, W)}."""
        check_quality(quality)
        padded, _ = pad_to_multiple(x, BLOCK)
        many = quality_of(quality, x)
        y = self.analysis(padded, many)
        strings = self.prior.compress(y, quality, self.analysis.error_price(many))
        return {"strings": strings, "shape": tuple(x.shape[-2:])}

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int], quality: int) -> dict:
        """Undo `compress`; the first few pieces are enough for a picture. Raises BitstreamError for damaged ones."""
        height, width = shape
        y_hat = self.prior.decompress(strings, (-(-height // BLOCK), -(-width // BLOCK)), quality)
        return {"x_hat": self.synthesis(y_hat, quality_of(quality, y_hat))[..., :height, :width]}

    # ---- checkpoints

    @property
    def device(self) -> torch.device:
        return self.prior.order.device

    def build_coder(self) -> None:
        """Make the coding tables: once, after training. Raises ValueError where the weights have diverged."""
        self.prior.build_coder()

    @property
    def is_built(self) -> bool:
        return self.prior.slot.is_built

    def fingerprint(self) -> str:
        """16 hex digits that tell this decoder from all others: its tables and its weights."""
        digest = hashlib.sha256(self.prior.slot.coder.tables.fingerprint().encode())
        for name, value in sorted(self.state_dict().items()):
            if not name.startswith(("analysis.", "prior.analysis.")) and not name.endswith("_extra_state"):
                digest.update(value.cpu().numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, path: str | Path, facts: dict[str, str] | None = None) -> None:
        """Write a checkpoint, all of it or nothing. facts: what else to say about it. Tables must have been built."""
        self.prior.check()
        if not self.is_built:
            raise RuntimeError("there are no coding tables yet: call build_coder() before saving.")
        settings = json.dumps(asdict(self.settings))
        metadata = {**(facts or {}), "settings": settings, "fingerprint": self.fingerprint()}
        state = {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}
        write_whole(Path(path), save(state, metadata))

    @classmethod
    def load(cls, path: str | Path | None = None) -> "Codec":
        """A trained one. path None: the checkpoint that comes with the course.

        Raises ValueError with one sentence where the file is missing, or holds something else or diverged weights.
        """
        path = shipped(CHECKPOINT) if path is None else Path(path)
        if not path.is_file():
            raise ValueError(f"There is no checkpoint at {path}.")
        try:
            with safe_open(path, framework="pt") as file:
                settings = json.loads((file.metadata() or {})["settings"])
                state = {name: file.get_tensor(name) for name in file.keys()}
            codec = cls(Settings(**{**settings, "slices": tuple(settings["slices"])}))
            codec.load_state_dict(state)
        except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a checkpoint of the full codec.") from error
        if not codec.is_built:
            raise ValueError(f"{path} holds no coding tables; call build_coder() before saving.")
        try:
            codec.prior.check()
        except ValueError as error:
            raise ValueError(f"{path} cannot be used: {error}") from None
        return codec.eval()
