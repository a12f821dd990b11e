"""Machine code that Numba keeps on disk between processes, with a checksum, and with no power to stop the work.

Numba's own cache trusts its files: an empty or damaged one, or a disk without room, ends the program with an error of
pickle's in the middle of a photo, and a flipped bit in machine code is run. Here, whatever cannot be read is compiled
again (and then replaced), and what cannot be written is not kept.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

import numba
from numba.core.caching import CompileResultCacheImpl, FunctionCache
from numba.core.runtime import rtsys
from numba.core.serialize import dumps


def compiled(kernel: Callable) -> Callable:
    """The kernel, compiled when it is first called; its machine code is kept if there is a folder to keep it in."""
    dispatcher: Any = numba.njit(kernel)
    if dispatcher is not kernel:  # NUMBA_DISABLE_JIT=1 leaves it as it is
        try:
            dispatcher._cache = CheckedCache(kernel)
        except (RuntimeError, OSError):  # no folder: every process compiles for itself
            pass
    return dispatcher


class CheckedCode(CompileResultCacheImpl):
    """What is written of a compiled kernel: its bytes, and their digest in front."""

    def reduce(self, cres: Any) -> tuple[bytes, bytes]:
        data = dumps(super().reduce(cres))
        return hashlib.sha256(data).digest(), data

    def rebuild(self, target_context: Any, payload: tuple[bytes, bytes]) -> Any:
        digest, data = payload
        if hashlib.sha256(data).digest() != digest:
            raise ValueError("the machine code that was kept is damaged.")
        return super().rebuild(target_context, pickle.loads(data))


class CheckedCache(FunctionCache):
    """Numba's cache, of which nothing is believed: any error in it means that nothing was kept."""

    _impl_class = CheckedCode

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """What was kept, or None. Numba's own begins with `refresh()`, a third of a second in which all that compiling
        may need is imported; machine code that is there needs none of it, and compiling calls it itself."""
        try:
            rtsys.initialize(target_context)
            return self._load_overload(sig, target_context)
        except Exception:  # a damaged pickle may raise anything
            self._quietly(self.flush)  # an empty index, so that what is compiled now can be kept
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        self._quietly(lambda: super(CheckedCache, self).save_overload(sig, data))

    @staticmethod
    def _quietly(step: Callable[[], None]) -> None:
        try:
            step()
        except Exception:  # no room, no permission
            pass
