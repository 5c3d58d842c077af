"""Killed at any write, the next run converges, and no number is ever without a valid route."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, MutableMapping
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.webhooks.harness import Registrar

# The child only calls Meta; what other threads of the tests hold is of no use to it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:This process .* is multi-threaded:DeprecationWarning"
)

Options = dict[str, Any]
RUN_SECONDS = 120.0
LAST = "webhooks/before/last"


class Bucket(MutableMapping[str, bytes]):
    """Objects in a folder: they outlive the process that has put them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, key: str) -> Path:
        return self._folder / quote(key, safe="")

    def __getitem__(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise KeyError(key) from None

    def __setitem__(self, key: str, body: bytes) -> None:
        # Whole or not at all, as S3 stores it.
        temporary = self._folder / ".put"
        temporary.write_bytes(body)
        temporary.replace(self._path(key))

    def __delitem__(self, key: str) -> None:
        self._path(key).unlink()

    def __iter__(self) -> Iterator[str]:
        return (unquote(path.name) for path in self._folder.iterdir() if path.name != ".put")

    def __len__(self) -> int:
        return sum(1 for _ in self)


@pytest.fixture
def mortal(registrar: Registrar, tmp_path: Path) -> Registrar:
    """Two tenants, whose runs leave behind what a killed process leaves."""
    folder = tmp_path / "bucket"
    folder.mkdir()
    registrar.cloud.objects = Bucket(folder)  # type: ignore[assignment]
    del registrar.rows[2:]
    registrar.options["prove"] = "none"
    return registrar


def killed(registrar: Registrar, nth: int, when: str, **options: Any) -> bool:
    """Run in another process and kill it at its nth write; whether it came so far."""
    double = registrar.double
    double.faults({"action": "hold", "when": when, "kind": "write", "nth": nth})
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if registrar.run(**options)[0] else 1
        finally:
            os._exit(code)
    deadline = time.monotonic() + RUN_SECONDS
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            double.faults()
            assert os.waitstatus_to_exitcode(status) == 0
            return False
        if double.wait_held(0.05):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            # What was held before its effect never has one: the caller is gone.
            double.release(drop=True)
            double.faults()
            return True
        assert time.monotonic() < deadline


def settled(registrar: Registrar, **options: Any) -> dict[str, Any]:
    """Run to the end, then again: there is nothing left. What Meta has then."""
    registrar.begun(**options)
    last = registrar.double.calls()[-1]["number"]
    assert registrar.begun(**options)["verdict"] in ("UNCHANGED", "RESTORED")
    assert registrar.written(last) == []
    return registrar.double.state()


def at(registrar: Registrar, level: str, path: str = "webhook") -> Options:
    return {"level": level, "callback_url": registrar.receiver.url(path)}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("level", ["account", "number"])
def test_a_first_registration_is_finished_by_the_next_run(
    mortal: Registrar, level: str, when: str
) -> None:
    accounts = list(mortal.accounts.values())
    wanted, reached = at(mortal, level), 0
    for nth in count(1):
        mortal.double.out_of_band(None, fields=[])
        mortal.double.out_of_band(None, accounts=accounts)
        for numbers in mortal.numbers.values():
            for number in numbers:
                mortal.double.out_of_band("", number=number)
        mortal.cloud.objects.clear()
        came_so_far = killed(mortal, nth, when, **wanted)
        settled(mortal, **wanted)
        for name in ("t0", "t1"):
            for number in mortal.numbers[name]:
                assert mortal.routes()[number] == wanted["callback_url"]
        if not came_so_far:
            break
        reached = nth
    # The app, and each account: refused, subscribed, and the URL of it or of both numbers.
    assert reached == {"account": 1 + 2 * 3, "number": 1 + 2 * 4}[level]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("old", "new"),
    [("account", "account"), ("account", "number"), ("account", "app"), ("number", "app")],
)
def test_a_change_and_the_way_back_are_finished_without_a_gap(
    mortal: Registrar, old: str, new: str, when: str
) -> None:
    before, after = at(mortal, old, "old"), at(mortal, new)
    first = settled(mortal, **before)
    accounts = [mortal.accounts[name] for name in ("t0", "t1")]
    mortal.double.watch(before["callback_url"], after["callback_url"], accounts=accounts)
    reached = 0
    for nth in count(1):
        forth = killed(mortal, nth, when, **after)
        settled(mortal, **after)
        kept = mortal.cloud.objects[LAST].decode()
        back = killed(mortal, nth, when, **after, restore="last")
        if back:
            mortal.begun(**after, restore="last")
        assert mortal.double.state() == first
        assert settled(mortal, **after, restore=kept) == first
        assert mortal.double.gaps() == []
        if not (forth or back):
            break
        reached = nth
    assert reached >= 3


def test_an_account_that_only_seems_to_be_unsubscribed_keeps_its_override(
    mortal: Registrar,
) -> None:
    elsewhere = mortal.receiver.url("elsewhere")
    for row in mortal.rows:
        row["url"] = elsewhere
    mortal.begun()
    accounts = [mortal.accounts[name] for name in ("t0", "t1")]
    mortal.double.watch(elsewhere, accounts=accounts)
    # Every other read says what was before all of it: that the app is subscribed nowhere.
    mortal.double.settings(lag=60.0, stale_rate=0.5)
    last = mortal.double.calls()[-1]["number"]
    for _ in range(3):
        mortal.run()
    assert {call["operation"] for call in mortal.written(last)} >= {
        "POST /{waba-id}/subscribed_apps"
    }
    assert mortal.double.gaps() == []


@pytest.mark.parametrize("dying", [LAST, "webhooks/registered.json"])
def test_a_restore_that_ends_before_its_first_write_is_begun_anew(
    mortal: Registrar, dying: str
) -> None:
    before, after = at(mortal, "account", "old"), at(mortal, "account")
    first = settled(mortal, **before)
    second = settled(mortal, **after)
    put = Bucket.__setitem__

    def dies(self: Bucket, key: str, body: bytes) -> None:
        put(self, key, body)
        if key == dying:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bucket, "__setitem__", dies)
        with pytest.raises(KeyboardInterrupt):
            mortal.run(**after, restore="last")
    assert mortal.double.state() == second
    mortal.begun(**after, restore="last")
    assert mortal.double.state() == first
    undone = mortal.cloud.objects[LAST].decode()
    mortal.begun(**after, restore=undone)
    assert mortal.double.state() == second
