"""Which RDS instance serves: one SSM parameter, whose write is the switch. No I/O here.

Terraform makes the parameter and reads it (terraform/database_instance.tf); restore.yml alone writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

# Of Terraform's outputs, what tells where the database is.
MEMBERS = ("identifier", "host", "port", "name", "username", "secret_arn")


@dataclass(frozen=True)
class Record:
    """What the parameter holds.

    :ivar serving: identifier of the instance that the application uses.
    :ivar kept: identifiers of former ones that are kept, and managed by Terraform like the serving one.
    :ivar releasing: identifiers of former ones that are being deleted; Terraform no longer has them.
    :ivar database: where the serving one is, as Terraform's output ``database``; empty for Terraform's own.
    :ivar request: key of the request that the serving one was restored for.
    :ivar restored: what it was restored from and when, for people.
    """

    serving: str
    kept: tuple[str, ...] = ()
    releasing: tuple[str, ...] = ()
    database: Mapping[str, Any] = field(default_factory=dict)
    request: str = ""
    restored: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """The parameter's value."""
        return json.dumps(asdict(self), sort_keys=True)


def name_of(outputs_parameter: str) -> str:
    """Return the name of the parameter that stands beside Terraform's outputs.

    ``/lyo/local/outputs`` → ``/lyo/local/database``
    """
    return f"{outputs_parameter.rpartition('/')[0]}/database"


def parse(text: str) -> Record:
    """Return the record in a parameter's value.

    :raises ValueError: it is none.
    """
    content = json.loads(text)
    if not isinstance(content, Mapping) or not content.get("serving"):
        raise ValueError("it does not say which instance serves")
    return Record(
        serving=str(content["serving"]),
        kept=_texts(content.get("kept")),
        releasing=_texts(content.get("releasing")),
        database=dict(content.get("database") or {}),
        request=str(content.get("request") or ""),
        restored=dict(content.get("restored") or {}),
    )


def _texts(values: Sequence[Any] | None) -> tuple[str, ...]:
    return tuple(str(value) for value in values or ())


def over(outputs: Mapping[str, Any], record: Record | None) -> dict[str, Any]:
    """Return Terraform's outputs with the database that serves.

    From the switch until Terraform has adopted the instance its outputs still tell of the former one.
    """
    database = outputs.get("database") or {}
    if not database or record is None or not record.database:
        return dict(outputs)
    if database.get("identifier") == record.serving:
        return dict(outputs)
    return {**outputs, "database": {**database, **record.database}}


def switched(
    record: Record,
    database: Mapping[str, Any],
    exists: Sequence[str],
    request: str,
    restored: Mapping[str, str],
) -> Record:
    """Return the record after the application was switched over.

    :param database: where the new instance is.
    :param exists: identifiers of the instances that there are; one that is lost cannot be kept.
    """
    serving = str(database["identifier"])
    former = [name for name in (record.serving, *record.kept) if name != serving]
    kept = tuple(name for name in dict.fromkeys(former) if name in exists)
    members = {key: database[key] for key in MEMBERS}
    return replace(
        record,
        serving=serving,
        kept=kept,
        database=members,
        request=request,
        restored=dict(restored),
    )


def releasing(record: Record) -> Record:
    """Return the record in which the kept instances are no longer Terraform's, to be deleted."""
    gone = tuple(dict.fromkeys((*record.releasing, *record.kept)))
    return replace(record, kept=(), releasing=gone)


def released(record: Record, name: str) -> Record:
    """Return the record without an instance that is gone."""
    return replace(record, releasing=tuple(one for one in record.releasing if one != name))
