"""A network in words: the boxes of its diagram, whatever its task."""

from __future__ import annotations

from lstmgru.specs import LabelModelSpec
from search.reports.boxes import Network, Roles
from search.reports.forecast_boxes import describe_forecaster
from search.reports.label_boxes import describe_labeller
from search.space import Model


def describe_network(model: Model, roles: Roles) -> Network:
    """The boxes of an architecture.

    Args:
        model: The architecture.
        roles: What it reads and tells.
    """
    if isinstance(model, LabelModelSpec):
        return describe_labeller(model, roles)
    return describe_forecaster(model, roles)
