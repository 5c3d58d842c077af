"""${message}"""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


# A migration that contracts says: serves_since = "<oldest revision whose releases still work>"


def upgrade() -> None:
    """Expand only: nothing that the release before this one could miss."""
    ${upgrades if upgrades else "pass"}
