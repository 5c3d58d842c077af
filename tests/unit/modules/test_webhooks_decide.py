from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from ansible.module_utils.lyo_webhooks import decide as d
from ansible.module_utils.lyo_webhooks import plan as p
from ansible.module_utils.lyo_webhooks.record import Registered, why_register
from ansible.module_utils.lyo_webhooks.state import (
    AppFound,
    Found,
    Route,
    Subscribed,
    app_from,
    apps_from,
    number_from,
    route,
)
from ansible.module_utils.lyo_webhooks.tenants import Tenant

APP, WABA, NUMBER = "900", "100001", "200001"
URL, OLD = "https://api.example/webhook", "https://old.example/webhook"
TENANT = Tenant("da-mario", WABA, (NUMBER,))
APP_GOOD = AppFound(URL, ("messages",), True)


def wanted(level: str = "account", tenant: Tenant = TENANT) -> d.Wanted:
    return d.wanted_of(tenant, level, URL, "mark")


def found(override: str | None = URL, number: str = "", other: str = "") -> Found:
    apps = [] if override is None else [Subscribed(APP, "Lyo", override)]
    apps += [Subscribed(other, "Other")] if other else []
    return Found(tuple(apps), {NUMBER: number})


def kinds(steps: list[d.Step]) -> list[str]:
    return [step.kind for step in steps]


def steps(level: str, state: Found, *, new_token: bool = False) -> list[str]:
    return kinds(d.tenant_steps(wanted(level), state, APP, new_token=new_token))


@pytest.mark.parametrize(
    ("level", "state", "expected"),
    [
        ("account", found(), []),
        ("account", found(None), [d.SUBSCRIBE, d.OVERRIDE_ACCOUNT]),
        ("account", found(""), [d.OVERRIDE_ACCOUNT]),
        ("account", found(OLD), [d.OVERRIDE_ACCOUNT]),
        ("account", found(URL, OLD), [d.CLEAR_NUMBER]),
        ("account", found(OLD, OLD), [d.OVERRIDE_ACCOUNT, d.CLEAR_NUMBER]),
        ("number", found(None), [d.SUBSCRIBE, d.OVERRIDE_NUMBER]),
        ("number", found("", URL), []),
        ("number", found(OLD, URL), []),
        ("number", found(OLD, OLD), [d.OVERRIDE_NUMBER]),
        ("app", found(None), [d.SUBSCRIBE]),
        ("app", found(""), []),
        ("app", found(URL, OLD), [d.CLEAR_NUMBER, d.CLEAR_ACCOUNT]),
    ],
)
def test_only_differences_are_written(level: str, state: Found, expected: list[str]) -> None:
    assert steps(level, state) == expected


def test_a_bare_post_goes_only_to_an_account_without_the_app_or_that_is_to_lose_its_override() -> (
    None
):
    for level, override, number in itertools.product(
        ("account", "number", "app"), (None, "", OLD, URL), ("", OLD, URL)
    ):
        planned = steps(level, found(override, number))
        if d.SUBSCRIBE in planned:
            assert override is None
        if d.CLEAR_ACCOUNT in planned:
            assert level == "app"


def test_a_new_verify_token_is_registered_where_the_route_is_set() -> None:
    assert steps("account", found(), new_token=True) == [d.OVERRIDE_ACCOUNT]
    assert steps("number", found("", URL), new_token=True) == [d.OVERRIDE_NUMBER]
    assert steps("app", found(""), new_token=True) == []


def test_a_tenant_has_a_url_and_a_level_of_its_own() -> None:
    own = d.wanted_of(replace(TENANT, level="number", url=OLD), "account", URL, "")
    assert (own.level, own.url) == ("number", OLD)


APP_STEPS = [
    (AppFound(), "has no subscription"),
    (AppFound(OLD, ("messages",), True), f"URL is {OLD}"),
    (AppFound(URL, ("messages",), False), "not active"),
    (AppFound(URL, ("account_update",), True), "not told of messages"),
]


@pytest.mark.parametrize(("state", "why"), APP_STEPS)
def test_the_apps_own_subscription(state: AppFound, why: str) -> None:
    step = d.app_step(APP, URL, ["messages"], state, new_token=False)
    assert step is not None
    assert why in step.why
    assert step.url == URL
    assert set(step.fields) == {"messages", *state.fields}, "a field of somebody else's was lost"


