from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible.module_utils.lyo_progress import MAX_LINE_BYTES, Progress, encode


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[tuple[str, int]]:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield str(path), reader
    os.close(reader)


def read(reader: int) -> list[dict[str, object]]:
    try:
        data = os.read(reader, 1 << 20)
    except BlockingIOError:
        return []
    return [json.loads(line) for line in data.splitlines()]


def test_events_arrive_as_lines(pipe: tuple[str, int]) -> None:
    path, reader = pipe
    progress = Progress("release", path=path)
    progress("SCALE_UP", "1 of 2", 15)
    progress("SCALE_UP", "1 of 2", 15)
    progress("SCALE_UP", "2 of 2")
    assert read(reader) == [
        {"task": "release", "stage": "SCALE_UP", "text": "1 of 2", "percent": 15},
        {"task": "release", "stage": "SCALE_UP", "text": "2 of 2", "percent": None},
    ]


def test_secrets_are_masked(pipe: tuple[str, int]) -> None:
    path, reader = pipe
    progress = Progress("x", ["a-secret-value", "a-secret-value-two", "no"], path=path)
    progress("s", "a-secret-value-two and a-secret-value and no")
    assert read(reader)[0]["text"] == "******** and ******** and no"


def test_nobody_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LYO_PROGRESS_FIFO", raising=False)
    Progress("x")("s", "t")
    path = tmp_path / "pipe"
    os.mkfifo(path)
    Progress("x", path=str(path))("s", "no reader must not block")
    Progress("x", path=str(tmp_path / "gone"))("s", "no pipe")


def test_a_reader_that_leaves_or_is_slow_does_no_harm(
    pipe: tuple[str, int], tmp_path: Path
) -> None:
    path, _ = pipe
    progress = Progress("x", path=path)
    for number in range(200):  # more than the pipe holds
        progress("s", f"{number} " + "x" * 3000)
    progress.close()
    other = tmp_path / "other"
    os.mkfifo(other)
    reader = os.open(other, os.O_RDONLY | os.O_NONBLOCK)
    progress = Progress("x", path=str(other))
    progress("s", "one")
    os.close(reader)
    progress("s", "two")
    progress("s", "three")


@pytest.mark.parametrize(
    "text", ["x" * 10_000, "è" * 10_000, '"' * 10_000, "\n" * 10_000, "€" * 4000]
)
def test_a_line_always_fits(text: str) -> None:
    line = encode("t" * 500, "s" * 500, text, 1)
    assert len(line) <= MAX_LINE_BYTES
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert json.loads(line)["percent"] == 1


def test_lines_of_a_log_keep_their_spaces_and_are_sent_each_time(pipe: tuple[str, int]) -> None:
    path, reader = pipe
    progress = Progress("logs", ["a-secret-value"], path=path)
    for _ in range(2):
        progress.line("  a-secret-value   b")
    event = {"task": "logs", "stage": "", "text": "  ********   b", "percent": None, "line": True}
    assert read(reader) == [event, event]


def test_a_line_waits_for_a_slow_reader_but_not_for_ever(pipe: tuple[str, int]) -> None:
    path, reader = pipe
    progress = Progress("logs", path=path)
    progress("s", "opens the pipe")
    while progress._write(b"{}" * 2000 + b"\n") or progress._write(b"\n"):
        pass
    slept: list[float] = []
    progress.line("lost", sleep=slept.append)
    assert 1.9 < sum(slept) < 2.2
    progress.line("arrives", sleep=lambda _: os.read(reader, 1 << 20))
    assert [event["text"] for event in read(reader)] == ["arrives"]
