"""Databases lost in every way, each recovered by one runbook while guests book: `make recovery`."""
