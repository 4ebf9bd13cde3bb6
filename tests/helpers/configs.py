"""Small valid studies as configurations."""

from __future__ import annotations

from typing import Any

from search.tasks.forecasting.config import ForecastStudyConfig


def make_config(**sections: Any) -> ForecastStudyConfig:
    """A small valid study; a section that is given is merged into its own."""
    values: dict[str, Any] = {
        "name": "shop",
        "data": {"path": "shop.csv", "time": "day", "target": "units"},
        "forecast": {"horizon": 7},
        "splits": {"holdout": 30},
    }
    for name, section in sections.items():
        values[name] = {**values.get(name, {}), **section}
    return ForecastStudyConfig.model_validate(values)
