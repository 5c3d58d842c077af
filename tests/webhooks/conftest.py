"""The module whatsapp_webhooks against a double of Meta's Graph API and a receiver of webhooks."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphdouble.client import DoubleClient
from localcloud.certificates import CertificateAuthority
from tests.graphdouble.conftest import authority, double, double_process, server_tls
from tests.graphdouble.receiver import receiving
from tests.unit.conftest import OURS
from tests.webhooks.harness import Registrar

__all__ = ["OURS", "authority", "double", "double_process", "server_tls"]

TENANTS = 4


@pytest.fixture
def registrar(
    double: DoubleClient,
    authority: CertificateAuthority,
    server_tls: ssl.SSLContext,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Registrar]:
    """Four tenants with two numbers each, of which Meta knows nothing yet."""
    seeded = double.seed(TENANTS, numbers=2)
    with receiving(tls=server_tls, secret=seeded["app"]["secret"]) as receiver:
        yield Registrar(double, receiver, seeded, tmp_path, authority.bundle, monkeypatch)
