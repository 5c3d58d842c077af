"""Terraform run by a runbook: one plan, read as data, applied phase by phase."""
