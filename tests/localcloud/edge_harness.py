"""Distributions, and a failover from a load balancer to one, for the tests of both."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography import x509

from localcloud import outside
from tests.localcloud.conftest import RunningCloud
from tests.localcloud.test_acm import issued, wait
from tests.localcloud.test_elbv2 import Stage

CACHING_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
CACHING_OPTIMIZED = "658327ea-f89d-4fab-a63d-7e88639e58f6"
CLOUDFRONT_ZONE = "Z2FDTNDATAQYW2"
SORRY = """
function handler(event) {
  return {
    statusCode: 503,
    headers: {'retry-after': {value: '60'}},
    body: event.request.method + ' ' + event.request.headers.host.value,
  };
}
"""
EVERY_METHOD = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]


@dataclass
class Answer:
    """What a viewer got, and the certificate it was shown."""

    status: int
    headers: dict[str, str]
    body: str
    certificate: x509.Certificate


@dataclass
class Edge:
    """Distributions of a test's own, with what they are made of."""

    cloud: RunningCloud
    cloudfront: Any = None
    acm: Any = None
    domain: str = field(default_factory=lambda: f"{uuid.uuid4().hex[:8]}.lyo.test")
    bucket: str = ""
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cloudfront = self.cloud.client("cloudfront")
        self.acm = global_client(self.cloud, "acm")
        self.bucket = f"site-{self.domain.split('.')[0]}"
        s3 = self.cloud.client("s3")
        s3.create_bucket(
            Bucket=self.bucket,
            CreateBucketConfiguration={"LocationConstraint": self.cloud.content["region"]},
        )
        for key in ("index.html", "missing.html"):
            s3.put_object(Bucket=self.bucket, Key=key, Body=key.encode(), ContentType="text/html")
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{self.bucket}/*",
        }
        s3.put_bucket_policy(Bucket=self.bucket, Policy=json.dumps({"Statement": [statement]}))

    def configuration(
        self,
        alias: str | None,
        certificate: str | None,
        behaviour: dict[str, Any] | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        configuration: dict[str, Any] = {
            "CallerReference": uuid.uuid4().hex,
            "Comment": "",
            "Enabled": True,
            "DefaultRootObject": "index.html",
            "Origins": {
                "Quantity": 1,
                "Items": [
                    {
                        "Id": "s3",
                        "DomainName": f"{self.bucket}.s3.eu-south-1.amazonaws.com",
                        "S3OriginConfig": {"OriginAccessIdentity": ""},
                    }
                ],
            },
            "DefaultCacheBehavior": {
                "TargetOriginId": "s3",
                "ViewerProtocolPolicy": "redirect-to-https",
                "CachePolicyId": CACHING_OPTIMIZED,
                **(behaviour or {}),
            },
            **more,
        }
        if alias:
            configuration["Aliases"] = {"Quantity": 1, "Items": [alias]}
        if certificate:
            configuration["ViewerCertificate"] = {
                "ACMCertificateArn": certificate,
                "SSLSupportMethod": "sni-only",
                "MinimumProtocolVersion": "TLSv1.2_2021",
            }
        return configuration

    def create(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        configuration = self.configuration(*arguments, **more)
        made = self.cloudfront.create_distribution(DistributionConfig=configuration)
        distribution: dict[str, Any] = made["Distribution"]
        assert distribution["Status"] == "InProgress"
        self.made.append(distribution["Id"])
        self.deployed(distribution["Id"])
        return distribution

    def deployed(self, identifier: str) -> None:
        wait(
            lambda: (
                self.cloudfront.get_distribution(Id=identifier)["Distribution"]["Status"]
                == "Deployed"
            )
        )

    def function(self) -> str:
        """A published function that says 503 to everything."""
        name = f"sorry-{self.bucket}"
        etag = self.cloudfront.create_function(
            Name=name,
            FunctionConfig={"Comment": "", "Runtime": "cloudfront-js-2.0"},
            FunctionCode=SORRY.encode(),
        )["ETag"]
        published = self.cloudfront.publish_function(Name=name, IfMatch=etag)
        return str(published["FunctionSummary"]["FunctionMetadata"]["FunctionARN"])

    def sorry(self, alias: str, certificate: str) -> dict[str, Any]:
        """A distribution that has that function answer."""
        association = {"FunctionARN": self.function(), "EventType": "viewer-request"}
        behaviour = {
            "CachePolicyId": CACHING_DISABLED,
            "AllowedMethods": {"Quantity": 7, "Items": EVERY_METHOD},
            "FunctionAssociations": {"Quantity": 1, "Items": [association]},
        }
        return self.create(alias, certificate, behaviour)

    def fetch(
        self, address: str, name: str | None, method: str = "GET", path: str = "/", host: str = ""
    ) -> Answer:
        """A request to an address, naming a server by SNI (None: by its address)."""
        trust = ssl.create_default_context(cafile=self.cloud.content["ca_bundle"])
        with (
            socket.create_connection((address, 10443), timeout=5) as plain,
            trust.wrap_socket(plain, server_hostname=name or address) as secured,
        ):
            binary = secured.getpeercert(binary_form=True)
            assert binary is not None
            client = http.client.HTTPConnection(address)
            client.sock = secured
            client.request(method, path, headers={"Host": host or name or address})
            response = client.getresponse()
            return Answer(
                response.status,
                {key.lower(): value for key, value in response.getheaders()},
                response.read().decode(),
                x509.load_der_x509_certificate(binary),
            )

    def close(self) -> None:
        for identifier in self.made:
            current = self.cloudfront.get_distribution_config(Id=identifier)
            configuration = {**current["DistributionConfig"], "Enabled": False}
            etag = self.cloudfront.update_distribution(
                Id=identifier, IfMatch=current["ETag"], DistributionConfig=configuration
            )["ETag"]
            self.deployed(identifier)
            self.cloudfront.delete_distribution(Id=identifier, IfMatch=etag)


def global_client(cloud: RunningCloud, service: str) -> Any:
    """A client for us-east-1."""
    return outside.session(cloud.content).client(
        service,  # type: ignore[call-overload]
        endpoint_url=cloud.endpoint,
        region_name="us-east-1",
    )


class Target:
    """A target of a load balancer that can be stopped: answers its text to everything."""

    def __init__(self, address: str, text: str) -> None:
        self.address, self.text = address, text
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        text = self.text.encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((self.address, 8080), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


@dataclass
class Failover:
    """A load balancer with one target, and a distribution to stand in for it."""

    edge: Edge
    stage: Stage
    target: Target
    group: str = ""
    zone: str = ""
    route53: Any = None
    health_check: str = ""

    @property
    def name(self) -> str:
        return f"api.{self.edge.domain}"

    def prepare(self) -> None:
        cloud = self.stage.cloud
        self.group = self.stage.group("blue")
        self.stage.elb.create_listener(
            LoadBalancerArn=self.stage.arn,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": issued(cloud.client("acm"), self.name)}],
            DefaultActions=[{"Type": "forward", "TargetGroupArn": self.group}],
        )
        self.stage.elb.register_targets(
            TargetGroupArn=self.group, Targets=[{"Id": self.target.address, "Port": 8080}]
        )
        self.route53 = cloud.client("route53")
        self.zone = self.route53.create_hosted_zone(
            Name=self.edge.domain, CallerReference=self.edge.domain
        )["HostedZone"]["Id"]
        self.health_check = self.route53.create_health_check(
            CallerReference=uuid.uuid4().hex,
            HealthCheckConfig={
                "Type": "HTTPS_STR_MATCH",
                "FullyQualifiedDomainName": self.stage.address,
                "ResourcePath": "/",
                "SearchString": self.target.text,
                "RequestInterval": 10,
                "FailureThreshold": 2,
                "Regions": ["eu-west-1", "us-east-1", "us-west-2"],
            },
        )["HealthCheck"]["Id"]

    def records(self, page: str, *, evaluate: bool) -> None:
        primary: dict[str, Any] = {
            "Failover": "PRIMARY",
            "AliasTarget": {
                "HostedZoneId": self.stage.balancer["CanonicalHostedZoneId"],
                "DNSName": self.stage.address,
                "EvaluateTargetHealth": evaluate,
            },
        }
        if not evaluate:
            primary["HealthCheckId"] = self.health_check
        secondary = {
            "Failover": "SECONDARY",
            "AliasTarget": {
                "HostedZoneId": CLOUDFRONT_ZONE,
                "DNSName": page,
                "EvaluateTargetHealth": False,
            },
        }
        self.route53.change_resource_record_sets(
            HostedZoneId=self.zone,
            ChangeBatch={
                "Changes": [
                    {
                        "Action": "UPSERT",
                        "ResourceRecordSet": {
                            "Name": self.name,
                            "Type": kind,
                            "SetIdentifier": record["Failover"],
                            **record,
                        },
                    }
                    for record in (primary, secondary)
                    for kind in ("A", "AAAA")
                ]
            },
        )

    def close(self) -> None:
        """Remove what Terraform would, so that the session's cloud does not go on checking."""
        self.route53.delete_health_check(HealthCheckId=self.health_check)
        self.target.stop()
        self.stage.close()

    def answer(self) -> list[str]:
        found = self.route53.test_dns_answer(
            HostedZoneId=self.zone, RecordName=self.name, RecordType="A"
        )
        assert found["ResponseCode"] == "NOERROR"
        data: list[str] = found["RecordData"]
        return data

    def statuses(self) -> list[str]:
        found = self.route53.get_health_check_status(HealthCheckId=self.health_check)
        return [entry["StatusReport"]["Status"] for entry in found["HealthCheckObservations"]]
