"""`lic` with a small full codec: how long it searches, what it aims at, and small pictures from a file's beginning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from PIL import Image

from tutorial_lib.bitstream import read_header, unpack
from tutorial_lib.codec import Codec
from tutorial_lib.encoder_search import DEFAULT_EFFORT
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_float, to_pil
from tutorial_lib.workbench.photos import photo

CHECKPOINT = ("--checkpoint", "small.safetensors")


@pytest.fixture
def codec(here: Path) -> Codec:
    """Untrained: a wavelet and a quantizer. Its checkpoint and a photo are here."""
    torch.manual_seed(0)
    made = Codec(C=[6, 8, 8], P=[5, 7, 8], P_colour=[4, 6, 6], half=8, quarter=8, blocks=1).eval()
    made.start_at(to_float(photo("coffee")[:, :64, :64]))
    made.build_coder()
    made.save("small.safetensors")
    to_pil(photo("chelsea")).resize((43, 30)).save("photo.png")
    return made


def test_efforts(lic, refused, codec: Codec) -> None:
    image = from_pil(Image.open("photo.png"))
    job = ("encode", "photo.png", "photo.lic", *CHECKPOINT, "--quality", 60)
    for effort, words in ((DEFAULT_EFFORT, ()), (0, ("--effort", 0)), (3, ("--effort", 3))):
        assert lic(*job, *words)[::2] == (0, "")
        assert Path("photo.lic").read_bytes() == codec.encode(image, 60, effort)
    sentence = refused("encode", "photo.png", "new.lic", *CHECKPOINT, "--effort", 10)
    assert sentence == "--effort: an effort is a whole number from 0 to 9, not 10."


def test_targets(lic, codec: Codec) -> None:
    image, job = from_pil(Image.open("photo.png")), ("encode", "photo.png", "photo.lic", *CHECKPOINT, "--effort", 1)
    assert lic(*job, "--quality", 55)[0] == 0
    size = Path("photo.lic").stat().st_size
    status, said, _ = lic(*job, "--target-bytes", size)
    data = Path("photo.lic").read_bytes()
    assert status == 0 and len(data) <= size and unpack(data).quality >= 55
    assert said.endswith(f"bits per pixel, quality {unpack(data).quality}\n")
    status, said, _ = lic(*job, "--target-psnr", 33)
    data = Path("photo.lic").read_bytes()
    reached = psnr(codec.decode(data), image)
    assert status == 0 and reached >= 33
    assert re.search(rf"quality {unpack(data).quality}, {reached:.2f} dB\n$", said)


def test_a_thumbnail_takes_only_the_first_bytes(lic, refused, codec: Codec) -> None:
    assert lic("encode", "photo.png", "photo.lic", *CHECKPOINT, "--quality", 70, "--effort", 0)[0] == 0
    data = Path("photo.lic").read_bytes()
    sections = read_header(data).sections
    for smaller, size in ((1, (22, 15)), (2, (11, 8)), (3, (6, 4))):
        Path("cut.lic").write_bytes(data[: sections[3 - smaller].end])
        words = ("--scale", f"1/{2**smaller}", *CHECKPOINT)
        for name in ("photo.lic", "cut.lic"):
            said = f"small.png: {size[0]} x {size[1]}, 1/{2**smaller} of 43 x 30\n"
            assert lic("decode", name, "small.png", *words) == (0, said, "")
            assert torch.equal(from_pil(Image.open("small.png")), codec.decode(data, smaller=smaller))
        Path("cut.lic").write_bytes(data[: sections[3 - smaller].end - 1])
        assert "was cut short" in refused("decode", "cut.lic", "new.png", *words)
    sentence = refused("decode", "photo.lic", "new.png", "--scale", "1/16", *CHECKPOINT)
    assert sentence == "'photo.lic' was made by codec and has 3 slice(s), too few for that --scale; leave --scale out."


def test_smaller_pictures_that_there_are_not(codec: Codec) -> None:
    data = codec.encode(from_pil(Image.open("photo.png")), 50, effort=0)
    for smaller in (-1, 4):
        with pytest.raises(ValueError, match=rf"^a picture can be halved 0 to 3 times, not {smaller}\.$"):
            codec.decode(data, smaller=smaller)
