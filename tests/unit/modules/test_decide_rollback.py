from __future__ import annotations

import pytest
from ansible.module_utils.lyo_ledger.record import Run
from ansible.module_utils.lyo_release.decide_rollback import (
    Choice,
    Deployment,
    Revision,
    choose,
    in_progress_step,
    may_return,
    names,
    remembered,
    returns,
    served,
)

ARN = "arn:aws:ecs:eu-south-1:123456789012:task-definition/lyo"


def revision(number: int, release: str = "", digest: str | None = None) -> Revision:
    found = f"sha256:{number:064x}" if digest is None else digest
    return Revision(
        f"rev{number}", f"{ARN}:{number}", (f"repo:{number}",), (found,), release or f"v{number}"
    )


REVISIONS = {f"rev{n}": revision(n) for n in range(1, 6)}


def history(*entries: tuple[str, int]) -> list[Deployment]:
    """Newest first, as `choose` wants it; written oldest first, as one reads."""
    made = [Deployment(f"d{i}", status, f"rev{n}") for i, (status, n) in enumerate(entries)]
    return made[::-1]


GOOD, BACK, BAD = "SUCCESSFUL", "ROLLBACK_SUCCESSFUL", "STOPPED"


def chosen(choice: Choice) -> str:
    assert choice.reason
    assert (choice.action == "deploy") == (choice.target is not None)
    assert choice.target is None or choice.target.name in choice.candidates
    return choice.target.release if choice.target else choice.action


@pytest.mark.parametrize(
    ("past", "current", "to", "expected"),
    [
        # Undo the last release.
        ([(GOOD, 1), (GOOD, 2)], 2, None, "v1"),
        ([(GOOD, 1), (GOOD, 2), (GOOD, 3)], 3, None, "v2"),
        # Never what has not served: neither "one revision lower" nor what was turned back.
        ([(GOOD, 1), (BACK, 2), (GOOD, 3)], 3, None, "v1"),
        ([(GOOD, 1), (BAD, 2), (GOOD, 3)], 3, None, "v1"),
        # The same release deployed twice is not its own predecessor.
        ([(GOOD, 1), (GOOD, 2), (GOOD, 2)], 2, None, "v1"),
        # Already undone: nothing, however often it is asked for.
        ([(GOOD, 1), (BACK, 2)], 1, None, "none"),
        ([(GOOD, 1), (GOOD, 2), (GOOD, 1)], 1, None, "none"),
        # A lower number alone is no evidence: it may have been deployed by hand.
        ([(GOOD, 2), (GOOD, 1)], 1, None, "v2"),
        ([(GOOD, 1), (GOOD, 3), (GOOD, 2), (GOOD, 2)], 2, None, "v3"),
        # … but a release after a rollback can be undone again.
        ([(GOOD, 1), (GOOD, 2), (GOOD, 1), (GOOD, 2)], 2, None, "v1"),
        ([(GOOD, 1), (BACK, 2), (GOOD, 2)], 2, None, "v1"),
        # Nothing to go back to.
        ([(GOOD, 1)], 1, None, "refuse"),
        ([], 1, None, "refuse"),
        # A named target.
        ([(GOOD, 1), (GOOD, 2), (GOOD, 3)], 3, "v1", "v1"),
        ([(GOOD, 1), (GOOD, 2), (GOOD, 3)], 3, f"sha256:{1:064x}", "v1"),
        ([(GOOD, 1), (GOOD, 2), (GOOD, 3)], 3, "lyo:1", "v1"),
        ([(GOOD, 1), (GOOD, 2), (GOOD, 3)], 3, "v3", "none"),
        ([(GOOD, 1), (GOOD, 2), (GOOD, 3)], 3, "lyo:3", "none"),
        ([(GOOD, 1), (BACK, 2), (GOOD, 3)], 3, "v2", "refuse"),
        ([(GOOD, 1), (GOOD, 3)], 3, "v9", "refuse"),
        # A named target also when the last release was undone already.
        ([(GOOD, 1), (GOOD, 2), (BACK, 3)], 2, "v1", "v1"),
    ],
)
def test_choose(past: list[tuple[str, int]], current: int, to: str | None, expected: str) -> None:
    choice = choose(history(*past), REVISIONS, f"{ARN}:{current}", to)
    assert chosen(choice) == expected


