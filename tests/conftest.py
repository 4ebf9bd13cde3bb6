"""Small data and tiny models that every test shares."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Generator

# One thread a process, before torch or numpy is imported anywhere: workers of the tests share two cores.
for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import pytest

LONGEST = (
    "tests/run/",
    "tests/database/",
    "tests/bundle/",
    "tests/nn/test_kernels.py",
    "tests/cli/",
    "tests/test_specimens.py",
    "tests/study/test_samplers.py",
    "tests/tracking/",
    "tests/training/",
)
"""Where the tests are that take longest."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that two processes end at about the same time."""
    items.sort(key=lambda item: next((n for n, path in enumerate(LONGEST) if item.nodeid.startswith(path)), 99))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are imported, little later, and none among what stays: a tenth of all time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 20, 20)
        gc.enable()


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Keep torch to one thread, where a test has imported it."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    if "lightning.pytorch.trainer" in sys.modules:
        _look_for_callbacks_once()


@functools.cache
def _look_for_callbacks_once() -> None:
    """For each Trainer, Lightning reads what every installed package declares: a tenth of a tiny training."""
    connector = sys.modules["lightning.pytorch.trainer.connectors.callback_connector"]
    connector._load_external_callbacks = functools.cache(connector._load_external_callbacks)


@pytest.fixture
def translated_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse torch's own translation to ONNX, which takes five times as long."""
    import torch

    monkeypatch.delattr(torch.onnx, "export")
