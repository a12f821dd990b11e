"""The names of codecs: what is registered is built again from its settings; what cannot be is refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tutorial_lib import codec_registry
from tutorial_lib.codec_registry import FACTORIES, UnfitSettings, UnknownCodec, create_codec, register_codec
from tutorial_lib.prior import FactorizedPrior
from tutorial_lib.transform_codec import TransformCodec


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is registered in these tests is forgotten after each."""
    monkeypatch.setattr(codec_registry, "FACTORIES", dict(FACTORIES))
    yield


def two_layers(channels: int) -> TransformCodec:
    there, back = nn.Conv2d(3, channels, 2, 2), nn.ConvTranspose2d(channels, 3, 2, 2)
    return TransformCodec(there, back, FactorizedPrior(channels), stride=2)


class TwoLayers(TransformCodec):
    def __init__(self, channels: int = 4, hidden: int = 5) -> None:
        layers = nn.Conv2d(3, hidden, 2, 2), nn.Conv2d(hidden, channels, 1)
        super().__init__(nn.Sequential(*layers), nn.ConvTranspose2d(channels, 3, 2, 2), FactorizedPrior(channels), 2)


def from_a_function() -> Callable[..., TransformCodec]:
    @register_codec("mine")
    def mine(channels: int = 4, hidden: int = 5) -> TransformCodec:
        """One line about it."""
        return TwoLayers(channels, hidden)

    assert mine.__name__ == "mine" and mine.__doc__ == "One line about it."
    return mine


def from_a_class() -> Callable[..., TransformCodec]:
    class Mine(TwoLayers):
        def __init__(self, channels: int = 4, hidden: int = 5) -> None:
            super().__init__(channels, hidden)

    assert register_codec("mine")(Mine) is Mine
    return Mine


def from_a_class_that_inherits_all() -> Callable[..., TransformCodec]:
    @register_codec("mine")
    class Mine(TwoLayers):
        pass

    return Mine


FORMS = (from_a_function, from_a_class, from_a_class_that_inherits_all)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
@pytest.mark.parametrize(
    ("args", "settings", "expected"),
    [
        ((), {}, {"channels": 4, "hidden": 5}),
        ((6,), {}, {"channels": 6, "hidden": 5}),
        ((6, 7), {}, {"channels": 6, "hidden": 7}),
        ((6,), {"hidden": 8}, {"channels": 6, "hidden": 8}),
        ((), {"hidden": 8}, {"channels": 4, "hidden": 8}),
    ],
)
def test_what_is_made_remembers_its_name_and_all_settings(form, args, settings, expected) -> None:
    codec = form()(*args, **settings)
    assert (codec.name, codec.settings) == ("mine", expected)
    assert isinstance(codec, TwoLayers) and len(codec.analysis[1].weight) == expected["channels"]
    again = create_codec("mine", **codec.settings)
    assert type(again) is type(codec) and (again.name, again.settings) == ("mine", expected)
    again.load_state_dict(codec.state_dict())


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_what_is_made_is_saved_loaded_and_writes_files(form, tmp_path: Path) -> None:
    torch.manual_seed(0)
    codec = form()(channels=6)
    codec.build_coder()
    codec.eval().save(tmp_path / "mine")
    loaded = TransformCodec.load(tmp_path / "mine")
    picture = torch.arange(3 * 7 * 5, dtype=torch.uint8).view(3, 7, 5)
    assert loaded.fingerprint() == codec.fingerprint()
    assert torch.equal(loaded.decode(codec.encode(picture)), codec.decode(loaded.encode(picture)))


def test_a_class_that_derives_from_a_registered_one_has_no_name_of_its_own(tmp_path: Path) -> None:
    class Deeper(from_a_class()):
        pass

    codec = Deeper()
    codec.build_coder()
    assert codec.name is None and codec.settings == {}
    for use in (lambda: codec.save(tmp_path / "deeper"), lambda: codec.encode(torch.zeros(3, 4, 4, dtype=torch.uint8))):
        with pytest.raises(RuntimeError, match="decorate yours with register_codec"):
            use()
    assert list(tmp_path.iterdir()) == []
    codec = register_codec("deeper")(Deeper)(hidden=9)
    assert (codec.name, codec.settings) == ("deeper", {"channels": 4, "hidden": 9})


def test_a_factory_that_uses_another_is_the_one_that_counts() -> None:
    inner = from_a_function()

    @register_codec("outer")
    def outer(size: str = "small") -> TransformCodec:
        return inner(channels={"small": 3, "large": 30}[size])

    codec = outer("large")
    assert (codec.name, codec.settings) == ("outer", {"size": "large"})
    assert create_codec("outer", **codec.settings).prior.entropy_bottleneck.channels == 30