def test_a_refusal_lists_what_has_served() -> None:
    choice = choose(history((GOOD, 1), (GOOD, 2), (GOOD, 3)), REVISIONS, f"{ARN}:3", "v9")
    assert "v2 (lyo:2), v1 (lyo:1)" in choice.reason


def test_what_is_undone_already_names_where_else_to_go() -> None:
    choice = choose(history((GOOD, 1), (GOOD, 2), (BACK, 3)), REVISIONS, f"{ARN}:2", None)
    assert choice.reason.endswith("say -e to=<release>, one of v1 (lyo:1)")
    alone = choose(history((GOOD, 1), (BACK, 2)), REVISIONS, f"{ARN}:1", None)
    assert "-e to=" not in alone.reason


def test_the_placeholder_of_the_service_is_no_release() -> None:
    placeholder = Revision("rev1", f"{ARN}:1", ("repo:bootstrap",), ("",))
    revisions = {**REVISIONS, "rev1": placeholder}
    choice = choose(history((GOOD, 1), (GOOD, 2)), revisions, f"{ARN}:2", None)
    assert choice.action == "refuse"


def test_an_image_pinned_by_digest_counts_as_run() -> None:
    assert Revision("r", "d", ("repo@sha256:1",), ()).ran
    assert not Revision("r", "d", ("repo:tag",), ()).ran


def test_a_revision_that_can_no_longer_be_described_is_left_out() -> None:
    known = {"rev1": REVISIONS["rev1"], "rev3": REVISIONS["rev3"]}
    past = history((GOOD, 1), (GOOD, 2), (GOOD, 3))
    assert chosen(choose(past, known, f"{ARN}:3", None)) == "v1"
    assert [r.release for r in served(past, known)] == ["v3", "v1"]


def test_another_familys_lower_number_is_no_rollback() -> None:
    other = Revision("rev9", "arn:x/other:9", ("i",), ("sha256:1",), "old")
    past = [Deployment("b", GOOD, "rev1"), Deployment("a", GOOD, "rev9")]
    choice = choose(past, {"rev9": other, "rev1": REVISIONS["rev1"]}, f"{ARN}:1", None)
    assert chosen(choice) == "old"


@pytest.mark.parametrize(
    ("status", "target", "source", "to", "returning", "step"),
    [
        ("", 2, 1, None, False, "stop"),
        ("PENDING", 2, 1, None, False, "stop"),
        ("IN_PROGRESS", 2, 1, None, False, "stop"),
        ("ROLLBACK_IN_PROGRESS", 2, 1, None, False, "follow"),
        ("ROLLBACK_IN_PROGRESS", 1, 2, "v9", True, "follow"),
        ("STOP_REQUESTED", 2, 1, None, False, "follow"),
        ("SUCCESSFUL", 2, 1, None, False, "none"),
        ("STOPPED", 1, 2, None, True, "none"),
        # A rollback that lost its controller must not be stopped …
        ("", 1, 2, None, True, "adopt"),
        # … and a lower number alone does not make it one.
        ("", 1, 2, None, False, "stop"),
        ("", 2, 1, "v1", False, "stop"),
        ("", 2, 1, "lyo:1", False, "stop"),
        ("", 3, 2, "v1", False, "refuse"),
        # What was asked for is on its way already, whoever has begun it.
        ("", 2, 1, "v2", False, "adopt"),
        ("", 1, 2, "v1", True, "adopt"),
        # Whoever names what the rollback leaves wants it stopped.
        ("", 1, 2, "v2", True, "stop"),
    ],
)
def test_in_progress(
    status: str, target: int, source: int, to: str | None, returning: bool, step: str
) -> None:
    found, reason = in_progress_step(
        status, revision(target), revision(source), to, returning=returning
    )
    assert found == step
    assert reason


def test_in_progress_without_a_source() -> None:
    unknown = Revision("", "")
    assert in_progress_step("", revision(2), unknown, None, returning=False)[0] == "stop"
    assert in_progress_step("", revision(2), unknown, "v1", returning=False)[0] == "refuse"


