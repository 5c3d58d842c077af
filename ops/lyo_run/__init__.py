"""What the ops image starts: a runbook, or the program for logical backups."""
