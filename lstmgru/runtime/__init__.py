"""Prediction without PyTorch: from raw tables to the inputs of a model, and from its outputs to tables.

Only numpy, pandas and ONNX Runtime are imported, and pyarrow, if it is installed, to read files. The distribution
``lstmgru-runtime`` (``libs/runtime``) holds this folder and those to its right in the import row.
"""

from lstmgru.runtime.jobs import predict_file
from lstmgru.runtime.load import load_model
from lstmgru.runtime.predictor import Options, Predictions, Predictor

__all__ = ["Options", "Predictions", "Predictor", "load_model", "predict_file"]
