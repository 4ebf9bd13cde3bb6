"""The data sets of the studies, some of which come with packages that need not be installed."""

from __future__ import annotations

import os
from importlib.util import find_spec

import pytest
from _pytest.mark import ParameterSet

from lstmgru.data.sequences.datasets import LABELLED_DATASETS
from lstmgru.data.tables.datasets import DATASETS

EVERY = DATASETS | LABELLED_DATASETS


def installed(name: str) -> ParameterSet:
    """A data set as a test case; it is skipped where an optional package is missing, unless REQUIRE_STUDIES is set."""
    dataset = EVERY[name]
    absent = dataset.extra is not None and find_spec(dataset.package) is None
    skip = pytest.mark.skipif(
        absent and not os.environ.get("REQUIRE_STUDIES"),
        reason=f"{dataset.package} is not installed: {dataset.install}",
    )
    return pytest.param(name, marks=skip)
