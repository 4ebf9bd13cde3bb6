"""Classification and regression of sequences and texts."""
