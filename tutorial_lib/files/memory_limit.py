"""A limit to the memory that building a network sets aside: what a small file claims must not cost more than it holds.

Settings in a file are numbers, and a wrong one asks for gigabytes before any weight of the file is looked at. Inside
`with MemoryLimit(…)` sizes are added up before PyTorch gets them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

ALWAYS, ALWAYS_TENSORS = 32 << 20, 2048  # bytes, and tensors, that everybody may set aside
TIMES = 3  # … and these times what the file holds: weights are made, then filled, with a few numbers beside them

_BY_SIZE = (torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn)


class TooLarge(ValueError):
    """More memory was asked for than the file can need."""


class MemoryLimit(TorchFunctionMode):
    """Raise TooLarge before more is made than a file needs that holds tensors of so many bytes each.

    >>> with MemoryLimit([4 * 30]):
    ...     torch.nn.Linear(10**6, 10**6)
    Traceback (most recent call last):
    tutorial_lib.files.memory_limit.TooLarge: its settings ask for more than its weights
    """

    def __init__(self, sizes: Iterable[int]) -> None:
        super().__init__()
        sizes = list(sizes)
        self.left, self.tensors_left = ALWAYS + TIMES * sum(sizes), ALWAYS_TENSORS + TIMES * len(sizes)

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        count = _count(func, args, kwargs)
        if count is not None:
            dtype = kwargs.get("dtype") or torch.get_default_dtype()
            self.left -= count * dtype.itemsize
            self.tensors_left -= 1
            if min(self.left, self.tensors_left) < 0:
                raise TooLarge("its settings ask for more than its weights")
        return func(*args, **kwargs)


def _count(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """How many numbers this makes; None if it makes none, or if PyTorch will refuse it."""
    try:
        if func in _BY_SIZE or func is torch.full:
            size = kwargs["size"] if "size" in kwargs else args[:1] if func is torch.full else args
            size = size[0] if len(size) == 1 and not isinstance(size[0], int) else size
            return math.prod(int(side) for side in size)
        if func is torch.eye:
            return math.prod(int(side) for side in (args * 2)[:2])
        if func is torch.arange:
            first, last, step = (0, *args, 1) if len(args) == 1 else (*args, 1)[:3]
            return math.ceil(abs((last - first) / step))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        pass
    return None
