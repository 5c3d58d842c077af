from __future__ import annotations

import pytest
from booking import signature

BODY = '{"text": "perché no?"}'.encode()
# openssl dgst -sha256 -hmac secret
KNOWN = "sha256=f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"
QUERY = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "token"}


def test_a_known_signature() -> None:
    body = b"The quick brown fox jumps over the lazy dog"
    assert signature.sign("key", body) == KNOWN
    assert signature.verify("key", body, KNOWN)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha1=" + "0" * 40,
        signature.sign("other", BODY),
        signature.sign("secret", BODY + b" "),
        signature.sign("secret", BODY).removeprefix("sha256="),
        "sha256=è",
    ],
)
def test_other_signatures_are_refused(header: str | None) -> None:
    assert signature.verify("secret", BODY, signature.sign("secret", BODY))
    assert not signature.verify("secret", BODY, header)


def test_the_handshake_echoes_the_challenge() -> None:
    assert signature.handshake(QUERY, ("token",)) == "1158201444"


@pytest.mark.parametrize(
    "changed",
    [
        {"hub.verify_token": "wrong"},
        {"hub.verify_token": ""},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
    ],
)
def test_the_handshake_refuses(changed: dict[str, str]) -> None:
    assert signature.handshake({**QUERY, **changed}, ("token",)) is None


def test_the_handshake_refuses_an_empty_query() -> None:
    assert signature.handshake({}, ("token",)) is None
