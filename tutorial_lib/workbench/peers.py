"""CompressAI for the comparisons: live where it can be installed, elsewhere by the answers that it gave once.

A comparison asks by `answers`. Where CompressAI is there, it answers, and must say what is stored; where it is not, the
stored answers are compared with: on Python 3.13, on Colab, on other machines, "equal to CompressAI" is shown, too.
`make notebooks` stores them anew (STORE), in notebooks/compressai.safetensors.
"""

import importlib
import os
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from types import ModuleType

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from tutorial_lib.files.atomic_write import atomic_write
from tutorial_lib.workbench.lesson_files import lesson_file

FILE = "compressai.safetensors"
STORE = "TUTORIAL_LIB_STORE_ANSWERS"  # an environment variable: answers are written, not compared

Answers = Mapping[str, Tensor | bytes]


def compressai() -> ModuleType | None:
    """CompressAI with its entropy models and coder imported, or None after a sentence that says how to get it."""
    package = _imported()
    if isinstance(package, ImportError):
        print(
            f"CompressAI cannot be imported here ({package}), so this comparison is skipped. Where it has wheels "
            "(Linux on x86-64, Python up to 3.12), `pip install --no-deps compressai` keeps the NumPy that you have."
        )
        return None
    return package


def answers(name: str, ask: Callable[[ModuleType], Answers]) -> Answers:
    """ask(compressai) where it is installed, else what that gave when it was stored: tensors and bytes by name.

    Raises AssertionError where CompressAI says something else than what is stored (floats: by over 10⁻⁴ of the
    largest), LookupError where nothing is stored under that name.
    """
    package, stored = _imported(), _stored(name)
    if isinstance(package, ImportError):
        if not stored:
            raise LookupError(f"no answers of CompressAI are stored as {name!r}.")
        print(f"(CompressAI is not here: these are its stored answers, of version {_stored_version()}.)")
        return stored
    live = ask(package)
    if os.environ.get(STORE):
        _store(name, live)
    else:
        assert live.keys() == stored.keys(), f"{name}: other answers are stored; `make notebooks` stores them anew"
        for key, value in live.items():
            assert _same(value, stored[key]), f"{name}: CompressAI's {key} is not what is stored"
    return live


def _imported() -> ModuleType | ImportError:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports use what torch has deprecated
            package = importlib.import_module("compressai")
            for part in ("ans", "entropy_models"):
                importlib.import_module(f"compressai.{part}")
    except ImportError as error:
        return error
    return package


def _same(a: Tensor | bytes, b: Tensor | bytes) -> bool:
    if isinstance(a, bytes) or isinstance(b, bytes):
        return a == b
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if not a.is_floating_point() or not a.numel():
        return torch.equal(a, b)
    return torch.allclose(a, b, rtol=1e-4, atol=1e-4 * float(b.abs().max()))


# ---- the file: tensors, named "comparison/answer"; bytes as "comparison/answer/bytes"


def _stored(name: str) -> dict[str, Tensor | bytes]:
    path = lesson_file(FILE)
    if not path.exists():
        return {}
    found: dict[str, Tensor | bytes] = {}
    with safe_open(path, framework="pt") as file:
        for key in file.keys():
            if key.startswith(f"{name}/"):
                value = file.get_tensor(key)
                short = key.removeprefix(f"{name}/")
                if short.endswith("/bytes"):
                    found[short.removesuffix("/bytes")] = bytes(value.tolist())
                else:
                    found[short] = value
    return found


def _stored_version() -> str:
    with safe_open(lesson_file(FILE), framework="pt") as file:
        return (file.metadata() or {}).get("compressai", "unknown")


def _store(name: str, live: Answers) -> None:
    path = lesson_file("glossary.md").with_name(FILE)
    kept: dict[str, Tensor] = {}
    if path.exists():
        with safe_open(path, framework="pt") as file:
            kept = {key: file.get_tensor(key) for key in file.keys() if not key.startswith(f"{name}/")}
    for key, value in live.items():
        if isinstance(value, bytes):
            kept[f"{name}/{key}/bytes"] = torch.tensor(list(value), dtype=torch.uint8)
        else:
            kept[f"{name}/{key}"] = value.detach().contiguous().clone()
    atomic_write(path, save(dict(sorted(kept.items())), {"compressai": version("compressai")}))
