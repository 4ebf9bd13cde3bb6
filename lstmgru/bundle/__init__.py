"""Trained models as directories: save, load, predict, export to ONNX, and describe in a model card.

A bundle is data, never code: weights in safetensors, everything else in JSON.
"""

from lstmgru.bundle.base import Bundle
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
    "save_bundle",
]
