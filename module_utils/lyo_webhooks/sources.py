"""Where the list of tenants is read from: a file, S3, or the application's database."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..lyo_aws import Aws, AwsFailure
from ..lyo_progress import Progress
from ..lyo_release import live
from ..lyo_release.reasons import log_stream
from ..lyo_release.run_task import ALWAYS, LogTail, OneOff, judge
from ..lyo_release.task_definition import image_of, release_of
from .tenants import TenantsError, read

Rows = list[tuple[int, dict[str, Any]]]
FORMS = {".csv": "csv", ".jsonl": "jsonl", ".json": "yaml", ".yml": "yaml", ".yaml": "yaml"}
TASK_NAME = "tenants"
# The line after the last row, so that a log that is still arriving is told from a short list.
END = '{"rows": '
LOG_SECONDS = 60.0


def form_of(name: str) -> str:
    """Return the form of a list by its name's ending.

    :raises TenantsError: the ending says nothing.
    """
    form = FORMS.get(Path(name).suffix.lower())
    if form is None:
        raise TenantsError(f"{name}: the name must end in {', '.join(sorted(FORMS))}")
    return form


def from_file(path: str) -> Rows:
    """Read a file on this machine.

    :raises TenantsError: it cannot be read.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise TenantsError(f"the list of tenants cannot be read: {error}") from None
    return read(text, form_of(path))


def from_s3(aws: Aws, bucket: str, key: str) -> Rows:
    """Read an object.

    :raises TenantsError: it does not exist or cannot be read as a list.
    """
    form = form_of(key)
    try:
        body = aws.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read()
    except AwsFailure as failure:
        if failure.code in ("NoSuchKey", "NoSuchBucket", "404"):
            raise TenantsError(f"there is no list of tenants at s3://{bucket}/{key}") from None
        raise
    return read(bytes(body).decode("utf-8-sig", "replace"), form)


def rows_of(lines: list[str]) -> list[str] | None:
    """Return the rows among a task's log lines, None where the last has not arrived yet."""
    rows = [line for line in lines if line.startswith("{")]
    for index, line in enumerate(rows):
        if line.startswith(END):
            wanted = line.removeprefix(END).rstrip("}").strip()
            return rows[:index] if wanted == str(index) else None
    return None


class _WithoutRows(Progress):
    """Progress of the task without the rows it prints."""

    def __call__(self, stage: str, text: str, percent: int | None = None) -> None:
        if not text.startswith("{"):
            super().__call__(stage, text, percent)


def from_database(
    aws: Aws,
    outputs: Mapping[str, Any],
    task: Mapping[str, Any],
    database: Mapping[str, Any],
    sleep: Callable[[float], None] = time.sleep,
) -> Rows:
    """Ask the application's database by a one-off task of the image that serves.

    The task prints a JSON object a line, and as the last line how many there were. This machine needs
    no way to the database, and the log takes any number of lines.

    :param database: ``command`` of the image, ``query`` that is its last argument, ``timeout``.
    :raises TenantsError: the task failed, or its list did not arrive.
    """
    state = live.read(
        aws, str(outputs["cluster_name"]), str(outputs["service_name"]), str(outputs["task_family"])
    )
    image = image_of(state.live_definition)
    if not image:
        raise TenantsError("no release serves yet, so that nobody can be asked for the tenants")
    params = {
        "outputs": outputs,
        "task": task,
        "image": image,
        "release": release_of(state.live_definition),
        "name": TASK_NAME,
        "command": [*database["command"], *([database["query"]] if database["query"] else [])],
        "timeout": database["timeout"],
        # A list of minutes ago is not what was asked for.
        "repeat": ALWAYS,
    }
    one_off = OneOff(aws, _WithoutRows("tenants", aws.secrets), params, sleep)
    definition = one_off.existing_definition() or one_off.register()
    arn = one_off.start(str(definition["taskDefinitionArn"]))
    ended, tail = one_off.follow(arn, definition)
    code, wrong = judge(ended, str(outputs["container_name"]))
    if code != 0:
        said = [f"log: {line}" for line in tail.lines[-5:]]
        raise TenantsError("\n  ".join(["the task that lists the tenants failed", *wrong, *said]))
    log = LogTail(aws, log_stream(definition, arn))
    lines: list[str] = []
    end = time.monotonic() + LOG_SECONDS
    while True:
        lines += log.read()
        rows = rows_of(lines)
        if rows is not None:
            return read("\n".join(rows), "jsonl")
        if time.monotonic() > end:
            raise TenantsError(
                f"the list of tenants did not arrive in the log within {LOG_SECONDS:g} s ({arn})"
            )
        sleep(1.0)
