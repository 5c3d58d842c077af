"""What a person does with a running service: watch, restart, scale it, read its logs."""
