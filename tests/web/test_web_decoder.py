"""The decoder in JavaScript gives Python's latents, whole number for whole number, and its pixels within one level."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tutorial_lib.bitstream import read_header, unpack
from tutorial_lib.codec import Codec
from tutorial_lib.workbench.photos import photo

WEB = Path(__file__).parents[2] / "web"


def cropped(name: str, height: int, width: int) -> Tensor:
    return photo(name)[:, 40 : 40 + height, 100 : 100 + width].contiguous()


def noise(height: int, width: int) -> Tensor:
    """Black and white: coefficients as large as they come, and escapes."""
    picture = torch.randint(0, 2, (3, height, width), generator=torch.Generator().manual_seed(0))
    return (255 * picture).to(torch.uint8)


# pictures, qualities, and how hard the encoder searches
SMALL = {
    "odd": (cropped("chelsea", 61, 83), 30, 1),
    "odd-best": (cropped("coffee", 83, 61), 100, 0),
    "odd-worst": (cropped("astronaut", 97, 130), 1, 1),
    "pixel": (cropped("chelsea", 1, 1), 50, 0),
    "row": (cropped("chelsea", 1, 70), 50, 0),
    "column": (cropped("chelsea", 33, 1), 50, 1),
    "two": (cropped("rocket", 2, 2), 30, 0),
    "even": (cropped("astronaut", 128, 192), 50, 1),
    "noise": (noise(65, 96), 100, 0),
    "black": (torch.zeros(3, 40, 50, dtype=torch.uint8), 50, 0),
}


def latents(codec: Codec, data: bytes) -> NDArray[np.int32]:
    from export import latents as parts_of

    return np.concatenate([part.ravel() for part in parts_of(codec, data)])


def test_latents_and_pixels_of_small_pictures(codec: Codec, decode_files) -> None:
    files = {name: codec.encode(image, quality, effort) for name, (image, quality, effort) in SMALL.items()}
    said = decode_files(files)
    for name, data in files.items():
        facts, theirs, pixels = said[name]
        assert np.array_equal(theirs, latents(codec, data)), f"{name}: other latents"
        difference = np.abs(pixels.astype(int) - codec.decode(data).numpy())
        assert difference.max() <= 1 and (difference > 0).mean() < 0.05, name
        assert facts["quality"] == unpack(data).quality
        assert sum(section["bytes"] for section in facts["sections"]) == len(data)


@pytest.mark.parametrize("slices", [0, 2, 4, 5])
def test_the_first_slices_of_a_file_that_was_cut_short(codec: Codec, decode_files, slices: int) -> None:
    data = codec.encode(cropped("coffee", 75, 98), 50, 0)
    data = data[: read_header(data).sections[slices].end]
    facts, _, pixels = decode_files({"cut": data}, slices)["cut"]
    assert np.abs(pixels.astype(int) - codec.decode(data, slices).numpy()).max() <= 1
    assert len(facts["sections"]) == slices + 2  # the header, the low-pass, and the slices


def test_bits_of_the_map_are_the_files(codec: Codec, node: str, model: Path, tmp_path: Path) -> None:
    data = codec.encode(cropped("astronaut", 120, 171), 50, 0)
    path = tmp_path / "picture.lic"
    path.write_bytes(data)
    program = f"""
        import {{ readFile }} from "node:fs/promises";
        import {{ loadDecoder }} from "{(WEB / "node_decoder.js").as_uri()}";
        const decoder = await loadDecoder({json.dumps(str(model))});
        const {{ bits }} = await decoder.decode(await readFile({json.dumps(str(path))}));
        console.log(JSON.stringify([bits.width, bits.height, ...bits.values]));
    """
    command = [node, "--input-type=module", "--eval", program]
    width, height, *values = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (width, height) == (22, 15)
    grid = np.array(values).reshape(height, width)
    pixels = np.full((height, width), 64.0)
    pixels[:, -1] *= (171 - 168) / 8
    strings = sum(map(len, unpack(data).strings))
    assert (grid * pixels).sum() == pytest.approx(
        8 * strings, rel=0.02
    )  # less the coder's 8 bytes, and escapes' digits


def test_node_runs_its_own_tests(node: str, model: Path, tmp_path: Path) -> None:
    from web_vectors import everything

    vectors = tmp_path / "vectors.json"
    vectors.write_text(json.dumps(everything()))
    environment = {**os.environ, "LIC_VECTORS": str(vectors), "LIC_MODEL": str(model)}
    files = sorted(map(str, (WEB / "test").glob("*.test.mjs")))
    done = subprocess.run([node, "--test", *files], env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "\n# skipped 0\n" in done.stdout, done.stdout[-5000:]


def test_types(node: str) -> None:
    done = subprocess.run([node, WEB / "node_modules/typescript/bin/tsc", "--project", WEB], capture_output=True)
    assert done.returncode == 0, done.stdout.decode()
