"""Export the trained codec for the decoder in JavaScript: `python web/export.py build/web/model`.

    model.json    the codec's name, fingerprint and sizes; which tensor lies where; the self-test's answer
    weights.bin   all tensors, one behind another, little-endian
    NAME.onnx     the networks, without weights (`graphs.py`)
    self_test.lic a small picture in the codec's highest quality, whose latents the answer is about

Kinds of tensors:

    whole         weights of the prior, m · 2^-e: an exponent e (int8) for each output channel and each group of input
                  channels, then all m (int8). Groups are what was an input of its own in PyTorch.
    float16       weights of the synthesis: pixels stay within one grey level of those with 32 bits
    float32, int32, uint16

Nothing of it is committed: it depends on the checkpoint.
"""

import argparse
import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import graphs
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutorial_lib import bitstream
from tutorial_lib.codec import Codec
from tutorial_lib.restoration import WaveletSynthesis
from tutorial_lib.subband_networks import HALVES, QUARTERS, Checkerboard, Level, LowPass
from tutorial_lib.subband_prior import Decoded, SubbandPrior
from tutorial_lib.whole_networks import OUTPUT_UNIT, WholeLayer
from tutorial_lib.workbench.photos import photo


class Tensors:
    """What weights.bin will hold."""

    def __init__(self) -> None:
        self.entries: list[dict] = []
        self.pieces: list[bytes] = []

    def add(self, name: str, array: NDArray | Tensor, kind: str) -> None:
        """kind: of NumPy's names. Raises ValueError for numbers that it cannot hold."""
        array = array.detach().numpy() if isinstance(array, Tensor) else array
        with np.errstate(over="ignore"):  # infinity is refused below
            kept = array.astype(np.dtype(kind).newbyteorder("<"))
        if kind == "float16":
            if not np.isfinite(kept).all():
                raise ValueError(f"{name} holds weights that 16 bits cannot hold.")
        elif not np.array_equal(kept, array):
            raise ValueError(f"{name} holds numbers that {kind} cannot hold.")
        self._put({"name": name, "kind": kind, "shape": list(array.shape)}, kept.tobytes())

    def add_whole(self, name: str, weights: Sequence[Tensor]) -> None:
        """Weights (O, I_n, k, k) of several inputs, side by side; of 8 bits and a power of two each."""
        found = [whole_parts(weight) for weight in weights]
        exponents = np.stack([e for _, e in found], axis=1)  # (O, groups)
        m = np.concatenate([m for m, _ in found], axis=1)  # (O, I, k, k)
        groups = [weight.shape[1] for weight in weights]
        entry = {"name": name, "kind": "whole", "shape": list(m.shape), "groups": groups}
        self._put(entry, exponents.astype(np.int8).tobytes() + m.astype(np.int8).tobytes())

    def _put(self, entry: dict, data: bytes) -> None:
        self.entries.append(entry)
        self.pieces.append(data)


def whole_parts(weight: Tensor) -> tuple[NDArray, NDArray]:
    """m and e of weights m · 2^-e, (O, I, k, k) and (O,): the smallest e for which all m of a row are whole."""
    exponents = torch.full((len(weight),), -8)
    scaled = weight.detach().double() * 2.0**-8
    for _ in range(64):
        unfinished = (scaled != scaled.round()).flatten(1).any(dim=1)
        exponents += unfinished
        scaled[unfinished] *= 2
    m = scaled.numpy()
    if not np.array_equal(m, np.rint(m)) or np.abs(m).max() > 127 or exponents.max() > 127:
        raise ValueError("these are no weights of 8 bits.")
    return m, exponents.numpy()


def add_layer(tensors: Tensors, name: str, layer: WholeLayer, inputs: dict[str, list[int]]) -> None:
    """A layer of whole numbers. inputs: for each input of the graph, which of the layer's inputs lie side by side."""
    weights, bias = layer.whole_weights()
    for each, which in inputs.items():
        tensors.add_whole(f"{name}.{each}", [weights[n] for n in which])
    tensors.add(f"{name}.bias", bias, "float32")


