"""A model's tables and the rANS coder put together: latents in, bytes out, and back.

    latent --(- means)--> round --> symbols --rans.encode--> bytes, one string an image
    z_hat  <--(+ means)------------ symbols <--rans.decode-- bytes

Symbols are whole numbers, and both sides add the same float32 means to them. So the decoder's latent
equals the model's own, round(latent - means) + means in float32, exactly and not nearly.

An `EntropyCoder` cannot exist without tables, so there is no `update()` that one could forget. Tables
belong to the weights they were made from and travel with them: `CoderHolder` is the place in a model
where its coder lives, and puts it into `state_dict()` as one tensor of bytes, of any size. (In
CompressAI, Bégaint et al. 2020, tables are buffers, and their sizes must agree before they can be
loaded.) After more training, build anew.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tutorial_lib import rans
from tutorial_lib.cdf import CdfTables, sealed, unsealed

MAGIC = b"ENC1"  # what a serialised coder begins with; the digit is the version


class EntropyModel(Protocol):
    """What a coder needs of a model. An attribute `medians` (C,), if there is one, becomes its means."""

    def pmfs(self) -> tuple[Sequence[NDArray], NDArray, NDArray]:
        """Probabilities, offsets and tail masses, as `CdfTables.from_pmfs` takes them."""


class EntropyCoder:
    """Compresses float32 latents with fixed tables.

    tables:  T distributions of symbols.
    medians: (T,) float32, the means of the channels when none are given; then table t belongs to channel t.
    Raises ValueError for medians that do not fit, and for tables that rANS cannot code with.
    """

    def __init__(self, tables: CdfTables, medians: Tensor | None = None) -> None:
        if medians is not None:
            medians = torch.as_tensor(medians).detach().to("cpu", torch.float32, copy=True)
            if medians.shape != tables.length.shape or not medians.isfinite().all():
                raise ValueError(f"medians must be {len(tables.length)} finite numbers, one for each table.")
        if tables.precision != rans.PRECISION:
            raise ValueError(f"the tables' precision is {tables.precision} bits; the coder needs {rans.PRECISION}.")
        self.tables = tables
        self.medians = medians

    @classmethod
    def build(cls, entropy_model: EntropyModel) -> EntropyCoder:
        """Make the tables of a trained model. On one machine, once: they are saved, never recomputed."""
        pmfs, offsets, tail_masses = entropy_model.pmfs()
        return cls(CdfTables.from_pmfs(pmfs, offsets, tail_masses), getattr(entropy_model, "medians", None))

    def compress(self, latent: Tensor, indexes: Tensor | None = None, means: Tensor | None = None) -> list[bytes]:
        """Code round(latent - means) in C order, each image of the batch by itself.

        latent:  (B, C, ...) float32.
        indexes: the same shape, integers: the table of each element. Default: the number of its channel.
        means:   float32, broadcast to that shape. Default: the medians of the channels, or else 0.
        Returns B strings. Raises ValueError for shapes and types that do not fit, and for NaN or infinity.
        """
        if latent.dtype != torch.float32 or latent.dim() < 2:
            raise ValueError(f"a latent is float32 (B, C, ...), not {latent.dtype} {tuple(latent.shape)}.")
        rows, means = self._side_information(tuple(latent.shape), indexes, means)
        symbols = torch.round(latent.detach() - means.to(latent.device)).cpu()  # (B, C, ...)
        if not symbols.isfinite().all():
            raise ValueError("the latent or its means hold NaN or infinity; see what computed them.")
        return [rans.encode(s, i, self.tables) for s, i in zip(symbols.numpy(), rows, strict=True)]

    def decompress(
        self,
        strings: Sequence[bytes],
        shape: Sequence[int] | None = None,
        indexes: Tensor | None = None,
        means: Tensor | None = None,
    ) -> Tensor:
        """Undo `compress`, given the same indexes and means. Returns (B, C, *shape), on the means' device.

        shape: the latent's spatial size, without B and C. Needed only where there are no indexes to tell.
        Raises rans.BitstreamError for damaged strings, ValueError for arguments that do not fit.
        """
        if indexes is not None:
            full_shape = tuple(indexes.shape)
        elif shape is not None and min(shape, default=0) >= 0:
            full_shape = (len(strings), len(self.tables.length), *shape)
        else:
            raise ValueError("without indexes, give the latent's spatial shape, such as (height, width).")
        if full_shape[:1] != (len(strings),) or (shape is not None and full_shape[2:] != tuple(shape)):
            raise ValueError(f"{len(strings)} strings, shape {shape} and indexes {full_shape} do not fit.")
        if indexes is None:  # nothing of this size has been set aside yet
            for string in strings:
                counts = np.full(len(self.tables.length), math.prod(full_shape[2:]))
                rans.check_length(len(string), counts, self.tables)
        rows, means = self._side_information(full_shape, indexes, means)
        symbols = np.empty(full_shape, dtype=np.int32)
        for n, string in enumerate(strings):
            symbols[n] = rans.decode(string, rows[n], self.tables)
        return torch.from_numpy(symbols).to(means.device, torch.float32) + means  # (B, C, *shape)

    def _side_information(
        self, shape: tuple[int, ...], indexes: Tensor | None, means: Tensor | None
    ) -> tuple[NDArray, Tensor]:
        """Indexes and means of a latent's shape, the defaults filled in."""
        channels = (1, -1, *[1] * (len(shape) - 2))
        if indexes is None:
            if shape[1] != len(self.tables.length):
                raise ValueError(f"{shape[1]} channels, {len(self.tables.length)} tables: give indexes.")
            indexes = torch.arange(shape[1], dtype=torch.int32).reshape(channels).expand(shape)
        if tuple(indexes.shape) != shape:
            raise ValueError(f"indexes {tuple(indexes.shape)} must have the latent's shape {shape}.")
        if means is None:
            means = torch.zeros(1) if self.medians is None else self.medians.reshape(channels)
        if means.dtype != torch.float32:
            raise ValueError(f"means must be float32, like the latent, not {means.dtype}.")
        try:
            means = means.detach().expand(shape)
        except RuntimeError:
            raise ValueError(f"means {tuple(means.shape)} do not fit the latent's shape {shape}.") from None
        return indexes.detach().cpu().numpy(), means

    def to_tensor(self) -> Tensor:
        """All of it as one tensor of bytes (uint8): number of medians, medians, tables; sealed."""
        medians = np.array([]) if self.medians is None else self.medians.numpy()
        body = struct.pack("<I", len(medians)) + medians.astype("<f4").tobytes() + self.tables.to_bytes()
        return torch.frombuffer(bytearray(sealed(MAGIC, body)), dtype=torch.uint8)

    @classmethod
    def from_tensor(cls, blob: Tensor) -> EntropyCoder:
        """Undo `to_tensor`. Raises ValueError when the bytes are damaged, or are no coder at all."""
        body = unsealed(MAGIC, blob.cpu().numpy().tobytes(), "entropy coder's bytes")
        end = 4 + 4 * int.from_bytes(body[:4], "little")
        medians = torch.from_numpy(np.frombuffer(body[4:end], "<f4").astype(np.float32))
        return cls(CdfTables.from_bytes(body[end:]), medians if len(medians) else None)


