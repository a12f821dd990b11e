"""The frame that makes a codec of two transforms and a prior; what a prior has to offer; and the simplest one.

    x ─ pad ─ analysis ─ y ─ prior.compress ─ strings ─ prior.decompress ─ ŷ ─ synthesis ─ crop ─ x̂
                                  └──── .lic file ────┘

A **prior** knows how likely each latent ŷ is, and how to write it down: `Prior` says what the frame asks of it. Every
prior of the course is one, so that one takes another's place by one word: `FactorizedPrior` here, hyperpriors,
context models and slices in later notebooks. `TransformCodec` is the frame: tensors, files and checkpoints.

What a variable-rate codec depends on, its quality, is the **condition**: (B,) numbers, one for each image. Transforms
and priors get it as their second argument. Elsewhere there is none, and it is None.

A checkpoint names the factory that builds its codec, and the settings that the factory was given: `register_codec`.

The frame minimises R + λ·D (Ballé, Laparra & Simoncelli 2017); `training` does it.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import operator
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import torch
from PIL import Image
from torch import Tensor, nn

from tutorial_lib import bitstream
from tutorial_lib.entropy_bottleneck import EntropyBottleneck
from tutorial_lib.entropy_coder import CoderHolder
from tutorial_lib.files.checkpoints import read_checkpoint, shipped, write_checkpoint
from tutorial_lib.files.images import from_pil, to_float, to_uint8
from tutorial_lib.padding import crop, pad_to_multiple
from tutorial_lib.rans import BitstreamError
from tutorial_lib.rdoq import rdoq

Strings = Sequence[Sequence[bytes] | None]  # a part, then an image; None: a part that is lost


class Prior(nn.Module):
    """How likely a latent is, and how to write it down. y: (B, M, h, w), or whatever the transforms agree on.

    Of the parts that `compress` writes, one string an image each, a decoder needs the first `required_parts`; then
    come `slices` parts that it can do without, for a picture of less detail.
    """

    required_parts: int | None = 1  # None: it depends on the latent's size
    slices: int = 0

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        """y -> (y_hat like y, likelihoods: a tensor for each latent, such as {"y": like y, "z": …}).

        In training, stand-ins for rounding pass a gradient; in evaluation mode y_hat is exactly what `decompress`
        gives. The bits of an image are the sum of −log2 of its likelihoods.
        """
        raise NotImplementedError

    def build_coder(self) -> None:
        """Make the coding tables: once, after training. Raises ValueError where the parameters have diverged."""
        raise NotImplementedError

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        """y -> for each part one list of B strings.

        Raises RuntimeError before `build_coder`, ValueError where y is not finite.
        """
        raise NotImplementedError

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        """Undo `compress`: y_hat, equal to the forward pass in evaluation mode, bit for bit.

        shape: the latent's (h, w). Raises rans.BitstreamError for damaged strings, or too few of them.
        """
        raise NotImplementedError

    def start_at(self, y: Tensor, condition: Tensor | None = None) -> None:
        """Before training: begin at what the latents of some images tell, such as each channel's spread. Or not."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What an optimizer is given: {"name", "params", "lr"}, and "clip": False for what is not clipped."""
        return [{"name": "prior", "params": list(self.parameters()), "lr": 1e-3}]

    def check(self) -> None:
        """Raise ValueError where an encoder and a decoder could come to different results."""


def check_parts(strings: Strings, count: int) -> Strings:
    """The strings, if there are as many parts as a prior writes; else BitstreamError."""
    if len(strings) != count:
        raise BitstreamError(f"this codec writes {count} string(s) a picture, not {len(strings)}.")
    return strings


# ---- the simplest prior


