"""Access tokens, proofs and permissions.

Tokens: https://developers.facebook.com/docs/facebook-login/guides/access-tokens
Proof: https://developers.facebook.com/docs/graph-api/guides/secure-requests
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from graphdouble.errors import GraphError, missing_permission, unknown_object
from graphdouble.world import MANAGEMENT, TOKEN_STATES, App, Token, World


@dataclass(frozen=True)
class Caller:
    """Who calls: an app by its app access token (`token` is None), or a user or system user."""

    app: App
    token: Token | None


def proof(secret: str, access_token: str) -> str:
    """appsecret_proof of a token: HMAC-SHA256, keyed by the app secret, in hex."""
    return hmac.new(secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def access_token(headers: Mapping[str, str], parameters: Mapping[str, Any]) -> str:
    """The token of a call, from `access_token` or the Authorization header; "" for none."""
    header = headers.get("Authorization", "")
    if header.lower().startswith(("bearer ", "oauth ")):
        return header.split(" ", 1)[1].strip()
    return str(parameters.get("access_token", ""))


def authenticate(
    world: World, headers: Mapping[str, str], parameters: Mapping[str, Any], now: float
) -> Caller:
    """Return the caller.

    :param now: seconds since 1970 of the double's clock, for the text of the error.
    :raises GraphError: 104 no token; 190 a token that is none (any more); 100 the proof.
    """
    value = access_token(headers, parameters)
    if not value:
        raise GraphError(104, "An access token is required to request this resource.", status=400)
    if "|" in value:
        return _app_caller(world, value, parameters)
    token = world.tokens.get(value)
    if token is None:
        raise GraphError(190, "Invalid OAuth access token - Cannot parse access token")
    app = world.apps[token.app_id]
    subcode = TOKEN_STATES[token.state]
    if subcode is not None:
        raise GraphError(190, _why_invalid(token.state, app, now), subcode=subcode)
    given = parameters.get("appsecret_proof")
    if given is None and app.proof_required:
        raise GraphError(
            100,
            "API calls from the server require an appsecret_proof argument",
            kind="GraphMethodException",
        )
    _check_proof(app, value, given)
    return Caller(app, token)


def _app_caller(world: World, value: str, parameters: Mapping[str, Any]) -> Caller:
    app_id, _, secret = value.partition("|")
    app = world.apps.get(app_id)
    if app is None or not hmac.compare_digest(app.secret.encode(), secret.encode()):
        raise GraphError(190, "Invalid OAuth access token signature.")
    # The token holds the secret itself: no proof is asked for, a wrong one is still wrong.
    _check_proof(app, value, parameters.get("appsecret_proof"))
    return Caller(app, None)


def _check_proof(app: App, value: str, given: object) -> None:
    if given is not None and not hmac.compare_digest(
        proof(app.secret, value).encode(), str(given).encode()
    ):
        raise GraphError(
            100,
            "Invalid appsecret_proof provided in the API argument",
            kind="GraphMethodException",
        )


def _why_invalid(state: str, app: App, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC).strftime("%A, %d-%b-%y %H:%M:%S UTC")
    return (
        "Error validating access token: "
        + {
            "expired": f"Session has expired. The current time is {moment}.",
            "password_changed": "The session has been invalidated because the user changed their "
            "password or Facebook has changed the session for security reasons.",
            "invalidated": "The session is invalid because the user logged out.",
            "app_removed": f"The user has not authorized application {app.id}.",
        }[state]
    )


def may_manage(caller: Caller, account_id: str, method: str, object_id: str) -> None:
    """Check that the caller may manage webhooks of an account.

    https://developers.facebook.com/docs/whatsapp/business-management-api/get-started (permissions)

    :raises GraphError: 100 subcode 33 not its account; 10 or 200 to 299 the permission.
    """
    if caller.token is None or account_id not in caller.token.accounts:
        raise unknown_object(method, object_id)
    if MANAGEMENT not in caller.token.permissions:
        raise missing_permission(caller.token.missing_code)


def must_be_app(caller: Caller, app_id: str, method: str) -> None:
    """Check that an app calls for itself.

    https://developers.facebook.com/docs/graph-api/reference/app/subscriptions

    :raises GraphError: 15 no app access token; 100 subcode 33 another app.
    """
    if caller.token is not None:
        raise GraphError(15, "(#15) This method must be called with an app access_token.")
    if caller.app.id != app_id:
        raise unknown_object(method, app_id)
