"""Meta's errors: shape, codes and HTTP status.

Shape and common codes: https://developers.facebook.com/docs/graph-api/guides/error-handling
HTTP status per code: https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from __future__ import annotations

from typing import Any

# The page of WhatsApp's error codes gives these; any other code is answered with 400.
_STATUS = {2: 503, 10: 403, 190: 401, 200: 403}


class GraphError(Exception):
    """An answer other than success.

    :ivar code: Meta's number, what callers decide by.
    :ivar subcode: further detail, None when there is none.
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        subcode: int | None = None,
        kind: str = "OAuthException",
        transient: bool | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.subcode, self.kind, self.transient = code, subcode, kind, transient
        self.message = message
        self.status = _STATUS.get(code, 400) if status is None else status

    def body(self, trace_id: str) -> dict[str, Any]:
        """The JSON document of the answer."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.transient is not None:
            error["is_transient"] = self.transient
        error["fbtrace_id"] = trace_id
        return {"error": error}


def not_reproduced(what: str) -> GraphError:
    """Meta may know it, the double does not: HTTP 501, so that it is never taken for Meta's word."""
    return GraphError(
        3,
        f"(#3) the double does not reproduce {what} (docs/graph-double.md)",
        kind="NotReproduced",
        transient=False,
        status=501,
    )


def invalid_parameter(what: str) -> GraphError:
    """Code 100."""
    return GraphError(100, f"(#100) {what}")


def unknown_object(method: str, object_id: str) -> GraphError:
    """Code 100, subcode 33: Meta does not tell what is absent from what the token may not see."""
    verb = {"GET": "get", "POST": "post", "DELETE": "delete"}.get(method, "get")
    return GraphError(
        100,
        f"Unsupported {verb} request. Object with ID '{object_id}' does not exist, cannot be loaded "
        "due to missing permissions, or does not support this operation. Please read the Graph API "
        "documentation at https://developers.facebook.com/docs/graph-api",
        subcode=33,
        kind="GraphMethodException",
    )


def missing_permission(code: int) -> GraphError:
    """Code 10, or one of 200 to 299: the token lacks whatsapp_business_management."""
    text = {10: "Application does not have permission for this action"}.get(
        code, "Permissions error"
    )
    return GraphError(code, f"(#{code}) {text}", status=403)


def unreachable_callback(why: str) -> GraphError:
    """Code 2200: the handshake failed."""
    return GraphError(
        2200, f"(#2200) Callback verification failed with the following errors: {why}"
    )


def app_limit(status: int = 400) -> GraphError:
    """Code 4: https://developers.facebook.com/docs/graph-api/overview/rate-limiting."""
    return GraphError(4, "(#4) Application request limit reached", transient=True, status=status)


def account_limit(code: int, status: int = 400) -> GraphError:
    """Code 80008 of the reference of each edge, or 80007 of the page of WhatsApp's error codes."""
    text = {
        80007: "The WhatsApp Business Account has reached its rate limit.",
        80008: "There have been too many calls to this WhatsApp Business account. Wait a bit and try "
        "again. For more info, please refer to "
        "https://developers.facebook.com/docs/graph-api/overview/rate-limiting.",
    }[code]
    return GraphError(code, f"(#{code}) {text}", transient=True, status=status)
