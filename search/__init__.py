"""Search over LSTM and GRU architectures: studies, spaces, samplers, executors, tracking, reports, the command line.

Importing the package imports nothing but the names below when they are used: the command line starts with it, too.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import StudyResult, backtest, load_study, refit, run_comparison, run_study

__all__ = ["StudyResult", "backtest", "load_study", "refit", "run_comparison", "run_study"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from search import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
