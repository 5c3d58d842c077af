"""A thousand restaurants that are registered: one changes, the verify token changes, Meta fails.

The whole way, with the application behind it: tests/runbooks/test_8_webhooks_at_scale.py.
"""

from __future__ import annotations

import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from graphdouble.client import DoubleClient
from localcloud.certificates import CertificateAuthority
from tests.graphdouble.receiver import receiving
from tests.webhooks.harness import VERIFY_TOKEN, Registrar

TENANTS = 1000
# Messages a second while something changes.
RATE = 50.0


@pytest.fixture(scope="module")
def thousand(
    double_process: tuple[DoubleClient, Path],
    authority: CertificateAuthority,
    server_tls: ssl.SSLContext,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Registrar]:
    double = double_process[0]
    double.reset()
    seeded = double.seed(TENANTS)
    folder = tmp_path_factory.mktemp("thousand")
    with (
        receiving(tls=server_tls, secret=seeded["app"]["secret"]) as receiver,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        made = Registrar(double, receiver, seeded, folder, authority.bundle, monkeypatch)
        double.out_of_band(made.url, fields=["messages"])
        double.out_of_band(made.url, accounts=made.accounts.values())
        made.options["prove"] = "none"
        # Calls that failed wait, so that it takes many at once to be done soon.
        made.options["graph"] = {**made.options["graph"], "concurrency": 48, "attempts": 8}
        yield made


@contextmanager
def traffic(registrar: Registrar) -> Iterator[None]:
    """Messages to every restaurant meanwhile: none is refused, lost, or without a way."""
    registrar.double.deliver(rate=RATE, timeout=30)
    yield
    report = registrar.double.stop_delivery(drain=20)
    assert report["sent"] > RATE
    troubles = ("refused", "unanswered", "unrouted", "lost", "pending")
    assert {name: report[name] for name in troubles} == dict.fromkeys(troubles, 0)
    assert report["delivered"] == report["sent"]


def operations(registrar: Registrar, since: int = 0) -> Counter[str]:
    """Writes that took effect, by operation."""
    return Counter(call["operation"] for call in registrar.written(since) if call["took_effect"])


def last_call(registrar: Registrar) -> int:
    return int(registrar.double.calls()[-1]["number"])


def test_a_change_of_one_restaurant_writes_that_one(thousand: Registrar) -> None:
    thousand.rows[500]["url"] = thousand.receiver.url("elsewhere")
    thousand.begun()
    assert [call["object_id"] for call in thousand.written()] == [thousand.accounts["t500"]]
    del thousand.rows[500]["url"]
    thousand.double.out_of_band(thousand.url, account=thousand.accounts["t500"])


def test_a_rotation_of_the_verify_token_under_traffic(thousand: Registrar) -> None:
    since = last_call(thousand)
    thousand.double.watch(thousand.url)
    with traffic(thousand):
        thousand.receiver.verify_tokens = {"new-verify-token", VERIFY_TOKEN}
        thousand.set_app(f"new-verify-token {VERIFY_TOKEN}")
        thousand.begun(token_version="2")
        thousand.receiver.verify_tokens = {"new-verify-token"}
        thousand.set_app("new-verify-token")
        assert thousand.begun(token_version="2")["verdict"] == "UNCHANGED"
    assert operations(thousand, since) == {
        "POST /{app-id}/subscriptions": 1,
        "POST /{waba-id}/subscribed_apps": TENANTS,
    }
    assert thousand.receiver.refused_handshakes == 0
    assert thousand.double.gaps() == []


@pytest.mark.parametrize("seed", [11])
def test_with_a_third_of_all_calls_failing(thousand: Registrar, seed: int) -> None:
    new = thousand.receiver.url(f"seed-{seed}")
    options: dict[str, Any] = {"callback_url": new, "token_version": "2"}
    # Each failed call waits a little: fewer say the same.
    del thousand.rows[300:]
    accounts = [row["waba_id"] for row in thousand.rows]
    thousand.double.watch(thousand.url, new, accounts=accounts)
    thousand.double.faults(
        {"action": "error", "rate": 0.14, "when": "either"},
        {"action": "cut", "rate": 0.14, "when": "either"},
        {"action": "throttle", "rate": 0.02},
        seed=seed,
    )
    try:
        runs = 1
        while not (good := thousand.run(**options)[0]) and runs < 6:
            runs += 1
        fired = thousand.double.fired()
    finally:
        thousand.double.faults()
    assert good, f"{runs} runs did not converge"
    assert len(fired) == 5
    assert list(thousand.routes().values()).count(new) == len(accounts)
    assert thousand.double.gaps() == []
    assert thousand.begun(**options)["verdict"] == "UNCHANGED"
