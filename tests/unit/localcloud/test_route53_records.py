from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from localcloud.api import AwsError
from localcloud.services.route53.answers import by_weight, choose, load_balancer_healthy
from localcloud.services.route53.changes import changed
from localcloud.services.route53.records import CLOUDFRONT_ZONE, Record, named, order, parse, shown

ZONE = "lyo.it."
BALANCER = {"HostedZoneId": "Z1", "DNSName": "127.1.1.1", "EvaluateTargetHealth": True}
PAGE = {"HostedZoneId": CLOUDFRONT_ZONE, "DNSName": "127.1.4.1", "EvaluateTargetHealth": False}


def given(name: str = "api.lyo.it", kind: str = "A", **members: Any) -> dict[str, Any]:
    if "AliasTarget" not in members:
        members = {"TTL": 60, "ResourceRecords": [{"Value": "127.1.1.1"}], **members}
    return {"Name": name, "Type": kind, **members}


def change(
    action: str, *sets: dict[str, Any], before: Sequence[Record] = (), targets: bool = True
) -> list[Record]:
    changes = [{"Action": action, "ResourceRecordSet": entry} for entry in sets]
    return changed(before, changes, ZONE, lambda _: targets)


def refusal(*arguments: Any, **more: Any) -> AwsError:
    with pytest.raises(AwsError) as caught:
        change(*arguments, **more)
    return caught.value


PRIMARY = given(SetIdentifier="primary", Failover="PRIMARY", AliasTarget=BALANCER)
SECONDARY = given(SetIdentifier="secondary", Failover="SECONDARY", AliasTarget=PAGE)


def test_a_batch_creates_changes_and_deletes() -> None:
    records = change("CREATE", given(), given("*.lyo.it"))
    assert [record.name for record in records] == ["api.lyo.it.", "*.lyo.it."]
    records = change("UPSERT", given(TTL=30), before=records)
    assert [record.ttl for record in records] == [30, 60]
    assert change("DELETE", given(TTL=30), before=records) == records[1:]


def test_records_of_both_types_share_a_set_identifier() -> None:
    both = [{**PRIMARY, "Type": kind} for kind in ("A", "AAAA")]
    records = change("CREATE", *both)
    assert [record.type for record in change("DELETE", both[0], before=records)] == ["AAAA"]


def test_nothing_is_changed_when_one_change_is_refused() -> None:
    before = change("CREATE", given())
    refused = refusal("CREATE", given("new.lyo.it"), given(), before=before)
    assert refused.code == "InvalidChangeBatch"
    assert "already exists" in refused.message
    assert [record.name for record in before] == ["api.lyo.it."]


@pytest.mark.parametrize(
    ("action", "entries", "said"),
    [
        ("CREATE", [given("api.lyo.com")], "is not permitted in zone lyo.it."),
        ("CREATE", [given("notlyo.it")], "is not permitted in zone lyo.it."),
        ("CREATE", [given(ZONE, "CNAME")], "is not permitted at apex"),
        ("CREATE", [given(), given(kind="CNAME")], "conflicts with other records"),
        ("CREATE", [PRIMARY, given()], "another routing policy"),
        ("CREATE", [PRIMARY, {**PRIMARY, "SetIdentifier": "other"}], "PRIMARY is taken"),
        ("CREATE", [{**PRIMARY, "AliasTarget": PAGE}, SECONDARY], "both the primary and"),
        (
            "CREATE",
            [given(AliasTarget={**PAGE, "EvaluateTargetHealth": True})],
            "EvaluateTargetHealth cannot be set to true",
        ),
        ("DELETE", [given("gone.lyo.it")], "it was not found"),
    ],
)
def test_what_a_batch_must_not_do(action: str, entries: list[dict[str, Any]], said: str) -> None:
    refused = refusal(action, *entries)
    assert refused.code == "InvalidChangeBatch"
    assert said in refused.message


@pytest.mark.parametrize(
    "entry",
    [
        {"Name": "api.lyo.it", "Type": "A"},
        given(Weight=1),
        given(SetIdentifier="one"),
    ],
)
def test_a_record_must_be_whole(entry: dict[str, Any]) -> None:
    assert refusal("CREATE", entry).code == "InvalidInput"


