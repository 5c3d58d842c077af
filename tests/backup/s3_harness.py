"""An S3 on this machine: moto's, with a door in front that fails, waits or kills on purpose."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import boto3
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

from localcloud.services.s3 import list_without_content

ACCOUNT, REGION = "123456789012", "eu-south-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "AKIALYOBACKUPTESTS",
    "AWS_SECRET_ACCESS_KEY": "lyo-backup-tests-secret-access-key",
    "AWS_DEFAULT_REGION": REGION,
}
ERROR = """<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{message}</Message><RequestId>r</RequestId></Error>"""


@dataclass(frozen=True)
class Request:
    """A call as the door sees it."""

    number: int
    method: str
    path: str
    query: dict[str, list[str]]

    @property
    def writes(self) -> bool:
        return self.method in ("PUT", "POST", "DELETE")


@dataclass(frozen=True)
class Refusal:
    """What a call is answered with instead."""

    status: int
    code: str
    message: str = "on purpose"


@dataclass
class Door:
    """What happens to a call: before it, after it; both may be set by a test.

    :ivar before: returns a refusal, or None to let it through.
    """

    before: Callable[[Request], Refusal | None] = lambda _: None
    after: Callable[[Request], None] = lambda _: None
    calls: list[Request] = field(default_factory=list)

    def open(self) -> None:
        """Let everything through, and count from the beginning."""
        self.before, self.after = lambda _: None, lambda _: None
        self.calls = []


class S3:
    """The server, from `start` to `stop`."""

    def __init__(self, host: str, port: int = 4570) -> None:
        assert host.startswith("127.")
        self.endpoint = f"http://{host}:{port}"
        self.door = Door()
        list_without_content()
        self._moto: Any = DomainDispatcherApplication(create_backend_app)
        self._lock, self._moto_lock = threading.Lock(), threading.Lock()
        self._server = make_server(host, port, self._serve, threaded=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self) -> dict[str, str]:
        return {**CREDENTIALS, "AWS_ENDPOINT_URL": self.endpoint}

    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )

    def bucket(self, name: str, *, lock: bool = False, versions: bool = True) -> None:
        """A new, empty bucket."""
        s3 = self.client()
        s3.create_bucket(
            Bucket=name,
            ObjectLockEnabledForBucket=lock,
            CreateBucketConfiguration={"LocationConstraint": REGION},
        )
        if versions:
            s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def damage(self, bucket: str, key: str, change: Callable[[bytes], bytes]) -> None:
        """Change a stored object behind everybody's back: same version, other bytes."""
        _write(self._keys(bucket)[key], change(self.content(bucket, key)))

    def content(self, bucket: str, key: str) -> bytes:
        """What an object is, as it is stored."""
        found: bytes = self._keys(bucket)[key].value
        return found

    def lose(self, bucket: str, key: str) -> None:
        """Make an object with all its versions vanish."""
        dict.pop(self._keys(bucket), key)

    def snapshot(self, bucket: str, within: str = "") -> dict[str, list[tuple[Any, bytes]]]:
        """What is in a bucket: versions and delete markers by key, with their bytes.

        :param within: only keys that contain this.
        """
        keys = self._keys(bucket)
        return {
            key: [(one, getattr(one, "value", b"")) for one in keys.getlist(key)]
            for key in list(keys)
            if within in key
        }

    def versions(self, bucket: str) -> list[str]:
        """A key for each version and delete marker in a bucket."""
        keys = self._keys(bucket)
        return [key for key in list(keys) for _ in keys.getlist(key, [])]

    def put_back(self, bucket: str, before: dict[str, list[tuple[Any, bytes]]]) -> None:
        """Make a bucket what it was."""
        keys = self._keys(bucket)
        # As plain dict: moto's own would close what it lets go of.
        dict.clear(keys)
        for key, versions in before.items():
            for one, content in versions:
                if content:
                    _write(one, content)
            dict.__setitem__(keys, key, [one for one, _ in versions])

    def forget(self, bucket: str, within: str) -> None:
        """Remove every object whose key contains this: moto keeps them in memory."""
        keys = self._keys(bucket)
        for key in [key for key in list(keys) if within in key]:
            keys.pop(key)

    def uploads(self, bucket: str) -> list[str]:
        """The keys of multipart uploads that are not completed."""
        answer = self.client().list_multipart_uploads(Bucket=bucket)
        return [entry["Key"] for entry in answer.get("Uploads", [])]

    def _keys(self, bucket: str) -> Any:
        return s3_backends[ACCOUNT]["aws"].buckets[bucket].keys

    def _serve(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with self._lock:
            request = Request(
                len(self.door.calls) + 1,
                environ["REQUEST_METHOD"],
                environ["PATH_INFO"],
                parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True),
            )
            self.door.calls.append(request)
        refusal = self.door.before(request)
        if refusal is not None:
            length = int(environ.get("CONTENT_LENGTH") or 0)
            environ["wsgi.input"].read(length)
            body = ERROR.format(code=refusal.code, message=refusal.message).encode()
            start_response(
                f"{refusal.status} Refused",
                [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))],
            )
            return [body]
        with self._moto_lock:  # moto is not made for several calls at once
            answer: Iterable[bytes] = list(self._moto(environ, start_response))
        self.door.after(request)
        return answer


def _write(stored: Any, content: bytes) -> None:
    stored._value_buffer.seek(0)
    stored._value_buffer.truncate()
    stored._value_buffer.write(content)
    stored.contentsize = len(content)
