"""What turns raw tables into the inputs of a model, and its outputs into tables, without PyTorch."""
