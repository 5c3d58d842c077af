"""Says whether Terraform has to plan: the marker that the last empty plan left beside the state.

A plan costs a minute or more and usually says "no changes". An empty plan therefore leaves a small
object in the state bucket: a fingerprint of everything it read from disk, the version of the state
it read, and the time. While all of it still holds, a new plan would be empty too, except for what
was changed by hand in AWS; for that the marker has an age limit.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure

_MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})
# What no plan reads, what Terraform leaves behind, and what it writes while it runs.
_IGNORED_NAMES = frozenset({".terraform", "__pycache__", ".git", "tests", "inventory.toml"})
_IGNORED_SUFFIXES = (".md", ".tfplan", ".tfstate", ".tfstate.backup", ".log", ".tflock.info")


@dataclass(frozen=True)
class Marker:
    """What the last empty plan was made of.

    :ivar fingerprint: of the files, see :func:`fingerprint`.
    :ivar state: ETag of the state object, empty where there is none.
    :ivar planned_at: ISO 8601, UTC.
    """

    fingerprint: str
    state: str
    planned_at: str


def _files(path: Path) -> Iterable[Path]:
    if path.is_file():
        return [path]
    return (
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and not _IGNORED_NAMES & set(file.relative_to(path).parts)
        and not file.name.endswith(_IGNORED_SUFFIXES)
    )


def fingerprint(paths: Iterable[str | Path], variables: Mapping[str, Any] | None = None) -> str:
    """Return a SHA-256 over names and contents of files and folders, the same on every machine.

    :param variables: values that the plan is given besides the files.

    :raises FileNotFoundError: a path does not exist.
    """
    digest = hashlib.sha256(json.dumps(variables or {}, sort_keys=True).encode())
    for path in map(Path, paths):
        if not path.exists():
            raise FileNotFoundError(f"infra.paths names {path}, which does not exist")
        for file in _files(path):
            name = path.name if file == path else f"{path.name}/{file.relative_to(path).as_posix()}"
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()


def state_version(aws: Aws, bucket: str, state_key: str) -> str:
    """Return the ETag of Terraform's state, empty where there is no state or no bucket yet."""
    try:
        return str(aws.call("s3", "head_object", Bucket=bucket, Key=state_key)["ETag"]).strip('"')
    except AwsFailure as failure:
        if failure.code in _MISSING:
            return ""
        raise


def read_marker(aws: Aws, bucket: str, marker_key: str) -> Marker | None:
    """Return the marker, None where there is none or it cannot be read as one."""
    try:
        answer = aws.call("s3", "get_object", Bucket=bucket, Key=marker_key)
        return Marker(**json.loads(answer["Body"].read()))
    except AwsFailure as failure:
        if failure.code in _MISSING:
            return None
        raise
    except (ValueError, TypeError):
        return None


def write_marker(
    aws: Aws, bucket: str, marker_key: str, state_key: str, files: str, now: datetime | None = None
) -> Marker:
    """Leave the marker of an empty plan (or of an apply, after which a plan is empty).

    :param files: the fingerprint taken before the plan read the files.
    """
    moment = (now or datetime.now(UTC)).replace(microsecond=0).isoformat()
    marker = Marker(files, state_version(aws, bucket, state_key), moment)
    aws.call(
        "s3",
        "put_object",
        Bucket=bucket,
        Key=marker_key,
        Body=json.dumps(asdict(marker), sort_keys=True).encode(),
        ContentType="application/json",
    )
    return marker


def why_plan(
    marker: Marker | None, files: str, state: str, now: datetime, max_age_hours: int
) -> str:
    """Return why Terraform has to plan, empty where the last empty plan still counts."""
    if not state:
        return "there is no infrastructure state yet"
    if marker is None:
        return "no empty plan is on record"
    if marker.fingerprint != files:
        return "the configuration has changed since the last empty plan"
    if marker.state != state:
        return "the state has changed since the last empty plan"
    try:
        age = now - datetime.fromisoformat(marker.planned_at)
    except (ValueError, TypeError):
        return "no empty plan is on record"
    if age > timedelta(hours=max_age_hours):
        return f"the last empty plan is older than {max_age_hours} hours"
    return ""
