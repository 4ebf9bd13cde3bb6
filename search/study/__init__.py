"""A study on disk: journal, records, samplers, pruners and budget."""
