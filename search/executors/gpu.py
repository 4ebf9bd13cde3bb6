"""Several workers on one GPU: each keeps to its part of the memory."""

from __future__ import annotations


def keep_gpu_share(share: float | None) -> None:
    """Let this process have so much of the GPU's memory and no more; what goes beyond is an error of its trial alone.

    Without it the workers' caches grow until one of them, any of them, finds no memory left.

    Args:
        share: In (0, 1), see :func:`search.executors.devices.gpu_share`; ``None``: no limit.
    """
    if share is None:
        return
    import torch

    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)
