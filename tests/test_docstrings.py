"""The examples in docstrings are true: they run here, and the modules whose functions one calls most have some."""

from __future__ import annotations

import doctest
import importlib
import inspect
from types import ModuleType

import pytest

from tutorial_lib import codec_registry
from tutorial_lib.course import MODULES

# Of these, every public function has an example of its own.
EACH_FUNCTION = ("padding", "quantization", "information", "cdf", "rans", "bitstream", "codec_registry")
SOME = (*EACH_FUNCTION, "transform_codec", "codec", "context")


def module(name: str) -> ModuleType:
    return importlib.import_module(f"tutorial_lib.{name}")


def public(name: str) -> dict[str, object]:
    """The functions and classes that a module defines for others."""
    here = module(name)
    members = vars(here).items()
    own = {
        key: value
        for key, value in members
        if (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == here.__name__
    }
    return {key: value for key, value in own.items() if not key.startswith("_")}


def test_the_modules_below_are_the_courses() -> None:
    assert set(SOME) <= {each.name for each in MODULES} | {"codec_registry", "prior"}


@pytest.mark.parametrize("name", sorted({each.name for each in MODULES} | set(SOME)))
def test_the_examples_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_registry, "FACTORIES", dict(codec_registry.FACTORIES))  # what they register is forgotten
    result = doctest.testmod(module(name), verbose=False)
    assert result.failed == 0
    assert (result.attempted > 0) or name not in SOME


@pytest.mark.parametrize("name", EACH_FUNCTION)
def test_every_public_function_shows_itself(name: str) -> None:
    functions = {key: value for key, value in public(name).items() if inspect.isfunction(value)}
    assert functions
    for key, function in functions.items():
        assert ">>> " in inspect.getdoc(function), f"{name}.{key} has no example"


@pytest.mark.parametrize("name", sorted({each.name for each in MODULES}))
def test_every_public_name_says_what_it_is(name: str) -> None:
    for key, value in public(name).items():
        assert inspect.getdoc(value), f"{name}.{key} has no docstring"