def test_the_apps_own_subscription_as_it_should_be() -> None:
    assert d.app_step(APP, URL, ["messages"], APP_GOOD, new_token=False) is None
    step = d.app_step(APP, URL, ["messages"], APP_GOOD, new_token=True)
    assert step is not None
    assert "token" in step.why


def test_the_route_of_a_number() -> None:
    assert route(APP_GOOD, found(OLD, URL), APP, NUMBER) == Route("number", URL)
    assert route(APP_GOOD, found(OLD), APP, NUMBER) == Route("account", OLD)
    assert route(APP_GOOD, found(""), APP, NUMBER) == Route("app", URL)
    assert route(APP_GOOD, found(None), APP, NUMBER) == Route("app", "")
    assert route(replace(APP_GOOD, active=False), found(""), APP, NUMBER) == Route("app", "")
    assert route(APP_GOOD, found(None, URL), APP, NUMBER) == Route("app", "")


def apply(planned: list[d.Step], state: Found) -> list[Found]:
    """The states that a tenant goes through."""
    passed = []
    for step in planned:
        own = state.own(APP)
        numbers = dict(state.numbers)
        apps = [app for app in state.apps if app.id != APP]
        if step.kind in (d.OVERRIDE_NUMBER, d.CLEAR_NUMBER):
            numbers[step.target] = step.url
            apps += [own] if own else []
        elif step.kind != d.UNSUBSCRIBE:
            assert own is not None or step.kind == d.SUBSCRIBE, (
                "an override before the subscription"
            )
            apps.append(Subscribed(APP, "Lyo", step.url))
        state = Found(tuple(apps), numbers)
        passed.append(state)
    return passed


@pytest.mark.parametrize("level", ["account", "number", "app"])
@pytest.mark.parametrize("override", ["", OLD, URL])
@pytest.mark.parametrize("number", ["", OLD, URL])
def test_at_no_moment_has_a_number_no_route_and_the_end_is_as_wanted(
    level: str, override: str, number: str
) -> None:
    state = found(override, number)
    planned = d.tenant_steps(wanted(level), state, APP, new_token=False)
    passed = apply(planned, state)
    assert all(route(APP_GOOD, now, APP, NUMBER).url for now in passed)
    end = passed[-1] if passed else state
    assert route(APP_GOOD, end, APP, NUMBER).url == URL
    assert steps(level, end) == [], "a second run would write"
    assert d.matches(planned, end, APP)
    assert not planned or not d.matches(planned, state, APP)


@pytest.mark.parametrize("before", [None, "", OLD])
@pytest.mark.parametrize("before_number", ["", OLD])
@pytest.mark.parametrize("now", [None, "", URL])
@pytest.mark.parametrize("now_number", ["", URL])
def test_what_was_kept_is_brought_back(
    before: str | None, before_number: str, now: str | None, now_number: str
) -> None:
    kept, state = found(before, before_number), found(now, now_number)
    planned = d.restore_tenant(TENANT, kept, state, APP)
    passed = apply(planned, state)
    end = passed[-1] if passed else state
    own, was = end.own(APP), kept.own(APP)
    assert (own and own.override) == (was and was.override)
    assert end.numbers == kept.numbers
    if before is not None and now is not None:
        assert all(route(APP_GOOD, at, APP, NUMBER).url for at in passed)
    assert d.matches(planned, end, APP)


def test_the_app_is_brought_back_but_never_to_nothing() -> None:
    kept = AppFound(OLD, ("messages",), True)
    step = d.restore_app(APP, kept, APP_GOOD)
    assert step is not None
    assert (step.url, step.fields) == (OLD, ("messages",))
    assert d.restore_app(APP, APP_GOOD, APP_GOOD) is None
    assert d.restore_app(APP, AppFound(), APP_GOOD) is None
    fewer = d.restore_app(APP, APP_GOOD, replace(APP_GOOD, fields=("account_update", "messages")))
    assert fewer is not None
    assert "other things" in fewer.why


def test_another_app_on_the_account() -> None:
    text = d.foreign(found(URL, "", "777"), APP, [])
    assert "Other (777)" in text
    assert "two would answer" in text
    assert d.foreign(found(URL, "", "777"), APP, ["777"]) == ""
    assert d.foreign(found(), APP, []) == ""


