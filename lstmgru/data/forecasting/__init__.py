"""Panels of time series: windows, splits, scaling."""
