"""Configuration, from the environment only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


class ConfigError(Exception):
    """The environment lacks a variable or holds a value that cannot be used."""


def _required(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise ConfigError(f"environment variable {name} is missing or empty")
    return value


def _tokens(text: str) -> tuple[str, ...]:
    tokens = tuple(text.split())
    if not tokens:
        raise ConfigError("WHATSAPP_VERIFY_TOKEN holds no token")
    return tokens


def _number(env: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    text = env.get(name) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ConfigError(f"{name}={text!r} must be a number from {low:g} to {high:g}")
    return value


@dataclass(frozen=True)
class ReleaseConfig:
    """What the image was built as: LYO_RELEASE and LYO_SCHEMA_REVISION (baked into the image)."""

    name: str
    schema_revision: str

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ReleaseConfig:
        """Read the release; ConfigError names a missing variable."""
        return cls(_required(env, "LYO_RELEASE"), _required(env, "LYO_SCHEMA_REVISION"))


@dataclass(frozen=True)
class DatabaseConfig:
    """DATABASE_HOST, _PORT (5432), _NAME, _USER, _PASSWORD and _SSLMODE (`require`)."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "require"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> DatabaseConfig:
        """Read the database's address and credentials; ConfigError names what is wrong."""
        sslmode = env.get("DATABASE_SSLMODE") or "require"
        if sslmode not in SSL_MODES:
            raise ConfigError(f"DATABASE_SSLMODE={sslmode!r} is none of {', '.join(SSL_MODES)}")
        return cls(
            host=_required(env, "DATABASE_HOST"),
            port=int(_number(env, "DATABASE_PORT", 5432, 1, 65535)),
            name=_required(env, "DATABASE_NAME"),
            user=_required(env, "DATABASE_USER"),
            password=_required(env, "DATABASE_PASSWORD"),
            sslmode=sslmode,
        )

    def connect_args(self, application: str) -> dict[str, str | int]:
        """Arguments of libpq, with time-outs (s, ms) that notice a dead server in seconds.

        https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
        """
        return {
            "host": self.host,
            "port": self.port,
            "dbname": self.name,
            "user": self.user,
            "password": self.password,
            "sslmode": self.sslmode,
            "application_name": application,
            "connect_timeout": 2,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 8000,
        }


@dataclass(frozen=True)
class ServeConfig:
    """Everything `serve` needs. HOST defaults to 0.0.0.0 and PORT to 8080."""

    host: str
    port: int
    release: ReleaseConfig
    database: DatabaseConfig
    cache_url: str
    cache_auth_token: str = field(repr=False)
    # The present one, then those that still count while it is being changed.
    verify_tokens: tuple[str, ...] = field(repr=False)
    app_secret: str = field(repr=False)
    slow_start_seconds: float = 6.0

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ServeConfig:
        """Read all of it; ConfigError names the first variable that is missing or unusable."""
        cache_url = _required(env, "CACHE_URL")
        cache = urlsplit(cache_url)
        if cache.scheme not in ("redis", "rediss", "valkey", "valkeys") or not cache.hostname:
            raise ConfigError("CACHE_URL must look like redis://host:6379/0 (rediss:// for TLS)")
        if cache.password:
            raise ConfigError("CACHE_URL must not hold a password: it belongs in CACHE_AUTH_TOKEN")
        return cls(
            host=env.get("HOST") or "0.0.0.0",  # noqa: S104 - a container's own address
            port=int(_number(env, "PORT", 8080, 1, 65535)),
            release=ReleaseConfig.from_env(env),
            database=DatabaseConfig.from_env(env),
            cache_url=cache_url,
            cache_auth_token=_required(env, "CACHE_AUTH_TOKEN"),
            verify_tokens=_tokens(_required(env, "WHATSAPP_VERIFY_TOKEN")),
            app_secret=_required(env, "WHATSAPP_APP_SECRET"),
            slow_start_seconds=_number(env, "SLOW_START_SECONDS", 6, 0, 600),
        )
