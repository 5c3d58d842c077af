from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from ansible.module_utils.lyo_aws import AwsFailure
from ansible.module_utils.lyo_release import infra_marker as m

from .fakes import FakeAws, failure

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
MARKER = m.Marker("files", "etag", "2026-11-01T06:00:00+00:00")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "terraform" / "modules").mkdir(parents=True)
    (tmp_path / "terraform" / "main.tf").write_text("one")
    (tmp_path / "terraform" / "modules" / "a.tf").write_text("two")
    return tmp_path / "terraform"


def test_the_fingerprint_depends_on_names_and_contents_only(tree: Path, tmp_path: Path) -> None:
    first = m.fingerprint([tree])
    elsewhere = tmp_path / "copy" / "terraform"
    elsewhere.parent.mkdir()
    tree.rename(elsewhere)
    (elsewhere / "main.tf").touch()
    assert m.fingerprint([elsewhere]) == first
    (elsewhere / "main.tf").write_text("changed")
    changed = m.fingerprint([elsewhere])
    assert changed != first
    (elsewhere / "main.tf").rename(elsewhere / "other.tf")
    assert m.fingerprint([elsewhere]) not in (first, changed)


def test_what_no_plan_reads_does_not_count(tree: Path) -> None:
    first = m.fingerprint([tree])
    (tree / "tests").mkdir()
    (tree / "tests" / "main.tftest.hcl").write_text("x")
    (tree / "README.md").write_text("x")
    (tree / "inventory.toml").write_text("x")
    assert m.fingerprint([tree]) == first


def test_what_terraform_leaves_behind_does_not_count(tree: Path) -> None:
    first = m.fingerprint([tree])
    (tree / ".terraform" / "providers").mkdir(parents=True)
    (tree / ".terraform" / "providers" / "x").write_text("x")
    (tree / "lyo.tfplan").write_text("x")
    assert m.fingerprint([tree]) == first
    (tree / ".terraform.lock.hcl").write_text("x")
    assert m.fingerprint([tree]) != first


def test_a_single_file_counts_and_a_missing_one_is_named(tree: Path) -> None:
    assert m.fingerprint([tree / "main.tf"]) != m.fingerprint([tree / "modules" / "a.tf"])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        m.fingerprint([tree / "nowhere"])


@pytest.mark.parametrize(
    ("marker", "files", "state", "reason"),
    [
        (MARKER, "files", "etag", ""),
        (MARKER, "files", "", "no infrastructure state"),
        (None, "files", "etag", "no empty plan"),
        (MARKER, "others", "etag", "configuration has changed"),
        (MARKER, "files", "newer", "state has changed"),
        (m.Marker("files", "etag", "2026-10-31T11:59:59+00:00"), "files", "etag", "24 hours"),
        (m.Marker("files", "etag", "2026-10-31T12:00:00+00:00"), "files", "etag", ""),
        (m.Marker("files", "etag", "yesterday"), "files", "etag", "no empty plan"),
    ],
)
def test_why_plan(marker: m.Marker | None, files: str, state: str, reason: str) -> None:
    found = m.why_plan(marker, files, state, NOW, 24)
    assert (reason in found) if reason else found == ""


def test_a_marker_that_was_written_is_read_again() -> None:
    aws = FakeAws(head_object={"ETag": '"etag"'}, put_object={})
    written = m.write_marker(aws, "bucket", "marker", "state", "files", NOW)
    body = aws.named("put_object")[0]["Body"]
    aws = FakeAws(get_object=lambda _: {"Body": io.BytesIO(body)})
    aws.call = lambda *_, **__: {"Body": io.BytesIO(body)}  # type: ignore[method-assign]
    assert m.read_marker(aws, "bucket", "marker") == written
    assert m.why_plan(written, "files", "etag", NOW + timedelta(hours=1), 24) == ""


@pytest.mark.parametrize("content", [b"", b"[]", b'{"other": 1}', json.dumps([1]).encode()])
def test_what_is_no_marker_reads_as_none(content: bytes) -> None:
    aws = FakeAws()
    aws.call = lambda *_, **__: {"Body": io.BytesIO(content)}  # type: ignore[method-assign]
    assert m.read_marker(aws, "bucket", "marker") is None


def test_missing_objects_and_refusals() -> None:
    aws = FakeAws(get_object=failure("NoSuchKey"), head_object=failure("404"))
    assert m.read_marker(aws, "bucket", "marker") is None
    assert m.state_version(aws, "bucket", "state") == ""
    aws = FakeAws(get_object=failure("AccessDenied"), head_object=failure("AccessDenied"))
    with pytest.raises(AwsFailure):
        m.read_marker(aws, "bucket", "marker")
    with pytest.raises(AwsFailure):
        m.state_version(aws, "bucket", "state")


def test_another_value_of_a_variable_is_another_plan(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text("a")
    plain = m.fingerprint([tmp_path])
    assert m.fingerprint([tmp_path], {}) == plain
    four = m.fingerprint([tmp_path], {"scaling": {"max": 4}, "a": 1})
    assert four == m.fingerprint([tmp_path], {"a": 1, "scaling": {"max": 4}}) != plain
