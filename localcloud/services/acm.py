"""ACM: certificates of the local CA, kept in moto's store so that other services find them.

A requested certificate is issued once the CNAME records that validate its names are in this
cloud's Route 53 (https://docs.aws.amazon.com/acm/latest/userguide/dns-validation.html). Names that
no public DNS can ever hold (RFC 2606 and 6761: `.test`, `.example`, `.local`, `.internal`, …) are
issued at once, and so is every name when LOCALCLOUD_ACM_VALIDATION is `at-once`.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from threading import Event
from typing import Any

from cryptography.hazmat.primitives import serialization
from moto.acm.models import AWSCertificateManagerBackend, CertBundle, acm_backends

from localcloud import metrics
from localcloud.api import AwsError, Call, NotReproducedError
from localcloud.certificates import KEY_ALGORITHMS, CertificateAuthority, PrivateKey, new_key
from localcloud.cloud import Cloud
from localcloud.services.acm_certificate import Certificate

# A certificate names this many load balancers and distributions of the cloud by address.
NAMED_ADDRESSES = 16
# Twice a day, until it expires:
# https://docs.aws.amazon.com/acm/latest/userguide/cloudwatch-metrics.html
_METRIC_SECONDS = 43200.0
_POLL_SECONDS = 1.0


class CertificateManager:
    """The operations that are ours; tags and account configuration stay moto's."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.authority = CertificateAuthority(cloud.settings.state_dir / "ca")
        self._tokens: dict[tuple[str, str, str], str] = {}
        self._published: dict[str, float] = {}

    def _backend(self, region: str) -> AWSCertificateManagerBackend:
        backend: AWSCertificateManagerBackend = self._cloud.backend("acm", region)
        return backend

    def find(self, arn: str) -> Certificate:
        """A certificate by ARN. Raises AwsError ResourceNotFoundException."""
        parts = arn.split(":")
        region = parts[3] if len(parts) > 5 else self._cloud.settings.region
        found = self._backend(region)._certificates.get(arn)
        if not isinstance(found, Certificate):
            raise AwsError(
                "ResourceNotFoundException",
                f"Certificate with arn {arn} not found in account "
                f"{self._cloud.settings.account_id}",
            )
        found.check()
        return found

    def issued_names(self, region: str) -> dict[str, list[str]]:
        """The names of each certificate of a region that can be served, by ARN."""
        found = {}
        for arn, entry in self._backend(region)._certificates.items():
            if isinstance(entry, Certificate):
                entry.check()
                if entry.status == "ISSUED":
                    found[arn] = entry.names
        return found

    def addresses(self) -> list[str]:
        """The addresses every certificate is valid for."""
        places = range(1, NAMED_ADDRESSES + 1)
        addresses = self._cloud.addresses
        return [addresses.load_balancer(k) for k in places] + [addresses.cdn(k) for k in places]

    def request_certificate(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_RequestCertificate.html."""
        params = call.params
        if params.get("CertificateAuthorityArn"):
            raise NotReproducedError("acm", "private certificate authorities")
        if params.get("ValidationMethod", "DNS") != "DNS":
            raise NotReproducedError("acm", f"validation by {params['ValidationMethod']}")
        names = list(
            dict.fromkeys([params["DomainName"], *params.get("SubjectAlternativeNames", [])])
        )
        token = params.get("IdempotencyToken")
        known = self._tokens.get((call.region, token, ",".join(names))) if token else None
        if known and known in self._backend(call.region)._certificates:
            return {"CertificateArn": known}
        algorithm = params.get("KeyAlgorithm", "RSA_2048")
        if algorithm not in KEY_ALGORITHMS:
            raise NotReproducedError("acm", f"the key algorithm {algorithm}")
        certificate = Certificate(
            self._cloud,
            call.region,
            self._issue(names, new_key(algorithm)),
            names=names,
            options={
                "CertificateTransparencyLoggingPreference": "ENABLED",
                "Export": "DISABLED",
                **params.get("Options", {}),
            },
        )
        self._keep(call, certificate)
        if token:
            self._tokens[call.region, token, ",".join(names)] = certificate.arn
        return {"CertificateArn": certificate.arn}

    def _issue(self, names: list[str], key: PrivateKey) -> tuple[bytes, bytes, bytes]:
        certificate, private = self.authority.issue(names, self.addresses(), key=key)
        return certificate, private, self.authority.certificate

    def _keep(self, call: Call, certificate: Certificate) -> None:
        self._backend(call.region)._certificates[certificate.arn] = certificate
        if call.params.get("Tags"):
            certificate.tags.add(call.params["Tags"])

    def import_certificate(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_ImportCertificate.html."""
        params, arn = call.params, call.params.get("CertificateArn")
        before = self.find(arn) if arn else None
        material = tuple(
            _blob(params.get(name)) for name in ("Certificate", "PrivateKey", "CertificateChain")
        )
        bundle = CertBundle(call.account, material[0], material[1], region=call.region)
        if bundle._key.public_key() != bundle._cert.public_key():
            raise AwsError("ValidationException", "The private key does not match the certificate.")
        names = bundle.sans or [bundle.common_name]
        certificate = Certificate(
            self._cloud,
            call.region,
            (material[0], material[1], material[2]),
            names=list(dict.fromkeys(names)),
            arn=arn,
            imported=True,
        )
        if before is not None:
            certificate.tags.update(before.tags)
        self._keep(call, certificate)
        self._refresh()
        return {"CertificateArn": certificate.arn}

    def describe_certificate(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_DescribeCertificate.html."""
        return {"Certificate": self.find(call.params["CertificateArn"]).detail()}

    def list_certificates(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_ListCertificates.html."""
        params = call.params
        wanted = params.get("CertificateStatuses")
        # Without a filter only RSA keys of 1,024 and 2,048 bits are listed, as the page says.
        algorithms = params.get("Includes", {}).get("keyTypes") or ["RSA_1024", "RSA_2048"]
        summaries = []
        for entry in self._backend(call.region)._certificates.values():
            if not isinstance(entry, Certificate):
                continue
            detail = entry.detail()
            if (wanted and detail["Status"] not in wanted) or detail[
                "KeyAlgorithm"
            ] not in algorithms:
                continue
            summaries.append(_summary(detail))
        return {"CertificateSummaryList": summaries}

    def get_certificate(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_GetCertificate.html."""
        found = self._issued(call.params["CertificateArn"])
        answer = {"Certificate": found.cert.decode()}
        if found.chain:
            answer["CertificateChain"] = found.chain.decode()
        return answer

    def export_certificate(self, call: Call) -> Mapping[str, Any]:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_ExportCertificate.html."""
        found = self._issued(call.params["CertificateArn"])
        if found.type == "IMPORTED" or found.cert_options.get("Export") != "ENABLED":
            raise AwsError(
                "ValidationException",
                f"Certificate ARN: {found.arn} is not exportable: request it with Export ENABLED",
            )
        key = found._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(_blob(call.params["Passphrase"])),
        )
        return {
            "Certificate": found.cert.decode(),
            "CertificateChain": found.chain.decode(),
            "PrivateKey": key.decode(),
        }

    def renew_certificate(self, call: Call) -> None:
        """Issue a certificate anew for the same key; the listeners that serve it follow at once.

        https://docs.aws.amazon.com/acm/latest/APIReference/API_RenewCertificate.html
        """
        found = self._issued(call.params["CertificateArn"])
        if found.type == "IMPORTED":
            raise AwsError(
                "ValidationException", f"Certificate {found.arn} was imported and cannot be renewed"
            )
        renewed = Certificate(
            self._cloud,
            call.region,
            self._issue(found.names, found._key),
            names=found.names,
            arn=found.arn,
            options=found.cert_options,
        )
        renewed.status, renewed.created, renewed.issued = "ISSUED", found.created, found.issued
        renewed.renewed = datetime.now(UTC)
        renewed.tags.update(found.tags)
        self._published.pop(found.arn, None)
        self._backend(call.region)._certificates[found.arn] = renewed
        self._refresh()

    def delete_certificate(self, call: Call) -> None:
        """https://docs.aws.amazon.com/acm/latest/APIReference/API_DeleteCertificate.html."""
        found = self.find(call.params["CertificateArn"])
        if found.users():
            raise AwsError("ResourceInUseException", f"Certificate {found.arn} is in use.")
        del self._backend(call.region)._certificates[found.arn]

    def _issued(self, arn: str) -> Certificate:
        found = self.find(arn)
        if found.status == "PENDING_VALIDATION":
            raise AwsError(
                "RequestInProgressException", f"Certificate {arn} is not issued yet: validate it."
            )
        return found

    def _every(self) -> Iterator[Certificate]:
        """The certificates of all regions, each brought up to date."""
        for backend in list(acm_backends[self._cloud.settings.account_id].values()):
            for entry in list(backend._certificates.values()):
                if isinstance(entry, Certificate):
                    entry.check()
                    yield entry

    def publish_expiry(self, stop: Event) -> None:
        """Put DaysToExpiry of what is issued into CloudWatch, at once and then twice a cloud day."""
        while not stop.wait(_POLL_SECONDS):
            now = time.monotonic()
            with self._cloud.lock:
                for entry in self._every():
                    last = self._published.get(entry.arn)
                    due = last is None or now - last >= self._cloud.clock.wall(_METRIC_SECONDS)
                    if entry.status == "ISSUED" and due:
                        self._published[entry.arn] = now
                        metrics.publish(
                            self._cloud,
                            entry.arn.split(":")[3],
                            "AWS/CertificateManager",
                            {"DaysToExpiry": (entry.days_to_expiry(), "Count")},
                            {"CertificateArn": entry.arn},
                        )

    def _refresh(self) -> None:
        """Have what serves certificates serve them as they are now."""
        for part in ("elbv2", "cloudfront"):
            if part in self._cloud.parts:
                self._cloud.parts[part].refresh()


def _summary(detail: dict[str, Any]) -> dict[str, Any]:
    same = (
        "CertificateArn",
        "DomainName",
        "Status",
        "Type",
        "KeyAlgorithm",
        "RenewalEligibility",
        "NotBefore",
        "NotAfter",
        "CreatedAt",
        "IssuedAt",
        "ImportedAt",
    )
    return {
        **{name: detail[name] for name in same if name in detail},
        "SubjectAlternativeNameSummaries": detail["SubjectAlternativeNames"],
        "HasAdditionalSubjectAlternativeNames": False,
        "KeyUsages": [usage["Name"] for usage in detail.get("KeyUsages", [])],
        "ExtendedKeyUsages": [usage["Name"] for usage in detail.get("ExtendedKeyUsages", [])],
        "ExportOption": detail["Options"].get("Export", "DISABLED"),
        "InUse": bool(detail["InUseBy"]),
        "Exported": False,
    }


def _blob(value: object) -> bytes:
    """A blob member; empty when it is absent."""
    if value is None:
        return b""
    return value if isinstance(value, bytes) else base64.b64decode(str(value))


def register(cloud: Cloud) -> None:
    """Offer the manager as `cloud.parts["acm"]`."""
    manager = CertificateManager(cloud)
    cloud.parts["acm"] = manager
    for operation, handler in {
        "RequestCertificate": manager.request_certificate,
        "ImportCertificate": manager.import_certificate,
        "DescribeCertificate": manager.describe_certificate,
        "ListCertificates": manager.list_certificates,
        "GetCertificate": manager.get_certificate,
        "ExportCertificate": manager.export_certificate,
        "RenewCertificate": manager.renew_certificate,
        "DeleteCertificate": manager.delete_certificate,
    }.items():
        cloud.api.replace("acm", operation, handler)
    for operation in ("ResendValidationEmail", "UpdateCertificateOptions", "RevokeCertificate"):
        cloud.api.before("acm", operation, _refuse)
    cloud.background("acm-expiry", manager.publish_expiry)


def _refuse(call: Call) -> None:
    raise NotReproducedError("acm", call.operation)
