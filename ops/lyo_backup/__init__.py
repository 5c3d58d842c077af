"""Logical backups of one PostgreSQL database in S3: made, checked, restored, verified.

`python -m lyo_backup <verb>`; docs/backups.md of the repository has the format and the verbs.
"""

VERSION = "1.0"
