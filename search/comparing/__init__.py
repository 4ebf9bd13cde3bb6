"""The comparison of families of networks: the same budget for each, fresh seeds for the best, tests, and words."""
