"""The same files in headless Chromium: WebAssembly computes there what it computes in Node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_web_decoder import cropped, latents

from tutorial_lib.codec import Codec


@pytest.fixture(scope="module")
def folder(node: str, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make web` puts together, without the page's samples."""
    from assemble import gather

    folder = tmp_path_factory.mktemp("web")
    gather(folder)
    (folder / "model").symlink_to(model)
    return folder


def test_latents_pixels_and_sentences(codec: Codec, folder: Path) -> None:
    pytest.importorskip("playwright.sync_api", reason="the extra `site` has it")
    from chromium import opened

    files = [codec.encode(cropped("chelsea", 61, 83), 30, effort=1), codec.encode(cropped("coffee", 160, 120), 100, 0)]
    try:
        with opened(folder) as tab:
            decoded = [tab.decode(data) for data in files]
            with pytest.raises(ValueError, match="checksum of slice 5 is wrong"):
                tab.decode(files[0][:-1] + bytes([files[0][-1] ^ 1]))
    except LookupError as error:
        pytest.skip(str(error))
    for data, said in zip(files, decoded, strict=True):
        assert np.array_equal(said.latents, latents(codec, data))
        assert np.abs(said.pixels.astype(int) - codec.decode(data).numpy()).max() <= 1
