"""One study, from the first trial to the exported model."""
