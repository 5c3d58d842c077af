"""What rollback goes back to: decisions without I/O."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ..lyo_ledger.record import Run
from .stages import FORWARD, TURNING_BACK
from .task_definition import family_of, revision_number
from .verdict import DEPLOYED

ROLLBACK_RUNBOOK = "rollback.yml"


@dataclass(frozen=True)
class Deployment:
    """A service deployment of the past, as ListServiceDeployments has it."""

    arn: str
    status: str
    revision: str


@dataclass(frozen=True)
class Revision:
    """A service revision: what it ran.

    :ivar release: name of the release, empty where unknown.
    """

    arn: str
    task_definition: str
    images: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    release: str = ""

    @property
    def ran(self) -> bool:
        """Whether a task of it has ever started.

        ECS resolves an image to a digest with the first task; without one, and without a digest in
        the name, nothing has run. So the service's placeholder is no release to go back to.
        """
        return any(self.digests) or any("@sha256:" in image for image in self.images)

    @property
    def name(self) -> str:
        """Release and task definition, for people."""
        definition = self.task_definition.rpartition("/")[2]
        return f"{self.release} ({definition})" if self.release else definition


@dataclass(frozen=True)
class Choice:
    """What to do: ``deploy`` a revision, ``none`` (nothing to undo) or ``refuse``.

    :ivar candidates: with a target, the names of all that has served, the target included.
    """

    action: str
    reason: str
    target: Revision | None = None
    candidates: tuple[str, ...] = field(default=())


def in_progress_step(
    status: str, target: Revision, source: Revision, to: str | None, *, returning: bool
) -> tuple[str, str]:
    """Return what to do about the service's current deployment, and why.

    ``stop`` it, ``follow`` it to its end, ``adopt`` it as the rollback asked for, ``refuse``, or
    ``none`` where it has ended.

    :param target: what it brings.
    :param source: what it replaces.
    :param returning: whether it brings back what served before (:func:`returns`): a rollback that
        lost its controller. Stopping that would bring back the release someone is fleeing.
    """
    if status in TURNING_BACK:
        return "follow", "the deployment is already turning back"
    if status and status not in FORWARD:
        return "none", f"the deployment has ended as {status}"
    if to and names(to, target):
        return "adopt", f"{target.name} is just being deployed"
    if to and not names(to, source):
        return "refuse", (
            f"a deployment is in progress; turning it back leads to {source.name}. "
            f"Run rollback without a target first, then once more with -e to={to}"
        )
    if returning and not to:
        return "adopt", "a rollback is already in progress"
    return "stop", "a deployment is in progress: turning it back"


def may_return(target: str, source: str) -> bool:
    """Tell whether it is worth a look at the past if a deployment brings back what served before.

    A release brings the newest task definition there is, so in the common case nobody has to ask.

    :param target: task definition it brings.
    :param source: task definition it replaces.
    """
    return family_of(target) == family_of(source) and 0 < revision_number(target) < revision_number(
        source
    )


def returns(target: str, served_before: Collection[str], runs: Iterable[Run]) -> bool:
    """Tell whether a deployment of ``target`` is a rollback.

    :param served_before: task definitions that served, as ECS remembers.
    :param runs: the ledger, newest first. A rollback names its aim there before it begins.
    """
    return target in served_before or any(
        run.runbook == ROLLBACK_RUNBOOK and run.aim == target for run in runs
    )


def names(to: str, revision: Revision) -> bool:
    """Tell whether ``to`` (release, digest, image, task definition) names ``revision``."""
    short = revision.task_definition.rpartition("/")[2]
    digest = to.rpartition("@")[2]
    return bool(to) and (
        to in (revision.task_definition, short)
        or (bool(revision.release) and to == revision.release)
        or digest in revision.digests
        or to in revision.images
    )


def served(history: Sequence[Deployment], revisions: Mapping[str, Revision]) -> list[Revision]:
    """Return the revisions that served successfully, newest first, a task definition once."""
    found: dict[str, Revision] = {}
    for deployment in history:
        revision = revisions.get(deployment.revision)
        if deployment.status == "SUCCESSFUL" and revision is not None and revision.ran:
            found.setdefault(revision.task_definition, revision)
    return list(found.values())


def remembered(runs: Iterable[Run], known: Collection[str]) -> list[Revision]:
    """Return what served by the ledger alone, newest first, a task definition once.

    :param runs: newest first.
    :param known: deployments that ECS still knows: of those its own word counts.

    A run that left its release baking does not know how that ended.
    """
    found: dict[str, Revision] = {}
    for run in runs:
        if run.verdict != DEPLOYED or run.baking or run.deployment in known:
            continue
        if run.task_definition and run.image:
            digest = run.image.partition("@")[2]
            revision = Revision("", run.task_definition, (run.image,), (digest,), run.release)
            found.setdefault(run.task_definition, revision)
    return list(found.values())


def choose(
    history: Sequence[Deployment],
    revisions: Mapping[str, Revision],
    current: str,
    to: str | None,
    runs: Sequence[Run] = (),
) -> Choice:
    """Return the revision to go back to, when nothing is in progress.

    :param history: newest first, as far as ECS remembers (90 days).
        https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-deployment.html
    :param revisions: by ARN, as far as they can still be described.
    :param current: task definition that carries the traffic.
    :param to: what the caller asked for.
    :param runs: the ledger, newest first: it remembers what ECS has forgotten.

    Without ``to``, rollback undoes the last release. Where that is already undone it does nothing,
    so that a second run does not go back one release further.
    """
    by_ecs = served(history, revisions)
    seen = {r.task_definition for r in by_ecs}
    older = [r for r in remembered(runs, {d.arn for d in history}) if r.task_definition not in seen]
    candidates = [r for r in (*by_ecs, *older) if r.task_definition != current]
    listed = tuple(r.name for r in candidates)
    if to:
        here = [r for r in (*revisions.values(), *older) if r.task_definition == current]
        if any(names(to, r) for r in (*here, Revision("", current))):
            return Choice("none", f"{to} carries the traffic already")
        for revision in candidates:
            if names(to, revision):
                return Choice("deploy", f"going back to {revision.name}", revision, listed)
        known = ", ".join(listed) or "none"
        return Choice("refuse", f"{to} has not served here; what has: {known}")
    undone = _already_undone(history, revisions, current, runs)
    if undone:
        more = (
            f"; to go elsewhere say -e to=<release>, one of {', '.join(listed)}" if listed else ""
        )
        return Choice("none", undone + more)
    if not candidates:
        return Choice("refuse", "no former release has served here: there is nothing to go back to")
    target = candidates[0]
    return Choice("deploy", f"going back to {target.name}", target, listed)


def _already_undone(
    history: Sequence[Deployment],
    revisions: Mapping[str, Revision],
    current: str,
    runs: Sequence[Run],
) -> str:
    if history and history[0].status.startswith("ROLLBACK_"):
        return "the last deployment was turned back already"
    done = [d for d in history if d.status == "SUCCESSFUL" and d.revision in revisions]
    if not done or revisions[done[0].revision].task_definition != current:
        return ""
    # A restart deploys anew what serves; what counts is how that came to serve.
    here = list(
        itertools.takewhile(lambda d: revisions[d.revision].task_definition == current, done)
    )
    former = [revisions[d.revision] for d in done[len(here) :]]
    left = former[0] if former else None
    before = {r.task_definition for r in former}
    if _was_rollback(here[-1], current, left, before, runs):
        return f"{left.name if left else 'the last release'} was rolled back already"
    return ""


def _was_rollback(
    last: Deployment,
    current: str,
    left: Revision | None,
    served_before: Collection[str],
    runs: Sequence[Run],
) -> bool:
    """Tell whether the last deployment was a rollback: by the ledger, else by what served before.

    :param left: what it has replaced.
    """
    for run in runs:
        if run.deployment == last.arn:
            return run.runbook == ROLLBACK_RUNBOOK
    if left is None or not may_return(current, left.task_definition):
        return False
    return returns(current, served_before, runs)
