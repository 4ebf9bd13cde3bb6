"""Small data and tiny models that every test shares."""

from __future__ import annotations

import os

# One thread a process, before torch or numpy is imported anywhere: workers of the tests share two cores.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import pytest


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Keep torch to one thread, where a test has imported it."""
    import sys

    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
