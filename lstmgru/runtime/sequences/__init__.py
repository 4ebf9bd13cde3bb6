"""Models of labeled sequences and texts: what they read, and their tables."""
