"""Memory that a layer reuses in its next training step."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

_Array = npt.NDArray[Any]

# A layer that runs several times before the backward pass needs several arrays; more are released to the system.
_MOST = 2
_KINDS = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class Memory:
    """A pool of arrays for what the forward pass saves for the backward pass.

    The arrays have the same size in every training step, and new memory is slow on first access. Without gradients,
    nothing is saved and the pool is not used. A lent array returns to the pool when its tensor is garbage collected.
    Copies and unpickled pools are empty.
    """

    def __init__(self) -> None:
        self._free: list[_Array] = []
        self._lock = threading.RLock()  # the garbage collector may return an array during a call of lend

    def lend(self, size: int, dtype: torch.dtype) -> Tensor:
        """An uninitialized tensor of ``size`` numbers."""
        with self._lock:
            fits = [i for i, array in enumerate(self._free) if array.size >= size and array.dtype == _KINDS[dtype]]
            array = self._free.pop(fits[-1]) if fits else torch.empty(size, dtype=dtype, device="cpu").numpy()
        lent = array[:size].view(_Lent)
        lent.owner, lent.whole = self, array
        return torch.from_numpy(lent)

    def take_back(self, array: _Array) -> None:
        """Return a lent array to the pool; only the largest arrays are kept."""
        with self._lock:
            self._free.append(array)
            self._free.sort(key=len, reverse=True)
            del self._free[_MOST:]

    def clear(self) -> None:
        """Release all arrays that are not lent."""
        with self._lock:
            self._free.clear()

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        return Memory, ()


class _Lent(np.ndarray[Any, Any]):
    """The used part of an array; when deleted, it returns the array to its owner."""

    owner: Memory | None = None
    whole: _Array | None = None

    def __del__(self) -> None:
        if self.owner is not None and self.whole is not None:
            self.owner.take_back(self.whole)


def forget(network: nn.Module) -> None:
    """Clear the memory of all layers of a network after its training."""
    for module in network.modules():
        for value in vars(module).values():
            if isinstance(value, Memory):
                value.clear()
