"""How much memory the tensors take that are alive at the same time, for notebook 10.

Counted are results of PyTorch's operations: not weights that were there before, not what a kernel uses within, and not
NumPy's arrays. So the count is the same on every machine, whatever its allocator keeps in reserve.
"""

import weakref
from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_megabytes(function: Callable[..., object], *arguments: object) -> float:
    """The most that was alive at any time while the function ran, in millions of bytes."""
    with _LiveBytes() as live:
        function(*arguments)
    return live.peak / 1e6


class _LiveBytes(TorchDispatchMode):
    """Within `with _LiveBytes() as live:` a new tensor's storage counts until the last tensor on it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self.users = Counter[int]()  # of each storage, how many tensors
        self.now = self.peak = 0  # bytes

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, Tensor):
                storage = tensor.untyped_storage()
                self.now += 0 if self.users[storage._cdata] else storage.nbytes()
                self.users[storage._cdata] += 1
                weakref.finalize(tensor, self._forget, storage._cdata, storage.nbytes())
                self.peak = max(self.peak, self.now)
        return result

    def _forget(self, storage: int, size: int) -> None:
        self.users[storage] -= 1
        self.now -= 0 if self.users[storage] else size
