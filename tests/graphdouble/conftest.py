"""A double in a process of its own, forgotten between tests, and a receiver of webhooks."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphdouble.client import DoubleClient
from graphdouble.lifecycle import started
from localcloud.certificates import CertificateAuthority
from tests.graphdouble.meta import Meta
from tests.graphdouble.receiver import Receiver, receiving


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="session")
def double_process(
    tmp_path_factory: pytest.TempPathFactory, authority: CertificateAuthority
) -> Iterator[tuple[DoubleClient, Path]]:
    state = tmp_path_factory.mktemp("double") / "state"
    with started(state, ca_bundle=authority.bundle) as client:
        yield client, state


@pytest.fixture
def double(double_process: tuple[DoubleClient, Path]) -> DoubleClient:
    client = double_process[0]
    client.reset()
    return client


@pytest.fixture
def meta(double: DoubleClient) -> Meta:
    """Two tenants with two numbers each, and a caller of the Graph API."""
    double.settings(allow_http=True)
    return Meta(double, double.seed(2, numbers=2))


@pytest.fixture
def receiver(meta: Meta) -> Iterator[Receiver]:
    with receiving(secret=meta.secret) as receiver:
        yield receiver


@pytest.fixture(scope="session")
def server_tls(
    authority: CertificateAuthority, tmp_path_factory: pytest.TempPathFactory
) -> ssl.SSLContext:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = authority.issue(["hooks.test"], ["127.0.0.1"])
    (folder / "cert.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context
