"""Plots of the search."""
