"""HTTPS listeners: names, versions, redirects, and certificates that change under load."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from localcloud.certificates import CertificateAuthority, new_key
from localcloud.dataplane.envoy.model import (
    Certificate,
    Configuration,
    FixedResponse,
    Listener,
    Redirect,
    Rule,
)
from localcloud.dataplane.envoy.plane import Plane
from tests.localcloud.envoy_harness import (
    Load,
    backends,
    balancer,
    forwarding,
    group,
    http_listener,
    network,
    running_plane,
)
from tests.localcloud.test_envoy import apply, get, run, state, until


@pytest.fixture
def number() -> Iterator[int]:
    with network() as found:
        yield found


@pytest.fixture
def plane(tmp_path: Path, number: int) -> Iterator[Plane]:
    with running_plane(tmp_path, number) as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority(tmp_path / "ca")


def issued(authority: CertificateAuthority, name: str, *names: str, number: int) -> Certificate:
    certificate, key = authority.issue(
        list(names), [f"127.{number}.1.1"], key=new_key("EC_prime256v1")
    )
    return Certificate(name, f"arn:{name}", certificate.decode(), key.decode(), names)


def context(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.bundle))


def presented(number: int, name: str, trust: ssl.SSLContext) -> tuple[str, int, str]:
    """(common name, serial number, TLS version) of what a client that asks for a name is shown."""
    with (
        socket.create_connection((f"127.{number}.1.1", 10443), timeout=5) as plain,
        trust.wrap_socket(plain, server_hostname=name) as secured,
    ):
        binary = secured.getpeercert(binary_form=True)
        assert binary is not None
        certificate = x509.load_der_x509_certificate(binary)
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return str(common), certificate.serial_number, str(secured.version())


def https(*certificates: str, rules: tuple[Rule, ...]) -> Listener:
    return Listener("lb-1-https", "arn:https", 443, 10443, rules, certificates)


def test_the_certificate_follows_the_name_asked_for(
    plane: Plane, number: int, authority: CertificateAuthority
) -> None:
    first = issued(authority, "first", "api.lyo.test", number=number)
    second = issued(authority, "second", "shop.test", "*.shop.test", number=number)
    listener = https("first", "second", rules=(Rule(FixedResponse(200)),))
    plane.apply(Configuration((balancer(number, listener),), certificates=(first, second)))
    trust = context(authority)
    assert presented(number, "api.lyo.test", trust)[0] == "api.lyo.test"
    assert presented(number, "milano.shop.test", trust)[0] == "shop.test"
    # No name matches an address: the default certificate, which is valid for it.
    assert presented(number, f"127.{number}.1.1", trust)[0] == "api.lyo.test"
    with pytest.raises(ssl.SSLCertVerificationError):
        presented(number, "elsewhere.test", trust)


def test_a_policy_sets_the_tls_versions(
    plane: Plane, number: int, authority: CertificateAuthority
) -> None:
    only = issued(authority, "only", "api.lyo.test", number=number)
    listener = replace(
        https("only", rules=(Rule(FixedResponse(200)),)), tls_versions=("1.3", "1.3")
    )
    plane.apply(Configuration((balancer(number, listener),), certificates=(only,)))
    trust = context(authority)
    assert presented(number, "api.lyo.test", trust)[2] == "TLSv1.3"
    trust.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        presented(number, "api.lyo.test", trust)


def test_certificates_rotate_and_listeners_come_and_go_under_load(
    plane: Plane, number: int, authority: CertificateAuthority
) -> None:
    async def test() -> None:
        async with backends(number, "app") as (app,):
            app_group = group("app", app.target)
            secure = https("only", rules=(forwarding(app=1),))
            redirect = http_listener(Rule(Redirect(301, "HTTPS", port="443")))

            def configuration(certificate: Certificate, *listeners: Listener) -> Configuration:
                return Configuration((balancer(number, *listeners),), (app_group,), (certificate,))

            certificate = issued(authority, "only", "api.lyo.test", number=number)
            await apply(plane, configuration(certificate, secure))
            await until(lambda: state(plane, app_group, app.target) == "healthy")
            trust = context(authority)
            load = Load(f"https://127.{number}.1.1:10443/", rate=50)
            serials = {presented(number, "api.lyo.test", trust)[1]}
            async with load.running(ssl=trust):
                for _ in range(3):
                    certificate = issued(authority, "only", "api.lyo.test", number=number)
                    await apply(plane, configuration(certificate, secure, redirect))
                    found = await asyncio.to_thread(presented, number, "api.lyo.test", trust)
                    serials.add(found[1])
                    answer = await asyncio.to_thread(get, number, "/a?b=c")
                    assert answer[0] == 301
                    assert answer[1]["location"] == f"https://127.{number}.1.1:10443/a?b=c"
                    await asyncio.sleep(0.3)
                    await apply(plane, configuration(certificate, secure))
                    with pytest.raises(OSError):
                        await asyncio.to_thread(get, number)
                    await asyncio.sleep(0.3)
            print(f"rotation: {len(load.failures)} of {load.total} failed")
            assert load.failures == []
            assert len(serials) == 4

    run(test)


def test_keys_are_readable_by_their_owner_only(
    plane: Plane, number: int, authority: CertificateAuthority
) -> None:
    only = issued(authority, "only", "api.lyo.test", number=number)
    listener = https("only", rules=(Rule(FixedResponse(200)),))
    plane.apply(Configuration((balancer(number, listener),), certificates=(only,)))
    path = plane.folder.secret("only")
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    plane.apply(Configuration())
    assert not path.exists()