def add_prior(tensors: Tensors, prior: SubbandPrior) -> None:
    """Networks, base log-scales in units of 1/256, and coding tables."""
    low_pass = cast(LowPass, prior.low_pass)
    for n in range(len(QUARTERS)):
        name, first = f"low_pass.{n}", cast(WholeLayer, low_pass.first[n])
        add_layer(tensors, f"{name}.first", first, {"x": [0], "hint": [1]} if n else {"hint": [0]})
        if not n:  # in the first pass nothing is seen; one graph serves all four
            known = cast(WholeLayer, low_pass.first[1]).weights[0]
            tensors.add_whole(f"{name}.first.x", [torch.zeros_like(known)])
        add_layer(tensors, f"{name}.second", cast(WholeLayer, low_pass.second[n]), {"x": [0]})
        add_layer(tensors, f"{name}.third", cast(WholeLayer, low_pass.third[n]), {"x": [0]})
    add_layer(tensors, "low_pass.features", low_pass.features, {"x": [0], "hint": [1]})
    for part, module in enumerate(prior.levels, 1):
        level, name = cast(Level, module), f"levels.{part}"
        add_layer(tensors, f"{name}.up", level.up, {"x": [0]})
        add_layer(tensors, f"{name}.before.0", cast(WholeLayer, level.before[0]), {"x": [0, 1], "hint": [2]})
        add_layer(tensors, f"{name}.before.1", cast(WholeLayer, level.before[1]), {"x": [0]})
        for bands in ("grey", "colour"):
            add_checkerboard(tensors, f"{name}.{bands}", getattr(level, bands))
        if level.after is not None:
            add_layer(tensors, f"{name}.after.0", cast(WholeLayer, level.after[0]), {"f": [0], "x": [1]})
            add_layer(tensors, f"{name}.after.1", cast(WholeLayer, level.after[1]), {"x": [0]})
    for part, table in enumerate(prior.tables):
        rows = table._row_in_units(torch.arange(len(table.values)), OUTPUT_UNIT)
        tensors.add(f"base_log_scale.{part}", rows, "int32")
    tables = prior.holder.coder.tables
    widths = [np.diff(row[:length]) for row, length in zip(tables.cdf, tables.length, strict=True)]
    tensors.add("tables.symbols", tables.length - 1, "uint16")
    tensors.add("tables.offset", tables.offset, "int32")
    tensors.add("tables.widths", np.concatenate(widths), "uint16")


def add_checkerboard(tensors: Tensors, name: str, networks: Checkerboard) -> None:
    for half in range(len(HALVES)):
        first = cast(WholeLayer, networks.first[half])
        around = list(range(1, len(first.weights)))
        add_layer(tensors, f"{name}.{half}.first", first, {"f": [0], "x": around} if around else {"f": [0]})
        add_layer(tensors, f"{name}.{half}.second", cast(WholeLayer, networks.second[half]), {"x": [0]})
        add_layer(tensors, f"{name}.{half}.third", cast(WholeLayer, networks.third[half]), {"x": [0]})


# The synthesis's weights as its graphs call them. Two biases of one sum become one.
SYNTHESIS = {
    "last_features.inward.0.weight": "last_features.inward.f",
    "last_features.inward.1.weight": "last_features.inward.y",
    "last_features.inward.0.bias": "last_features.inward.bias",
    "last_features.inward.1.bias": "last_features.inward.bias",
    "restoration.inward.0.weight": "restoration.inward.x",
    "restoration.inward.1.weight": "restoration.inward.fine",
    "restoration.inward.2.weight": "restoration.inward.coarse",
    "restoration.inward.3.weight": "restoration.inward.hint",
    "restoration.inward.0.bias": "restoration.inward.bias",
    "restoration.first.0.weight": "restoration.first.x",
    "restoration.first.1.weight": "restoration.first.fine",
    "restoration.first.2.weight": "restoration.first.hint",
    "restoration.first.0.bias": "restoration.first.bias",
    "restoration.first.1.bias": "restoration.first.bias",
}


