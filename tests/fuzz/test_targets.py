"""The fuzzer's targets on their seeds, and on a few hundred damaged ones: the same in every run, without atheris."""

import random

import pytest
import targets

TRIES = {"container": 3000, "tables": 1500, "rans": 2000, "picture": 60, "checkpoint": 200}


@pytest.mark.parametrize("target", targets.TARGETS)
def test_damaged_seeds(target: str) -> None:
    rng, seeds = random.Random(target), targets.seeds(target)
    for seed in seeds:
        targets.TARGETS[target](seed)
    for _ in range(TRIES[target]):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data) + 1)
            new = rng.choice([b"", bytes([rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])]), data[:4]])
            data[at : at + rng.choice([0, 1, 1, 1, 4])] = new
        targets.TARGETS[target](bytes(data))


def test_seeds_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else nothing behind the first checks would be tried."""

    def refused(error: ValueError) -> None:
        raise error

    monkeypatch.setattr(targets, "assert_sentence", refused)
    for target in ("container", "tables", "rans", "picture"):
        for seed in targets.seeds(target):
            targets.TARGETS[target](seed)
    targets.checkpoint(targets.seeds("checkpoint")[0])
