"""The generator in a process of its own, so that a busy test does not disturb its clock."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.load.mix import Mix
from tests.load.report import Report

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 60.0


class Load:
    """Load in the background from `with` until `stop()`.

    url: base URL. rate: requests a second. ca: a PEM file to trust. app_secret: signs the webhook
    messages (handed over in the environment). mix: what is sent. timeout: seconds for an answer.
    outcomes: file that every request is written to, for `read_outcomes`.
    """

    def __init__(
        self,
        url: str,
        *,
        app_secret: str = "",
        ca: Path | None = None,
        rate: float = 100.0,
        mix: Mix | None = None,
        timeout: float = 10.0,
        outcomes: Path | None = None,
    ) -> None:
        mix = mix or Mix()
        shares = zip(("health", "version", "webhook", "slow"), mix.shares(), strict=True)
        self._folder = tempfile.TemporaryDirectory(prefix="load-")
        self._report = Path(self._folder.name) / "report.json"
        self._errors = Path(self._folder.name) / "errors"
        self._environment = {**os.environ, "WHATSAPP_APP_SECRET": app_secret}
        self._argv = [
            *(sys.executable, "-m", "tests.load", "--until-eof"),
            *("--url", url, "--rate", str(rate), "--timeout", str(timeout)),
            *("--mix", ",".join(f"{kind}={share}" for kind, share in shares)),
            *("--slow-seconds", str(mix.slow_seconds), "--fresh", str(mix.fresh)),
            *("--phone-number-id", mix.phone_number_id, "--report", str(self._report)),
            *(("--ca", str(ca)) if ca else ()),
            *(("--outcomes", str(outcomes)) if outcomes else ()),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._result: Report | None = None

    def __enter__(self) -> Load:
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                self._argv,
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
            )
        assert self._process.stdout is not None
        self._process.stdout.readline()  # "started", or nothing when it could not start
        return self

    def stop(self) -> Report:
        """Send nothing more, wait for what is under way, and return the report.

        Raises RuntimeError with the generator's own words when there is none.
        """
        if self._result is None:
            if self._process is None or self._process.stdin is None:
                raise RuntimeError("the load was not started: use it in a `with` statement")
            self._process.stdin.close()
            self._process.wait(STOP_SECONDS)
            if not self._report.exists():
                raise RuntimeError(f"the load generator failed: {self._errors.read_text()}")
            self._result = Report.from_json(self._report.read_text())
        return self._result

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._folder.cleanup()
