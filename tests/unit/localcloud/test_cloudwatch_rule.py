"""The rule of a composite alarm: read as AWS documents it, refused where AWS refuses it."""

from __future__ import annotations

import pytest

from localcloud.services.cloudwatch.rule import AlarmRule, InvalidRuleError

STATES = {"a": "ALARM", "b": "OK", "c": "INSUFFICIENT_DATA"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("ALARM(a)", True),
        ('ALARM("a")', True),
        ("OK(a)", False),
        ("OK(b) AND INSUFFICIENT_DATA(c)", True),
        ("NOT ALARM(b)", True),
        ("ALARM(b) OR ALARM(a) AND OK(b)", True),  # AND binds closer
        ("(ALARM(b) OR ALARM(a)) AND OK(a)", False),
        ("NOT (ALARM(a) OR ALARM(b))", False),
        ("TRUE AND NOT FALSE", True),
        ("ALARM(arn:aws:cloudwatch:eu-south-1:123456789012:alarm:a)", True),
        ("ALARM( a )\n  AND\n  OK( b )", True),
    ],
)
def test_a_rule_holds(text: str, holds: bool) -> None:
    assert AlarmRule(text).holds(STATES) is holds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "ALARM()",
        "ALARM(a",
        "ALARM(a) AND",
        "AND ALARM(a)",
        "ALARM(a) ALARM(b)",
        "(ALARM(a)",
        "alarm(a)",
        "a",
        "TRUE)",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidRuleError):
        AlarmRule(text)


def test_children_are_named_once_and_an_alarm_that_is_gone_is_in_no_state() -> None:
    rule = AlarmRule('ALARM("with space") OR OK(a) OR ALARM(a)')
    assert rule.children == ("with space", "a")
    assert not rule.holds({})


def test_a_rule_has_a_hundred_children_at_most() -> None:
    def of(number: int) -> str:
        return " OR ".join(f"ALARM(a{index})" for index in range(number))

    assert len(AlarmRule(of(100)).children) == 100
    with pytest.raises(InvalidRuleError, match="100"):
        AlarmRule(of(101))
