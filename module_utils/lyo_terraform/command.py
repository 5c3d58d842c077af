"""Terraform as a child process: its environment, initialisation, and the run that is followed."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from .stream import Stream, explain_lock

POLL_SECONDS = 0.2
WAIT_POLL_SECONDS = 2.0
# Variables of the caller's shell that would make Terraform do something else.
FOREIGN = ("AWS_ENDPOINT_URL", "TF_CLI_ARGS", "TF_DATA_DIR", "TF_VAR_", "TF_WORKSPACE")
# Those that say who the caller is; they stay only where the inventory names nobody.
IDENTITY = (
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_PROFILE",
    "AWS_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
NEEDS_INIT = (
    "Backend initialization required",
    "Backend configuration changed",
    "Inconsistent dependency lock file",
    "Module not installed",
    "Missing required provider",
    "Required plugins are not installed",
    "Initialization required",
)
# What Terraform's error says → what to do about it, where the error itself does not tell.
ADVICE = {
    r"waiting for ACM Certificate .* to be issued": (
        "ACM does not find the validation records: as a rule because the domain is not delegated to "
        'its hosted zone yet. terraform/README.md says how under "A new zone"'
    ),
}

Progress = Callable[[str, str, int | None], None]


class TerraformFailure(Exception):  # noqa: N818 - what is reported, not a defect
    """Terraform, or the way to it, failed; the message says what to do.

    :ivar errors: its error diagnostics, one text each.
    """

    def __init__(self, message: str, errors: list[str] | None = None) -> None:
        super().__init__(message)
        self.errors = errors or []


def child_environment(
    aws: Mapping[str, Any],
    data_dir: Path,
    cli_config: str | None,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, str]:
    """Return the environment of Terraform: this run's account and region, and no other's.

    Credentials go this way only: arguments and files can be read by others. With neither key nor
    profile named, those of the caller's shell stay.
    """
    named = aws.get("access_key") or aws.get("profile")
    dropped = (*FOREIGN, *IDENTITY) if named else FOREIGN
    env = {name: value for name, value in environ.items() if not name.startswith(dropped)}
    env |= {
        "AWS_REGION": aws["region"],
        "AWS_DEFAULT_REGION": aws["region"],
        "TF_DATA_DIR": str(data_dir),
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }
    for variable, option in (
        ("AWS_ENDPOINT_URL", "endpoint_url"),
        ("AWS_PROFILE", "profile"),
        ("AWS_ACCESS_KEY_ID", "access_key"),
        ("AWS_SECRET_ACCESS_KEY", "secret_key"),
        ("AWS_SESSION_TOKEN", "session_token"),
    ):
        if aws.get(option):
            env[variable] = str(aws[option])
    if cli_config:
        env["TF_CLI_CONFIG_FILE"] = cli_config
    return env


class Terraform:
    """Runs Terraform on one configuration.

    :param binary: the command.
    :param project: folder of the root module.
    :param data_dir: this environment's own TF_DATA_DIR, so that two never share a backend.
    :param backend: settings of the backend, given at initialisation.
    :param env: the child's whole environment.
    :param progress: called with stage, text and percentage.
    :param make_bucket: what to tell somebody whose state bucket does not exist.
    """

    def __init__(
        self,
        binary: str,
        project: Path,
        data_dir: Path,
        backend: Mapping[str, str],
        env: Mapping[str, str],
        progress: Progress,
        make_bucket: str = "",
    ) -> None:
        found = shutil.which(binary)
        if not found:
            raise TerraformFailure(
                f"Terraform is not there ({binary}). On a machine of yours: make setup. "
                "The ops image of ops/Dockerfile has it, the local cloud's has not: "
                "run this from a machine of yours"
            )
        if not project.is_dir():
            raise TerraformFailure(f"{project} is not a folder with a Terraform configuration")
        self.binary, self.project, self.data_dir = found, project, data_dir
        self.backend, self.env, self.progress = dict(backend), dict(env), progress
        self.make_bucket = make_bucket
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)

    # Initialisation.

    def init_fingerprint(self) -> str:
        """Hash over what an initialisation depends on: backend, lock file, module and provider names."""
        digest = hashlib.sha256(json.dumps(self.backend, sort_keys=True).encode())
        digest.update(self.binary.encode())
        lock = self.project / ".terraform.lock.hcl"
        digest.update(lock.read_bytes() if lock.exists() else b"")
        for file in sorted(self.project.rglob("*.tf")):
            if ".terraform" in file.parts:
                continue
            for line in file.read_text(encoding="utf-8").splitlines():
                if line.split("=")[0].strip() in ("source", "version", "required_version", "key"):
                    digest.update(line.encode())
        return digest.hexdigest()

    def init(self) -> None:
        """Initialise when something it depends on has changed since the last time."""
        stamp = self.data_dir / "lyo-init"
        fingerprint = self.init_fingerprint()
        if stamp.exists() and stamp.read_text() == fingerprint:
            return
        self.progress("init", "providers and state backend", None)
        command = ["init", "-input=false", "-no-color", "-reconfigure"]
        if (self.project / ".terraform.lock.hcl").exists():
            # What was locked is what runs: an initialisation never edits the repository.
            command.append("-lockfile=readonly")
        command += [f"-backend-config={key}={value}" for key, value in self.backend.items()]
        done = self._call(command)
        if done.returncode:
            raise TerraformFailure(self._init_message(done.stderr + done.stdout))
        stamp.write_text(fingerprint)

    def _init_message(self, output: str) -> str:
        if "NoSuchBucket" in output or ("S3 bucket" in output and "does not exist" in output):
            bucket = self.backend.get("bucket")
            return f"the state bucket {bucket} does not exist. {self.make_bucket}"
        return f"terraform init failed: {_errors_of(output)}"

    def forget_init(self) -> None:
        """Make the next :meth:`init` run in any case."""
        (self.data_dir / "lyo-init").unlink(missing_ok=True)

    # Runs.

    def show(self, plan: Path | None = None) -> dict[str, Any]:
        """Return a saved plan, or without one the state, as `terraform show -json` prints it."""
        done = self._call(["show", "-json", "-no-color", *([str(plan)] if plan else [])])
        if done.returncode:
            raise TerraformFailure(f"terraform show failed: {_errors_of(done.stderr)}")
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def forget(self, addresses: Sequence[str], options: Sequence[str]) -> None:
        """Take resources out of the state; they stay in AWS.

        :raises TerraformFailure: with what Terraform says.
        """
        done = self._call(["state", "rm", *options, *addresses])
        if done.returncode:
            raise TerraformFailure(f"terraform state rm failed: {_errors_of(done.stderr)}")

    def _call(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.binary, *arguments],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def follow(self, stage: str, arguments: list[str], total: int = 0) -> int:
        """Run `plan` or `apply` with progress; return its exit code when it is 0 or 2.

        Its output goes through a file: were it a pipe, the death of this process would kill
        Terraform in the middle of an apply, before it has saved its state.

        :raises TerraformFailure: with what Terraform says, and what to do about a held lock.
        """
        stream = Stream(total)
        log = self.data_dir / f"lyo-{arguments[0]}.jsonl"
        # A file of its own: a plan of a run that was killed may still write to the former one.
        log.unlink(missing_ok=True)
        with (
            self._working(arguments) as inherited,
            log.open("wb") as sink,
            log.open(encoding="utf-8", errors="replace") as source,
        ):
            child = subprocess.Popen(
                [self.binary, *arguments],
                cwd=self.project,
                env=self.env,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                pass_fds=inherited,
                # Out of reach of signals to a whole group: a second one would make Terraform
                # stop at once, without saving its state.
                start_new_session=True,
                preexec_fn=_interrupt_with_parent if sys.platform == "linux" else None,
            )
            for descriptor in inherited:
                os.pwrite(descriptor, str(child.pid).encode(), 0)
            try:
                while child.poll() is None:
                    self._read(source, stream, stage)
                    time.sleep(POLL_SECONDS)
                self._read(source, stream, stage)
            finally:
                if child.poll() is None and sys.platform != "linux":
                    child.send_signal(signal.SIGINT)
        if child.returncode in (0, 2) and not stream.errors:
            return child.returncode
        raise self._failure(stream, arguments[0], child.returncode)

    @contextlib.contextmanager
    def _working(self, arguments: Sequence[str]) -> Iterator[tuple[int, ...]]:
        """A descriptor that Terraform inherits, and with it a lock that lasts as long as it lives.

        What only reads, and so does not lock the state, keeps nobody waiting.
        """
        if "-lock=false" in arguments:
            yield ()
            return
        path = self.data_dir / "lyo-working"
        # A file of its own: providers that outlived their Terraform may still lock the former one.
        path.unlink(missing_ok=True)
        with path.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield (file.fileno(),)

    def wait_for_interrupted(self) -> None:
        """Wait while the Terraform of a run that was killed is still finishing.

        An apply ends what it had begun, within the provider's own time limits, and saves the state; a
        plan reads on for a while. Until then it holds the state's lock rightly: nobody should be told
        to break it.
        """
        with (self.data_dir / "lyo-working").open("a+b") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    # Providers inherit the lock, and outlive a Terraform that was killed hard.
                    if not _lives(os.pread(file.fileno(), 20, 0)):
                        return
                    self.progress(
                        "wait", "Terraform still finishes what an interrupted run began", None
                    )
                    time.sleep(WAIT_POLL_SECONDS)
                else:
                    return

    def _read(self, source: IO[str], stream: Stream, stage: str) -> None:
        while True:
            position = source.tell()
            line = source.readline()
            if not line.endswith("\n"):
                source.seek(position)
                return
            news = stream.feed(line)
            if news:
                self.progress(stage, *news)

    def _failure(self, stream: Stream, verb: str, code: int) -> TerraformFailure:
        if stream.lock:
            unlock = f"terraform -chdir={self.project} force-unlock"
            return TerraformFailure(explain_lock(stream.lock, unlock), stream.errors)
        errors = stream.errors or [f"it ended with {code} and said nothing"]
        if any(text in error for error in errors for text in NEEDS_INIT):
            self.forget_init()
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        after = (
            ". What was done until then is in the state: correct the cause and run this again"
            if verb == "apply"
            else ""
        )
        return TerraformFailure(
            f"terraform {verb} failed: {errors[0]}{more}{advice(errors)}{after}", errors
        )


def advice(errors: Iterable[str]) -> str:
    """Return what to do about errors that do not tell it themselves, empty where nothing is known."""
    texts = list(errors)
    known = [told for said, told in ADVICE.items() if any(re.search(said, t) for t in texts)]
    return "".join(f". {told}" for told in known)


def _lives(pid: bytes) -> bool:
    """Whether that process is there; one that is not known yet counts."""
    if not pid:
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    return True


def _interrupt_with_parent() -> None:
    """In the child: be interrupted, once, when the parent dies; Terraform then stops cleanly."""
    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGINT)


def _errors_of(output: str) -> str:
    """The error lines of Terraform's text output, without its frame."""
    lines = [line.strip(" │╷╵\n") for line in output.splitlines()]
    return " ".join(line for line in lines if line)[:2000] or "no message"
