"""Calls the Graph API of a double as a careful client would."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from graphdouble.auth import proof
from graphdouble.client import DoubleClient

VERIFY = "verify-token-of-the-tests"


@dataclass(frozen=True)
class Answer:
    status: int
    document: dict[str, Any]
    headers: dict[str, str]

    @property
    def code(self) -> int:
        """Meta's error code, 0 for none."""
        return int(self.document.get("error", {}).get("code", 0))

    @property
    def subcode(self) -> int:
        return int(self.document.get("error", {}).get("error_subcode", 0))

    @property
    def message(self) -> str:
        return str(self.document.get("error", {}).get("message", ""))


class Meta:
    """The Graph API of a double, seen by the app that was seeded."""

    def __init__(
        self, double: DoubleClient, seeded: dict[str, Any], version: str = "v25.0"
    ) -> None:
        self.double, self.version = double, version
        self.app_id, self.secret = seeded["app"]["id"], seeded["app"]["secret"]
        self.app_token = f"{self.app_id}|{self.secret}"
        self.tenants = seeded["tenants"]
        self.account = seeded["tenants"][0]["account_id"]
        self.token = seeded["tenants"][0]["token"]
        self.number = seeded["tenants"][0]["numbers"][0]

    def call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        form: bool = False,
        prove: bool = True,
        version: str = "",
        **query: str,
    ) -> Answer:
        """One call; `token` None for the first tenant's, "" for none."""
        token = self.token if token is None else token
        headers = {}
        if token:
            headers["Authorization"] = f"Bearer {token}"
            if prove:
                query.setdefault("appsecret_proof", proof(self.secret, token))
        payload = None
        if body is not None:
            kind = "application/x-www-form-urlencoded" if form else "application/json"
            headers["Content-Type"] = kind
            payload = urlencode(body) if form else json.dumps(body)
        parts = urlsplit(self.double.endpoint)
        assert parts.hostname is not None
        assert parts.hostname.startswith("127.")
        connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=30)
        try:
            address = f"/{version or self.version}/{path}"
            if query:
                address += f"?{urlencode(query)}"
            connection.request(method, address, payload, headers)
            answer = connection.getresponse()
            raw = answer.read()
            try:
                document = json.loads(raw)
            except ValueError:
                document = {}
            return Answer(answer.status, document, {k.lower(): v for k, v in answer.getheaders()})
        finally:
            connection.close()

    def subscribe_app(self, url: str, fields: str = "messages", verify: str = VERIFY) -> Answer:
        body = {
            "object": "whatsapp_business_account",
            "callback_url": url,
            "fields": fields,
            "verify_token": verify,
        }
        return self.call(
            "POST", f"{self.app_id}/subscriptions", body, token=self.app_token, form=True
        )

    def subscribe(self, account: str = "", token: str | None = None) -> Answer:
        """The bare POST."""
        return self.call("POST", f"{account or self.account}/subscribed_apps", token=token)

    def override(self, url: str, verify: str = VERIFY, account: str = "") -> Answer:
        body = {"override_callback_uri": url, "verify_token": verify}
        return self.call("POST", f"{account or self.account}/subscribed_apps", body)

    def override_number(self, url: str, verify: str = VERIFY, number: str = "") -> Answer:
        body = {"webhook_configuration": {"override_callback_uri": url, "verify_token": verify}}
        return self.call("POST", number or self.number, body)

    def configuration(self) -> dict[str, str]:
        answer = self.call("GET", self.number, fields="webhook_configuration")
        found: dict[str, str] = answer.document["webhook_configuration"]
        return found
