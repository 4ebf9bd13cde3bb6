"""The devices of this machine, found without importing torch."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

GPU_VARIABLE = "CUDA_VISIBLE_DEVICES"
"""The environment variable of the GPUs that a process sees."""


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
    """Resolve ``auto`` to the number of trials that run at once: one per core, or one per GPU."""
    if isinstance(jobs, int):
        return jobs
    return cpu_count() if resolve_accelerator(accelerator) == "cpu" else max(1, _cuda_devices())


def visible_gpus() -> tuple[str, ...]:
    """The GPUs of this machine that this process may use, by the names that :data:`GPU_VARIABLE` takes."""
    count = _cuda_devices()
    chosen = os.environ.get(GPU_VARIABLE)
    names = map(str, range(count)) if chosen is None else chosen.split(",")
    return tuple(name.strip() for name in names)[:count]  # CUDA ignores what follows a name that it does not know


def gpu_share(accelerator: str, jobs: int, gpus: int = 1) -> float | None:
    """The fraction of a GPU's memory that each of several jobs may use; ``None``: no limit.

    A tenth is reserved for what every process needs in addition. Only CUDA can limit the memory of a process.

    Args:
        accelerator: What the jobs train on.
        jobs: How many run at once.
        gpus: Over how many GPUs they are distributed.
    """
    most = -(-jobs // max(1, gpus))
    return 0.9 / most if accelerator == "gpu" and most > 1 else None


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