@pytest.mark.parametrize(
    ("target", "source", "expected"),
    [
        (f"{ARN}:1", f"{ARN}:2", True),
        (f"{ARN}:2", f"{ARN}:1", False),
        (f"{ARN}:2", f"{ARN}:2", False),
        (f"{ARN}", f"{ARN}:2", False),
        ("arn:x/other:1", f"{ARN}:2", False),
        (f"{ARN}:1", "", False),
    ],
)
def test_when_the_past_is_worth_a_look(target: str, source: str, expected: bool) -> None:
    assert may_return(target, source) is expected


# The ledger.


def on_record(number: int, **changes: object) -> Run:
    """A deploy of release v<number>, by a deployment that ECS has forgotten."""
    values: dict[str, object] = {
        "run": f"r{number}",
        "token": number,
        "env": "local",
        "runbook": "deploy.yml",
        "command": "",
        "owner": "alice",
        "host": "laptop",
        "started_at": f"2026-01-{number:02}T03:00:00+00:00",
        "verdict": "DEPLOYED",
        "release": f"v{number}",
        "image": f"repo@sha256:{number:064x}",
        "task_definition": f"{ARN}:{number}",
        "deployment": f"forgotten-{number}",
    }
    return Run(**{**values, **changes})  # type: ignore[arg-type]


def test_a_rollback_is_known_by_its_aim_or_by_what_served() -> None:
    aimed = on_record(7, runbook="rollback.yml", verdict="KILLED", aim=f"{ARN}:1")
    assert returns(f"{ARN}:1", {f"{ARN}:1"}, [])
    assert returns(f"{ARN}:1", set(), [on_record(8), aimed])
    assert not returns(f"{ARN}:2", {f"{ARN}:1"}, [aimed])
    assert not returns(f"{ARN}:1", set(), [on_record(1, aim=f"{ARN}:1")])


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, ["v1"]),
        ({"verdict": "ROLLED_BACK"}, []),
        ({"verdict": "KILLED"}, []),
        ({"baking": True}, []),
        ({"image": ""}, []),
        ({"task_definition": ""}, []),
        # ECS still knows how that deployment ended.
        ({"deployment": "known"}, []),
    ],
)
def test_what_the_ledger_remembers(changes: dict[str, object], found: list[str]) -> None:
    assert [r.release for r in remembered([on_record(1, **changes)], {"known"})] == found


def test_the_ledger_remembers_each_definition_once_newest_first() -> None:
    failed = on_record(8, verdict="FAILED")
    again = on_record(9, task_definition=f"{ARN}:3")
    runs = [failed, on_record(3), on_record(1), on_record(2), again]
    found = remembered(runs, set())
    assert [r.release for r in found] == ["v3", "v1", "v2"]
    assert found[0] == Revision(
        "", f"{ARN}:3", (f"repo@sha256:{3:064x}",), (f"sha256:{3:064x}",), "v3"
    )
    assert all(r.ran for r in found)


@pytest.mark.parametrize(
    ("past", "current", "to", "runs", "expected"),
    [
        # ECS has forgotten everything but what serves.
        ([(GOOD, 3)], 3, None, [3, 2, 1], "v2"),
        ([], 3, None, [3, 2, 1], "v2"),
        ([(GOOD, 3)], 3, "v1", [3, 2, 1], "v1"),
        ([(GOOD, 3)], 3, f"sha256:{1:064x}", [3, 2, 1], "v1"),
        ([], 3, "v3", [3, 2, 1], "none"),
        # What ECS remembers comes first.
        ([(GOOD, 2), (GOOD, 3)], 3, None, [5, 1], "v2"),
    ],
)
def test_choose_by_the_ledger(
    past: list[tuple[str, int]], current: int, to: str | None, runs: list[int], expected: str
) -> None:
    choice = choose(history(*past), REVISIONS, f"{ARN}:{current}", to, [on_record(n) for n in runs])
    assert chosen(choice) == expected


