from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_webhooks import handover, prove, report
from ansible.module_utils.lyo_webhooks import record as r
from ansible.module_utils.lyo_webhooks.decide import Step
from ansible.module_utils.lyo_webhooks.errors import GraphError
from ansible.module_utils.lyo_webhooks.graph import Counts
from ansible.module_utils.lyo_webhooks.plan import FAILED, Outcome
from ansible.module_utils.lyo_webhooks.secrets import (
    SecretProblemsError,
    Vault,
    app_secret,
    tenant_tokens,
)
from ansible.module_utils.lyo_webhooks.state import AppFound, Found, Subscribed
from ansible.module_utils.lyo_webhooks.tenants import Tenant, TokenReference

from .fakes import Clock, FakeAws, failure

URL = "https://api.example/webhook"
FOUND = Found((Subscribed("900", "Lyo", URL),), {"200001": ""})
KEPT = r.Kept(
    "2026-11-27T09:00:00.000+00:00", "900", "v26.0", AppFound(URL, ("messages",), True),
    {"da-mario": "100001"}, {"da-mario": FOUND},
)  # fmt: skip


class S3(FakeAws):
    """A bucket."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        super().__init__(put_object=self.put, get_object=self.fetch)

    def put(self, params: dict[str, Any]) -> dict[str, Any]:
        self.objects[params["Key"]] = params["Body"]
        return {}

    def fetch(self, params: dict[str, Any]) -> Any:
        if params["Key"] not in self.objects:
            return failure("NoSuchKey")
        return {"Body": Body(self.objects[params["Key"]])}


class Body(io.BytesIO):
    def __deepcopy__(self, _: Any) -> Body:
        return self


def store(aws: S3, key: str | None = None) -> r.Store:
    return r.Store(aws, "state", "webhooks/", key)  # type: ignore[arg-type]


def test_what_is_kept_comes_back_and_is_encrypted() -> None:
    aws = S3()
    key = store(aws).keep(KEPT, goes_on=False)
    assert key == "webhooks/before/2026-11/2026-11-27T090000.000Z.json"
    for name in (key, "last", key.removeprefix("webhooks/before/")):
        assert store(aws).kept(name) == KEPT
    puts = aws.named("put_object")
    assert all(put["ServerSideEncryption"] == "aws:kms" for put in puts)
    assert all("SSEKMSKeyId" not in put for put in puts)
    store(aws, "arn:key").keep(KEPT, goes_on=False)
    assert aws.named("put_object")[-1]["SSEKMSKeyId"] == "arn:key"


def test_a_run_that_goes_on_keeps_what_was_before_the_change_began() -> None:
    aws = S3()
    store(aws).keep(KEPT, goes_on=False)
    later = r.Kept(
        "2026-11-27T10:00:00.000+00:00", "900", "v26.0", AppFound(),
        {"da-mario": "100001", "il-faro": "100002"}, {"da-mario": Found(), "il-faro": FOUND},
    )  # fmt: skip
    key = store(aws).keep(later, goes_on=True)
    merged = store(aws).kept("last")
    assert merged == store(aws).kept(key)
    assert merged.app == KEPT.app
    assert merged.found == {"da-mario": FOUND, "il-faro": FOUND}
    assert merged.accounts == later.accounts
    assert len(aws.objects) == 3


def test_a_run_that_goes_on_without_a_record_keeps_what_it_found() -> None:
    aws = S3()
    store(aws).keep(KEPT, goes_on=True)
    assert store(aws).kept("last") == KEPT


def test_records_that_are_none() -> None:
    aws = S3()
    with pytest.raises(r.RecordError, match="nothing was kept yet"):
        store(aws).kept("last")
    with pytest.raises(r.RecordError, match="there is no record webhooks/before/x"):
        store(aws).kept("x")
    aws.objects["webhooks/before/x"] = b"[]"
    with pytest.raises(r.RecordError, match="not a kept registration"):
        store(aws).kept("x")


def test_what_was_registered_comes_back_or_counts_as_unknown() -> None:
    aws = S3()
    assert store(aws).registered() is None
    note = r.Registered(URL, "v26.0", "1", "now", True, {"": "mark"}, [], "")
    store(aws).register(note)
    assert store(aws).registered() == note
    aws.objects["webhooks/registered.json"] = b"{"
    assert store(aws).registered() is None


def test_other_failures_of_the_bucket_are_not_taken_for_no_record() -> None:
    with pytest.raises(Exception, match="refused"):
        r.Store(FakeAws(get_object=failure("AccessDenied")), "b", "webhooks/").registered()  # type: ignore[arg-type]


# Secrets.


def vault(values: dict[str, str], pages: int = 1) -> tuple[Vault, FakeAws]:
    def answer(params: dict[str, Any]) -> dict[str, Any]:
        names = params["SecretIdList"]
        known = [n for n in names if n in values]
        content: dict[str, Any] = {
            "SecretValues": [
                {"Name": n, "ARN": f"arn:{n}", "SecretString": values[n]} for n in known
            ],
            "Errors": [
                {"SecretId": n, "ErrorCode": "ResourceNotFoundException"}
                for n in names
                if n not in values
            ],
        }
        if pages > 1 and "NextToken" not in params:
            content = {**content, "SecretValues": [], "NextToken": "more"}
        return content

    aws = FakeAws(batch_get_secret_value=answer)
    aws.writes = 0
    return Vault(aws), aws  # type: ignore[arg-type]


APP = json.dumps({"app_id": "900", "app_secret": "s" * 32, "verify_token": "new old"})


def test_the_apps_secret() -> None:
    app = app_secret(vault({"lyo": APP}, pages=2)[0], "lyo")
    assert (app.id, app.verify_tokens, app.token) == ("900", ("new", "old"), f"900|{'s' * 32}")
    assert "s" * 32 not in repr(app)
    assert "new" not in repr(app)


@pytest.mark.parametrize("key", ["app_id", "app_secret", "verify_token"])
def test_a_part_of_the_apps_secret_is_missing(key: str) -> None:
    content = {k: v for k, v in json.loads(APP).items() if k != key}
    with pytest.raises(SecretProblemsError, match=f"no key {key}"):
        app_secret(vault({"lyo": json.dumps(content)})[0], "lyo")


def test_the_apps_secret_is_not_there_or_no_number() -> None:
    with pytest.raises(SecretProblemsError, match="cannot be read"):
        app_secret(vault({})[0], "lyo")
    with pytest.raises(SecretProblemsError, match="numeric"):
        app_secret(vault({"lyo": APP.replace("900", "abc")})[0], "lyo")


def test_tokens_of_many_tenants_take_few_calls() -> None:
    values = {f"tokens-{n}": json.dumps({"k": f"token {n}"}) for n in range(45)}
    values["shared"] = "the shared one"
    reader, aws = vault(values)
    tenants = [Tenant(f"t{n}", "1", ("2",), TokenReference(f"tokens-{n}", "k")) for n in range(45)]
    tenants += [Tenant("plain", "1", ("2",)), Tenant("gone", "1", ("2",), TokenReference("none"))]
    tenants += [Tenant("keyless", "1", ("2",), TokenReference("tokens-1", "other"))]
    tokens, problems = tenant_tokens(reader, tenants, TokenReference("shared"))
    assert tokens["t44"] == "token 44"
    assert tokens["plain"] == "the shared one"
    assert set(problems) == {"gone", "keyless"}
    assert "no key other" in problems["keyless"]
    assert [len(call["SecretIdList"]) for call in aws.named("batch_get_secret_value")] == [
        20,
        20,
        7,
    ]


# From the reading task to the writing one.


def test_what_was_read_is_handed_over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(handover.FOLDER_VARIABLE, str(tmp_path))
    error = GraphError(190, "expired", subcode=463, status=401, trace="T")
    handover.leave("key", KEPT.app, {"da-mario": FOUND}, {"il-faro": error})
    file = tmp_path / handover.NAME
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    taken = handover.take("key")
    assert taken is not None
    app, found, failures = taken
    assert (app, found) == (KEPT.app, {"da-mario": FOUND})
    assert vars(failures["il-faro"]) == vars(error)
    assert handover.take("key") is None


def test_what_is_old_or_of_something_else_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(handover.FOLDER_VARIABLE, str(tmp_path))
    handover.leave("other", KEPT.app, {}, {})
    assert handover.take("key") is None
    handover.leave("key", KEPT.app, {}, {})
    os.utime(tmp_path / handover.NAME, (0, 0))
    assert handover.take("key") is None
    monkeypatch.delenv(handover.FOLDER_VARIABLE)
    handover.leave("key", KEPT.app, {}, {})
    assert handover.take("key") is None


# The proof.

MARIO = Tenant("da-mario", "100001", ("200001",))


def event(probe: str, tenant: object) -> dict[str, str]:
    return {"message": json.dumps({"event": "webhook probe", "probe": probe, "tenant": tenant})}


def probes(monkeypatch: pytest.MonkeyPatch, *statuses: Any) -> tuple[prove.Probes, list[Any]]:
    left, sent = list(statuses), []

    def send(request: Any, *_: Any) -> tuple[int, bytes]:
        sent.append(request)
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer, b""

    monkeypatch.setattr(prove, "send", send)
    clock = Clock()
    return prove.Probes("app-secret", None, clock.sleep, clock), sent


def test_a_signed_message_is_sent_for_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sent = probes(monkeypatch, 200)
    assert made.send([(MARIO, URL)], 1) == {}
    body = json.loads(sent[0].body)
    value = body["entry"][0]["changes"][0]["value"]
    assert value["metadata"]["phone_number_id"] == "200001"
    assert value["messages"][0]["type"] == prove.PROBE_TYPE
    assert sent[0].headers["X-Hub-Signature-256"].startswith("sha256=")


def test_a_refused_message_is_told_after_three_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    made, sent = probes(monkeypatch, 403)
    assert "got status 403" in made.send([(MARIO, URL)], 1)["da-mario"]
    assert len(sent) == 3
    made, _ = probes(monkeypatch, OSError("refused"), 503, 200)
    assert made.send([(MARIO, URL)], 1) == {}


@pytest.mark.parametrize(
    ("tenant", "wrong"),
    [("da-mario", ""), ("il-faro", "number 200001 is il-faro's"), (None, "is nobody's")],
)
def test_the_message_has_to_be_in_the_log_for_its_tenant(
    monkeypatch: pytest.MonkeyPatch, tenant: str | None, wrong: str
) -> None:
    made, _ = probes(monkeypatch, 200)
    made.send([(MARIO, URL)], 1)
    message = next(iter(made.sent))
    aws = FakeAws(
        filter_log_events=[
            {"events": [{"message": "plain text"}, event("lyo-probe.other.0", "x")]},
            {"events": [event(message, tenant)]},
        ]
    )
    found = made.arrived(aws, "/lyo/app", 30)  # type: ignore[arg-type]
    assert wrong in found.get("da-mario", "")
    assert bool(found) == bool(wrong)
    assert made.run in aws.calls[0][1]["filterPattern"]


def test_a_message_that_does_not_arrive_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = probes(monkeypatch, 200)
    made.send([(MARIO, URL)], 1)
    found = made.arrived(FakeAws(filter_log_events={"events": []}), "/lyo/app", 5)  # type: ignore[arg-type]
    assert "not in /lyo/app after 5 s" in found["da-mario"]


# The end of the run.

OUTCOMES = {
    "a": Outcome("unchanged"),
    "b": Outcome(FAILED, "190", "(190) expired", "make a new one"),
    "c": Outcome(FAILED, "2200", "(2200) no answer", "see"),
}
ROUTES = [
    {"tenant": "a", "waba_id": "1", "phone_number_id": "2", "level": "account", "url": URL},
    {"tenant": "b", "waba_id": "3", "phone_number_id": "4", "level": "none", "url": ""},
]


def test_the_table_counts_and_names_no_more_than_it_may() -> None:
    lines = report.table(OUTCOMES, ROUTES, Counts(10, 2, 1, 1), 2.0, limit=1)
    text = "\n".join(lines)
    assert "webhooks of 3 tenants, 2 numbers" in text
    assert "failed (190)" in text
    assert "routes by level: account 1, none 1" in text
    assert "10 calls to Meta, 2 of them writes" in text
    assert "! b: (190) expired: make a new one" in lines
    assert "! and 1 more, see the whole report" in lines
    assert not any(line.startswith("! c") for line in lines)


def test_the_whole_report_has_everybody() -> None:
    rows = report.whole(OUTCOMES, ROUTES).splitlines()
    assert rows[0].startswith("tenant,waba_id,phone_number_id,level,url,outcome,code,message")
    assert [row.split(",")[0] for row in rows[1:]] == ["a", "b", "c"]
    assert "make a new one" in rows[2]


def test_a_prediction_names_writes_and_reasons() -> None:
    app = Step("set_app", "900", URL, "the app has no subscription")
    steps = {
        "a": [Step("subscribe", "1", "", "not subscribed"), Step("override_account", "1", URL, "x")]
    }
    lines = report.predicted(app, steps, 10)
    assert lines[0] == f"app 900: set_app {URL}, for the app has no subscription"
    assert lines[1] == "a: subscribe 1, for not subscribed"
    assert report.predicted(app, steps, 2)[-1] == "and 1 more writes"
