"""What went wrong between us and AWS: one exception, and the one line that a person reads of it.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

MAX_ATTEMPTS = 6

EXPIRED = frozenset(
    {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
)
_BAD_CREDENTIALS = {
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "InvalidAccessKeyId",
    "MissingAuthenticationToken",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403"}
THROTTLED = frozenset(
    {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "SlowDown",
    }
)


class AwsFailure(Exception):  # noqa: N818 - a failure to report, its name is what it is
    """A call, or the way to AWS, failed.

    :ivar code: AWS's error code (``ServiceNotFoundException``), or one of ours: ``NoCredentials``,
        ``Unreachable``, ``WrongAccount``, ``BadEndpoint``, ``LockLost``, ``Client``.
    :ivar operation: ``ecs:UpdateService`` and the like, empty where no call was made.
    :ivar status: HTTP status of the answer, 0 without one.
    """

    def __init__(self, code: str, message: str, operation: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.operation = operation
        self.status = status

    @property
    def throttled(self) -> bool:
        """Whether AWS refused the call because there were too many: it has not taken effect."""
        return self.code in THROTTLED

    @property
    def open(self) -> bool:
        """Whether the call may have taken effect all the same: no answer, or one of a server in trouble."""
        return not self.throttled and (self.code == "Unreachable" or self.status >= 500)

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed a little later, with nobody doing anything about it."""
        return self.throttled or self.open

    @property
    def expired(self) -> bool:
        """Whether the credentials have ended."""
        return self.code in EXPIRED


def explain(code: str, message: str, operation: str, endpoint_url: str | None) -> str:
    """Return the one line a person reads when ``operation`` failed with ``code``."""
    if code in EXPIRED:
        return (
            f"the AWS credentials have expired (at {operation}): log in again, "
            "then run the same command again"
        )
    if code in _BAD_CREDENTIALS:
        return f"AWS does not accept the credentials (at {operation}, {code}): {message}"
    if code in _DENIED:
        return (
            f"access denied: these credentials may not do {operation}. "
            f"Grant it or use another role. AWS says: {message}"
        )
    if code in THROTTLED:
        return (
            f"AWS keeps throttling {operation} ({code}), also after {MAX_ATTEMPTS} attempts: "
            "wait a minute and run the same command again"
        )
    if code == "NoCredentials":
        return (
            "there are no AWS credentials: log in (aws sso login), set AWS_PROFILE, "
            "or name a profile in the inventory's lyo_aws"
        )
    if code == "Unreachable":
        at = f" (at {operation})" if operation else ""
        if endpoint_url:
            return f"nothing answers at {endpoint_url}{at}: is the local cloud up? make demo"
        return f"AWS cannot be reached{at}: {message}"
    return f"{operation} failed ({code}): {message}" if operation else message
