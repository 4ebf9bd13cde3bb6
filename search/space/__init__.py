"""What Optuna suggests."""
