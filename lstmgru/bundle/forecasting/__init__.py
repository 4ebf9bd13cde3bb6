"""Exported forecasting models."""
