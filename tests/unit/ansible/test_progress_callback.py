from __future__ import annotations

import json

import pytest

from callback_plugins import lyo_progress as callback


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'"text"', b'{"text": 1}', b'{"stage": "x"}', b"\xff\xfe"]
)
def test_what_is_no_event_is_passed_over(line: bytes) -> None:
    assert callback.parse_event(line) is None


def test_an_event_has_no_control_characters() -> None:
    event = callback.parse_event(
        json.dumps(
            {"task": "t", "stage": "a\x1b[2J", "text": "b\r\nc\x07", "percent": "x"}
        ).encode()
    )
    assert event == {"task": "t", "stage": "a [2J", "text": "b c", "percent": None, "line": False}


def test_a_line_of_a_log_keeps_its_spaces_and_loses_its_control_characters() -> None:
    event = callback.parse_event(json.dumps({"text": "  a\x1b[2J   b ", "line": True}).encode())
    assert event is not None
    assert (event["text"], event["line"]) == ("  a [2J   b", True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.9, "0:59"), (61, "1:01"), (3600, "1:00:00")]
)
def test_clock(seconds: float, text: str) -> None:
    assert callback.clock(seconds) == text


def test_a_line_has_what_is_known() -> None:
    event = {"stage": "BAKE_TIME", "text": "3 of 3", "percent": 80}
    assert callback.render("release: Deploy", event, 5) == (
        "0:05  release: Deploy  BAKE_TIME  80%  3 of 3"
    )
    assert callback.render("plan: Read", None, 5) == "0:05  plan: Read"


def test_later_results_win_and_mappings_are_merged() -> None:
    first = {"verdict": "UNCHANGED", "urls": {"api": "a"}, "reasons": ["old"]}
    assert callback.merge(first, {"urls": {"dashboard": "d"}, "reasons": ["new"]}) == {
        "verdict": "UNCHANGED",
        "urls": {"api": "a", "dashboard": "d"},
        "reasons": ["new"],
    }


def test_a_summary_shows_only_what_there_is() -> None:
    assert callback.render_summary(
        {"verdict": "UNCHANGED", "release": "v1", "previous": "v1"}, {}
    ) == ["UNCHANGED release v1"]


def test_a_summary_in_full() -> None:
    summary = {
        "verdict": "ROLLED_BACK",
        "release": "v2",
        "previous": "v1",
        "reasons": ["two tasks\nstopped"],
        "urls": {"api": "https://a", "dashboard": ""},
        "next": ["ansible-playbook verify.yml -e env=local"],
    }
    assert callback.render_summary(summary, {"image": 0.2, "release": 61.0}) == [
        "ROLLED_BACK release v2 (was v1)",
        "  because two tasks stopped",
        "  took    release 1:01",
        "  api       https://a",
        "  next    ansible-playbook verify.yml -e env=local",
    ]


@pytest.mark.parametrize(
    "result",
    [
        {"_ansible_no_log": True, "lyo_summary": {"verdict": "DEPLOYED"}},
        {"censored": "hidden", "lyo_summary": {"verdict": "DEPLOYED"}},
        {"lyo_summary": "DEPLOYED"},
        {"ansible_facts": {"other": {}}},
        {"verdict": 3},
    ],
)
def test_results_that_say_nothing(result: dict[str, object]) -> None:
    assert callback.found_summary(result) == {}


def test_a_fact_and_a_verdict_say_something() -> None:
    fact = {"ansible_facts": {"lyo_summary": {"release": "v1"}}}
    assert callback.found_summary(fact) == {"release": "v1"}
    assert callback.found_summary({"verdict": "DEPLOYED", "reasons": ["x"], "image": "i"}) == {
        "verdict": "DEPLOYED",
        "reasons": ["x"],
    }


@pytest.mark.parametrize("verdict", ["", "UNCHANGED", "DEPLOYED", "PREDICTED"])
def test_a_failure_overrules_a_good_verdict(verdict: str) -> None:
    assert callback.failed_summary({"verdict": verdict, "reasons": ["old"]}, ["broke"]) == {
        "verdict": "FAILED",
        "reasons": ["broke"],
    }


@pytest.mark.parametrize("verdict", ["FAILED", "ROLLED_BACK", "STILL_RUNNING"])
def test_a_failure_keeps_a_bad_verdict_and_its_reasons(verdict: str) -> None:
    summary = {"verdict": verdict, "reasons": ["old"]}
    assert callback.failed_summary(summary, ["broke"]) == summary


@pytest.mark.parametrize(
    ("result", "problems"),
    [
        ({"msg": "it broke"}, ["verify: it broke"]),
        ({"msg": "x", "reasons": ["one", "two"]}, ["verify: one", "verify: two"]),
        ({"msg": "x", "reasons": []}, ["verify: x"]),
        ({"msg": "s3cret", "_ansible_no_log": True}, ["verify: (hidden)"]),
        ({}, ["verify: it failed"]),
    ],
)
def test_why_a_task_failed(result: dict[str, object], problems: list[str]) -> None:
    assert callback.problems_of("verify", result) == problems


def test_a_report_keeps_its_columns_and_stands_before_the_verdict() -> None:
    summary = {"report": ["a      1.00", "bb\x1b[2K  22.00  ", ""], "verdict": "FAILED"}
    assert callback.render_summary(summary, {}) == [
        "a      1.00",
        "bb [2K  22.00",
        "",
        "FAILED",
    ]
