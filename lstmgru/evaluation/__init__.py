"""Metrics, baselines, prediction intervals and tests of differences."""
