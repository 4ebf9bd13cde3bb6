"""Fit one LSTM/GRU model: data, networks, training, metrics, baselines, model bundles.

The package can be used without the search: it knows neither Optuna nor MLflow nor the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmgru.evaluation.metrics import register_metric
    from lstmgru.specs.cells import register_cell

__all__ = ["register_cell", "register_metric"]

_HOME = {"register_cell": "lstmgru.specs.cells", "register_metric": "lstmgru.evaluation.metrics"}


def __getattr__(name: str) -> Any:
    """Import what a user asks for, and only then."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOME[name]), name)
