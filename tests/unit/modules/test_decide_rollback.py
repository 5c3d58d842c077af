from __future__ import annotations

import pytest
from ansible.module_utils.lyo_release.decide_rollback import (
    Choice,
    Deployment,
    Revision,
    choose,
    in_progress_step,
    names,
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
        ([(GOOD, 2), (GOOD, 1)], 1, None, "none"),
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
    ("status", "target", "source", "to", "step"),
    [
        ("", 2, 1, None, "stop"),
        ("IN_PROGRESS", 2, 1, None, "stop"),
        ("ROLLBACK_IN_PROGRESS", 2, 1, None, "follow"),
        ("STOP_REQUESTED", 2, 1, None, "follow"),
        ("SUCCESSFUL", 2, 1, None, "none"),
        # A rollback that lost its controller must not be stopped.
        ("", 1, 2, None, "adopt"),
        ("", 2, 1, "v1", "stop"),
        ("", 2, 1, "lyo:1", "stop"),
        ("", 3, 2, "v1", "refuse"),
    ],
)
def test_in_progress(status: str, target: int, source: int, to: str | None, step: str) -> None:
    found, reason = in_progress_step(status, f"{ARN}:{target}", revision(source), to)
    assert found == step
    assert reason


def test_in_progress_without_a_source_is_stopped() -> None:
    assert in_progress_step("", f"{ARN}:2", Revision("", ""), None)[0] == "stop"


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
