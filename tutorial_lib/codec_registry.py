"""The names of codecs: a file names the factory that builds its codec and the factory's settings, never a module.

`register_codec` gives a factory its name; `create_codec` builds a codec of that name.
"""

from __future__ import annotations

import functools
import inspect
import json
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tutorial_lib import bitstream

Factory = TypeVar("Factory", bound=Callable[..., Any])  # (**settings) -> transform_codec.TransformCodec

FACTORIES: dict[str, Callable[..., Any]] = {}  # what `register_codec` has seen so far


class UnknownCodec(ValueError):
    """No factory of that name has been registered."""


class UnfitSettings(ValueError):
    """A factory does not take these settings."""


def register_codec(name: str) -> Callable[[Factory], Factory]:
    """Give a factory, a function `(**settings) -> TransformCodec` or such a class, the name by which files know it.

    What it makes remembers the name and the settings, defaults included, so that `save`, `load`, `encode` and `decode`
    work. Settings are what JSON holds: numbers, strings, booleans, lists. Raises ValueError for a name that no file can
    hold or that another factory has, and for a factory whose settings have no names; the factory does for settings that
    are something else. (The same factory, defined again, takes its own place: a notebook's cell may run twice.)

    >>> from torch import nn
    >>> from tutorial_lib.transform_codec import FactorizedPrior, TransformCodec
    >>> @register_codec("two_convolutions")
    ... def two_convolutions(channels=8):
    ...     there, back = nn.Conv2d(3, channels, 2, stride=2), nn.ConvTranspose2d(channels, 3, 2, stride=2)
    ...     return TransformCodec(there, back, FactorizedPrior(channels), stride=2)
    >>> two_convolutions(channels=4).settings
    {'channels': 4}
    """
    if not isinstance(name, str):
        raise TypeError('register_codec is told the name: @register_codec("mine").')
    bitstream.check_name(name)

    def register(factory: Factory) -> Factory:
        signature = inspect.signature(factory)
        for parameter in signature.parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
                raise ValueError(f"settings have names, so the factory of {name} cannot take {parameter}.")
        origin = (factory.__module__, factory.__qualname__)
        if name in FACTORIES and (FACTORIES[name].__module__, FACTORIES[name].__qualname__) != origin:
            raise ValueError(f"{name} is the name of another codec already; choose another for {factory.__name__}.")
        if isinstance(factory, type) and any(made is factory for made in FACTORIES.values()):
            raise ValueError(f"{factory.__name__} has a name already; derive a class from it to give it another.")

        def remember(codec: Any, args: Sequence[Any], settings: dict[str, Any]) -> None:
            bound = signature.bind(*args, **settings)
            bound.apply_defaults()
            given = dict(bound.arguments)
            for parameter in signature.parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:
                    given.update(given.pop(parameter.name))
            for setting, value in given.items():
                try:
                    given[setting] = json.loads(json.dumps(value, default=operator.index))  # NumPy's integers, too
                except (TypeError, ValueError):
                    said = f"{type(value).__name__} that {setting} of {name} is"
                    raise ValueError(f"settings are numbers, strings, booleans or lists, unlike the {said}.") from None
            codec.name, codec.settings = name, given

        registered: Any  # it takes what `factory` takes, which no type checker can tell
        if isinstance(factory, type):
            registered = factory
            original = registered.__init__

            @functools.wraps(original)
            def initialise(self: Any, *args: Any, **settings: Any) -> None:
                original(self, *args, **settings)
                if type(self) is factory:  # and no class that derives from it
                    remember(self, args, settings)

            registered.__init__ = initialise
        else:

            @functools.wraps(factory)
            def build(*args: Any, **settings: Any) -> Any:
                codec = factory(*args, **settings)
                if not hasattr(codec, "settings"):
                    raise TypeError(f"a factory gives a TransformCodec, not {type(codec).__name__}.")
                remember(codec, args, settings)
                return codec

            registered = build
        FACTORIES[name] = registered
        return registered

    return register


def create_codec(name: str, /, **settings: Any) -> Any:
    """A fresh codec of a registered factory. Raises UnknownCodec, or UnfitSettings for those that it does not take.

    >>> from tutorial_lib import first_codec  # which registers one
    >>> create_codec("first_codec", hidden=8).settings
    {'lmbda': 0.0067, 'hidden': 8}
    """
    if name not in FACTORIES:
        known = ", ".join(sorted(FACTORIES)) or "none"
        raise UnknownCodec(f"no codec is called {name[:64]!r}; known here: {known}.")
    signature = inspect.signature(FACTORIES[name])
    try:
        signature.bind(**settings)
    except TypeError as error:
        takes = ", ".join(signature.parameters) or "none"
        former = getattr(FACTORIES[name], "former_settings", {})  # of another codec, which had the name before
        if setting := next((setting for setting in settings if setting in former), None):
            theirs = f"{setting} is a setting of the {name} of {former[setting]}, which alone reads its checkpoints"
            raise UnfitSettings(f"{theirs}; that of this version takes {takes}.") from None
        raise UnfitSettings(f"the settings of {name} do not fit ({error}); it takes {takes}.") from None
    return FACTORIES[name](**settings)
