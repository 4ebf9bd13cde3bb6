"""Trained models as directories: save, load, predict, export to ONNX, and describe in a model card.

A bundle is data, never code: weights in safetensors, everything else in JSON.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lstmgru.bundle.base import Bundle
    from lstmgru.bundle.engines import open_model
    from lstmgru.bundle.forecasting.bundle import ForecastBundle
    from lstmgru.bundle.forecasting.members import ForecastBaselineMember, ForecastNetworkMember
    from lstmgru.bundle.forecasting.tables import example_frame
    from lstmgru.bundle.load import load_bundle
    from lstmgru.bundle.members import Member
    from lstmgru.bundle.save import SavedBundle, save_bundle
    from lstmgru.bundle.sequences.bundle import SequenceBundle
    from lstmgru.bundle.sequences.members import SequenceBaselineMember, SequenceNetworkMember
    from lstmgru.bundle.sequences.tables import example_sequences

__all__ = [
    "Bundle",
    "ForecastBaselineMember",
    "ForecastBundle",
    "ForecastNetworkMember",
    "Member",
    "SavedBundle",
    "SequenceBaselineMember",
    "SequenceBundle",
    "SequenceNetworkMember",
    "example_frame",
    "example_sequences",
    "load_bundle",
    "open_model",
    "save_bundle",
]

_HOME = {
    "Bundle": "base",
    "ForecastBaselineMember": "forecasting.members",
    "ForecastBundle": "forecasting.bundle",
    "ForecastNetworkMember": "forecasting.members",
    "Member": "members",
    "SavedBundle": "save",
    "SequenceBaselineMember": "sequences.members",
    "SequenceBundle": "sequences.bundle",
    "SequenceNetworkMember": "sequences.members",
    "example_frame": "forecasting.tables",
    "example_sequences": "sequences.tables",
    "load_bundle": "load",
    "open_model": "engines",
    "save_bundle": "save",
}


def __getattr__(name: str) -> Any:
    """Import what a user asks for, and only then: most of it needs PyTorch, but :func:`open_model` need not."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
