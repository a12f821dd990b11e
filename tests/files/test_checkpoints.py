"""files.checkpoints, and codecs out of them: what is damaged is refused, and what is hostile costs next to nothing."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tutorial_lib.cdf import CdfTables, sealed
from tutorial_lib.entropy_coder import EntropyCoder
from tutorial_lib.files.checkpoints import (
    describe_checkpoint,
    digest_of,
    dtype_in_files,
    metadata_of,
    read_checkpoint,
    shipped,
    write_checkpoint,
)
from tutorial_lib.first_codec import FirstCodec
from tutorial_lib.transform_codec import TransformCodec

TABLES = "prior.holder._extra_state"
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small codec's checkpoint."""
    torch.manual_seed(1)
    codec = FirstCodec(hidden=2).eval()
    codec.build_coder()
    path = tmp_path_factory.mktemp("saved") / "small.safetensors"
    codec.save(path, {"photos": "none"})
    return path


def refused(path: Path, words: str, one_sentence: Callable[[BaseException], bool]) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        TransformCodec.load(path)
    assert str(caught.value).startswith(str(path)) and one_sentence(caught.value)


def data_begins(content: bytes) -> int:
    return 8 + int.from_bytes(content[:8], "little")


# Damaged -----------------------------------------------------------------------------------------------------------


