"""A certificate of ACM's: when it is issued, and what DescribeCertificate tells of it."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from moto.acm.models import CertBundle

from localcloud.cloud import Cloud

# How long AWS takes, at best, between seeing the records and issuing; cloud seconds.
ISSUING_SECONDS = 5.0
_RESERVED = (
    "test",
    "example",
    "invalid",
    "localhost",
    "local",
    "internal",
    "home.arpa",
    "example.com",
    "example.net",
    "example.org",
)
_ALGORITHM_BY_CURVE = {"secp256r1": "EC_prime256v1", "secp384r1": "EC_secp384r1"}


def is_reserved(name: str) -> bool:
    """Whether no public DNS can hold a name; a load balancer's here is its loopback address."""
    try:
        if ipaddress.ip_address(name).is_loopback:
            return True
    except ValueError:
        pass  # a name, not an address
    return any(name == suffix or name.endswith(f".{suffix}") for suffix in _RESERVED)


def validation_record(account: str, name: str) -> dict[str, str]:
    """The CNAME that proves control of a name; a wildcard shares its parent's."""
    parent = name.removeprefix("*.")
    digest = hashlib.sha256(f"{account}:{parent}".encode()).hexdigest()
    return {
        "Name": f"_{digest[:32]}.{parent}.",
        "Type": "CNAME",
        "Value": f"_{digest[32:]}.acm-validations.aws.",
    }


def _algorithm(key: object) -> str:
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return _ALGORITHM_BY_CURVE.get(key.curve.name, f"EC_{key.curve.name}")
    return f"RSA_{key.key_size}" if isinstance(key, rsa.RSAPrivateKey) else "RSA_2048"


class Certificate(CertBundle):
    """A certificate in moto's store, with the local CA's truth about it."""

    def __init__(
        self,
        cloud: Cloud,
        region: str,
        material: tuple[bytes, bytes, bytes],
        *,
        names: list[str],
        arn: str | None = None,
        imported: bool = False,
        options: dict[str, Any] | None = None,
    ) -> None:
        certificate, key, chain = material
        super().__init__(
            cloud.settings.account_id,
            certificate,
            key,
            region=region,
            arn=arn,
            cert_type="IMPORTED" if imported else "AMAZON_ISSUED",
            cert_status="ISSUED" if imported else "PENDING_VALIDATION",
            cert_options=options,
        )
        self.chain = chain
        self.cloud = cloud
        self.names = names
        self.created = cloud.clock.now()
        self.issued: datetime | None = None
        self.renewed: datetime | None = None

    @property
    def served(self) -> str:
        """What a server presents: the certificate and, below it, an imported chain."""
        parts = [self.cert] + ([self.chain] if self.type == "IMPORTED" else [])
        return "".join(part.decode().rstrip("\n") + "\n" for part in parts if part)

    def check(self) -> None:
        """Issue when the names are validated."""
        if self.status != "PENDING_VALIDATION":
            if self.expires <= self.cloud.clock.now():
                self.status = "EXPIRED"
            return
        if all(self._validated(name) for name in self.names):
            waited = (self.cloud.clock.now() - self.created).total_seconds()
            if waited >= self.cloud.clock.wall(ISSUING_SECONDS):
                self.status, self.issued = "ISSUED", self.cloud.clock.now()

    @property
    def expires(self) -> datetime:
        """End of its validity."""
        return self._cert.not_valid_after_utc

    def days_to_expiry(self) -> float:
        """Whole days of validity that are left."""
        return float((self.expires - self.cloud.clock.now()).days)

    def _validated(self, name: str) -> bool:
        if is_reserved(name) or os.environ.get("LOCALCLOUD_ACM_VALIDATION") == "at-once":
            return True
        wanted = validation_record(self.cloud.settings.account_id, name)
        return any(
            record.type == "CNAME"
            and record.name.rstrip(".").lower() == wanted["Name"].rstrip(".").lower()
            and wanted["Value"].rstrip(".") in [value.rstrip(".") for value in record.records or []]
            for zone in self.cloud.backend("route53").zones.values()
            for record in zone.rrsets
        )

    def detail(self) -> dict[str, Any]:
        """CertificateDetail: https://docs.aws.amazon.com/acm/latest/APIReference/API_CertificateDetail.html."""
        self.check()
        users = self.users()
        imported = self.type == "IMPORTED"
        detail: dict[str, Any] = {
            "CertificateArn": self.arn,
            "DomainName": self.names[0],
            "SubjectAlternativeNames": self.names,
            "Subject": f"CN={self.names[0]}",
            "Status": self.status,
            "Type": self.type,
            "KeyAlgorithm": _algorithm(self._key),
            "InUseBy": users,
            "RenewalEligibility": "ELIGIBLE" if users and not imported else "INELIGIBLE",
            "Options": self.cert_options,
        }
        if imported:
            detail["ImportedAt"] = self.created
        else:
            detail["CreatedAt"] = self.created
            detail["DomainValidationOptions"] = [self._validation(name) for name in self.names]
        if self.status != "PENDING_VALIDATION":
            detail |= {
                "Serial": _colons(f"{self._cert.serial_number:032x}"),
                "Issuer": self.issuer_common_name,
                "NotBefore": self._cert.not_valid_before_utc,
                "NotAfter": self._cert.not_valid_after_utc,
                "SignatureAlgorithm": _signature(self._cert),
                "KeyUsages": [{"Name": "DIGITAL_SIGNATURE"}, {"Name": "KEY_ENCIPHERMENT"}],
                "ExtendedKeyUsages": [
                    {"Name": "TLS_WEB_SERVER_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.1"},
                    {"Name": "TLS_WEB_CLIENT_AUTHENTICATION", "OID": "1.3.6.1.5.5.7.3.2"},
                ],
            }
        if self.issued:
            detail["IssuedAt"] = self.issued
        if self.renewed:
            detail["RenewalSummary"] = {
                "RenewalStatus": "SUCCESS",
                "DomainValidationOptions": detail["DomainValidationOptions"],
                "UpdatedAt": self.renewed,
            }
        return detail

    def users(self) -> list[str]:
        """ARNs of the load balancers and distributions that serve it."""
        parts = [
            self.cloud.parts[name] for name in ("elbv2", "cloudfront") if name in self.cloud.parts
        ]
        return [arn for part in parts for arn in part.users_of_certificate(self.arn)]

    def _validation(self, name: str) -> dict[str, Any]:
        pending = self.status == "PENDING_VALIDATION"
        return {
            "DomainName": name,
            "ValidationDomain": name,
            "ValidationStatus": "PENDING_VALIDATION" if pending else "SUCCESS",
            "ValidationMethod": "DNS",
            "ResourceRecord": validation_record(self.cloud.settings.account_id, name),
        }


def _colons(digits: str) -> str:
    return ":".join(digits[place : place + 2] for place in range(0, len(digits), 2))


def _signature(certificate: Any) -> str:
    family = "ECDSA" if "ecdsa" in certificate.signature_algorithm_oid._name else "RSA"
    return f"{certificate.signature_hash_algorithm.name.upper()}WITH{family}"
