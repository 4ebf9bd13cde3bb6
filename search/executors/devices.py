"""What this machine trains on, found without importing torch."""

from __future__ import annotations

import ctypes
import os
import platform
import sys


def cpu_count() -> int:
    """Cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_accelerator(accelerator: str) -> str:
    """The device behind ``auto``: ``gpu``, ``mps`` or ``cpu``; any other name stays."""
    if accelerator != "auto":
        return accelerator
    if _cuda_devices() > 0:
        return "gpu"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def resolve_jobs(jobs: int | str, accelerator: str) -> int:
    """How many trials run at once behind ``auto``: one a core, or one alone on a GPU."""
    if isinstance(jobs, int):
        return jobs
    return cpu_count() if resolve_accelerator(accelerator) == "cpu" else 1


def gpu_share(accelerator: str, jobs: int) -> float | None:
    """The part of a GPU's memory that each of several jobs may use; ``None``: there is no limit to keep to.

    A tenth is left for what every process needs there besides.

    Only CUDA keeps the memory of processes apart; on Apple's devices they share it with everything else.
    """
    return 0.9 / jobs if accelerator == "gpu" and jobs > 1 else None


def _cuda_devices() -> int:
    """Devices that NVIDIA's driver offers; 0 where torch is a CPU build or there is no driver."""
    from importlib.metadata import version

    if version("torch").endswith("+cpu"):
        return 0
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
        return 0
    return count.value
