"""The data plane with a real Envoy, real targets and real clients."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import psutil
import pytest

from localcloud.dataplane.envoy.model import (
    Condition,
    Configuration,
    FixedResponse,
    HealthCheck,
    Redirect,
    Rule,
    Target,
    TargetGroup,
)
from localcloud.dataplane.envoy.plane import Plane, RejectedError
from localcloud.dataplane.envoy.traffic import Traffic
from tests.localcloud.envoy_harness import (
    PORT,
    Load,
    backends,
    balancer,
    forwarding,
    group,
    http_listener,
    network,
    running_plane,
    serving,
)


@pytest.fixture
def number() -> Iterator[int]:
    with network() as found:
        yield found


@pytest.fixture
def plane(tmp_path: Path, number: int) -> Iterator[Plane]:
    with running_plane(tmp_path, number) as running:
        yield running


def url(number: int, path: str = "/") -> str:
    return f"http://127.{number}.1.1:10080{path}"


async def apply(plane: Plane, configuration: Configuration) -> None:
    await asyncio.to_thread(plane.apply, configuration)


def state(plane: Plane, target_group: TargetGroup, target: Target) -> str:
    return plane.health(target_group)[target.key].state


async def until(condition: Callable[[], bool], seconds: float = 8.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.02)


def get(
    number: int, path: str = "/", method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection(f"127.{number}.1.1", 10080, timeout=10)
    connection.request(method, path, headers=headers or {})
    response = connection.getresponse()
    body = response.read().decode()
    connection.close()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, body


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await test()

    asyncio.run(main())


def test_weights_shift_traffic_without_a_failed_request(plane: Plane, number: int) -> None:
    async def test() -> None:
        async with backends(number, "blue", "green") as (blue, green):
            groups = [group("blue", blue.target), group("green", green.target)]
            await apply(plane, serving(number, groups, blue=100, green=0))
            await until(lambda: state(plane, groups[1], green.target) == "healthy")
            load = Load(url(number))
            shares = []
            async with load.running():
                for weights in ((100, 0), (90, 10), (0, 100), (100, 0)):
                    await apply(plane, serving(number, groups, blue=weights[0], green=weights[1]))
                    # What was sent before is answered before it counts.
                    await asyncio.sleep(0.2)
                    load.forget()
                    await asyncio.sleep(3.0 if weights == (90, 10) else 1.0)
                    shares.append(load.share("green"))
            print(f"weights: {len(load.failures)} failed, shares of green {shares}")
            assert load.failures == []
            assert shares[0] == shares[3] == 0
            assert 0.03 < shares[1] < 0.2
            assert shares[2] == 1

    run(test)


def test_new_targets_get_no_request_before_they_are_healthy(plane: Plane, number: int) -> None:
    async def test() -> None:
        async with backends(number, "old", "late") as (old, late):
            await late.stop()
            before = group("app", old.target)
            await apply(plane, serving(number, [before], app=1))
            await until(lambda: state(plane, before, old.target) == "healthy")
            load = Load(url(number))
            async with load.running():
                both = group("app", old.target, late.target)
                await apply(plane, serving(number, [both], app=1))
                assert state(plane, both, late.target) in ("initial", "unhealthy")
                await until(lambda: state(plane, both, late.target) == "unhealthy")
                assert load.answers.get("late", 0) == 0
                await late.start()
                await until(lambda: state(plane, both, late.target) == "healthy")
                load.forget()
                await asyncio.sleep(2.0)
            assert load.failures == []
            assert 0.4 < load.share("late") < 0.6

    run(test)


def test_a_draining_target_ends_what_it_has_and_gets_nothing_new(plane: Plane, number: int) -> None:
    async def test() -> None:
        async with backends(number, "stays", "goes") as (stays, goes):
            both = group("app", stays.target, goes.target)
            await apply(plane, serving(number, [both], app=1))
            await until(lambda: state(plane, both, goes.target) == "healthy")
            load, slow = Load(url(number)), Load(url(number, "/slow?seconds=3"), rate=10)
            async with load.running(), slow.running():
                await asyncio.sleep(1.5)
                draining = group("app", stays.target, goes.leaving)
                await apply(plane, serving(number, [draining], app=1))
                assert state(plane, draining, goes.leaving) == "draining"
                await asyncio.sleep(0.2)
                served = goes.served
                in_flight = plane.hosts()["app"][goes.target.key].active_requests
                assert in_flight > 0
                await until(lambda: plane.hosts()["app"][goes.target.key].active_requests == 0)
                # What it served meanwhile is what was in flight.
                assert goes.served - served <= in_flight
                await apply(plane, serving(number, [group("app", stays.target)], app=1))
                await goes.stop()
                await asyncio.sleep(0.5)
            print(
                f"drain: {len(load.failures)} of {load.total}, "
                f"slow {len(slow.failures)} of {slow.total} failed"
            )
            assert load.failures == slow.failures == []
            assert slow.answers["goes"] >= in_flight

    run(test)


def test_the_last_target_drains_too_and_new_requests_get_503(plane: Plane, number: int) -> None:
    async def test() -> None:
        async with backends(number, "last") as (last,):
            await apply(plane, serving(number, [group("app", last.target)], app=1))
            await until(lambda: state(plane, group("app", last.target), last.target) == "healthy")
            slow = asyncio.create_task(asyncio.to_thread(get, number, "/slow?seconds=1.5"))
            await until(lambda: plane.active_requests("app") == 1)
            await apply(plane, serving(number, [group("app", last.leaving)], app=1))
            assert (await asyncio.to_thread(get, number))[0] == 503
            assert plane.active_requests("app") == 1
            assert (await slow)[0] == 200
            await until(lambda: plane.active_requests("app") == 0)

    run(test)


def test_health_follows_thresholds_and_matcher_and_fails_open(plane: Plane, number: int) -> None:
    check = HealthCheck("/health", None, 5, 2, 3, 3, "200,210-219")

    async def test() -> None:
        async with backends(number, "one") as (one,):
            one.health_code = 215
            app = group("app", one.target, check=check)
            await apply(plane, serving(number, [app], app=1))
            await until(lambda: state(plane, app, one.target) == "healthy")
            one.health_code = 220
            await until(lambda: state(plane, app, one.target) == "unhealthy")
            health = plane.health(app)[one.target.key]
            assert health.reason == "Target.ResponseCodeMismatch"
            assert health.description == "Health checks failed with these codes: [220]"
            # Nothing else is left, so it is asked all the same.
            assert (await asyncio.to_thread(get, number))[2] == "one"
            one.health_code, one.health_delay = 200, 3.0
            await until(lambda: plane.health(app)[one.target.key].reason == "Target.Timeout")
            one.health_delay = 0.0
            await until(lambda: state(plane, app, one.target) == "healthy")
            await one.stop()
            await until(lambda: state(plane, app, one.target) == "unhealthy")
            assert plane.health(app)[one.target.key].reason == "Target.FailedHealthChecks"

    run(test)


def test_a_new_target_is_initial_until_the_unhealthy_threshold(plane: Plane, number: int) -> None:
    check = HealthCheck("/health", None, 10, 2, 2, 3, "200")

    async def test() -> None:
        app = group("app", Target(f"127.{number}.16.9", PORT), check=check)
        await apply(plane, serving(number, [app], app=1))
        seen: list[tuple[str, int]] = []

        def unhealthy() -> bool:
            health = plane.health(app)[app.targets[0].key]
            seen.append((health.state, plane.failures(app, app.targets[0])))
            return health.state == "unhealthy"

        await until(unhealthy)
        assert {failures for found, failures in seen if found == "initial"} <= {0, 1, 2}
        assert min(failures for found, failures in seen if found == "unhealthy") >= 3

    run(test)


def test_two_data_planes_side_by_side(tmp_path: Path, number: int, plane: Plane) -> None:
    (tmp_path / "second").mkdir()

    async def test() -> None:
        with network() as other, running_plane(tmp_path / "second", other) as second:
            async with backends(number, "first") as (one,), backends(other, "second") as (two,):
                await apply(plane, serving(number, [group("app", one.target)], app=1))
                await apply(second, serving(other, [group("app", two.target)], app=1))
                for which, target, found in ((plane, one, number), (second, two, other)):
                    app = group("app", target.target)
                    await until(lambda w=which, a=app, t=target: state(w, a, t.target) == "healthy")  # type: ignore[misc]
                    assert (await asyncio.to_thread(get, found))[2] == target.name

    run(test)


def test_a_rejected_configuration_raises_and_the_one_before_goes_on(
    plane: Plane, number: int
) -> None:
    async def test() -> None:
        async with backends(number, "app") as (app,):
            good = serving(number, [group("app", app.target)], app=1)
            await apply(plane, good)
            await until(lambda: state(plane, group("app", app.target), app.target) == "healthy")
            with socket.socket() as taken:
                taken.bind((f"127.{number}.1.1", 18080))
                taken.listen()
                listener = good.load_balancers[0].listeners[0]
                second = replace(listener, id="lb-1-more", port=18080, served_port=18080)
                more = replace(good, load_balancers=(balancer(number, listener, second),))
                with pytest.raises(RejectedError, match=r"18080|Address already in use"):
                    await apply(plane, more)
            assert (await asyncio.to_thread(get, number))[2] == "app"
            await apply(plane, more)
            assert len(plane.configuration.load_balancers[0].listeners) == 2

    run(test)


def test_an_envoy_that_is_killed_comes_back_with_its_configuration(
    plane: Plane, number: int
) -> None:
    async def test() -> None:
        async with backends(number, "app") as (app,):
            await apply(plane, serving(number, [group("app", app.target)], app=1))
            assert plane.pid is not None
            before = plane.pid
            psutil.Process(before).kill()

            await until(lambda: plane.pid != before and plane.admin.ready())
            await until(lambda: state(plane, group("app", app.target), app.target) == "healthy")
            assert (await asyncio.to_thread(get, number))[2] == "app"
            # It still takes changes.
            await apply(plane, serving(number, [group("app", app.leaving)], app=1))
            assert (await asyncio.to_thread(get, number))[0] == 503

    run(test)


def test_answers_of_the_load_balancer_itself(plane: Plane, number: int, tmp_path: Path) -> None:
    traffic = Traffic(
        plane.folder.access_log,
        tmp_path / "logs",
        lambda: plane.admin.request("POST", "/reopen_logs"),
    )

    async def test() -> None:
        async with backends(number, "app") as (app,):
            app_group = group("app", app.target)
            listener = http_listener(
                Rule(forwarding(empty=1).action, 1, (Condition("path-pattern", ("/empty",)),)),
                forwarding(app=1),
            )
            await apply(
                plane,
                Configuration(
                    (balancer(number, listener, idle_timeout=1.0),), (app_group, group("empty"))
                ),
            )
            await until(lambda: state(plane, app_group, app.target) == "healthy")

            async def status(path: str) -> int:
                code, headers, body = await asyncio.to_thread(get, number, path)
                if code >= 500:
                    assert headers["server"] == "awselb/2.0"
                    assert f"<h1>{code} " in body
                return code

            assert await status("/hangup") == 502
            assert await status("/empty") == 503
            assert await status("/slow?seconds=3") == 504
            assert await status("/fine") == 200
            await until(
                lambda: (
                    traffic.update({}).balancers.get("lb-1", None) is not None
                    and traffic.update({}).balancers["lb-1"].requests == 4
                )
            )
            counters = traffic.update({})
            assert counters.balancers["lb-1"].elb_codes == {"5XX": 3, "502": 1, "503": 1, "504": 1}
            assert counters.groups["app"].target_codes == {"2XX": 1}
            lines = traffic.log_file("lb-1").read_text().splitlines()
            assert len(lines) == 4
            last = lines[-1].split(" ")
            assert last[0] == "http"
            assert last[2] == "app/lb/1"
            assert last[4] == f"{app.ip}:{PORT}"
            assert last[8:10] == ["200", "200"]
            assert f'"GET http://127.{number}.1.1:80/fine HTTP/1.1"' in lines[-1]

    run(test)


RULES = (
    Rule(FixedResponse(211), 1, (Condition("path-pattern", ("/api/*", "/v?")),)),
    Rule(FixedResponse(212), 2, (Condition("host-header", ("*.Example.com",)),)),
    Rule(FixedResponse(213), 3, (Condition("http-header", ("chrome*",), name="User-Agent"),)),
    Rule(FixedResponse(214), 4, (Condition("http-request-method", ("PUT", "PATCH")),)),
    Rule(
        FixedResponse(215),
        5,
        (Condition("query-string", pairs=(("version", "v1*"), (None, "example"))),),
    ),
    Rule(
        FixedResponse(216),
        6,
        (
            Condition("source-ip", ("127.0.0.0/22",)),
            Condition("path-pattern", ("/from-home",)),
        ),
    ),
    Rule(
        FixedResponse(217),
        7,
        (Condition("source-ip", ("10.0.0.0/8",)), Condition("path-pattern", ("/from-away",))),
    ),
    Rule(Redirect(302, "HTTPS", "other.test", "443", "/new/#{path}"), 8, (
        Condition("path-pattern", ("/moved/*",)),)),
    Rule(Redirect(301, path="/fixed", query="a=b"), 9, (Condition("path-pattern", ("/gone",)),)),
    Rule(FixedResponse(404, "text/plain", "nothing here")),
)  # fmt: skip


def test_rules_match_as_an_albs_do(plane: Plane, number: int) -> None:
    plane.apply(Configuration((balancer(number, http_listener(*RULES)),)))
    cases: list[tuple[str, str, dict[str, str], int]] = [
        ("GET", "/api/x?y=/other", {}, 211),
        ("GET", "/v1", {}, 211),
        ("GET", "/v12", {}, 404),
        ("GET", "/API/x", {}, 404),  # paths are case-sensitive
        ("GET", "/", {"Host": "WWW.example.COM:10080"}, 212),
        ("GET", "/", {"Host": "example.com"}, 404),
        ("GET", "/", {"User-Agent": "Chrome/1.0"}, 213),
        ("PUT", "/", {}, 214),
        ("GET", "/?a=b&VERSION=v12&c=d", {}, 215),
        ("GET", "/?x=example", {}, 215),
        ("GET", "/?version=v2", {}, 404),
        ("GET", "/from-home", {}, 216),
        (
            "GET",
            "/from-away",
            {"X-Forwarded-For": "10.1.2.3", "x-localcloud-peer": "10.1.2.3"},
            404,
        ),
    ]
    found = [
        (method, path, get(number, path, method, headers)[0]) for method, path, headers, _ in cases
    ]
    assert found == [(method, path, code) for method, path, _, code in cases]
    code, headers, _ = get(number, "/moved/a/b?c=d")
    assert (code, headers["location"]) == (302, "https://other.test:10443/new/moved/a/b?c=d")
    code, headers, _ = get(number, "/gone?x=y")
    assert (code, headers["location"]) == (301, f"http://127.{number}.1.1:10080/fixed?a=b")
    code, headers, body = get(number, "/nowhere")
    assert (code, headers["content-type"], body) == (404, "text/plain", "nothing here")


def test_what_a_target_is_told(plane: Plane, number: int) -> None:
    async def test() -> None:
        async with backends(number, "app") as (app,):
            await apply(plane, serving(number, [group("app", app.target)], app=1))
            await until(lambda: state(plane, group("app", app.target), app.target) == "healthy")
            given = {"X-Forwarded-For": "203.0.113.7", "X-Amzn-Trace-Id": "Root=1-67891233-abc"}
            await asyncio.to_thread(get, number, "/", "GET", given)
            told = app.last_headers
            assert told["x-forwarded-for"].replace(" ", "") == "203.0.113.7,127.0.0.1"
            assert (told["x-forwarded-proto"], told["x-forwarded-port"]) == ("http", "80")
            assert told["host"] == f"127.{number}.1.1:10080"
            assert told["x-amzn-trace-id"].startswith("Self=1-")
            assert told["x-amzn-trace-id"].endswith(";Root=1-67891233-abc")
            assert not [name for name in told if "envoy" in name or "localcloud" in name]

    run(test)


def test_web_sockets_and_old_clients_are_served(plane: Plane, number: int) -> None:
    def old() -> bytes:
        with socket.create_connection((f"127.{number}.1.1", 10080), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: connection.recv(4096), b""))

    async def test() -> None:
        async with backends(number, "app") as (app,):
            await apply(plane, serving(number, [group("app", app.target)], app=1))
            await until(lambda: state(plane, group("app", app.target), app.target) == "healthy")
            async with (
                aiohttp.ClientSession() as client,
                client.ws_connect(url(number, "/echo")) as conversation,
            ):
                await conversation.send_str("ciao")
                assert await conversation.receive_str() == "app: ciao"
            answer = await asyncio.to_thread(old)
            assert answer.startswith(b"HTTP/1.")
            assert answer.endswith(b"app")

    run(test)


def test_a_refused_part_leaves_the_rest_as_it_was(plane: Plane, number: int) -> None:
    async def test() -> None:
        async with backends(number, "app") as (app,):
            good = serving(number, [group("app", app.target)], app=1)
            await apply(plane, good)
            await until(lambda: state(plane, group("app", app.target), app.target) == "healthy")
            broken = Rule(FixedResponse(200), 1, (Condition("source-ip", ("127.0.0.1",)),))
            listener = http_listener(broken, forwarding(app=1))
            with socket.socket() as taken:
                taken.bind((f"127.{number}.1.1", 18081))
                taken.listen()
                second = replace(listener, id="lb-1-more", port=18081, served_port=18081)
                with pytest.raises(RejectedError):
                    await apply(
                        plane,
                        replace(
                            serving(number, [group("app", app.leaving)], app=1),
                            load_balancers=(balancer(number, listener, second),),
                        ),
                    )
            # What was taken before the refusal is taken back.
            await apply(plane, good)
            assert (await asyncio.to_thread(get, number))[2] == "app"

    run(test)
