"""CompressAI for the comparisons, where it can be installed."""

import importlib
import warnings
from types import ModuleType


def compressai() -> ModuleType | None:
    """CompressAI with its entropy models and coder imported, or None after a sentence that says how to get it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its own imports use what torch has deprecated
            package = importlib.import_module("compressai")
            for part in ("ans", "entropy_models"):
                importlib.import_module(f"compressai.{part}")
    except ImportError as error:
        print(
            f"CompressAI cannot be imported here ({error}), so this comparison is skipped. Where it has wheels "
            "(Linux on x86-64, Python up to 3.12), `pip install --no-deps compressai` keeps the NumPy that you have."
        )
        return None
    return package