def test_settings_without_names_of_their_own_are_remembered_by_those_that_were_given() -> None:
    @register_codec("anything")
    def anything(channels: int = 4, **more: Any) -> TransformCodec:
        assert more.keys() <= {"depth", "name"}
        return two_layers(channels)

    codec = anything(depth=[1, 2], name="a net")
    assert codec.settings == {"channels": 4, "depth": [1, 2], "name": "a net"}
    assert create_codec("anything", **codec.settings).settings == codec.settings


def test_settings_are_remembered_as_json_gives_them_back_and_stay_as_they_were() -> None:
    @register_codec("sizes")
    def sizes(channels: tuple[int, ...] = (4, 5), fast: bool = True, note: str | None = None) -> TransformCodec:
        return two_layers(channels[0])

    given = [3, 9]
    codec = sizes(given)
    given.append(7)
    assert codec.settings == {"channels": [3, 9], "fast": True, "note": None}
    assert sizes().settings["channels"] == [4, 5]


@pytest.mark.parametrize(
    ("value", "kind"), [(nn.ReLU(), "ReLU"), (torch.zeros(2), "Tensor"), ({1, 2}, "set"), (Path("x"), "PosixPath|Win")]
)
def test_settings_that_no_file_holds_are_refused_by_their_name(value: object, kind: str, one_sentence) -> None:
    @register_codec("odd")
    def odd(channels: int = 4, activation: object = None) -> TransformCodec:
        return two_layers(channels)

    with pytest.raises(
        ValueError, match=rf"^settings are numbers, .*, unlike the ({kind}).* that activation of odd is\.$"
    ) as caught:
        odd(activation=value)
    assert one_sentence(caught.value)


def test_factories_whose_settings_have_no_names_are_refused(one_sentence) -> None:
    def many(*channels: int) -> TransformCodec:
        return two_layers(*channels)

    def nameless(channels: int, /) -> TransformCodec:
        return two_layers(channels)

    for factory in (many, nameless):
        with pytest.raises(
            ValueError, match=r"^settings have names, so the factory of odd cannot take .*channels"
        ) as caught:
            register_codec("odd")(factory)
        assert one_sentence(caught.value)
    assert "odd" not in codec_registry.FACTORIES


def test_a_factory_that_makes_something_else_is_refused() -> None:
    @register_codec("odd")
    def odd() -> Tensor:
        return torch.zeros(3)

    with pytest.raises(TypeError, match=r"^a factory gives a TransformCodec, not Tensor\.$"):
        odd()


@pytest.mark.parametrize("name", ["", "two words", "n" * 33, "../mine", "größe"])
def test_names_that_no_file_holds_are_refused_at_once(name: str, one_sentence) -> None:
    with pytest.raises(ValueError, match="a codec's name has 1 to 32 letters") as caught:
        register_codec(name)
    assert one_sentence(caught.value)


def test_a_name_is_one_factory_s_which_may_be_defined_again(one_sentence) -> None:
    _, again = from_a_class(), from_a_class()  # as when a notebook's cell is run twice
    assert type(create_codec("mine")) is again
    with pytest.raises(
        ValueError, match=r"^mine is the name of another codec already; choose another for mine"
    ) as caught:
        from_a_function()
    assert one_sentence(caught.value) and type(create_codec("mine")) is again


def test_a_class_has_one_name(one_sentence) -> None:
    mine = from_a_class()
    with pytest.raises(ValueError, match=r"^Mine has a name already; derive a class from it") as caught:
        register_codec("yours")(mine)
    assert one_sentence(caught.value) and mine().name == "mine"


def test_the_name_is_told() -> None:
    with pytest.raises(TypeError, match="register_codec is told the name"):
        register_codec(two_layers)


def test_an_unknown_name_is_refused_and_the_known_ones_are_told(one_sentence) -> None:
    from_a_function()
    with pytest.raises(UnknownCodec, match=r"^no codec is called 'yours'; known here: .*mine") as caught:
        create_codec("yours")
    assert one_sentence(caught.value)
    codec_registry.FACTORIES.clear()
    with pytest.raises(UnknownCodec, match=r"^no codec is called 'mine'; known here: none\.$"):
        create_codec("mine")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_settings_that_a_factory_does_not_take_are_refused_and_those_that_it_takes_are_told(form, one_sentence) -> None:
    form()
    with pytest.raises(UnfitSettings, match=r"'wheels'\); it takes channels, hidden\.$") as caught:
        create_codec("mine", wheels=4)
    assert one_sentence(caught.value) and str(caught.value).startswith("the settings of mine do not fit (")

    @register_codec("strict")
    def strict(channels: int) -> TransformCodec:
        return two_layers(channels)

    with pytest.raises(UnfitSettings, match=r"missing a required argument: 'channels'\); it takes channels\.$"):
        create_codec("strict")
