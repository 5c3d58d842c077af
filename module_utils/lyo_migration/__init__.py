"""Migrations: read before they run, linted, checked against the live database, run as a one-off task."""
