"""The Optuna study on disk."""
