"""The tasks that can be searched: what is learnt, how it is scored, on which folds."""