class IntegerPrior(EntropyBottleneck):
    """A factorized prior of whole numbers, trained on the very symbols that will be coded.

    Rounding is centred on 0: of a density that has been trained at whole numbers only, the median means nothing.
    """

    def forward(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, C, ...) -> (round(y), likelihoods), in training as in use; only the gradients are stand-ins."""
        return rdoq(y, self.rate) if self.training else super().forward(y)

    def _refresh_medians(self) -> None:
        """They stay 0."""


class FactorizedPrior(Prior):
    """One density a channel, and nothing else is known about a latent (B, channels, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.entropy_bottleneck = IntegerPrior(channels)
        self.holder = CoderHolder()

    def forward(self, y: Tensor, condition: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
        y_hat, likelihoods = self.entropy_bottleneck(y)
        return y_hat, {"y": likelihoods}

    def build_coder(self) -> None:
        self.holder.build(self.entropy_bottleneck)

    def compress(self, y: Tensor, condition: Tensor | None = None) -> list[list[bytes]]:
        return [self.holder.coder.compress(y)]

    def decompress(self, strings: Strings, shape: tuple[int, int], condition: Tensor | None = None) -> Tensor:
        (y_strings,) = check_parts(strings, 1)
        return self.holder.coder.decompress(y_strings, shape)  # (B, C, h, w)

    def start_at(self, y: Tensor, condition: Tensor | None = None) -> None:
        """Begin with logistic densities as wide as the channels: they differ a thousandfold."""
        self.entropy_bottleneck.start_at_widths(y.abs().mean(dim=(0, 2, 3)).clamp(min=0.1))

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"name": "densities", "params": list(self.parameters()), "lr": 3e-2, "clip": False}]


# ---- the frame


