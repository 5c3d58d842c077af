"""What people write first: a loop that asks Meta about one account after the other.

python -m tests.bench.one_by_one GRAPH-URL APP-ID CALLBACK-URL LIST.csv SECRETS.json

SECRETS.json: {"app_secret": …, "tokens": {id: …}}.
It reads what webhooks.yml reads, compares, and writes nothing. Exit code 1 when anything differs.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Any

import requests


def main(graph: str, app_id: str, callback: str, file: str, secrets_file: str) -> int:
    """Read and compare; returns the exit code."""
    secrets = json.loads(Path(secrets_file).read_text())
    session = requests.Session()

    def read(path: str, token: str, **query: str) -> Any:
        key = secrets["app_secret"].encode()
        query["appsecret_proof"] = hmac.new(key, token.encode(), hashlib.sha256).hexdigest()
        headers = {"Authorization": f"Bearer {token}"}
        answer = session.get(f"{graph}/v26.0/{path}", params=query, headers=headers, timeout=30)
        answer.raise_for_status()
        return answer.json()["data"]

    different = []
    app = read(f"{app_id}/subscriptions", f"{app_id}|{secrets['app_secret']}")
    if [entry["callback_url"] for entry in app] != [callback]:
        different.append("app")
    with Path(file).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        token, account = secrets["tokens"][row["id"]], row["waba_id"]
        apps = read(f"{account}/subscribed_apps", token)
        ours = [a for a in apps if a["whatsapp_business_api_data"]["id"] == app_id]
        numbers = read(f"{account}/phone_numbers", token, fields="id,webhook_configuration")
        found = {number["id"]: number["webhook_configuration"] for number in numbers}
        if (
            [entry.get("override_callback_uri") for entry in ours] != [callback]
            or row["phone_number_id"] not in found
            or "phone_number" in found[row["phone_number_id"]]
        ):
            different.append(row["id"])
    print(f"{len(rows)} accounts, {len(different)} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
