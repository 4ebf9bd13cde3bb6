"""Mirrors studies to MLflow; the search never waits for it."""
