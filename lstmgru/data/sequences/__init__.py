"""Labeled sequences and texts."""
