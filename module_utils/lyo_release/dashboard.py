"""Whether the dashboard's bucket holds what the application's folder does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from ..lyo_aws import Aws

#: The one object that differs between environments: where the API is.
CONFIG = "config.json"


def wanted(folder: Path, api_url: str) -> dict[str, str]:
    """Return key and MD5 of every object the dashboard consists of.

    :raises FileNotFoundError: there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"the dashboard's folder {folder} does not exist")
    objects = {
        path.relative_to(folder).as_posix(): _md5(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    # As Ansible's to_json writes it, which is what uploads it.
    objects[CONFIG] = _md5(json.dumps({"api": api_url}).encode())
    return objects


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def present(aws: Aws, bucket: str) -> dict[str, str]:
    """Return key and ETag of what the bucket holds.

    The ETag of an object uploaded in one part is its MD5:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html
    """
    answer = aws.call("s3", "list_objects_v2", Bucket=bucket)
    return {entry["Key"]: entry["ETag"].strip('"') for entry in answer.get("Contents", [])}


def difference(wanted: Mapping[str, str], present: Mapping[str, str]) -> str:
    """Return which objects are missing or different, for people; empty where none is.

    Objects that nobody wants stay: an old page may still ask for them.
    """
    stale = sorted(key for key, digest in wanted.items() if present.get(key) != digest)
    if not stale:
        return ""
    more = f" and {len(stale) - 3} more" if len(stale) > 3 else ""
    return f"{', '.join(stale[:3])}{more} in the bucket differ from the application's folder"
