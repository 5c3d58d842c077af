from __future__ import annotations

import io
import json
from dataclasses import asdict
from typing import Any

import pytest
from ansible.module_utils.lyo_webhooks import rotate as r
from ansible.module_utils.lyo_webhooks.decide import token_mark
from ansible.module_utils.lyo_webhooks.record import Registered

from .fakes import Ended, FakeAws, FakeModule, ended, failure

SECRET = {"app_id": "900", "app_secret": "the-app-secret", "access_token": "EAA"}
NEW, OLD = "the-new-token", "the-old-token"


def note(*, complete: bool = True, restored: str = "", **marks: str) -> Registered:
    known = {name.replace("app", ""): token_mark("the-app-secret", t) for name, t in marks.items()}
    return Registered("https://x", "v26.0", "1", "now", complete, known, [], restored)


def run(
    monkeypatch: pytest.MonkeyPatch,
    state: str,
    tokens: str,
    registered: Registered | None = None,
    *,
    check_mode: bool = False,
) -> tuple[Ended, list[dict[str, Any]]]:
    body = json.dumps(asdict(registered)).encode() if registered else b""
    aws = FakeAws(
        get_secret_value={"SecretString": json.dumps({**SECRET, "verify_token": tokens})},
        put_secret_value={},
        get_object={"Body": io.BytesIO(body)} if registered else failure("NoSuchKey"),
    )
    monkeypatch.setattr(r, "Aws", lambda _: aws)
    params = {"aws": {}, "secret": "lyo/whatsapp", "state": state, "next": ["deploy"],
              "store": {"bucket": "b", "prefix": "webhooks/"}}  # fmt: skip
    done = ended(r.run, FakeModule(params, check_mode))
    written = [json.loads(call["SecretString"]) for call in aws.named("put_secret_value")]
    shown = json.dumps(done.answer)
    assert not [t for w in written for t in w["verify_token"].split() if t in shown]
    return done, written


def test_a_new_token_comes_before_the_present_one(monkeypatch: pytest.MonkeyPatch) -> None:
    done, written = run(monkeypatch, "begin", OLD)
    new, old = written[0]["verify_token"].split()
    assert (old, len(new) >= 40) == (OLD, True)
    assert {k: v for k, v in written[0].items() if k != "verify_token"} == SECRET
    assert done.answer["tokens"] == 2
    assert done.answer["lyo_summary"]["next"] == ["deploy"]


def test_a_change_under_way_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    done, written = run(monkeypatch, "begin", f"{NEW} {OLD}")
    assert not done.answer["changed"]
    assert written == []


def test_the_former_token_goes_when_the_new_one_is_registered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done, written = run(monkeypatch, "end", f"{NEW} {OLD}", note(app=NEW, mario=NEW))
    assert done.answer["changed"]
    assert written[0]["verify_token"] == NEW
    done, written = run(monkeypatch, "end", NEW)
    assert not done.answer["changed"]
    assert written == []


@pytest.mark.parametrize(
    ("registered", "why"),
    [
        (None, "nothing is registered"),
        (note(app=NEW, mario=OLD), "the former token for mario"),
        (note(app=OLD, mario=NEW), "the former token for the app"),
        (note(complete=False, app=NEW), "not complete"),
        (note(restored="webhooks/before/x", app=NEW), "brought back"),
    ],
)
def test_the_former_token_stays_while_it_is_needed(
    monkeypatch: pytest.MonkeyPatch, registered: Registered | None, why: str
) -> None:
    done, written = run(monkeypatch, "end", f"{NEW} {OLD}", registered)
    assert done.failed
    assert why in str(done)
    assert written == []


def test_check_mode_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    done, written = run(monkeypatch, "begin", OLD, check_mode=True)
    assert done.answer["changed"]
    assert written == []


def test_a_secret_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    done, _ = run(monkeypatch, "begin", "")
    assert done.failed
    assert "is not JSON with" in str(done)
