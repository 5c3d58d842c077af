"""From Envoy's hosts and events to the API's target health."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.session import get_session

from localcloud.dataplane.envoy import health
from localcloud.dataplane.envoy.health import CheckHistory, Checks, Host, hosts, target_health

KEY = ("127.1.16.1", 8080)


def host(*, failed: bool = False, pending: bool = False, draining: bool = False) -> Host:
    return Host(failed, pending, draining, 0)


@pytest.mark.parametrize(
    ("seen", "checks", "state", "reason"),
    [
        (None, Checks(), "initial", "Elb.RegistrationInProgress"),
        (host(failed=True, pending=True), Checks(), "initial", "Elb.RegistrationInProgress"),
        (
            host(failed=True),
            Checks(failures=1, last_failure="NETWORK"),
            "initial",
            "Elb.InitialHealthChecking",
        ),
        (host(), Checks(healthy_once=True), "healthy", None),
        (
            host(failed=True),
            Checks(failures=2, last_failure="NETWORK"),
            "unhealthy",
            "Target.FailedHealthChecks",
        ),
        (
            host(failed=True),
            Checks(failures=2, last_failure="NETWORK_TIMEOUT"),
            "unhealthy",
            "Target.Timeout",
        ),
        (
            host(failed=True),
            Checks(failures=9, last_failure="ACTIVE", code=500),
            "unhealthy",
            "Target.ResponseCodeMismatch",
        ),
        (
            host(failed=True),
            Checks(failures=1, healthy_once=True, last_failure="NETWORK"),
            "unhealthy",
            "Target.FailedHealthChecks",
        ),
        (
            host(failed=True, draining=True),
            Checks(),
            "draining",
            "Target.DeregistrationInProgress",
        ),
    ],
)
def test_states(seen: Host | None, checks: Checks, state: str, reason: str | None) -> None:
    found = target_health(seen, checks, unhealthy_threshold=2)
    assert (found.state, found.reason) == (state, reason)
    assert (found.description is None) is (state == "healthy")


def test_the_code_is_in_the_description() -> None:
    checks = Checks(failures=2, last_failure="ACTIVE", code=503)
    found = target_health(host(failed=True), checks, 2)
    assert found.description == "Health checks failed with these codes: [503]"


def test_every_state_and_reason_is_one_of_the_apis() -> None:
    shape: Any = get_session().get_service_model("elbv2").shape_for("TargetHealth")
    states = set(shape.members["State"].enum)
    reasons = set(shape.members["Reason"].enum)
    made = [
        health.REGISTERING,
        health.CHECKING,
        health.HEALTHY,
        health.DRAINING,
        health.NOT_IN_USE,
        health.NOT_REGISTERED,
        health.UNKNOWN,
        *(
            target_health(host(failed=True), Checks(9, last_failure=failure), 2)
            for failure in ("ACTIVE", "NETWORK", "NETWORK_TIMEOUT")
        ),
    ]
    assert {found.state for found in made} <= states
    assert {found.reason for found in made if found.reason} <= reasons


def event(**what: Any) -> str:
    return json.dumps(
        {
            "cluster_name": "blue",
            "host": {"socket_address": {"address": KEY[0], "port_value": KEY[1]}},
            **what,
        }
    )


def test_history_counts_failures_until_the_target_is_healthy() -> None:
    history = CheckHistory()
    failed = {"failure_type": "ACTIVE", "http_status_code": 500}
    history.read([event(health_check_failure_event=failed)] * 2)
    assert history.of("blue", KEY) == Checks(2, last_failure="ACTIVE", code=500)
    history.read([event(add_healthy_event={"first_check": False})])
    assert history.of("blue", KEY).failures == 0
    assert history.of("blue", KEY).healthy_once
    history.forget("blue", KEY)
    assert history.of("blue", KEY) == Checks()
    assert history.of("blue", ("127.1.16.2", 8080)) == Checks()


def test_hosts_are_read_from_the_clusters_page() -> None:
    page = {
        "cluster_statuses": [
            {
                "name": "blue",
                "host_statuses": [
                    {
                        "address": {"socket_address": {"address": KEY[0], "port_value": KEY[1]}},
                        "stats": [
                            {"name": "rq_active", "type": "GAUGE", "value": "3"},
                            {"name": "rq_total", "value": "9"},
                        ],
                        "health_status": {
                            "failed_active_health_check": True,
                            "pending_active_hc": True,
                            "eds_health_status": "DRAINING",
                        },
                    }
                ],
            },
            {"name": "empty"},
        ]
    }
    assert hosts(page) == {"blue": {KEY: Host(True, True, True, 3)}, "empty": {}}
