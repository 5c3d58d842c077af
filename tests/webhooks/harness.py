"""Runs the module in this process: Meta is a double, the application a receiver, AWS a few dicts."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.lyo_webhooks import run as runner

from graphdouble.client import DoubleClient
from tests.graphdouble.receiver import Receiver
from tests.unit.modules.fakes import FakeAws, FakeModule, ended, failure

VERIFY_TOKEN = "verify-token-of-the-tests"
SECRET, BUCKET = "lyo/whatsapp", "state"


class Body(io.BytesIO):
    def __deepcopy__(self, _: Any) -> Body:
        return self


class Cloud(FakeAws):
    """The parts of AWS that the module uses.

    :ivar objects: of the state bucket.
    :ivar values: of secrets.
    """

    def __init__(self, receiver: Receiver, tenants: dict[str, str]) -> None:
        self.objects: dict[str, bytes] = {}
        self.values: dict[str, str] = {}
        self.fence_lost = False
        self._receiver, self._tenants = receiver, tenants
        super().__init__(
            put_object=self._put,
            get_object=self._get,
            get_secret_value=lambda p: {"SecretString": self.values[p["SecretId"]]},
            batch_get_secret_value=self._secrets,
            filter_log_events=self._events,
        )

    def _put(self, params: dict[str, Any]) -> dict[str, Any]:
        self.objects[params["Key"]] = params["Body"]
        return {}

    def _get(self, params: dict[str, Any]) -> Any:
        if params["Key"] not in self.objects:
            return failure("NoSuchKey")
        return {"Body": Body(self.objects[params["Key"]])}

    def _secrets(self, params: dict[str, Any]) -> dict[str, Any]:
        names = params["SecretIdList"]
        return {
            "SecretValues": [
                {"Name": name, "ARN": name, "SecretString": self.values[name]}
                for name in names
                if name in self.values
            ],
            "Errors": [
                {"SecretId": name, "ErrorCode": "ResourceNotFoundException"}
                for name in names
                if name not in self.values
            ],
        }

    def _events(self, _: dict[str, Any]) -> dict[str, Any]:
        """What the application logs of the probes that have reached it."""
        return {
            "events": [
                {"message": json.dumps({"probe": probe, "tenant": self._tenants.get(number)})}
                for probe, number in self._receiver.numbers.items()
            ]
        }

    def check_fence(self) -> None:
        if self.fence_lost:
            raise failure("LockLost", "another run has taken over")


class Module(FakeModule):
    def __init__(self, params: dict[str, Any], check_mode: bool) -> None:
        super().__init__(params, check_mode)
        self.no_log_values: set[str] = set()
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class Registrar:
    """One environment whose webhooks are registered.

    :ivar options: options of the module, may be changed.
    :ivar rows: the list of tenants, may be changed.
    :ivar secrets: what must never be shown.
    """

    def __init__(
        self,
        double: DoubleClient,
        receiver: Receiver,
        seeded: dict[str, Any],
        folder: Path,
        ca_bundle: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        self.double, self.receiver, self.folder = double, receiver, folder
        self.app_id: str = seeded["app"]["id"]
        self.app_secret: str = seeded["app"]["secret"]
        tenants = seeded["tenants"]
        self.accounts = {f"t{n}": t["account_id"] for n, t in enumerate(tenants)}
        self.numbers = {f"t{n}": list(t["numbers"]) for n, t in enumerate(tenants)}
        self.rows: list[dict[str, Any]] = [
            {
                "id": name,
                "waba_id": account,
                "phone_number_id": self.numbers[name],
                "token": f"lyo/tokens#{name}",
            }
            for name, account in self.accounts.items()
        ]
        by_number = {number: name for name, all_ in self.numbers.items() for number in all_}
        self.cloud = Cloud(receiver, by_number)
        self.tokens = {f"t{n}": t["token"] for n, t in enumerate(tenants)}
        self.cloud.values["lyo/tokens"] = json.dumps(self.tokens)
        self.set_app(VERIFY_TOKEN)
        self.secrets = [self.app_secret, *self.tokens.values()]
        self.url = receiver.url()
        self.options: dict[str, Any] = {
            "aws": {}, "env": "local", "callback_url": None, "callback_path": "/webhook",
            "outputs": {"api_url": receiver.base, "whatsapp_secret_arn": SECRET, "log_group": "log"},
            "graph": {"url": double.endpoint, "version": "v26.0", "concurrency": 8, "rate": 500.0,
                      "max_rate": 2000.0, "attempts": 6, "timeout": 20.0, "patience": 30.0},
            "fields": ["messages"], "level": "account", "other_apps": [], "secret": None,
            "token": None, "task": {}, "skip_invalid": False,
            "store": {"bucket": BUCKET, "prefix": "webhooks/", "kms_key": None},
            "token_version": "1", "restore": None, "prove": "changed", "prove_timeout": 10.0,
            "consistency_timeout": 10.0, "begin": False, "reread": False, "summary": True,
            "report_file": str(folder / "report.csv"), "max_lines": 20, "ca_bundle": str(ca_bundle),
        }  # fmt: skip
        monkeypatch.setattr(runner, "Aws", lambda *_: self.cloud)

    def set_app(self, verify_token: str, app_secret: str = "") -> None:
        """Write the app's secret."""
        content = {
            "app_id": self.app_id,
            "app_secret": app_secret or self.app_secret,
            "verify_token": verify_token,
            "access_token": "EAA-shared",
        }
        self.cloud.values[SECRET] = json.dumps(content)

    def run(self, *, check_mode: bool = False, **changes: Any) -> tuple[bool, dict[str, Any]]:
        """Run the module; whether it succeeded, and its answer. No secret may be in that."""
        path = self.folder / "tenants.json"
        path.write_text(json.dumps(self.rows))
        params = {**self.options, "tenants": {"file": str(path)}, **changes}
        module = Module(params, check_mode)
        done = ended(runner.run, module)
        shown = json.dumps(done.answer) + str(done) + json.dumps(self._kept())
        assert not [secret for secret in self.secrets if secret in shown], "a secret was shown"
        return not done.failed, {**done.answer, "warnings": module.warnings}

    def _kept(self) -> list[str]:
        return [body.decode() for body in self.cloud.objects.values()]

    def begun(self, **changes: Any) -> dict[str, Any]:
        """Run it, which has to succeed."""
        good, answer = self.run(**changes)
        assert good, answer
        return answer

    def routes(self) -> dict[str, str | None]:
        """Where Meta sends each number's messages."""
        return self.double.routes()

    def written(self, since: int = 0) -> list[dict[str, Any]]:
        """Writes that reached Meta."""
        return self.double.calls(since, writes=True)
