from __future__ import annotations

import json
from typing import Any

from module_utils.lyo_terraform.command import advice
from module_utils.lyo_terraform.stream import Stream, explain_lock

LOCKED = (
    "operation error S3: PutObject, https response error StatusCode: 412\nLock Info:\n"
    "  ID:        0a5a6f9c-5f0e\n  Path:      lyo-production-tfstate/lyo.tfstate\n"
    "  Operation: OperationTypeApply\n  Who:       giulia@laptop\n  Version:   1.11.4\n"
    "  Created:   2026-11-20 10:00:00 UTC\n"
)


def line(kind: str, **content: Any) -> str:
    return json.dumps({"@level": "info", "type": kind, **content}) + "\n"


def hook(kind: str, address: str, action: str = "create", **more: Any) -> str:
    return line(kind, hook={"resource": {"addr": address}, "action": action, **more})


def test_an_apply_counts_what_is_done() -> None:
    stream = Stream(total=4)
    assert stream.feed(hook("apply_start", "aws_vpc.a")) == ("0/4  creating aws_vpc.a", 0)
    assert stream.feed(hook("apply_start", "aws_vpc.b", "delete")) == (
        "0/4  destroying aws_vpc.b (+1 more)",
        0,
    )
    assert stream.feed(hook("apply_complete", "aws_vpc.a")) == ("1/4  done aws_vpc.a (+1 more)", 25)
    assert stream.feed(hook("apply_progress", "aws_vpc.b", "delete", elapsed_seconds=20)) == (
        "1/4  destroying aws_vpc.b 20 s",
        25,
    )
    assert stream.feed(hook("apply_errored", "aws_vpc.b", "delete")) == (
        "2/4  failed aws_vpc.b",
        50,
    )


def test_a_plan_counts_what_it_has_read_in_steps() -> None:
    stream = Stream()
    news = [stream.feed(hook("refresh_complete", f"aws_vpc.n{n}")) for n in range(20)]
    assert [text for text in news if text] == [
        ("10 resources read", None),
        ("20 resources read", None),
    ]
    assert stream.feed(hook("apply_start", "data.aws_region.current", "read")) is None


def test_errors_are_kept_and_warnings_are_not() -> None:
    stream = Stream()
    for severity in ("warning", "error"):
        stream.feed(
            line(
                "diagnostic",
                diagnostic={
                    "severity": severity,
                    "summary": "creating VPC",
                    "detail": "limit\n reached",
                    "address": "module.vpc.aws_vpc.this",
                },
            )
        )
    assert stream.errors == ["module.vpc.aws_vpc.this: creating VPC. limit reached"]


def test_what_is_not_an_event_is_passed_over_unless_it_is_an_error() -> None:
    stream = Stream()
    assert stream.feed("\n") is None
    assert stream.feed("[1]\n") is None
    assert stream.feed("Error: Too many command line arguments\n") is None
    assert stream.errors == ["Error: Too many command line arguments"]


def test_a_held_lock_is_told_with_its_holder_and_the_way_out() -> None:
    stream = Stream()
    stream.feed(
        line(
            "diagnostic",
            diagnostic={
                "severity": "error",
                "summary": "Error acquiring the state lock",
                "detail": LOCKED,
            },
        )
    )
    message = explain_lock(stream.lock, "terraform force-unlock")
    assert "giulia@laptop since 2026-11-20 10:00:00 UTC (OperationTypeApply)" in message
    assert message.endswith("terraform force-unlock 0a5a6f9c-5f0e")


def test_what_to_do_is_added_where_the_error_does_not_tell() -> None:
    waited = (
        "waiting for ACM Certificate (arn:aws:acm:eu-south-1:1:certificate/a) to be issued: timeout "
        "while waiting for state to become 'ISSUED' (last state: 'PENDING_VALIDATION', timeout: 30m0s)"
    )
    assert '"A new zone"' in advice(["something else", waited])
    assert advice(["creating EC2 VPC: VpcLimitExceeded"]) == ""
