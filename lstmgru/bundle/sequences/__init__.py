"""Exported models of sequences and texts."""
