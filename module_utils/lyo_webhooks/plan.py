"""What a run is going to do: the decisions over all tenants, without I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from . import decide
from .decide import Step, Wanted
from .errors import GraphError, remedy
from .record import Kept, Registered
from .state import AppFound, Found, route

# How a tenant ends.
UNCHANGED, REGISTERED, FAILED = "unchanged", "registered", "failed"
# The key of the app's own subscription among the marks.
APP_MARK = ""


@dataclass
class Outcome:
    """How a tenant ended.

    :ivar outcome: ``unchanged``, ``registered`` (``would register`` in check mode), or ``failed``.
    :ivar code: Meta's code, or a word of ours: ``foreign_app``, ``secret``, ``number``,
        ``not_readable``, ``not_proven``, ``invalid``.
    """

    outcome: str
    code: str = ""
    message: str = ""
    remedy: str = ""


@dataclass
class Plan:
    """The writes of a run.

    :ivar app: write of the app's own subscription, None without one.
    :ivar steps: writes by tenant, for those that need some.
    :ivar failed: tenants that are not touched, and why.
    """

    app: Step | None = None
    steps: dict[str, list[Step]] = field(default_factory=dict)
    failed: dict[str, Outcome] = field(default_factory=dict)

    @property
    def writes(self) -> int:
        """How many writes there are."""
        return sum(map(len, self.steps.values())) + (self.app is not None)


def failure(error: GraphError) -> Outcome:
    """Return the outcome of a tenant for which a call failed."""
    code = str(error.code) if error.code or error.status else "no_answer"
    if error.code == 0 and error.status:
        code = f"http_{error.status}"
    return Outcome(FAILED, code, error.shown, remedy(error))


def make(
    wanted: Mapping[str, Wanted],
    found: Mapping[str, Found],
    app: AppFound,
    app_id: str,
    *,
    url: str,
    fields: Iterable[str],
    other_apps: Sequence[str],
    registered: Registered | None,
    mark: str,
) -> Plan:
    """Return what brings everything that was read to what is wanted.

    :param wanted: by tenant; tenants whose account could not be read are not among ``found``.
    :param mark: of the verify token of now.
    """
    marks = registered.marks if registered is not None else {}
    plan = Plan()
    plan.app = decide.app_step(
        app_id, url, fields, app, new_token=marks.get(APP_MARK, mark) != mark
    )
    for name, state in found.items():
        outcome = _refused(wanted[name], state, app_id, other_apps)
        if outcome is not None:
            plan.failed[name] = outcome
            continue
        steps = decide.tenant_steps(
            wanted[name], state, app_id, new_token=marks.get(name, mark) != mark
        )
        if steps:
            plan.steps[name] = steps
    return plan


def restore(
    wanted: Mapping[str, Wanted],
    found: Mapping[str, Found],
    app: AppFound,
    app_id: str,
    kept: Kept,
) -> Plan:
    """Return what brings everything back to what was kept; who is not in it stays as it is."""
    plan = Plan(app=decide.restore_app(app_id, kept.app, app))
    for name, state in found.items():
        tenant = wanted[name].tenant
        if kept.accounts.get(name) != tenant.waba_id:
            continue
        steps = decide.restore_tenant(tenant, kept.found[name], state, app_id)
        if steps:
            plan.steps[name] = steps
    return plan


def _refused(
    wanted: Wanted, found: Found, app_id: str, other_apps: Sequence[str]
) -> Outcome | None:
    """Return why a tenant is left as it is, None where it is not."""
    absent = [number for number in wanted.tenant.numbers if number not in found.numbers]
    if absent:
        return Outcome(
            FAILED,
            "number",
            f"{', '.join(absent)} is not a number of account {wanted.tenant.waba_id}",
            "correct phone_number_id or waba_id",
        )
    text = decide.foreign(found, app_id, other_apps)
    return Outcome(FAILED, "foreign_app", text, "decide which app is to answer") if text else None


def note(
    before: Registered | None,
    aims: tuple[str, str, str],
    at: str,
    plan: Plan,
    *,
    failed: Collection[str],
    found: Iterable[str],
    done: Collection[str],
    mark: str,
    ended: bool,
    restored: str,
    partial: bool = False,
) -> Registered:
    """Return what is to be remembered of a run, ``before`` itself where nothing is new.

    A tenant that is as wanted and of which nothing is remembered is taken to have been registered
    with the verify token of now: Meta does not show it.

    :param aims: URL, version of the Graph API, version of the verify token.
    :param failed: tenants that are not as wanted.
    :param found: tenants whose account could be read.
    :param done: tenants that were written, the app as :data:`APP_MARK`.
    :param ended: the run has come to its end.
    :param restored: record that was brought back, empty without one.
    :param partial: there are other tenants than those of this run: what is remembered of them stays,
        and the registration is complete only if theirs was, for the same.
    """
    left = {*plan.steps, *failed} - set(done)
    if plan.app is not None and APP_MARK not in done:
        left.add(APP_MARK)
    # Those included whose account could not be read this time: what Meta has of them is as before.
    names = list(dict.fromkeys([APP_MARK, *found, *failed]))
    known = before.marks if before is not None else {}
    marks = {
        name: mark if name in done or name not in known else known[name]
        for name in names
        if name in known or name not in left
    }
    complete = ended and not left and not restored
    good = set(names) - left - {APP_MARK}
    restoring = bool(restored) and (not ended or bool(left))
    if partial:
        others = before if before is not None else Registered()
        marks |= {name: known[name] for name in known if name not in names}
        same = others.aims_at(*aims)
        complete = complete and same and others.complete
        if same:
            good |= {*(known if others.complete else others.confirmed)} - {*names, APP_MARK}
        if not restored:
            restored, restoring = others.restored, others.restoring
    confirmed = [] if complete else sorted(good)
    new = Registered(*aims, at, complete, marks, confirmed, restored, restoring)
    return before if before is not None and replace(before, at=at) == new else new


def unconfirmed(registered: Registered | None, found: Iterable[str]) -> list[str]:
    """Return the tenants that a run which did not come to its end has left unproven."""
    if registered is None or registered.complete or registered.restored:
        return []
    return [name for name in found if name not in registered.confirmed]


def routes(
    tenants: Iterable[Wanted], found: Mapping[str, Found], app: AppFound, app_id: str
) -> list[dict[str, str]]:
    """Return where the messages of each number go, as far as it was read."""
    rows = []
    for wanted in tenants:
        state = found.get(wanted.tenant.id)
        for number in wanted.tenant.numbers:
            way = route(app, state, app_id, number) if state is not None else None
            rows.append(
                {
                    "tenant": wanted.tenant.id,
                    "waba_id": wanted.tenant.waba_id,
                    "phone_number_id": number,
                    "level": way.level if way and way.url else "none" if way else "unknown",
                    "url": way.url if way else "",
                }
            )
    return rows
