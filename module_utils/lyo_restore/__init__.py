"""Restoring the database into a new instance, and switching the application over to it."""
