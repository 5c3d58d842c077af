"""The load generator is believed only because it is wrong about none of these."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.load import Load, Mix, Report
from tests.load.background import ROOT
from tests.load.mix import Shots
from tests.load.report import Outcome, percentile, report

SECRET = "unit-app-secret"
ADDRESS = "127.249.0.1"
FAST = Mix(health=1, version=1, webhook=2, slow=0)


@dataclass
class Server:
    """Fails exactly the requests it is told to: by their number, counted from 1."""

    url: str = ""
    tls_url: str = ""
    certificate: Path = Path()
    break_at: frozenset[int] = frozenset()
    status_at: frozenset[int] = frozenset()
    hang_at: frozenset[int] = frozenset()
    seen: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    bodies: list[tuple[bytes, str]] = field(default_factory=list)
    peers: set[object] = field(default_factory=set)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen += 1
        number = self.seen
        assert request.transport is not None
        self.peers.add(request.transport.get_extra_info("peername"))
        if request.method == "POST":
            self.bodies.append((await request.read(), request.headers["X-Hub-Signature-256"]))
        if number in self.break_at:
            self.failed["connection"] += 1
            request.transport.abort()
        elif number in self.status_at:
            self.failed["status 503"] += 1
            return web.Response(status=503, text=f"refused number {number}")
        elif number in self.hang_at:
            self.failed["timeout"] += 1
            await asyncio.sleep(3)
        if request.path == "/slow":
            await asyncio.sleep(float(request.query["seconds"]))
        return web.json_response({"release": "v1" if number <= 50 else "v2"})


def self_signed(folder: Path) -> ssl.SSLContext:
    """Make a certificate for ADDRESS, `folder`/cert.pem, and the server's side of TLS with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "load test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    tls = self_signed(tmp_path)
    made = Server(certificate=tmp_path / "cert.pem")
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", made.handle)
        runner = web.AppRunner(application, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, ADDRESS, 0).start()
        await web.TCPSite(runner, ADDRESS, 0, ssl_context=tls).start()
        made.url = f"http://{ADDRESS}:{runner.addresses[0][1]}"
        made.tls_url = f"https://{ADDRESS}:{runner.addresses[1][1]}"
        ready.set()
        await stop.wait()
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield made
    loop.call_soon_threadsafe(stop.set)
    thread.join(10)
    loop.close()


def run(server: Server, *arguments: str, rate: int = 200, seconds: float = 1) -> Report:
    """Run the program; its exit code must agree with its report."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.load", "--url", server.url, "--json"),
            *("--rate", str(rate), "--seconds", str(seconds), *arguments),
        ],
        cwd=ROOT,
        env={"WHATSAPP_APP_SECRET": SECRET},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    made = Report.from_json(done.stdout)
    assert done.returncode == (1 if made.failed else 0)
    return made


def test_without_failures_it_reports_none(server: Server) -> None:
    made = run(server, "--mix", "health=1,version=1,webhook=2", "--fresh", "0.2")
    assert (made.sent, made.ok, made.failed, made.failures) == (200, 200, 0, [])
    assert server.seen == 200
    assert made.releases == {"v1": 50, "v2": 150}
    assert sum(second["sent"] for second in made.series) == 200
    assert set(made.requests) == {"health", "version", "webhook"}
    assert 20 < len(server.peers) < 150, "kept and fresh connections"


def test_it_counts_exactly_the_failures_there_were(server: Server) -> None:
    server.break_at = frozenset({3, 50, 51, 120})
    server.status_at = frozenset({7, 8, 9, 99, 150, 151, 180})
    server.hang_at = frozenset({20, 190})
    made = run(server, "--mix", "health=1,version=1,webhook=2", "--timeout", "1")
    assert made.kinds == dict(server.failed)
    assert made.kinds == {"status 503": 7, "connection": 4, "timeout": 2}
    assert (made.sent, made.failed, server.seen) == (200, 13, 200)
    assert sum(second["failed"] for second in made.series) == 13
    assert sum(counts["failed"] for counts in made.requests.values()) == 13
    bodies = [failure.detail for failure in made.failures if failure.kind == "status 503"]
    assert "refused number 99" in bodies
    assert all(datetime.fromisoformat(failure.at).tzinfo for failure in made.failures)
    assert "13 failed" in made.summary()


def test_a_kept_connection_that_breaks_is_a_failure_and_not_repeated(server: Server) -> None:
    server.break_at = frozenset(range(2, 100, 2))
    made = run(server, "--mix", "health=1", "--fresh", "0", rate=50)
    assert server.seen == 50
    assert made.failed == server.failed["connection"] == 25


def test_over_tls_only_the_given_authority_is_trusted(server: Server) -> None:
    server.url = server.tls_url
    made = run(server, "--mix", "health=1", "--ca", str(server.certificate), rate=50)
    assert (made.sent, made.failed, server.seen) == (50, 0, 50)
    assert run(server, "--mix", "health=1", rate=10).kinds == {"connect": 10}


def test_nobody_listening_is_counted() -> None:
    made = run(Server(url=f"http://{ADDRESS}:9"), "--mix", "health=1", rate=50)
    assert made.kinds == {"connect": 50}


def test_a_slow_server_does_not_slow_the_sender(server: Server) -> None:
    made = run(server, "--mix", "slow=1", "--slow-seconds", "1", rate=50, seconds=2)
    assert made.failed == 0
    assert server.seen == 100
    assert made.seconds < 5
    assert made.latency_ms["slow"]["p50"] >= 1000
    assert "all" not in made.latency_ms, "slow requests would drown the others"


def test_in_the_background_it_sends_until_it_is_stopped(server: Server) -> None:
    server.status_at = frozenset({10})
    with Load(server.url, app_secret=SECRET, rate=100, mix=FAST) as load:
        while server.seen < 60:
            threading.Event().wait(0.05)
        made = load.stop()
        assert load.stop() is made
    assert made.sent == server.seen
    assert made.failed == 1
    for body, signature in server.bodies:
        digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        assert signature == f"sha256={digest}"
    ids = [
        json.loads(body)["entry"][0]["changes"][0]["value"]["messages"][0]["id"]
        for body, _ in server.bodies
    ]
    assert len(ids) == len(set(ids)) > 10


def test_a_generator_that_cannot_run_is_not_a_success() -> None:
    with Load("http://127.249.0.1:9", rate=10) as load, pytest.raises(RuntimeError, match="secret"):
        load.stop()


def test_messages_need_a_secret() -> None:
    with pytest.raises(ValueError, match="app secret"):
        Shots(Mix())


@pytest.mark.parametrize("text", ["", "health", "health=x", "nothing=1", "health=-1", "health=0"])
def test_a_mix_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Mix.parse(text)


def test_shares_are_kept() -> None:
    shots = Shots(Mix(), SECRET)
    kinds = Counter(shots.next().kind for _ in range(5000))
    assert 60 < kinds["slow"] < 140
    assert 1850 < kinds["webhook"] < 2150


def test_percentiles() -> None:
    hundred = [float(number) for number in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]
    assert percentile([7.0], 0.5) == 7


def test_latency_counts_from_the_intended_time() -> None:
    outcomes = [Outcome(0.5, "health", False, 2.0, 1.9), Outcome(1.5, "health", True, 0.1, 0.0)]
    made = report("http://x", 1, datetime(2026, 1, 1, tzinfo=UTC), 2, outcomes)
    assert made.latency_ms["all"]["max"] == 2000
    assert made.lag_ms["max"] == 1900
    assert [second["second"] for second in made.series] == [0, 1]
    assert Report.from_json(made.as_json()) == made
