"""Migrations that an operator can read, check and watch: what `migrate` says and how it goes about it.

`history` knows the migrations, `steps` what is pending of them, `activity` the database they meet, `runner` runs them one process at a
time, `backfill` changes rows in batches, `report` is how all of them speak.
"""
