"""How a verb can end other than well, and AWS's errors in one sentence each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

GOOD, FAILED, REFUSED, DAMAGED = 0, 1, 2, 3


class EndError(Exception):
    """A verb's end; the message says what is wrong and what to do.

    :ivar code: exit code of the program.
    :ivar event: the event that tells a runbook.
    """

    code = FAILED
    event = "failed"


class FailedError(EndError):
    """It could not be finished; running the same again is safe and is the repair."""


class RefusedError(EndError):
    """Nothing was begun and nothing was changed."""

    code = REFUSED
    event = "refused"


class DamagedError(EndError):
    """A backup is not what its manifest says, or cannot be read any more.

    :ivar reasons: one sentence for each thing that is wrong.
    """

    code = DAMAGED
    event = "damaged"

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


# https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_CREDENTIALS = frozenset(
    [
        "ExpiredToken",
        "ExpiredTokenException",
        "TokenRefreshRequired",
        "InvalidAccessKeyId",
        "InvalidToken",
        "UnrecognizedClientException",
    ]
)
_MISSING = frozenset(["NoSuchKey", "NoSuchVersion", "404", "NotFound", "MethodNotAllowed"])


def code_of(error: Exception) -> str:
    """Return AWS's error code, empty for an error that is not an answer."""
    if not isinstance(error, ClientError):
        return ""
    answer: Mapping[str, Any] = error.response
    return str(answer.get("Error", {}).get("Code", ""))


def is_missing(error: Exception) -> bool:
    """Whether an object, or the version that was asked for, is not there."""
    return code_of(error) in _MISSING


def is_key_gone(error: Exception) -> bool:
    """Whether S3 cannot decrypt an object, because its KMS key is disabled or deleted.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-state.html
    """
    code = code_of(error)
    message = str(error)
    return code.startswith(("KMS.Disabled", "KMS.KMSInvalidState", "KMS.NotFound")) or (
        code.startswith("KMS") and ("disabled" in message or "pending deletion" in message)
    )


def explain(error: ClientError | BotoCoreError, doing: str) -> FailedError:
    """Return an error of AWS as a failure that says what to do.

    :param doing: what was being done, as in "uploading 0004-public.bookings".
    """
    code = code_of(error)
    if code in _CREDENTIALS:
        advice = "the credentials have ended or are not valid: run the same again with fresh ones"
    elif code.startswith("KMS"):
        advice = "S3 could not use the KMS key: enable it, or allow its use, and run the same again"
    elif code == "NoSuchBucket":
        advice = "there is no such bucket: LYO_BACKUP_BUCKET or LYO_BACKUP_COPY_BUCKET is wrong"
    elif code in ("AccessDenied", "403"):
        advice = "the task role may not do this: look at its policy and the bucket's"
    elif code:
        advice = "S3 refused it: nothing that was good has been changed, run the same again"
    else:
        advice = "S3 could not be reached: run the same again"
    return FailedError(f"{doing}: {error} ({advice})")