def add_synthesis(tensors: Tensors, synthesis: WaveletSynthesis) -> None:
    """Weights in 16 bits; biases and the steps' factors in 32."""
    renamed: dict[str, Tensor] = {}
    for name, value in synthesis.state_dict().items():
        if name == "restoration.first.0.weight":  # PyTorch's pixel_unshuffle: colours outermost; ONNX: innermost
            value = value.unflatten(1, (3, 4)).transpose(1, 2).flatten(1, 2)
        known_as = SYNTHESIS.get(name, name)
        renamed[known_as] = renamed[known_as] + value if known_as in renamed else value
    for name, value in renamed.items():
        tensors.add(name, value, "float16" if value.dim() == 4 else "float32")


def self_test_file(codec: Codec) -> tuple[bytes, list[int]]:
    """A .lic file of odd sides and high contrast, and the CRC-32 of each part's latents (int32, units of 1/256)."""
    image = photo("astronaut")[:, 60:121, 190:273]  # (3, 61, 83)
    data = codec.encode(image, quality=100, effort=0)
    return data, [zlib.crc32(part.tobytes()) for part in latents(codec, data)]


def latents(codec: Codec, data: bytes) -> list[NDArray]:
    """What a .lic file says, part by part: ŷ in units of 1/256, little-endian int32 (C, h, w)."""
    stream = bitstream.unpack(data)
    strings = [[string] for string in stream.strings]
    y_hat: Decoded = codec.prior.decompress(
        strings, (stream.height, stream.width), torch.tensor([float(stream.quality)])
    )
    return [(part[0].double() * OUTPUT_UNIT).numpy().astype("<i4") for part in y_hat.parts]


def export(codec: Codec, folder: Path) -> None:
    """Write all files. Raises ValueError for weights that do not fit into their kinds."""
    prior, synthesis = cast(SubbandPrior, codec.prior), cast(WaveletSynthesis, codec.synthesis)
    tensors = Tensors()
    add_prior(tensors, prior)
    add_synthesis(tensors, synthesis)
    blocks = len(synthesis.restoration.blocks)
    # Each network, and its margin: rows near an edge of its inputs that know less than they should, if the picture
    # goes on there.
    made = {
        "low_pass": (graphs.low_pass(), 0),
        "features": (graphs.features(), 0),
        "up": (graphs.up(), 0),
        "begin": (graphs.begin(), 1),
        "blind": (graphs.checkerboard(blind=True), 0),
        "checkerboard": (graphs.checkerboard(blind=False), 0),
        "end": (graphs.end(), 1),
        "corrections": (graphs.corrections(), 0),
        "last_features": (graphs.last_features(), 2),
        "restoration": (graphs.restoration(blocks), 2 * blocks + 2),
    }
    data, answer = self_test_file(codec)
    model = {
        "codec": codec.name,
        "fingerprint": codec.fingerprint(),
        "levels": synthesis.levels,
        "weights": zlib.crc32(b"".join(tensors.pieces)),
        "networks": {name: margin for name, (_, margin) in made.items()},
        "self_test": answer,
        "tensors": tensors.entries,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, (graph, _) in made.items():
        (folder / f"{name}.onnx").write_bytes(graph)
    (folder / "weights.bin").write_bytes(b"".join(tensors.pieces))
    (folder / "self_test.lic").write_bytes(data)
    (folder / "model.json").write_text(json.dumps(model) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Export the trained codec for the decoder in JavaScript.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path, help="another than the one that ships")
    options = parser.parse_args()
    export(Codec.load(options.checkpoint).eval(), options.folder)


if __name__ == "__main__":
    main()
