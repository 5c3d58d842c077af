"""The record of the instance that serves, and what is deleted around it."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.lyo_restore import decide as d
from ansible.module_utils.lyo_restore import record as r
from ansible.module_utils.lyo_restore.template import DRILL_TAG, RESTORE_TAG, VALIDATED_TAG

FIRST = {"identifier": "first", "host": "h1", "port": 1, "name": "n", "username": "u",
         "secret_arn": "s1"}  # fmt: skip
SECOND = {**FIRST, "identifier": "second", "host": "h2", "secret_arn": "s2"}


def test_a_record_says_all_of_it_and_comes_back() -> None:
    record = r.Record("b", ("a",), ("c", "d"), SECOND, "key", {"from": "x"})
    assert json.loads(record.text()) == {
        "serving": "b",
        "kept": ["a"],
        "releasing": ["c", "d"],
        "database": SECOND,
        "request": "key",
        "restored": {"from": "x"},
    }
    assert r.parse(record.text()) == record
    # What does not change is not written anew.
    assert list(json.loads(record.text())) == sorted(json.loads(record.text()))


def test_what_is_missing_of_a_record_is_nothing() -> None:
    assert r.parse('{"serving": 7, "kept": [1], "request": null}') == r.Record("7", ("1",))


@pytest.mark.parametrize("text", ["[]", "{}", '{"serving": ""}', "7"])
def test_what_does_not_say_which_serves_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^it does not say which instance serves$"):
        r.parse(text)


def test_the_record_wins_until_terraform_has_adopted_the_instance() -> None:
    outputs = {"database": {**FIRST, "more": 1}, "other": 2}
    switched = r.Record("second", database=SECOND)
    assert r.over(outputs, switched) == {"database": {**SECOND, "more": 1}, "other": 2}
    assert r.over(outputs, r.Record("first", database={**FIRST, "host": "old"})) == outputs
    assert r.over(outputs, r.Record("second")) == outputs
    assert r.over(outputs, None) == outputs
    assert r.over({"other": 2}, switched) == {"other": 2}
    assert r.over({"database": None}, switched) == {"database": None}


def test_the_parameter_stands_beside_the_outputs() -> None:
    assert r.name_of("/lyo/test/outputs") == "/lyo/test/database"


def test_a_switch_keeps_what_there_is_and_forgets_nothing_that_is_being_deleted() -> None:
    record = r.Record("first", kept=("zero", "second", "gone"), releasing=("old",), request="x")
    done = r.switched(record, SECOND, ["zero", "first", "second"], "key", {"from": "y"})
    assert done == r.Record("second", ("first", "zero"), ("old",), SECOND, "key", {"from": "y"})
    twice = r.switched(r.Record("first", kept=("first",)), SECOND, ["first"], "key", {})
    assert twice.kept == ("first",)


def test_only_what_is_released_is_given_up() -> None:
    record = r.Record("third", kept=("second", "first"), releasing=("zero", "first"))
    half = r.releasing(record)
    assert half == r.Record("third", (), ("zero", "first", "second"))
    assert r.released(half, "first") == r.Record("third", (), ("zero", "second"))
    assert r.released(half, "unknown") == half


def found(name: str, status: str = d.AVAILABLE, **tags: str) -> d.Found:
    keys = {"restore": RESTORE_TAG, "drill": DRILL_TAG, "validated": VALIDATED_TAG}
    return d.Found(name, status, {keys.get(key, key): value for key, value in tags.items()})


def test_an_instance_is_read_with_its_tags() -> None:
    described = {
        "DBInstanceIdentifier": "a",
        "DBInstanceStatus": "creating",
        "TagList": [{"Key": "x", "Value": "1"}, {"Key": "y"}],
        "Engine": "postgres",
    }
    assert d.Found.of(described) == d.Found("a", "creating", {"x": "1", "y": ""})
    assert d.Found.of({**described, "TagList": None}).tags == {}


@pytest.mark.parametrize("status", [d.AVAILABLE, "creating", *sorted(d.LOST)])
def test_what_serves_is_kept_or_is_going_is_never_a_rest(status: str) -> None:
    record = r.Record("serving", kept=("kept",), releasing=("releasing",))
    mine = [found(name, status, restore="other") for name in ("serving", "kept", "releasing")]
    others = [
        found("by-hand", status),
        found("drill", status, drill="x"),
        found("going", d.DELETING, restore="other"),
    ]
    assert d.restores(record, [*mine, *others]) == []
    assert d.decide(record, [*mine, *others], "key", again=False).delete == ()


def test_where_it_serves_already_unfinished_ones_go_and_finished_ones_stay() -> None:
    record = r.Record("serving", request="key")
    there = [
        found("serving", restore="key"),
        found("half", restore="other"),
        found("whole", restore="other", validated="x"),
        found("lost", "failed", restore="other", validated="x"),
    ]
    assert d.decide(record, there, "key", again=False) == d.Decision(
        serving=True, delete=("half", "lost")
    )


def test_a_finished_one_of_the_same_request_is_gone_on_with_and_a_lost_one_is_not() -> None:
    record = r.Record("serving")
    there = [
        found("serving"),
        found("lost", "storage-full", restore="key", validated="x"),
        found("mine", restore="key", validated="x"),
        found("theirs", restore="other", validated="x"),
    ]
    assert d.decide(record, there, "key", again=False) == d.Decision(
        adopt="mine",
        delete=("lost",),
        notes=(
            "theirs was restored and never switched to; restore.yml -e discard=true deletes it",
        ),
    )


def test_drills_are_found_by_their_tag_until_they_are_being_deleted() -> None:
    there = [
        found("a", drill="1"),
        found("b", d.DELETING, drill="1"),
        found("c", restore="key"),
        found("d", "failed", drill=""),
    ]
    assert d.drills(there) == ("a", "d")
