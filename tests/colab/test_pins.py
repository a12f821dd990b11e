"""The weekly run's versions, from a list as Google publishes it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from pins import VERSIONS, names, pins

FROZEN = """absl-py==1.4.0
google-colab @ file:///colabtools/dist/google_colab-1.0.0.tar.gz
numpy==2.1.3
scikit-image==0.25.2
safetensors==0.8.0rc1
torch @ https://download.pytorch.org/whl/cpu/torch-2.11.0%2Bcpu-cp313-cp313-manylinux_2_28_x86_64.whl
torchvision @ https://download.pytorch.org/whl/cu128/torchvision-0.26.0+cu128-cp313-cp313-linux_x86_64.whl
tensorflow==2.20.0+local
typing_extensions==4.15.0
"""


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("numpy", "2.1.3"),
        ("scikit-image", "0.25.2"),
        ("safetensors", "0.8.0rc1"),
        ("torch", "2.11.0"),
        ("torchvision", "0.26.0"),
        ("tensorflow", "2.20.0"),
        ("typing-extensions", "4.15.0"),
    ],
)
def test_a_version_is_found(name: str, version: str) -> None:
    assert pins(FROZEN, [name]) == [f"{name}=={version}"]


def test_they_stand_in_the_order_asked_for() -> None:
    assert pins(FROZEN, ["torch", "numpy"]) == ["torch==2.11.0", "numpy==2.1.3"]


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"no version of numba, tqdm\."):
        pins(FROZEN, ["numpy", "numba", "tqdm"])


def test_the_packages_are_those_of_make_test_colab() -> None:
    listed = names(VERSIONS.read_text(encoding="utf-8"))
    assert {"torch", "numpy", "numba", "ipywidgets", "ipython", "nbclient"} <= set(listed)
    assert all(not line or line.startswith("#") or line[0].isalpha() for line in VERSIONS.read_text().splitlines())
