"""Heavy packages that only running tests need, so that collecting them stays quick."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class LazyModule:
    """Stands for a module, which is imported when something in it is first used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "pytest_mock_example_attribute_that_shouldnt_exist":
            raise AttributeError(name)  # pytest asks every object in a test module what it is
        return getattr(import_module(self._name), name)