def test_metas_answers() -> None:
    rows = [
        {"object": "user", "callback_url": "https://no.example"},
        {"object": "whatsapp_business_account", "callback_url": URL, "active": "true",
         "fields": [{"name": "messages", "version": "v26.0"}, "calls"]},
    ]  # fmt: skip
    assert app_from(rows) == AppFound(URL, ("calls", "messages"), True)
    assert app_from([]) == AppFound()
    data = {"id": "900", "name": "Lyo", "link": "https://…"}
    rows = [{"whatsapp_business_api_data": data, "override_callback_uri": URL}, {}]
    assert apps_from(rows) == (Subscribed("900", "Lyo", URL),)
    levels = {"phone_number": OLD, "whatsapp_business_account": URL, "application": URL}
    assert number_from({"webhook_configuration": levels}) == OLD
    assert number_from({"webhook_configuration": {"application": URL}}) == ""
    assert number_from({"id": NUMBER}) == ""


def test_the_mark_tells_tokens_apart_and_nothing_else() -> None:
    assert d.token_mark("secret", "one") == d.token_mark("secret", "one")
    assert d.token_mark("secret", "one") != d.token_mark("secret", "two")
    assert d.token_mark("secret", "one") != d.token_mark("other", "one")
    assert "one" not in d.token_mark("secret", "one")


# The plan over all tenants, and what is remembered of it.

AIMS = (URL, "v26.0", "1")


def make(state: Found, registered: Registered | None = None, mark: str = "new") -> p.Plan:
    return p.make(
        {"da-mario": wanted()},
        {"da-mario": state},
        APP_GOOD,
        APP,
        url=URL,
        fields=["messages"],
        other_apps=[],
        registered=registered,
        mark=mark,
    )


def note(planned: p.Plan, before: Registered | None = None, **given: object) -> Registered:
    options: dict[str, object] = {
        "failed": [], "found": ["da-mario"], "done": [], "mark": "new", "ended": True, "restored": "",
    }  # fmt: skip
    return p.note(before, AIMS, "now", planned, **{**options, **given})


def test_a_number_that_is_not_the_accounts_and_a_foreign_app_are_left_alone() -> None:
    planned = make(Found((Subscribed(APP),), {}))
    assert planned.failed["da-mario"].code == "number"
    assert NUMBER in planned.failed["da-mario"].message
    planned = make(found(None, "", "777"))
    assert planned.failed["da-mario"].code == "foreign_app"
    assert planned.writes == 0


def test_a_registration_of_which_nothing_is_remembered_is_adopted() -> None:
    planned = make(found())
    assert planned.writes == 0
    assert note(planned) == Registered(*AIMS, "now", True, {"": "new", "da-mario": "new"})


def test_another_token_than_the_remembered_one_is_registered() -> None:
    before = Registered(*AIMS, "then", True, {"": "old", "da-mario": "old"})
    planned = make(found(), before)
    assert planned.app is not None
    assert kinds(planned.steps["da-mario"]) == [d.OVERRIDE_ACCOUNT]
    middle = note(planned, before, done=[""], ended=False)
    assert middle.marks == {"": "new", "da-mario": "old"}
    assert not middle.complete
    end = note(planned, before, done=["", "da-mario"])
    assert (end.marks, end.complete) == ({"": "new", "da-mario": "new"}, True)


def test_a_note_that_says_nothing_new_is_the_one_before() -> None:
    before = Registered(*AIMS, "then", True, {"": "new", "da-mario": "new"})
    assert note(make(found(), before), before) is before


def test_a_tenant_that_is_not_as_wanted_keeps_a_registration_incomplete() -> None:
    before = Registered(*AIMS, "then", True, {"": "new", "da-mario": "new"})
    after = note(make(found(), before), before, failed=["da-mario"])
    assert not after.complete
    assert after.confirmed == []
    assert p.unconfirmed(after, ["da-mario"]) == ["da-mario"]
    assert p.unconfirmed(before, ["da-mario"]) == []
    assert p.unconfirmed(None, ["da-mario"]) == []


def test_a_tenant_that_cannot_be_read_for_once_keeps_its_mark() -> None:
    before = Registered(*AIMS, "then", True, {"": "new", "da-mario": "new", "il-faro": "old"})
    after = note(make(found(), before), before, failed=["il-faro", "invalid"])
    assert after.marks == before.marks
    assert after.confirmed == ["da-mario"]


