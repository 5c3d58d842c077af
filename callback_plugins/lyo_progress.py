"""Shows what a running module is doing, and at the end of a run what came of it."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: lyo_progress
type: aggregate
short_description: Live progress of long waits, and a summary at the end
version_added: "1.0"
description:
  - Makes a named pipe when a run starts and names it in the environment variable
    E(LYO_PROGRESS_FIFO). Modules that wait write one JSON line an event to it,
    C({"task", "stage", "text", "percent"}).
  - On a terminal one live line names the running task, the time that has passed and the last event.
    Elsewhere each change is a line of its own, flushed at once.
  - An event with C(line) set is a line of a log. It is shown as it is, and stays.
  - Collects what tasks return under C(lyo_summary) (or set as the fact of that name), and the
    C(verdict) and C(reasons) that modules end with, whether they succeeded or failed, and shows it
    once at the end, with the time each step took. Results that Ansible censors are left out.
  - A run that ended with a failed task, and without a verdict that says so, is shown as C(FAILED).
  - Names itself to the module C(run_lock) by E(LYO_CONTROLLER) and E(LYO_RUN_FOLDER), and tells the
    process that this module left beside the run how the run ended, with what modules returned under
    C(record), before the lock is freed.
  - Never changes the exit code.
notes:
  - A summary has the keys C(report) (a list of lines, shown as they are), C(verdict), C(release),
    C(previous), C(reasons) (a list), C(urls) (a mapping of names) and C(next) (commands to type);
    all are optional, and later results win.
"""

MAX_EVENT_BYTES = 4096
# A run that changes nothing has nothing to say about durations.
SHORTEST_STEP_SECONDS = 1.0
PREDICTED = "PREDICTED"
BAD_VERDICTS = ("DIFFERS", "DRIFTED", "FAILED", "ROLLED_BACK", "STILL_RUNNING")
COLORS = {
    "UNCHANGED": "green",
    "DEPLOYED": "green",
    "BACKED_UP": "green",
    "MIGRATED": "green",
    "APPLIED": "green",
    "DESTROYED": "green",
    "READY": "green",
    "RESTARTED": "green",
    "SCALED": "green",
    "SUCCEEDED": "green",
    "REGISTERED": "green",
    "RESTORED": "green",
    "DIFFERS": "yellow",
    "DRIFTED": "yellow",
    "ROLLED_BACK": "yellow",
    "FAILED": "red",
}
REDRAW_SECONDS = 0.25
FOLDER_PREFIX = "lyo-progress-"
GUARDIAN_SECONDS = 15.0
SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


def parse_event(line: bytes) -> dict[str, Any] | None:
    """Return an event from its line, or None when it is not one."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("text"), str):
        return None
    percent = event.get("percent")
    kept_line = event.get("line") is True
    return {
        "task": str(event.get("task", "")),
        "stage": printable(str(event.get("stage", ""))),
        "text": kept(event["text"]) if kept_line else printable(event["text"]),
        "percent": percent if isinstance(percent, int) else None,
        "line": kept_line,
    }


def printable(text: str) -> str:
    """`text` in one line without control characters: a log's tail must not drive the terminal."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def kept(text: str) -> str:
    """`text` without control characters, its spaces as they are: a table stays aligned."""
    return "".join(c if c.isprintable() else " " for c in text).rstrip()


def clock(seconds: float) -> str:
    """`m:ss`, or `h:mm:ss` from an hour on."""
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}" if hours else f"{minute}:{second:02d}"


def render(task: str, event: Mapping[str, Any] | None, elapsed: float) -> str:
    """One line of text: the task, the time since it began, stage, share done, text."""
    parts = [clock(elapsed), task]
    if event:
        percent = "" if event["percent"] is None else f"{event['percent']}%"
        parts += [event["stage"], percent, event["text"]]
    return "  ".join(part for part in parts if part)


