"""Names of backups, and what a bucket says about them."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_backup import ids
from ansible.module_utils.lyo_backup.catalogue import BadManifestError, Catalogue, of_listing

from .fakes import FakeAws, failure

NOW = datetime(2026, 11, 27, 13, 5, 1, tzinfo=UTC)
OLD, NEW = "20261126T130501Z-0000000a", "20261127T130501Z-abcdef12"


def test_an_id_says_when_and_goes_into_names_and_back() -> None:
    assert ids.new(NOW, "abcdef12") == NEW
    assert ids.new(NOW) != ids.new(NOW)
    assert ids.valid(ids.new(NOW))
    assert not ids.valid("latest")
    assert ids.began(NEW) == NOW
    name = ids.snapshot_name("lyo-local", NEW)
    assert name == "lyo-local-backup-20261127t130501z-abcdef12"
    assert ids.backup_of(name) == ("lyo-local", NEW)
    assert ids.migration_of("lyo-local-migrate-0123456789ab-20261127130501") == ("lyo-local", NOW)


@pytest.mark.parametrize(
    "name",
    [
        "lyo-local-backup-20261327t130501z-abcdef12",  # no such month
        "lyo-local-backup-20261127t130501z-abcdef1",
        "backup-20261127t130501z-abcdef12",
        "lyo-local-final",
        "lyo-local-migrate-0123456789ab-2026112713050",
        "lyo-local-migrate-0123456789ab-20261327130501",  # no such month
    ],
)
def test_what_is_not_ours_is_nobodys(name: str) -> None:
    assert ids.backup_of(name) == ("", "")
    assert ids.migration_of(name) == ("", None)


@pytest.mark.usefixtures("elsewhere")
def test_an_id_has_the_time_in_utc_wherever_it_is_made() -> None:
    assert ids.new(NOW, "abcdef12") == NEW
    rome = NOW.astimezone(timezone(timedelta(hours=1)))
    assert ids.new(rome, "abcdef12") == NEW


def listing(*keys: str) -> list[dict[str, Any]]:
    return [{"Key": key, "Size": 10} for key in keys]


def whole(backup: str, *more: str) -> list[str]:
    parts = ("parts/0001-tenants", "parts/0002-bookings", "manifest.json", *more)
    return [f"logical/{backup}/{part}" for part in parts]


def test_a_backup_is_complete_with_its_manifest() -> None:
    found = of_listing(
        listing(
            *whole(NEW), f"logical/{OLD}/parts/0001-tenants", "logical/notes/manifest.json", "x"
        ),
        "logical/",
    )
    assert [(b.id, b.complete, b.bytes) for b in found] == [(OLD, False, 10), (NEW, True, 20)]


def bodies(**content: Any) -> Any:
    """Objects by the end of their key."""

    def get(params: dict[str, Any]) -> Any:
        for end, value in content.items():
            if params["Key"].endswith(end.replace("__", "-") + ".json"):
                text = value if isinstance(value, bytes) else json.dumps(value).encode()
                return {"Body": io.BytesIO(text)}
        return failure("NoSuchKey", status=404)

    return get


def read(aws: FakeAws, **how: Any) -> list[tuple[str, str]]:
    return [(b.id, b.verdict) for b in Catalogue(aws, "bucket").read(**how)]  # type: ignore[arg-type]


class Reader(FakeAws):
    """Bodies can be read once, so nothing is copied."""

    def call(self, service: str, operation: str, /, **params: Any) -> Any:
        if operation == "get_object":
            self.calls.append((operation, params))
            answer = self.answers[operation](params)
            if isinstance(answer, Exception):
                raise answer
            return answer
        return super().call(service, operation, **params)


def test_the_newest_verdict_counts() -> None:
    aws = Reader(
        list_objects_v2={"Contents": listing(*whole(NEW, "verdict-1.json", "verdict-2.json"))},
        get_object=bodies(
            verdict__1={"verdict": "VERIFIED"},
            verdict__2={"verdict": "DAMAGED", "reasons": ["a bit"]},
        ),
    )
    [backup] = Catalogue(aws, "bucket").read()  # type: ignore[arg-type]
    assert (backup.verdict, backup.reasons) == ("DAMAGED", ("a bit",))
    assert len(aws.named("get_object")) == 1


@pytest.mark.parametrize("said", [b"{", b"[]", b"{}", b'{"verdict": "FINE"}', b'{"verdict": 1}'])
def test_a_verdict_that_cannot_be_read_says_nothing(said: bytes) -> None:
    aws = Reader(
        list_objects_v2={"Contents": listing(*whole(NEW, "verdict-1.json"))},
        get_object=bodies(verdict__1=said),
    )
    assert read(aws) == [(NEW, "")]


def test_only_as_many_verdicts_are_read_as_are_asked_for() -> None:
    aws = Reader(
        list_objects_v2={
            "Contents": listing(*whole(OLD, "verdict-1.json"), *whole(NEW, "verdict-1.json"))
        },
        get_object=bodies(verdict__1={"verdict": "VERIFIED"}),
    )
    assert read(aws, verdicts=1) == [(OLD, ""), (NEW, "VERIFIED")]
    assert read(aws, verdicts=0) == [(OLD, ""), (NEW, "")]
    assert read(aws) == [(OLD, "VERIFIED"), (NEW, "VERIFIED")]


def test_a_manifest_is_that_of_its_backup() -> None:
    aws = Reader(get_object=bodies(manifest={"id": NEW, "format": 1}))
    catalogue = Catalogue(aws, "bucket")  # type: ignore[arg-type]
    assert catalogue.manifest(NEW)["format"] == 1
    with pytest.raises(BadManifestError, match="is not the manifest of"):
        catalogue.manifest(OLD)
    aws.answers["get_object"] = lambda _: failure("NoSuchKey")
    with pytest.raises(BadManifestError, match="there is no such backup"):
        catalogue.manifest(NEW)


def test_the_manifest_goes_first_and_the_rest_in_thousands() -> None:
    keys = [*whole(NEW), *(f"logical/{NEW}/parts/{n}" for n in range(1500))]
    [backup] = of_listing(listing(*keys), "logical/")
    aws = FakeAws(delete_objects={})
    Catalogue(aws, "bucket").delete(backup)  # type: ignore[arg-type]
    sent = [[o["Key"] for o in call["Delete"]["Objects"]] for call in aws.named("delete_objects")]
    assert sent[0] == [f"logical/{NEW}/manifest.json"]
    assert [len(keys) for keys in sent] == [1, 1000, 502]


def test_what_cannot_be_deleted_is_said() -> None:
    [backup] = of_listing(listing(*whole(NEW)), "logical/")
    refused = {"Errors": [{"Key": "k", "Code": "AccessDenied", "Message": "locked"}]}
    aws = FakeAws(delete_objects=refused)
    with pytest.raises(AwsFailure, match="k cannot be deleted: locked"):
        Catalogue(aws, "bucket").delete(backup)  # type: ignore[arg-type]
    assert len(aws.written) == 1


def test_uploads_of_backups_alone_are_ours_to_end() -> None:
    uploads = [
        {"Key": f"logical/{OLD}/parts/1", "UploadId": "u1"},
        {"Key": "logical/else/parts/1", "UploadId": "u2"},
    ]
    aws = FakeAws(
        list_multipart_uploads={"Uploads": uploads}, abort_multipart_upload=failure("NoSuchUpload")
    )
    catalogue = Catalogue(aws, "bucket")  # type: ignore[arg-type]
    assert catalogue.uploads() == [(OLD, f"logical/{OLD}/parts/1", "u1")]
    catalogue.abort("key", "u1")  # gone meanwhile
    aws.answers["abort_multipart_upload"] = failure("AccessDenied")
    with pytest.raises(AwsFailure):
        catalogue.abort("key", "u1")
