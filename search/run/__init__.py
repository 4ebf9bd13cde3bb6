"""Run one study, from the first trial to the exported model."""
