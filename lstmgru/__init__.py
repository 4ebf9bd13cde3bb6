"""Fit one LSTM/GRU model: data, networks, training, metrics, baselines, model bundles.

The package can be used without the search: it knows neither Optuna nor MLflow nor the command line.
"""
