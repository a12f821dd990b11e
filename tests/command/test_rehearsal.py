"""Mistakes of a learner's codec are found before its training, in one sentence, and nothing is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from tutorial_lib import cli
from tutorial_lib.files.images import to_pil
from tutorial_lib.workbench.photos import photo

HEAD = """
import torch
from torch import nn
from tutorial_lib.entropy_coder import EntropyCoder
from tutorial_lib.transform_codec import FactorizedPrior, Prior, TransformCodec, register_codec

def layers(channels=4, stride=2):
    return nn.Conv2d(3, channels, stride, stride), nn.ConvTranspose2d(channels, 3, stride, stride)
"""

MISTAKES = {
    "decompress is not forward": (
        """
class Odd(FactorizedPrior):
    def decompress(self, strings, shape, condition=None):
        return super().decompress(strings, shape) + 3

@register_codec("odd")
def odd():
    return TransformCodec(*layers(), Odd(4), 2)
""",
        "odd decodes another picture than its forward pass gives in evaluation mode: compare Odd's decompress with its "
        "forward.",
    ),
    "channels": (
        """
@register_codec("odd")
def odd():
    return TransformCodec(*layers(), FactorizedPrior(5), 2)
""",
        "the forward pass of odd fails on a crop of 32 pixels: z has shape (1, 4, 16, 16), but this prior needs "
        "(B, 5, ...).",
    ),
    "stride": (
        """
@register_codec("odd")
def odd():
    return TransformCodec(*layers(stride=4), FactorizedPrior(4), 2)
""",
        "the forward pass of odd fails on a crop of 32 pixels: the analysis of (32, 32) pixels makes a latent of "
        "(8, 8), while the codec's stride is 2.",
    ),
    "a coder that is not saved": (
        """
class Plain(FactorizedPrior):
    def __init__(self):
        super().__init__(4)
        del self.holder
    def build_coder(self):
        self.coder = EntropyCoder.build(self.entropy_bottleneck)
    def compress(self, y, condition=None):
        return [self.coder.compress(y)]

@register_codec("odd")
def odd():
    return TransformCodec(*layers(), Plain(), 2)
""",
        "odd, loaded from its checkpoint, cannot code a crop: 'Plain' object has no attribute 'coder'.",
    ),
    "strings instead of parts": (
        """
class Flat(FactorizedPrior):
    def compress(self, y, condition=None):
        return super().compress(y)[0]

@register_codec("odd")
def odd():
    return TransformCodec(*layers(), Flat(4), 2)
""",
        "odd, loaded from its checkpoint, cannot code a crop: Flat.compress gives a list of one string an image for "
        "each part.",
    ),
    "no prior": (
        """
@register_codec("odd")
def odd():
    return TransformCodec(*layers(), nn.Identity(), 2)
""",
        "the codec odd cannot be built with its defaults: TypeError: a codec's prior derives from prior.Prior, unlike "
        "Identity.",
    ),
    "a rate for each quality, but no lambda": (
        """
class Dial(TransformCodec):
    qualities, default_quality = range(1, 6), 3

class Deaf(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer = layer
    def forward(self, x, quality):
        return self.layer(x)

@register_codec("odd")
def odd():
    there, back = layers()
    return Dial(Deaf(there), Deaf(back), FactorizedPrior(4), 2)
""",
        "the forward pass of odd fails on a crop of 32 pixels: a variable rate needs a λ for each quality: "
        "Dial.lagrange_multiplier.",
    ),
}

TIED = """
class Back(nn.Module):
    def __init__(self, there):
        super().__init__()
        self.weight = there.weight
    def forward(self, y):
        return nn.functional.conv_transpose2d(y, self.weight, stride=2)

@register_codec("tied")
def tied():
    there, _ = layers()
    return TransformCodec(there, Back(there), FactorizedPrior(4), 2)
"""


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a photo in photos/, where the command is run; what plugins register is forgotten."""
    from tutorial_lib import codec, codec_registry, context, first_codec, hyperprior  # noqa: F401

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(codec_registry, "FACTORIES", dict(codec_registry.FACTORIES))
    (tmp_path / "photos").mkdir()
    to_pil(photo("coffee")[:, :48, :64].contiguous()).save(tmp_path / "photos" / "coffee.png")
    return tmp_path


def train(name: str, *more: str) -> int:
    job = ("--plugin", "mine.py", "train", "--codec", name, "--data", "photos", "--out", "a.safetensors")
    return cli.main([*job, "--steps", "2", "--batch", "2", "--crop", "32", *more])


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_costs_no_training(mistake: str, desk: Path, capsys: pytest.CaptureFixture) -> None:
    program, sentence = MISTAKES[mistake]
    (desk / "mine.py").write_text(HEAD + program)
    assert train("odd") == 2
    assert capsys.readouterr().err.splitlines()[-1] == f"error: {sentence}"
    assert sorted(path.name for path in desk.iterdir() if path.name != "__pycache__") == ["mine.py", "photos"]


def test_shared_weights_are_trained_once_and_saved(desk: Path, capsys: pytest.CaptureFixture) -> None:
    (desk / "mine.py").write_text(HEAD + TIED)
    assert train("tied") == 0
    own = ("--checkpoint", "a.safetensors")
    assert cli.main(["--plugin", "mine.py", "encode", "photos/coffee.png", "a.lic", *own]) == 0
    assert cli.main(["--plugin", "mine.py", "decode", "a.lic", "a.png", *own]) == 0


def test_a_finished_run_is_left_as_it_is(desk: Path, capsys: pytest.CaptureFixture) -> None:
    (desk / "mine.py").write_text(HEAD + TIED)
    assert train("tied") == 0
    before = Path("a.safetensors").read_bytes()
    capsys.readouterr()
    assert train("tied", "--resume") == 0
    assert capsys.readouterr().out == "a.safetensors: this run is finished already, and was left as it is.\n"
    assert Path("a.safetensors").read_bytes() == before


def test_a_plugin_cannot_take_a_name_of_the_course(desk: Path, capsys: pytest.CaptureFixture) -> None:
    (desk / "mine.py").write_text(HEAD + TIED.replace('"tied"', '"first_codec"'))
    assert train("first_codec") == 2
    said = capsys.readouterr().err
    assert "first_codec is the name of another codec already; choose another for tied" in said


def test_changed_code_does_not_go_on_with_the_old_run(desk: Path, capsys: pytest.CaptureFixture, monkeypatch) -> None:
    from tutorial_lib import training_run

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    (desk / "mine.py").write_text(HEAD + TIED)
    with monkeypatch.context() as patch:
        patch.setattr(training_run, "take_steps", stop)
        assert train("tied") == 130
    (desk / "mine.py").write_text(HEAD + TIED.replace("TransformCodec(there,", "TransformCodec(nn.Sequential(there),"))
    capsys.readouterr()
    assert train("tied", "--resume") == 2
    assert "was begun with other modules; give the same, or delete it." in capsys.readouterr().err


@pytest.mark.parametrize(("text", "value"), [("True", True), ("false", False), ("None", None), ("[1, -2]", [1, -2])])
def test_settings_are_read_as_python_or_json_writes_them(text: str, value: object) -> None:
    from tutorial_lib.command.train import _value

    assert _value(text) == value and type(_value(text)) is type(value)
