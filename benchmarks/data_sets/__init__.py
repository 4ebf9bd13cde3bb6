"""The data sets of the suite, by name."""

from __future__ import annotations

from data_sets.base import DataSet
from data_sets.panels import PANELS
from data_sets.sequences import SEQUENCES
from data_sets.single_tables import SINGLE_TABLES

DATA_SETS: dict[str, DataSet] = {each.name: each for each in (*SINGLE_TABLES, *PANELS, *SEQUENCES)}
