"""Search over LSTM and GRU architectures: studies, spaces, samplers, executors, tracking, reports, the command line.

Importing the package imports nothing heavy: torch, MLflow, Optuna and pandas come in where they are used.
"""

from search.api import StudyResult, run_comparison, run_study

__all__ = ["StudyResult", "run_comparison", "run_study"]
