"""The wavelet codec by the command: trained, a file there and back, some of its levels, what is said, measured."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_pil
from tutorial_lib.workbench.photos import photo

SETTINGS = ("C=[6,8,8]", "P=[6,8,8]", "P_colour=[4,6,6]", "half=6", "quarter=6", "blocks=1")


@pytest.fixture
def trained(here: Path, lic) -> Path:
    (here / "photos").mkdir()
    for name in ("chelsea", "coffee"):
        to_pil(photo(name)).resize((120, 90)).save(here / f"photos/{name}.png")
    job = ("train", "--codec", "wavelet", "--set", *SETTINGS, "--data", "photos", "--out", "w.safetensors")
    status, said, _ = lic(*job, "--steps", 3, "--crop", 32, "--batch", 2)
    assert status == 0 and said.startswith("w.safetensors: trained for 3 steps on 2 photos\n")
    return here


def test_from_photos_to_files_and_back(trained: Path, lic, one_sentence) -> None:
    checkpoint = ("--checkpoint", "w.safetensors")
    assert lic("encode", "photos/coffee.png", "a.lic", "--quality", 70, *checkpoint)[0] == 0
    _, said, _ = lic("info", "a.lic")
    assert "  codec        wavelet\n" in said and "  slice 3 " in said and "  slice 4 " not in said
    original, dB = from_pil(Image.open("photos/coffee.png")), []
    for slices in (0, 1, 2, 3, None):
        few = () if slices is None else ("--slices", slices)
        assert lic("decode", "a.lic", "a.png", *few, *checkpoint)[0] == 0
        dB.append(psnr(from_pil(Image.open("a.png")), original))
    assert dB == sorted(dB) and dB[3] == dB[4] > 30 > dB[0]
    assert "comes with the course; name one by --checkpoint" in one_sentence("decode", "a.lic", "b.png")
    words = ("evaluate", "photos", "--codecs", "lic,jpeg", "--qualities", "lic=30,70", *checkpoint)
    assert lic(*words, "--json", "a.json")[0] == 0
    assert json.loads(Path("a.json").read_text(encoding="utf-8"))
