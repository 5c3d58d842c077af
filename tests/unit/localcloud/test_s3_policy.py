from __future__ import annotations

from typing import Any

from localcloud.services.s3 import applicable

TLS_ONLY = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
READ: dict[str, Any] = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": "*",
}


def test_what_concerns_plain_http_alone_does_not_apply() -> None:
    policy = {"Version": "2012-10-17", "Statement": [TLS_ONLY, READ]}
    assert applicable(policy) == {"Version": "2012-10-17", "Statement": [READ]}
    assert applicable({"Statement": TLS_ONLY}) == {"Statement": []}


def test_every_other_statement_applies() -> None:
    denied = {**TLS_ONLY, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}
    plain = {key: value for key, value in TLS_ONLY.items() if key != "Condition"}
    assert applicable({"Statement": [denied, plain]}) == {"Statement": [denied, plain]}
