"""The devices of this machine, found without importing torch."""

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
    """Resolve ``auto`` to ``gpu``, ``mps`` or ``cpu``; any other name is returned as it is."""
    if accelerator != "auto":
        return accelerator
    if _cuda_devices() > 0:
        return "gpu"
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return "mps"
    return "cpu"


def resolve_jobs(jobs: int | str, accelerator: str) -> int:
    """Resolve ``auto`` to the number of trials that run at once: one per core, or a single one on a GPU."""
    if isinstance(jobs, int):
        return jobs
    return cpu_count() if resolve_accelerator(accelerator) == "cpu" else 1


def gpu_share(accelerator: str, jobs: int) -> float | None:
    """The fraction of a GPU's memory that each of several jobs may use; ``None``: no limit.

    A tenth is reserved for what every process needs in addition. Only CUDA can limit the memory of a process.
    """
    return 0.9 / jobs if accelerator == "gpu" and jobs > 1 else None


def _cuda_devices() -> int:
    """Number of devices that NVIDIA's driver reports; 0 if torch is a CPU build or there is no driver."""
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
