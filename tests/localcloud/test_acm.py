"""Certificates through ACM's API, and the load balancers that serve them."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from localcloud.certificates import CertificateAuthority
from tests.localcloud.conftest import RunningCloud
from tests.localcloud.test_elbv2 import FOUND, Stage


def issued(acm: Any, *names: str, **more: Any) -> str:
    arn = str(
        acm.request_certificate(
            DomainName=names[0],
            SubjectAlternativeNames=list(names),
            ValidationMethod="DNS",
            **more,
        )["CertificateArn"]
    )
    wait(lambda: status(acm, arn) == "ISSUED")
    return arn


def status(acm: Any, arn: str) -> str:
    return str(acm.describe_certificate(CertificateArn=arn)["Certificate"]["Status"])


def wait(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.05)


def shown(address: str, name: str, trust: ssl.SSLContext) -> x509.Certificate:
    with (
        socket.create_connection((address, 10443), timeout=5) as plain,
        trust.wrap_socket(plain, server_hostname=name) as secured,
    ):
        binary = secured.getpeercert(binary_form=True)
    assert binary is not None
    return x509.load_der_x509_certificate(binary)


def common_name(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def error(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as caught:
        call()
    return str(caught.value.response["Error"]["Code"])


def test_a_certificate_is_issued_when_its_validation_record_is_there(cloud: RunningCloud) -> None:
    acm, route53 = cloud.client("acm"), cloud.client("route53")
    domain = f"{uuid.uuid4().hex[:8]}.lyo-prenota.it"
    arn = acm.request_certificate(
        DomainName=domain,
        SubjectAlternativeNames=[domain, f"*.{domain}"],
        ValidationMethod="DNS",
    )["CertificateArn"]
    found = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    options = found["DomainValidationOptions"]
    assert [option["DomainName"] for option in options] == [domain, f"*.{domain}"]
    records = {tuple(sorted(option["ResourceRecord"].items())) for option in options}
    assert len(records) == 1, "a wildcard shares its parent's record"
    time.sleep(0.5)  # ten seconds of the cloud's time
    assert status(acm, arn) == "PENDING_VALIDATION"
    pending = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert "NotAfter" not in pending
    assert error(lambda: acm.get_certificate(CertificateArn=arn)) == "RequestInProgressException"

    zone = route53.create_hosted_zone(Name=domain, CallerReference=domain)["HostedZone"]["Id"]
    record = options[0]["ResourceRecord"]
    route53.change_resource_record_sets(
        HostedZoneId=zone,
        ChangeBatch={
            "Changes": [
                {
                    "Action": "CREATE",
                    "ResourceRecordSet": {
                        "Name": record["Name"],
                        "Type": "CNAME",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": record["Value"]}],
                    },
                }
            ]
        },
    )
    wait(lambda: status(acm, arn) == "ISSUED")
    detail = acm.describe_certificate(CertificateArn=arn)["Certificate"]
    assert {option["ValidationStatus"] for option in detail["DomainValidationOptions"]} == {
        "SUCCESS"
    }
    assert detail["NotAfter"] > detail["NotBefore"]
    served = x509.load_pem_x509_certificate(
        acm.get_certificate(CertificateArn=arn)["Certificate"].encode()
    )
    names = served.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [domain, f"*.{domain}"]
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    assert f"127.{cloud.number}.1.1" in addresses
    assert f"127.{cloud.number}.4.1" in addresses


def test_listeners_follow_renewal_and_added_certificates(cloud: RunningCloud) -> None:
    acm, stage = cloud.client("acm"), Stage(cloud)
    try:
        first, second = issued(acm, "api.lyo.test"), issued(acm, "shop.lyo.test")
        listener = stage.elb.create_listener(
            LoadBalancerArn=stage.arn,
            Protocol="HTTPS",
            Port=443,
            SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            Certificates=[{"CertificateArn": first}],
            DefaultActions=[FOUND],
        )["Listeners"][0]["ListenerArn"]
        trust = ssl.create_default_context(cafile=cloud.content["ca_bundle"])
        before = shown(stage.address, "api.lyo.test", trust)
        connection = http.client.HTTPSConnection(stage.address, 10443, context=trust, timeout=5)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200

        stage.elb.add_listener_certificates(
            ListenerArn=listener, Certificates=[{"CertificateArn": second}]
        )
        assert common_name(shown(stage.address, "shop.lyo.test", trust)) == "shop.lyo.test"
        # Modifying the default one leaves the others in place.
        stage.elb.modify_listener(ListenerArn=listener, Certificates=[{"CertificateArn": first}])
        listed = stage.elb.describe_listener_certificates(ListenerArn=listener)["Certificates"]
        assert [(entry["CertificateArn"], entry["IsDefault"]) for entry in listed] == [
            (first, True),
            (second, False),
        ]

        acm.renew_certificate(CertificateArn=first)
        after = shown(stage.address, "api.lyo.test", trust)
        assert after.serial_number != before.serial_number
        assert after.public_key() == before.public_key()

        detail = acm.describe_certificate(CertificateArn=first)["Certificate"]
        assert detail["InUseBy"] == [stage.arn]
        assert error(lambda: acm.delete_certificate(CertificateArn=first)) == (
            "ResourceInUseException"
        )
    finally:
        stage.close()
    for arn in (first, second):
        acm.delete_certificate(CertificateArn=arn)
    assert error(lambda: acm.describe_certificate(CertificateArn=first)) == (
        "ResourceNotFoundException"
    )


def test_an_imported_certificate_is_served_and_replaced(cloud: RunningCloud, tmp_path: Any) -> None:
    acm, stage = cloud.client("acm"), Stage(cloud)
    elsewhere = CertificateAuthority(tmp_path / "ca")
    certificate, key = elsewhere.issue(["imported.lyo.test"])
    arn = acm.import_certificate(
        Certificate=certificate, PrivateKey=key, CertificateChain=elsewhere.certificate
    )["CertificateArn"]
    got = acm.get_certificate(CertificateArn=arn)
    assert got["Certificate"].encode() == certificate
    assert got["CertificateChain"].encode() == elsewhere.certificate
    try:
        stage.elb.create_listener(
            LoadBalancerArn=stage.arn,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": arn}],
            DefaultActions=[FOUND],
        )
        trust = ssl.create_default_context(cafile=str(elsewhere.bundle))
        before = shown(stage.address, "imported.lyo.test", trust)
        renewed, new_key = elsewhere.issue(["imported.lyo.test"])
        acm.import_certificate(CertificateArn=arn, Certificate=renewed, PrivateKey=new_key)
        after = shown(stage.address, "imported.lyo.test", trust)
        assert after.serial_number != before.serial_number
    finally:
        stage.close()
    assert (
        error(lambda: acm.import_certificate(Certificate=certificate, PrivateKey=new_key))
        == "ValidationException"
    )


def test_export_gives_the_key_only_of_an_exportable_certificate(cloud: RunningCloud) -> None:
    acm = cloud.client("acm")
    kept = issued(acm, "kept.lyo.test")
    assert (
        error(lambda: acm.export_certificate(CertificateArn=kept, Passphrase=b"long enough"))
        == "ValidationException"
    )
    arn = issued(
        acm, "export.lyo.test", KeyAlgorithm="EC_prime256v1", Options={"Export": "ENABLED"}
    )
    exported = acm.export_certificate(CertificateArn=arn, Passphrase=b"long enough")
    key = load_pem_private_key(exported["PrivateKey"].encode(), b"long enough")
    served = x509.load_pem_x509_certificate(exported["Certificate"].encode())
    assert key.public_key() == served.public_key()
    listed = acm.list_certificates(Includes={"keyTypes": ["EC_prime256v1"]})
    assert arn in [entry["CertificateArn"] for entry in listed["CertificateSummaryList"]]
    listed = acm.list_certificates(CertificateStatuses=["ISSUED"])
    arns = [entry["CertificateArn"] for entry in listed["CertificateSummaryList"]]
    assert kept in arns
    assert arn not in arns, "only RSA is listed unless asked for"


def test_a_certificate_that_is_not_issued_cannot_be_served(cloud: RunningCloud) -> None:
    acm, stage = cloud.client("acm"), Stage(cloud)
    arn = acm.request_certificate(DomainName="pending.lyo-prenota.it", ValidationMethod="DNS")[
        "CertificateArn"
    ]
    try:
        assert (
            error(
                lambda: stage.elb.create_listener(
                    LoadBalancerArn=stage.arn,
                    Protocol="HTTPS",
                    Port=443,
                    Certificates=[{"CertificateArn": arn}],
                    DefaultActions=[FOUND],
                )
            )
            == "UnsupportedCertificate"
        )
    finally:
        stage.close()


def test_validation_by_email_is_refused(cloud: RunningCloud) -> None:
    acm = cloud.client("acm")
    assert (
        error(lambda: acm.request_certificate(DomainName="lyo.test", ValidationMethod="EMAIL"))
        == "NotImplemented"
    )


def test_the_same_token_gives_the_same_certificate(cloud: RunningCloud) -> None:
    acm = cloud.client("acm")
    token = uuid.uuid4().hex
    arns = {
        acm.request_certificate(DomainName="once.lyo.test", IdempotencyToken=token)[
            "CertificateArn"
        ]
        for _ in range(2)
    }
    assert len(arns) == 1
