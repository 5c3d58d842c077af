"""Pending migrations as data: what they are, whether they may be run together, what an approval names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

EXPAND, CONTRACT = "expand", "contract"
# The digest of a plan with nothing in it.
NOTHING = "nothing"


@dataclass(frozen=True)
class Step:
    """One pending migration.

    :ivar kind: what its file says, `expand` or `contract`; empty where it says nothing.
    :ivar serves_since: for one that contracts: the oldest revision whose releases it still serves.
    :ivar allow: lint rules that the whole of it may break, with a reason each.
    """

    revision: str
    title: str
    kind: str
    sql: str = ""
    serves_since: str = ""
    allow: Mapping[str, str] = field(default_factory=dict)


def problem(steps: Sequence[Step], *, contract: str, fresh: bool) -> str:
    """Return why these steps may not be run together, empty where they may.

    A release only expands. What contracts is run by itself, on request, once nothing needs what it
    takes away. An empty database has nobody who could miss anything: it takes all of them.

    :param contract: the migration that was asked for by name, empty for what a release needs.
    :param fresh: whether the database is empty.
    """
    for one in steps:
        if one.kind == CONTRACT and not one.serves_since:
            return (
                f"{one.revision} contracts, but does not say which releases it still serves: "
                'serves_since = "<revision>"'
            )
    if fresh:
        return ""
    unknown = [one.revision for one in steps if one.kind not in (EXPAND, CONTRACT)]
    if unknown:
        return f'{", ".join(unknown)} does not say what it is: lyo_kind = "expand" or "contract"'
    if contract:
        if steps and steps[-1].kind != CONTRACT:
            return f"{contract} does not contract (its lyo_kind is {steps[-1].kind!r}): deploy it"
        others = [one.revision for one in steps if one.kind != CONTRACT]
        if others:
            return (
                f"{', '.join(others)} comes before {contract} and does not contract: deploy first"
            )
        return ""
    blocking = [one.revision for one in steps if one.kind == CONTRACT]
    if blocking:
        return (
            f"{', '.join(blocking)} contracts, and a release only expands. Run first: "
            f"ansible-playbook migrate.yml -e env=<env> -e contract={blocking[-1]}"
        )
    return ""


def digest(steps: Sequence[Step]) -> str:
    """Return what an approval names: the same steps with the same SQL have the same."""
    if not steps:
        return NOTHING
    content = json.dumps([[one.revision, one.kind, one.sql] for one in steps])
    return hashlib.sha256(content.encode()).hexdigest()[:32]
