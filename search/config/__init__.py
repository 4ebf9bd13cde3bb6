"""What a study file may hold."""
