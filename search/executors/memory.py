"""Giving memory back to the system: what is freed is otherwise kept for later, and adds up over many processes."""

from __future__ import annotations

import ctypes
import gc
import sys

_C_LIBRARY = ctypes.CDLL(None) if sys.platform == "linux" else None


def give_back_memory() -> None:
    """Return what is no longer used: that of the C library, and that of Arrow where it was loaded."""
    gc.collect()  # networks and their trainers refer to each other
    trim = getattr(_C_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)
    if (arrow := sys.modules.get("pyarrow")) is not None:
        arrow.default_memory_pool().release_unused()
