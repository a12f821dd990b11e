"""`lic --plugin`: what a learner's file can do wrong. What it can do right: `test_own_codec`."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tutorial_lib import codec_registry
from tutorial_lib.command import codecs

KNOWN = "known here: bmshj2018-hyperprior, codec, first_codec, mbt2018, mbt2018-mean"
HINT = "lic --plugin FILE.py …, before the command's name, runs a file of yours that registers another."
OWN = Path(__file__).parents[1] / "own_codec.py"
REGISTERED = """
from tutorial_lib.codec_registry import register_codec

@register_codec("strange")
def strange(kind="none", size=3):
    {}
"""


@pytest.fixture(autouse=True)
def forgetful(monkeypatch) -> None:
    """What a test registers is forgotten after it."""
    codecs._register_all()
    ours = {
        name: made for name, made in codec_registry.FACTORIES.items() if made.__module__.startswith("tutorial_lib.")
    }
    monkeypatch.setattr(codec_registry, "FACTORIES", ours)


@pytest.fixture
def train(here: Path, noise) -> list[str]:
    """The arguments of a training that could be."""
    Path("photos").mkdir()
    Image.fromarray(noise(70, 80, 3)).save("photos/a.png")
    return ["train", "--data", "photos", "--out", "mine.safetensors", "--steps", "1", "--batch", "1", "--crop", "32"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("x = 1\nif x\n    pass\n", "the plugin 'bad.py' fails in line 2: SyntaxError: expected ':' (bad.py, line 2)."),
        ("\n\n1 / 0\n", "the plugin 'bad.py' fails in line 3: ZeroDivisionError: division by zero."),
        ("def f():\n    raise ValueError('so\\nso.')\nf()", "the plugin 'bad.py' fails in line 2: so so."),
        ("import nowhere_to_be_found", "line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'."),
        ("import sys\nsys.exit('enough')", "the plugin 'bad.py' fails in line 2: SystemExit: enough."),
        ("raise AssertionError", "the plugin 'bad.py' fails in line 1: AssertionError."),
        (
            "from tutorial_lib.transform_codec import register_codec\nregister_codec('no name')",
            "fails in line 2: a codec's name has 1 to 32 letters, digits or signs among _.+-, unlike 'no name'.",
        ),
        ("", "the plugin 'bad.py' registers no codec; decorate a factory in it with register_codec."),
        ("import tutorial_lib.hyperprior", "the plugin 'bad.py' registers no codec; decorate"),
    ],
)
def test_files_that_fail(refused, train: list[str], text: str, sentence: str) -> None:
    Path("bad.py").write_text(text)
    assert sentence in refused("--plugin", "bad.py", *train, "--codec", "own")


def test_files_that_are_none(refused, train: list[str]) -> None:
    Path("text.txt").write_text("hello")
    Path("folder.py").mkdir()
    for name, sentence in [
        ("missing.py", "there is no file 'missing.py'."),
        ("folder.py", "'folder.py' is a folder; give a file."),
        ("text.txt", "the plugin 'text.txt' is no Python file; its name must end in .py."),
    ]:
        assert refused("--plugin", name, *train) == sentence


def test_a_name_that_nobody_has_registered(refused, train: list[str]) -> None:
    assert refused(*train, "--codec", "own") == f"no codec is called 'own'; {KNOWN}; {HINT}"
    known = KNOWN.replace("mbt2018-mean", "mbt2018-mean, own")
    assert refused("--plugin", OWN, *train, "--codec", "one") == f"no codec is called 'one'; {known}; {HINT}"


@pytest.mark.parametrize("text", ["N", "=3", "N-1=3", "64"])
def test_settings_of_no_form(refused, train: list[str], text: str) -> None:
    sentence = refused("--plugin", OWN, *train, "--codec", "own", "--set", "N=8", text)
    assert sentence == f"--set takes KEY=VALUE, as in N=64, unlike {text!r}."


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (["K=3"], "the settings of own do not fit (got an unexpected keyword argument 'K'); it takes N, M."),
        (["N=many"], "the codec own cannot be built with N='many': TypeError: "),
        (["N=-8", "M=4"], "the codec own cannot be built with N=-8, M=4: "),
        (["N=1.5"], "the codec own cannot be built with N=1.5: "),
        (["N=null"], "the codec own cannot be built with N=None: TypeError: "),
    ],
)
def test_settings_that_do_not_fit(refused, train: list[str], settings: list[str], sentence: str) -> None:
    said = refused("--plugin", OWN, *train, "--codec", "own", "--set", *settings)
    assert said.startswith(sentence) and (sentence.endswith(": ") or said == sentence)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("assert kind != 'none'", "the codec strange cannot be built with its defaults: AssertionError."),
        ("raise KeyError(kind)", "the codec strange cannot be built with its defaults: KeyError: 'none'."),
        ("raise ValueError('sizes are odd.')", "the codec strange cannot be built with its defaults: sizes are odd."),
        ("return None", "its defaults: TypeError: a factory gives a TransformCodec, not NoneType."),
    ],
)
def test_factories_that_fail(refused, train: list[str], body: str, sentence: str) -> None:
    Path("strange.py").write_text(REGISTERED.format(body))
    assert refused("--plugin", "strange.py", *train, "--codec", "strange").endswith(sentence)


def test_values_are_those_of_json_or_strings(lic, train: list[str]) -> None:
    """Numbers, lists, true, false and null; --set may be given again; the factory is told them as they are."""
    body = "raise ValueError(f'it got {kind!r} and {size!r}.')"
    Path("strange.py").write_text(REGISTERED.format(body))
    for texts, heard in [
        (["--set", "kind=a b", "size=[1, 2.5]"], "'a b' and [1, 2.5]"),
        (["--set", "kind=true", "--set", "size=null"], "True and None"),
        (["--set", "size=64", "kind=x=y"], "'x=y' and 64"),
        (["--set", 'kind="3"', "kind=3"], "3 and 3"),
    ]:
        status, _, err = lic("--plugin", "strange.py", *train, "--codec", "strange", *texts)
        assert status == 2 and err.endswith(f": it got {heard}.\n")


def test_the_full_codec_takes_settings_too(refused, train: list[str]) -> None:
    sentence = refused(*train, "--set", "half=0")
    assert sentence.startswith("the codec codec cannot be built with half=0: widths are whole numbers from 1 to 1,024")


def test_what_lies_beside_a_plugin_can_be_imported(lic, here: Path) -> None:
    Path("sub").mkdir()
    Path("sub/beside_the_plugin.py").write_text(REGISTERED.format("pass"))
    Path("sub/mine.py").write_text("import beside_the_plugin\n")
    status, _, err = lic("--plugin", "sub/mine.py", "decode", "nothing", "a.png")
    assert (status, err) == (2, "error: there is no file 'nothing'.\n")
    assert "strange" in codec_registry.FACTORIES
