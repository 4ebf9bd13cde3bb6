"""Holdout results, drawn."""
