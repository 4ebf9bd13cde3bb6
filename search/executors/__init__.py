"""Where jobs run: in this process, or in long-lived worker processes."""
