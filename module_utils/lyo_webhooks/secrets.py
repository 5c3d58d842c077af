"""Tokens from Secrets Manager, few calls for many tenants."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..lyo_aws import Aws
from .tenants import Tenant, TokenReference

# https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_BatchGetSecretValue.html
BATCH = 20


class SecretProblemsError(Exception):
    """Secrets or keys that are missing; the message names each."""


@dataclass
class AppSecret:
    """What is known of the app.

    :ivar verify_tokens: the one to register, then those the application still accepts.
    """

    id: str
    secret: str = field(repr=False)
    verify_tokens: tuple[str, ...] = field(repr=False)

    @property
    def token(self) -> str:
        """The app access token.

        https://developers.facebook.com/docs/facebook-login/guides/access-tokens#apptokens
        """
        return f"{self.id}|{self.secret}"


class Vault:
    """Secrets by name or ARN, each read once."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws
        self._values: dict[str, str] = {}
        self._errors: dict[str, str] = {}

    def load(self, names: Iterable[str]) -> None:
        """Read secrets, twenty with each call; what cannot be read is known afterwards."""
        wanted = [n for n in dict.fromkeys(names) if n not in self._values]
        for start in range(0, len(wanted), BATCH):
            part = wanted[start : start + BATCH]
            more: dict[str, Any] = {}
            while True:
                answer = self._aws.call(
                    "secretsmanager", "batch_get_secret_value", SecretIdList=part, **more
                )
                self._take(answer)
                if not answer.get("NextToken"):
                    break
                more = {"NextToken": answer["NextToken"]}

    def _take(self, answer: dict[str, Any]) -> None:
        for entry in answer.get("SecretValues", []):
            for name in (entry.get("Name"), entry.get("ARN")):
                self._values[str(name)] = str(entry.get("SecretString", ""))
        for error in answer.get("Errors", []):
            self._errors[str(error.get("SecretId"))] = str(error.get("ErrorCode"))

    def value(self, reference: TokenReference) -> str:
        """Return a secret's value.

        :raises SecretProblemsError: it is missing, or has no such key.
        """
        text = self._values.get(reference.secret)
        if text is None:
            code = self._errors.get(reference.secret, "it has no value")
            raise SecretProblemsError(f"the secret {reference.secret} cannot be read ({code})")
        if not reference.key:
            return text
        content = self.content(reference.secret)
        if not content.get(reference.key):
            raise SecretProblemsError(f"the secret {reference.secret} has no key {reference.key}")
        return str(content[reference.key])

    def content(self, name: str) -> dict[str, Any]:
        """Return a JSON secret's keys, none where it is no JSON object."""
        try:
            content = json.loads(self._values.get(name, ""))
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}


def app_secret(vault: Vault, name: str) -> AppSecret:
    """Return the app's id, secret and verify tokens.

    :raises SecretProblemsError: some of it is missing.
    """
    vault.load([name])
    values = {}
    for key in ("app_id", "app_secret", "verify_token"):
        values[key] = vault.value(TokenReference(name, key))
    tokens = tuple(values["verify_token"].split())
    if not values["app_id"].isdigit() or not tokens:
        raise SecretProblemsError(f"the secret {name} needs a numeric app_id and a verify_token")
    return AppSecret(values["app_id"], values["app_secret"], tokens)


def tenant_tokens(
    vault: Vault, tenants: Iterable[Tenant], shared: TokenReference
) -> tuple[dict[str, str], dict[str, str]]:
    """Return access tokens by tenant, and by tenant what is wrong with the others."""
    listed = list(tenants)
    references = {tenant.id: tenant.token or shared for tenant in listed}
    vault.load(reference.secret for reference in references.values())
    tokens: dict[str, str] = {}
    problems: dict[str, str] = {}
    for name, reference in references.items():
        try:
            tokens[name] = vault.value(reference)
        except SecretProblemsError as error:
            problems[name] = str(error)
    return tokens, problems