def merge(summary: dict[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`summary` with what `new` says: mappings are merged, anything else is replaced."""
    merged = dict(summary)
    for key, value in new.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping):
            merged[key] = {**old, **value}
        else:
            merged[key] = value
    return merged


def render_summary(summary: Mapping[str, Any], durations: Mapping[str, float]) -> list[str]:
    """The lines that end a run: report, verdict, reasons, durations, addresses, commands."""
    verdict = " ".join(
        str(part)
        for part in (
            summary.get("verdict", ""),
            f"release {summary['release']}" if summary.get("release") else "",
            f"(was {summary['previous']})"
            if summary.get("previous") and summary["previous"] != summary.get("release")
            else "",
        )
        if part
    )
    lines = [kept(str(line)) for line in summary.get("report") or []]
    lines += [verdict] if verdict else []
    lines += [f"  because {printable(str(reason))}" for reason in summary.get("reasons") or []]
    took = [
        f"{step} {clock(seconds)}"
        for step, seconds in durations.items()
        if seconds >= SHORTEST_STEP_SECONDS
    ]
    if took:
        lines.append(f"  took    {', '.join(took)}")
    urls = summary.get("urls") or {}
    width = max((len(name) for name in urls), default=0)
    lines += [f"  {name:<{max(width, 7)}} {url}" for name, url in urls.items() if url]
    lines += [f"  next    {command}" for command in summary.get("next") or []]
    return lines


def found_summary(result: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a task's result says for the summary; nothing when Ansible censors the result."""
    if censored(result):
        return {}
    facts = result.get("ansible_facts")
    for place in (result, facts if isinstance(facts, Mapping) else {}):
        summary = place.get("lyo_summary")
        if isinstance(summary, Mapping):
            return summary
    if isinstance(result.get("verdict"), str):
        return {"verdict": result["verdict"], "reasons": list(result.get("reasons") or [])}
    return {}


def censored(result: Mapping[str, Any]) -> bool:
    """Whether Ansible hides this result."""
    return bool(result.get("_ansible_no_log")) or "censored" in result


def problems_of(task: str, result: Mapping[str, Any]) -> list[str]:
    """Why a task failed: its module's reasons where it gives some, else its message."""
    if censored(result):
        return [f"{task}: (hidden)"]
    reasons = result.get("reasons")
    if isinstance(reasons, list) and reasons:
        return [f"{task}: {reason}" for reason in reasons]
    return [f"{task}: {result.get('msg', 'it failed')}"]


def failed_summary(summary: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """The summary of a run in which a task failed: no verdict of success survives that."""
    if summary.get("verdict") in BAD_VERDICTS:
        return dict(summary)
    return {**summary, "verdict": "FAILED", "reasons": problems}


def remove_forgotten(parent: Path) -> None:
    """Remove the folders of runs that were killed: their names hold a process that is no more."""
    for folder in parent.glob(f"{FOLDER_PREFIX}*"):
        pid = folder.name.removeprefix(FOLDER_PREFIX).split("-")[0]
        if not pid.isdigit():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue  # somebody else's


def tell_guardian(folder: str, end: Mapping[str, Any]) -> str:
    """Say how the run ended to the process that holds its lock; return what went wrong there.

    Nothing is said, and nothing wrong, where the run has taken no lock.
    """
    path = Path(folder, "guardian")
    if not path.exists():
        return ""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            peer.settimeout(GUARDIAN_SECONDS)
            peer.connect(str(path))
            peer.sendall(json.dumps(end, default=str).encode() + b"\n")
            answer = json.loads(peer.makefile("rb").readline() or b"{}")
    except (OSError, ValueError) as error:
        return f"the run's record and lock could not be ended ({error}); the lock's lease runs out"
    return str(answer.get("problem", ""))


def merge_record(record: dict[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """`record` with what a task's result adds for the ledger; empty values add nothing."""
    new = None if censored(result) else result.get("record")
    if not isinstance(new, Mapping):
        return record
    return {**record, **{name: value for name, value in new.items() if value}}


class LiveLine:
    """One line at the bottom of a terminal that gives way to any other output.

    While installed it stands in for `sys.stdout` and `sys.stderr`: what others write first removes
    the line. A forked worker's writes pass through untouched.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.RLock()
        self._drawn = False
        self._pid = os.getpid()

    def draw(self, text: str) -> None:
        """Show `text`, cut to the terminal's width, in place of what the line showed."""
        columns = shutil.get_terminal_size().columns
        with self._lock:
            self._stream.write(f"\r\x1b[2K{text[: max(10, columns - 1)]}")
            self._stream.flush()
            self._drawn = True

    def clear(self) -> None:
        """Remove the line."""
        with self._lock:
            if self._drawn and os.getpid() == self._pid:
                self._drawn = False
                self._stream.write("\r\x1b[2K")
                self._stream.flush()

    def guard(self, stream: TextIO) -> TextIO:
        """A stand-in for `stream` whose writes remove the line first."""
        return _Guarded(stream, self)  # type: ignore[return-value]

    @contextlib.contextmanager
    def absent(self) -> Iterator[None]:
        """Hold the line away while somebody else writes."""
        if os.getpid() != self._pid:
            yield
            return
        with self._lock:
            self.clear()
            yield


class _Guarded:
    """A text stream before whose writes the live line goes away."""

    def __init__(self, stream: TextIO, line: LiveLine) -> None:
        self._stream = stream
        self._line = line

    def write(self, text: str) -> int:
        with self._line.absent():
            return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "lyo_progress"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._summary: dict[str, Any] = {}
        self._record: dict[str, Any] = {}
        self._pid = os.getpid()
        self._problems: list[str] = []
        self._durations: dict[str, float] = {}
        self._step = ""
        self._task_started = time.monotonic()
        self._folder: str | None = None
        self._descriptor: int | None = None
        self._buffer = b""
        self._pumping = threading.Lock()
        self._line: LiveLine | None = None
        self._task = ""
        self._event: dict[str, Any] | None = None
        self._stop = threading.Event()
        self._reader: threading.Thread | None = None
        self._streams: tuple[TextIO, TextIO] | None = None

    # The run's events, from Ansible.

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002
        """Open the pipe; a run without one goes on in silence."""
        try:
            remove_forgotten(Path(tempfile.gettempdir()))
            self._folder = tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-")
            path = str(Path(self._folder, "events"))
            os.mkfifo(path, 0o600)
            # Open for writing too, so that the last writer's close is not the end of the file.
            self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            self._display.warning(f"No live progress: {error}")
            self._close()
            return
        os.environ["LYO_PROGRESS_FIFO"] = path
        os.environ["LYO_CONTROLLER"] = str(os.getpid())
        os.environ["LYO_RUN_FOLDER"] = self._folder
        # v2_playbook_on_stats does not come after Ctrl-C.
        atexit.register(self._interrupted)
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._streams = (sys.stdout, sys.stderr)
            self._line = LiveLine(sys.stdout)
            sys.stdout = self._line.guard(sys.stdout)
            sys.stderr = self._line.guard(sys.stderr)
        self._reader = threading.Thread(target=self._read, name="lyo-progress", daemon=True)
        self._reader.start()

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:  # noqa: ARG002
        """Begin the time of a task; its step is the role it belongs to."""
        self._end_task()
        name = task.get_name()
        self._step = name.split(" : ")[0] if " : " in name else ""
        self._task = printable(name.replace(" : ", ": "))

    def v2_runner_on_ok(self, result: Any) -> None:
        """Collect what a task says for the summary."""
        self._collect(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Collect what a failed task says: its verdict is the run's."""
        if ignore_errors:
            return
        self._collect(result)
        self._problems = problems_of(result.task.get_name(), result.result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Show the summary."""
        self._end_task()
        failed = bool(stats.failures or stats.dark)
        if failed and (self._summary or self._record):
            self._summary = failed_summary(self._summary, self._problems)
        self._end_run(self._summary.get("verdict") or ("FAILED" if failed else "DONE"))
        self._close()
        if not self._summary:
            return
        report = len(self._summary.get("report") or [])
        verdict = str(self._summary.get("verdict"))
        for index, line in enumerate(render_summary(self._summary, self._durations)):
            self._display.display(line, color=COLORS.get(verdict) if index == report else None)

    def _end_run(self, verdict: str) -> None:
        """Have the run's record completed and its lock freed, once and by this process alone."""
        if self._folder is None or os.getpid() != self._pid:
            return
        durations = {step: round(seconds, 1) for step, seconds in self._durations.items()}
        end = {**self._summary, **self._record, "verdict": verdict, "durations": durations}
        problem = tell_guardian(self._folder, end)
        if problem:
            self._display.warning(problem)

    def _collect(self, result: Any) -> None:
        self._settle()
        self._record = merge_record(self._record, result.result)
        new = found_summary(result.result)
        # In check mode modules answer with the verdict they expect; nothing has happened.
        if self._summary.get("verdict") == PREDICTED and new.get("verdict") not in BAD_VERDICTS:
            new = {key: value for key, value in new.items() if key not in ("verdict", "reasons")}
        self._summary = merge(self._summary, new)

    def _end_task(self) -> None:
        self._settle()
        now = time.monotonic()
        if self._step:
            took = now - self._task_started
            self._durations[self._step] = self._durations.get(self._step, 0.0) + took
        self._step = ""
        self._task_started = now

    def _settle(self) -> None:
        """Show what a task has still sent, then take the live line away."""
        self._pump()
        self._task, self._event = "", None
        if self._line:
            self._line.clear()

    # The modules' events, from the pipe.

    def _read(self) -> None:
        beat = 0
        while not self._stop.is_set():
            descriptor = self._descriptor
            if descriptor is None:
                return
            select.select([descriptor], [], [], REDRAW_SECONDS)
            self._pump()
            beat += 1
            self._redraw(beat)

    def _pump(self) -> None:
        """Show every event that waits in the pipe."""
        with self._pumping:
            while self._descriptor is not None:
                try:
                    self._buffer += os.read(self._descriptor, 65536)
                except BlockingIOError:
                    return
                *lines, self._buffer = self._buffer.split(b"\n")
                self._buffer = self._buffer[-MAX_EVENT_BYTES:]
                for line in lines:
                    event = parse_event(line)
                    if event:
                        self._show(event)

    def _show(self, event: dict[str, Any]) -> None:
        if self._line and not event["line"]:
            self._event = event
            return
        elapsed = time.monotonic() - self._task_started
        text = event["text"] if event["line"] else f"  {render(self._task, event, elapsed)}"
        self._display.display(text)
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()

    def _redraw(self, beat: int) -> None:
        if self._line and self._task:
            text = render(self._task, self._event, time.monotonic() - self._task_started)
            with contextlib.suppress(OSError, ValueError):
                self._line.draw(f"  {SPINNER[beat % len(SPINNER)]} {text}")

    def _interrupted(self) -> None:
        """The end of a run that Ansible did not announce."""
        self._end_run("INTERRUPTED")
        self._close()

    def _close(self) -> None:
        """Stop reading, take the pipe away, give the terminal back; may be called twice."""
        for name in ("LYO_PROGRESS_FIFO", "LYO_CONTROLLER", "LYO_RUN_FOLDER"):
            os.environ.pop(name, None)
        self._stop.set()
        if self._reader:
            self._reader.join(timeout=2)
            self._reader = None
        self._settle()
        if self._streams:
            sys.stdout, sys.stderr = self._streams
            self._streams = None
        with self._pumping:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
