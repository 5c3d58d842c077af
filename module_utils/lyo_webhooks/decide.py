"""Which writes bring a registration to what is wanted: decisions without I/O.

In no order of a tenant's steps do its messages go nowhere: what sends them to the right place is
written before what may take them away from the wrong one is removed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from .state import AppFound, Found, Subscribed
from .tenants import ACCOUNT, APP, NUMBER, Tenant

SET_APP = "set_app"
SUBSCRIBE = "subscribe"
OVERRIDE_ACCOUNT = "override_account"
OVERRIDE_NUMBER = "override_number"
CLEAR_NUMBER = "clear_number"
CLEAR_ACCOUNT = "clear_account"
UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a tenant.

    :ivar level: where the route is set, see :data:`.tenants.LEVELS`.
    :ivar mark: what tells the verify token from another, see :func:`token_mark`.
    """

    tenant: Tenant
    level: str
    url: str
    mark: str = ""


@dataclass(frozen=True)
class Step:
    """One write.

    :ivar kind: one of the constants above.
    :ivar target: id of the app, account or number.
    :ivar url: what is set, empty where something is removed.
    :ivar fields: what the app is to be told of, for ``set_app``.
    """

    kind: str
    target: str
    url: str = ""
    why: str = ""
    fields: tuple[str, ...] = ()

    @property
    def handshake(self) -> bool:
        """Whether Meta asks the callback URL before it accepts the write."""
        return bool(self.url)


def token_mark(app_secret: str, verify_token: str) -> str:
    """Return what tells a verify token from another without telling anything about it.

    Meta never shows a verify token, so that what was registered last has to be remembered.
    """
    key, text = app_secret.encode(), f"lyo-verify-token:{verify_token}".encode()
    return hmac.new(key, text, hashlib.sha256).hexdigest()[:16]


def wanted_of(tenant: Tenant, level: str, url: str, mark: str) -> Wanted:
    """Return what is wanted of a tenant: its own values, else the environment's."""
    return Wanted(tenant, tenant.level or level, tenant.url or url, mark)


def app_step(
    app_id: str, url: str, fields: Iterable[str], found: AppFound, *, new_token: bool
) -> Step | None:
    """Return the write that the app's own subscription needs, None where it needs none.

    Fields that somebody else has asked for stay.
    """
    missing = sorted(set(fields) - set(found.fields))
    why = ""
    if not found.callback_url:
        why = "the app has no subscription"
    elif found.callback_url != url:
        why = f"the app's URL is {found.callback_url}"
    elif not found.active:
        why = "the app's subscription is not active"
    elif missing:
        why = f"the app is not told of {', '.join(missing)}"
    elif new_token:
        why = "the verify token has changed"
    if not why:
        return None
    return Step(SET_APP, app_id, url, why, tuple(sorted({*fields, *found.fields})))


def tenant_steps(wanted: Wanted, found: Found, app_id: str, *, new_token: bool) -> list[Step]:
    """Return the writes a tenant needs, in their order.

    :param new_token: the verify token is another than the one it was registered with.
    """
    steps: list[Step] = []
    own = found.own(app_id)
    waba = wanted.tenant.waba_id
    if own is None:
        # The only bare POST: on an account that has the app already it would clear the override.
        steps.append(Step(SUBSCRIBE, waba, "", "the app is not subscribed to the account"))
        own = Subscribed(app_id)
    if wanted.level == ACCOUNT:
        why = _differs(own.override, wanted.url, "the account", new_token=new_token)
        if why:
            steps.append(Step(OVERRIDE_ACCOUNT, waba, wanted.url, why))
    if wanted.level == NUMBER:
        for number in wanted.tenant.numbers:
            why = _differs(
                found.numbers.get(number, ""), wanted.url, "the number", new_token=new_token
            )
            if why:
                steps.append(Step(OVERRIDE_NUMBER, number, wanted.url, why))
        return steps
    steps += _cleared_numbers(wanted, found)
    if wanted.level == APP and own.override:
        steps.append(Step(CLEAR_ACCOUNT, waba, "", f"the account goes to {own.override}"))
    return steps


