from __future__ import annotations

import pytest
from booking.config import ConfigError, DatabaseConfig, ReleaseConfig, ServeConfig
from booking.releases import behaviour

ENV = {
    "LYO_RELEASE": "v1",
    "LYO_SCHEMA_REVISION": "0001",
    "DATABASE_HOST": "db",
    "DATABASE_NAME": "lyo",
    "DATABASE_USER": "lyo",
    "DATABASE_PASSWORD": "hidden-database-password",
    "CACHE_URL": "rediss://cache:6379/0",
    "CACHE_AUTH_TOKEN": "hidden-cache-token",
    "WHATSAPP_VERIFY_TOKEN": "hidden-verify-token",
    "WHATSAPP_APP_SECRET": "hidden-app-secret",
}


def test_defaults() -> None:
    config = ServeConfig.from_env(ENV)
    assert (config.port, config.database.port, config.database.sslmode) == (8080, 5432, "require")


@pytest.mark.parametrize("name", sorted(ENV))
@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_missing_variable_is_named(name: str, how: str) -> None:
    env = dict(ENV)
    if how == "empty":
        env[name] = ""
    else:
        del env[name]
    with pytest.raises(ConfigError, match=name):
        ServeConfig.from_env(env)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("DATABASE_PORT", "70000"),
        ("DATABASE_PORT", "nan"),
        ("DATABASE_SSLMODE", "yes"),
        ("CACHE_URL", "cache:6379"),
        ("CACHE_URL", "redis://:secret@cache:6379"),
        ("SLOW_START_SECONDS", "-1"),
    ],
)
def test_an_unusable_value_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as error:
        ServeConfig.from_env({**ENV, name: value})
    assert "secret@" not in str(error.value)


def test_no_secret_is_shown() -> None:
    assert "hidden" not in repr(ServeConfig.from_env(ENV))
    assert "hidden" not in repr(DatabaseConfig.from_env(ENV))


def test_an_unknown_release_is_refused() -> None:
    with pytest.raises(ConfigError, match="LYO_RELEASE='v9'"):
        behaviour(ReleaseConfig("v9", "0001"))
