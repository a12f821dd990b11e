"""The frame that makes a codec of two transforms and a prior: tensors, files and checkpoints.

    x ─ pad ─ analysis ─ y ─ prior.compress ─ strings ─ prior.decompress ─ ŷ ─ synthesis ─ crop ─ x̂
                                  └──── .lic file ────┘

`Prior` says what the frame asks of a prior, and `FactorizedPrior` is the simplest one (both of `prior`). A checkpoint
names the factory that builds its codec, and the settings that the factory was given (`register_codec`, of
`codec_registry`). They can be imported from here, too: a codec of one's own needs this module and its transforms.

The frame minimises R + λ·D (Ballé, Laparra & Simoncelli 2017); `training` does it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tutorial_lib import bitstream
from tutorial_lib.codec_registry import UnknownCodec, create_codec, register_codec
from tutorial_lib.files.checkpoints import describe_checkpoint, fits, read_checkpoint, shipped, write_checkpoint
from tutorial_lib.files.images import from_pil, to_float, to_uint8
from tutorial_lib.files.memory_limit import MemoryLimit, TooLarge
from tutorial_lib.padding import crop, pad_to_multiple
from tutorial_lib.prior import FactorizedPrior, Latent, Prior, Strings
from tutorial_lib.rans import BitstreamError

__all__ = ["FactorizedPrior", "Prior", "TransformCodec", "create_codec", "register_codec"]


class TransformCodec(nn.Module):
    """A codec around two transforms and a prior.

    analysis:  (B, 3, H, W) in [0, 1], sizes a multiple of `stride` -> latent y (B, M, H/stride, W/stride).
    synthesis: the way back.
    prior:     a `Prior`.

    The frame hands y on and never looks into it: it may be another structure that the three agree on.

    A codec whose encoder can search for better files sets `efforts` (from 0, one pass) and `default_effort`, and has a
    `searched`. One that can decode a smaller picture sets `halvings`, and its `decompress` takes `smaller`.

    A variable-rate codec sets `qualities` (whole numbers from 1 to 255 at most) and `default_quality`, and says how
    much distortion counts at each (`lagrange_multiplier`); its transforms take the condition, too. For qualities from 1
    to 100, `quality.VariableRateCodec` has all of this.

    >>> there, back = nn.Conv2d(3, 8, 2, stride=2), nn.ConvTranspose2d(8, 3, 2, stride=2)
    >>> codec = TransformCodec(there, back, FactorizedPrior(8), stride=2).eval()
    >>> codec.build_coder()
    >>> x = torch.rand(1, 3, 5, 7)
    >>> torch.equal(codec.decompress(**codec.compress(x))["x_hat"], codec(x)["x_hat"])
    True
    """

    name: str | None = None  # the factory that it came from, and what the factory was given: see `register_codec`
    settings: dict[str, Any]
    qualities: range | None = None  # None: it has one rate
    default_quality: int | None = None
    efforts: range = range(1)
    default_effort: int = 0
    searched_pixels: int | None = None  # larger pictures are not searched unless an effort is asked for; None: all are
    halvings: int = 0  # how often `decode` can halve a picture's sides
    revision: int = 0  # of what a decoder makes of the same weights and strings: part of the fingerprint
    checkpoint: str | None = None  # the file, among those that come with the course, that `load()` takes

    def __init__(self, analysis: nn.Module, synthesis: nn.Module, prior: Prior, stride: int) -> None:
        super().__init__()
        if not isinstance(prior, Prior):
            raise TypeError(f"a codec's prior derives from prior.Prior, unlike {type(prior).__name__}.")
        self.analysis = analysis
        self.synthesis = synthesis
        self.prior = prior
        self.stride = stride
        self.settings = {}

    # ---- tensors

    def forward(self, x: Tensor, quality: int | Tensor | None = None) -> dict[str, Any]:
        """x (B, 3, H, W) in [0, 1], of any size -> {"x_hat": like x, "likelihoods": {"y": like the latent, …}}.

        quality: of a variable-rate codec, one whole number, or a number for each image, (B,). None: the default.
        """
        condition = self.condition(quality, x)
        padded, padding = pad_to_multiple(x, self.stride)
        y = self._analyse(padded, condition)
        with torch.autocast(x.device.type, enabled=False):  # likelihoods need all of float32
            y_hat, likelihoods = self.prior(y.float() if isinstance(y, Tensor) else y, condition)
        return {"x_hat": crop(self._synthesise(y_hat, condition), padding), "likelihoods": likelihoods}

    @torch.no_grad()
    def compress(
        self,
        x: Tensor,
        quality: int | None = None,
        effort: int = 0,
        on_round: Callable[[], object] | None = None,
    ) -> dict[str, Any]:
        """x (B, 3, H, W) in [0, 1] -> {"strings": for each part one list of B strings, "shape": (H, W)}.

        effort: one of `efforts`; at 0, what is decoded equals the forward pass. on_round: called after each round of
        the search, if there is one.

        Raises RuntimeError before `build_coder`, ValueError where the latent is not finite.
        """
        if self.check_effort(effort) and len(x) > 1:  # each picture is searched for itself
            each = [self.compress(one, quality, effort, on_round)["strings"] for one in x.split(1)]
            strings = [[string for (string,) in part] for part in zip(*each, strict=True)]
            return {"strings": strings, "shape": tuple(x.shape[-2:])}
        condition = self.condition(quality, x)
        padded, _ = pad_to_multiple(x, self.stride)
        y = self._analyse(padded, condition)
        if effort:
            y = self.searched(y, padded, condition, effort, on_round)
        strings = self.prior.compress(y, condition)
        if not all(len(part) == len(x) and all(isinstance(string, bytes) for string in part) for part in strings):
            raise TypeError(f"{type(self.prior).__name__}.compress gives a list of one string an image for each part.")
        return {"strings": strings, "shape": tuple(x.shape[-2:])}

    def searched(
        self, y: Latent, x: Tensor, condition: Tensor | None, effort: int, on_round: Callable[[], object] | None
    ) -> Latent:
        """A y for a picture x (1, 3, H, W) that costs less than this one. effort: above 0, one of `efforts`."""
        raise NotImplementedError

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int], quality: int | None = None) -> dict[str, Tensor]:
        """Undo `compress`: {"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode.

        Raises rans.BitstreamError for damaged strings.
        """
        y_hat, condition = self._decompress_latent(strings, shape, quality)
        return {"x_hat": self._synthesise(y_hat, condition)[..., : shape[0], : shape[1]]}

    def _decompress_latent(
        self, strings: Strings, shape: tuple[int, int], quality: int | None
    ) -> tuple[Latent, Tensor | None]:
        """ŷ of pictures of that shape, and the condition."""
        height, width = map(operator.index, shape)
        latent_shape = (-(-height // self.stride), -(-width // self.stride))  # rounded up, as padding does
        known = next((part for part in strings if part is not None), ())
        condition = self.condition(quality, torch.empty(len(known), device=self.device))
        return self.prior.decompress(strings, latent_shape, condition), condition

    def condition(self, quality: int | Tensor | None, x: Tensor) -> Tensor | None:
        """What the transforms and the prior are told: a quality for each image of x, (B,) float32, or None.

        Raises ValueError for a quality that this codec does not have.
        """
        if isinstance(quality, Tensor) and self.qualities is not None:
            return quality
        quality = self.check_quality(quality)
        return None if quality is None else torch.full((len(x),), float(quality), device=x.device)

    def check_quality(self, quality: Any) -> int | None:
        """The quality as a whole number, None as the default. Raises ValueError for one that this codec lacks."""
        if self.qualities is None:
            if quality is not None:
                raise ValueError(f"this codec has one quality; leave {quality!r} out.")
            return None
        number = self.default_quality
        if quality is not None:
            try:
                number = None if isinstance(quality, bool | np.bool_) else operator.index(quality)
            except TypeError:
                number = None
        if number is None or number not in self.qualities or not 1 <= number <= 255:
            span = f"from {max(1, self.qualities[0])} to {min(255, self.qualities[-1])}"
            raise ValueError(f"a quality is a whole number {span}, not {quality!r}.")
        return number

    def check_effort(self, effort: int | None, pixels: int = 0) -> int:
        """The effort as a whole number, None as the default for a picture of so many pixels.

        Raises ValueError for one that this codec lacks.
        """
        if effort is None:
            return 0 if self.searched_pixels is not None and pixels > self.searched_pixels else self.default_effort
        try:
            number = None if isinstance(effort, bool | np.bool_) else operator.index(effort)
        except TypeError:
            number = None
        if number is None or number not in self.efforts:
            if len(self.efforts) == 1:
                raise ValueError(f"this codec's encoder does not search; leave the effort {effort!r} out.")
            raise ValueError(f"an effort is a whole number from 0 to {self.efforts[-1]}, not {effort!r}.")
        return number

    def rounds(self, effort: int) -> int:
        """How many rounds of search an effort stands for: how often `encode` calls on_round, at most."""
        return 0

    def check_smaller(self, smaller: int) -> None:
        """Raise ValueError unless pictures can be decoded with their sides halved so often."""
        if not 0 <= smaller <= self.halvings:
            if not self.halvings:
                raise ValueError("this codec decodes pictures in their full size only.")
            raise ValueError(f"a picture can be halved 0 to {self.halvings} times, not {smaller}.")

    def _analyse(self, x: Tensor, condition: Tensor | None) -> Latent:
        y = self.analysis(x) if condition is None else self.analysis(x, condition)
        wanted = (x.shape[-2] // self.stride, x.shape[-1] // self.stride)
        if isinstance(y, Tensor) and tuple(y.shape[-2:]) != wanted:
            sizes = f"{tuple(x.shape[-2:])} pixels makes a latent of {tuple(y.shape[-2:])}"
            raise ValueError(f"the analysis of {sizes}, while the codec's stride is {self.stride}.")
        return y

    def _synthesise(self, y_hat: Latent, condition: Tensor | None) -> Tensor:
        return self.synthesis(y_hat) if condition is None else self.synthesis(y_hat, condition)

    @property
    def device(self) -> torch.device:
        """Where the weights are; the CPU, if there are none."""
        tensors = itertools.chain(self.parameters(), self.buffers())
        return next((tensor.device for tensor in tensors), torch.device("cpu"))

    # ---- training

    def sample_condition(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Qualities to train a batch of `count` images at, (B,), uniform; None for a codec with one rate."""
        if self.qualities is None:
            return None
        low, high = self.qualities[0], self.qualities[-1]
        return low + (high - low) * torch.rand(count, generator=generator)

    def lagrange_multiplier(self, condition: Tensor | None) -> Tensor | float | None:
        """λ of bits per pixel + λ · 255² · MSE, at these qualities (B,). None: whoever trains it chooses one.

        Raises ValueError for a codec of variable rate that does not say it.
        """
        if self.qualities is not None:
            raise ValueError(f"a variable rate needs a λ for each quality: {type(self).__name__}.lagrange_multiplier.")
        return None

    def start_at(self, x: Tensor) -> None:
        """Before training: let the prior begin at the latents of a batch x (B, 3, H, W), at qualities of all kinds."""
        padded, _ = pad_to_multiple(x, self.stride)
        condition = self.sample_condition(len(x), torch.Generator().manual_seed(0))
        condition = None if condition is None else condition.to(x.device)
        with torch.no_grad():
            self.prior.start_at(self._analyse(padded, condition), condition)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What an optimizer is given: all that is not the prior's, then its groups (see `Prior.parameter_groups`)."""
        transforms = [p for name, p in self.named_parameters() if not name.startswith("prior.")]
        return [{"name": "transforms", "params": transforms, "lr": 1e-3}, *self.prior.parameter_groups()]

    def optimizer(self, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
        """What takes the steps in training, for groups that `parameter_groups` gave: Adam, unless a codec chooses."""
        return torch.optim.Adam(groups)

    # ---- pictures and files

    def encode(
        self,
        image: Tensor | Image.Image,
        quality: int | None = None,
        effort: int | None = None,
        on_round: Callable[[], object] | None = None,
    ) -> bytes:
        """A picture, uint8 (3, H, W) or Pillow's, to the bytes of a .lic file.

        quality:  of a variable-rate codec, one of its `qualities`; None: its default.
        effort:   one of its `efforts`: more takes longer, for a file that costs less; None: its default.
        on_round: called after each round of the search, to show that something happens.
        Raises ValueError for pictures and qualities that cannot be coded, RuntimeError before `build_coder`.
        """
        image = from_pil(image) if isinstance(image, Image.Image) else image
        if image.dtype != torch.uint8 or image.dim() != 3 or len(image) != 3:
            raise ValueError(f"a picture is uint8 (3, H, W), not {image.dtype} {tuple(image.shape)}.")
        quality, name = self.check_quality(quality), self._known_name()
        effort = self.check_effort(effort, image.shape[1] * image.shape[2])
        height, width = image.shape[1:]
        bitstream.check_size(width, height)
        strings = tuple(self.strings_of(image, quality, effort, on_round))
        required = self.prior.required_parts if self.prior.slices else None
        said = (self.fingerprint(), strings, name, quality or 0, required)
        return bitstream.pack(bitstream.Stream(width, height, *said))

    def decode(self, data: bytes, slices: int | None = None, smaller: int = 0) -> Tensor:
        """The bytes of a .lic file to the picture, uint8 (3, H, W).

        slices: stop after so many, for a picture of less detail, which a file that was cut short may hold, too.
        smaller: halve its sides so often, rounded up, and decode (and need) only the slices that are left for that.
        Raises rans.BitstreamError for bytes that are damaged, or of another codec; ValueError for slices and sizes that
        there are not.
        """
        smaller = operator.index(smaller)
        wanted = self._strings_wanted(slices, smaller)
        stream = bitstream.unpack(data, wanted)
        stream.check_made_by(self._known_name(), self.fingerprint())
        if stream.quality not in (self.qualities or (0,)):
            raise BitstreamError(f"the file is damaged: it is of quality {stream.quality}, which this codec lacks.")
        if wanted is None and self.prior.slices and len(stream.strings) != self._parts_of(self.prior.slices):
            held, whole = len(stream.strings), self._parts_of(self.prior.slices)
            raise BitstreamError(f"the file holds {held} string(s), while a picture with all its slices takes {whole}.")
        return self.picture_of(stream.strings, (stream.height, stream.width), stream.quality or None, smaller)

    def memory_to_encode(self, shape: tuple[int, int], effort: int) -> int | None:
        """About how many bytes `encode` needs for a picture (H, W), beside the codec; None: nobody knows."""
        return None

    def memory_to_decode(self, shape: tuple[int, int], smaller: int = 0) -> int | None:
        """The same of `decode`."""
        return None

    def strings_of(
        self, image: Tensor, quality: int | None, effort: int, on_round: Callable[[], object] | None
    ) -> list[bytes]:
        """What `encode` puts into the file, of an image uint8 (3, H, W)."""
        parts = self.compress(to_float(image).to(self.device), quality, effort, on_round)["strings"]
        return [string for (string,) in parts]

    def picture_of(self, strings: Sequence[bytes], shape: tuple[int, int], quality: int | None, smaller: int) -> Tensor:
        """What `decode` makes of a file's strings: uint8 (3, H, W)."""
        more = {"smaller": smaller} if smaller else {}
        x_hat = self.decompress([[string] for string in strings], shape, quality, **more)["x_hat"]
        return to_uint8(x_hat.cpu())

    def _strings_wanted(self, slices: int | None, smaller: int) -> int | None:
        """How many strings to read; None: all."""
        slices = None if slices is None else operator.index(slices)
        self.check_smaller(smaller)
        if slices is None and smaller:
            slices = self.prior.slices - smaller
        return None if slices is None else self._parts_of(slices)

    def _parts_of(self, slices: int) -> int:
        """How many strings a picture of so many slices takes. Raises ValueError for slices that there are not."""
        if not self.prior.slices or self.prior.required_parts is None:
            raise ValueError("this codec's files have no slices; leave them out.")
        if not 0 <= slices <= self.prior.slices:
            raise ValueError(f"slices is {slices}; this codec has 0 to {self.prior.slices} of them.")
        return self.prior.required_parts + slices

    # ---- checkpoints

    def build_coder(self) -> None:
        """Make the coding tables of the prior as it is now: once, after training."""
        self.prior.build_coder()

    @property
    def is_built(self) -> bool:
        """Are there coding tables?"""
        return self.prior.is_built

    def fingerprint(self) -> str:
        """16 hex digits that tell this decoder's tables, weights, name and settings from all others.

        The analysis, and what the prior calls `encoder_only`, is left out: a better encoder is no other decoder. Nor
        does it cover the code: who changes what a decoder makes of the same weights counts `revision` up.
        """
        named = [self.name, self.settings, *([self.revision] if self.revision else [])]
        digest = hashlib.sha256(json.dumps(named, sort_keys=True).encode())
        encoder = ("analysis.", *(f"prior.{prefix}" for prefix in self.prior.encoder_only))
        for name, value in sorted(self.state_dict().items()):
            if not name.startswith(encoder):
                digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
                digest.update(value.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:16]

    def save(self, path: str | Path, metadata: dict[str, str] | None = None) -> None:
        """Write a checkpoint, all of it or nothing. metadata: what else to say about it.

        Raises RuntimeError before `build_coder` and for a codec whose factory has no name.
        """
        if not self.is_built:
            raise RuntimeError("there are no coding tables yet: call build_coder() before saving.")
        self._check()
        own = {"codec": self._known_name(), "settings": json.dumps(self.settings), "fingerprint": self.fingerprint()}
        write_checkpoint(Path(path), self.state_dict(), {**(metadata or {}), **own})

    @classmethod
    def load(cls, path: str | Path | None = None) -> Self:
        """A trained codec, ready to compress. path None: the checkpoint that comes with the course, of its codecs.

        Raises ValueError with one sentence where the file is missing, damaged, or of another codec; before more memory
        is set aside than its weights can need.
        """
        if path is None and cls.checkpoint is None:
            raise ValueError(f"no checkpoint of {cls.__name__} comes with the course; name one.")
        path = shipped(str(cls.checkpoint)) if path is None else Path(path)
        metadata, described = describe_checkpoint(path)
        for entry in ("codec", "settings"):
            if entry not in metadata:
                raise ValueError(f"{path} is no checkpoint of a codec: it does not say its {entry}.")
        try:
            with MemoryLimit(tensor.size for tensor in described.values()):
                codec = create_codec(metadata["codec"], **_settings_of(metadata))
            if not isinstance(codec, cls):
                raise ValueError(f"it is one of {metadata['codec']}, not of {cls.__name__}.")
            if not fits(codec.state_dict(), described):
                raise TooLarge
        except UnknownCodec as error:
            raise UnknownCodec(
                f"{path}: {str(error).rstrip('.')}; import the module that registers it first."
            ) from error
        except TooLarge as error:
            reason = f"its weights are not those of {metadata['codec']} with the settings that it names"
            raise ValueError(f"{path} cannot be used as a checkpoint: {reason}.") from error
        except Exception as error:  # a learner's factory may raise anything
            raise ValueError(f"{path} cannot be used as a checkpoint: {_one_sentence(error)}.") from error
        try:
            _, state = read_checkpoint(path)
        except MemoryError as error:
            raise ValueError(f"{path} holds more weights than there is memory for.") from error
        try:
            codec.load_state_dict(state)
            codec.eval()._check()
        except RuntimeError as error:  # PyTorch's: it names every weight that does not fit
            reason = f"its weights are not those of {metadata['codec']} with the settings that it names"
            raise ValueError(f"{path} cannot be used as a checkpoint: {reason}.") from error
        except Exception as error:
            raise ValueError(f"{path} cannot be used as a checkpoint: {_one_sentence(error)}.") from error
        if not codec.is_built:
            raise ValueError(f"{path} holds no coding tables; call build_coder() before saving.")
        if metadata.get("fingerprint", "") not in ("", codec.fingerprint()):
            raise ValueError(f"{path} is damaged, or of another version: its fingerprint is not that of its weights.")
        return codec

    def _check(self) -> None:
        """Raise ValueError for weights that are not finite, or with which a decoder might not follow the encoder."""
        self.prior.check()
        for name, value in self.state_dict().items():
            if value.is_floating_point() and not value.isfinite().all():
                raise ValueError(f"{name} holds NaN or infinity: the weights have diverged.")

    def _known_name(self) -> str:
        if self.name is None:
            raise RuntimeError("files name the factory that builds their codec: decorate yours with register_codec.")
        return self.name


def _one_sentence(error: Exception) -> str:
    """The first sentence of what an error says, without its full stop."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    return " ".join(str(error).split()).split(". ")[0].rstrip(".") or type(error).__name__


def _settings_of(metadata: dict[str, str]) -> dict[str, Any]:
    """The settings that a checkpoint names. Raises ValueError where they are not JSON, or not settings by name."""
    try:
        settings = json.loads(metadata["settings"])
    except (ValueError, RecursionError):
        settings = None
    if not isinstance(settings, dict):
        raise ValueError("its settings are no JSON object")
    return settings
