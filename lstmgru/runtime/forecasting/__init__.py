"""Forecasting models: what they read, and their tables."""
