"""Tests of the program for logical backups: ops/lyo_backup."""
