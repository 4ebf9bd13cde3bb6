"""Trained models as directories: saved, loaded, exported to ONNX, described in a model card.

A bundle is data, never code: weights in safetensors, everything else in JSON.
"""

from lstmgru.bundle.bundle import Bundle
from lstmgru.bundle.example import example_frame
from lstmgru.bundle.format import AnyBundle
from lstmgru.bundle.label_bundle import LabelBundle
from lstmgru.bundle.label_example import example_labels
from lstmgru.bundle.load import load_bundle
from lstmgru.bundle.save import SavedBundle, save_bundle

__all__ = [
    "AnyBundle",
    "Bundle",
    "LabelBundle",
    "SavedBundle",
    "example_frame",
    "example_labels",
    "load_bundle",
    "save_bundle",
]
