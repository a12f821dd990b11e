"""What is exported for the decoder in JavaScript is what the codec computes with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="the extra `web` has it: it writes the networks.")

from export import Tensors, whole_parts

from tutorial_lib.codec import Codec
from tutorial_lib.whole_networks import WholeLayer


def test_weights_are_taken_apart_without_loss() -> None:
    torch.manual_seed(0)
    layer = WholeLayer(12, (5, 3, 1), (7, 1, 1))
    with torch.no_grad():
        layer.weights[0][3] *= 1000  # rows of very different sizes
        layer.weights[0][4] *= 1e-4
        layer.weights[1][5] = 0
    for weight in layer.whole_weights()[0]:
        m, e = whole_parts(weight)
        assert np.abs(m).max() <= 127
        assert np.array_equal(m * 2.0 ** -e[:, None, None, None], weight.detach().double().numpy())


@pytest.mark.parametrize("value", [1 / 3, 128.5])
def test_weights_of_more_than_8_bits_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="8 bits"):
        whole_parts(torch.full((1, 1, 1, 1), value))


@pytest.mark.parametrize(("kind", "value"), [("float16", 1e6), ("int32", 0.5), ("uint16", -1.0), ("uint16", 65536.0)])
def test_numbers_that_do_not_fit_are_refused(kind: str, value: float) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        Tensors().add("weights", np.array([value]), kind)


def test_a_networks_size_does_not_depend_on_a_picture(model: Path) -> None:
    import onnx

    for path in model.glob("*.onnx"):
        graph = onnx.load(path).graph
        assert not any(len(array.dims) > 1 for array in graph.initializer), f"{path.stem} holds weights."
        for value in graph.input:
            assert not any(side.dim_value for side in value.type.tensor_type.shape.dim), f"{path.stem} has fixed sizes."


def test_the_description_is_the_codecs(model: Path, codec: Codec) -> None:
    description = json.loads((model / "model.json").read_text())
    assert (description["codec"], description["fingerprint"]) == ("codec", codec.fingerprint())
    exported = {entry["name"] for entry in description["tensors"]}
    assert len(exported) == len(description["tensors"])
    layers = sum(isinstance(module, WholeLayer) for module in codec.prior.modules())
    assert layers == sum(name.endswith(".bias") and name.startswith(("low_pass.", "levels.")) for name in exported)
