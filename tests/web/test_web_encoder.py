"""The encoder in JavaScript: Python reads its files, to the latents that it chose, and writes none that are smaller.

`make test-web DATA=folder` encodes all photos of a folder at five qualities; without a folder there are two pieces.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from conftest import PATIENCE, WEB
from numpy.typing import NDArray
from PIL import Image
from test_photos import QUALITIES, photos
from test_web_decoder import SMALL, cropped, latents
from torch import Tensor

from tutorial_lib.bitstream import read_header
from tutorial_lib.codec import Codec
from tutorial_lib.evaluation.metrics import psnr
from tutorial_lib.files.images import from_pil, to_pil

MADE = "() => !document.getElementById('told').hidden && document.getElementById('working').hidden"
WRONG = "() => document.querySelector('#status.wrong') && document.getElementById('working').hidden"


class Encoded(NamedTuple):
    """The file, and the latents that its encoder says a decoder will find, int32, of all parts."""

    data: bytes
    latents: NDArray[np.int32]


Encode = Callable[[dict[str, tuple[Tensor, int]]], dict[str, Encoded]]


@pytest.fixture(scope="module")
def encode(node: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Encode:
    """What the encoder in Node makes of pictures, uint8 (3, H, W), and their qualities."""
    folder = tmp_path_factory.mktemp("pictures")

    def encode_files(pictures: dict[str, tuple[Tensor, int]]) -> dict[str, Encoded]:
        entries = []
        for name, (image, quality) in pictures.items():
            height, width = image.shape[1:]
            rgba = np.full((height, width, 4), 255, np.uint8)
            rgba[..., :3] = image.permute(1, 2, 0).numpy()
            (folder / f"{name}.rgba").write_bytes(rgba.tobytes())
            entries.append({"name": name, "width": width, "height": height, "quality": quality})
        (folder / "pictures.json").write_text(json.dumps(entries))
        command = [node, WEB / "encode_files.js", model, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0 and '"error"' not in done.stdout, done.stdout + done.stderr
        files = {name: [folder / f"{name}.{kind}" for kind in ("lic", "latents")] for name in pictures}
        return {name: Encoded(lic.read_bytes(), np.fromfile(y, "<i4")) for name, (lic, y) in files.items()}

    return encode_files


def compare(codec: Codec, pictures: dict[str, tuple[Tensor, int]], encoded: dict[str, Encoded]) -> int:
    """Asserts that Python reads them all, and that they are as large as its own. How many are the same bytes."""
    same = 0
    for name, (image, quality) in pictures.items():
        data, chosen = encoded[name]
        assert np.array_equal(latents(codec, data), chosen), f"{name}: Python reads other latents"
        ours = codec.encode(image, quality, effort=0)
        # Where the machine's float32 powers differ in a last bit, a choice may: an rANS word more, or less, at most.
        assert abs(len(data) - len(ours)) <= max(4, 0.001 * len(ours)), f"{name}: {len(data)} bytes, not {len(ours)}"
        same += data == ours
    return same


def test_small_pictures(codec: Codec, encode: Encode) -> None:
    grey = cropped("coffee", 70, 90)[:1].repeat(3, 1, 1)
    ramp = torch.arange(256, dtype=torch.uint8).repeat(3, 40, 1)
    white = torch.full((3, 31, 64), 255, dtype=torch.uint8)
    images = {name: image for name, (image, *_) in SMALL.items()} | {"grey": grey, "ramp": ramp, "white": white}
    pictures = {f"{name}-{quality}": (image, quality) for name, image in images.items() for quality in (1, 37, 100)}
    same = compare(codec, pictures, encode(pictures))
    print(f"\n{same} of {len(pictures)} files are the same bytes as Python's.")


def test_every_quality(codec: Codec, encode: Encode) -> None:
    image = cropped("astronaut", 45, 67)
    pictures = {f"astronaut-{quality}": (image, quality) for quality in range(1, 101)}
    same = compare(codec, pictures, encode(pictures))
    print(f"\n{same} of {len(pictures)} files are the same bytes as Python's.")


def test_photos(codec: Codec, encode: Encode) -> None:
    same = count = 0
    for name, image in photos().items():
        pictures = {f"{name}-{quality}": (image, quality) for quality in QUALITIES}
        encoded = encode(pictures)
        same += compare(codec, pictures, encoded)
        count += len(pictures)
    print(f"\n{count} files: Python reads them all; {same} are the same bytes as its own.")


# ---- the page


@pytest.fixture
def page(tab, tmp_path: Path) -> Iterator[Any]:
    """The page, on a phone."""
    context = tab.page.context.browser.new_context(viewport={"width": 360, "height": 740}, accept_downloads=True)
    context.set_default_timeout(120_000)
    page = context.new_page()
    page.goto(re.sub("/model/.*", "/page/index.html", tab.page.url))
    page.locator("#status").filter(has_text="no samples").wait_for()  # `make web` makes them
    yield page
    context.close()


def png(image: Image.Image, **options: Any) -> bytes:
    return written(image, "PNG", **options)


def written(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def downloaded(page: Any, name: str) -> bytes:
    """The file, once it has been made and shown."""
    page.wait_for_function(MADE)
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {name}").click()
    assert download.value.suggested_filename == name
    return Path(download.value.path()).read_bytes()


def test_a_dropped_photo_becomes_a_file(
    codec: Codec, encode: Encode, page: Any, drop: Callable, announced: Callable
) -> None:
    image = cropped("coffee", 121, 150)
    said = announced(page)
    quality = page.get_by_label("Quality")
    quality.focus()
    for _ in range(10):
        page.keyboard.press("ArrowLeft")
    assert page.locator("#quality-value").inner_text() == "40"
    drop(page, "a cup.png", data := png(to_pil(image)), "image/png")
    file = downloaded(page, "a cup.lic")

    header = read_header(file)
    assert (header.width, header.height, header.quality) == (150, 121, 40)
    assert file == encode({"cup": (image, 40)})["cup"].data  # Chromium computes what Node computes
    decoded = codec.decode(file)
    heard = said()
    assert heard[0] == "Reading a cup.png."
    assert "Encoding a cup.png at quality 40." in heard and "Decoding a cup.lic." in heard
    assert re.fullmatch(r"a cup\.lic is made, in [\d.]+ seconds, and decoded, in [\d.]+ seconds\.", heard[-1])
    assert len(heard) < 8  # more would be a nuisance
    labels = page.locator("#left-label").inner_text(), page.locator("#right-label").inner_text()
    assert labels[0].startswith(f".lic: {len(file):,} bytes, ")
    assert float(labels[0].split()[-2]) == pytest.approx(psnr(decoded, image), abs=0.06)
    assert labels[1] == f"The original: {len(data):,} bytes"
    assert page.get_by_label("JPEG at equal bytes").is_hidden()
    assert page.locator("#beside img").evaluate("e => [e.naturalWidth, e.naturalHeight]") == [150, 121]
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

    quality.fill("90")
    again = page.get_by_role("button", name="Encode a cup.png again")
    again.focus()
    page.keyboard.press("Enter")
    better = downloaded(page, "a cup.lic")
    assert read_header(better).quality == 90
    assert psnr(codec.decode(better), image) > psnr(decoded, image) + 3


def test_photos_are_upright_and_on_white(codec: Codec, encode: Encode, page: Any, drop: Callable) -> None:
    image = to_pil(cropped("chelsea", 60, 81))
    turned = image.transpose(Image.Transpose.ROTATE_90)  # and EXIF says how it is turned back
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = image.convert("RGBA")
    clear.paste((10, 200, 30, 0), (0, 0, 30, 30))
    on_white = image.copy()
    on_white.paste((255, 255, 255), (0, 0, 30, 30))
    palette = image.quantize(16)
    files = {
        "turned.png": (png(turned, exif=exif), image),  # of WebP files, Chromium does not look at this
        "clear.png": (png(clear), on_white),
        "clear.webp": (written(clear, "WEBP", lossless=True), on_white),
        "palette.png": (png(palette), palette.convert("RGB")),
        "grey.png": (png(image.convert("L")), image.convert("L").convert("RGB")),
    }
    encoded = encode({name: (from_pil(shown), 50) for name, (_, shown) in files.items()})
    for name, (data, _) in files.items():
        drop(page, name, data, f"image/{name.split('.')[1]}")
        stem = name.split(".")[0]
        page.locator("#status").filter(has_text=f"{stem}.lic is made").wait_for()
        assert downloaded(page, f"{stem}.lic") == encoded[name].data, name
    drop(page, "photo.jpeg", data := written(turned, "JPEG", quality=95, exif=exif), "image/jpeg")
    page.locator("#status").filter(has_text="photo.lic is made").wait_for()
    as_pillow_reads_it = from_pil(Image.open(io.BytesIO(data)))
    assert psnr(codec.decode(downloaded(page, "photo.lic")), as_pillow_reads_it) > 28


def test_what_cannot_be_encoded_is_refused_in_a_sentence(page: Any, drop: Callable) -> None:
    drop(page, "text.png", b"This is no picture.", "image/png")
    page.wait_for_function(WRONG)
    sentence = "it is damaged, too large, or of a kind that this browser cannot read; it reads JPEG, PNG and WebP."
    assert page.locator("#status").inner_text() == f"text.png cannot be opened: {sentence}"
    assert page.locator("#download").is_hidden() and page.locator("#again").is_hidden()
    drop(page, "large.png", png(Image.new("1", (4097, 4096))), "image/png")
    page.locator("#status.wrong").filter(has_text="large.png").wait_for()
    sentence = "a picture of 4,097 x 4,096 pixels is too large for a browser: 16,777,216 are the most."
    assert page.locator("#status").inner_text() == f"large.png cannot be encoded here: {sentence}"
    drop(page, "photo.png", png(to_pil(cropped("rocket", 20, 30))), "image/png")  # after that, the page still works
    assert read_header(downloaded(page, "photo.lic")).width == 30


def test_it_can_be_stopped(page: Any, drop: Callable) -> None:
    drop(page, "photo.png", png(to_pil(cropped("coffee", 300, 400))), "image/png")
    page.locator("#again").wait_for()  # the photo has been read, and the codec is being fetched
    page.get_by_role("button", name="Stop").click()
    assert page.locator("#status").inner_text() == "Stopped."
    assert page.evaluate("() => document.activeElement.id") == "choose-photo"
    assert page.locator("#download").is_hidden() and page.locator("#result").is_hidden()
    page.get_by_role("button", name="Encode photo.png again").click()
    assert read_header(downloaded(page, "photo.lic")).width == 400
