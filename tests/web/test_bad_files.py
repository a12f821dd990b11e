"""Damaged and forged files: a picture, or one sentence, both Python's; no hang, no memory without end.

A few dozen of them; all of them where LIC_PHOTOS is set, as `make test-web` does it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from bad_files import Answer, answer_of, corpus
from chromium import Decoded, Tab

from tutorial_lib.bitstream import read_header
from tutorial_lib.codec import Codec

COUNT = 1200 if os.environ.get("LIC_PHOTOS") else 48
PATIENCE = 60  # seconds that a file may take
MOST_MEMORY = 2**30  # bytes of Chromium's process that decodes
TOO_LARGE = re.compile(r"a picture of [\d,]+ x [\d,]+ pixels is too large for a browser: 16,777,216 are the most\.")


@pytest.fixture(scope="module")
def answers(codec: Codec, model: Path) -> dict[str, tuple[bytes, Answer]]:
    """Files, and what Python says."""
    files = corpus((model / "self_test.lic").read_bytes(), COUNT)
    return {str(n): (data, answer_of(codec, data)) for n, data in enumerate(files)}


def compare(outcome: Decoded | dict, data: bytes, answer: Answer) -> None:
    """Asserts that the decoder says what Python says."""
    facts = outcome.facts if isinstance(outcome, Decoded) else outcome
    sentence = facts.get("error")
    if sentence is not None and TOO_LARGE.fullmatch(sentence):
        header = read_header(data)
        assert header.width * header.height > 2**24
        return
    assert sentence == answer.sentence, data.hex()
    if isinstance(outcome, Decoded):
        assert answer.pixels is not None
        assert np.abs(outcome.pixels.astype(int) - answer.pixels).max() <= 1, data.hex()


def test_in_node(answers: dict[str, tuple[bytes, Answer]], open_in_node) -> None:
    outcomes = open_in_node({name: data for name, (data, _) in answers.items()})
    assert outcomes.keys() == answers.keys()
    for name, (data, answer) in answers.items():
        outcome = outcomes[name]
        if isinstance(outcome, dict):
            assert outcome["kind"] in ("BitstreamError", "IncompleteFile", "RangeError"), outcome
        compare(outcome, data, answer)


def test_in_chromium(answers: dict[str, tuple[bytes, Answer]], tab: Tab) -> None:
    pictures, sentences = 0, set()
    for data, answer in answers.values():
        outcome = tab.open(data, PATIENCE)
        if isinstance(outcome, dict):
            assert outcome["because"] in ("file", "size"), (outcome, data.hex())
            sentences.add(re.sub(r"\d", "", outcome["error"]))
        else:
            pictures += 1
        compare(outcome, data, answer)
    peak = tab.peak_memory()
    assert peak is None or peak < MOST_MEMORY
    assert pictures >= 3 and len(sentences) >= 8
    memory = "" if peak is None else f"; {peak / 2**20:.0f} MiB of memory at most"
    print(f"\n{len(answers)} bad files in Chromium: {pictures} pictures, {len(sentences)} different sentences{memory}.")
