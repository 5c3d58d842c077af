"""What is restored from what, what is kept, and how a server is configured."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from localcloud.dataplane.postgres.backups import (
    Base,
    base_for,
    obsolete,
    obsolete_segments,
    restorable_window,
)
from localcloud.dataplane.postgres.configuration import (
    Endpoint,
    Places,
    Recovery,
    render,
    settings_for,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
ENDPOINT = Endpoint("127.9.2.1", 5432)
PLACES = Places(Path("/wal"), Path("/extensions"))


def base(hours: float) -> Base:
    return Base(Path(f"/base/{hours}"), NOON + timedelta(hours=hours), "0" * 24)


BASES = [base(24), base(0), base(48)]


def test_the_newest_backup_before_the_moment_is_used() -> None:
    assert base_for(BASES, NOON + timedelta(hours=25)) == base(24)
    assert base_for(BASES, NOON + timedelta(hours=24)) == base(24)


def test_no_backup_reaches_a_moment_before_all() -> None:
    assert base_for(BASES, NOON - timedelta(seconds=1)) is None


def test_a_backup_is_kept_while_a_moment_in_the_retention_needs_it() -> None:
    assert obsolete(BASES, NOON + timedelta(hours=23)) == []
    assert obsolete(BASES, NOON + timedelta(hours=24)) == [base(0)]
    assert obsolete(BASES, NOON + timedelta(hours=999)) == [base(0), base(24)]


def test_segments_go_by_position_on_any_timeline_and_history_stays() -> None:
    names = [
        "000000010000000000000004",
        "000000020000000000000005",
        "000000020000000000000006",
        "000000010000000000000004.00000028.backup",
        "00000002.history",
    ]
    assert obsolete_segments(names, "000000020000000000000006") == [names[0], names[1], names[3]]


def test_the_window_begins_with_the_oldest_backup_and_ends_with_the_archive() -> None:
    until = NOON + timedelta(hours=50)
    assert restorable_window(BASES, until) == (NOON, until)
    assert restorable_window([], until) is None
    assert restorable_window(BASES, None) is None
    assert restorable_window(BASES, NOON - timedelta(hours=1)) is None


def test_what_is_asked_for_wins_over_lean_and_loses_against_fixed() -> None:
    asked = {"shared_buffers": "64MB", "fsync": "on", "port": "1", "listen_addresses": "*"}
    settings = settings_for(ENDPOINT, PLACES, asked)
    assert settings["shared_buffers"] == "64MB"
    assert settings["fsync"] == "off"
    assert (settings["listen_addresses"], settings["port"]) == ("127.9.2.1", "5432")
    assert settings["max_connections"] == "200"


def test_log_is_archived_from_the_start() -> None:
    settings = settings_for(ENDPOINT, PLACES, {})
    assert settings["archive_mode"] == "on"
    assert settings["basic_archive.archive_directory"] == "/wal"
    assert "restore_command" not in settings


def test_logical_replication_is_rds_own_parameter() -> None:
    assert settings_for(ENDPOINT, PLACES, {})["wal_level"] == "replica"
    asked = {"rds.logical_replication": "1"}
    assert settings_for(ENDPOINT, PLACES, asked)["wal_level"] == "logical"


def test_nobody_connects_before_a_recovery_has_arrived() -> None:
    settings = settings_for(ENDPOINT, PLACES, {}, Recovery(Path("/it's 100%"), NOON))
    assert settings["hot_standby"] == "off"
    assert settings["recovery_target_time"] == "2026-11-22 12:00:00+00:00"
    assert settings["restore_command"] == """cp '/it'"'"'s 100%%'/%f "%p\""""


def test_values_are_quoted_and_cannot_add_a_line() -> None:
    assert render({"search_path": "a'b\\c"}) == "search_path = 'a''b\\\\c'\n"
    with pytest.raises(ValueError, match="search_path"):
        render({"search_path": "a\nfsync = on"})
