from __future__ import annotations

import pytest

from filter_plugins.lyo_command import lyo_command


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("migrate", ["migrate"]),
        ("seed --file tenants.json", ["seed", "--file", "tenants.json"]),
        ("-c 'print(1, 2)'", ["-c", "print(1, 2)"]),
        (["seed", "a b"], ["seed", "a b"]),
        (3, ["3"]),
        # What only names a secret is none.
        ("sh -c 'psql -U app --password=$DATABASE_PASSWORD'", None),
        ("--token $TOKEN", None),
        ("rotate --secret arn:aws:secretsmanager:eu-south-1:1:secret:x", None),
        ("reset-password --user anna", None),
        ("check --token --verbose", None),
        ("curl https://api.example/path:8080", None),
        ("count --tokens-used", None),
    ],
)
def test_words(command: object, argv: list[str] | None) -> None:
    found = lyo_command(command)
    assert found["problem"] == ""
    assert found["argv"] == argv or (argv is None and found["argv"])


@pytest.mark.parametrize(
    ("command", "secret"),
    [
        ("login --password hunter22", "hunter22"),
        ("login --password=hunter22", "hunter22"),
        ("env API_KEY=hunter22 serve", "hunter22"),
        ("sh -c 'TOKEN=hunter22 serve'", "hunter22"),
        ("psql postgres://lyo:hunter22@db:5432/lyo", "hunter22"),
        ("aws configure set x AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
        ("put app_secret:hunter22", "hunter22"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(command: str, secret: str) -> None:
    found = lyo_command(command)
    assert found["argv"] == []
    assert "seems to hold a secret" in found["problem"]
    assert secret not in found["problem"]


MIGRATION = ["migrate", "--seed", "tenants.json"]


@pytest.mark.parametrize(
    ("command", "entrypoint"),
    [
        ("migrate", ""),
        ("migrate --contract 0003", ""),
        (["migrate"], ""),
        ("-m booking migrate --approve x", "python"),
        (["-c", "cd /app; python -m booking migrate&&echo done"], "sh"),
        ("--plan", ["python", "-m", "booking", "migrate"]),
    ],
)
def test_a_migration_is_refused_with_the_runbook_that_checks_it(
    command: object, entrypoint: str | list[str]
) -> None:
    found = lyo_command(command, MIGRATION, entrypoint)
    assert found["argv"] == []
    assert "migrate.yml does" in found["problem"]


@pytest.mark.parametrize(
    ("command", "migration", "entrypoint"),
    [
        ("seed migrate", MIGRATION, ""),
        ("migrated", MIGRATION, ""),
        ("-m booking smoke", MIGRATION, "python"),
        ("-c 'print(migrate_me)'", MIGRATION, "python"),
        ("upgrade", ["alembic", "upgrade", "head"], ""),
        ("migrate", [], ""),
        ("migrate", ["--migrate"], ""),
    ],
)
def test_what_does_not_migrate_is_run(command: str, migration: list[str], entrypoint: str) -> None:
    assert lyo_command(command, migration, entrypoint)["problem"] == ""


@pytest.mark.parametrize(
    ("command", "word"), [("", "No command"), ("  ", "No command"), ("say 'hi", "split into words")]
)
def test_what_is_no_command_is_told(command: str, word: str) -> None:
    assert word in lyo_command(command)["problem"]
