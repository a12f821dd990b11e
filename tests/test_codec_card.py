"""The model card is written from what was measured, and from nothing that does not belong to its checkpoint."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tutorial_lib.files.images import to_pil
from tutorial_lib.workbench.photos import photo

PROGRAM = Path(__file__).parents[1] / "benchmarks" / "codec_card.py"
QUALITIES = ("--qualities", "lic=1,60", "--qualities", "jpeg=5,20,50,90")


@pytest.fixture(scope="module")
def card() -> ModuleType:
    spec = importlib.util.spec_from_file_location("codec_card", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lively_codec, capsys) -> Path:
    """A folder with a checkpoint, a photo, and its results."""
    from tutorial_lib.command.main import main

    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    to_pil(photo("coffee")[:, 40:104, 80:144]).save("photos/coffee.png")
    lively_codec().save("c.safetensors", {"steps": "1234", "trained_on": "56 photos"})
    words = ["evaluate", "photos", "--checkpoint", "c.safetensors", "--codecs", "lic", *QUALITIES]
    assert main([*words, "--published", "--json", "k.json"]) == 0
    assert main([*words, "--effort", "0", "--json", "k0.json"]) == 0
    capsys.readouterr()
    return tmp_path


def run(card: ModuleType, monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    required = ["--checkpoint", "c.safetensors", "--licence", "mixed"]
    monkeypatch.setattr(sys, "argv", ["codec_card.py", *required, *words])
    card.main()


def test_a_card(card: ModuleType, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("time.md").write_text("| a table |\n")
    run(
        card,
        monkeypatch,
        "--kodak",
        "k.json",
        "--kodak-search",
        "k0.json",
        "--second",
        "k0.json",
        "--tables",
        "time.md",
        "--core-seconds",
        "7200",
    )
    text, result = Path("c.md").read_text(), json.loads(Path("k.json").read_text())
    assert Path("c.png").read_bytes().startswith(b"\x89PNG") and "](c.png)" in text
    for words in ("2.0 hours", "1,234 steps", "56 photos", "look at their terms", "| a table |", result["checkpoint"]):
        assert words in text
    assert f"`{result['command']}`" in text and "--effort 0" in text  # every number names its command
    for codec in ("lic", "jpeg"):
        percent = card.percent(result["codecs"][codec]["bd_rate"]["mean_curve"]["percent"])
        assert re.search(rf"^\| {codec}.* \| {re.escape(percent)} \|", text, re.M)
    assert "| lic, effort 0 |" in text and "| VTM (H.266), published |" in text
    encoder, decoder, prior, synthesis = map(float, re.findall(r"(\d+\.\d) (?:kMAC|the)", text))
    assert prior == encoder and decoder == pytest.approx(prior + synthesis, abs=0.11)


def test_what_does_not_belong_is_refused(card: ModuleType, here: Path, monkeypatch, capsys) -> None:
    result = json.loads(Path("k.json").read_text())
    for name, change in [
        ("broken off", {"complete": False}),
        ("of the checkpoint 1234", {"checkpoint": "1234"}),
        ("of other photos", {"photos": ["else.png"]}),
        ("the same effort", {}),
    ]:
        Path("other.json").write_text(json.dumps({**result, **change}))
        with pytest.raises(SystemExit):
            run(card, monkeypatch, "--kodak", "k.json", "--kodak-search", "other.json")
        assert name in capsys.readouterr().err and not Path("c.md").exists()
    with pytest.raises(SystemExit):
        run(card, monkeypatch, "--kodak", "c.safetensors")
    assert "is no result of `lic evaluate --json`" in capsys.readouterr().err


def test_values_between_measured_rates(card: ModuleType) -> None:
    mean = [{"bpp": bpp, "psnr": db, "ms_ssim": None} for bpp, db in [(0.1, 20.0), (0.4, 30.0), (1.6, 32.0)]]
    assert card.at_rate(mean, "psnr", 0.2) == pytest.approx(25)  # half way, as logarithms go
    assert card.at_rate(mean, "psnr", 0.4) == pytest.approx(30)
    assert (
        card.at_rate(mean, "psnr", 2) is card.at_rate(mean, "ms_ssim", 0.2) is card.at_rate(mean, "psnr", 0.05) is None
    )