def test_each_of_24_flipped_bits_is_refused(saved: Path, tmp_path: Path, one_sentence) -> None:
    content, path = saved.read_bytes(), tmp_path / "flipped"
    rng = random.Random(24)
    for _ in range(24):
        flipped = bytearray(content)
        flipped[rng.randrange(data_begins(content), len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(flipped)
        refused(path, r" is damaged: its weights are not those that were saved\.$", one_sentence)
    path.write_bytes(content)
    assert TransformCodec.load(path).fingerprint() == metadata_of(saved)["fingerprint"]


def test_the_digest_is_of_all_weights_and_their_names_and_of_the_codecs_name_and_settings() -> None:
    state = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.zeros(3)}
    facts = {"codec": "mine", "settings": "{}", "photos": "none"}
    digest = digest_of(state, facts)
    assert len(digest) == 64 and digest == digest_of(dict(reversed(state.items())), {**facts, "photos": "a cat"})
    others = [
        ({"a": state["a"]}, facts),
        ({"a": state["a"], "c": state["b"]}, facts),
        ({**state, "a": state["a"].reshape(3, 2)}, facts),
        ({**state, "b": torch.zeros(3, dtype=torch.int32)}, facts),
        ({**state, "b": torch.tensor([0.0, -0.0, 0.0])}, facts),
        (state, {**facts, "codec": "yours"}),
        (state, {**facts, "settings": "{ }"}),
        (state, {}),
    ]
    assert len({digest, *(digest_of(*other) for other in others)}) == 1 + len(others)


def test_every_checkpoint_that_ships_has_its_digest() -> None:
    paths = sorted(shipped("codec.safetensors").parent.glob("*.safetensors"))
    assert len(paths) >= 15
    for path in paths:
        metadata, state = read_checkpoint(path)
        assert metadata["digest"] == digest_of(state, metadata), path.name


def test_a_fingerprint_that_is_not_the_codecs_is_refused(saved: Path, tmp_path: Path, one_sentence) -> None:
    metadata, state = read_checkpoint(saved)
    write_checkpoint(tmp_path / "other", state, {**metadata, "fingerprint": "0123456789abcdef"})
    refused(tmp_path / "other", "is damaged, or of another version: its fingerprint is not that of", one_sentence)
    write_checkpoint(tmp_path / "other", state, {entry: metadata[entry] for entry in ("codec", "settings")})
    assert TransformCodec.load(tmp_path / "other").fingerprint() == metadata["fingerprint"]


def test_what_a_header_says_is_what_the_tensors_are(tmp_path: Path) -> None:
    kinds = (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int64, torch.bool, torch.complex64)
    state = {str(kind): torch.zeros(2, number, dtype=kind) for number, kind in enumerate(kinds)}
    write_checkpoint(tmp_path / "kinds", {**state, "one": torch.tensor(1.0)}, {"é": "ü\n"})
    metadata, described = describe_checkpoint(tmp_path / "kinds")
    again, loaded = read_checkpoint(tmp_path / "kinds")
    assert metadata == again and metadata["é"] == "ü\n" and loaded.keys() == described.keys()
    for name, value in loaded.items():
        assert described[name] == (dtype_in_files(value.dtype), tuple(value.shape), value.nbytes)
    assert described["torch.bfloat16"].dtype == "BF16" and described["torch.bool"].dtype == "BOOL"


def test_weights_of_another_type_are_refused(saved: Path, tmp_path: Path, one_sentence) -> None:
    metadata, state = read_checkpoint(saved)
    for kind in (torch.int32, torch.float16):
        write_checkpoint(tmp_path / "other", {**state, "synthesis.step": state["synthesis.step"].to(kind)}, metadata)
        refused(tmp_path / "other", "its weights are not those of first_codec with the settings", one_sentence)


SAVING = """
import sys, torch
from pathlib import Path
from tutorial_lib.first_codec import FirstCodec
torch.manual_seed(1)
codec = FirstCodec(hidden=2)
codec.build_coder()
codec.save(sys.argv[1], {word: word for word in "photos minutes steps batch seed preset".split()})
"""


def test_two_processes_write_equal_files(tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run([sys.executable, "-c", SAVING, str(tmp_path / name)], check=True)
    content = (tmp_path / "one").read_bytes()
    assert (tmp_path / "two").read_bytes() == content
    assert data_begins(content) % 8 == 0 and len(load_file(tmp_path / "one")) > 30


# Hostile -----------------------------------------------------------------------------------------------------------

HUGE = [
    ("codec", {"C": [1024] * 16, "P": [1024] * 16, "P_colour": [1024] * 16, "half": 1024, "blocks": 16}),
    ("codec", {"C": [1] * 16, "P": [1] * 16, "P_colour": [1] * 16, "quarter": 1024, "blocks": 16}),
    ("first_codec", {"hidden": 10**8}),
    ("first_codec", {"hidden": 10**30}),
    ("bmshj2018-hyperprior", {"N": 10**4}),
    ("mbt2018-mean", {"N": 1, "M": 10**7}),
    ("mbt2018", {"N": 10**6}),
    ("mbt2018", {"N": 10**6, "M": 10**6}),
    ("mbt2018", {}),
]
LOADING = """
import resource, sys, time
from pathlib import Path
from tutorial_lib import codec, context, first_codec, hyperprior
from tutorial_lib.transform_codec import TransformCodec

for path in sorted(Path(sys.argv[1]).iterdir()):
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    try:
        TransformCodec.load(path)
        said = "nothing"
    except ValueError as error:
        said = str(error)
    seconds = time.process_time() - begin
    mebibytes = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(path.name, round(seconds, 3), round(mebibytes), said, sep="|")
"""


def test_small_files_that_claim_much_are_refused_at_little_cost(tmp_path: Path) -> None:
    for number, (codec, settings) in enumerate(HUGE):
        facts = {"codec": codec, "settings": json.dumps(settings)}
        write_checkpoint(tmp_path / f"{number:02}", {"analysis.0.weight": torch.zeros(1)}, facts)
        assert (tmp_path / f"{number:02}").stat().st_size < 3000
    facts = {"codec": "mbt2018", "settings": json.dumps({"N": 1024, "M": 1024})}  # and 5,000 empty tensors
    empty = {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(5000)}
    header = json.dumps({"__metadata__": facts, **empty}).encode()
    (tmp_path / "names").write_bytes(struct.pack("<Q", len(header)) + header)
    command = [sys.executable, "-c", LOADING, str(tmp_path)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    assert len(lines) == len(HUGE) + 1
    for line, (codec, _) in zip(lines, [*HUGE, ("mbt2018", {})], strict=True):
        _, seconds, mebibytes, said = line.split("|")
        assert float(seconds) < 1 and int(mebibytes) <= 64, line
        assert said.endswith(f"its weights are not those of {codec} with the settings that it names."), line


def test_a_header_longer_than_any_codecs_is_refused_unread(tmp_path: Path, one_sentence, monkeypatch) -> None:
    empty = {f"t{n}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for n in range(50_000)}
    header = json.dumps({"__metadata__": {"codec": "first_codec", "settings": "{}"}, **empty}).encode()
    (tmp_path / "long").write_bytes(struct.pack("<Q", len(header)) + header)
    monkeypatch.setattr("tutorial_lib.files.checkpoints.safe_open", None)  # which would take seconds
    refused(tmp_path / "long", "is not a checkpoint", one_sentence)


def test_a_long_name_of_a_codec_is_not_said_in_full(tmp_path: Path, one_sentence) -> None:
    write_checkpoint(tmp_path / "long", {"a": torch.zeros(1)}, {"codec": "x" * 100_000, "settings": "{}"})
    with pytest.raises(ValueError, match="no codec is called 'xxx") as caught:
        TransformCodec.load(tmp_path / "long")
    assert one_sentence(caught.value) and len(str(caught.value)) < 1000


def with_tables(length: list[int], precision: int = 16) -> Tensor:
    """A serialised coder with rows of these lengths, and no medians; sound but for its size."""
    rows = [[*range(n - 1), 1 << precision] for n in length]
    numbers = [len(length), *length, *(0 for _ in length), *(entry for row in rows for entry in row)]
    body = struct.pack("<I", 0) + sealed(b"CDF1", struct.pack(f"<{len(numbers)}i", *numbers))
    return torch.frombuffer(bytearray(sealed(b"ENC1", body)), dtype=torch.uint8)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        (with_tables([2]), "there are 1 coding tables, while the model has 384"),
        (with_tables([2] * 385), "there are 385 coding tables, while the model has 384"),
        (with_tables([60_000] + [2] * 999), "1,000 coding tables, the longest row of 60,000 entries, are too large"),
        (with_tables([2] * 18_000), "18,000 coding tables, the longest row of 2 entries, are too large"),
        (with_tables([2] * 384, precision=10), "precision is 10 bits; the coder needs 16"),
        (torch.zeros(0, dtype=torch.uint8), r"holds no coding tables; call build_coder\(\)"),
        (torch.zeros(9), "these are no entropy coder's bytes"),
        (torch.zeros(9, dtype=torch.bfloat16), "cannot be used as a checkpoint: "),
    ],
    ids=["one", "one too many", "a long one", "very many", "imprecise", "none", "floats", "half floats"],
)
def test_tables_that_no_coder_can_use_are_refused_at_little_cost(
    tables: Tensor, words: str, saved: Path, tmp_path: Path, one_sentence
) -> None:
    metadata, state = read_checkpoint(saved)
    write_checkpoint(tmp_path / "tables", {**state, TABLES: tables}, metadata)
    tracemalloc.start()
    try:
        refused(tmp_path / "tables", words, one_sentence)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_the_largest_tables_cost_no_more_than_64_mebibytes() -> None:
    tables = with_tables([4098] + [2] * 1278)
    tracemalloc.start()
    try:
        coder = EntropyCoder.from_tensor(tables)
        assert coder.tables.cdf.shape == (1279, 4098)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
        assert CdfTables.from_bytes(coder.tables.to_bytes()) == coder.tables
    finally:
        tracemalloc.stop()


def test_memory_that_there_is_not_is_the_checkpoints_fault(
    saved: Path, monkeypatch: pytest.MonkeyPatch, one_sentence
) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError("Unable to allocate 9.8 GiB for an array")

    monkeypatch.setattr(CdfTables, "__post_init__", none_left)
    refused(saved, "cannot be used as a checkpoint: it asks for more memory than there is", one_sentence)


def forged(rng: random.Random, state: State, metadata: dict[str, str], path: Path) -> None:
    """A file with damage in what it says and in its tables, and the digest of that."""
    state, metadata = dict(state), {entry: said for entry, said in metadata.items() if entry != "fingerprint"}
    if rng.random() < 0.5:
        entry = rng.choice(["codec", "settings"])
        said = [*metadata[entry]]
        said[rng.randrange(len(said))] = rng.choice(['"', "9", "e", "{", "[", ".", " ", "-", "\n", "ü", ","])
        metadata[entry] = "".join(said)
    else:
        coder = bytearray(state[TABLES].numpy().tobytes()[:-4])
        for _ in range(rng.randint(1, 3)):
            coder[rng.choice([rng.randrange(20), rng.randrange(len(coder))])] = rng.randrange(256)
        tables = sealed(b"CDF1", bytes(coder[12 + 4 * 384 : -4]))
        body = bytes(coder[4 : 8 + 4 * 384]) + tables
        state[TABLES] = torch.frombuffer(bytearray(sealed(bytes(coder[:4]), body)), dtype=torch.uint8)
    write_checkpoint(path, state, metadata)


def test_whatever_is_in_a_file_a_codec_or_one_sentence_comes_of_it(saved: Path, tmp_path: Path, one_sentence) -> None:
    rng = random.Random(5)
    content, path = saved.read_bytes(), tmp_path / "any"
    metadata, state = read_checkpoint(saved)
    began = data_begins(content)
    refusals = 0
    for number in range(300):
        if number % 3:
            damaged = bytearray(content)
            for _ in range(rng.randint(1, 3)):
                place = rng.randrange(rng.choice([8, began, began]))
                damaged[place] = rng.choice([damaged[place] ^ 1 << rng.randrange(8), rng.randrange(256), 0x39])
            path.write_bytes(damaged[: rng.choice([len(damaged), len(damaged), rng.randrange(len(damaged))])])
        else:
            forged(rng, state, metadata, path)
        try:
            TransformCodec.load(path)
        except ValueError as error:
            refusals += 1
            assert one_sentence(error) and str(path) in str(error), error
    assert 200 < refusals < 300  # both ways were tried
