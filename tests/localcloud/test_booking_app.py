"""The reference application as a process, against a real PostgreSQL and a real Valkey."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.load import Load, Mix
from tests.localcloud import booking_harness as harness
from tests.localcloud.booking_harness import Answer, Backend, Running, wait_for

MARIO = "390551000001"
GIULIA = "393331112223"
_ids = itertools.count(1)


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("booking")
    made = Backend(harness.Postgres(folder), harness.Valkey(folder), folder)
    try:
        made.postgres.start()
        made.valkey.start()
        yield made
    finally:
        made.valkey.stop()
        made.postgres.stop()


def notification(text: str, message_id: str, number: str = MARIO, wa_id: str = GIULIA) -> bytes:
    message = {"id": message_id, "from": wa_id, "type": "text", "text": {"body": text}}
    value = {"metadata": {"phone_number_id": number}, "messages": [message]}
    return json.dumps({"entry": [{"changes": [{"field": "messages", "value": value}]}]}).encode()


def sign(body: bytes, secret: str = harness.APP_SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def say(app: Running, text: str, message_id: str | None = None, **where: str) -> tuple[str, Answer]:
    message_id = message_id or f"wamid.{next(_ids)}"
    body = notification(text, message_id, **where)
    return message_id, app.post(body, sign(body))


def memory(app: Running, wa_id: str = GIULIA) -> Answer:
    return app.get(f"/tenants/da-mario/customers/{wa_id}", X_Lyo_Ops_Token=harness.VERIFY_TOKEN)


def reply(app: Running, text: str, wa_id: str = GIULIA) -> str:
    """Say something and return the answer to it."""
    message_id, answer = say(app, text, wa_id=wa_id)
    assert answer.status == 200

    def answered() -> str | None:
        last: dict[str, Any] | None = memory(app, wa_id).json().get("last_reply")
        return last["text"] if last and last["message_id"] == message_id else None

    return str(wait_for(f"a reply to {text!r}", answered))


def test_a_guest_books_and_is_remembered_after_restarts(backend: Backend) -> None:
    backend.prepare("memory")
    with Running(backend, "v1", "memory") as app:
        assert app.get("/health").json() == {
            "status": "ok",
            "database": "ok",
            "cache": "ok",
            "release": "v1",
        }
        assert app.get("/version").json() == {"release": "v1", "schema_revision": "0001"}
        assert app.get("/health").headers["access-control-allow-origin"] == "*"
        assert "Ciao Giulia!" in reply(app, "Mi chiamo Giulia")
        assert reply(app, "Vorrei un tavolo per domani") == "Per quante persone?"
        assert reply(app, "4") == "A che ora preferisci?"
        confirmation = reply(app, "20 e mezza o forse alle 20:30")
        assert "4 persone" in confirmation
        assert "alle 20:30" in confirmation
        assert app.terminate() == 0
        assert "Giulia" not in app.log
        assert GIULIA not in app.log
        for secret in (harness.PASSWORD, harness.CACHE_TOKEN, harness.APP_SECRET):
            assert secret not in app.log
    with Running(backend, "v1", "memory") as app:
        known = memory(app).json()
        assert (known["name"], known["party_size"]) == ("Giulia", 4)
        assert "Ciao Giulia!" in reply(app, "Buonasera")
        assert reply(app, "Un tavolo sabato alle 21") == "Siete in 4 come l'ultima volta?"
        assert "4 persone, sabato" in reply(app, "sì")
        assert reply(app, "annulla").count("annullata") == 1
    assert backend.rows("memory", "SELECT count(*) FROM inbox WHERE body IS NOT NULL") == [(0,)]
    assert backend.rows("memory", "SELECT count(*) FROM outbox WHERE sent_at IS NULL") == [(0,)]


def test_the_webhook_believes_only_meta(backend: Backend) -> None:
    backend.prepare("webhook")
    with Running(backend, "v1", "webhook") as app:
        right = (
            f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={harness.VERIFY_TOKEN}"
        )
        assert app.get(f"/webhook?{right}").body == b"1158201444"
        assert (
            app.get("/webhook?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x").status == 403
        )
        body = notification("Ciao", "wamid.forged")
        assert app.post(body, sign(body, "another secret")).status == 403
        assert app.post(body + b" ", sign(body)).status == 403
        assert harness.request(f"{app.url}/webhook", body).status == 403
        assert app.post(b"[]", sign(b"[]")).status == 400
        statuses = b'{"entry":[{"changes":[{"field":"messages","value":{"statuses":[{}]}}]}]}'
        assert app.post(statuses, sign(statuses)).status == 200
        assert app.get("/tenants/da-mario/customers/1", X_Lyo_Ops_Token="x").status == 403
        assert memory(app).status == 404
        assert backend.rows("webhook", "SELECT count(*) FROM inbox") == [(0,)]
        # Unknown number: kept, but nobody's; known: once, however often it is delivered.
        assert say(app, "Ciao", "wamid.stray", number="1")[1].status == 200
        for _ in range(3):
            assert say(app, "Mi chiamo Giulia", "wamid.twice")[1].status == 200
        wait_for("it is answered", lambda: memory(app).status == 200)
        rows = backend.rows("webhook", "SELECT message_id, tenant_id FROM inbox ORDER BY 1")
        assert rows == [("wamid.stray", None), ("wamid.twice", "da-mario")]
        assert backend.rows("webhook", "SELECT count(*) FROM outbox") == [(1,)]
        assert "no tenant has this number" in app.log


def test_a_probe_is_logged_with_its_tenant_and_changes_nothing(backend: Backend) -> None:
    backend.prepare("probe")
    with Running(backend, "v1", "probe") as app:
        body = json.loads(notification("", "lyo-probe.1"))
        value = body["entry"][0]["changes"][0]["value"]
        value["messages"] = [
            {"id": "lyo-probe.1", "from": "0", "type": "lyo_probe"},
            {"id": "wamid.beside", "from": GIULIA, "type": "text", "text": {"body": "Ciao"}},
        ]
        raw = json.dumps(body).encode()
        assert app.post(raw, sign(raw, "another secret")).status == 403
        assert app.post(raw, sign(raw)).status == 200
        wait_for("the message beside it is answered", lambda: memory(app).status == 200)
        value["metadata"]["phone_number_id"] = "1"
        value["messages"] = [{"id": "lyo-probe.2", "from": "0", "type": "lyo_probe"}]
        raw = json.dumps(body).encode()
        assert app.post(raw, sign(raw)).status == 200
        lines = [json.loads(line) for line in app.log.splitlines()]
        probes = {line["probe"]: line["tenant"] for line in lines if "probe" in line}
        assert probes == {"lyo-probe.1": "da-mario", "lyo-probe.2": None}
        assert backend.rows("probe", "SELECT message_id FROM inbox") == [("wamid.beside",)]
        assert backend.rows("probe", "SELECT wa_id FROM customers") == [(GIULIA,)]


def test_while_the_verify_token_is_changed_both_count(backend: Backend) -> None:
    backend.prepare("tokens")
    with Running(backend, "v1", "tokens", WHATSAPP_VERIFY_TOKEN="the-new-one the-old-one") as app:
        for token, status in (("the-new-one", 200), ("the-old-one", 200), ("the-new-one%20", 403),
                              ("the-new-one%20the-old-one", 403)):  # fmt: skip
            query = f"hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}"
            assert app.get(f"/webhook?{query}").status == status, token
        for token in ("the-new-one", "the-old-one"):
            answer = app.get(f"/tenants/da-mario/customers/{GIULIA}", X_Lyo_Ops_Token=token)
            assert answer.status == 404


def test_an_export_prints_rows_and_cannot_change_anything(backend: Backend) -> None:
    backend.prepare("export")
    query = "SELECT id, phone_number_id AS number FROM tenants ORDER BY id LIMIT 2"
    done = backend.run("v1", "export", "export", query)
    assert done.returncode == 0, done.stderr
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": "da-mario", "number": MARIO},
        {"id": "il-faro", "number": "390801000002"},
        {"rows": 2},
    ]
    for wrong, why in (("DELETE FROM bookings", "read-only"), ("SELECT nothing", "nothing")):
        done = backend.run("v1", "export", "export", wrong)
        assert (done.returncode, done.stdout) == (1, "")
        assert why in done.stderr


def test_the_smoke_check_as_a_command_says_what_is_wrong_and_leaves_no_trace(
    backend: Backend,
) -> None:
    backend.prepare("smoked")
    done = backend.run("v1", "smoked", "smoke")
    assert done.returncode == 0, done.stderr
    with backend.postgres.connect("smoked") as connection:
        left = connection.execute("SELECT count(*) FROM inbox").fetchone()
        assert left == (0,)
        connection.execute("DROP TABLE outbox")
    done = backend.run("v1", "smoked", "smoke")
    assert done.returncode == 1
    assert "UndefinedTable" in done.stdout
    done = backend.run("badsmoke", "smoked", "smoke")
    assert done.returncode == 1
    assert "fails its smoke check on purpose" in done.stdout


def test_messages_of_a_dead_process_are_processed_by_the_next(backend: Backend) -> None:
    backend.prepare("crashed")
    with backend.postgres.connect("crashed") as connection:
        connection.execute(
            "INSERT INTO inbox (message_id, phone_number_id, wa_id, kind, body, tenant_id)"
            f" VALUES ('wamid.left', '{MARIO}', '{GIULIA}', 'text', 'Sono Giulia', 'da-mario')"
        )
    with Running(backend, "v1", "crashed") as app:
        wait_for("the message is answered", lambda: memory(app).status == 200)
        assert memory(app).json()["name"] == "Giulia"


def test_a_message_that_cannot_be_processed_does_not_stop_the_others(backend: Backend) -> None:
    backend.prepare("poison")
    with backend.postgres.connect("poison") as connection:
        connection.execute("UPDATE tenants SET timezone = 'Not/AZone' WHERE id = 'il-faro'")
    with Running(backend, "v1", "poison") as app:
        say(app, "Ciao", "wamid.poison", number="390801000002")
        assert "Giulia" in reply(app, "Sono Giulia")
        attempts = (
            "SELECT attempts > 0, processed_at IS NULL FROM inbox WHERE tenant_id = 'il-faro'"
        )
        assert backend.rows("poison", attempts) == [(True, True)]
        with backend.postgres.connect("poison") as connection:
            connection.execute("UPDATE tenants SET timezone = 'Europe/Rome', max_party_size = 9")
        done = "SELECT 1 FROM inbox WHERE tenant_id = 'il-faro' AND processed_at IS NOT NULL"
        wait_for("it is processed once it can be", lambda: backend.rows("poison", done))


def test_it_heals_when_postgresql_and_valkey_come_back(backend: Backend) -> None:
    backend.prepare("healing")
    with Running(backend, "v1", "healing") as app:
        reply(app, "Mi chiamo Giulia")
        backend.postgres.stop()
        backend.valkey.stop()
        started = time.monotonic()
        assert app.get("/health").status == 503
        assert say(app, "Un tavolo per 2", "wamid.lost")[1].status == 503
        assert memory(app).status == 503
        assert time.monotonic() - started < 12
        assert app.get("/live").status == 200
        backend.postgres.start()
        backend.valkey.start()
        wait_for("it is healthy again", lambda: app.get("/health").status == 200)
        assert "Ciao Giulia" in reply(app, "Buongiorno")
        assert app.process.poll() is None
        # Meta sends again what was answered 503.
        assert say(app, "Un tavolo per 2", "wamid.lost")[1].status == 200
        backend.valkey.stop()
        backend.postgres.stop()
        backend.postgres.start()
        backend.valkey.start()
        wait_for("Valkey listens", lambda: app.get("/smoke").status == 200)
        answers = {say(app, "grazie", f"wamid.after{n}")[1].status for n in range(8)}
        assert answers == {200}, "a connection that died while idle must not cost a request"


def test_many_requests_during_an_outage_do_not_prolong_it(backend: Backend) -> None:
    """Those who wait in vain must neither pile up nor keep the pool from connecting again."""
    backend.prepare("outage")
    with Running(backend, "v1", "outage") as app:
        assert app.get("/health").status == 200
        backend.postgres.stop()
        with Load(app.url, app_secret=harness.APP_SECRET, mix=Mix(health=1, slow=0)) as load:
            time.sleep(5)
            report = load.stop()
        backend.postgres.start()
        wait_for("it is healthy again", lambda: app.get("/health").status == 200, timeout=10)
    assert set(report.kinds) == {"status 503"}
    assert report.failed == report.requests["webhook"]["failed"] + report.requests["health"]["sent"]
    assert report.latency_ms["webhook"]["p50"] < 1000


def test_sigterm_finishes_what_is_in_flight(backend: Backend) -> None:
    backend.prepare("draining")
    with Running(backend, "v1", "draining") as app:
        answers: list[Answer] = []
        thread = threading.Thread(target=lambda: answers.append(app.get("/slow?seconds=3")))
        thread.start()
        time.sleep(0.5)
        code = app.terminate()
        thread.join()
        assert [answer.status for answer in answers] == [200]
        assert code == 0
        assert '"event": "stopped"' in app.log


def test_migrations_say_what_they_do(backend: Backend) -> None:
    with backend.postgres.connect("postgres") as connection:
        connection.execute("CREATE DATABASE migrations")
    pending = backend.run("v2", "migrations", "migrate", "--check")
    assert pending.returncode == 3
    assert "pending 0001" in pending.stdout
    assert "pending 0002" in pending.stdout
    assert backend.rows("migrations", "SELECT 1 FROM pg_tables WHERE schemaname='public'") == []
    assert backend.run("v1", "migrations", "migrate").returncode == 0
    assert backend.run("v1", "migrations", "migrate", "--check").returncode == 0
    assert backend.run("v2", "migrations", "migrate", "--check").returncode == 3
    done = backend.run("v2", "migrations", "migrate")
    assert done.returncode == 0
    assert "schema is at 0002" in done.stdout
    expanded = 'lyo.schema: {"revision": "0002", "serves": ["0001", "0002"], "contracted": []}'
    assert done.stdout.splitlines()[-1] == expanded
    # An older release neither complains about the newer schema nor takes it back.
    assert backend.run("v1", "migrations", "migrate").returncode == 0
    version = "SELECT version_num FROM alembic_version"
    assert backend.rows("migrations", version) == [("0002",)]
    broken = backend.run("badmigration", "migrations", "migrate")
    assert broken.returncode == 1
    assert 'column "points" does not exist' in broken.stderr
    assert broken.stdout.splitlines()[-1] == expanded, "a failed migration says where it stands"
    assert "Traceback" not in broken.stderr
    assert backend.rows("migrations", version) == [("0002",)]
    assert backend.rows("migrations", "SELECT to_regclass('loyalty')") == [(None,)]
    refused = backend.run("v1", "migrations", "migrate", DATABASE_PORT="1")
    assert refused.returncode == 1
    assert "failed" in refused.stderr
    assert "lyo.schema" not in refused.stdout


def test_a_contracting_migration_says_whom_it_no_longer_serves(backend: Backend) -> None:
    backend.prepare("contracted", "v1")
    with Running(backend, "v1", "contracted") as app:
        assert app.get("/smoke").status == 200
    assert backend.run("v3", "contracted", "migrate").returncode == 0
    done = backend.run("v3", "contracted", "migrate", "--contract", "0003")
    assert done.returncode == 0, done.stderr
    said = '{"revision": "0003", "serves": ["0002", "0003"], "contracted": ["0001"]}'
    assert done.stdout.splitlines()[-1] == f"lyo.schema: {said}"
    for release, status in (("v1", 500), ("v2", 200), ("v3", 200)):
        with Running(backend, release, "contracted") as app:
            assert app.get("/smoke").status == status, release


def test_an_interrupted_index_build_is_repeated(backend: Backend) -> None:
    backend.prepare("halfway")
    with backend.postgres.connect("halfway") as connection:
        connection.execute("ALTER TABLE customers ADD COLUMN allergies text[]")
        connection.execute(
            "CREATE INDEX customers_with_allergies ON customers (tenant_id) WHERE wa_id = ''"
        )
    assert backend.run("v2", "halfway", "migrate").returncode == 0
    definition = "SELECT pg_get_indexdef('customers_with_allergies'::regclass)"
    assert "allergies IS NOT NULL" in backend.rows("halfway", definition)[0][0]


def test_a_second_migration_waits_for_the_first(backend: Backend) -> None:
    backend.prepare("together")
    codes: list[int] = []

    def migrate() -> None:
        codes.append(backend.run("v2", "together", "migrate").returncode)

    lock = "SELECT pg_advisory_lock(1283026767)"
    with backend.postgres.connect("together") as first:
        first.execute(lock)
        threads = [threading.Thread(target=migrate) for _ in range(2)]
        for thread in threads:
            thread.start()
        time.sleep(2.5)
        assert codes == []
        version = "SELECT version_num FROM alembic_version"
        assert backend.rows("together", version) == [("0001",)]
    for thread in threads:
        thread.join()
    assert codes == [0, 0]


def test_a_migration_gives_up_on_a_lock_instead_of_queueing(backend: Backend) -> None:
    backend.prepare("locked")
    with backend.postgres.connect("locked") as connection, connection.transaction():
        connection.execute("SELECT 1 FROM customers")
        short = {"PGOPTIONS": "-c lock_timeout=200ms", "LYO_MIGRATION_ATTEMPTS": "2"}
        result = backend.run("v2", "locked", "migrate", **short)
    assert result.returncode == 4
    assert "lock timeout" in result.stderr
    assert backend.run("v2", "locked", "migrate", "--check").returncode == 3


def test_v2_remembers_allergies_and_v1_goes_on_beside_it(backend: Backend) -> None:
    backend.prepare("allergies", "v2")
    second = f"{harness.NETWORK}.11"
    with (
        Running(backend, "v2", "allergies") as new,
        Running(backend, "v1", "allergies", HOST=second) as old,
    ):
        assert new.get("/smoke").json() == {"status": "ok"}
        assert old.get("/smoke").json() == {"status": "ok"}
        reply(new, "Mi chiamo Giulia")
        old.terminate()  # so that v2's worker takes the next message
        assert "noci, crostacei" in reply(new, "Sono allergica alle noci e ai crostacei")
        assert memory(new).json()["allergies"] == ["noci", "crostacei"]
        confirmation = reply(new, "Un tavolo per 2 domani alle 20")
        assert "Avviso la cucina: noci, crostacei." in confirmation
    with Running(backend, "v1", "allergies") as app:
        assert "allergies" not in memory(app).json()
        assert "Ciao Giulia" in reply(app, "Ciao")
    leftover = "SELECT count(*) FROM tenants WHERE id LIKE 'smoke-%'"
    assert backend.rows("allergies", leftover) == [(0,)]


@pytest.fixture(scope="module")
def current(backend: Backend) -> str:
    backend.prepare("current", "v2")
    return "current"


def test_crash_ends_at_start_and_says_why(backend: Backend, current: str) -> None:
    result = backend.run("crash", current, "serve")
    assert result.returncode == 3
    assert json.loads(result.stdout)["event"].startswith("crashing at start")


def test_slow_starts_late_and_then_is_good(backend: Backend, current: str) -> None:
    started = time.monotonic()
    with Running(backend, "slow", current, SLOW_START_SECONDS="2") as app:
        assert time.monotonic() - started > 2
        assert app.get("/health").status == 200
        assert app.get("/smoke").status == 200


def test_unhealthy_is_alive_but_not_well(backend: Backend, current: str) -> None:
    with Running(backend, "unhealthy", current) as app:
        assert app.get("/live").status == 200
        assert app.get("/health").status == 503


def test_badsmoke_fails_only_its_smoke_check(backend: Backend, current: str) -> None:
    with Running(backend, "badsmoke", current) as app:
        assert app.get("/health").status == 200
        assert say(app, "Ciao")[1].status == 200
        smoke = app.get("/smoke")
        assert smoke.status == 500
        assert smoke.json()["status"] == "failed"
        assert "on purpose" in smoke.json()["reason"]


def test_badtraffic_fails_only_under_traffic(backend: Backend, current: str) -> None:
    with Running(backend, "badtraffic", current) as app:
        statuses = [say(app, "Ciao")[1].status for _ in range(60)]
        assert set(statuses) == {200, 500}
        assert 5 <= statuses.count(500) <= 35
        assert {app.get("/slow?seconds=0").status for _ in range(40)} == {200, 500}
        assert {app.get("/health").status for _ in range(20)} == {200}
        assert app.get("/smoke").status == 200


def test_a_missing_variable_is_named(backend: Backend, current: str) -> None:
    result = backend.run("v1", current, "serve", WHATSAPP_APP_SECRET="")
    assert result.returncode == 2
    assert result.stderr.strip() == (
        "booking: environment variable WHATSAPP_APP_SECRET is missing or empty"
    )


def test_seeding_again_changes_nothing(backend: Backend, current: str, tmp_path: Path) -> None:
    again = backend.run("v2", current, "seed", "--file", str(harness.APP / "tenants.json"))
    assert "0 created or changed" in again.stdout
    migrated = backend.run("v2", current, "migrate", "--seed", str(harness.APP / "tenants.json"))
    assert migrated.returncode == 0
    assert "0 created or changed" in migrated.stdout
    wrong = tmp_path / "tenants.json"
    wrong.write_text('[{"id": "x"}]')
    refused = backend.run("v2", current, "seed", "--file", str(wrong))
    assert refused.returncode == 1
    assert "phone_number_id" in refused.stderr
