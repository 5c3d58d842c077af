"""Many restaurants: accounts at a double of Meta's Graph API, known to the deployed application."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from graphdouble.client import DoubleClient
from graphdouble.lifecycle import started
from tests.runbooks.harness import Environment

# A secret holds 64 KiB: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
TOKENS_IN_A_SECRET = 300
PREFIX = "ristorante-"


class Restaurants:
    """Restaurants with an account, a phone number and a token each.

    :ivar url: where their messages are to go.
    :ivar options: arguments of `ansible-playbook webhooks.yml` for them.
    """

    def __init__(
        self, environment: Environment, double: DoubleClient, count: int, folder: Path
    ) -> None:
        self.environment, self.double, self._folder = environment, double, folder
        outputs = environment.outputs
        self.url = f"{outputs['api_url']}/webhook"
        assert self.url.startswith("https://127."), self.url
        app = environment.secret(outputs["whatsapp_secret_arn"])
        self.app_id = app["app_id"]
        seeded = double.seed(count, new_app_id=app["app_id"], app_secret=app["app_secret"])
        self.tenants: list[dict[str, Any]] = [
            {"id": f"{PREFIX}{index:05d}", **tenant}
            for index, tenant in enumerate(seeded["tenants"])
        ]
        self.accounts = [tenant["account_id"] for tenant in self.tenants]
        self._secrets = self._keep_tokens()
        self.app_secret = app["app_secret"]
        self.list = folder / f"restaurants-{count}.csv"
        self._write_list()
        self.options = self._options({})

    def _keep_tokens(self) -> list[str]:
        client, names = self.environment.client("secretsmanager"), []
        for start in range(0, len(self.tenants), TOKENS_IN_A_SECRET):
            part = self.tenants[start : start + TOKENS_IN_A_SECRET]
            name = f"lyo-tests/{len(self.tenants)}-tokens-{start}"
            content = {tenant["id"]: tenant["token"] for tenant in part}
            client.create_secret(Name=name, SecretString=json.dumps(content))
            names.append(name)
            for tenant in part:
                tenant["secret"] = f"{name}#{tenant['id']}"
        return names

    def _write_list(self) -> None:
        with self.list.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "waba_id", "phone_number_id", "token"])
            for tenant in self.tenants:
                number = tenant["numbers"][0]
                writer.writerow([tenant["id"], tenant["account_id"], number, tenant["secret"]])

    def _options(self, calls: dict[str, Any]) -> list[str]:
        settings: dict[str, Any] = {
            "graph_url": self.double.endpoint,
            "graph_version": "v26.0",
            "level": "account",
            "fields": ["messages"],
            "tenants": {"file": str(self.list)},
        }
        if calls:
            settings["calls"] = calls
        file = self._folder / f"variables-{len(self.tenants)}.json"
        # Records of their own: those of the environment stay as they are.
        variables = {"lyo_webhooks": settings, "lyo_webhooks_prefix": "webhooks-of-tests/"}
        file.write_text(json.dumps(variables))
        return ["-e", f"@{file}"]

    def faster(self, **calls: Any) -> None:
        """How fast Meta is called from now on: options of the module's `graph`."""
        self.options = self._options(calls)

    def register_by_hand(self) -> None:
        """Bring everything to what is wanted without a run."""
        self.double.out_of_band(self.url, fields=["messages"])
        self.double.out_of_band(self.url, accounts=self.accounts)

    def forget(self) -> None:
        """Remove what was kept outside of the double."""
        client = self.environment.client("secretsmanager")
        for name in self._secrets:
            client.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


@contextmanager
def restaurants(
    environment: Environment, count: int, folder: Path, *, known: bool = True
) -> Iterator[Restaurants]:
    """Start a double with `count` restaurants; with `known` the application serves them too."""
    with started(folder / "double", ca_bundle=Path(environment.ca_bundle)) as double:
        made = Restaurants(environment, double, count, folder)
        try:
            if known:
                write_tenants(environment, made.tenants)
            yield made
        finally:
            if known:
                write_tenants(environment, [])
            made.forget()


def write_tenants(environment: Environment, tenants: Sequence[dict[str, Any]]) -> None:
    """Make the application know these restaurants of ours, and no others of ours."""
    database = environment.outputs["database"]
    owner = environment.secret(database["secret_arn"])
    with psycopg.connect(
        host=database["host"],
        port=database["port"],
        dbname=database["name"],
        user=owner["username"],
        password=owner["password"],
    ) as connection:
        connection.execute("DELETE FROM tenants WHERE id LIKE %s", [PREFIX + "%"])
        connection.cursor().executemany(
            "INSERT INTO tenants (id, name, phone_number_id) VALUES (%s, %s, %s)",
            [(t["id"], t["id"].capitalize(), t["numbers"][0]) for t in tenants],
        )
