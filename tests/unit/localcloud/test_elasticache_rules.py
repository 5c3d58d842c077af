"""Rules of the ElastiCache API and of Valkey's configuration that need no server."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.api import AwsError
from localcloud.dataplane import valkey
from localcloud.services.elasticache import parameters
from localcloud.services.elasticache.groups import resolve_version
from localcloud.services.elasticache.replication import ReplicationApi, check_token
from localcloud.services.elasticache.state import ParameterGroup

SETTINGS = {"maxmemory-policy": "noeviction", "timeout": "0", "databases": "16", "bind": "*"}


def test_a_token_is_in_the_configuration_as_its_hash_only() -> None:
    text = valkey.render("127.9.3.1", 6379, ["the-first-token-here"], "adminsecret", {})
    assert "the-first-token-here" not in text
    assert "adminsecret" not in text
    assert "user default on #" in text


def test_without_token_everybody_comes_in() -> None:
    assert "user default on nopass" in valkey.render("127.9.3.1", 6379, [], "x", {})


def test_what_elasticache_restricts_is_denied() -> None:
    line = valkey.user_line([])
    assert {"-config", "-debug", "-replicaof", "-acl|setuser"} <= set(line.split())


def test_parameters_do_not_reach_what_is_ours_and_cannot_add_a_line() -> None:
    text = valkey.render("127.9.3.1", 6379, [], "x", {"bind": "0.0.0.0", "timeout": "5"})  # noqa: S104
    assert 'bind "127.9.3.1"' in text
    assert "0.0.0.0" not in text  # noqa: S104
    assert 'timeout "5"' in text
    with pytest.raises(ValueError, match="timeout"):
        valkey.render("127.9.3.1", 6379, [], "x", {"timeout": '1"\nbind "0.0.0.0'})


@pytest.mark.parametrize(
    ("name", "value"), [("maxmemory-policy", "allkeys-lru"), ("timeout", "0"), ("timeout", "20")]
)
def test_possible_values_are_accepted(name: str, value: str) -> None:
    parameters.check(SETTINGS, name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("maxmemory-policy", "lru"), ("timeout", "5"), ("timeout", "x"), ("bind", "*"), ("nope", "1")],
)
def test_impossible_values_are_refused(name: str, value: str) -> None:
    with pytest.raises(AwsError) as caught:
        parameters.check(SETTINGS, name, value)
    assert caught.value.code == "InvalidParameterValue"


def test_described_parameters_tell_who_set_them_and_when_they_take_effect() -> None:
    group = ParameterGroup("g", "valkey8", "", values={"databases": "32"})
    shown = {one["ParameterName"]: one for one in parameters.described(SETTINGS, group)}
    assert shown["databases"]["Source"] == "user"
    assert shown["databases"]["ParameterValue"] == "32"
    assert shown["databases"]["ChangeType"] == "requires-reboot"
    assert shown["maxmemory-policy"]["ParameterValue"] == "volatile-lru"
    assert "bind" not in shown


def test_versions_belong_to_families() -> None:
    assert resolve_version("valkey", "8.1") == ("8.1.0", "valkey8")
    assert resolve_version("valkey", "8.1.0") == ("8.1.0", "valkey8")
    assert resolve_version("redis", None) == ("7.1.0", "redis7")
    for engine, version in (("valkey", "5.0"), ("memcached", None)):
        with pytest.raises(AwsError):
            resolve_version(engine, version)


@pytest.mark.parametrize(
    "token", ["short", "x" * 129, "with space and more", 'with"quote"and"more']
)
def test_tokens_follow_elasticache_rules(token: str) -> None:
    with pytest.raises(AwsError):
        check_token(token)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"NumCacheClusters": 2}, "NotImplemented"),
        ({"NumNodeGroups": 2}, "NotImplemented"),
        ({"TransitEncryptionEnabled": True}, "NotImplemented"),
        ({"UserGroupIds": ["g"]}, "NotImplemented"),
        ({"AutomaticFailoverEnabled": True}, "InvalidParameterCombination"),
    ],
)
def test_what_the_local_cloud_lacks_is_refused(params: dict[str, Any], code: str) -> None:
    with pytest.raises(AwsError) as caught:
        ReplicationApi._check_creation(params)
    assert caught.value.code == code
