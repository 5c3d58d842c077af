"""What rollback goes back to: decisions without I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .stages import FORWARD, TURNING_BACK
from .task_definition import family_of, revision_number


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
    """What to do: ``deploy`` a revision, ``none`` (nothing to undo) or ``refuse``."""

    action: str
    reason: str
    target: Revision | None = None
    candidates: tuple[str, ...] = field(default=())


def in_progress_step(status: str, target: str, source: Revision, to: str | None) -> tuple[str, str]:
    """Return what to do about the service's current deployment, and why.

    ``stop`` it, ``follow`` it to its end, ``adopt`` it as the rollback asked for, ``refuse``, or
    ``none`` where it has ended.

    :param target: task definition it brings.
    :param source: what it replaces.

    A deployment that brings back a lower revision than it replaces is a rollback of ours that lost
    its controller: it is followed. Stopping it would bring back the release someone is fleeing.
    """
    if status in TURNING_BACK:
        return "follow", "the deployment is already turning back"
    if status and status not in FORWARD:
        return "none", f"the deployment has ended as {status}"
    returning = family_of(target) == family_of(source.task_definition) and 0 < revision_number(
        target
    ) < revision_number(source.task_definition)
    if returning:
        return "adopt", "a rollback is already in progress"
    if to and not names(to, source):
        return "refuse", (
            f"a deployment is in progress; turning it back leads to {source.name}. "
            f"Run rollback without a target first, then once more with -e to={to}"
        )
    return "stop", "a deployment is in progress: turning it back"


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


def choose(
    history: Sequence[Deployment],
    revisions: Mapping[str, Revision],
    current: str,
    to: str | None,
) -> Choice:
    """Return the revision to go back to, when nothing is in progress.

    :param history: newest first.
    :param revisions: by ARN, as far as they can still be described.
    :param current: task definition that carries the traffic.
    :param to: what the caller asked for.

    Without ``to``, rollback undoes the last release. Where that is already undone it does nothing,
    so that a second run does not go back one release further.
    """
    candidates = [r for r in served(history, revisions) if r.task_definition != current]
    listed = tuple(r.name for r in candidates)
    if to:
        if any(names(to, r) for r in revisions.values() if r.task_definition == current) or names(
            to, Revision("", current)
        ):
            return Choice("none", f"{to} carries the traffic already")
        for revision in candidates:
            if names(to, revision):
                return Choice("deploy", f"going back to {revision.name}", revision)
        known = ", ".join(listed) or "none"
        return Choice("refuse", f"{to} has not served here; what has: {known}", None, listed)
    undone = _already_undone(history, revisions, current)
    if undone:
        more = (
            f"; to go elsewhere say -e to=<release>, one of {', '.join(listed)}" if listed else ""
        )
        return Choice("none", undone + more, None, listed)
    if not candidates:
        return Choice("refuse", "no former release has served here: there is nothing to go back to")
    target = candidates[0]
    return Choice("deploy", f"going back to {target.name}", target, listed)


def _already_undone(
    history: Sequence[Deployment], revisions: Mapping[str, Revision], current: str
) -> str:
    if history and history[0].status.startswith("ROLLBACK_"):
        return "the last deployment was turned back already"
    done = [d for d in history if d.status == "SUCCESSFUL"]
    if len(done) >= 2:
        last, former = (revisions.get(d.revision) for d in done[:2])
        if last is not None and former is not None and last.task_definition == current:
            lower = revision_number(current) < revision_number(former.task_definition)
            if lower and family_of(current) == family_of(former.task_definition):
                return f"{former.name} was rolled back already"
    return ""
