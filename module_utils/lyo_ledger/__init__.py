"""The record of every run that writes: who, when, what, and how it ended."""
