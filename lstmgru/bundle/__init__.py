"""Trained models as directories: saved, loaded, exported to ONNX, described in a model card.

A bundle is data, never code: weights in safetensors, everything else in JSON.
"""

from lstmgru.bundle.forecasting.bundle import ForecastBundle
from lstmgru.bundle.forecasting.example import example_frame
from lstmgru.bundle.format import AnyBundle
from lstmgru.bundle.load import load_bundle
from lstmgru.bundle.save import SavedBundle, save_bundle
from lstmgru.bundle.sequences.bundle import SequenceBundle
from lstmgru.bundle.sequences.example import example_sequences

__all__ = [
    "AnyBundle",
    "ForecastBundle",
    "SavedBundle",
    "SequenceBundle",
    "example_frame",
    "example_sequences",
    "load_bundle",
    "save_bundle",
]
