"""Tells a double of Meta's Graph API what the tenants of a local cloud are: app, accounts, numbers.

    python -m tests.webhooks.seed --cloud .localcloud --double .graphdouble

The application's database knows numbers only, so an account's id is its number's with a 1 before it, as
in inventories/local.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from graphdouble.client import DoubleClient
from graphdouble.lifecycle import require_running as double_in
from localcloud import outside
from localcloud.lifecycle import require_running as cloud_in

ROOT = Path(__file__).resolve().parents[2]


def seed(cloud: dict[str, Any], double: DoubleClient) -> dict[str, Any]:
    """Seed a double with the app and the token that the cloud's secret has."""
    arn = outside.outputs(cloud)["whatsapp_secret_arn"]
    manager = outside.client(cloud, "secretsmanager")
    secret = json.loads(manager.get_secret_value(SecretId=arn)["SecretString"])
    tenants = json.loads((ROOT / "examples" / "booking" / "tenants.json").read_text())
    double.reset()
    return double.seed(
        [
            {
                "account_id": f"1{tenant['phone_number_id']}",
                "name": tenant["name"],
                "token": secret["access_token"],
                "numbers": [{"id": tenant["phone_number_id"], "display": tenant["id"]}],
            }
            for tenant in tenants
        ],
        new_app_id=secret["app_id"],
        app_secret=secret["app_secret"],
    )


def main() -> None:
    """Seed by the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cloud", type=Path, required=True, help="folder of the local cloud")
    parser.add_argument("--double", type=Path, required=True, help="folder of the double")
    arguments = parser.parse_args()
    double = DoubleClient(double_in(arguments.double)["endpoint"])
    seeded = seed(cloud_in(arguments.cloud), double)
    print(f"{len(seeded['tenants'])} tenants at {double.endpoint}")


if __name__ == "__main__":
    main()
