"""The codec's networks as ONNX graphs, for a decoder in JavaScript: what is summed, in which order of layers.

A graph holds no weights and no sizes: weights are inputs, too. So the five levels share one graph each for what they
have in common, and the weights travel by themselves, in 8 and 16 bits. Names of inputs are those of `export.py`.

Of the prior (`tutorial_lib.subband_networks`), in whole numbers: every operation is exact, or rounds as torch does.

    low_pass      what is known around a position -> means and log-scales, in units of 1/256
    features      the low-pass and its surroundings -> features
    up            coarser features -> features
    begin         features and the low-pass -> features
    blind         the first pass of grey: from features alone
    checkerboard  the other passes: from features and what is known around
    end           features and coefficients -> features

Of the synthesis (`tutorial_lib.restoration`), in floats: corrections, last_features, restoration.

Whoever runs these graphs pads the pictures that come in; what is computed inside is padded inside.
"""

import onnx
from onnx import TensorProto, helper

from tutorial_lib.restoration import SLOPE as FLOAT_SLOPE
from tutorial_lib.whole_networks import LIMIT, OUTPUT_LIMIT, OUTPUT_UNIT, SLOPE, UNIT

OPSET, IR_VERSION = 17, 8


class Graph:
    """Builds one graph, an operation at a time; tensors go by their names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.inputs: list[str] = []
        self.constants: dict[str, onnx.TensorProto] = {}

    def given(self, name: str) -> str:
        """An input: data or weights."""
        if name not in self.inputs:
            self.inputs.append(name)
        return name

    def constant(self, values: list[float] | list[int], scalar: bool = False) -> str:
        """Real numbers, or whole ones (int64)."""
        kind = TensorProto.INT64 if isinstance(values[0], int) else TensorProto.FLOAT
        name = "constant " + " ".join(map(str, values)) + (" scalar" if scalar else "")
        self.constants[name] = helper.make_tensor(name, kind, [] if scalar else [len(values)], values)
        return name

    def do(self, operation: str, *inputs: str, **attributes) -> str:
        """One operation, and the name of what it gives."""
        result = f"{operation} {len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [result], name=result, **attributes))
        return result

    def scaled(self, x: str, factor: float) -> str:
        return self.do("Mul", x, self.constant([factor], scalar=True))

    def padded(self, x: str) -> str:
        """Edges repeated on all sides."""
        return self.do("Pad", x, self.constant([0, 0, 1, 1, 0, 0, 1, 1]), mode="edge")

    def conv(self, x: str, weight: str, *bias: str, stride: int = 1) -> str:
        return self.do("Conv", x, *map(self.given, (weight, *bias)), strides=[stride, stride])

    def total(self, first: str, *terms: str) -> str:
        for term in terms:
            first = self.do("Add", first, term)
        return first

    def whole(self, total: str, relu: bool = True) -> str:
        """What `WholeLayer` makes of its sums: Round takes halves to the even side, as torch does."""
        x = self.do("LeakyRelu", total, alpha=SLOPE) if relu else total
        return self._clipped(x, LIMIT)

    def output(self, total: str) -> str:
        """The same of an output layer: whole numbers that count 1/256."""
        return self._clipped(self.scaled(total, OUTPUT_UNIT / UNIT), OUTPUT_LIMIT * OUTPUT_UNIT)

    def _clipped(self, x: str, limit: float) -> str:
        bounds = (self.constant([bound], scalar=True) for bound in (-limit, limit))
        return self.do("Clip", self.do("Round", x), *bounds)

    def act(self, x: str) -> str:
        """The synthesis's activation function."""
        return self.do("LeakyRelu", x, alpha=FLOAT_SLOPE)

    def model(self, result: str) -> bytes:
        """The file's bytes. Raises onnx.checker.ValidationError for a graph that is none."""
        self.nodes.append(helper.make_node("Identity", [result], ["out"]))
        inputs = [_described(name, 1 if name.endswith("bias") else 4) for name in self.inputs]
        output = _described("out", 4)
        graph = helper.make_graph(self.nodes, "graph", inputs, [output], list(self.constants.values()))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def _described(name: str, dimensions: int) -> onnx.ValueInfoProto:
    """Float32 of any size."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * dimensions)


def low_pass() -> bytes:
    """x (1, 7, h + 4, w + 4), hint (1, 1, 1, 1) -> (1, 6, h, w): means and log-scales."""
    g = Graph()
    x = g.total(g.conv(g.given("x"), "first.x", "first.bias"), g.conv(g.given("hint"), "first.hint"))
    x = g.whole(g.conv(g.padded(g.whole(x)), "second.x", "second.bias"))
    return g.model(g.output(g.conv(x, "third.x", "third.bias")))


def features() -> bytes:
    """x (1, 6, h + 2, w + 2), hint -> (1, C, h, w)."""
    g = Graph()
    x = g.total(g.conv(g.given("x"), "features.x", "features.bias"), g.conv(g.given("hint"), "features.hint"))
    return g.model(g.whole(x))


def up() -> bytes:
    """x (1, C', h, w) -> (1, C, h, w)."""
    g = Graph()
    return g.model(g.whole(g.conv(g.given("x"), "up.x", "up.bias"), relu=False))


def begin() -> bytes:
    """x (1, C + 6, h + 2, w + 2), hint -> (1, C, h, w). x: features, then the low-pass as networks see it."""
    g = Graph()
    x = g.total(g.conv(g.given("x"), "before.0.x", "before.0.bias"), g.conv(g.given("hint"), "before.0.hint"))
    f = g.whole(x)
    return g.model(g.whole(g.total(g.conv(g.padded(f), "before.1.x", "before.1.bias"), f)))


def checkerboard(blind: bool) -> bytes:
    """f (1, C, h, w), and x (1, K, 2 h + 1, 2 w + 1) unless blind -> (1, 2 n or 3 n, h, w)."""
    g = Graph()
    z = g.conv(g.given("f"), "first.f", "first.bias")
    if not blind:
        z = g.total(z, g.conv(g.given("x"), "first.x", stride=2))
    z = g.whole(z)
    z = g.whole(g.total(g.conv(z, "second.x", "second.bias"), z))
    return g.model(g.output(g.conv(z, "third.x", "third.bias")))


def end() -> bytes:
    """f (1, C, h, w), x (1, 18, h + 2, w + 2) -> (1, C, h, w)."""
    g = Graph()
    f = g.total(g.conv(g.given("f"), "after.0.f", "after.0.bias"), g.conv(g.given("x"), "after.0.x"))
    f = g.whole(f)
    return g.model(g.whole(g.total(g.conv(g.padded(f), "after.1.x", "after.1.bias"), f)))


def corrections() -> bytes:
    """f (1, C, h, w), unit: a number -> (1, 9, h, w). unit: what 1 stands for in f."""
    g = Graph()
    return g.model(g.conv(g.do("Mul", g.given("f"), g.given("unit")), "weight", "bias"))


def last_features() -> bytes:
    """f (1, C, h, w) in units, y (1, 9, h, w) in steps -> (1, C, h, w)."""
    g = Graph()
    y = g.given("y")
    t = g.do("Log", g.do("Add", g.do("Abs", y), g.constant([1.0], scalar=True)))
    seen = g.padded(g.do("Concat", g.do("Mul", t, g.do("Sign", y)), t, axis=1))
    f = g.scaled(g.given("f"), 1 / UNIT)
    f = g.act(g.total(g.conv(seen, "inward.y", "inward.bias"), g.conv(f, "inward.f")))
    return g.model(g.act(g.total(g.conv(g.padded(f), "last.weight", "last.bias"), f)))


def restoration(blocks: int) -> bytes:
    """x (1, 3, 4 h, 4 w), fine (1, C, 2 h, 2 w), coarse (1, C', h, w), hint (1, 1, 1, 1) -> like x."""
    g = Graph()
    x, fine, coarse, hint = map(g.given, ("x", "fine", "coarse", "hint"))
    t = g.total(
        g.conv(x, "inward.x", "inward.bias", stride=4),
        g.conv(fine, "inward.fine", stride=2),
        g.conv(coarse, "inward.coarse"),
        g.conv(hint, "inward.hint"),
    )
    for n in range(blocks):
        first = g.conv(g.padded(g.act(t)), f"blocks.{n}.0.weight", f"blocks.{n}.0.bias")
        t = g.total(t, g.conv(g.padded(g.act(first)), f"blocks.{n}.1.weight", f"blocks.{n}.1.bias"))
    upward = g.do("DepthToSpace", g.conv(g.act(t), "upward.weight", "upward.bias"), blocksize=2, mode="CRD")
    h = g.total(
        g.conv(g.padded(g.do("SpaceToDepth", x, blocksize=2)), "first.x", "first.bias"),
        g.conv(g.padded(fine), "first.fine"),
        g.conv(hint, "first.hint"),
        upward,
    )
    h = g.act(h)
    h = g.act(g.total(g.conv(g.padded(h), "second.weight", "second.bias"), h))
    h = g.conv(g.padded(h), "third.weight", "third.bias")
    return g.model(g.total(x, g.do("DepthToSpace", h, blocksize=2, mode="CRD")))
