"""What the campaign does to studies, a file for each kind of hazard."""