def test_a_deletion_names_the_present_values() -> None:
    before = change("CREATE", given())
    assert "do not match" in refusal("DELETE", given(TTL=61), before=before).message


def test_a_zone_keeps_its_soa_record() -> None:
    soa = given(ZONE, "SOA")
    assert "cannot be deleted" in refusal("DELETE", soa, before=[parse(soa)]).message


def test_an_alias_needs_its_target() -> None:
    assert "target was not found" in refusal("CREATE", PRIMARY, targets=False).message
    assert len(change("CREATE", PRIMARY, SECONDARY)) == 2


@pytest.mark.parametrize("member", ["Region", "GeoLocation", "MultiValueAnswer"])
def test_other_routing_policies_are_refused(member: str) -> None:
    assert refusal("CREATE", given(SetIdentifier="x", **{member: "x"})).code == "NotImplemented"


def test_a_record_is_shown_as_it_was_given_with_the_asterisk_escaped() -> None:
    assert shown(parse(PRIMARY)) == {
        **PRIMARY,
        "Name": "api.lyo.it.",
        "AliasTarget": {**BALANCER, "DNSName": "127.1.1.1."},
    }
    assert shown(parse(given("*.lyo.it")))["Name"] == "\\052.lyo.it."
    assert parse(given("\\052.lyo.it")) == parse(given("*.lyo.it"))


def test_a_listing_goes_by_the_labels_from_the_right() -> None:
    names = ["b.lyo.it.", "lyo.it.", "z.a.lyo.it.", "a.lyo.it."]
    listed = sorted((Record(name, "A") for name in names), key=order)
    assert [record.name for record in listed] == [
        "lyo.it.",
        "a.lyo.it.",
        "z.a.lyo.it.",
        "b.lyo.it.",
    ]


def test_a_wildcard_answers_only_where_no_record_has_the_name() -> None:
    records = [Record("*.lyo.it.", "A"), Record("api.lyo.it.", "TXT")]
    assert named(records, "a.b.lyo.it.") == records[:1]
    assert named(records, "api.lyo.it.") == records[1:]
    assert named(records, "lyo.it.") == []


@pytest.mark.parametrize(
    ("well", "answer"),
    [
        ({"PRIMARY", "SECONDARY"}, "PRIMARY"),
        ({"PRIMARY"}, "PRIMARY"),
        ({"SECONDARY"}, "SECONDARY"),
        (set(), "PRIMARY"),
    ],
)
def test_failover(well: set[str], answer: str) -> None:
    group = [parse(SECONDARY), parse(PRIMARY)]
    assert choose(group, lambda record: record.failover in well).failover == answer


@pytest.mark.parametrize(
    ("well", "candidates"),
    [
        ({10, 20, 0}, [10, 20]),
        ({20, 0}, [20]),
        ({0}, [0]),
        (set(), [10, 20]),
    ],
)
def test_weights_of_zero_come_last(well: set[int], candidates: list[int]) -> None:
    group = [Record("a.lyo.it.", "A", set_identifier=str(w), weight=w) for w in (0, 10, 20)]
    seen: list[int | None] = []

    def pick(records: Sequence[Record]) -> Record:
        seen.extend(record.weight for record in records)
        return records[0]

    choose(group, lambda record: record.weight in well, pick)
    assert seen == candidates


def test_the_choice_is_by_weight() -> None:
    heavy, none = Record("a.", "A", weight=5), Record("a.", "A", weight=0)
    assert {by_weight([heavy, none]) for _ in range(50)} == {heavy}
    assert by_weight([none]) is none


@pytest.mark.parametrize(
    ("groups", "well"),
    [
        ([["healthy", "unhealthy"], ["healthy"]], True),
        ([["healthy"], ["unhealthy", "draining"]], False),
        ([["healthy"], []], False),
        ([["initial"]], False),
    ],
)
def test_every_target_group_needs_a_healthy_target(groups: list[list[str]], well: bool) -> None:
    assert load_balancer_healthy(groups) is well
