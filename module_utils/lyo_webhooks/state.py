"""What Meta has registered: its answers as plain data, and the route that messages take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .tenants import ACCOUNT, APP, NUMBER

OBJECT = "whatsapp_business_account"


@dataclass(frozen=True)
class AppFound:
    """The app's own subscription to WhatsApp's webhooks.

    :ivar callback_url: empty where there is none.
    """

    callback_url: str = ""
    fields: tuple[str, ...] = ()
    active: bool = False


@dataclass(frozen=True)
class Subscribed:
    """An app that is subscribed to an account. ``override`` is empty without one."""

    id: str
    name: str = ""
    override: str = ""


@dataclass(frozen=True)
class Found:
    """An account and its numbers.

    :ivar apps: the apps that are subscribed to it.
    :ivar numbers: override of each number by its id, empty without one.
    """

    apps: tuple[Subscribed, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)

    def own(self, app_id: str) -> Subscribed | None:
        """Our app among them, None where it is not subscribed."""
        return next((app for app in self.apps if app.id == app_id), None)

    def others(self, app_id: str, allowed: Iterable[str] = ()) -> list[Subscribed]:
        """The apps that are not ours, nor among those that may be there."""
        return [app for app in self.apps if app.id not in {app_id, *allowed}]


@dataclass(frozen=True)
class Route:
    """Where a number's messages go, and which level says so; an empty URL means nowhere."""

    level: str
    url: str


def route(app: AppFound, found: Found, app_id: str, number: str) -> Route:
    """Return the effective route of a number.

    The number's override, else the account's, else the app's; nothing without a subscription.
    https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override/
    """
    own = found.own(app_id)
    if own is None:
        return Route(APP, "")
    if found.numbers.get(number):
        return Route(NUMBER, found.numbers[number])
    if own.override:
        return Route(ACCOUNT, own.override)
    return Route(APP, app.callback_url if app.active else "")


def app_from(items: Iterable[Mapping[str, Any]]) -> AppFound:
    """Return the app's subscription from ``GET /{app-id}/subscriptions``.

    https://developers.facebook.com/docs/graph-api/reference/app/subscriptions/
    """
    for item in items:
        if item.get("object") == OBJECT:
            fields = [f["name"] if isinstance(f, Mapping) else f for f in item.get("fields") or ()]
            return AppFound(
                str(item.get("callback_url") or ""),
                tuple(sorted(map(str, fields))),
                truth(item.get("active")),
            )
    return AppFound()


def apps_from(items: Iterable[Mapping[str, Any]]) -> tuple[Subscribed, ...]:
    """Return the apps from ``GET /{waba-id}/subscribed_apps``."""
    return tuple(
        Subscribed(
            str(item["whatsapp_business_api_data"]["id"]),
            str(item["whatsapp_business_api_data"].get("name") or ""),
            str(item.get("override_callback_uri") or ""),
        )
        for item in items
        if isinstance(item.get("whatsapp_business_api_data"), Mapping)
    )


def number_from(answer: Mapping[str, Any]) -> str:
    """Return a number's own override from ``GET /{phone-number-id}?fields=webhook_configuration``.

    Its ``application`` and ``whatsapp_business_account`` repeat what the other levels say.
    """
    configuration = answer.get("webhook_configuration") or {}
    return str(configuration.get("phone_number") or "")


def truth(value: Any) -> bool:
    """Meta's booleans come as such or as the string ``"true"``."""
    return value is True or str(value).lower() == "true"


def found_from(record: Mapping[str, Any]) -> Found:
    """Return an account from what :func:`dataclasses.asdict` made of it."""
    apps = tuple(Subscribed(**app) for app in record["apps"])
    return Found(apps, {str(key): str(url) for key, url in record["numbers"].items()})


def app_from_record(record: Mapping[str, Any]) -> AppFound:
    """Return an app's subscription from what :func:`dataclasses.asdict` made of it."""
    return AppFound(str(record["callback_url"]), tuple(record["fields"]), bool(record["active"]))


def as_record(value: AppFound | Found) -> dict[str, Any]:
    """Return the state as JSON can hold it."""
    return asdict(value)
