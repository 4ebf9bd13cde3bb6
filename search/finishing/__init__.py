"""The end of a study, task by task: refit the winner, score the holdout once, write the bundle and the report."""
