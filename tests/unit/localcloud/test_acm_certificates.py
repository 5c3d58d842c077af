"""The local CA, and which names are validated how."""

from __future__ import annotations

import stat
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from localcloud.certificates import VALIDITY, CertificateAuthority, new_key
from localcloud.services.acm_certificate import is_reserved, validation_record


def test_a_certificate_is_valid_for_names_and_addresses_below_the_bundle(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path / "ca")
    certificate, key = authority.issue(["api.lyo.test", "*.lyo.test"], ["127.1.1.1"])
    leaf = x509.load_pem_x509_certificate(certificate)
    store = Store(x509.load_pem_x509_certificates(authority.bundle.read_bytes()))
    for subject in (
        x509.DNSName("api.lyo.test"),
        x509.DNSName("milano.lyo.test"),
        x509.IPAddress(ip_address("127.1.1.1")),
    ):
        PolicyBuilder().store(store).build_server_verifier(subject).verify(leaf, [])
    assert load_pem_private_key(key, None).public_key() == leaf.public_key()
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc > VALIDITY


def test_the_authority_is_kept_and_its_key_private(tmp_path: Path) -> None:
    first = CertificateAuthority(tmp_path / "ca")
    again = CertificateAuthority(tmp_path / "ca")
    assert first.certificate == again.certificate
    assert stat.S_IMODE((tmp_path / "ca" / "ca.key").stat().st_mode) == 0o600


def test_a_renewal_keeps_the_key(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path / "ca")
    key = new_key("EC_prime256v1")
    certificates = [
        x509.load_pem_x509_certificate(authority.issue(["a.test"], key=key)[0]) for _ in range(2)
    ]
    assert certificates[0].public_key() == certificates[1].public_key()
    assert certificates[0].serial_number != certificates[1].serial_number


def test_an_unknown_algorithm_is_refused() -> None:
    with pytest.raises(ValueError, match="RSA_2048"):
        new_key("RSA_512")


@pytest.mark.parametrize(
    ("name", "reserved"),
    [
        ("api.lyo.test", True),
        ("*.lyo.internal", True),
        ("example.com", True),
        ("api.lyo.it", False),
        ("latest", False),
        ("notexample.com", False),
        ("127.15.1.1", True),
        ("8.8.8.8", False),
    ],
)
def test_reserved_names(name: str, reserved: bool) -> None:
    assert is_reserved(name) is reserved


def test_the_validation_record_depends_on_account_and_name_alone() -> None:
    record = validation_record("1", "a.lyo.it")
    assert record == validation_record("1", "*.a.lyo.it")
    assert record["Type"] == "CNAME"
    assert record["Name"].endswith(".a.lyo.it.")
    assert record["Value"].endswith(".acm-validations.aws.")
    assert record["Name"] != validation_record("2", "a.lyo.it")["Name"]
