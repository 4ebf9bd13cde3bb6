"""A network in words: the boxes of its diagram, whatever its task."""

from __future__ import annotations

from lstmgru.specs import ModelSpec, SequenceModelSpec
from search.reports.diagram.boxes import Network, Roles
from search.space.space import Model
from search.tasks.forecasting.diagram import describe_forecaster
from search.tasks.sequences.diagram import describe_predictor


def describe_network(model: Model, roles: Roles) -> Network:
    """The boxes of an architecture.

    Args:
        model: The architecture.
        roles: What it reads and tells.
    """
    if isinstance(model, SequenceModelSpec):
        return describe_predictor(model, roles)
    assert isinstance(model, ModelSpec)
    return describe_forecaster(model, roles)
