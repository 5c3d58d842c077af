"""What goes wrong at Meta: errors of the Graph API, whether to try again, and what to do about them.

https://developers.facebook.com/docs/graph-api/guides/error-handling
https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Whose limit is reached decides who waits.
APP_LIMIT = frozenset({4, 17, 32, 341, 613})
# Limits by business use case, one account each; 80007 is WhatsApp's own.
# https://developers.facebook.com/docs/graph-api/overview/rate-limiting/
ACCOUNT_LIMIT = frozenset(
    {80000, 80001, 80002, 80003, 80004, 80005, 80006, 80007, 80008, 80009, 80014}
)
TRANSIENT = frozenset({1, 2})
# The app itself is not accepted, so that no other call with it can succeed.
_APP_REFUSED = frozenset({101, 102, 190})

NETWORK = 0


class GraphError(Exception):
    """A call that Meta refused, or that got no answer.

    :ivar code: Meta's error code; 0 where no answer came.
    :ivar subcode: Meta's ``error_subcode``, 0 without one.
    :ivar status: the HTTP status, 0 where no answer came.
    :ivar transient: Meta says that it may succeed when tried again.
    :ivar retry_after: seconds after which Meta says it may be tried again, 0 where it does not say.
    :ivar trace: ``fbtrace_id``, which Meta's support asks for.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        subcode: int = 0,
        status: int = 0,
        transient: bool = False,
        retry_after: float = 0.0,
        trace: str = "",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.subcode, self.status = code, message, subcode, status
        self.transient, self.retry_after, self.trace = transient, retry_after, trace

    @property
    def limited(self) -> str:
        """Whose limit is reached: ``app``, ``account``, or empty."""
        if self.code in ACCOUNT_LIMIT:
            return "account"
        if self.code in APP_LIMIT or self.status == 429:
            return "app"
        return ""

    @property
    def again(self) -> bool:
        """Whether the same call may succeed in a moment, limits aside."""
        return (
            self.transient
            or self.code in TRANSIENT
            or (self.code == NETWORK and self.status == 0)
            or self.status >= 500
        )

    @property
    def about_proof(self) -> bool:
        """Whether Meta refuses ``appsecret_proof``: the app secret is not this app's.

        https://developers.facebook.com/docs/graph-api/guides/secure-requests
        """
        return "appsecret_proof" in self.message.lower()

    @property
    def not_subscribed(self) -> bool:
        """Whether an override is refused because the app is not subscribed to the account."""
        return self.code == 100 and "must be subscribed" in self.message.lower()

    @property
    def shown(self) -> str:
        """The error in one line."""
        name = f"({self.code}/{self.subcode})" if self.subcode else f"({self.code})"
        trace = f", fbtrace_id {self.trace}" if self.trace else ""
        return f"{name} {self.message}{trace}" if self.status else self.message


def from_answer(status: int, content: Any) -> GraphError:
    """Return the error of an answer whose status is not 2xx, or that has an ``error``."""
    error = content.get("error") if isinstance(content, Mapping) else None
    if not isinstance(error, Mapping):
        return GraphError(NETWORK, f"Meta answered with status {status}", status=status)
    said = [str(error[name]) for name in ("message", "error_user_msg") if error.get(name)]
    return GraphError(
        _number(error.get("code")),
        " ".join(dict.fromkeys(said)) or "no message",
        subcode=_number(error.get("error_subcode")),
        status=status,
        transient=error.get("is_transient") in (True, "true"),
        trace=str(error.get("fbtrace_id") or ""),
    )


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return NETWORK


def app_refused(error: GraphError) -> bool:
    """Whether an error of a call with the app's own token says that app id or secret are wrong."""
    return error.code in _APP_REFUSED or error.about_proof


def remedy(error: GraphError) -> str:
    """Return what a person does about an error, in one sentence."""
    code = error.code
    if error.about_proof:
        return "the app secret in Secrets Manager is not this app's: correct it"
    if error.limited == "app":
        return "the app's limit of calls is reached: run the same command again in an hour"
    if error.limited == "account":
        return "the account's limit of calls is reached: run the same command again in an hour"
    if code == 190:
        return (
            "its access token has expired or was revoked: make a new one in Meta Business Suite "
            "(System users), put it into its secret"
        )
    if code in (3, 10) or 200 <= code <= 299:
        return (
            "its token lacks a permission: give the system user whatsapp_business_management "
            "and assign the account to it"
        )
    if code == 2200:
        return (
            "Meta got no right answer from the callback URL: see that it is reached from outside "
            "and takes this verify token, then run again"
        )
    if code == 100 and error.subcode == 33:
        return "Meta knows no such id, or the token may not see it: correct the id"
    if code == 100:
        return "Meta refuses the value: compare ids and URL with Meta's console"
    if code == 368:
        return "Meta has blocked the account for a policy violation: see Account Quality there"
    if error.again:
        return "Meta fails for the moment: run the same command again"
    return "look the code up in Meta's table of error codes"
