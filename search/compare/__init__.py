"""Comparison of network families: equal budgets, new seeds, tests, verdict."""