def test_a_new_tenant_that_was_not_written_has_no_mark() -> None:
    assert note(make(found(OLD))).marks == {"": "new"}
    assert note(make(found(OLD)), done=["da-mario"]).marks == {"": "new", "da-mario": "new"}


OTHERS = {"": "new", "da-mario": "new", "il-faro": "old", "nonna": "new"}


@pytest.mark.parametrize(
    ("complete", "confirmed", "aims", "after"),
    [
        # As it was: the others are remembered, and whether all of them are registered.
        (True, [], AIMS, (True, [])),
        (False, ["da-mario", "nonna"], AIMS, (False, ["da-mario", "nonna"])),
        (False, ["nonna"], AIMS, (False, ["da-mario", "nonna"])),
        # Registered for something else, the others are not for this.
        (True, [], (OLD, *AIMS[1:]), (False, ["da-mario"])),
        (False, ["nonna"], (*AIMS[:2], "0"), (False, ["da-mario"])),
    ],
)
def test_a_part_of_the_tenants_says_nothing_about_the_others(
    complete: bool,
    confirmed: list[str],
    aims: tuple[str, str, str],
    after: tuple[bool, list[str]],
) -> None:
    before = Registered(*aims, "then", complete, OTHERS, confirmed)
    noted = note(make(found(), before), before, partial=True)
    assert noted.marks == OTHERS
    assert (noted.complete, noted.confirmed) == after
    assert (noted.url, noted.graph_version, noted.token_version) == AIMS
    assert note(make(found(), noted), noted, partial=True) is noted
    # All of them, it is another matter: who is not among them is no tenant any more.
    alone = note(make(found(), before), before)
    assert alone.marks == {"": "new", "da-mario": "new"}
    assert alone.complete


def test_a_part_of_the_tenants_is_never_all_of_them() -> None:
    first = note(make(found()), partial=True)
    assert (first.marks, first.complete) == ({"": "new", "da-mario": "new"}, False)
    before = Registered(*AIMS, "then", True, OTHERS)
    failed = note(make(found(), before), before, partial=True, failed=["da-mario"])
    assert (failed.marks, failed.complete, failed.confirmed) == (
        OTHERS,
        False,
        ["il-faro", "nonna"],
    )
    on_the_way = note(make(found(OLD), before), before, partial=True, ended=False)
    assert (on_the_way.complete, on_the_way.confirmed) == (False, ["il-faro", "nonna"])


def test_what_was_brought_back_for_the_others_is_so_still() -> None:
    before = Registered(*AIMS, "then", False, OTHERS, ["nonna"], "webhooks/before/x.json", True)
    noted = note(make(found(), before), before, partial=True)
    assert (noted.restored, noted.restoring) == ("webhooks/before/x.json", True)
    assert not noted.complete
    own = note(make(found(), before), before, partial=True, restored="webhooks/before/y.json")
    assert (own.restored, own.restoring) == ("webhooks/before/y.json", False)
    assert (note(make(found(), before), before).restored) == ""


def test_a_deploy_registers_when_url_version_or_token_changed() -> None:
    done = Registered(*AIMS, "then", True)
    assert why_register(done, *AIMS) == ""
    assert "nothing" in why_register(None, *AIMS)
    assert "not complete" in why_register(replace(done, complete=False), *AIMS)
    for index, what in enumerate(("URL", "Graph API", "verify token")):
        aims = [*AIMS]
        aims[index] = "other"
        assert f"{what} was {AIMS[index]}, is other" in why_register(done, *aims)


def test_a_deploy_leaves_alone_what_was_restored_until_something_changes() -> None:
    restored = Registered(*AIMS, "then", False, restored="webhooks/before/x.json")
    assert why_register(restored, *AIMS) == ""
    assert "URL" in why_register(restored, OLD, *AIMS[1:])


def test_routes_of_all_numbers() -> None:
    rows = p.routes([wanted()], {"da-mario": found(OLD)}, APP_GOOD, APP)
    assert rows == [
        {"tenant": "da-mario", "waba_id": WABA, "phone_number_id": NUMBER, "level": "account", "url": OLD}
    ]  # fmt: skip
    assert p.routes([wanted()], {}, APP_GOOD, APP)[0]["level"] == "unknown"
    assert p.routes([wanted()], {"da-mario": found(None)}, APP_GOOD, APP)[0]["level"] == "none"
