"""The certificate authority of a local cloud.

There is no public DNS here: clients reach load balancers and distributions by their addresses, so
every certificate carries those as IP names beside the names that were asked for. Clients trust
`<state>/ca/ca.pem`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

# ACM's are valid for 13 months: https://docs.aws.amazon.com/acm/latest/userguide/acm-certificate-characteristics.html
VALIDITY = timedelta(days=395)
_CA_VALIDITY = timedelta(days=3650)
_ISSUER = "Lyo local cloud CA"
# A client whose clock is a little behind must not refuse a new certificate.
_BACKDATED = timedelta(days=1)
# The X.509 standard's limit of a common name.
_LONGEST_COMMON_NAME = 64

KEY_ALGORITHMS = ("RSA_2048", "EC_prime256v1", "EC_secp384r1")


def new_key(algorithm: str = "RSA_2048") -> PrivateKey:
    """A private key of one of KEY_ALGORITHMS. Raises ValueError for another."""
    if algorithm == "RSA_2048":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    if algorithm == "EC_prime256v1":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EC_secp384r1":
        return ec.generate_private_key(ec.SECP384R1())
    raise ValueError(f"key algorithm {algorithm} is not one of {', '.join(KEY_ALGORITHMS)}")


def pem(key: PrivateKey) -> bytes:
    """A private key as unencrypted PKCS #8."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class CertificateAuthority:
    """Issues certificates; its own key and certificate are made when the folder has none."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "ca.pem").exists():
            self._create()
        self.certificate = (folder / "ca.pem").read_bytes()
        self._issuer = x509.load_pem_x509_certificate(self.certificate)
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    @property
    def bundle(self) -> Path:
        """What a client trusts, PEM."""
        return self._folder / "ca.pem"

    def _create(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _ISSUER)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + _CA_VALIDITY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_ca_usage(), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .sign(key, hashes.SHA256())
        )
        descriptor = os.open(self._folder / "ca.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem(key))
        # Last, and by renaming: its presence says that the key is there too.
        temporary = self._folder / "ca.pem.tmp"
        temporary.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        temporary.replace(self._folder / "ca.pem")

    def issue(
        self,
        names: Sequence[str],
        addresses: Sequence[str] = (),
        *,
        key: PrivateKey | None = None,
    ) -> tuple[bytes, bytes]:
        """A server certificate and its key, both PEM.

        names: DNS names, the first one becomes the common name. addresses: IP addresses. key: an
        existing key, for a renewal; otherwise a new RSA one is made.
        """
        key = key or new_key()
        common = names[0] if names else addresses[0]
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
        alternatives += [x509.IPAddress(ip_address(address)) for address in addresses]
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common[:_LONGEST_COMMON_NAME])]
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._issuer.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + VALIDITY)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage(
                    [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
                ),
                critical=False,
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .sign(self._key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), pem(key)


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