class CoderHolder(nn.Module):
    """The place in a model where its EntropyCoder lives: empty at first, then part of the state_dict.

    The coder is saved through PyTorch's extra-state hooks as a tensor of bytes, empty before `build`. So
    `load_state_dict(strict=True)`, `torch.load(weights_only=True)` and safetensors need no special care.

    tables: how many the model needs; others are not loaded. None: any number.
    """

    def __init__(self, tables: int | None = None) -> None:
        super().__init__()
        self._tables = tables
        self._coder: EntropyCoder | None = None

    @property
    def is_built(self) -> bool:
        """Is there a coder?"""
        return self._coder is not None

    @property
    def coder(self) -> EntropyCoder:
        """The coder. Raises RuntimeError as long as there is none."""
        if self._coder is None:
            raise RuntimeError("there are no coding tables yet: train, then call build_coder().")
        return self._coder

    def build(self, entropy_model: EntropyModel) -> EntropyCoder:
        """Make the coder, replacing an older one."""
        self._coder = EntropyCoder.build(entropy_model)
        return self._coder

    def get_extra_state(self) -> Tensor:
        """PyTorch's hook for saving: the coder as uint8 (n,), n = 0 if there is none."""
        return self._coder.to_tensor() if self._coder else torch.empty(0, dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """PyTorch's hook for loading. Raises ValueError when the bytes are damaged, or hold too few or many tables."""
        coder = EntropyCoder.from_tensor(state) if state.numel() else None
        if coder is not None and self._tables not in (None, len(coder.tables.length)):
            raise ValueError(f"there are {len(coder.tables.length)} coding tables, while the model has {self._tables}.")
        self._coder = coder
