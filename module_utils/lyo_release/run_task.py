"""The module ``ecs_run_task``: one task, run once, with its log and its exit code."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from . import live, schema, verdict
from .decide_deploy import pause_after
from .patience import Answer, patiently
from .reasons import log_stream, task_line
from .result import diff
from .task_definition import normalise, render, same, summary

_TAIL = 40
NEVER, AFTER, ALWAYS = "never", "after", "always"
# Looks at the log after the task's end, 0.3 s apart.
LATE_LOOKS = 3
# How long a token is kept; well below the hour for which ECS lists a stopped task.
TOKEN_SECONDS = 600


def started_by(definition: Mapping[str, Any], name: str, command: Sequence[str] = ()) -> str:
    """Return the mark of a run: the same content has the same, so that a re-run finds it.

    :param command: what the run is given besides its definition.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html (36 characters kept
    well below the limit of 128)
    """
    content = json.dumps([normalise(definition), *command], sort_keys=True).encode()
    return f"lyo-{name[:14]}-{hashlib.sha256(content).hexdigest()[:16]}"


def client_token(mark: str, definition: str, ended: Sequence[str], now: float) -> str:
    """Return RunTask's client token for the next attempt of a run.

    A repeated request, also of a run that was killed and typed again, has the same token, so that
    no second task starts. A new attempt has another: ECS answers a token with the old task for 24
    hours, but lists a stopped task for an hour only.
    https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ECS_Idempotency.html

    :param definition: ARN of the task definition; a token belongs to its parameters.
    :param ended: ARNs of its attempts that have ended, as far as ECS still lists them.
    :param now: seconds since the epoch.
    """
    text = "\n".join([mark, definition, str(int(now // TOKEN_SECONDS)), *sorted(ended)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def judge(task: Mapping[str, Any], container: str) -> tuple[int | None, list[str]]:
    """Return exit code and what went wrong (empty for a task that ended well)."""
    code: int | None = None
    for entry in task.get("containers", []):
        if entry.get("name") == container:
            code = entry.get("exitCode")
    if code == 0:
        return 0, []
    return code, [task_line(task)]


class LogTail:
    """Reads a task's log from where it stopped before.

    :param listen: is told each line once.
    """

    def __init__(
        self,
        aws: Aws,
        place: tuple[str, str] | None,
        listen: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._listen = listen
        self._aws = aws
        self._place = place
        self._token: str | None = None
        self.lines: list[str] = []

    def read(self) -> list[str]:
        """Return the new lines; the last ones of all are kept in ``lines``."""
        if self._place is None:
            return []
        new: list[str] = []
        while True:
            more = {"nextToken": self._token} if self._token else {}
            try:
                answer = self._aws.call(
                    "logs",
                    "get_log_events",
                    logGroupName=self._place[0],
                    logStreamName=self._place[1],
                    startFromHead=True,
                    **more,
                )
            except AwsFailure as failure:
                if failure.code == "ResourceNotFoundException":
                    return new  # the stream appears with the first line
                raise
            page = [str(event["message"]).rstrip() for event in answer.get("events", [])]
            for line in page:
                self._listen(line)
            new += page
            token = answer.get("nextForwardToken")
            # The same token twice is the end of the stream.
            # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html
            if not token or token == self._token:
                break
            self._token = token
        self.lines = (self.lines + new)[-_TAIL:]
        return new


class OneOff:
    """One run of the module."""

    def __init__(
        self,
        aws: Aws,
        progress: Progress,
        params: Mapping[str, Any],
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.aws = aws
        self.progress = progress
        self.params = params
        self.outputs: Mapping[str, Any] = params["outputs"]
        self.cluster = str(self.outputs["cluster_name"])
        self.name = str(params["name"])
        self.repeat = str(params.get("repeat") or NEVER)
        # What a person types is given to RunTask: a definition for each command would be left behind.
        self.command = [] if self.repeat == NEVER else [str(word) for word in params["command"]]
        self.wanted = render(
            self.outputs,
            params["task"],
            params["image"],
            params["release"],
            one_off=self.name,
            command=list(params["command"]) if self.repeat == NEVER else None,
            entry_point=params.get("entrypoint"),
        )
        self.mark = started_by(self.wanted, self.name, self.command)
        self._end = 0.0  # of watching, by the clock
        self.listen: Callable[[str], None] = lambda _: None
        self._sleep = sleep
        self._clock = clock

    def existing_definition(self) -> dict[str, Any] | None:
        """Return the registered definition with this content, None without one."""
        latest = live.describe_definition(self.aws, self.wanted["family"])
        return latest if latest and same(latest, self.wanted) else None

    def register(self) -> dict[str, Any]:
        """Register the definition and return it."""

        def find() -> dict[str, Any] | None:
            found = self.existing_definition()
            return {"taskDefinition": found} if found else None

        answer = self.aws.create("ecs", "register_task_definition", find, **self.wanted)
        definition: dict[str, Any] = answer["taskDefinition"]
        return definition

    def _tasks(self, status: str) -> list[str]:
        answer = self.aws.call(
            "ecs",
            "list_tasks",
            cluster=self.cluster,
            startedBy=self.mark,
            desiredStatus=status,
        )
        return [str(arn) for arn in answer.get("taskArns", [])]

    def running(self) -> str:
        """Return the ARN of the task of an interrupted run, empty without one."""
        if self.repeat == ALWAYS:
            return ""
        return next(iter(self._tasks("RUNNING")), "")

    def start(self, definition: str) -> str:
        """Run the task and return its ARN.

        :raises AwsFailure: ``RunTask`` placed none.
        """
        network = {
            "subnets": list(self.outputs["subnet_ids"]),
            "securityGroups": list(self.outputs["app_security_group_ids"]),
            "assignPublicIp": "DISABLED",
        }
        answer = self.aws.call(
            "ecs",
            "run_task",
            cluster=self.cluster,
            taskDefinition=definition,
            launchType="FARGATE",
            count=1,
            networkConfiguration={"awsvpcConfiguration": network},
            startedBy=self.mark,
            clientToken=self._token(definition),
            **self._overrides(),
        )
        tasks = answer.get("tasks") or []
        if not tasks:
            why = "; ".join(
                f"{f.get('reason')} {f.get('detail') or ''}".strip()
                for f in answer.get("failures", [])
            )
            raise AwsFailure("RunTask", f"ECS did not start the task {self.name}: {why}")
        return str(tasks[0]["taskArn"])

    def _token(self, definition: str) -> str:
        """A person wants a task each time; only the SDK's own retries are the same request."""
        if self.repeat != NEVER:
            return secrets.token_hex(16)
        return client_token(self.mark, definition, self._tasks("STOPPED"), time.time())

    def _overrides(self) -> dict[str, Any]:
        if not self.command:
            return {}
        container = {"name": self.outputs["container_name"], "command": self.command}
        return {"overrides": {"containerOverrides": [container]}}

    def follow(self, arn: str, definition: Mapping[str, Any]) -> tuple[dict[str, Any], LogTail]:
        """Follow a task until it has stopped or the time is up; return it and its log."""
        log = LogTail(self.aws, log_stream(definition, arn), self.listen)
        end = self._end = self._clock() + float(self.params["timeout"])
        pause = 0.2
        task: dict[str, Any] = {"taskArn": arn, "lastStatus": "PROVISIONING"}
        shown = ""
        while True:
            task = self._patiently(lambda: self._describe(arn)) or task
            status = str(task.get("lastStatus"))
            if status != shown:
                self.progress(status, f"{self.name}: {status.lower()}")
                shown = status
            begun = status not in ("PROVISIONING", "PENDING")
            fresh = self._patiently(log.read) if begun else []
            self._show(fresh)
            if status == "STOPPED" or self._clock() > end:
                break
            pause = pause_after(pause, bool(fresh))
            self._sleep(pause)
        # The last lines arrive a little after the end.
        for _ in range(LATE_LOOKS if self.repeat == NEVER else 8):
            if log.lines and self.repeat == NEVER and not self._waits_for_schema(log.lines):
                break
            self._sleep(0.3)
            last = self._patiently(log.read)
            self._show(last)
            if log.lines and not last and not self._waits_for_schema(log.lines):
                break
        return task, log

    def _show(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.progress.line(f"  {line}")

    def _patiently(self, read: Callable[[], Answer]) -> Answer:
        """The task goes on by itself: a spell in which AWS cannot be read is waited out."""
        return patiently(
            read,
            lambda text: self.progress("waiting", text),
            self._sleep,
            self._clock,
            self._end - self._clock(),
        )

    def _describe(self, arn: str) -> dict[str, Any]:
        answer = self.aws.call("ecs", "describe_tasks", cluster=self.cluster, tasks=[arn])
        found: list[dict[str, Any]] = answer.get("tasks") or [{}]
        return found[0]

    def _waits_for_schema(self, lines: Sequence[str]) -> bool:
        return bool(self.params.get("migrates")) and schema.said(lines) is None


def run(module: Any) -> None:
    """Run the module ``ecs_run_task``."""
    params = module.params
    aws = Aws(params["aws"])
    progress = Progress(f"{params['name']} {params['release']}", aws.secrets)
    try:
        _run(module, OneOff(aws, progress, params))
    except AwsFailure as failure:
        module.fail_json(
            msg=failure.message, reasons=[failure.message], changed=aws.writes > 0, log=[]
        )


def _run(module: Any, one_off: OneOff) -> None:
    definition = one_off.existing_definition()
    arn = one_off.running()
    answer: dict[str, Any] = {
        "changed": True,
        "exit_code": None,
        "task_arn": arn,
        "task_definition": str((definition or {}).get("taskDefinitionArn", "")),
        "log": [],
        "reasons": [],
        "diff": diff({}, {"run": summary(one_off.wanted)}, f"one-off task {one_off.name}"),
    }
    if module.check_mode:
        module.exit_json(**answer)
    if definition is None:
        definition = one_off.register()
        answer["task_definition"] = str(definition["taskDefinitionArn"])
    if arn:
        one_off.progress("adopt", f"{one_off.name} is already running: watching it")
    else:
        arn = one_off.start(answer["task_definition"])
    if one_off.repeat != NEVER:
        stop = f"aws ecs stop-task --cluster {one_off.cluster} --task {arn.rpartition('/')[2]}"
        one_off.progress.line(f"  Ctrl-C leaves the task running; to stop it: {stop}")
    task, log = one_off.follow(arn, definition)
    code, wrong = judge(task, one_off.outputs["container_name"])
    answer |= {"task_arn": arn, "exit_code": code, "log": log.lines, "reasons": wrong}
    found = schema.said(log.lines) if one_off.params.get("migrates") else None
    if found is not None:
        answer["schema"] = asdict(found)
        # Said also by a task that failed: the ledger keeps what is, not what was hoped for.
        answer["record"] = {
            "schema": found.revision,
            "schema_serves": list(found.serves),
            "schema_contracted": list(found.contracted),
        }
    _end(module, one_off, task, answer)


def _end(module: Any, one_off: OneOff, task: Mapping[str, Any], answer: dict[str, Any]) -> None:
    """End the module; what a person ran ends with a verdict and a record of its own."""
    by_hand = one_off.repeat != NEVER
    if by_hand:
        answer["record"] = {
            "release": one_off.params["release"],
            "image": one_off.params["image"],
            "task_definition": answer["task_definition"],
        }
    if task.get("lastStatus") != "STOPPED":
        message = (
            f"{one_off.name} still runs after {one_off.params['timeout']} s ({answer['task_arn']}); "
            "run the same command again to watch it"
        )
        answer["reasons"] = [message]
        if by_hand:
            answer["verdict"] = verdict.STILL_RUNNING
        module.fail_json(msg=message, **answer)
    if answer["reasons"]:
        if by_hand:
            answer["verdict"] = verdict.FAILED
        # What a person runs has shown its log already.
        tail = [] if by_hand else [f"log: {line}" for line in answer["log"][-20:]]
        message = "\n  ".join([f"{one_off.name} failed", *answer["reasons"], *tail])
        module.fail_json(msg=message, **answer)
    if by_hand:
        answer |= {"verdict": verdict.SUCCEEDED, "reasons": ["exit code 0"]}
    module.exit_json(**answer)