class TransformCodec(nn.Module):
    """A codec around two transforms and a prior.

    analysis:  (B, 3, H, W) in [0, 1], sizes a multiple of `stride` -> latent y (B, M, H/stride, W/stride).
    synthesis: the way back.
    prior:     a `Prior`.

    A variable-rate codec sets `qualities` and `default_quality`; its transforms take the condition, too.
    """

    name: str | None = None  # the factory that it came from, and what the factory was given: see `register_codec`
    settings: dict[str, Any]
    qualities: range | None = None  # None: it has one rate
    default_quality: int | None = None
    checkpoint: str | None = None  # the file, among those that come with the course, that `load()` takes

    def __init__(self, analysis: nn.Module, synthesis: nn.Module, prior: Prior, stride: int) -> None:
        super().__init__()
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
        y_hat, likelihoods = self.prior(self._analyse(padded, condition), condition)
        return {"x_hat": crop(self._synthesise(y_hat, condition), padding), "likelihoods": likelihoods}

    @torch.no_grad()
    def compress(self, x: Tensor, quality: int | None = None) -> dict[str, Any]:
        """x (B, 3, H, W) in [0, 1] -> {"strings": for each part one list of B strings, "shape": (H, W)}.

        Raises RuntimeError before `build_coder`, ValueError where the latent is not finite.
        """
        condition = self.condition(quality, x)
        padded, _ = pad_to_multiple(x, self.stride)
        strings = self.prior.compress(self._analyse(padded, condition), condition)
        return {"strings": strings, "shape": tuple(x.shape[-2:])}

    @torch.no_grad()
    def decompress(self, strings: Strings, shape: tuple[int, int], quality: int | None = None) -> dict[str, Tensor]:
        """Undo `compress`: {"x_hat": (B, 3, H, W)}, equal to the forward pass in evaluation mode.

        Raises rans.BitstreamError for damaged strings.
        """
        height, width = shape
        latent_shape = (-(-height // self.stride), -(-width // self.stride))  # rounded up, as padding does
        known = next((part for part in strings if part is not None), ())
        condition = self.condition(quality, torch.empty(len(known), device=self.device))
        y_hat = self.prior.decompress(strings, latent_shape, condition)  # (B, M, H/stride, W/stride)
        return {"x_hat": self._synthesise(y_hat, condition)[..., :height, :width]}

    def condition(self, quality: int | Tensor | None, x: Tensor) -> Tensor | None:
        """What the transforms and the prior are told: a quality for each image of x, (B,) float32, or None.

        Raises ValueError for a quality that this codec does not have.
        """
        if isinstance(quality, Tensor) and self.qualities is not None:
            return quality
        quality = self.check_quality(quality)
        return None if quality is None else torch.full((len(x),), float(quality), device=x.device)

    @classmethod
    def check_quality(cls, quality: Any) -> int | None:
        """The quality as a whole number, None as the default. Raises ValueError for one that this codec lacks."""
        if cls.qualities is None:
            if quality is not None:
                raise ValueError(f"this codec has one quality; leave {quality!r} out.")
            return None
        try:
            number = cls.default_quality if quality is None else operator.index(quality)
        except TypeError:
            number = None
        if isinstance(quality, bool) or number not in cls.qualities:
            span = f"from {cls.qualities[0]} to {cls.qualities[-1]}"
            raise ValueError(f"a quality is a whole number {span}, not {quality!r}.")
        return number

    def _analyse(self, x: Tensor, condition: Tensor | None) -> Tensor:
        return self.analysis(x) if condition is None else self.analysis(x, condition)

    def _synthesise(self, y_hat: Tensor, condition: Tensor | None) -> Tensor:
        return self.synthesis(y_hat) if condition is None else self.synthesis(y_hat, condition)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    # ---- training

    def sample_condition(self, count: int, generator: torch.Generator) -> Tensor | None:
        """Qualities to train a batch of `count` images at, (B,); None for a codec with one rate."""
        return None

    def lagrange_multiplier(self, condition: Tensor | None) -> Tensor | None:
        """λ of bits per pixel + λ · 255² · MSE at these qualities, (B,). None: whoever trains it chooses one."""
        return None

    def start_at(self, x: Tensor) -> None:
        """Before training: let the prior begin at the latents of a batch x (B, 3, H, W)."""
        with torch.no_grad():
            self.prior.start_at(self._analyse(x, None))

    def parameter_groups(self) -> list[dict[str, Any]]:
        """What an optimizer is given: the transforms, then the prior's groups (see `Prior.parameter_groups`)."""
        transforms = [*self.analysis.parameters(), *self.synthesis.parameters()]
        return [{"name": "transforms", "params": transforms, "lr": 1e-3}, *self.prior.parameter_groups()]

    # ---- pictures and files

    def encode(self, image: Tensor | Image.Image, quality: int | None = None) -> bytes:
        """A picture, uint8 (3, H, W) or Pillow's, to the bytes of a .lic file.

        quality: of a variable-rate codec, 1 (small) to 100 (good); None: its default.
        Raises ValueError for pictures and qualities that cannot be coded, RuntimeError before `build_coder`.
        """
        image = from_pil(image) if isinstance(image, Image.Image) else image
        if image.dtype != torch.uint8 or image.dim() != 3 or len(image) != 3:
            raise ValueError(f"a picture is uint8 (3, H, W), not {image.dtype} {tuple(image.shape)}.")
        quality, name = self.check_quality(quality), self._known_name()
        height, width = image.shape[1:]
        bitstream.check_size(width, height)
        parts = self.compress(to_float(image).to(self.device), quality)["strings"]
        strings = tuple(part[0] for part in parts)
        required = self.prior.required_parts if self.prior.slices else None
        facts = (self.fingerprint(), strings, name, quality or 0, required)
        return bitstream.pack(bitstream.Stream(width, height, *facts))

    def decode(self, data: bytes, slices: int | None = None) -> Tensor:
        """The bytes of a .lic file to the picture, uint8 (3, H, W).

        slices: stop after so many, for a picture of less detail, which a file that was cut short may hold, too.
        Raises rans.BitstreamError for bytes that are damaged, or of another codec; ValueError for slices that there
        are not.
        """
        wanted = None if slices is None else self._parts_of(slices)
        stream = bitstream.unpack(data, wanted)
        stream.check_made_by(self._known_name(), self.fingerprint())
        if wanted is None and self.prior.slices and len(stream.strings) != self._parts_of(self.prior.slices):
            raise BitstreamError(f"the file lacks slices: it holds {len(stream.strings)} strings.")
        strings = [[string] for string in stream.strings]
        x_hat = self.decompress(strings, (stream.height, stream.width), stream.quality or None)["x_hat"]
        return to_uint8(x_hat.cpu())

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
        return all(module.is_built for module in self.prior.modules() if isinstance(module, CoderHolder))

    def fingerprint(self) -> str:
        """16 hex digits that tell this decoder from all others: its tables, its weights and its settings.

        What only encoders use, modules called `analysis`, is left out: a better encoder is no other decoder.
        """
        digest = hashlib.sha256(json.dumps([self.name, self.settings], sort_keys=True).encode())
        for name, value in sorted(self.state_dict().items()):
            if "analysis" not in name.split("."):
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

        Raises ValueError with one sentence where the file is missing, damaged, or of another codec.
        """
        if path is None and cls.checkpoint is None:
            raise ValueError(f"no checkpoint of {cls.__name__} comes with the course; name one.")
        path = shipped(str(cls.checkpoint)) if path is None else Path(path)
        metadata, state = read_checkpoint(path)
        try:
            codec = create_codec(metadata["codec"], **json.loads(metadata["settings"]))
            if not isinstance(codec, cls):
                raise ValueError(f"it is one of {metadata['codec']}, not of {cls.__name__}.")
            codec.load_state_dict(state)
            codec._check()
        except UnknownCodec:
            raise
        except KeyError as error:
            raise ValueError(f"{path} is no checkpoint of a codec: it does not say its {error.args[0]}.") from error
        except (RuntimeError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split(":")[0].split()) if isinstance(error, RuntimeError) else str(error)
            raise ValueError(f"{path} cannot be used as a checkpoint: {reason.rstrip('.')}.") from error
        if not codec.is_built:
            raise ValueError(f"{path} holds no coding tables; call build_coder() before saving.")
        return codec.eval()

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


# ---- the names of codecs

Factory = TypeVar("Factory", bound=Callable[..., TransformCodec])

FACTORIES: dict[str, Callable[..., TransformCodec]] = {}  # what `register_codec` has seen so far


class UnknownCodec(ValueError):
    """No factory of that name has been registered."""


def register_codec(name: str) -> Callable[[Factory], Factory]:
    """Give a factory, a function `(**settings) -> TransformCodec` or such a class, the name by which files know it.

    What it makes remembers the name and the settings, defaults included, so that `save`, `load`, `encode` and `decode`
    work. Settings are what JSON holds: numbers, strings, booleans, lists. Of two factories with one name the later
    one counts. Raises ValueError for a name that no file can hold.

    >>> @register_codec("two_convolutions")
    ... def two_convolutions(channels=8):
    ...     there, back = nn.Conv2d(3, channels, 2, stride=2), nn.ConvTranspose2d(channels, 3, 2, stride=2)
    ...     return TransformCodec(there, back, FactorizedPrior(channels), stride=2)
    >>> two_convolutions(channels=4).settings
    {'channels': 4}
    """
    bitstream.check_name(name)

    def register(factory: Factory) -> Factory:
        signature = inspect.signature(factory)

        def remember(codec: TransformCodec, args: Sequence[Any], settings: dict[str, Any]) -> None:
            bound = signature.bind(*args, **settings)
            bound.apply_defaults()
            given = dict(bound.arguments)
            for parameter in signature.parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:
                    given.update(given.pop(parameter.name))
            codec.name, codec.settings = name, json.loads(json.dumps(given))

        if isinstance(factory, type):
            original = factory.__init__

            @functools.wraps(original)
            def initialise(self: TransformCodec, *args: Any, **settings: Any) -> None:
                original(self, *args, **settings)
                if type(self) is factory:  # and no class that derives from it
                    remember(self, args, settings)

            factory.__init__ = initialise  # type: ignore[misc]
            registered = factory
        else:

            @functools.wraps(factory)
            def build(*args: Any, **settings: Any) -> TransformCodec:
                codec = factory(*args, **settings)
                remember(codec, args, settings)
                return codec

            registered = build  # type: ignore[assignment]
        FACTORIES[name] = registered
        return registered

    return register


def create_codec(name: str, **settings: Any) -> TransformCodec:
    """A fresh codec of a registered factory. Raises UnknownCodec, ValueError for settings that it does not take."""
    if name not in FACTORIES:
        known = ", ".join(sorted(FACTORIES)) or "none"
        raise UnknownCodec(f"no codec is called {name!r}; known here: {known}.")
    signature = inspect.signature(FACTORIES[name])
    try:
        signature.bind(**settings)
    except TypeError as error:
        takes = ", ".join(signature.parameters) or "none"
        raise ValueError(f"the settings of {name} do not fit ({error}); it takes {takes}.") from None
    return FACTORIES[name](**settings)
