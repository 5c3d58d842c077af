"""Backups as the runbooks see them: names, catalogue, snapshots, the ops program, retention."""
