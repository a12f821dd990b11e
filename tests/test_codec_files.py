"""A learner's codec in the frame: pictures to files and back, checkpoints, and a sentence for each that is none."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tutorial_lib import codec_registry
from tutorial_lib.bitstream import IncompleteFile, Stream, pack, read_header, unpack
from tutorial_lib.codec_registry import register_codec
from tutorial_lib.files.checkpoints import digest_of
from tutorial_lib.files.images import to_float, to_pil, to_uint8
from tutorial_lib.prior import FactorizedPrior
from tutorial_lib.rans import BitstreamError
from tutorial_lib.slicing import slim_slices
from tutorial_lib.transform_codec import TransformCodec

SLICES = 3


@pytest.fixture(scope="module", autouse=True)
def only_here() -> Iterator[None]:
    """What is registered here is forgotten afterwards."""
    before = dict(codec_registry.FACTORIES)
    register_codec("plain")(plain_codec)
    register_codec("sliced")(sliced_codec)
    yield
    codec_registry.FACTORIES.clear()
    codec_registry.FACTORIES.update(before)


def plain_codec(channels: int = 6) -> TransformCodec:
    there, back = nn.Conv2d(3, channels, 4, 4), nn.ConvTranspose2d(channels, 3, 4, 4)
    return TransformCodec(there, back, FactorizedPrior(channels), stride=4)


def sliced_codec(channels: int = 6) -> TransformCodec:
    there, back = nn.Conv2d(3, channels, 4, 4), nn.ConvTranspose2d(channels, 3, 4, 4)
    sizes = [1, 2, channels - 3]
    return TransformCodec(there, back, slim_slices(sizes, N=8, inner=8), stride=4)


@functools.cache
def made(name: str) -> TransformCodec:
    torch.manual_seed(0)
    codec = codec_registry.create_codec(name)
    with torch.no_grad():
        codec.analysis.weight.mul_(20)  # a latent of more than zeros
    codec.build_coder()
    return codec.eval()


def built(name: str) -> TransformCodec:
    """A copy, for a test to do with as it likes."""
    return copy.deepcopy(made(name))


@pytest.fixture
def picture(noise) -> Tensor:
    return to_uint8(noise(1, 3, 21, 30))


both = pytest.mark.parametrize("name", ["plain", "sliced"])


# Pictures ----------------------------------------------------------------------------------------------------------


@both
def test_a_file_holds_the_forward_passs_picture(name: str, picture: Tensor) -> None:
    codec = built(name)
    data = codec.encode(picture)
    with torch.no_grad():
        forward = to_uint8(codec(to_float(picture))["x_hat"])
    assert torch.equal(codec.decode(data), forward)
    assert codec.encode(to_pil(picture)) == data
    stream = unpack(data)
    assert (stream.codec, stream.quality, stream.width, stream.height) == (name, 0, 30, 21)
    assert (stream.required, len(stream.strings)) == {"plain": (1, 1), "sliced": (1, 1 + SLICES)}[name]
    assert stream.fingerprint == codec.fingerprint()


@pytest.mark.parametrize(
    "image",
    [torch.zeros(3, 4, 4), torch.zeros(1, 4, 4, dtype=torch.uint8), torch.zeros(3, 0, 4, dtype=torch.uint8)],
    ids=lambda image: f"{image.dtype} {tuple(image.shape)}",
)
def test_what_is_no_picture_is_refused(image: Tensor, one_sentence) -> None:
    with pytest.raises(ValueError, match=r"a picture (is uint8|of [\d,]+ x [\d,]+ pixels does not fit)") as caught:
        built("plain").encode(image)
    assert one_sentence(caught.value)


def test_the_full_codec_takes_whole_numbers_of_any_kind_as_qualities(lively_codec, picture: Tensor) -> None:
    codec = lively_codec()
    data = codec.encode(picture, 37)
    for quality in (np.int64(37), np.uint8(37), torch.tensor(37)):
        assert codec.encode(picture, quality) == data
        assert unpack(data).quality == 37
    assert codec.encode(picture) == codec.encode(picture, 50)
    for quality in (True, False, np.bool_(True), 37.0, np.float32(37), "37", 0, 101, np.int64(-1)):
        with pytest.raises(ValueError, match=r"^a quality is a whole number from 1 to 100, not .*\.$"):
            codec.encode(picture, quality)


@both
@pytest.mark.parametrize("quality", [1, 50, 0, True, 1.0, "50"])
def test_a_codec_with_one_rate_takes_no_quality(name: str, quality: object, picture: Tensor) -> None:
    codec = built(name)
    strings = codec.compress(to_float(picture))["strings"]
    for use in (
        lambda: codec.encode(picture, quality),
        lambda: codec.compress(to_float(picture), quality),
        lambda: codec(to_float(picture), quality),
        lambda: codec.decompress(strings, (21, 30), quality),
    ):
        with pytest.raises(ValueError, match=rf"^this codec has one quality; leave {quality!r} out\.$"):
            use()


# Files that are not whole, or of others ------------------------------------------------------------------------------


def test_a_file_that_lacks_slices_is_refused_unless_a_preview_is_asked_for(picture: Tensor, one_sentence) -> None:
    codec = built("sliced")
    data = codec.encode(picture)
    header = read_header(data)
    whole = codec.decode(data)
    for count in range(SLICES):
        cut = data[: header.sections[count].end]
        with pytest.raises(IncompleteFile, match="was cut short") as caught:
            codec.decode(cut)
        assert caught.value.slices == count and one_sentence(caught.value)
        preview = codec.decode(cut, slices=count)
        assert torch.equal(preview, codec.decode(data, slices=count)) and not torch.equal(preview, whole)
        with pytest.raises(IncompleteFile):
            codec.decode(cut, slices=count + 1)
        few = pack(Stream(30, 21, codec.fingerprint(), unpack(data).strings[: count + 1], "sliced", required=1))
        sentence = rf"^the file holds {count + 1} string\(s\), while a picture with all its slices takes 4\.$"
        with pytest.raises(BitstreamError, match=sentence) as caught:
            codec.decode(few)
        assert torch.equal(codec.decode(few, slices=SLICES), preview)  # as many as there are
    assert torch.equal(codec.decode(data, slices=SLICES), whole)
    with pytest.raises(IncompleteFile) as caught:
        codec.decode(data[: header.sections[0].end - 1])
    assert caught.value.slices is None


@pytest.mark.parametrize("slices", [-1, SLICES + 1])
def test_slices_that_there_are_not_are_refused(slices: int, picture: Tensor) -> None:
    sliced, plain = built("sliced"), built("plain")
    with pytest.raises(ValueError, match=rf"^slices is {slices}; this codec has 0 to 3 of them\.$"):
        sliced.decode(sliced.encode(picture), slices)
    with pytest.raises(ValueError, match=r"^this codec's files have no slices; leave them out\.$"):
        plain.decode(plain.encode(picture), slices)


@both
def test_files_of_others_are_refused(name: str, picture: Tensor, one_sentence) -> None:
    codec, other = built(name), built({"plain": "sliced", "sliced": "plain"}[name])
    again = built(name)
    with torch.no_grad():
        again.synthesis.bias.add_(0.1)
    for file, words in (
        (other.encode(picture), f"made by the codec called {other.name}, not by {name}"),
        (again.encode(picture), f"made with another checkpoint .*{again.fingerprint()}.*{codec.fingerprint()}"),
    ):
        with pytest.raises(BitstreamError, match=words) as caught:
            codec.decode(file)
        assert one_sentence(caught.value)


def test_qualities_that_a_codec_lacks_are_damage_in_a_file(lively_codec, picture: Tensor, one_sentence) -> None:
    for codec, qualities in ((built("plain"), (1, 50, 255)), (lively_codec(), (0, 101, 255))):
        stream = unpack(codec.encode(picture))
        for quality in qualities:
            facts = (codec.fingerprint(), stream.strings, stream.codec, quality, stream.required)
            with pytest.raises(BitstreamError, match=f"it is of quality {quality}, which this codec lacks") as caught:
                codec.decode(pack(Stream(30, 21, *facts)))
            assert one_sentence(caught.value)


# Checkpoints -------------------------------------------------------------------------------------------------------


@both
def test_a_checkpoint_is_the_codec_again(name: str, picture: Tensor, tmp_path: Path) -> None:
    codec = built(name)
    codec.save(tmp_path / "mine", {"photos": "noise", "codec": "not this", "fingerprint": "nor that"})
    loaded = TransformCodec.load(str(tmp_path / "mine"))
    assert (loaded.name, loaded.settings, loaded.training, loaded.is_built) == (name, {"channels": 6}, False, True)
    assert loaded.fingerprint() == codec.fingerprint()
    assert loaded.encode(picture) == codec.encode(picture)
    with safe_open(tmp_path / "mine", framework="pt") as file:
        facts = file.metadata()
    expected = {"codec": name, "settings": '{"channels": 6}', "fingerprint": codec.fingerprint(), "photos": "noise"}
    assert facts == {**expected, "digest": digest_of(codec.state_dict(), expected)}
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def test_a_better_encoder_is_no_other_decoder(picture: Tensor) -> None:
    codec = built("sliced")
    print_, data = codec.fingerprint(), codec.encode(picture)
    with torch.no_grad():
        codec.analysis.weight.mul_(1.1)
        codec.prior.side.analysis[1].weight.mul_(1.1)
    assert codec.fingerprint() == print_ and codec.encode(picture) != data
    codec.settings = {"channels": 7}
    assert codec.fingerprint() != print_


def test_without_tables_or_a_name_or_finite_weights_nothing_is_saved(tmp_path: Path) -> None:
    fresh, nameless, diverged = codec_registry.create_codec("plain"), built("plain"), built("plain")
    nameless.name = None
    with torch.no_grad():
        diverged.synthesis.weight[0, 0, 0, 0] = float("nan")
    for codec, error, words in (
        (fresh, RuntimeError, r"^there are no coding tables yet: call build_coder\(\) before saving\.$"),
        (nameless, RuntimeError, r"^files name the factory that builds their codec: decorate yours"),
        (diverged, ValueError, r"^synthesis\.weight holds NaN or infinity: the weights have diverged\.$"),
    ):
        with pytest.raises(error, match=words):
            codec.save(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []


def test_no_checkpoint_of_a_learners_codec_comes_with_the_course() -> None:
    with pytest.raises(ValueError, match=r"^no checkpoint of TransformCodec comes with the course; name one\.$"):
        TransformCodec.load()


State = dict[str, Tensor]
Facts = dict[str, str]
TABLES = "prior.holder._extra_state"


def with_nan(state: State) -> None:
    state["synthesis.weight"][0, 0, 0, 0] = float("nan")


def with_infinite_densities(state: State) -> None:
    state["prior.entropy_bottleneck.biases.1"][2] = float("inf")


def without_tables(state: State) -> None:
    state[TABLES] = torch.empty(0, dtype=torch.uint8)


def with_damaged_tables(state: State) -> None:
    state[TABLES][20] ^= 1


def without_a_weight(state: State) -> None:
    del state["synthesis.bias"]


def with_another_shape(state: State) -> None:
    state["synthesis.bias"] = torch.zeros(4)


UNFIT = "cannot be used as a checkpoint: its weights are not those of plain with the settings that it names"


@pytest.mark.parametrize(
    ("spoil", "facts", "words"),
    [
        (with_nan, {}, r"synthesis\.weight holds NaN or infinity: the weights have diverged"),
        (with_infinite_densities, {}, r"biases\.1 holds NaN or infinity: the weights have diverged"),
        (without_tables, {}, r"holds no coding tables; call build_coder\(\) before saving"),
        (with_damaged_tables, {}, "the entropy coder's bytes are damaged"),
        (without_a_weight, {}, UNFIT),
        (with_another_shape, {}, UNFIT),
        (None, {"settings": '{"channels": 5}'}, UNFIT),
        (None, {"settings": '{"channels": -1}'}, "cannot be used as a checkpoint: Trying to create tensor"),
        (None, {"settings": '{"channels": "six"}'}, "cannot be used as a checkpoint: "),
        (None, {"settings": '{"wheels": 4}'}, r"the settings of plain do not fit \(.*'wheels'\); it takes channels"),
        (None, {"settings": "[6]"}, "its settings are no JSON object"),
        (None, {"settings": "{'channels': 6}"}, "its settings are no JSON object"),
        (None, {"settings": None}, "is no checkpoint of a codec: it does not say its settings"),
        (None, {"codec": None}, "is no checkpoint of a codec: it does not say its codec"),
    ],
)
def test_checkpoints_that_cannot_be_used_are_refused_in_one_sentence(
    spoil: Callable[[State], None] | None, facts: dict[str, str | None], words: str, tmp_path: Path, one_sentence
) -> None:
    path = tmp_path / "mine"
    codec = built("plain")
    codec.save(path)
    state = load_file(path)
    if spoil is not None:
        spoil(state)
    said = {"codec": "plain", "settings": '{"channels": 6}', **facts}
    save_file(state, path, {fact: value for fact, value in said.items() if value is not None})
    with pytest.raises(ValueError, match=words) as caught:
        TransformCodec.load(path)
    assert str(caught.value).startswith(f"{path} ") and one_sentence(caught.value)
    assert "Traceback" not in str(caught.value) and "Error" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "^There is no checkpoint at "),
        (b"", "is not a checkpoint"),
        (b"These are no weights.\n", "is not a checkpoint"),
        (b"\x80\x04\x95" + bytes(60), "is not a checkpoint"),
        (b"\x00" * 100, "is not a checkpoint"),
        ("cut", "is not a checkpoint"),
    ],
    ids=["missing", "empty", "text", "pickle", "zeros", "cut short"],
)
def test_files_that_are_no_checkpoints_are_refused_in_one_sentence(
    content: bytes | str | None, words: str, tmp_path: Path, one_sentence
) -> None:
    path = tmp_path / "mine"
    if content == "cut":
        built("plain").save(path)
        content = path.read_bytes()[:-100]
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        TransformCodec.load(path)
    assert str(path) in str(caught.value) and one_sentence(caught.value)
    with pytest.raises(ValueError, match=r"^There is no checkpoint at .*\.$"):
        TransformCodec.load(tmp_path)


def test_a_checkpoint_of_another_class_is_refused(tmp_path: Path, one_sentence) -> None:
    class Special(TransformCodec):
        pass

    built("plain").save(tmp_path / "mine")
    with pytest.raises(ValueError, match=r"it is one of plain, not of Special\.$") as caught:
        Special.load(tmp_path / "mine")
    assert one_sentence(caught.value)
