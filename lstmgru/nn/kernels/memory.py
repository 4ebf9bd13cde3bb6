"""Memory that a layer uses again in its next training step."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

_Array = npt.NDArray[Any]

# A layer that runs several times before the way back needs as many; what more there is goes back to the system.
_MOST = 2
_KINDS = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}


class Memory:
    """What a way forwards keeps for the way back is as large in each step, and fresh memory is slow at first touch.

    Without gradients nothing is kept, and nothing lent: the room that one step needs is then fresh for each sequence.
    A tensor that was lent comes back when nothing refers to it any longer: autograd's graph, or whoever kept that.
    A copy of a memory, and one that was pickled, is empty.
    """

    def __init__(self) -> None:
        self._free: list[_Array] = []
        self._lock = threading.RLock()  # the garbage collector may give something back while something is lent

    def lend(self, size: int, dtype: torch.dtype) -> Tensor:
        """A tensor of so many numbers, whatever they are."""
        with self._lock:
            fits = [i for i, array in enumerate(self._free) if array.size >= size and array.dtype == _KINDS[dtype]]
            array = self._free.pop(fits[-1]) if fits else torch.empty(size, dtype=dtype, device="cpu").numpy()
        lent = array[:size].view(_Lent)
        lent.owner, lent.whole = self, array
        return torch.from_numpy(lent)

    def take_back(self, array: _Array) -> None:
        """Keep what was lent for the next time, unless there is enough that is larger."""
        with self._lock:
            self._free.append(array)
            self._free.sort(key=len, reverse=True)
            del self._free[_MOST:]

    def clear(self) -> None:
        """Give everything that is not lent back to the system."""
        with self._lock:
            self._free.clear()

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        return Memory, ()


class _Lent(np.ndarray[Any, Any]):
    """The part of an array that is used; the array goes back to its owner at the end of its life."""

    owner: Memory | None = None
    whole: _Array | None = None

    def __del__(self) -> None:
        if self.owner is not None and self.whole is not None:
            self.owner.take_back(self.whole)


def forget(network: nn.Module) -> None:
    """Clear the memory of all layers of a network that is trained no more."""
    for module in network.modules():
        for value in vars(module).values():
            if isinstance(value, Memory):
                value.clear()