def test_a_definition_is_listed_once_though_both_remember_it() -> None:
    runs = [on_record(2), on_record(1)]
    choice = choose(history((GOOD, 2), (GOOD, 3)), REVISIONS, f"{ARN}:3", None, runs)
    assert choice.candidates == ("v2 (lyo:2)", "v1 (lyo:1)")


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        # The ledger names the last deployment: as a rollback …
        ({"deployment": "d2", "runbook": "rollback.yml"}, "none"),
        # … or as a release of what had served before.
        ({"deployment": "d2"}, "v2"),
        # A killed rollback had told its aim.
        (
            {"runbook": "rollback.yml", "verdict": "KILLED", "aim": f"{ARN}:1", "deployment": ""},
            "none",
        ),
        ({"deployment": "another", "runbook": "rollback.yml"}, "none"),
    ],
)
def test_whether_the_last_deployment_was_a_rollback(run: dict[str, object], expected: str) -> None:
    past = history((GOOD, 1), (GOOD, 2), (GOOD, 1))
    assert chosen(choose(past, REVISIONS, f"{ARN}:1", None, [on_record(7, **run)])) == expected


def test_a_rollback_of_which_only_the_ledger_knows() -> None:
    """ECS has forgotten that v1 served before."""
    run = on_record(7, deployment="d1", runbook="rollback.yml")
    choice = choose(history((GOOD, 2), (GOOD, 1)), REVISIONS, f"{ARN}:1", None, [run])
    assert choice.action == "none"
    assert choice.reason.startswith("v2 (lyo:2) was rolled back already; to go elsewhere")
    alone = on_record(7, deployment="d0", runbook="rollback.yml")
    choice = choose(history((GOOD, 1)), REVISIONS, f"{ARN}:1", None, [alone])
    assert choice.reason == "the last release was rolled back already"
    aimed = on_record(7, aim=f"{ARN}:1", runbook="rollback.yml", deployment="")
    choice = choose(history((GOOD, 2), (GOOD, 1)), REVISIONS, f"{ARN}:1", None, [aimed])
    assert choice.action == "none"


@pytest.mark.parametrize(
    ("past", "runs", "expected"),
    [
        # v2 was rolled back to v1, then v1 was restarted: v2 must not come back.
        ([1, 2, 1, 1], [{"deployment": "d3", "runbook": "restart.yml"}], "none"),
        (
            [1, 2, 1, 1],
            [
                {"deployment": "d3", "runbook": "restart.yml"},
                {"deployment": "d2", "runbook": "rollback.yml"},
            ],
            "none",
        ),
        # v2 was released, then restarted.
        ([1, 2, 2], [{"deployment": "d2", "runbook": "restart.yml"}], "v1"),
        ([1, 2, 2, 2], [], "v1"),
        # v1 was released again, on purpose, and restarted.
        (
            [1, 2, 1, 1],
            [{"deployment": "d3", "runbook": "restart.yml"}, {"deployment": "d2"}],
            "v2",
        ),
    ],
)
def test_a_restart_does_not_change_what_is_to_be_undone(
    past: list[int], runs: list[dict[str, object]], expected: str
) -> None:
    records = [on_record(7 - n, **changes) for n, changes in enumerate(runs)]
    deployments = history(*((GOOD, n) for n in past))
    assert chosen(choose(deployments, REVISIONS, f"{ARN}:{past[-1]}", None, records)) == expected


def test_a_deployment_that_does_not_serve_any_more_was_not_undone_by_it() -> None:
    past = history((GOOD, 1), (GOOD, 2), (GOOD, 1))
    assert chosen(choose(past, REVISIONS, f"{ARN}:3", None)) == "v1"


def test_names() -> None:
    one = revision(1)
    for to in ("v1", "lyo:1", f"{ARN}:1", f"sha256:{1:064x}", f"repo@sha256:{1:064x}", "repo:1"):
        assert names(to, one), to
    for to in ("v2", "lyo:2", "lyo", f"sha256:{2:064x}", ""):
        assert not names(to, one), to
    assert not names("", Revision("", "", (), (), ""))


def test_a_revision_names_itself() -> None:
    assert revision(1).name == "v1 (lyo:1)"
    assert Revision("", f"{ARN}:4").name == "lyo:4"