def _differs(found: str, wanted: str, what: str, *, new_token: bool) -> str:
    if found != wanted:
        return f"{what} goes to {found}" if found else f"{what} has no URL of its own"
    return "the verify token has changed" if new_token else ""


def _cleared_numbers(wanted: Wanted, found: Found) -> list[Step]:
    return [
        Step(CLEAR_NUMBER, number, "", f"the number goes to {found.numbers[number]}")
        for number in wanted.tenant.numbers
        if found.numbers.get(number)
    ]


def restore_app(app_id: str, kept: AppFound, found: AppFound) -> Step | None:
    """Return the write that brings the app's subscription back to what was kept.

    An app without a subscription gets nothing at all, so that is never brought back.
    """
    if not kept.callback_url or (kept.callback_url, set(kept.fields)) == (
        found.callback_url,
        set(found.fields),
    ):
        return None
    why = f"the app's URL is {found.callback_url or 'none'}"
    if kept.callback_url == found.callback_url:
        why = "the app is told of other things"
    return Step(SET_APP, app_id, kept.callback_url, why, kept.fields)


def restore_tenant(tenant: Tenant, kept: Found, found: Found, app_id: str) -> list[Step]:
    """Return the writes that bring an account back to what was kept, what removes at the end."""
    before, now = kept.own(app_id), found.own(app_id)
    setting: list[Step] = []
    removing: list[Step] = []
    if before is not None and now is None:
        setting.append(Step(SUBSCRIBE, tenant.waba_id, "", "the app is not subscribed"))
        now = Subscribed(app_id)
    override = before.override if before is not None else ""
    if before is not None and now is not None and override != now.override:
        step = OVERRIDE_ACCOUNT if override else CLEAR_ACCOUNT
        why = f"the account goes to {now.override or 'the URL of the app'}"
        (setting if override else removing).append(Step(step, tenant.waba_id, override, why))
    for number in tenant.numbers:
        url, present = kept.numbers.get(number, ""), found.numbers.get(number, "")
        if url != present:
            step = OVERRIDE_NUMBER if url else CLEAR_NUMBER
            why = f"the number goes to {present or 'the URL of the account'}"
            (setting if url else removing).insert(0, Step(step, number, url, why))
    # The subscription has to be there before an override can be set.
    setting.sort(key=lambda step: step.kind != SUBSCRIBE)
    if before is None and now is not None:
        removing.append(Step(UNSUBSCRIBE, tenant.waba_id, "", "the app was not subscribed"))
    return setting + removing


def matches(steps: Sequence[Step], found: Found, app_id: str) -> bool:
    """Whether what the steps have written can be read already."""
    own = found.own(app_id)
    override = own.override if own is not None else ""
    for step in steps:
        if step.kind == SUBSCRIBE:
            reads = own is not None
        elif step.kind == UNSUBSCRIBE:
            reads = own is None
        elif step.kind in (OVERRIDE_ACCOUNT, CLEAR_ACCOUNT):
            reads = override == step.url
        else:
            reads = found.numbers.get(step.target, "") == step.url
        if not reads:
            return False
    return True


def app_matches(step: Step, found: AppFound) -> bool:
    """Whether the app's subscription reads as it was written."""
    return found.callback_url == step.url and set(step.fields) <= set(found.fields)


def foreign(found: Found, app_id: str, allowed: Iterable[str]) -> str:
    """Return what is wrong about other apps on an account, empty where nothing is."""
    others = found.others(app_id, allowed)
    if not others:
        return ""
    names = ", ".join(f"{app.name or 'an app'} ({app.id})" for app in others)
    return (
        f"{names} is subscribed to the account too, so that two would answer each message: have it "
        "unsubscribed, or allow it in lyo_webhooks.other_apps"
    )


def before_after(
    wanted: Sequence[Step], found: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the URL of each target before and after the steps, for a diff.

    :param found: URL by target.
    """
    before = {step.target: found.get(step.target, "") for step in wanted}
    after = dict(before)
    for step in wanted:
        if step.kind == UNSUBSCRIBE:
            after[step.target] = "(not subscribed)"
        elif step.kind != SUBSCRIBE:
            after[step.target] = step.url
        elif before[step.target] == "":
            before[step.target] = "(not subscribed)"
    return before, after
