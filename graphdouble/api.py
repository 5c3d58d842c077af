"""The edges and nodes that are reproduced; each names the page it follows."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphdouble import auth, paging
from graphdouble.auth import Caller
from graphdouble.callbacks import Callbacks
from graphdouble.errors import GraphError, invalid_parameter, not_reproduced, unknown_object
from graphdouble.gaps import GapWatch
from graphdouble.settings import Settings
from graphdouble.webhook_fields import FIELDS
from graphdouble.world import Account, Cell, PhoneNumber, Subscription, World

OBJECT = "whatsapp_business_account"
# https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account-to-number-current-status
NUMBER_FIELDS = (
    "id",
    "verified_name",
    "code_verification_status",
    "display_phone_number",
    "quality_rating",
    "platform_type",
    "throughput",
    "webhook_configuration",
)
_WRONG_VERIFY = "The parameter verify_token is required."


@dataclass(frozen=True)
class Call:
    """One authenticated call."""

    method: str
    version: str
    object_id: str
    parameters: Mapping[str, Any]
    caller: Caller
    address: str
    number: int


class Api:
    """Answers calls; reads may lag, writes are told to the watch of routes."""

    def __init__(self, world: World, callbacks: Callbacks, watch: GapWatch) -> None:
        self._world, self._callbacks, self._watch = world, callbacks, watch
        self.settings = Settings()

    # --- /{app-id}/subscriptions -------------------------------------------------------------
    # https://developers.facebook.com/docs/graph-api/reference/app/subscriptions

    async def read_subscriptions(self, call: Call) -> dict[str, Any]:
        """GET: the app's webhooks; needs an app access token."""
        auth.must_be_app(call.caller, call.object_id, "GET")
        found = self._read(call, self._world.apps[call.object_id].subscription)
        if found is None:
            return {"data": []}
        fields = [{"name": name, "version": version} for name, version in found.fields.items()]
        return {
            "data": [
                {
                    "object": OBJECT,
                    "callback_url": found.callback_url,
                    "active": found.active,
                    "fields": fields,
                }
            ]
        }

    async def write_subscriptions(self, call: Call) -> dict[str, Any]:
        """POST: set the app's webhook, after the handshake."""
        auth.must_be_app(call.caller, call.object_id, "POST")
        self._only_our_object(call)
        url, verify = (
            str(call.parameters.get("callback_url", "")),
            call.parameters.get("verify_token"),
        )
        if not url:
            raise invalid_parameter("The parameter callback_url is required.")
        if not verify:
            raise invalid_parameter(_WRONG_VERIFY)
        names = _names(call.parameters.get("fields", ""))
        if not names:
            raise invalid_parameter("The parameter fields is required.")
        check_fields(names)
        await self._shake(call, url, str(verify))
        fields = dict.fromkeys(names, call.version)
        self._world.apps[call.object_id].subscription.set(Subscription(url, str(verify), fields))
        self._watch.look(self._world.numbers.values())
        return self._success(call)

    async def delete_subscriptions(self, call: Call) -> dict[str, Any]:
        """DELETE: all fields, or those named."""
        auth.must_be_app(call.caller, call.object_id, "DELETE")
        if "object" in call.parameters:
            self._only_our_object(call)
        cell = self._world.apps[call.object_id].subscription
        names = _names(call.parameters.get("fields", ""))
        if cell.now is not None:
            left = {name: v for name, v in cell.now.fields.items() if names and name not in names}
            cell.set(replace(cell.now, fields=left) if left else None)
        self._watch.look(self._world.numbers.values())
        return self._success(call)

    @staticmethod
    def _only_our_object(call: Call) -> None:
        if "object" not in call.parameters:
            raise invalid_parameter("The parameter object is required.")
        if call.parameters["object"] != OBJECT:
            raise not_reproduced(f"webhooks for objects other than {OBJECT}")

    # --- /{waba-id}/subscribed_apps ----------------------------------------------------------
    # https://developers.facebook.com/documentation/business-messaging/whatsapp/solution-providers/manage-webhooks
    # https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/override

    async def read_subscribed_apps(self, call: Call) -> dict[str, Any]:
        """GET: every app that is subscribed, with its override."""
        account = self._account(call)
        rows = []
        for app_id, override in self._read(call, account.apps).items():
            row: dict[str, Any] = {
                "whatsapp_business_api_data": {
                    "id": app_id,
                    "link": f"https://www.facebook.com/games/?app_id={app_id}",
                    "name": self._world.apps[app_id].name,
                }
            }
            if override:
                row["override_callback_uri"] = override
            rows.append((app_id, row))
        return paging.page(rows, call.parameters, call.address, self.settings.page_size)

    async def write_subscribed_apps(self, call: Call) -> dict[str, Any]:
        """POST: subscribe the token's app. Without a URL this clears the app's override."""
        account, app_id = self._account(call), call.caller.app.id
        url = call.parameters.get("override_callback_uri")
        if url is None:
            if "verify_token" in call.parameters:
                raise invalid_parameter("The parameter override_callback_uri is required.")
            self._set(account.apps, app_id, "")
        else:
            verify = call.parameters.get("verify_token")
            if not url:
                raise invalid_parameter("Param override_callback_uri must be a valid URI")
            if not verify:
                raise invalid_parameter(_WRONG_VERIFY)
            self._must_be_subscribed(account, app_id)
            await self._shake(call, str(url), str(verify))
            # The app may have been unsubscribed while the handshake went on.
            self._must_be_subscribed(account, app_id)
            self._set(account.apps, app_id, str(url))
        self._watch.look(self._world.numbers_of(account.id))
        return self._success(call)

    async def delete_subscribed_apps(self, call: Call) -> dict[str, Any]:
        """DELETE: unsubscribe the token's app; its override of the account goes with it."""
        account, app_id = self._account(call), call.caller.app.id
        left = {key: value for key, value in account.apps.now.items() if key != app_id}
        account.apps.set(left)
        self._watch.look(self._world.numbers_of(account.id))
        return self._success(call)

    def _must_be_subscribed(self, account: Account, app_id: str) -> None:
        if app_id not in account.apps.now:
            raise invalid_parameter(
                "Before override the current callback uri, your app must be subscribed to receive "
                "messages for WhatsApp Business Account"
            )

    # --- phone numbers -----------------------------------------------------------------------
    # https://developers.facebook.com/docs/graph-api/reference/whats-app-business-account/phone_numbers

    async def read_phone_numbers(self, call: Call) -> dict[str, Any]:
        """GET /{waba-id}/phone_numbers."""
        account = self._account(call)
        rows = [(n.id, self._number(call, n)) for n in self._world.numbers_of(account.id)]
        return paging.page(rows, call.parameters, call.address, self.settings.page_size)

    async def read_number(self, call: Call) -> dict[str, Any]:
        """GET /{phone-number-id}."""
        return self._number(call, self._phone(call))

    async def write_number(self, call: Call) -> dict[str, Any]:
        """POST /{phone-number-id}: set or, with an empty URL, clear the override."""
        number, app_id = self._phone(call), call.caller.app.id
        if "webhook_configuration" not in call.parameters:
            raise not_reproduced("settings of phone numbers other than webhook_configuration")
        wanted = _document(call.parameters["webhook_configuration"])
        url = wanted.get("override_callback_uri")
        if url is None:
            raise invalid_parameter("The parameter override_callback_uri is required.")
        account = self._world.accounts[number.account_id]
        if url:
            if not wanted.get("verify_token"):
                raise invalid_parameter(_WRONG_VERIFY)
            self._must_be_subscribed(account, app_id)
            await self._shake(call, str(url), str(wanted["verify_token"]))
        others = {key: value for key, value in number.overrides.now.items() if key != app_id}
        number.overrides.set({**others, app_id: str(url)} if url else others)
        self._watch.look([number])
        return self._success(call)

    def _number(self, call: Call, number: PhoneNumber) -> dict[str, Any]:
        account = self._world.accounts[number.account_id]
        app = call.caller.app
        subscription = self._read(call, app.subscription)
        levels = {
            "phone_number": self._read(call, number.overrides).get(app.id),
            "whatsapp_business_account": self._read(call, account.apps).get(app.id),
            "application": subscription.callback_url if subscription else None,
        }
        everything = {
            "id": number.id,
            "verified_name": account.name,
            "code_verification_status": "VERIFIED",
            "display_phone_number": number.display,
            "quality_rating": "GREEN",
            "platform_type": "CLOUD_API",
            "throughput": {"level": "STANDARD"},
            "webhook_configuration": {name: url for name, url in levels.items() if url},
        }
        asked = _names(call.parameters.get("fields", "")) or list(NUMBER_FIELDS)
        for name in asked:
            if name not in everything:
                raise invalid_parameter(
                    f"Tried accessing nonexisting field ({name}) on node type "
                    "(WhatsAppBusinessPhoneNumber)"
                )
        return {name: everything[name] for name in dict.fromkeys([*asked, "id"])}

    # --- common ------------------------------------------------------------------------------

    def _account(self, call: Call) -> Account:
        account = self._world.accounts.get(call.object_id)
        if account is None:
            raise unknown_object(call.method, call.object_id)
        auth.may_manage(call.caller, account.id, call.method, account.id)
        return account

    def _phone(self, call: Call) -> PhoneNumber:
        number = self._world.numbers.get(call.object_id)
        if number is None:
            raise unknown_object(call.method, call.object_id)
        auth.may_manage(call.caller, number.account_id, call.method, number.id)
        return number

    def _read(self, call: Call, cell: Cell[Any]) -> Any:
        """The value as a read sees it: of now, or of up to `lag` seconds ago."""
        if self.settings.lag > 0 and self._chance(call, "stale") < self.settings.stale_rate:
            return cell.ago(self.settings.lag)
        return cell.now

    @staticmethod
    def _set(cell: Cell[Mapping[str, str]], app_id: str, url: str) -> None:
        cell.set({**cell.now, app_id: url})

    async def _shake(self, call: Call, url: str, verify_token: str) -> None:
        self._callbacks.check(url, allow_http=self.settings.allow_http)
        await self._callbacks.handshake(
            url,
            verify_token,
            self.settings.handshake_seconds,
            f"{self.settings.seed}:{call.number}",
        )

    def _success(self, call: Call) -> dict[str, Any]:
        """`true` in most pages, "true" in that of the subscriptions edge."""
        form = self.settings.success
        if form == "mixed":
            form = "string" if self._chance(call, "success") < 0.5 else "boolean"
        return {"success": "true" if form == "string" else True}

    def _chance(self, call: Call, what: str) -> float:
        return random.Random(f"{self.settings.seed}:{what}:{call.number}").random()  # noqa: S311


def _names(value: object) -> list[str]:
    """A list of names: comma-separated, or JSON as Graph parses it too."""
    if isinstance(value, list):
        return [str(name) for name in value]
    text = str(value)
    if text.startswith("["):
        try:
            return [str(name) for name in json.loads(text)]
        except ValueError as error:
            raise invalid_parameter("Param fields must be a list") from error
    return [name.strip() for name in text.split(",") if name.strip()]


def _document(value: object) -> Mapping[str, Any]:
    """An object, as JSON or as a JSON string in a form."""
    try:
        document = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise invalid_parameter("Param webhook_configuration must be an object")
    return document


def check_fields(names: list[str]) -> None:
    """Refuse fields that WhatsApp does not have.

    :raises GraphError: 100.
    """
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise GraphError(100, f"(#100) Param fields must be one of {{{', '.join(FIELDS)}}}")
